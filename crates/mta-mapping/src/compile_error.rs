//! What can be wrong with a table, in the words of the load errors.

/// A fault of a table; the configuration that holds it is not loaded.
///
/// The display text is the fixed start of the load error (`Error in mm_init: …`). `entry` counts
/// from 0 in the list that was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// A table of that name (without regard to case) is already there.
    #[error("duplicate mapping name found")]
    DuplicateName,
    /// Over [`crate::MAX_NAME`] characters.
    #[error("mapping name is too long")]
    NameTooLong,
    /// The name is empty, holds white space or does not start with a letter.
    #[error("invalid mapping name")]
    InvalidName,
    /// A pattern or template is over its limit.
    #[error("line too long")]
    TooLong {
        /// Which entry.
        entry: usize,
    },
    /// A back match without its field, or a network that is none.
    #[error("invalid mapping pattern")]
    InvalidPattern {
        /// Which entry.
        entry: usize,
        /// What cannot be understood.
        offending: String,
    },
    /// Bare white space inside a template, or in a pattern.
    #[error("unquoted white space in template")]
    WhiteSpace {
        /// Which entry.
        entry: usize,
    },
}

impl MappingError {
    /// The entry at fault, counted from 0, if it is not the table's name.
    #[must_use]
    pub fn entry(&self) -> Option<usize> {
        match self {
            Self::DuplicateName | Self::NameTooLong | Self::InvalidName => None,
            Self::TooLong { entry }
            | Self::InvalidPattern { entry, .. }
            | Self::WhiteSpace { entry } => Some(*entry),
        }
    }
}

/// Something legal that is probably not what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The entry, counted from 0.
    pub entry: usize,
    /// The characters in question (`$q`, `$0A`).
    pub sequence: String,
    /// What was made of them.
    pub kind: WarningKind,
}

/// What was made of a doubtful sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningKind {
    /// A `$` in a pattern with a character that means nothing there: the character stands for itself.
    PatternLiteral,
    /// The same in a template.
    TemplateLiteral,
    /// `$nA` or `$nX`, which is the substitution and not field *n* with a letter behind it.
    DigitLetter,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sequence = &self.sequence;
        match self.kind {
            WarningKind::PatternLiteral => write!(
                f,
                "{sequence} means nothing in a mapping pattern and stands for itself"
            ),
            WarningKind::TemplateLiteral => write!(
                f,
                "{sequence} means nothing in a mapping template and stands for itself"
            ),
            WarningKind::DigitLetter => write!(
                f,
                "{sequence} in a mapping template is a part of the address or host, not a field"
            ),
        }
    }
}
