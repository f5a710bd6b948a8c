//! Lines of a conversation: CRLF and length discipline, on both sides.
//!
//! [`Input`] is the read buffer of a connection, [`LineReader`] takes one line after the other
//! off it. Only CRLF ends a line. A line that is too long, or in which a CR or LF stands alone,
//! is found out at once and then skipped to its CRLF in constant memory.

/// Octets read from a connection and not yet used. Empty, it owns no memory.
#[derive(Debug, Default)]
pub struct Input {
    bytes: Vec<u8>,
    start: usize,
}

impl Input {
    /// What has not been used.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Whether everything has been used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Marks `count` octets as used. Nothing is moved: that would make a buffer full of short
    /// lines cost the square of its length.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
    }

    /// Appends octets.
    pub fn push(&mut self, bytes: &[u8]) {
        self.compact();
        self.bytes.extend_from_slice(bytes);
    }

    /// Room for `count` more octets behind what is there; tell how many were filled with
    /// [`Input::filled`].
    pub fn space(&mut self, count: usize) -> &mut [u8] {
        self.compact();
        let length = self.bytes.len();
        self.bytes.resize(length + count, 0);
        &mut self.bytes[length..]
    }

    /// Of the last [`Input::space`] of `count` octets, only `filled` are data.
    pub fn filled(&mut self, count: usize, filled: usize) {
        self.bytes.truncate(self.bytes.len() - count + filled);
    }

    /// Forgets everything and gives the memory back.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn compact(&mut self) {
        self.bytes.drain(..self.start);
        self.start = 0;
    }
}

/// Why a line is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// Longer than allowed.
    #[error("line too long")]
    TooLong,
    /// A CR without LF, or an LF without CR, within it.
    #[error("bare CR or LF in line")]
    BareLineEnd,
}

/// What the next octets are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A complete line, without its CRLF.
    Complete(Vec<u8>),
    /// Its end has not come yet.
    Partial,
    /// A faulty line begins here (told once; the rest of it is skipped silently).
    Fault(LineFault),
    /// A faulty line does not end for [`LineReader`]'s skip limit.
    Flood,
}

/// Octets of one faulty line that are skipped before we give up.
const SKIP_LIMIT: u64 = 64 << 20;

/// Takes lines off an [`Input`].
#[derive(Debug, Default)]
pub struct LineReader {
    /// Octets at the front of the input that are known to hold no line end.
    scanned: usize,
    /// Within a faulty line: octets skipped so far, and whether the last was a CR.
    skipping: Option<(u64, bool)>,
}

impl LineReader {
    /// Takes the next line if it is complete; `longest` counts without CRLF.
    pub fn next(&mut self, input: &mut Input, longest: usize) -> Line {
        if let Some((skipped, cr)) = self.skipping {
            return match self.skip(input, skipped, cr) {
                Some(line) => line,
                None => self.next(input, longest),
            };
        }
        let rest = input.rest();
        let Some(at) = memchr::memchr2(b'\r', b'\n', &rest[self.scanned..]) else {
            self.scanned = rest.len();
            if rest.len() > longest + 1 {
                return self.fault(LineFault::TooLong);
            }
            return Line::Partial;
        };
        let at = self.scanned + at;
        if at > longest {
            return self.fault(LineFault::TooLong);
        }
        match (rest[at], rest.get(at + 1)) {
            (b'\r', Some(b'\n')) => {
                let line = rest[..at].to_vec();
                input.consume(at + 2);
                self.scanned = 0;
                Line::Complete(line)
            }
            (b'\r', None) => {
                self.scanned = at;
                Line::Partial
            }
            _ => self.fault(LineFault::BareLineEnd),
        }
    }

    /// Whether octets of an unfinished or faulty line are held back.
    #[must_use]
    pub fn is_within_line(&self, input: &Input) -> bool {
        self.skipping.is_some() || !input.is_empty()
    }

    fn fault(&mut self, fault: LineFault) -> Line {
        self.scanned = 0;
        self.skipping = Some((0, false));
        Line::Fault(fault)
    }

    /// Skips to the CRLF; nothing when it has been passed.
    fn skip(&mut self, input: &mut Input, skipped: u64, mut cr: bool) -> Option<Line> {
        let rest = input.rest();
        let length = rest.len();
        for at in memchr::memchr2_iter(b'\r', b'\n', rest) {
            let after_cr = if at == 0 { cr } else { rest[at - 1] == b'\r' };
            if rest[at] == b'\n' && after_cr {
                input.consume(at + 1);
                self.skipping = None;
                return None;
            }
        }
        if length > 0 {
            cr = rest[length - 1] == b'\r';
        }
        let skipped = skipped + length as u64;
        input.consume(length);
        self.skipping = Some((skipped, cr));
        Some(if skipped > SKIP_LIMIT {
            Line::Flood
        } else {
            Line::Partial
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8], step: usize) -> Vec<Line> {
        let (mut buffer, mut reader, mut lines) = (Input::default(), LineReader::default(), vec![]);
        for piece in input.chunks(step) {
            buffer.push(piece);
            loop {
                match reader.next(&mut buffer, 10) {
                    Line::Partial => break,
                    line => lines.push(line),
                }
            }
        }
        lines
    }

    fn complete(text: &str) -> Line {
        Line::Complete(text.as_bytes().to_vec())
    }

    #[test]
    fn only_crlf_ends_a_line() {
        let bare = || Line::Fault(LineFault::BareLineEnd);
        let long = || Line::Fault(LineFault::TooLong);
        let table: [(&[u8], Vec<Line>); 9] = [
            (
                b"NOOP\r\nQUIT\r\n",
                vec![complete("NOOP"), complete("QUIT")],
            ),
            (b"\r\n\r\n", vec![complete(""), complete("")]),
            (b"1234567890\r\n", vec![complete("1234567890")]),
            (b"12345678901\r\nok\r\n", vec![long(), complete("ok")]),
            (b"NOOP\nRSET\r\nok\r\n", vec![bare(), complete("ok")]),
            (b"NO\rOP\r\nok\r\n", vec![bare(), complete("ok")]),
            (b"NOOP\r\r\nok\r\n", vec![bare(), complete("ok")]),
            (b"a\nb\nc\n", vec![bare()]),
            (b"a\r", vec![]),
        ];
        for (input, expected) in table {
            for step in [1, 2, 100] {
                let name = String::from_utf8_lossy(input).escape_debug().to_string();
                assert_eq!(lines(input, step), expected, "{name} by {step}");
            }
        }
    }

    #[test]
    fn a_20_mb_line_is_skipped_without_memory_and_an_endless_one_given_up() {
        let (mut buffer, mut reader) = (Input::default(), LineReader::default());
        let piece = vec![b'x'; 16_384];
        let (mut faults, mut flood) = (0, 0_u64);
        for round in 0..5000_u64 {
            buffer.push(&piece);
            match reader.next(&mut buffer, 4096) {
                Line::Fault(LineFault::TooLong) => faults += 1,
                Line::Flood => {
                    flood = round * 16_384;
                    break;
                }
                Line::Partial => {}
                other => panic!("{other:?}"),
            }
            assert!(buffer.bytes.capacity() <= 64 << 10);
        }
        assert_eq!(faults, 1);
        assert!(flood > 20 << 20 && flood < 80 << 20, "{flood}");
    }
}
