//! `imsimta test`: explanations of what the server would do, made by the functions it asks.

mod addresses;
mod compare;
mod directory;
mod image;
mod mapping;
mod matching;
mod rewrite;
mod time;

pub(crate) use mapping::ask;
pub(crate) use rewrite::{lines, redirect};

use crate::context::{Context, Failure, Outcome};
use crate::front::conflict;
use crate::qm::explained;
use mta_command::message::Message;
use mta_command::switches::{Switch, Value, Verb, Words};
use mta_config::image::ImageStatus;
use mta_config::source::Form;
use mta_config::source::legacy::{self, OtherFiles};
use mta_config::{Config, image as images};
use std::path::Path;

const IMAGE: Switch = Switch {
    name: "image_file",
    value: Value::Optional("file"),
    help: "another image; -noimage_file reads the text although there is one",
};

/// Switches of the product that name legacy text files.
const TEXT_FILES: [Switch; 4] = [
    Switch::with(
        "alias_file",
        "file",
        "instead of aliases, where no image is in use",
    ),
    Switch::with(
        "configuration_file",
        "file",
        "instead of imta.cnf, where no image is in use",
    ),
    Switch::with(
        "mapping_file",
        "file",
        "instead of mappings, where no image is in use",
    ),
    Switch::with(
        "option_file",
        "file",
        "instead of option.dat, where no image is in use",
    ),
];

/// Switches of the product that change nothing here, which is said when one is used.
const WITHOUT_EFFECT: [&str; 5] = [
    "grey",
    "local_alias",
    "noreprocess",
    "read_receipt",
    "restricted",
];

/// The forms of `test`; which one is meant is a switch of its own.
pub(crate) const VERBS: &[Verb] = &[
    Verb {
        name: "-rewrite",
        about: "rewrite addresses as the server would, and say where they go",
        parameters: "[address...]",
        least: 0,
        most: 10_000,
        switches: &[
            Switch::flag("rewrite", "this form"),
            Switch::flag("channel", "print the channel's details (default)"),
            Switch::flag("debug", "explain every step"),
            Switch {
                name: "from",
                value: Value::Optional("address"),
                help: "envelope From; empty without a value, the postmaster if not given",
            },
            Switch::with(
                "source_channel",
                "channel",
                "channel the mail comes from (l)",
            ),
            Switch::with(
                "destination_channel",
                "channel",
                "channel that header addresses are rewritten for",
            ),
            Switch::with(
                "sender",
                "address",
                "authenticated sender, for access checks",
            ),
            Switch::flag(
                "compare",
                "show whose mail would go elsewhere under the edited text",
            ),
            Switch::flag("queue", "with -compare: all recipients that are queued now"),
            Switch::maybe(
                "log",
                "file",
                "with -compare: all recipients of a mail.log (mail.log_current)",
            ),
            Switch::flag("filter", "show the filters that apply"),
            Switch::with("input", "file", "take the addresses from there, one a line"),
            Switch::with("output", "file", "write the answers there"),
            IMAGE,
            Switch::flag("json", "as JSON, steps included"),
            Switch::flag(
                "check_expansions",
                "report every address of an expansion that cannot be reached",
            ),
            Switch::with(
                "database",
                "list",
                "noalias, nodomain, noforward, nogeneral, noreverse: as if there were none",
            ),
            Switch::flag("delivery_receipt", "as if NOTIFY=SUCCESS were asked for"),
            Switch::flag("read_receipt", "has no effect in this version"),
            Switch::with("grey", "n", "has no effect in this version"),
            Switch::with("local_alias", "value", "has no effect in this version"),
            Switch::flag("noreprocess", "has no effect in this version"),
            Switch::with("restricted", "n", "has no effect in this version"),
            TEXT_FILES[0],
            TEXT_FILES[1],
            TEXT_FILES[2],
            TEXT_FILES[3],
        ],
    },
    Verb {
        name: "-mapping",
        about: "run a string through a mapping table",
        parameters: "[input]",
        least: 0,
        most: 1,
        switches: &[
            Switch::flag("mapping", "this form"),
            Switch::with("table", "name", "the table"),
            Switch::with("flags", "chars", "input flags"),
            Switch::flag("debug", "explain every step"),
            IMAGE,
            Switch::flag("json", "as JSON, steps included"),
            TEXT_FILES[2],
            TEXT_FILES[3],
        ],
    },
    Verb {
        name: "-match",
        about: "match texts against a mapping pattern",
        parameters: "[pattern [target...]]",
        least: 0,
        most: 1000,
        switches: &[
            Switch::flag("match", "this form"),
            Switch::flag("json", "as JSON"),
        ],
    },
    Verb {
        name: "-expression",
        about: "evaluate expressions, with an echo of each",
        parameters: "",
        least: 0,
        most: 0,
        switches: &[
            Switch::flag("expression", "this form"),
            Switch::flag("block", "all lines are one program"),
            Switch::with("input", "file", "read the expressions there"),
            Switch::with("output", "file", "write the results there"),
            Switch::flag("debug", "print how each expression is understood"),
            Switch::flag("json", "as JSON, one document for each expression"),
            Switch::flag("mm", "not available: there are no filters yet"),
            Switch::with("message", "file", "not available: there are no filters yet"),
            Switch::with("from", "address", "not available: there are no filters yet"),
            Switch::with("to", "address", "not available: there are no filters yet"),
        ],
    },
    Verb {
        name: "-domain_map",
        about: "look at the domains of the directory",
        parameters: "",
        least: 0,
        most: 0,
        switches: &[Switch::flag("domain_map", "this form")],
    },
    Verb {
        name: "-url",
        about: "search the directory by an LDAP URL",
        parameters: "[ldap-url]",
        least: 0,
        most: 1,
        switches: &[
            Switch::flag("url", "this form"),
            Switch::flag("debug", "say what is searched"),
            Switch::flag("json", "as JSON"),
        ],
    },
    Verb {
        name: "-time",
        about: "show a time in seconds since 1970 and as RFC 5322 writes it",
        parameters: "[time]",
        least: 0,
        most: 10,
        switches: &[
            Switch::flag("time", "this form"),
            Switch::flag("json", "as JSON"),
        ],
    },
    Verb {
        name: "-image",
        about: "verify the compiled configuration and the databases, every record",
        parameters: "",
        least: 0,
        most: 0,
        switches: &[
            Switch::flag("image", "this form"),
            Switch::flag("json", "as JSON"),
        ],
    },
];

