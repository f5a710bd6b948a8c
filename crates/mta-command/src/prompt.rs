//! Splitting and answering: command lines with quotes, and questions on a terminal.

use crate::output;
use std::io::{BufRead, IsTerminal as _};

/// Splits a line into words at blanks; double and single quotes and a backslash protect.
///
/// # Errors
/// The quote that was not closed.
pub fn split(line: &str) -> Result<Vec<String>, char> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                word.get_or_insert_default().extend(characters.next());
            }
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.map_or(Ok(words), Err)
}

/// The answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// `y` or `yes`.
    Yes,
    /// Anything else.
    No,
    /// End of input: stop asking.
    Stop,
}

/// Asks a yes-or-no question; anything but yes means no, end of input and Ctrl-C mean stop.
/// Without a terminal the question is still asked, so that a script can answer it.
#[must_use]
pub fn confirm(question: &str) -> Answer {
    match ask(question) {
        Typed::End => {
            if !is_interactive() {
                // What was asked without a terminal still lacks its line end.
                output::line("");
            }
            Answer::Stop
        }
        Typed::Line(line) => match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Answer::Yes,
            _ => Answer::No,
        },
    }
}

/// What came in answer to a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// A line, without its end.
    Line(String),
    /// End of input, or Ctrl-C at a terminal.
    End,
}

/// Shows a prompt and takes a line. On a terminal Ctrl-C takes back the question and not the
/// whole program, as it does at the prompt of a session.
#[must_use]
pub fn ask(prompt: &str) -> Typed {
    if is_interactive() {
        let answer = rustyline::DefaultEditor::new().and_then(|mut editor| editor.readline(prompt));
        return answer.map_or(Typed::End, Typed::Line);
    }
    output::block(prompt);
    read_line().map_or(Typed::End, Typed::Line)
}

/// The next line of standard input, without its end; nothing at the end of input. Bytes that are
/// no UTF-8 become the replacement character. Nothing stays locked between two lines, so that
/// whoever carries a line out may ask for another.
#[must_use]
pub fn read_line() -> Option<String> {
    line_of(&mut std::io::stdin().lock())
}

fn line_of(input: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    // An input that cannot be read is at its end.
    let read = input.read_until(b'\n', &mut bytes).unwrap_or(0);
    if read == 0 {
        return None;
    }
    let line = String::from_utf8_lossy(&bytes);
    Some(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Whether a person sits at both ends: prompts and progress are for terminals only.
#[must_use]
pub fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_protect() {
        let table = [
            (
                "dir  -from=<> tcp_local",
                vec!["dir", "-from=<>", "tcp_local"],
            ),
            (
                "clean -subject=\"cheap offers\" ''",
                vec!["clean", "-subject=cheap offers", ""],
            ),
            (r"a\ b", vec!["a b"]),
            ("", vec![]),
        ];
        for (line, words) in table {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
        assert_eq!(split("a \"b"), Err('"'));
    }

    #[test]
    fn a_line_need_not_be_utf8() {
        let mut input = &b"date\r\n\xff\nexit"[..];
        let mut next = || line_of(&mut input);
        assert_eq!(next().as_deref(), Some("date"));
        assert_eq!(next().as_deref(), Some("\u{fffd}"));
        assert_eq!(next().as_deref(), Some("exit"));
        assert_eq!(next(), None);
    }
}
