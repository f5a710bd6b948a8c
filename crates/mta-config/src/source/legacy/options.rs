//! Files of `NAME=value`: `option.dat`, the option files of channels, `dispatcher.cnf`,
//! `job_controller.cnf` and `imta_tailor`.

use super::Findings;
use super::lines::{Line, OPTIONS};
use crate::fault::{FaultKind, WarningKind};
use crate::source::name::{Path, Scope, Segment};
use crate::source::schema;
use crate::source::tree::{Content, Setting, Tree};

/// Names of the Dispatcher's options that differ in a Unified Configuration.
const SERVICE_NAMES: [(&str, &str); 4] = [
    ("port", "tcp_ports"),
    ("tls_port", "ssl_ports"),
    ("logfile", "logfilename"),
    ("max_life_idle", "max_idle_time"),
];

/// Names of the Job Controller's options that differ in a Unified Configuration.
const JOB_NAMES: [(&str, &str); 5] = [
    ("max_messages", "max_cache_messages"),
    ("tcp_port", "tcp_ports"),
    ("interface_address", "listenaddr"),
    ("max_life_age", "max_life_time"),
    ("max_life_conns", "max_life_askwork"),
];

/// A line taken apart.
enum Part<'l> {
    /// `[KIND=name]`
    Section(String, &'l str),
    /// `name=value`, the name in lower case.
    Option(String, &'l str),
}

fn part<'l>(line: &'l Line, findings: &mut Findings) -> Option<Part<'l>> {
    let text = line.text.trim();
    let section = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let pair = section.unwrap_or(text).split_once('=');
    let Some((name, value)) = pair else {
        findings.fault(FaultKind::Malformed, text, line);
        return None;
    };
    let name = name.trim().to_ascii_lowercase();
    let value = value.trim();
    Some(if section.is_some() {
        Part::Section(name, value)
    } else {
        Part::Option(name, value)
    })
}

fn put(tree: &mut Tree, path: &Path, value: &str, line: &Line) {
    let setting = Setting {
        content: if value.is_empty() {
            Content::Novalue
        } else {
            Content::Text(value.to_owned())
        },
        file: line.file,
        line: line.number,
    };
    // Of an option that is said twice the last value counts.
    tree.replace(Scope::Role, path, vec![setting]);
}

fn filled(lines: &[Line]) -> impl Iterator<Item = &Line> {
    lines.iter().filter(|line| !line.is_blank())
}

/// Reads the options of `group` (`mta`, or a channel's option file).
pub(super) fn flat(lines: &[Line], group: &[Segment], tree: &mut Tree, findings: &mut Findings) {
    // What begins a comment in the first column begins no name elsewhere.
    let is_comment = |line: &&Line| line.text.trim().starts_with(OPTIONS.comments);
    for line in filled(lines).filter(|line| !is_comment(line)) {
        match part(line, findings) {
            Some(Part::Option(name, value)) => {
                let mut path = group.to_vec();
                let name = if group.len() > 1 {
                    name.to_ascii_uppercase()
                } else {
                    name
                };
                path.push(Segment::plain(&name));
                put(tree, &Path(path), value, line);
            }
            Some(Part::Section(..)) => findings.fault(FaultKind::Malformed, line.text.trim(), line),
            None => {}
        }
    }
}

/// Reads pairs of names and values, for files that are no part of the option tree.
pub(super) fn pairs(lines: &[Line], findings: &mut Findings) -> Vec<(String, String, Line)> {
    let mut pairs = Vec::new();
    for line in filled(lines) {
        if let Some(Part::Option(name, value)) = part(line, findings) {
            pairs.push((name, value.to_owned(), line.clone()));
        }
    }
    pairs
}

fn renamed(name: String, names: &[(&str, &str)]) -> String {
    let found = names.iter().find(|(legacy, _)| *legacy == name);
    found.map_or(name, |(_, unified)| (*unified).to_owned())
}

