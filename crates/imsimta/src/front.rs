//! The command table: which word means which utility.

use crate::context::{Context, Failure, Outcome};
use crate::{
    cache, calc, chbuild, cnbuild, control, databases, logs, process, qm, returning, running, test,
    version,
};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Verb, keyword};
use std::process::ExitCode;

/// One utility.
pub struct Utility {
    /// The word behind `imsimta`.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// What it understands, for help, manual page and completion; several for `qm` and `test`.
    pub verbs: &'static [Verb],
    body: Body,
}

/// Who can run a utility, and with what.
enum Body {
    /// For root and the server user, at a configured server root.
    Server(fn(&Context, &[String]) -> Outcome),
    /// For everybody, everywhere.
    Anybody(fn(&[String]) -> Outcome),
}

/// Every utility, in alphabetical order.
pub const UTILITIES: &[Utility] = &[
    Utility {
        name: "cache",
        about: "inspect or change the Job Controller's queue cache",
        verbs: cache::VERBS,
        body: Body::Server(cache::run),
    },
    Utility {
        name: "calc",
        about: "evaluate expressions",
        verbs: calc::VERBS,
        body: Body::Server(calc::run),
    },
    Utility {
        name: "chbuild",
        about: "compile the character set tables",
        verbs: chbuild::VERBS,
        body: Body::Server(chbuild::run),
    },
    Utility {
        name: "cnbuild",
        about: "compile the configuration",
        verbs: cnbuild::VERBS,
        body: Body::Server(cnbuild::run),
    },
    Utility {
        name: "crdb",
        about: "make a database of a text file",
        verbs: databases::CRDB,
        body: Body::Server(databases::crdb),
    },
    Utility {
        name: "dispatcher",
        about: "show the Dispatcher's connections and server processes",
        verbs: control::STATISTICS,
        body: Body::Server(control::statistics),
    },
    Utility {
        name: "dumpdb",
        about: "print a database as text",
        verbs: databases::DUMPDB,
        body: Body::Server(databases::dumpdb),
    },
    Utility {
        name: "find",
        about: "print the name of one version of a log file",
        verbs: logs::FIND,
        body: Body::Server(logs::find),
    },
    Utility {
        name: "process",
        about: "list the MTA's processes",
        verbs: process::VERBS,
        body: Body::Server(process::run),
    },
    Utility {
        name: "purge",
        about: "remove old versions of log files",
        verbs: logs::PURGE,
        body: Body::Server(logs::purge),
    },
    Utility {
        name: "qclean",
        about: "hold or delete queued messages by substrings",
        verbs: qm::QCLEAN,
        body: Body::Server(qm::qclean),
    },
    Utility {
        name: "qm",
        about: "manage the queues",
        verbs: qm::VERBS,
        body: Body::Server(qm::run),
    },
    Utility {
        name: "qtop",
        about: "count the most frequent fields of queued messages",
        verbs: qm::QTOP,
        body: Body::Server(qm::qtop),
    },
    Utility {
        name: "refresh",
        about: "compile the configuration, then restart",
        verbs: control::REFRESH,
        body: Body::Server(control::refresh),
    },
    Utility {
        name: "reload",
        about: "take up new mapping tables and aliases without a restart",
        verbs: control::RELOAD,
        body: Body::Server(control::reload),
    },
    Utility {
        name: "renamedb",
        about: "put a database in the place of another",
        verbs: databases::RENAMEDB,
        body: Body::Server(databases::renamedb),
    },
    Utility {
        name: "restart",
        about: "restart a daemon or a service",
        verbs: control::RESTART,
        body: Body::Server(control::restart),
    },
    Utility {
        name: "return",
        about: "bounce message files to their senders",
        verbs: returning::VERBS,
        body: Body::Server(returning::run),
    },
    Utility {
        name: "run",
        about: "run a channel program in the foreground",
        verbs: running::RUN,
        body: Body::Server(running::run),
    },
    Utility {
        name: "shutdown",
        about: "stop a daemon or a service",
        verbs: control::SHUTDOWN,
        body: Body::Server(control::stop),
    },
    Utility {
        name: "start",
        about: "start a daemon",
        verbs: control::START,
        body: Body::Server(control::start),
    },
    Utility {
        name: "stop",
        about: "stop a daemon or a service",
        verbs: control::STOP,
        body: Body::Server(control::stop),
    },
    Utility {
        name: "submit",
        about: "ask the Job Controller to run a channel",
        verbs: running::SUBMIT,
        body: Body::Server(running::submit),
    },
    Utility {
        name: "test",
        about: "explain rewriting and mapping",
        verbs: test::VERBS,
        body: Body::Server(test::run),
    },
    Utility {
        name: "version",
        about: "print the version",
        verbs: version::VERBS,
        body: Body::Anybody(version::run),
    },
    Utility {
        name: "view",
        about: "print one version of a log file",
        verbs: logs::VIEW,
        body: Body::Server(logs::view),
    },
];

