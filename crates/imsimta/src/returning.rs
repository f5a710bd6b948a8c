//! `imsimta return`: message files go back to their senders; and the removal that `qm delete` does.

use crate::context::{Context, Failure, Outcome};
use crate::qm::{self, files, listing};
use jiff::Timestamp;
use mta_channel::dequeue::{ReturnError, Returner};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::Verb;
use mta_config::Channel;
use mta_envelope::names::{ChannelName, Place};
use mta_message::template::Kind;
use mta_queue::Queue;
use mta_queue::error::TakeError;

pub(crate) const VERBS: &[Verb] = &[Verb {
    name: "return",
    about: "bounce message files to their senders",
    parameters: "message-file...",
    least: 1,
    most: 100_000,
    switches: &[],
}];

pub(crate) fn run(context: &Context, typed: &[String]) -> Outcome {
    let words = VERBS[0].parse(typed)?;
    let queue = listing::open(context)?;
    let mut failed = false;
    for name in words.parameters() {
        let (files, faults) = files::named(&queue, name);
        listing::complain_of(&faults);
        failed |= !faults.is_empty();
        if files.is_empty() {
            Message::error(
                "RETURN",
                "NOSUCHFILE",
                format!("no such message file: {name}"),
            )
            .emit();
            failed = true;
        }
        let many = files::is_pattern(name);
        for (channel, place) in files {
            match one(context, "RETURN", &queue, &channel, &place) {
                Ok(()) if many => output::line(&format!("returned {channel}/{place}")),
                Ok(()) => {}
                Err(Failure::Said(message)) => {
                    message.emit();
                    failed = true;
                }
                Err(Failure::Silent(_)) => failed = true,
            }
        }
    }
    if failed {
        Err(Failure::Silent(1))
    } else {
        Ok(())
    }
}

/// Bounces one message file: the notice is in its queue before the file is removed.
pub(crate) fn one(
    context: &Context,
    facility: &'static str,
    queue: &Queue,
    channel: &ChannelName,
    place: &Place,
) -> Outcome {
    let channel = configured(context, facility, channel)?;
    let returner = returner(context, facility)?;
    let returned = returner.give_back(channel, place, Kind::Bounced, Timestamp::now());
    returned.map(drop).map_err(|error| match error {
        ReturnError::Taken(error) => qm::refused(facility, queue, channel.name(), place, &error),
        other => {
            let text = format!("{other}: {}/{place}", channel.name());
            Message::error(facility, "NOTRETURNED", text).into()
        }
    })
}

/// Removes one message file, with its `K` records and without a notice.
pub(crate) fn delete(
    context: &Context,
    queue: &Queue,
    channel: &ChannelName,
    place: &Place,
) -> Outcome {
    let configured = configured(context, "QM", channel)?;
    match returner(context, "QM")?.discard(configured, place, Timestamp::now()) {
        Ok(()) => Ok(()),
        // What cannot be read can be removed all the same; there is nothing to record of it.
        Err(ReturnError::Taken(TakeError::Damaged { .. } | TakeError::SetAside { .. })) => {
            let place = if place_exists(queue, channel, place) {
                place.clone()
            } else {
                place.renamed(place.file.held())
            };
            queue
                .delete(channel, &place)
                .map_err(|error| qm::refused("QM", queue, channel, &place, &error))?;
            let gone = qm::forgotten(channel, &place);
            qm::announce(context, "the file is removed", &gone);
            Ok(())
        }
        Err(ReturnError::Taken(error)) => Err(qm::refused("QM", queue, channel, place, &error)),
        Err(other) => {
            let text = format!("{other}: {channel}/{place}");
            Err(Message::error("QM", "NOTDELETED", text).into())
        }
    }
}

fn place_exists(queue: &Queue, channel: &ChannelName, place: &Place) -> bool {
    listing::file_path(queue, channel, place).exists()
}

fn configured<'a>(
    context: &'a Context,
    facility: &'static str,
    name: &ChannelName,
) -> Result<&'a Channel, Failure> {
    context.config()?.channel(name).ok_or_else(|| {
        let text = format!("no such channel: {name}");
        Message::error(facility, "NOSUCHCHAN", text).into()
    })
}

fn returner(context: &Context, facility: &'static str) -> Result<Returner, Failure> {
    let config = std::sync::Arc::new(context.config()?.clone());
    Returner::open(config, &context.root, "imsimta")
        .map_err(|error| Message::error(facility, "NOQUEUE", error.to_string()).into())
}
