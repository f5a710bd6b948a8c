//! `read` and `history`: what is in a message file.

use super::{State, act, listing};
use crate::context::{Context, Outcome};
use crate::report::clock;
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::Words;
use mta_envelope::envelope::Envelope;
use mta_envelope::names::{ChannelName, Place};
use std::io::{self, BufRead, BufReader};

pub(super) fn read(context: &Context, state: &State, words: &Words) -> Outcome {
    let (rows, _) = act::selected(context, state, words, false)?;
    let queue = listing::open(context)?;
    let with_content = words.is_on("content", false);
    for row in rows {
        let (Ok(channel), Ok(place)) = (ChannelName::new(&row.channel), Place::parse(&row.place))
        else {
            continue;
        };
        let shown = match queue.read_message(&channel, &place, false) {
            Ok(message) => {
                show(&row.path, &message, with_content).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = shown {
            Message::error("QM", "UNREADABLE", format!("{error}: {}", row.path)).emit();
        }
    }
    Ok(())
}

fn show(path: &str, message: &mta_queue::message::Message, with_content: bool) -> io::Result<()> {
    output::block(&outside(path, message.envelope()));
    output::block("\nMessage header:\n---------------\n");
    print_lines(message.header()?.as_slice())?;
    if with_content {
        output::block("\nMessage contents:\n-----------------\n");
        print_lines(BufReader::new(message.body()?))?;
    }
    Ok(())
}

/// Prints a text line by line, however long it is, without control characters.
fn print_lines(mut text: impl BufRead) -> io::Result<()> {
    let mut line = Vec::new();
    while text.read_until(b'\n', &mut line)? > 0 {
        let shown = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned();
        output::line(&output::visible(&shown));
        line.clear();
    }
    Ok(())
}

fn outside(path: &str, envelope: &Envelope) -> String {
    let mut text =
        format!("Filename: {path}\n\nTransport layer information:\n----------------------------\n");
    text.push_str(&format!(
        "Envelope From: address: {}\n",
        output::visible(envelope.sender_text())
    ));
    let to: Vec<String> = envelope
        .recipients
        .iter()
        .map(|to| output::visible(to.address.as_str()).into_owned())
        .collect();
    text.push_str(&format!(
        "Envelope To: addresses: {}\n",
        to.join("\n                        ")
    ));
    text
}

pub(super) fn history(context: &Context, state: &State, words: &Words) -> Outcome {
    let (rows, _) = act::selected(context, state, words, false)?;
    let queue = listing::open(context)?;
    for row in rows {
        let (Ok(channel), Ok(place)) = (ChannelName::new(&row.channel), Place::parse(&row.place))
        else {
            continue;
        };
        output::line(&format!("{}/{}", row.channel, row.place));
        match queue.read_envelope(&channel, &place) {
            Ok((_, attempts)) if attempts.is_empty() => {
                output::line("No delivery history available");
            }
            Ok((_, attempts)) => {
                for attempt in attempts {
                    let when = clock::heading(i64::try_from(attempt.time).unwrap_or(0));
                    output::line(&format!(
                        "  {when}  {}",
                        output::visible(&attempt.recipient)
                    ));
                    output::line(&format!(
                        "    {} {}",
                        attempt.status,
                        output::visible(&attempt.text)
                    ));
                }
            }
            Err(error) => {
                Message::error("QM", "UNREADABLE", format!("{error}: {}", row.path)).emit();
            }
        }
    }
    Ok(())
}
