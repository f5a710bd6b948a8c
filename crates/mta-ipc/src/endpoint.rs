//! Where daemons listen, and who may come in.
//!
//! A control socket stands in the configuration directory under the name that operators of the
//! product know: the directory's own path with `/` as `_`, and the daemon. A Unix socket's address holds
//! 108 bytes, a path may be much longer; so a socket is bound under a short name through
//! `/proc/self/fd` and renamed, and a client connects through a descriptor of the socket's file.
//!
//! Whoever binds must hold the daemon's lock: then a socket that is already there is a leftover
//! of a dead predecessor, and the rename replaces it in one step, so that no client ever finds
//! the name missing. A leftover of another user is refused, and so is anything that is no socket.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, getsockopt, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use nix::unistd::geteuid;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::IpcError;
use crate::frame::{self, Greeting};

/// A name of more bytes than this is shortened.
const LONGEST_NAME: usize = 200;

/// Bytes that are kept of a name that is shortened.
const KEPT: usize = 150;

/// The control socket of `daemon` in the configuration directory `config_dir`, an absolute path.
#[must_use]
pub fn socket_path(config_dir: &Path, daemon: &str) -> PathBuf {
    let mut path = config_dir.as_os_str().as_bytes();
    while let [b'/', rest @ ..] = path {
        path = rest;
    }
    while let [rest @ .., b'/'] = path {
        path = rest;
    }
    let mut name = vec![b'.'];
    name.extend(path.iter().map(|&b| if b == b'/' { b'_' } else { b }));
    name.extend_from_slice(format!(".{daemon}.socket").as_bytes());
    if name.len() > LONGEST_NAME {
        let mut short = format!(".{:08x}", fold(&name)).into_bytes();
        short.extend_from_slice(&name[name.len() - KEPT..]);
        name = short;
    }
    config_dir.join(OsString::from_vec(name))
}

/// FNV-1a, 32 bits: tells long names apart that end alike; nothing secret hangs on it.
fn fold(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, &byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// A daemon's control socket.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
    trusted: Vec<u32>,
}

impl Listener {
    /// Listens as `daemon`. The caller holds the daemon's lock.
    ///
    /// # Errors
    /// [`IpcError::Foreign`] or [`IpcError::InTheWay`] if what stands there already cannot be a
    /// leftover of our own; [`IpcError::Bind`] if the system refuses.
    pub fn bind(config_dir: &Path, daemon: &str) -> Result<Self, IpcError> {
        let path = socket_path(config_dir, daemon);
        let wanted = geteuid().as_raw();
        if let Ok(found) = fs::symlink_metadata(&path) {
            if found.uid() != wanted {
                return Err(IpcError::Foreign {
                    path,
                    owner: found.uid(),
                    wanted,
                });
            }
            if !found.file_type().is_socket() {
                return Err(IpcError::InTheWay { path });
            }
        }
        let socket = bind_and_rename(config_dir, &path).map_err(|source| IpcError::Bind {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            socket,
            path,
            trusted: vec![0, wanted],
        })
    }

    /// Lets processes of one more user in.
    #[must_use]
    pub fn trusting(mut self, uid: u32) -> Self {
        self.trusted.push(uid);
        self
    }

    /// Where the socket stands.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the name still leads to this socket. Somebody may have removed it: the listener
    /// then has to be bound anew.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| found.file_type().is_socket())
    }

    /// Takes one waiting connection, if there is one; to be given to [`crate::Peer::new`].
    ///
    /// # Errors
    /// [`IpcError::Stranger`] if the process there has no business here (its connection is
    /// closed); [`IpcError::Io`] if the system refuses, as it does when descriptors run out.
    pub fn accept(&self) -> Result<Option<UnixStream>, IpcError> {
        let stream = match self.socket.accept() {
            Ok((stream, _)) => stream,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::Interrupted
                        | io::ErrorKind::ConnectionAborted
                ) =>
            {
                return Ok(None);
            }
            Err(source) => {
                return Err(IpcError::Io {
                    doing: "accepting a control connection",
                    source,
                });
            }
        };
        check_peer(&stream, &self.trusted)?;
        Ok(Some(stream))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Binds under a short temporary name, then moves the socket to its place.
