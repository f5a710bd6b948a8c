//! Mail that leaves the queue without having been delivered: returned because of its age, by an
//! operator, or deleted at the end of its stay in `filter_discard`; and the warnings before.
//!
//! The return job and the commands `return` and `qm return` use this and nothing else.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use mta_config::{Channel, Config, MtaOption, ServerRoot};
use mta_envelope::envelope::Envelope;
use mta_envelope::names::{ChannelName, Place};
use mta_envelope::status::{Outcome, Report, Status};
use mta_ipc::Client;
use mta_ipc::job_controller::{DAEMON, Reply, Request};
use mta_log::record::Action;
use mta_message::template::Kind;
use mta_queue::error::{SettleError, TakeError};
use mta_queue::history::Attempt;
use mta_queue::message::Message;

use super::debug::DebugLog;
use super::deliverer::Dialect;
use super::notices::{About, Sent, send_all};
use super::outbox::{Outbox, age, last_report};
use super::records::{Event, Records, Subject, events};
use crate::enqueue::{EnqueueError, Enqueuer};
use crate::notify::{Notice, Policy, due, warnings};

/// The channel whose mail vanishes at its last notice.
const DISCARD_CHANNEL: &str = "filter_discard";

/// How long the Job Controller may take to greet us.
const GREETING: Duration = Duration::from_secs(5);

/// What a message's age asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Keep,
    /// A warning for this value of `notices`.
    Warn(u32),
    /// The message has to go.
    Return,
}

impl Decision {
    /// Decides by the age in full units, the channel's increasing `notices`, and the history with
    /// the warnings that were sent. After a pause of the return job only the latest value that
    /// was passed is warned about.
    #[must_use]
    pub fn of(age: u64, notices: &[u32], history: &[Attempt]) -> Self {
        let Some((last, values)) = notices.split_last() else {
            return Self::Keep;
        };
        if age >= u64::from(*last) {
            return Self::Return;
        }
        let warned = history.iter().filter_map(Attempt::warning).max();
        let passed = values
            .iter()
            .rev()
            .find(|value| u64::from(**value) <= age)
            .copied();
        match (passed, warned) {
            (Some(value), Some(warned)) if warned >= value => Self::Keep,
            (Some(value), _) => Self::Warn(value),
            (None, _) => Self::Keep,
        }
    }
}

