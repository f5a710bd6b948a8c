//! Reading the tree, running commands on it, writing it back.

use super::command::Command;
use super::{Error, change, history, recipe, resolve, show, text};
use crate::{lock, restricted};
use mta_command::output;
use mta_config::source::legacy::Section;
use mta_config::source::name::Path;
use mta_config::source::schema::{Access, Spec};
use mta_config::source::tree::Tree;
use mta_config::source::{self, Form, save};
use mta_config::value::{Kind, ValueError};
use mta_config::{Restricted, ServerRoot};
use mta_process::privilege::{Identity, PrivilegeError, is_root};
use std::os::unix::fs::MetadataExt;

/// The configuration as it was read, and what became of it since.
#[derive(Debug)]
pub(super) struct Session<'r> {
    root: &'r ServerRoot,
    tree: Tree,
    accounts: Option<Restricted>,
    read: [u8; 32],
    changed: bool,
}

/// Runs one command; a change is written at once, under the lock from reading to writing.
pub(super) fn once(root: &ServerRoot, command: &Command) -> Result<(), Error> {
    match command {
        Command::Set { name, .. } | Command::Unset { name, .. } if command.is_for_root() => {
            account(root, command, name)
        }
        Command::Edit { section, .. } => {
            // Nobody else waits while somebody thinks in an editor.
            let mut session = Session::open(root)?;
            let before = section.print(&session.tree);
            session.run(command)?;
            session.write_section(*section, &before, &command.remark())
        }
        Command::Set { .. }
        | Command::Unset { .. }
        | Command::Import { .. }
        | Command::Run { .. }
        | Command::Revert { .. } => {
            let _held = lock::configuration(root)?.ok_or(Error::Busy)?;
            let mut session = Session::for_command(root, command)?;
            session.run(command)?;
            if session.changed {
                session.save(&command.remark())?;
            }
            Ok(())
        }
        Command::Write { .. } | Command::Exit | Command::Quit => Ok(()),
        Command::Show { .. }
        | Command::Export { .. }
        | Command::Exec { .. }
        | Command::History { .. }
        | Command::Differences { .. }
        | Command::Help { .. } => Session::for_command(root, command)?.run(command),
    }
}

impl<'r> Session<'r> {
    /// Reads the configuration.
    pub(super) fn open(root: &'r ServerRoot) -> Result<Self, Error> {
        if Form::of(root) == Form::Legacy {
            return Err(Error::Legacy(root.imta_cnf()));
        }
        // The digest comes first: a file that changes in between makes `write` refuse.
        let read = source::digest_of(root);
        let tree = match source::read_tree(root) {
            Ok((tree, _)) => tree,
            Err(faults) => {
                let first = faults
                    .into_iter()
                    .next()
                    .expect("a failed read has a fault");
                return Err(first.into());
            }
        };
        Ok(Self {
            root,
            tree,
            accounts: source::read_restricted(root).ok(),
            read,
            changed: false,
        })
    }

    /// As [`Session::open`]; but what looks at saved configurations only, or takes one of them
    /// back, is there for the day when the current one cannot be read, and does without it.
    fn for_command(root: &'r ServerRoot, command: &Command) -> Result<Self, Error> {
        let needs_current = match command {
            Command::History { .. } | Command::Revert { .. } => false,
            Command::Differences { ids } => ids.len() < 2,
            _ => true,
        };
        match Self::open(root) {
            Err(Error::Load(_)) if !needs_current => Ok(Self {
                root,
                tree: Tree::default(),
                accounts: None,
                read: source::digest_of(root),
                changed: false,
            }),
            opened => opened,
        }
    }

    /// The settings as they are in memory.
    pub(super) const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Whether there are changes that were not written.
    pub(super) const fn is_changed(&self) -> bool {
        self.changed
    }

