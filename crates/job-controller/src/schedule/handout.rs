//! Which message an asking thread gets.
//!
//! Within a channel: messages that have to be tried alone first, then what an operator released,
//! then by priority. Among hosts of equal rank it goes round, so that a host with much mail
//! delays nobody; new mail comes before old (retried or recovered), but one hand-out in
//! [`OLD_SHARE`] prefers old mail, so that neither can starve the other. A thread may stay with
//! its host, whose connection is open, for [`STAY`] messages while others wait, and for as long
//! as it likes while nobody does.

use super::{Action, Holder, Scheduler, debug};
use crate::cache::{ChannelId, QueueId, Rank, Slot, State};
use crate::job::{Kind, Phase, ThreadState};
use mta_ipc::job_controller::{JobId, Settlement, Work, WorkId};

/// Messages in a row for one host while threads are wanted for others.
const STAY: u16 = 10;

/// One hand-out in so many prefers messages that were tried before.
const OLD_SHARE: u64 = 8;

impl Scheduler {
    pub(super) fn next(
        &mut self,
        id: JobId,
        thread: u16,
        host: Option<&str>,
        done: Vec<(WorkId, Settlement)>,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else {
            self.refuse(format!("there is no job {}", id.0));
            return;
        };
        if usize::from(thread) >= job.threads.len() {
            self.refuse(format!("job {} has no thread {thread}", id.0));
            return;
        }
        let channel = job.channel;
        job.heard = self.now.elapsed;
        job.asks = job.asks.saturating_add(1);
        self.settle_all(id, done);
        self.let_go(id, thread);
        self.set_state(id, thread, ThreadState::Asking);
        if self.has_to_leave(id) {
            self.retire(id);
            return;
        }
        self.channel_mut(channel).asking.insert((id, thread));
        self.touch(channel);
        if self.channel(channel).quarantine == Some(id) || self.cache.suspects(channel) > 0 {
            // What is handed out at the end of the event takes care of these.
            return;
        }
        if let Some(slot) = self.stay(id, thread, host).or_else(|| self.waited(id)) {
            self.give(id, thread, slot);
        } else if self.is_run_without_work(id) {
            self.dismiss(id, thread);
        }
    }

