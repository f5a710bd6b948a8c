//! The compiled elements of a pattern, in the words of `imsimta test -match`.

use crate::Pattern;
use crate::pattern::{Class, Element};

impl Pattern {
    /// One line for each element: `[ 1S] glob, req 103, reps 1`. Literal characters have a line
    /// each; an `S` marks a wildcard whose text is saved.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (place, element) in self.elements.iter().enumerate() {
            let number = lines.len() + 1;
            let saved = |field: &Option<u16>| if field.is_some() { "S" } else { "" };
            match element {
                Element::Literal(text) => {
                    for c in text.chars() {
                        lines.push(format!("[ {}] \"{c}\"", lines.len() + 1));
                    }
                }
                Element::One { class, field } => {
                    let what = match class {
                        Class::Any => "wild".to_owned(),
                        Class::Set { .. } => format!("cwild [{}]", members(class)),
                    };
                    lines.push(format!("[ {number}{}] {what}", saved(field)));
                }
                Element::Many { class, lazy, field } => {
                    let what = match class {
                        Class::Any => format!("glob{}", self.required(place)),
                        Class::Set { .. } => format!("cglob [{}]", members(class)),
                    };
                    let lazy = if *lazy { ", lazy" } else { "" };
                    lines.push(format!("[ {number}{}] {what}{lazy}", saved(field)));
                }
                Element::Back(field) => lines.push(format!("[ {number}] back {field}")),
                Element::Address { network, field } => {
                    lines.push(format!("[ {number}{}] ip [{network}]", saved(field)));
                }
            }
        }
        lines
    }

    /// The last literal character of the pattern and how often it occurs behind `place`.
    fn required(&self, place: usize) -> String {
        let behind = || {
            self.elements[place + 1..]
                .iter()
                .filter_map(|element| match element {
                    Element::Literal(text) => Some(text.as_str()),
                    _ => None,
                })
                .flat_map(str::chars)
        };
        behind().last().map_or(String::new(), |last| {
            let times = behind().filter(|c| *c == last).count();
            format!(", req {}, reps {times}", u32::from(last))
        })
    }
}

/// The members of a class by their codes; letters in lower case only, as they are compared.
fn members(class: &Class) -> String {
    let Class::Set { ranges, .. } = class else {
        return String::new();
    };
    let mut text: String = (0..128_u8)
        .map(char::from)
        .filter(|c| !c.is_ascii_uppercase() && class.holds(*c))
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    for (from, to) in ranges {
        text.push(*from);
        if from != to {
            text.push('-');
            text.push(*to);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_listed_as_documented() {
        let lines = Pattern::compile("$[ax1]*@*.example.org")
            .unwrap()
            .describe();
        assert_eq!(lines.len(), 15);
        assert_eq!(lines[0], "[ 1S] cglob [1ax]");
        assert_eq!(lines[1], "[ 2] \"@\"");
        assert_eq!(lines[2], "[ 3S] glob, req 103, reps 1");
        assert_eq!(lines[14], "[ 15] \"g\"");
    }
}