    /// Runs a command on the tree in memory.
    pub(super) fn run(&mut self, command: &Command) -> Result<(), Error> {
        match command {
            Command::Set {
                name,
                values,
                restricted,
                prompt,
            } => {
                let asked;
                let values = if *prompt && values.is_empty() {
                    asked = [ask_secret(name)?];
                    &asked
                } else {
                    values.as_slice()
                };
                change::set(&mut self.tree, name, values, *restricted)?;
                self.changed = true;
            }
            Command::Unset {
                name,
                values,
                restricted,
            } => {
                change::unset(&mut self.tree, name, values, *restricted)?;
                self.changed = true;
            }
            Command::Show { patterns, json } => {
                let view = show::view(&self.tree, self.accounts.as_ref(), patterns)?;
                output::show(&view, *json);
            }
            Command::Edit {
                section,
                restricted,
            } => self.changed |= text::edit(&mut self.tree, self.root, *section, *restricted)?,
            Command::Import {
                section,
                file,
                restricted,
            } => {
                let tree = &mut self.tree;
                self.changed |= text::import(tree, self.root, *section, file, *restricted)?;
            }
            Command::Export { section, file } => {
                text::export(&self.tree, *section, file.as_deref())?;
            }
            Command::Run { recipe } => {
                self.changed |= recipe::run(&mut self.tree, self.root, recipe)?;
            }
            Command::Exec { expression } => recipe::exec(&self.tree, self.root, expression)?,
            Command::Write { remark } => self.write(remark)?,
            Command::History { json } => output::show(&history::saved(self.root)?, *json),
            Command::Differences { ids } => {
                let differences = history::differences(self.root, &self.tree, self.changed, ids)?;
                output::block(&differences);
            }
            Command::Revert { id } => {
                self.tree = history::tree(self.root, id)?;
                self.changed = true;
            }
            Command::Help { option } => print_help(option.as_deref())?,
            Command::Exit | Command::Quit => {}
        }
        Ok(())
    }

    /// Writes the changes, unless somebody else wrote since they were begun.
    fn write(&mut self, remark: &str) -> Result<(), Error> {
        if !self.changed {
            return Ok(());
        }
        let _held = lock::configuration(self.root)?.ok_or(Error::Busy)?;
        if source::digest_of(self.root) != self.read {
            return Err(Error::Changed);
        }
        self.save(remark)?;
        self.read = source::digest_of(self.root);
        self.changed = false;
        Ok(())
    }

    /// Writes a part that was edited. Somebody else may have changed another part meanwhile, and
    /// that change stays.
    fn write_section(&mut self, section: Section, before: &str, remark: &str) -> Result<(), Error> {
        if !self.changed {
            return Ok(());
        }
        let _held = lock::configuration(self.root)?.ok_or(Error::Busy)?;
        if source::digest_of(self.root) != self.read {
            let mut fresh = Self::open(self.root)?;
            if section.print(&fresh.tree) != before {
                return Err(Error::Changed);
            }
            fresh.tree.retain(|entry| !section.holds(&entry.path));
            for entry in self.tree.entries() {
                if section.holds(&entry.path) {
                    for setting in &entry.settings {
                        let path = entry.path.clone();
                        fresh.tree.append(entry.scope, path, setting.clone());
                    }
                }
            }
            self.tree = fresh.tree;
        }
        self.save(remark)
    }

    /// Writes the tree; the lock is held.
    fn save(&self, remark: &str) -> Result<(), Error> {
        let user = Identity::current().user;
        let note = save::Note {
            time: crate::now(),
            user: &user,
            remark,
        };
        save::save(self.root, &self.tree, note)?;
        Ok(())
    }
}

/// Changes an account in `restricted.cnf`: only its owner may.
fn account(root: &ServerRoot, command: &Command, typed: &str) -> Result<(), Error> {
    let found = resolve::option(typed)?;
    let owner = std::fs::metadata(root.restricted())?.uid();
    if !is_root() && Identity::current().uid != owner {
        return Err(Error::Root(typed.to_owned()));
    }
    let mut accounts = source::read_restricted(root)?;
    let invalid = |reason| Error::InvalidValue {
        name: typed.to_owned(),
        reason,
    };
    let value = match command {
        Command::Set { values, .. } => match values.as_slice() {
            [value]
                if !value.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':') =>
            {
                Some(value.clone())
            }
            [] => return Err(invalid(ValueError::Missing)),
            _ => return Err(invalid(ValueError::Words(1, 1))),
        },
        _ => None,
    };
    let option = found.path.segments().last().map(|last| &*last.name);
    match (option, value) {
        (Some("user"), Some(value)) if !value.is_empty() => {
            // A server that cannot become this user does not start.
            if Identity::lookup(&value, None)?.uid == 0 {
                return Err(PrivilegeError::Root.into());
            }
            accounts.user = value;
        }
        (Some("user"), _) => return Err(invalid(ValueError::Missing)),
        (Some("group"), value) => {
            accounts.group = value.filter(|value| !value.is_empty());
            if let Some(group) = &accounts.group {
                Identity::lookup(&accounts.user, Some(group))?;
            }
        }
        (_, value) => accounts.noprivuser = value.filter(|value| !value.is_empty()),
    }
    debug_assert_eq!(found.spec.access, Access::Root);
    restricted::write(root, source::write_restricted(&accounts).as_bytes())?;
    Ok(())
}

/// Prints the commands, or what one option takes; needs no configuration.
pub(super) fn print_help(option: Option<&str>) -> Result<(), Error> {
    output::block(&help(option)?);
    Ok(())
}