    /// Ends what a thread still had: a message it did not settle, and its host.
    fn let_go(&mut self, id: JobId, thread: u16) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if let ThreadState::Working(work) = job.threads[usize::from(thread)].state {
            self.settle(work, Holder::Thread(id, thread), Settlement::Kept);
        }
        self.unbind(id, thread);
    }

    /// Parts a thread from its host.
    pub(super) fn unbind(&mut self, id: JobId, thread: u16) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if let Some(queue) = job.threads[usize::from(thread)].bound.take() {
            let queue_state = self.cache.queue_mut(queue);
            queue_state.threads -= 1;
            let channel = queue_state.channel;
            self.refresh(queue);
            self.touch(channel);
        }
    }

    /// The next message of the host that a thread would like to stay with, unless others wait
    /// and it has been there long enough.
    fn stay(&self, id: JobId, thread: u16, host: Option<&str>) -> Option<Slot> {
        let job = self.jobs.get(&id)?;
        let channel = self.channel(job.channel);
        if (channel.stopped && job.is_child()) || !channel.sorts {
            return None;
        }
        let host = host?.to_ascii_lowercase();
        let queue = self.cache.find_queue(job.channel, &host)?;
        let rank = self.cache.queue(queue).best(channel.closed)?;
        let thread = &job.threads[usize::from(thread)];
        let long = thread.last_host == host && thread.in_a_row >= STAY;
        let leave = channel
            .servable
            .iter()
            .find(|(_, _, other)| *other != queue)
            .is_some_and(|(other, _, _)| long || is_sooner(*other, rank));
        if leave {
            return None;
        }
        self.cache.first_ready(queue, channel.closed, false)
    }

    /// For a job that an operator runs: the next of the messages that waited when it came. Only
    /// when nothing is eligible anyway.
    fn waited(&mut self, id: JobId) -> Option<Slot> {
        let job = self.jobs.get_mut(&id)?;
        if !self.channels[job.channel.index()].servable.is_empty() {
            return None;
        }
        let Kind::Run { waited } = &mut job.kind else {
            return None;
        };
        while let Some(slot) = waited.pop() {
            // A slot may have been given to another message meanwhile: at worst that one is
            // tried early.
            if self.cache.is_waiting_in(slot, job.channel) {
                return Some(slot);
            }
        }
        None
    }

    fn is_run_without_work(&self, id: JobId) -> bool {
        self.jobs.get(&id).is_some_and(|job| {
            matches!(job.kind, Kind::Run { .. })
                && self.channel(job.channel).servable.is_empty()
                && self.cache.suspects(job.channel) == 0
        })
    }

    /// Gives work to the asking threads of a channel.
    pub(super) fn hand_out(&mut self, id: ChannelId) {
        self.end_quarantine(id);
        loop {
            let given = self.hand_out_suspect(id) || self.hand_out_one(id);
            if !given {
                break;
            }
        }
        self.dismiss_runs(id);
    }

    /// Gives one message that has to be tried alone.
    fn hand_out_suspect(&mut self, id: ChannelId) -> bool {
        let Some(slot) = self.cache.first_suspect(id) else {
            return false;
        };
        let channel = self.channel(id);
        let alone = |job: &JobId| self.jobs.get(job).is_some_and(|job| job.in_hand == 0);
        let thread = channel
            .asking
            .iter()
            .find(|(job, _)| alone(job) && channel.quarantine.is_none_or(|kept| kept == *job))
            .copied();
        if let Some((job, thread)) = thread {
            self.channel_mut(id).quarantine = Some(job);
            self.give(job, thread, slot);
            return true;
        }
        // No job is free of other work. If no further one can be started, one of those that ask
        // takes no more work until it is.
        if channel.quarantine.is_none() && self.is_at_limit(id) {
            let kept = channel.asking.first().map(|(job, _)| *job);
            self.channel_mut(id).quarantine = kept;
        }
        false
    }

    /// Gives one ordinary message to one asking thread.
    fn hand_out_one(&mut self, id: ChannelId) -> bool {
        let channel = self.channel(id);
        let old = channel.handed_out % OLD_SHARE == OLD_SHARE - 1;
        let Some(queue) = next_queue(&channel.servable, old) else {
            return false;
        };
        let host = &self.cache.queue(queue).host;
        let free = |job: &JobId| channel.quarantine != Some(*job);
        let mut threads = channel.asking.iter().filter(|(job, _)| free(job));
        // The lowest job first: later ones become idle and end. A thread that knows the host is
        // better still.
        let first = threads.next();
        let knows = |(job, thread): &&(JobId, u16)| {
            self.jobs
                .get(job)
                .is_some_and(|job| job.threads[usize::from(*thread)].last_host == **host)
        };
        let thread = first
            .filter(knows)
            .or_else(|| threads.find(knows))
            .or(first);
        let slot = self.cache.first_ready(queue, channel.closed, old);
        match (thread.copied(), slot) {
            (Some((job, thread)), Some(slot)) => {
                self.give(job, thread, slot);
                true
            }
            _ => false,
        }
    }

    /// Puts a message into a thread's hands.
    fn give(&mut self, id: JobId, thread: u16, slot: Slot) {
        let channel = self.cache.channel_of(slot);
        let queue = self.cache.message(slot).queue;
        let Some(place) = self.cache.message(slot).place() else {
            // Cannot be: it was made from a place.
            self.forget(slot);
            return;
        };
        let message = self.cache.message_mut(slot);
        let handed_out = std::mem::replace(&mut message.handed_out, true);
        let first = !handed_out && !message.recovered && message.attempts == 0;
        self.absolute.remove(&slot);
        self.cache.detach(slot);
        let work = self.put_in_hand(slot, Holder::Thread(id, thread));
        self.cache.queue_mut(queue).threads += 1;
        self.send_to_the_end(queue);
        let host = self.cache.queue(queue).host.to_string();
        self.channels[channel.index()].asking.remove(&(id, thread));
        self.channels[channel.index()].handed_out += 1;
        if let Some(job) = self.jobs.get_mut(&id) {
            job.in_hand += 1;
            let thread = &mut job.threads[usize::from(thread)];
            thread.state = ThreadState::Working(work);
            thread.bound = Some(queue);
            if thread.last_host == host {
                thread.in_a_row = thread.in_a_row.saturating_add(1);
            } else {
                thread.in_a_row = 1;
                thread.last_host.clone_from(&host);
            }
        }
        self.debug(debug::DECISIONS, |_| {
            format!("{place} for {host:?} goes to job {} thread {thread}", id.0)
        });
        self.actions.push(Action::Give {
            job: id,
            thread,
            work: Work {
                id: work,
                place,
                host,
                deaths: self.cache.message(slot).deaths,
                first,
            },
        });
    }

    /// Tells a thread to exit.
    pub(super) fn dismiss(&mut self, id: JobId, thread: u16) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let channel = job.channel;
        job.threads[usize::from(thread)].state = ThreadState::Silent;
        self.channel_mut(channel).asking.remove(&(id, thread));
        self.actions.push(Action::Dismiss { job: id, thread });
    }

    /// Sends home the idle threads of jobs that operators run, once nothing is left for them.
    fn dismiss_runs(&mut self, id: ChannelId) {
        let asking: Vec<_> = self.channel(id).asking.iter().copied().collect();
        for (job, thread) in asking {
            let alone = self.channel(id).quarantine == Some(job);
            if !alone && self.is_run_without_work(job) {
                match self.waited(job) {
                    Some(slot) => self.give(job, thread, slot),
                    None => self.dismiss(job, thread),
                }
            }
        }
    }

    fn set_state(&mut self, id: JobId, thread: u16, state: ThreadState) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.threads[usize::from(thread)].state = state;
        }
    }

    /// Gives a job back to ordinary work when nothing is left to be tried alone.
    fn end_quarantine(&mut self, id: ChannelId) {
        let Some(kept) = self.channel(id).quarantine else {
            return;
        };
        let still = self.jobs.get(&kept).is_some_and(|job| {
            job.phase == Phase::Running && (job.in_hand > 0 || self.cache.suspects(id) > 0)
        });
        if !still {
            self.channel_mut(id).quarantine = None;
        }
    }

    fn refuse(&mut self, reason: String) {
        self.actions.push(Action::Refuse(reason));
    }
}

/// Whether `other` is of a better priority than `rank`.
fn is_sooner(other: Rank, rank: Rank) -> bool {
    other.priority() < rank.priority()
}

/// The queue to serve: the first; or, when it is the turn of `old` mail, the first whose best is
/// old mail of the same priority.
fn next_queue(
    servable: &std::collections::BTreeSet<(Rank, u64, QueueId)>,
    old: bool,
) -> Option<QueueId> {
    let (rank, _, first) = *servable.first()?;
    let aged = rank.aged().filter(|_| old);
    let found = aged.and_then(|aged| {
        let mut range = servable.range((aged, 0, QueueId::FIRST)..);
        range.next().filter(|(rank, _, _)| *rank == aged)
    });
    Some(found.map_or(first, |(_, _, queue)| *queue))
}

impl crate::cache::Cache {
    fn is_waiting_in(&self, slot: Slot, channel: ChannelId) -> bool {
        self.message(slot).state == State::Waiting && self.channel_of(slot) == channel
    }
}
