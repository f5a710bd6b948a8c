//! The checked names of channels, pools, services and queue files.
//!
//! What has passed one of these constructors may become a path component or a log field: none
//! of them can hold a separator, a leading dot or a control character.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A text is no legal name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("illegal {kind} name {text:?}")]
pub struct NameError {
    kind: &'static str,
    text: String,
}

macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and keeps `text`.
            ///
            /// # Errors
            /// [`NameError`] when the text is not legal.
            pub fn new(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError { kind: $kind, text: text.chars().take(80).collect() })
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
    };
}

fn is_word(text: &str, longest: usize, extra: &str) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

checked_name!(
    /// A channel: at most 32 of lower-case letters, digits, `_`, `$`, `-`.
    ChannelName, "channel",
    |text| is_word(text, 32, "_$-") && !text.bytes().any(|b| b.is_ascii_uppercase())
);
checked_name!(
    /// A pool of the Job Controller: at most 40 letters, digits, `_`, `-` (the product promises
    /// 12; longer ones are accepted).
    PoolName, "pool",
    |text| is_word(text, 40, "_-")
);
checked_name!(
    /// A Dispatcher service: at most 40 letters, digits, `_`, `-`.
    ServiceName, "service",
    |text| is_word(text, 40, "_-")
);

/// The name of a message file: `RRuuuuuuuuuuu.EE`.
///
/// `RR` counts attempts down from `ZZ` in base 36, the unique part never changes, `EE` is two
/// alphanumerics or `HELD`. Any other name is foreign and left alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

/// Most attempts a name can count (`00`).
pub const MAX_ATTEMPTS: u16 = 1295;

impl FileName {
    /// A name for a file that was never tried.
    ///
    /// # Errors
    /// [`NameError`] when `unique` is not 1 to 40 of `0-9A-Za-z_-`.
    pub fn first(unique: &str) -> Result<Self, NameError> {
        Self::parse(&format!("ZZ{unique}.00"))
    }

    /// Checks and keeps `text`.
    ///
    /// # Errors
    /// [`NameError`] when the text has not the form of a message file's name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let error = || NameError {
            kind: "message file",
            text: text.chars().take(80).collect(),
        };
        let (stem, suffix) = text.split_once('.').ok_or_else(error)?;
        let suffix_ok = suffix == "HELD"
            || (suffix.len() == 2 && suffix.bytes().all(|b| b.is_ascii_alphanumeric()));
        let retry_ok = stem.len() > 2
            && stem
                .bytes()
                .take(2)
                .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        if suffix_ok && retry_ok && is_word(&stem[2..], 40, "_-") {
            Ok(Self(text.to_owned()))
        } else {
            Err(error())
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Unsuccessful delivery attempts so far, 0 to [`MAX_ATTEMPTS`].
    #[must_use]
    pub fn attempts(&self) -> u16 {
        MAX_ATTEMPTS - u16::from_str_radix(&self.0[..2], 36).unwrap_or(MAX_ATTEMPTS)
    }

    /// The part that stays the same over all renames.
    #[must_use]
    pub fn unique(&self) -> &str {
        let dot = self.0.find('.').unwrap_or(self.0.len());
        &self.0[2..dot]
    }

    /// What stands behind the dot.
    #[must_use]
    pub fn suffix(&self) -> &str {
        self.0.split_once('.').map_or("", |(_, suffix)| suffix)
    }

    /// Whether the file is set aside until an operator releases it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.suffix() == "HELD"
    }

    /// Same file, counted as tried `attempts` times (capped at [`MAX_ATTEMPTS`]).
    #[must_use]
    pub fn with_attempts(&self, attempts: u16) -> Self {
        let value = usize::from(MAX_ATTEMPTS - attempts.min(MAX_ATTEMPTS));
        let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut text = String::with_capacity(self.0.len());
        text.push(char::from(digits[value / 36]));
        text.push(char::from(digits[value % 36]));
        text.push_str(&self.0[2..]);
        Self(text)
    }

    /// Same file, held.
    #[must_use]
    pub fn held(&self) -> Self {
        self.with_suffix("HELD")
    }

    /// Same file, released: suffix `00`.
    #[must_use]
    pub fn released(&self) -> Self {
        self.with_suffix("00")
    }

    /// Same file with the next suffix, as used when the content was rewritten in place.
    #[must_use]
    pub fn rewritten(&self) -> Self {
        let next = self.suffix().parse::<u32>().map_or(1, |n| (n + 1) % 100);
        self.with_suffix(&format!("{next:02}"))
    }

    fn with_suffix(&self, suffix: &str) -> Self {
        let dot = self.0.find('.').unwrap_or(self.0.len());
        Self(format!("{}.{suffix}", &self.0[..dot]))
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for FileName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

/// Where a message file lies within its channel's directory: subdirectory (if any) and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// `000` to `999`, or nothing when the file lies in the channel directory itself.
    pub subdir: Option<u16>,
    /// The file's name.
    pub file: FileName,
}

