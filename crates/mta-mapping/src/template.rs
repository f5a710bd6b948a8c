//! Templates: from their written form to a list of pieces.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use crate::{MAX_DEPTH, WarningKind};

/// A compiled template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    source: String,
    pub(crate) pieces: Vec<Piece>,
}

/// One piece of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Piece {
    /// These characters.
    Text(String),
    /// `$n`.
    Field(u8),
    /// `$\`, `$^`, `$_`.
    Case(Case),
    /// `$=`.
    QuoteLdap,
    /// A call-out.
    Call(Call),
    /// `$A`, `$nA`: the address or one of its characters.
    Address(Option<u32>),
    /// `$X`, `$nX`: the host or one of its components.
    Host(Option<u32>),
    /// `$?x?`.
    Chance(f64),
    /// `$:f`.
    IfSet(char),
    /// `$;f`.
    IfClear(char),
    /// `$.text.`; empty for `$..`.
    OnTemporaryFailure(String),
    /// `$C`, `$E`, `$L`, `$R`.
    Control(Control),
    /// `$+1E`.
    EndNow,
    /// An output flag, in upper case.
    Flag(char),
}

/// Case of the text that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Case {
    Lower,
    Upper,
    #[default]
    AsIs,
}

/// What happens after an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Control {
    /// `$C`: go on with the next entry.
    Next,
    /// `$E`: end.
    End,
    /// `$L`: go on with the next entry, and once more from the top at the end.
    Again,
    /// `$R`: start again at the first entry.
    Restart,
}

/// A call-out with its arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Call {
    /// `$#file|radix|width|modulus#`.
    Sequence {
        file: Vec<Piece>,
        radix: u32,
        width: usize,
        modulus: Option<u64>,
    },
    /// `$]url[`.
    Url(Vec<Piece>),
    /// `$|table;argument|`.
    Table {
        name: Vec<Piece>,
        argument: Vec<Piece>,
    },
    /// `${text}`.
    Database(Vec<Piece>),
    /// `$}domain,attribute{`.
    Domain {
        domain: Vec<Piece>,
        attribute: String,
    },
    /// `$[image,routine,argument]`.
    Routine {
        image: String,
        routine: String,
        argument: Vec<Piece>,
    },
}

/// What bare `$A` and `$X` are: that depends on the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressLetters {
    Flags,
    Substitutions,
}

impl AddressLetters {
    pub(crate) fn of_table(name: &str) -> Self {
        let name = name.to_ascii_uppercase();
        if name.ends_with("_ACCESS") || matches!(&*name, "AUTH_REWRITE" | "REVERSE" | "FORWARD") {
            Self::Flags
        } else {
            Self::Substitutions
        }
    }
}

impl Template {
    /// Compiles `text`; this cannot fail, doubtful sequences stand for themselves.
    pub(crate) fn compile_with(
        text: &str,
        letters: AddressLetters,
        warn: &mut dyn FnMut(String, WarningKind),
    ) -> Self {
        let mut parser = Parser {
            text,
            at: 0,
            letters,
            warnings: Vec::new(),
            open_calls: BTreeSet::new(),
        };
        let (pieces, _) = parser.pieces(&[], 0);
        for (sequence, kind) in parser.warnings {
            warn(sequence, kind);
        }
        Self {
            source: text.to_owned(),
            pieces,
        }
    }

    /// The template as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Names of the tables it calls, as far as they are fixed.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &str> {
        let mut found = Vec::new();
        collect_calls(&self.pieces, &mut found);
        found.into_iter()
    }
}

