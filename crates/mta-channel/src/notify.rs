//! Which recipients deserve which notice, and who gets a copy.
//!
//! Pure: envelope, outcomes and the channel's options in, a list of notices out. Building a
//! notice is the work of `mta_message::dsn`, putting it into a queue that of
//! [`crate::dequeue`]. Notices have a null sender, and mail with a null sender never gets one:
//! so a notice never begets a notice.

use mta_config::channel::{Channel, ChannelOption};
use mta_config::config::Config;
use mta_config::option::MtaOption;
use mta_envelope::address::Address;
use mta_envelope::envelope::{Envelope, Notify, Ret};
use mta_envelope::status::Outcome;
use mta_message::template::Kind;

/// The NOTIFY bit by which a recipient asks for a kind of notice.
const fn bit(kind: Kind) -> u8 {
    match kind {
        Kind::Failed | Kind::Bounced | Kind::TimedOut => Notify::FAILURE,
        Kind::Delayed | Kind::Deferred => Notify::DELAY,
        Kind::Delivered | Kind::Forwarded => Notify::SUCCESS,
    }
}

/// When the postmaster gets a copy (`sendpost` and its kin).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// `sendpost`, `warnpost`.
    Always,
    /// `copysendpost`, `copywarnpost`: unless the message has an empty sender.
    UnlessNull,
    /// `errsendpost`, `errwarnpost`: when the sender cannot be told.
    WhenUntold,
    /// `nosendpost`, `nowarnpost`.
    Never,
}

/// What a channel's options say about notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Copies of failure notices.
    pub failures: Copies,
    /// Copies of warnings.
    pub warnings: Copies,
    /// `postheadonly`: the postmaster's copies hold the header only.
    pub copies_head_only: bool,
    /// Octets above which a notice returns the header only.
    pub return_limit: Option<u64>,
    /// Body lines quoted in a warning.
    pub lines_to_return: usize,
    /// Whether the final address is shown where an original one is known.
    pub include_final: bool,
    /// Whom the notices come from, and who gets the copies.
    pub postmaster: Address,
    /// The postmaster's display name.
    pub personal: String,
}

impl Policy {
    /// The policy for mail in the queue of `channel`.
    #[must_use]
    pub fn of(config: &Config, channel: &Channel) -> Self {
        let failures = copies(
            channel,
            [
                ChannelOption::Sendpost,
                ChannelOption::Copysendpost,
                ChannelOption::Errsendpost,
                ChannelOption::Nosendpost,
            ],
        )
        .unwrap_or(Copies::Never);
        let warnings = copies(
            channel,
            [
                ChannelOption::Warnpost,
                ChannelOption::Copywarnpost,
                ChannelOption::Errwarnpost,
                ChannelOption::Nowarnpost,
            ],
        );
        let personal = channel
            .text(ChannelOption::Returnpersonal)
            .or_else(|| config.mta.text(MtaOption::ReturnPersonal));
        let blocks = config.mta.limit(MtaOption::ContentReturnBlockLimit);
        let lines = config.mta.limit(MtaOption::LinesToReturn).unwrap_or(20);
        Self {
            failures,
            warnings: warnings.unwrap_or(failures),
            copies_head_only: channel.is(ChannelOption::Postheadonly),
            return_limit: blocks.map(|blocks| blocks.saturating_mul(config.block_size())),
            lines_to_return: usize::try_from(lines).unwrap_or(20).min(1000),
            include_final: !channel.is(ChannelOption::Suppressfinal),
            postmaster: config.postmaster_for(channel),
            personal: personal.unwrap_or("Internet Mail Delivery").to_owned(),
        }
    }

    const fn copies_of(&self, kind: Kind) -> Copies {
        match kind {
            Kind::Failed | Kind::Bounced | Kind::TimedOut => self.failures,
            Kind::Delayed | Kind::Deferred => self.warnings,
            Kind::Delivered | Kind::Forwarded => Copies::Never,
        }
    }
}

/// The word of a group that was said; nothing if none was, whatever the group's default.
fn copies(channel: &Channel, words: [ChannelOption; 4]) -> Option<Copies> {
    let meanings = [
        Copies::Always,
        Copies::UnlessNull,
        Copies::WhenUntold,
        Copies::Never,
    ];
    let said = words.iter().position(|word| channel.is_set(*word))?;
    Some(meanings[said])
}

/// Who gets a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Addressee {
    /// The envelope From.
    Sender,
    /// The postmaster.
    Postmaster,
}

/// How much of the message goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Portion {
    /// All of it.
    Whole,
    /// Its header.
    Header,
    /// Its header and the first lines of its body.
    Lines(usize),
}

