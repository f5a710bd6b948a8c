//! Patterns: from their written form to a list of elements.
//!
//! Everything is compared without regard to the case of ASCII letters; literals are therefore
//! kept in lower case. How a list of elements is matched stands in [`crate::matching`].

use serde::{Deserialize, Serialize};

use crate::matching::Matcher;
use crate::network::Network;
use crate::{MAX_TEXT, WarningKind};

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    source: String,
    pub(crate) elements: Vec<Element>,
    /// Number of saved fields.
    pub(crate) fields: u16,
    /// Number of elements up to and with the last back match; what stands behind depends on no
    /// field, so that its failures can be remembered.
    pub(crate) back_end: usize,
}

/// One element of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Element {
    /// These characters, in lower case.
    Literal(String),
    /// One character of a class.
    One { class: Class, field: Option<u16> },
    /// Any number of characters of a class, as many as possible unless `lazy`.
    Many {
        class: Class,
        lazy: bool,
        field: Option<u16>,
    },
    /// The text of a field once more.
    Back(u16),
    /// An address within a network.
    Address {
        network: Network,
        field: Option<u16>,
    },
}

/// A class of characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Class {
    /// Every character.
    Any,
    /// ASCII characters by bit, in both cases, and ranges of others.
    Set {
        ascii: [u64; 2],
        ranges: Vec<(char, char)>,
    },
}

impl Class {
    fn of(characters: &str) -> Self {
        let mut set = CharacterSet::default();
        characters.chars().for_each(|c| set.add(c, c));
        set.class()
    }

    /// The named classes `$A`, `$B` and so on.
    fn named(letter: char) -> Option<Self> {
        const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";
        Some(match letter.to_ascii_uppercase() {
            'A' => Self::of(LETTERS),
            'B' => Self::of("01"),
            'D' => Self::of("0123456789"),
            'H' | 'X' => Self::of("0123456789abcdef"),
            'O' => Self::of("01234567"),
            'S' => Self::of(&format!("0123456789{LETTERS}_$")),
            'T' => Self::of("\t\u{b} "),
            _ => return None,
        })
    }

    pub(crate) fn holds(&self, c: char) -> bool {
        match self {
            Self::Any => true,
            Self::Set { ascii, .. } if c.is_ascii() => {
                let code = c as usize;
                ascii[code / 64] >> (code % 64) & 1 == 1
            }
            Self::Set { ranges, .. } => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)),
        }
    }
}

/// A class under construction.
#[derive(Default)]
struct CharacterSet {
    ascii: [u64; 2],
    ranges: Vec<(char, char)>,
}

impl CharacterSet {
    /// Adds all characters of a range, ASCII letters in both cases.
    fn add(&mut self, from: char, to: char) {
        for code in 0..128_u8 {
            let c = char::from(code);
            if (from..=to).contains(&c) {
                for c in [c.to_ascii_lowercase(), c.to_ascii_uppercase()] {
                    self.ascii[c as usize / 64] |= 1 << (c as usize % 64);
                }
            }
        }
        if !to.is_ascii() {
            self.ranges.push((from, to));
        }
    }

    fn class(self) -> Class {
        Class::Set {
            ascii: self.ascii,
            ranges: self.ranges,
        }
    }
}

impl Pattern {
    /// Compiles `text`; doubtful sequences are taken as they stand.
    ///
    /// # Errors
    /// What cannot be understood: a back match to a field that no earlier wildcard saves, or a
    /// class or network that is none.
    pub fn compile(text: &str) -> Result<Self, String> {
        Self::compile_with(text, &mut |_, _| ())
    }

    pub(crate) fn compile_with(
        text: &str,
        warn: &mut dyn FnMut(String, WarningKind),
    ) -> Result<Self, String> {
        let mut parser = Parser {
            rest: text,
            elements: Vec::new(),
            fields: 0,
            back_end: 0,
        };
        parser.run(warn)?;
        Ok(Self {
            source: text.to_owned(),
            elements: parser.elements,
            fields: parser.fields,
            back_end: parser.back_end,
        })
    }

    /// The pattern as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The saved fields if the whole of `text` fits, in the order of the wildcards.
    #[must_use]
    pub fn matches<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        if is_too_long(text) {
            return None;
        }
        let mut matcher = Matcher::new(text);
        matcher
            .matches(self)
            .then(|| matcher.fields().map(|field| field.unwrap_or("")).collect())
    }
}

/// Whether a text is longer than any entry may match.
pub(crate) fn is_too_long(text: &str) -> bool {
    text.len() > MAX_TEXT && text.chars().count() > MAX_TEXT
}

struct Parser<'a> {
    rest: &'a str,
    elements: Vec<Element>,
    fields: u16,
    back_end: usize,
}

/// What may stand before a wildcard.
#[derive(Default, Clone, Copy)]
struct Modifiers {
    lazy: bool,
    unsaved: bool,
}

