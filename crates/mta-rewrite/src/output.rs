//! The address that a template puts together, part by part.

use mta_mapping::ldap_quoted;

use crate::apply::Match;
use crate::template::{Case, Control, Separator, is_known_form};

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

/// The parts of an address under construction.
#[derive(Debug)]
pub(crate) struct Output {
    parts: Vec<String>,
    separators: Vec<Separator>,
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
            parts: vec![String::new()],
            separators: Vec::new(),
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
            None => {
                if let Some(part) = self.parts.last_mut() {
                    part.push_str(text);
                }
            }
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
        self.separators.push(separator);
        self.parts.push(String::new());
    }

    /// All that was put together, separators left out.
    pub(crate) fn into_text(self) -> String {
        self.parts.concat()
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(String::len).sum()
    }

    /// Makes room for a routing system: what is there becomes user and domain of an address.
    pub(crate) fn expect_tag(&mut self, matched: &Match<'_>) {
        use Separator::{At, Percent};
        self.argument = None;
        match self.separators.as_slice() {
            [Percent] => self.separate(At),
            [At] => {
                self.separators = vec![Percent];
                self.separate(At);
            }
            [Percent, At] | [At, At] | [At, At, At] => {
                if let Some(tag) = self.parts.last_mut() {
                    tag.clear();
                }
            }
            _ => {
                self.parts = vec![
                    matched.user.to_owned(),
                    matched.specification.to_owned(),
                    String::new(),
                ];
                self.separators = vec![Percent, At];
            }
        }
    }

    /// The form that the parts make, if it is a known one.
    pub(crate) fn into_form(self) -> Option<Form> {
        let separators = self.separators;
        if !separators.is_empty() && !is_known_form(&separators) {
            return None;
        }
        let is_restart = separators == [Separator::Percent];
        let has_route = separators.starts_with(&[Separator::At, Separator::At]);
        let mut parts = self.parts.into_iter();
        let user = parts.next()?;
        let Some(domain) = parts.next() else {
            return user.is_empty().then_some(Form::AsItIs);
        };
        if is_restart {
            return Some(Form::Restart { user, domain });
        }
        let third = parts.next();
        let (route, tag) = if has_route {
            let tag = parts.next().or_else(|| third.clone());
            (third, tag)
        } else {
            (None, third)
        };
        Some(Form::Address {
            tag: tag.unwrap_or_else(|| domain.clone()),
            user,
            domain,
            route,
        })
    }
}
