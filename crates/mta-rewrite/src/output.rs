//! The address that a template puts together, part by part.

use mta_mapping::ldap_quoted;

use crate::apply::Match;
use crate::template::{Case, Control, Separator};

/// The forms of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// `A%B@C` and its relatives: an address and a routing system.
    Address {
        user: String,
        domain: String,
        route: Option<String>,
        tag: String,
    },
    /// `A%B`: start again.
    Restart { user: String, domain: String },
    /// Nothing but controls: the host is looked up as it is.
    AsItIs,
}

/// Most separators of a known form.
const MOST: usize = 3;
/// Octets that nearly every output fits in.
const ROOM: usize = 96;

/// The parts of an address under construction.
#[derive(Debug)]
pub(crate) struct Output {
    /// All parts, one behind the other.
    text: String,
    /// The first separators, and where in the text each stands.
    separators: [(Separator, usize); MOST],
    /// How many there are; a template with more than [`MOST`] is of no known form.
    count: usize,
    /// Case of what is substituted.
    pub(crate) case: Case,
    /// Substituted text is quoted for an LDAP filter.
    pub(crate) quotes: bool,
    /// A control whose argument is being collected.
    pub(crate) argument: Option<(Control, String)>,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            text: String::with_capacity(ROOM),
            separators: [(Separator::At, 0); MOST],
            count: 0,
            case: Case::AsIs,
            quotes: false,
            argument: None,
        }
    }
}

impl Output {
    pub(crate) fn plain(&mut self, text: &str) {
        match &mut self.argument {
            Some((_, argument)) => argument.push_str(text),
            None => self.text.push_str(text),
        }
    }

    pub(crate) fn substituted(&mut self, text: &str) {
        if self.argument.is_some() || (self.case == Case::AsIs && !self.quotes) {
            return self.plain(text);
        }
        let quoted = if self.quotes {
            ldap_quoted(text)
        } else {
            text.to_owned()
        };
        match self.case {
            Case::AsIs => self.plain(&quoted),
            Case::Lower => self.plain(&quoted.to_ascii_lowercase()),
            Case::Upper => self.plain(&quoted.to_ascii_uppercase()),
        }
    }

    pub(crate) fn separate(&mut self, separator: Separator) {
        if let Some(place) = self.separators.get_mut(self.count) {
            *place = (separator, self.text.len());
        }
        self.count += 1;
    }

    /// The separators, if they are not too many for any form.
    fn kinds(&self) -> Option<[Option<Separator>; MOST]> {
        let kind = |number: usize| (number < self.count).then(|| self.separators[number].0);
        (self.count <= MOST).then(|| [kind(0), kind(1), kind(2)])
    }

    /// All that was put together, separators left out.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    pub(crate) const fn len(&self) -> usize {
        self.text.len()
    }

    /// Makes room for a routing system: what is there becomes user and domain of an address.
    pub(crate) fn expect_tag(&mut self, matched: &Match<'_>) {
        use Separator::{At, Percent};
        self.argument = None;
        match self.kinds() {
            Some([Some(Percent), None, None]) => self.separate(At),
            Some([Some(At), None, None]) => {
                self.separators[0].0 = Percent;
                self.separate(At);
            }
            Some(
                [Some(Percent), Some(At), None]
                | [Some(At), Some(At), None]
                | [Some(At), Some(At), Some(At)],
            ) => {
                self.text.truncate(self.separators[self.count - 1].1);
            }
            _ => {
                self.text.clear();
                self.count = 0;
                self.text.push_str(matched.user);
                self.separate(Percent);
                self.text.push_str(matched.specification);
                self.separate(At);
            }
        }
    }

    /// The form that the parts make, if it is a known one.
    pub(crate) fn into_form(self) -> Option<Form> {
        use Separator::{At, Percent};
        let part = |number: usize| {
            let start = match number {
                0 => 0,
                number => self.separators[number - 1].1,
            };
            let end = if number < self.count {
                self.separators[number].1
            } else {
                self.text.len()
            };
            self.text[start..end].to_owned()
        };
        match self.kinds()? {
            [None, ..] => self.text.is_empty().then_some(Form::AsItIs),
            [Some(Percent), None, _] => Some(Form::Restart {
                user: part(0),
                domain: part(1),
            }),
            [Some(At), None, _] => Some(Form::Address {
                user: part(0),
                tag: part(1),
                domain: part(1),
                route: None,
            }),
            [Some(Percent), Some(At), None] => Some(Form::Address {
                user: part(0),
                domain: part(1),
                route: None,
                tag: part(2),
            }),
            [Some(At), Some(At), None] => Some(Form::Address {
                user: part(0),
                domain: part(1),
                route: Some(part(2)),
                tag: part(2),
            }),
            [Some(At), Some(At), Some(At)] => Some(Form::Address {
                user: part(0),
                domain: part(1),
                route: Some(part(2)),
                tag: part(3),
            }),
            _ => None,
        }
    }
}
