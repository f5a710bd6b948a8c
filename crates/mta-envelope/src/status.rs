//! Enhanced status codes (RFC 3463) and how one recipient's attempt ended.

use serde::{Deserialize, Serialize};
use std::fmt;

/// `class.subject.detail` of RFC 3463.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Status {
    /// 2 success, 4 temporary, 5 permanent.
    pub class: u8,
    /// What the fault is about (RFC 3463 §3).
    pub subject: u16,
    /// Which fault it is.
    pub detail: u16,
}

impl Status {
    /// Bad destination mailbox address.
    pub const UNKNOWN_USER: Self = Self::new(5, 1, 1);
    /// Bad destination system address.
    pub const UNKNOWN_HOST: Self = Self::new(5, 1, 2);
    /// Message expired.
    pub const EXPIRED: Self = Self::new(4, 4, 7);
    /// Delivered, nothing special.
    pub const OK: Self = Self::new(2, 0, 0);

    /// Puts three numbers together.
    #[must_use]
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self {
            class,
            subject,
            detail,
        }
    }

    /// Reads `5.1.1` from the start of `text`; what follows must not be a digit or dot.
    #[must_use]
    pub fn parse_prefix(text: &str) -> Option<(Self, &str)> {
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let mut parts = text[..end].split('.');
        let class: u8 = parts.next()?.parse().ok()?;
        let subject = parts.next()?.parse().ok()?;
        let detail = parts.next()?.parse().ok()?;
        if parts.next().is_some() || ![2, 4, 5].contains(&class) || subject > 999 || detail > 999 {
            return None;
        }
        Some((Self::new(class, subject, detail), text[end..].trim_start()))
    }

    /// Same subject and detail in another class.
    #[must_use]
    pub const fn with_class(self, class: u8) -> Self {
        Self::new(class, self.subject, self.detail)
    }

    /// Whether a later attempt may succeed.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        self.class == 4
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// How one recipient's attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// In the mailbox, or discarded as asked: nothing left to do.
    Delivered(Report),
    /// Handed to a system that will report for itself, or (without DSN there) cannot.
    Relayed {
        /// What the next system said.
        report: Report,
        /// Whether it took over the duty to send success notices (RFC 3461 §5.2.2).
        dsn: bool,
    },
    /// Put into another channel's queue; that channel answers for it from now on.
    Requeued,
    /// Not now; the message stays.
    Deferred(Report),
    /// Never; a notice is due.
    Failed(Report),
}

/// What is known about an attempt, for log, history and notices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The enhanced code.
    pub status: Status,
    /// One sentence for people: `Remote SMTP server has rejected address`.
    pub reason: String,
    /// The remote's own words with their kind: `smtp;550 5.1.1 …`.
    pub diagnostic: Option<String>,
    /// Who said so: `dns;mx.example.jp (TCP|l-ip|l-port|r-ip|r-port) (banner)`.
    pub remote: Option<String>,
}

impl Report {
    /// A report that is known here, without a remote system.
    #[must_use]
    pub fn local(status: Status, reason: &str) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            diagnostic: None,
            remote: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_from_the_front_of_a_text() {
        let (status, rest) = Status::parse_prefix("5.1.1 no such user").unwrap();
        assert_eq!((status, rest), (Status::UNKNOWN_USER, "no such user"));
        assert_eq!(Status::parse_prefix("5.1 x"), None);
        assert_eq!(Status::parse_prefix("3.1.1 x"), None);
        assert_eq!(Status::parse_prefix("5.1.1.1 x"), None);
        assert_eq!(Status::EXPIRED.to_string(), "4.4.7");
    }
}
