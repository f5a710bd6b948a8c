//! The only way in: from a sender and recipients to message files, durable before the answer.
//!
//! ```text
//! Enqueuer::begin -> Transaction::recipient (once each) -> Transaction::message
//!     -> MessageWriter::write (as often as needed) -> MessageWriter::finish
//! ```
//!
//! | step | module |
//! |---|---|
//! | which channel an address belongs to | `rewriting` |
//! | who may send what to whom | `access` |
//! | aliases, users, groups, statuses | `expand`, `delivery`, `lists` |
//! | the whole of it for one recipient, with its trace | `resolve` |
//! | who shares a file with whom | `split` |
//! | the message, its records and hints | `message` |
//!
//! Everything up to `split` is a pure function of configuration, directory and question. If
//! the process dies before [`MessageWriter::finish`] returns, the message was never accepted and
//! at most temporary files are left, which the next scan removes; if it dies afterwards, the
//! files are in the queue and a lost record or hint costs nothing but itself.

mod access;
mod delivery;
mod expand;
mod fault;
mod forward;
mod hints;
mod list_header;
mod lists;
mod log_action;
mod mark;
mod message;
mod originator;
mod refusal;
mod resolve;
mod reverse;
mod rewriting;
mod room;
mod source;
mod split;
mod trace;
mod transaction;
mod words;

pub use list_header::ListHeader;
pub use message::{Enqueued, MessageWriter};
pub use refusal::Refusal;
pub use resolve::{Context, Destination, Effects, Question, Resolution, resolve};
pub use reverse::{Moment, Reversal};
pub use rewriting::{Rewriter, Routed};
pub use room::OPEN_FILES;
pub use source::{Checked, MailParams, Peer, Protocol, RcptParams, ReverseName, Source};
pub use trace::{Silent, Step, Trace};
pub use transaction::{Accepted, Transaction, source_limit};

use crate::lookups::Lookups;
use hints::Hints;
use jiff::Timestamp;
use log_action::LogAction;
use mta_config::database::Databases;
use mta_config::{ChannelOption, Config, MtaOption, ServerRoot};
use mta_directory::{Directory, Fault as DirectoryFault};
use mta_envelope::address::Address;
use mta_envelope::names::ChannelName;
use mta_log::id::IdSource;
use mta_log::program::ProgramLog;
use mta_log::record::Record;
use mta_log::writer::Writer;
use mta_queue::Queue;
use room::Room;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

/// What the Job Controller is told of a file that lies in the queue.
#[must_use]
pub fn entry_of(config: &Config, placed: &mta_queue::Placed) -> mta_ipc::job_controller::Entry {
    hints::entry(
        placed,
        split::sorts_by_host(config.channel(&placed.channel)),
    )
}

