//! Sending the notices that are due, and what it means for the original if one cannot be sent.

use jiff::Timestamp;
use mta_config::channel::Channel;
use mta_envelope::status::{Outcome, Report, Status};
use mta_message::template::Kind;
use mta_queue::message::Message;

use super::debug::DebugLog;
use crate::enqueue::Refusal;
use crate::notify::{Notice, Policy, instead_of};

/// What a notice is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The channel whose queue the message is in.
    pub channel: &'a Channel,
    /// What its options say about notices.
    pub policy: &'a Policy,
    /// The message.
    pub message: &'a Message,
    /// One for each recipient.
    pub outcomes: &'a [Outcome],
    /// When this happened.
    pub now: Timestamp,
}

/// Puts a notice into a queue, durably.
pub trait NoticeSender: Sync {
    /// Builds `notice` and enqueues it.
    ///
    /// # Errors
    /// The refusal of its addressee or of the whole notice.
    fn send(&self, about: &About<'_>, notice: &Notice) -> Result<(), Refusal>;
}

/// What became of the notices of one attempt, by recipient.
#[derive(Debug)]
pub(crate) struct Sent {
    /// A notice about it is in a queue.
    pub(crate) reported: Vec<bool>,
    /// A notice about its failure was due and could not be enqueued for now.
    unsent: Vec<Option<Refusal>>,
}

impl Sent {
    /// The outcomes, with those failures deferred of which nobody could be told yet: the
    /// original stays until its notice is safe.
    pub(crate) fn settle(&self, outcomes: Vec<Outcome>) -> Vec<Outcome> {
        let unsent = self.unsent.iter().zip(&self.reported);
        outcomes
            .into_iter()
            .zip(unsent)
            .map(|(outcome, (unsent, reported))| match (outcome, unsent) {
                (Outcome::Failed(report), Some(refusal)) if !reported => {
                    Outcome::Deferred(Report {
                        status: Status::new(4, 3, 0),
                        reason: format!("notice cannot be enqueued ({refusal}); {}", report.reason),
                        ..report
                    })
                }
                (outcome, _) => outcome,
            })
            .collect()
    }

    /// Whether a failure's notice is still to be sent.
    pub(crate) fn is_incomplete(&self) -> bool {
        let unsent = self.unsent.iter().zip(&self.reported);
        unsent
            .filter(|(unsent, reported)| unsent.is_some() && !**reported)
            .count()
            > 0
    }
}

/// Sends what is due, to the sender first.
pub(crate) fn send_all(
    sender: &dyn NoticeSender,
    about: &About<'_>,
    due: &[Notice],
    debug: &DebugLog,
) -> Sent {
    let recipients = about.message.envelope().recipients.len();
    let mut sent = Sent {
        reported: vec![false; recipients],
        unsent: vec![None; recipients],
    };
    for notice in due {
        let mut result = sender.send(about, notice);
        if let Err(refusal) = &result
            && !refusal.is_temporary()
            && let Some(instead) = instead_of(notice, about.policy)
        {
            debug.trouble(&told(notice, refusal));
            result = sender.send(about, &instead);
        }
        if let Err(refusal) = &result {
            debug.trouble(&told(notice, refusal));
        }
        for index in &notice.recipients {
            match &result {
                Ok(()) => sent.reported[*index] = true,
                Err(refusal) if refusal.is_temporary() && must_be_told(notice.kind) => {
                    sent.unsent[*index] = Some(refusal.clone());
                }
                Err(_) => {}
            }
        }
    }
    sent
}

/// A recipient that failed stays in the queue until its notice is safe. One that was delivered
/// cannot wait: it would be delivered again.
const fn must_be_told(kind: Kind) -> bool {
    match kind {
        Kind::Failed | Kind::Bounced | Kind::TimedOut => true,
        Kind::Delayed | Kind::Deferred | Kind::Delivered | Kind::Forwarded => false,
    }
}

fn told(notice: &Notice, refusal: &Refusal) -> String {
    format!(
        "cannot enqueue the notice \"{}\" to the {:?}: {refusal}",
        notice.kind.word(),
        notice.to
    )
}
