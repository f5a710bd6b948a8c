//! Who exists: users, groups and domains, their statuses and passwords.
//!
//! This crate owns the directory of the MTA. Today that is `config/directory.ldif`, read into
//! memory and read again when the file changes; LDAP servers come behind the same look-ups. It
//! does not know what happens to an address once its entry is found: delivery options, alias
//! expansion and replies are the business of `mta-channel`.
//!
//! The path of a look-up: [`Directory::find`] looks whether the file has changed (one `stat`),
//! whoever sees that first reads it ([`ldif`]) and builds a new index; everybody else goes on
//! with the old one meanwhile. Who writes the file in place leaves it empty or cut short for a
//! moment, which must not be taken for the new state: a file that has become shorter is read only
//! when it has stood still for a second, and a file without any record is a fault. A file that
//! cannot be read leaves the last good state in force and is reported once ([`Fault`]). Nothing is
//! ever written, so a crash leaves nothing behind.
//!
//! ```
//! let dir = std::env::temp_dir().join("no-such-directory.ldif");
//! let directory = mta_directory::Directory::open(&dir, "example.com", |_, _| {});
//! assert!(!directory.exists());
//! ```

pub mod entry;
mod index;
pub mod ldif;
pub mod password;
pub mod search;

use entry::{Entry, Kind, fold_address, status_in_force};
pub use index::Found;
use index::Index;
use ldif::SyntaxFault;
use password::{Gate, Verdict};
use std::fs::Metadata;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

/// Why the file could not be taken as the directory's new state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A line that is no LDIF.
    #[error("{}:{line}: {fault}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        #[source]
        fault: SyntaxFault,
    },
    /// It could not be read.
    #[error("{}: {text}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        text: String,
    },
    /// There is nobody in it.
    #[error("{}: the file holds no entry", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It was there and is there no more.
    #[error("{}: the file has vanished", path.display())]
    Vanished {
        /// The file.
        path: PathBuf,
    },
}

/// Why a look-up has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// There is a directory, but it was never readable. Temporary.
    #[error("the directory is not available")]
    Unavailable(#[source] Fault),
    /// Several entries claim the address. Temporary, as an operator can mend it.
    #[error("several directory entries have the address {0}")]
    Ambiguous(String),
}

/// Why a search has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// The URL cannot be understood.
    #[error(transparent)]
    Url(#[from] search::UrlError),
    /// The directory cannot tell.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// Why a log-in could be neither accepted nor refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Too many passwords are being checked at this moment.
    #[error("too many log-ins at the same time")]
    Busy,
    /// The directory cannot tell.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// Somebody whose password was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user id.
    pub uid: String,
    /// The primary address.
    pub address: String,
    /// The channel that the entry asks for on submission (`mailSMTPSubmitChannel`).
    pub submit_channel: Option<String>,
}

/// For how long a look at the file is good: the look-ups of one command share it.
const FRESH: Duration = Duration::from_millis(if cfg!(test) { 0 } else { 1 });

/// For how long a file that has become shorter must not have changed to be taken for complete.
const SETTLE: Duration = Duration::from_secs(1);

/// Who is told of a fault, and whether a last good state stays in force meanwhile.
type Report = Box<dyn Fn(&Fault, bool) + Send + Sync>;

/// The directory; shared by all threads of a process.
pub struct Directory {
    path: PathBuf,
    default_domain: String,
    state: RwLock<State>,
    /// Held by whoever reads the file.
    loading: Mutex<()>,
    report: Report,
    settle: Duration,
    gate: Gate,
    opened: Instant,
    /// When the file was last looked at, in microseconds after `opened`.
    looked: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Which file the state comes from, good or bad.
    seen: Option<Seen>,
    /// Which file the index comes from.
    good: Option<Seen>,
    index: Option<Arc<Index>>,
    fault: Option<Fault>,
}

/// Enough of a file's metadata to see that it is another one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    identity: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A point in time as seconds and nanoseconds, in nanoseconds.
fn nanoseconds((seconds, rest): (i64, i64)) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(rest)
}

impl Seen {
    /// Whether this is the same file and less of it: perhaps somebody is writing it anew.
    fn is_rest_of(&self, known: &Self) -> bool {
        self.identity == known.identity && self.size < known.size
    }