/// Why a message stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum ReturnError {
    /// It is gone, in use, or damaged.
    #[error(transparent)]
    Taken(#[from] TakeError),
    /// The notice about it could not be enqueued for now.
    #[error("the notice cannot be enqueued; the message stays")]
    NotSent,
    /// The notice is out, but the message could not be removed.
    #[error(transparent)]
    Settle(#[from] SettleError),
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// What stood on its outside.
    pub envelope: Envelope,
    /// Whether anybody was told.
    pub reported: bool,
}

/// Takes mail out of queues, with notices and records.
#[derive(Debug)]
pub struct Returner {
    config: Arc<Config>,
    enqueuer: Enqueuer,
    outbox: Outbox,
    debug: DebugLog,
    root: ServerRoot,
    program: String,
    controller: OnceLock<Option<Client<Request, Reply>>>,
}

impl Returner {
    /// Works through `enqueuer` for the program of that name; `debug` is told what happens.
    #[must_use]
    pub fn new(enqueuer: Enqueuer, root: &ServerRoot, program: &str, debug: DebugLog) -> Self {
        Self {
            config: enqueuer.config(),
            outbox: Outbox::new(enqueuer.clone(), root),
            enqueuer,
            debug,
            root: root.clone(),
            program: program.to_owned(),
            controller: OnceLock::new(),
        }
    }

    /// As [`Returner::new`] with everything opened for it.
    ///
    /// # Errors
    /// [`EnqueueError`] when the queue cannot be opened.
    pub fn open(
        config: Arc<Config>,
        root: &ServerRoot,
        program: &str,
    ) -> Result<Self, EnqueueError> {
        let enqueuer = Enqueuer::new(config, root, program)?;
        Ok(Self::new(enqueuer, root, program, DebugLog::off()))
    }

    /// What the age of a message asks for. Reads no more than its envelope and history.
    ///
    /// # Errors
    /// [`TakeError`] when it cannot be read.
    pub fn decide(
        &self,
        channel: &Channel,
        place: &Place,
        now: Timestamp,
    ) -> Result<Decision, TakeError> {
        let queue = self.enqueuer.queue();
        let (envelope, history) = queue.read_envelope(channel.name(), place)?;
        let hours = self.config.mta.flag(MtaOption::ReturnUnits);
        let age = age(envelope.arrived, seconds(now), hours);
        let decision = Decision::of(age, &channel.notices(envelope.priority), &history);
        Ok(match decision {
            // What was discarded bothers nobody while it waits.
            Decision::Warn(_) if is_discard(channel) => Decision::Keep,
            other => other,
        })
    }

    /// Does what [`Returner::decide`] asks for.
    ///
    /// # Errors
    /// [`ReturnError`]; the message then stays.
    pub fn apply(
        &self,
        channel: &Channel,
        place: &Place,
        decision: Decision,
        now: Timestamp,
    ) -> Result<(), ReturnError> {
        match decision {
            Decision::Keep => Ok(()),
            Decision::Warn(value) => self.warn(channel, place, value, now),
            Decision::Return if is_discard(channel) => self.discard(channel, place, now),
            Decision::Return => self
                .give_back(channel, place, Kind::TimedOut, now)
                .map(drop),
        }
    }

    /// Returns a message to its sender ([`Kind::Bounced`] by an operator, [`Kind::TimedOut`] by
    /// age) and removes it. Held ones too.
    ///
    /// # Errors
    /// [`ReturnError`]; the message then stays.
    pub fn give_back(
        &self,
        channel: &Channel,
        place: &Place,
        kind: Kind,
        now: Timestamp,
    ) -> Result<Returned, ReturnError> {
        let dequeued = self.enqueuer.queue().take(channel.name(), place)?;
        let hours = self.config.mta.flag(MtaOption::ReturnUnits);
        let outcomes = failures(&dequeued, kind, now, hours);
        let policy = Policy::of(&self.config, channel);
        let due = due(dequeued.envelope(), &outcomes, kind, &policy);
        let sent = self.send(channel, &policy, &dequeued, &outcomes, &due, now);
        if sent.is_incomplete() {
            return Err(ReturnError::NotSent);
        }
        let events = events(&outcomes, &sent.reported, Action::Deferred);
        self.record(channel, place, &dequeued, &events, now);
        let returned = Returned {
            envelope: dequeued.envelope().clone(),
            reported: sent.reported.contains(&true),
        };
        dequeued.remove()?;
        self.forget(channel.name(), place);
        Ok(returned)
    }

    /// Sends the warnings for a value of `notices`, and remembers it.
    fn warn(
        &self,
        channel: &Channel,
        place: &Place,
        value: u32,
        now: Timestamp,
    ) -> Result<(), ReturnError> {
        let mut dequeued = self.enqueuer.queue().take(channel.name(), place)?;
        let policy = Policy::of(&self.config, channel);
        let due = warnings(dequeued.envelope(), &policy);
        let sent = self.send(channel, &policy, &dequeued, &[], &due, now);
        if sent.is_incomplete() {
            return Err(ReturnError::NotSent);
        }
        // One that is refused for good is past as well, or it would be refused every day.
        // Durable before the record: a warning that was sent twice is a nuisance, one that is
        // never sent again because the log said so would be a lie.
        dequeued.note(&[Attempt::warned(value)])?;
        let events: Vec<Event<'_>> = (0..sent.reported.len())
            .filter(|recipient| sent.reported[*recipient])
            .map(|recipient| Event {
                recipient,
                action: Action::Warned,
                report: None,
            })
            .collect();
        self.record(channel, place, &dequeued, &events, now);
        Ok(())
    }

    /// Removes a message without telling anybody but the log.
    ///
    /// # Errors
    /// [`ReturnError`]; the message then stays.
    pub fn discard(
        &self,
        channel: &Channel,
        place: &Place,
        now: Timestamp,
    ) -> Result<(), ReturnError> {
        let dequeued = self.enqueuer.queue().take(channel.name(), place)?;
        let events: Vec<Event<'_>> = (0..dequeued.envelope().recipients.len())
            .map(|recipient| Event {
                recipient,
                action: Action::Killed,
                report: None,
            })
            .collect();
        self.record(channel, place, &dequeued, &events, now);
        dequeued.remove()?;
        self.forget(channel.name(), place);
        Ok(())
    }

    fn send(
        &self,
        channel: &Channel,
        policy: &Policy,
        message: &Message,
        outcomes: &[Outcome],
        due: &[Notice],
        now: Timestamp,
    ) -> Sent {
        let about = About {
            channel,
            policy,
            message,
            outcomes,
            now,
        };
        send_all(&self.outbox, &about, due, &self.debug)
    }

    fn record(
        &self,
        channel: &Channel,
        place: &Place,
        message: &Message,
        events: &[Event<'_>],
        now: Timestamp,
    ) {
        let path = self.enqueuer.queue().path().join(channel.name().as_str());
        let records = Records {
            writer: self.enqueuer.log(),
            channel,
            debug: &self.debug,
            block_size: self.config.block_size(),
            thread: None,
        };
        let subject = Subject {
            envelope: message.envelope(),
            path: &path.join(place.to_string()),
            dialect: &Dialect::default(),
        };
        records.write(now, subject, events);
    }

    /// Tells the Job Controller that a file is gone. A hint: without it the next job finds out.
    fn forget(&self, channel: &ChannelName, place: &Place) {
        let controller = self.controller.get_or_init(|| {
            Client::connect(&self.root.config(), DAEMON, &self.program, GREETING).ok()
        });
        if let Some(client) = controller {
            let forgotten = Request::Forgotten {
                channel: channel.clone(),
                place: place.clone(),
            };
            // A lost hint costs a job one look.
            drop(client.call(&forgotten, GREETING));
        }
    }
}

impl Drop for Returner {
    fn drop(&mut self) {
        // Its program is about to end, and the notices should not wait for the next scan.
        self.enqueuer.flush_hints(GREETING);
    }
}

fn is_discard(channel: &Channel) -> bool {
    channel.name().as_str() == DISCARD_CHANNEL
}

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.as_second()).unwrap_or(0)
}

