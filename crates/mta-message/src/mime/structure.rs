//! The parts of a message, found line by line.
//!
//! No tree is built and nothing recurses: a stack of separator lines is all the memory there
//! is, so depth costs nothing and is bounded. Beyond the bound a multipart counts as a leaf.

use std::io::{self, BufRead, Read};

use crate::header::Header;

/// Most multiparts within multiparts.
const MAX_DEPTH: usize = 100;

/// Most leaves that are told apart; all further ones are treated alike.
const MAX_LEAVES: usize = 1000;

/// Largest header of a part.
const MAX_HEADER: usize = 4 * 1024 * 1024;

/// Longest separator that is recognised (RFC 2046 §5.1.1 allows 70).
const MAX_BOUNDARY: usize = 200;

/// Octets of a line that are handled at once.
const PIECE: u64 = 8 * 1024;

/// What a part is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Leaf,
    Multipart,
    /// A message within the message.
    Message,
}

/// What the part says of its encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    SevenBit,
    EightBit,
    QuotedPrintable,
    Base64,
}

/// A part whose header was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entity {
    pub(super) kind: Kind,
    pub(super) encoding: Encoding,
    /// Text, as far as its type says.
    pub(super) text: bool,
    /// The message itself.
    pub(super) top: bool,
    /// Number of the leaf.
    pub(super) leaf: usize,
}

/// Who is told of what is found.
pub(super) trait Visitor {
    /// A part's header with its empty line, if it has one.
    fn header(&mut self, entity: &Entity, block: &[u8]) -> io::Result<()>;
    /// A line of a leaf, or a part of a long one.
    fn leaf(&mut self, entity: &Entity, piece: &[u8]) -> io::Result<()>;
    /// A leaf is over; a separator follows or not.
    fn leaf_end(&mut self, entity: &Entity, delimited: bool) -> io::Result<()>;
    /// Separators, and what stands before the first and behind the last of them.
    fn between(&mut self, piece: &[u8]) -> io::Result<()>;
}

enum State {
    Header(Vec<u8>),
    Leaf(Entity),
    Between,
}

struct Walker<'a> {
    visitor: &'a mut dyn Visitor,
    state: State,
    stack: Vec<Level>,
    leaves: usize,
    top: bool,
}

struct Level {
    boundary: Vec<u8>,
    /// Parts without a type are messages (RFC 2046 §5.1.5).
    digest: bool,
}

/// Tells `visitor` of every part of a message.
pub(super) fn walk(mut content: impl BufRead, visitor: &mut dyn Visitor) -> io::Result<()> {
    let mut walker = Walker {
        visitor,
        state: State::Header(Vec::new()),
        stack: Vec::new(),
        leaves: 0,
        top: true,
    };
    let mut piece = Vec::new();
    let mut starts_line = true;
    loop {
        piece.clear();
        if content.by_ref().take(PIECE).read_until(b'\n', &mut piece)? == 0 {
            return walker.finish(false);
        }
        walker.piece(&piece, starts_line)?;
        starts_line = piece.ends_with(b"\n");
    }
}

