//! `imsimta test`: explanations of what the server would do, made by the functions it asks.

mod mapping;
mod rewrite;

use crate::context::{Context, Failure, Outcome};
use crate::front::conflict;
use mta_command::switches::{Switch, Value, Verb};
use mta_config::Config;

const IMAGE: Switch = Switch {
    name: "image_file",
    value: Value::Optional("file"),
    help: "-noimage_file reads the text although there is an image",
};

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
            IMAGE,
            Switch::flag("json", "as JSON, steps included"),
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

/// The configuration that a test reads: the one in force, or the text.
fn configuration<'a>(
    context: &'a Context,
    image: Option<bool>,
    text: &'a mut Option<Config>,
) -> Result<&'a Config, Failure> {
    if image != Some(false) {
        context.warn_if_stale();
        return context.config();
    }
    match Config::from_text(&context.root) {
        Ok((config, _)) => Ok(text.insert(config)),
        Err(faults) => {
            for fault in faults {
                eprintln!("{fault}");
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
