//! The Dispatcher: listens, asks PORT_ACCESS, and hands connections to server processes.
//!
//! It owns the choice of who serves a connection ([`balance`], pure) and the lives of the server
//! processes. It does not know SMTP: after the hand-over a connection is the server's alone. It
//! binds no port, since it is never root; the watcher hands the listeners over.
//!
//! A connection takes this way: `serve` accepts it when a server process can take it, `access`
//! asks PORT_ACCESS, [`balance::choose`] names the process, and `server` sends the descriptor and
//! keeps a copy until the process has it.
//!
//! | the Dispatcher dies | what is left |
//! |---|---|
//! | at any time | listeners and backlog live on in the watcher, which starts another Dispatcher |
//! | after accept, before `Taken` | a connection that was sent is served; one that was not is closed without a banner, and the client tries again |
//! | later | sessions live on in their processes, which end with their last session |

use std::path::PathBuf;

use mta_config::config::LoadError;
use mta_ipc::IpcError;
use mta_process::Failure;
use mta_process::start::StartError;

mod access;
pub mod balance;
mod control;
mod debug;
mod run;
mod serve;
mod server;
mod service;

pub use run::run;

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    /// The server root, if it is not to be found in the usual way.
    pub server_root: Option<PathBuf>,
}

/// Why the Dispatcher cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server root was not found.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It was started as root.
    #[error("the Dispatcher must not run as root; use start-msg")]
    Root,
    /// Its log could not be created.
    #[error("cannot write a log in {}", directory.display())]
    Log {
        /// The log directory.
        directory: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Another one runs.
    #[error("a Dispatcher is running already: {} is locked", lock.display())]
    Running {
        /// The lock that it holds.
        lock: PathBuf,
    },
    /// The lock could not be tried.
    #[error("cannot lock {}", lock.display())]
    Lock {
        /// The lock file.
        lock: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// There is no usable configuration.
    #[error("cannot load the configuration")]
    Config(#[from] LoadError),
    /// The control socket could not be created.
    #[error("cannot create the control socket")]
    Control(#[source] IpcError),
    /// The listeners did not arrive.
    #[error("cannot take the listeners over; use start-msg")]
    Listeners(#[source] IpcError),
    /// A service asks for what is not possible.
    #[error("service {service}: {reason}")]
    Service {
        /// Its name.
        service: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The system failed us.
    #[error("{doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl Failure for Error {}
