//! Header lines as received: order, folding and spelling are kept, and what nobody changes goes
//! out as it came in.
//!
//! A header ends at the first empty line, or before the first line that is no header line; that
//! line then belongs to the body and the writer puts an empty line between. A mailbox
//! separator (`From …`) at the very start becomes an `X-Mailbox-line:`.

use std::fmt;

/// Longest line that this crate makes by itself, where blanks allow to fold it.
pub const FOLD_AT: usize = 78;

/// One field with all its continuation lines.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    raw: Vec<u8>,
    name_len: usize,
}

impl Field {
    /// A new field. Line ends in `value` must be followed by a blank to count as folding; other
    /// control characters become blanks.
    ///
    /// # Panics
    /// Never; a name that cannot be one is cleaned in the same way.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Self {
        let mut raw: Vec<u8> = name
            .bytes()
            .map(|b| if is_name_byte(b) { b } else { b'-' })
            .collect();
        let name_len = raw.len();
        raw.extend_from_slice(b": ");
        let bytes = value.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let folds = *byte == b'\n' && matches!(bytes.get(at + 1), Some(b' ' | b'\t'));
            let plain = !byte.is_ascii_control() || *byte == b'\t';
            raw.push(if folds || plain { *byte } else { b' ' });
        }
        raw.push(b'\n');
        Self { raw, name_len }
    }

    /// A new field, folded at blanks so that its lines are at most [`FOLD_AT`] long where
    /// possible.
    #[must_use]
    pub fn folded(name: &str, value: &str) -> Self {
        Self::new(name, &fold(value, name.len() + 2))
    }

    /// Name and colon, continuation lines and final line end, exactly as they stand.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The name as it was written.
    #[must_use]
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.raw[..self.name_len]).unwrap_or("")
    }

    /// Whether it has this name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.raw[..self.name_len].eq_ignore_ascii_case(name.as_bytes())
    }

    /// Everything behind the colon, line ends included.
    #[must_use]
    pub fn raw_value(&self) -> &[u8] {
        let colon = self.raw.iter().position(|b| *b == b':');
        &self.raw[colon.map_or(self.raw.len(), |at| at + 1)..]
    }

    /// The field with another value, which stands as it is given behind the colon.
    #[must_use]
    pub(crate) fn with_raw_value(&self, value: &[u8]) -> Self {
        let head = self.raw.len() - self.raw_value().len();
        let mut raw = self.raw[..head].to_vec();
        raw.extend_from_slice(value);
        Self {
            raw,
            name_len: self.name_len,
        }
    }

    /// The value on one line, without blanks at its ends; octets that are not UTF-8 replaced.
    #[must_use]
    pub fn value(&self) -> String {
        let text = String::from_utf8_lossy(self.raw_value());
        let joined: String = text.chars().filter(|c| *c != '\n' && *c != '\r').collect();
        joined.trim().to_owned()
    }

    /// The value with its encoded words decoded (RFC 2047).
    #[must_use]
    pub fn decoded(&self) -> String {
        decode(&self.value())
    }

    fn read(line: &[u8]) -> Option<Self> {
        let colon = line.iter().position(|b| *b == b':')?;
        let name = line[..colon].trim_ascii_end();
        (!name.is_empty() && name.iter().all(|b| is_name_byte(*b))).then(|| Self {
            raw: line.to_vec(),
            name_len: name.len(),
        })
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.raw))
    }
}

/// The fields of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    fields: Vec<Field>,
}