fn bind_and_rename(config_dir: &Path, path: &Path) -> io::Result<UnixListener> {
    let directory = File::open(config_dir)?;
    let short = format!(".s{}", std::process::id());
    let through_proc = format!("/proc/self/fd/{}/{short}", directory.as_raw_fd());
    let temporary = config_dir.join(&short);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixListener::bind(through_proc)?;
    let finish = || {
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o600))?;
        socket.set_nonblocking(true)?;
        fs::rename(&temporary, path)
    };
    if let Err(error) = finish() {
        // Best effort: the name is ours alone, and the next start removes it as well.
        drop(fs::remove_file(&temporary));
        return Err(error);
    }
    Ok(socket)
}

fn check_peer(stream: &UnixStream, trusted: &[u32]) -> Result<(), IpcError> {
    let peer = getsockopt(stream, sockopt::PeerCredentials).map_err(|errno| IpcError::Io {
        doing: "asking who is connecting",
        source: errno.into(),
    })?;
    if trusted.contains(&peer.uid()) {
        Ok(())
    } else {
        Err(IpcError::Stranger {
            uid: peer.uid(),
            pid: peer.pid(),
        })
    }
}

/// A blocking stream on which both sides have greeted each other.
#[derive(Debug)]
pub struct Connection {
    pub(crate) stream: UnixStream,
    pub(crate) program: String,
}

impl Connection {
    /// Greets over a stream that is already connected, and waits for the greeting.
    ///
    /// # Errors
    /// [`IpcError::TimedOut`], [`IpcError::Closed`], [`IpcError::Version`].
    pub fn greet(stream: UnixStream, program: &str, within: Duration) -> Result<Self, IpcError> {
        let limit = Some(within.max(Duration::from_millis(1)));
        let doing = IpcError::io("preparing a control connection");
        stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_read_timeout(limit))
            .and_then(|()| stream.set_write_timeout(limit))
            .map_err(doing)?;
        frame::write(&mut &stream, &Greeting::of(program))?;
        let program = frame::read::<Greeting>(&mut &stream)?.check()?;
        stream
            .set_read_timeout(None)
            .map_err(IpcError::io("preparing a control connection"))?;
        Ok(Self { stream, program })
    }

    /// Uses the connection that this process was started with as its standard input.
    ///
    /// # Errors
    /// As [`Connection::greet`]; [`IpcError::Io`] if standard input is no socket.
    pub fn inherited(program: &str, within: Duration) -> Result<Self, IpcError> {
        let stream = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .map(UnixStream::from)
            .map_err(IpcError::io("taking over standard input"))?;
        Self::greet(stream, program, within)
    }

    /// The name of the program on the other side, for logs.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Asks without waiting for an answer; for a program of one thread, which watches the
    /// connection and calls [`Connection::receive`] when it is readable.
    ///
    /// # Errors
    /// [`IpcError::Closed`], [`IpcError::TimedOut`], [`IpcError::TooLong`].
    pub fn send<Q: Serialize>(&self, id: u32, request: &Q) -> Result<(), IpcError> {
        frame::write(&mut &self.stream, &(id, request))
    }

    /// Whether [`Connection::receive`] has something to read, or the end to tell.
    ///
    /// # Errors
    /// [`IpcError::Io`] if the system does not say.
    pub fn has_news(&self) -> Result<bool, IpcError> {
        let mut descriptors = [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
        poll(&mut descriptors, PollTimeout::ZERO)
            .map(|count| count > 0)
            .map_err(|errno| IpcError::Io {
                doing: "looking for an answer",
                source: errno.into(),
            })
    }

    /// Waits for the next answer.
    ///
    /// # Errors
    /// [`IpcError::TimedOut`], after which the connection is of no more use;
    /// [`IpcError::Closed`]; [`IpcError::Malformed`].
    pub fn receive<R: DeserializeOwned>(&self, within: Duration) -> Result<(u32, R), IpcError> {
        self.stream
            .set_read_timeout(Some(within.max(Duration::from_millis(1))))
            .map_err(IpcError::io("waiting for an answer"))?;
        frame::read(&mut &self.stream)
    }
}

