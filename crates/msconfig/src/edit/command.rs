//! The commands, as they are typed.

use super::Error;
use super::resolve;
use mta_config::source::legacy::Section;
use mta_config::source::schema::Access;
use std::path::PathBuf;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// `set [-restricted] [-prompt] name [value...]`
    Set {
        name: String,
        values: Vec<String>,
        restricted: bool,
        prompt: bool,
    },
    /// `unset [-restricted] name [value...]`
    Unset {
        name: String,
        values: Vec<String>,
        restricted: bool,
    },
    /// `show [-json] [pattern...]`
    Show { patterns: Vec<String>, json: bool },
    /// `edit [-restricted] part`
    Edit { section: Section, restricted: bool },
    /// `import [-restricted] part file`
    Import {
        section: Section,
        file: PathBuf,
        restricted: bool,
    },
    /// `export part [file]`
    Export {
        section: Section,
        file: Option<PathBuf>,
    },
    /// `run recipe [argument...]`
    Run { recipe: String },
    /// `exec expression`
    Exec { expression: String },
    /// `write [-remark=text]`
    Write { remark: String },
    /// `history [-json]`
    History { json: bool },
    /// `differences [id [id]]`
    Differences { ids: Vec<String> },
    /// `revert id`
    Revert { id: String },
    /// `help [COMMAND | option NAME]`
    Help { option: Option<String> },
    /// `exit`: asks when there are changes.
    Exit,
    /// `quit`: drops changes.
    Quit,
}

/// Names of commands, the switches that each takes, and how it is used.
const COMMANDS: [(&str, &[&str], &str); 15] = [
    (
        "set",
        &["restricted", "prompt"],
        "set [-restricted] [-prompt] name [value]",
    ),
    ("unset", &["restricted"], "unset [-restricted] name [value]"),
    ("show", &["json"], "show [-json] [pattern]"),
    (
        "edit",
        &["restricted"],
        "edit [-restricted] rewrites|channels|mappings|aliases|conversions|options",
    ),
    (
        "import",
        &["restricted"],
        "import [-restricted] rewrites|channels|mappings|aliases|conversions|options file",
    ),
    (
        "export",
        &[],
        "export rewrites|channels|mappings|aliases|conversions|options [file]",
    ),
    ("run", &[], "run recipe"),
    ("exec", &[], "exec expression"),
    ("write", &["remark"], "write [-remark=text]"),
    ("history", &["json"], "history [-json]"),
    ("differences", &[], "differences [id [id]]"),
    ("revert", &[], "revert id"),
    ("help", &[], "help [command|option name]"),
    ("exit", &[], "exit"),
    ("quit", &[], "quit"),
];

impl Command {
    /// Reads the words of a command. A command may be cut short as long as it is the only one
    /// that begins so; `-json` may also stand in front of it.
    pub(super) fn parse(words: &[String]) -> Result<Self, Error> {
        let leading = words.iter().take_while(|word| *word == "-json").count();
        let json_first = leading > 0;
        let Some((verb, rest)) = words[leading..].split_first() else {
            return Err(Error::Usage("show [-json] [pattern]"));
        };
        let (name, switches, usage) = lookup(verb)?;
        let (given, words) = split_switches(rest, switches, usage)?;
        let on = |switch: &str| given.iter().any(|(name, _)| *name == switch);
        let json = json_first || on("json");
        match (name, words.as_slice()) {
            ("set", [name, values @ ..]) => Ok(Self::Set {
                name: name.clone(),
                values: values.to_vec(),
                restricted: on("restricted"),
                prompt: on("prompt"),
            }),
            ("unset", [name, values @ ..]) => Ok(Self::Unset {
                name: name.clone(),
                values: values.to_vec(),
                restricted: on("restricted"),
            }),
            ("show", patterns) => Ok(Self::Show {
                patterns: patterns.to_vec(),
                json,
            }),
            ("edit", [part]) => Ok(Self::Edit {
                section: section(part, usage)?,
                restricted: on("restricted"),
            }),
            ("import", [part, file]) => Ok(Self::Import {
                section: section(part, usage)?,
                file: file.into(),
                restricted: on("restricted"),
            }),
            ("export", [part, file @ ..]) if file.len() < 2 => Ok(Self::Export {
                section: section(part, usage)?,
                file: file.first().map(PathBuf::from),
            }),
            ("run", [recipe]) => Ok(Self::Run {
                recipe: recipe.clone(),
            }),
            ("exec", words @ [_, ..]) => Ok(Self::Exec {
                expression: words.join(" "),
            }),
            ("write", []) => {
                let remark = given.into_iter().find(|(name, _)| *name == "remark");
                let remark = remark.map(|(_, text)| text).unwrap_or_default();
                Ok(Self::Write { remark })
            }
            ("history", []) => Ok(Self::History { json }),
            ("differences", ids) if ids.len() <= 2 => Ok(Self::Differences { ids: ids.to_vec() }),
            ("revert", [id]) => Ok(Self::Revert { id: id.clone() }),
            ("help", []) => Ok(Self::Help { option: None }),
            ("help", [topic]) if topic != "option" => Ok(Self::Help {
                option: Some(topic.clone()),
            }),
            ("help", [topic, name]) if topic == "option" => Ok(Self::Help {
                option: Some(name.clone()),
            }),
            ("exit", []) => Ok(Self::Exit),
            ("quit", []) => Ok(Self::Quit),
            _ => Err(Error::Usage(usage)),
        }
    }

