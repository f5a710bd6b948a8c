//! The databases that rules, tables and aliases ask: general, reverse, forward, alias, domain.
//!
//! Each is a file that `imsimta crdb` has made, or, for the first three, a text database that is
//! part of the compiled configuration (`use_text_databases`). Keys are compared without regard
//! to case.

use crate::fault::{FaultKind, WarningKind};
use crate::option::{MtaOption, MtaOptions};
use crate::paths::ServerRoot;
use crate::table::{Replaceable, TableError};
use mta_mapping::Unreadable;
use mta_mapping::records::{FEW, Records, encode, fetch};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One of the databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// Asked by `$(key)` of rewrite rules and `${key}` of mapping tables.
    General,
    /// Address reversal.
    Reverse,
    /// Forwarding of envelope recipients.
    Forward,
    /// Aliases, looked at before the alias file.
    Alias,
    /// Rewrite rules, asked behind those of the configuration.
    Domain,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::General,
        Self::Reverse,
        Self::Forward,
        Self::Alias,
        Self::Domain,
    ];

    /// Its symbolic name.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::General => "IMTA_GENERAL_DATABASE",
            Self::Reverse => "IMTA_REVERSE_DATABASE",
            Self::Forward => "IMTA_FORWARD_DATABASE",
            Self::Alias => "IMTA_ALIAS_DATABASE",
            Self::Domain => "IMTA_DOMAIN_DATABASE",
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::General => "generaldb",
            Self::Reverse => "reversedb",
            Self::Forward => "forwarddb",
            Self::Alias => "aliasesdb",
            Self::Domain => "domaindb",
        }
    }

    /// The text database in the configuration directory and its bit of `use_text_databases`.
    #[must_use]
    pub const fn text(self) -> Option<(&'static str, i64)> {
        match self {
            Self::General => Some(("general.txt", 1)),
            Self::Reverse => Some(("reverse.txt", 2)),
            Self::Forward => Some(("forward.txt", 4)),
            Self::Alias | Self::Domain => None,
        }
    }

    /// Its file below `root`.
    #[must_use]
    pub fn path(self, root: &ServerRoot) -> PathBuf {
        root.db().join(self.file())
    }

    /// The database that a command means: by its symbolic name, else a path.
    #[must_use]
    pub fn resolve(root: &ServerRoot, typed: &str) -> PathBuf {
        let mut all = Self::ALL.into_iter();
        match all.find(|kind| kind.symbol().eq_ignore_ascii_case(typed)) {
            Some(kind) => kind.path(root),
            None => std::path::absolute(typed).unwrap_or_else(|_| PathBuf::from(typed)),
        }
    }
}

/// The text databases of a configuration; part of its reloadable half.
#[derive(Debug, Clone, Default)]
pub struct TextDatabases {
    tables: BTreeMap<Kind, Texts>,
    /// Where the entries of large ones are in a compiled configuration.
    records: Option<Arc<dyn Records>>,
}

/// The entries of one text database, as far as they are in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Texts {
    size: usize,
    entries: BTreeMap<String, String>,
    /// Whether the others are records beside the core.
    has_records: bool,
}

/// What a process reads of the text databases at its start; the rest are records.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TextDatabasesCore {
    tables: BTreeMap<Kind, Texts>,
}

impl TextDatabasesCore {
    /// Whether some of the entries are records beside the core.
    #[must_use]
    pub fn has_records(&self) -> bool {
        self.tables.values().any(|table| table.has_records)
    }

    /// The databases, which find in `records` what [`TextDatabases::divide`] gave away.
    #[must_use]
    pub fn attach(self, records: &Arc<dyn Records>) -> TextDatabases {
        TextDatabases {
            tables: self.tables,
            records: Some(Arc::clone(records)),
        }
    }
}

/// Longest key of a text database that is the key of a record, in octets.
const LONGEST_KEY: usize = 400;

fn record_key(kind: Kind, folded: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + folded.len());
    key.extend([b't', b'0' + kind as u8]);
    key.extend(folded.as_bytes());
    key
}

