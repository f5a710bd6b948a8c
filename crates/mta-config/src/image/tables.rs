//! The records beside the core: `config_data.HASH.tables`.

use crate::table::{Table, TableError};
use mta_mapping::Unreadable;
use mta_mapping::records::Records;
use sha2::{Digest, Sha256};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Digests of the records that belong to each half; nothing where a half has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordDigests {
    pub(super) fixed: Option<[u8; 32]>,
    pub(super) reloadable: Option<[u8; 32]>,
}

impl RecordDigests {
    /// The hash in the name of the file beside the core, if there is any record.
    pub(super) fn hash(&self) -> Option<[u8; 8]> {
        if self.fixed.is_none() && self.reloadable.is_none() {
            return None;
        }
        let mut both = Sha256::new();
        for half in [self.fixed, self.reloadable] {
            both.update(half.unwrap_or([0; 32]));
        }
        both.finalize().first_chunk().copied()
    }

    /// The file beside the core `image`, if there is any record.
    pub(super) fn file(&self, image: &Path) -> Option<PathBuf> {
        self.hash().map(|hash| file(image, hash))
    }
}

/// The file of that hash beside the core `image`.
pub(super) fn file(image: &Path, hash: [u8; 8]) -> PathBuf {
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    let hash = super::short(&hash);
    image.with_file_name(format!("{name}.{hash}.tables"))
}

/// The table file that a core was written with, octet for octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) length: u64,
    pub(super) digest: [u8; 32],
}

impl Placed {
    /// There is none.
    pub(super) const NONE: Self = Self {
        length: 0,
        digest: [0; 32],
    };

    /// What lies at `path`.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut file = fs::File::open(path)?;
        let mut sum = Sha256::new();
        let length = io::copy(&mut file, &mut sum)?;
        Ok(Self {
            length,
            digest: sum.finalize().into(),
        })
    }
}

/// Sums records up, in the order of their keys.
#[derive(Default)]
pub(super) struct Summing {
    fixed: Option<Sha256>,
    reloadable: Option<Sha256>,
}

impl Summing {
    /// The rules belong to the fixed half, all else to the reloadable one.
    pub(super) fn record(&mut self, key: &[u8], value: &[u8]) {
        let half = match key.first() {
            Some(b'r') => &mut self.fixed,
            _ => &mut self.reloadable,
        };
        let sum = half.get_or_insert_with(Sha256::new);
        for part in [key, value] {
            sum.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            sum.update(part);
        }
    }

    pub(super) fn done(self) -> RecordDigests {
        let done = |half: Option<Sha256>| half.map(|sum| sum.finalize().into());
        RecordDigests {
            fixed: done(self.fixed),
            reloadable: done(self.reloadable),
        }
    }
}

/// An open file of records.
#[derive(Debug)]
struct Beside(Table);

impl Records for Beside {
    fn read(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, Unreadable> {
        let read = self.0.read(key, visit);
        read.map_err(|error| Unreadable(error.to_string()))
    }
}

/// No record at all.
#[derive(Debug)]
struct Nothing;

impl Records for Nothing {
    fn read(&self, _: &[u8], _: &mut dyn FnMut(&[u8])) -> Result<bool, Unreadable> {
        Ok(false)
    }
}

pub(super) fn none() -> Arc<dyn Records> {
    Arc::new(Nothing)
}

/// The files that this process has open: LMDB opens a file once in a process, and a reload may
/// name the one that the old configuration still has.
static OPEN: Mutex<Vec<(PathBuf, Weak<Beside>)>> = Mutex::new(Vec::new());

/// Opens a file, if it is one that may be trusted.
pub(super) fn open(
    path: &Path,
    placed: Placed,
    is_trusted: impl Fn(&Metadata) -> bool,
) -> Result<Arc<dyn Records>, TableError> {
    let beside: Arc<dyn Records> = shared(path, placed, is_trusted)?;
    Ok(beside)
}

fn shared(
    path: &Path,
    placed: Placed,
    is_trusted: impl Fn(&Metadata) -> bool,
) -> Result<Arc<Beside>, TableError> {
    let io = |source| TableError::Io {
        path: path.to_owned(),
        source,
    };
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|(_, beside)| beside.strong_count() > 0);
    // However it is named: it is opened once.
    let path = &fs::canonicalize(path).map_err(io)?;
    let known = open.iter().find(|(known, _)| known == path);
    if let Some(beside) = known.and_then(|(_, beside)| beside.upgrade()) {
        return Ok(beside);
    }
    let metadata = fs::metadata(path).map_err(io)?;
    if !is_trusted(&metadata) {
        return Err(io(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "wrong owner or mode",
        )));
    }
    if metadata.len() != placed.length {
        return Err(io(other(format!(
            "it has {} octets and was written with {}",
            metadata.len(),
            placed.length
        ))));
    }
    let beside = Arc::new(Beside(Table::open(path)?));
    open.push((path.to_owned(), Arc::downgrade(&beside)));
    Ok(beside)
}

fn other(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Reads a file whole, and then every record of it: the digests of the halves, and how many there
/// are. The octets come first: what LMDB would make of others is nobody's promise.
pub(super) fn digests(
    path: &Path,
    placed: Placed,
    is_trusted: impl Fn(&Metadata) -> bool,
) -> Result<(RecordDigests, u64), TableError> {
    let io = |source| TableError::Io {
        path: path.to_owned(),
        source,
    };
    if Placed::of(path).map_err(io)? != placed {
        return Err(io(other(
            "its octets are not those that were written".to_owned(),
        )));
    }
    let beside = shared(path, placed, is_trusted)?;
    let mut summing = Summing::default();
    let mut count = 0;
    beside.0.for_each(|key, values| {
        summing.record(key, values.first().map_or(&[], Vec::as_slice));
        count += 1;
        Ok::<(), TableError>(())
    })?;
    Ok((summing.done(), count))
}

/// Where a table file is written before its content, and so its name, is known.
pub(super) fn aside(image: &Path) -> PathBuf {
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    let process = std::process::id();
    image.with_file_name(format!(".{name}.0000000000000000.tables.{process}"))
}

/// Removes the table files of `image` that its core no longer names, and what an interrupted
/// writing left. A process that has one of them open keeps it.
pub(super) fn remove_others(image: &Path, current: Option<&Path>) -> io::Result<()> {
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    let directory = image.parent().unwrap_or(image);
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let hash = |file: &str| {
            let hash = file.strip_prefix(&format!("{name}."))?;
            let hash = hash.strip_suffix(".tables")?;
            let digits = hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit());
            digits.then_some(())
        };
        let aside = file
            .strip_prefix('.')
            .and_then(|file| file.rsplit_once('.'))
            .map(|(file, _)| file);
        let ours = hash(&file).is_some() || aside.and_then(hash).is_some();
        if ours && current != Some(path.as_path()) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