    /// Whether it changes what only root may change.
    pub(super) fn is_for_root(&self) -> bool {
        match self {
            Self::Set { name, .. } | Self::Unset { name, .. } => {
                resolve::option(name).is_ok_and(|found| found.spec.access == Access::Root)
            }
            _ => false,
        }
    }

    /// What the history says about a change that was written at once. Values are left out: one
    /// might be a password.
    pub(super) fn remark(&self) -> String {
        match self {
            Self::Set { name, .. } => format!("set {name}"),
            Self::Unset { name, .. } => format!("unset {name}"),
            Self::Revert { id } => format!("revert {id}"),
            Self::Edit { section, .. } => format!("edit {}", section.name()),
            Self::Import { section, .. } => format!("import {}", section.name()),
            Self::Run { recipe } => format!("run {recipe}"),
            _ => String::new(),
        }
    }
}

fn section(typed: &str, usage: &'static str) -> Result<Section, Error> {
    Section::by_name(typed).ok_or(Error::Usage(usage))
}

/// The names of all commands, for completion.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(name, ..)| *name)
}

/// How each command is used, for `help`.
pub(super) fn usages() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(_, _, usage)| *usage)
}

/// How the command of that name is used.
pub(super) fn usage(name: &str) -> Option<&'static str> {
    let command = COMMANDS.iter().find(|(known, ..)| *known == name);
    command.map(|(_, _, usage)| *usage)
}

fn lookup(typed: &str) -> Result<(&'static str, &'static [&'static str], &'static str), Error> {
    let typed = if typed == "commit" { "write" } else { typed };
    let exact = COMMANDS.iter().find(|(name, ..)| *name == typed);
    if let Some(command) = exact {
        return Ok(*command);
    }
    let mut matching = COMMANDS.iter().filter(|(name, ..)| name.starts_with(typed));
    match (matching.next(), matching.next()) {
        (Some(command), None) if !typed.is_empty() => Ok(*command),
        _ => Err(Error::UnknownCommand(typed.to_owned())),
    }
}

/// Takes the switches off the front; what begins with a dash behind the first word is a word,
/// and so is everything behind `--`.
type Switches = Vec<(&'static str, String)>;

fn split_switches(
    words: &[String],
    switches: &'static [&'static str],
    usage: &'static str,
) -> Result<(Switches, Vec<String>), Error> {
    let mut given = Vec::new();
    let mut rest = words;
    while let Some((word, behind)) = rest.split_first() {
        let Some(typed) = word.strip_prefix('-').filter(|typed| !typed.is_empty()) else {
            break;
        };
        rest = behind;
        if typed == "-" {
            break;
        }
        let (typed, value) = typed.split_once('=').unwrap_or((typed, ""));
        let known = switches.iter().find(|switch| **switch == typed);
        given.push((*known.ok_or(Error::Usage(usage))?, value.to_owned()));
    }
    Ok((given, rest.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        let words = mta_command::prompt::split(line).unwrap();
        Command::parse(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn commands_are_understood() {
        let set = |name: &str, values: &[&str], restricted| Command::Set {
            name: name.into(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            restricted,
            prompt: false,
        };
        let table = [
            ("set mm_debug 5", set("mm_debug", &["5"], false)),
            (
                "set -restricted alias_magic 8764",
                set("alias_magic", &["8764"], true),
            ),
            (
                "set channel:l.slave_debug",
                set("channel:l.slave_debug", &[], false),
            ),
            (
                "set job_controller.debug -1",
                set("job_controller.debug", &["-1"], false),
            ),
            (
                "-json show *debug*",
                Command::Show {
                    patterns: vec!["*debug*".into()],
                    json: true,
                },
            ),
            (
                "wr -remark=\"a b\"",
                Command::Write {
                    remark: "a b".into(),
                },
            ),
            ("quit", Command::Quit),
        ];
        for (line, command) in table {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_no_command_is_said() {
        let table = [
            ("nonsense", "Unknown command: nonsense"),
            ("s", "Unknown command: s"),
            ("set", "Usage: set [-restricted] [-prompt] name [value]"),
            ("show -nosuch", "Usage: show [-json] [pattern]"),
            ("revert", "Usage: revert id"),
        ];
        for (line, text) in table {
            assert_eq!(parse(line), Err(text.to_owned()), "{line}");
        }
    }
}
