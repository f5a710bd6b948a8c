//! Aliases: left sides and what they stand for.
//!
//! Aliases of a text are in memory; those of a compiled configuration, if they are many, are
//! records beside its core, each read when it is asked for.

use mta_mapping::Unreadable;
use mta_mapping::records::{FEW, Records, encode, fetch};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// Bit of `alias_domains`: the local part is probed.
const LOCAL: i64 = 1;
/// Bit of `alias_domains`: the whole address is probed.
const WHOLE: i64 = 2;
/// Bit of `alias_domains`: `*@domain` is probed.
const WILD: i64 = 4;

/// One value of an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AliasValue {
    /// An address, rewritten from the beginning.
    Address(String),
    /// A file of members, read at each use (`<file`).
    File(String),
    /// A directory URL of members (`<ldap:…`).
    Url(String),
}

impl AliasValue {
    /// Reads one value as the alias file writes it; nothing when it is malformed: an open quote
    /// or bracket, or a `<` without a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(name) = text.strip_prefix('<') {
            let name = name.trim();
            return match name.split_once(':') {
                _ if name.is_empty() => None,
                Some((scheme, _)) if scheme.eq_ignore_ascii_case("ldap") => {
                    Some(Self::Url(name.to_owned()))
                }
                _ => Some(Self::File(name.to_owned())),
            };
        }
        let address = text.strip_prefix(':').unwrap_or(text);
        (balanced(address) && !address.is_empty()).then(|| Self::Address(text.to_owned()))
    }
}

/// Whether quotes and brackets are closed.
fn balanced(text: &str) -> bool {
    let (mut quoted, mut depth) = (false, 0_i32);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '"' => quoted = !quoted,
            '<' | '[' | '(' if !quoted => depth += 1,
            '>' | ']' | ')' if !quoted => depth -= 1,
            _ => {}
        }
    }
    !quoted && depth == 0
}

/// One alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasEntry {
    /// The left side as it was written.
    pub name: String,
    /// What it stands for.
    pub values: Vec<AliasValue>,
    /// Alias options without their prefix `alias_`, in lower case, for example `blocklimit`.
    pub options: Vec<(String, String)>,
}

impl AliasEntry {
    /// An alias of a database: its value holds addresses with commas between them.
    #[must_use]
    pub fn of(name: &str, value: &str) -> Self {
        let values = split_values(value);
        Self {
            name: name.to_owned(),
            values: values
                .iter()
                .filter_map(|text| AliasValue::parse(text))
                .collect(),
            options: Vec::new(),
        }
    }

    /// An option of the alias.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        let found = self.options.iter().find(|(option, _)| option == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// How much of `user+detail` an alias must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subaddress {
    /// All of it.
    Exact,
    /// All of it, or `user+*`.
    Wild,
    /// All of it, or `user+*`, or `user`.
    Relaxed,
}

/// All aliases, found by their left side in any case.
#[derive(Debug, Clone, Default)]
pub struct Aliases {
    domains: i64,
    size: usize,
    /// All aliases of a text; of a compiled configuration those in the core.
    entries: Vec<AliasEntry>,
    index: OnceLock<HashMap<String, usize>>,
    /// Where the others are.
    records: Option<Arc<dyn Records>>,
}

/// What a process reads of the aliases at its start; the rest are records.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AliasesCore {
    domains: i64,
    size: usize,
    entries: Vec<AliasEntry>,
    has_records: bool,
}

impl AliasesCore {
    /// Whether some of the aliases are records beside the core.
    #[must_use]
    pub const fn has_records(&self) -> bool {
        self.has_records
    }

    /// The aliases, which find in `records` what [`Aliases::divide`] gave away.
    #[must_use]
    pub fn attach(self, records: &Arc<dyn Records>) -> Aliases {
        Aliases {
            domains: self.domains,
            size: self.size,
            entries: self.entries,
            index: OnceLock::new(),
            records: self.has_records.then(|| Arc::clone(records)),
        }
    }
}

/// Longest left side that is the key of a record, in octets.
const LONGEST_KEY: usize = 400;

/// A left side in lower case; nearly every one already is.
pub(crate) fn folded(name: &str) -> Cow<'_, str> {
    let is_folded = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if name.bytes().all(is_folded) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.to_lowercase())
    }
}

