//! From LF lines in the queue to CRLF lines with stuffed dots on the wire.

/// Encoder of one message for DATA. Bare CRs, which no enqueue lets in, become blanks on the
/// way out, so that whatever is in a file can never smuggle a line to a lenient server.
#[derive(Debug)]
pub struct DotEncoder {
    stuffing: bool,
    at_line_start: bool,
}

impl DotEncoder {
    /// For DATA: dots at line starts are doubled.
    #[must_use]
    pub const fn for_data() -> Self {
        Self {
            stuffing: true,
            at_line_start: true,
        }
    }

    /// For BDAT: line ends only.
    #[must_use]
    pub const fn for_chunks() -> Self {
        Self {
            stuffing: false,
            at_line_start: true,
        }
    }

    /// Appends the wire form of `input` to `output`.
    pub fn encode(&mut self, input: &[u8], output: &mut Vec<u8>) {
        output.reserve(input.len() + input.len() / 32);
        let mut rest = input;
        while !rest.is_empty() {
            if self.stuffing && self.at_line_start && rest[0] == b'.' {
                output.push(b'.');
            }
            let run = memchr::memchr2(b'\n', b'\r', rest);
            output.extend_from_slice(&rest[..run.unwrap_or(rest.len())]);
            let Some(run) = run else {
                self.at_line_start = false;
                return;
            };
            self.at_line_start = rest[run] == b'\n';
            output.extend_from_slice(if self.at_line_start { b"\r\n" } else { b" " });
            rest = &rest[run + 1..];
        }
    }

    /// Completes the last line if it has no line end, and for DATA appends the final dot.
    pub fn finish(&mut self, output: &mut Vec<u8>) {
        if !self.at_line_start {
            output.extend_from_slice(b"\r\n");
            self.at_line_start = true;
        }
        if self.stuffing {
            output.extend_from_slice(b".\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{DataDecoder, LongLines};
    use super::*;

    fn encode(input: &[u8], step: usize) -> Vec<u8> {
        let mut encoder = DotEncoder::for_data();
        let mut output = Vec::new();
        for piece in input.chunks(step.max(1)) {
            encoder.encode(piece, &mut output);
        }
        encoder.finish(&mut output);
        output
    }

    #[test]
    fn dots_are_doubled_and_the_last_line_completed() {
        let table: [(&[u8], &[u8]); 6] = [
            (b"", b".\r\n"),
            (b"a\n", b"a\r\n.\r\n"),
            (b"a", b"a\r\n.\r\n"),
            (b".\n..\n", b"..\r\n...\r\n.\r\n"),
            (b"\n.a\n", b"\r\n..a\r\n.\r\n"),
            (b"a\r.\nb\r\n", b"a .\r\nb \r\n.\r\n"),
        ];
        for (input, output) in table {
            for step in [1, 2, 100] {
                assert_eq!(encode(input, step), output, "{input:?}");
            }
        }
    }

    #[test]
    fn encoding_then_decoding_is_identity() {
        for input in [b".\n.\n\n..x\n".as_slice(), b"\0\xff\n", b"", b"no dot\n"] {
            let mut decoder = DataDecoder::for_data(LongLines::Reject);
            let mut output = Vec::new();
            assert!(decoder.decode(&encode(input, 3), &mut output).ended);
            assert_eq!(output, input);
            assert_eq!(decoder.fault(), None);
        }
    }

    proptest! {
        /// Lines without CR and not too long come out of the wire as they went in, wherever
        /// either side cut them; only a missing last line end is supplied.
        #[test]
        fn any_text_survives_the_wire(
            lines in prop::collection::vec("[.a\\x00é]{0,30}", 0..20),
            ended in any::<bool>(),
            step in 1_usize..50,
        ) {
            let mut text = lines.join("\n").into_bytes();
            if ended && !text.is_empty() {
                text.push(b'\n');
            }
            let wire = encode(&text, step);
            let mut decoder = DataDecoder::for_data(LongLines::Reject);
            let mut output = Vec::new();
            let mut ended = false;
            for piece in wire.chunks(step) {
                prop_assert!(!ended);
                ended = decoder.decode(piece, &mut output).ended;
            }
            prop_assert!(ended && decoder.fault().is_none());
            if !text.is_empty() && text.last() != Some(&b'\n') {
                text.push(b'\n');
            }
            prop_assert_eq!(output, text);
        }
    }
}