fn collect_calls<'t>(pieces: &'t [Piece], found: &mut Vec<&'t str>) {
    for piece in pieces {
        let Piece::Call(call) = piece else { continue };
        match call {
            Call::Table { name, argument } => {
                if let [Piece::Text(name)] = name.as_slice() {
                    found.push(name);
                }
                collect_calls(argument, found);
            }
            Call::Sequence { file, .. } => collect_calls(file, found),
            Call::Url(inside)
            | Call::Database(inside)
            | Call::Domain { domain: inside, .. }
            | Call::Routine {
                argument: inside, ..
            } => collect_calls(inside, found),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    letters: AddressLetters,
    warnings: Vec<(String, WarningKind)>,
    /// Places of call-outs that were found not to be closed, so that none is tried twice.
    open_calls: BTreeSet<usize>,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Pieces up to one of the characters `until`, which is taken and returned, or to the end.
    fn pieces(&mut self, until: &[char], depth: u32) -> (Vec<Piece>, Option<char>) {
        let mut pieces = Vec::new();
        while let Some(c) = self.rest().chars().next() {
            self.at += c.len_utf8();
            if until.contains(&c) {
                return (pieces, Some(c));
            }
            if c == '$' {
                self.sequence(&mut pieces, depth);
            } else {
                push_text(&mut pieces, c);
            }
        }
        (pieces, None)
    }

    /// The sequence whose `$` was just taken.
    fn sequence(&mut self, pieces: &mut Vec<Piece>, depth: u32) {
        let Some(c) = self.rest().chars().next() else {
            self.warnings
                .push(("$".to_owned(), WarningKind::TemplateLiteral));
            return push_text(pieces, '$');
        };
        if c.is_ascii_digit() {
            pieces.push(self.digits());
            return;
        }
        if let Some(piece) = self.long(c, depth) {
            pieces.push(piece);
            return;
        }
        self.at += c.len_utf8();
        pieces.push(match c {
            '$' | ' ' | '\t' => return push_text(pieces, c),
            '\\' => Piece::Case(Case::Lower),
            '^' => Piece::Case(Case::Upper),
            '_' => Piece::Case(Case::AsIs),
            '=' => Piece::QuoteLdap,
            'C' | 'c' => Piece::Control(Control::Next),
            'E' | 'e' => Piece::Control(Control::End),
            'L' | 'l' => Piece::Control(Control::Again),
            'R' | 'r' => Piece::Control(Control::Restart),
            'A' | 'a' if self.letters == AddressLetters::Substitutions => Piece::Address(None),
            'X' | 'x' if self.letters == AddressLetters::Substitutions => Piece::Host(None),
            '!' | ',' | '<' | '>' => Piece::Flag(c),
            _ if c.is_ascii_alphabetic() => Piece::Flag(c.to_ascii_uppercase()),
            _ => {
                self.warnings
                    .push((format!("${c}"), WarningKind::TemplateLiteral));
                return push_text(pieces, c);
            }
        });
    }

    /// `$n`, `$nA`, `$nX`.
    fn digits(&mut self) -> Piece {
        let rest = self.rest();
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..length].parse().unwrap_or(u32::MAX);
        let part = match rest.as_bytes().get(length) {
            Some(b'A') => Piece::Address(Some(number)),
            Some(b'X') => Piece::Host(Some(number)),
            _ => {
                self.at += 1;
                return Piece::Field(rest.as_bytes()[0] - b'0');
            }
        };
        let sequence = format!("${}", &rest[..=length]);
        self.warnings.push((sequence, WarningKind::DigitLetter));
        self.at += length + 1;
        part
    }

    /// A sequence of more than one character behind its `$`; nothing is taken if it is none.
    fn long(&mut self, c: char, depth: u32) -> Option<Piece> {
        let start = self.at;
        let warnings = self.warnings.len();
        let piece = match c {
            '#' | ']' | '|' | '{' | '}' | '[' => {
                if depth >= MAX_DEPTH || self.open_calls.contains(&start) {
                    None
                } else {
                    self.at += 1;
                    self.call(c, depth + 1).map(Piece::Call)
                }
            }
            '?' => self.between('?').and_then(|text| {
                let percent: f64 = text.parse().ok()?;
                percent.is_finite().then_some(Piece::Chance(percent))
            }),
            ':' => self.tested().map(Piece::IfSet),
            ';' => self.tested().map(Piece::IfClear),
            '.' => self.between('.').map(Piece::OnTemporaryFailure),
            '+' if self.rest().len() >= 3
                && self.rest().as_bytes()[..3].eq_ignore_ascii_case(b"+1E") =>
            {
                self.at += 3;
                Some(Piece::EndNow)
            }
            _ => None,
        };
        if piece.is_none() {
            self.at = start;
            self.warnings.truncate(warnings);
        }
        piece
    }

    /// The text between the character that stands here and the next `end`; a `$` quotes.
    fn between(&mut self, end: char) -> Option<String> {
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((place, c)) = characters.next() {
            if c == end {
                self.at += place + c.len_utf8();
                return Some(text);
            }
            text.push(if c == '$' { characters.next()?.1 } else { c });
        }
        None
    }

    fn tested(&mut self) -> Option<char> {
        let flag = self.rest()[1..].chars().next()?;
        self.at += 1 + flag.len_utf8();
        Some(flag)
    }

    /// A call-out whose opening character was just taken.
    fn call(&mut self, open: char, depth: u32) -> Option<Call> {
        let start = self.at - 1;
        let call = match open {
            '#' => self.sequence_file(depth),
            ']' => match self.pieces(&['['], depth) {
                (url, Some(_)) => Some(Call::Url(url)),
                (_, None) => None,
            },
            '{' => match self.pieces(&['}'], depth) {
                (key, Some(_)) => Some(Call::Database(key)),
                (_, None) => None,
            },
            '|' => self.table(depth),
            '}' => self.domain(depth),
            _ => self.routine(depth),
        };
        if call.is_none() {
            self.open_calls.insert(start);
        }
        call
    }

    fn table(&mut self, depth: u32) -> Option<Call> {
        let (name, Some(';')) = self.pieces(&[';', '|'], depth) else {
            return None;
        };
        let (argument, Some(_)) = self.pieces(&['|'], depth) else {
            return None;
        };
        Some(Call::Table { name, argument })
    }

    fn domain(&mut self, depth: u32) -> Option<Call> {
        let (domain, Some(',')) = self.pieces(&[',', '{'], depth) else {
            return None;
        };
        let attribute = self.word(&['{'])?.0;
        Some(Call::Domain { domain, attribute })
    }

    fn routine(&mut self, depth: u32) -> Option<Call> {
        let (image, ',') = self.word(&[',', ']'])? else {
            return None;
        };
        let (routine, end) = self.word(&[',', ']'])?;
        let argument = if end == ',' {
            let (argument, Some(_)) = self.pieces(&[']'], depth) else {
                return None;
            };
            argument
        } else {
            Vec::new()
        };
        Some(Call::Routine {
            image,
            routine,
            argument,
        })
    }

    fn sequence_file(&mut self, depth: u32) -> Option<Call> {
        let (file, mut end) = self.pieces(&['|', '#'], depth);
        let mut numbers = Vec::new();
        while end? == '|' {
            let (word, by) = self.word(&['|', '#'])?;
            let number = if word.is_empty() {
                None
            } else {
                Some(word.parse::<u64>().ok()?)
            };
            numbers.push(number);
            end = Some(by);
        }
        let number = |place: usize| numbers.get(place).copied().flatten();
        let radix = u32::try_from(number(0).unwrap_or(10)).ok()?;
        let width = usize::try_from(number(1).unwrap_or(0)).ok()?;
        let width_alone = number(1).is_some() && number(0).is_none();
        let fits = (2..=36).contains(&radix) && width <= 64 && number(2) != Some(0);
        (numbers.len() <= 3 && fits && !width_alone).then(|| Call::Sequence {
            file,
            radix,
            width,
            modulus: number(2),
        })
    }

    /// Plain text up to one of `until`, which is taken too.
    fn word(&mut self, until: &[char]) -> Option<(String, char)> {
        let rest = self.rest();
        let length = rest.find(until)?;
        let end = rest[length..].chars().next()?;
        self.at += length + end.len_utf8();
        Some((rest[..length].to_owned(), end))
    }
}

fn push_text(pieces: &mut Vec<Piece>, c: char) {
    if let Some(Piece::Text(text)) = pieces.last_mut() {
        text.push(c);
    } else {
        pieces.push(Piece::Text(c.to_string()));
    }
}
