//! Making an 8-bit message, or one with long lines, fit for a peer that does not take it.
//!
//! Only leaves are encoded, text as quoted-printable, everything else as base64; multiparts
//! and messages in messages keep their structure. A leaf's header comes before anybody knows
//! what is in it, so the message is read twice: [`Survey::of`] looks, [`convert`] writes. Both
//! are streams; what is kept is a mark per leaf and the header of the part at hand.
//!
//! ```text
//! content -> structure::walk -> Survey   (which leaves)          mod
//!         -> structure::walk -> Writer   header lines  -> words
//!                                       leaf octets   -> encode
//! ```
//!
//! Decoding the parts of the result gives the octets of the original parts, whatever they were.

mod encode;
mod structure;
mod words;

use std::io::{self, BufReader, Read, Write};

use crate::header::{Field, Header};
use encode::Encoder;
use structure::{Encoding, Entity, Kind, Visitor, walk};

/// What the peer takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Octets above 127.
    pub eight_bit: bool,
    /// Longest line (`linelength`), if there is a limit.
    pub line_length: Option<usize>,
    /// The charset of unlabelled 8-bit text (`charset8`).
    pub charset: Option<String>,
}

impl Limits {
    fn charset(&self) -> &str {
        self.charset.as_deref().unwrap_or("UNKNOWN-8BIT")
    }
}

/// What was found in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Which leaves must be encoded, in their order.
    leaves: Vec<bool>,
    header: bool,
    between: bool,
    eight_bit: bool,
}

impl Survey {
    /// Looks through header and body.
    ///
    /// # Errors
    /// Those of reading; [`io::ErrorKind::InvalidData`] for a header beyond all limits.
    pub fn of(content: impl Read, limits: &Limits) -> io::Result<Self> {
        let mut look = Look {
            survey: Self {
                leaves: Vec::new(),
                header: false,
                between: false,
                eight_bit: false,
            },
            limits,
            line: 0,
        };
        walk(BufReader::new(content), &mut look)?;
        Ok(look.survey)
    }

    /// Whether the message fits as it is.
    #[must_use]
    pub fn fits(&self) -> bool {
        !self.header && !self.between && !self.leaves.contains(&true)
    }

    /// Whether octets above 127 were seen anywhere.
    #[must_use]
    pub const fn has_eight_bit(&self) -> bool {
        self.eight_bit
    }
}

/// Writes the message so that it fits.
///
/// # Errors
/// Those of reading and writing; [`io::ErrorKind::InvalidData`] for a header beyond all limits.
pub fn convert(
    content: impl Read,
    survey: &Survey,
    limits: &Limits,
    out: impl Write,
) -> io::Result<()> {
    let mut writer = Writer {
        survey,
        limits,
        out,
        encoder: None,
    };
    walk(BufReader::new(content), &mut writer)?;
    writer.out.flush()
}

/// A separator line from random octets; only their low six bits count.
#[must_use]
pub fn boundary(random: [u8; 22]) -> String {
    const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let id: String = random
        .iter()
        .map(|byte| char::from(BASE64[usize::from(byte & 63)]))
        .collect();
    format!("Boundary_(ID_{id})")
}

fn is_eight_bit(bytes: &[u8]) -> bool {
    !bytes.is_ascii()
}

/// The first reading.
struct Look<'a> {
    survey: Survey,
    limits: &'a Limits,
    /// Octets of the current line so far.
    line: usize,
}

impl Look<'_> {
    /// Whether this piece of a line must not go out as it is.
    fn offends(&mut self, piece: &[u8]) -> bool {
        let eight_bit = is_eight_bit(piece);
        self.survey.eight_bit |= eight_bit;
        let mut long = false;
        for part in piece.split_inclusive(|b| *b == b'\n') {
            let ends = part.ends_with(b"\n");
            self.line += part.len() - usize::from(ends);
            long |= self.limits.line_length.is_some_and(|max| self.line > max);
            if ends {
                self.line = 0;
            }
        }
        long || eight_bit && !self.limits.eight_bit
    }
}

