//! From a text to tokens, each with its line.

use crate::parser::SyntaxError;

/// A word, a sign or a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Name(String),
    Integer(i64),
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// Signs, the longer ones first.
const SIGNS: [&str; 27] = [
    "==", "!=", "<=", ">=", "&&", "||", ".=", "+=", "-=", "=", "<", ">", "!", "+", "-", "*", "/",
    "%", ".", ",", ";", "(", ")", "[", "]", "{", "}",
];

/// The tokens of a text, `End` last.
pub(crate) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, SyntaxError> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut line = 1;
    loop {
        let (after, lines) = blank(rest, line)?;
        rest = after;
        line += lines;
        let Some(first) = rest.chars().next() else {
            found.push((Token::End, line));
            return Ok(found);
        };
        let (token, length) = if first == '"' {
            text_token(rest, line)?
        } else if first.is_ascii_digit() {
            number(rest, line)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            (Token::Name(rest[..end].to_owned()), end)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            return Err(SyntaxError::new(
                line,
                format!("unexpected character {first:?}"),
            ));
        };
        found.push((token, line));
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
}

/// Skips blanks and comments; what follows, and how many lines were skipped.
fn blank(text: &str, line: usize) -> Result<(&str, usize), SyntaxError> {
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start();
        rest = if trimmed.starts_with('#') {
            trimmed.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(inside) = trimmed.strip_prefix("/*") {
            let open = || SyntaxError::new(line, "comment is not closed".to_owned());
            inside.split_once("*/").ok_or_else(open)?.1
        } else {
            let skipped = &text[..text.len() - trimmed.len()];
            return Ok((trimmed, skipped.matches('\n').count()));
        };
    }
}

fn text_token(rest: &str, line: usize) -> Result<(Token, usize), SyntaxError> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Text(text), at + 1)),
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, c)) => text.push(c),
                None => break,
            },
            c => text.push(c),
        }
    }
    Err(SyntaxError::new(line, "string is not closed".to_owned()))
}

/// Decimal, or with `0x` hexadecimal, or as option files write it in base b: `b%v`.
fn number(rest: &str, line: usize) -> Result<(Token, usize), SyntaxError> {
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(rest.len());
    let word = &rest[..end];
    let parsed = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => word.parse(),
    };
    match parsed {
        Ok(number) => Ok((Token::Integer(number), end)),
        Err(_) => Err(SyntaxError::new(line, format!("bad number {word}"))),
    }
}