    /// Whether the file has stood still for `settle` at the time `now`. A date in the future says
    /// nothing.
    fn is_settled(&self, now: SystemTime, settle: Duration) -> bool {
        let now = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos());
        let changed = nanoseconds(self.modified).max(nanoseconds(self.changed));
        let age = i128::try_from(now).unwrap_or(i128::MAX) - changed;
        let settle = i128::try_from(settle.as_nanos()).unwrap_or(i128::MAX);
        !(0..settle).contains(&age)
    }

    fn of(meta: &Metadata) -> Self {
        Self {
            identity: (meta.dev(), meta.ino()),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Directory {
    /// The directory in the file `path`. A file that is not there means that there is no
    /// directory; one that cannot be read is told to `report`, as is each later fault, together
    /// with whether a last good state stays in force.
    #[must_use]
    pub fn open(
        path: &Path,
        default_domain: &str,
        report: impl Fn(&Fault, bool) + Send + Sync + 'static,
    ) -> Self {
        Self::settling(path, default_domain, Box::new(report), SETTLE)
    }

    fn settling(path: &Path, default_domain: &str, report: Report, settle: Duration) -> Self {
        let directory = Self {
            path: path.to_owned(),
            default_domain: default_domain.to_owned(),
            state: RwLock::default(),
            loading: Mutex::default(),
            report,
            settle,
            gate: Gate::default(),
            opened: Instant::now(),
            looked: AtomicU64::new(0),
        };
        directory.look();
        directory
    }

    /// Whether there is a directory at all.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.refresh();
        self.read().seen.is_some()
    }

    /// What is wrong with the file now, if its last good state is in force.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.refresh();
        self.read().fault.clone()
    }

    /// The user or group that has `address` as its primary, alternate or equivalent address.
    ///
    /// # Errors
    /// [`DirectoryError`], always temporary.
    pub fn find(&self, address: &str) -> Result<Option<Arc<Entry>>, DirectoryError> {
        let Some(index) = self.index()? else {
            return Ok(None);
        };
        match index.address(address) {
            Found::Nothing => Ok(None),
            Found::One(entry) => Ok(Some(entry)),
            Found::Ambiguous => Err(DirectoryError::Ambiguous(fold_address(address))),
        }
    }

    /// The user or group that takes everything for `domain` that nobody else takes:
    /// an entry with the address `@domain`.
    ///
    /// # Errors
    /// [`DirectoryError`], always temporary.
    pub fn find_catchall(&self, domain: &str) -> Result<Option<Arc<Entry>>, DirectoryError> {
        self.find(&format!("@{domain}"))
    }

    /// The entry with the distinguished name `dn`, as groups name their members.
    ///
    /// # Errors
    /// [`DirectoryError`], always temporary.
    pub fn by_dn(&self, dn: &str) -> Result<Option<Arc<Entry>>, DirectoryError> {
        Ok(self.index()?.and_then(|index| index.dn(dn).cloned()))
    }

    /// The entries that an LDAP URL means, in the order of the file.
    ///
    /// # Errors
    /// [`SearchError`]; only a directory that is not available is temporary.
    pub fn search(&self, url: &str) -> Result<Vec<search::Match>, SearchError> {
        let search = search::Search::parse(url)?;
        Ok(match self.index()? {
            Some(index) => search.of(&mut index.entries()),
            None => Vec::new(),
        })
    }

    /// All domains by name, with their entries.
    ///
    /// # Errors
    /// [`DirectoryError`], always temporary.
    pub fn domains(&self) -> Result<Vec<(String, Arc<Entry>)>, DirectoryError> {
        Ok(self.index()?.map_or_else(Vec::new, |index| index.domains()))
    }

    /// The entry of a domain for which mail is accepted here.
    ///
    /// # Errors
    /// [`DirectoryError`], always temporary.
    pub fn domain(&self, name: &str) -> Result<Option<Arc<Entry>>, DirectoryError> {
        Ok(self.index()?.and_then(|index| index.domain(name).cloned()))
    }

    /// Whether mail for `name` is delivered here: there is a domain entry, and if it names
    /// routing hosts, `local_host` is among them.
    ///
    /// # Errors
    /// [`DirectoryError`], always temporary.
    pub fn domain_is_local(&self, name: &str, local_host: &str) -> Result<bool, DirectoryError> {
        Ok(self.domain(name)?.is_some_and(|entry| {
            let mut hosts = entry.values("mailroutinghosts").peekable();
            hosts.peek().is_none() || hosts.any(|host| host.eq_ignore_ascii_case(local_host))
        }))
    }

    /// Checks a password. Somebody who does not exist, who may not log in, or whose password is
    /// stored in a form we do not accept costs as much time as a wrong password.
    ///
    /// # Errors
    /// [`AuthError`] when no answer could be found; that is temporary.
    pub fn authenticate(&self, name: &str, given: &[u8]) -> Result<Option<Account>, AuthError> {
        let Some(index) = self.index()? else {
            password::waste(None, given, &self.gate).ok_or(AuthError::Busy)?;
            return Ok(None);
        };
        let entry = match index.login(name, &self.default_domain) {
            Found::One(entry) if entry.first("userpassword").is_some() => entry,
            Found::One(_) | Found::Nothing | Found::Ambiguous => {
                password::waste(index.decoy.as_deref(), given, &self.gate)
                    .ok_or(AuthError::Busy)?;
                return Ok(None);
            }
        };
        let stored: Vec<&str> = entry.values("userpassword").collect();
        match password::check(&stored, given, index.decoy.as_deref(), &self.gate) {
            None => Err(AuthError::Busy),
            Some(Verdict::Wrong) => Ok(None),
            Some(Verdict::Right) => Ok(self.account(&index, &entry)),
        }
    }

    fn account(&self, index: &Index, entry: &Entry) -> Option<Account> {
        let domain = entry.domain();
        let of_domain = domain.as_deref().and_then(|name| index.domain(name));
        let (status, _) = status_in_force(of_domain.map(Arc::as_ref), entry);
        let uid = entry.uid()?;
        let address = entry
            .mail()
            .map_or_else(|| format!("{uid}@{}", self.default_domain), str::to_owned);
        (entry.kind == Kind::User && status.may_log_in()).then(|| Account {
            uid: uid.to_owned(),
            address,
            submit_channel: entry.first("mailsmtpsubmitchannel").map(str::to_owned),
        })
    }

    fn index(&self) -> Result<Option<Arc<Index>>, DirectoryError> {
        self.refresh();
        let state = self.read();
        match (&state.index, &state.fault) {
            (Some(index), _) => Ok(Some(Arc::clone(index))),
            (None, Some(fault)) => Err(DirectoryError::Unavailable(fault.clone())),
            (None, None) => Ok(None),
        }
    }

    /// Reads the file if it is not the one that is known, unless it was looked at just now.
    fn refresh(&self) {
        let now = u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX);
        let looked = self.looked.load(Ordering::Relaxed);
        if Duration::from_micros(now.saturating_sub(looked)) >= FRESH {
            self.looked.store(now, Ordering::Relaxed);
            self.look();
        }
    }

    fn look(&self) {
        let now = std::fs::metadata(&self.path)
            .map(|meta| Seen::of(&meta))
            .ok();
        if now == self.read().seen && (now.is_some() || self.read().index.is_none()) {
            return;
        }
        let shrunk = now
            .zip(self.read().good)
            .is_some_and(|(seen, known)| seen.is_rest_of(&known));
        let unsettled = now.is_some_and(|seen| !seen.is_settled(SystemTime::now(), self.settle));
        if shrunk && unsettled && self.read().index.is_some() {
            return;
        }
        // One thread reads; the others go on with what they have, unless they have nothing.
        let loading = if self.read().seen.is_some() {
            self.loading.try_lock().ok()
        } else {
            Some(self.loading.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let Some(_loading) = loading else { return };
        if now.is_some() && now == self.read().seen {
            return;
        }
        let news = self.load();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let fault = match news {
            Loaded::Index(seen, index) => {
                state.seen = Some(seen);
                state.good = Some(seen);
                state.index = Some(Arc::new(index));
                None
            }
            Loaded::Fault(seen, fault) => {
                state.seen = seen.or(state.seen);
                Some(fault)
            }
            Loaded::Missing if state.seen.is_none() => None,
            Loaded::Missing => Some(Fault::Vanished {
                path: self.path.clone(),
            }),
        };
        let told = state.fault == fault;
        state.fault.clone_from(&fault);
        let has_state = state.index.is_some();
        drop(state);
        if let Some(fault) = fault.filter(|_| !told) {
            (self.report)(&fault, has_state);
        }
    }

    fn load(&self) -> Loaded {
        let unreadable = |error: &std::io::Error| Fault::Unreadable {
            path: self.path.clone(),
            text: error.to_string(),
        };
        let mut file = match std::fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Loaded::Missing,
            Err(error) => {
                let seen = std::fs::metadata(&self.path)
                    .map(|meta| Seen::of(&meta))
                    .ok();
                return Loaded::Fault(seen, unreadable(&error));
            }
        };
        let seen = match file.metadata() {
            Ok(meta) => Seen::of(&meta),
            Err(error) => return Loaded::Fault(None, unreadable(&error)),
        };
        let mut content = Vec::new();
        if let Err(error) = (&mut file)
            .take(ldif::MAX_FILE + 1)
            .read_to_end(&mut content)
        {
            return Loaded::Fault(Some(seen), unreadable(&error));
        }
        if content.len() as u64 > ldif::MAX_FILE {
            let error = std::io::Error::from(std::io::ErrorKind::FileTooLarge);
            return Loaded::Fault(Some(seen), unreadable(&error));
        }
        match Index::build(&content, &self.default_domain) {
            Ok(index) if index.count == 0 => {
                let path = self.path.clone();
                Loaded::Fault(Some(seen), Fault::Empty { path })
            }
            Ok(index) => Loaded::Index(seen, index),
            Err((line, fault)) => Loaded::Fault(
                Some(seen),
                Fault::Syntax {
                    path: self.path.clone(),
                    line,
                    fault,
                },
            ),
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        // Only whole states are ever put in place.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Loaded {
    Index(Seen, Index),
    Fault(Option<Seen>, Fault),
    Missing,
}

#[cfg(test)]
mod tests;
