//! From CRLF lines on the wire to LF lines in the queue.

use super::{DataFault, DataSummary, LongLines, MAX_DATA_LINE};

/// How the octets are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// DATA: dots are stuffed, CRLF.CRLF ends.
    Dots,
    /// BDAT: the octets are counted by somebody else.
    Counted,
}

/// Where in a line the next octet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// At its first octet.
    Start,
    /// Behind a dot that began the line (DATA only).
    Dot,
    /// Behind a dot and a CR.
    DotCr,
    /// Within the line.
    Middle,
    /// Behind a CR.
    Cr,
}

/// What came of some octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoded {
    /// Octets of the input that were used up; less than all only if `ended`.
    pub used: usize,
    /// The end of DATA was reached.
    pub ended: bool,
}

/// Decoder of one message. Keeps at most one line of [`MAX_DATA_LINE`] octets.
#[derive(Debug)]
pub struct DataDecoder {
    framing: Framing,
    long_lines: LongLines,
    at: At,
    /// Octets of the current line so far, before cutting.
    length: usize,
    /// Of these, octets kept.
    kept: usize,
    /// Octets of the current line that may still have to be broken (wrap only).
    line: Vec<u8>,
    in_header: bool,
    fault: Option<DataFault>,
    summary: DataSummary,
}

impl DataDecoder {
    /// For DATA.
    #[must_use]
    pub fn for_data(long_lines: LongLines) -> Self {
        Self::new(Framing::Dots, long_lines)
    }

    /// For BDAT.
    #[must_use]
    pub fn for_chunks(long_lines: LongLines) -> Self {
        let mut decoder = Self::new(Framing::Counted, long_lines);
        decoder.summary.chunked = true;
        decoder
    }

    fn new(framing: Framing, long_lines: LongLines) -> Self {
        Self {
            framing,
            long_lines,
            at: At::Start,
            length: 0,
            kept: 0,
            line: Vec::new(),
            in_header: true,
            fault: None,
            summary: DataSummary::default(),
        }
    }

    /// The first fault, if the message is spoilt; nothing more is handed out after it.
    #[must_use]
    pub const fn fault(&self) -> Option<DataFault> {
        self.fault
    }

    /// What was seen so far.
    #[must_use]
    pub const fn summary(&self) -> &DataSummary {
        &self.summary
    }

    /// Decodes `input` and appends LF lines to `output`, which grows by no more than the input
    /// and one line.
    pub fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> Decoded {
        let mut used = 0;
        while used < input.len() {
            let rest = &input[used..];
            if matches!(self.at, At::Start | At::Middle) && self.take_run(rest, output, &mut used) {
                continue;
            }
            used += 1;
            if self.step(rest[0], output) {
                return Decoded { used, ended: true };
            }
        }
        Decoded { used, ended: false }
    }

    /// The end of the last chunk: completes a line that has no line end.
    pub fn finish(&mut self, output: &mut Vec<u8>) {
        if self.at == At::Cr {
            self.spoil(DataFault::BareCr);
        }
        if self.length > 0 {
            self.end_line(output);
        }
    }

    /// Takes ordinary octets up to the next CR or LF in one go; false if there are none.
    fn take_run(&mut self, rest: &[u8], output: &mut Vec<u8>, used: &mut usize) -> bool {
        if self.at == At::Start && self.framing == Framing::Dots && rest[0] == b'.' {
            return false;
        }
        let run = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        if run == 0 {
            return false;
        }
        self.at = At::Middle;
        self.content(&rest[..run], output);
        *used += run;
        true
    }

    /// One octet that needs thought. True at the end of DATA.
    fn step(&mut self, octet: u8, output: &mut Vec<u8>) -> bool {
        match (self.at, octet) {
            (At::Start | At::Middle, b'\r') => self.at = At::Cr,
            (At::Start, b'.') => self.at = At::Dot,
            (At::Start | At::Middle, b'\n') => self.bare(DataFault::BareLf),
            (At::Dot, b'\r') => self.at = At::DotCr,
            (At::Dot, b'\n') => self.bare(DataFault::BareLf),
            (At::DotCr, b'\n') => return true,
            (At::Cr, b'\n') => self.end_line(output),
            (At::Cr | At::DotCr, b'\r') => {
                self.spoil(DataFault::BareCr);
                self.at = At::Cr;
            }
            (At::Cr | At::DotCr, _) => {
                self.spoil(DataFault::BareCr);
                self.at = At::Middle;
            }
            (At::Start | At::Dot | At::Middle, _) => {
                // Behind a stuffing dot, which is dropped.
                self.at = At::Middle;
                self.content(&[octet], output);
            }
        }
        false
    }