impl Walker<'_> {
    fn piece(&mut self, piece: &[u8], starts_line: bool) -> io::Result<()> {
        if starts_line && let Some((level, closing)) = self.delimiter(piece) {
            self.finish(true)?;
            self.stack.truncate(level + usize::from(!closing));
            self.state = if closing {
                State::Between
            } else {
                State::Header(Vec::new())
            };
            return self.visitor.between(piece);
        }
        match &mut self.state {
            State::Between => self.visitor.between(piece),
            State::Leaf(entity) => self.visitor.leaf(entity, piece),
            State::Header(block) if starts_line && is_stray(block, piece) => {
                // The body begins without an empty line, as it may at the top of a message.
                let block = std::mem::take(block);
                self.header(&block)?;
                if matches!(self.state, State::Header(_)) {
                    self.bare_leaf()?;
                }
                self.piece(piece, starts_line)
            }
            State::Header(block) => {
                block.extend_from_slice(piece);
                if block.len() > MAX_HEADER {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                if starts_line && piece == b"\n" {
                    let block = std::mem::take(block);
                    self.header(&block)?;
                }
                Ok(())
            }
        }
    }

    /// The level whose separator this line is, and whether it closes it.
    fn delimiter(&self, line: &[u8]) -> Option<(usize, bool)> {
        let rest = line.strip_prefix(b"--")?;
        self.stack.iter().enumerate().rev().find_map(|(at, level)| {
            let rest = rest.strip_prefix(level.boundary.as_slice())?;
            match rest.trim_ascii_end() {
                b"" => Some((at, false)),
                b"--" => Some((at, true)),
                _ => None,
            }
        })
    }

    fn header(&mut self, block: &[u8]) -> io::Result<()> {
        let header = Header::parse(block);
        let digest = self.stack.last().is_some_and(|level| level.digest);
        let default = if digest {
            "message/rfc822"
        } else {
            "text/plain"
        };
        let value = header.get("Content-type").map(crate::header::Field::value);
        let value = value.unwrap_or_else(|| default.to_owned());
        let kind = value
            .split(';')
            .next()
            .unwrap_or("")
            .trim()
            .to_ascii_lowercase();
        let encoding = encoding(&header);
        let mut entity = Entity {
            kind: Kind::Leaf,
            encoding,
            text: kind.starts_with("text/")
                || kind.starts_with("multipart/")
                || !kind.contains('/'),
            top: std::mem::take(&mut self.top),
            leaf: 0,
        };
        let plain = matches!(encoding, Encoding::SevenBit | Encoding::EightBit);
        let boundary = parameter(&value, "boundary").filter(|b| usable(b));
        self.state = if plain && kind == "message/rfc822" {
            entity.kind = Kind::Message;
            State::Header(Vec::new())
        } else if let Some(boundary) = boundary
            .filter(|_| plain && kind.starts_with("multipart/") && self.stack.len() < MAX_DEPTH)
        {
            entity.kind = Kind::Multipart;
            self.stack.push(Level {
                boundary: boundary.into_bytes(),
                digest: kind == "multipart/digest",
            });
            State::Between
        } else {
            entity.leaf = self.next_leaf();
            State::Leaf(entity.clone())
        };
        self.visitor.header(&entity, block)
    }

    /// A message within the message that has no header at all.
    fn bare_leaf(&mut self) -> io::Result<()> {
        let entity = Entity {
            kind: Kind::Leaf,
            encoding: Encoding::SevenBit,
            text: true,
            top: false,
            leaf: self.next_leaf(),
        };
        self.state = State::Leaf(entity.clone());
        self.visitor.header(&entity, b"")
    }

    fn next_leaf(&mut self) -> usize {
        let leaf = self.leaves.min(MAX_LEAVES - 1);
        self.leaves += 1;
        leaf
    }

    /// Ends what was going on.
    fn finish(&mut self, delimited: bool) -> io::Result<()> {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Between => Ok(()),
            State::Leaf(entity) => self.visitor.leaf_end(&entity, delimited),
            State::Header(block) if block.is_empty() => Ok(()),
            State::Header(block) => {
                self.header(&block)?;
                match std::mem::replace(&mut self.state, State::Between) {
                    State::Leaf(entity) => self.visitor.leaf_end(&entity, delimited),
                    State::Between | State::Header(_) => Ok(()),
                }
            }
        }
    }
}

/// Whether this line, behind the header lines of `block`, is none itself.
fn is_stray(block: &[u8], line: &[u8]) -> bool {
    let first = block.is_empty();
    line != b"\n" && !crate::header::is_header_line(line, first)
}

fn usable(boundary: &str) -> bool {
    !boundary.is_empty() && boundary.len() <= MAX_BOUNDARY
}

fn encoding(header: &Header) -> Encoding {
    let value = header.get("Content-transfer-encoding");
    let value = value.map(|field| field.value().to_ascii_lowercase());
    match value.as_deref() {
        Some("quoted-printable") => Encoding::QuotedPrintable,
        Some("base64") => Encoding::Base64,
        Some("8bit" | "binary") => Encoding::EightBit,
        _ => Encoding::SevenBit,
    }
}

/// A parameter of a content field, unquoted.
pub(super) fn parameter(value: &str, name: &str) -> Option<String> {
    split_parameters(value).skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| unquote(value.trim()))
    })
}

/// The pieces between semicolons that stand outside of quotes.
pub(super) fn split_parameters(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |c| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' => return !quoted,
            _ => {}
        }
        false
    })
}

pub(super) fn unquote(text: &str) -> String {
    let Some(inside) = text.strip_prefix('"') else {
        let end = text.find(|c: char| c.is_whitespace() || c == '(');
        return text[..end.unwrap_or(text.len())].to_owned();
    };
    let mut out = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}
