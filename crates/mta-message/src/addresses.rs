//! Where the addresses of a header field stand, so that one can be changed and everything around
//! it (display names, comments, folding) stays as it is.

use crate::header::Field;
use std::ops::Range;

/// Most addresses of one field that are looked at.
const MAX_ADDRESSES: usize = 10_000;

/// An address in the value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it stands, in octets of the value.
    pub range: Range<usize>,
    /// The address, without blanks and folding.
    pub address: String,
    /// Whether it stands in angle brackets.
    pub in_brackets: bool,
}

/// The addresses of a value (RFC 5322 §3.4): mailboxes and groups, with comments anywhere. What
/// cannot be understood is passed over.
#[must_use]
pub fn find(value: &[u8]) -> Vec<Found> {
    let mut reader = Reader {
        value,
        item: Item::default(),
        found: Vec::new(),
    };
    reader.read();
    reader.found
}

/// The field with some of its addresses changed: `change` is asked for each, in order, and says
/// what is to stand in its place. Nothing comes back if nothing changes.
pub fn rewrite(field: &Field, mut change: impl FnMut(&str) -> Option<String>) -> Option<Field> {
    let value = field.raw_value();
    let mut changed = Vec::with_capacity(value.len());
    let mut copied = 0;
    for found in find(value) {
        let Some(new) = change(&found.address) else {
            continue;
        };
        if new == found.address || !is_printable(&new) {
            continue;
        }
        changed.extend_from_slice(&value[copied..found.range.start]);
        // A route means something in brackets only.
        let wrap = !found.in_brackets && new.starts_with('@');
        let new = if wrap { format!("<{new}>") } else { new };
        changed.extend_from_slice(new.as_bytes());
        copied = found.range.end;
    }
    if copied == 0 {
        return None;
    }
    changed.extend_from_slice(&value[copied..]);
    Some(field.with_raw_value(&changed))
}

/// Fit for a header line as it is.
fn is_printable(address: &str) -> bool {
    !address.is_empty() && !address.chars().any(char::is_control)
}

struct Reader<'v> {
    value: &'v [u8],
    item: Item,
    found: Vec<Found>,
}

/// What stands between two commas.
#[derive(Default)]
struct Item {
    /// First and last octet of what is no comment and no blank.
    start: Option<usize>,
    end: usize,
    text: String,
    /// A comment or a blank stands between octets of the text.
    gap: bool,
    broken: bool,
    angle: Option<(Range<usize>, String)>,
    has_at: bool,
}

impl Reader<'_> {
    fn read(&mut self) {
        let mut at = 0;
        while at < self.value.len() && self.found.len() < MAX_ADDRESSES {
            match self.value[at] {
                b'(' => {
                    self.item.gap |= self.item.start.is_some();
                    at = comment_end(self.value, at);
                    self.item.broken |= self.value.get(at - 1) != Some(&b')');
                }
                b'"' => {
                    let end = quote_end(self.value, at);
                    self.take(at, end);
                    at = end;
                }
                b'[' => {
                    let end = find_byte(self.value, at, b']').map_or(self.value.len(), |e| e + 1);
                    self.take(at, end);
                    at = end;
                }
                b'<' => at = self.angle(at),
                b',' | b';' => {
                    self.end_item();
                    at += 1;
                }
                b':' if !self.item.has_at => {
                    // The name of a group ends here.
                    self.item = Item::default();
                    at += 1;
                }
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.item.gap |= self.item.start.is_some();
                    at += 1;
                }
                byte => {
                    self.item.has_at |= byte == b'@';
                    self.take(at, at + 1);
                    at += 1;
                }
            }
        }
        self.end_item();
    }

    /// Takes octets of an address or a display name.
    fn take(&mut self, from: usize, to: usize) {
        let item = &mut self.item;
        // Blanks around an at sign or a dot belong to old forms of addresses; anywhere else they
        // make a display name of it.
        let joins = |byte: Option<u8>| matches!(byte, Some(b'@' | b'.'));
        let next = self.value.get(from).copied();
        if item.gap && !joins(next) && !joins(item.text.bytes().last()) {
            item.broken = true;
        }
        item.gap = false;
        item.start.get_or_insert(from);
        item.end = to;
        match std::str::from_utf8(&self.value[from..to]) {
            Ok(text) => item
                .text
                .extend(text.chars().filter(|c| !matches!(c, '\r' | '\n'))),
            Err(_) if to - from == 1 => item.text.push('\u{fffd}'),
            Err(_) => item.broken = true,
        }
        if !self.value[from].is_ascii() {
            item.broken |= item.angle.is_none() && std::str::from_utf8(self.value).is_err();
        }
    }

    /// An address in angle brackets; where reading goes on.
    fn angle(&mut self, at: usize) -> usize {
        let mut end = at + 1;
        while let Some(byte) = self.value.get(end) {
            match byte {
                b'>' => break,
                b'"' => end = quote_end(self.value, end),
                b'(' => {
                    // A comment inside: the address is left as it is.
                    self.item.angle = Some((at..at, String::new()));
                    end = comment_end(self.value, end);
                }
                _ => end += 1,
            }
        }
        let inside = at + 1..end.min(self.value.len());
        if let Ok(text) = std::str::from_utf8(&self.value[inside.clone()]) {
            let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            self.item.angle.get_or_insert((inside, text));
        }
        (end + 1).min(self.value.len())
    }

    fn end_item(&mut self) {
        let item = std::mem::take(&mut self.item);
        let found = match item.angle {
            Some((range, address)) => Some(Found {
                range,
                address,
                in_brackets: true,
            }),
            None => item.start.filter(|_| !item.broken).map(|start| Found {
                range: start..item.end,
                address: item.text,
                in_brackets: false,
            }),
        };
        self.found
            .extend(found.filter(|found| !found.address.is_empty()));
    }
}

