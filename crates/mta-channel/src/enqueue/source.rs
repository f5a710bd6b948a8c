//! Where a message comes from, and what its client asked for.

use mta_envelope::domain::to_literal;
use mta_envelope::envelope::{Notify, Ret};
use mta_envelope::names::ChannelName;
use mta_log::layout::protocol_word;
use mta_log::record::Modifiers;
use std::net::SocketAddr;

/// What reverse DNS said about a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ReverseName {
    /// It was not asked.
    #[default]
    NotAsked,
    /// It knows no name.
    Unknown,
    /// A name.
    Known(String),
}

/// The other end of the connection that brings a message in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Our end.
    pub local: SocketAddr,
    /// Their end.
    pub remote: SocketAddr,
    /// What it calls itself (HELO, EHLO).
    pub helo: Option<String>,
    /// What reverse DNS calls it.
    pub name: ReverseName,
    /// Whether its address appears in `Received:` (not with `identnonesymbolic`).
    pub show_address: bool,
    /// Whether name and address appear there at all (`CHECK_SOURCE`).
    pub show_comment: bool,
}

impl Peer {
    /// `helo (rdns [ip])`, as in the `Received:` line, the queue file and the log.
    #[must_use]
    pub fn source_system(&self) -> String {
        let address = to_literal(self.remote.ip());
        let comment = match (&self.name, self.show_address) {
            (ReverseName::NotAsked, _) => address.clone(),
            (ReverseName::Unknown, _) => format!("unknown {address}"),
            (ReverseName::Known(name), true) => format!("{name} {address}"),
            (ReverseName::Known(name), false) => name.clone(),
        };
        match (&self.helo, self.show_comment) {
            (Some(helo), true) => format!("{helo} ({comment})"),
            (Some(helo), false) => helo.clone(),
            (None, true) => format!("({comment})"),
            (None, false) => String::new(),
        }
    }
}

/// The dialect in which a message arrives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protocol {
    /// The letters of log records and of the `with` clause.
    pub modifiers: Modifiers,
    /// What TLS was agreed on, for access probes.
    pub cipher: Option<String>,
}

impl Protocol {
    /// `ESMTPSA` and its kin.
    #[must_use]
    pub fn word(&self) -> String {
        protocol_word(self.modifiers)
    }
}

/// Who brings messages in, for as long as nothing about it changes.
#[derive(Debug, Clone)]
pub struct Source {
    /// The source channel, after every switch.
    pub channel: ChannelName,
    /// The connection; `None` for what was made on this machine.
    pub peer: Option<Peer>,
    /// How it arrives; meaningful with a peer only.
    pub protocol: Protocol,
    /// The user that enqueues: the authenticated one, or the one that runs the program.
    pub user: String,
    /// The authenticated sender's address or name.
    pub authenticated: Option<String>,
    /// The probe string of PORT_ACCESS; empty without a connection.
    pub port_probe: String,
    /// The thread or session number for `log_process`.
    pub thread: Option<u32>,
    /// The reprocess channel brings the message back: nothing is put off to it again.
    pub reprocessing: bool,
}

impl Source {
    /// A program of this machine that enqueues as `channel`.
    #[must_use]
    pub fn internal(channel: ChannelName, user: &str) -> Self {
        Self {
            channel,
            peer: None,
            protocol: Protocol::default(),
            user: user.to_owned(),
            authenticated: None,
            port_probe: String::new(),
            thread: None,
            reprocessing: false,
        }
    }

    /// `helo (rdns [ip])`, or nothing.
    #[must_use]
    pub fn system(&self) -> String {
        self.peer
            .as_ref()
            .map_or_else(String::new, Peer::source_system)
    }
}

/// The parameters of MAIL FROM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailParams {
    /// SIZE=, in octets.
    pub size: Option<u64>,
    /// BODY=8BITMIME.
    pub eight_bit: bool,
    /// RET=.
    pub ret: Option<Ret>,
    /// ENVID=, decoded. A message that is put back keeps its envelope id this way.
    pub envelope_id: Option<String>,
    /// AUTH=, decoded; trusted only from authenticated or internal sources.
    pub authenticated: Option<String>,
    /// When the message first arrived, in seconds since 1970, if not now (reprocess).
    pub arrived: Option<u64>,
}

/// The parameters of RCPT TO.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RcptParams {
    /// NOTIFY=.
    pub notify: Option<Notify>,
    /// ORCPT=: type and decoded address.
    pub original: Option<(String, String)>,
    /// Which access checks it has behind it.
    pub checked: Checked,
    /// Conversion tags that it has already (reprocess).
    pub tags: Vec<String>,
    /// The `o;` record of a final address (reprocess).
    pub store_options: Option<String>,
    /// It is a final address: neither aliases nor FORWARD are asked again (conversion).
    pub expanded: bool,
    /// Refused for now, it is taken all the same and left to the reprocess channel (notices,
    /// which must not wait for their addressee in the queue of what they are about).
    pub patient: bool,
}

/// Which access checks a recipient has behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Checked {
    /// None: it comes from outside.
    #[default]
    Nothing,
    /// Those of the address as it was given, when the message came in (reprocess). What it
    /// expands to is checked as ever.
    AsGiven,
    /// All of them, or there is nothing to check (notices).
    Everything,
}
