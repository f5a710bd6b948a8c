//! `summarize`: one line for each channel.

use super::{Source, State, listing, source, stopped_channels};
use crate::cache;
use crate::context::{Context, Failure, Outcome};
use crate::report::summary::{Line, Summary};
use mta_command::output;
use mta_command::switches::Words;
use mta_queue::scan::ScanFault;
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
    let mut faults = Vec::new();
    match source {
        Source::Tree => {
            let what = Count {
                queued: true,
                held: with_held,
            };
            from_tree(context, &mut lines, what, &mut faults)?;
        }
        Source::Cache => {
            from_cache(context, &mut lines, with_held)?;
            // Held messages are in nobody's cache.
            if with_held {
                let what = Count {
                    queued: false,
                    held: true,
                };
                from_tree(context, &mut lines, what, &mut faults)?;
            }
        }
    }
    listing::complain_of(&faults);
    for channel in stopped_channels(context, "QM").into_iter().flatten() {
        let name = channel.to_string();
        let line = lines.entry(name.clone());
        line.or_insert_with(|| empty(name, with_held)).stopped = true;
    }
    let view = Summary {
        source: if source == Source::Tree {
            "tree"
        } else {
            "cache"
        },
        channels: lines.into_values().collect(),
        complete: faults.is_empty(),
        heading: words.is_on("heading", true),
        trailing: words.is_on("trailing", true),
    };
    output::show(&view, words.is_on("json", false));
    if view.complete {
        Ok(())
    } else {
        Err(Failure::Silent(1))
    }
}

/// What is counted in the queue directories.
#[derive(Debug, Clone, Copy)]
struct Count {
    queued: bool,
    held: bool,
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
    what: Count,
    faults: &mut Vec<ScanFault>,
) -> Result<(), Failure> {
    let queue = listing::open(context)?;
    for channel in queue
        .channels()
        .map_err(|error| listing::unreadable(&error))?
    {
        let name = channel.to_string();
        let line = lines
            .entry(name.clone())
            .or_insert_with(|| empty(name, what.held));
        let mut scan = queue.scan(&channel);
        for file in scan.by_ref() {
            if file.place.file.is_held() {
                line.held = line.held.map(|held| held + 1);
                continue;
            }
            if !what.queued {
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
        faults.append(&mut scan.faults());
    }
    Ok(())
}

/// Counts what the cache knows. Sizes are those of the files, as from the directories: the cache
/// keeps those of the messages in them.
fn from_cache(
    context: &Context,
    lines: &mut BTreeMap<String, Line>,
    with_held: bool,
) -> Result<(), Failure> {
    let controller = context.controller("QM")?;
    let queue = context.root.queue();
    for row in cache::rows(&controller, "QM", None)? {
        let name = row.channel.clone();
        let path = queue.join(&row.channel).join(&row.place);
        let line = lines
            .entry(name.clone())
            .or_insert_with(|| empty(name, with_held));
        add(line, listing::file_size(path, row.bytes), row.enqueued);
    }
    Ok(())
}

fn add(line: &mut Line, bytes: u64, since: u64) {
    let since = i64::try_from(since).unwrap_or(0);
    line.queued += 1;
    line.bytes += bytes;
    line.oldest = Some(line.oldest.map_or(since, |oldest| oldest.min(since)));
}
