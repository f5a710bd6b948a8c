//! `imsimta test -match`: one pattern against one text, without a table.

use super::ask;
use crate::context::Outcome;
use mta_command::output;
use mta_command::switches::Words;
use mta_mapping::{Pattern, match_fields};
use serde::Serialize;
use std::fmt;

/// What became of a pattern and a target.
#[derive(Debug, Serialize)]
struct View {
    pattern: String,
    elements: Vec<String>,
    target: String,
    matched: bool,
    fields: Vec<String>,
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.matched {
            return writeln!(f, "No match.");
        }
        writeln!(f, "Match.")?;
        for (number, field) in self.fields.iter().enumerate() {
            writeln!(f, "{number} - {}", output::visible(field))?;
        }
        Ok(())
    }
}

pub(super) fn run(words: &Words) -> Outcome {
    let json = words.is_on("json", false);
    let mut given = words.parameters().iter().cloned();
    if let Some(text) = given.next() {
        let targets: Vec<String> = given.collect();
        return once(&text, &targets, json);
    }
    while let Some(text) = ask("Pattern: ") {
        let Some((pattern, elements)) = compile(&text) else {
            continue;
        };
        if !json {
            print_elements(&elements);
        }
        let Some(target) = ask("Target: ") else {
            break;
        };
        output::show(&view(&text, &pattern, elements, &target), json);
    }
    Ok(())
}

/// Pattern and targets from the command line.
fn once(text: &str, targets: &[String], json: bool) -> Outcome {
    let Some((pattern, elements)) = compile(text) else {
        return Err(crate::context::Failure::Silent(1));
    };
    if !json {
        print_elements(&elements);
    }
    for target in targets {
        output::show(&view(text, &pattern, elements.clone(), target), json);
    }
    Ok(())
}

fn print_elements(elements: &[String]) {
    for line in elements {
        output::line(&output::visible(line));
    }
}

fn compile(text: &str) -> Option<(Pattern, Vec<String>)> {
    match Pattern::compile(text) {
        Ok(pattern) => {
            let elements = pattern.describe();
            Some((pattern, elements))
        }
        Err(offending) => {
            let text = format!("%TEST-E-PATTERN, invalid mapping pattern near \"{offending}\"");
            output::complain(&output::visible(&text));
            None
        }
    }
}

fn view(text: &str, pattern: &Pattern, elements: Vec<String>, target: &str) -> View {
    let fields = match_fields(pattern, target);
    View {
        pattern: text.to_owned(),
        elements,
        target: target.to_owned(),
        matched: fields.is_some(),
        fields: fields.unwrap_or_default(),
    }
}