impl TextDatabases {
    /// Whether the kind is a text database here.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.tables.contains_key(&kind)
    }

    /// How many entries the kind has.
    #[must_use]
    pub fn len(&self, kind: Kind) -> usize {
        self.tables.get(&kind).map_or(0, |table| table.size)
    }

    /// Whether there is none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Sets an entry; the kind is a text database from here on.
    pub fn insert(&mut self, kind: Kind, key: &str, value: &str) {
        let table = self.tables.entry(kind).or_default();
        table.entries.insert(fold(key), value.to_owned());
        table.size = table.entries.len();
    }

    /// What a process reads at its start; `put` is given the keys and the records of the rest.
    /// Only what was read from text can be divided.
    pub fn divide(&self, put: &mut dyn FnMut(Vec<u8>, Vec<u8>)) -> TextDatabasesCore {
        let mut core = TextDatabasesCore::default();
        for (kind, table) in &self.tables {
            let many = table.size >= FEW;
            let mut kept = Texts {
                size: table.size,
                entries: BTreeMap::new(),
                has_records: many,
            };
            for (key, value) in &table.entries {
                if many && key.len() <= LONGEST_KEY {
                    put(record_key(*kind, key), encode(value));
                } else {
                    kept.entries.insert(key.clone(), value.clone());
                }
            }
            core.tables.insert(*kind, kept);
        }
        core
    }

    fn get(&self, kind: Kind, key: &str) -> Result<Option<String>, Unreadable> {
        let Some(table) = self.tables.get(&kind) else {
            return Ok(None);
        };
        let folded = fold(key);
        if let Some(value) = table.entries.get(&folded) {
            return Ok(Some(value.clone()));
        }
        match &self.records {
            Some(records) if table.has_records => fetch(&**records, &record_key(kind, &folded)),
            _ => Ok(None),
        }
    }

    /// Reads a text database; `told` is called for each line that is odd or wrong.
    pub(crate) fn read(
        &mut self,
        kind: Kind,
        text: &str,
        mut told: impl FnMut(usize, Result<WarningKind, FaultKind>, &str),
    ) {
        let table = self.tables.entry(kind).or_default();
        for (at, line) in text.lines().enumerate() {
            if line.starts_with('!') || line.trim().is_empty() {
                continue;
            }
            match split(line) {
                Some((key, value)) if !value.is_empty() => {
                    use std::collections::btree_map::Entry;
                    match table.entries.entry(fold(&key)) {
                        Entry::Occupied(_) => told(at + 1, Ok(WarningKind::DuplicateKey), &key),
                        Entry::Vacant(place) => {
                            place.insert(value.to_owned());
                        }
                    }
                }
                Some((key, _)) => told(at + 1, Err(FaultKind::KeyWithoutValue), &key),
                None => told(at + 1, Err(FaultKind::KeyWithoutValue), line),
            }
        }
        table.size = table.entries.len();
    }
}

/// Largest file of members, in octets.
const LARGEST_LIST: u64 = 64 << 20;

/// Keys are the same in either case.
#[must_use]
pub fn fold(key: &str) -> String {
    key.to_lowercase()
}

/// Key and value of a line: the key up to the first white space, or in double quotes.
#[must_use]
pub fn split(line: &str) -> Option<(String, &str)> {
    let line = line.trim_start_matches([' ', '\t']);
    let (key, rest) = match line.strip_prefix('"') {
        Some(inside) => inside.split_once('"')?,
        None => line.split_once([' ', '\t']).unwrap_or((line, "")),
    };
    let value = rest.trim_start_matches([' ', '\t']);
    Some((key.to_owned(), value.trim_end_matches([' ', '\t', '\r'])))
}

/// The database files of a server root, each opened when it is asked first and again when it is
/// replaced.
#[derive(Debug)]
pub struct Databases {
    files: Option<[Replaceable; 5]>,
    root: Option<ServerRoot>,
    /// Sequence files are read and not counted up.
    peeks: bool,
    /// Kinds that nobody asks, text databases among them.
    off: Vec<Kind>,
}

impl Databases {
    /// Those of a server root.
    #[must_use]
    pub fn of(root: &ServerRoot) -> Self {
        let files = Kind::ALL.map(|kind| Replaceable::at(kind.path(root)));
        Self {
            files: Some(files),
            root: Some(root.clone()),
            peeks: false,
            off: Vec::new(),
        }
    }

