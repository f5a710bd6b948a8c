//! Names of options: `role.job_controller.job_pool:SMTP_POOL.job_limit`.
//!
//! A dot inside an instance name is quoted with a backslash, and so is a backslash:
//! `alias:root@example\.com.alias_entry`.

use super::schema::known;
use std::borrow::Cow;
use std::fmt;

/// For whom a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// This installation only; wins over a role's setting.
    Instance,
    /// All installations of the same role.
    Role,
}

impl Scope {
    /// Both, in the order in which they are stored.
    pub const ALL: [Self; 2] = [Self::Role, Self::Instance];

    /// The word in front of a name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Role => "role",
        }
    }

    /// The scope of that word.
    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// One step of a name: a group, perhaps with an instance name, or the option at the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// Group or option; lent where it is one that is known ([`super::schema::known`]).
    pub name: Cow<'static, str>,
    /// Which one of the groups of that name.
    pub id: Option<String>,
}

impl Segment {
    /// A group without instances, or an option.
    #[must_use]
    pub fn plain(name: &str) -> Self {
        Self {
            name: known(name),
            id: None,
        }
    }

    /// One of several groups.
    #[must_use]
    pub fn of(name: &str, id: &str) -> Self {
        Self {
            name: known(name),
            id: Some(id.to_owned()),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(id) = &self.id {
            f.write_str(":")?;
            for c in id.chars() {
                if matches!(c, '.' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// The steps of a name below its scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub Vec<Segment>);

impl Path {
    /// Reads steps separated by dots. Nothing when a step is empty.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut segments = Vec::new();
        let mut chars = text.chars().peekable();
        while chars.peek().is_some() || segments.is_empty() {
            let mut name = String::new();
            let mut id: Option<String> = None;
            let mut ended = false;
            while let Some(c) = chars.next() {
                let c = match c {
                    '.' => {
                        ended = true;
                        break;
                    }
                    ':' if id.is_none() => {
                        id = Some(String::new());
                        continue;
                    }
                    '\\' => chars.next().unwrap_or('\\'),
                    c => c,
                };
                id.as_mut().unwrap_or(&mut name).push(c);
            }
            let empty = name.is_empty() || id.as_ref().is_some_and(String::is_empty);
            if empty || (ended && chars.peek().is_none()) {
                return None;
            }
            let name = known(&name);
            segments.push(Segment { name, id });
        }
        Some(Self(segments))
    }

    /// The steps.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether the name begins with these steps.
    #[must_use]
    pub fn starts_with(&self, group: &Self) -> bool {
        self.0.starts_with(&group.0)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(".")?;
            }
            write!(f, "{segment}")?;
        }
        Ok(())
    }
}

/// Splits a scope off a name as a user writes it.
#[must_use]
pub fn split_scope(text: &str) -> (Option<Scope>, &str) {
    match text.split_once('.') {
        Some((word, rest)) => match Scope::by_word(word) {
            Some(scope) => (Some(scope), rest),
            None => (None, text),
        },
        None => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_as_they_are_read() {
        for text in [
            "mta.log_message_id",
            "channel:tcp_local.options.BANNER_HOST",
            "alias:root@example\\.com.alias_entry",
            "job_controller.channel_class:filter_discard",
            "alias:a\\\\b.alias_entry",
        ] {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
        let path = Path::parse("alias:root@example\\.com.alias_entry").unwrap();
        assert_eq!(path.0[0], Segment::of("alias", "root@example.com"));
        for text in ["", ".", "a.", ".a", "a..b", "a:.b", ":x.b"] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_scope_is_split_off() {
        assert_eq!(split_scope("role.mta.x"), (Some(Scope::Role), "mta.x"));
        assert_eq!(split_scope("mta.x"), (None, "mta.x"));
        assert_eq!(split_scope("x"), (None, "x"));
    }
}
