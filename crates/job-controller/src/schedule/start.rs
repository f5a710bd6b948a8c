//! Whether a channel needs another job, and whether the limits allow it.
//!
//! A channel wants a job when it has work that no running job will get to: none runs, or (sorted
//! by host) no thread is free for a host that may have one more, or (not sorted) the eligible
//! messages per job exceed `threaddepth`; `filesperjob` works alike for both. One job at a time
//! is started per channel, so that each is seen at work before the next is asked for.
//!
//! Processes of a channel are limited by `maxjobs`, those of all channels of a pool by
//! `job_limit`. One that was told to exit holds its place for [`PATIENCE`]; if it is still busy
//! with its last delivery then, others do not wait for it, as long as there are no more than
//! twice as many processes as the limit says. When a pool is full, an idle job of another channel makes room at once; and a
//! channel that has had none for [`PATIENCE`] gets the place of the oldest job of whichever
//! channel has most.

use super::event::Note;
use super::{Action, Scheduler, channel_id, debug};
use crate::cache::{ChannelId, Rank};
use crate::job::{Job, Kind, Phase};
use mta_envelope::names::ChannelName;
use mta_ipc::job_controller::JobId;
use std::collections::BTreeSet;
use std::fmt;

/// Milliseconds for which a job may be silent while it has a free thread, before that thread is
/// no longer counted on.
const SILENCE: u64 = 5_000;

/// Milliseconds that a channel without jobs waits for a place in its pool before another's job
/// is ended, and that such a job has lived at least.
const PATIENCE: u64 = 10_000;

/// What keeps a channel from having (more) jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// The server stops.
    GoingDown,
    /// It is on the hold list.
    Stopped,
    /// It is served in the slave direction only.
    Slave,
    /// No channel class gives it a program.
    NoProgram,
    /// Its pool does not exist.
    NoPool(String),
    /// Its program failed; it is started again after so many seconds.
    StartDelayed(u64),
    /// As many processes as `maxjobs` allows.
    Maxjobs(u32),
    /// The pool has no place.
    PoolFull {
        /// The pool.
        pool: String,
        /// Its `job_limit`.
        limit: u32,
        /// Who has how many of its places.
        holders: Vec<(ChannelName, u32)>,
    },
    /// The delivery window of everything eligible is closed.
    WindowClosed,
}

/// The same, as small as the scheduler needs it at every event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    GoingDown,
    Stopped,
    Slave,
    NoProgram,
    NoPool,
    StartDelayed(u64),
    Maxjobs,
    PoolFull(usize),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GoingDown => f.write_str("the Job Controller is stopping"),
            Self::Stopped => f.write_str("channel is stopped"),
            Self::Slave => f.write_str("channel has no master direction"),
            Self::NoProgram => f.write_str("no master_command"),
            Self::NoPool(pool) => write!(f, "pool {pool:?} not defined"),
            Self::StartDelayed(seconds) => {
                write!(f, "program failed at start; next start in {seconds} s")
            }
            Self::Maxjobs(limit) => write!(f, "maxjobs {limit}"),
            Self::PoolFull {
                pool,
                limit,
                holders,
            } => {
                write!(f, "pool {pool} full (job_limit {limit}:")?;
                for (channel, jobs) in holders {
                    write!(f, " {channel} {jobs}")?;
                }
                f.write_str(")")
            }
            Self::WindowClosed => f.write_str("delivery window closed"),
        }
    }
}

impl Scheduler {
    /// Starts what the touched channels need, best priority first, then in turns.
    pub(super) fn start_jobs(&mut self, touched: &BTreeSet<ChannelId>) {
        let mut wanting: Vec<_> = touched
            .iter()
            .filter_map(|id| {
                let rank = self.wanted(*id)?;
                Some((rank.priority(), self.channel(*id).start_turn, *id))
            })
            .collect();
        wanting.sort_unstable();
        for id in touched {
            let short = wanting.iter().any(|(_, _, other)| other == id);
            if !short {
                self.channel_mut(*id).short_since = None;
            }
        }
        for (_, _, id) in wanting {
            match self.obstacle_of(id) {
                None => self.start(id),
                Some(Obstacle::PoolFull(_)) => {
                    let now = self.now.elapsed;
                    self.channel_mut(id).short_since.get_or_insert(now);
                    self.make_room(id);
                }
                Some(_) => {}
            }
        }
    }