/// Utilities of the product that this version does not have.
const NOT_YET: [&str; 4] = ["counters", "decode", "kill", "program"];

/// Utilities of old releases, whose work is done elsewhere.
const OBSOLETE: [&str; 3] = ["convertdb", "dirsync", "process_held"];

/// Runs one command line (without the program's name).
#[must_use]
pub fn run(typed: &[String]) -> ExitCode {
    mta_process::start::prepare();
    let status = match choose(typed) {
        Ok(()) => 0,
        Err(Failure::Silent(status)) => status,
        Err(Failure::Said(message)) => {
            message.emit();
            message.exit
        }
    };
    ExitCode::from(status)
}

fn choose(typed: &[String]) -> Outcome {
    let Some((word, rest)) = typed.split_first() else {
        output::block(&overview());
        return Err(Failure::Silent(1));
    };
    if is_help(word) {
        output::block(&help(rest));
        return Ok(());
    }
    if word == "--version" {
        return version::banner();
    }
    let Some(utility) = find(word)? else {
        output::block(&help(rest));
        return Ok(());
    };
    if let Some(topic) = rest.iter().position(|word| is_help(word)) {
        // Of a sub-command if one stands before it.
        let verb = rest[..topic].iter().take(1).cloned();
        let topic: Vec<String> = [utility.name.to_owned()].into_iter().chain(verb).collect();
        output::block(&help(&topic));
        return Ok(());
    }
    match utility.body {
        Body::Server(run) => run(&Context::open()?, rest),
        Body::Anybody(run) => run(rest),
    }
}

fn is_help(word: &str) -> bool {
    ["-help", "--help", "-h"].contains(&word)
}

/// The utility that a word means; nothing if it means `help`.
///
/// # Errors
/// `IMTA-E-IVKEYW` and `IMTA-E-ABKEYW`; `IMTA-E-NOTYET`, `IMTA-E-OBSOLETE` and
/// `IMTA-W-OBSOLETE` for utilities of the product that are not here.
fn find(word: &str) -> Result<Option<&'static Utility>, Message> {
    let folded = word.to_ascii_lowercase();
    if let Some(name) = OBSOLETE.iter().find(|name| **name == folded) {
        let text = format!("{name} is no longer supported");
        return Err(Message::error("IMTA", "OBSOLETE", text));
    }
    if folded == "clbuild" {
        let text = "clbuild is not needed in this version";
        return Err(Message::warning("IMTA", "OBSOLETE", text));
    }
    let mut names: Vec<&str> = UTILITIES.iter().map(|utility| utility.name).collect();
    names.push("help");
    match keyword(word, &names) {
        Ok(index) => Ok(UTILITIES.get(index)),
        // What is cut too short for one of ours is not taken for one that is not here.
        Err(ambiguous) if ambiguous.ident == "ABKEYW" => Err(ambiguous),
        Err(unknown) => Err(not_yet(word, &NOT_YET).unwrap_or(unknown)),
    }
}

/// The answer to a word of the product that is not understood yet, if it is one.
pub(crate) fn not_yet(word: &str, names: &[&str]) -> Option<Message> {
    let name = names[keyword(word, names).ok()?];
    let text = format!("{name} is not available in this version");
    Some(Message::error("IMTA", "NOTYET", text))
}

fn overview() -> String {
    let mut text = "usage: imsimta UTILITY [-switches] [parameters]\n\n".to_owned();
    for utility in UTILITIES {
        text.push_str(&format!("  {:<12} {}\n", utility.name, utility.about));
    }
    text.push_str("\nimsimta help UTILITY shows what a utility understands.\n");
    text
}