/// Why a program cannot enqueue at all.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The queue's directory cannot be used.
    #[error("cannot open the queue {path}")]
    Queue {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// What a process needs to put messages into queues: one for each process, cheap to clone.
#[derive(Debug, Clone)]
pub struct Enqueuer {
    shared: Arc<Shared>,
    /// The configuration to stay with, whatever is reloaded.
    kept: Option<Arc<Config>>,
}

/// What all enqueuers of a process share.
#[derive(Debug)]
struct Shared {
    config: RwLock<Arc<Config>>,
    queue: Queue,
    directory: Directory,
    databases: Databases,
    log: Writer,
    program_log: Arc<ProgramLog>,
    ids: IdSource,
    room: Room,
    hints: OnceLock<Hints>,
    config_dir: PathBuf,
    program: String,
}

impl Shared {
    /// What questions about addresses are asked of, under this configuration.
    const fn context<'a>(&'a self, config: &'a Config) -> Context<'a> {
        Context {
            config,
            directory: &self.directory,
            databases: &self.databases,
        }
    }
}

impl Enqueuer {
    /// Opens queue, directory and log. The Job Controller is looked for when there is something
    /// to tell it; trouble goes to `NAME.log-UNIQUEID`, which appears with its first line.
    ///
    /// # Errors
    /// [`EnqueueError::Queue`] when there is no queue to write to.
    pub fn new(
        config: Arc<Config>,
        root: &ServerRoot,
        program: &str,
    ) -> Result<Self, EnqueueError> {
        let log = Arc::new(ProgramLog::on_demand(&root.log(), program));
        Self::with_log(config, root, program, log)
    }

    /// As [`Enqueuer::new`], for a program that has its log already.
    ///
    /// # Errors
    /// As [`Enqueuer::new`].
    pub fn with_log(
        config: Arc<Config>,
        root: &ServerRoot,
        program: &str,
        program_log: Arc<ProgramLog>,
    ) -> Result<Self, EnqueueError> {
        let queue = Queue::open(&root.queue()).map_err(|source| EnqueueError::Queue {
            path: root.queue(),
            source,
        })?;
        let reports = Arc::clone(&program_log);
        let report = move |fault: &DirectoryFault, has_state: bool| {
            let meanwhile = if has_state {
                "the last good state stays in force"
            } else {
                "there is no directory until that is mended"
            };
            reports.write(&format!("directory: {fault}; {meanwhile}"));
        };
        let directory = Directory::open(&root.directory(), &config.default_domain, report);
        Ok(Self {
            shared: Arc::new_cyclic(|shared| Shared {
                log: Writer::new(&root.log(), mta_log::layout::Options::of(&config))
                    .observed(Box::new(LogAction(Weak::clone(shared)))),
                config: RwLock::new(config),
                queue,
                directory,
                databases: Databases::of(root),
                program_log,
                ids: IdSource::new(),
                room: Room::new(),
                hints: OnceLock::new(),
                config_dir: root.config(),
                program: program.to_owned(),
            }),
            kept: None,
        })
    }

    /// The same for one session, which keeps the configuration that it begins with.
    #[must_use]
    pub fn for_session(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            kept: Some(self.config()),
        }
    }

    /// The configuration for whatever begins now.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        if let Some(kept) = &self.kept {
            return Arc::clone(kept);
        }
        // Only a whole configuration is ever put in place.
        let config = self.shared.config.read();
        Arc::clone(&config.unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a new configuration for whatever begins from now on; sessions keep theirs.
    pub fn reload(&self, config: Arc<Config>) {
        let place = self.shared.config.write();
        *place.unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// The queue that messages go into.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.shared.queue
    }

    /// Waits, no longer than `within`, until the Job Controller has been told of everything that
    /// was enqueued so far. For programs that are about to end.
    pub fn flush_hints(&self, within: Duration) {
        if let Some(hints) = self.shared.hints.get() {
            hints.flush(within);
        }
    }

    /// Who exists.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    /// The databases of the server root.
    #[must_use]
    pub fn databases(&self) -> &Databases {
        &self.shared.databases
    }

    /// What answers the call-outs of templates under a configuration.
    #[must_use]
    pub fn lookups<'a>(&'a self, config: &'a Config) -> Lookups<'a> {
        self.shared.context(config).lookups()
    }

    /// The transaction log of this process.
    #[must_use]
    pub fn log(&self) -> &Writer {
        &self.shared.log
    }

    /// The program's own log.
    #[must_use]
    pub fn program_log(&self) -> &Arc<ProgramLog> {
        &self.shared.program_log
    }

    /// Writes records of `channel`, if its `logging` asks for them. A log that cannot be
    /// written is told to the program's log and stops nothing.
    pub fn record(&self, channel: &ChannelName, records: &[Record<'_>]) {
        self.shared.record(&self.config(), channel, records);
    }

    /// MAIL: begins a transaction. `None` is the null sender.
    ///
    /// # Errors
    /// The refusal of the sender.
    pub fn begin(
        &self,
        source: &Arc<Source>,
        sender: Option<&Address>,
        params: MailParams,
        now: Timestamp,
    ) -> Result<Transaction, Refusal> {
        Transaction::begin(self, source, sender, params, now, &mut Silent)
    }

    /// As [`Enqueuer::begin`], telling each step.
    ///
    /// # Errors
    /// As [`Enqueuer::begin`].
    pub fn begin_traced(
        &self,
        source: &Arc<Source>,
        sender: Option<&Address>,
        params: MailParams,
        now: Timestamp,
        trace: &mut dyn Trace,
    ) -> Result<Transaction, Refusal> {
        Transaction::begin(self, source, sender, params, now, trace)
    }

    /// Where mail of `source` for an address would go, without sending any.
    ///
    /// # Errors
    /// The refusal that RCPT would get.
    pub fn resolve(
        &self,
        question: &Question<'_>,
        trace: &mut dyn Trace,
    ) -> Result<Resolution, Refusal> {
        let config = self.config();
        let context = self.shared.context(&config);
        resolve(context, question, trace)
    }
}

impl Shared {
    fn record(&self, config: &Config, channel: &ChannelName, records: &[Record<'_>]) {
        let wanted = config
            .channel(channel)
            .is_some_and(|channel| channel.is(ChannelOption::Logging));
        if wanted && let Err(error) = self.log.write_all(records) {
            self.trouble(&format!("{error}"));
        }
    }

    fn trouble(&self, text: &str) {
        self.program_log.write(text);
    }

    /// What access tables want told.
    fn tell(&self, notes: &[String]) {
        for note in notes {
            self.program_log.notice(note);
        }
    }

    fn hints(&self) -> &Hints {
        self.hints
            .get_or_init(|| Hints::start(self.config_dir.clone(), &self.program))
    }

    /// `ID@HOST`.
    fn next_id(&self, config: &Config, now: Timestamp) -> String {
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let host = config
            .mta
            .text(MtaOption::IdDomain)
            .unwrap_or_else(|| config.local_host());
        format!("{}@{host}", self.ids.next(seconds))
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::config as test_config;
