//! Reading the messages of the queue, for `clean` and `top`: which ones, with how many threads.

use super::{Source, files, listing, source};
use crate::cache;
use crate::context::{Context, Failure};
use crate::logs::matches_pattern;
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::Words;
use mta_envelope::names::{ChannelName, Place};
use mta_queue::Queue;
use mta_queue::error::TakeError;
use mta_queue::message::Message as Queued;
use std::io;
use std::thread;

/// `-threads`.
pub(super) fn threads(words: &Words) -> Result<usize, Failure> {
    let threads: usize = words.number("threads")?.unwrap_or(1);
    if (1..=8).contains(&threads) {
        return Ok(threads);
    }
    let text = "invalid value for -threads: 1 to 8 is expected";
    Err(Message::error("IMTA", "IVVALU", text).into())
}

/// The files that are looked at, and whether all directories could be read.
pub(super) fn chosen(
    context: &Context,
    queue: &Queue,
    usual: Source,
    words: &Words,
) -> Result<(Vec<(ChannelName, Place)>, bool), Failure> {
    let held = words.is_on("held", false);
    let pattern = words.parameter(0).unwrap_or("*");
    if !files::is_pattern(pattern) {
        context.channel("QM", pattern)?;
    }
    let source = if held {
        Source::Tree
    } else {
        source(words, usual)?
    };
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    match source {
        Source::Cache => {
            let controller = context.controller("QM")?;
            for row in cache::rows(&controller, "QM", None)? {
                let names = (ChannelName::new(&row.channel), Place::parse(&row.place));
                if let (Ok(channel), Ok(place)) = names {
                    found.push((channel, place));
                }
            }
        }
        Source::Tree => {
            let channels = queue.channels();
            for channel in channels.map_err(|error| listing::unreadable(&error))? {
                let mut scan = queue.scan(&channel);
                let places = scan.by_ref().map(|file| file.place);
                let places = places.filter(|place| place.file.is_held() == held);
                found.extend(places.map(|place| (channel.clone(), place)));
                faults.append(&mut scan.faults());
            }
        }
    }
    let skip_untried = words.is_on("ignore_zz", false);
    found.retain(|(channel, place)| {
        matches_pattern(pattern, channel.as_str())
            && !(skip_untried && place.file.as_str().starts_with("ZZ"))
    });
    listing::complain_of(&faults);
    Ok((found, faults.is_empty()))
}

/// How messages are read.
pub(super) struct Reader<'q> {
    pub(super) queue: &'q Queue,
    pub(super) threads: usize,
    /// Each file is named.
    pub(super) verbose: bool,
}

impl Reader<'_> {
    /// Shows each message to `look`, which keeps what it finds in the state of its thread. What
    /// cannot be read is told. The states, and whether everything was read.
    pub(super) fn each<T: Default + Send>(
        &self,
        files: &[(ChannelName, Place)],
        look: impl Fn(&ChannelName, &Place, &Queued, &mut T) -> io::Result<()> + Sync,
    ) -> (Vec<T>, bool) {
        let part = files.len().div_ceil(self.threads).max(1);
        let look = &look;
        let done: Vec<(T, Vec<String>)> = thread::scope(|scope| {
            let parts = files.chunks(part);
            let parts: Vec<_> = parts
                .map(|files| scope.spawn(move || self.part(files, look)))
                .collect();
            // A thread that has panicked has said so, and has found nothing.
            let joined = parts
                .into_iter()
                .map(|part| part.join().unwrap_or_default());
            joined.collect()
        });
        let (states, faults): (Vec<T>, Vec<Vec<String>>) = done.into_iter().unzip();
        let faults = faults.concat();
        for fault in &faults {
            Message::warning("QM", "UNREADABLE", fault.clone()).emit();
        }
        (states, faults.is_empty())
    }

    fn part<T: Default>(
        &self,
        files: &[(ChannelName, Place)],
        look: &impl Fn(&ChannelName, &Place, &Queued, &mut T) -> io::Result<()>,
    ) -> (T, Vec<String>) {
        let (mut state, mut faults) = (T::default(), Vec::new());
        for (channel, place) in files {
            if self.verbose {
                output::line(&format!("{channel}/{place}"));
            }
            let message = match self.queue.read_message(channel, place, false) {
                Ok(message) => message,
                // Delivered since.
                Err(TakeError::Gone) => continue,
                Err(error) => {
                    faults.push(format!("{error}: {channel}/{place}"));
                    continue;
                }
            };
            if let Err(error) = look(channel, place, &message, &mut state) {
                faults.push(format!("{error}: {channel}/{place}"));
            }
        }
        (state, faults)
    }
}