/// An option that its section does not have is odd, not fatal.
fn put_known(tree: &mut Tree, path: &Path, value: &str, line: &Line, findings: &mut Findings) {
    if schema::spec(path).is_ok() {
        put(tree, path, value, line);
    } else {
        let name = path.to_string();
        findings.warn(WarningKind::UnknownLegacyOption, &name, line);
    }
}

/// Reads `dispatcher.cnf`.
pub(super) fn dispatcher(lines: &[Line], tree: &mut Tree, findings: &mut Findings) {
    let top = vec![Segment::plain("dispatcher")];
    let mut group = top.clone();
    for line in filled(lines) {
        match part(line, findings) {
            Some(Part::Section(kind, name)) if kind == "service" => {
                group.clone_from(&top);
                if !name.eq_ignore_ascii_case("DISPATCHER") {
                    group.push(Segment::of("service", name));
                    put_group(tree, &group, line);
                }
            }
            Some(Part::Section(..)) => findings.fault(FaultKind::Malformed, line.text.trim(), line),
            Some(Part::Option(name, value)) => {
                let mut path = group.clone();
                path.push(Segment::plain(&renamed(name, &SERVICE_NAMES)));
                put_known(tree, &Path(path), value, line, findings);
            }
            None => {}
        }
    }
    drop_filled_groups(tree, "service");
}

/// Reads `job_controller.cnf`.
pub(super) fn job_controller(lines: &[Line], tree: &mut Tree, findings: &mut Findings) {
    let top = vec![Segment::plain("job_controller")];
    let mut group = top.clone();
    let mut section = String::new();
    // Options before any section that pools and channels may have as well.
    let mut shared: Vec<(String, String, Line)> = Vec::new();
    let mut periodic: Vec<Periodic> = Vec::new();
    for line in filled(lines) {
        match part(line, findings) {
            Some(Part::Section(kind, name)) => {
                group.clone_from(&top);
                match kind.as_str() {
                    "pool" | "queue" => group.push(Segment::of("job_pool", name)),
                    "channel" => {
                        let name = name.to_ascii_lowercase();
                        group.push(Segment::of("channel_class", &name));
                    }
                    "periodic_job" => periodic.push(Periodic::new(name, line)),
                    _ => findings.fault(FaultKind::Malformed, line.text.trim(), line),
                }
                section = kind;
                if group.len() > 1 {
                    put_group(tree, &group, line);
                }
            }
            Some(Part::Option(name, value)) if section == "periodic_job" => {
                if let Some(job) = periodic.last_mut() {
                    job.set(&name, value, line, findings);
                }
            }
            Some(Part::Option(name, value)) => {
                let name = renamed(name, &JOB_NAMES);
                let mut path = group.clone();
                path.push(Segment::plain(&name));
                let path = Path(path);
                let of_sections = section.is_empty() && schema::spec(&path).is_err();
                if of_sections {
                    shared.push((name, value.to_owned(), line.clone()));
                } else {
                    put_known(tree, &path, value, line, findings);
                }
            }
            None => {}
        }
    }
    lend(tree, &shared, findings);
    for job in periodic {
        job.finish(tree, findings);
    }
    for kind in ["job_pool", "channel_class"] {
        drop_filled_groups(tree, kind);
    }
}

/// Gives every pool and channel section what stands before all of them, unless it says so itself.
fn lend(tree: &mut Tree, shared: &[(String, String, Line)], findings: &mut Findings) {
    let groups: Vec<Path> = tree
        .entries()
        .iter()
        .filter(|entry| {
            matches!(entry.path.segments(), [top, group]
                if top.name == "job_controller" && group.id.is_some())
        })
        .map(|entry| entry.path.clone())
        .collect();
    for (name, value, line) in shared {
        let mut known = false;
        for group in &groups {
            let mut path = group.clone();
            path.0.push(Segment::plain(name));
            if schema::spec(&path).is_ok() {
                known = true;
                if tree.get(Scope::Role, &path).is_none() {
                    put(tree, &path, value, line);
                }
            }
        }
        let somewhere = ["job_pool:x", "channel_class:x"].iter().any(|group| {
            let path = Path::parse(&format!("job_controller.{group}.{name}"));
            path.is_some_and(|path| schema::spec(&path).is_ok())
        });
        if !known && !somewhere {
            findings.warn(WarningKind::UnknownLegacyOption, name, line);
        }
    }
}

