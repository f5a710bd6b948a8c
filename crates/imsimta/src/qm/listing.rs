//! `directory` and `held`: message files, numbered for later commands.

use super::{Source, State, files, source};
use crate::cache;
use crate::context::{Context, Failure, Outcome};
use crate::logs::matches_pattern;
use crate::report::clock;
use crate::report::directory::{Directory, Outside, Row};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::Words;
use mta_envelope::names::{ChannelName, Place};
use mta_queue::Queue;
use mta_queue::scan::ScanFault;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What is asked for.
struct Wanted<'a> {
    channels: &'a str,
    held: bool,
    envelope: bool,
    file_info: bool,
    from: Option<&'a str>,
    to: Option<&'a str>,
    both: bool,
}

impl<'a> Wanted<'a> {
    fn read(words: &'a Words, held: bool) -> Result<Self, Failure> {
        let both = match words.value("match").map(str::to_ascii_uppercase).as_deref() {
            None | Some("OR") => false,
            Some("AND") => true,
            Some(_) => {
                return Err(Message::error(
                    "IMTA",
                    "IVVALU",
                    "invalid value for -match: AND or OR is expected",
                )
                .into());
            }
        };
        let (from, to) = (words.value("from"), words.value("to"));
        Ok(Self {
            channels: words.parameter(0).unwrap_or("*"),
            held,
            envelope: words.is_on("envelope", false) || from.is_some() || to.is_some(),
            file_info: words.is_on("file_info", true),
            from,
            to,
            both,
        })
    }

    fn accepts(&self, outside: &Outside) -> bool {
        // As addresses are written in envelopes, with or without their angle brackets.
        let same = |wanted: &str, one: &str| {
            let wanted = wanted.trim_matches(['<', '>']);
            wanted.eq_ignore_ascii_case(one)
        };
        let from = self.from.map(|from| same(from, &outside.from));
        let to = self.to.map(|to| outside.to.iter().any(|one| same(to, one)));
        match (from, to) {
            (Some(from), Some(to)) if self.both => from && to,
            (Some(from), Some(to)) => from || to,
            (one, other) => one.or(other).unwrap_or(true),
        }
    }
}

pub(super) fn directory(context: &Context, state: &mut State, words: &Words) -> Outcome {
    if words.value("owner").is_some() {
        let text = "-owner is not available in this version";
        return Err(Message::error("QM", "NOTYET", text).into());
    }
    let held = words.is_on("held", false);
    let source = if held {
        Source::Tree
    } else {
        source(words, state.source)?
    };
    print(context, state, words, &Wanted::read(words, held)?, source)
}

pub(super) fn held(context: &Context, state: &mut State, words: &Words) -> Outcome {
    print(
        context,
        state,
        words,
        &Wanted::read(words, true)?,
        Source::Tree,
    )
}

fn print(
    context: &Context,
    state: &mut State,
    words: &Words,
    wanted: &Wanted<'_>,
    source: Source,
) -> Outcome {
    let (rows, faults) = match source {
        Source::Tree => from_tree(context, wanted)?,
        Source::Cache => (from_cache(context, wanted)?, Vec::new()),
    };
    complain_of(&faults);
    if rows.is_empty() && !files::is_pattern(wanted.channels) {
        // A name that is no channel is a slip; an empty channel is not.
        context.channel("QM", wanted.channels)?;
    }
    let view = Directory {
        date: clock::now(),
        source: if source == Source::Tree {
            "tree"
        } else {
            "cache"
        },
        total_blocks: rows.iter().filter_map(|row| row.size_blocks).sum(),
        total_bytes: rows.iter().filter_map(|row| row.bytes).sum(),
        messages: rows,
        complete: faults.is_empty(),
        with_sizes: wanted.file_info,
        with_total: words.is_on("total", true),
    };
    output::show(&view, words.is_on("json", false));
    state.listing = Some(view.messages);
    if view.complete {
        Ok(())
    } else {
        Err(Failure::Silent(1))
    }
}

/// Names what could not be read: messages may lie there.
pub(crate) fn complain_of(faults: &[ScanFault]) {
    for fault in faults {
        let text = format!("{fault}: {}", fault.source);
        Message::warning("QM", "UNREADABLE", text).emit();
    }
}

/// The messages that `-all` means in a single command.
pub(super) fn implied(
    context: &Context,
    channel: Option<&ChannelName>,
    held: bool,
) -> Result<Vec<Row>, Failure> {
    let wanted = Wanted {
        channels: channel.map_or("*", ChannelName::as_str),
        held,
        envelope: false,
        file_info: true,
        from: None,
        to: None,
        both: false,
    };
    let (rows, faults) = from_tree(context, &wanted)?;
    complain_of(&faults);
    Ok(rows)
}

