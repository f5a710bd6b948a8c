//! IP elements of a pattern: which addresses they take, and how many characters.

use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest text of an address (`ffff:…:255.255.255.255`).
const MAX_ADDRESS_TEXT: usize = 45;

/// A network as an IP element gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Network {
    /// `$(a.b.c.d/n)`, or `$<a.b.c.d/n>` with the mask turned round.
    V4 { address: u32, mask: u32 },
    /// `${ipv6/n}`.
    V6 { address: u128, mask: u128 },
}

impl Network {
    /// `a.b.c.d/n` with the first `n` bits given; all 32 without `/n`.
    pub(crate) fn v4_prefix(text: &str) -> Option<Self> {
        let (address, bits) = split(text, 32)?;
        Self::v4(address, 32 - bits)
    }

    /// `a.b.c.d/n` with the low `n` bits ignored; none without `/n`.
    pub(crate) fn v4_ignoring(text: &str) -> Option<Self> {
        let (address, bits) = split(text, 0)?;
        (bits <= 32).then_some(())?;
        Self::v4(address, bits)
    }

    fn v4(address: &str, ignored: u32) -> Option<Self> {
        let mask = u32::MAX.checked_shl(ignored).unwrap_or(0);
        let address = u32::from(address.parse::<Ipv4Addr>().ok()?) & mask;
        Some(Self::V4 { address, mask })
    }

    /// An IPv6 prefix; all 128 bits without `/n`.
    pub(crate) fn v6_prefix(text: &str) -> Option<Self> {
        let (address, bits) = split(text, 128)?;
        let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
        let address = u128::from(address.parse::<Ipv6Addr>().ok()?) & mask;
        Some(Self::V6 { address, mask })
    }

    /// Number of characters at the start of `text` that this element takes: the longest run
    /// that is an address, if that address is in the network. An IPv4 network also takes the
    /// IPv6 spelling of a mapped address.
    pub(crate) fn take(self, text: &str) -> Option<usize> {
        let run = run_of_address(text.as_bytes());
        match self {
            Self::V4 { address, mask } => {
                let (found, end) = longest_v4(&text[..run])?;
                (found & mask == address).then_some(end)
            }
            Self::V6 { address, mask } => {
                let (found, end) = longest_v6(&text[..run])?;
                (found & mask == address).then_some(end)
            }
        }
    }
}

/// Number of characters at the start that may belong to an address.
fn run_of_address(text: &[u8]) -> usize {
    text.iter()
        .take(MAX_ADDRESS_TEXT)
        .take_while(|b| b.is_ascii_hexdigit() || **b == b'.' || **b == b':')
        .count()
}

/// The longest start of a run that is an IPv4 address, in either spelling, and its length.
fn longest_v4(run: &str) -> Option<(u32, usize)> {
    let count = |wanted| run.bytes().filter(|b| *b == wanted).count();
    if count(b'.') < 3 && count(b':') < 2 {
        return None;
    }
    (1..=run.len()).rev().find_map(|end| {
        let found = as_v4(&run[..end])?;
        Some((u32::from(found), end))
    })
}

/// The longest start of a run that is an IPv6 address, and its length.
fn longest_v6(run: &str) -> Option<(u128, usize)> {
    if run.bytes().filter(|b| *b == b':').count() < 2 {
        return None;
    }
    (1..=run.len()).rev().find_map(|end| {
        let found = run[..end].parse::<Ipv6Addr>().ok()?;
        Some((u128::from(found), end))
    })
}

/// An address that an IP element could find in a text.
pub(crate) enum Found {
    V4(u32),
    V6(u128),
}

/// Calls `visit` with all addresses that an IP element could find anywhere in a text.
pub(crate) fn for_each_address(text: &str, visit: &mut dyn FnMut(Found)) {
    let octets = text.as_bytes();
    for start in 0..octets.len() {
        if !octets[start].is_ascii_hexdigit() && octets[start] != b':' {
            continue;
        }
        let run = run_of_address(&octets[start..]);
        let run = &text[start..start + run];
        if let Some((address, _)) = longest_v4(run) {
            visit(Found::V4(address));
        }
        if let Some((address, _)) = longest_v6(run) {
            visit(Found::V6(address));
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::V4 { address, mask } => {
                write!(f, "{}/{}", Ipv4Addr::from(address), mask.count_ones())
            }
            Self::V6 { address, mask } => {
                write!(f, "{}/{}", Ipv6Addr::from(address), mask.count_ones())
            }
        }
    }
}

/// Address text and number of bits; the number is at most 32 or 128, whichever `default` fits.
fn split(text: &str, default: u32) -> Option<(&str, u32)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok()?),
        None => (text, default),
    };
    let most = if default == 128 { 128 } else { 32 };
    (bits <= most).then_some((address, bits))
}

fn as_v4(text: &str) -> Option<Ipv4Addr> {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok()?.to_ipv4_mapped();
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_take_the_longest_address_or_nothing() {
        let table: [(Option<Network>, &str, Option<usize>); 14] = [
            (Network::v4_prefix("192.0.2.0/24"), "192.0.2.77", Some(10)),
            (Network::v4_prefix("192.0.2.0/24"), "192.0.2.77|x", Some(10)),
            (Network::v4_prefix("192.0.2.0/24"), "192.0.3.77", None),
            (Network::v4_prefix("192.0.2.7"), "192.0.2.77", None),
            (Network::v4_prefix("0.0.0.0/0"), "8.8.8.8", Some(7)),
            (
                Network::v4_prefix("192.0.2.0/24"),
                "::ffff:192.0.2.7",
                Some(16),
            ),
            (
                Network::v4_prefix("192.0.2.0/24"),
                "::ffff:c000:207",
                Some(15),
            ),
            (Network::v4_ignoring("192.0.2.4/2"), "192.0.2.7", Some(9)),
            (Network::v4_ignoring("192.0.2.4/2"), "192.0.2.8", None),
            (Network::v4_ignoring("192.0.2.4"), "192.0.2.4", Some(9)),
            (
                Network::v6_prefix("2001:db8::/32"),
                "2001:DB8:0:0::1",
                Some(15),
            ),
            (Network::v6_prefix("2001:db8::/32"), "2001:db9::1", None),
            (Network::v6_prefix("::1"), "0:0:0:0:0:0:0:1", Some(15)),
            (Network::v6_prefix("::/0"), "", None),
        ];
        for (network, text, taken) in table {
            let network = network.unwrap_or_else(|| panic!("{text}"));
            assert_eq!(network.take(text), taken, "{network} on {text}");
        }
    }

    #[test]
    fn what_is_no_network() {
        for text in ["", "1.2.3", "1.2.3.4/33", "1.2.3.4/x", "1.2.3.4/", "::1"] {
            assert_eq!(Network::v4_prefix(text), None, "{text}");
        }
        for text in ["::1/129", "1.2.3.4", "g::"] {
            assert_eq!(Network::v6_prefix(text), None, "{text}");
        }
    }
}
