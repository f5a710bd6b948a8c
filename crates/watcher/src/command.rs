//! What operators ask of the watcher, one thing after the other, and what they are told.

use std::time::{Duration, Instant};

use mta_ipc::control::Asker;
use mta_ipc::watcher::{Reply, Request};

use crate::component::KINDS;

/// How often a dot shows that the wait goes on.
const DOT: Duration = Duration::from_millis(500);

/// Longest wait for a daemon to become ready.
pub(crate) const STARTING: Duration = Duration::from_secs(60);

/// One thing to be done with one daemon, or with the watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Start this one.
    Start(usize),
    /// Stop this one.
    Stop {
        component: usize,
        force: bool,
        /// Its successor comes at once.
        restart: bool,
    },
    /// End the watcher.
    End,
}

/// A command on its way.
#[derive(Debug)]
pub(crate) struct Command {
    /// Who waits for it; nobody at boot or after a signal.
    pub(crate) asker: Option<Asker>,
    /// What is still to be done, the present act first.
    pub(crate) acts: Vec<Act>,
    /// When the present act was begun.
    pub(crate) begun: Option<Instant>,
    /// All went well so far.
    pub(crate) success: bool,
    next_dot: Option<Instant>,
}

impl Command {
    /// A command of these acts.
    pub(crate) fn new(asker: Option<Asker>, acts: Vec<Act>) -> Self {
        Self {
            asker,
            acts,
            begun: None,
            success: true,
            next_dot: None,
        }
    }

    /// What a request comes to.
    ///
    /// # Errors
    /// A sentence for whoever asks for what is not there.
    pub(crate) fn of(request: &Request, asker: Asker) -> Result<Self, String> {
        let number = |name: &str| {
            KINDS
                .iter()
                .position(|kind| kind.name == name)
                .ok_or_else(|| format!("unknown component {:?}", name.escape_debug().to_string()))
        };
        let stop = |component, force, restart| Act::Stop {
            component,
            force,
            restart,
        };
        let acts = match request {
            Request::Start { component } => vec![Act::Start(number(component)?)],
            Request::Stop { component, force } => vec![stop(number(component)?, *force, false)],
            Request::Restart { component } => {
                let component = number(component)?;
                vec![stop(component, false, true), Act::Start(component)]
            }
            Request::Finish { force } => Self::finish(*force),
            Request::Status => Vec::new(),
        };
        Ok(Self::new(Some(asker), acts))
    }

    /// Stops everything, last started first, and ends the watcher.
    pub(crate) fn finish(force: bool) -> Vec<Act> {
        let mut acts: Vec<Act> = (0..KINDS.len())
            .rev()
            .map(|component| Act::Stop {
                component,
                force,
                restart: false,
            })
            .collect();
        acts.push(Act::End);
        acts
    }

    /// Goes on to the next act.
    pub(crate) fn advance(&mut self, success: bool) {
        self.success &= success;
        self.acts.remove(0);
        self.begun = None;
        self.next_dot = None;
    }

    /// A dot, if it is time for one.
    pub(crate) fn dot(&mut self, now: Instant) -> Option<Reply> {
        let due = *self.next_dot.get_or_insert(now + DOT);
        if now < due {
            return None;
        }
        self.next_dot = Some(now + DOT);
        Some(Reply::Text(".".to_owned()))
    }
}