/// A greeting sent to a daemon that is expected to answer some time, for somebody who cannot
/// wait: whether it is alive.
#[derive(Debug)]
pub struct Knock(UnixStream);

impl Knock {
    /// Connects to `daemon` as `program` and greets. `within` bounds only the wait for a place
    /// in its backlog.
    ///
    /// # Errors
    /// [`IpcError::NotRunning`] if nobody listens, or if so many have knocked in vain that the
    /// backlog is full.
    pub fn at(
        config_dir: &Path,
        daemon: &str,
        program: &str,
        within: Duration,
    ) -> Result<Self, IpcError> {
        let stream = reach(config_dir, daemon, within)?;
        frame::write(&mut &stream, &Greeting::of(program))?;
        Ok(Self(stream))
    }

    /// Whether the daemon has said anything, if only by closing.
    #[must_use]
    pub fn was_heard(&self) -> bool {
        let mut descriptors = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        poll(&mut descriptors, PollTimeout::ZERO).is_ok_and(|count| count > 0)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Connects to `daemon` as `program`.
///
/// # Errors
/// [`IpcError::NotRunning`] if nobody listens; [`IpcError::Stranger`] if somebody else does;
/// otherwise as [`Connection::greet`].
pub fn connect(
    config_dir: &Path,
    daemon: &str,
    program: &str,
    within: Duration,
) -> Result<Connection, IpcError> {
    let begun = Instant::now();
    let stream = reach(config_dir, daemon, within)?;
    Connection::greet(stream, program, within.saturating_sub(begun.elapsed()))
}

/// A stream to `daemon` and nobody else.
fn reach(config_dir: &Path, daemon: &str, within: Duration) -> Result<UnixStream, IpcError> {
    let path = socket_path(config_dir, daemon);
    let absent = |path: PathBuf, source| IpcError::NotRunning {
        daemon: daemon.to_owned(),
        path,
        source,
    };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_PATH | nix::libc::O_NOFOLLOW)
        .open(&path)
        .map_err(|source| absent(path.clone(), source))?;
    let stream = connect_within(&file, within).map_err(|source| absent(path, source))?;
    let me = geteuid();
    if !me.is_root() {
        check_peer(&stream, &[0, me.as_raw()])?;
    }
    Ok(stream)
}

/// Connects to the socket that `file` stands for. A daemon that hangs leaves its backlog full;
/// the send time-out bounds the wait for that too.
fn connect_within(file: &File, within: Duration) -> io::Result<UnixStream> {
    let socket = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let whole = within.max(Duration::from_millis(1));
    let limit = TimeVal::new(
        i64::try_from(whole.as_secs()).unwrap_or(i64::MAX),
        i64::from(whole.subsec_micros()),
    );
    setsockopt(&socket, sockopt::SendTimeout, &limit)?;
    let address = UnixAddr::new(format!("/proc/self/fd/{}", file.as_raw_fd()).as_str())?;
    nix::sys::socket::connect(socket.as_raw_fd(), &address)?;
    Ok(UnixStream::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_product() {
        let path = socket_path(
            Path::new("/var/opt/sun/comms/messaging64/config"),
            "dispatcher",
        );
        assert_eq!(
            path,
            Path::new("/var/opt/sun/comms/messaging64/config")
                .join(".var_opt_sun_comms_messaging64_config.dispatcher.socket")
        );
    }

    #[test]
    fn long_names_become_a_hash_and_their_end() {
        let directory = PathBuf::from(format!("/{}", "abcdefghi/".repeat(40)));
        let name = socket_path(&directory, "job_controller");
        let name = name.file_name().unwrap().to_str().unwrap();
        assert_eq!(name.len(), 1 + 8 + 150);
        assert!(name.starts_with('.') && name.ends_with(".job_controller.socket"));
        let other = PathBuf::from(format!("/x{}", "abcdefghi/".repeat(40)));
        assert_ne!(
            name,
            socket_path(&other, "job_controller").file_name().unwrap()
        );
    }
}
