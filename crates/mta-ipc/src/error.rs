//! What can go wrong between two processes.

use std::io;
use std::path::PathBuf;

/// A conversation between processes failed.
#[derive(Debug, thiserror::Error)]
pub enum IpcError {
    /// Nobody listens there: the daemon does not run.
    #[error("{daemon} is not running: {}", path.display())]
    NotRunning {
        /// The daemon that was wanted.
        daemon: String,
        /// Its control socket.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The socket, or something else in its place, belongs to another user.
    #[error("{} belongs to user number {owner}, not to the server user ({wanted})", path.display())]
    Foreign {
        /// The control socket.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who should own it.
        wanted: u32,
    },
    /// Something that is no socket stands where the control socket belongs.
    #[error("{} is in the way: it is not a socket", path.display())]
    InTheWay {
        /// The place of the control socket.
        path: PathBuf,
    },
    /// The control socket could not be created.
    #[error("cannot create the control socket {}", path.display())]
    Bind {
        /// The place of the control socket.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The process on the other side runs as a user who has no business here.
    #[error("refused a connection from process {pid} of user number {uid}")]
    Stranger {
        /// Its user.
        uid: u32,
        /// Its process.
        pid: i32,
    },
    /// The other side speaks another version of the protocol: it was installed at another time
    /// and has to be restarted.
    #[error("{program} speaks protocol version {theirs}, this program version {ours}; restart it")]
    Version {
        /// Who is there.
        program: String,
        /// Its version.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// A frame announces, or would have, more bytes than any frame may.
    #[error("a frame of {length} bytes is over the limit")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Bytes arrived that are no message of this vocabulary.
    #[error("not understood: {reason}")]
    Malformed {
        /// What the decoder says.
        reason: String,
    },
    /// A packet came without the descriptor that belongs to it, or with too many.
    #[error("a packet came with {count} descriptors instead of {wanted}")]
    Descriptors {
        /// How many came.
        count: usize,
        /// How many belong to it.
        wanted: usize,
    },
    /// The other side does not read what it is sent.
    #[error("the other side does not read its answers")]
    Stuck,
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The other side has closed the connection.
    #[error("the other side has closed the connection")]
    Closed,
    /// The system failed us.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

impl IpcError {
    /// Wraps a system error with what was being done.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset => Self::Closed,
            _ => Self::Io { doing, source },
        }
    }

    /// Whether the daemon is simply not there, as opposed to there and in trouble.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NotRunning { .. })
    }
}
