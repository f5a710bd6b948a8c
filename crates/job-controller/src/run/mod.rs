//! The process around the scheduler: one thread and a poll loop.
//!
//! `controller` turns what happens on descriptors (`connections`, `requests`) into events for
//! the scheduler, `deeds` turns the scheduler's actions into replies, processes and log lines.
//! Whatever may wait for a disk is done by helper threads: `scan` reads the queue directories,
//! `clerk` renames the files of messages that killed their programs. In normal flow no request
//! touches the disk.

mod clerk;
mod clock;
mod connections;
mod controller;
mod deeds;
mod program;
mod requests;
mod scan;
mod wake;

use crate::schedule::Scheduler;
use crate::settings::Settings;
use clock::Clock;
use controller::Controller;
use mta_config::{Config, LoadError, ServerRoot};
use mta_ipc::IpcError;
use mta_ipc::endpoint::Listener;
use mta_ipc::job_controller::DAEMON;
use mta_log::program::ProgramLog;
use mta_process::Failure;
use mta_process::lock::{self, Lock};
use mta_process::privilege::{self, Identity, PrivilegeError};
use mta_process::signal::{Signal, Signals};
use mta_process::start::{self, StartError};
use mta_queue::Queue;
use mta_queue::hold_list::{HoldList, HoldListError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Descriptors that a busy server may need: clients, jobs, and what jobs say on standard error.
const DESCRIPTORS: u64 = 8_192;

/// How long to wait for a predecessor that is just ending.
const PREDECESSOR: Duration = Duration::from_secs(10);

/// What the program is called with.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    /// The server root, if it is not to be found from `SERVERROOT` or the program's own place.
    pub server_root: Option<PathBuf>,
}

/// Why the Job Controller ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server root could not be found.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The server root given cannot be used.
    #[error("{} cannot be used as server root", path.display())]
    Root {
        /// What was given.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Root could not be given up.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
    /// Another one serves this root.
    #[error("another job_controller holds {}", path.display())]
    AlreadyRunning {
        /// Its lock.
        path: PathBuf,
    },
    /// The lock could not be taken.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The lock.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The log could not be created.
    #[error("cannot create a log in {}", path.display())]
    Log {
        /// The log directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// There is no usable configuration.
    #[error(transparent)]
    Config(#[from] LoadError),
    /// The control socket could not be made.
    #[error(transparent)]
    Socket(#[from] IpcError),
    /// The queue directory cannot be opened.
    #[error("cannot open the queue {}", path.display())]
    Queue {
        /// The queue directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The hold list cannot be read: running channels that should be stopped would be worse than
    /// not running.
    #[error(transparent)]
    HoldList(#[from] HoldListError),
    /// The system refused something that cannot be done without.
    #[error("{doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

impl Failure for Error {
    fn code(&self) -> u8 {
        match self {
            Self::AlreadyRunning { .. } => 2,
            _ => 1,
        }
    }
}

fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::System { doing, source }
}

/// Runs the Job Controller until it is told to end.
///
/// # Errors
/// [`Error`], when it cannot start or cannot go on.
pub fn run(arguments: &Arguments) -> Result<(), Error> {
    start::prepare();
    let root = server_root(arguments)?;
    if privilege::is_root() {
        // The accounts are all that is read as root.
        let accounts = mta_config::source::accounts(&root).map_err(LoadError::from)?;
        let user = Identity::lookup(&accounts.user, accounts.group.as_deref())?;
        privilege::give_up_root(&user)?;
    }
    let _lock = take_lock(&root.config())?;
    let log = ProgramLog::open(&root.log(), DAEMON).map_err(|source| Error::Log {
        path: root.log(),
        source,
    })?;
    let ended = Config::load(&root)
        .map_err(Error::from)
        .and_then(|config| serve(&root, &config, &log));
    match &ended {
        Ok(()) => log.write("job_controller ends"),
        Err(error) => log.write(&format!(
            "job_controller ends: {}",
            mta_process::exit::with_causes(error)
        )),
    }
    ended
}

fn server_root(arguments: &Arguments) -> Result<ServerRoot, Error> {
    let root = match &arguments.server_root {
        None => start::server_root()?,
        Some(path) => path.canonicalize().map_err(|source| Error::Root {
            path: path.clone(),
            source,
        })?,
    };
    Ok(ServerRoot::new(root))
}

fn take_lock(config_dir: &Path) -> Result<Lock, Error> {
    let path = lock::daemon_path(config_dir, DAEMON);
    match Lock::acquire_within(&path, PREDECESSOR) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(Error::AlreadyRunning { path }),
        Err(source) => Err(Error::Lock { path, source }),
    }
}

fn serve(root: &ServerRoot, config: &Config, log: &ProgramLog) -> Result<(), Error> {
    // Fewer descriptors than wished for mean fewer clients at a time, which is no reason to end.
    drop(start::raise_descriptor_limit(DESCRIPTORS));
    let listened = [
        Signal::Terminate,
        Signal::Interrupt,
        Signal::Hangup,
        Signal::Child,
    ];
    let signals = Signals::listen(&listened).map_err(system("preparing for signals"))?;
    let queue = Queue::open(&root.queue()).map_err(|source| Error::Queue {
        path: root.queue(),
        source,
    })?;
    let hold_list = HoldList::open(&root.db());
    let stopped = hold_list.list()?;
    let listener = Listener::bind(&root.config(), DAEMON)?;
    let mut clock = Clock::start().map_err(system("reading the clock"))?;
    let scheduler = Scheduler::new(Settings::of(config), stopped, clock.now());
    log.write(&format!(
        "job_controller {} starts for {} (image {} {})",
        env!("CARGO_PKG_VERSION"),
        root.root().display(),
        config.identity.fixed,
        config.identity.reloadable,
    ));
    let controller = Controller::new(controller::Parts {
        root,
        identity: config.identity.clone(),
        log,
        queue,
        hold_list,
        listener,
        signals,
        clock,
        scheduler,
    })?;
    controller.run()
}
