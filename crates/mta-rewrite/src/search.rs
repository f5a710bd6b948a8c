//! The order in which forms of a host specification are looked up.
//!
//! Components are separated by dots, a bracketed literal is one component. Two forms are tried
//! in turn: the *shortened* one, from which handled components are removed so that a leading dot
//! remains, and the *starred* one, in which they are replaced by asterisks. A literal loses its
//! elements from the right before it is handled.

use std::ops::ControlFlow;

/// One form of the specification, and what it means for the substitutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probe<'a> {
    /// The pattern to be looked up, folded, without the current tag.
    pub(crate) pattern: &'a str,
    /// Whether the domain database is asked too.
    pub(crate) in_database: bool,
    /// Length of the unmatched part (`$H`); the rest is the matched part (`$D`).
    pub(crate) split: usize,
    /// Start of what the pattern leaves of a literal (`$L`), and its end.
    pub(crate) literal: (usize, usize),
}

/// A component of a specification.
#[derive(Debug, Clone, Copy)]
struct Component {
    start: usize,
    end: usize,
    /// Number of its elements if it is a literal.
    elements: Option<usize>,
}

/// Calls `visit` for each probe until one breaks. `folded` is the specification in lower case;
/// `stars` tells whether starred forms are wanted at all.
pub(crate) fn for_each_probe<B>(
    folded: &str,
    stars: bool,
    mut visit: impl FnMut(Probe<'_>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    if !stars && !folded.contains('[') {
        return for_each_plain_probe(folded, visit);
    }
    let components = components(folded);
    let whole = literal_inside(folded, &components);
    visit(Probe {
        pattern: "$*",
        in_database: false,
        split: folded.len(),
        literal: whole,
    })?;
    visit(Probe {
        pattern: folded,
        in_database: true,
        split: 0,
        literal: (0, 0),
    })?;
    let mut starred = String::new();
    let mut pattern = String::with_capacity(folded.len() + 8);
    for (place, component) in components.iter().enumerate() {
        if let Some(elements) = component.elements {
            let split = component.start.saturating_sub(1);
            for kept in (0..elements).rev() {
                let (head, literal) = shortened_literal(folded, *component, kept);
                let behind = &folded[component.end..];
                if stars && place > 0 {
                    set(&mut pattern, &[&starred, &head, behind]);
                    visit(Probe {
                        pattern: &pattern,
                        in_database: false,
                        split,
                        literal,
                    })?;
                }
                set(
                    &mut pattern,
                    &[&folded[split..component.start], &head, behind],
                );
                visit(Probe {
                    pattern: &pattern,
                    in_database: true,
                    split,
                    literal,
                })?;
            }
        }
        let behind = &folded[component.end..];
        if stars {
            push_star(&mut starred, component.elements);
            set(&mut pattern, &[&starred, behind]);
            visit(Probe {
                pattern: &pattern,
                in_database: false,
                split: component.end,
                literal: whole,
            })?;
            starred.push('.');
        }
        visit(Probe {
            pattern: if behind.is_empty() { "." } else { behind },
            in_database: true,
            split: component.end,
            literal: whole,
        })?;
    }
    ControlFlow::Continue(())
}

/// The same for nearly every specification: no literal in it, and no starred forms wanted.
fn for_each_plain_probe<B>(
    folded: &str,
    mut visit: impl FnMut(Probe<'_>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let probe = |pattern, split| Probe {
        pattern,
        in_database: true,
        split,
        literal: (0, 0),
    };
    visit(Probe {
        in_database: false,
        ..probe("$*", folded.len())
    })?;
    visit(probe(folded, 0))?;
    for (at, byte) in folded.bytes().enumerate() {
        if byte == b'.' {
            visit(probe(&folded[at..], at))?;
        }
    }
    visit(probe(".", folded.len()))
}

fn set(pattern: &mut String, parts: &[&str]) {
    pattern.clear();
    parts.iter().for_each(|part| pattern.push_str(part));
}

fn push_star(starred: &mut String, elements: Option<usize>) {
    match elements {
        None => starred.push('*'),
        Some(elements) => {
            starred.push('[');
            starred.push('*');
            (1..elements).for_each(|_| starred.push_str(".*"));
            starred.push(']');
        }
    }
}

/// A literal of which only the first `kept` elements are left, each with its dot; and where
/// what it lost stands.
fn shortened_literal(folded: &str, component: Component, kept: usize) -> (String, (usize, usize)) {
    let inside = (component.start + 1, component.end - 1);
    let text = &folded[inside.0..inside.1];
    let length = match kept {
        0 => 0,
        kept => text
            .match_indices('.')
            .nth(kept - 1)
            .map_or(text.len(), |(dot, _)| dot + 1),
    };
    (
        format!("[{}]", &text[..length]),
        (inside.0 + length, inside.1),
    )
}

/// The inside of a specification that is nothing but a literal.
fn literal_inside(folded: &str, components: &[Component]) -> (usize, usize) {
    match components {
        [
            Component {
                elements: Some(_), ..
            },
        ] => (1, folded.len() - 1),
        _ => (0, 0),
    }
}

fn components(folded: &str) -> Vec<Component> {
    let mut components = Vec::with_capacity(8);
    let mut start = 0;
    let mut inside = false;
    for (place, byte) in folded.bytes().enumerate() {
        match byte {
            b'[' => inside = true,
            b']' => inside = false,
            b'.' if !inside => {
                components.push(component(folded, start, place));
                start = place + 1;
            }
            _ => {}
        }
    }
    components.push(component(folded, start, folded.len()));
    components
}

fn component(folded: &str, start: usize, end: usize) -> Component {
    let elements = folded[start..end]
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .map(|inside| {
            if inside.is_empty() {
                0
            } else if inside.starts_with("ipv6:") {
                1
            } else {
                inside.split('.').count()
            }
        });
    Component {
        start,
        end,
        elements,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probes(specification: &str) -> Vec<String> {
        let mut found = Vec::new();
        let folded = specification.to_ascii_lowercase();
        let end: ControlFlow<()> = for_each_probe(&folded, true, |probe| {
            found.push(probe.pattern.to_owned());
            ControlFlow::Continue(())
        });
        assert!(end.is_continue());
        assert_eq!(found.remove(0), "$*");
        found
    }

    #[test]
    fn probe_lists_of_the_books() {
        let table: [(&str, &[&str]); 3] = [
            (
                "sc.cs.example.com",
                &[
                    "sc.cs.example.com",
                    "*.cs.example.com",
                    ".cs.example.com",
                    "*.*.example.com",
                    ".example.com",
                    "*.*.*.com",
                    ".com",
                    "*.*.*.*",
                    ".",
                ],
            ),
            (
                "[128.6.3.40]",
                &[
                    "[128.6.3.40]",
                    "[128.6.3.]",
                    "[128.6.]",
                    "[128.]",
                    "[]",
                    "[*.*.*.*]",
                    ".",
                ],
            ),
            (
                "[1.2].a.[3.4].b",
                &[
                    "[1.2].a.[3.4].b",
                    "[1.].a.[3.4].b",
                    "[].a.[3.4].b",
                    "[*.*].a.[3.4].b",
                    ".a.[3.4].b",
                    "[*.*].*.[3.4].b",
                    ".[3.4].b",
                    "[*.*].*.[3.].b",
                    ".[3.].b",
                    "[*.*].*.[].b",
                    ".[].b",
                    "[*.*].*.[*.*].b",
                    ".b",
                    "[*.*].*.[*.*].*",
                    ".",
                ],
            ),
        ];
        for (specification, expected) in table {
            assert_eq!(probes(specification), expected);
        }
    }

    #[test]
    fn probe_lists_by_hand() {
        let table: [(&str, &[&str]); 5] = [
            ("relay", &["relay", "*", "."]),
            (
                "[IPv6:2001:db8::1]",
                &["[ipv6:2001:db8::1]", "[]", "[*]", "."],
            ),
            (
                "[IPv6:::ffff:1.2.3.4]",
                &["[ipv6:::ffff:1.2.3.4]", "[]", "[*]", "."],
            ),
            ("", &["", "*", "."]),
            ("[]", &["[]", "[*]", "."]),
        ];
        for (specification, expected) in table {
            assert_eq!(probes(specification), expected);
        }
    }

    #[test]
    fn the_short_way_is_the_long_one_without_stars() {
        for specification in ["", "a", "a.b", ".", "a.", ".a", "a..b", "sc.cs.example.com"] {
            let collect = |stars| {
                let mut found = Vec::new();
                let end: ControlFlow<()> = for_each_probe(specification, stars, |probe| {
                    let starred = probe.pattern.contains('*') && probe.pattern != "$*";
                    if !starred {
                        let Probe {
                            pattern,
                            in_database,
                            split,
                            literal,
                        } = probe;
                        found.push((pattern.to_owned(), in_database, split, literal));
                    }
                    ControlFlow::Continue(())
                });
                assert!(end.is_continue());
                found
            };
            assert_eq!(collect(false), collect(true), "{specification}");
        }
    }

    #[test]
    fn unmatched_and_matched_part_are_the_whole() {
        let mut splits = Vec::new();
        let specification = "sc.cs.example.com";
        let end: ControlFlow<()> = for_each_probe(specification, true, |probe| {
            let (host, domain) = specification.split_at(probe.split);
            splits.push((probe.pattern.to_owned(), host.to_owned(), domain.to_owned()));
            ControlFlow::Continue(())
        });
        assert!(end.is_continue());
        for (pattern, host, domain) in [
            ("$*", specification, ""),
            (specification, "", specification),
            ("*.cs.example.com", "sc", ".cs.example.com"),
            (".example.com", "sc.cs", ".example.com"),
            ("*.*.*.*", specification, ""),
            (".", specification, ""),
        ] {
            let expected = (pattern.to_owned(), host.to_owned(), domain.to_owned());
            assert!(splits.contains(&expected), "{expected:?}");
        }
    }

    #[test]
    fn literal_remainder_per_probe() {
        let specification = "[192.0.2.25]";
        let mut found = Vec::new();
        let end: ControlFlow<()> = for_each_probe(specification, true, |probe| {
            let (start, end) = probe.literal;
            found.push((
                probe.pattern.to_owned(),
                specification[start..end].to_owned(),
            ));
            ControlFlow::Continue(())
        });
        assert!(end.is_continue());
        for (pattern, literal) in [
            ("[192.0.2.25]", ""),
            ("[192.0.2.]", "25"),
            ("[192.0.]", "2.25"),
            ("[]", "192.0.2.25"),
            (".", "192.0.2.25"),
        ] {
            let expected = (pattern.to_owned(), literal.to_owned());
            assert!(found.contains(&expected), "{expected:?}");
        }
    }
}