/// Behind the comment that begins at `at`.
fn comment_end(value: &[u8], at: usize) -> usize {
    let mut depth = 0_u32;
    let mut place = at;
    while let Some(byte) = value.get(place) {
        match byte {
            b'\\' => place += 1,
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return place + 1;
                }
            }
            _ => {}
        }
        place += 1;
    }
    value.len()
}

/// Behind the quoted string that begins at `at`.
fn quote_end(value: &[u8], at: usize) -> usize {
    let mut place = at + 1;
    while let Some(byte) = value.get(place) {
        match byte {
            b'\\' => place += 1,
            b'"' => return place + 1,
            _ => {}
        }
        place += 1;
    }
    value.len()
}

fn find_byte(value: &[u8], from: usize, byte: u8) -> Option<usize> {
    let at = value[from..].iter().position(|found| *found == byte);
    at.map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(value: &str) -> Vec<String> {
        let found = find(value.as_bytes()).into_iter();
        found.map(|found| found.address).collect()
    }

    #[test]
    fn addresses_are_found_in_all_their_surroundings() {
        let table: [(&str, &[&str]); 19] = [
            (" ada@example.com\n", &["ada@example.com"]),
            (
                " Ada <ada@example.com>, bob@b.example",
                &["ada@example.com", "bob@b.example"],
            ),
            (" \"Lovelace, Ada\" <ada@example.com>", &["ada@example.com"]),
            (" ada@example.com (Ada, Countess)", &["ada@example.com"]),
            (" (note) ada@example.com", &["ada@example.com"]),
            (
                " team: ada@a.example, bob@b.example;",
                &["ada@a.example", "bob@b.example"],
            ),
            (" undisclosed-recipients:;", &[]),
            (
                " <@relay.example:ada@example.com>",
                &["@relay.example:ada@example.com"],
            ),
            (" \"a b\"@example.com", &["\"a b\"@example.com"]),
            (" ada@[192.0.2.1]", &["ada@[192.0.2.1]"]),
            (" ada @ example . com", &["ada@example.com"]),
            (" <ada@\n example.com>", &["ada@example.com"]),
            (" Ada Lovelace", &[]),
            (" bob", &["bob"]),
            (" <>", &[]),
            (
                " ada@example.com,,bob@b.example",
                &["ada@example.com", "bob@b.example"],
            ),
            (" <ada@example.com (x)>", &[]),
            (
                " =?utf-8?q?Ad=C3=A4?= <ada@example.com>",
                &["ada@example.com"],
            ),
            (" Ada (unclosed <x@y>", &[]),
        ];
        for (value, addresses) in table {
            assert_eq!(found(value), addresses, "{value:?}");
        }
    }

    #[test]
    fn only_the_address_changes() {
        let table = [
            ("To: Ada  <ada@a.example>\n", "To: Ada  <ada@b.example>\n"),
            (
                "Cc: ada@a.example (Ada),\n  \"Bob\"\t<bob@a.example>\n",
                "Cc: ada@b.example (Ada),\n  \"Bob\"\t<bob@b.example>\n",
            ),
            ("To: x@c.example\n", ""),
            ("to:ada@a.example\n", "to:ada@b.example\n"),
            ("To: r@r.example\n", "To: <@q.example:r@r.example>\n"),
            ("To: bad@bad.example\n", ""),
        ];
        for (before, after) in table {
            let header = crate::header::Header::parse(before.as_bytes());
            let field = header.fields().next().unwrap();
            let changed = rewrite(field, |address| match address {
                "r@r.example" => Some("@q.example:r@r.example".to_owned()),
                "bad@bad.example" => Some("a\nb".to_owned()),
                other => Some(other.replace("a.example", "b.example")),
            });
            let changed = changed.map(|field| String::from_utf8(field.raw().to_vec()).unwrap());
            assert_eq!(changed.unwrap_or_default(), after);
        }
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(value in prop::collection::vec(any::<u8>(), 0..200)) {
            for found in find(&value) {
                prop_assert!(found.range.end <= value.len());
            }
        }

        #[test]
        fn odd_punctuation_makes_no_panic(value in "[a@.<>(),;:\"\\\\\\[\\] \n]{0,60}") {
            drop(find(value.as_bytes()));
        }
    }
}
