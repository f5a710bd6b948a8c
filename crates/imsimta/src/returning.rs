//! `imsimta return`: message files go back to their senders; and the removal that `qm delete` does.

use crate::context::{Context, Failure, Outcome};
use crate::qm;
use jiff::Timestamp;
use mta_channel::dequeue::{ReturnError, Returner};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::Verb;
use mta_config::Channel;
use mta_envelope::names::{ChannelName, Place};
use mta_ipc::job_controller::Request;
use mta_message::template::Kind;
use mta_queue::Queue;
use mta_queue::error::TakeError;
use std::path::{Path, PathBuf};

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
    let queue = qm::listing::open(context)?;
    let mut failed = false;
    for name in words.parameters() {
        let files = files(queue.path(), name);
        if files.is_empty() {
            Message::error(
                "RETURN",
                "NOSUCHFILE",
                format!("no such message file: {name}"),
            )
            .emit();
            failed = true;
        }
        let many = name.contains(['*', '?']);
        for (channel, place) in files {
            match one(context, &queue, &channel, &place) {
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
    queue: &Queue,
    channel: &ChannelName,
    place: &Place,
) -> Outcome {
    let channel = configured(context, channel)?;
    let returned = returner(context)?.give_back(channel, place, Kind::Bounced, Timestamp::now());
    returned
        .map(drop)
        .map_err(|error| explained("NOTRETURNED", queue, channel.name(), place, error))
}

/// Removes one message file, with its `K` records and without a notice.
pub(crate) fn delete(
    context: &Context,
    queue: &Queue,
    channel: &ChannelName,
    place: &Place,
) -> Outcome {
    let configured = configured(context, channel)?;
    match returner(context)?.discard(configured, place, Timestamp::now()) {
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
                .map_err(|error| qm::refused(queue, channel, &place, &error))?;
            qm::announce(
                context,
                &Request::Forgotten {
                    channel: channel.clone(),
                    place,
                },
            );
            Ok(())
        }
        Err(error) => Err(explained("NOTDELETED", queue, channel, place, error)),
    }
}

fn place_exists(queue: &Queue, channel: &ChannelName, place: &Place) -> bool {
    qm::listing::file_path(queue, channel, place).exists()
}

fn explained(
    ident: &'static str,
    queue: &Queue,
    channel: &ChannelName,
    place: &Place,
    error: ReturnError,
) -> Failure {
    match error {
        ReturnError::Taken(error) => qm::refused(queue, channel, place, &error),
        other => Message::error("QM", ident, format!("{other}: {channel}/{place}")).into(),
    }
}

fn configured<'a>(context: &'a Context, name: &ChannelName) -> Result<&'a Channel, Failure> {
    let unknown = || Message::error("QM", "NOSUCHCHAN", format!("no such channel: {name}")).into();
    context.config()?.channel(name).ok_or_else(unknown)
}

fn returner(context: &Context) -> Result<Returner, Failure> {
    let config = std::sync::Arc::new(context.config()?.clone());
    Returner::open(config, &context.root, "imsimta")
        .map_err(|error| Message::error("QM", "NOQUEUE", error.to_string()).into())
}

/// The message files that a path names; `*` and `?` stand in its last part.
fn files(queue: &Path, name: &str) -> Vec<(ChannelName, Place)> {
    let path = std::path::absolute(name).unwrap_or_else(|_| PathBuf::from(name));
    // A path of the working directory, else one below the queue.
    let path = if path.starts_with(queue) {
        path
    } else {
        queue.join(name)
    };
    let Ok(below) = path.strip_prefix(queue) else {
        return Vec::new();
    };
    let parts: Vec<&str> = below.iter().filter_map(|part| part.to_str()).collect();
    let (channel, directory, pattern) = match parts[..] {
        [channel, pattern] => (channel, None, pattern),
        [channel, subdir, pattern] => (channel, Some(subdir), pattern),
        _ => return Vec::new(),
    };
    let Ok(channel) = ChannelName::new(channel) else {
        return Vec::new();
    };
    let parent = path.parent().unwrap_or(queue);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let Ok(file) = entry.file_name().into_string() else {
            continue;
        };
        if crate::logs::matches_pattern(pattern, &file) {
            let place =
                directory.map_or_else(|| file.clone(), |directory| format!("{directory}/{file}"));
            found.extend(Place::parse(&place).map(|place| (channel.clone(), place)));
        }
    }
    found.sort();
    found
}
