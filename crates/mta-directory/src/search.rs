//! Searching by LDAP URL (RFC 4516) and filter (RFC 4515): `ldap:///BASE?ATTRIBUTES?SCOPE?FILTER`.
//!
//! Values are compared without regard to case, as most attributes of the schema are.

use crate::entry::{Entry, fold_dn};
use std::sync::Arc;

/// Deepest nesting of a filter.
const MAX_DEPTH: usize = 32;
/// Most parts of a filter.
const MAX_PARTS: usize = 256;

/// Why a URL is none that can be searched for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not `ldap:///`.
    #[error("not an LDAP URL without host (ldap:///base?attributes?scope?filter)")]
    Form,
    /// A percent sign without two hexadecimal digits behind it.
    #[error("bad percent escape")]
    Escape,
    /// None of base, one, sub.
    #[error("unknown scope {0}")]
    Scope(String),
    /// A filter that is none.
    #[error("bad filter near \"{0}\"")]
    Filter(String),
}

/// One entry that a search has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Its distinguished name.
    pub dn: String,
    /// The attributes that were asked for, each with its name as asked, in lower case otherwise.
    pub attributes: Vec<(String, String)>,
    /// The values alone.
    pub values: Vec<String>,
}

/// A URL, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Search {
    base: String,
    attributes: Vec<String>,
    scope: Scope,
    filter: Filter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Base,
    One,
    Sub,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Filter {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Present(String),
    Equal(String, String),
    /// First, middle and last pieces around the asterisks.
    Pieces(String, Vec<String>),
    AtLeast(String, String),
    AtMost(String, String),
}

impl Search {
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        let rest = strip_scheme(url).ok_or(UrlError::Form)?;
        let mut parts = rest.splitn(5, '?').map(unescape);
        let mut next = || parts.next().unwrap_or_else(|| Ok(String::new()));
        let (base, attributes, scope, filter) = (next()?, next()?, next()?, next()?);
        let scope = match scope.to_ascii_lowercase().as_str() {
            "" | "base" => Scope::Base,
            "one" => Scope::One,
            "sub" => Scope::Sub,
            _ => return Err(UrlError::Scope(scope)),
        };
        let filter = if filter.is_empty() {
            Filter::Present("objectclass".to_owned())
        } else {
            parse_filter(&filter)?
        };
        let attributes = attributes
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty() && name != "*")
            .collect();
        Ok(Self {
            base: fold_dn(&base),
            attributes,
            scope,
            filter,
        })
    }

    pub(crate) fn of(&self, entries: &mut dyn Iterator<Item = &Arc<Entry>>) -> Vec<Match> {
        let mut found: Vec<&Arc<Entry>> = entries
            .filter(|entry| self.covers(&fold_dn(&entry.dn)) && self.filter.holds(entry))
            .collect();
        found.sort_by_key(|entry| entry.line);
        found.into_iter().map(|entry| self.shown(entry)).collect()
    }

    fn covers(&self, dn: &str) -> bool {
        if self.base.is_empty() {
            return self.scope != Scope::Base || dn.is_empty();
        }
        if dn == self.base {
            return self.scope != Scope::One;
        }
        let above = dn.strip_suffix(&self.base);
        let above = above.and_then(|above| above.strip_suffix(','));
        match (above, self.scope) {
            (Some(above), Scope::One) => !above.replace("\\,", "").contains(','),
            (Some(_), Scope::Sub) => true,
            (Some(_) | None, _) => false,
        }
    }

    fn shown(&self, entry: &Entry) -> Match {
        let mut attributes = Vec::new();
        if self.attributes.is_empty() {
            attributes.extend(
                entry
                    .attributes()
                    .map(|(n, v)| (n.to_owned(), v.to_owned())),
            );
        }
        for name in &self.attributes {
            let folded = name.to_ascii_lowercase();
            let values = entry
                .values(&folded)
                .map(|value| (name.clone(), value.to_owned()));
            attributes.extend(values.collect::<Vec<_>>());
        }
        // Nobody asks a search for passwords.
        attributes.retain(|(name, _)| !name.eq_ignore_ascii_case("userpassword"));
        Match {
            dn: entry.dn.clone(),
            values: attributes.iter().map(|(_, value)| value.clone()).collect(),
            attributes,
        }
    }
}

