//! The command table: which word means which utility.

use crate::context::{Context, Failure, Outcome};
use crate::{cache, cnbuild, control, logs, process, qm, returning, running, test, version};
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
    run: fn(&Context, &[String]) -> Outcome,
}

/// Every utility, in alphabetical order.
pub const UTILITIES: &[Utility] = &[
    Utility {
        name: "cache",
        about: "inspect or change the Job Controller's queue cache",
        verbs: cache::VERBS,
        run: cache::run,
    },
    Utility {
        name: "cnbuild",
        about: "compile the configuration",
        verbs: cnbuild::VERBS,
        run: cnbuild::run,
    },
    Utility {
        name: "dispatcher",
        about: "show the Dispatcher's connections and server processes",
        verbs: control::STATISTICS,
        run: control::statistics,
    },
    Utility {
        name: "find",
        about: "print the name of one version of a log file",
        verbs: logs::FIND,
        run: logs::find,
    },
    Utility {
        name: "process",
        about: "list the MTA's processes",
        verbs: process::VERBS,
        run: process::run,
    },
    Utility {
        name: "purge",
        about: "remove old versions of log files",
        verbs: logs::PURGE,
        run: logs::purge,
    },
    Utility {
        name: "qm",
        about: "manage the queues",
        verbs: qm::VERBS,
        run: qm::run,
    },
    Utility {
        name: "refresh",
        about: "compile the configuration, then restart",
        verbs: control::REFRESH,
        run: control::refresh,
    },
    Utility {
        name: "restart",
        about: "restart a daemon or a service",
        verbs: control::RESTART,
        run: control::restart,
    },
    Utility {
        name: "return",
        about: "bounce message files to their senders",
        verbs: returning::VERBS,
        run: returning::run,
    },
    Utility {
        name: "run",
        about: "run a channel program in the foreground",
        verbs: running::RUN,
        run: running::run,
    },
    Utility {
        name: "shutdown",
        about: "stop a daemon or a service",
        verbs: control::STOP,
        run: control::stop,
    },
    Utility {
        name: "start",
        about: "start a daemon",
        verbs: control::START,
        run: control::start,
    },
    Utility {
        name: "stop",
        about: "stop a daemon or a service",
        verbs: control::STOP,
        run: control::stop,
    },
    Utility {
        name: "submit",
        about: "ask the Job Controller to run a channel",
        verbs: running::SUBMIT,
        run: running::submit,
    },
    Utility {
        name: "test",
        about: "explain rewriting and mapping",
        verbs: test::VERBS,
        run: test::run,
    },
    Utility {
        name: "version",
        about: "print the version",
        verbs: version::VERBS,
        run: version::run,
    },
    Utility {
        name: "view",
        about: "print one version of a log file",
        verbs: logs::VIEW,
        run: logs::view,
    },
];

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
    if ["help", "-help", "--help", "-h"].contains(&word.as_str()) {
        output::block(&help(rest.first().map(String::as_str)));
        return Ok(());
    }
    if word == "--version" {
        return version::banner();
    }
    let names: Vec<&str> = UTILITIES.iter().map(|utility| utility.name).collect();
    let utility = &UTILITIES[keyword(word, &names)?];
    if rest
        .iter()
        .any(|word| ["-help", "--help", "-h"].contains(&word.as_str()))
    {
        output::block(&help(Some(utility.name)));
        return Ok(());
    }
    let context = Context::open()?;
    (utility.run)(&context, rest)
}

fn overview() -> String {
    let mut text = "usage: imsimta UTILITY [-switches] [parameters]\n\n".to_owned();
    for utility in UTILITIES {
        text.push_str(&format!("  {:<12} {}\n", utility.name, utility.about));
    }
    text.push_str("\nimsimta help UTILITY shows what a utility understands.\n");
    text
}

fn help(topic: Option<&str>) -> String {
    let names: Vec<&str> = UTILITIES.iter().map(|utility| utility.name).collect();
    let Some(utility) = topic
        .and_then(|word| keyword(word, &names).ok())
        .map(|i| &UTILITIES[i])
    else {
        return topic.map_or_else(overview, |word| {
            format!("No help on {}\n\n{}", output::visible(word), overview())
        });
    };
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
            let text = help(Some(utility.name));
            assert!(
                text.contains(utility.about) && text.contains("imsimta "),
                "{text}"
            );
        }
    }
}
