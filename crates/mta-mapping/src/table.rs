//! Tables and their names.
//!
//! A table of a text is in memory whole; one of a compiled configuration has most of its entries,
//! if it is large, in records beside the core.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::evaluate::Evaluation;
use crate::index::{self, Kinds};
use crate::records::{FEW, Filter, Records, Unreadable, encode, fetch};
use crate::template::AddressLetters;
use crate::{
    Callouts, Flags, MAX_NAME, MAX_PATTERN, MAX_TEMPLATE, MappingError, Pattern, Template, Trace,
    Warning,
};

/// One entry as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The left side.
    pub pattern: &'a str,
    /// The right side; may be empty.
    pub template: &'a str,
}

impl<'a> Entry<'a> {
    /// An entry of these two sides.
    #[must_use]
    pub const fn new(pattern: &'a str, template: &'a str) -> Self {
        Self { pattern, template }
    }
}

/// What is asked of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input<'a> {
    /// The string to be matched.
    pub text: &'a str,
    /// Flags that `$:f` and `$;f` test.
    pub flags: Flags,
    /// The current address (`$A`, `$nA`); may be empty.
    pub address: &'a str,
    /// The current host (`$X`, `$nX`); may be empty.
    pub host: &'a str,
}

impl<'a> Input<'a> {
    /// `text` alone: no flags, no address, no host.
    #[must_use]
    pub const fn of(text: &'a str) -> Self {
        Self {
            text,
            flags: Flags::NONE,
            address: "",
            host: "",
        }
    }
}

/// What came out of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapped {
    /// Whether any entry matched.
    pub matched: bool,
    /// The output string; the input if nothing matched.
    pub output: String,
    /// The output flags of all entries that matched.
    pub flags: Flags,
    /// The input was longer than [`crate::MAX_TEXT`], here or in a called table, and so matched
    /// nothing. Worth a line in the log, once in a process.
    pub input_too_long: bool,
    /// An output was cut at [`crate::MAX_TEXT`]. Worth a line in the log, once in a process.
    pub output_cut: bool,
    /// A table could not be read, here or in a called one, so that nothing is known: the question
    /// must be asked again later.
    pub unreadable: bool,
}

/// One compiled entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CompiledEntry {
    pub(crate) pattern: Pattern,
    pub(crate) template: Template,
}

/// An entry at its place in the table, from 0.
type Placed = (u32, CompiledEntry);

/// One compiled table.
#[derive(Debug, Clone)]
pub struct Table {
    name: String,
    size: usize,
    /// Entries that are tried on every text, in order: all of them in a small table.
    common: Vec<Placed>,
    /// The others.
    filed: Option<Filed>,
}

/// Entries that are found by keys of the text.
#[derive(Debug, Clone)]
struct Filed {
    keys: Keys,
    entries: Entries,
}

/// What tells that there is nothing under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Keys {
    kinds: Kinds,
    filter: Filter,
}

#[derive(Debug, Clone)]
enum Entries {
    Memory(BTreeMap<u64, Vec<Placed>>),
    /// The records, and the number of the table in their keys.
    Stored(Arc<dyn Records>, u32),
}

/// What a process reads of a table at its start.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct TableCore {
    name: String,
    size: usize,
    common: Vec<Placed>,
    keys: Option<Keys>,
}

/// What a process reads of all tables at its start; the rest are records.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TablesCore {
    tables: Vec<TableCore>,
}

impl TablesCore {
    /// The tables, which find in `records` what [`Tables::divide`] gave away.
    #[must_use]
    pub fn attach(self, records: &Arc<dyn Records>) -> Tables {
        let mut tables = Tables::default();
        for (number, core) in (0..).zip(self.tables) {
            let folded = core.name.to_ascii_lowercase();
            tables.names.insert(folded, tables.tables.len());
            tables.tables.push(Table {
                name: core.name,
                size: core.size,
                common: core.common,
                filed: core.keys.map(|keys| Filed {
                    keys,
                    entries: Entries::Stored(Arc::clone(records), number),
                }),
            });
        }
        tables
    }

    /// Whether any of the tables has records beside the core.
    #[must_use]
    pub fn has_records(&self) -> bool {
        self.tables.iter().any(|table| table.keys.is_some())
    }
}

/// Where the entries under a key lie.
fn record_key(table: u32, key: u64) -> Vec<u8> {
    let mut octets = vec![b'm'];
    octets.extend(table.to_be_bytes());
    octets.extend(key.to_be_bytes());
    octets
}

