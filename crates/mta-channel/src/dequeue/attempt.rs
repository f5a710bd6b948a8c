//! One message: taken, delivered, reported, logged and settled, in this order.
//!
//! ```text
//! take          the lock is ours; a crash releases it, the message is as it was
//! deliver       a crash from here to "settle" may deliver a second time
//! notices       durable before the original goes; a crash may send them a second time
//! records       in the log before the file goes, so that no removal is without one
//! settle        removed, renamed or rewritten
//! ```

use std::any::Any;
use std::io::{self, BufRead, BufReader};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;

use jiff::Timestamp;
use mta_access::dequeue::DequeueDecision;
use mta_config::channel::Channel;
use mta_envelope::envelope::Envelope;
use mta_envelope::names::Place;
use mta_envelope::status::{Outcome, Report, Status};
use mta_ipc::job_controller::{Entry, Settlement, Work};
use mta_log::record::Action;
use mta_message::template::Kind;
use mta_queue::Queue;
use mta_queue::dequeue::Dequeued;
use mta_queue::enqueue::Placed;
use mta_queue::error::{SettleError, TakeError};
use mta_queue::message::Message as StoredMessage;

use super::debug::DebugLog;
use super::deliverer::{Content, Deliverer, Dialect, Message};
use super::gate::Gate;
use super::notices::{About, NoticeSender, send_all};
use super::records::{Records, Subject, events};
use super::settle::{Disposition, all_deferred, complete};
use crate::notify::{Policy, due};

/// What every attempt of a thread needs.
pub(super) struct Workplace<'a> {
    pub(super) queue: &'a Queue,
    pub(super) channel: &'a Channel,
    pub(super) policy: &'a Policy,
    pub(super) records: Records<'a>,
    pub(super) notices: &'a dyn NoticeSender,
    pub(super) debug: &'a DebugLog,
    /// Who is asked before and behind an attempt, if anybody.
    pub(super) gate: Option<Gate<'a>>,
}

/// A thread's deliverer. One that has panicked is replaced: nobody knows what it left half done.
pub(super) struct Slot<'a> {
    make: &'a dyn Fn() -> Box<dyn Deliverer>,
    deliverer: Option<Box<dyn Deliverer>>,
}

impl<'a> Slot<'a> {
    pub(super) const fn new(make: &'a dyn Fn() -> Box<dyn Deliverer>) -> Self {
        Self {
            make,
            deliverer: None,
        }
    }

    /// Ends what the deliverer has open toward a host.
    pub(super) fn finish_host(&mut self) {
        if let Some(deliverer) = &mut self.deliverer {
            let finished = panic::catch_unwind(AssertUnwindSafe(|| deliverer.finished_host()));
            if finished.is_err() {
                self.deliverer = None;
            }
        }
    }

    /// Delivers, or says what the deliverer panicked with.
    fn deliver(&mut self, message: &mut Message<'_>) -> Result<Vec<Outcome>, String> {
        let make = self.make;
        let delivered = panic::catch_unwind(AssertUnwindSafe(|| {
            let deliverer = self.deliverer.get_or_insert_with(make);
            deliverer.deliver(message)
        }));
        delivered.map_err(|payload| {
            self.deliverer = None;
            words(payload.as_ref())
        })
    }
}

/// What a panic said.
fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("(no words)").to_owned()
}

/// What a deliverer said beside the outcomes.
struct Remarks {
    dialect: Dialect,
    retry_in: Option<u32>,
    /// The host by which the queue sorts the message, or empty.
    host: String,
}

