//! Service extensions: what our EHLO lists, what a remote's EHLO listed, and xtext.

use crate::command::PrivateVerb;
use crate::sasl::Mechanism;

/// What a session may use now, as far as configuration decides it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offers {
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// CHUNKING (RFC 3030), that is BDAT.
    pub chunking: bool,
    /// EXPN.
    pub expn: bool,
    /// Private verbs that are switched on.
    pub private: Vec<PrivateVerb>,
    /// 32 hexadecimal digits that identify this MTA (`loopcheck`).
    pub xloop: Option<String>,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// AUTH mechanisms (RFC 4954), in the order they are listed.
    pub auth: Vec<Mechanism>,
    /// ETRN (RFC 1985).
    pub etrn: bool,
    /// Parameter of NO-SOLICITING (RFC 3865), empty for none.
    pub no_soliciting: String,
    /// SIZE (RFC 1870): the limit in octets, 0 without one.
    pub size: u64,
}

impl Offers {
    /// The lines of the EHLO list behind the host name, in the product's order.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::with_capacity(16);
        let mut add = |wanted: bool, line: &str| {
            if wanted {
                lines.push(line.to_owned());
            }
        };
        add(self.eight_bit_mime, "8BITMIME");
        add(true, "PIPELINING");
        add(self.chunking, "CHUNKING");
        add(true, "DSN");
        add(true, "ENHANCEDSTATUSCODES");
        add(self.expn, "EXPN");
        add(true, "HELP");
        for verb in PrivateVerb::ALL {
            add(self.private.contains(&verb), verb.word());
        }
        if let Some(digits) = &self.xloop {
            add(true, &format!("XLOOP {digits}"));
        }
        add(self.starttls, "STARTTLS");
        let names: Vec<&str> = self.auth.iter().map(|mechanism| mechanism.name()).collect();
        let reversed: Vec<&str> = names.iter().rev().copied().collect();
        add(!names.is_empty(), &format!("AUTH {}", names.join(" ")));
        // For clients older than RFC 2554.
        add(!names.is_empty(), &format!("AUTH={}", reversed.join(" ")));
        add(self.etrn, "ETRN");
        add(
            true,
            format!("NO-SOLICITING {}", self.no_soliciting).trim_end(),
        );
        add(true, &format!("SIZE {}", self.size));
        lines
    }
}

pub mod xtext {
    //! The quoting of parameter values (RFC 3461 §4): `+` and two upper-case hexadecimal digits.

    use std::fmt::Write as _;

    /// Decodes `text`. Nothing if it is malformed, or if anything but printable ASCII (space
    /// to `~`) comes out: a decoded newline or NUL must never reach a queue file or a log.
    #[must_use]
    pub fn decode(text: &str) -> Option<String> {
        let mut decoded = String::with_capacity(text.len());
        let mut rest = text.bytes();
        while let Some(octet) = rest.next() {
            let octet = match octet {
                b'+' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
                b'!'..=b'~' => octet,
                _ => return None,
            };
            if !(b' '..=b'~').contains(&octet) {
                return None;
            }
            decoded.push(char::from(octet));
        }
        Some(decoded)
    }

    /// Encodes `text`; octets that xtext cannot hold as they are become `+XX`.
    #[must_use]
    pub fn encode(text: &str) -> String {
        let mut encoded = String::with_capacity(text.len());
        for octet in text.bytes() {
            if (b'!'..=b'~').contains(&octet) && octet != b'+' && octet != b'=' {
                encoded.push(char::from(octet));
            } else {
                write!(encoded, "+{octet:02X}").expect("writing to a String cannot fail");
            }
        }
        encoded
    }

    fn hex(octet: u8) -> Option<u8> {
        match octet {
            b'0'..=b'9' => Some(octet - b'0'),
            b'A'..=b'F' => Some(octet - b'A' + 10),
            _ => None,
        }
    }
}
