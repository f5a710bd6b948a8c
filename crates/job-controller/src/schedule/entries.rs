//! What enters and leaves the cache.
//!
//! A file is known by its channel and the unchanging part of its name, so that a hint, a scan
//! and a rename that cross each other never make two entries of one file. Where they disagree,
//! the higher attempt count is the later truth; a wrong guess costs one job the discovery that
//! the file is gone.

use super::event::{Found, Note};
use super::{Action, Scheduler, debug};
use crate::backoff;
use crate::cache::{ChannelId, QueueId, Rank, Slot};
use mta_envelope::names::{ChannelName, Place};
use mta_ipc::job_controller::Entry;

/// How an entry came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Announced by its writer.
    Announced,
    /// What a job left of a message; eligible at once.
    Split,
    /// Released by an operator; ahead of everything.
    Released,
    /// Found on disk.
    Found {
        /// When it was last tried, if ever.
        tried: u64,
        /// Programs that died with it, in a row.
        deaths: u8,
    },
}

/// Milliseconds from the death of a job to the scan for what it may have enqueued before; the
/// jobs that die meanwhile share it.
const SCAN_AFTER_DEATH: u64 = 2_000;

/// Milliseconds of rest between two scans after deaths ...
const SCAN_REST: u64 = 30_000;

/// ... and so many times as long as the scan took.
const SCAN_SHARE: u64 = 4;

/// Milliseconds until a scan that was not complete is done again, the first time ...
const FIRST_AGAIN: u64 = 60_000;

/// ... and, after doubling, the last.
const LAST_AGAIN: u64 = 600_000;

/// A host name longer than this is no host name.
const LONGEST_HOST: usize = 255;

