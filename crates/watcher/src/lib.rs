//! The watcher: the only program that is ever root.
//!
//! It owns the listening sockets of all services and the lives of the daemons: it binds, starts,
//! restarts with a growing delay, and hands the listeners to each new Dispatcher (`daemon`, `acts`).
//! `operator` is the other side of its control socket: what `start-msg` and `stop-msg` run. It
//! knows nothing of mail, reads nothing that comes from the network, and acts as the server user
//! in everything but binding and starting ([`mta_process::privilege::Rights`]).
//!
//! | it dies | what is left |
//! |---|---|
//! | at any time | daemons and sessions go on; the next `start-msg` starts a watcher that finds their locks held, asks them to end, and starts its own |

use std::path::PathBuf;

use mta_config::config::LoadError;
use mta_config::fault::LoadFault;
use mta_ipc::IpcError;
use mta_process::Failure;
use mta_process::privilege::PrivilegeError;
use mta_process::start::StartError;

mod acts;
mod command;
mod component;
mod daemon;
mod log;
mod operator;
mod ports;

/// What the command line says.
#[derive(Debug, Clone)]
pub struct Arguments {
    /// The server root, if it is not to be found in the usual way.
    pub server_root: Option<PathBuf>,
    /// What is to be done.
    pub task: Task,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Task {
    /// Be the watcher.
    Run {
        /// Give up, and end, when a daemon fails too often.
        ha: bool,
        /// Start every enabled component at once, for a service manager.
        start: bool,
    },
    /// `start-msg`.
    Start {
        /// The words behind it.
        words: Vec<String>,
    },
    /// `stop-msg`.
    Stop {
        /// The words behind it.
        words: Vec<String>,
    },
}

/// Why the watcher, `start-msg` or `stop-msg` failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server root was not found.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The accounts cannot be read.
    #[error("cannot read the accounts")]
    Accounts(#[from] LoadFault),
    /// There is no usable configuration.
    #[error("cannot load the configuration")]
    Config(#[from] LoadError),
    /// Users and rights.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
    /// The wrong user.
    #[error("%IMTA-E-NOPRIV, must be run as root or {user}")]
    NoPrivilege {
        /// The server user.
        user: String,
    },
    /// A word that names nothing.
    #[error(
        "%MSG-E-UNKNOWN, unknown component {word:?}; known are watcher, sched, dispatcher, \
         job_controller, mta"
    )]
    UnknownComponent {
        /// The word.
        word: String,
    },
    /// Another watcher runs.
    #[error("a watcher is running already")]
    Running,
    /// The control socket failed.
    #[error("control socket")]
    Control(#[source] IpcError),
    /// The watcher did not answer as it should.
    #[error("%MSG-E-NOANSWER, {}", unanswered(*.pid))]
    NoAnswer {
        /// Its process, if the holder of its lock can be seen.
        pid: Option<u32>,
        /// What came instead of an answer.
        source: IpcError,
    },
    /// What was asked for did not come out; the reason has been told already.
    #[error("not everything was done")]
    NotDone,
    /// A daemon failed too often, under `ha`.
    #[error("gave up on {component}: too many failures")]
    GaveUp {
        /// Which one.
        component: &'static str,
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

impl Failure for Error {
    fn code(&self) -> u8 {
        if let Self::NoAnswer { .. } = self {
            2
        } else {
            1
        }
    }

    fn is_told(&self) -> bool {
        matches!(self, Self::NotDone)
    }
}

/// What an operator can do about a watcher that hangs: its daemons go on without it, and the next
/// one takes their place.
fn unanswered(pid: Option<u32>) -> String {
    let said = "the watcher does not answer";
    pid.map_or_else(
        || said.to_owned(),
        |pid| format!("{said}; if it hangs, kill -9 {pid}, then start-msg"),
    )
}

/// Names what was being done when the system failed.
pub(crate) fn system(doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::System { doing, source }
}

/// Runs the watcher, or does what `start-msg` or `stop-msg` asks.
///
/// # Errors
/// [`Error`].
pub fn run(arguments: Arguments) -> Result<(), Error> {
    mta_process::start::prepare();
    let root = match arguments.server_root {
        Some(root) => root
            .canonicalize()
            .map_err(system("finding the server root"))?,
        None => mta_process::start::server_root()?,
    };
    let root = mta_config::paths::ServerRoot::new(root);
    match arguments.task {
        Task::Run { ha, start } => daemon::run(root, ha, start),
        Task::Start { words } => operator::start(&root, &words),
        Task::Stop { words } => operator::stop(&root, &words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_read_codes_and_what_to_do() {
        let hung = Error::NoAnswer {
            pid: Some(4034),
            source: IpcError::TimedOut,
        };
        let said = "%MSG-E-NOANSWER, the watcher does not answer; if it hangs, kill -9 4034, then \
                    start-msg";
        assert_eq!(hung.to_string(), said);
        assert_eq!(hung.code(), 2);
        let word = "foo".to_owned();
        let unknown = Error::UnknownComponent { word }.to_string();
        assert!(unknown.starts_with("%MSG-E-UNKNOWN, unknown component \"foo\"; "));
    }
}