fn from_tree(
    context: &Context,
    wanted: &Wanted<'_>,
) -> Result<(Vec<Row>, Vec<ScanFault>), Failure> {
    let queue = open(context)?;
    let block = context.config()?.block_size();
    let channels = queue.channels().map_err(|error| unreadable(&error))?;
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for channel in channels
        .iter()
        .filter(|channel| matches_pattern(wanted.channels, channel.as_str()))
    {
        let mut found: Vec<Row> = Vec::new();
        let mut scan = queue.scan(channel);
        for file in scan.by_ref() {
            if file.place.file.is_held() == wanted.held {
                found.extend(tree_row(&queue, channel, &file.place, wanted, block));
            }
        }
        faults.append(&mut scan.faults());
        found.sort_by(|a, b| (a.queued_since, &a.place).cmp(&(b.queued_since, &b.place)));
        rows.append(&mut found);
    }
    Ok((numbered(rows), faults))
}

/// One file of the tree; nothing if it went away while we looked, or is not wanted.
fn tree_row(
    queue: &Queue,
    channel: &ChannelName,
    place: &Place,
    wanted: &Wanted<'_>,
    block: u64,
) -> Option<Row> {
    let path = file_path(queue, channel, place);
    let mut row = bare_row(channel, place, &path);
    if wanted.file_info {
        let metadata = std::fs::metadata(&path).ok()?;
        row.set_size(metadata.len(), block);
        let created = metadata.created().or_else(|_| metadata.modified()).ok()?;
        let since = created
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        row.queued_since = i64::try_from(since).ok();
    }
    if wanted.envelope {
        let outside = match queue.read_envelope(channel, place) {
            Ok((envelope, _)) => Outside {
                from: envelope.sender_text().to_owned(),
                to: envelope
                    .recipients
                    .iter()
                    .map(|to| to.address.to_string())
                    .collect(),
            },
            Err(error) => Outside {
                from: format!("(unreadable: {error})"),
                to: Vec::new(),
            },
        };
        if !wanted.accepts(&outside) {
            return None;
        }
        row.envelope = Some(outside);
    }
    Some(row)
}

fn from_cache(context: &Context, wanted: &Wanted<'_>) -> Result<Vec<Row>, Failure> {
    let queue = open(context)?;
    let block = context.config()?.block_size();
    let controller = context.controller("QM")?;
    let mut rows = Vec::new();
    for cached in cache::rows(&controller, "QM", None)? {
        if !matches_pattern(wanted.channels, &cached.channel) {
            continue;
        }
        let (Ok(channel), Ok(place)) = (
            ChannelName::new(&cached.channel),
            Place::parse(&cached.place),
        ) else {
            continue;
        };
        let row = if wanted.envelope {
            tree_row(&queue, &channel, &place, wanted, block)
        } else {
            Some(bare_row(
                &channel,
                &place,
                &file_path(&queue, &channel, &place),
            ))
        };
        if let Some(mut row) = row {
            if wanted.file_info {
                row.set_size(file_size(&row.path, cached.bytes), block);
                row.queued_since = i64::try_from(cached.enqueued).ok();
            }
            rows.push(row);
        }
    }
    rows.sort_by(|a, b| {
        (&a.channel, a.queued_since, &a.place).cmp(&(&b.channel, b.queued_since, &b.place))
    });
    Ok(numbered(rows))
}

/// Octets of a message file; of one that is gone meanwhile, what the cache knows of its contents.
pub(super) fn file_size(path: impl AsRef<Path>, cached: u64) -> u64 {
    std::fs::metadata(path).map_or(cached, |metadata| metadata.len())
}

fn bare_row(channel: &ChannelName, place: &Place, path: &Path) -> Row {
    Row {
        number: 0,
        channel: channel.to_string(),
        file: place.file.to_string(),
        place: place.to_string(),
        path: path.display().to_string(),
        size_blocks: None,
        bytes: None,
        queued_since: None,
        envelope: None,
    }
}

fn numbered(mut rows: Vec<Row>) -> Vec<Row> {
    for (index, row) in rows.iter_mut().enumerate() {
        row.number = index + 1;
    }
    rows
}

/// Where a message file lies.
pub(crate) fn file_path(queue: &Queue, channel: &ChannelName, place: &Place) -> PathBuf {
    queue.path().join(channel.as_str()).join(place.to_string())
}

/// The queue area.
pub(crate) fn open(context: &Context) -> Result<Queue, Failure> {
    Queue::open(&context.root.queue()).map_err(|error| unreadable(&error))
}

pub(super) fn unreadable(error: &dyn std::fmt::Display) -> Failure {
    Message::error("QM", "NOQUEUE", format!("cannot read the queue: {error}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelope_addresses_combine_as_asked() {
        let outside = Outside {
            from: "a@x".into(),
            to: vec!["b@y".into(), "c@z".into()],
        };
        let table = [
            (Some("a@x"), None, false, true),
            (Some("<a@x>"), Some("q@q"), false, true),
            (Some("a@x"), Some("q@q"), true, false),
            (Some("a@x"), Some("C@Z"), true, true),
            (Some("<>"), None, false, false),
            (None, Some("<c@z>"), false, true),
            (None, Some("q@q"), false, false),
            (None, None, false, true),
        ];
        for (from, to, both, expected) in table {
            let wanted = Wanted {
                channels: "*",
                held: false,
                envelope: true,
                file_info: true,
                from,
                to,
                both,
            };
            assert_eq!(wanted.accepts(&outside), expected, "{from:?} {to:?} {both}");
        }
    }
}
