//! Large tables, looked up in place: the format of databases that `crdb` makes.
//!
//! A table file is an LMDB environment in one file, opened read-only and without locks: it never
//! changes once it is in place. A new one is built aside and renamed over the old, so that a
//! reader has the old or the new one whole, and keeps the one it has open as long as it needs it.
//! LMDB is the library's format and not ours; what is ours is the form of a record: a CRC-32C,
//! then the values of the key, each behind its length, so that keys may have several values in
//! their order (LMDB's own duplicates are sorted).
//!
//! Opening a file is the one thing here that the compiler cannot vouch for; [`Table::open`] says
//! why it is sound.

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, WithoutTls};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Longest key, in octets.
pub const MAX_KEY: usize = 500;
/// Largest file, in octets: the address space that is set aside while one is built.
const MAX_SIZE: usize = 1 << 36;
/// What room is made for at first.
const FIRST_SIZE: usize = 1 << 24;

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A file could not be read or written.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no table, or LMDB cannot read it.
    #[error("{} is no database of ours", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What the library says.
        source: heed::Error,
    },
    /// A record of the compiled configuration is not what was written.
    #[error(transparent)]
    Record(#[from] mta_mapping::Unreadable),
    /// A record is not what was written.
    #[error("{} is damaged at the key \"{key}\"", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
}

impl TableError {
    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// A table file that is open.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    env: Env<WithoutTls>,
    records: Records,
}

type Records = Database<'static, Bytes, Bytes>;

impl Table {
    /// Opens a file.
    ///
    /// # Errors
    /// [`TableError::Io`] when it is not there, [`TableError::Foreign`] when it is no table.
    #[expect(
        unsafe_code,
        reason = "mapping a file: it must not change while it is mapped"
    )]
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let io = |source| TableError::Io {
            path: path.to_owned(),
            source,
        };
        let length = fs::metadata(path).map_err(io)?.len();
        let foreign = |source| TableError::Foreign {
            path: path.to_owned(),
            source,
        };
        let damaged = || TableError::Foreign {
            path: path.to_owned(),
            source: heed::Error::Io(io::Error::from(io::ErrorKind::InvalidData)),
        };
        // Both of LMDB's first pages are read before anything else.
        if length < 2 * page_size() {
            return Err(damaged());
        }
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        let size = usize::try_from(length).unwrap_or(MAX_SIZE);
        options.map_size(size.max(4096).next_multiple_of(4096));
        // SAFETY: nobody writes to a table file once it has its name: `TableBuilder` writes under
        // another name and renames, and the file's directory belongs to the server user alone.
        // Without locks there is no lock file that another process could disturb; the flags
        // promise that this process does not write either.
        let env = unsafe {
            options.flags(EnvFlags::READ_ONLY | EnvFlags::NO_LOCK | EnvFlags::NO_SUB_DIR);
            options.open(path).map_err(foreign)?
        };
        // A file that was cut short must not be touched where it ends: that would be a signal.
        let pages = env.info().last_page_number as u64 + 1;
        if pages.saturating_mul(page_size()) > length {
            return Err(damaged());
        }
        let txn = env.read_txn().map_err(foreign)?;
        let opened = env.open_databases_and_commit(txn, |opener, txn| {
            let records = opener.open_database::<Bytes, Bytes>(txn, None)?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(records))
        });
        let records = opened.map_err(foreign)?.unwrap_commit();
        let records = records.ok_or_else(damaged)?;
        Ok(Self {
            path: path.to_owned(),
            env,
            records,
        })
    }

    fn foreign(&self, source: heed::Error) -> TableError {
        TableError::Foreign {
            path: self.path.clone(),
            source,
        }
    }

    fn damaged(&self, key: &[u8]) -> TableError {
        TableError::Damaged {
            path: self.path.clone(),
            key: String::from_utf8_lossy(key).into_owned(),
        }
    }

    /// The values of a key in their order; none if it is not there.
    ///
    /// # Errors
    /// A record that is damaged, or a file that cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Vec<Vec<u8>>, TableError> {
        if key.is_empty() || key.len() > MAX_KEY {
            return Ok(Vec::new());
        }
        let txn = self.env.read_txn().map_err(|error| self.foreign(error))?;
        let record = self.records.get(&txn, key);
        match record.map_err(|error| self.foreign(error))? {
            None => Ok(Vec::new()),
            Some(record) => unpack(record).ok_or_else(|| self.damaged(key)),
        }
    }

    /// The first value of a key, as text.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn text(&self, key: &str) -> Result<Option<String>, TableError> {
        let values = self.get(key.as_bytes())?;
        let first = values.into_iter().next();
        Ok(first.map(|value| String::from_utf8_lossy(&value).into_owned()))
    }

    /// Shows the first value of a key to `visit`, where it lies; whether the key is there.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn read(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, TableError> {
        if key.is_empty() || key.len() > MAX_KEY {
            return Ok(false);
        }
        let txn = self.env.read_txn().map_err(|error| self.foreign(error))?;
        let record = self.records.get(&txn, key);
        let Some(record) = record.map_err(|error| self.foreign(error))? else {
            return Ok(false);
        };
        let mut values = body(record).ok_or_else(|| self.damaged(key))?;
        let first = next_value(&mut values).ok_or_else(|| self.damaged(key))?;
        visit(first);
        Ok(true)
    }

    /// Visits every record in the order of the keys.
    ///
    /// # Errors
    /// The first record that is damaged, or what `visit` says.
    pub fn for_each<E: From<TableError>>(
        &self,
        mut visit: impl FnMut(&[u8], Vec<Vec<u8>>) -> Result<(), E>,
    ) -> Result<(), E> {
        let foreign = |error| E::from(self.foreign(error));
        let txn = self.env.read_txn().map_err(foreign)?;
        for record in self.records.iter(&txn).map_err(foreign)? {
            let (key, record) = record.map_err(foreign)?;
            let values = unpack(record).ok_or_else(|| E::from(self.damaged(key)))?;
            visit(key, values)?;
        }
        Ok(())
    }

    /// How many keys it has.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn count(&self) -> Result<u64, TableError> {
        let txn = self.env.read_txn().map_err(|error| self.foreign(error))?;
        self.records.len(&txn).map_err(|error| self.foreign(error))
    }
}

