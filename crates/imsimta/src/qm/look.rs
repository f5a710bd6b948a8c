//! `read` and `history`: what is in a message file.

use super::act::{self, Chosen, Deed};
use super::{State, listing};
use crate::context::{Context, Failure, Outcome};
use crate::report::message::{Attempt, History, Read};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::Words;
use mta_queue::Queue;
use mta_queue::error::TakeError;
use mta_queue::message::Message as Queued;
use serde::Serialize;
use std::io::{self, BufRead, BufReader, Read as _};

/// Nothing is changed by looking, so nothing is asked unless that is asked for.
const LOOK: Deed<'_> = Deed {
    verb: "Read",
    held: false,
    ask: false,
    preview: None,
};

/// The messages of one command, as one document.
#[derive(Serialize)]
struct Document<V> {
    messages: Vec<V>,
}

pub(super) fn read(context: &Context, state: &State, words: &Words) -> Outcome {
    let with_content = words.is_on("content", false);
    let json = words.is_on("json", false);
    let mut messages = Vec::new();
    let outcome = act::each(context, state, words, &LOOK, &mut |queue, chosen| {
        let message = queue
            .read_message(&chosen.channel, &chosen.place, false)
            .map_err(|error| refused(queue, chosen, &error))?;
        let view = view(queue, chosen, &message, with_content && json);
        let shown = view.and_then(|view| {
            if json {
                messages.push(view);
                return Ok(());
            }
            output::block(&view.to_string());
            if with_content {
                output::block("\nMessage contents:\n-----------------\n");
                print_lines(BufReader::new(message.body()?))?;
            }
            Ok(())
        });
        shown.map_err(|source| refused(queue, chosen, &TakeError::Io { source }))?;
        Ok(None)
    });
    if json {
        output::json(&Document { messages });
    }
    outcome
}

fn view(queue: &Queue, chosen: &Chosen, message: &Queued, with_content: bool) -> io::Result<Read> {
    let envelope = message.envelope();
    let mut content = None;
    if with_content {
        let mut bytes = Vec::new();
        message.body()?.read_to_end(&mut bytes)?;
        content = Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    let header = message.header()?;
    let header = String::from_utf8_lossy(&header).into_owned();
    Ok(Read {
        channel: chosen.channel.to_string(),
        place: chosen.place.to_string(),
        path: chosen.path(queue).display().to_string(),
        from: envelope.sender_text().to_owned(),
        to: envelope
            .recipients
            .iter()
            .map(|to| to.address.to_string())
            .collect(),
        header: header.trim_end().lines().map(str::to_owned).collect(),
        content,
    })
}

/// Prints a text line by line, however long it is, without control characters.
fn print_lines(mut text: impl BufRead) -> io::Result<()> {
    let mut line = Vec::new();
    while text.read_until(b'\n', &mut line)? > 0 {
        let shown = line.strip_suffix(b"\n").unwrap_or(&line);
        let shown = shown.strip_suffix(b"\r").unwrap_or(shown);
        output::line(&output::visible_text(&String::from_utf8_lossy(shown)));
        line.clear();
    }
    Ok(())
}

pub(super) fn history(context: &Context, state: &State, words: &Words) -> Outcome {
    let json = words.is_on("json", false);
    let mut messages = Vec::new();
    let outcome = act::each(context, state, words, &LOOK, &mut |queue, chosen| {
        let (_, attempts) = queue
            .read_envelope(&chosen.channel, &chosen.place)
            .map_err(|error| refused(queue, chosen, &error))?;
        let attempts = attempts.into_iter().map(|attempt| Attempt {
            time: attempt.time,
            recipient: attempt.recipient,
            status: attempt.status.to_string(),
            text: attempt.text,
        });
        let view = History {
            channel: chosen.channel.to_string(),
            place: chosen.place.to_string(),
            attempts: attempts.collect(),
        };
        if json {
            messages.push(view);
        } else {
            output::block(&view.to_string());
        }
        Ok(None)
    });
    if json {
        output::json(&Document { messages });
    }
    outcome
}

/// The line for a message file that cannot be looked at.
fn refused(queue: &Queue, chosen: &Chosen, error: &TakeError) -> Failure {
    let text = match error {
        TakeError::Gone | TakeError::Busy => {
            return act::refused("QM", queue, &chosen.channel, &chosen.place, error);
        }
        TakeError::Io { source } => format!("{error}: {source}"),
        TakeError::SetAside { .. } | TakeError::Damaged { .. } => error.to_string(),
    };
    let path = listing::file_path(queue, &chosen.channel, &chosen.place);
    let text = format!("{text}: {}", path.display());
    Message::error("QM", "UNREADABLE", text).into()
}
