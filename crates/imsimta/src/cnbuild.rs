//! `imsimta cnbuild`: from the text of the configuration to the image that every process loads.

use crate::context::{Context, Failure, Outcome};
use crate::process;
use crate::report::processes::Image;
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Value, Verb};
use mta_config::config::ImageIdentity;
use mta_config::{Config, image, source};
use mta_process::exit::with_causes;
use serde::Serialize;
use std::fmt;
use std::io::IsTerminal as _;
use std::path::Path;

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
        Switch::flag("statistics", "list what the compiled tables hold"),
        Switch::flag("json", "-unused and -statistics as JSON"),
        Switch::flag("maximum", NOT_NEEDED),
        Switch::maybe("option_file", "file", NOT_NEEDED),
        Switch::flag("sizes", NOT_NEEDED),
    ],
}];

/// Of the switches that steer the sizes of tables.
const NOT_NEEDED: &str = "not needed: tables have no fixed sizes";

/// `-statistics`: tables are made to measure, so each is as large as it is used.
#[derive(Debug, Serialize)]
struct Statistics {
    tables: Vec<Table>,
}

#[derive(Debug, Serialize)]
struct Table {
    table: &'static str,
    used: usize,
    size: usize,
}

impl Statistics {
    fn of(config: &Config) -> Self {
        let entries = config.mappings.iter().map(mta_mapping::Table::len).sum();
        let tables = [
            ("aliases", config.aliases.len()),
            ("channels", config.channels.len()),
            ("mapping entries", entries),
            ("mapping tables", config.mappings.len()),
            ("rewrite rules", config.rules.len()),
        ];
        let row = |(table, used)| Table {
            table,
            used,
            size: used,
        };
        Self {
            tables: tables.map(row).into(),
        }
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Table                  Used      Size   Percent")?;
        for Table { table, used, size } in &self.tables {
            let percent = (used * 100).checked_div(*size).unwrap_or(0);
            writeln!(f, "{table:<17} {used:>9} {size:>9} {percent:>6}%")?;
        }
        Ok(())
    }
}

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
        let removed = image::remove(&context.root);
        return removed
            .map_err(|error| Message::error("CNBUILD", "REMOVE", error.to_string()).into());
    }
    image::settle(&context.root);
    let (config, warnings, sources) = source::load_with_sources(&context.root)?;
    for warning in warnings {
        output::complain(&warning.to_string());
    }
    for name in ["maximum", "option_file", "sizes"] {
        if words.is_on(name, false) {
            let text = format!("-{name} is not needed, tables have no fixed sizes");
            Message::warning("CNBUILD", "NOTNEEDED", text).emit();
        }
    }
    if words.is_on("unused", false) {
        let view = Unused {
            unused: unused(context)?,
        };
        output::show(&view, words.is_on("json", false));
        return Ok(());
    }
    if words.is_on("statistics", false) {
        output::show(&Statistics::of(&config), words.is_on("json", false));
    }
    if words.on("image_file") == Some(false) {
        return Ok(());
    }
    let file = words.value("image_file");
    let mark = sources.mark();
    let written = match file {
        Some(file) => image::write_file(Path::new(file), &context.root, &config, mark),
        None => image::write(&context.root, &config, mark),
    };
    let identity =
        written.map_err(|error| Message::error("CNBUILD", "WRITE", with_causes(&error)))?;
    if std::io::stdout().is_terminal() && file.is_none() {
        let running: Vec<Image> = process::images(context).into_values().collect();
        output::line(advice(&identity, &running));
    }
    // The process ends here: to take a million aliases apart first would only take time.
    std::mem::forget(config);
    Ok(())
}

/// What has to be done for the new image to take effect, by what the daemons and their children
/// run now.
fn advice(new: &ImageIdentity, running: &[Image]) -> &'static str {
    let fixed = running.iter().all(|image| image.fixed == new.fixed);
    let reloadable = running
        .iter()
        .all(|image| image.reloadable == new.reloadable);
    if running.is_empty() {
        "Compiled; no daemon runs that would have to take it up."
    } else if fixed && reloadable {
        "What runs has this configuration; no restart is needed."
    } else if fixed {
        "Mapping tables or aliases have changed; imsimta reload makes them take effect."
    } else {
        "The configuration has changed; imsimta restart makes it take effect."
    }
}

/// What is set and has no effect, by full name.
fn unused(context: &Context) -> Result<Vec<String>, Failure> {
    match source::read_options(&context.root) {
        Ok((tree, ..)) => Ok(source::unused(&tree)),
        Err(faults) => Err(faults.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_decides_what_has_to_be_done() {
        let image = |fixed: &str, reloadable: &str| Image {
            fixed: fixed.to_owned(),
            reloadable: reloadable.to_owned(),
        };
        let new = ImageIdentity {
            fixed: "f2".into(),
            reloadable: "r2".into(),
            from_image: false,
        };
        let table = [
            (vec![], "Compiled;"),
            (vec![image("f2", "r2")], "What runs has this configuration"),
            (
                vec![image("f2", "r2"), image("f2", "r1")],
                "Mapping tables or aliases",
            ),
            (
                vec![image("f2", "r2"), image("f1", "r2")],
                "The configuration has changed",
            ),
        ];
        for (running, text) in table {
            let said = advice(&new, &running);
            assert!(said.starts_with(text), "{said}");
        }
    }

    #[test]
    fn tables_are_listed_as_documented() {
        let table = |table, used, size| Table { table, used, size };
        let statistics = Statistics {
            tables: vec![
                table("aliases", 12, 1000),
                table("channels", 14, 125),
                table("x", 0, 0),
            ],
        };
        let expected = "\
Table                  Used      Size   Percent
aliases                  12      1000      1%
channels                 14       125     11%
x                         0         0      0%
";
        assert_eq!(statistics.to_string(), expected);
    }
}
