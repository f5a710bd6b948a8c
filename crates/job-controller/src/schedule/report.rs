//! Listings for operators. Each answer fits into a frame and takes a bounded time, so that
//! nobody's listing delays anybody's mail.

use super::{Holder, Scheduler, channel_id};
use crate::cache::{ChannelId, Slot, State};
use crate::job::{Job, ThreadState};
use mta_envelope::names::{ChannelName, Place};
use mta_ipc::job_controller::{ChannelJobs, HostCount, JobId, JobView, RowState, ViewRow};

/// Most entries of one part of a view: with the longest names they fit into a frame.
const VIEW_ROWS: usize = 100;

/// Most cache slots looked at for one part.
const VIEW_VISITS: usize = 20_000;

/// Octets that a listing of jobs or hosts may take, below the 64 KiB of a frame.
const LISTING: usize = 48 * 1024;

/// Totals for the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Messages in the cache.
    pub messages: usize,
    /// Jobs, started ones and those that operators run.
    pub jobs: usize,
    /// Messages in somebody's hands.
    pub in_hand: usize,
    /// Whether the scan at start is complete.
    pub built: bool,
    /// Whether messages are on disk only.
    pub overflowed: bool,
}

impl Scheduler {
    /// Totals over everything.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            messages: self.cache.len(),
            jobs: self.jobs.len(),
            in_hand: self.works.len(),
            built: self.scan.built,
            overflowed: self.overflowed,
        }
    }

    /// One part of the cache's entries, and where the next part begins.
    #[must_use]
    pub fn view(&self, channel: Option<&ChannelName>, cursor: u64) -> (Vec<ViewRow>, Option<u64>) {
        let wanted = match channel {
            Some(name) => match self.by_name.get(name) {
                Some(id) => Some(*id),
                None => return (Vec::new(), None),
            },
            None => None,
        };
        let (slots, end) = self.cache.slots_from(cursor, VIEW_VISITS);
        let mut rows = Vec::new();
        for slot in slots {
            if wanted.is_some_and(|wanted| self.cache.channel_of(slot) != wanted) {
                continue;
            }
            if rows.len() == VIEW_ROWS {
                return (rows, Some(slot.number()));
            }
            rows.extend(self.row(slot));
        }
        (rows, end)
    }

    fn row(&self, slot: Slot) -> Option<ViewRow> {
        let message = self.cache.message(slot);
        let channel = self.cache.channel_of(slot);
        Some(ViewRow {
            channel: self.channel(channel).settings.name.clone(),
            place: message.place()?,
            host: self.cache.queue(message.queue).host.to_string(),
            priority: message.priority,
            state: self.row_state(slot),
            arrived: u64::from(message.arrived),
            size: u64::from(message.size),
            recipients: u32::from(message.recipients),
        })
    }

    fn row_state(&self, slot: Slot) -> RowState {
        let message = self.cache.message(slot);
        match message.state {
            State::Waiting => RowState::Waiting {
                until: self.wall_time(message.due),
            },
            State::Ready(_) | State::Suspect => RowState::Ready,
            State::Free | State::Loose => {
                let holder = self
                    .in_hand
                    .get(&slot)
                    .and_then(|work| self.works.get(work));
                match holder.map(|work| work.holder) {
                    Some(Holder::Thread(job, _)) => RowState::Active {
                        job_pid: self.jobs.get(&job).map_or(0, |job| job.pid),
                    },
                    // Ours for a moment, while its file is renamed.
                    Some(Holder::Clerk) | None => RowState::Ready,
                }
            }
        }
    }

    /// What the wall clock will show at a second of the scheduler.
    fn wall_time(&self, second: u32) -> u64 {
        let left = (u64::from(second) * 1_000).saturating_sub(self.now.elapsed);
        self.now.wall + left.div_ceil(1_000)
    }

    /// Jobs and counts of one channel, or of all that have either or are stopped.
    #[must_use]
    pub fn channel_jobs(&self, channel: Option<&ChannelName>) -> Vec<ChannelJobs> {
        let mut room = LISTING;
        (0..self.channels.len())
            .map(channel_id)
            .filter(|id| match channel {
                Some(name) => self.channel(*id).settings.name == *name,
                None => self.is_worth_listing(*id),
            })
            .map_while(|id| {
                room = room.checked_sub(300)?;
                Some(self.jobs_of(id, &mut room))
            })
            .collect()
    }

    fn is_worth_listing(&self, id: ChannelId) -> bool {
        let channel = self.channel(id);
        let counts = channel.delivered + channel.requeued + u64::from(self.cache.count(id));
        channel.stopped || counts > 0 || !channel.jobs.is_empty()
    }

    fn jobs_of(&self, id: ChannelId, room: &mut usize) -> ChannelJobs {
        let channel = self.channel(id);
        let jobs = channel.jobs.iter().filter_map(|job| self.jobs.get(job));
        ChannelJobs {
            channel: channel.settings.name.clone(),
            stopped: channel.stopped,
            jobs: jobs.map_while(|job| self.job_view(job, room)).collect(),
            ready: u64::from(self.cache.ready(id)),
            waiting: u64::from(self.cache.waiting(id)),
            delivered: channel.delivered,
            requeued: channel.requeued,
            limit: self.binding_limit(id).map_or_else(String::new, |limit| {
                let mut text = limit.to_string();
                text.truncate(text.floor_char_boundary(200));
                text
            }),
        }
    }

    /// One job; its hosts and messages as far as there is room.
    fn job_view(&self, job: &Job, room: &mut usize) -> Option<JobView> {
        *room = room.checked_sub(40)?;
        let mut hosts: Vec<String> = Vec::new();
        let mut messages: Vec<Place> = Vec::new();
        for thread in &job.threads {
            let host = thread
                .bound
                .map(|queue| self.cache.queue(queue).host.to_string());
            if let Some(host) = host.filter(|host| !host.is_empty() && !hosts.contains(host))
                && let Some(left) = room.checked_sub(host.len() + 9)
            {
                *room = left;
                hosts.push(host);
            }
            let ThreadState::Working(work) = thread.state else {
                continue;
            };
            let slot = self.works.get(&work).map(|work| work.slot);
            let place = slot.and_then(|slot| self.cache.message(slot).place());
            if let (Some(place), Some(left)) = (place, room.checked_sub(60)) {
                *room = left;
                messages.push(place);
            }
        }
        Some(JobView {
            pid: job.pid,
            hosts,
            messages,
            processed: job.processed,
            failed: job.failed,
            age: (self.now.elapsed - job.started) / 1_000,
        })
    }

    /// What keeps a channel with eligible messages from having more jobs.
    #[must_use]
    fn binding_limit(&self, id: ChannelId) -> Option<super::Limit> {
        let channel = self.channel(id);
        if channel.stopped {
            return Some(super::Limit::Stopped);
        }
        if self.cache.ready(id) == 0 {
            return None;
        }
        if channel.servable.is_empty() && self.cache.suspects(id) == 0 && channel.closed != 0 {
            let open = self
                .cache
                .queues_of(id)
                .any(|(_, queue)| queue.best(channel.closed).is_some());
            if !open {
                return Some(super::Limit::WindowClosed);
            }
        }
        self.limit_of(id)
    }

    /// Counts per host, those with most messages first; what does not fit into the answer is
    /// summed up under the host `*`.
    #[must_use]
    pub fn host_counts(&self, channel: &ChannelName) -> Vec<HostCount> {
        let Some(id) = self.by_name.get(channel).copied() else {
            return Vec::new();
        };
        let mut counts: Vec<HostCount> = self
            .cache
            .queues_of(id)
            .map(|(_, queue)| HostCount {
                host: queue.host.to_string(),
                active: u64::from(queue.messages - queue.waiting_count),
                delayed: u64::from(queue.waiting_count),
            })
            .collect();
        let total = |count: &HostCount| count.active + count.delayed;
        counts.sort_by(|a, b| total(b).cmp(&total(a)).then_with(|| a.host.cmp(&b.host)));
        let mut room = LISTING;
        let fits = counts.iter().take_while(|count| {
            let left = room.checked_sub(count.host.len() + 27);
            room = left.unwrap_or(0);
            left.is_some()
        });
        let rest = counts.split_off(fits.count());
        if !rest.is_empty() {
            counts.push(HostCount {
                host: "*".to_owned(),
                active: rest.iter().map(|count| count.active).sum(),
                delayed: rest.iter().map(|count| count.delayed).sum(),
            });
        }
        counts
    }

    /// The internal state as lines for the log (`imsimta cache -walk`).
    #[must_use]
    pub fn walk(&self) -> String {
        let totals = self.totals();
        let mut text = format!("cache walk: {totals:?}\n");
        for (n, channel) in self.channels.iter().enumerate() {
            let id = channel_id(n);
            let limit = self.limit_of(id).map(|limit| limit.to_string());
            text.push_str(&format!(
                "channel {}: {} messages, {} ready, {} waiting, {} alone; {} jobs, {} threads \
                 asking; delivered {}, requeued {}; limit: {}\n",
                channel.settings.name,
                self.cache.count(id),
                self.cache.ready(id),
                self.cache.waiting(id),
                self.cache.suspects(id),
                channel.jobs.len(),
                channel.asking.len(),
                channel.delivered,
                channel.requeued,
                limit.as_deref().unwrap_or("none"),
            ));
        }
        for job in self.jobs.values() {
            text.push_str(&format!(
                "job {} (process {}) of channel {}: {:?}, {} threads, {} in hand, asked {} \
                 times, processed {}, failed {}, started {} s ago\n",
                job.id.0,
                job.pid,
                self.channel(job.channel).settings.name,
                job.phase,
                job.threads.len(),
                job.in_hand,
                job.asks,
                job.processed,
                job.failed,
                (self.now.elapsed - job.started) / 1_000,
            ));
        }
        text
    }

    /// All jobs with their processes.
    pub fn processes(&self) -> impl Iterator<Item = (JobId, u32)> {
        let known = self.jobs.values().filter(|job| job.pid != 0);
        known.map(|job| (job.id, job.pid))
    }
}