fn strip_scheme(url: &str) -> Option<&str> {
    let head = url.get(..8)?;
    head.eq_ignore_ascii_case("ldap:///").then(|| &url[8..])
}

fn unescape(text: &str) -> Result<String, UrlError> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            octets.push(*first);
            continue;
        }
        let digits = behind
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let octet = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        octets.push(octet.ok_or(UrlError::Escape)?);
        rest = &behind[2..];
    }
    String::from_utf8(octets).map_err(|_| UrlError::Escape)
}

impl Filter {
    fn holds(&self, entry: &Entry) -> bool {
        let any = |name: &str, test: &dyn Fn(&str) -> bool| {
            entry.values(name).any(|value| test(&value.to_lowercase()))
        };
        match self {
            Self::And(all) => all.iter().all(|filter| filter.holds(entry)),
            Self::Or(some) => some.iter().any(|filter| filter.holds(entry)),
            Self::Not(filter) => !filter.holds(entry),
            Self::Present(name) => entry.first(name).is_some(),
            Self::Equal(name, wanted) => any(name, &|value| value == wanted),
            Self::AtLeast(name, wanted) => any(name, &|value| value >= wanted.as_str()),
            Self::AtMost(name, wanted) => any(name, &|value| value <= wanted.as_str()),
            Self::Pieces(name, pieces) => any(name, &|value| has_pieces(value, pieces)),
        }
    }
}

