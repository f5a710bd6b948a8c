//! `hold`, `release`, `return`, `delete`: what an operator does to single messages.

use super::{State, announce, listing};
use crate::context::{Context, Failure, Outcome};
use crate::report::directory::Row;
use crate::returning;
use mta_command::message::Message;
use mta_command::prompt::{Answer, confirm};
use mta_command::switches::Words;
use mta_envelope::names::{ChannelName, Place};
use mta_ipc::job_controller::Request;
use mta_queue::Queue;
use mta_queue::error::TakeError;

/// The messages that the words select, and whether each has to be confirmed.
pub(super) fn selected(
    context: &Context,
    state: &State,
    words: &Words,
    held: bool,
) -> Result<(Vec<Row>, bool), Failure> {
    let channel = words.value("channel");
    if let Some(channel) = channel {
        context.channel("QM", channel)?;
    }
    let all = words.is_on("all", false);
    let ids = words.parameters();
    if all != ids.is_empty() {
        let text = "name messages by their numbers, or use -all";
        return Err(Message::error("QM", "NOSELECT", text).into());
    }
    let listing = match &state.listing {
        Some(listing) => listing.clone(),
        None if state.interactive => {
            let text = "no message listing; use the directory command first";
            return Err(Message::error("QM", "NOLIST", text).into());
        }
        None => listing::implied(context, channel, held)?,
    };
    let here = |row: &&Row| channel.is_none_or(|channel| row.channel.eq_ignore_ascii_case(channel));
    if all {
        return Ok((listing.iter().filter(here).cloned().collect(), true));
    }
    let mut rows = Vec::new();
    for number in numbers(ids)? {
        match listing.iter().filter(here).find(|row| row.number == number) {
            Some(row) => rows.push(row.clone()),
            None => {
                return Err(Message::error(
                    "QM",
                    "NOSUCHMSG",
                    format!("no such message number: {number}"),
                )
                .into());
            }
        }
    }
    Ok((rows, false))
}

/// `1,3,20-22` and several of these.
fn numbers(ids: &[String]) -> Result<Vec<usize>, Failure> {
    let mut found = Vec::new();
    for part in ids
        .iter()
        .flat_map(|id| id.split(','))
        .filter(|part| !part.is_empty())
    {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) if first <= last && last - first < 1_000_000 => {
                found.extend(first..=last);
            }
            _ => {
                let mut message = Message::error("IMTA", "IVVALU", "invalid message number");
                message.word = Some(part.to_owned());
                return Err(message.into());
            }
        }
    }
    Ok(found)
}

/// Does `act` to each selected message, asking and reporting as the switches say. A message that
/// cannot be dealt with is reported and the others go on; the command then ends with status 1.
fn each(
    context: &Context,
    state: &State,
    words: &Words,
    what: (&str, bool),
    act: &mut dyn FnMut(&Queue, &ChannelName, &Place) -> Result<Message, Failure>,
) -> Outcome {
    let (rows, ask) = selected(context, state, words, what.1)?;
    let ask = words.is_on(
        "confirm",
        ask && (state.interactive || mta_command::prompt::is_interactive()),
    );
    let queue = listing::open(context)?;
    let mut failed = false;
    for row in rows {
        if ask {
            let question = format!(
                "{} message {}, {}/{}? [N] ",
                what.0, row.number, row.channel, row.place
            );
            match confirm(&question) {
                Answer::Yes => {}
                Answer::No => continue,
                Answer::Stop => break,
            }
        }
        let (Ok(channel), Ok(place)) = (ChannelName::new(&row.channel), Place::parse(&row.place))
        else {
            continue;
        };
        match act(&queue, &channel, &place) {
            Ok(message) if words.is_on("log", true) => message.emit(),
            Ok(_) => {}
            Err(Failure::Said(message)) => {
                message.emit();
                failed = true;
            }
            Err(Failure::Silent(_)) => failed = true,
        }
    }
    if failed {
        Err(Failure::Silent(1))
    } else {
        Ok(())
    }
}

