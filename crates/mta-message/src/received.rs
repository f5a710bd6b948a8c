//! Trace lines: building our own, counting those that are there.

use std::net::IpAddr;

use crate::header::{FOLD_AT, Field, Header};

/// Where a message came from, for the `from` clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin<'a> {
    /// Over the network: what the client called itself, and what is known about it.
    Network {
        /// The argument of HELO or EHLO.
        helo: &'a str,
        /// What stands in the comment.
        peer: Peer<'a>,
    },
    /// From a channel of our own, by its official host name.
    Channel(&'a str),
}

/// The comment about a network peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer<'a> {
    /// `(name [1.2.3.4])`.
    Named(&'a str, IpAddr),
    /// `(unknown [1.2.3.4])`: the look-up failed.
    Unknown(IpAddr),
    /// `([1.2.3.4])`: nobody looked.
    Address(IpAddr),
    /// `(name)`.
    NameOnly(&'a str),
    /// No comment at all.
    Nothing,
}

/// A `Received:` line to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<'a> {
    /// Where the message came from.
    pub from: Origin<'a>,
    /// Our name: the official host name of `l`, or `received_domain`.
    pub by: &'a str,
    /// `PRODUCT VERSION (built Mon DD YYYY)`, without its parentheses.
    pub product: &'a str,
    /// `ESMTPSA`; internal channels have none.
    pub with: Option<&'a str>,
    /// `ID@HOST`.
    pub id: &'a str,
    /// The recipient, if there is exactly one and the channel may tell.
    pub recipient: Option<&'a str>,
    /// The original recipient, if it is another.
    pub original_recipient: Option<&'a str>,
    /// The envelope sender as it came in, if it was changed.
    pub original_sender: Option<&'a str>,
    /// From [`crate::date`].
    pub date: &'a str,
}

impl Received<'_> {
    /// The line, folded before it gets longer than 78, its date on a line of its own.
    #[must_use]
    pub fn field(&self) -> Field {
        let mut value = String::new();
        let mut column = "Received: ".len();
        for piece in self.pieces() {
            if !value.is_empty() {
                if column + 1 + piece.len() > FOLD_AT {
                    value.push('\n');
                    column = 0;
                }
                value.push(' ');
                column += 1;
            }
            value.push_str(&piece);
            column += piece.len();
        }
        value.push_str(";\n ");
        value.push_str(self.date);
        Field::new("Received", &value)
    }

    fn pieces(&self) -> Vec<String> {
        let mut pieces = Vec::with_capacity(8);
        match &self.from {
            Origin::Network { helo, peer } => {
                pieces.push(format!("from {}", word(helo)));
                pieces.extend(comment(peer));
            }
            Origin::Channel(host) => pieces.push(format!("from {}", word(host))),
        }
        pieces.push(format!("by {}", word(self.by)));
        pieces.push(format!("({})", self.product));
        pieces.extend(self.with.map(|with| format!("with {with}")));
        pieces.push(format!("id <{}>", word(self.id)));
        pieces.extend(self.recipient.map(|to| format!("for {}", word(to))));
        let original = self.original_recipient.map(in_comment);
        pieces.extend(original.map(|to| format!("(ORCPT {to})")));
        let sender = self.original_sender.map(in_comment);
        pieces.extend(sender.map(|from| format!("(original mail from {from})")));
        pieces
    }
}

fn comment(peer: &Peer<'_>) -> Option<String> {
    let literal = |ip: &IpAddr| mta_envelope::domain::to_literal(*ip);
    Some(match peer {
        Peer::Named(name, ip) => format!("({} {})", in_comment(name), literal(ip)),
        Peer::Unknown(ip) => format!("(unknown {})", literal(ip)),
        Peer::Address(ip) => format!("({})", literal(ip)),
        Peer::NameOnly(name) => format!("({})", in_comment(name)),
        Peer::Nothing => return None,
    })
}

/// Most octets of a word that others have chosen: our line must fit into 998 octets
/// (RFC 5322 §2.1.1), or the next host cuts it or refuses the message.
const MAX_WORD: usize = 255;