impl Header {
    /// Reads a header that is known to be one, with or without its empty line; what is no
    /// header line is left out.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let mut header = Self::default();
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            let mut line = line.to_vec();
            if line.last() != Some(&b'\n') {
                line.push(b'\n');
            }
            match header.take(&line) {
                Line::Taken | Line::Stray => {}
                Line::Empty => break,
            }
        }
        header
    }

    /// Takes one more line, if it is one of a header.
    fn take(&mut self, line: &[u8]) -> Line {
        if line == b"\n" {
            return Line::Empty;
        }
        if matches!(line.first(), Some(b' ' | b'\t')) {
            let Some(field) = self.fields.last_mut() else {
                return Line::Stray;
            };
            field.raw.extend_from_slice(line);
        } else if let Some(field) = Field::read(line) {
            self.fields.push(field);
        } else if self.fields.is_empty() && line.starts_with(b"From ") {
            let raw = [b"X-Mailbox-line: ".as_slice(), line].concat();
            self.fields.extend(Field::read(&raw));
        } else {
            return Line::Stray;
        }
        Line::Taken
    }

    /// All fields in their order.
    pub fn fields(&self) -> impl DoubleEndedIterator<Item = &Field> {
        self.fields.iter()
    }

    /// How many fields there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The first field of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.is(name))
    }

    /// All fields of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Field> {
        self.fields.iter().filter(move |field| field.is(name))
    }

    /// Whether a field of this name is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Puts a field before all others (trace lines).
    pub fn prepend(&mut self, field: Field) {
        self.fields.insert(0, field);
    }

    /// Puts a field behind all others.
    pub fn append(&mut self, field: Field) {
        self.fields.push(field);
    }

    /// Puts a field behind the last `Received:` or `Return-path:` of the trace at the top.
    pub fn insert_after_trace(&mut self, field: Field) {
        let trace = |field: &Field| field.is("Received") || field.is("Return-path");
        let at = self.fields.iter().take_while(|field| trace(field)).count();
        self.fields.insert(at, field);
    }

    /// Puts `field` where the first field of its name is and removes the others of that name;
    /// behind all if there is none.
    pub fn replace(&mut self, field: Field) {
        let name = field.name().to_owned();
        match self.fields.iter().position(|old| old.is(&name)) {
            None => self.fields.push(field),
            Some(first) => {
                let mut at = 0;
                self.fields.retain(|old| {
                    at += 1;
                    at == first + 1 || !old.is(&name)
                });
                self.fields[first] = field;
            }
        }
    }

    /// Changes every field in place; `None` removes it.
    pub fn rewrite(&mut self, mut change: impl FnMut(Field) -> Option<Field>) {
        let fields = std::mem::take(&mut self.fields);
        self.fields = fields.into_iter().filter_map(&mut change).collect();
    }

    /// Removes all fields of a name; says how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        let before = self.fields.len();
        self.fields.retain(|field| !field.is(name));
        before - self.fields.len()
    }

    /// As [`Header::to_bytes`], giving the fields back on the way; with room for the empty line.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let len: usize = self.fields.iter().map(|f| f.raw.len()).sum();
        let mut bytes = Vec::with_capacity(len + 1);
        for field in self.fields {
            bytes.extend_from_slice(&field.raw);
        }
        bytes
    }

    /// The lines, without the empty line that ends a header.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.fields.iter().map(|f| f.raw.len()).sum());
        for field in &self.fields {
            bytes.extend_from_slice(&field.raw);
        }
        bytes
    }
}

/// What a line is to a header.
enum Line {
    Taken,
    /// The empty line that ends it.
    Empty,
    /// None of its own.
    Stray,
}

/// What became of a piece given to [`Collector::push`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All of it belongs to the header, which goes on.
    More,
    /// The header is complete; the body goes on behind the first `used` octets of the piece.
    End {
        /// Octets of this piece that were taken.
        used: usize,
    },
    /// The header is longer than allowed.
    TooLong,
}

/// What a field costs beside its octets: two words of the allocator, its entry and the room that
/// a growing list keeps.
const PER_FIELD: usize = 96;

/// Cuts the header off a message that comes in pieces.
#[derive(Debug)]
pub struct Collector {
    header: Header,
    /// The line being read; when the header ended with a line that is none of its own, that.
    line: Vec<u8>,
    limit: usize,
    taken: usize,
    ended: bool,
}

