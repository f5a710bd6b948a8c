//! Header lines with octets above 127 in seven bits: encoded words (RFC 2047) where text may
//! stand, RFC 2231 in the parameters of content fields, `*` where neither is allowed.

use super::structure::{split_parameters, unquote};
use crate::header::Field;

/// Longest encoded word (RFC 2047 §2).
const LONGEST: usize = 75;

const ADDRESSES: [&str; 16] = [
    "From",
    "To",
    "Cc",
    "Bcc",
    "Sender",
    "Reply-To",
    "Resent-From",
    "Resent-To",
    "Resent-Cc",
    "Resent-Bcc",
    "Resent-Sender",
    "Resent-Reply-To",
    "Errors-To",
    "Return-Receipt-To",
    "Disposition-Notification-To",
    "Mail-Followup-To",
];

const WITHOUT_TEXT: [&str; 8] = [
    "Received",
    "Return-Path",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Date",
    "MIME-Version",
    "Content-Transfer-Encoding",
];

/// The field in seven bits; one that is so already stays untouched.
pub(super) fn encode(field: Field, charset: &str) -> Field {
    if field.raw().is_ascii() {
        return field;
    }
    let value: Vec<u8> = field
        .raw_value()
        .iter()
        .copied()
        .filter(|b| *b != b'\n')
        .collect();
    let value = value.trim_ascii();
    let charset = if std::str::from_utf8(value).is_ok() {
        "UTF-8"
    } else {
        charset
    };
    let name = field.name().to_owned();
    let any = |names: &[&str]| names.iter().any(|one| field.is(one));
    let encoded = if any(&WITHOUT_TEXT) {
        stars(value)
    } else if any(&ADDRESSES) {
        addresses(value, charset)
    } else if field.is("Content-Type") || field.is("Content-Disposition") {
        parameters(value, charset)
    } else {
        text(value, charset)
    };
    Field::folded(&name, &encoded)
}

fn stars(bytes: &[u8]) -> String {
    let star = |b: &u8| if b.is_ascii() { char::from(*b) } else { '*' };
    bytes.iter().map(star).collect()
}

/// Free text: runs of words that hold 8-bit octets become encoded words.
fn text(bytes: &[u8], charset: &str) -> String {
    let words: Vec<&[u8]> = bytes.split(|b| *b == b' ' || *b == b'\t').collect();
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    for run in words.chunk_by(|a, b| a.is_ascii() == b.is_ascii()) {
        if run[0].is_ascii() {
            out.extend(run.iter().map(|word| stars(word)));
        } else {
            out.push(encoded_words(&run.join(&b' '), charset));
        }
    }
    out.join(" ")
}

/// `bytes` as one or more encoded words, a blank between them.
fn encoded_words(bytes: &[u8], charset: &str) -> String {
    let start = format!("=?{charset}?Q?");
    let mut out = start.clone();
    let mut length = start.len();
    let characters = std::str::from_utf8(bytes).is_ok();
    for group in bytes.chunk_by(|_, next| characters && (*next & 0xC0) == 0x80) {
        // A character is never cut in two.
        let token: String = group.iter().map(|byte| q(*byte)).collect();
        if length + token.len() + 2 > LONGEST {
            out.push_str("?= ");
            out.push_str(&start);
            length = start.len();
        }
        length += token.len();
        out.push_str(&token);
    }
    out.push_str("?=");
    out
}

fn q(byte: u8) -> String {
    match byte {
        b' ' => "_".to_owned(),
        _ if byte.is_ascii_alphanumeric() || b"!*+-/".contains(&byte) => {
            char::from(byte).to_string()
        }
        _ => format!("={byte:02X}"),
    }
}

