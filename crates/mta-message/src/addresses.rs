//! Where the addresses of a header field stand, so that one can be changed and everything around
//! it (display names, comments, folding) stays as it is.

use crate::header::Field;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
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

/// Words in an address list that are for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A comment, with its parentheses.
    Comment,
    /// A display name: the words in front of an address in angle brackets.
    Personal,
}

/// Words for people, and the address that they stand with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What they are.
    pub kind: Kind,
    /// Where they stand, in octets of the value.
    pub range: Range<usize>,
    /// The address that they stand with; empty if that is none.
    pub address: String,
}

/// The comments and display names of a value, in their order.
#[must_use]
pub fn words(value: &[u8]) -> Vec<Words> {
    let mut reader = Reader {
        value,
        item: Item::default(),
        found: Vec::new(),
        words: Some(Vec::new()),
    };
    reader.read();
    reader.words.unwrap_or_default()
}

/// The addresses of a value (RFC 5322 §3.4): mailboxes and groups, with comments anywhere. What
/// cannot be understood is passed over.
#[must_use]
pub fn find(value: &[u8]) -> Vec<Found> {
    let mut reader = Reader {
        value,
        item: Item::default(),
        found: Vec::new(),
        words: None,
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

/// The field with some of its words for people changed: `change` is asked for each, in order,
/// with its text on one line (a comment with its parentheses, a display name without quotes), and
/// says what is to stand there: nothing to keep it, an empty text to drop it. Nothing comes back
/// if nothing changes.
pub fn reword(
    field: &Field,
    mut change: impl FnMut(&Words, &str) -> Option<String>,
) -> Option<Field> {
    let value = field.raw_value();
    let mut changed = Vec::with_capacity(value.len());
    let mut copied = 0;
    for words in words(value) {
        if words.range.start < copied {
            continue;
        }
        let old = text_of(&value[words.range.clone()], words.kind);
        let Some(new) = change(&words, &old).filter(|new| *new != old) else {
            continue;
        };
        changed.extend_from_slice(&value[copied..words.range.start]);
        copied = words.range.end;
        if new.trim().is_empty() {
            copied = drop_words(&mut changed, value, copied);
        } else {
            changed.extend_from_slice(written(&new, words.kind).as_bytes());
        }
    }
    if copied == 0 {
        return None;
    }
    changed.extend_from_slice(&value[copied..]);
    Some(field.with_raw_value(&changed))
}

/// Leaves one blank, or none, where words stood between `changed` and `behind`; where copying
/// goes on.
fn drop_words(changed: &mut Vec<u8>, value: &[u8], behind: usize) -> usize {
    let rest = &value[behind..];
    let is_blank = |octet: u8| matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
    let blanks = rest.iter().take_while(|octet| is_blank(**octet)).count();
    match rest.get(blanks) {
        // Behind the last word of a line nothing is left of it, not even a line of blanks.
        None | Some(b',' | b';') => {
            while changed.last().copied().is_some_and(is_blank) {
                changed.pop();
            }
            if blanks == rest.len() {
                behind
            } else {
                behind + blanks
            }
        }
        Some(_) if changed.last().copied().is_none_or(is_blank) => behind + blanks,
        Some(_) => {
            changed.push(b' ');
            behind + blanks
        }
    }
}

/// Words on one line.
fn text_of(octets: &[u8], kind: Kind) -> String {
    let text = String::from_utf8_lossy(octets);
    let text = text.chars().filter(|c| !matches!(c, '\r' | '\n'));
    match kind {
        Kind::Comment => text.collect(),
        Kind::Personal => unquoted(text),
    }
}

/// The text of words and quoted strings.
fn unquoted(mut text: impl Iterator<Item = char>) -> String {
    let mut plain = String::new();
    let mut quoted = false;
    while let Some(c) = text.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' if quoted => plain.extend(text.next()),
            c => plain.push(c),
        }
    }
    plain
}

/// Characters that need no quotes (RFC 5322 §3.2.3).
#[must_use]
pub const fn is_atomic(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(
            c,
            '!' | '#'
                | '$'
                | '%'
                | '&'
                | '\''
                | '*'
                | '+'
                | '-'
                | '/'
                | '='
                | '?'
                | '^'
                | '_'
                | '`'
                | '{'
                | '|'
                | '}'
                | '~'
        )
}

