//! Reading a remote server's replies, which are hostile until proven otherwise.

use mta_envelope::status::Status;

use super::Reply;
use crate::line::Input;

/// Longest line that is kept; the rest of a longer one is dropped.
const MAX_LINE: usize = 1024;
/// Octets of one line, dropped ones included, before the server is given up.
const MAX_LINE_READ: usize = 64 << 10;
/// Most lines of one reply.
const MAX_LINES: usize = 100;

/// Why what a server says is no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// No three digits at the front, or nothing sensible behind them.
    #[error("nonsense reply from remote server: {0:?}")]
    Nonsense(String),
    /// The lines of one reply have different codes.
    #[error("remote server's reply changes its code from {first} to {other}")]
    CodeChanges {
        /// Code of the first line.
        first: u16,
        /// Code of a later line.
        other: u16,
    },
    /// Too long or too many lines.
    #[error("reply of remote server is too long")]
    TooLong,
}

/// Collects one reply after the other off an [`Input`].
#[derive(Debug, Default)]
pub struct ReplyReader {
    /// Code and lines so far of the reply under way.
    partial: Option<Reply>,
    /// The line under way, without its dropped part.
    line: Vec<u8>,
    /// Its length, with the dropped part.
    length: usize,
}

impl ReplyReader {
    /// The next complete reply, or nothing while more octets are needed. After an error the
    /// connection cannot be used any more.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn next(&mut self, input: &mut Input) -> Result<Option<Reply>, ReplyError> {
        while !input.is_empty() {
            let rest = input.rest();
            let end = memchr::memchr(b'\n', rest);
            let piece = &rest[..end.unwrap_or(rest.len())];
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            self.length += piece.len();
            let used = end.map_or(rest.len(), |end| end + 1);
            input.consume(used);
            if self.length > MAX_LINE_READ {
                return Err(ReplyError::TooLong);
            }
            if end.is_some()
                && let Some(reply) = self.end_line()?
            {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    fn end_line(&mut self) -> Result<Option<Reply>, ReplyError> {
        let line = std::mem::take(&mut self.line);
        self.length = 0;
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let (code, more, text) = split(line)?;
        let reply = self.partial.get_or_insert(Reply {
            code,
            status: None,
            lines: Vec::new(),
        });
        if reply.code != code {
            return Err(ReplyError::CodeChanges {
                first: reply.code,
                other: code,
            });
        }
        let (status, text) = enhanced(code, &text);
        reply.status = reply.status.or(status);
        reply.lines.push(text.to_owned());
        if reply.lines.len() > MAX_LINES {
            return Err(ReplyError::TooLong);
        }
        Ok(if more { None } else { self.partial.take() })
    }
}

/// Code, whether more lines follow, and the text without control characters.
fn split(line: &[u8]) -> Result<(u16, bool, String), ReplyError> {
    let clean = |c: char| if c.is_control() { '?' } else { c };
    let text: String = String::from_utf8_lossy(line).chars().map(clean).collect();
    let nonsense = || ReplyError::Nonsense(text.chars().take(200).collect());
    let digits = text
        .get(..3)
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let code: u16 = digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(nonsense)?;
    let (more, rest) = match text.as_bytes().get(3) {
        None => (false, ""),
        Some(b' ') => (false, &text[4..]),
        Some(b'-') => (true, &text[4..]),
        Some(_) => return Err(nonsense()),
    };
    if !(200..600).contains(&code) {
        return Err(nonsense());
    }
    Ok((code, more, rest.trim_end().to_owned()))
}

/// Takes an enhanced status of the code's own class off the text.
fn enhanced(code: u16, text: &str) -> (Option<Status>, &str) {
    match Status::parse_prefix(text) {
        Some((status, rest)) if u16::from(status.class) == code / 100 => (Some(status), rest),
        Some(_) | None => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], step: usize) -> Result<Vec<Reply>, ReplyError> {
        let (mut reader, mut input, mut replies) =
            (ReplyReader::default(), Input::default(), vec![]);
        for piece in text.chunks(step) {
            input.push(piece);
            while let Some(reply) = reader.next(&mut input)? {
                replies.push(reply);
            }
        }
        Ok(replies)
    }

    #[test]
    fn replies_are_read_whatever_the_segments() {
        let text =
            b"220 mx.example.org ESMTP\r\n250-a\r\n250-SIZE 5\n250 HELP\r\n550 5.1.1 no\r\n354\r\n";
        for step in [1, 3, 1000] {
            let replies = read(text, step).unwrap();
            let lines: Vec<String> = replies.iter().map(Reply::one_line).collect();
            let expected = [
                "220 mx.example.org ESMTP",
                "250 a SIZE 5 HELP",
                "550 5.1.1 no",
                "354",
            ];
            assert_eq!(lines, expected);
            assert_eq!(replies[2].status, Some(Status::UNKNOWN_USER));
        }
    }

    #[test]
    fn a_status_of_another_class_is_only_text() {
        let replies = read(b"250 5.1.1 odd\r\n", 99).unwrap();
        assert_eq!(
            (replies[0].status, replies[0].lines[0].as_str()),
            (None, "5.1.1 odd")
        );
    }

    #[test]
    fn nonsense_is_no_reply() {
        for text in [
            b"hello\r\n".as_slice(),
            b"\r\n",
            b"25\r\n",
            b"250x\r\n",
            b"999 x\r\n",
            b"100 x\r\n",
            "25\u{e9} x\r\n".as_bytes(),
        ] {
            assert!(
                matches!(read(text, 7), Err(ReplyError::Nonsense(_))),
                "{text:?}"
            );
        }
        assert!(matches!(
            read(b"250-a\r\n251 b\r\n", 7),
            Err(ReplyError::CodeChanges { .. })
        ));
    }

    #[test]
    fn control_characters_never_get_through() {
        let replies = read(b"550 a\x1b[2Jb\x00\xc2\x9bc\r\n", 99).unwrap();
        assert_eq!(replies[0].lines[0], "a?[2Jb??c");
    }

    #[test]
    fn length_and_number_of_lines_are_bounded() {
        let long = [b"250 ".to_vec(), vec![b'x'; 5000], b"\r\n".to_vec()].concat();
        assert_eq!(read(&long, 100).unwrap()[0].lines[0].len(), MAX_LINE - 4);
        assert_eq!(read(&vec![b'x'; 100_000], 1000), Err(ReplyError::TooLong));
        assert_eq!(
            read(&b"250-x\r\n".repeat(200), 1000),
            Err(ReplyError::TooLong)
        );
    }
}
