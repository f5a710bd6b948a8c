//! `configtoxml`: makes a Unified Configuration of a legacy one.
//!
//! The legacy files are read as every program reads them (`mta-config`), so that the result
//! means the same; what the two forms cannot both say (the first pool of the file for channels
//! that name none, the first class that matches) is written out. `config.xml` is put in place
//! first; from then on it counts, and moving the legacy files away changes nothing more.
//!
//! | crash | leaves behind |
//! | --- | --- |
//! | before `config.xml` is renamed | the legacy configuration, as it was |
//! | after that | the new configuration; perhaps legacy files that nobody reads |

use crate::{lock, restricted};
use mta_command::output;
use mta_config::fault::LoadFault;
use mta_config::source::legacy::Legacy;
use mta_config::source::name::{Path, Scope, Segment};
use mta_config::source::tree::{Content, Tree};
use mta_config::source::{self, Form, save, schema};
use mta_config::{Config, ServerRoot};
use mta_process::privilege::{Identity, PrivilegeError, give_up_root, is_root};
use mta_process::start::StartError;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What the user asks for.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    /// Whether a Unified Configuration that is there may be replaced.
    pub force: bool,
    /// Where the legacy files go; `config/legacy-config` when unset.
    pub legacy_directory: Option<PathBuf>,
    /// Report as JSON.
    pub json: bool,
}

/// Why nothing was converted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server root is not known.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is a Unified Configuration.
    #[error("{} is there already; --force replaces it", .0.display())]
    Unified(PathBuf),
    /// There is no legacy configuration either.
    #[error("there is no legacy configuration: {} is missing", .0.display())]
    NoLegacy(PathBuf),
    /// The legacy configuration has errors, which were printed.
    #[error("{0} error(s) in the legacy configuration; nothing was changed")]
    Faults(usize),
    /// Neither root nor the server user asks.
    #[error("%IMTA-E-NOPRIV, must be run as root or {0}")]
    NotPermitted(String),
    /// The server user cannot be used.
    #[error(transparent)]
    User(#[from] PrivilegeError),
    /// Another program is changing the configuration.
    #[error("the configuration is being changed by another process")]
    Busy,
    /// A file could not be read or written.
    #[error("cannot access {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What was written does not load: an error of ours.
    #[error("the new configuration does not load: {0}")]
    Unusable(#[source] LoadFault),
}

impl mta_process::Failure for Error {}

/// What became of the files.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many of each kind were carried over.
    carried: BTreeMap<&'static str, usize>,
    /// What was written in another way, so that it means the same.
    changed: Vec<String>,
    /// What could not be carried over.
    lost: Vec<String>,
    /// Files that were moved away.
    moved: Vec<PathBuf>,
    /// Where they are now.
    to: PathBuf,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Carried over:")?;
        for (kind, count) in &self.carried {
            writeln!(f, "{count:>8}  {kind}")?;
        }
        let lists = [
            (
                "Written in another way, with the same meaning:",
                &self.changed,
            ),
            ("Not carried over:", &self.lost),
        ];
        for (title, list) in lists {
            if !list.is_empty() {
                writeln!(f, "{title}")?;
            }
            for item in list {
                writeln!(f, "  {}", output::visible(item))?;
            }
        }
        writeln!(f, "Legacy files are in {}.", self.to.display())?;
        writeln!(f, "Next: imsimta cnbuild; imsimta restart")
    }
}

/// Converts the configuration of the server root.
///
/// # Errors
/// [`Error`]; before the new `config.xml` is complete nothing is changed.
pub fn run(arguments: &Arguments) -> Result<(), Error> {
    mta_process::start::prepare();
    let root = ServerRoot::new(mta_process::start::server_root()?);
    possible(&root, arguments)?;
    take_rights(&root)?;
    let report = convert(&root, arguments)?;
    output::show(&report, arguments.json);
    Ok(())
}

/// Whether there is something to convert, and nothing in the way.
fn possible(root: &ServerRoot, arguments: &Arguments) -> Result<(), Error> {
    if Form::of(root) == Form::Unified && !arguments.force {
        let is_there = root.config_xml().exists();
        return Err(if is_there {
            Error::Unified(root.config_xml())
        } else {
            Error::NoLegacy(root.imta_cnf())
        });
    }
    if !root.imta_cnf().exists() && !root.tailor().exists() {
        return Err(Error::NoLegacy(root.imta_cnf()));
    }
    Ok(())
}

