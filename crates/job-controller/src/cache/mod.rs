//! The queue cache: what lies in the queues, in memory.
//!
//! It holds a message in about seventy bytes: a 52-byte record in one vector, an index of five
//! to ten bytes, and nothing allocated for names of ordinary length. A channel and a host are
//! stored once per queue ([`queue::HostQueue`]) and referred to by number. The cache knows lists
//! and counts; which list a message belongs on is the scheduler's business.
//!
//! `Cache::check` states what always holds; the scheduler's property tests call it after every
//! event.

mod message;
mod queue;
mod unique;

pub(crate) use message::{Message, Rank, Slot, State};
pub(crate) use queue::{ChannelId, HostQueue, QueueId};

use hashbrown::HashTable;
use message::List;
use mta_envelope::names::Place;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// All cached messages, their queues and their lists.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    messages: Vec<Message>,
    /// First unused slot; the others follow by `next`.
    free: Option<Slot>,
    count: usize,
    /// From (channel, unique part) to slot.
    index: HashTable<u32>,
    queues: Vec<HostQueue>,
    free_queues: Vec<QueueId>,
    /// From (channel, host) to queue.
    queue_index: HashTable<u32>,
    channels: Vec<ChannelLists>,
}

/// What a channel keeps across its hosts.
#[derive(Debug, Default)]
struct ChannelLists {
    /// By the second at which the wait ends.
    waiting: BTreeMap<u32, List>,
    waiting_count: u32,
    suspects: Option<List>,
    ready_count: u32,
    messages: u32,
}

impl Cache {
    /// Messages in the cache.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Makes room for the lists of `channel` and all below it.
    pub(crate) fn add_channel(&mut self, channel: ChannelId) {
        while self.channels.len() <= channel.index() {
            self.channels.push(ChannelLists::default());
        }
    }

    /// Messages of a channel in any state.
    pub(crate) fn count(&self, channel: ChannelId) -> u32 {
        self.channels[channel.index()].messages
    }

    /// Messages of a channel that are on a ready list or among the suspects.
    pub(crate) fn ready(&self, channel: ChannelId) -> u32 {
        self.channels[channel.index()].ready_count + self.suspects(channel)
    }

    /// Messages of a channel that wait.
    pub(crate) fn waiting(&self, channel: ChannelId) -> u32 {
        self.channels[channel.index()].waiting_count
    }

    /// Messages of a channel that may only be tried alone.
    pub(crate) fn suspects(&self, channel: ChannelId) -> u32 {
        self.channels[channel.index()]
            .suspects
            .map_or(0, |list| list.len)
    }

    /// The slot of a file, by its unchanging part.
    pub(crate) fn find(&self, channel: ChannelId, unique: &str) -> Option<Slot> {
        let hash = hash((channel.0, unique));
        self.index
            .find(hash, |slot| {
                let message = &self.messages[*slot as usize];
                message.unique.as_str() == unique
                    && self.queues[message.queue.index()].channel == channel
            })
            .map(|slot| Slot(*slot))
    }

    /// The queue of a host, if it has messages.
    pub(crate) fn find_queue(&self, channel: ChannelId, host: &str) -> Option<QueueId> {
        self.queue_index
            .find(hash((channel.0, host)), |id| {
                let queue = &self.queues[*id as usize];
                queue.channel == channel && &*queue.host == host
            })
            .map(|id| QueueId(*id))
    }

    /// Takes a new message in, on no list. The caller made sure that it is not there yet.
    pub(crate) fn insert(&mut self, channel: ChannelId, host: &str, place: &Place) -> Slot {
        let queue = self.queue_for(channel, host);
        let message = Message::new(place, queue);
        let slot = match self.free {
            Some(slot) => {
                let next = self.messages[slot.index()].next;
                self.free = (next != Slot::NONE).then_some(next);
                self.messages[slot.index()] = message;
                slot
            }
            None => {
                let slot = Slot(u32::try_from(self.messages.len()).unwrap_or(u32::MAX));
                self.messages.push(message);
                slot
            }
        };
        let Self {
            index,
            messages,
            queues,
            ..
        } = self;
        index.insert_unique(hash((channel.0, place.file.unique())), slot.0, |slot| {
            let message = &messages[*slot as usize];
            let channel = queues[message.queue.index()].channel;
            hash((channel.0, message.unique.as_str()))
        });
        self.queues[queue.index()].messages += 1;
        self.channels[channel.index()].messages += 1;
        self.count += 1;
        slot
    }

