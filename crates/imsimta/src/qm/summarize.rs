//! `summarize`: one line for each channel.

use super::{Source, State, listing, source};
use crate::cache;
use crate::context::{Context, Failure, Outcome};
use crate::report::summary::{Line, Summary};
use mta_command::output;
use mta_command::switches::Words;
use mta_queue::hold_list::HoldList;
use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

pub(super) fn run(context: &Context, state: &State, words: &Words) -> Outcome {
    let source = source(words, state.source)?;
    let with_held = words.is_on("held", false);
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for channel in context.config()?.channels.iter() {
        let name = channel.name().to_string();
        lines.insert(name.clone(), empty(name, with_held));
    }
    match source {
        Source::Tree => from_tree(context, &mut lines, with_held)?,
        Source::Cache => from_cache(context, &mut lines)?,
    }
    for channel in HoldList::open(&context.root.db())
        .list()
        .unwrap_or_default()
    {
        if let Some(line) = lines.get_mut(channel.as_str()) {
            line.stopped = true;
        }
    }
    let view = Summary {
        source: if source == Source::Tree {
            "tree"
        } else {
            "cache"
        },
        channels: lines.into_values().collect(),
        heading: words.is_on("heading", true),
        trailing: words.is_on("trailing", true),
    };
    output::show(&view, words.is_on("json", false));
    Ok(())
}

fn empty(channel: String, with_held: bool) -> Line {
    Line {
        channel,
        queued: 0,
        held: with_held.then_some(0),
        bytes: 0,
        oldest: None,
        stopped: false,
    }
}

fn from_tree(
    context: &Context,
    lines: &mut BTreeMap<String, Line>,
    with_held: bool,
) -> Result<(), Failure> {
    let queue = listing::open(context)?;
    for channel in queue
        .channels()
        .map_err(|error| listing::unreadable(&error))?
    {
        let name = channel.to_string();
        let line = lines
            .entry(name.clone())
            .or_insert_with(|| empty(name, with_held));
        for file in queue.scan(&channel) {
            if file.place.file.is_held() {
                line.held = line.held.map(|held| held + 1);
                continue;
            }
            let Ok(metadata) = std::fs::metadata(listing::file_path(&queue, &channel, &file.place))
            else {
                continue;
            };
            let made = metadata.created().or_else(|_| metadata.modified());
            let since = made
                .ok()
                .and_then(|made| made.duration_since(UNIX_EPOCH).ok());
            add(
                line,
                metadata.len(),
                since.map_or(0, |since| since.as_secs()),
            );
        }
    }
    Ok(())
}

fn from_cache(context: &Context, lines: &mut BTreeMap<String, Line>) -> Result<(), Failure> {
    let controller = context.controller("QM")?;
    for row in cache::rows(&controller, "QM", None)? {
        let name = row.channel.clone();
        let line = lines
            .entry(name.clone())
            .or_insert_with(|| empty(name, false));
        add(line, row.size, row.enqueued);
    }
    Ok(())
}

fn add(line: &mut Line, bytes: u64, since: u64) {
    let since = i64::try_from(since).unwrap_or(0);
    line.queued += 1;
    line.bytes += bytes;
    line.oldest = Some(line.oldest.map_or(since, |oldest| oldest.min(since)));
}
