//! IP_ACCESS: may our client connect to this address of a host?

use std::net::IpAddr;

use mta_envelope::names::ChannelName;
use mta_mapping::{Callouts, Input, Silent, Tables};

/// A connection that is about to be opened.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingProbe<'a> {
    /// The channel whose message is being sent.
    pub channel: &'a ChannelName,
    /// Addresses there are, and which of them this is, from 1.
    pub count: usize,
    /// See `count`.
    pub current: usize,
    /// The address.
    pub address: IpAddr,
    /// The host it belongs to.
    pub host: &'a str,
}

/// What IP_ACCESS says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutgoingDecision {
    /// Connect.
    Connect,
    /// `$A`: connect to this address instead.
    Instead(IpAddr),
    /// `$I`: pass over this address.
    Skip,
    /// `$N`: reject the message as one to an invalid host; the text is for the log only.
    Reject {
        /// The mapping's text.
        text: String,
    },
}

/// Asks IP_ACCESS. Without the table, or when nothing matches, the connection is made; so it is
/// when the output of `$A` is no address. An address about which the table cannot be read is
/// passed over.
#[must_use]
pub fn ip_access(
    mappings: &Tables,
    probe: &OutgoingProbe<'_>,
    callouts: &dyn Callouts,
) -> OutgoingDecision {
    let text = format!(
        "{}|{}|{}|{}|{}",
        probe.channel,
        probe.count,
        probe.current,
        probe.address.to_canonical(),
        probe.host
    );
    let mapped = mappings.map("IP_ACCESS", &Input::of(&text), callouts, &mut Silent);
    if mapped.flags.contains('N') {
        return OutgoingDecision::Reject {
            text: mapped.output,
        };
    }
    // What cannot be asked now is asked again with the next attempt.
    if mapped.unreadable || mapped.flags.contains('I') {
        return OutgoingDecision::Skip;
    }
    let instead = mapped.output.trim().trim_matches(['[', ']']).parse().ok();
    match instead.filter(|_| mapped.flags.contains('A')) {
        Some(address) => OutgoingDecision::Instead(address),
        None => OutgoingDecision::Connect,
    }
}

#[cfg(test)]
mod tests {
    use mta_mapping::{Entry, NoCallouts};

    use super::*;

    fn tables() -> Tables {
        let mut tables = Tables::default();
        let entries = [
            Entry::new("tcp_local|*|*|192.0.2.1|*", "$NNot$ there"),
            Entry::new("tcp_local|*|1|192.0.2.2|*", "$I"),
            Entry::new("*|*|*|192.0.2.3|*", "$A192.0.2.30"),
            Entry::new("*|*|*|192.0.2.4|*", "$Anowhere"),
        ];
        tables.insert("IP_ACCESS", &entries).unwrap();
        tables
    }

    #[test]
    fn flags_decide() {
        let tables = tables();
        let channel = ChannelName::new("tcp_local").unwrap();
        let ask = |address: &str, current| {
            let probe = OutgoingProbe {
                channel: &channel,
                count: 2,
                current,
                address: address.parse().unwrap(),
                host: "mx.example.com",
            };
            ip_access(&tables, &probe, &NoCallouts)
        };
        let reject = OutgoingDecision::Reject {
            text: "Not there".into(),
        };
        assert_eq!(ask("192.0.2.1", 1), reject);
        assert_eq!(ask("192.0.2.2", 1), OutgoingDecision::Skip);
        assert_eq!(ask("192.0.2.2", 2), OutgoingDecision::Connect);
        assert_eq!(
            ask("192.0.2.3", 1),
            OutgoingDecision::Instead([192, 0, 2, 30].into())
        );
        assert_eq!(ask("192.0.2.4", 1), OutgoingDecision::Connect);
        assert_eq!(ask("192.0.2.9", 1), OutgoingDecision::Connect);
    }
}
