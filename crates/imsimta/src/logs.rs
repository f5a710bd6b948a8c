//! `imsimta find`, `view` and `purge`: the versions of a log file.
//!
//! A version's age is in the unique id at the end of its name, not in the file's date.

use crate::context::{Context, Failure, Outcome};
use crate::process;
use crate::report::clock;
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Verb, Words};
use mta_config::paths::ServerRoot;
use mta_envelope::unique;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
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

impl Version {
    /// Whether a pattern means this log, or (with the unique id behind its name) this version.
    fn is_meant(&self, pattern: &str) -> bool {
        matches_pattern(pattern, &self.name)
            || matches_pattern(pattern, &format!("{}-{}", self.name, self.id))
    }
}

pub(crate) fn find(context: &Context, typed: &[String]) -> Outcome {
    let version = chosen(context, "FIND", &FIND[0], typed)?;
    output::line(&version.path.display().to_string());
    Ok(())
}

pub(crate) fn view(context: &Context, typed: &[String]) -> Outcome {
    let version = chosen(context, "VIEW", &VIEW[0], typed)?;
    let content = fs::read(&version.path).map_err(|error| {
        Message::error(
            "VIEW",
            "OPENIN",
            format!("{}: {error}", version.path.display()),
        )
    })?;
    for line in String::from_utf8_lossy(&content).lines() {
        output::line(&output::visible_text(line));
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
    let in_use = InUse::look(&context.root);
    for mut versions in by_name.into_values() {
        versions.sort_by_key(|version| std::cmp::Reverse((version.made, version.id.clone())));
        for (rank, version) in versions.iter().enumerate() {
            if version.is_meant(pattern)
                && rules.allow(rank, now.saturating_sub(version.made))
                && !in_use.has(version)
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

fn chosen(
    context: &Context,
    facility: &'static str,
    verb: &Verb,
    typed: &[String],
) -> Result<Version, Failure> {
    let words = verb.parse(&joined(typed))?;
    let typed = words.parameter(0).unwrap_or_default();
    let (directory, pattern) = match typed.rsplit_once('/') {
        Some((directory, name)) => (PathBuf::from(directory), name),
        None => (context.root.log(), typed),
    };
    // A log without versions, such as mail.log_current or watcher, is named in full.
    let whole = directory.join(pattern);
    let mut found: Vec<Version> = if whole.is_file() {
        vec![Version {
            name: pattern.to_owned(),
            id: String::new(),
            made: 0,
            path: whole,
        }]
    } else {
        let versions = versions(&directory).into_iter();
        versions
            .filter(|version| version.is_meant(pattern))
            .collect()
    };
    found.sort_by_key(|version| (version.made, version.id.clone()));
    let index = match (words.number::<usize>("f")?, words.number::<usize>("l")?) {
        (Some(first), _) => Some(first),
        (None, last) => found.len().checked_sub(last.unwrap_or(0).saturating_add(1)),
    };
    index
        .filter(|index| *index < found.len())
        .map(|index| found.swap_remove(index))
        .ok_or_else(|| Message::error(facility, "NOTFOUND", "no such log file version").into())
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

/// What tells a log that is being written from one that is not: counted, but never removed.
#[derive(Debug, Default)]
struct InUse {
    /// Files that a process of this server has open.
    open: Vec<PathBuf>,
    /// Of processes that do not let us see their open files: the start of the oldest. All that
    /// was made since then may be theirs.
    unseen_since: Option<u64>,
}

impl InUse {
    fn look(root: &ServerRoot) -> Self {
        let running = process::running(root);
        let mut this = Self::default();
        // Of a daemon that we cannot see at all we do not even know since when it runs.
        if running.hidden.iter().any(|daemon| *daemon != "watcher") {
            this.unseen_since = Some(0);
        }
        // The watcher, which is root and shows us nothing, writes a log without versions only.
        let watcher = root.lib().join("watcher");
        let others = running.processes.into_iter();
        for process in others.filter(|process| Path::new(&process.command) != watcher) {
            match open_files(process.pid) {
                Ok(mut open) => this.open.append(&mut open),
                // It has ended since.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(_) => this.unseen(u64::try_from(process.started).unwrap_or(0)),
            }
        }
        this
    }

    /// A second of doubt: a start is told in hundredths, a log's name in whole seconds.
    fn unseen(&mut self, started: u64) {
        let since = started.saturating_sub(1);
        self.unseen_since = Some(self.unseen_since.map_or(since, |known| known.min(since)));
    }

    fn has(&self, version: &Version) -> bool {
        self.unseen_since.is_some_and(|since| version.made >= since)
            || self.open.contains(&version.path)
    }
}

/// What a process has open. The list may be readable where what it leads to is not.
fn open_files(pid: i32) -> io::Result<Vec<PathBuf>> {
    let mut open = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        match fs::read_link(entry?.path()) {
            Ok(path) => open.push(path),
            // Closed since.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(open)
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

    fn version(name: &str, id: &str, made: u64) -> Version {
        Version {
            name: name.to_owned(),
            id: id.to_owned(),
            made,
            path: PathBuf::from(format!("/log/{name}-{id}")),
        }
    }

    #[test]
    fn a_pattern_means_a_name_with_or_without_its_id() {
        let log = version("dispatcher.log", "0KRH00A3QAO42T10", 0);
        for pattern in [
            "dispatcher.log",
            "disp*",
            "dispatcher.log-*",
            "dispatcher.log-0KRH00A3QAO42T10",
        ] {
            assert!(log.is_meant(pattern), "{pattern}");
        }
        assert!(!log.is_meant("job_controller.log-*"));
    }

    #[test]
    fn what_may_be_in_use_is_kept() {
        let (old, new) = (version("a.log", "1", 100), version("a.log", "2", 200));
        let open = InUse {
            open: vec![old.path.clone()],
            unseen_since: None,
        };
        assert!(open.has(&old) && !open.has(&new));
        let mut unseen = InUse::default();
        unseen.unseen(300);
        assert!(!unseen.has(&new));
        unseen.unseen(200);
        unseen.unseen(500);
        assert!(unseen.has(&new) && !unseen.has(&old));
    }

    #[test]
    fn an_offset_may_stand_behind_a_blank() {
        let typed: Vec<String> = ["x.log", "-f", "1"].map(str::to_owned).to_vec();
        assert_eq!(joined(&typed), ["x.log", "-f=1"]);
    }
}
