//! The one way by which text from outside gets into a log or onto a terminal.
//!
//! Control characters (also those above 127), line separators and the marks that reverse the
//! direction of text become visible escapes; everything else stays as it is.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with everything escaped that could move a cursor or start a line.
#[must_use]
pub fn text(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (b' '..0x7f).contains(&b)) || !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    push(&mut safe, text);
    Cow::Owned(safe)
}

/// As [`text`], for octets that need not be UTF-8; each octet that is none is shown as `\xNN`.
#[must_use]
pub fn bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(valid) = std::str::from_utf8(bytes) {
        return text(valid);
    }
    let mut safe = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        push(&mut safe, chunk.valid());
        for byte in chunk.invalid() {
            push_octet(&mut safe, *byte);
        }
    }
    Cow::Owned(safe)
}

/// Appends `text` to `line`, escaped.
pub fn push(line: &mut String, text: &str) {
    if text.bytes().all(|b| (b' '..0x7f).contains(&b)) {
        line.push_str(text);
        return;
    }
    for c in text.chars() {
        if !is_unsafe(c) {
            line.push(c);
        } else if let Ok(octet) = u8::try_from(u32::from(c)) {
            push_octet(line, octet);
        } else {
            // Writing to a String cannot fail.
            write!(line, "\\u{{{:x}}}", u32::from(c)).unwrap_or_default();
        }
    }
}

fn push_octet(line: &mut String, octet: u8) {
    // Writing to a String cannot fail.
    write!(line, "\\x{octet:02x}").unwrap_or_default();
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
        )
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_could_do_harm_is_changed() {
        let table = [
            (
                "plain text, \"quoted\\ \" too",
                "plain text, \"quoted\\ \" too",
            ),
            ("a\r\nb", "a\\x0d\\x0ab"),
            ("tab\there", "tab\\x09here"),
            ("\u{7f}", "\\x7f"),
            ("\u{9b}2J", "\\x9b2J"),
            ("grün", "grün"),
            ("a\u{202e}b\u{2028}", "a\\u{202e}b\\u{2028}"),
        ];
        for (from, to) in table {
            assert_eq!(text(from), to);
        }
        assert!(matches!(text("unchanged"), Cow::Borrowed(_)));
    }

    #[test]
    fn octets_that_are_no_utf8_are_shown() {
        assert_eq!(bytes(b"B\xf6tes \x1b"), "B\\xf6tes \\x1b");
        assert_eq!(bytes("Bötes".as_bytes()), "Bötes");
    }
}
