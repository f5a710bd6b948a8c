//! `aliases`: `name: value, value, ...`, with the parameters of mailing lists.

use super::Findings;
use super::lines::Line;
use crate::aliases::split_at_commas;
use crate::fault::{FaultKind, WarningKind};
use crate::source::name::{Path, Scope, Segment};
use crate::source::schema;
use crate::source::tree::{Content, Setting, Tree};
use crate::value::Kind;
use std::collections::HashSet;

/// What stands behind the members of a list and its named parameters, by its place.
const POSITIONAL: [&str; 5] = [
    "alias_envelope_from",
    "alias_reply_to",
    "alias_errors_to",
    "alias_warnings_to",
    "alias_comments",
];

/// Reads all aliases.
pub(super) fn read(lines: &[Line], tree: &mut Tree, findings: &mut Findings) {
    let mut seen = HashSet::new();
    for line in lines.iter().filter(|line| !line.is_blank()) {
        let Some((name, values)) = line.text.split_once(':') else {
            let name = line.text.split_whitespace().next().unwrap_or_default();
            findings.fault(FaultKind::BadEquivalence, name, line);
            continue;
        };
        let name = name.trim();
        if name.is_empty() {
            findings.fault(FaultKind::BadEquivalence, name, line);
        } else if !seen.insert(name.to_lowercase()) {
            findings.fault(FaultKind::DuplicateAlias, name, line);
        } else {
            alias(name, values, line, tree, findings);
        }
    }
}

fn alias(name: &str, values: &str, line: &Line, tree: &mut Tree, findings: &mut Findings) {
    let group = Segment::of("alias", name);
    let mut put = |option: Option<&str>, content| {
        let option = option.map(Segment::plain);
        let path = Path([group.clone()].into_iter().chain(option).collect());
        let setting = Setting {
            content,
            file: line.file,
            line: line.number,
        };
        tree.push(Scope::Role, path, setting);
    };
    let mut is_list = false;
    let mut position = None;
    let mut put_any = false;
    let pieces = split_at_commas(values);
    for piece in &pieces {
        if let Some((parameter, value)) = parameter(piece) {
            let option = format!("alias_{}", parameter.to_ascii_lowercase());
            let path = Path(vec![group.clone(), Segment::plain(&option)]);
            match schema::spec(&path) {
                Ok(spec) if spec.kind == Kind::Flag => put(Some(&option), Content::Novalue),
                Ok(_) => put(Some(&option), Content::Text(unquoted(value))),
                Err(_) => {
                    let name = format!("{name} [{parameter}]");
                    findings.warn(WarningKind::UnknownAliasOption, &name, line);
                    continue;
                }
            }
            put_any = true;
        } else if is_list {
            let place = position.map_or(0, |place: usize| place + 1);
            position = Some(place);
            let Some(option) = POSITIONAL.get(place).filter(|_| !piece.is_empty()) else {
                continue;
            };
            // An asterisk keeps the envelope From that the message has.
            if !(place == 0 && piece == "*") {
                put(Some(option), Content::Text(unquoted(piece)));
            }
        } else if !piece.is_empty() {
            is_list = piece.starts_with('<') && !piece.ends_with('>');
            put(Some("alias_entry"), Content::Text(piece.clone()));
            put_any = true;
        }
    }
    if !put_any {
        // What is missing is said where the aliases are read.
        put(None, Content::Novalue);
    }
}

/// `[NAME] value`: a name in brackets with something behind it, or nothing else at all.
fn parameter(piece: &str) -> Option<(&str, &str)> {
    let (name, value) = piece.strip_prefix('[')?.split_once(']')?;
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    is_name.then(|| (name, value.trim()))
}

/// A text without the quotes around the whole of it; inside them a backslash quotes a quote and
/// itself.
fn unquoted(text: &str) -> String {
    let inside = text.strip_prefix('"');
    let Some(inside) = inside.and_then(|text| text.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut plain = String::with_capacity(inside.len());
    let mut characters = inside.chars();
    while let Some(c) = characters.next() {
        match c {
            // The quotes are not those of one text.
            '"' => return text.to_owned(),
            '\\' => match characters.next() {
                Some(c @ ('"' | '\\')) => plain.push(c),
                Some(c) => plain.extend(['\\', c]),
                None => return text.to_owned(),
            },
            c => plain.push(c),
        }
    }
    plain
}

/// A value as it must be written for `unquoted` to give it.
pub(super) fn quoted(value: String) -> String {
    let needs = value.contains([',', '[', ']', '(', ')', '"', '\\'])
        || value.starts_with([' ', '\t'])
        || value.ends_with([' ', '\t']);
    if !needs {
        return value;
    }
    let inside = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{inside}\"")
}
