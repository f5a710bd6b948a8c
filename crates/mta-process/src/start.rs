//! The first steps of every program, and the word to the service manager.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};

/// The server root could not be found.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `SERVERROOT` names no directory.
    #[error("SERVERROOT is {}, which cannot be used", path.display())]
    ServerRoot {
        /// What the variable says.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The program's own place is not known.
    #[error("cannot tell where this program lies; set SERVERROOT")]
    OwnPlace {
        /// The system's answer.
        source: io::Error,
    },
    /// The program does not lie in `bin` or `lib` of a server root.
    #[error("{} lies in no server root; set SERVERROOT", program.display())]
    NoRoot {
        /// The program.
        program: PathBuf,
    },
}

/// The server root: what the environment variable `SERVERROOT` says, else the directory above
/// the one that this program lies in (`ROOT/bin/x`, `ROOT/lib/x`). Absolute, without links.
///
/// # Errors
/// [`StartError`].
pub fn server_root() -> Result<PathBuf, StartError> {
    if let Some(path) = env::var_os("SERVERROOT").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        return path
            .canonicalize()
            .map_err(|source| StartError::ServerRoot { path, source });
    }
    let program = env::current_exe()
        .and_then(|program| program.canonicalize())
        .map_err(|source| StartError::OwnPlace { source })?;
    match program.parent().and_then(std::path::Path::parent) {
        Some(root) => Ok(root.to_owned()),
        None => Err(StartError::NoRoot { program }),
    }
}

/// Files that this process makes are for its user alone. (Writing to a closed pipe is an error
/// and not the end, as in every Rust program.)
pub fn prepare() {
    umask(Mode::from_bits_truncate(0o077));
}

/// Allows this process `wanted` open descriptors, or as many as the system lets it have; returns
/// how many that is.
///
/// # Errors
/// What the system says.
pub fn raise_descriptor_limit(wanted: u64) -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let limit = wanted.min(hard).max(soft);
    if limit > soft {
        setrlimit(Resource::RLIMIT_NOFILE, limit, hard)?;
    }
    Ok(limit)
}

/// Tells the service manager that start-up is complete, if one has asked to be told
/// (`NOTIFY_SOCKET`).
///
/// # Errors
/// What the system says about that socket.
pub fn notify_ready() -> io::Result<()> {
    notify("READY=1")
}

/// Tells the service manager that the end has begun, if one has asked to be told.
///
/// # Errors
/// What the system says about that socket.
pub fn notify_stopping() -> io::Result<()> {
    notify("STOPPING=1")
}

fn notify(state: &str) -> io::Result<()> {
    let Some(address) = env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
        return Ok(());
    };
    let address = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_lies_above_the_program_s_directory() {
        if env::var_os("SERVERROOT").is_none() {
            let root = server_root().unwrap();
            assert!(env::current_exe().unwrap().starts_with(root));
        }
    }

    #[test]
    fn the_descriptor_limit_is_never_lowered() {
        let before = raise_descriptor_limit(0).unwrap();
        assert!(raise_descriptor_limit(before + 1).unwrap() >= before);
    }
}