impl Visitor for Look<'_> {
    fn header(&mut self, _: &Entity, block: &[u8]) -> io::Result<()> {
        self.line = 0;
        // Long header lines are the business of whoever folds them.
        self.survey.eight_bit |= is_eight_bit(block);
        self.survey.header |= is_eight_bit(block) && !self.limits.eight_bit;
        Ok(())
    }

    fn leaf(&mut self, entity: &Entity, piece: &[u8]) -> io::Result<()> {
        let offends = self.offends(piece);
        if self.survey.leaves.len() <= entity.leaf {
            self.survey.leaves.resize(entity.leaf + 1, false);
        }
        self.survey.leaves[entity.leaf] |= offends;
        Ok(())
    }

    fn leaf_end(&mut self, _: &Entity, _: bool) -> io::Result<()> {
        self.line = 0;
        Ok(())
    }

    fn between(&mut self, piece: &[u8]) -> io::Result<()> {
        let eight_bit = is_eight_bit(piece);
        self.survey.eight_bit |= eight_bit;
        self.survey.between |= eight_bit && !self.limits.eight_bit;
        Ok(())
    }
}

/// The second reading.
struct Writer<'a, W> {
    survey: &'a Survey,
    limits: &'a Limits,
    out: W,
    encoder: Option<Encoder>,
}

impl<W: Write> Writer<'_, W> {
    fn must_encode(&self, entity: &Entity) -> bool {
        entity.kind == Kind::Leaf
            && self
                .survey
                .leaves
                .get(entity.leaf)
                .is_some_and(|must| *must)
    }

    fn label(&self, header: &mut Header, entity: &Entity) {
        let stays = matches!(
            entity.encoding,
            Encoding::QuotedPrintable | Encoding::Base64
        );
        if self.must_encode(entity) && !stays {
            if entity.top && !header.has("MIME-version") {
                header.append(Field::new("MIME-version", "1.0"));
            }
            if !header.has("Content-type") {
                let kind = format!("TEXT/PLAIN; CHARSET={}", self.limits.charset());
                header.append(Field::new("Content-type", &kind));
            }
            let encoding = if entity.text {
                "QUOTED-PRINTABLE"
            } else {
                "BASE64"
            };
            header.replace(Field::new("Content-transfer-encoding", encoding));
        } else if entity.encoding == Encoding::EightBit && !self.limits.eight_bit {
            header.replace(Field::new("Content-transfer-encoding", "7BIT"));
        }
    }
}

impl<W: Write> Visitor for Writer<'_, W> {
    fn header(&mut self, entity: &Entity, block: &[u8]) -> io::Result<()> {
        let must = self.must_encode(entity);
        let relabel = entity.encoding == Encoding::EightBit && !self.limits.eight_bit;
        let words = is_eight_bit(block) && !self.limits.eight_bit;
        self.encoder = must.then(|| Encoder::new(entity));
        if !must && !relabel && !words {
            return self.out.write_all(block);
        }
        let mut header = Header::parse(block);
        if words {
            let charset = self.limits.charset();
            header.rewrite(|field| Some(words::encode(field, charset)));
        }
        self.label(&mut header, entity);
        self.out.write_all(&header.to_bytes())?;
        // Where the body began without an empty line, its new form might pass for a header line.
        self.out.write_all(b"\n")
    }

    fn leaf(&mut self, _: &Entity, piece: &[u8]) -> io::Result<()> {
        match &mut self.encoder {
            Some(encoder) => encoder.push(piece, &mut self.out),
            None => self.out.write_all(piece),
        }
    }

    fn leaf_end(&mut self, _: &Entity, delimited: bool) -> io::Result<()> {
        match self.encoder.take() {
            Some(encoder) => encoder.finish(delimited, &mut self.out),
            None => Ok(()),
        }
    }

    fn between(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.limits.eight_bit || !is_eight_bit(piece) {
            return self.out.write_all(piece);
        }
        // Nothing may be encoded here, and nothing here is shown to anybody.
        let plain: Vec<u8> = piece
            .iter()
            .map(|b| if b.is_ascii() { *b } else { b'?' })
            .collect();
        self.out.write_all(&plain)
    }
}

#[cfg(test)]
mod tests;
