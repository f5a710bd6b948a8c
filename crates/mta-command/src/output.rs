//! Printing: no raw control characters, no panic on a closed pipe, one view for people and JSON.

use serde::Serialize;
use std::borrow::Cow;
use std::fmt::Display;
use std::io::{ErrorKind, Write as _};

/// A line for standard output. A reader that went away ends the program quietly with status 0,
/// as `head` expects.
pub fn line(text: &str) {
    block(&format!("{text}\n"));
}

/// A text for standard output as it is, without a line end of its own.
pub fn block(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = written {
        let gone = error.kind() == ErrorKind::BrokenPipe;
        if !gone {
            eprintln!("%IMTA-E-OUTPUT, cannot write to standard output: {error}");
        }
        std::process::exit(i32::from(!gone));
    }
}

/// Prints a listing: as the product lays it out, or as one JSON document.
pub fn show<V: Display + Serialize>(view: &V, json: bool) {
    if json {
        match serde_json::to_string_pretty(view) {
            Ok(text) => line(&text),
            Err(error) => eprintln!("%IMTA-E-OUTPUT, cannot print as JSON: {error}"),
        }
    } else {
        block(&view.to_string());
    }
}

/// `text` with control characters written as `\xNN`, so that no message, address or file name
/// can drive a terminal.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_control() {
            shown.push_str(&format!("\\x{:02x}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(visible("a\r\n\u{7}b"), "a\\x0d\\x0a\\x07b");
        assert_eq!(visible("plain ü"), "plain ü");
    }
}