/// Notes that a group is there, in its place among the others.
fn put_group(tree: &mut Tree, group: &[Segment], line: &Line) {
    put(tree, &Path(group.to_vec()), "", line);
}

/// A group with options needs no mark that it is there.
fn drop_filled_groups(tree: &mut Tree, kind: &str) {
    let filled: std::collections::HashSet<Segment> = tree
        .entries()
        .iter()
        .filter_map(|entry| match entry.path.segments() {
            [_, group, _] if group.name == kind => Some(group.clone()),
            _ => None,
        })
        .collect();
    tree.retain(|entry| {
        !matches!(entry.path.segments(), [_, group] if group.name == kind && filled.contains(group))
    });
}

/// A `[PERIODIC_JOB=…]` section.
struct Periodic {
    name: String,
    command: String,
    time: String,
    line: Line,
}

impl Periodic {
    fn new(name: &str, line: &Line) -> Self {
        Self {
            name: name.to_owned(),
            command: String::new(),
            time: String::new(),
            line: line.clone(),
        }
    }

    fn set(&mut self, name: &str, value: &str, line: &Line, findings: &mut Findings) {
        match name {
            "command" => value.clone_into(&mut self.command),
            "time" => value.clone_into(&mut self.time),
            _ => findings.warn(WarningKind::UnknownLegacyOption, name, line),
        }
    }

    /// The task that does the same, if a crontab line can say so.
    fn finish(self, tree: &mut Tree, findings: &mut Findings) {
        let Some(schedule) = crontab(&self.time).filter(|_| !self.command.is_empty()) else {
            findings.warn(WarningKind::PeriodicJob, &self.name, &self.line);
            return;
        };
        let path = Path(vec![
            Segment::plain("schedule"),
            Segment::of("task", &self.name),
            Segment::plain("crontab"),
        ]);
        put(
            tree,
            &path,
            &format!("{schedule} {}", self.command),
            &self.line,
        );
    }
}

/// `HH:MM/hh:mm` or `/hh:mm` as the five fields of a crontab line; nothing for an interval that
/// does not divide an hour or a day.
fn crontab(time: &str) -> Option<String> {
    let (first, interval) = time.split_once('/')?;
    let minutes = |text: &str| {
        let (hours, minutes) = text.trim().split_once(':')?;
        let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
        (minutes < 60).then_some(hours * 60 + minutes)
    };
    let every = minutes(interval).filter(|every| *every > 0)?;
    let start = if first.trim().is_empty() {
        0
    } else {
        minutes(first)?
    };
    if every < 60 && 60 % every == 0 {
        let list: Vec<String> = (0..60 / every)
            .map(|n| (start % every + n * every).to_string())
            .collect();
        return Some(format!("{} * * * *", list.join(",")));
    }
    if every % 60 == 0 && 1440 % every == 0 {
        let (hours, start) = (every / 60, start % every);
        let list: Vec<String> = (0..24 / hours)
            .map(|n| (start / 60 + n * hours).to_string())
            .collect();
        return Some(format!("{} {} * * *", start % 60, list.join(",")));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::crontab;

    #[test]
    fn times_of_periodic_jobs_become_crontab_lines() {
        let table = [
            ("00:30/24:00", Some("30 0 * * *")),
            ("/04:00", Some("0 0,4,8,12,16,20 * * *")),
            ("01:15/12:00", Some("15 1,13 * * *")),
            ("/00:30", Some("0,30 * * * *")),
            ("00:10/00:20", Some("10,30,50 * * * *")),
            ("/00:07", None),
            ("/05:00", None),
            ("/00:00", None),
            ("12:00", None),
        ];
        for (time, fields) in table {
            assert_eq!(crontab(time).as_deref(), fields, "{time}");
        }
    }
}