impl Scheduler {
    pub(super) fn enqueued(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.take_in(&entry, Origin::Announced);
        }
    }

    pub(super) fn found(&mut self, found: Vec<Found>) {
        for file in found {
            let origin = Origin::Found {
                tried: file.tried,
                deaths: file.deaths,
            };
            self.take_in(&file.entry, origin);
        }
    }

    pub(super) fn released(&mut self, entry: &Entry) {
        self.take_in(entry, Origin::Released);
    }

    pub(super) fn forgotten(&mut self, channel: &ChannelName, place: &Place) {
        let known = self
            .by_name
            .get(channel)
            .and_then(|id| self.cache.find(*id, place.file.unique()));
        // What a job has in hand it will settle; whoever took the file away held its lock.
        if let Some(slot) = known.filter(|slot| !self.in_hand.contains_key(slot)) {
            self.forget(slot);
        }
    }

    /// Takes a file into the cache, or brings what is known of it up to date.
    pub(super) fn take_in(&mut self, entry: &Entry, origin: Origin) {
        if entry.place.file.is_held() {
            return;
        }
        let Some(channel) = self.channel_id(&entry.channel) else {
            return;
        };
        if let Some(slot) = self.cache.find(channel, entry.place.file.unique()) {
            self.meet_again(slot, entry, origin);
            return;
        }
        let optional = matches!(origin, Origin::Announced | Origin::Found { .. });
        if optional && self.is_full() {
            return;
        }
        let host = self.sorting_host(channel, &entry.host);
        let turn = self.turn;
        let slot = self.cache.insert(channel, &host, &entry.place);
        let message = self.cache.message_mut(slot);
        message.arrived = u32::try_from(entry.arrived).unwrap_or(u32::MAX);
        message.size = u32::try_from(entry.size).unwrap_or(u32::MAX);
        message.recipients = u16::try_from(entry.recipients).unwrap_or(u16::MAX);
        message.priority = entry.priority;
        message.handed_out = matches!(origin, Origin::Split | Origin::Released);
        if let Origin::Found { deaths, .. } = origin {
            message.recovered = true;
            message.deaths = deaths;
        }
        let queue = self.cache.queue_mut(self.cache.message(slot).queue);
        if queue.messages == 1 && queue.servable.is_none() {
            // A new host goes to the end of the round.
            queue.turn = turn;
        }
        self.place_new(slot, entry, origin);
        self.debug(debug::ENTRIES, |_| {
            format!(
                "channel {}: {} taken in ({origin:?})",
                entry.channel, entry.place
            )
        });
    }

    /// Decides where a message that has just come in goes.
    fn place_new(&mut self, slot: Slot, entry: &Entry, origin: Origin) {
        let channel = self.cache.channel_of(slot);
        let settings = &self.channel(channel).settings;
        let priority = entry.priority as usize;
        let attempts = entry.place.file.attempts();
        let (mut wait, mut not_before) = (0, entry.not_before);
        match origin {
            Origin::Released => {
                self.make_ready(slot, Rank::RELEASED);
                return;
            }
            Origin::Found { tried, .. } if attempts > 0 => {
                let whole = backoff::wait(&settings.backoff[priority], attempts);
                wait = backoff::remaining(whole, tried, self.now.wall);
            }
            Origin::Announced | Origin::Split | Origin::Found { .. } => {}
        }
        if attempts == 0 && origin != Origin::Split {
            not_before = not_before.max(settings.after[priority].not_before(entry.arrived));
        }
        if let Some(time) = not_before.filter(|time| *time > self.now.wall) {
            self.absolute.insert(slot, time);
            wait = wait.max(seconds_between(self.now.wall, time));
        }
        if wait == 0 {
            self.make_eligible(slot);
        } else {
            self.make_waiting(slot, wait);
        }
    }

    /// A file that is known already is announced or found once more.
    fn meet_again(&mut self, slot: Slot, entry: &Entry, origin: Origin) {
        if self.in_hand.contains_key(&slot) {
            return;
        }
        let message = self.cache.message(slot);
        if origin == Origin::Released {
            self.cache.rename(slot, &entry.place);
            self.make_ready(slot, Rank::RELEASED);
        } else if entry.place.file.attempts() >= message.attempts {
            // Somebody renamed it by hand, or we are behind.
            self.cache.rename(slot, &entry.place);
        }
    }

    fn sorting_host(&self, channel: ChannelId, host: &str) -> String {
        if self.channel(channel).sorts && host.len() <= LONGEST_HOST {
            host.to_ascii_lowercase()
        } else {
            String::new()
        }
    }

    /// Whether there is no room; the first time, says so and stops a scan.
    fn is_full(&mut self) -> bool {
        let limit = self.settings.max_messages;
        if (self.cache.len() as u64) < limit {
            return false;
        }
        if !self.overflowed {
            self.overflowed = true;
            self.note(Note::Overflow { limit });
            if self.scan.since.is_some() {
                self.actions.push(Action::StopScan);
            }
        }
        true
    }

    /// Drops a message that is on a list or on none.
    pub(super) fn forget(&mut self, slot: Slot) {
        let queue = self.cache.message(slot).queue;
        self.absolute.remove(&slot);
        self.cache.remove(slot);
        self.refresh(queue);
        if self.overflowed && self.cache.len() as u64 <= self.settings.max_messages / 2 {
            self.overflowed = false;
            self.note(Note::Drained);
            self.begin_scan(None);
        }
    }

    /// Makes a message eligible: alone if programs died with it, else with the others.
    pub(super) fn make_eligible(&mut self, slot: Slot) {
        let message = self.cache.message(slot);
        if message.deaths > 0 {
            let channel = self.cache.channel_of(slot);
            let queue = message.queue;
            self.absolute.remove(&slot);
            self.cache.make_suspect(slot);
            self.refresh(queue);
            self.touch(channel);
        } else {
            let old = message.recovered || message.attempts > 0;
            self.make_ready(slot, Rank::new(message.priority, old));
        }
    }

    pub(super) fn make_ready(&mut self, slot: Slot, rank: Rank) {
        self.absolute.remove(&slot);
        self.cache.make_ready(slot, rank);
        self.refresh(self.cache.message(slot).queue);
        self.touch(self.cache.channel_of(slot));
    }

    /// Lets a message wait for so many seconds.
    pub(super) fn make_waiting(&mut self, slot: Slot, wait: u32) {
        let due = self.second().saturating_add(wait);
        self.cache.make_waiting(slot, due);
        self.refresh(self.cache.message(slot).queue);
    }

    /// Brings a queue's place among its channel's servable ones up to date, and gives an empty
    /// one back.
    pub(super) fn refresh(&mut self, id: QueueId) {
        let queue = self.cache.queue(id);
        let channel = &mut self.channels[queue.channel.index()];
        let depth = channel.settings.threaddepth.max(1);
        let enough = !channel.sorts
            || queue.threads == 0
            || queue.eligible(channel.closed) > depth.saturating_mul(queue.threads);
        let best = queue.best(channel.closed).filter(|_| enough);
        let (was, turn) = (queue.servable, queue.turn);
        if was != best {
            if let Some(rank) = was {
                channel.servable.remove(&(rank, turn, id));
            }
            if let Some(rank) = best {
                channel.servable.insert((rank, turn, id));
            }
            self.cache.queue_mut(id).servable = best;
        }
        self.cache.release_queue(id);
    }

    /// Sends a queue to the end of the round.
    pub(super) fn send_to_the_end(&mut self, id: QueueId) {
        self.turn += 1;
        let turn = self.turn;
        let queue = self.cache.queue_mut(id);
        let before = (queue.servable.take(), queue.turn);
        queue.turn = turn;
        let channel = queue.channel;
        if let (Some(rank), old) = before {
            self.channel_mut(channel).servable.remove(&(rank, old, id));
        }
        self.refresh(id);
    }

    pub(super) fn begin_scan(&mut self, channel: Option<ChannelName>) {
        if self.down {
            return;
        }
        if channel.is_none() {
            self.scan.soon = None;
        }
        if self.scan.since.is_some() {
            self.scan.again |= channel.is_none();
            return;
        }
        self.scan.since = Some(self.now.elapsed);
        if channel.is_none() {
            self.note(Note::ScanBegins);
        }
        self.actions.push(Action::Scan(channel));
    }

    pub(super) fn scan_done(&mut self, complete: bool) {
        let Some(since) = self.scan.since.take() else {
            return;
        };
        let took = self.now.elapsed - since;
        if std::mem::take(&mut self.scan.hurried) {
            self.scan.rest_until = self.now.elapsed + SCAN_REST + SCAN_SHARE * took;
        }
        let first = !self.scan.built;
        // One that was stopped for lack of room is done again when there is some.
        if complete || self.overflowed || self.down {
            self.scan.built = true;
            self.scan.incomplete = 0;
        } else {
            self.scan_again();
        }
        if first || self.settings.debug & debug::SCANS != 0 {
            self.note(Note::ScanEnds {
                messages: self.cache.len(),
                took,
            });
        }
        if std::mem::take(&mut self.scan.again) {
            self.begin_scan(None);
        }
    }

    /// What a scan could not read may be mail that nobody else knows of.
    fn scan_again(&mut self) {
        let wait = FIRST_AGAIN << self.scan.incomplete.min(4);
        self.scan.incomplete += 1;
        let wait = wait.min(LAST_AGAIN);
        self.note(Note::ScanIncomplete { again: wait });
        let due = self.now.elapsed + wait;
        self.scan.soon = Some(self.scan.soon.map_or(due, |other| other.min(due)));
    }

    /// A job has ended that may have put a notice, or what reprocessing made, into a queue
    /// without telling anybody.
    pub(super) fn scan_after_death(&mut self) {
        let due = (self.now.elapsed + SCAN_AFTER_DEATH).max(self.scan.rest_until);
        self.scan.soon = Some(self.scan.soon.map_or(due, |other| other.min(due)));
    }

    /// A job found the file of a message gone. If that was a rename by hand, a look into the
    /// directory finds the new name; one a while is enough.
    pub(super) fn look_after_gone(&mut self, channel: ChannelId) {
        const SOON: u64 = 60_000;
        const SELDOM: u64 = 600_000;
        let now = self.now.elapsed;
        let channel = self.channel_mut(channel);
        let next = channel.rescanned.map_or(0, |then| then + SELDOM);
        channel.rescan_at.get_or_insert(next.max(now + SOON));
    }
}

/// Seconds from `from` to a later `to`, capped at ten years.
pub(super) fn seconds_between(from: u64, to: u64) -> u32 {
    const TEN_YEARS: u32 = 315_360_000;
    u32::try_from(to.saturating_sub(from))
        .unwrap_or(TEN_YEARS)
        .min(TEN_YEARS)
}
