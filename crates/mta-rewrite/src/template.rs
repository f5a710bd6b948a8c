//! Templates: from their written form to a list of pieces.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use crate::Place;
use crate::rule::is_open;

/// Deepest nesting of call-outs within arguments, and of results that are read on as template.
pub(crate) const MAX_NESTING: u32 = 10;

/// A compiled template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Template {
    source: String,
    pub(crate) pieces: Vec<Piece>,
}

/// One piece of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Piece {
    /// These characters.
    Text(String),
    /// An unquoted `%` or `@` that separates the parts of an address.
    Separator(Separator),
    /// Material of the address.
    Substitution(Substitution),
    /// `$\`, `$^`, `$_`.
    Case(Case),
    /// `$=`.
    QuoteLdap,
    /// A call-out.
    Call(Call),
    /// `$.text.`; empty for `$..`.
    OnTemporaryFailure(String),
    /// A control sequence.
    Control(Control),
}

/// What separates the parts of an address in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Separator {
    Percent,
    At,
}

/// Material that comes out of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Substitution {
    /// `$U`, `$0U`, `$1U`.
    User(UserPart),
    /// `$D`, `$nD`.
    Domain { dropped: u32 },
    /// `$H`, `$nH`.
    Host { dropped: u32 },
    /// `$L`.
    Literal,
    /// `$nA`.
    Character(u32),
    /// `$nX`.
    SpecificationComponent(u32),
    /// `$&n`, `$!n`, `$*n`, `$#n`.
    Component {
        matched: bool,
        from_right: bool,
        number: u32,
    },
    /// `$W`.
    Unique,
}

/// Which part of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum UserPart {
    Whole,
    WithoutDetail,
    Detail,
}

/// Case of the substituted text that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Case {
    Lower,
    Upper,
    #[default]
    AsIs,
}

/// A control sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Control {
    /// `$E` (true), `$B`.
    Envelope(bool),
    /// `$F` (true), `$R`.
    Forward(bool),
    /// `$S`, `$A`, `$P`, `$X`.
    Place(Place),
    /// `$M` (true), `$N`.
    Source { is: bool, channel: String },
    /// `$1M` (true), `$1N`.
    Reprocessing(bool),
    /// `$Q` (true), `$C`.
    Destination { is: bool, channel: String },
    /// `$1~`.
    CheckNow,
    /// `$V` (true), `$Z`; the argument follows.
    LocalDomain(bool),
    /// `$,`; the argument follows and is thrown away.
    Ignored,
    /// `$T`.
    Tag(String),
    /// `$?`, `$number?`.
    ErrorText { number: Option<u32>, text: String },
}

/// A call-out with its arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Call {
    /// `$(text)`.
    Database(Vec<Piece>),
    /// `${mapping,argument}`.
    Mapping { table: String, argument: Vec<Piece> },
    /// `$[image,routine,argument]`.
    Routine {
        image: String,
        routine: String,
        argument: Vec<Piece>,
    },
    /// `$]url[`.
    Url(Vec<Piece>),
    /// `$}domain,attribute{`.
    Domain {
        domain: Vec<Piece>,
        attribute: String,
    },
}

impl Template {
    /// Compiles the template of a rule; says which sequences mean nothing.
    pub(crate) fn compile_rule(text: &str) -> (Self, Vec<String>) {
        if let Some(control) = whole_error_text(text) {
            let template = Self {
                source: text.to_owned(),
                pieces: vec![Piece::Control(control)],
            };
            return (template, Vec::new());
        }
        let mut parser = Parser::new(text);
        let (pieces, _) = parser.pieces(None, 0);
        let template = Self {
            source: text.to_owned(),
            pieces,
        };
        (template, parser.doubtful)
    }

    /// Compiles text that takes the place of a call-out; inside an argument `%` and `@`
    /// separate nothing.
    pub(crate) fn fragment(text: &str, in_argument: bool) -> Vec<Piece> {
        let mut parser = Parser::new(text);
        parser.separates = !in_argument;
        parser.pieces(None, 0).0
    }

    /// Whether the whole template is an error text, white space and all.
    pub(crate) fn is_error_text(text: &str) -> bool {
        whole_error_text(text).is_some()
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn calls_routine(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Call(Call::Routine { .. })))
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Call(Call::Mapping { table, .. }) => Some(table.as_str()),
            _ => None,
        })
    }

    /// Whether the separators stand in one of the known orders, or may still come.
    pub(crate) fn may_have_form(&self) -> bool {
        if is_open(&self.pieces) {
            return true;
        }
        let mut separators = Vec::new();
        let mut has_text = false;
        for piece in &self.pieces {
            match piece {
                Piece::Separator(separator) => separators.push(*separator),
                Piece::Text(_) | Piece::Substitution(_) => has_text = true,
                _ => {}
            }
        }
        match separators.as_slice() {
            [] => !has_text,
            separators => is_known_form(separators),
        }
    }

    /// The text behind the last `@`, if it is fixed.
    pub(crate) fn fixed_tag(&self) -> Option<&str> {
        let at = self
            .pieces
            .iter()
            .rposition(|piece| matches!(piece, Piece::Separator(_)))?;
        if self.pieces[at] != Piece::Separator(Separator::At) || is_open(&self.pieces) {
            return None;
        }
        let mut text = None;
        for piece in &self.pieces[at + 1..] {
            match piece {
                Piece::Text(fixed) if text.is_none() => text = Some(fixed.as_str()),
                Piece::Control(Control::LocalDomain(_) | Control::Ignored) => return None,
                Piece::Control(_) => {}
                _ => return None,
            }
        }
        text
    }
}

