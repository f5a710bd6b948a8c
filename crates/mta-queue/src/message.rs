//! One message file, opened for reading.

use std::fs::File;
use std::io::{self, Read};
use std::sync::OnceLock;

use mta_envelope::envelope::Envelope;

use crate::file::{Contents, Slice};
use crate::history::Attempt;

/// Most octets that are looked through for the empty line behind the header.
const MAX_HEADER: u64 = 4 * 1024 * 1024;

/// What a message file holds. Reading it changes nothing.
#[derive(Debug)]
pub struct Message {
    pub(crate) file: File,
    pub(crate) contents: Contents,
    header_len: OnceLock<u64>,
}

impl Message {
    pub(crate) const fn new(file: File, contents: Contents) -> Self {
        Self {
            file,
            contents,
            header_len: OnceLock::new(),
        }
    }

    /// The outside of the message.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.contents.head.envelope
    }

    /// What happened to it so far.
    #[must_use]
    pub fn history(&self) -> &[Attempt] {
        &self.contents.history
    }

    /// Octets of header and body.
    #[must_use]
    pub const fn content_len(&self) -> u64 {
        self.contents.len()
    }

    /// Header and body, lines ending with LF.
    #[must_use]
    pub const fn content(&self) -> Slice<'_> {
        Slice::new(&self.file, self.contents.start, self.contents.len())
    }

    /// The header with the empty line behind it, lines ending with LF. Header and body together
    /// are always the whole content.
    ///
    /// # Errors
    /// Those of reading the file.
    pub fn header(&self) -> io::Result<Vec<u8>> {
        let mut header = Vec::new();
        let len = self.header_len()?;
        self.content().take(len).read_to_end(&mut header)?;
        Ok(header)
    }

    /// Everything behind the header, lines ending with LF. Each call starts at the beginning.
    ///
    /// # Errors
    /// Those of reading the file.
    pub fn body(&self) -> io::Result<Slice<'_>> {
        let header = self.header_len()?;
        let start = self.contents.start + header;
        Ok(Slice::new(&self.file, start, self.contents.len() - header))
    }

    fn header_len(&self) -> io::Result<u64> {
        if let Some(len) = self.header_len.get() {
            return Ok(*len);
        }
        let len = find_header_end(self.content().take(MAX_HEADER))?;
        Ok(*self.header_len.get_or_init(|| len))
    }
}

/// Octets up to and including the first empty line; all of them if there is none.
fn find_header_end(mut content: impl Read) -> io::Result<u64> {
    let mut buffer = vec![0; 16 * 1024];
    let (mut at, mut after_newline) = (0, true);
    loop {
        let got = content.read(&mut buffer)?;
        if got == 0 {
            return Ok(at);
        }
        for byte in &buffer[..got] {
            at += 1;
            if *byte == b'\n' && after_newline {
                return Ok(at);
            }
            after_newline = *byte == b'\n';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_ends_behind_the_first_empty_line() {
        let table = [
            ("A: b\n\nbody\n\n", 6),
            ("\nbody\n", 1),
            ("A: b\n", 5),
            ("", 0),
            ("A: b\n c\n\n", 9),
        ];
        for (text, end) in table {
            assert_eq!(find_header_end(text.as_bytes()).unwrap(), end, "{text:?}");
        }
    }
}