/// The first octets of a text as a number; texts compare as their numbers, and equal numbers as
/// what follows.
fn head(text: &str) -> u128 {
    let mut octets = [0; 16];
    let length = text.len().min(16);
    octets[..length].copy_from_slice(&text.as_bytes()[..length]);
    u128::from_be_bytes(octets)
}

fn record_key(folded: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + folded.len());
    key.push(b'a');
    key.extend(folded.as_bytes());
    key
}

impl Aliases {
    /// Takes the entries; of two with the same left side the first counts. `domains` is the MTA
    /// option `alias_domains`.
    #[must_use]
    pub const fn new(domains: i64, entries: Vec<AliasEntry>) -> Self {
        Self {
            domains,
            size: entries.len(),
            entries,
            index: OnceLock::new(),
            records: None,
        }
    }

    /// The aliases in their order; of a compiled configuration only those in its core.
    pub fn in_memory(&self) -> impl Iterator<Item = &AliasEntry> {
        self.entries.iter()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.size
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// What a process reads at its start; `put` is given the keys and the records of the rest.
    /// Only what was made of text can be divided.
    pub fn divide(&self, put: &mut dyn FnMut(Vec<u8>, Vec<u8>)) -> AliasesCore {
        let many = self.size >= FEW;
        let mut core = AliasesCore {
            domains: self.domains,
            size: self.size,
            entries: Vec::new(),
            has_records: many,
        };
        if !many {
            core.entries.clone_from(&self.entries);
            return core;
        }
        // Sorted by its first octets as a number: comparing a million texts where they lie would
        // take most of the time.
        let mut beside = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let folded = folded(&entry.name);
            if folded.len() > LONGEST_KEY {
                core.entries.push(entry.clone());
            } else {
                beside.push((head(&folded), folded, entry));
            }
        }
        // A stable sort: of two with the same left side the first counts.
        beside.sort_by(|(one, text, _), (other, longer, _)| {
            one.cmp(other).then_with(|| text.cmp(longer))
        });
        beside.dedup_by(|(_, later, _), (_, first, _)| later == first);
        for (_, folded, entry) in beside {
            put(record_key(&folded), encode(entry));
        }
        core
    }

    /// The alias of exactly that left side, in any case.
    ///
    /// # Errors
    /// [`Unreadable`]: whether there is one is not known.
    pub fn get(&self, name: &str) -> Result<Option<Cow<'_, AliasEntry>>, Unreadable> {
        let folded = folded(name);
        let index = self.index.get_or_init(|| {
            let mut index = HashMap::with_capacity(self.entries.len());
            for (at, entry) in self.entries.iter().enumerate() {
                index.entry(entry.name.to_lowercase()).or_insert(at);
            }
            index
        });
        if let Some(at) = index.get(&*folded) {
            return Ok(Some(Cow::Borrowed(&self.entries[*at])));
        }
        match &self.records {
            None => Ok(None),
            Some(records) => Ok(fetch(&**records, &record_key(&folded))?.map(Cow::Owned)),
        }
    }

    /// The alias of an address: the whole address, the local part, then `*@domain`, as
    /// `alias_domains` allows; each with the subaddress forms allowed.
    ///
    /// # Errors
    /// As [`Aliases::get`].
    pub fn lookup(
        &self,
        local: &str,
        domain: Option<&str>,
        subaddress: Subaddress,
    ) -> Result<Option<Cow<'_, AliasEntry>>, Unreadable> {
        for key in self.keys(local, domain, subaddress) {
            let found = self.get(&key)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The left sides that are looked for, in their order.
    #[must_use]
    pub fn keys(&self, local: &str, domain: Option<&str>, subaddress: Subaddress) -> Vec<String> {
        let locals = local_forms(local, subaddress);
        let mut keys = Vec::new();
        if let Some(domain) = domain.filter(|_| self.domains & WHOLE != 0) {
            keys.extend(locals.iter().map(|local| format!("{local}@{domain}")));
        }
        if self.domains & LOCAL != 0 {
            keys.extend(locals);
        }
        if let Some(domain) = domain.filter(|_| self.domains & WILD != 0) {
            keys.push(format!("*@{domain}"));
        }
        keys
    }
}

