//! `imsimta test`: explanations of what the server would do, made by the functions it asks.

mod addresses;
mod mapping;
mod rewrite;

use crate::context::{Context, Failure, Outcome};
use crate::front::conflict;
use crate::qm::explained;
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Value, Verb, Words};
use mta_config::{Config, image};
use std::path::Path;

const IMAGE: Switch = Switch {
    name: "image_file",
    value: Value::Optional("file"),
    help: "another image; -noimage_file reads the text although there is one",
};

/// Switches of the product that name legacy text files.
const TEXT_FILES: [Switch; 4] = [
    Switch::with("alias_file", "file", "not available in this version"),
    Switch::with(
        "configuration_file",
        "file",
        "not available in this version",
    ),
    Switch::with("mapping_file", "file", "not available in this version"),
    Switch::with("option_file", "file", "not available in this version"),
];

/// Switches of the product that change nothing here, which is said when one is used.
const WITHOUT_EFFECT: [&str; 8] = [
    "check_expansions",
    "database",
    "delivery_receipt",
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
            Switch::flag("filter", "show the filters that apply"),
            Switch::with("input", "file", "take the addresses from there, one a line"),
            Switch::with("output", "file", "write the answers there"),
            IMAGE,
            Switch::flag("json", "as JSON, steps included"),
            Switch::flag("check_expansions", "has no effect in this version"),
            Switch::with("database", "list", "has no effect in this version"),
            Switch::flag("delivery_receipt", "has no effect in this version"),
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
];

pub(crate) fn run(context: &Context, typed: &[String]) -> Outcome {
    let chosen: Vec<&Verb> = VERBS
        .iter()
        .filter(|verb| typed.iter().any(|word| means(word, verb.name)))
        .collect();
    match chosen[..] {
        [verb] if verb.name == "-rewrite" => rewrite::run(context, &verb.parse(typed)?),
        [verb] => mapping::run(context, &verb.parse(typed)?),
        _ => Err(conflict("TEST", "-rewrite, -mapping")),
    }
}

/// Whether a word is this form's switch, cut or not.
fn means(word: &str, form: &str) -> bool {
    word.len() > 2 && form.starts_with(&word.to_ascii_lowercase())
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
    for Switch { name, .. } in TEXT_FILES {
        if !words.is_on(name, false) {
            continue;
        }
        if from_text {
            let text = format!("-{name} is not available in this version");
            return Err(Message::error("TEST", "NOTYET", text).into());
        }
        let text = format!("-{name} has no effect on a compiled configuration");
        Message::warning("TEST", "NOEFFECT", text).emit();
    }
    if let Some(file) = words.value("image_file") {
        return match image::read_file(Path::new(file), &context.root) {
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
    match Config::from_text(&context.root) {
        Ok((config, _)) => Ok(other.insert(config)),
        Err(faults) => {
            for fault in faults {
                output::complain(&fault.to_string());
            }
            Err(Failure::Silent(1))
        }
    }
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
