//! `mappings`: a table's name in column 1, a blank line, indented entries.

use super::lines::Line;
use super::{Findings, split_entry};
use crate::fault::{FaultKind, WarningKind};
use crate::source::name::{Path, Scope, Segment};
use crate::source::tree::{Content, Setting, Tree};
use std::collections::HashSet;

/// Where in the file the reader is.
enum State {
    /// Before the first table, or behind a blank line that ended one.
    Outside,
    /// Behind a name; whether a blank line was seen.
    Named { blank: bool },
    /// Among entries.
    Inside,
}

/// Reads all tables.
pub(super) fn read(lines: &[Line], tree: &mut Tree, findings: &mut Findings) {
    let mut state = State::Outside;
    let mut seen: HashSet<String> = HashSet::new();
    // The table whose entries are kept; nothing while one with a bad name is skipped.
    let mut table: Option<(String, &Line)> = None;
    let mut filled = false;
    for line in lines {
        if line.is_blank() {
            state = match state {
                State::Outside | State::Inside => State::Outside,
                State::Named { .. } => State::Named { blank: true },
            };
        } else if !line.is_indented() {
            keep_empty(table.take().filter(|_| !filled), tree);
            filled = false;
            table = name(line, &mut seen, findings).map(|name| (name, line));
            state = State::Named { blank: false };
        } else {
            match state {
                State::Outside => {
                    findings.fault(FaultKind::EntryOutside, line.text.trim(), line);
                    continue;
                }
                State::Named { blank: false } => {
                    let name = table.as_ref().map_or("", |(name, _)| name);
                    findings.warn(WarningKind::NoBlankAfterName, name, line);
                }
                State::Named { blank: true } | State::Inside => {}
            }
            state = State::Inside;
            if let Some((name, _)) = &table {
                filled = true;
                entry(name, line, tree);
            }
        }
    }
    keep_empty(table.filter(|_| !filled), tree);
}

/// A table without entries is there all the same.
fn keep_empty(table: Option<(String, &Line)>, tree: &mut Tree) {
    if let Some((name, line)) = table {
        let path = Path(vec![Segment::of("mapping", &name)]);
        push(Content::Novalue, path, line, tree);
    }
}

/// The name of a table, unless there is something wrong with it.
fn name(line: &Line, seen: &mut HashSet<String>, findings: &mut Findings) -> Option<String> {
    let mut words = line.text.split_whitespace();
    let name = words.next().unwrap_or_default().to_owned();
    let mut good = true;
    let mut fault = |kind, text: &str| {
        good = false;
        findings.fault(kind, text, line);
    };
    if name.chars().count() > mta_mapping::MAX_NAME {
        fault(FaultKind::MappingNameTooLong, &name);
    } else if !seen.insert(name.to_ascii_lowercase()) {
        fault(FaultKind::DuplicateMapping, &name);
    }
    let is_name =
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains(char::is_control);
    if words.next().is_some() || !is_name {
        fault(FaultKind::BadMappingName, line.text.trim());
    }
    good.then_some(name)
}

fn entry(table: &str, line: &Line, tree: &mut Tree) {
    let (pattern, template) = split_entry(&line.text);
    let path = Path(vec![Segment::of("mapping", table), Segment::plain("rule")]);
    let content = Content::Rule(pattern.to_owned(), template.to_owned());
    push(content, path, line, tree);
}

fn push(content: Content, path: Path, line: &Line, tree: &mut Tree) {
    let setting = Setting {
        content,
        file: line.file,
        line: line.number,
    };
    tree.push(Scope::Role, path, setting);
}
