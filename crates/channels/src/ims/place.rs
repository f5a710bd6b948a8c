//! From names to directories, so that no name can leave its place.
//!
//! A mailbox stands in `DOMAIN/LOCALPART` below the store's `user` directory, both folded to
//! lower case. Octets other than letters, digits and a few harmless marks are written as `%xx`,
//! a leading dot too: so there is no `..`, no separator and no hidden directory, and two
//! different names never share a directory. Folders are named as Maildir++ readers expect:
//! `.Work.Projects`, other scripts in the modified UTF-7 of RFC 3501 §5.1.3.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Longest name of a directory.
const LONGEST: usize = 255;

/// Most levels of a folder's name.
const DEEPEST: usize = 10;

/// Longest folder name, so that the whole path stays well below the system's limit.
const LONGEST_FOLDER: usize = 200;

/// Why a name cannot become a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameFault {
    /// Nothing there.
    #[error("empty mailbox name")]
    Empty,
    /// Too long for a directory's name.
    #[error("mailbox name too long")]
    TooLong,
}

/// The directory of a mailbox below `users`.
///
/// # Errors
/// [`NameFault`] when a part is empty or too long.
pub(super) fn mailbox(users: &Path, uid: &str, domain: &str) -> Result<PathBuf, NameFault> {
    Ok(users
        .join(component(domain)?)
        .join(component(&unquote(uid))?))
}

/// One directory's name.
fn component(name: &str) -> Result<String, NameFault> {
    if name.is_empty() {
        return Err(NameFault::Empty);
    }
    let mut text = String::with_capacity(name.len());
    for (at, byte) in name.to_lowercase().bytes().enumerate() {
        let plain = byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || b"_-+=".contains(&byte)
            || (byte == b'.' && at > 0);
        if plain {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(text, "%{byte:02x}").unwrap_or_default();
        }
    }
    if text.len() > LONGEST {
        return Err(NameFault::TooLong);
    }
    Ok(text)
}

/// A quoted local part without its quotes and backslashes.
fn unquote(local: &str) -> String {
    let Some(inner) = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return local.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            text.push(c);
        }
    }
    text
}

/// The directory of a folder within its mailbox: `.Work.Projects` for `Work/Projects`. Nothing
/// for the inbox and for a name that cannot be a folder's; such mail goes to the inbox.
#[must_use]
pub(super) fn folder(name: &str) -> Option<String> {
    if name.chars().any(char::is_control) {
        return None;
    }
    let levels: Vec<&str> = name
        .split(['/', '.'])
        .filter(|level| !level.is_empty())
        .collect();
    let levels = match levels.split_first() {
        Some((first, rest)) if first.eq_ignore_ascii_case("INBOX") => rest,
        _ => &levels[..],
    };
    if levels.is_empty() || levels.len() > DEEPEST {
        return None;
    }
    let mut text = String::new();
    for level in levels {
        text.push('.');
        push_modified_utf7(&mut text, level);
    }
    (text.len() <= LONGEST_FOLDER).then_some(text)
}

/// RFC 3501 §5.1.3: printable ASCII as it is, `&` as `&-`, the rest as base 64 of UTF-16.
fn push_modified_utf7(text: &mut String, level: &str) {
    let mut foreign: Vec<u16> = Vec::new();
    for c in level.chars() {
        if c.is_ascii_graphic() || c == ' ' {
            push_shifted(text, &mut foreign);
            text.push(c);
            if c == '&' {
                text.push('-');
            }
        } else {
            let mut units = [0; 2];
            foreign.extend_from_slice(c.encode_utf16(&mut units));
        }
    }
    push_shifted(text, &mut foreign);
}

fn push_shifted(text: &mut String, units: &mut Vec<u16>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
    if units.is_empty() {
        return;
    }
    text.push('&');
    let (mut bits, mut count) = (0_u32, 0);
    for unit in units.drain(..) {
        bits = (bits << 16) | u32::from(unit);
        count += 16;
        while count >= 6 {
            count -= 6;
            text.push(char::from(DIGITS[(bits >> count & 63) as usize]));
        }
        bits &= (1 << count) - 1;
    }
    if count > 0 {
        text.push(char::from(DIGITS[(bits << (6 - count) & 63) as usize]));
    }
    text.push('-');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_directory() {
        let users = Path::new("/store/user");
        let table = [
            ("ada", "example.com", "/store/user/example.com/ada"),
            ("Ada.L", "Example.COM", "/store/user/example.com/ada.l"),
            ("..", "..", "/store/user/%2e./%2e."),
            (".", "a", "/store/user/a/%2e"),
            (
                "../../etc/passwd",
                "a",
                "/store/user/a/%2e.%2f..%2fetc%2fpasswd",
            ),
            ("\"a/../b\"", "a", "/store/user/a/a%2f..%2fb"),
            ("\"q\\\"x\"", "a", "/store/user/a/q%22x"),
            ("a%b", "a", "/store/user/a/a%25b"),
            ("ü", "[1.2.3.4]", "/store/user/%5b1.2.3.4%5d/%c3%bc"),
        ];
        for (uid, domain, path) in table {
            let found = mailbox(users, uid, domain).unwrap();
            assert_eq!(found, Path::new(path), "{uid}@{domain}");
        }
        assert_eq!(mailbox(users, "", "a"), Err(NameFault::Empty));
        assert_eq!(mailbox(users, "\"\"", "a"), Err(NameFault::Empty));
        let long = "/".repeat(86);
        assert_eq!(mailbox(users, &long, "a"), Err(NameFault::TooLong));
    }

    #[test]
    fn folders_are_those_of_maildir_readers() {
        let table = [
            ("Work", Some(".Work")),
            ("Work/Projects", Some(".Work.Projects")),
            ("lists.rust", Some(".lists.rust")),
            ("..", None),
            ("../../etc", Some(".etc")),
            ("INBOX", None),
            ("inbox/Sent", Some(".Sent")),
            ("R&D", Some(".R&-D")),
            ("Entwürfe", Some(".Entw&APw-rfe")),
            ("台北", Some(".&U,BTFw-")),
            ("a\u{0}b", None),
            ("", None),
        ];
        for (name, directory) in table {
            assert_eq!(folder(name).as_deref(), directory, "{name:?}");
        }
        assert_eq!(folder(&"a".repeat(300)), None);
        assert_eq!(folder(&"a.".repeat(11)), None);
    }
}
