//! What becomes due by the mere passing of time.

use super::entries::seconds_between;
use super::event::{Note, Now};
use super::{Scheduler, channel_id, debug};
use crate::cache::{ChannelId, State};
use mta_config::window::SynchTime;

/// Most messages of one channel that become eligible in one turn; the rest follows at once, but
/// other events come between.
const A_TURN: u32 = 1_000;

/// A difference between the two clocks, in seconds, that counts as a jump.
const JUMP: i64 = 30;

/// Milliseconds between two looks at channels that want a job and cannot have one.
const LOOK_AGAIN: u64 = 1_000;

/// Milliseconds between two looks at delivery windows.
const MINUTE: u64 = 60_000;

impl Scheduler {
    /// When to be told [`super::Event::Tick`] next, in milliseconds on the scheduler's clock.
    #[must_use]
    pub fn next_tick(&self) -> u64 {
        let mut next = self.scan.next.min(self.scan.soon.unwrap_or(u64::MAX));
        if let Some(time) = self.next_of_jobs() {
            next = next.min(time);
        }
        for (n, channel) in self.channels.iter().enumerate() {
            let id = channel_id(n);
            if channel.hurry > 0 {
                return self.now.elapsed;
            }
            if let Some((due, _)) = self.cache.first_waiting(id) {
                next = next.min(u64::from(due) * 1_000);
            }
            let work = !channel.servable.is_empty() || self.cache.suspects(id) > 0;
            if work || channel.poll {
                next = next.min(self.now.elapsed + LOOK_AGAIN);
            }
            if channel.has_windows() && self.cache.count(id) > 0 {
                next = next.min(self.now.elapsed + MINUTE);
            }
            if let Some(time) = channel.rescan_at {
                next = next.min(time.max(self.now.elapsed + LOOK_AGAIN));
            }
        }
        next.max(self.now.elapsed)
    }

    /// Takes over the time of an event; the steady clock never goes back.
    pub(super) fn advance(&mut self, now: Now) {
        let elapsed = now.elapsed.max(self.now.elapsed);
        let passed = i64::try_from((elapsed - self.now.elapsed) / 1_000).unwrap_or(i64::MAX);
        let shown = signed_difference(now.wall, self.now.wall);
        self.now = Now { elapsed, ..now };
        let jump = shown.saturating_sub(passed);
        if jump.abs() > JUMP {
            self.note(Note::ClockJumped(jump));
            self.set_absolute_waits();
        }
    }

    /// Waits for a time of the wall clock are reckoned anew after it was moved.
    fn set_absolute_waits(&mut self) {
        let absolute = std::mem::take(&mut self.absolute);
        for (slot, time) in absolute {
            if self.cache.message(slot).state != State::Waiting {
                continue;
            }
            if time > self.now.wall {
                self.make_waiting(slot, seconds_between(self.now.wall, time));
                self.absolute.insert(slot, time);
            } else {
                self.make_eligible(slot);
            }
        }
    }

    pub(super) fn tick(&mut self) {
        for n in 0..self.channels.len() {
            let id = channel_id(n);
            self.look_at_windows(id);
            self.release_due(id);
            let channel = self.channel(id);
            if !channel.servable.is_empty() || channel.poll || self.cache.suspects(id) > 0 {
                self.touch(id);
            }
        }
        self.look_at_jobs();
        self.look_at_scans();
    }

    fn look_at_windows(&mut self, id: ChannelId) {
        let closed = self.channel(id).closed_at(self.now.minute);
        if closed != self.channel(id).closed {
            self.channel_mut(id).closed = closed;
            self.refresh_all(id);
            self.touch(id);
            self.debug(debug::TIMERS, |this| {
                let name = &this.channel(id).settings.name;
                format!("channel {name}: closed priorities are now {closed:05b}")
            });
        }
    }

    /// Brings all queues of a channel up to date after a limit has changed.
    pub(super) fn refresh_all(&mut self, id: ChannelId) {
        let queues: Vec<_> = self.cache.queues_of(id).map(|(queue, _)| queue).collect();
        for queue in queues {
            self.refresh(queue);
        }
    }

    /// Makes messages eligible whose wait is over, or that an operator wants tried now.
    pub(super) fn release_due(&mut self, id: ChannelId) {
        let second = u32::try_from(self.now.elapsed / 1_000).unwrap_or(u32::MAX);
        for _ in 0..A_TURN {
            let Some((due, slot)) = self.cache.first_waiting(id) else {
                self.channel_mut(id).hurry = 0;
                break;
            };
            let channel = self.channel_mut(id);
            if due > second && channel.hurry == 0 {
                break;
            }
            channel.hurry = channel.hurry.saturating_sub(1);
            self.make_eligible(slot);
        }
    }

    fn look_at_scans(&mut self) {
        if self.now.elapsed >= self.scan.next {
            self.scan.next = self.now.elapsed + u64::from(self.settings.synch.interval) * MINUTE;
            self.begin_scan(None);
        } else if self.scan.soon.is_some_and(|at| self.now.elapsed >= at) {
            self.scan.hurried = true;
            self.begin_scan(None);
        }
        if self.scan.since.is_some() {
            return;
        }
        let now = self.now.elapsed;
        let due = |channel: &&mut super::Channel| channel.rescan_at.is_some_and(|at| now >= at);
        if let Some(channel) = self.channels.iter_mut().find(due) {
            channel.rescan_at = None;
            channel.rescanned = Some(now);
            let name = channel.settings.name.clone();
            self.begin_scan(Some(name));
        }
    }
}

/// When the first periodic scan is due.
pub(super) fn first_synch(synch: SynchTime, now: Now) -> u64 {
    let wait = match synch.first {
        None => synch.interval,
        Some(first) => {
            // From the first full minute on, and at the next day's time rather than at once.
            (1_439 + first - now.minute % 1_440) % 1_440 + 1
        }
    };
    now.elapsed + u64::from(wait.max(1)) * MINUTE
}

fn signed_difference(a: u64, b: u64) -> i64 {
    if a >= b {
        i64::try_from(a - b).unwrap_or(i64::MAX)
    } else {
        -i64::try_from(b - a).unwrap_or(i64::MAX)
    }
}