impl Collector {
    /// A collector for headers that need at most `limit` octets of memory: those of their lines,
    /// and 96 octets for each field, so that a header of tiny lines is no way around the limit.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            header: Header { fields: Vec::new() },
            line: Vec::new(),
            limit,
            taken: 0,
            ended: false,
        }
    }

    /// Takes the next piece of the message.
    pub fn push(&mut self, piece: &[u8]) -> Progress {
        let mut used = 0;
        while !self.ended {
            let rest = &piece[used..];
            if rest.is_empty() {
                return Progress::More;
            }
            let end = rest.iter().position(|b| *b == b'\n').map(|at| at + 1);
            let part = &rest[..end.unwrap_or(rest.len())];
            self.taken += part.len();
            if self.taken > self.limit {
                return Progress::TooLong;
            }
            self.line.extend_from_slice(part);
            used += part.len();
            if end.is_some() {
                self.end_line();
                if self.taken > self.limit {
                    return Progress::TooLong;
                }
            }
        }
        Progress::End { used }
    }

    /// The header, and the start of the body if some of it was taken already. A header that
    /// was still going on ends here.
    #[must_use]
    pub fn finish(mut self) -> (Header, Vec<u8>) {
        if !self.ended && !self.line.is_empty() {
            self.line.push(b'\n');
            self.end_line();
            if self.ended {
                // The missing line end is none of ours.
                self.line.pop();
            }
        }
        (self.header, self.line)
    }

    fn end_line(&mut self) {
        let fields = self.header.len();
        match self.header.take(&self.line) {
            Line::Taken => {
                self.taken += PER_FIELD * (self.header.len() - fields);
                self.line.clear();
            }
            Line::Empty => {
                self.ended = true;
                self.line.clear();
            }
            Line::Stray => self.ended = true,
        }
    }
}

/// Whether a line, or the beginning of a long one, can be one of a header; the first line cannot
/// continue another, and may be a mailbox separator.
pub(crate) fn is_header_line(line: &[u8], first: bool) -> bool {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return !first;
    }
    let name = line.iter().position(|b| *b == b':').map(|at| &line[..at]);
    let named = name
        .map(<[u8]>::trim_ascii_end)
        .is_some_and(|name| !name.is_empty() && name.iter().all(|b| is_name_byte(*b)));
    named || (first && line.starts_with(b"From "))
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b':'
}

/// `value` folded at blanks, its first line after `column` octets.
#[must_use]
pub fn fold(value: &str, column: usize) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    let mut at = column;
    for (index, word) in value.split(' ').enumerate() {
        if index > 0 && at + 1 + word.len() > FOLD_AT && !word.is_empty() {
            out.push('\n');
            at = 0;
        }
        if index > 0 {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += word.len();
    }
    out
}