fn convert(root: &ServerRoot, arguments: &Arguments) -> Result<Report, Error> {
    let held = lock::configuration(root).map_err(at(&root.config()))?;
    let _held = held.ok_or(Error::Busy)?;
    let legacy = source::legacy::read(root);
    let (config, more) = match legacy.interpret(root) {
        Ok(read) => read,
        Err(faults) => {
            for fault in &faults {
                output::complain(&fault.to_string());
            }
            return Err(Error::Faults(faults.len()));
        }
    };
    let mut report = Report::default();
    let mut tree = legacy.tree.clone();
    for warning in legacy.warnings.iter().chain(&more) {
        report.lost.extend(lost(warning));
    }
    drop_unknown(&mut tree);
    spell_out(&mut tree, &config, &mut report);
    count(&tree, &mut report);
    comments(&legacy, &mut report);
    let user = Identity::current().user;
    let note = save::Note {
        time: crate::now(),
        user: &user,
        remark: "converted by configtoxml",
    };
    save::save(root, &tree, note).map_err(at(&root.config_xml()))?;
    if let Err(faults) = Config::from_text(root) {
        let first = faults
            .into_iter()
            .next()
            .expect("a failed load has a fault");
        return Err(Error::Unusable(first));
    }
    move_away(root, &legacy, arguments, &mut report)?;
    Ok(report)
}