/// Why each recipient's mail comes back.
fn failures(message: &Message, kind: Kind, now: Timestamp, hours: bool) -> Vec<Outcome> {
    let envelope = message.envelope();
    let unit = if hours { "hours" } else { "days" };
    let age = age(envelope.arrived, seconds(now), hours);
    envelope
        .recipients
        .iter()
        .map(|recipient| {
            let report = if kind == Kind::Bounced {
                Report::local(Status::new(5, 0, 0), "returned by the postmaster")
            } else {
                let last = last_report(recipient, message.history());
                let reason = format!(
                    "unable to deliver this message after {age} {unit}: {}",
                    last.reason
                );
                Report::local(Status::EXPIRED, &reason)
            };
            Outcome::Failed(report)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_age_asks_for() {
        let notices = [1, 2, 4, 7];
        let warned = |values: &[u32]| -> Vec<Attempt> {
            values.iter().map(|value| Attempt::warned(*value)).collect()
        };
        let table: [(u64, &[u32], Decision); 10] = [
            (0, &[], Decision::Keep),
            (1, &[], Decision::Warn(1)),
            (1, &[1], Decision::Keep),
            (2, &[1], Decision::Warn(2)),
            (3, &[1, 2], Decision::Keep),
            (3, &[], Decision::Warn(2)),
            (5, &[2], Decision::Warn(4)),
            (6, &[1, 2, 4], Decision::Keep),
            (7, &[1, 2, 4], Decision::Return),
            (700, &[], Decision::Return),
        ];
        for (age, values, decision) in table {
            assert_eq!(
                Decision::of(age, &notices, &warned(values)),
                decision,
                "{age}"
            );
        }
    }

    #[test]
    fn a_single_value_returns_without_warning() {
        assert_eq!(Decision::of(2, &[3], &[]), Decision::Keep);
        assert_eq!(Decision::of(3, &[3], &[]), Decision::Return);
        assert_eq!(Decision::of(99, &[], &[]), Decision::Keep);
    }
}
