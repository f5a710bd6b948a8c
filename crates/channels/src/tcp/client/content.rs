//! The message as it goes over the wire: its size, and its 7-bit form for peers that need it.

use std::io::{self, Read};
use std::path::Path;

use mta_channel::dequeue::Message;
use mta_message::mime::{self, Limits, Survey};

use super::settings::{EightBit, Settings};
use super::spool::Spool;

/// What has to be known of a message before it is offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Octets on the wire, with CRLF and without stuffed dots.
    pub(super) size: u64,
    /// An octet over 127 occurs.
    pub(super) eight_bit: bool,
}

impl Shape {
    /// Reads the whole message once.
    ///
    /// # Errors
    /// What the system said when the file could not be read.
    pub(super) fn of(message: &mut Message<'_>) -> io::Result<Self> {
        let header = message.header()?;
        let mut content = header.as_slice().chain(message.body()?);
        Self::of_reader(&mut content)
    }

    /// The same of any octets.
    pub(super) fn of_reader(content: &mut dyn Read) -> io::Result<Self> {
        let mut shape = Self::default();
        let mut piece = vec![0; 64 << 10];
        let mut last = b'\n';
        loop {
            let count = match content.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let octets = &piece[..count];
            let lines = octets.iter().filter(|&&octet| octet == b'\n').count();
            shape.size += (count + lines) as u64;
            shape.eight_bit = shape.eight_bit || !octets.is_ascii();
            last = octets[count - 1];
        }
        if last != b'\n' {
            shape.size += 2;
        }
        Ok(shape)
    }
}

/// A message in the form in which this peer gets it.
#[derive(Debug)]
pub(super) struct Content {
    shape: Shape,
    /// The message with its unfit parts encoded, if that was necessary.
    converted: Option<Spool>,
}

impl Content {
    /// Looks at `message`, and encodes what the channel or the peer does not take: octets over
    /// 127, and lines over `linelength`. What is encoded and large lies in `folder` meanwhile.
    ///
    /// # Errors
    /// What the system said when a file could not be read or written.
    pub(super) fn of(
        message: &mut Message<'_>,
        settings: &Settings,
        eight_bit_peer: bool,
        folder: &Path,
    ) -> io::Result<Self> {
        let shape = Shape::of(message)?;
        let as_it_is = Self {
            shape,
            converted: None,
        };
        let limits = Limits {
            eight_bit: match settings.eight_bit {
                EightBit::Pass => true,
                EightBit::Negotiate => eight_bit_peer,
                EightBit::Encode => false,
            },
            line_length: settings.line_length,
            charset: settings.charset.clone(),
        };
        if limits.line_length.is_none() && (limits.eight_bit || !shape.eight_bit) {
            return Ok(as_it_is);
        }
        let survey = Survey::of(as_it_is.open(message)?, &limits)?;
        if survey.fits() {
            return Ok(as_it_is);
        }
        message.debug(|| "encoding what the peer does not take".to_owned());
        let mut spool = Spool::new(folder);
        mime::convert(as_it_is.open(message)?, &survey, &limits, &mut spool)?;
        let shape = Shape::of_reader(&mut spool.open()?)?;
        Ok(Self {
            shape,
            converted: Some(spool),
        })
    }

    /// What has to be known before it is offered.
    pub(super) const fn shape(&self) -> Shape {
        self.shape
    }

    /// A reader over header and body, lines ending in LF.
    ///
    /// # Errors
    /// What the system said when the file could not be read.
    pub(super) fn open<'a>(
        &'a self,
        message: &'a mut Message<'_>,
    ) -> io::Result<Box<dyn Read + 'a>> {
        if let Some(converted) = &self.converted {
            return converted.open();
        }
        let header = io::Cursor::new(message.header()?);
        Ok(Box::new(header.chain(message.body()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_counts_two_octets_for_a_line_end() {
        let shape = |text: &[u8]| Shape::of_reader(&mut &*text).unwrap();
        assert_eq!(shape(b"").size, 0);
        assert_eq!(shape(b"a\n\nb\n").size, 8);
        assert_eq!(shape(b"a\nb").size, 6);
        assert!(!shape(b"a\n").eight_bit && shape(b"\xf6\n").eight_bit);
    }
}
