//! The lives of jobs: how they come, when they are told to end, and what happens when they do.
//!
//! ```text
//!  Start ──► Starting ──Arrived──► Running ──told to exit──► Leaving ──► Exited
//!               │                     │                         │
//!               └─────────────────────┴── connection ends ──────┴──► Lost ──► Exited
//! ```
//!
//! A job is told to exit by the answer to its next ask, so it always finishes what it has in
//! hand. Its place in the pool is free only when its process has ended.

use super::event::{Arrival, Note};
use super::{Action, Holder, Scheduler};
use crate::cache::ChannelId;
use crate::job::{Job, Kind, MAX_THREADS, Phase, Thread, ThreadState};
use mta_envelope::names::ChannelName;
use mta_ipc::job_controller::JobId;
use std::collections::BTreeSet;

/// Milliseconds after which an idle job is told to exit.
const IDLE: u64 = 120_000;

/// Milliseconds that a program may take from its start until it says that it is there.
const ARRIVAL: u64 = 120_000;

/// Milliseconds that a job without messages may be silent, or take to end.
const ENDING: u64 = 60_000;

/// Milliseconds between SIGTERM and SIGKILL.
const GRACE: u64 = 30_000;

/// Milliseconds with a message in hand after which the log is told ...
const SLOW: u64 = 3_600_000;

/// ... and after which the program is ended: every delivery has its own time limits, so that it
/// hangs, or is stopped.
const HANGING: u64 = 12 * 3_600_000;

/// Programs in a row that die with all they got before the next start has to wait. A message that
/// kills is held after fewer deaths than this.
const BARREN: u32 = 10;

impl Scheduler {
    pub(super) fn arrived(&mut self, arrival: &Arrival) {
        let found = match arrival.job {
            Some(id) => self.arrived_child(id, &arrival.channel),
            None => self.arrived_run(&arrival.channel),
        };
        let id = match found {
            Ok(id) => id,
            Err(reason) => {
                self.actions.push(Action::Refuse(reason));
                return;
            }
        };
        let now = self.now.elapsed;
        if let Some(job) = self.jobs.get_mut(&id) {
            job.phase = job.phase.max(Phase::Running);
            job.pid = arrival.pid;
            job.heard = now;
            job.idle_since = now;
            let threads = arrival.threads.clamp(1, MAX_THREADS);
            job.threads = (0..threads).map(|_| Thread::default()).collect();
            let channel = job.channel;
            self.touch(channel);
        }
        self.actions.push(Action::Welcome(id));
    }

    fn arrived_child(&mut self, id: JobId, channel: &ChannelName) -> Result<JobId, String> {
        let Some(job) = self.jobs.get(&id) else {
            return Err(format!("there is no job {}", id.0));
        };
        let own = &self.channel(job.channel).settings.name;
        if job.phase == Phase::Running || !job.threads.is_empty() {
            return Err(format!("job {} is here already", id.0));
        }
        if own != channel {
            return Err(format!("this job was started for channel {own}"));
        }
        Ok(id)
    }

    fn arrived_run(&mut self, name: &ChannelName) -> Result<JobId, String> {
        let Some(channel) = self.by_name.get(name).copied() else {
            return Err(format!("no such channel: {name}"));
        };
        if self.down {
            return Err("the Job Controller is stopping".to_owned());
        }
        let mut waited = self.cache.all_waiting(channel);
        // Taken from the end: first by host, so that a connection serves many, soonest first.
        waited.sort_by_key(|slot| self.cache.message(*slot).queue);
        waited.reverse();
        Ok(self.new_job(channel, Kind::Run { waited }))
    }