/// A piece of an address field.
#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    /// An atom or quoted string.
    Word(&'a [u8]),
    /// White space.
    Blank,
    /// `(…)`, its parentheses left out.
    Comment(&'a [u8]),
    /// `<…>` with its brackets, or a single special.
    Other(&'a [u8]),
}

/// Address lists: phrases and comments become encoded words, addresses get stars.
fn addresses(bytes: &[u8], charset: &str) -> String {
    let tokens = tokens(bytes);
    let mut out = String::with_capacity(bytes.len() * 2);
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            Token::Blank => out.push(' '),
            Token::Other(part) => out.push_str(&stars(part)),
            Token::Comment(part) if part.is_ascii() => {
                out.push_str(&format!("({})", stars(part)));
            }
            Token::Comment(part) => {
                out.push_str(&format!("({})", encoded_words(part, charset)));
            }
            Token::Word(word) if word.is_ascii() => out.push_str(&stars(word)),
            Token::Word(word) if beside_at(&tokens, at) => out.push_str(&stars(word)),
            Token::Word(_) => {
                let (phrase, next) = phrase(&tokens, at);
                out.push_str(&encoded_words(&phrase, charset));
                at = next;
                continue;
            }
        }
        at += 1;
    }
    out
}

/// Whether the word is part of an address without angle brackets.
fn beside_at(tokens: &[Token<'_>], at: usize) -> bool {
    let is_at = |index: Option<usize>| {
        let token = index.and_then(|index| tokens.get(index));
        matches!(token, Some(Token::Other(b"@")))
    };
    is_at(at.checked_sub(1)) || is_at(Some(at + 1))
}

/// The 8-bit words from `at` on with the blanks between them, unquoted.
fn phrase(tokens: &[Token<'_>], at: usize) -> (Vec<u8>, usize) {
    let mut bytes = Vec::new();
    let mut next = at;
    let mut index = at;
    while let Some(Token::Word(word)) = tokens.get(index) {
        if word.is_ascii() || beside_at(tokens, index) {
            break;
        }
        if index > at {
            bytes.push(b' ');
        }
        bytes.extend(plain_word(word));
        next = index + 1;
        index += 1;
        if matches!(tokens.get(index), Some(Token::Blank)) {
            index += 1;
        } else {
            break;
        }
    }
    (bytes, next)
}

fn plain_word(word: &[u8]) -> Vec<u8> {
    let Some(inside) = word.strip_prefix(b"\"") else {
        return word.to_vec();
    };
    let inside = inside.strip_suffix(b"\"").unwrap_or(inside);
    let mut escaped = false;
    let keep = |b: &&u8| {
        escaped = **b == b'\\' && !escaped;
        !escaped
    };
    inside.iter().filter(keep).copied().collect()
}

fn tokens(bytes: &[u8]) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (token, used) = match rest[0] {
            b' ' | b'\t' => {
                let blanks = rest.iter().take_while(|b| matches!(b, b' ' | b'\t'));
                (Token::Blank, blanks.count())
            }
            b'"' => {
                let end = closing(rest, b'"');
                (Token::Word(&rest[..end]), end)
            }
            b'(' => {
                let end = comment_end(rest);
                let inside = rest[1..end].strip_suffix(b")").unwrap_or(&rest[1..end]);
                (Token::Comment(inside), end)
            }
            b'<' => {
                let end = closing(rest, b'>');
                (Token::Other(&rest[..end]), end)
            }
            b if is_special(b) => (Token::Other(&rest[..1]), 1),
            _ => {
                let end = rest
                    .iter()
                    .position(|b| is_special(*b) || b.is_ascii_whitespace());
                let end = end.unwrap_or(rest.len());
                (Token::Word(&rest[..end]), end)
            }
        };
        tokens.push(token);
        at += used.max(1);
    }
    tokens
}

const fn is_special(byte: u8) -> bool {
    matches!(
        byte,
        b'"' | b'(' | b')' | b'<' | b'>' | b'@' | b',' | b';' | b':' | b'[' | b']' | b'\\'
    )
}

/// Octets up to and including the unescaped `end`, which is not the first one.
fn closing(rest: &[u8], end: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.iter().enumerate().skip(1) {
        if escaped {
            escaped = false;
        } else if *byte == b'\\' {
            escaped = true;
        } else if *byte == end {
            return at + 1;
        }
    }
    rest.len()
}

fn comment_end(rest: &[u8]) -> usize {
    let (mut depth, mut escaped) = (0_usize, false);
    for (at, byte) in rest.iter().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    rest.len()
}