impl Workplace<'_> {
    /// Works on one message and says what became of it, even if a fault of ours in building a
    /// notice or in settling makes it panic: a thread that ended without a word would keep the
    /// message for as long as its program lives.
    pub(super) fn work(&self, work: &Work, slot: &mut Slot<'_>) -> Settlement {
        let attempt = AssertUnwindSafe(|| self.attempt(work, slot));
        panic::catch_unwind(attempt).unwrap_or_else(|payload| {
            slot.deliverer = None;
            self.tell_panic(&work.place.to_string(), &words(payload.as_ref()));
            Settlement::Died
        })
    }

    fn tell_panic(&self, name: &str, words: &str) {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("?");
        self.debug
            .trouble(&format!("{name}: panic in thread {thread}: {words}"));
    }

    fn attempt(&self, work: &Work, slot: &mut Slot<'_>) -> Settlement {
        let dequeued = match self.queue.take(self.channel.name(), &work.place) {
            Ok(dequeued) => dequeued,
            Err(error) => return self.not_taken(&work.place, &error),
        };
        if let Some(left) = self.left(&dequeued) {
            dequeued.keep();
            return left;
        }
        if dequeued.envelope().recipients.len() > 1
            && let Err(error) = dequeued.reserve()
        {
            let channel = self.channel.name();
            let text = format!("{channel}/{}: not tried: {}", work.place, full(&error));
            self.debug.trouble(&text);
            dequeued.keep();
            return Settlement::Kept;
        }
        let (outcomes, remarks) = self.deliver(work, &dequeued, slot);
        let now = mta_log::time::now();
        let envelope = dequeued.envelope();
        let due = due(envelope, &outcomes, Kind::Failed, self.policy);
        let about = About {
            channel: self.channel,
            policy: self.policy,
            message: &dequeued,
            outcomes: &outcomes,
            now,
        };
        let sent = send_all(self.notices, &about, &due, self.debug);
        let outcomes = sent.settle(outcomes);
        self.settle(dequeued, &remarks, &outcomes, &sent.reported, now)
    }

    /// What DEQUEUE_ACCESS wants done with the message instead of trying it.
    fn left(&self, dequeued: &Dequeued) -> Option<Settlement> {
        let place = dequeued.place();
        let now = u64::try_from(mta_log::time::now().as_second()).unwrap_or(0);
        let retries = place.file.attempts();
        let path = self.path_of(place);
        let decision = self
            .gate?
            .decide(self.channel, &path, dequeued.envelope(), retries, now);
        let DequeueDecision::Leave { seconds } = decision else {
            return None;
        };
        self.debug
            .line(|| format!("{place}: DEQUEUE_ACCESS leaves it"));
        Some(Settlement::Deferred {
            place: place.clone(),
            retry_in: seconds,
        })
    }

    fn path_of(&self, place: &Place) -> PathBuf {
        let directory = self.queue.path().join(self.channel.name().as_str());
        directory.join(place.to_string())
    }

    fn not_taken(&self, place: &Place, error: &TakeError) -> Settlement {
        let channel = self.channel.name();
        match error {
            TakeError::Gone => Settlement::Gone,
            TakeError::Busy => Settlement::Busy,
            TakeError::SetAside { place: held, fault } => {
                self.debug.trouble(&format!(
                    "{channel}/{place}: not a message that can be delivered, set aside as \
                     {held}: {fault}"
                ));
                Settlement::Held {
                    place: held.clone(),
                }
            }
            TakeError::Damaged { .. } | TakeError::Io { .. } => {
                self.debug
                    .trouble(&format!("{channel}/{place}: {}", full(error)));
                Settlement::Kept
            }
        }
    }

    fn deliver(
        &self,
        work: &Work,
        stored: &StoredMessage,
        slot: &mut Slot<'_>,
    ) -> (Vec<Outcome>, Remarks) {
        let envelope = stored.envelope();
        let name = work.place.to_string();
        self.debug.line(|| opening(&name, envelope, &work.host));
        let mut content = Octets(stored);
        let mut message = Message::new(envelope, &mut content, &name, &work.host, self.debug)
            .after_deaths(work.deaths)
            .for_the_first_time(work.first);
        let recipients = envelope.recipients.len();
        let outcomes = match slot.deliver(&mut message) {
            Ok(outcomes) => complete(outcomes, recipients),
            Err(words) => {
                self.tell_panic(&name, &words);
                let status = Status::new(4, 3, 0);
                let report = Report::local(status, "internal error in the channel program");
                all_deferred(recipients, &report)
            }
        };
        let (dialect, retry_in) = message.into_remarks();
        for (recipient, outcome) in envelope.recipients.iter().zip(&outcomes) {
            self.debug
                .line(|| format!("{name}: {}: {}", recipient.address, told(outcome)));
        }
        let remarks = Remarks {
            dialect,
            retry_in: retry_in.map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX)),
            host: work.host.clone(),
        };
        (outcomes, remarks)
    }

    fn settle(
        &self,
        dequeued: Dequeued,
        remarks: &Remarks,
        outcomes: &[Outcome],
        reported: &[bool],
        now: Timestamp,
    ) -> Settlement {
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let disposition = Disposition::of(dequeued.envelope(), outcomes, seconds);
        let deferred = match disposition {
            Disposition::Split(..) => Action::Requeued,
            Disposition::Remove | Disposition::Defer(_) => Action::Deferred,
        };
        let place = dequeued.place().clone();
        let path = self.path_of(&place);
        let subject = Subject {
            envelope: dequeued.envelope(),
            path: &path,
            dialect: &remarks.dialect,
        };
        self.records
            .write(now, subject, &events(outcomes, reported, deferred));
        let settled = match disposition {
            Disposition::Remove => {
                if let Some(gate) = self.gate {
                    gate.save(self.channel, &path, self.debug);
                }
                dequeued.remove().map(|()| Settlement::Removed)
            }
            Disposition::Defer(attempts) => dequeued.defer(&attempts).map(|place| {
                let retry_in = remarks.retry_in;
                Settlement::Deferred { place, retry_in }
            }),
            Disposition::Split(remaining, attempts) => dequeued
                .split(&remaining, &attempts)
                .map(|placed| self.split(&placed, &remarks.host, now)),
        };
        settled.unwrap_or_else(|error| self.not_settled(&place, &error))
    }

    fn split(&self, placed: &Placed, host: &str, now: Timestamp) -> Settlement {
        let subject = Subject {
            envelope: &placed.envelope,
            path: &placed.path,
            dialect: &Dialect::default(),
        };
        self.records.write_enqueued(now, subject);
        let recipients = placed.envelope.recipients.len();
        Settlement::Split {
            entry: Entry {
                channel: placed.channel.clone(),
                place: placed.place.clone(),
                priority: placed.envelope.priority,
                host: host.to_owned(),
                size: placed.size,
                recipients: u32::try_from(recipients).unwrap_or(u32::MAX),
                arrived: placed.envelope.arrived,
                not_before: None,
            },
        }
    }

    /// Our own disk fails us: the message is still there, under the name that the error tells.
    fn not_settled(&self, before: &Place, error: &SettleError) -> Settlement {
        self.debug.trouble(&full(error));
        if error.place == *before {
            Settlement::Kept
        } else {
            Settlement::Deferred {
                place: error.place.clone(),
                retry_in: None,
            }
        }
    }
}

