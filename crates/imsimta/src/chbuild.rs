//! `imsimta chbuild`: the compiled character set tables.
//!
//! The tables themselves are part of the programs. What is compiled is a mark of their version,
//! so that programs of another version stop with the error that operators know, instead of
//! reading text in another way than those around them.

use crate::context::{Context, Outcome};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Value, Verb};
use mta_config::charset;
use std::path::Path;

pub(crate) const VERBS: &[Verb] = &[Verb {
    name: "chbuild",
    about: "compile the character set tables",
    parameters: "",
    least: 0,
    most: 0,
    switches: &[
        Switch {
            name: "image_file",
            value: Value::Optional("file"),
            help: "write there; -noimage_file writes nothing",
        },
        Switch::flag("remove", "remove the compiled tables"),
        Switch::flag("statistics", "list what the tables hold"),
        Switch::flag("sizes", "list what the tables hold"),
        Switch::flag("maximum", NOT_NEEDED),
        Switch::maybe("option_file", "file", NOT_NEEDED),
    ],
}];

const NOT_NEEDED: &str = "not needed: tables have no fixed sizes";

pub(crate) fn run(context: &Context, typed: &[String]) -> Outcome {
    let words = VERBS[0].parse(typed)?;
    let failed = |error: std::io::Error| Message::error("CHBUILD", "WRITE", error.to_string());
    let usual = context.root.charset_data();
    if words.is_on("remove", false) {
        return match std::fs::remove_file(&usual) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error).into()),
            Ok(()) | Err(_) => Ok(()),
        };
    }
    for name in ["maximum", "option_file"] {
        if words.is_on(name, false) {
            let text = format!("-{name} is not needed, tables have no fixed sizes");
            Message::warning("CHBUILD", "NOTNEEDED", text).emit();
        }
    }
    if words.is_on("statistics", false) || words.is_on("sizes", false) {
        output::line(&format!("character sets  {}", charset::NAMES.len()));
    }
    if words.on("image_file") == Some(false) {
        return Ok(());
    }
    let path = words.value("image_file").map_or(usual.as_path(), Path::new);
    charset::write(path, &context.root).map_err(failed)?;
    Ok(())
}
