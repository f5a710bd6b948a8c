//! `imsimta test -mapping`.

use super::configuration;
use crate::context::{Context, Outcome};
use mta_channel::lookups::Lookups;
use mta_command::message::Message;
use mta_command::output;
use mta_command::prompt::{self, Typed, is_interactive};
use mta_command::switches::Words;
use mta_config::database::Databases;
use mta_directory::Directory;
use mta_mapping::{Event, Flags, Input, Silent};
use serde::Serialize;
use std::fmt;

/// One evaluation.
#[derive(Debug, Serialize)]
struct View {
    output: String,
    matched: bool,
    flags: Vec<char>,
    steps: Vec<Event>,
    #[serde(skip)]
    with_steps: bool,
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.with_steps {
            for step in &self.steps {
                let indent = "  ".repeat(step.indent());
                writeln!(
                    f,
                    "{}{indent}{}",
                    super::rewrite::stamp(),
                    output::visible(&step.to_string())
                )?;
            }
        }
        writeln!(f, "Output string: {}", output::visible(&self.output))?;
        let mut shown: Vec<String> = if self.matched {
            vec!["0".to_owned()]
        } else {
            Vec::new()
        };
        shown.extend(
            self.flags
                .iter()
                .map(|flag| format!("'{flag}' ({})", u32::from(*flag))),
        );
        writeln!(f, "Output flags: [{}]", shown.join(", "))
    }
}

pub(super) fn run(context: &Context, words: &Words) -> Outcome {
    let mut other = None;
    let config = configuration(context, words, &mut other)?;
    let table = match words.value("table") {
        Some(table) => table.to_owned(),
        None => ask("Enter table name: ").unwrap_or_default(),
    };
    if config.mappings.get(&table).is_none() {
        let text = format!("no such mapping table: {table}");
        return Err(Message::error("TEST", "NOSUCHTABLE", text).into());
    }
    let path = context.root.directory();
    let directory = Directory::open(&path, &config.default_domain, |fault, _| {
        Message::warning("TEST", "DIRECTORY", fault.to_string()).emit();
    });
    // Nothing is changed by asking: a sequence file tells its next number and keeps it.
    let databases = Databases::of(&context.root).peeking();
    let lookups = Lookups::new(config, &databases, Some(&directory));
    let answer = |input: &str| -> Outcome {
        let mut steps: Vec<Event> = Vec::new();
        let input = Input {
            flags: Flags::of(words.value("flags").unwrap_or_default()),
            ..Input::of(input)
        };
        let explain = words.is_on("debug", false) || words.is_on("json", false);
        let mapped = if explain {
            config.mappings.map(&table, &input, &lookups, &mut steps)
        } else {
            config.mappings.map(&table, &input, &lookups, &mut Silent)
        };
        if mapped.unreadable {
            for step in &steps {
                output::complain(&output::visible(&step.to_string()));
            }
            let text = format!("the mapping table {table} cannot be read; try imsimta test -image");
            return Err(Message::error("TEST", "UNREADABLE", text).into());
        }
        let view = View {
            output: mapped.output,
            matched: mapped.matched,
            flags: mapped.flags.iter().collect(),
            steps,
            with_steps: words.is_on("debug", false),
        };
        output::show(&view, words.is_on("json", false));
        Ok(())
    };
    if let Some(input) = words.parameter(0) {
        return answer(input);
    }
    while let Some(input) = ask("Input string: ") {
        answer(&input)?;
    }
    Ok(())
}

/// Asks for a line, with a prompt on a terminal only; nothing at the end of input.
pub(crate) fn ask(question: &str) -> Option<String> {
    if !is_interactive() {
        return prompt::read_line();
    }
    match prompt::ask(question) {
        Typed::Line(line) => Some(line),
        Typed::End => None,
    }
}
