//! File locks: how one process keeps others out, and how a running daemon is known.
//!
//! A lock belongs to an open file description, so it ends with the process that holds it,
//! however that ends, and nothing has to be cleaned up. Lock files are never removed: another
//! process might just have opened the one that disappears. All descriptors are close-on-exec, so
//! no child keeps a lock alive.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The lock of a daemon: `config/.NAME.lock`.
#[must_use]
pub fn daemon_path(config_dir: &Path, daemon: &str) -> PathBuf {
    config_dir.join(format!(".{daemon}.lock"))
}

/// An exclusive lock, held until it is dropped.
#[derive(Debug)]
#[must_use = "a lock that is dropped is given up"]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock if nobody holds it; makes the file (mode 0600) if there is none.
    ///
    /// # Errors
    /// What the system says about the file.
    pub fn try_acquire(path: &Path) -> io::Result<Option<Self>> {
        let file = open(path)?;
        match fs2::FileExt::try_lock_exclusive(&file) {
            Ok(()) => Ok(Some(Self { file })),
            Err(error) if is_contention(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the lock, trying again for as long as `within`.
    ///
    /// # Errors
    /// As [`Lock::try_acquire`].
    pub fn acquire_within(path: &Path, within: Duration) -> io::Result<Option<Self>> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(lock) = Self::try_acquire(path)? {
                return Ok(Some(lock));
            }
            let left = within.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// The locked file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Said aloud, since a child between its fork and its exec still has the descriptor and
        // would keep the lock alive. If that fails, closing it is what is left.
        drop(fs2::FileExt::unlock(&self.file));
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)
}

fn is_contention(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == fs2::lock_contended_error().raw_os_error()
}

/// Whether somebody holds the lock. Creates nothing.
///
/// # Errors
/// What the system says about the file, but a missing one is just not locked.
pub fn is_held(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // A shared lock: two who ask at the same time do not take each other for the holder.
    match fs2::FileExt::try_lock_shared(&file) {
        Ok(()) => Ok(false),
        Err(error) if is_contention(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

/// The process that holds the lock, as the system's table of locks names it. Nothing if nobody
/// does, or if the holder is not visible from here.
///
/// # Errors
/// What the system says about the file or its table.
pub fn holder(path: &Path) -> io::Result<Option<u32>> {
    let found = match std::fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let table = std::fs::read_to_string("/proc/locks")?;
    let device = found.dev();
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let place = format!("{major:02x}:{minor:02x}:{}", found.ino());
    let exact = |line: &str| holder_in(line, |at| at == place);
    if let Some(pid) = table.lines().find_map(exact) {
        return Ok(Some(pid));
    }
    // Some file systems (btrfs) show files with another device number than the table does.
    if !is_held(path)? {
        return Ok(None);
    }
    let same_number = format!(":{}", found.ino());
    let alike = |line: &str| holder_in(line, |at| at.ends_with(&same_number));
    let mut holders = table.lines().filter_map(alike);
    Ok(holders.next().filter(|_| holders.next().is_none()))
}

/// Reads `1: FLOCK  ADVISORY  WRITE 4187 fd:01:1234 0 EOF`; lines with `->` tell of those who wait.
fn holder_in(line: &str, is_place: impl Fn(&str) -> bool) -> Option<u32> {
    let mut fields = line.split_whitespace().skip(1);
    if fields.next()? != "FLOCK" || fields.next()? != "ADVISORY" || fields.next()? != "WRITE" {
        return None;
    }
    let pid = fields.next()?.parse().ok()?;
    (is_place(fields.next()?) && pid > 0).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_keeps_others_out_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = daemon_path(directory.path(), "dispatcher");
        assert!(path.ends_with(".dispatcher.lock"));
        assert!(!is_held(&path).unwrap());
        let lock = Lock::try_acquire(&path).unwrap().unwrap();
        assert!(is_held(&path).unwrap());
        assert_eq!(holder(&path).unwrap(), Some(std::process::id()));
        assert!(Lock::try_acquire(&path).unwrap().is_none());
        assert!(
            Lock::acquire_within(&path, Duration::from_millis(3))
                .unwrap()
                .is_none()
        );
        drop(lock);
        assert!(!is_held(&path).unwrap());
        assert_eq!(holder(&path).unwrap(), None);
        assert!(Lock::try_acquire(&path).unwrap().is_some());
    }

    #[test]
    fn those_who_wait_are_no_holders() {
        let place = "fd:01:77";
        for (line, pid) in [
            ("1: FLOCK  ADVISORY  WRITE 4187 fd:01:77 0 EOF", Some(4187)),
            ("1: -> FLOCK  ADVISORY  WRITE 4188 fd:01:77 0 EOF", None),
            ("2: POSIX  ADVISORY  WRITE 4187 fd:01:77 0 EOF", None),
            ("3: FLOCK  ADVISORY  WRITE 4187 fd:01:78 0 EOF", None),
            ("4: FLOCK  ADVISORY  WRITE -1 fd:01:77 0 EOF", None),
            ("", None),
        ] {
            assert_eq!(holder_in(line, |at| at == place), pid, "{line}");
        }
    }
}
