//! What becomes of a message after an attempt, and of one whose job died.
//!
//! A program that dies takes at most one message with it. Which of those in its hands was the
//! cause is not known, so after a death all of them are *suspects*: each is tried at once, but
//! alone, in a job that has nothing else in hand. The innocent are cleared by that one attempt;
//! the guilty one kills alone. Its third death in a row counts as an attempt (the file is renamed
//! and waits as `backoff` says), its tenth gets it held.

use super::entries::Origin;
use super::event::Note;
use super::{Action, Holder, InHand, Scheduler, debug};
use crate::backoff;
use crate::cache::Slot;
use crate::job::{Kind, ThreadState};
use mta_ipc::job_controller::{JobId, Settlement, WorkId};

/// Deaths in a row from which each counts as an attempt.
pub(crate) const COUNTS: u8 = 3;

/// Deaths in a row at which the message is held.
pub(crate) const HELD: u8 = 10;

/// Seconds until a file that somebody else had locked is tried again.
const BUSY_WAIT: u32 = 5;

impl Scheduler {
    pub(super) fn settled(&mut self, job: JobId, done: Vec<(WorkId, Settlement)>) {
        if let Some(known) = self.jobs.get_mut(&job) {
            known.heard = self.now.elapsed;
            self.settle_all(job, done);
        } else {
            let reason = format!("there is no job {}", job.0);
            self.actions.push(Action::Refuse(reason));
        }
    }

    /// Notes who has a message from now on, under a number of its own.
    pub(super) fn put_in_hand(&mut self, slot: Slot, holder: Holder) -> WorkId {
        self.last_work += 1;
        let work = WorkId(self.last_work);
        let in_hand = InHand {
            slot,
            holder,
            since: self.now.elapsed,
            slow: false,
        };
        self.works.insert(work, in_hand);
        self.in_hand.insert(slot, work);
        work
    }

    pub(super) fn settle_all(&mut self, job: JobId, done: Vec<(WorkId, Settlement)>) {
        for (work, settlement) in done {
            match self.works.get(&work).map(|known| known.holder) {
                Some(holder @ Holder::Thread(of, _)) if of == job => {
                    self.settle(work, holder, settlement);
                }
                // Settled before, or not this job's: without effect.
                _ => self.debug(debug::PROTOCOL, |_| {
                    format!("job {} settles unknown message {}", job.0, work.0)
                }),
            }
        }
    }

    /// Ends an attempt.
    pub(super) fn settle(&mut self, work: WorkId, holder: Holder, settlement: Settlement) {
        let known = self.works.get(&work);
        let Some(InHand { slot, .. }) = known.copied().filter(|work| work.holder == holder) else {
            return;
        };
        self.works.remove(&work);
        self.in_hand.remove(&slot);
        self.count(slot, holder, &settlement);
        let channel = self.cache.channel_of(slot);
        self.touch(channel);
        let by_job = matches!(holder, Holder::Thread(..));
        match settlement {
            Settlement::Removed => self.forget(slot),
            Settlement::Held { place } => {
                self.forget(slot);
                if !by_job {
                    let channel = self.channel(channel).settings.name.clone();
                    self.note(Note::HeldForDeaths { channel, place });
                }
            }
            Settlement::Gone => {
                self.forget(slot);
                self.look_after_gone(channel);
            }
            Settlement::Split { entry } => {
                self.forget(slot);
                self.take_in(&entry, Origin::Split);
            }
            Settlement::Deferred { place, retry_in } => {
                self.cache.rename(slot, &place);
                if by_job {
                    self.cache.message_mut(slot).deaths = 0;
                }
                let wait = retry_in.unwrap_or_else(|| self.backoff_of(slot));
                self.make_waiting(slot, wait.max(1));
            }
            Settlement::Busy => self.make_waiting(slot, BUSY_WAIT),
            Settlement::Kept => {
                let wait = self.backoff_of(slot);
                self.make_waiting(slot, wait.max(1));
            }
            Settlement::Died => self.count_death(slot),
        }
    }

    /// Keeps the counts of the job, its thread and its channel.
    fn count(&mut self, slot: Slot, holder: Holder, settlement: &Settlement) {
        let Holder::Thread(id, thread) = holder else {
            return;
        };
        let channel = self.cache.channel_of(slot);
        let (processed, failed) = match settlement {
            Settlement::Removed | Settlement::Held { .. } => (true, false),
            Settlement::Deferred { .. } | Settlement::Split { .. } => (true, true),
            Settlement::Gone | Settlement::Busy | Settlement::Kept | Settlement::Died => {
                (false, false)
            }
        };
        let removed = *settlement == Settlement::Removed;
        let counted = self.channel_mut(channel);
        counted.delivered += u64::from(removed);
        counted.requeued += u64::from(failed);
        if processed {
            counted.start_failures = 0;
            counted.barren = 0;
        }
        self.release_thread(id, thread);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.processed += u64::from(processed);
            job.failed += u64::from(failed);
        }
    }

    /// A thread has its message no longer.
    fn release_thread(&mut self, id: JobId, thread: u16) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.threads[usize::from(thread)].state = ThreadState::Silent;
            job.in_hand -= 1;
            if job.in_hand == 0 {
                job.idle_since = self.now.elapsed;
            }
        }
        self.unbind(id, thread);
    }

    fn backoff_of(&self, slot: Slot) -> u32 {
        let message = self.cache.message(slot);
        let settings = &self.channel(self.cache.channel_of(slot)).settings;
        backoff::wait(
            &settings.backoff[message.priority as usize],
            message.attempts,
        )
    }

    /// Takes back everything that a job has in hand, because its connection ended.
    pub(super) fn take_back(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        // An operator who interrupts `imsimta run` has not met a deadly message.
        let died = job.kind == Kind::Child && !self.down;
        let works: Vec<_> = (0_u16..)
            .zip(&job.threads)
            .filter_map(|(n, thread)| match thread.state {
                ThreadState::Working(work) => Some((n, work)),
                ThreadState::Asking | ThreadState::Silent => None,
            })
            .collect();
        if let Some(job) = self.jobs.get_mut(&id).filter(|_| !works.is_empty()) {
            job.bereft = true;
        }
        for (thread, work) in works {
            self.release_thread(id, thread);
            let Some(InHand { slot, .. }) = self.works.remove(&work) else {
                continue;
            };
            self.in_hand.remove(&slot);
            if died {
                self.count_death(slot);
            } else {
                self.make_eligible(slot);
            }
        }
    }

    fn count_death(&mut self, slot: Slot) {
        let message = self.cache.message_mut(slot);
        message.deaths = message.deaths.saturating_add(1);
        let deaths = message.deaths;
        let channel_id = self.cache.channel_of(slot);
        let channel = self.channel(channel_id).settings.name.clone();
        let Some(place) = self.cache.message(slot).place() else {
            return;
        };
        self.note(Note::DeathCounted {
            channel: channel.clone(),
            place: place.clone(),
            deaths,
        });
        if deaths < COUNTS {
            self.make_eligible(slot);
            return;
        }
        let work = self.put_in_hand(slot, Holder::Clerk);
        self.actions.push(if deaths < HELD {
            Action::CountAttempt {
                work,
                channel,
                place,
                deaths,
            }
        } else {
            Action::Hold {
                work,
                channel,
                place,
                deaths,
            }
        });
    }
}
