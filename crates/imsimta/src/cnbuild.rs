//! `imsimta cnbuild`: from the text of the configuration to the image that every process loads.

use crate::context::{Context, Failure, Outcome};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Value, Verb};
use mta_config::Config;
use mta_config::{image, source};
use serde::Serialize;
use std::fmt;
use std::io::IsTerminal as _;

pub(crate) const VERBS: &[Verb] = &[Verb {
    name: "cnbuild",
    about: "compile the configuration; an error leaves the image as it is",
    parameters: "",
    least: 0,
    most: 0,
    switches: &[
        Switch {
            name: "image_file",
            value: Value::Optional("file"),
            help: "write there; -noimage_file only checks the text",
        },
        Switch::flag("remove", "remove the image, so that the text is used again"),
        Switch::flag(
            "unused",
            "list the options that are set but that no code uses",
        ),
        Switch::flag("json", "-unused as JSON"),
    ],
}];

/// `-unused`.
#[derive(Debug, Serialize)]
struct Unused {
    unused: Vec<String>,
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.unused {
            writeln!(f, "{}", output::visible(name))?;
        }
        Ok(())
    }
}

pub(crate) fn run(context: &Context, typed: &[String]) -> Outcome {
    let words = VERBS[0].parse(typed)?;
    if words.is_on("remove", false) {
        return match std::fs::remove_file(context.root.image()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Message::error("CNBUILD", "REMOVE", error.to_string()).into())
            }
            Ok(()) | Err(_) => Ok(()),
        };
    }
    let (config, warnings) = Config::from_text(&context.root).map_err(|faults| {
        for fault in faults {
            eprintln!("{fault}");
        }
        Failure::Silent(1)
    })?;
    for warning in warnings {
        eprintln!("{warning}");
    }
    if words.is_on("unused", false) {
        let view = Unused {
            unused: unused(context)?,
        };
        output::show(&view, words.is_on("json", false));
        return Ok(());
    }
    if words.on("image_file") == Some(false) {
        return Ok(());
    }
    let before = image::read(&context.root)
        .ok()
        .map(|before| before.identity);
    let written = match words.value("image_file") {
        Some(file) => image::write_file(std::path::Path::new(file), &context.root, &config),
        None => image::write(&context.root, &config),
    };
    written.map_err(|error| Message::error("CNBUILD", "WRITE", error.to_string()))?;
    let identity = &config.identity;
    if std::io::stdout().is_terminal() && words.value("image_file").is_none() {
        let line = match before {
            Some(before)
                if before.fixed == identity.fixed && before.reloadable == identity.reloadable =>
            {
                "Nothing has changed; no restart is needed."
            }
            Some(before) if before.fixed == identity.fixed => {
                "Mapping tables or aliases have changed; imsimta restart makes them take effect."
            }
            _ => "The configuration has changed; imsimta restart makes it take effect.",
        };
        output::line(line);
    }
    Ok(())
}

/// What is set and has no effect, by full name.
fn unused(context: &Context) -> Result<Vec<String>, Failure> {
    match source::read_tree(&context.root) {
        Ok((tree, _)) => Ok(source::unused(&tree)),
        Err(faults) => {
            for fault in faults {
                eprintln!("{fault}");
            }
            Err(Failure::Silent(1))
        }
    }
}