impl Table {
    /// Takes the entries of a table; those of `few` or more are filed under keys.
    pub(crate) fn new(name: &str, entries: Vec<CompiledEntry>, few: usize) -> Self {
        let size = entries.len();
        let patterns = entries
            .iter()
            .map(|entry| entry.pattern.elements.as_slice());
        let filed = (size >= few).then(|| index::file(patterns));
        let mut entries: Vec<Option<CompiledEntry>> = entries.into_iter().map(Some).collect();
        let mut take = |place: u32| {
            let entry = entries[place as usize].take();
            entry.map(|entry| (place, entry))
        };
        let Some(filed) = filed.filter(|filed| !filed.by_key.is_empty()) else {
            let all = 0..u32::try_from(size).unwrap_or(u32::MAX);
            return Self {
                name: name.to_owned(),
                size,
                common: all.filter_map(take).collect(),
                filed: None,
            };
        };
        let common = filed.common.into_iter().filter_map(&mut take).collect();
        let by_key: BTreeMap<u64, Vec<Placed>> = filed
            .by_key
            .into_iter()
            .map(|(key, places)| (key, places.into_iter().filter_map(&mut take).collect()))
            .collect();
        Self {
            name: name.to_owned(),
            size,
            common,
            filed: Some(Filed {
                keys: Keys {
                    kinds: filed.kinds,
                    filter: Filter::over(by_key.keys().copied()),
                },
                entries: Entries::Memory(by_key),
            }),
        }
    }

    /// The name as written.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.size
    }

    /// Whether there is no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The entries in order; of a table that has records beside the core, only those in the core.
    fn in_memory(&self) -> Vec<&Placed> {
        let mut all: Vec<&Placed> = self.common.iter().collect();
        if let Some(Filed {
            entries: Entries::Memory(by_key),
            ..
        }) = &self.filed
        {
            all.extend(by_key.values().flatten());
        }
        all.sort_unstable_by_key(|(place, _)| *place);
        all
    }

    /// Number of entries that are tried on every text.
    #[cfg(test)]
    pub(crate) fn common_entries(&self) -> usize {
        self.common.len()
    }

    /// Number of entries that are tried on this text.
    #[cfg(test)]
    pub(crate) fn tried(&self, text: &str) -> usize {
        let filed = self.filed.as_ref().map(|filed| filed.candidates(text, 0));
        self.common.len() + filed.map_or(0, |found| found.unwrap().len())
    }

    /// The first entry from place `next` on that `matches`, which `text` may match: its place and
    /// itself.
    pub(crate) fn first(
        &self,
        text: &str,
        next: usize,
        mut matches: impl FnMut(&CompiledEntry) -> bool,
    ) -> Result<Option<(usize, Cow<'_, CompiledEntry>)>, Unreadable> {
        let next = u32::try_from(next).unwrap_or(u32::MAX);
        let start = self.common.partition_point(|(place, _)| *place < next);
        let mut common = self.common[start..].iter().peekable();
        let found = match &self.filed {
            Some(filed) => filed.candidates(text, next)?,
            None => Vec::new(),
        };
        for (place, entry) in found {
            while let Some((at, entry)) = common.next_if(|(at, _)| *at < place) {
                if matches(entry) {
                    return Ok(Some((*at as usize, Cow::Borrowed(entry))));
                }
            }
            if matches(&entry) {
                return Ok(Some((place as usize, entry)));
            }
        }
        let last = common.find(|(_, entry)| matches(entry));
        Ok(last.map(|(place, entry)| (*place as usize, Cow::Borrowed(entry))))
    }
}

impl Filed {
    /// The entries filed under a key of `text`, from place `next` on, in order.
    fn candidates(
        &self,
        text: &str,
        next: u32,
    ) -> Result<Vec<(u32, Cow<'_, CompiledEntry>)>, Unreadable> {
        let mut keys = Vec::new();
        self.keys.kinds.for_each_key(text, |key| {
            if self.keys.filter.may_hold(key) {
                keys.push(key);
            }
        });
        keys.sort_unstable();
        keys.dedup();
        let mut found = Vec::new();
        for key in keys {
            match &self.entries {
                Entries::Memory(by_key) => {
                    let entries = by_key.get(&key).into_iter().flatten();
                    found.extend(entries.map(|(place, entry)| (*place, Cow::Borrowed(entry))));
                }
                Entries::Stored(records, table) => {
                    let key = record_key(*table, key);
                    let entries = fetch::<Vec<Placed>>(&**records, &key)?;
                    let entries = entries.into_iter().flatten();
                    found.extend(entries.map(|(place, entry)| (place, Cow::Owned(entry))));
                }
            }
        }
        found.retain(|(place, _)| *place >= next);
        found.sort_unstable_by_key(|(place, _)| *place);
        Ok(found)
    }
}

/// All mapping tables of a configuration.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    tables: Vec<Table>,
    /// Folded name to place.
    names: BTreeMap<String, usize>,
}