/// `A%B@C`, `A@B`, `A%B`, `A@B@C@D`, `A@B@C`.
pub(crate) fn is_known_form(separators: &[Separator]) -> bool {
    use Separator::{At, Percent};
    matches!(
        separators,
        [Percent, At] | [At] | [Percent] | [At, At, At] | [At, At]
    )
}

/// A template that starts with `$?` or `$number?` is that text to its end.
fn whole_error_text(text: &str) -> Option<Control> {
    let rest = text.strip_prefix('$')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let words = rest[digits..].strip_prefix('?')?;
    let mut unquoted = String::with_capacity(words.len());
    let mut characters = words.chars();
    while let Some(c) = characters.next() {
        unquoted.push(match c {
            '$' => characters.next().unwrap_or('$'),
            _ => c,
        });
    }
    Some(Control::ErrorText {
        number: rest[..digits].parse().ok(),
        text: unquoted,
    })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Whether `%` and `@` separate the parts of an address at the outermost level.
    separates: bool,
    doubtful: Vec<String>,
    /// Places of call-outs that were found not to be closed, so that none is tried twice.
    open_calls: BTreeSet<usize>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            separates: true,
            doubtful: Vec::new(),
            open_calls: BTreeSet::new(),
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Pieces up to the character `close`, which is taken; whether it was found.
    fn pieces(&mut self, close: Option<char>, depth: u32) -> (Vec<Piece>, bool) {
        let mut pieces = Vec::new();
        while let Some(c) = self.rest().chars().next() {
            self.at += c.len_utf8();
            match c {
                _ if Some(c) == close => return (pieces, true),
                '%' if depth == 0 && self.separates => {
                    pieces.push(Piece::Separator(Separator::Percent));
                }
                '@' if depth == 0 && self.separates => {
                    pieces.push(Piece::Separator(Separator::At));
                }
                '$' => self.sequence(&mut pieces, close, depth),
                _ => push_text(&mut pieces, c),
            }
        }
        (pieces, close.is_none())
    }

    /// The sequence whose `$` was just taken.
    fn sequence(&mut self, pieces: &mut Vec<Piece>, close: Option<char>, depth: u32) {
        let start = self.at;
        let doubtful = self.doubtful.len();
        if let Some(piece) = self.known(close, depth) {
            pieces.push(piece);
            return;
        }
        self.at = start;
        self.doubtful.truncate(doubtful);
        let Some(c) = self.rest().chars().next() else {
            self.doubtful.push("$".to_owned());
            return push_text(pieces, '$');
        };
        if !matches!(c, '$' | '%' | '@' | ' ' | '\t') {
            self.doubtful.push(format!("${c}"));
        }
        self.at += c.len_utf8();
        push_text(pieces, c);
    }

    fn known(&mut self, close: Option<char>, depth: u32) -> Option<Piece> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let number = self.rest()[..digits].parse().ok()?;
            self.at += digits;
            return self.numbered(number);
        }
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(match c.to_ascii_uppercase() {
            'U' => Piece::Substitution(Substitution::User(UserPart::Whole)),
            'D' => Piece::Substitution(Substitution::Domain { dropped: 0 }),
            'H' => Piece::Substitution(Substitution::Host { dropped: 0 }),
            'L' => Piece::Substitution(Substitution::Literal),
            'W' => Piece::Substitution(Substitution::Unique),
            '&' | '!' | '*' | '#' => {
                let number = self.rest().chars().next()?.to_digit(10)?;
                self.at += 1;
                Piece::Substitution(Substitution::Component {
                    matched: matches!(c, '*' | '#'),
                    from_right: matches!(c, '!' | '#'),
                    number,
                })
            }
            '\\' => Piece::Case(Case::Lower),
            '^' => Piece::Case(Case::Upper),
            '_' => Piece::Case(Case::AsIs),
            '=' => Piece::QuoteLdap,
            '.' => Piece::OnTemporaryFailure(self.quoted_text(&['.'], true)?),
            '(' | '{' | '[' | ']' | '}' => Piece::Call(self.call(c, depth)?),
            _ => Piece::Control(self.control(c, close)?),
        })
    }

    /// A sequence with a number in front of its letter.
    fn numbered(&mut self, number: u32) -> Option<Piece> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        let substitution = match (c.to_ascii_uppercase(), number) {
            ('U', 0) => Substitution::User(UserPart::WithoutDetail),
            ('U', 1) => Substitution::User(UserPart::Detail),
            ('D', dropped) => Substitution::Domain { dropped },
            ('H', dropped) => Substitution::Host { dropped },
            ('A', number) => Substitution::Character(number),
            ('X', number) => Substitution::SpecificationComponent(number),
            ('M', 1) => return Some(Piece::Control(Control::Reprocessing(true))),
            ('N', 1) => return Some(Piece::Control(Control::Reprocessing(false))),
            ('~', 1) => return Some(Piece::Control(Control::CheckNow)),
            ('?', number) => {
                let text = self.quoted_text(&['@', '%'], false)?;
                return Some(Piece::Control(Control::ErrorText {
                    number: Some(number),
                    text,
                }));
            }
            _ => return None,
        };
        Some(Piece::Substitution(substitution))
    }

    fn control(&mut self, c: char, close: Option<char>) -> Option<Control> {
        Some(match c.to_ascii_uppercase() {
            'E' => Control::Envelope(true),
            'B' => Control::Envelope(false),
            'F' => Control::Forward(true),
            'R' => Control::Forward(false),
            'S' => Control::Place(Place::Route),
            'A' => Control::Place(Place::At),
            'P' => Control::Place(Place::Percent),
            'X' => Control::Place(Place::Bang),
            letter @ ('M' | 'N') => Control::Source {
                is: letter == 'M',
                channel: self.word(close),
            },
            letter @ ('Q' | 'C') => Control::Destination {
                is: letter == 'Q',
                channel: self.word(close),
            },
            'V' => Control::LocalDomain(true),
            'Z' => Control::LocalDomain(false),
            ',' => Control::Ignored,
            'T' => Control::Tag(self.word(close)),
            '?' => Control::ErrorText {
                number: None,
                text: self.quoted_text(&['@', '%'], false)?,
            },
            _ => return None,
        })
    }

    /// Text up to the next `@`, `%` or `$`, or to the bracket that closes the call-out around.
    fn word(&mut self, close: Option<char>) -> String {
        let rest = self.rest();
        let end = rest
            .find(|c| matches!(c, '@' | '%' | '$') || Some(c) == close)
            .unwrap_or(rest.len());
        self.at += end;
        rest[..end].to_owned()
    }

    /// Text in which `$ `, `$$`, `$%`, `$@` stand for their character, up to one of `until` or
    /// to the next other sequence. With `closed` it must end with one of `until`, which is
    /// taken; otherwise nothing but the text is.
    fn quoted_text(&mut self, until: &[char], closed: bool) -> Option<String> {
        let rest = self.rest();
        let mut text = String::new();
        let mut characters = rest.char_indices().peekable();
        while let Some((place, c)) = characters.next() {
            if until.contains(&c) {
                self.at += place + if closed { c.len_utf8() } else { 0 };
                return Some(text);
            }
            if c != '$' {
                text.push(c);
                continue;
            }
            match characters.peek() {
                Some((_, quoted @ ('$' | '%' | '@' | ' ' | '\t'))) => text.push(*quoted),
                Some((_, quoted)) if closed => text.push(*quoted),
                _ => {
                    self.at += place;
                    return (!closed).then_some(text);
                }
            }
            characters.next();
        }
        self.at = self.text.len();
        (!closed).then_some(text)
    }

    /// A call-out whose opening bracket was just taken.
    fn call(&mut self, open: char, depth: u32) -> Option<Call> {
        let start = self.at;
        if depth >= MAX_NESTING || self.open_calls.contains(&start) {
            return None;
        }
        let call = self.call_parts(open, depth + 1);
        if call.is_none() {
            self.open_calls.insert(start);
        }
        call
    }

    fn call_parts(&mut self, open: char, depth: u32) -> Option<Call> {
        match open {
            '(' => self.closed(')', depth).map(Call::Database),
            '{' => {
                let (table, end) = self.until(&[',', '}'])?;
                let argument = if end == ',' {
                    self.closed('}', depth)?
                } else {
                    Vec::new()
                };
                Some(Call::Mapping { table, argument })
            }
            '[' => {
                let (image, end) = self.until(&[',', ']'])?;
                (end == ',').then_some(())?;
                let (routine, end) = self.until(&[',', ']'])?;
                let argument = if end == ',' {
                    self.closed(']', depth)?
                } else {
                    Vec::new()
                };
                Some(Call::Routine {
                    image,
                    routine,
                    argument,
                })
            }
            ']' => self.closed('[', depth).map(Call::Url),
            _ => {
                let domain = self.closed(',', depth)?;
                let (attribute, _) = self.until(&['{'])?;
                Some(Call::Domain { domain, attribute })
            }
        }
    }

    fn closed(&mut self, close: char, depth: u32) -> Option<Vec<Piece>> {
        let (pieces, found) = self.pieces(Some(close), depth);
        found.then_some(pieces)
    }

    /// Plain text up to one of `until`, which is taken too.
    fn until(&mut self, until: &[char]) -> Option<(String, char)> {
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