/// Words as they stand in a header: without control characters, a comment in parentheses that
/// match, a display name in quotes if it needs them, what is not ASCII in encoded words.
pub(crate) fn written(text: &str, kind: Kind) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = text.trim();
    let is_comment = |text: &str| {
        text.starts_with('(')
            && text.ends_with(')')
            && comment_end(text.as_bytes(), 0) == text.len()
    };
    match kind {
        Kind::Comment if !text.is_ascii() => {
            let inside = text.trim_start_matches('(').trim_end_matches(')');
            format!("({})", encoded_words(inside))
        }
        Kind::Comment if is_comment(text) => text.to_owned(),
        Kind::Comment => {
            let inside = text.chars().filter(|c| !matches!(c, '(' | ')' | '\\'));
            format!("({})", inside.collect::<String>().trim())
        }
        Kind::Personal if !text.is_ascii() => encoded_words(text),
        Kind::Personal if text.chars().all(|c| is_atomic(c) || c == ' ') => text.to_owned(),
        Kind::Personal => {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{quoted}\"")
        }
    }
}

/// Encoded words of at most 75 characters (RFC 2047 §2), with blanks between them.
pub(crate) fn encoded_words(text: &str) -> String {
    /// Octets whose base64 form fits between the marks.
    const MOST: usize = 45;
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= MOST => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let encoded = words
        .iter()
        .map(|word| format!("=?utf-8?B?{}?=", BASE64.encode(word)));
    encoded.collect::<Vec<_>>().join(" ")
}

/// Fit for a header line as it is.
fn is_printable(address: &str) -> bool {
    !address.is_empty() && !address.chars().any(char::is_control)
}

struct Reader<'v> {
    value: &'v [u8],
    item: Item,
    found: Vec<Found>,
    /// Comments and display names, if they are asked for.
    words: Option<Vec<Words>>,
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
    comments: Vec<Range<usize>>,
}