impl Tables {
    /// Compiles a table and adds it; nothing is added when anything is wrong with it.
    ///
    /// # Errors
    /// Every fault of the name and of the entries.
    pub fn insert(
        &mut self,
        name: &str,
        entries: &[Entry<'_>],
    ) -> Result<Vec<Warning>, Vec<MappingError>> {
        let mut errors = Vec::new();
        let mut warnings = Vec::new();
        if name.chars().count() > MAX_NAME {
            errors.push(MappingError::NameTooLong);
        } else if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || name.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            errors.push(MappingError::InvalidName);
        }
        let folded = name.to_ascii_lowercase();
        if self.names.contains_key(&folded) {
            errors.push(MappingError::DuplicateName);
        }
        let letters = AddressLetters::of_table(name);
        let mut compiled = Vec::with_capacity(entries.len());
        for (number, entry) in entries.iter().enumerate() {
            match compile(number, entry, letters, &mut warnings) {
                Ok(entry) => compiled.push(entry),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        self.names.insert(folded, self.tables.len());
        self.tables.push(Table::new(name, compiled, FEW));
        Ok(warnings)
    }

    /// What a process reads at its start; `put` is given the keys and the records of the rest, in
    /// the order of the keys. Tables of a compiled configuration have their records already and
    /// give none: only what was compiled from text can be divided.
    pub fn divide(&self, put: &mut dyn FnMut(Vec<u8>, Vec<u8>)) -> TablesCore {
        let mut cores = Vec::with_capacity(self.tables.len());
        for (number, table) in (0..).zip(&self.tables) {
            if let Some(Filed {
                entries: Entries::Memory(by_key),
                ..
            }) = &table.filed
            {
                for (key, entries) in by_key {
                    put(record_key(number, *key), encode(entries));
                }
            }
            cores.push(TableCore {
                name: table.name.clone(),
                size: table.size,
                common: table.common.clone(),
                keys: table.filed.as_ref().map(|filed| filed.keys.clone()),
            });
        }
        TablesCore { tables: cores }
    }

    /// The table of that name, without regard to case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Table> {
        self.position(name).map(|place| &self.tables[place])
    }

    /// All tables in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter()
    }

    /// Number of tables.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Runs `input` through the table `name`. A table that does not exist matches nothing.
    pub fn map(
        &self,
        name: &str,
        input: &Input<'_>,
        callouts: &dyn Callouts,
        trace: &mut dyn Trace,
    ) -> Mapped {
        Evaluation::new(self, callouts, trace).run(name, input, 0)
    }

    /// Names of tables that the templates of other tables call, as written there; for tables that
    /// were compiled from text.
    pub fn called(&self) -> impl Iterator<Item = &str> {
        self.tables
            .iter()
            .flat_map(Table::in_memory)
            .flat_map(|(_, entry)| entry.template.calls())
    }

    /// These tables, however they were made.
    #[cfg(test)]
    pub(crate) fn of(all: Vec<Table>) -> Self {
        let mut tables = Self::default();
        for table in all {
            let place = tables.tables.len();
            tables.names.insert(table.name.to_ascii_lowercase(), place);
            tables.tables.push(table);
        }
        tables
    }

    /// Place of a table among all, from 0.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        if let Some(place) = self.names.get(name) {
            return Some(*place);
        }
        self.names.get(&name.to_ascii_lowercase()).copied()
    }

    pub(crate) fn at(&self, place: usize) -> &Table {
        &self.tables[place]
    }
}

pub(crate) fn compile(
    number: usize,
    entry: &Entry<'_>,
    letters: AddressLetters,
    warnings: &mut Vec<Warning>,
) -> Result<CompiledEntry, MappingError> {
    if entry.pattern.chars().count() > MAX_PATTERN || entry.template.chars().count() > MAX_TEMPLATE
    {
        return Err(MappingError::TooLong { entry: number });
    }
    let mut warn = |sequence: String, kind| {
        warnings.push(Warning {
            entry: number,
            sequence,
            kind,
        });
    };
    let pattern = Pattern::compile_with(entry.pattern, &mut warn).map_err(|offending| {
        MappingError::InvalidPattern {
            entry: number,
            offending,
        }
    })?;
    let template = Template::compile_with(entry.template, letters, &mut warn);
    if has_bare_space(entry.pattern) || has_bare_space(entry.template) {
        return Err(MappingError::WhiteSpace { entry: number });
    }
    Ok(CompiledEntry { pattern, template })
}

/// White space that no `$` stands before.
fn has_bare_space(text: &str) -> bool {
    let mut quoted = false;
    text.chars().any(|c| {
        let bare = !quoted && (c == ' ' || c == '\t');
        quoted = !quoted && c == '$';
        bare
    })
}
