//! The addresses in what was typed behind `test -rewrite`: a list as RFC 5322 writes it, with
//! display phrases, comments and groups, or a bare address with everything odd about it.

/// One address of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mailbox {
    /// The display phrase, without quotes.
    pub(super) name: String,
    /// The address itself, well-formed or not: what is wrong with it is the answer's to say.
    pub(super) address: String,
}

/// Splits what was typed into its addresses; there is always one, perhaps an empty one.
pub(super) fn mailboxes(typed: &str) -> Vec<Mailbox> {
    let items = items(typed);
    let mut found: Vec<Mailbox> = items
        .iter()
        .filter(|item| !item.trim().is_empty())
        .map(|item| mailbox(item))
        .collect();
    if found.is_empty() {
        found.push(mailbox(typed));
    }
    found
}

/// What a character of a list is part of.
#[derive(Debug, Default)]
struct Place {
    quoted: bool,
    literal: bool,
    angle: bool,
    comment: u32,
    escaped: bool,
}

impl Place {
    /// Takes in the next character; says whether it stands outside of everything, a quote or a
    /// bracket of the text itself included.
    fn step(&mut self, c: char) -> bool {
        if self.escaped {
            self.escaped = false;
            return false;
        }
        if self.comment > 0 {
            match c {
                '\\' => self.escaped = true,
                '(' => self.comment += 1,
                ')' => self.comment -= 1,
                _ => {}
            }
            return false;
        }
        match c {
            '\\' => self.escaped = true,
            '"' if !self.literal => self.quoted = !self.quoted,
            _ if self.quoted => {}
            '[' => self.literal = true,
            ']' => self.literal = false,
            _ if self.literal => {}
            '(' => self.comment = 1,
            '<' => self.angle = true,
            '>' => self.angle = false,
            _ => return !self.angle,
        }
        false
    }
}

/// The items of a list: between its commas, without the names of groups. A source route has
/// commas of its own, up to its colon.
fn items(typed: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut item = String::new();
    let mut place = Place::default();
    let mut in_route = false;
    let has_groups = typed.contains(';');
    for c in typed.chars() {
        if item.trim().is_empty() && c == '@' {
            in_route = true;
        }
        match (place.step(c), c) {
            (true, ':') if in_route => in_route = false,
            (true, ':') if has_groups => {
                item.clear();
                continue;
            }
            (true, ',') if in_route => {}
            (true, ',' | ';') => {
                items.push(std::mem::take(&mut item));
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    items.push(item);
    items
}

fn mailbox(item: &str) -> Mailbox {
    let (mut outside, mut comment) = (String::new(), String::new());
    let mut inside: Option<String> = None;
    let mut place = Place::default();
    for c in item.chars() {
        let (before_angle, before_comment) = (place.angle, place.comment);
        place.step(c);
        if place.comment > 0 || before_comment > 0 {
            let is_edge = (before_comment == 0) || (place.comment == 0);
            if !is_edge {
                comment.push(c);
            }
        } else if place.angle && !before_angle {
            inside = Some(String::new());
        } else if before_angle && !place.angle {
            // The closing bracket.
        } else if let Some(address) = inside.as_mut().filter(|_| before_angle) {
            address.push(c);
        } else {
            outside.push(c);
        }
    }
    match inside {
        Some(address) => Mailbox {
            name: unquoted(outside.trim()),
            address: address.trim().to_owned(),
        },
        None => Mailbox {
            name: unquoted(comment.trim()),
            address: outside.trim().to_owned(),
        },
    }
}

/// A phrase without its quotes and backslashes.
fn unquoted(phrase: &str) -> String {
    let mut text = String::new();
    let mut characters = phrase.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => {}
            '\\' => text.extend(characters.next()),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(typed: &str) -> Vec<(String, String)> {
        let pair = |one: Mailbox| (one.name, one.address);
        mailboxes(typed).into_iter().map(pair).collect()
    }

    #[test]
    fn addresses_are_found_with_their_names() {
        let table: [(&str, &[(&str, &str)]); 17] = [
            ("bob@example.com", &[("", "bob@example.com")]),
            ("<bob@example.com>", &[("", "bob@example.com")]),
            ("\"Bob\" <bob@example.com>", &[("Bob", "bob@example.com")]),
            ("Bob B. <bob@example.com>", &[("Bob B.", "bob@example.com")]),
            ("bob@example.com (Bob)", &[("Bob", "bob@example.com")]),
            ("a@x, b@y", &[("", "a@x"), ("", "b@y")]),
            (
                "\"Smith, Bob\" <a@x>,eve@y",
                &[("Smith, Bob", "a@x"), ("", "eve@y")],
            ),
            ("<@a,@b:u@c>", &[("", "@a,@b:u@c")]),
            ("@a,@b:u@c, d@e", &[("", "@a,@b:u@c"), ("", "d@e")]),
            ("\"a,b\"@x", &[("", "\"a,b\"@x")]),
            ("\"a<b\"@x", &[("", "\"a<b\"@x")]),
            ("u@[IPv6:::1]", &[("", "u@[IPv6:::1]")]),
            ("list: a@x, <b@y>;", &[("", "a@x"), ("", "b@y")]),
            ("host!user%else@x", &[("", "host!user%else@x")]),
            ("<>", &[("", "")]),
            ("a@x,", &[("", "a@x")]),
            ("Bob <bob@x", &[("Bob", "bob@x")]),
        ];
        for (typed, expected) in table {
            let expected: Vec<(String, String)> = expected
                .iter()
                .map(|(name, address)| ((*name).to_owned(), (*address).to_owned()))
                .collect();
            assert_eq!(found(typed), expected, "{typed}");
        }
    }
}
