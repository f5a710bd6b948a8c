//! `hold`, `release`, `return`, `delete`: what an operator does to single messages.

use super::{State, announce, clean, files, listing};
use crate::context::{Context, Failure, Outcome};
use crate::report::clean as report;
use crate::report::directory::Row;
use crate::returning;
use mta_command::message::Message;
use mta_command::prompt::{self, Answer, confirm};
use mta_command::switches::Words;
use mta_envelope::names::{ChannelName, Place};
use mta_ipc::job_controller::Request;
use mta_queue::Queue;
use mta_queue::error::TakeError;
use std::path::PathBuf;

/// A message that a command is about.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    /// Its number, if it comes from a listing.
    number: Option<usize>,
    pub(super) channel: ChannelName,
    pub(super) place: Place,
}

impl Chosen {
    fn of(row: &Row) -> Option<Self> {
        Some(Self {
            number: Some(row.number),
            channel: ChannelName::new(&row.channel).ok()?,
            place: Place::parse(&row.place).ok()?,
        })
    }

    /// `message 1, tcp_local/001/ZZ0T4K00A01C2R70.00`.
    fn described(&self) -> String {
        let number = self
            .number
            .map_or_else(String::new, |number| format!("{number}, "));
        format!("message {number}{}/{}", self.channel, self.place)
    }

    pub(super) fn path(&self, queue: &Queue) -> PathBuf {
        listing::file_path(queue, &self.channel, &self.place)
    }
}

/// What the words select.
pub(super) struct Selection {
    pub(super) messages: Vec<Chosen>,
    /// Whether each has its own word on the command line. Of others nobody can say that exactly
    /// they were meant, so each is asked about.
    by_name: bool,
}

/// The messages that the words select: by the numbers of the session's last listing, by file, or
/// all of the listing. A single command has no listing: a second one made just for it could show
/// another order than the one that the operator has read the number from.
pub(super) fn selected(
    context: &Context,
    state: &State,
    words: &Words,
    held: bool,
) -> Result<Selection, Failure> {
    let channel = match words.value("channel") {
        Some(typed) => Some(context.channel("QM", typed)?),
        None => None,
    };
    let ids = words.parameters();
    let all = words.is_on("all", false);
    if all != ids.is_empty() {
        let text = if state.interactive {
            "name messages by their numbers, or use -all"
        } else {
            "name message files, or use -all"
        };
        return Err(Message::error("QM", "NOSELECT", text).into());
    }
    if all {
        let rows = match &state.listing {
            Some(listing) => listing.clone(),
            None if state.interactive => return Err(no_listing(state)),
            None => listing::implied(context, channel.as_ref(), held)?,
        };
        let chosen = rows.iter().filter_map(Chosen::of);
        let here = chosen.filter(|one| is_of(one, channel.as_ref()));
        return Ok(Selection {
            messages: here.collect(),
            by_name: false,
        });
    }
    let mut messages = Vec::new();
    for id in ids {
        if is_number(id) {
            let listing = state.listing.as_ref().ok_or_else(|| no_listing(state))?;
            messages.append(&mut of_listing(listing, id, channel.as_ref())?);
        } else {
            messages.append(&mut of_files(context, id, channel.as_ref())?);
        }
    }
    Ok(Selection {
        messages,
        by_name: !ids.iter().any(|id| files::is_pattern(id)),
    })
}

fn is_of(one: &Chosen, channel: Option<&ChannelName>) -> bool {
    channel.is_none_or(|channel| one.channel == *channel)
}

fn no_listing(state: &State) -> Failure {
    let text = if state.interactive {
        "no message listing; use the directory command first"
    } else {
        "no message listing; numbers are for a session (imsimta qm), a single command names \
         CHANNEL/FILE as the listing shows them"
    };
    Message::error("QM", "NOLIST", text).into()
}

fn of_listing(
    listing: &[Row],
    id: &str,
    channel: Option<&ChannelName>,
) -> Result<Vec<Chosen>, Failure> {
    let find = |number: usize| {
        let row = listing.iter().find(|row| row.number == number);
        row.and_then(Chosen::of)
            .filter(|one| is_of(one, channel))
            .ok_or_else(|| no_such_message(&format!("number: {number}")))
    };
    numbers(id)?.into_iter().map(find).collect()
}