    /// Whether a channel has work that its jobs will not get to, and of which rank.
    fn wanted(&self, id: ChannelId) -> Option<Rank> {
        let channel = self.channel(id);
        let rank = channel.servable.first().map(|(rank, _, _)| *rank);
        let suspects = self.cache.suspects(id) > 0;
        let reason = rank.or((suspects || channel.poll).then_some(Rank::RELEASED))?;
        let jobs = || self.children(id).filter(|job| job.phase <= Phase::Running);
        // One that is gone before it asked is about to tell by its exit that it failed.
        let unsure = |job: &Job| match job.phase {
            Phase::Starting => true,
            Phase::Lost => job.asks == 0,
            Phase::Running | Phase::Leaving => false,
        };
        if self.children(id).any(unsure) {
            return None;
        }
        if channel.poll || jobs().next().is_none() {
            return Some(reason);
        }
        let kept = channel.quarantine;
        let serving: Vec<&Job> = jobs().filter(|job| Some(job.id) != kept).collect();
        let alone = kept.is_some() || serving.iter().any(|job| job.in_hand == 0);
        if suspects && !alone {
            return Some(reason);
        }
        let rank = rank?;
        let heard = |job: &&Job| self.now.elapsed < job.heard + SILENCE;
        let room = serving.iter().any(|job| job.has_room() && heard(job));
        let count = u64::try_from(serving.len()).unwrap_or(u64::MAX);
        let eligible = u64::from(self.cache.ready(id));
        let per_job = u64::from(channel.settings.filesperjob);
        let by_files = per_job > 0 && eligible > per_job * count;
        let short = if channel.sorts {
            !room
        } else {
            eligible > u64::from(channel.settings.threaddepth.max(1)) * count
        };
        (short || by_files).then_some(rank)
    }

    /// What keeps a channel from getting a job now.
    fn obstacle_of(&self, id: ChannelId) -> Option<Obstacle> {
        let channel = self.channel(id);
        if self.down {
            return Some(Obstacle::GoingDown);
        }
        if channel.stopped {
            return Some(Obstacle::Stopped);
        }
        let known = channel.pool.is_some() || !channel.settings.pool.is_empty();
        if !channel.settings.master && known {
            return Some(Obstacle::Slave);
        }
        if self.command_of(id).is_none() {
            return Some(Obstacle::NoProgram);
        }
        let Some(pool) = channel.pool else {
            return Some(Obstacle::NoPool);
        };
        let delay = channel.start_after.saturating_sub(self.now.elapsed);
        if delay > 0 {
            return Some(Obstacle::StartDelayed(delay.div_ceil(1_000)));
        }
        if self.children(id).count() >= channel.settings.maxjobs as usize {
            return Some(Obstacle::Maxjobs);
        }
        let all = self.channels_of(pool).flat_map(|id| self.children(id));
        let full = all.count() >= self.settings.pools[pool].job_limit as usize;
        full.then_some(Obstacle::PoolFull(pool))
    }

    /// Whether it is worth waiting for the place of a process that leaves, rather than asking
    /// another one to leave as well: not if it has been at it for long.
    fn gives_place_soon(&self, job: &Job) -> bool {
        job.leaving_since
            .is_none_or(|since| self.now.elapsed < since + PATIENCE)
    }

    /// The same, spelled out for operators.
    pub(super) fn limit_of(&self, id: ChannelId) -> Option<Limit> {
        let settings = &self.channel(id).settings;
        Some(match self.obstacle_of(id)? {
            Obstacle::GoingDown => Limit::GoingDown,
            Obstacle::Stopped => Limit::Stopped,
            Obstacle::Slave => Limit::Slave,
            Obstacle::NoProgram => Limit::NoProgram,
            Obstacle::NoPool => Limit::NoPool(settings.pool.clone()),
            Obstacle::StartDelayed(seconds) => Limit::StartDelayed(seconds),
            Obstacle::Maxjobs => Limit::Maxjobs(settings.maxjobs),
            Obstacle::PoolFull(pool) => Limit::PoolFull {
                pool: self.settings.pools[pool].name.to_string(),
                limit: self.settings.pools[pool].job_limit,
                holders: self.holders_of(pool),
            },
        })
    }

    /// The channels that have processes of a pool, with how many.
    fn holders_of(&self, pool: usize) -> Vec<(ChannelName, u32)> {
        self.channels_of(pool)
            .map(|id| (id, self.children(id).count()))
            .filter(|(_, jobs)| *jobs > 0)
            .map(|(id, jobs)| {
                let name = self.channel(id).settings.name.clone();
                (name, u32::try_from(jobs).unwrap_or(u32::MAX))
            })
            .collect()
    }