/// Whether a value begins with the first piece, ends with the last, and has the others between.
fn has_pieces(value: &str, pieces: &[String]) -> bool {
    let ([first, middle @ .., last], Some(mut rest)) = (
        pieces,
        value.strip_prefix(pieces.first().map_or("", String::as_str)),
    ) else {
        return false;
    };
    debug_assert!(value.starts_with(first));
    for piece in middle {
        match rest.find(piece.as_str()) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

fn parse_filter(text: &str) -> Result<Filter, UrlError> {
    let mut parser = Parser {
        rest: text.trim(),
        parts: 0,
    };
    // A filter without brackets around it is usual in configurations.
    let filter = if parser.rest.starts_with('(') {
        parser.filter(0)?
    } else {
        let whole = parser.rest;
        parser.rest = "";
        item(whole)?
    };
    if parser.rest.is_empty() {
        Ok(filter)
    } else {
        Err(parser.error())
    }
}

struct Parser<'t> {
    rest: &'t str,
    parts: usize,
}

impl Parser<'_> {
    fn error(&self) -> UrlError {
        UrlError::Filter(self.rest.chars().take(20).collect())
    }

    fn takes(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn filter(&mut self, depth: usize) -> Result<Filter, UrlError> {
        self.parts += 1;
        if depth > MAX_DEPTH || self.parts > MAX_PARTS || !self.takes('(') {
            return Err(self.error());
        }
        let filter = if self.takes('&') {
            Filter::And(self.list(depth)?)
        } else if self.takes('|') {
            Filter::Or(self.list(depth)?)
        } else if self.takes('!') {
            Filter::Not(Box::new(self.filter(depth + 1)?))
        } else {
            let end = self.rest.find([')', '(']).ok_or_else(|| self.error())?;
            let (inside, rest) = self.rest.split_at(end);
            self.rest = rest;
            item(inside)?
        };
        if self.takes(')') {
            Ok(filter)
        } else {
            Err(self.error())
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Filter>, UrlError> {
        let mut list = Vec::new();
        while self.rest.starts_with('(') {
            list.push(self.filter(depth + 1)?);
        }
        Ok(list)
    }
}

fn item(text: &str) -> Result<Filter, UrlError> {
    let wrong = || UrlError::Filter(text.chars().take(20).collect());
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let (name, sign) = match name.strip_suffix(['>', '<', '~']) {
        Some(bare) => (bare, name.chars().last()),
        None => (name, None),
    };
    let name = name.trim().to_ascii_lowercase();
    if name.is_empty() {
        return Err(wrong());
    }
    let literal = |text: &str| plain(text).ok_or_else(wrong);
    match sign {
        Some('>') => Ok(Filter::AtLeast(name, literal(value)?)),
        Some('<') => Ok(Filter::AtMost(name, literal(value)?)),
        _ if value == "*" => Ok(Filter::Present(name)),
        _ if value.contains('*') => {
            let pieces = value.split('*').map(literal);
            Ok(Filter::Pieces(name, pieces.collect::<Result<_, _>>()?))
        }
        _ => Ok(Filter::Equal(name, literal(value)?)),
    }
}

/// A value in lower case, its `\xx` escapes resolved.
fn plain(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first == b'\\' {
            let digits = std::str::from_utf8(behind.get(..2)?).ok()?;
            octets.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &behind[2..];
        } else {
            octets.push(*first);
        }
    }
    String::from_utf8(octets)
        .ok()
        .map(|text| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use crate::Directory;

    const LDIF: &str = "\
dn: o=example.com
objectClass: mailDomain
inetDomainStatus: active

dn: uid=ada,ou=People,o=example.com
objectClass: inetMailUser
uid: ada
mail: Ada@example.com
mailAlternateAddress: countess@example.com
userPassword: {ARGON2}x

dn: uid=bob,ou=People,o=example.com
objectClass: inetMailUser
uid: bob
mail: bob@example.com
mailQuota: 100
";

    fn found(url: &str) -> Result<Vec<String>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("directory.ldif");
        std::fs::write(&path, LDIF).unwrap();
        let directory = Directory::open(&path, "example.com", |_, _| {});
        let found = directory.search(url).map_err(|error| error.to_string())?;
        Ok(found.into_iter().flat_map(|found| found.values).collect())
    }

    #[test]
    fn filters_find_what_they_say() {
        let table: [(&str, &[&str]); 14] = [
            (
                "ldap:///o=example.com?mail?sub?(uid=ada)",
                &["Ada@example.com"],
            ),
            (
                "ldap:///o=example.com?mail?sub?uid=ADA",
                &["Ada@example.com"],
            ),
            ("ldap:///o=example.com?mail?one?(uid=ada)", &[]),
            (
                "ldap:///ou=people,O=Example.com?uid?one?(uid=*)",
                &["ada", "bob"],
            ),
            (
                "ldap:///?uid?sub?(&(objectClass=inetMailUser)(!(uid=bob)))",
                &["ada"],
            ),
            (
                "ldap:///?uid?sub?(|(uid=bob)(mailAlternateAddress=countess@*))",
                &["ada", "bob"],
            ),
            ("ldap:///?uid?sub?(mail=*o*@example.*)", &["bob"]),
            ("ldap:///?uid?sub?(mail=*@example.com)", &["ada", "bob"]),
            ("ldap:///?uid?sub?(mailQuota>=1)", &["bob"]),
            ("ldap:///?uid?sub?(uid=%61da)", &["ada"]),
            ("ldap:///?uid?sub?(uid=\\61da)", &["ada"]),
            ("ldap:///uid=bob,ou=people,o=example.com?uid", &["bob"]),
            ("ldap:///?userPassword?sub?(uid=ada)", &[]),
            (
                "ldap:///?uid,mail?sub?(uid=bob)",
                &["bob", "bob@example.com"],
            ),
        ];
        for (url, values) in table {
            let values: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
            assert_eq!(found(url), Ok(values), "{url}");
        }
    }

    #[test]
    fn bad_urls_are_refused() {
        let deep = format!("ldap:///??sub?{}", "(!".repeat(40));
        for url in [
            "http:///x",
            "ldap://host/x",
            "ldap:///?a?deep?(a=b)",
            "ldap:///?a?sub?(a=b",
            "ldap:///?a?sub?(=b)",
            "ldap:///?a?sub?(ab)",
            "ldap:///%zz",
            &deep,
        ] {
            assert!(found(url).is_err(), "{url}");
        }
    }
}