fn of_files(
    context: &Context,
    name: &str,
    channel: Option<&ChannelName>,
) -> Result<Vec<Chosen>, Failure> {
    let queue = listing::open(context)?;
    let (found, faults) = files::named(&queue, name);
    listing::complain_of(&faults);
    let found = found.into_iter().map(|(channel, place)| Chosen {
        number: None,
        channel,
        place,
    });
    let found: Vec<Chosen> = found.filter(|one| is_of(one, channel)).collect();
    match found[..] {
        [] => Err(no_such_message(&format!("file: {name}"))),
        [_, _, ..] if !files::is_pattern(name) => {
            let text = format!("several message files have this name, say CHANNEL/{name}");
            Err(Message::error("QM", "AMBIGUOUS", text).into())
        }
        _ => Ok(found),
    }
}

fn no_such_message(which: &str) -> Failure {
    Message::error("QM", "NOSUCHMSG", format!("no such message {which}")).into()
}

/// Whether a word names messages by numbers.
fn is_number(id: &str) -> bool {
    id.bytes()
        .all(|byte| byte.is_ascii_digit() || b",-".contains(&byte))
}

/// `1,3,20-22`.
fn numbers(id: &str) -> Result<Vec<usize>, Failure> {
    let mut found = Vec::new();
    for part in id.split(',').filter(|part| !part.is_empty()) {
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

/// What is done to each message, and how it is asked about.
pub(super) struct Deed<'a> {
    /// The verb of the question.
    pub(super) verb: &'a str,
    /// Whether a single command's `-all` means held messages.
    pub(super) held: bool,
    /// Whether messages that are not named one by one are asked about.
    pub(super) ask: bool,
    /// What `-preview` says would be done, if it may be asked for.
    pub(super) preview: Option<report::Deed>,
}

/// The deed itself, and what is said of it.
pub(super) type Act<'a> = dyn FnMut(&Queue, &Chosen) -> Result<Option<Message>, Failure> + 'a;

/// Does `act` to each selected message, asking and reporting as the switches say. A message that
/// cannot be dealt with is reported and the others go on; the command then ends with status 1.
pub(super) fn each(
    context: &Context,
    state: &State,
    words: &Words,
    deed: &Deed<'_>,
    act: &mut Act<'_>,
) -> Outcome {
    let selection = selected(context, state, words, deed.held)?;
    let ask = words.is_on("confirm", deed.ask && !selection.by_name);
    let queue = listing::open(context)?;
    if let Some(previewed) = deed.preview.filter(|_| words.is_on("preview", false)) {
        let named = |one: &Chosen| (one.channel.clone(), one.place.clone());
        let named: Vec<_> = selection.messages.iter().map(named).collect();
        let json = words.is_on("json", false);
        return clean::preview(&queue, previewed, &named, json);
    }
    if deed.preview.is_some() && words.is_on("json", false) {
        let text = "-json shows what -preview counts; without that there is nothing to show";
        return Err(Message::error("QM", "NOPREVIEW", text).into());
    }
    let mut failed = false;
    for chosen in &selection.messages {
        if ask {
            match confirm(&format!("{} {}? [N] ", deed.verb, chosen.described())) {
                Answer::Yes => {}
                Answer::No => continue,
                Answer::Stop if state.interactive || prompt::is_interactive() => break,
                Answer::Stop => {
                    let text = "nobody is there to confirm it; use -noconfirm";
                    return Err(Message::error("QM", "NOTCONFIRMED", text).into());
                }
            }
        }
        match act(&queue, chosen) {
            Ok(Some(message)) if words.is_on("log", true) => message.emit(),
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

const fn deed(verb: &str, held: bool, preview: Option<report::Deed>) -> Deed<'_> {
    Deed {
        verb,
        held,
        ask: true,
        preview,
    }
}

fn done(ident: &'static str, what: &str, path: &std::path::Path) -> Option<Message> {
    let text = format!("{what} the message file {}", path.display());
    Some(Message::info("QM", ident, text))
}

pub(super) fn hold(context: &Context, state: &State, words: &Words) -> Outcome {
    each(
        context,
        state,
        words,
        &deed("Hold", false, Some(report::Deed::Hold)),
        &mut |queue, Chosen { channel, place, .. }| {
            if place.file.is_held() {
                let path = listing::file_path(queue, channel, place);
                return Err(Message::error(
                    "QM",
                    "ALREADYHELD",
                    format!("message is already held: {}", path.display()),
                )
                .into());
            }
            let held = set_aside(context, queue, channel, place, "held by the operator")?;
            Ok(done(
                "HELD",
                "held",
                &listing::file_path(queue, channel, &held),
            ))
        },
    )
}

/// Renames a message file to `.HELD`, with the reason; where it lies now.
pub(super) fn set_aside(
    context: &Context,
    queue: &Queue,
    channel: &ChannelName,
    place: &Place,
    why: &str,
) -> Result<Place, Failure> {
    let held = queue.hold(channel, place, why);
    let held = held.map_err(|error| refused("QM", queue, channel, place, &error))?;
    announce(context, "the file is renamed", &forgotten(channel, place));
    Ok(held)
}

pub(super) fn release(context: &Context, state: &State, words: &Words) -> Outcome {
    each(
        context,
        state,
        words,
        &deed("Release", true, None),
        &mut |queue, Chosen { channel, place, .. }| {
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
                .map_err(|error| refused("QM", queue, channel, &place, &error))?;
            announce(
                context,
                "the file is renamed",
                &Request::Released(mta_channel::enqueue::entry_of(context.config()?, &released)),
            );
            Ok(done("RELEASED", "released", &released.path))
        },
    )
}

pub(super) fn delete(context: &Context, state: &State, words: &Words) -> Outcome {
    each(
        context,
        state,
        words,
        &deed("Delete", false, Some(report::Deed::Delete)),
        &mut |queue, chosen| {
            returning::delete(context, queue, &chosen.channel, &chosen.place)?;
            Ok(done("DELETED", "deleted", &chosen.path(queue)))
        },
    )
}

pub(super) fn give_back(context: &Context, state: &State, words: &Words) -> Outcome {
    each(
        context,
        state,
        words,
        &deed("Return", false, Some(report::Deed::Return)),
        &mut |queue, chosen| {
            returning::one(context, "QM", queue, &chosen.channel, &chosen.place)?;
            Ok(done("RETURNED", "returned", &chosen.path(queue)))
        },
    )
}

/// What a Job Controller is told of a file that must not be handed out any more.
pub(crate) fn forgotten(channel: &ChannelName, place: &Place) -> Request {
    Request::Forgotten {
        channel: channel.clone(),
        place: place.clone(),
    }
}

/// The line for a message file that an operation could not be done to.
pub(crate) fn refused(
    facility: &'static str,
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
        TakeError::Io { source } => ("FAILED", format!("{path}: {source}")),
        other => ("FAILED", format!("{other}: {path}")),
    };
    Message::error(facility, ident, text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_lists_and_ranges() {
        assert_eq!(numbers("1,3,20-22").unwrap(), [1, 3, 20, 21, 22]);
        for wrong in ["3-1", "1-99999999999", "-", "1-2-3"] {
            assert!(is_number(wrong) && numbers(wrong).is_err(), "{wrong}");
        }
        assert!(!is_number("ZZ0T4K00A01C2R70.00") && !is_number("tcp_local/001/ZZ1.00"));
    }

    #[test]
    fn the_question_names_number_and_file() {
        let mut chosen = Chosen {
            number: Some(1),
            channel: ChannelName::new("tcp_local").unwrap(),
            place: Place::parse("001/ZZ0T4K00A01C2R70.00").unwrap(),
        };
        let file = "tcp_local/001/ZZ0T4K00A01C2R70.00";
        assert_eq!(chosen.described(), format!("message 1, {file}"));
        chosen.number = None;
        assert_eq!(chosen.described(), format!("message {file}"));
    }
}