/// Help on everything, on a utility, or on one of its sub-commands.
fn help(topic: &[String]) -> String {
    let Some((word, rest)) = topic.split_first() else {
        return overview();
    };
    let utility = match find(word) {
        Ok(Some(utility)) => utility,
        Ok(None) => return overview(),
        Err(message) if ["NOTYET", "OBSOLETE"].contains(&message.ident) => {
            return format!("{}\n", message.text);
        }
        Err(_) => return format!("No help on {}\n\n{}", output::visible(word), overview()),
    };
    let names: Vec<&str> = utility
        .verbs
        .iter()
        .map(|verb| verb.name.trim_start_matches('-'))
        .collect();
    let chosen = rest
        .first()
        .and_then(|word| keyword(word.trim_start_matches('-'), &names).ok());
    if let Some(index) = chosen {
        return verb_help(utility.name, &utility.verbs[index]);
    }
    let mut text = format!("imsimta {} - {}\n\n", utility.name, utility.about);
    for verb in utility.verbs {
        text.push_str(&verb_help(utility.name, verb));
    }
    text
}

/// The usage line of a verb and what its switches mean.
pub(crate) fn verb_help(utility: &str, verb: &Verb) -> String {
    let prefix = if utility == verb.name {
        String::new()
    } else {
        format!("{utility} ")
    };
    let mut text = format!("imsimta {prefix}{}\n    {}\n", verb.usage(), verb.about);
    for switch in verb.switches {
        text.push_str(&format!("    -{:<18} {}\n", switch.name, switch.help));
    }
    text.push('\n');
    text
}

/// The complaint about a utility that needs exactly one of several switches.
pub(crate) fn conflict(facility: &'static str, choices: &str) -> Failure {
    Message::error(
        facility,
        "CONFLICT",
        format!("exactly one of {choices} is required"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utilities_are_sorted_and_their_words_can_be_cut() {
        assert!(UTILITIES.is_sorted_by_key(|utility| utility.name));
        let names: Vec<&str> = UTILITIES.iter().map(|utility| utility.name).collect();
        assert_eq!(names[keyword("proc", &names).unwrap()], "process");
        assert_eq!(keyword("re", &names).unwrap_err().ident, "ABKEYW");
    }

    #[test]
    fn every_utility_has_help() {
        for utility in UTILITIES {
            let text = help(&words(&[utility.name]));
            assert!(
                text.contains(utility.about) && text.contains("imsimta "),
                "{text}"
            );
        }
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn help_shows_commands_that_work() {
        for utility in UTILITIES {
            for line in help(&words(&[utility.name])).lines() {
                let Some(shown) = line.strip_prefix("imsimta ") else {
                    continue;
                };
                let mut shown = shown.split_whitespace();
                let found = find(shown.next().unwrap()).unwrap().unwrap();
                assert_eq!(found.name, utility.name, "{line}");
                let second = shown.next().unwrap_or("[");
                let is_verb = utility.verbs.iter().any(|verb| verb.name == second);
                let parameters = utility.verbs[0].parameters;
                let first = parameters.split_whitespace().next();
                let is_parameter = second.starts_with('[') || Some(second) == first;
                assert!(is_verb || is_parameter || second == "-", "{line}");
            }
        }
    }

    #[test]
    fn help_takes_a_sub_command_in_any_case_and_cut() {
        let text = help(&words(&["QM", "del"]));
        assert!(text.starts_with("imsimta qm delete "), "{text}");
        assert!(!text.contains("imsimta qm directory"), "{text}");
        let text = help(&words(&["test", "rewrite"]));
        assert!(text.starts_with("imsimta test -rewrite "), "{text}");
        for word in ["HELP", "hel", "help"] {
            assert!(find(word).unwrap().is_none(), "{word}");
        }
        assert!(help(&words(&["nonsense"])).starts_with("No help on nonsense\n"));
    }

    #[test]
    fn what_the_product_has_and_we_have_not_is_named_so() {
        for (word, line) in [
            (
                "kill",
                "%IMTA-E-NOTYET, kill is not available in this version",
            ),
            (
                "count",
                "%IMTA-E-NOTYET, counters is not available in this version",
            ),
            (
                "process_held",
                "%IMTA-E-OBSOLETE, process_held is no longer supported",
            ),
            (
                "clbuild",
                "%IMTA-W-OBSOLETE, clbuild is not needed in this version",
            ),
        ] {
            let message = find(word).err().unwrap();
            assert_eq!(message.to_string(), line);
            assert_eq!(message.exit, u8::from(word != "clbuild"));
        }
        assert_eq!(find("proc").unwrap().unwrap().name, "process");
        assert_eq!(find("frobnicate").err().unwrap().ident, "IVKEYW");
    }
}
