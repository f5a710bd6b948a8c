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
            complain(&format!(
                "%IMTA-E-OUTPUT, cannot write to standard output: {error}"
            ));
        }
        std::process::exit(i32::from(!gone));
    }
}

/// A line for standard error. A reader that went away changes nothing: the exit status says what
/// came of the command, whether or not anybody reads why.
pub fn complain(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Prints a listing: as the product lays it out, or as one JSON document.
pub fn show<V: Display + Serialize>(view: &V, as_json: bool) {
    if as_json {
        json(view);
    } else {
        block(&view.to_string());
    }
}

/// Prints a view as one JSON document.
pub fn json<V: Serialize>(view: &V) {
    match serde_json::to_string_pretty(view) {
        Ok(text) => line(&text),
        Err(error) => complain(&format!("%IMTA-E-OUTPUT, cannot print as JSON: {error}")),
    }
}

/// `text` with control characters written as `\xNN` and marks that turn the direction of writing
/// as `\u{NNNN}`, so that no message, address or file name can drive a terminal or show itself as
/// what it is not. For a field of a line; see [`visible_text`] for whole lines.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, is_harmful)
}

/// As [`visible`], for a line of a message or a log: tabs, which fold headers and set columns, are
/// shown as they are.
#[must_use]
pub fn visible_text(line: &str) -> Cow<'_, str> {
    escaped(line, |c| c != '\t' && is_harmful(c))
}

fn is_harmful(c: char) -> bool {
    c.is_control() || turns_direction(c)
}

/// Embeddings, overrides and isolates of bidirectional writing: they make a terminal show later
/// characters before earlier ones.
const fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, harmful: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if !harmful(c) {
            shown.push(c);
        } else if turns_direction(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push_str(&format!("\\x{:02x}", u32::from(c)));
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
        assert_eq!(visible("\u{202e}moc.elpmaxe"), "\\u{202e}moc.elpmaxe");
        assert_eq!(visible("\u{2066}x\u{2069}"), "\\u{2066}x\\u{2069}");
    }

    #[test]
    fn a_line_keeps_its_tabs() {
        assert_eq!(visible("a\tb"), "a\\x09b");
        assert_eq!(
            visible_text("\tby b.example;\u{1b}[2J"),
            "\tby b.example;\\x1b[2J"
        );
    }
}