/// Content fields: `name="Grüße"` becomes `name*=UTF-8''Gr%C3%BC%C3%9Fe`.
fn parameters(bytes: &[u8], charset: &str) -> String {
    // One character per octet, so that every octet survives the splitting.
    let value: String = bytes.iter().map(|b| char::from(*b)).collect();
    let octets = |text: &str| text.chars().map(|c| c as u8).collect::<Vec<u8>>();
    let parts = split_parameters(&value).enumerate().map(|(at, part)| {
        let part = part.trim();
        match part.split_once('=') {
            _ if part.is_ascii() => part.to_owned(),
            Some((name, value)) if at > 0 && name.is_ascii() => {
                let name = name.trim().trim_end_matches('*');
                let bytes = octets(&unquote(value.trim()));
                format!("{name}*={charset}''{}", percent(&bytes))
            }
            Some(_) | None => stars(&octets(part)),
        }
    });
    parts.collect::<Vec<_>>().join("; ")
}

fn percent(bytes: &[u8]) -> String {
    let one = |byte: &u8| match byte {
        _ if byte.is_ascii_alphanumeric() || b"-._~!#$&+^`{}|".contains(byte) => {
            char::from(*byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    bytes.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::decode;

    fn encoded(line: &[u8]) -> String {
        let raw = [line, b"\n"].concat();
        let header = crate::header::Header::parse(&raw);
        let field = encode(header.fields().next().unwrap().clone(), "ISO-8859-1");
        String::from_utf8(field.raw().to_vec()).unwrap()
    }

    #[test]
    fn every_kind_of_field_gets_its_own_form() {
        let table: [(&[u8], &str); 11] = [
            (b"Subject: plain", "Subject: plain\n"),
            (
                "Subject: Viele Grüße an alle".as_bytes(),
                "Subject: Viele =?UTF-8?Q?Gr=C3=BC=C3=9Fe?= an alle\n",
            ),
            (
                b"Subject: B\xf6tes \xe4 b",
                "Subject: =?ISO-8859-1?Q?B=F6tes_=E4?= b\n",
            ),
            (
                "From: Jörg Müller <j@x>".as_bytes(),
                "From: =?UTF-8?Q?J=C3=B6rg_M=C3=BCller?= <j@x>\n",
            ),
            (
                "To: \"Müller, \\\"J\\\"\" <j@x>, k@y".as_bytes(),
                "To: =?UTF-8?Q?M=C3=BCller=2C_=22J=22?= <j@x>, k@y\n",
            ),
            (
                "Cc: a@b (Jörg (x))".as_bytes(),
                "Cc: a@b (=?UTF-8?Q?J=C3=B6rg_=28x=29?=)\n",
            ),
            ("To: jörg@x, <ä@y>".as_bytes(), "To: j**rg@x, <**@y>\n"),
            ("Received: from bö".as_bytes(), "Received: from b**\n"),
            (
                "Content-type: text/plain; name=\"Grüße;1.txt\"; x=y".as_bytes(),
                "Content-type: text/plain; name*=UTF-8''Gr%C3%BC%C3%9Fe%3B1.txt; x=y\n",
            ),
            (
                b"Content-Disposition: attachment; filename=\xe4",
                "Content-Disposition: attachment; filename*=ISO-8859-1''%E4\n",
            ),
            ("X-Any: ä".as_bytes(), "X-Any: =?UTF-8?Q?=C3=A4?=\n"),
        ];
        for (line, expected) in table {
            assert_eq!(encoded(line), expected);
        }
    }

    #[test]
    fn long_text_is_cut_between_characters_and_decodes_again() {
        let text = "ÄÖÜ€".repeat(40);
        let line = encoded(format!("Subject: {text}").as_bytes());
        for word in line.split_whitespace().skip(1) {
            assert!(word.len() <= LONGEST, "{word}");
        }
        assert!(line.lines().all(|line| line.len() <= 90));
        let value = line.strip_prefix("Subject: ").unwrap().replace('\n', "");
        assert_eq!(decode(&value), text);
    }

    #[test]
    fn broken_address_fields_are_survived() {
        for line in [
            "To: \"ä", "To: (ä", "To: <ä", "To: ä\\", "To: )ä(", "To: @ä@",
        ] {
            assert!(encoded(line.as_bytes()).is_ascii(), "{line}");
        }
    }
}