impl Place {
    /// Same place under another name.
    #[must_use]
    pub fn renamed(&self, file: FileName) -> Self {
        Self {
            subdir: self.subdir,
            file,
        }
    }

    /// Reads `001/ZZ….00` or `ZZ….00`.
    ///
    /// # Errors
    /// [`NameError`] when either part is not legal.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let error = || NameError {
            kind: "message file",
            text: text.chars().take(80).collect(),
        };
        match text.split_once('/') {
            Some((dir, file)) if dir.len() == 3 && dir.bytes().all(|b| b.is_ascii_digit()) => {
                let subdir = dir.parse().map_err(|_| error())?;
                Ok(Self {
                    subdir: Some(subdir),
                    file: FileName::parse(file)?,
                })
            }
            Some(_) => Err(error()),
            None => Ok(Self {
                subdir: None,
                file: FileName::parse(text)?,
            }),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subdir {
            Some(subdir) => write!(f, "{subdir:03}/{}", self.file),
            None => write!(f, "{}", self.file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_down_in_base_36() {
        let name = FileName::first("abcdefghijk").unwrap();
        assert_eq!(name.attempts(), 0);
        for (attempts, digits) in [(1, "ZY"), (25, "ZA"), (35, "Z0"), (36, "YZ"), (1295, "00")] {
            let tried = name.with_attempts(attempts);
            assert_eq!(&tried.as_str()[..2], digits);
            assert_eq!(tried.attempts(), attempts);
            assert_eq!(tried.unique(), "abcdefghijk");
        }
    }

    #[test]
    fn foreign_names_are_no_message_files() {
        for text in [
            "ZZabc.KEEP1",
            ".tmp-x",
            "ZZ.00",
            "ZZa/b.00",
            "zzabc.00",
            "ZZabc",
            "../x",
            "ZZabc.0",
        ] {
            assert!(FileName::parse(text).is_err(), "{text}");
        }
        assert!(FileName::parse("ZZ01IS3D2ZP7FQ9UN54R.00").is_ok());
        assert!(FileName::parse("ZYf0s690kN_y0.01").is_ok());
        assert!(FileName::parse("ZYf0s690kN_y0.HELD").is_ok_and(|name| name.is_held()));
    }

    #[test]
    fn names_that_become_paths_are_refused() {
        for text in [
            "",
            "..",
            "tcp_../../etc",
            "TCP",
            "a.b",
            "a/b",
            ".deleted",
            "x".repeat(33).as_str(),
        ] {
            assert!(ChannelName::new(text).is_err(), "{text}");
        }
        for text in ["l", "ims-ms", "tcp_local", "a$b"] {
            assert!(ChannelName::new(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn places_print_and_parse() {
        for text in ["001/ZZabc.00", "ZZabc.HELD"] {
            assert_eq!(Place::parse(text).unwrap().to_string(), text);
        }
        assert!(Place::parse("1/ZZabc.00").is_err());
        assert!(Place::parse("../ZZabc.00").is_err());
    }
}