impl Parser<'_> {
    fn run(&mut self, warn: &mut dyn FnMut(String, WarningKind)) -> Result<(), String> {
        while let Some(c) = self.rest.chars().next() {
            match c {
                '%' | '*' => {
                    self.advance(1);
                    self.wildcard(Class::Any, c == '*', Modifiers::default());
                }
                '$' if self.sequence()? => {}
                '$' => {
                    self.advance(1);
                    self.quoted(warn);
                }
                _ => {
                    self.advance(c.len_utf8());
                    self.literal(c);
                }
            }
        }
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    /// Takes a whole `$` sequence that is more than a quoted character, if one stands here.
    fn sequence(&mut self) -> Result<bool, String> {
        let mut at = self.rest;
        let mut modifiers = Modifiers::default();
        let mut modified = false;
        loop {
            if let Some(rest) = at.strip_prefix("$_") {
                (at, modifiers.lazy) = (rest, true);
            } else if let Some(rest) = at.strip_prefix("$@") {
                (at, modifiers.unsaved) = (rest, true);
            } else if let Some(rest) = at.strip_prefix("$^") {
                (at, modifiers.unsaved) = (rest, false);
            } else {
                break;
            }
            modified = true;
        }
        if modified && at.starts_with(['%', '*']) {
            let many = at.starts_with('*');
            self.rest = &at[1..];
            self.wildcard(Class::Any, many, modifiers);
            return Ok(true);
        }
        let Some(inside) = at.strip_prefix('$') else {
            return Ok(false);
        };
        let Some(kind) = inside.chars().next() else {
            return Ok(false);
        };
        match kind {
            '0'..='9' if !modified && inside[1..].starts_with('*') => {
                self.back_match(inside)?;
                Ok(true)
            }
            '[' => {
                self.list(at, modifiers)?;
                Ok(true)
            }
            '<' | '(' | '{' => {
                self.network(at, kind, modifiers)?;
                Ok(true)
            }
            letter => {
                let Some(class) = Class::named(letter) else {
                    return Ok(false);
                };
                let behind = &inside[letter.len_utf8()..];
                if !behind.starts_with(['%', '*']) {
                    return Ok(false);
                }
                self.rest = &behind[1..];
                self.wildcard(class, behind.starts_with('*'), modifiers);
                Ok(true)
            }
        }
    }

    /// The character behind a `$` that begins nothing.
    fn quoted(&mut self, warn: &mut dyn FnMut(String, WarningKind)) {
        let Some(c) = self.rest.chars().next() else {
            warn("$".to_owned(), WarningKind::PatternLiteral);
            return self.literal('$');
        };
        if !matches!(c, '*' | '%' | '$' | ' ' | '\t') {
            warn(format!("${c}"), WarningKind::PatternLiteral);
        }
        self.advance(c.len_utf8());
        self.literal(c);
    }

    fn back_match(&mut self, inside: &str) -> Result<(), String> {
        let digit = inside.as_bytes()[0] - b'0';
        let field = u16::from(digit);
        if field >= self.fields {
            return Err(format!("${digit}*"));
        }
        self.elements.push(Element::Back(field));
        self.back_end = self.elements.len();
        self.advance(3);
        Ok(())
    }

    /// `$[c1c2-c3...]` with its `%` or `*`; `at` starts at the `$`.
    fn list(&mut self, at: &str, modifiers: Modifiers) -> Result<(), String> {
        let fault = || at.chars().take(40).collect::<String>();
        let mut characters = Vec::new();
        let mut quoted = false;
        let mut end = None;
        for (place, c) in at.char_indices().skip(2) {
            match c {
                _ if quoted => {
                    characters.push((c, true));
                    quoted = false;
                }
                '\\' => quoted = true,
                ']' => {
                    end = Some(place + 1);
                    break;
                }
                _ => characters.push((c, false)),
            }
        }
        let behind = end.map(|end| &at[end..]).ok_or_else(fault)?;
        if !behind.starts_with(['%', '*']) {
            return Err(fault());
        }
        self.rest = &self.rest[self.rest.len() - behind.len() + 1..];
        let class = class_of_list(&characters);
        self.wildcard(class, behind.starts_with('*'), modifiers);
        Ok(())
    }

    /// `$<…>`, `$(…)`, `${…}`; `at` starts at the `$`.
    fn network(&mut self, at: &str, kind: char, modifiers: Modifiers) -> Result<(), String> {
        let close = match kind {
            '<' => '>',
            '(' => ')',
            _ => '}',
        };
        let fault = || at.chars().take(60).collect::<String>();
        let end = at.find(close).ok_or_else(fault)?;
        let inside = &at[2..end];
        let network = match kind {
            '<' => Network::v4_ignoring(inside),
            '(' => Network::v4_prefix(inside),
            _ => Network::v6_prefix(inside),
        }
        .ok_or_else(|| at[..=end].to_owned())?;
        self.rest = &self.rest[self.rest.len() - (at.len() - end) + 1..];
        let field = self.field(modifiers);
        self.elements.push(Element::Address { network, field });
        Ok(())
    }

    fn literal(&mut self, c: char) {
        let c = c.to_ascii_lowercase();
        if let Some(Element::Literal(text)) = self.elements.last_mut() {
            text.push(c);
        } else {
            self.elements.push(Element::Literal(c.to_string()));
        }
    }

    fn wildcard(&mut self, class: Class, many: bool, modifiers: Modifiers) {
        let field = self.field(modifiers);
        self.elements.push(if many {
            Element::Many {
                class,
                lazy: modifiers.lazy,
                field,
            }
        } else {
            Element::One { class, field }
        });
    }

    fn field(&mut self, modifiers: Modifiers) -> Option<u16> {
        if modifiers.unsaved {
            return None;
        }
        self.fields += 1;
        Some(self.fields - 1)
    }
}

/// The class of a list; the flag of each character says whether a backslash stood before it.
fn class_of_list(characters: &[(char, bool)]) -> Class {
    let mut set = CharacterSet::default();
    let mut rest = characters;
    while let [(from, _), behind @ ..] = rest {
        if let [('-', false), (to, _), behind @ ..] = behind {
            set.add(*from, *to);
            rest = behind;
        } else {
            set.add(*from, *from);
            rest = behind;
        }
    }
    set.class()
}
