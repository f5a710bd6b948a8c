//! One Maildir: its directories, and a delivery that is there whole or not at all.
//!
//! ```text
//! tmp/NAME written and synced      a crash leaves a file in tmp, overwritten by the next attempt
//! renamed to new/NAME,S=SIZE       a crash leaves either name
//! new synced                       the message is delivered
//! ```
//!
//! NAME is made from the queue file's unique part and the recipient. So an attempt that follows
//! a crash behind the rename finds its own file in `new`, or in `cur` if a reader was quick, and
//! does not deliver a second one. It does what the other one perhaps did not come to: it syncs the
//! directory.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::libc::O_NOFOLLOW;

/// Subdirectories of every Maildir.
const PARTS: [&str; 3] = ["tmp", "new", "cur"];

/// Most Maildirs that are remembered as durable.
const REMEMBERED: usize = 10_000;

/// Maildirs that this process has seen whole and synced, each once.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashSet<PathBuf>>);

impl Known {
    fn contains(&self, path: &Path) -> bool {
        self.lock().contains(path)
    }

    fn insert(&self, path: &Path) {
        let mut known = self.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(path.to_owned());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        // Losing an entry by a panic costs a few syncs.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A Maildir that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Maildir {
    path: PathBuf,
}

/// What a delivery did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// The message is there now.
    New {
        /// Its octets.
        size: u64,
    },
    /// An earlier attempt had put it there.
    Already,
}