/// Octets in a page of LMDB: those of the system that wrote the file, which is this one.
fn page_size() -> u64 {
    let known = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    let known = known.ok().flatten();
    known
        .and_then(|size| u64::try_from(size).ok())
        .unwrap_or(4096)
}

/// The values of a record with their lengths, if its checksum holds.
fn body(record: &[u8]) -> Option<&[u8]> {
    let (checksum, rest) = record.split_first_chunk::<4>()?;
    (crc32c::crc32c(rest) == u32::from_be_bytes(*checksum)).then_some(rest)
}

/// Takes the next value, which stands behind its length.
fn next_value<'r>(rest: &mut &'r [u8]) -> Option<&'r [u8]> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (value, behind) = behind.split_at_checked(length)?;
    *rest = behind;
    Some(value)
}

/// The values of a record, if its checksum holds.
fn unpack(record: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = body(record)?;
    let mut values = Vec::new();
    while !rest.is_empty() {
        values.push(next_value(&mut rest)?.to_vec());
    }
    Some(values)
}

fn pack<'v>(values: impl Iterator<Item = &'v [u8]>) -> Vec<u8> {
    let mut record = vec![0; 4];
    for value in values {
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        record.extend(length.to_be_bytes());
        record.extend(value);
    }
    let sum = crc32c::crc32c(&record[4..]).to_be_bytes();
    record[..4].copy_from_slice(&sum);
    record
}

/// Builds a table file: all records, in the order of their keys.
#[must_use = "a table is nowhere until it is in place"]
#[derive(Debug, Default)]
pub struct TableBuilder {
    records: std::collections::BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
}

impl TableBuilder {
    /// Adds a value behind those that the key has.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        let values = self.records.entry(key.to_vec()).or_default();
        values.push(value.to_vec());
    }

    /// Takes a key away; whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        self.records.remove(key).is_some()
    }

    /// Whether the key is there.
    #[must_use]
    pub fn has(&self, key: &[u8]) -> bool {
        self.records.contains_key(key)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Puts the table in place: written aside, synced, renamed. Mode 0600.
    ///
    /// # Errors
    /// What the system or the library says; what was there before still is.
    pub fn place(&self, path: &Path) -> Result<(), TableError> {
        let octets = self.records.iter().map(|(key, values)| {
            let values: usize = values.iter().map(|value| value.len() + 4).sum();
            key.len() + values + 64
        });
        let aside = aside(path);
        let written = write(&aside, octets.sum(), &mut |put| {
            for (key, values) in &self.records {
                put(key, &pack(values.iter().map(Vec::as_slice)));
            }
        });
        settle(&aside, written, path, &|_| Ok(()))
    }
}

