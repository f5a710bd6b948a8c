//! `imsimta find`, `view` and `purge`: the versions of a log file.
//!
//! A version's age is in the unique id at the end of its name, not in the file's date.

use crate::context::{Context, Failure, Outcome};
use crate::report::clock;
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Verb, Words};
use mta_envelope::unique;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const WHICH: &[Switch] = &[
    Switch::with("f", "n", "n-th version from the oldest, 0 is the oldest"),
    Switch::with("l", "n", "n-th version from the newest, 0 is the newest"),
];

pub(crate) const FIND: &[Verb] = &[Verb {
    name: "find",
    about: "print the full name of one version of a log file",
    parameters: "file-pattern",
    least: 1,
    most: 1,
    switches: WHICH,
}];
pub(crate) const VIEW: &[Verb] = &[Verb {
    name: "view",
    about: "print one version of a log file",
    parameters: "file-pattern",
    least: 1,
    most: 1,
    switches: WHICH,
}];
pub(crate) const PURGE: &[Verb] = &[Verb {
    name: "purge",
    about: "remove old versions of log files; a file goes only if every given criterion allows it",
    parameters: "[file-pattern]",
    least: 0,
    most: 1,
    switches: &[
        Switch::with("day", "d", "keep the last d days"),
        Switch::with("hour", "h", "keep the last h hours"),
        Switch::with(
            "num",
            "n",
            "keep the newest n of each name (5 if nothing is said)",
        ),
    ],
}];

/// One version of a log.
struct Version {
    name: String,
    id: String,
    made: u64,
    path: PathBuf,
}

pub(crate) fn find(context: &Context, typed: &[String]) -> Outcome {
    let version = chosen(context, &FIND[0], typed)?;
    output::line(&version.path.display().to_string());
    Ok(())
}

pub(crate) fn view(context: &Context, typed: &[String]) -> Outcome {
    let version = chosen(context, &VIEW[0], typed)?;
    let content = fs::read(&version.path).map_err(|error| {
        Message::error(
            "VIEW",
            "OPENIN",
            format!("{}: {error}", version.path.display()),
        )
    })?;
    for line in String::from_utf8_lossy(&content).lines() {
        output::line(&output::visible(line));
    }
    Ok(())
}

pub(crate) fn purge(context: &Context, typed: &[String]) -> Outcome {
    let words = PURGE[0].parse(typed)?;
    let rules = Rules::read(&words)?;
    let pattern = words.parameter(0).unwrap_or("*");
    let now = u64::try_from(clock::now()).unwrap_or(0);
    let mut by_name: BTreeMap<String, Vec<Version>> = BTreeMap::new();
    for version in versions(&context.root.log()) {
        by_name
            .entry(version.name.clone())
            .or_default()
            .push(version);
    }
    let in_use = open_files(&context.root.lib());
    for (name, mut versions) in by_name {
        if !matches_pattern(pattern, &name) {
            continue;
        }
        versions.sort_by_key(|version| std::cmp::Reverse((version.made, version.id.clone())));
        for (rank, version) in versions.iter().enumerate() {
            if rules.allow(rank, now.saturating_sub(version.made))
                && !in_use.contains(&version.path)
            {
                fs::remove_file(&version.path).map_err(|error| {
                    Message::error(
                        "PURGE",
                        "DELETE",
                        format!("{}: {error}", version.path.display()),
                    )
                })?;
            }
        }
    }
    Ok(())
}

/// What may go.
struct Rules {
    seconds: Option<u64>,
    number: Option<usize>,
}

impl Rules {
    fn read(words: &Words) -> Result<Self, Message> {
        let day: Option<u64> = words.number("day")?;
        let hour: Option<u64> = words.number("hour")?;
        let number = words.number("num")?;
        let seconds = day
            .map(|d| d.saturating_mul(86_400))
            .max(hour.map(|h| h.saturating_mul(3600)));
        let number = number.or(if seconds.is_none() { Some(5) } else { None });
        Ok(Self { seconds, number })
    }

    fn allow(&self, rank: usize, age: u64) -> bool {
        self.number.is_none_or(|keep| rank >= keep) && self.seconds.is_none_or(|keep| age > keep)
    }
}

fn chosen(context: &Context, verb: &Verb, typed: &[String]) -> Result<Version, Failure> {
    let words = verb.parse(&joined(typed))?;
    let typed = words.parameter(0).unwrap_or_default();
    let (directory, pattern) = match typed.rsplit_once('/') {
        Some((directory, name)) => (PathBuf::from(directory), name),
        None => (context.root.log(), typed),
    };
    // A log without versions, such as mail.log_current or watcher, is named in full.
    let whole = directory.join(pattern);
    if whole.is_file() {
        let (name, id) = (pattern.to_owned(), String::new());
        return Ok(Version {
            name,
            id,
            made: 0,
            path: whole,
        });
    }
    let mut found: Vec<Version> = versions(&directory)
        .into_iter()
        .filter(|version| matches_pattern(pattern, &version.name))
        .collect();
    found.sort_by_key(|version| (version.made, version.id.clone()));
    let index = match (words.number::<usize>("f")?, words.number::<usize>("l")?) {
        (Some(first), _) => Some(first),
        (None, last) => found.len().checked_sub(1 + last.unwrap_or(0)),
    };
    index
        .filter(|index| *index < found.len())
        .map(|index| found.swap_remove(index))
        .ok_or_else(|| Message::error("FIND", "NOTFOUND", "no such log file version").into())
}

/// `-f n` written as two words is understood as `-f=n`.
fn joined(typed: &[String]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in typed {
        match words.last_mut() {
            Some(last)
                if ["-f", "-l"].contains(&last.as_str()) && word.parse::<usize>().is_ok() =>
            {
                last.push('=');
                last.push_str(word);
            }
            _ => words.push(word.clone()),
        }
    }
    words
}

fn versions(directory: &Path) -> Vec<Version> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            let (name, id) = file.rsplit_once('-')?;
            let made = unique::id_time(id)?;
            Some(Version {
                name: name.to_owned(),
                id: id.to_owned(),
                made,
                path: entry.path(),
            })
        })
        .collect()
}

/// Log files that a process of this server has open: counted, but never removed.
fn open_files(lib: &Path) -> Vec<PathBuf> {
    let mut open = Vec::new();
    for process in crate::process::list(lib) {
        let directory = format!("/proc/{}/fd", process.pid);
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            open.extend(fs::read_link(entry.path()));
        }
    }
    open
}

/// `*` and `?` as everywhere.
pub(crate) fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_whole_names() {
        let table = [
            ("tcp_*", "tcp_local", true),
            ("*", "", true),
            ("*_slave.log", "tcp_local_slave.log", true),
            ("tcp_?ocal", "tcp_local", true),
            ("tcp", "tcp_local", false),
            ("*a*b", "xaxbxb", true),
            ("*a*b", "xaxbxc", false),
        ];
        for (pattern, name, matches) in table {
            assert_eq!(matches_pattern(pattern, name), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn every_criterion_must_allow_the_removal() {
        let rules = |seconds, number| Rules { seconds, number };
        assert!(rules(None, Some(5)).allow(5, 0));
        assert!(!rules(None, Some(5)).allow(4, 1_000_000));
        assert!(!rules(Some(3600), Some(1)).allow(3, 60));
        assert!(rules(Some(3600), Some(1)).allow(3, 3601));
    }

    #[test]
    fn an_offset_may_stand_behind_a_blank() {
        let typed: Vec<String> = ["x.log", "-f", "1"].map(str::to_owned).to_vec();
        assert_eq!(joined(&typed), ["x.log", "-f=1"]);
    }
}
