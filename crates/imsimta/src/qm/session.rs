//! The interactive session: `qm.maint>`.
//!
//! On a terminal lines are edited, remembered and completed; from a pipe they are read without a
//! prompt. An error never ends the session.

use super::{State, Then, VERBS, execute};
use crate::context::{Context, Failure, Outcome};
use mta_command::message::Message;
use mta_command::output;
use mta_command::prompt;
use mta_command::switches::Words;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Editor, Helper};

pub(super) fn run(context: &Context, state: &mut State) {
    if prompt::is_interactive() {
        edited(context, state);
    } else {
        // Line by line, since what a line asks for may have questions of its own.
        while let Some(line) = prompt::read_line() {
            if answer(context, state, &line) == Then::Leave {
                return;
            }
        }
    }
}

/// Carries out a file of sub-commands, line by line, up to `exit` or (without `-ignore`) the first
/// that fails.
pub(super) fn run_file(context: &Context, state: &mut State, words: &Words) -> Outcome {
    let name = words.parameter(0).unwrap_or_default();
    if state.depth == DEEPEST {
        let text = format!("files are nested more than {DEEPEST} deep: {name}");
        return Err(Message::error("QM", "TOODEEP", text).into());
    }
    let content = std::fs::read(name)
        .map_err(|error| Message::error("QM", "OPENIN", format!("{name}: {error}")))?;
    let (echo, go_on) = (words.is_on("log", true), words.is_on("ignore", false));
    state.depth += 1;
    let mut outcome = Ok(());
    for line in String::from_utf8_lossy(&content).lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('!') {
            continue;
        }
        if echo {
            output::line(&output::visible(line));
        }
        match carry_out(context, state, line) {
            Ok(Then::Continue) => {}
            Ok(Then::Leave) => break,
            Err(failure) => {
                tell(failure);
                if !go_on {
                    outcome = Err(Failure::Silent(1));
                    break;
                }
            }
        }
    }
    state.depth -= 1;
    outcome
}

/// How deep files of sub-commands may call each other.
const DEEPEST: u32 = 10;

fn edited(context: &Context, state: &mut State) {
    let mut editor = match Editor::<Completion, DefaultHistory>::new() {
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
    editor.set_helper(Some(Completion {
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
    carry_out(context, state, line).unwrap_or_else(|failure| {
        tell(failure);
        Then::Continue
    })
}

fn tell(failure: Failure) {
    if let Failure::Said(message) = failure {
        message.emit();
    }
}

fn carry_out(context: &Context, state: &mut State, line: &str) -> Result<Then, Failure> {
    // No command and no name has this character: the line was no UTF-8.
    if line.contains(char::REPLACEMENT_CHARACTER) {
        let mut message = Message::error("QM", "IVCHAR", "the line is not UTF-8");
        message.word = Some(line.to_owned());
        return Err(message.into());
    }
    let words = prompt::split(line).map_err(|quote| {
        Message::error("QM", "QUOTE", format!("a quote ({quote}) is not closed"))
    })?;
    execute(context, state, &words)
}

/// Completion: sub-commands first, then channel names and switches.
struct Completion {
    channels: Vec<String>,
}

impl Completer for Completion {
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

impl Hinter for Completion {
    type Hint = String;
}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}
