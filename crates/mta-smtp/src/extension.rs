//! Service extensions: what our EHLO lists, what a remote's EHLO listed, and xtext.

use crate::command::PrivateVerb;
use crate::reply::Reply;
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
    /// STARTTLS (RFC 3207), listed.
    pub starttls: bool,
    /// STARTTLS is permitted, listed or not: where the certificate is missing, a client that
    /// asks is told so.
    pub starttls_permitted: bool,
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

/// What a remote server listed in its answer to EHLO.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    /// It understood EHLO.
    pub extended: bool,
    /// 8BITMIME.
    pub eight_bit_mime: bool,
    /// PIPELINING.
    pub pipelining: bool,
    /// CHUNKING.
    pub chunking: bool,
    /// DSN.
    pub dsn: bool,
    /// STARTTLS.
    pub starttls: bool,
    /// SIZE: `Some(0)` is an unknown limit.
    pub size: Option<u64>,
    /// AUTH mechanisms, in upper case.
    pub auth: Vec<String>,
    /// The value behind XLOOP.
    pub xloop: Option<String>,
}

impl Extensions {
    /// Reads the answer to EHLO.
    #[must_use]
    pub fn from_ehlo(reply: &Reply) -> Self {
        let mut found = Self {
            extended: true,
            ..Self::default()
        };
        for line in reply.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            // `AUTH=LOGIN PLAIN` is the spelling of servers older than RFC 2554.
            let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
            match words.next() {
                Some("8BITMIME") => found.eight_bit_mime = true,
                Some("PIPELINING") => found.pipelining = true,
                Some("CHUNKING") => found.chunking = true,
                Some("DSN") => found.dsn = true,
                Some("STARTTLS") => found.starttls = true,
                Some("SIZE") => {
                    let limit = words.next().and_then(|limit| limit.parse().ok());
                    found.size = Some(limit.unwrap_or(0));
                }
                Some("AUTH") => found.auth.extend(words.map(str::to_owned)),
                Some("XLOOP") => found.xloop = words.next().map(str::to_owned),
                Some(_) | None => {}
            }
        }
        found
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ehlo_answer_is_read_in_any_case_and_order() {
        let reply = Reply::plain(250, "mx.example pipelining size")
            .line("size 5000")
            .line("8bitMIME")
            .line("AUTH=LOGIN")
            .line("AUTH PLAIN login")
            .line("XLOOP 1ACD1B852A0296B6927366303314E0F3")
            .line("SIZEX 3")
            .line("");
        let found = Extensions::from_ehlo(&reply);
        assert!(found.extended && found.eight_bit_mime && !found.pipelining);
        assert_eq!(found.size, Some(5000));
        assert_eq!(found.auth, ["LOGIN", "PLAIN", "LOGIN"]);
        assert!(found.xloop.is_some());
        let odd = Extensions::from_ehlo(&Reply::plain(250, "h").line("SIZE 99999999999999999999"));
        assert_eq!(odd.size, Some(0));
    }

    proptest! {
        #[test]
        fn xtext_round_trip(text in "[ -~]{0,80}") {
            prop_assert_eq!(xtext::decode(&xtext::encode(&text)), Some(text));
        }

        #[test]
        fn decoded_xtext_is_printable(text in "[!-~]{0,80}") {
            if let Some(decoded) = xtext::decode(&text) {
                prop_assert!(decoded.bytes().all(|b| (b' '..=b'~').contains(&b)));
            }
        }
    }
}