/// What is known about an option, or how the commands are used. A name without its group is told
/// of every kind of group that has such an option.
fn help(option: Option<&str>) -> Result<String, Error> {
    let Some(typed) = option else {
        return Ok(super::command::usages()
            .map(|usage| format!("{usage}\n"))
            .collect());
    };
    if let Some(usage) = super::command::usage(typed) {
        return Ok(format!("{usage}\n"));
    }
    match resolve::option(typed) {
        Ok(found) => Ok(about(&found.path, found.spec)),
        Err(error) => {
            let all = resolve::everywhere(typed);
            if all.is_empty() {
                return Err(error);
            }
            let texts = all.into_iter().map(|(path, spec)| about(&path, spec));
            Ok(texts.collect::<Vec<_>>().join("\n"))
        }
    }
}

fn about(path: &Path, spec: Spec) -> String {
    let kind = match spec.kind {
        Kind::Integer(i64::MIN, _) | Kind::MaybeInteger(i64::MIN, _) => "integer".to_owned(),
        Kind::Integer(low, i64::MAX) => format!("integer from {low}"),
        Kind::Integer(low, high) | Kind::MaybeInteger(low, high) => {
            format!("integer from {low} to {high}")
        }
        Kind::Switch => "0 or 1".to_owned(),
        kind => kind.word().to_owned(),
    };
    let default = match spec.default {
        "" => "none",
        default => default,
    };
    let in_use = if spec.in_use {
        ""
    } else {
        "Accepted, but no code uses it.\n"
    };
    let effect = effect(path, spec);
    let sentence = spec.sentence;
    format!(
        "{path}\n{sentence}\nType: {kind}\nDefault: {default}\nTakes effect with: {effect}\n{in_use}"
    )
}

/// The commands that make a changed option count.
fn effect(path: &Path, spec: Spec) -> &'static str {
    if spec.access == Access::Root {
        return "stop-msg, start-msg";
    }
    match path.segments().first().map(|group| &*group.name) {
        Some("mapping" | "alias") => "imsimta cnbuild, imsimta reload",
        Some("dispatcher") => "imsimta cnbuild, imsimta restart dispatcher",
        Some("job_controller") => "imsimta cnbuild, imsimta restart job_controller",
        Some("schedule") => "imsimta cnbuild, stop-msg sched, start-msg sched",
        Some("watcher") => "stop-msg, start-msg",
        _ => "imsimta cnbuild, imsimta restart",
    }
}