    fn bare(&mut self, fault: DataFault) {
        self.spoil(fault);
        self.at = At::Middle;
    }

    fn spoil(&mut self, fault: DataFault) {
        self.fault.get_or_insert(fault);
        self.line = Vec::new();
    }

    fn content(&mut self, run: &[u8], output: &mut Vec<u8>) {
        self.summary.octets += run.len() as u64;
        self.summary.eight_bit = self.summary.eight_bit || !run.is_ascii();
        self.summary.nul = self.summary.nul || memchr::memchr(0, run).is_some();
        let was_long = self.length > MAX_DATA_LINE;
        self.length = self.length.saturating_add(run.len());
        if self.length > MAX_DATA_LINE && !was_long && self.fault.is_none() {
            self.summary.long_lines += 1;
            if self.long_lines == LongLines::Reject {
                self.spoil(DataFault::LongLine);
            }
        }
        if self.fault.is_some() {
            return;
        }
        match self.long_lines {
            LongLines::Wrap => self.wrap(run, output),
            LongLines::Truncate | LongLines::Reject => {
                let room = MAX_DATA_LINE - self.kept;
                let keep = &run[..run.len().min(room)];
                self.kept += keep.len();
                output.extend_from_slice(keep);
            }
        }
    }

    /// Collects the line and breaks it whenever it is full and more comes.
    fn wrap(&mut self, mut run: &[u8], output: &mut Vec<u8>) {
        while self.line.len() + run.len() > MAX_DATA_LINE {
            let (fits, over) = run.split_at(MAX_DATA_LINE - self.line.len());
            self.line.extend_from_slice(fits);
            run = over;
            let blank = |octet: &u8| *octet == b' ' || *octet == b'\t';
            // The octet that does not fit may itself be the blank to break at.
            let at = if blank(&run[0]) {
                Some(self.line.len())
            } else {
                self.line.iter().rposition(blank).filter(|&at| at > 0)
            };
            output.extend_from_slice(&self.line[..at.unwrap_or(self.line.len())]);
            output.push(b'\n');
            self.line.drain(..at.unwrap_or(self.line.len()));
            if at.is_none() && self.in_header {
                // What follows must stay part of this header line.
                self.line.push(b' ');
            }
        }
        self.line.extend_from_slice(run);
    }

