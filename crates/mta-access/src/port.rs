//! PORT_ACCESS and INTERNAL_IP: may this client connect, and is it one of ours?

use crate::arguments::{Dealt, any, one};
use mta_config::config::Config;
use mta_mapping::{Callouts, Flags, Input, NoCallouts, Silent, Trace};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// The text of a refusal that brings none of its own.
pub const DENIED: &str = "500 5.7.1 access denied";

/// A connection, as PORT_ACCESS is asked about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortProbe {
    /// Our end.
    pub local: SocketAddr,
    /// The client's end.
    pub peer: SocketAddr,
}

impl PortProbe {
    /// `TCP|server-address|server-port|client-address|client-port`; mapped IPv4 is folded.
    #[must_use]
    pub fn text(&self) -> String {
        let (local, peer) = (
            self.local.ip().to_canonical(),
            self.peer.ip().to_canonical(),
        );
        format!(
            "TCP|{local}|{}|{peer}|{}",
            self.local.port(),
            self.peer.port()
        )
    }
}

/// What PORT_ACCESS says of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortDecision {
    /// Let it in.
    Accept {
        /// Text left after flags: the SASL rule set for this connection, e.g. `EXTERNAL`.
        rule_set: String,
        /// `$D`: banner purge delay in hundredths of a second.
        purge_delay: Option<u32>,
        /// `$V`: the private verbs are allowed.
        private_verbs: bool,
        /// `$U`: debug level for this connection.
        debug: Option<u32>,
        /// Whether an entry matched; DNS lists are asked only if none did.
        matched: bool,
    },
    /// Send the text and close.
    Refuse {
        /// What the client is told; `~` separates reply lines.
        text: String,
    },
}

/// Asks PORT_ACCESS. `by_dispatcher` sets the input flag `A`.
#[must_use]
pub fn port_access(config: &Config, probe: &PortProbe, by_dispatcher: bool) -> PortDecision {
    ask_port(config, probe, by_dispatcher, &NoCallouts, &mut Silent)
}

/// As [`port_access`], with call-outs answered and each step told.
pub fn ask_port(
    config: &Config,
    probe: &PortProbe,
    by_dispatcher: bool,
    callouts: &dyn Callouts,
    trace: &mut dyn Trace,
) -> PortDecision {
    let text = probe.text();
    let flags = if by_dispatcher {
        Flags::of("A")
    } else {
        Flags::NONE
    };
    let input = Input {
        flags,
        ..Input::of(&text)
    };
    let mapped = config.mappings.map("PORT_ACCESS", &input, callouts, trace);
    if !mapped.matched {
        return PortDecision::Accept {
            rule_set: String::new(),
            purge_delay: None,
            private_verbs: false,
            debug: None,
            matched: false,
        };
    }
    // `||text` at the end is a site text for connection records, no argument.
    let mut deal = mapped.clone();
    if let Some(at) = deal.output.find("||") {
        deal.output.truncate(at);
    }
    let order = [
        one('U'),
        one('<'),
        one('>'),
        one('D'),
        one('N'),
        one('F'),
        one('T'),
    ];
    let dealt = Dealt::deal(&deal, &order);
    if any(mapped.flags, "NF") {
        let told = dealt
            .get('N')
            .or_else(|| dealt.get('F'))
            .unwrap_or_default();
        let text = if told.trim().is_empty() { DENIED } else { told };
        return PortDecision::Refuse {
            text: text.to_owned(),
        };
    }
    PortDecision::Accept {
        rule_set: dealt.rest().to_owned(),
        purge_delay: dealt
            .number('D')
            .and_then(|delay| u32::try_from(delay).ok()),
        private_verbs: mapped.flags.contains('V'),
        debug: dealt
            .number('U')
            .and_then(|level| u32::try_from(level).ok()),
        matched: true,
    }
}

/// Asks INTERNAL_IP about an address; mapped IPv4 is folded. Without the table nobody is internal.
#[must_use]
pub fn is_internal(config: &Config, address: IpAddr) -> bool {
    let text = address.to_canonical().to_string();
    let mapped = config
        .mappings
        .map("INTERNAL_IP", &Input::of(&text), &NoCallouts, &mut Silent);
    mapped.flags.contains('Y')
}