impl Maildir {
    /// The Maildir at `base`/`below`, made if need be; `below` may have several levels. A folder of
    /// Maildir++ (a name with a leading dot) gets its `maildirfolder` mark. On return all of it is
    /// durable.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn open(base: &Path, below: &Path, known: &Known) -> io::Result<Self> {
        let path = base.join(below);
        let maildir = Self { path };
        if known.contains(&maildir.path) {
            return Ok(maildir);
        }
        // Whoever made a directory may have died before its entry was synced: the first use by
        // this process syncs every level once more.
        let mut level = base.to_owned();
        make(&level)?;
        if let Some(above) = base.parent() {
            sync(above)?;
        }
        for name in below {
            let parent = level.clone();
            level.push(name);
            make(&level)?;
            sync(&parent)?;
        }
        for part in PARTS {
            make(&level.join(part))?;
        }
        let folder = level
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if folder {
            private(OpenOptions::new().append(true).create(true))
                .open(level.join("maildirfolder"))?;
        }
        sync(&level)?;
        known.insert(&maildir.path);
        Ok(maildir)
    }

    /// Where it stands.
    #[must_use]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a message of that name has been delivered, whatever a reader made of its flags. If
    /// so, it is durable on return: whoever put it there may have died before it was.
    ///
    /// # Errors
    /// What the system said when a directory could not be read or synced.
    pub(super) fn holds(&self, name: &str) -> io::Result<bool> {
        for part in ["new", "cur"] {
            let directory = self.path.join(part);
            for entry in fs::read_dir(&directory)? {
                if is_form_of(entry?.file_name().as_encoded_bytes(), name) {
                    sync(&directory)?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Delivers what `write` writes under `name`, durably.
    ///
    /// # Errors
    /// What the system said; then nothing is delivered, though a file may be left in `tmp`.
    pub(super) fn store(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<Stored> {
        let temporary = self.path.join("tmp").join(name);
        let result = self.write_and_move(name, &temporary, write);
        if result.is_err() {
            // The next attempt overwrites it, and readers remove old files of tmp.
            drop(fs::remove_file(&temporary));
        }
        result
    }

    fn write_and_move(
        &self,
        name: &str,
        temporary: &Path,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<Stored> {
        let file =
            private(OpenOptions::new().write(true).create(true).truncate(true)).open(temporary)?;
        let mut writer = BufWriter::with_capacity(64 * 1024, file);
        write(&mut writer)?;
        let file = writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let size = file.metadata()?.len();
        drop(file);
        let directory = self.path.join("new");
        let last = directory.join(format!("{name},S={size}"));
        if fs::symlink_metadata(&last).is_ok() {
            fs::remove_file(temporary)?;
            sync(&directory)?;
            return Ok(Stored::Already);
        }
        fs::rename(temporary, &last)?;
        sync(&directory)?;
        Ok(Stored::New { size })
    }
}

/// Whether `found` is `name` with the additions of readers and of quota: `,S=123`, `:2,S`.
fn is_form_of(found: &[u8], name: &str) -> bool {
    found
        .strip_prefix(name.as_bytes())
        .is_some_and(|rest| matches!(rest.first(), None | Some(b',' | b':')))
}

fn make(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(path)
        }
        other => other,
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600).custom_flags(O_NOFOLLOW)
}

/// Makes the entries of a directory durable.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> impl FnOnce(&mut dyn Write) -> io::Result<()> {
        move |out| out.write_all(text.as_bytes())
    }

    fn names(maildir: &Maildir, part: &str) -> Vec<String> {
        let entries = fs::read_dir(maildir.path().join(part)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_delivery_ends_in_new_with_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let known = Known::default();
        let maildir = Maildir::open(dir.path(), Path::new("example.com/ada"), &known).unwrap();
        let stored = maildir.store("1.Qa", text("Subject: x\n\nbody\n")).unwrap();
        assert_eq!(stored, Stored::New { size: 17 });
        assert_eq!(names(&maildir, "new"), ["1.Qa,S=17"]);
        assert!(names(&maildir, "tmp").is_empty());
    }

    #[test]
    fn a_repeated_delivery_is_recognised_in_new_and_cur() {
        let dir = tempfile::tempdir().unwrap();
        let known = Known::default();
        let maildir = Maildir::open(dir.path(), Path::new("a/b"), &known).unwrap();
        maildir.store("1.Qa", text("x\n")).unwrap();
        assert!(maildir.holds("1.Qa").unwrap());
        assert!(!maildir.holds("1.Q").unwrap());
        assert_eq!(maildir.store("1.Qa", text("x\n")).unwrap(), Stored::Already);
        let path = maildir.path();
        fs::rename(path.join("new/1.Qa,S=2"), path.join("cur/1.Qa,S=2:2,RS")).unwrap();
        assert!(maildir.holds("1.Qa").unwrap());
        assert!(names(&maildir, "tmp").is_empty());
    }

    #[test]
    fn what_an_earlier_death_left_in_tmp_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let known = Known::default();
        let maildir = Maildir::open(dir.path(), Path::new("a/b"), &known).unwrap();
        fs::write(maildir.path().join("tmp/1.Qa"), "half of something long").unwrap();
        let stored = maildir.store("1.Qa", text("x\n")).unwrap();
        assert_eq!(stored, Stored::New { size: 2 });
        let text = fs::read_to_string(maildir.path().join("new/1.Qa,S=2")).unwrap();
        assert_eq!(text, "x\n");
    }

    #[test]
    fn a_failed_delivery_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let known = Known::default();
        let maildir = Maildir::open(dir.path(), Path::new("a/b"), &known).unwrap();
        let result = maildir.store("1.Qa", |_| Err(io::Error::other("disk")));
        assert!(result.is_err());
        for part in PARTS {
            assert!(names(&maildir, part).is_empty(), "{part}");
        }
    }

    #[test]
    fn folders_are_marked() {
        let dir = tempfile::tempdir().unwrap();
        let known = Known::default();
        let folder = Maildir::open(dir.path(), Path::new("a/b/.Work"), &known).unwrap();
        assert!(folder.path().join("maildirfolder").exists());
        let inbox = Maildir::open(dir.path(), Path::new("a/b"), &known).unwrap();
        assert!(!inbox.path().join("maildirfolder").exists());
        assert!(inbox.path().join("new").is_dir());
    }

    #[test]
    fn a_link_in_tmp_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let known = Known::default();
        let maildir = Maildir::open(dir.path(), Path::new("a/b"), &known).unwrap();
        let victim = dir.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, maildir.path().join("tmp/1.Qa")).unwrap();
        assert!(maildir.store("1.Qa", text("x\n")).is_err());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }
}
