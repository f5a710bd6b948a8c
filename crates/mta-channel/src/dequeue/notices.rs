//! Sending the notices that are due, and what it means for the original if one cannot be sent.

use jiff::Timestamp;
use mta_config::channel::Channel;
use mta_envelope::status::{Outcome, Report, Status};
use mta_queue::message::Message;

use super::debug::DebugLog;
use crate::enqueue::Refusal;
use crate::notify::{Addressee, Notice, Policy, Portion, instead_of};

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
    /// The sender, or somebody in his place, has to be told of it and could not be for now.
    unsent: Vec<Option<Refusal>>,
}

impl Sent {
    /// The outcomes, with those failures deferred of which the sender could not be told yet: the
    /// original stays until its notice is safe. One that was delivered cannot wait, since it
    /// would be delivered again.
    pub(crate) fn settle(&self, outcomes: Vec<Outcome>) -> Vec<Outcome> {
        outcomes
            .into_iter()
            .zip(&self.unsent)
            .map(|(outcome, unsent)| match (outcome, unsent) {
                (Outcome::Failed(report), Some(refusal)) => Outcome::Deferred(Report {
                    status: Status::new(4, 3, 0),
                    reason: format!("notice cannot be enqueued ({refusal}); {}", report.reason),
                    ..report
                }),
                (outcome, _) => outcome,
            })
            .collect()
    }

    /// Whether a notice is still to be sent.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.unsent.iter().any(Option::is_some)
    }

    /// The postmaster's copy follows when the sender has been told: copies that were sent at
    /// each attempt to tell him would be many.
    fn has_to_wait(&self, notice: &Notice) -> Option<Refusal> {
        let mut unsent = notice.recipients.iter().map(|at| &self.unsent[*at]);
        let copy = notice.to == Addressee::Postmaster;
        unsent.find_map(Clone::clone).filter(|_| copy)
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
        let result = match sent.has_to_wait(notice) {
            Some(refusal) => Err(refusal),
            None => send(sender, about, notice, debug),
        };
        for index in &notice.recipients {
            match &result {
                Ok(()) => sent.reported[*index] = true,
                // Who has been told already is not told again for the sake of a copy.
                Err(refusal) if refusal.is_temporary() && !sent.reported[*index] => {
                    sent.unsent[*index] = Some(refusal.clone());
                }
                Err(_) => {}
            }
        }
    }
    sent
}

/// Sends one notice; less of it if it is too large, and to somebody else if its addressee is
/// refused for good.
fn send(
    sender: &dyn NoticeSender,
    about: &About<'_>,
    notice: &Notice,
    debug: &DebugLog,
) -> Result<(), Refusal> {
    let permanent = |result: &Result<(), Refusal>| {
        let refusal = result.as_ref().err();
        refusal.filter(|refusal| !refusal.is_temporary()).cloned()
    };
    let shorter = Notice {
        portion: Portion::Header,
        ..notice.clone()
    };
    let mut notice = notice;
    let mut result = sender.send(about, notice);
    if let Some(refusal) = permanent(&result)
        && refusal.is_about_size()
        && notice.portion != Portion::Header
    {
        debug.line(|| told(notice, &refusal));
        notice = &shorter;
        result = sender.send(about, notice);
    }
    if let Some(refusal) = permanent(&result)
        && let Some(instead) = instead_of(notice, about.policy)
    {
        debug.trouble(&told(notice, &refusal));
        result = sender.send(about, &instead);
    }
    if let Err(refusal) = &result {
        debug.trouble(&told(notice, refusal));
    }
    result
}

fn told(notice: &Notice, refusal: &Refusal) -> String {
    format!(
        "cannot enqueue the notice \"{}\" to the {:?}: {refusal}",
        notice.kind.word(),
        notice.to
    )
}
