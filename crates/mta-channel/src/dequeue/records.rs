//! The records that a dequeue leaves in the log: `D`, `Q`, `Z`, `R`, `K`, `W`, and the `E` of a
//! file that was written for the rest.

use std::path::Path;

use jiff::Timestamp;
use mta_config::channel::{Channel, ChannelOption};
use mta_envelope::envelope::{Envelope, Recipient};
use mta_envelope::names::ChannelName;
use mta_envelope::status::{Outcome, Report};
use mta_log::record::{Action, MessageRecord, Record};
use mta_log::writer::Writer;

use super::debug::DebugLog;
use super::deliverer::Dialect;
use super::settle::report;

/// Writes the records about mail of one channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Records<'a> {
    /// The transaction log.
    pub(crate) writer: &'a Writer,
    /// The channel dequeued from.
    pub(crate) channel: &'a Channel,
    /// Where trouble with the log itself is told.
    pub(crate) debug: &'a DebugLog,
    /// Octets in a block.
    pub(crate) block_size: u64,
    /// The thread for `log_process`.
    pub(crate) thread: Option<u32>,
}

/// One message file as the records show it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// What stands on its outside.
    pub(crate) envelope: &'a Envelope,
    /// The file.
    pub(crate) path: &'a Path,
    /// How it was carried.
    pub(crate) dialect: &'a Dialect,
}

/// What one recipient's record says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a> {
    /// Which recipient, as an index into the envelope.
    pub(crate) recipient: usize,
    /// What happened.
    pub(crate) action: Action,
    /// What is known about it.
    pub(crate) report: Option<&'a Report>,
}

impl Records<'_> {
    /// Writes one record for each event. A log that cannot be written must not stop mail; the
    /// program's own log tells.
    pub(crate) fn write(&self, now: Timestamp, subject: Subject<'_>, events: &[Event<'_>]) {
        self.write_as(now, subject, None, events);
    }

    /// Writes the `E` records of a file that was put into the channel's own queue.
    pub(crate) fn write_enqueued(&self, now: Timestamp, subject: Subject<'_>) {
        let events: Vec<Event<'_>> = (0..subject.envelope.recipients.len())
            .map(|recipient| Event {
                recipient,
                action: Action::Enqueued,
                report: None,
            })
            .collect();
        self.write_as(now, subject, Some(self.channel.name()), &events);
    }

    fn write_as(
        &self,
        now: Timestamp,
        subject: Subject<'_>,
        destination: Option<&ChannelName>,
        events: &[Event<'_>],
    ) {
        if !self.channel.is(ChannelOption::Logging) || events.is_empty() {
            return;
        }
        let file = subject.path.to_string_lossy();
        let texts: Vec<Option<Texts>> = events
            .iter()
            .map(|event| {
                Some(Texts::of(
                    subject.envelope.recipients.get(event.recipient)?,
                    event,
                ))
            })
            .collect();
        let records: Vec<Record<'_>> = events
            .iter()
            .zip(&texts)
            .filter_map(|(event, texts)| {
                let texts = texts.as_ref()?;
                let mut record = self.record(now, subject, event, texts)?;
                record.file = Some(&file);
                record.destination = destination;
                Some(Record::Message(record))
            })
            .collect();
        if let Err(error) = self.writer.write_all(&records) {
            self.debug.trouble(&format!("{error}"));
        }
    }

    fn record<'r>(
        &'r self,
        now: Timestamp,
        subject: Subject<'r>,
        event: &Event<'r>,
        texts: &'r Texts,
    ) -> Option<MessageRecord<'r>> {
        let envelope = subject.envelope;
        let recipient = envelope.recipients.get(event.recipient)?;
        let mut record = MessageRecord::new(now, self.channel.name(), event.action);
        record.thread = self.thread;
        record.modifiers = subject.dialect.modifiers;
        record.blocks = match event.action {
            Action::Deferred if !subject.dialect.data_sent => 0,
            _ => envelope.blocks(self.block_size),
        };
        record.sender = envelope.sender_text();
        record.original = &texts.original;
        record.current = recipient.address.as_str();
        record.notify = Some((recipient.notify, recipient.original.is_some()));
        record.envelope_id = &envelope.id;
        record.message_id = envelope.message_id.as_deref();
        record.user = &envelope.user;
        record.source_system = &envelope.source_system;
        record.priority = envelope.priority;
        record.reason = event.report.map(|report| report.reason.as_str());
        record.diagnostic = texts.diagnostic.as_deref();
        record.remote = texts.remote.as_deref();
        record.transport = subject.dialect.transport.as_deref();
        record.application = subject.dialect.application.as_deref();
        let arrived = i64::try_from(envelope.arrived).unwrap_or(i64::MAX);
        record.queue_time = u64::try_from(now.as_second().saturating_sub(arrived)).ok();
        Some(record)
    }
}