/// One notice that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it says.
    pub kind: Kind,
    /// Who gets it.
    pub to: Addressee,
    /// Which recipients it is about, as indices into the envelope.
    pub recipients: Vec<usize>,
    /// How much of the message it carries.
    pub portion: Portion,
}

/// The notices that an attempt leaves behind. `failure` is what a failure is called: a refusal,
/// an operator's return, or a time-out.
#[must_use]
pub fn due(
    envelope: &Envelope,
    outcomes: &[Outcome],
    failure: Kind,
    policy: &Policy,
) -> Vec<Notice> {
    let of = |wanted: fn(&Outcome) -> bool| -> Vec<usize> {
        let pairs = envelope.recipients.iter().zip(outcomes).enumerate();
        pairs
            .filter(|(_, (_, outcome))| wanted(outcome))
            .map(|(index, _)| index)
            .collect()
    };
    let failed = of(|outcome| matches!(outcome, Outcome::Failed(_)));
    let delivered = of(|outcome| matches!(outcome, Outcome::Delivered(_)));
    let relayed = of(|outcome| matches!(outcome, Outcome::Relayed { dsn: false, .. }));
    let mut notices = about(envelope, &failed, failure, policy);
    notices.extend(about(envelope, &delivered, Kind::Delivered, policy));
    notices.extend(about(envelope, &relayed, Kind::Forwarded, policy));
    notices
}

/// The warnings about a message that none of its recipients has yet.
#[must_use]
pub fn warnings(envelope: &Envelope, policy: &Policy) -> Vec<Notice> {
    let all: Vec<usize> = (0..envelope.recipients.len()).collect();
    about(envelope, &all, Kind::Delayed, policy)
}

/// The notice that takes the place of one which the sender's system refuses for good.
#[must_use]
pub fn instead_of(notice: &Notice, policy: &Policy) -> Option<Notice> {
    let untold =
        notice.to == Addressee::Sender && policy.copies_of(notice.kind) == Copies::WhenUntold;
    untold.then(|| Notice {
        to: Addressee::Postmaster,
        ..notice.clone()
    })
}

fn about(envelope: &Envelope, affected: &[usize], kind: Kind, policy: &Policy) -> Vec<Notice> {
    if affected.is_empty() {
        return Vec::new();
    }
    let known_sender = envelope.sender.is_some();
    let wanted: Vec<usize> = affected
        .iter()
        .copied()
        .filter(|index| {
            let notify = envelope.recipients[*index].notify;
            !notify.has(Notify::NEVER) && notify.has(bit(kind))
        })
        .collect();
    let mut notices = Vec::new();
    if known_sender && !wanted.is_empty() {
        notices.push(Notice {
            kind,
            to: Addressee::Sender,
            recipients: wanted.clone(),
            portion: portion(envelope, kind, Addressee::Sender, policy),
        });
    }
    let copied = match (policy.copies_of(kind), known_sender) {
        (Copies::Always, _) => affected.to_vec(),
        (Copies::UnlessNull, true) | (Copies::WhenUntold, false) => wanted,
        (Copies::UnlessNull, false) | (Copies::WhenUntold, true) | (Copies::Never, _) => {
            // An operator's return has to reach somebody.
            if kind == Kind::Bounced && !known_sender {
                affected.to_vec()
            } else {
                Vec::new()
            }
        }
    };
    if !copied.is_empty() && !goes_to_itself(envelope, policy) {
        notices.push(Notice {
            kind,
            to: Addressee::Postmaster,
            recipients: copied,
            portion: portion(envelope, kind, Addressee::Postmaster, policy),
        });
    }
    notices
}

/// A notice about a failed notice to the postmaster must not be sent to the postmaster.
fn goes_to_itself(envelope: &Envelope, policy: &Policy) -> bool {
    envelope.sender.is_none()
        && envelope
            .recipients
            .iter()
            .any(|recipient| recipient.address.same_mailbox(&policy.postmaster))
}

fn portion(envelope: &Envelope, kind: Kind, to: Addressee, policy: &Policy) -> Portion {
    let too_large = policy
        .return_limit
        .is_some_and(|limit| envelope.size > limit);
    match (kind, to) {
        (Kind::Delivered | Kind::Forwarded, _) => Portion::Header,
        (_, Addressee::Postmaster) if policy.copies_head_only || too_large => Portion::Header,
        (_, Addressee::Sender) if envelope.ret == Some(Ret::Headers) || too_large => {
            Portion::Header
        }
        (Kind::Delayed | Kind::Deferred, _) => Portion::Lines(policy.lines_to_return),
        (Kind::Failed | Kind::Bounced | Kind::TimedOut, _) => Portion::Whole,
    }
}

#[cfg(test)]
mod tests;
