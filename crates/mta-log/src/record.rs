//! What a line of `mail.log_current` says, before it becomes a line.
//!
//! One [`MessageRecord`] for each recipient and event, one [`ConnectionRecord`] for each
//! connection's opening, close or refusal. Fields are texts as they came; the layout escapes
//! them and decides, by the `log_*` options, which of them appear.

use jiff::Timestamp;
use mta_envelope::envelope::{Notify, Priority};
use mta_envelope::names::ChannelName;
use std::net::SocketAddr;

/// What happened to one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `B`: the SMTP server got a command it does not know.
    BadCommand,
    /// `D`: dequeued, done.
    Dequeued,
    /// `E`: enqueued.
    Enqueued,
    /// `J`: an enqueue was attempted and refused.
    Rejected,
    /// `K`: failed, and no notice was made.
    Killed,
    /// `Q`: temporary failure, still queued.
    Deferred,
    /// `R`: failed for good, with a notice.
    Returned,
    /// `V`: a transaction ended abnormally; one for each recipient accepted so far.
    Aborted,
    /// `W`: a delay warning went to the sender.
    Warned,
    /// `Z`: failed for now while others went through; moved to a new file.
    Requeued,
    /// `H`: held.
    Held,
}

impl Action {
    /// The letter of the record.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::BadCommand => 'B',
            Self::Dequeued => 'D',
            Self::Enqueued => 'E',
            Self::Rejected => 'J',
            Self::Killed => 'K',
            Self::Deferred => 'Q',
            Self::Returned => 'R',
            Self::Aborted => 'V',
            Self::Warned => 'W',
            Self::Requeued => 'Z',
            Self::Held => 'H',
        }
    }
}

/// The letters behind the action: which dialect carried the message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Modifiers {
    /// `E`: EHLO was used.
    pub esmtp: bool,
    /// `L`: LMTP; takes the place of `E`.
    pub lmtp: bool,
    /// `C`: BDAT was used.
    pub chunking: bool,
    /// `S`: over TLS.
    pub tls: bool,
    /// `A`: after a successful AUTH.
    pub auth: bool,
}

impl Modifiers {
    /// Appends the letters in their order.
    pub fn push(self, line: &mut String) {
        if self.lmtp {
            line.push('L');
        } else if self.esmtp {
            line.push('E');
        }
        for (set, letter) in [(self.chunking, 'C'), (self.tls, 'S'), (self.auth, 'A')] {
            if set {
                line.push(letter);
            }
        }
    }
}

/// One recipient, one event.
#[derive(Debug, Clone)]
pub struct MessageRecord<'a> {
    /// When.
    pub time: Timestamp,
    /// The thread or session number of `log_process`, if the program has several.
    pub thread: Option<u32>,
    /// Where it came from; of a dequeue the channel dequeued from.
    pub source: &'a ChannelName,
    /// Where it goes; `None` for everything but an enqueue.
    pub destination: Option<&'a ChannelName>,
    /// What happened.
    pub action: Action,
    /// By which dialect.
    pub modifiers: Modifiers,
    /// Size in MTA blocks.
    pub blocks: u64,
    /// Envelope From; empty for the null sender.
    pub sender: &'a str,
    /// The original recipient with its type: `rfc822;user@host`.
    pub original: &'a str,
    /// The recipient as it stands now.
    pub current: &'a str,
    /// The recipient's NOTIFY flags, and whether the client gave an original recipient.
    pub notify: Option<(Notify, bool)>,
    /// Path of the queue file.
    pub file: Option<&'a str>,
    /// Envelope id.
    pub envelope_id: &'a str,
    /// Message-id, with its brackets.
    pub message_id: Option<&'a str>,
    /// The user who enqueued it.
    pub user: &'a str,
    /// `helo (rdns [ip])`; empty if it was made here.
    pub source_system: &'a str,
    /// Processing priority.
    pub priority: Priority,
    /// Why it was rejected (`R`, `K`).
    pub reason: Option<&'a str>,
    /// Diagnostic, SMTP status or temporary error.
    pub diagnostic: Option<&'a str>,
    /// The remote system, as `host dns;host (TCP|…) (banner)`.
    pub remote: Option<&'a str>,
    /// `TCP|local-ip|local-port|remote-ip|remote-port`.
    pub transport: Option<&'a str>,
    /// `SMTP/name`.
    pub application: Option<&'a str>,
    /// Seconds in the queue.
    pub queue_time: Option<u64>,
}