impl Reader<'_> {
    fn read(&mut self) {
        let mut at = 0;
        while at < self.value.len() && self.found.len() < MAX_ADDRESSES {
            match self.value[at] {
                b'(' => {
                    self.item.gap |= self.item.start.is_some();
                    let begun = at;
                    at = comment_end(self.value, at);
                    if self.words.is_some() {
                        self.item.comments.push(begun..at);
                    }
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
                    let comments = std::mem::take(&mut self.item.comments);
                    self.keep(comments, None, "");
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
        if self.words.is_some() {
            let angle = item.angle.as_ref();
            let lone = item.start.filter(|_| !item.broken).map(|_| &item.text);
            let address = angle.map(|(_, address)| address).or(lone);
            // Words behind the brackets belong to no form of an address.
            let personal = item.start.map(|start| start..item.end);
            let personal =
                personal.filter(|range| angle.is_some_and(|(inside, _)| range.end < inside.start));
            self.keep(item.comments, personal, address.map_or("", String::as_str));
        }
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

impl Reader<'_> {
    /// Keeps comments and display name of an address.
    fn keep(&mut self, comments: Vec<Range<usize>>, personal: Option<Range<usize>>, address: &str) {
        let Some(words) = &mut self.words else {
            return;
        };
        let behind = words.len();
        let personal = personal.map(|range| (Kind::Personal, range));
        let comments = comments.into_iter().map(|range| (Kind::Comment, range));
        for (kind, range) in comments.chain(personal) {
            words.push(Words {
                kind,
                range,
                address: address.to_owned(),
            });
        }
        words[behind..].sort_by_key(|words| words.range.start);
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

    fn reworded(before: &str, change: impl Fn(&Words, &str) -> Option<String>) -> String {
        let header = crate::header::Header::parse(before.as_bytes());
        let changed = reword(header.fields().next().unwrap(), change);
        changed.map_or_else(String::new, |field| {
            String::from_utf8(field.raw().to_vec()).unwrap()
        })
    }

    #[test]
    fn words_for_people_are_found_with_their_address() {
        let value = " Ada (Countess) <ada@a.example>, (note) bob@b.example (Bob (x)),\n\
                      \t\"Lovelace, A\" <a@c.example>; team (all): c@d.example, (alone)\n";
        let found: Vec<(Kind, &str, String)> = words(value.as_bytes())
            .into_iter()
            .map(|words| (words.kind, &value[words.range], words.address))
            .collect();
        let told = |kind, text, address: &str| (kind, text, address.to_owned());
        assert_eq!(
            found,
            [
                told(Kind::Personal, "Ada", "ada@a.example"),
                told(Kind::Comment, "(Countess)", "ada@a.example"),
                told(Kind::Comment, "(note)", "bob@b.example"),
                told(Kind::Comment, "(Bob (x))", "bob@b.example"),
                told(Kind::Personal, "\"Lovelace, A\"", "a@c.example"),
                told(Kind::Comment, "(all)", ""),
                told(Kind::Comment, "(alone)", ""),
            ]
        );
    }

    #[test]
    fn dropped_words_leave_a_whole_header_line() {
        let table = [
            ("To: Ada <ada@a.example>\n", "To: <ada@a.example>\n"),
            ("To: ada@a.example (Ada)\n", "To: ada@a.example\n"),
            ("To: ada@a.example\n (Ada)\n", "To: ada@a.example\n"),
            (
                "To: ada@a.example (Ada),\n bob@b.example (Bob)\n",
                "To: ada@a.example,\n bob@b.example\n",
            ),
            ("To: (note) ada@a.example\n", "To: ada@a.example\n"),
            ("To:(note)ada@a.example\n", "To:ada@a.example\n"),
            ("To: team:ada@a.example(x);\n", "To: team:ada@a.example;\n"),
            ("To: ada@a.example\n", ""),
        ];
        for (before, after) in table {
            assert_eq!(
                reworded(before, |_, _| Some(String::new())),
                after,
                "{before:?}"
            );
        }
        let comments = |words: &Words, _: &str| (words.kind == Kind::Comment).then(String::new);
        let line = "To: Ada (x) Lovelace <ada@a.example>\n";
        assert_eq!(
            reworded(line, comments),
            "To: Ada Lovelace <ada@a.example>\n"
        );
    }

    #[test]
    fn changed_words_are_quoted_as_they_need() {
        let table = [
            ("To: \"A, L\" <a@a>\n", "A, L", "Ada", "To: Ada <a@a>\n"),
            (
                "To: Ada <a@a>\n",
                "Ada",
                "L, \"A\"",
                "To: \"L, \\\"A\\\"\" <a@a>\n",
            ),
            ("To: a@a (Ada)\n", "(Ada)", "(A (b))", "To: a@a (A (b))\n"),
            (
                "To: a@a (Ada)\n",
                "(Ada)",
                "x) <b@b>,(",
                "To: a@a (x <b@b>,)\n",
            ),
            (
                "To: A <a@a>\n",
                "A",
                "Ad\u{e4}",
                "To: =?utf-8?B?QWTDpA==?= <a@a>\n",
            ),
            ("To: a@a (A\n da)\n", "(A da)", "(x\ny)", "To: a@a (xy)\n"),
        ];
        for (before, old, new, after) in table {
            let change = |_: &Words, text: &str| {
                assert_eq!(text, old);
                Some(new.to_owned())
            };
            assert_eq!(reworded(before, change), after, "{before:?}");
        }
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(value in prop::collection::vec(any::<u8>(), 0..200)) {
            for found in find(&value) {
                prop_assert!(found.range.end <= value.len());
            }
            for words in words(&value) {
                prop_assert!(words.range.end <= value.len());
            }
        }

        #[test]
        fn odd_punctuation_makes_no_panic(value in "[a@.<>(),;:\"\\\\\\[\\] \n]{0,60}") {
            drop(find(value.as_bytes()));
            let line = format!("To: {}\n", value.replace('\n', ""));
            let after = reworded(&line, |_, _| Some(String::new()));
            // Nothing is left to be dropped, and the addresses are those that were there.
            if !after.is_empty() {
                prop_assert_eq!(reworded(&after, |_, _| Some(String::new())), "");
            }
        }
    }
}
