//! Values and how they print.

use std::cmp::Ordering;
use std::fmt;

/// What an expression gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A whole number of 64 bits.
    Integer(i64),
    /// A text.
    Text(String),
    /// Several values.
    List(Vec<Self>),
}

impl Value {
    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// A truth: 1 or 0.
    #[must_use]
    pub const fn truth(is: bool) -> Self {
        Self::Integer(is as i64)
    }

    /// Whether a condition holds: not 0, not an empty text, not an empty list.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Integer(number) => *number != 0,
            Self::Text(text) => !text.is_empty() && text != "0",
            Self::List(list) => !list.is_empty(),
        }
    }

    /// The number, also of a text that is one.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::List(_) => None,
        }
    }

    /// The value as a text without quotes; the elements of a list with blanks between them.
    #[must_use]
    pub fn plain(&self) -> String {
        match self {
            Self::Integer(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(list) => {
                let texts: Vec<String> = list.iter().map(Self::plain).collect();
                texts.join(" ")
            }
        }
    }

    /// Octets of its texts and elements of its lists.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Integer(_) => 0,
            Self::Text(text) => text.len(),
            Self::List(list) => list.iter().map(|value| value.size() + 1).sum(),
        }
    }

    /// The word for its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Integer(_) => "integer",
            Self::Text(_) => "string",
            Self::List(_) => "list",
        }
    }

    /// Numbers by size, texts by their octets; a number and a text as numbers if both are, else
    /// as texts.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::List(a), Self::List(b)) => (a == b).then_some(Ordering::Equal),
            (Self::List(_), _) | (_, Self::List(_)) => None,
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            _ => match (self.integer(), other.integer()) {
                (Some(a), Some(b)) => Some(a.cmp(&b)),
                _ => Some(self.plain().cmp(&other.plain())),
            },
        }
    }
}

/// As it could be written in a program: texts in double quotes.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Text(text) => {
                f.write_str("\"")?;
                for c in text.chars() {
                    match c {
                        '"' | '\\' => write!(f, "\\{c}")?,
                        '\n' => f.write_str("\\n")?,
                        '\t' => f.write_str("\\t")?,
                        c if c.is_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                        c => write!(f, "{c}")?,
                    }
                }
                f.write_str("\"")
            }
            Self::List(list) => {
                f.write_str("[")?;
                for (at, value) in list.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{value}")?;
                }
                f.write_str("]")
            }
        }
    }
}
