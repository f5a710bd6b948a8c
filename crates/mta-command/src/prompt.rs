//! Splitting and answering: command lines with quotes, and questions on a terminal.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

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

/// Asks a yes-or-no question; anything but yes means no, end of input means stop. Without a
/// terminal the question is still asked, so that a script can answer it.
#[must_use]
pub fn confirm(question: &str) -> Answer {
    print!("{question}");
    // A prompt that cannot be shown is no reason to go on: the answer is read all the same.
    drop(std::io::stdout().flush());
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) | Err(_) => Answer::Stop,
        Ok(_) => match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Answer::Yes,
            _ => Answer::No,
        },
    }
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
}