pub(crate) fn run(context: &Context, typed: &[String]) -> Outcome {
    let chosen: Vec<&Verb> = VERBS
        .iter()
        .filter(|verb| typed.iter().any(|word| means(word, verb.name)))
        .collect();
    let [verb] = chosen[..] else {
        let forms: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
        return Err(conflict("TEST", &forms.join(", ")));
    };
    let words = verb.parse(typed)?;
    match verb.name {
        "-rewrite" if words.is_on("compare", false) => compare::run(context, &words),
        "-rewrite" => rewrite::run(context, &words),
        "-mapping" => mapping::run(context, &words),
        "-match" => matching::run(&words),
        "-expression" => crate::calc::expression(&words),
        "-domain_map" => directory::domain_map(context),
        "-url" => directory::url(context, &words),
        "-time" => time::run(&words),
        _ => image::run(context, &words),
    }
}

/// Whether a word is this form's switch, cut or not.
fn means(word: &str, form: &str) -> bool {
    let word = word.to_ascii_lowercase();
    // Switches of the forms begin with these letters as well.
    let other = ["-image_file", "-mapping_file"].iter().any(|switch| {
        word.len() > form.len() && switch.starts_with(word.split('=').next().unwrap_or(&word))
    });
    word.len() > 2 && !word.contains('=') && form.starts_with(&word) && !other
}

/// The configuration that a test reads: the one in force, another image, or the text. What the
/// switches name and nothing uses is said first.
fn configuration<'a>(
    context: &'a Context,
    words: &Words,
    other: &'a mut Option<Config>,
) -> Result<&'a Config, Failure> {
    let from_text = words.on("image_file") == Some(false);
    for name in WITHOUT_EFFECT {
        if words.is_on(name, false) {
            let text = format!("-{name} has no effect in this version");
            Message::warning("TEST", "NOEFFECT", text).emit();
        }
    }
    let named = TEXT_FILES
        .iter()
        .filter(|file| words.on(file.name).is_some());
    let named: Vec<&str> = named.map(|file| file.name).collect();
    let is_text = from_text
        || (words.value("image_file").is_none()
            && images::status(&context.root) == ImageStatus::Missing);
    if !named.is_empty() && is_text {
        return other_files(context, words, other);
    }
    for name in named {
        let text = format!("-{name} has no effect on a compiled configuration");
        Message::warning("TEST", "NOEFFECT", text).emit();
    }
    if let Some(file) = words.value("image_file") {
        return match images::read_file(Path::new(file), &context.root) {
            Ok(config) => Ok(other.insert(config)),
            Err(error) => {
                let text = format!("{file}: {}", explained(&error));
                Err(Message::error("TEST", "OPENIN", text).into())
            }
        };
    }
    if !from_text {
        context.warn_if_stale();
        return context.config();
    }
    let (config, _) = Config::from_text(&context.root)?;
    Ok(other.insert(config))
}

/// The text of a legacy configuration with the files that the switches name; `-no` before a
/// switch means no such file.
fn other_files<'a>(
    context: &Context,
    words: &Words,
    other: &'a mut Option<Config>,
) -> Result<&'a Config, Failure> {
    if Form::of(&context.root) != Form::Legacy {
        let text = "a Unified Configuration has no text files that could be replaced";
        return Err(Message::error("TEST", "NOTLEGACY", text).into());
    }
    let file = |name: &str| match (words.on(name), words.value(name)) {
        (Some(true), Some(file)) => std::path::absolute(file).ok(),
        (Some(false), _) => Some("/dev/null".into()),
        _ => None,
    };
    let files = OtherFiles {
        configuration: file("configuration_file"),
        options: file("option_file"),
        mappings: file("mapping_file"),
        aliases: file("alias_file"),
    };
    let (config, _) = legacy::read_with(&context.root, &files).interpret(&context.root)?;
    Ok(other.insert(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_known_by_its_beginning() {
        assert!(means("-rewrite", "-rewrite"));
        assert!(means("-REW", "-rewrite"));
        assert!(!means("-r", "-rewrite"));
        assert!(!means("rewrite", "-rewrite"));
    }
}