/// Encoded words in `text` decoded; the text itself if that cannot be done.
#[must_use]
pub fn decode(text: &str) -> String {
    if !text.contains("=?") {
        return text.to_owned();
    }
    let line = format!("{text}\n");
    // Fuzzers have found panics in this parser before; a header is not worth a session.
    std::panic::catch_unwind(|| {
        mail_parser::parsers::MessageStream::new(line.as_bytes())
            .parse_unstructured()
            .into_text()
            .map(std::borrow::Cow::into_owned)
    })
    .ok()
    .flatten()
    .map_or_else(|| text.to_owned(), |decoded| decoded.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn collect(pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>, Progress) {
        let mut collector = Collector::new(1000);
        let mut body = Vec::new();
        let mut progress = Progress::More;
        for piece in pieces {
            if let Progress::End { .. } = progress {
                body.extend_from_slice(piece);
                continue;
            }
            progress = collector.push(piece);
            if let Progress::End { used } = progress {
                body.extend_from_slice(&piece[used..]);
            }
        }
        let (header, mut start) = collector.finish();
        start.extend_from_slice(&body);
        (header.to_bytes(), start, progress)
    }

    #[test]
    fn a_header_ends_at_the_empty_line_or_at_what_is_no_header() {
        let table: [(&str, &str, &str); 9] = [
            ("A: b\n\nbody\n", "A: b\n", "body\n"),
            ("A: b\n c\n\td\n\n\nx", "A: b\n c\n\td\n", "\nx"),
            ("\nbody\n", "", "body\n"),
            ("hello\nworld\n", "", "hello\nworld\n"),
            ("A: b\nhello\nB: c\n", "A: b\n", "hello\nB: c\n"),
            (" A: b\n", "", " A: b\n"),
            (
                "From x Mon\nA: b\n\n",
                "X-Mailbox-line: From x Mon\nA: b\n",
                "",
            ),
            ("Subject : b\n\n", "Subject : b\n", ""),
            ("A: b", "A: b\n", ""),
        ];
        for (text, header, body) in table {
            let (got_header, got_body, _) = collect(&[text.as_bytes()]);
            assert_eq!(String::from_utf8_lossy(&got_header), header, "{text:?}");
            assert_eq!(String::from_utf8_lossy(&got_body), body, "{text:?}");
        }
    }

    #[test]
    fn too_long_a_header_is_noticed_before_it_is_kept() {
        let line = [b'x'; 600];
        let mut collector = Collector::new(1000);
        assert_eq!(collector.push(&line), Progress::More);
        assert_eq!(collector.push(&line), Progress::TooLong);
    }

    #[test]
    fn tiny_lines_count_for_what_they_cost() {
        let mut collector = Collector::new(1000);
        assert_eq!(collector.push(&b"a:\n".repeat(10)), Progress::More);
        assert_eq!(collector.push(b"a:\n"), Progress::TooLong);
        let mut collector = Collector::new(1000);
        assert_eq!(collector.push(b"a:\n"), Progress::More);
        assert_eq!(collector.push(&b" b\n".repeat(200)), Progress::More);
    }

    #[test]
    fn fields_are_found_without_case_and_keep_their_folding() {
        let header = Header::parse(b"To: a,\n b\ncc : c\nnonsense\nTo: d\n\n");
        assert_eq!(header.get("TO").unwrap().value(), "a, b");
        assert_eq!(header.get("Cc").unwrap().value(), "c");
        assert_eq!(header.all("to").count(), 2);
        assert_eq!(header.to_bytes(), b"To: a,\n b\ncc : c\nTo: d\n");
    }

    #[test]
    fn replacing_keeps_the_place_of_the_first() {
        let mut header = Header::parse(b"A: 1\nB: 2\nA: 3\n");
        header.replace(Field::new("a", "9"));
        header.replace(Field::new("C", "4"));
        assert_eq!(header.to_bytes(), b"a: 9\nB: 2\nC: 4\n");
        assert_eq!(header.remove("b"), 1);
    }

    #[test]
    fn trace_stays_on_top() {
        let mut header = Header::parse(b"Received: x\nReceived: y\nDate: z\n");
        header.insert_after_trace(Field::new("Date-warning", "w"));
        header.prepend(Field::new("Received", "us"));
        let bytes = header.to_bytes();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(
            text,
            "Received: us\nReceived: x\nReceived: y\nDate-warning: w\nDate: z\n"
        );
    }

    #[test]
    fn a_value_cannot_start_another_line() {
        let field = Field::new("Sub ject", "a\nBcc: x\r\n more\0");
        assert_eq!(field.raw(), b"Sub-ject: a Bcc: x \n more \n");
    }

    #[test]
    fn long_values_are_folded_at_blanks() {
        let value = "word ".repeat(40);
        let field = Field::folded("Subject", value.trim_end());
        let lines: Vec<&[u8]> = field.raw().split(|b| *b == b'\n').collect();
        assert!(lines.len() > 2);
        assert!(lines.iter().all(|line| line.len() <= FOLD_AT));
        assert_eq!(field.value(), value.trim_end());
    }

    #[test]
    fn encoded_words_are_decoded() {
        assert_eq!(
            decode("=?utf-8?Q?Gr=C3=BC=C3=9Fe?= an alle"),
            "Grüße an alle"
        );
        assert_eq!(decode("plain"), "plain");
        assert_eq!(decode("=?broken"), "=?broken");
    }

    proptest! {
        #[test]
        fn header_and_body_are_the_whole_message(
            text in "([A-Z][a-z]{0,5}:? ?[ -~]{0,12}\n| x\n|\n|From x\n){0,8}[a-z]{0,4}",
            cut in 0_usize..80,
        ) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            let whole = collect(&[bytes]);
            let pieces = collect(&[&bytes[..cut], &bytes[cut..]]);
            prop_assert_eq!((&whole.0, &whole.1), (&pieces.0, &pieces.1));
            let mailbox: &[u8] = if whole.0.starts_with(b"X-Mailbox-line: ") { b"X-Mailbox-line: " } else { b"" };
            let kept = whole.0.len() - mailbox.len() + whole.1.len();
            let (empty_line, end) = (1, 1);
            prop_assert!(kept <= bytes.len() + end && kept + empty_line >= bytes.len());
            prop_assert!(bytes.ends_with(&whole.1));
        }
    }
}