/// Octets that a word of a trace line cannot hold become `*`, each of them.
fn word(text: &str) -> String {
    text.bytes()
        .take(MAX_WORD)
        .map(|b| match b {
            b'(' | b')' | b';' | b'\\' => '*',
            _ if b.is_ascii_graphic() => char::from(b),
            _ => '*',
        })
        .collect()
}

/// The same within a comment, where a semicolon does no harm.
fn in_comment(text: &str) -> String {
    text.bytes()
        .take(MAX_WORD)
        .map(|b| match b {
            b'(' | b')' | b'\\' => '*',
            _ if b.is_ascii_graphic() => char::from(b),
            _ => '*',
        })
        .collect()
}

/// How many trace lines a header has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hops {
    /// `Received:` lines with our name in them.
    pub local: usize,
    /// `Received:` lines.
    pub received: usize,
    /// `MR-Received:` lines.
    pub mr: usize,
    /// `X400-Received:` lines.
    pub x400: usize,
}

/// How many of each kind are still taken for a message that travels and not for a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HopLimits {
    /// `MAX_LOCAL_RECEIVED_LINES`.
    pub local: usize,
    /// `MAX_RECEIVED_LINES`.
    pub received: usize,
    /// `MAX_MR_RECEIVED_LINES`.
    pub mr: usize,
    /// `MAX_X400_RECEIVED_LINES`.
    pub x400: usize,
    /// `MAX_TOTAL_RECEIVED_LINES`.
    pub total: usize,
}

impl Default for HopLimits {
    fn default() -> Self {
        Self {
            local: 10,
            received: 50,
            mr: 20,
            x400: 50,
            total: 100,
        }
    }
}

impl Hops {
    /// Counts the trace lines of a header as it was received, our own line for this hop not
    /// yet among them.
    #[must_use]
    pub fn count(header: &Header, local_host: &str) -> Self {
        let mut hops = Self::default();
        for field in header.fields() {
            if field.is("Received") {
                hops.received += 1;
                hops.local += usize::from(names(&field.value(), local_host));
            } else if field.is("MR-Received") {
                hops.mr += 1;
            } else if field.is("X400-Received") {
                hops.x400 += 1;
            }
        }
        hops
    }

    /// Why the message looks like a loop, if it does.
    #[must_use]
    pub fn exceed(&self, limits: &HopLimits) -> Option<String> {
        let total = self.received + self.mr + self.x400;
        let table = [
            ("local Received:", self.local, limits.local),
            ("Received:", self.received, limits.received),
            ("MR-Received:", self.mr, limits.mr),
            ("X400-Received:", self.x400, limits.x400),
            ("trace", total, limits.total),
        ];
        let (what, count, limit) = table.into_iter().find(|(_, count, limit)| count > limit)?;
        Some(format!(
            "Received count exceeded; {count} {what} lines, limit {limit}"
        ))
    }
}

