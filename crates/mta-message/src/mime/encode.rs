//! Quoted-printable and base64 (RFC 2045 §6.7, §6.8), octet by octet.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::structure::{Encoding, Entity};

/// Octets of input per base64 line of 76.
const GROUP: usize = 57;

/// Longest quoted-printable line, its final `=` not counted.
const LINE: usize = 75;

/// Encodes one leaf.
pub(super) enum Encoder {
    QuotedPrintable(QuotedPrintable),
    Base64(Base64),
    /// Quoted-printable that holds octets it should not: those alone are encoded.
    Mend,
    /// Base64 that holds octets it should not; decoders skip them, so they are left out.
    Drop,
}

impl Encoder {
    pub(super) fn new(entity: &Entity) -> Self {
        match entity.encoding {
            Encoding::QuotedPrintable => Self::Mend,
            Encoding::Base64 => Self::Drop,
            Encoding::SevenBit | Encoding::EightBit if entity.text => {
                Self::QuotedPrintable(QuotedPrintable::default())
            }
            Encoding::SevenBit | Encoding::EightBit => Self::Base64(Base64::default()),
        }
    }

    pub(super) fn push(&mut self, piece: &[u8], out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::QuotedPrintable(encoder) => out.write_all(&encoder.push(piece)),
            Self::Base64(encoder) => encoder.push(piece, out),
            Self::Mend => {
                let mut mended = Vec::with_capacity(piece.len());
                for byte in piece {
                    if byte.is_ascii() {
                        mended.push(*byte);
                    } else {
                        mended.extend_from_slice(&escaped(*byte));
                    }
                }
                out.write_all(&mended)
            }
            Self::Drop => {
                let plain: Vec<u8> = piece.iter().copied().filter(u8::is_ascii).collect();
                out.write_all(&plain)
            }
        }
    }

    pub(super) fn finish(self, delimited: bool, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::QuotedPrintable(encoder) => out.write_all(&encoder.finish()),
            Self::Base64(encoder) => encoder.finish(delimited, out),
            Self::Mend | Self::Drop => Ok(()),
        }
    }
}

fn escaped(byte: u8) -> [u8; 3] {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    [
        b'=',
        HEX[usize::from(byte >> 4)],
        HEX[usize::from(byte & 15)],
    ]
}

/// The line end before a separator belongs to the separator in both forms, so it goes through.
#[derive(Default)]
pub(super) struct QuotedPrintable {
    column: usize,
    /// A blank that must be encoded if the line ends behind it.
    blank: Option<u8>,
}

impl QuotedPrintable {
    fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(piece.len() + piece.len() / 4);
        for byte in piece {
            match byte {
                b'\n' => {
                    if let Some(blank) = self.blank.take() {
                        self.emit(&escaped(blank), &mut out);
                    }
                    out.push(b'\n');
                    self.column = 0;
                }
                b' ' | b'\t' => {
                    self.release(&mut out);
                    self.blank = Some(*byte);
                }
                b'=' => self.escape(*byte, &mut out),
                _ if byte.is_ascii_graphic() => {
                    self.release(&mut out);
                    self.emit(&[*byte], &mut out);
                }
                _ => self.escape(*byte, &mut out),
            }
        }
        out
    }

    fn finish(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(blank) = self.blank.take() {
            self.emit(&escaped(blank), &mut out);
        }
        if self.column > 0 {
            // The text had no final line end, and gets none.
            out.extend_from_slice(b"=\n");
        }
        out
    }

    fn escape(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.release(out);
        self.emit(&escaped(byte), out);
    }

    /// A blank that another character follows stands for itself.
    fn release(&mut self, out: &mut Vec<u8>) {
        if let Some(blank) = self.blank.take() {
            self.emit(&[blank], out);
        }
    }

    fn emit(&mut self, token: &[u8], out: &mut Vec<u8>) {
        if self.column + token.len() > LINE {
            out.extend_from_slice(b"=\n");
            self.column = 0;
        }
        out.extend_from_slice(token);
        self.column += token.len();
    }
}

/// Lines end with CRLF inside, as they do on the wire.
#[derive(Default)]
pub(super) struct Base64 {
    waiting: Vec<u8>,
    newline: bool,
}

impl Base64 {
    fn push(&mut self, piece: &[u8], out: &mut impl Write) -> io::Result<()> {
        for byte in piece {
            if std::mem::replace(&mut self.newline, *byte == b'\n') {
                self.waiting.extend_from_slice(b"\r\n");
            }
            if *byte != b'\n' {
                self.waiting.push(*byte);
            }
        }
        let whole = self.waiting.len() / GROUP * GROUP;
        for group in self.waiting[..whole].chunks(GROUP) {
            writeln!(out, "{}", STANDARD.encode(group))?;
        }
        self.waiting.drain(..whole);
        Ok(())
    }

    fn finish(mut self, delimited: bool, out: &mut impl Write) -> io::Result<()> {
        if self.newline && !delimited {
            self.waiting.extend_from_slice(b"\r\n");
        }
        for group in self.waiting.chunks(GROUP) {
            writeln!(out, "{}", STANDARD.encode(group))?;
        }
        Ok(())
    }
}
