//! Replies: those we give, and those a remote server gives us.
//!
//! Ours are built as values and written once, so that no text from outside can start a line of
//! its own. A remote's are hostile until read through [`ReplyReader`]: lines, their number and
//! their length are capped and control characters are gone before anybody sees them.

mod reader;

pub use reader::{ReplyError, ReplyReader};

use mta_envelope::status::Status;

/// Longest reply line without CRLF (RFC 5321 §4.5.3.1.5 counts 512 with it).
const LINE: usize = 510;

/// One reply: code, enhanced status, one or more lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits, 200 to 599.
    pub code: u16,
    /// Enhanced status code (RFC 2034); greeting, EHLO, 334 and 354 have none.
    pub status: Option<Status>,
    /// The texts, one a line, at least one.
    pub lines: Vec<String>,
}

impl Reply {
    /// One line with an enhanced status: `Reply::new(550, (5, 1, 1), "unknown user")`.
    #[must_use]
    pub fn new(code: u16, status: (u8, u16, u16), text: impl Into<String>) -> Self {
        Self {
            code,
            status: Some(Status::new(status.0, status.1, status.2)),
            lines: vec![text.into()],
        }
    }

    /// One line without an enhanced status.
    #[must_use]
    pub fn plain(code: u16, text: impl Into<String>) -> Self {
        Self {
            code,
            status: None,
            lines: vec![text.into()],
        }
    }

    /// Appends one more line.
    #[must_use]
    pub fn line(mut self, text: impl Into<String>) -> Self {
        self.lines.push(text.into());
        self
    }

    /// 2yz.
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4yz.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5yz.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// Everything behind the code on one line, for logs and notices: `5.1.1 no such user`.
    #[must_use]
    pub fn text(&self) -> String {
        let text = self.lines.join(" ");
        match self.status {
            Some(status) if text.is_empty() => status.to_string(),
            Some(status) => format!("{status} {text}"),
            None => text,
        }
    }

    /// The whole reply on one line: `550 5.1.1 no such user`.
    #[must_use]
    pub fn one_line(&self) -> String {
        format!("{} {}", self.code, self.text())
            .trim_end()
            .to_owned()
    }

    /// The enhanced status, or the plainest one of the code's class.
    #[must_use]
    pub fn status_or_class(&self) -> Status {
        let class = match self.code / 100 {
            2 | 3 => 2,
            5 => 5,
            _ => 4,
        };
        self.status.unwrap_or(Status::new(class, 0, 0))
    }

    /// Appends the reply as it goes over the wire. Control characters become `?`, octets over
    /// 127 stay; a text too long for a line is continued on the next.
    pub fn write(&self, output: &mut Vec<u8>) {
        let status = self.status.map(|status| format!("{status} "));
        let status = status.unwrap_or_default();
        let room = LINE - 4 - status.len();
        let pieces: Vec<&str> = self
            .lines
            .iter()
            .flat_map(|line| pieces(line, room))
            .collect();
        for (index, piece) in pieces.iter().enumerate() {
            let mark = if index + 1 == pieces.len() { ' ' } else { '-' };
            output.extend_from_slice(format!("{}{mark}{status}", self.code).as_bytes());
            output.extend(
                piece
                    .bytes()
                    .map(|b| if b < 32 || b == 127 { b'?' } else { b }),
            );
            output.extend_from_slice(b"\r\n");
        }
    }
}

/// Cuts `text` into pieces of at most `room` octets, at character borders.
fn pieces(text: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > room {
        let cut = rest.floor_char_boundary(room);
        pieces.push(&rest[..cut]);
        rest = &rest[cut..];
    }
    pieces.push(rest);
    pieces
}

/// A negative reply, and whether the session ends with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the client is told.
    pub reply: Reply,
    /// Close the connection after it.
    pub close: bool,
}

impl Refusal {
    /// A refusal with code, status and text; the session goes on.
    #[must_use]
    pub fn new(code: u16, status: Status, text: impl Into<String>) -> Self {
        Self {
            reply: Reply {
                code,
                status: Some(status),
                lines: vec![text.into()],
            },
            close: false,
        }
    }

    /// Same refusal, and the session ends.
    #[must_use]
    pub fn and_close(mut self) -> Self {
        self.close = true;
        self
    }

    /// The answer to wrong credentials.
    #[must_use]
    pub fn bad_credentials() -> Self {
        Reply::new(
            535,
            (5, 7, 8),
            "Bad username or password (Authentication failed).",
        )
        .into()
    }
}

impl From<Reply> for Refusal {
    fn from(reply: Reply) -> Self {
        Self {
            reply,
            close: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply) -> String {
        let mut output = Vec::new();
        reply.write(&mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn replies_are_written_with_code_and_status_on_each_line() {
        assert_eq!(
            written(&Reply::new(550, (5, 1, 1), "no such user")),
            "550 5.1.1 no such user\r\n"
        );
        assert_eq!(
            written(&Reply::plain(250, "host").line("SIZE 0")),
            "250-host\r\n250 SIZE 0\r\n"
        );
        assert_eq!(
            written(&Reply::new(214, (2, 3, 0), "a").line("b")),
            "214-2.3.0 a\r\n214 2.3.0 b\r\n"
        );
    }

    #[test]
    fn no_text_can_start_a_line_of_its_own() {
        let text = written(&Reply::plain(250, "a\r\n550 b\0\u{7f}"));
        assert_eq!(text, "250 a??550 b??\r\n");
    }

    #[test]
    fn long_texts_are_continued() {
        let text = written(&Reply::new(250, (2, 1, 5), "x".repeat(1200)));
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.len() <= 510));
        assert!(lines[0].starts_with("250-2.1.5 x") && lines[2].starts_with("250 2.1.5 x"));
    }
}
