//! Completion at the prompt: commands first, then the options that exist and those that are set.

use super::command;
use super::session::Session;
use mta_config::source::legacy::Section;
use mta_config::source::name::{Path, Segment};
use mta_config::source::schema;
use rustyline::Context;
use rustyline::Helper;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use std::collections::BTreeSet;

/// The names that a line may hold.
pub(super) struct Names {
    options: BTreeSet<String>,
}

impl Names {
    /// What can be named in a session as it is now.
    pub(super) fn of(session: &Session<'_>) -> Self {
        let mut options = BTreeSet::new();
        let mut groups: BTreeSet<Path> = BTreeSet::new();
        for entry in session.tree().entries() {
            options.insert(entry.path.to_string());
            let segments = entry.path.segments();
            for length in 1..segments.len() {
                groups.insert(Path(segments[..length].to_vec()));
            }
        }
        groups.extend(["mta", "base"].map(|group| Path(vec![Segment::plain(group)])));
        for group in groups {
            for option in schema::options_of(&group) {
                options.insert(format!("{group}.{option}"));
                if group.0[0].name == "mta" {
                    options.insert(option.to_owned());
                }
            }
        }
        Self { options }
    }

    /// Where the word before `at` begins, and what it may become.
    fn candidates(&self, line: &str, at: usize) -> (usize, Vec<String>) {
        let head = &line[..at];
        let start = head.rfind([' ', '\t']).map_or(0, |blank| blank + 1);
        let word = &head[start..];
        let mut before = head[..start].split_whitespace();
        let found = match before.next() {
            None => begins(command::names(), word),
            Some(verb)
                if "edit import export"
                    .split(' ')
                    .any(|known| known.starts_with(verb)) =>
            {
                begins(Section::ALL.map(Section::name), word)
            }
            Some(_) => {
                let names = self.options.iter().map(String::as_str);
                // Up to the next dot or colon only: a thousand names are no help.
                let found = begins(names, word);
                let cut = found.into_iter().map(|name| step(&name, word.len()));
                cut.collect::<BTreeSet<String>>().into_iter().collect()
            }
        };
        (start, found)
    }
}

fn begins<'n>(names: impl IntoIterator<Item = &'n str>, word: &str) -> Vec<String> {
    let names = names.into_iter().filter(|name| name.starts_with(word));
    names.map(str::to_owned).collect()
}

/// A name up to the end of the group that comes next behind what was typed.
fn step(name: &str, typed: usize) -> String {
    let end = name[typed..].find('.').map(|dot| typed + dot + 1);
    name[..end.unwrap_or(name.len())].to_owned()
}

impl Helper for Names {}

impl Highlighter for Names {}

impl Validator for Names {}

impl Hinter for Names {
    type Hint = String;
}

impl Completer for Names {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(line, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_completed_by_what_stands_before_them() {
        let options = [
            "mta.mm_debug",
            "mm_debug",
            "channel:l.maxjobs",
            "channel:l.master",
        ];
        let names = Names {
            options: options.map(str::to_owned).into(),
        };
        let table: [(&str, &[&str]); 7] = [
            ("se", &["set"]),
            ("ex", &["export", "exec", "exit"]),
            ("edit ma", &["mappings"]),
            ("set m", &["mm_debug", "mta."]),
            ("set channel", &["channel:l."]),
            (
                "show channel:l.ma",
                &["channel:l.master", "channel:l.maxjobs"],
            ),
            ("set nosuch", &[]),
        ];
        for (line, found) in table {
            assert_eq!(names.candidates(line, line.len()).1, found, "{line}");
        }
    }
}