/// Whether `host` stands in `text` as a whole name, without regard to case.
fn names(text: &str, host: &str) -> bool {
    let (text, host) = (text.to_ascii_lowercase(), host.to_ascii_lowercase());
    let is_host = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !host.is_empty()
        && text.match_indices(&host).any(|(at, _)| {
            let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
            let after = text.as_bytes().get(at + host.len());
            !before.is_some_and(is_host) && !after.is_some_and(is_host)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network<'a>(helo: &'a str, peer: Peer<'a>) -> Received<'a> {
        Received {
            from: Origin::Network { helo, peer },
            by: "mail.example.com",
            product: "imta 0.1.0 (built Nov 24 2026)",
            with: Some("ESMTPSA"),
            id: "0KRH00A3QAO42T10@mail.example.com",
            recipient: Some("ada@example.com"),
            original_recipient: None,
            original_sender: None,
            date: "Tue, 13 Oct 2009 17:28:52 -0700 (PDT)",
        }
    }

    fn text(received: &Received<'_>) -> String {
        String::from_utf8(received.field().raw().to_vec()).unwrap()
    }

    #[test]
    fn a_network_line_is_laid_out_as_documented() {
        let ip = "10.1.110.115".parse().unwrap();
        assert_eq!(
            text(&network("client.example", Peer::Named("c.example", ip))),
            "Received: from client.example (c.example [10.1.110.115]) by mail.example.com\n \
             (imta 0.1.0 (built Nov 24 2026)) with ESMTPSA\n \
             id <0KRH00A3QAO42T10@mail.example.com> for ada@example.com;\n \
             Tue, 13 Oct 2009 17:28:52 -0700 (PDT)\n"
        );
    }

    #[test]
    fn the_comment_says_what_is_known_of_the_peer() {
        let ip = "10.1.110.115".parse().unwrap();
        let table = [
            (
                Peer::Unknown(ip),
                "from [10.1.110.115] (unknown [10.1.110.115]) by",
            ),
            (Peer::Address(ip), "from [10.1.110.115] ([10.1.110.115]) by"),
            (
                Peer::NameOnly("c.example"),
                "from [10.1.110.115] (c.example) by",
            ),
            (Peer::Nothing, "from [10.1.110.115] by"),
        ];
        for (peer, expected) in table {
            let line = text(&network("[10.1.110.115]", peer));
            assert!(line.contains(expected), "{line}");
        }
    }

    #[test]
    fn an_internal_line_has_neither_with_nor_for() {
        let mut received = network("", Peer::Nothing);
        received.from = Origin::Channel("reprocess.mail.example.com");
        received.with = None;
        received.recipient = None;
        assert_eq!(
            text(&received),
            "Received: from reprocess.mail.example.com by mail.example.com\n \
             (imta 0.1.0 (built Nov 24 2026)) id <0KRH00A3QAO42T10@mail.example.com>;\n \
             Tue, 13 Oct 2009 17:28:52 -0700 (PDT)\n"
        );
    }

    #[test]
    fn what_a_client_says_cannot_change_the_line() {
        let ip = "10.0.0.1".parse().unwrap();
        let line = text(&network("bö;x)", Peer::Named("r(x\n", ip)));
        assert!(
            line.starts_with("Received: from b***x* (r*x* [10.0.0.1]) by"),
            "{line}"
        );
    }

    #[test]
    fn no_line_of_ours_is_longer_than_mail_allows() {
        let ip = "10.0.0.1".parse().unwrap();
        let long = "x".repeat(4000);
        let mut received = network(&long, Peer::Named(&long, ip));
        received.recipient = Some(&long);
        received.original_recipient = Some(&long);
        received.original_sender = Some(&long);
        let text = text(&received);
        assert!(text.lines().all(|line| line.len() < 400), "{text}");
    }

    #[test]
    fn an_eleventh_local_line_is_a_loop() {
        let mut header = Header::default();
        for _ in 0..10 {
            header.append(Field::new("Received", "from a by Mail.Example.COM (x)"));
        }
        let limits = HopLimits::default();
        let hops = Hops::count(&header, "mail.example.com");
        assert_eq!((hops.local, hops.received), (10, 10));
        assert_eq!(hops.exceed(&limits), None);
        header.append(Field::new("received", "from a\n by mail.example.com"));
        let hops = Hops::count(&header, "mail.example.com");
        assert!(hops.exceed(&limits).unwrap().contains("11 local"));
    }

    #[test]
    fn names_are_compared_as_wholes() {
        for (text, expected) in [
            ("by mail.example.com (x)", true),
            ("by xmail.example.com", false),
            ("by mail.example.com.evil", false),
            ("id <a@mail.example.com>;", true),
            ("", false),
        ] {
            assert_eq!(names(text, "mail.example.com"), expected, "{text}");
        }
        assert!(!names("anything", ""));
    }

    #[test]
    fn other_kinds_count_too() {
        let mut header = Header::default();
        for _ in 0..21 {
            header.append(Field::new("MR-Received", "x"));
        }
        let hops = Hops::count(&header, "h");
        assert!(
            hops.exceed(&HopLimits::default())
                .unwrap()
                .contains("MR-Received")
        );
    }
}
