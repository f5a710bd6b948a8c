//! What an attempt's outcomes mean for the message file. Pure.

use mta_envelope::envelope::Envelope;
use mta_envelope::status::{Outcome, Report, Status};
use mta_queue::history::Attempt;

/// Makes the answer of a deliverer fit the envelope: one outcome for each recipient. A missing
/// one is a fault of the program, so the recipient is tried again.
pub(super) fn complete(mut outcomes: Vec<Outcome>, recipients: usize) -> Vec<Outcome> {
    outcomes.truncate(recipients);
    outcomes.resize_with(recipients, || {
        let status = Status::new(4, 3, 5);
        Outcome::Deferred(Report::local(status, "channel program gave no answer"))
    });
    outcomes
}

/// The same failure for every recipient.
pub(super) fn all_deferred(recipients: usize, report: &Report) -> Vec<Outcome> {
    vec![Outcome::Deferred(report.clone()); recipients]
}

/// What is known about an outcome.
pub(super) const fn report(outcome: &Outcome) -> Option<&Report> {
    match outcome {
        Outcome::Delivered(report)
        | Outcome::Relayed { report, .. }
        | Outcome::Deferred(report)
        | Outcome::Failed(report) => Some(report),
        Outcome::Requeued => None,
    }
}

/// What becomes of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Disposition {
    /// It goes.
    Remove,
    /// It stays for all recipients.
    Defer(Vec<Attempt>),
    /// It stays for the recipients with these indices.
    Split(Vec<usize>, Vec<Attempt>),
}

impl Disposition {
    /// Decides by the outcomes; `now` is the time of the attempt, in seconds since 1970.
    pub(super) fn of(envelope: &Envelope, outcomes: &[Outcome], now: u64) -> Self {
        let mut remaining = Vec::new();
        let mut attempts = Vec::new();
        let pairs = envelope.recipients.iter().zip(outcomes).enumerate();
        for (index, (recipient, outcome)) in pairs {
            if let Outcome::Deferred(report) = outcome {
                remaining.push(index);
                attempts.push(Attempt {
                    time: now,
                    recipient: recipient.address.to_string(),
                    status: report.status.to_string(),
                    text: history_text(report),
                });
            }
        }
        if remaining.is_empty() {
            Self::Remove
        } else if remaining.len() == envelope.recipients.len() {
            Self::Defer(attempts)
        } else {
            Self::Split(remaining, attempts)
        }
    }
}

/// Reason and diagnostic in one line, at most 500 characters.
fn history_text(report: &Report) -> String {
    let text = match &report.diagnostic {
        Some(diagnostic) if report.reason.is_empty() => diagnostic.clone(),
        Some(diagnostic) => format!("{}: {diagnostic}", report.reason),
        None => report.reason.clone(),
    };
    text.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_envelope::address::Address;
    use mta_envelope::envelope::{Priority, Recipient};
    use mta_envelope::names::ChannelName;
    use proptest::prelude::*;

    fn envelope(recipients: usize) -> Envelope {
        Envelope {
            id: String::new(),
            sender: None,
            ret: None,
            source_channel: ChannelName::new("tcp_local").unwrap(),
            source_system: String::new(),
            user: String::new(),
            authenticated: None,
            arrived: 0,
            priority: Priority::Normal,
            message_id: None,
            size: 0,
            deferred_until: None,
            recipients: (0..recipients)
                .map(|at| Recipient::new(Address::parse(&format!("r{at}@x")).unwrap()))
                .collect(),
        }
    }

    fn deferred() -> Outcome {
        Outcome::Deferred(Report {
            status: Status::new(4, 4, 1),
            reason: "TCP active open".into(),
            diagnostic: Some("smtp;421 busy".into()),
            remote: None,
        })
    }

    #[test]
    fn files_go_stay_or_shrink() {
        let ok = Outcome::Delivered(Report::local(Status::OK, ""));
        let bad = Outcome::Failed(Report::local(Status::UNKNOWN_USER, "no"));
        let two = envelope(2);
        let gone = Disposition::of(&two, &[ok.clone(), bad], 5);
        assert_eq!(gone, Disposition::Remove);
        let Disposition::Defer(attempts) = Disposition::of(&two, &[deferred(), deferred()], 5)
        else {
            panic!("not deferred");
        };
        assert_eq!(attempts.len(), 2);
        assert_eq!(attempts[1].recipient, "r1@x");
        assert_eq!(attempts[1].status, "4.4.1");
        assert_eq!(attempts[1].text, "TCP active open: smtp;421 busy");
        let split = Disposition::of(&two, &[ok, deferred()], 5);
        assert!(matches!(split, Disposition::Split(rest, attempts)
            if rest == [1] && attempts.len() == 1));
    }

    #[test]
    fn a_missing_answer_is_a_deferral_and_a_surplus_one_is_nothing() {
        let ok = Outcome::Delivered(Report::local(Status::OK, ""));
        let short = complete(vec![ok.clone()], 2);
        assert_eq!(short[0], ok);
        assert!(matches!(short[1], Outcome::Deferred(_)));
        assert_eq!(complete(vec![ok.clone(), ok], 1).len(), 1);
    }

    proptest! {
        #[test]
        fn no_recipient_is_settled_twice_or_forgotten(kinds in prop::collection::vec(0_u8..4, 1..20)) {
            let outcomes: Vec<Outcome> = kinds.iter().map(|kind| match kind {
                0 => Outcome::Delivered(Report::local(Status::OK, "")),
                1 => Outcome::Failed(Report::local(Status::UNKNOWN_USER, "no")),
                2 => Outcome::Requeued,
                _ => deferred(),
            }).collect();
            let envelope = envelope(kinds.len());
            let left = match Disposition::of(&envelope, &outcomes, 1) {
                Disposition::Remove => Vec::new(),
                Disposition::Defer(_) => (0..kinds.len()).collect(),
                Disposition::Split(rest, _) => rest,
            };
            for (index, outcome) in outcomes.iter().enumerate() {
                prop_assert_eq!(left.contains(&index), matches!(outcome, Outcome::Deferred(_)));
            }
        }
    }
}
