//! The unchanging part of a queue file's name, in sixteen bytes.

use std::fmt;

/// Longest unique part that is kept in place.
const SHORT: usize = 14;

/// A file's unique part. Ours have eleven characters and need no memory of their own; longer
/// ones, which only other programs make, are boxed twice so that they do not widen the type.
pub(crate) enum Unique {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(Box<Box<str>>),
}

impl Unique {
    pub(crate) fn new(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(front), Ok(len)) => {
                front.copy_from_slice(text.as_bytes());
                Self::Short { len, bytes }
            }
            _ => Self::Long(Box::new(text.into())),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            // Made from a `&str`, so it is one.
            Self::Short { len, bytes } => {
                std::str::from_utf8(&bytes[..usize::from(*len)]).unwrap_or_default()
            }
            Self::Long(text) => text,
        }
    }
}

impl fmt::Debug for Unique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_length_come_back_and_cost_sixteen_bytes() {
        for text in [
            "",
            "a",
            "f0s690kN_y0",
            "abcdefghijklmn",
            "01IS3D2ZP7FQ9UN54R",
        ] {
            assert_eq!(Unique::new(text).as_str(), text);
        }
        assert_eq!(size_of::<Unique>(), 16);
    }
}
