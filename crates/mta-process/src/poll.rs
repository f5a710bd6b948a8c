//! A readiness loop with timers, for daemons of one thread.
//!
//! Each turn builds a [`Poll`] from what is of interest just then and waits; with a few dozen
//! descriptors that costs less than the bookkeeping of anything cleverer, and a descriptor can
//! never be watched after it was closed, since the loop borrows it.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What a descriptor is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, a connection to accept, or the end.
    Read,
    /// Room to write.
    Write,
    /// Either.
    Both,
    /// Only the end of the other side.
    End,
}

impl Interest {
    /// [`Interest::Both`] if something waits to be written, else [`Interest::Read`].
    #[must_use]
    pub fn reading_and(writing: bool) -> Self {
        if writing { Self::Both } else { Self::Read }
    }

    fn flags(self) -> PollFlags {
        match self {
            Self::Read => PollFlags::POLLIN,
            Self::Write => PollFlags::POLLOUT,
            Self::Both => PollFlags::POLLIN | PollFlags::POLLOUT,
            Self::End => PollFlags::empty(),
        }
    }
}

/// What a descriptor is ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// Reading will not block; true at the end and on errors too, which reading then tells.
    pub readable: bool,
    /// Writing will not block.
    pub writable: bool,
    /// The other side has closed, or the descriptor is in error.
    pub ended: bool,
}

/// The descriptors of one turn, each with a key by which it is told.
#[derive(Debug)]
pub struct Poll<'fd, K> {
    descriptors: Vec<PollFd<'fd>>,
    keys: Vec<K>,
}

impl<K> Default for Poll<'_, K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'fd, K> Poll<'fd, K> {
    /// Nothing to watch yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            descriptors: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// Watches one more descriptor.
    pub fn watch(&mut self, descriptor: BorrowedFd<'fd>, interest: Interest, key: K) {
        self.descriptors
            .push(PollFd::new(descriptor, interest.flags()));
        self.keys.push(key);
    }

    /// Waits until something is ready or `deadline` has come (`None`: for as long as it takes);
    /// then tells what is ready, possibly nothing. A signal ends the wait early.
    ///
    /// # Errors
    /// What the system says; an interruption is no error.
    pub fn wait(mut self, deadline: Option<Instant>) -> io::Result<Vec<(K, Readiness)>> {
        match poll(&mut self.descriptors, time_out(deadline, Instant::now())) {
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => return Ok(Vec::new()),
            Err(errno) => return Err(errno.into()),
        }
        let ready = self
            .descriptors
            .iter()
            .map(|descriptor| descriptor.revents().unwrap_or(PollFlags::empty()));
        Ok(self
            .keys
            .into_iter()
            .zip(ready)
            .filter(|(_, flags)| !flags.is_empty())
            .map(|(key, flags)| (key, readiness(flags)))
            .collect())
    }
}

fn readiness(flags: PollFlags) -> Readiness {
    let ended = flags.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL);
    Readiness {
        readable: ended || flags.contains(PollFlags::POLLIN),
        writable: flags.contains(PollFlags::POLLOUT),
        ended,
    }
}

/// Rounded up to whole milliseconds: a loop that woke too early would spin until its time.
fn time_out(deadline: Option<Instant>, now: Instant) -> PollTimeout {
    let Some(deadline) = deadline else {
        return PollTimeout::NONE;
    };
    let left = deadline.saturating_duration_since(now);
    let millis = left.as_nanos().div_ceil(1_000_000);
    PollTimeout::try_from(u64::try_from(millis).unwrap_or(u64::MAX)).unwrap_or(PollTimeout::MAX)
}

/// Things to be done at their time, each known by a key that has at most one time.
#[derive(Debug, Clone)]
pub struct Timers<K> {
    by_time: BTreeMap<(Instant, u64), K>,
    count: u64,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self {
            by_time: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<K: Clone + Eq + Hash> Timers<K> {
    /// Sets `key` to go off at `at`, instead of any earlier setting.
    pub fn set(&mut self, key: K, at: Instant) {
        self.cancel(&key);
        self.count += 1;
        self.by_time.insert((at, self.count), key);
    }

    /// Sets `key` to go off at `at`, unless it goes off before that anyway.
    pub fn set_at_latest(&mut self, key: K, at: Instant) {
        if self.when(&key).is_none_or(|earlier| at < earlier) {
            self.set(key, at);
        }
    }

    /// Forgets `key`.
    pub fn cancel(&mut self, key: &K) {
        self.by_time.retain(|_, set| set != key);
    }

    /// When `key` goes off.
    #[must_use]
    pub fn when(&self, key: &K) -> Option<Instant> {
        self.by_time
            .iter()
            .find(|(_, set)| *set == key)
            .map(|(&(at, _), _)| at)
    }

    /// When the first goes off: the deadline for [`Poll::wait`].
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Takes out all that have gone off by `now`, earliest first.
    pub fn take_due(&mut self, now: Instant) -> Vec<K> {
        let later = self.by_time.split_off(&(now + Duration::from_nanos(1), 0));
        std::mem::replace(&mut self.by_time, later)
            .into_values()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn only_what_is_ready_is_told() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let (quiet, _other) = UnixStream::pair().unwrap();
        near.write_all(b"x").unwrap();
        let mut poll = Poll::new();
        poll.watch(far.as_fd(), Interest::Read, "far");
        poll.watch(quiet.as_fd(), Interest::Read, "quiet");
        let ready = poll.wait(None).unwrap();
        assert_eq!(ready.len(), 1);
        assert_eq!(ready[0].0, "far");
        assert!(ready[0].1.readable && !ready[0].1.ended);
    }

    #[test]
    fn the_end_of_the_other_side_is_told_unasked() {
        let (near, far) = UnixStream::pair().unwrap();
        drop(near);
        let mut poll = Poll::new();
        poll.watch(far.as_fd(), Interest::End, ());
        let ready = poll.wait(None).unwrap();
        assert!(ready[0].1.ended && ready[0].1.readable);
    }

    #[test]
    fn time_outs_are_rounded_up() {
        let now = Instant::now();
        for (left, expected) in [
            (Duration::ZERO, 0_u16),
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(7), 7),
        ] {
            assert_eq!(time_out(Some(now + left), now), PollTimeout::from(expected));
        }
        assert_eq!(time_out(None, now), PollTimeout::NONE);
    }

    #[test]
    fn timers_go_off_in_order_and_once() {
        let now = Instant::now();
        let at = |s| now + Duration::from_secs(s);
        let mut timers = Timers::default();
        timers.set("b", at(2));
        timers.set("a", at(1));
        timers.set("c", at(9));
        timers.set("c", at(3));
        timers.set_at_latest("b", at(5));
        timers.set("gone", at(1));
        timers.cancel(&"gone");
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.take_due(at(2)), ["a", "b"]);
        assert_eq!(timers.take_due(at(2)), Vec::<&str>::new());
        assert_eq!(timers.when(&"c"), Some(at(3)));
    }
}