    /// None at all.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            files: None,
            root: None,
            peeks: true,
            off: Vec::new(),
        }
    }

    /// The same for questions that must change nothing: a sequence file tells the number that
    /// would come next, and keeps its own.
    #[must_use]
    pub fn peeking(self) -> Self {
        Self {
            peeks: true,
            ..self
        }
    }

    /// The same as if there were none of these kinds.
    #[must_use]
    pub fn without(self, off: Vec<Kind>) -> Self {
        Self { off, ..self }
    }

    /// Counts a sequence file up by one, under a lock, and gives the number after that. Nothing
    /// when the file is not there, is not ours, or cannot be written.
    #[must_use]
    pub fn sequence(&self, name: &str) -> Option<u64> {
        let root = self.root.as_ref()?;
        next_number(&root.resolve(name), self.peeks).ok()
    }

    /// The text of a file that an alias names, read at each use.
    ///
    /// # Errors
    /// What the system says; a file of more than 64 MiB.
    pub fn list(&self, name: &str) -> io::Result<String> {
        let none = || io::Error::from(io::ErrorKind::NotFound);
        let root = self.root.as_ref().ok_or_else(none)?;
        let file = fs::File::open(root.resolve(name))?;
        let known = file.metadata()?;
        if !known.is_file() || known.len() > LARGEST_LIST {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let mut octets = Vec::new();
        file.take(LARGEST_LIST).read_to_end(&mut octets)?;
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    fn file(&self, kind: Kind) -> Option<&Replaceable> {
        let files = self.files.as_ref().filter(|_| !self.off.contains(&kind))?;
        files.get(kind as usize)
    }

    /// Whether there is a file of the kind.
    #[must_use]
    pub fn exists(&self, kind: Kind) -> bool {
        self.file(kind).is_some_and(Replaceable::exists)
    }

    /// Whether there may be a file of the kind: only one that is certainly not there need not be
    /// asked.
    #[must_use]
    pub fn may_exist(&self, kind: Kind) -> bool {
        self.file(kind).is_some_and(Replaceable::may_exist)
    }

    /// Looks a key up: in the text database if there is one, else in the file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn look_up(
        &self,
        texts: &TextDatabases,
        kind: Kind,
        key: &str,
    ) -> Result<Option<String>, TableError> {
        if texts.has(kind) && !self.off.contains(&kind) {
            return Ok(texts.get(kind, key)?);
        }
        match self.file(kind) {
            Some(file) => file.text(&fold(key)),
            None => Ok(None),
        }
    }

    /// All values of a key in a file, in their order.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn all(&self, kind: Kind, key: &str) -> Result<Vec<String>, TableError> {
        match self.file(kind) {
            Some(file) => file.texts(&fold(key)),
            None => Ok(Vec::new()),
        }
    }

    /// Whether a database that the options require is missing.
    #[must_use]
    pub fn is_missing(&self, mta: &MtaOptions, kind: Kind) -> bool {
        kind == Kind::Alias
            && !self.off.contains(&kind)
            && mta.int(MtaOption::UseAliasDatabase) >= 2
            && !self.exists(kind)
    }
}

/// The number behind the one that a file holds, eight octets in little-endian order; an empty file
/// counts as 0.
fn next_number(path: &Path, peeks: bool) -> io::Result<u64> {
    let mut file = fs::OpenOptions::new().read(true).write(!peeks).open(path)?;
    // Whoever could put a file of another's in our way must not make us write to it.
    let known = file.metadata()?;
    if !known.is_file() || known.uid() != nix::unistd::geteuid().as_raw() {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    file.lock()?;
    let mut octets = Vec::new();
    (&mut file).take(8).read_to_end(&mut octets)?;
    octets.resize(8, 0);
    let number = octets.try_into().map_or(0, u64::from_le_bytes);
    let number = number.wrapping_add(1);
    if !peeks {
        file.seek(io::SeekFrom::Start(0))?;
        file.write_all(&number.to_le_bytes())?;
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_databases_are_read_line_by_line() {
        let text = "! comment\nKey  value one\n\n\"two words\"\tx\nkey again\nalone\n\"open\n";
        let mut texts = TextDatabases::default();
        let mut told = Vec::new();
        texts.read(Kind::General, text, |line, kind, name| {
            told.push(format!("{line} {kind:?} {name}"));
        });
        let databases = Databases::none();
        let found = |key: &str| databases.look_up(&texts, Kind::General, key).unwrap();
        assert_eq!(found("KEY").as_deref(), Some("value one"));
        assert_eq!(found("two words").as_deref(), Some("x"));
        assert_eq!(found("alone"), None);
        assert_eq!(
            told,
            [
                "5 Ok(DuplicateKey) key",
                "6 Err(KeyWithoutValue) alone",
                "7 Err(KeyWithoutValue) \"open"
            ]
        );
    }

    #[test]
    fn a_sequence_file_counts_every_use() {
        let directory = tempfile::tempdir().unwrap();
        let root = ServerRoot::new(directory.path().to_owned());
        let path = directory.path().join("numbers");
        let databases = Databases::of(&root);
        assert_eq!(databases.sequence("numbers"), None);
        fs::write(&path, "").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let databases = Databases::of(&root);
                    for _ in 0..25 {
                        databases.sequence("numbers").unwrap();
                    }
                });
            }
        });
        let peeking = Databases::of(&root).peeking();
        assert_eq!(peeking.sequence("numbers"), Some(101));
        assert_eq!(peeking.sequence("numbers"), Some(101));
        assert_eq!(databases.sequence("numbers"), Some(101));
    }
}