impl<'a> MessageRecord<'a> {
    /// A record of `action` with everything optional left out.
    #[must_use]
    pub const fn new(time: Timestamp, source: &'a ChannelName, action: Action) -> Self {
        Self {
            time,
            thread: None,
            source,
            destination: None,
            action,
            modifiers: Modifiers {
                esmtp: false,
                lmtp: false,
                chunking: false,
                tls: false,
                auth: false,
            },
            blocks: 0,
            sender: "",
            original: "",
            current: "",
            notify: None,
            file: None,
            envelope_id: "",
            message_id: None,
            user: "",
            source_system: "",
            priority: Priority::Normal,
            reason: None,
            diagnostic: None,
            remote: None,
            transport: None,
            application: None,
            queue_time: None,
        }
    }
}

/// What happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionAction {
    /// `O`: opened.
    Opened,
    /// `C`: closed.
    Closed,
    /// `X`: refused by us.
    Refused,
    /// `Y`: could not be established.
    Failed,
    /// `I`: ETRN.
    Etrn,
    /// `U`: AUTH, in success or failure.
    Authentication,
    /// `T`: refused by an entry of PORT_ACCESS that asks for this record.
    PortRefused,
}

impl ConnectionAction {
    /// The letter of the record.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Opened => 'O',
            Self::Closed => 'C',
            Self::Refused => 'X',
            Self::Failed => 'Y',
            Self::Etrn => 'I',
            Self::Authentication => 'U',
            Self::PortRefused => 'T',
        }
    }
}

/// Which side opened the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `+`: to our server.
    Inbound,
    /// `-`: by our client.
    Outbound,
}

/// One event of one connection.
#[derive(Debug, Clone)]
pub struct ConnectionRecord<'a> {
    /// When.
    pub time: Timestamp,
    /// The thread or session number of `log_process`, if the program has several.
    pub thread: Option<u32>,
    /// The channel that serves it.
    pub channel: &'a ChannelName,
    /// Who called whom.
    pub direction: Direction,
    /// What happened.
    pub action: ConnectionAction,
    /// The session's letters; shown on `C` only.
    pub modifiers: Modifiers,
    /// Our end.
    pub local: Option<SocketAddr>,
    /// Their end.
    pub remote: Option<SocketAddr>,
    /// `SMTP` until a name is known, then `SMTP/claimed-name`.
    pub application: &'a str,
    /// User name, if one was given.
    pub user: Option<&'a str>,
    /// Reply, reason or error.
    pub diagnostic: Option<&'a str>,
}

/// A line to be.
#[derive(Debug, Clone)]
pub enum Record<'a> {
    /// About a recipient of a message.
    Message(MessageRecord<'a>),
    /// About a connection.
    Connection(ConnectionRecord<'a>),
}

/// `TCP|local-ip|local-port|remote-ip|remote-port`; mapped IPv4 addresses appear as IPv4.
#[must_use]
pub fn transport(local: Option<SocketAddr>, remote: Option<SocketAddr>) -> String {
    let ip = |end: Option<SocketAddr>| {
        end.map_or_else(String::new, |end| end.ip().to_canonical().to_string())
    };
    let port = |end: Option<SocketAddr>| end.map_or(0, |end| end.port());
    format!(
        "TCP|{}|{}|{}|{}",
        ip(local),
        port(local),
        ip(remote),
        port(remote)
    )
}
