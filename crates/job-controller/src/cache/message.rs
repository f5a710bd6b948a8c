//! What is remembered of one message, and the lists that messages stand on.
//!
//! A message stands on at most one list at a time, so one pair of links serves them all: its
//! host's ready lists, its channel's waiting lists and suspects, and the chain of free slots.

use super::queue::QueueId;
use super::unique::Unique;
use mta_envelope::envelope::Priority;
use mta_envelope::names::{FileName, Place};

/// A message's place in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(pub(super) u32);

impl Slot {
    /// The end of a list.
    pub(super) const NONE: Self = Self(u32::MAX);

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    /// The slot as a cursor for listings.
    pub(crate) const fn number(self) -> u64 {
        self.0 as u64
    }
}

/// The order in which ready messages of one host are served: lower is sooner.
///
/// What an operator released comes first, then by priority; within one priority new mail comes
/// before old mail: what was tried before, or was found by a scan of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(u8);

impl Rank {
    /// Released by an operator.
    pub(crate) const RELEASED: Self = Self(0);

    pub(crate) const fn new(priority: Priority, old: bool) -> Self {
        Self(1 + 2 * priority as u8 + old as u8)
    }

    /// The rank of old mail of the same priority, if this one is of new mail.
    pub(crate) const fn aged(self) -> Option<Self> {
        match self.0 % 2 {
            1 => Some(Self(self.0 + 1)),
            _ => None,
        }
    }

    /// The priority it stands for; `None` for released messages, which no window delays.
    pub(crate) const fn priority(self) -> Option<usize> {
        match self.0 {
            0 => None,
            n => Some((n as usize - 1) / 2),
        }
    }
}

/// Which list a message stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The slot is unused.
    Free,
    /// On no list: in the hands of a job, or between two lists.
    Loose,
    /// Eligible, on its host's list of this rank.
    Ready(Rank),
    /// On its channel's waiting list until `due`.
    Waiting,
    /// Eligible, but only alone: a job died with it in hand.
    Suspect,
}

/// One cached message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(super) unique: Unique,
    /// Seconds since 1970, until the year 2106.
    pub(crate) arrived: u32,
    /// End of the wait, in the scheduler's seconds; meaningful while waiting.
    pub(crate) due: u32,
    /// Octets, capped at 4 GiB.
    pub(crate) size: u32,
    pub(crate) queue: QueueId,
    pub(super) next: Slot,
    pub(super) prev: Slot,
    pub(crate) recipients: u16,
    subdir: u16,
    pub(crate) attempts: u16,
    suffix: [u8; 2],
    pub(crate) state: State,
    pub(crate) priority: Priority,
    /// Jobs that died in a row with this message in hand.
    pub(crate) deaths: u8,
    /// Found on disk rather than announced.
    pub(crate) recovered: bool,
    /// Some job has had it in hand.
    pub(crate) handed_out: bool,
}

/// `subdir` of a file that lies in the channel directory itself.
const NO_SUBDIR: u16 = u16::MAX;

impl Message {
    pub(super) fn new(place: &Place, queue: QueueId) -> Self {
        let mut message = Self {
            unique: Unique::new(place.file.unique()),
            arrived: 0,
            due: 0,
            size: 0,
            queue,
            next: Slot::NONE,
            prev: Slot::NONE,
            recipients: 0,
            subdir: NO_SUBDIR,
            attempts: 0,
            suffix: *b"00",
            state: State::Loose,
            priority: Priority::Normal,
            deaths: 0,
            recovered: false,
            handed_out: false,
        };
        message.rename(place);
        message
    }

    pub(super) fn free(next: Slot) -> Self {
        Self {
            unique: Unique::new(""),
            arrived: 0,
            due: 0,
            size: 0,
            queue: QueueId::NONE,
            next,
            prev: Slot::NONE,
            recipients: 0,
            subdir: NO_SUBDIR,
            attempts: 0,
            suffix: *b"00",
            state: State::Free,
            priority: Priority::Normal,
            deaths: 0,
            recovered: false,
            handed_out: false,
        }
    }

    /// Takes over subdirectory, attempts and suffix of `place`; the unique part never changes.
    pub(super) fn rename(&mut self, place: &Place) {
        self.subdir = place.subdir.unwrap_or(NO_SUBDIR);
        self.attempts = place.file.attempts();
        if let [a, b] = place.file.suffix().as_bytes() {
            self.suffix = [*a, *b];
        }
    }

    /// The file's place, spelled out.
    pub(crate) fn place(&self) -> Option<Place> {
        let suffix = std::str::from_utf8(&self.suffix).ok()?;
        let text = format!("ZZ{}.{suffix}", self.unique.as_str());
        Some(Place {
            subdir: (self.subdir != NO_SUBDIR).then_some(self.subdir),
            file: FileName::parse(&text).ok()?.with_attempts(self.attempts),
        })
    }
}

/// A list of messages, first in first out, with removal from the middle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List {
    pub(super) head: Slot,
    tail: Slot,
    pub(crate) len: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self {
        head: Slot::NONE,
        tail: Slot::NONE,
        len: 0,
    };

    pub(super) fn first(&self) -> Option<Slot> {
        (self.head != Slot::NONE).then_some(self.head)
    }

    pub(super) fn push(&mut self, messages: &mut [Message], slot: Slot) {
        messages[slot.index()].next = Slot::NONE;
        messages[slot.index()].prev = self.tail;
        if self.tail == Slot::NONE {
            self.head = slot;
        } else {
            messages[self.tail.index()].next = slot;
        }
        self.tail = slot;
        self.len += 1;
    }

    pub(super) fn unlink(&mut self, messages: &mut [Message], slot: Slot) {
        let Message { next, prev, .. } = messages[slot.index()];
        if prev == Slot::NONE {
            self.head = next;
        } else {
            messages[prev.index()].next = next;
        }
        if next == Slot::NONE {
            self.tail = prev;
        } else {
            messages[next.index()].prev = prev;
        }
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_costs_fifty_six_bytes_at_most() {
        assert!(size_of::<Message>() <= 56, "{}", size_of::<Message>());
    }

    #[test]
    fn place_is_spelled_as_it_was_given() {
        for text in [
            "001/ZYf0s690kN_y0.01",
            "ZZ01IS3D2ZP7FQ9UN54R.00",
            "019/00a.ab",
        ] {
            let place = Place::parse(text).unwrap();
            let message = Message::new(&place, QueueId::NONE);
            assert_eq!(message.place(), Some(place));
        }
    }

    #[test]
    fn ranks_order_released_then_priority_then_news() {
        let order = [
            Rank::RELEASED,
            Rank::new(Priority::Urgent, false),
            Rank::new(Priority::Urgent, true),
            Rank::new(Priority::Normal, false),
            Rank::new(Priority::ThirdClass, true),
        ];
        assert!(order.is_sorted());
        assert_eq!(order[3].priority(), Some(1));
    }

    #[test]
    fn lists_give_back_in_order_and_lose_from_the_middle() {
        let mut messages: Vec<_> = (0..4).map(|_| Message::free(Slot::NONE)).collect();
        let mut list = List::EMPTY;
        for n in 0..4 {
            list.push(&mut messages, Slot(n));
        }
        list.unlink(&mut messages, Slot(2));
        list.unlink(&mut messages, Slot(0));
        list.unlink(&mut messages, Slot(3));
        assert_eq!((list.first(), list.len), (Some(Slot(1)), 1));
        list.unlink(&mut messages, Slot(1));
        assert_eq!((list.first(), list.len), (None, 0));
    }
}
