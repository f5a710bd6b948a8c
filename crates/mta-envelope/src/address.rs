//! Mailboxes as RFC 5321 and RFC 5322 write them; source routes, percent and bang forms are
//! kept as they were found.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// Longest complete address, in octets (`address too long` above it).
pub const MAX_ADDRESS: usize = 1024;

/// One mailbox, possibly with a source route, exactly as it was written.
///
/// What is guaranteed: not empty, at most [`MAX_ADDRESS`] octets, no control characters, quotes
/// and brackets balanced, no unquoted white space or `<>`. What is not: that it has a domain, or
/// that anybody is at home there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing there.
    #[error("empty address")]
    Empty,
    /// Over [`MAX_ADDRESS`] octets.
    #[error("address too long")]
    TooLong,
    /// A control character, also as a quoted pair.
    #[error("control character in address")]
    Control,
    /// White space or an angle bracket outside quotes.
    #[error("unquoted special character in address")]
    Special,
    /// A quote or bracket that is not closed.
    #[error("unbalanced quote or bracket in address")]
    Unbalanced,
    /// No local part, or an empty host.
    #[error("incomplete address")]
    Incomplete,
}

impl Address {
    /// Checks `text` (without angle brackets) and keeps it unchanged.
    ///
    /// # Errors
    /// The first fault found from the left, as [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        Self::check(text)?;
        Ok(Self(text.to_owned()))
    }

    fn check(text: &str) -> Result<(), AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.len() > MAX_ADDRESS {
            return Err(AddressError::TooLong);
        }
        let has_control = if text.is_ascii() {
            text.bytes().any(|byte| byte.is_ascii_control())
        } else {
            text.chars().any(char::is_control)
        };
        if has_control {
            return Err(AddressError::Control);
        }
        let marks = Marks::scan(text)?;
        let start = marks.route_end.map_or(0, |colon| colon + 1);
        if marks.at == Some(start) || start == text.len() {
            return Err(AddressError::Incomplete);
        }
        if marks.at.is_some_and(|at| at + 1 == text.len()) {
            return Err(AddressError::Incomplete);
        }
        Ok(())
    }

    /// Joins a local part and a domain.
    ///
    /// # Errors
    /// As [`Address::parse`] of the joined text.
    pub fn join(local: &str, domain: &str) -> Result<Self, AddressError> {
        Self::parse(&format!("{local}@{domain}"))
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The source route without its colon (`@a,@b`), if there is one.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.marks().route_end.map(|colon| &self.0[..colon])
    }

    /// The address without its source route.
    #[must_use]
    pub fn without_route(&self) -> &str {
        &self.0[self.marks().route_end.map_or(0, |colon| colon + 1)..]
    }

    /// Everything before the last unquoted `@`, without the route; the whole if there is none.
    #[must_use]
    pub fn local(&self) -> &str {
        let marks = self.marks();
        let start = marks.route_end.map_or(0, |colon| colon + 1);
        &self.0[start..marks.at.unwrap_or(self.0.len())]
    }

    /// The same address in its plainest form: a local part in quotes that needs none is written
    /// without (RFC 5321 §4.1.2 takes both for the same mailbox).
    #[must_use]
    pub fn plain(&self) -> Cow<'_, Self> {
        let local = self.local();
        let Some(content) = unquoted(local).filter(|content| is_dot_atom(content)) else {
            return Cow::Borrowed(self);
        };
        let before = local.as_ptr() as usize - self.0.as_ptr() as usize;
        let behind = &self.0[before + local.len()..];
        Cow::Owned(Self(format!("{}{content}{behind}", &self.0[..before])))
    }

    /// Everything behind the last unquoted `@`.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.marks().at.map(|at| &self.0[at + 1..])
    }

    /// Whether an octet above 127 occurs, so that SMTPUTF8 (RFC 6531) would be needed.
    #[must_use]
    pub fn is_international(&self) -> bool {
        !self.0.is_ascii()
    }

    /// Same mailbox: domains compared without case, local parts octet for octet.
    #[must_use]
    pub fn same_mailbox(&self, other: &Self) -> bool {
        self.local() == other.local()
            && match (self.domain(), other.domain()) {
                (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            }
    }

    fn marks(&self) -> Marks {
        Marks::scan(&self.0).unwrap_or_default()
    }
}

/// What a local part that is one quoted string stands for.
fn unquoted(local: &str) -> Option<String> {
    let inside = local.strip_prefix('"')?.strip_suffix('"')?;
    let mut content = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => content.push(chars.next()?),
            _ => content.push(c),
        }
    }
    Some(content)
}

