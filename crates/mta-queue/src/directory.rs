//! The directories below `data/queue`, always by descriptor, never through a link.
//!
//! A directory that this process meets for the first time may have been made a moment ago by
//! another one that died before it synced: its own entry is therefore made durable once per
//! process before anything in it is acknowledged.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, RenameFlags};
use nix::sys::stat::{FileStat, Mode};
use nix::unistd::UnlinkatFlags;

use mta_envelope::names::ChannelName;

use crate::sync;

const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// The queue area itself.
#[derive(Debug)]
pub(crate) struct Root {
    fd: OwnedFd,
    path: PathBuf,
    durable: Mutex<HashSet<(u64, u64)>>,
}

/// One directory that holds message files.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    id: (u64, u64),
    path: PathBuf,
}

impl Root {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // The area itself may be reached through a link (a file system of its own).
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self {
            fd: nix::fcntl::open(path, flags, Mode::empty())?,
            path: path.to_owned(),
            durable: Mutex::default(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a directory that exists.
    pub(crate) fn existing(
        &self,
        channel: &ChannelName,
        subdir: Option<u16>,
    ) -> io::Result<Directory> {
        let path = self.path.join(channel.as_str());
        let top = open_at(self.fd.as_fd(), channel.as_str())?;
        match subdir {
            None => Directory::new(top, path),
            Some(number) => {
                let name = format!("{number:03}");
                let fd = open_at(top.as_fd(), &name)?;
                Directory::new(fd, path.join(name))
            }
        }
    }

    /// Opens a directory, made with mode 0700 if it is not there, whose own entry is durable.
    pub(crate) fn made(
        &self,
        channel: &ChannelName,
        subdir: Option<u16>,
    ) -> io::Result<Arc<Directory>> {
        let path = self.path.join(channel.as_str());
        let top = self.make(self.fd.as_fd(), channel.as_str(), path)?;
        let Some(number) = subdir else {
            return Ok(Arc::new(top));
        };
        let name = format!("{number:03}");
        let path = top.path.join(&name);
        Ok(Arc::new(self.make(top.fd.as_fd(), &name, path)?))
    }

    fn make(&self, parent: BorrowedFd<'_>, name: &str, path: PathBuf) -> io::Result<Directory> {
        let fd = match open_at(parent, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match nix::sys::stat::mkdirat(parent, name, Mode::S_IRWXU) {
                    Ok(()) | Err(Errno::EEXIST) => open_at(parent, name)?,
                    Err(errno) => return Err(errno.into()),
                }
            }
            other => other?,
        };
        let directory = Directory::new(fd, path)?;
        // The lock is not kept over the sync: two sessions may both ask for it, once.
        if !self.known_durable().contains(&directory.id) {
            sync::directory(parent)?;
            self.known_durable().insert(directory.id);
        }
        Ok(directory)
    }

    fn known_durable(&self) -> MutexGuard<'_, HashSet<(u64, u64)>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Directory {
    fn new(fd: OwnedFd, path: PathBuf) -> io::Result<Self> {
        let stat = nix::sys::stat::fstat(&fd)?;
        Ok(Self {
            fd,
            id: (stat.st_dev, stat.st_ino),
            path,
        })
    }

    /// Device and inode: the same directory however it was opened.
    pub(crate) const fn id(&self) -> (u64, u64) {
        self.id
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a new file that nobody else has.
    pub(crate) fn create(&self, name: &str) -> io::Result<File> {
        let flags =
            OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        Ok(File::from(nix::fcntl::openat(&self.fd, name, flags, mode)?))
    }

    /// Opens a file for reading and appending; links are refused, a pipe does not block.
    pub(crate) fn open(&self, name: &str, write: bool) -> io::Result<File> {
        let access = if write {
            OFlag::O_RDWR
        } else {
            OFlag::O_RDONLY
        };
        let flags = access | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        Ok(File::from(nix::fcntl::openat(
            &self.fd,
            name,
            flags,
            Mode::empty(),
        )?))
    }

    /// Renames within the directory; an existing file of the new name is an error.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let flags = RenameFlags::RENAME_NOREPLACE;
        match nix::fcntl::renameat2(&self.fd, from, &self.fd, to, flags) {
            Ok(()) => Ok(()),
            Err(Errno::EINVAL | Errno::ENOSYS) => self.rename_by_looking(from, to),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The same on a file system without that flag. A link and an unlink would be safe against
    /// rivals, but leave two names of one message if we die between the two; and there are no
    /// rivals: the unique part of both names is ours, by our lock or because it is new.
    fn rename_by_looking(&self, from: &str, to: &str) -> io::Result<()> {
        match self.stat(to) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.replace(from, to),
            Err(error) => Err(error),
        }
    }

    /// Renames within the directory over the file that has the new name.
    pub(crate) fn replace(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(nix::fcntl::renameat(&self.fd, from, &self.fd, to)?)
    }

    pub(crate) fn unlink(&self, name: &str) -> io::Result<()> {
        Ok(nix::unistd::unlinkat(
            &self.fd,
            name,
            UnlinkatFlags::NoRemoveDir,
        )?)
    }

    /// What stands under a name, links not followed.
    pub(crate) fn stat(&self, name: &str) -> io::Result<FileStat> {
        Ok(nix::sys::stat::fstatat(
            &self.fd,
            name,
            AtFlags::AT_SYMLINK_NOFOLLOW,
        )?)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        sync::directory(&self.fd)
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn open_at(parent: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    Ok(nix::fcntl::openat(parent, name, DIRECTORY, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn directories_are_made_private_on_first_use() {
        let area = tempfile::tempdir().unwrap();
        let root = Root::open(area.path()).unwrap();
        let channel = ChannelName::new("tcp_local").unwrap();
        assert!(root.existing(&channel, Some(7)).is_err());
        let made = root.made(&channel, Some(7)).unwrap();
        assert_eq!(made.path(), area.path().join("tcp_local/007"));
        let mode = std::fs::metadata(made.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
        assert_eq!(
            root.existing(&channel, Some(7)).unwrap().id(),
            root.made(&channel, Some(7)).unwrap().id()
        );
    }

    #[test]
    fn a_link_in_the_queue_area_is_not_followed() {
        let area = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(other.path(), area.path().join("l")).unwrap();
        let root = Root::open(area.path()).unwrap();
        let channel = ChannelName::new("l").unwrap();
        assert!(root.made(&channel, None).is_err());
        assert!(root.existing(&channel, None).is_err());
    }

    #[test]
    fn a_rename_never_replaces() {
        let area = tempfile::tempdir().unwrap();
        let root = Root::open(area.path()).unwrap();
        let directory = root.made(&ChannelName::new("l").unwrap(), None).unwrap();
        drop(directory.create("a").unwrap());
        drop(directory.create("b").unwrap());
        let error = directory.rename("a", "b").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let error = directory.rename_by_looking("a", "b").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        directory.rename_by_looking("a", "c").unwrap();
        assert!(directory.stat("a").is_err() && directory.stat("c").is_ok());
        directory.rename("c", "a").unwrap();
        assert!(directory.create("a").is_err(), "O_EXCL");
    }
}