pub(super) fn hold(context: &Context, state: &State, words: &Words) -> Outcome {
    each(
        context,
        state,
        words,
        ("Hold", false),
        &mut |queue, channel, place| {
            if place.file.is_held() {
                let path = listing::file_path(queue, channel, place);
                return Err(Message::error(
                    "QM",
                    "ALREADYHELD",
                    format!("message is already held: {}", path.display()),
                )
                .into());
            }
            let held = queue
                .hold(channel, place, "held by the operator")
                .map_err(|error| refused(queue, channel, place, &error))?;
            announce(
                context,
                &Request::Forgotten {
                    channel: channel.clone(),
                    place: place.clone(),
                },
            );
            let path = listing::file_path(queue, channel, &held);
            Ok(Message::info(
                "QM",
                "HELD",
                format!("held the message file {}", path.display()),
            ))
        },
    )
}

pub(super) fn release(context: &Context, state: &State, words: &Words) -> Outcome {
    each(
        context,
        state,
        words,
        ("Release", true),
        &mut |queue, channel, place| {
            // What `hold` renamed since the listing was made is found under its new name.
            let place = if place.file.is_held() {
                place.clone()
            } else {
                place.renamed(place.file.held())
            };
            if !listing::file_path(queue, channel, &place).exists() {
                let path = listing::file_path(queue, channel, &place);
                return Err(Message::error(
                    "QM",
                    "NOTHELD",
                    format!("message is not held: {}", path.display()),
                )
                .into());
            }
            let released = queue
                .release(channel, &place)
                .map_err(|error| refused(queue, channel, &place, &error))?;
            announce(
                context,
                &Request::Released(mta_channel::enqueue::entry_of(context.config()?, &released)),
            );
            Ok(Message::info(
                "QM",
                "RELEASED",
                format!("released the message file {}", released.path.display()),
            ))
        },
    )
}

pub(super) fn delete(context: &Context, state: &State, words: &Words) -> Outcome {
    each(
        context,
        state,
        words,
        ("Delete", false),
        &mut |queue, channel, place| {
            let path = listing::file_path(queue, channel, place);
            returning::delete(context, queue, channel, place)?;
            Ok(Message::info(
                "QM",
                "DELETED",
                format!("deleted the message file {}", path.display()),
            ))
        },
    )
}

pub(super) fn give_back(context: &Context, state: &State, words: &Words) -> Outcome {
    each(
        context,
        state,
        words,
        ("Return", false),
        &mut |queue, channel, place| {
            let path = listing::file_path(queue, channel, place);
            returning::one(context, queue, channel, place)?;
            Ok(Message::info(
                "QM",
                "RETURNED",
                format!("returned the message file {}", path.display()),
            ))
        },
    )
}

/// The line for a message file that an operation could not be done to.
pub(crate) fn refused(
    queue: &Queue,
    channel: &ChannelName,
    place: &Place,
    error: &TakeError,
) -> Failure {
    let path = listing::file_path(queue, channel, place);
    let path = path.display();
    let (ident, text) = match error {
        TakeError::Gone => ("FILEGONE", format!("message file no longer exists: {path}")),
        TakeError::Busy => ("INUSE", format!("message file is being processed: {path}")),
        other => ("FAILED", format!("{other}: {path}")),
    };
    Message::error("QM", ident, text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_lists_and_ranges() {
        let read =
            |text: &[&str]| numbers(&text.iter().map(ToString::to_string).collect::<Vec<_>>()).ok();
        assert_eq!(read(&["1,3,20-22", "7"]), Some(vec![1, 3, 20, 21, 22, 7]));
        assert_eq!(read(&["x"]), None);
        assert_eq!(read(&["3-1"]), None);
        assert_eq!(read(&["1-99999999999"]), None);
    }
}
