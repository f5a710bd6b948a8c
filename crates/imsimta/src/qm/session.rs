//! The interactive session: `qm.maint>`.
//!
//! On a terminal lines are edited, remembered and completed; from a pipe they are read without a
//! prompt. An error never ends the session.

use super::{State, Then, VERBS, execute};
use crate::context::{Context, Failure};
use mta_command::message::Message;
use mta_command::prompt;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Editor, Helper};
use std::io::BufRead as _;

pub(super) fn run(context: &Context, state: &mut State) {
    if prompt::is_interactive() {
        edited(context, state);
    } else {
        for line in std::io::stdin().lock().lines() {
            match line {
                Ok(line) if answer(context, state, &line) == Then::Continue => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}

fn edited(context: &Context, state: &mut State) {
    let mut editor = match Editor::<Words, DefaultHistory>::new() {
        Ok(editor) => editor,
        Err(error) => {
            Message::error(
                "QM",
                "TERMINAL",
                format!("cannot use this terminal: {error}"),
            )
            .emit();
            return;
        }
    };
    let channels = context.config().map(|config| {
        config
            .channels
            .iter()
            .map(|channel| channel.name().to_string())
            .collect()
    });
    editor.set_helper(Some(Words {
        channels: channels.unwrap_or_default(),
    }));
    loop {
        match editor.readline("qm.maint> ") {
            Ok(line) => {
                // A line that cannot be remembered is still a line.
                drop(editor.add_history_entry(&line));
                if answer(context, state, &line) == Then::Leave {
                    return;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(_) => return,
        }
    }
}

fn answer(context: &Context, state: &mut State, line: &str) -> Then {
    let words = match prompt::split(line) {
        Ok(words) => words,
        Err(quote) => {
            Message::error("QM", "QUOTE", format!("a quote ({quote}) is not closed")).emit();
            return Then::Continue;
        }
    };
    match execute(context, state, &words) {
        Ok(then) => then,
        Err(Failure::Said(message)) => {
            message.emit();
            Then::Continue
        }
        Err(Failure::Silent(_)) => Then::Continue,
    }
}

/// Completion: sub-commands first, then channel names and switches.
struct Words {
    channels: Vec<String>,
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..at).unwrap_or(line);
        let start = before
            .rfind(char::is_whitespace)
            .map_or(0, |blank| blank + 1);
        let word = &before[start..];
        let verb = before[..start].split_whitespace().next();
        let candidates: Vec<String> = match verb {
            None => VERBS.iter().map(|verb| verb.name.to_owned()).collect(),
            Some(verb) if word.starts_with('-') => {
                let verb = VERBS.iter().find(|known| known.name.starts_with(verb));
                let switches = verb.map_or(&[][..], |verb| verb.switches);
                switches
                    .iter()
                    .map(|switch| format!("-{}", switch.name))
                    .collect()
            }
            Some(_) => self.channels.clone(),
        };
        Ok((
            start,
            candidates
                .into_iter()
                .filter(|candidate| candidate.starts_with(word))
                .collect(),
        ))
    }
}

impl Hinter for Words {
    type Hint = String;
}
impl Highlighter for Words {}
impl Validator for Words {}
impl Helper for Words {}