fn at(path: &std::path::Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

/// Writes `restricted.cnf` if the accounts stand in `imta_tailor` alone, and gives up root.
fn take_rights(root: &ServerRoot) -> Result<(), Error> {
    if is_root() {
        let accounts = source::accounts(root).map_err(Error::Unusable)?;
        let server = Identity::lookup(&accounts.user, accounts.group.as_deref())?;
        let owner = Some((server.uid, server.gid));
        save::prepare_legacy(root, owner).map_err(|(path, source)| Error::Io { path, source })?;
    }
    let owner = Identity::of_owner(&root.config())?;
    if !is_root() && Identity::current().uid != owner.uid {
        return Err(Error::NotPermitted(owner.user));
    }
    if !root.restricted().exists() {
        let accounts = source::legacy::accounts(root);
        let text = source::write_restricted(&accounts);
        restricted::write(root, text.as_bytes()).map_err(at(&root.restricted()))?;
    }
    if is_root() && owner.uid != 0 {
        give_up_root(&owner)?;
    }
    Ok(())
}

/// What a warning says of things that a Unified Configuration has no place for.
fn lost(warning: &mta_config::fault::Warning) -> Option<String> {
    use mta_config::fault::WarningKind as Kind;
    let gone = matches!(
        warning.kind,
        Kind::UnknownMtaOption
            | Kind::UnknownLegacyOption
            | Kind::UnknownAliasOption
            | Kind::PeriodicJob
            | Kind::MoreHostWords
            | Kind::SecondLineAfterDefaults
    );
    gone.then(|| {
        let line = warning
            .origin
            .line
            .map_or_else(String::new, |line| format!(", line {line}"));
        let file = warning.origin.file.file_name().unwrap_or_default();
        let file = file.to_string_lossy();
        format!("{} ({}, {file}{line})", warning.name, warning.kind)
    })
}

/// Options that no table has would make the new file a damaged one.
fn drop_unknown(tree: &mut Tree) {
    tree.retain(|entry| schema::spec(&entry.path).is_ok());
}

/// Says in so many words what a legacy file says by its order.
fn spell_out(tree: &mut Tree, config: &Config, report: &mut Report) {
    let jobs = &config.job_controller;
    let text = |text: &str| Content::Text(text.to_owned());
    if jobs.default_pool != mta_config::pool::DEFAULT_POOL {
        for channel in config
            .channels
            .iter()
            .filter(|channel| channel.pool().is_none())
        {
            let path = Path(vec![
                Segment::of("channel", channel.name().as_str()),
                Segment::plain("pool"),
            ]);
            tree.append(Scope::Role, path, text(&jobs.default_pool).into());
            report.changed.push(format!(
                "channel {} is given pool {}, the first one of the file",
                channel.name(),
                jobs.default_pool
            ));
        }
    }
    let unified = mta_config::pool::JobControllerOptions {
        first_class_counts: false,
        ..jobs.clone()
    };
    for channel in config.channels.iter() {
        let (first, best) = (
            jobs.class_for(channel.name()),
            unified.class_for(channel.name()),
        );
        let (Some(first), Some(best)) = (first, best) else {
            continue;
        };
        if first == best {
            continue;
        }
        let class = |pattern: &str| {
            Path(vec![
                Segment::plain("job_controller"),
                Segment::of("channel_class", pattern),
            ])
        };
        let from = class(&first.pattern);
        let to = class(channel.name().as_str());
        tree.retain(|entry| !entry.path.starts_with(&to));
        let copied: Vec<(Path, Content)> = tree
            .entries()
            .iter()
            .filter(|entry| entry.path.starts_with(&from))
            .map(|entry| {
                let mut path = to.clone();
                path.0.extend(entry.path.segments()[2..].iter().cloned());
                (path, entry.settings[0].content.clone())
            })
            .collect();
        for (path, content) in copied {
            tree.append(Scope::Role, path, content.into());
        }
        report.changed.push(format!(
            "class {} is written for channel {}, which it matches first",
            first.pattern,
            channel.name()
        ));
    }
}

fn count(tree: &Tree, report: &mut Report) {
    let mut groups = std::collections::BTreeSet::new();
    for entry in tree.entries() {
        let kind = match entry.path.segments() {
            [mta, _] if mta.name == "mta" => "MTA options",
            [rewrite, _] if rewrite.name == "rewrite" => {
                *report.carried.entry("rewrite rules").or_default() += entry.settings.len();
                continue;
            }
            [conversions, _] if conversions.name == "conversions" => {
                *report.carried.entry("lines of conversions").or_default() += entry.settings.len();
                continue;
            }
            [group, ..] if group.name == "channel" && group.id.as_deref() != Some("defaults") => {
                "channels"
            }
            [group, ..] if group.name == "mapping" => "mapping tables",
            [group, ..] if group.name == "alias" => "aliases",
            [_, group, ..] if group.name == "service" => "services",
            [_, group, ..] if group.name == "job_pool" => "pools",
            [_, group, ..] if group.name == "channel_class" => "channel classes",
            [_, group, ..] if group.name == "task" => "tasks",
            _ => continue,
        };
        let path = entry.path.segments();
        let named = path.iter().position(|segment| segment.id.is_some());
        let key = Path(path[..named.map_or(path.len(), |at| at + 1)].to_vec());
        if groups.insert(key) {
            *report.carried.entry(kind).or_default() += 1;
        }
    }
}

/// Comments stay behind in the old files, and files that were included become part of the whole.
fn comments(legacy: &Legacy, report: &mut Report) {
    for (path, text) in legacy.files() {
        let count = text.lines().filter(|line| line.starts_with('!')).count();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if count > 0 {
            report.lost.push(format!("{count} comment lines of {name}"));
        }
    }
}

/// Moves the files that were read away from `config`; those outside stay where they are.
fn move_away(
    root: &ServerRoot,
    legacy: &Legacy,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Error> {
    let to = match &arguments.legacy_directory {
        Some(directory) => directory.clone(),
        None => root.config().join("legacy-config"),
    };
    save::directory(&root.config(), &to).map_err(at(&to))?;
    for (path, _) in legacy.files() {
        let (Some(name), true) = (path.file_name(), path.parent() == Some(&*root.config())) else {
            report
                .lost
                .push(format!("{} stays where it is", path.display()));
            continue;
        };
        match std::fs::rename(path, to.join(name)) {
            Ok(()) => report.moved.push(path.to_owned()),
            // The same file may be included twice.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(Error::Io {
                    path: path.to_owned(),
                    source,
                });
            }
        }
    }
    report.to = to;
    Ok(())
}

#[cfg(test)]
mod tests;
