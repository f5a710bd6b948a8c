//! The return job: run every night (or every hour) by the scheduler, or by hand.
//!
//! In order: each message of each channel is measured against `notices` and warned about or
//! returned; temporary files that nobody writes any more are removed; every so many runs the
//! transaction logs are turned. Held messages are not aged. Trouble with one message is told and
//! does not keep the others waiting.

mod period;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use mta_channel::dequeue::{DebugLog, Decision, ReturnError, Returner};
use mta_channel::enqueue::{EnqueueError, Enqueuer};
use mta_config::{Channel, Config, LoadError, MtaOption, ServerRoot};
use mta_log::program::ProgramLog;
use mta_log::rollover;
use mta_process::lock::Lock;
use mta_process::privilege::PrivilegeError;
use mta_process::start::{self, StartError};
use mta_queue::error::TakeError;

use crate::master;

/// What the program was called with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// Turn the transaction logs, whatever the period.
    pub turn: bool,
}

/// The return job could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server root could not be found.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Root's rights could not be given up.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
    /// There is no configuration.
    #[error("cannot load the configuration")]
    Configuration(#[from] LoadError),
    /// Another return job runs.
    #[error("a return job is running already: {} is locked", path.display())]
    Running {
        /// Its lock.
        path: PathBuf,
    },
    /// The lock cannot be had for another reason.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The lock.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The queue cannot be opened.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// Some of the work was not done.
    #[error("{count} messages, directories or logs could not be dealt with; see {}", log.display())]
    Incomplete {
        /// How many.
        count: usize,
        /// Where it is told.
        log: PathBuf,
    },
}

impl mta_process::Failure for Error {}

/// Runs the return job once.
///
/// # Errors
/// [`Error`]; [`Error::Incomplete`] when everything else was done.
pub fn run(arguments: &Arguments) -> Result<(), Error> {
    start::prepare();
    let root = ServerRoot::new(start::server_root()?);
    master::become_server_user(&root)?;
    let path = root.config().join(".return_job.lock");
    let locked = |source| Error::Lock {
        path: path.clone(),
        source,
    };
    let Some(lock) = Lock::try_acquire(&path).map_err(locked)? else {
        return Err(Error::Running { path });
    };
    let job = Job::new(root)?;
    let now = mta_log::time::now();
    let mut troubles = job.age(now);
    troubles += job.clean(now);
    troubles += job.turn(arguments.turn);
    drop(lock);
    if troubles == 0 {
        Ok(())
    } else {
        Err(Error::Incomplete {
            count: troubles,
            log: job.log.path().to_owned(),
        })
    }
}

/// One run.
#[derive(Debug)]
struct Job {
    root: ServerRoot,
    config: Arc<Config>,
    enqueuer: Enqueuer,
    returner: Returner,
    debug: DebugLog,
    log: Arc<ProgramLog>,
}

impl Job {
    fn new(root: ServerRoot) -> Result<Self, Error> {
        let config = Arc::new(Config::load(&root)?);
        let log = Arc::new(ProgramLog::on_demand(&root.log(), "return"));
        let debugging = config.mta.flag(MtaOption::ReturnDebug);
        let debug = DebugLog::to_file(Arc::clone(&log), debugging);
        let shared = Arc::clone(&log);
        let enqueuer = Enqueuer::with_log(Arc::clone(&config), &root, "return_job", shared)?;
        let returner = Returner::new(enqueuer.clone(), &root, "return_job", debug.clone());
        Ok(Self {
            root,
            config,
            enqueuer,
            returner,
            debug,
            log,
        })
    }

    /// Warns and returns. Answers how much could not be done.
    fn age(&self, now: Timestamp) -> usize {
        let channels = self.config.channels.iter();
        channels.map(|channel| self.age_channel(channel, now)).sum()
    }

    fn age_channel(&self, channel: &Channel, now: Timestamp) -> usize {
        let name = channel.name();
        let mut troubles = 0;
        let mut seen = 0_u64;
        let mut files = self.enqueuer.queue().scan(name);
        for found in &mut files {
            if found.place.file.is_held() {
                continue;
            }
            seen += 1;
            let place = &found.place;
            let applied = self
                .returner
                .decide(channel, place, now)
                .map_err(ReturnError::from)
                .and_then(|decision| {
                    if decision != Decision::Keep {
                        self.debug.line(|| format!("{name}/{place}: {decision:?}"));
                    }
                    self.returner.apply(channel, place, decision, now)
                });
            if let Err(error) = applied {
                troubles += usize::from(self.trouble(channel, &place.to_string(), &error));
            }
        }
        for fault in files.faults() {
            let told = mta_process::exit::with_causes(&fault);
            self.debug.trouble(&told);
            troubles += 1;
        }
        self.debug.line(|| format!("{name}: {seen} messages"));
        troubles
    }

    /// Tells what went wrong; whether it was more than somebody else being at work.
    fn trouble(&self, channel: &Channel, place: &str, error: &ReturnError) -> bool {
        let name = channel.name();
        match error {
            ReturnError::Taken(TakeError::Gone | TakeError::Busy) => {
                self.debug.line(|| format!("{name}/{place}: {error}"));
                false
            }
            ReturnError::Taken(_) | ReturnError::NotSent | ReturnError::Settle(_) => {
                let told = mta_process::exit::with_causes(error);
                self.debug.trouble(&format!("{name}/{place}: {told}"));
                true
            }
        }
    }

    /// Removes what writers that died have left behind.
    fn clean(&self, now: Timestamp) -> usize {
        let queue = self.enqueuer.queue();
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let channels = match queue.channels() {
            Ok(channels) => channels,
            Err(error) => {
                self.debug
                    .trouble(&format!("cannot read the queue: {error}"));
                return 1;
            }
        };
        let mut troubles = 0;
        for channel in channels {
            match queue.clean(&channel, seconds) {
                Ok(0) => {}
                Ok(count) => self
                    .debug
                    .line(|| format!("{channel}: {count} stale temporary files removed")),
                Err(error) => {
                    self.debug
                        .trouble(&format!("{channel}: cannot clean up: {error}"));
                    troubles += 1;
                }
            }
        }
        troubles
    }

    /// Turns the transaction logs, if their turn has come.
    fn turn(&self, always: bool) -> usize {
        let every = self.config.mta.int(MtaOption::ReturnSplitPeriod);
        let counter = self.root.db().join("return_job.count");
        let due = match period::is_due(&counter, every) {
            Ok(due) => due || always,
            Err(error) => {
                let path = counter.display();
                self.debug.trouble(&format!("{path}: {error}"));
                true
            }
        };
        if !due {
            return 0;
        }
        let mut troubles = 0;
        for family in rollover::FAMILIES {
            if let Err(error) = rollover::turn(&self.root.log(), family) {
                self.debug
                    .trouble(&format!("{family}: cannot be turned: {error}"));
                troubles += 1;
            }
        }
        troubles
    }
}

#[cfg(test)]
mod tests;