    fn channels_of(&self, pool: usize) -> impl Iterator<Item = ChannelId> {
        let channels = self.channels.iter().enumerate();
        channels
            .filter(move |(_, channel)| channel.pool == Some(pool))
            .map(|(n, _)| channel_id(n))
    }

    /// Whether no further job of a channel can be started now.
    pub(super) fn is_at_limit(&self, id: ChannelId) -> bool {
        self.obstacle_of(id).is_some()
    }

    /// The program that serves a channel.
    pub(super) fn command_of(&self, id: ChannelId) -> Option<&str> {
        let class = self.channel(id).class?;
        self.settings.classes[class].master_command.as_deref()
    }

    /// The processes of a channel that count.
    pub(super) fn children(&self, id: ChannelId) -> impl Iterator<Item = &Job> {
        self.channel(id)
            .jobs
            .iter()
            .filter_map(|job| self.jobs.get(job))
            .filter(|job| job.is_child())
    }

    fn start(&mut self, id: ChannelId) {
        let Some(command) = self.command_of(id).map(str::to_owned) else {
            return;
        };
        let job = self.new_job(id, Kind::Child);
        self.turn += 1;
        let turn = self.turn;
        let channel = self.channel_mut(id);
        channel.start_turn = turn;
        channel.short_since = None;
        channel.poll = false;
        let channel = channel.settings.name.clone();
        self.debug(debug::JOBS, |_| {
            format!("channel {channel}: starting job {}", job.0)
        });
        self.actions.push(Action::Start {
            job,
            channel,
            command,
        });
    }

    pub(super) fn new_job(&mut self, channel: ChannelId, kind: Kind) -> JobId {
        self.last_job = self.last_job.wrapping_add(1);
        let id = JobId(self.last_job);
        let job = Job::new(id, channel, kind, self.now.elapsed);
        self.jobs.insert(id, job);
        self.channel_mut(channel).jobs.push(id);
        id
    }

    /// Ends a job of the same pool for a channel that has to wait for a place.
    fn make_room(&mut self, id: ChannelId) {
        let Some(pool) = self.channel(id).pool else {
            return;
        };
        let others = || self.channels_of(pool).filter(|other| *other != id);
        let leaving = others()
            .flat_map(|other| self.children(other))
            .any(|job| job.phase > Phase::Running && self.gives_place_soon(job));
        if leaving {
            return;
        }
        let idle = others()
            .flat_map(|other| self.children(other))
            .find(|job| job.is_idle())
            .map(|job| job.id);
        let victim = idle.or_else(|| {
            let none = self.children(id).next().is_none();
            let since = self.channel(id).short_since?;
            let patient = none && self.now.elapsed >= since + PATIENCE;
            let staying = |other| {
                let jobs = self.children(other);
                jobs.filter(|job| job.phase <= Phase::Running)
            };
            let most = others().max_by_key(|other| staying(*other).count())?;
            staying(most)
                .filter(|job| patient && self.now.elapsed >= job.started + PATIENCE)
                .min_by_key(|job| job.started)
                .map(|job| job.id)
        });
        if let Some(victim) = victim {
            self.debug(debug::DECISIONS, |_| {
                format!("job {} has to make room in its pool", victim.0)
            });
            self.retire(victim);
        }
    }

    pub(super) fn start_failed(&mut self, id: JobId, reason: String) {
        let starting = |job: &&Job| job.phase == Phase::Starting;
        let Some(job) = self.jobs.get(&id).filter(starting) else {
            return;
        };
        let channel = job.channel;
        let command = self.command_of(channel).unwrap_or_default().to_owned();
        let delay = self.delay_start(channel);
        self.note(Note::ForkFailed {
            channel: self.channel(channel).settings.name.clone(),
            command,
            reason,
            delay,
        });
        self.remove_job(id);
    }

    /// Lets a channel whose program failed wait a growing time before the next start.
    pub(super) fn delay_start(&mut self, id: ChannelId) -> u64 {
        let now = self.now.elapsed;
        let channel = self.channel_mut(id);
        channel.start_failures = channel.start_failures.saturating_add(1);
        let delay = crate::backoff::start_delay(channel.start_failures);
        channel.start_after = now + delay;
        delay
    }
}