/// A message file's octets as a deliverer reads them.
struct Octets<'a>(&'a StoredMessage);

impl Content for Octets<'_> {
    fn header(&mut self) -> io::Result<Vec<u8>> {
        self.0.header()
    }

    fn body(&mut self) -> io::Result<Box<dyn BufRead + '_>> {
        Ok(Box::new(BufReader::with_capacity(
            32 * 1024,
            self.0.body()?,
        )))
    }
}

/// The first debugging line about a message.
fn opening(name: &str, envelope: &Envelope, host: &str) -> String {
    let towards = if host.is_empty() {
        String::new()
    } else {
        format!(" for {host}")
    };
    format!(
        "{name}: from <{}>, recipients {}, octets {}{towards}",
        envelope.sender_text(),
        envelope.recipients.len(),
        envelope.size
    )
}

/// An outcome for the debugging log.
fn told(outcome: &Outcome) -> String {
    let (word, report) = match outcome {
        Outcome::Delivered(report) => ("delivered", report),
        Outcome::Relayed { report, .. } => ("relayed", report),
        Outcome::Requeued => return "requeued".to_owned(),
        Outcome::Deferred(report) => ("deferred", report),
        Outcome::Failed(report) => ("failed", report),
    };
    let mut text = format!("{word}, {} {}", report.status, report.reason);
    text.truncate(text.trim_end().len());
    if let Some(diagnostic) = &report.diagnostic {
        text.push_str(": ");
        text.push_str(diagnostic);
    }
    text
}

/// An error with its causes.
pub(super) fn full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