/// Puts a table in place whose records, about so many `octets`, need not be in memory together.
///
/// `fill` gives them in the order of their keys, one value for each, to what it is called with;
/// where there was too little room it is called again, from the beginning. `name` is asked for the
/// file's name when all are written, and without one there is no file. `ready` is called with the
/// name of the written file before it gets its own.
///
/// # Errors
/// As [`TableBuilder::place`], and what `ready` says.
pub fn place_in_order(
    aside: &Path,
    octets: usize,
    fill: &mut dyn FnMut(&mut Put<'_>),
    name: impl FnOnce() -> Option<PathBuf>,
    ready: &dyn Fn(&Path) -> io::Result<()>,
) -> Result<Option<PathBuf>, TableError> {
    let written = write(aside, octets, &mut |put| {
        fill(&mut |key, value| put(key, &pack(std::iter::once(value))));
    });
    let path = name();
    match &path {
        Some(path) => settle(aside, written, path, ready)?,
        // It was not wanted after all, or what fills it says why.
        None => {
            drop(fs::remove_file(aside));
            written?;
        }
    }
    Ok(path)
}

/// Gives a file its name, or removes it.
fn settle(
    aside: &Path,
    written: Result<(), TableError>,
    path: &Path,
    ready: &dyn Fn(&Path) -> io::Result<()>,
) -> Result<(), TableError> {
    let io = |source| TableError::Io {
        path: path.to_owned(),
        source,
    };
    let done = written.and_then(|()| {
        ready(aside).map_err(io)?;
        fs::rename(aside, path).map_err(io)?;
        let directory = path.parent().unwrap_or(path);
        fs::File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(io)
    });
    if done.is_err() {
        // Nothing is lost with a copy that never became the table.
        drop(fs::remove_file(aside));
    }
    done
}

/// Takes a record: its key and its value, or its packed values.
pub type Put<'p> = dyn FnMut(&[u8], &[u8]) + 'p;

#[expect(unsafe_code, reason = "mapping a file: nobody else knows its name")]
fn write(
    aside: &Path,
    octets: usize,
    fill: &mut dyn FnMut(&mut Put<'_>),
) -> Result<(), TableError> {
    let io = |source| TableError::Io {
        path: aside.to_owned(),
        source,
    };
    match fs::remove_file(aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        Ok(()) | Err(_) => {}
    }
    // LMDB would make the file with a mode of its own.
    let mut made = fs::OpenOptions::new();
    made.write(true).create_new(true).mode(0o600);
    drop(made.open(aside).map_err(io)?);
    let mut size = FIRST_SIZE
        .max(octets.saturating_mul(3))
        .next_multiple_of(4096);
    loop {
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(size.min(MAX_SIZE));
        // SAFETY: the file was just made under a name with our process number, and is not
        // touched by anybody else before it is renamed.
        let env = unsafe {
            options.flags(EnvFlags::NO_LOCK | EnvFlags::NO_SUB_DIR | EnvFlags::NO_META_SYNC);
            options.open(aside)
        };
        let foreign = |source| TableError::Foreign {
            path: aside.to_owned(),
            source,
        };
        match env.and_then(|env| fill_environment(&env, fill)) {
            Ok(()) => break,
            Err(heed::Error::Mdb(heed::MdbError::MapFull)) if size < MAX_SIZE => {
                size = size.saturating_mul(8);
                fs::OpenOptions::new()
                    .write(true)
                    .truncate(true)
                    .open(aside)
                    .map_err(io)?;
            }
            Err(error) => return Err(foreign(error)),
        }
    }
    let file = fs::File::open(aside).map_err(io)?;
    file.sync_all().map_err(io)
}

fn fill_environment(
    env: &Env<WithoutTls>,
    fill: &mut dyn FnMut(&mut Put<'_>),
) -> Result<(), heed::Error> {
    let txn = env.write_txn()?;
    let created = env.create_databases_and_commit(txn, |opener, txn| {
        let records = opener.create_database::<Bytes, Bytes>(txn, None)?;
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(records))
    })?;
    let records: Records = created.unwrap_commit();
    let mut txn = env.write_txn()?;
    let mut failed = None;
    fill(&mut |key, record| {
        if failed.is_none() {
            let flags = heed::PutFlags::APPEND;
            failed = records.put_with_flags(&mut txn, flags, key, record).err();
        }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    txn.commit()?;
    env.force_sync()
}

/// A name beside the file that nobody reads.
fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

/// A table file that may be replaced at any time, or not be there at all.
#[derive(Debug)]
pub struct Replaceable {
    path: PathBuf,
    open: Mutex<Option<(Identity, Table)>>,
}

/// Which file it is: a replaced one has another number, or another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

impl Replaceable {
    /// The table at `path`, opened when it is asked first.
    #[must_use]
    pub const fn at(path: PathBuf) -> Self {
        Self {
            path,
            open: Mutex::new(None),
        }
    }

    /// Whether there is a file.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Whether there is a file, or cannot be told.
    #[must_use]
    pub fn may_exist(&self) -> bool {
        self.path.try_exists().unwrap_or(true)
    }

    /// The first value of a key as text; `Ok(None)` also when there is no file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn text(&self, key: &str) -> Result<Option<String>, TableError> {
        self.with(|table| table.text(key)).map(Option::flatten)
    }

    /// All values of a key as texts, in their order.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, TableError> {
        let values = self.with(|table| table.get(key.as_bytes()))?;
        let values = values.unwrap_or_default().into_iter();
        Ok(values
            .map(|value| String::from_utf8_lossy(&value).into_owned())
            .collect())
    }

    /// Asks the table that is there now; nothing when there is none.
    fn with<T>(
        &self,
        ask: impl FnOnce(&Table) -> Result<T, TableError>,
    ) -> Result<Option<T>, TableError> {
        let mut open = self
            .open
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = match fs::metadata(&self.path) {
            Ok(file) => Identity {
                device: file.dev(),
                inode: file.ino(),
                changed: (file.ctime(), file.ctime_nsec()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *open = None;
                return Ok(None);
            }
            Err(source) => {
                return Err(TableError::Io {
                    path: self.path.clone(),
                    source,
                });
            }
        };
        if !matches!(&*open, Some((known, _)) if *known == now) {
            // The library opens a path once in a process: the old file goes first.
            *open = None;
            *open = Some((now, Table::open(&self.path)?));
        }
        match &*open {
            Some((_, table)) => ask(table).map(Some),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(records: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let mut builder = TableBuilder::default();
        for (key, value) in records {
            builder.add(key.as_bytes(), value.as_bytes());
        }
        builder.place(&path).unwrap();
        (directory, path)
    }

    #[test]
    fn what_is_written_is_found() {
        let (_directory, path) = table(&[("b", "2"), ("a", "1"), ("b", "1"), ("c", "")]);
        let table = Table::open(&path).unwrap();
        assert_eq!(table.text("a").unwrap().as_deref(), Some("1"));
        assert_eq!(table.get(b"b").unwrap(), [b"2", b"1"]);
        assert_eq!(table.text("c").unwrap().as_deref(), Some(""));
        assert_eq!(table.text("d").unwrap(), None);
        assert_eq!(table.text("").unwrap(), None);
        assert_eq!(table.text(&"k".repeat(600)).unwrap(), None);
        assert_eq!(table.count().unwrap(), 3);
        let mut keys = Vec::new();
        table
            .for_each(|key, _| {
                keys.push(key.to_vec());
                Ok::<_, TableError>(())
            })
            .unwrap();
        assert_eq!(keys, [b"a", b"b", b"c"]);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn a_reader_sees_a_new_table_as_soon_as_it_is_in_place() {
        let (_directory, path) = table(&[("a", "1")]);
        let replaceable = Replaceable::at(path.clone());
        assert_eq!(replaceable.text("a").unwrap().as_deref(), Some("1"));
        for round in 2..20 {
            let mut builder = TableBuilder::default();
            builder.add(b"a", format!("{round}").as_bytes());
            builder.place(&path).unwrap();
            let found = replaceable.text("a").unwrap();
            assert_eq!(found, Some(round.to_string()));
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(replaceable.text("a").unwrap(), None);
        assert!(!replaceable.exists());
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        assert!(matches!(Table::open(&path), Err(TableError::Io { .. })));
        for text in ["", "general text", &"x".repeat(10_000)] {
            fs::write(&path, text).unwrap();
            assert!(
                matches!(Table::open(&path), Err(TableError::Foreign { .. })),
                "{text:.20}"
            );
        }
    }

    #[test]
    fn a_damaged_record_is_noticed() {
        let value = "some value that is long enough to be found in the file";
        let (_directory, path) = table(&[("a", value)]);
        let mut octets = fs::read(&path).unwrap();
        let needle = value.as_bytes();
        let at = octets
            .windows(needle.len())
            .position(|window| window == needle)
            .unwrap();
        octets[at] ^= 1;
        fs::write(&path, octets).unwrap();
        let table = Table::open(&path).unwrap();
        assert!(matches!(table.text("a"), Err(TableError::Damaged { .. })));
    }

    #[test]
    fn large_tables_grow_as_they_need() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let mut builder = TableBuilder::default();
        for number in 0..100_000 {
            let key = format!("user{number}@host{number}.example.com");
            builder.add(key.as_bytes(), &[b'x'; 200]);
        }
        builder.place(&path).unwrap();
        let table = Table::open(&path).unwrap();
        assert_eq!(table.count().unwrap(), 100_000);
        let found = table.text("user77@host77.example.com").unwrap();
        assert_eq!(found.unwrap().len(), 200);
    }
}
