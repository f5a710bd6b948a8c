//! The flags that go into and come out of a table.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A set of ASCII flag characters; letters count as upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Flags(u128);

impl Flags {
    /// No flag at all.
    pub const NONE: Self = Self(0);

    /// The flags of a text such as `ET`; what is not ASCII is no flag.
    #[must_use]
    pub fn of(text: &str) -> Self {
        text.chars().collect()
    }

    /// Adds one flag; what is not ASCII is no flag.
    pub fn set(&mut self, flag: char) {
        self.0 |= Self::bit(flag);
    }

    /// Whether `flag` is set, in either case of its letter.
    #[must_use]
    pub fn contains(self, flag: char) -> bool {
        self.0 & Self::bit(flag) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both sets together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags in the order of their codes.
    pub fn iter(self) -> impl Iterator<Item = char> {
        (0..128_u8)
            .filter(move |code| self.0 >> code & 1 == 1)
            .map(char::from)
    }

    fn bit(flag: char) -> u128 {
        let flag = flag.to_ascii_uppercase();
        if flag.is_ascii() {
            1 << u32::from(flag)
        } else {
            0
        }
    }
}

impl FromIterator<char> for Flags {
    fn from_iter<I: IntoIterator<Item = char>>(flags: I) -> Self {
        Self(flags.into_iter().fold(0, |set, flag| set | Self::bit(flag)))
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|flag| write!(f, "{flag}"))
    }
}

impl From<String> for Flags {
    fn from(text: String) -> Self {
        Self::of(&text)
    }
}

impl From<Flags> for String {
    fn from(flags: Flags) -> Self {
        flags.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_upper_case_and_sorted() {
        let mut flags = Flags::of("yn<");
        flags.set('X');
        flags.set('é');
        assert_eq!(flags.to_string(), "<NXY");
        assert!(flags.contains('y') && flags.contains('Y') && !flags.contains('A'));
        assert!(Flags::NONE.is_empty());
    }
}