/// Fields that have to be put together.
struct Texts {
    original: String,
    diagnostic: Option<String>,
    remote: Option<String>,
}

impl Texts {
    fn of(recipient: &Recipient, event: &Event<'_>) -> Self {
        Self {
            original: recipient.original_text(),
            diagnostic: event
                .report
                .and_then(|report| diagnostic(event.action, report)),
            remote: event.report.and_then(remote),
        }
    }
}

/// The remote's words; without a remote the reason, where something went wrong.
fn diagnostic(action: Action, report: &Report) -> Option<String> {
    match (&report.diagnostic, action) {
        (Some(text), _) => Some(text.clone()),
        (None, Action::Dequeued | Action::Enqueued) => None,
        (None, _) => Some(report.reason.clone()).filter(|reason| !reason.is_empty()),
    }
}

/// `host dns;host (TCP|…) (banner)`.
fn remote(report: &Report) -> Option<String> {
    let remote = report.remote.as_deref()?;
    let host = remote
        .strip_prefix("dns;")
        .and_then(|rest| rest.split(' ').next());
    Some(match host {
        Some(host) => format!("{host} {remote}"),
        None => remote.to_owned(),
    })
}

/// The action of a recipient that will not be tried again; `None` for one that will.
pub(super) const fn final_action(outcome: &Outcome, reported: bool) -> Option<Action> {
    match outcome {
        Outcome::Delivered(_) | Outcome::Relayed { .. } | Outcome::Requeued => {
            Some(Action::Dequeued)
        }
        Outcome::Failed(_) if reported => Some(Action::Returned),
        Outcome::Failed(_) => Some(Action::Killed),
        Outcome::Deferred(_) => None,
    }
}

/// The events of all recipients: `deferred` is what a deferral is called.
pub(super) fn events<'a>(
    outcomes: &'a [Outcome],
    reported: &[bool],
    deferred: Action,
) -> Vec<Event<'a>> {
    outcomes
        .iter()
        .enumerate()
        .map(|(recipient, outcome)| {
            let reported = reported.get(recipient).copied().unwrap_or(false);
            Event {
                recipient,
                action: final_action(outcome, reported).unwrap_or(deferred),
                report: report(outcome),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_envelope::status::Status;

    #[test]
    fn diagnostics_are_the_remotes_words_or_the_reason() {
        let mut report = Report::local(Status::UNKNOWN_USER, "no such user");
        assert_eq!(diagnostic(Action::Dequeued, &report), None);
        assert_eq!(
            diagnostic(Action::Returned, &report).as_deref(),
            Some("no such user")
        );
        report.diagnostic = Some("smtp;550 5.1.1 who?".into());
        assert_eq!(
            diagnostic(Action::Dequeued, &report).as_deref(),
            Some("smtp;550 5.1.1 who?")
        );
    }

    #[test]
    fn a_remote_shows_its_host_in_front() {
        let mut report = Report::local(Status::OK, "");
        assert_eq!(remote(&report), None);
        report.remote = Some("dns;mx.example.net (TCP|1|2|3|25) (ready)".into());
        assert_eq!(
            remote(&report).as_deref(),
            Some("mx.example.net dns;mx.example.net (TCP|1|2|3|25) (ready)")
        );
    }

    #[test]
    fn actions_by_outcome_and_notice() {
        let report = Report::local(Status::OK, "");
        let outcomes = [
            Outcome::Delivered(report.clone()),
            Outcome::Requeued,
            Outcome::Failed(report.clone()),
            Outcome::Failed(report.clone()),
            Outcome::Deferred(report),
        ];
        let reported = [false, false, true, false, false];
        let letters: String = events(&outcomes, &reported, Action::Requeued)
            .iter()
            .map(|event| event.action.letter())
            .collect();
        assert_eq!(letters, "DDRKZ");
    }
}
