//! Parts of users and of host specifications.

use crate::template::UserPart;

/// User, user without `+detail`, `+detail`; a plus sign in a quoted string is none.
pub(crate) fn user_part(user: &str, part: UserPart) -> &str {
    if part == UserPart::Whole {
        return user;
    }
    let mut quoted = false;
    let mut escaped = false;
    let plus = user.bytes().position(|byte| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match byte {
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        byte == b'+' && !quoted
    });
    let plus = plus.unwrap_or(user.len());
    match part {
        UserPart::Detail => &user[plus..],
        UserPart::Whole | UserPart::WithoutDetail => &user[..plus],
    }
}

/// Start and end of each component; a literal is one.
fn components(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = (!text.is_empty()).then_some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut inside = false;
        let dot = text.bytes().position(|byte| {
            match byte {
                b'[' => inside = true,
                b']' => inside = false,
                _ => {}
            }
            byte == b'.' && !inside
        });
        rest = dot.map(|dot| &text[dot + 1..]);
        Some(&text[..dot.unwrap_or(text.len())])
    })
}

pub(crate) fn nth_component(text: &str, number: u32, from_right: bool) -> Option<&str> {
    let mut found = components(text);
    if from_right {
        let all: Vec<&str> = found.collect();
        let place = all.len().checked_sub(number as usize + 1)?;
        return Some(all[place]);
    }
    found.nth(number as usize)
}

pub(crate) fn without_components(text: &str, dropped: u32) -> &str {
    let mut found = components(text);
    let mut rest = text;
    for _ in 0..dropped {
        let Some(component) = found.next() else {
            return "";
        };
        rest = rest.get(component.len() + 1..).unwrap_or("");
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_fall_into_two_parts() {
        for (user, plain, detail) in [
            ("ada+lists", "ada", "+lists"),
            ("ada", "ada", ""),
            ("a+b+c", "a", "+b+c"),
            ("\"a+b\"+c", "\"a+b\"", "+c"),
        ] {
            assert_eq!(user_part(user, UserPart::WithoutDetail), plain);
            assert_eq!(user_part(user, UserPart::Detail), detail);
            assert_eq!(user_part(user, UserPart::Whole), user);
        }
    }

    #[test]
    fn components_are_dropped_from_the_left() {
        for (text, dropped, rest) in [
            ("a.b.c", 0, "a.b.c"),
            ("a.b.c", 2, "c"),
            ("a.b.c", 3, ""),
            ("a.b.c", 9, ""),
            ("[1.2].b", 1, "b"),
            ("", 1, ""),
        ] {
            assert_eq!(without_components(text, dropped), rest);
        }
        assert_eq!(nth_component("a.[1.2].c", 1, false), Some("[1.2]"));
        assert_eq!(nth_component("a.b.c", 0, true), Some("c"));
        assert_eq!(nth_component("a.b.c", 3, true), None);
        assert_eq!(nth_component("", 0, false), None);
    }
}
