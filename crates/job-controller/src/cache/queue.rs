//! The messages of one channel for one destination host.

use super::message::{List, Message, Rank, Slot};

/// A host's queue within one channel. For a channel that does not sort there is one, with an
/// empty host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueueId(pub(super) u32);

impl QueueId {
    /// The least of all.
    pub(crate) const FIRST: Self = Self(0);
    pub(super) const NONE: Self = Self(u32::MAX);

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A channel's place in the scheduler's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChannelId(pub(crate) u16);

impl ChannelId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One host's queue: ready lists by rank, and counts.
#[derive(Debug)]
pub(crate) struct HostQueue {
    pub(crate) channel: ChannelId,
    pub(crate) host: Box<str>,
    /// Few ranks are in use at a time: a short sorted vector beats a table of all.
    ready: Vec<(Rank, List)>,
    /// Messages that exist in this queue in any state; at 0 it may go.
    pub(crate) messages: u32,
    pub(crate) ready_count: u32,
    pub(crate) waiting_count: u32,
    /// Threads of jobs that are bound to this host now.
    pub(crate) threads: u32,
    /// Turn in the round of hosts: who was served longest ago comes next.
    pub(crate) turn: u64,
    /// The key under which the scheduler has it among the channel's servable queues.
    pub(crate) servable: Option<Rank>,
}

impl HostQueue {
    pub(super) fn new(channel: ChannelId, host: &str) -> Self {
        Self {
            channel,
            host: host.into(),
            ready: Vec::new(),
            messages: 0,
            ready_count: 0,
            waiting_count: 0,
            threads: 0,
            turn: 0,
            servable: None,
        }
    }

    /// The best rank with a message whose priority is not among the `closed` ones (bit per
    /// priority).
    pub(crate) fn best(&self, closed: u8) -> Option<Rank> {
        self.ready
            .iter()
            .map(|(rank, _)| *rank)
            .find(|rank| is_open(*rank, closed))
    }

    /// Ready messages whose priority is not among the `closed` ones.
    pub(crate) fn eligible(&self, closed: u8) -> u32 {
        if closed == 0 {
            return self.ready_count;
        }
        self.ready
            .iter()
            .filter(|(rank, _)| is_open(*rank, closed))
            .map(|(_, list)| list.len)
            .sum()
    }

    /// The next message; with `old`, one that was tried before if there is one of the same
    /// priority.
    pub(super) fn first(&self, closed: u8, old: bool) -> Option<Slot> {
        let best = self.best(closed)?;
        let aged = best.aged().filter(|_| old).and_then(|aged| self.list(aged));
        aged.or_else(|| self.list(best))?.first()
    }

    fn list(&self, rank: Rank) -> Option<&List> {
        let at = self
            .ready
            .binary_search_by_key(&rank, |(rank, _)| *rank)
            .ok()?;
        Some(&self.ready[at].1)
    }

    pub(super) fn push(&mut self, messages: &mut [Message], slot: Slot, rank: Rank) {
        let at = match self.ready.binary_search_by_key(&rank, |(rank, _)| *rank) {
            Ok(at) => at,
            Err(at) => {
                self.ready.insert(at, (rank, List::EMPTY));
                at
            }
        };
        self.ready[at].1.push(messages, slot);
        self.ready_count += 1;
    }

    pub(super) fn unlink(&mut self, messages: &mut [Message], slot: Slot, rank: Rank) {
        if let Ok(at) = self.ready.binary_search_by_key(&rank, |(rank, _)| *rank) {
            self.ready[at].1.unlink(messages, slot);
            self.ready_count -= 1;
            if self.ready[at].1.len == 0 {
                self.ready.remove(at);
            }
        }
    }
}

fn is_open(rank: Rank, closed: u8) -> bool {
    rank.priority()
        .is_none_or(|priority| closed & (1 << priority) == 0)
}