/// The values of an alias, with commas between them; empty ones count for nothing.
pub(crate) fn split_values(text: &str) -> Vec<String> {
    let mut values = split_at_commas(text);
    values.retain(|value| !value.is_empty());
    values
}

/// Splits at commas outside quotes and brackets, empty pieces among the others.
pub(crate) fn split_at_commas(text: &str) -> Vec<String> {
    if !text.contains(['"', '(', '[', '\\', ',']) {
        return vec![text.trim().to_owned()];
    }
    let mut values = vec![String::new()];
    let (mut quoted, mut depth, mut escaped) = (false, 0_i32, false);
    for c in text.chars() {
        let plain = !quoted && depth <= 0 && !escaped;
        if c == ',' && plain {
            values.push(String::new());
            continue;
        }
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth -= 1,
            _ => {}
        }
        values
            .last_mut()
            .expect("one value is always there")
            .push(c);
    }
    values
        .into_iter()
        .map(|value| value.trim().to_owned())
        .collect()
}

fn local_forms(local: &str, subaddress: Subaddress) -> Vec<String> {
    let mut forms = vec![local.to_owned()];
    if let Some((user, _)) = local.split_once('+').filter(|(user, _)| !user.is_empty()) {
        if subaddress != Subaddress::Exact {
            forms.push(format!("{user}+*"));
        }
        if subaddress == Subaddress::Relaxed {
            forms.push(user.to_owned());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aliases(domains: i64, names: &[&str]) -> Aliases {
        let entry = |name: &&str| AliasEntry {
            name: (*name).to_owned(),
            values: vec![AliasValue::Address("x@y".into())],
            options: Vec::new(),
        };
        Aliases::new(domains, names.iter().map(entry).collect())
    }

    fn found(aliases: &Aliases, local: &str, subaddress: Subaddress) -> Option<&'static str> {
        let entry = aliases.lookup(local, Some("a.example"), subaddress);
        let name = entry.unwrap()?.name.clone();
        let names = ["Jane@a.example", "jane", "*@a.example", "u+x", "u+*", "u"];
        names.into_iter().find(|known| *known == name)
    }

    #[test]
    fn left_sides_with_a_domain_need_their_bit() {
        let names = ["Jane@a.example", "jane", "*@a.example"];
        let relaxed = Subaddress::Relaxed;
        assert_eq!(found(&aliases(1, &names), "JANE", relaxed), Some("jane"));
        assert_eq!(
            found(&aliases(3, &names), "jane", relaxed),
            Some("Jane@a.example")
        );
        assert_eq!(found(&aliases(1, &names), "joe", relaxed), None);
        assert_eq!(
            found(&aliases(7, &names), "joe", relaxed),
            Some("*@a.example")
        );
    }

    #[test]
    fn subaddresses_are_tried_from_the_longest() {
        let all = aliases(1, &["u+x", "u+*", "u"]);
        assert_eq!(found(&all, "u+x", Subaddress::Relaxed), Some("u+x"));
        assert_eq!(found(&all, "u+y", Subaddress::Relaxed), Some("u+*"));
        let plain = aliases(1, &["u"]);
        assert_eq!(found(&plain, "u+y", Subaddress::Relaxed), Some("u"));
        assert_eq!(found(&plain, "u+y", Subaddress::Wild), None);
        assert_eq!(found(&all, "u+y", Subaddress::Exact), None);
    }

    #[test]
    fn values_are_addresses_files_or_urls() {
        let table = [
            ("a@b", Some(AliasValue::Address("a@b".into()))),
            (
                "<IMTA_TABLE:list.txt",
                Some(AliasValue::File("IMTA_TABLE:list.txt".into())),
            ),
            (
                "<ldap:///o=x?mail",
                Some(AliasValue::Url("ldap:///o=x?mail".into())),
            ),
            ("<", None),
            ("\"a@b", None),
            ("[a", None),
            ("", None),
        ];
        for (text, value) in table {
            assert_eq!(AliasValue::parse(text), value, "{text}");
        }
    }

    #[test]
    fn values_split_at_commas_outside_quotes() {
        let text = "a@b, \"x, y\"@c,<IMTA_TABLE:list, (note, note) d@e,";
        assert_eq!(
            split_values(text),
            ["a@b", "\"x, y\"@c", "<IMTA_TABLE:list", "(note, note) d@e"]
        );
    }
}