    /// Forgets a message, whichever list it is on.
    pub(crate) fn remove(&mut self, slot: Slot) {
        self.detach(slot);
        let queue = self.messages[slot.index()].queue;
        let channel = self.queues[queue.index()].channel;
        let hash = hash((channel.0, self.messages[slot.index()].unique.as_str()));
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == slot.0) {
            entry.remove();
        }
        self.messages[slot.index()] = Message::free(self.free.unwrap_or(Slot::NONE));
        self.free = Some(slot);
        self.count -= 1;
        self.channels[channel.index()].messages -= 1;
        self.queues[queue.index()].messages -= 1;
        self.release_queue(queue);
    }

    /// Gives back a queue without messages and threads.
    pub(crate) fn release_queue(&mut self, id: QueueId) {
        let queue = &self.queues[id.index()];
        if queue.messages > 0 || queue.threads > 0 || queue.servable.is_some() {
            return;
        }
        let hash = hash((queue.channel.0, &*queue.host));
        // A queue that is given back already is in no index: nothing happens twice.
        if let Ok(entry) = self.queue_index.find_entry(hash, |other| *other == id.0) {
            entry.remove();
            self.queues[id.index()] = HostQueue::new(queue.channel, "");
            self.free_queues.push(id);
        }
    }

    /// Takes a message off its list.
    pub(crate) fn detach(&mut self, slot: Slot) {
        let Message {
            queue, state, due, ..
        } = self.messages[slot.index()];
        let channel = self.queues[queue.index()].channel;
        let lists = &mut self.channels[channel.index()];
        match state {
            State::Free | State::Loose => return,
            State::Ready(rank) => {
                self.queues[queue.index()].unlink(&mut self.messages, slot, rank);
                lists.ready_count -= 1;
            }
            State::Waiting => {
                if let Some(list) = lists.waiting.get_mut(&due) {
                    list.unlink(&mut self.messages, slot);
                    if list.len == 0 {
                        lists.waiting.remove(&due);
                    }
                }
                lists.waiting_count -= 1;
                self.queues[queue.index()].waiting_count -= 1;
            }
            State::Suspect => {
                if let Some(list) = &mut lists.suspects {
                    list.unlink(&mut self.messages, slot);
                }
            }
        }
        self.messages[slot.index()].state = State::Loose;
    }

    /// Puts a message at the end of its host's ready list of `rank`.
    pub(crate) fn make_ready(&mut self, slot: Slot, rank: Rank) {
        self.detach(slot);
        let queue = self.messages[slot.index()].queue;
        let channel = self.queues[queue.index()].channel;
        self.queues[queue.index()].push(&mut self.messages, slot, rank);
        self.channels[channel.index()].ready_count += 1;
        self.messages[slot.index()].state = State::Ready(rank);
    }

    /// Lets a message wait until the second `due`.
    pub(crate) fn make_waiting(&mut self, slot: Slot, due: u32) {
        self.detach(slot);
        let queue = self.messages[slot.index()].queue;
        let channel = self.queues[queue.index()].channel;
        let lists = &mut self.channels[channel.index()];
        lists
            .waiting
            .entry(due)
            .or_insert(List::EMPTY)
            .push(&mut self.messages, slot);
        lists.waiting_count += 1;
        self.queues[queue.index()].waiting_count += 1;
        self.messages[slot.index()].due = due;
        self.messages[slot.index()].state = State::Waiting;
    }

    /// Puts a message among those that are tried alone.
    pub(crate) fn make_suspect(&mut self, slot: Slot) {
        self.detach(slot);
        let queue = self.messages[slot.index()].queue;
        let channel = self.queues[queue.index()].channel;
        self.channels[channel.index()]
            .suspects
            .get_or_insert(List::EMPTY)
            .push(&mut self.messages, slot);
        self.messages[slot.index()].state = State::Suspect;
    }

    /// The next message of a host, preferably an `old` one; it stays where it is.
    pub(crate) fn first_ready(&self, queue: QueueId, closed: u8, old: bool) -> Option<Slot> {
        self.queues[queue.index()].first(closed, old)
    }

    /// The next message that may only be tried alone; it stays where it is.
    pub(crate) fn first_suspect(&self, channel: ChannelId) -> Option<Slot> {
        self.channels[channel.index()].suspects?.first()
    }

    /// The message whose wait ends first, and the second at which it does.
    pub(crate) fn first_waiting(&self, channel: ChannelId) -> Option<(u32, Slot)> {
        let (due, list) = self.channels[channel.index()].waiting.first_key_value()?;
        Some((*due, list.first()?))
    }

    /// The waiting messages of a channel, soonest first.
    pub(crate) fn all_waiting(&self, channel: ChannelId) -> Vec<Slot> {
        let lists = &self.channels[channel.index()];
        let mut slots = Vec::with_capacity(lists.waiting_count as usize);
        for list in lists.waiting.values() {
            let mut at = list.head;
            while at != Slot::NONE {
                slots.push(at);
                at = self.messages[at.index()].next;
            }
        }
        slots
    }

    /// Takes over the new place of a renamed file.
    pub(crate) fn rename(&mut self, slot: Slot, place: &Place) {
        if self.messages[slot.index()].unique.as_str() == place.file.unique() {
            self.messages[slot.index()].rename(place);
        }
    }

    pub(crate) fn message(&self, slot: Slot) -> &Message {
        &self.messages[slot.index()]
    }

    pub(crate) fn message_mut(&mut self, slot: Slot) -> &mut Message {
        &mut self.messages[slot.index()]
    }

    pub(crate) fn queue(&self, id: QueueId) -> &HostQueue {
        &self.queues[id.index()]
    }

    pub(crate) fn queue_mut(&mut self, id: QueueId) -> &mut HostQueue {
        &mut self.queues[id.index()]
    }

    /// The channel of a message.
    pub(crate) fn channel_of(&self, slot: Slot) -> ChannelId {
        self.queues[self.messages[slot.index()].queue.index()].channel
    }

    /// Used slots from number `cursor` on, at most `visit` looked at, with the number of the
    /// first not looked at.
    pub(crate) fn slots_from(
        &self,
        cursor: u64,
        visit: usize,
    ) -> (impl Iterator<Item = Slot> + '_, Option<u64>) {
        let start = usize::try_from(cursor)
            .unwrap_or(usize::MAX)
            .min(self.messages.len());
        let end = start.saturating_add(visit).min(self.messages.len());
        let next = (end < self.messages.len()).then_some(end as u64);
        let slots = (start..end)
            .filter(|at| self.messages[*at].state != State::Free)
            .map(|at| Slot(u32::try_from(at).unwrap_or(u32::MAX)));
        (slots, next)
    }

    /// All queues of a channel. Looks at every queue there is.
    pub(crate) fn queues_of(
        &self,
        channel: ChannelId,
    ) -> impl Iterator<Item = (QueueId, &HostQueue)> {
        self.queues
            .iter()
            .enumerate()
            .filter(move |(_, queue)| queue.channel == channel && queue.messages > 0)
            .map(|(at, queue)| (QueueId(u32::try_from(at).unwrap_or(u32::MAX)), queue))
    }

    fn queue_for(&mut self, channel: ChannelId, host: &str) -> QueueId {
        if let Some(id) = self.find_queue(channel, host) {
            return id;
        }
        let queue = HostQueue::new(channel, host);
        let id = match self.free_queues.pop() {
            Some(id) => {
                self.queues[id.index()] = queue;
                id
            }
            None => {
                self.queues.push(queue);
                QueueId(u32::try_from(self.queues.len() - 1).unwrap_or(u32::MAX))
            }
        };
        let Self {
            queue_index,
            queues,
            ..
        } = self;
        queue_index.insert_unique(hash((channel.0, host)), id.0, |id| {
            let queue = &queues[*id as usize];
            hash((queue.channel.0, &*queue.host))
        });
        id
    }
}

/// A hash that is the same in every run, so that the scheduler stays a pure function. Unique
/// parts come from our own programs, and hosts are bounded by the messages that name them.
fn hash(key: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
