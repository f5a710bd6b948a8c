//! The three calls that make something durable, in one place.
//!
//! All of them go through libc, so that tracers and fault injectors see them. An error of any of
//! them means that the data are gone, page cache included: no caller asks twice.

use std::io;
use std::os::fd::AsFd;

/// Makes a file's contents durable.
pub(crate) fn file(fd: impl AsFd) -> io::Result<()> {
    #[cfg(test)]
    fault::strike()?;
    if cfg!(feature = "broken-no-file-sync") {
        return Ok(());
    }
    Ok(nix::unistd::fsync(fd)?)
}

/// Makes the entries of a directory durable.
pub(crate) fn directory(fd: impl AsFd) -> io::Result<()> {
    #[cfg(test)]
    fault::strike()?;
    if cfg!(feature = "broken-no-dir-sync") {
        return Ok(());
    }
    Ok(nix::unistd::fsync(fd)?)
}

/// Makes everything on the file system of `fd` durable.
pub(crate) fn file_system(fd: impl AsFd) -> io::Result<()> {
    #[cfg(test)]
    fault::strike()?;
    Ok(nix::unistd::syncfs(fd)?)
}

/// Whether one [`file_system`] may stand for a sync of every file and directory: the kernel
/// reports through it both write-back errors (Linux 5.8) and what the file system itself says,
/// such as a journal that could not be written (5.17), and the file system is one whose
/// `syncfs` is known to write everything and to wait. A deliberately broken build has to leave out
/// single syncs, so it never takes this way.
pub(crate) fn file_system_covers_files(fd: impl AsFd) -> bool {
    const KNOWN: [i64; 4] = [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994];
    if cfg!(any(
        feature = "broken-no-file-sync",
        feature = "broken-no-dir-sync"
    )) {
        return false;
    }
    let Ok(stat) = nix::sys::statfs::fstatfs(fd) else {
        return false;
    };
    #[expect(
        clippy::unnecessary_cast,
        reason = "the width of the magic number differs by platform"
    )]
    let magic = stat.filesystem_type().0 as i64;
    KNOWN.contains(&magic) && kernel_reports_errors()
}

fn kernel_reports_errors() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    reports_errors(&release)
}

fn reports_errors(release: &str) -> bool {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(5), Some(17))
}

/// A disk that fails on request, for the tests of what happens then.
#[cfg(test)]
pub(crate) mod fault {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static SUCCESSES_LEFT: Cell<Option<usize>> = const { Cell::new(None) };
        static CALLS: Cell<usize> = const { Cell::new(0) };
    }

    /// Lets `successes` syncs of this thread pass and fails the next one, once.
    pub(crate) fn fail_after(successes: usize) {
        SUCCESSES_LEFT.set(Some(successes));
    }

    /// Takes an injected fault back; says whether it never struck.
    pub(crate) fn clear() -> bool {
        SUCCESSES_LEFT.take().is_some()
    }

    /// Syncs that this thread has asked for since it asked last.
    pub(crate) fn calls() -> usize {
        CALLS.take()
    }

    pub(super) fn strike() -> io::Result<()> {
        CALLS.set(CALLS.get() + 1);
        match SUCCESSES_LEFT.get() {
            Some(0) => {
                SUCCESSES_LEFT.set(None);
                Err(nix::errno::Errno::EIO.into())
            }
            left => {
                SUCCESSES_LEFT.set(left.map(|left| left - 1));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn syncfs_is_trusted_where_nothing_is_kept_from_it() {
        let table = [
            ("4.19.0-27-amd64", false),
            ("5.10.0-33-amd64\n", false),
            ("5.17.0", true),
            ("6.1.0-44-amd64", true),
            ("10.0", true),
            ("", false),
        ];
        for (release, trusted) in table {
            assert_eq!(super::reports_errors(release), trusted, "{release}");
        }
    }
}