    fn end_line(&mut self, output: &mut Vec<u8>) {
        self.summary.octets += 2;
        self.summary.lines += 1;
        self.in_header = self.in_header && self.length > 0;
        if self.fault.is_none() {
            output.append(&mut self.line);
            output.push(b'\n');
        }
        (self.at, self.length, self.kept) = (At::Start, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in pieces of `step`; returns what came out, the octets left over, the decoder.
    fn run(input: &[u8], step: usize, mode: LongLines) -> (Vec<u8>, Option<usize>, DataDecoder) {
        let mut decoder = DataDecoder::for_data(mode);
        let mut output = Vec::new();
        let mut at = 0;
        for piece in input.chunks(step) {
            let decoded = decoder.decode(piece, &mut output);
            at += decoded.used;
            if decoded.ended {
                return (output, Some(at), decoder);
            }
        }
        (output, None, decoder)
    }

    #[test]
    fn only_crlf_dot_crlf_ends_data() {
        let table: [(&[u8], &[u8], Option<DataFault>); 16] = [
            (b"a\r\n.\r\n", b"a\n", None),
            (b".\r\n", b"", None),
            (b"..\r\n...\r\n.x\r\n.\r\n", b".\n..\nx\n", None),
            (b"\r\n\r\n.\r\n", b"\n\n", None),
            (b"a\n.\n\r\n.\r\n", b"a", Some(DataFault::BareLf)),
            (b"a\r\n.\nb\r\n.\r\n", b"a\n", Some(DataFault::BareLf)),
            (b"a\n.\r\nb\r\n.\r\n", b"a", Some(DataFault::BareLf)),
            (b"a\r\n.\r\r\nb\r\n.\r\n", b"a\n", Some(DataFault::BareCr)),
            (b"a\r.\r\r\nb\r\n.\r\n", b"a", Some(DataFault::BareCr)),
            (b"a\r.\r\nb\r\n.\r\n", b"a", Some(DataFault::BareCr)),
            (b"a\r\r\n.\r\n", b"a", Some(DataFault::BareCr)),
            (b"a\r\n\r.\r\n\r\n.\r\n", b"a\n", Some(DataFault::BareCr)),
            (b"a\r\n.\rb\r\n.\r\n", b"a\n", Some(DataFault::BareCr)),
            (b"\n.\r\n.\r\n", b"", Some(DataFault::BareLf)),
            (b"a\0b\xff\r\n.\r\n", b"a\0b\xff\n", None),
            (b".a\r\n..b\r\n.\r\n", b"a\n.b\n", None),
        ];
        for (input, output, fault) in table {
            for step in [1, 2, 3, 1000] {
                let (got, end, decoder) = run(input, step, LongLines::Truncate);
                let name = String::from_utf8_lossy(input).escape_debug().to_string();
                assert_eq!(end, Some(input.len()), "{name}");
                assert_eq!(decoder.fault(), fault, "{name}");
                if fault.is_none() {
                    assert_eq!(got, output, "{name}");
                } else {
                    assert!(got.len() <= output.len(), "{name}");
                }
            }
        }
    }

    #[test]
    fn octets_behind_the_end_are_left() {
        let (_, end, _) = run(b"a\r\n.\r\nQUIT\r\n", 1000, LongLines::Truncate);
        assert_eq!(end, Some(6));
    }

    #[test]
    fn long_lines_are_cut_wrapped_or_refused() {
        let long = [vec![b'x'; 1500], b"\r\n.\r\n".to_vec()].concat();
        for step in [1, 7, 998, 999, 4000] {
            let (got, _, decoder) = run(&long, step, LongLines::Truncate);
            assert_eq!(got, [vec![b'x'; 998], b"\n".to_vec()].concat());
            assert_eq!(decoder.summary().long_lines, 1);
            let (_, end, decoder) = run(&long, step, LongLines::Reject);
            assert_eq!(decoder.fault(), Some(DataFault::LongLine));
            assert_eq!(end, Some(long.len()));
            let (got, _, _) = run(&long, step, LongLines::Wrap);
            let wrapped = [
                vec![b'x'; 998],
                b"\n ".to_vec(),
                vec![b'x'; 502],
                b"\n".to_vec(),
            ];
            assert_eq!(got, wrapped.concat(), "a header line stays one");
        }
    }

    #[test]
    fn a_line_of_998_octets_is_not_long() {
        let line = [vec![b'x'; 998], b"\r\n.\r\n".to_vec()].concat();
        for mode in [LongLines::Truncate, LongLines::Wrap, LongLines::Reject] {
            let (got, _, decoder) = run(&line, 5, mode);
            assert_eq!((got.len(), decoder.summary().long_lines), (999, 0));
        }
    }

    #[test]
    fn wrapping_prefers_the_last_blank() {
        let text = [
            b"\r\n".to_vec(),
            vec![b'a'; 900],
            b" ".to_vec(),
            vec![b'b'; 900],
        ]
        .concat();
        let input = [text, b"\r\n.\r\n".to_vec()].concat();
        for step in [1, 64, 4000] {
            let (got, _, _) = run(&input, step, LongLines::Wrap);
            let lines: Vec<usize> = got.split(|b| *b == b'\n').map(<[u8]>::len).collect();
            assert_eq!(lines, [0, 900, 901, 0]);
        }
    }

    #[test]
    fn a_20_mb_line_needs_no_memory() {
        let mut decoder = DataDecoder::for_data(LongLines::Wrap);
        let piece = vec![b'x'; 20_000];
        let mut output = Vec::new();
        for _ in 0..1000 {
            decoder.decode(&piece, &mut output);
            assert!(output.len() < 30_000 && decoder.line.capacity() < 4096);
            output.clear();
        }
        assert_eq!(decoder.summary().octets, 20_000_000);
    }

    #[test]
    fn counted_octets_have_no_dots_and_may_lack_the_last_line_end() {
        let mut decoder = DataDecoder::for_chunks(LongLines::Truncate);
        let mut output = Vec::new();
        for piece in [b".\r\n..\r".as_slice(), b"\nlast"] {
            assert!(!decoder.decode(piece, &mut output).ended);
        }
        decoder.finish(&mut output);
        assert_eq!(output, b".\n..\nlast\n");
        assert_eq!(decoder.fault(), None);
        let mut decoder = DataDecoder::for_chunks(LongLines::Truncate);
        decoder.decode(b"x\r", &mut output);
        decoder.finish(&mut output);
        assert_eq!(decoder.fault(), Some(DataFault::BareCr));
    }

    #[test]
    fn summary_counts_the_wire() {
        let (_, _, decoder) = run(b"ab\r\n..c\r\n\r\n.\r\n", 3, LongLines::Truncate);
        let summary = decoder.summary();
        assert_eq!((summary.octets, summary.lines), (4 + 4 + 2, 3));
    }
}