    pub(super) fn started(&mut self, id: JobId, pid: u32) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.pid = pid;
        }
    }

    /// Whether a job that asks is to be told to exit.
    pub(super) fn has_to_leave(&self, id: JobId) -> bool {
        let Some(job) = self.jobs.get(&id) else {
            return true;
        };
        if self.down || job.phase != Phase::Running {
            return true;
        }
        if !job.is_child() {
            return false;
        }
        let channel = self.channel(job.channel);
        let (life, asks) = channel.class.map_or((u64::MAX, u64::MAX), |class| {
            let class = &self.settings.classes[class];
            (class.max_life_time, class.max_life_askwork)
        });
        let age = (self.now.elapsed - job.started) / 1_000;
        let old = |times: u64| {
            age >= life.saturating_mul(times) || u64::from(job.asks) > asks.saturating_mul(times)
        };
        // Jobs that were started together do not leave together: while each has a thread at a
        // slow host, it keeps its place, and nobody would be there for the others. At twice the
        // age it leaves all the same.
        let leaving = |other: &Job| other.phase == Phase::Leaving;
        let others = || self.children(job.channel).any(leaving);
        channel.stopped || old(2) || (old(1) && !others())
    }

    /// Tells a job to exit: at once to the threads that ask, at their next ask to the others.
    pub(super) fn retire(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if job.phase < Phase::Leaving {
            job.phase = Phase::Leaving;
            job.heard = self.now.elapsed;
            job.leaving_since = Some(self.now.elapsed);
        }
        let channel = job.channel;
        let asking: Vec<u16> = (0..)
            .zip(&job.threads)
            .filter(|(_, thread)| thread.state == ThreadState::Asking)
            .map(|(n, _)| n)
            .collect();
        for thread in asking {
            self.dismiss(id, thread);
        }
        self.touch(channel);
    }

    /// A job's connection has ended.
    pub(super) fn lost(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.phase = Phase::Lost;
        job.heard = self.now.elapsed;
        job.leaving_since.get_or_insert(self.now.elapsed);
        let channel = job.channel;
        let child = job.is_child();
        // One that an operator runs is nobody's child: how it ended is not known.
        let interrupted = !child && job.in_hand > 0;
        self.take_back(id);
        self.forget_threads(id);
        self.touch(channel);
        if interrupted {
            self.scan_after_death();
        }
        if !child {
            self.remove_job(id);
        }
    }

    fn forget_threads(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let channel = job.channel;
        let count = u16::try_from(job.threads.len()).unwrap_or(u16::MAX);
        for thread in 0..count {
            self.unbind(id, thread);
            self.channel_mut(channel).asking.remove(&(id, thread));
        }
        if let Some(job) = self.jobs.get_mut(&id) {
            for thread in &mut job.threads {
                thread.state = ThreadState::Silent;
            }
        }
    }

    /// A process has ended.
    pub(super) fn exited(&mut self, id: JobId, how: String, clean: bool) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let (channel, pid) = (job.channel, job.pid);
        let early = job.asks == 0 && job.signals == 0 && !self.down;
        let told = matches!(job.phase, Phase::Leaving);
        self.take_back(id);
        self.forget_threads(id);
        let job = self.jobs.get(&id);
        let with_mail = job.is_some_and(|job| job.bereft);
        let asked = job.is_some_and(|job| job.asks > 0);
        let barren = with_mail && job.is_some_and(|job| job.processed == 0) && !self.down;
        let name = self.channel(channel).settings.name.clone();
        if early && !told {
            let delay = self.delay_start(channel);
            self.note(Note::DiedAtStart {
                channel: name,
                pid,
                how,
                delay,
            });
        } else if !clean || with_mail {
            self.note(Note::Died {
                channel: name,
                pid,
                how,
            });
        }
        if barren {
            self.note_barren(channel);
        }
        // One that never got work has enqueued nothing.
        if asked && (!clean || with_mail) {
            self.scan_after_death();
        }
        self.remove_job(id);
    }

    /// A program has died with all it got. One message may be to blame, but not for a whole row.
    fn note_barren(&mut self, id: ChannelId) {
        let channel = self.channel_mut(id);
        channel.barren = channel.barren.saturating_add(1);
        if channel.barren > BARREN {
            let delay = self.delay_start(id);
            self.note(Note::Barren {
                channel: self.channel(id).settings.name.clone(),
                delay,
            });
        }
    }

    /// Forgets a job whose process has ended, and lets others have its place.
    pub(super) fn remove_job(&mut self, id: JobId) {
        let Some(job) = self.jobs.remove(&id) else {
            return;
        };
        self.channel_mut(job.channel)
            .jobs
            .retain(|other| *other != id);
        self.touch(job.channel);
        self.touch_pool_of(job.channel);
    }

    /// Lets every job finish what it has in hand and end. One that an operator runs stays until
    /// its work is done.
    pub(super) fn retire_children(&mut self) {
        let children = self.jobs.values().filter(|job| job.is_child());
        let children: Vec<JobId> = children.map(|job| job.id).collect();
        for job in children {
            self.retire(job);
        }
    }

    pub(super) fn shut_down(&mut self) {
        self.down = true;
        if self.scan.since.is_some() {
            self.actions.push(Action::StopScan);
        }
        let jobs: Vec<JobId> = self.jobs.keys().copied().collect();
        for job in jobs {
            self.retire(job);
        }
    }

    /// Ends jobs that have idled or lived long enough, and those that do not end.
    pub(super) fn look_at_jobs(&mut self) {
        let now = self.now.elapsed;
        let mut retiring = Vec::new();
        let mut overdue = Vec::new();
        for job in self.jobs.values().filter(|job| job.is_child()) {
            if job.is_idle() && now >= job.idle_since + IDLE || is_mute(job, now) {
                retiring.push(job.id);
            }
            if deadline(job).is_some_and(|deadline| now >= deadline) {
                overdue.push(job.id);
            }
        }
        for id in retiring {
            self.retire(id);
        }
        overdue.extend(self.look_at_works());
        for id in overdue {
            self.signal(id);
        }
    }

    /// Tells of messages that are in hand for long; the jobs that hang with one.
    fn look_at_works(&mut self) -> BTreeSet<JobId> {
        let now = self.now.elapsed;
        let mut hanging = BTreeSet::new();
        let mut slow = Vec::new();
        for work in self.works.values_mut() {
            let Holder::Thread(id, _) = work.holder else {
                continue;
            };
            let job = self.jobs.get(&id).filter(|job| job.is_child());
            let Some(job) = job.filter(|job| job.signals == 0) else {
                continue;
            };
            if now >= work.since + HANGING {
                hanging.insert(id);
            }
            if now >= work.since + SLOW && !work.slow {
                work.slow = true;
                slow.push((work.slot, job.pid));
            }
        }
        for (slot, pid) in slow {
            let channel = self.cache.channel_of(slot);
            if let Some(place) = self.cache.message(slot).place() {
                self.note(Note::Slow {
                    channel: self.channel(channel).settings.name.clone(),
                    place,
                    pid,
                });
            }
        }
        hanging
    }

    fn signal(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let kill = job.signals > 0;
        job.signals = job.signals.saturating_add(1);
        job.signalled = self.now.elapsed;
        let (pid, channel) = (job.pid, job.channel);
        self.note(Note::Overdue {
            channel: self.channel(channel).settings.name.clone(),
            pid,
            signal: if kill { "SIGKILL" } else { "SIGTERM" },
        });
        self.actions.push(Action::Signal { job: id, kill });
    }

    /// When the next of these decisions is due.
    pub(super) fn next_of_jobs(&self) -> Option<u64> {
        let unsignalled = |id: &JobId| {
            let job = self.jobs.get(id);
            job.is_some_and(|job| job.is_child() && job.signals == 0)
        };
        let works = self.works.values().filter_map(|work| match &work.holder {
            Holder::Thread(id, _) if unsignalled(id) => {
                Some(work.since + if work.slow { HANGING } else { SLOW })
            }
            Holder::Thread(..) | Holder::Clerk => None,
        });
        self.jobs
            .values()
            .filter(|job| job.is_child())
            .filter_map(|job| {
                let idle = job.is_idle().then_some(job.idle_since + IDLE);
                let mute = may_be_mute(job).then_some(job.heard + ENDING);
                [idle, mute, deadline(job)].into_iter().flatten().min()
            })
            .chain(works)
            .min()
    }
}

/// Whether a job has nothing in hand and yet does not ask.
fn may_be_mute(job: &Job) -> bool {
    let asking = |thread: &Thread| thread.state == ThreadState::Asking;
    job.phase == Phase::Running && job.in_hand == 0 && !job.threads.iter().any(asking)
}

fn is_mute(job: &Job, now: u64) -> bool {
    may_be_mute(job) && now >= job.heard + ENDING
}

/// When a process that should have ended (or arrived) is helped along. One with a message in
/// hand is not, unless it has got a signal for another reason.
fn deadline(job: &Job) -> Option<u64> {
    if job.signals > 0 {
        return (job.signals == 1).then_some(job.signalled + GRACE);
    }
    match job.phase {
        Phase::Starting => Some(job.started + ARRIVAL),
        Phase::Lost => Some(job.heard + ENDING),
        Phase::Leaving if job.in_hand == 0 => Some(job.heard.max(job.idle_since) + ENDING),
        Phase::Leaving | Phase::Running => None,
    }
}