/// Words of atom characters (RFC 5322 §3.2.3) with dots between.
fn is_dot_atom(text: &str) -> bool {
    let is_atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    text.split('.')
        .all(|word| !word.is_empty() && word.chars().all(is_atom))
}

/// Where the unquoted separators of an address stand.
#[derive(Debug, Default, Clone, Copy)]
struct Marks {
    route_end: Option<usize>,
    at: Option<usize>,
}

impl Marks {
    fn scan(text: &str) -> Result<Self, AddressError> {
        let mut marks = Self::default();
        // Nearly every address.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'@' | b'-');
        if !text.starts_with('@') && text.bytes().all(plain) {
            marks.at = text.rfind('@');
            return Ok(marks);
        }
        let (mut quoted, mut literal, mut escaped) = (false, false, false);
        let routed = text.starts_with('@');
        for (at, byte) in text.bytes().enumerate() {
            if escaped {
                escaped = false;
                continue;
            }
            match byte {
                b'\\' if quoted || !literal => escaped = true,
                b'"' if !literal => quoted = !quoted,
                b'[' if !quoted && !literal => literal = true,
                b']' if !quoted && literal => literal = false,
                b' ' | b'\t' | b'<' | b'>' if !quoted => return Err(AddressError::Special),
                b'@' if !quoted && !literal => marks.at = Some(at),
                b':' if !quoted && !literal && routed && marks.route_end.is_none() => {
                    marks.route_end = Some(at);
                    marks.at = None;
                }
                _ => {}
            }
        }
        if quoted || literal || escaped {
            return Err(AddressError::Unbalanced);
        }
        if routed && marks.route_end.is_none() {
            return Err(AddressError::Incomplete);
        }
        Ok(marks)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::check(&text)?;
        Ok(Self(text))
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_that_nothing_needs_go() {
        for (text, plain) in [
            ("\"bob\"@b.example", "bob@b.example"),
            ("\"b\\o\\b.x+y\"@b.example", "bob.x+y@b.example"),
            ("@a:\"bob\"@b.example", "@a:bob@b.example"),
            ("\"bob\"", "bob"),
            ("bob@b.example", "bob@b.example"),
            ("\"b ob\"@b.example", "\"b ob\"@b.example"),
            ("\"b@c\"@b.example", "\"b@c\"@b.example"),
            ("\"b..c\"@b.example", "\"b..c\"@b.example"),
            ("\"\"@b.example", "\"\"@b.example"),
            ("\"a\".\"b\"@b.example", "\"a\".\"b\"@b.example"),
            ("\"a\\\"b\"@b.example", "\"a\\\"b\"@b.example"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.plain().as_str(), plain);
            assert!(Address::parse(plain).is_ok());
        }
    }

    #[test]
    fn parts_of_ordinary_and_odd_forms() {
        let table = [
            ("user@a", None, "user", Some("a")),
            ("user", None, "user", None),
            ("\"a@c\"@b.example", None, "\"a@c\"", Some("b.example")),
            ("@a,@b:user@c", Some("@a,@b"), "user", Some("c")),
            ("@a:user", Some("@a"), "user", None),
            ("user@[1.2.3.4]", None, "user", Some("[1.2.3.4]")),
            ("@[1.2.3.4]:u@d", Some("@[1.2.3.4]"), "u", Some("d")),
            ("a%b@c", None, "a%b", Some("c")),
            ("a!b", None, "a!b", None),
            ("u@d@ims-ms-daemon", None, "u@d", Some("ims-ms-daemon")),
            ("u:v@d", None, "u:v", Some("d")),
        ];
        for (text, route, local, domain) in table {
            let address = Address::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(address.route(), route, "{text}");
            assert_eq!(address.local(), local, "{text}");
            assert_eq!(address.domain(), domain, "{text}");
        }
    }

    #[test]
    fn what_is_no_address() {
        let long = "a".repeat(MAX_ADDRESS + 1);
        let table = [
            ("", AddressError::Empty),
            ("@example.com", AddressError::Incomplete),
            ("user@", AddressError::Incomplete),
            ("@a:", AddressError::Incomplete),
            ("a b@c", AddressError::Special),
            ("a@b>", AddressError::Special),
            ("a\rb@c", AddressError::Control),
            ("\"a\u{0}\"@c", AddressError::Control),
            ("\"a@c", AddressError::Unbalanced),
            ("a@[1.2.3.4", AddressError::Unbalanced),
            (long.as_str(), AddressError::TooLong),
        ];
        for (text, error) in table {
            assert_eq!(Address::parse(text), Err(error), "{text:?}");
        }
    }
}