/// Asks for a secret twice, without showing it.
fn ask_secret(name: &str) -> Result<String, Error> {
    let first = super::dialogue::read_hidden(&format!("Value of {name}: "))?;
    let second = super::dialogue::read_hidden("Again: ")?;
    if first == second && !first.is_empty() {
        Ok(first)
    } else {
        Err(Error::InvalidValue {
            name: name.to_owned(),
            reason: ValueError::Missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_config::source::name::{Path, Scope};
    use mta_config::source::tree::Content;

    fn root() -> (tempfile::TempDir, ServerRoot) {
        let directory = tempfile::tempdir().unwrap();
        let root = ServerRoot::new(directory.path().to_owned());
        std::fs::create_dir(root.config()).unwrap();
        std::fs::write(root.restricted(), "user=mailsrv\n").unwrap();
        let note = save::Note {
            time: 0,
            user: "mailsrv",
            remark: "initial",
        };
        save::save(&root, &Tree::default(), note).unwrap();
        (directory, root)
    }

    fn command(line: &str) -> Command {
        Command::parse(&mta_command::prompt::split(line).unwrap()).unwrap()
    }

    fn value(root: &ServerRoot, name: &str) -> Option<Content> {
        let (tree, _) = source::read_tree(root).unwrap();
        let entry = tree.get(Scope::Role, &Path::parse(name).unwrap());
        entry.map(|entry| entry.settings[0].content.clone())
    }

    #[test]
    fn help_knows_commands_and_options_with_and_without_their_group() {
        assert_eq!(help(Some("revert")).unwrap(), "revert id\n");
        let pool = "job_controller.job_pool:NAME.job_limit\n\
                    Most processes at once.\n\
                    Type: integer from 0 to 100000\nDefault: 10\n\
                    Takes effect with: imsimta cnbuild, imsimta restart job_controller\n";
        assert_eq!(help(Some("job_limit")).unwrap(), pool);
        let channel = help(Some("channel:tcp_local.maxjobs")).unwrap();
        assert!(
            channel.starts_with("channel:tcp_local.maxjobs\n"),
            "{channel}"
        );
        let several = help(Some("use_nslog")).unwrap();
        let names = ["dispatcher.", "job_controller."];
        let heads = several.lines().filter(|line| line.ends_with("use_nslog"));
        let expected = names.map(|name| format!("{name}use_nslog"));
        assert_eq!(heads.collect::<Vec<_>>(), expected, "{several}");
        let mapping = help(Some("mapping:REVERSE.rule")).unwrap();
        assert!(mapping.contains("imsimta reload"), "{mapping}");
        let error = help(Some("nosuch")).unwrap_err();
        assert_eq!(error.to_string(), "Unknown option: nosuch");
    }

    #[test]
    fn two_at_once_lose_no_change() {
        let (_directory, root) = root();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let root = &root;
                scope.spawn(move || {
                    for number in 0..8 {
                        let line = format!("set alias:t{thread}n{number}.alias_entry a@b");
                        once(root, &command(&line)).unwrap();
                    }
                });
            }
        });
        let (tree, _) = source::read_tree(&root).unwrap();
        assert_eq!(tree.entries().len(), 32);
        assert_eq!(save::history(&root).unwrap().len(), 33);
    }

    #[test]
    fn a_dialogue_does_not_write_over_the_change_of_another() {
        let (_directory, root) = root();
        let mut session = Session::open(&root).unwrap();
        session.run(&command("set mm_debug 5")).unwrap();
        once(&root, &command("set log_message_id 1")).unwrap();
        let refused = session.run(&command("write")).unwrap_err();
        assert!(matches!(refused, Error::Changed));
        assert!(session.is_changed());
        assert_eq!(value(&root, "mta.mm_debug"), None);
        assert_eq!(
            value(&root, "mta.log_message_id"),
            Some(Content::Text("1".into()))
        );
    }

    #[test]
    fn an_earlier_configuration_comes_back() {
        let (_directory, root) = root();
        once(&root, &command("set mm_debug 5")).unwrap();
        once(&root, &command("set mm_debug 6")).unwrap();
        once(&root, &command("revert 2")).unwrap();
        assert_eq!(
            value(&root, "mta.mm_debug"),
            Some(Content::Text("5".into()))
        );
        let missing = once(&root, &command("revert 77")).unwrap_err();
        assert_eq!(missing.to_string(), "No saved configuration 77");
    }

    #[test]
    fn an_earlier_configuration_comes_back_when_the_current_one_is_damaged() {
        let (_directory, root) = root();
        once(&root, &command("set mm_debug 5")).unwrap();
        std::fs::write(root.config_xml(), "<configuration>").unwrap();
        assert!(matches!(once(&root, &command("show")), Err(Error::Load(_))));
        once(&root, &command("history")).unwrap();
        once(&root, &command("differences 1 2")).unwrap();
        once(&root, &command("revert 2")).unwrap();
        assert_eq!(
            value(&root, "mta.mm_debug"),
            Some(Content::Text("5".into()))
        );
    }

    #[test]
    fn the_server_user_must_be_one_that_a_server_can_become() {
        let (_directory, root) = root();
        for (line, told) in [
            (
                "set base.user nosuchuser",
                "there is no user \"nosuchuser\"",
            ),
            ("set base.user root", "the server user must not be root"),
        ] {
            let error = once(&root, &command(line)).unwrap_err();
            assert_eq!(error.to_string(), told);
        }
        let accounts = source::read_restricted(&root).unwrap();
        assert_eq!(accounts.user, "mailsrv");
    }

    #[test]
    fn a_refused_change_writes_nothing() {
        let (_directory, root) = root();
        let before = source::digest_of(&root);
        once(&root, &command("set mm_debug five")).unwrap_err();
        assert_eq!(source::digest_of(&root), before);
        assert_eq!(save::history(&root).unwrap().len(), 1);
    }

    #[test]
    fn an_edited_part_keeps_what_others_changed_elsewhere() {
        let (_directory, root) = root();
        once(&root, &command("set mapping:T.rule a $Y")).unwrap();
        let edited = |others: &str| {
            let mut session = Session::open(&root).unwrap();
            let before = Section::Mappings.print(&session.tree);
            let rule = ["mapping:T.rule".to_owned(), "b $N".to_owned()];
            change::set(&mut session.tree, &rule[0], &rule[1..], false).unwrap();
            session.changed = true;
            once(&root, &command(others)).unwrap();
            session.write_section(Section::Mappings, &before, "edit mappings")
        };
        edited("set mm_debug 5").unwrap();
        assert_eq!(
            value(&root, "mta.mm_debug"),
            Some(Content::Text("5".into()))
        );
        let (tree, _) = source::read_tree(&root).unwrap();
        assert_eq!(Section::Mappings.print(&tree), "T\n\n  a  $Y\n  b  $N\n");
        let refused = edited("set mapping:T.rule c $Y").unwrap_err();
        assert!(matches!(refused, Error::Changed));
    }
}
