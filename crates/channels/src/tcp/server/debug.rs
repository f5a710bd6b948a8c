//! The debug logs of a server process: one for each channel that asks for one.

use mta_channel::dequeue::DebugLog;
use mta_channel::enqueue::{Step, Trace};
use mta_config::{Channel, ChannelOption, Config, MtaOption};
use mta_envelope::names::ChannelName;
use mta_log::program::ProgramLog;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The logs that this process has begun.
#[derive(Debug)]
pub(super) struct DebugLogs {
    log_dir: PathBuf,
    logs: Mutex<HashMap<ChannelName, DebugLog>>,
}

impl DebugLogs {
    pub(super) fn new(log_dir: PathBuf) -> Self {
        Self {
            log_dir,
            logs: Mutex::default(),
        }
    }

    /// The log of a session that began on `initial` and is on `current`: both must have
    /// `slave_debug`, or `mm_debug` must be on.
    pub(super) fn of(&self, config: &Config, initial: &Channel, current: &Channel) -> Lines {
        let asked = |channel: &Channel| channel.is(ChannelOption::SlaveDebug);
        let all = config.mta.int(MtaOption::MmDebug) > 0;
        let both = asked(initial) && asked(current);
        if !all && !both {
            return Lines::off();
        }
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let log = logs.entry(current.name().clone()).or_insert_with(|| {
            let name = format!("{}_slave", current.name());
            DebugLog::to_file(Arc::new(ProgramLog::on_demand(&self.log_dir, &name)), true)
        });
        Lines {
            log: log.clone(),
            number: 0,
            steps: config.mta.int(MtaOption::MmDebug) > 0,
        }
    }
}

/// The lines of one session, each with its connection's number.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    log: DebugLog,
    number: u64,
    steps: bool,
}

impl Lines {
    pub(super) const fn off() -> Self {
        Self {
            log: DebugLog::off(),
            number: 0,
            steps: false,
        }
    }

    pub(super) fn numbered(mut self, number: u64) -> Self {
        self.number = number;
        self
    }

    /// Writes a line, if anybody reads it.
    pub(super) fn line(&self, text: impl FnOnce() -> String) {
        self.log.line(|| format!("[{}] {}", self.number, text()));
    }
}

impl Trace for Lines {
    fn listens(&self) -> bool {
        self.steps && self.log.is_on()
    }

    fn step(&mut self, step: Step) {
        self.line(|| format!("  {step}"));
    }
}
