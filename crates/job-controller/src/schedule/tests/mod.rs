//! Tests of the scheduler: tables of events and what they cause, and a simulator that plays days.

mod chaos;
mod deaths;
mod limits;
mod simulator;
mod tables;

use super::{Action, Arrival, Event, Found, Note, Now, Scheduler};
use crate::cache::{Slot, State};
use crate::job::{Phase, ThreadState};
use crate::settings::{After, ChannelSettings, Settings};
use mta_config::pool::{ChannelClass, Pool, PriorityWindows};
use mta_config::window::{SynchTime, Windows};
use mta_envelope::envelope::Priority;
use mta_envelope::names::{ChannelName, Place, PoolName};
use mta_ipc::job_controller::{Entry, JobId, Settlement, WorkId};
use std::collections::{BTreeMap, BTreeSet};

/// The wall clock when the scheduler's own begins.
const EPOCH: u64 = 1_790_000_000;

fn name(text: &str) -> ChannelName {
    ChannelName::new(text).unwrap()
}

fn place(n: u32) -> Place {
    Place::parse(&format!("{:03}/ZZm{n:09}.00", n % 20)).unwrap()
}

fn entry(channel: &str, n: u32, host: &str) -> Entry {
    Entry {
        channel: name(channel),
        place: place(n),
        priority: Priority::Normal,
        host: host.to_owned(),
        size: 1_000,
        recipients: 1,
        arrived: EPOCH,
        not_before: None,
    }
}

fn class(pattern: &str, anon_host: bool) -> ChannelClass {
    ChannelClass {
        pattern: pattern.to_owned(),
        master_command: Some(format!("IMTA_BIN:{pattern}")),
        slave_command: None,
        max_life_time: 3_600,
        max_life_askwork: 1_000_000,
        anon_host,
        windows: PriorityWindows::default(),
    }
}

fn channel(text: &str, pool: &str) -> ChannelSettings {
    ChannelSettings {
        name: name(text),
        pool: pool.to_owned(),
        master: true,
        maxjobs: 7,
        threaddepth: 10,
        filesperjob: 0,
        backoff: std::array::from_fn(|_| vec![600, 1_200, 3_600]),
        after: [After::AtOnce; 5],
        windows: [const { None }; 5],
    }
}

/// Two channels that sort by host and share a pool of four, two that do not and share one of two.
fn settings() -> Settings {
    let pool = |name: &str, job_limit| Pool {
        name: PoolName::new(name).unwrap(),
        job_limit,
        windows: PriorityWindows::default(),
    };
    Settings {
        debug: 0,
        max_messages: 1_000_000,
        synch: SynchTime::DEFAULT,
        parallel_rebuild: 12,
        inorder_rebuild: false,
        pools: vec![pool("DEFAULT", 2), pool("SMTP_POOL", 4)],
        classes: vec![
            class("tcp_*", false),
            class("ims-ms", true),
            class("l", true),
        ],
        channels: vec![
            channel("tcp_local", "SMTP_POOL"),
            channel("tcp_intranet", "SMTP_POOL"),
            channel("ims-ms", "DEFAULT"),
            channel("l", "DEFAULT"),
        ],
    }
}

/// A scheduler with its clock, whose actions are told in short words.
struct Bench {
    scheduler: Scheduler,
    elapsed: u64,
    wall: i64,
    works: BTreeMap<(u32, u16), WorkId>,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let now = Now {
            elapsed: 0,
            wall: EPOCH,
            minute: 600,
        };
        let mut scheduler = Scheduler::new(settings, BTreeSet::new(), now);
        scheduler.begin();
        let mut bench = Self {
            scheduler,
            elapsed: 0,
            wall: i64::try_from(EPOCH).unwrap(),
            works: BTreeMap::new(),
        };
        bench.tell(Event::ScanDone { complete: true });
        bench
    }

    fn now(&self) -> Now {
        let seconds = i64::try_from(self.elapsed / 1_000).unwrap();
        Now {
            elapsed: self.elapsed,
            wall: u64::try_from(self.wall + seconds).unwrap(),
            minute: u16::try_from((600 + self.elapsed / 60_000) % 1_440).unwrap(),
        }
    }

    /// An event now; notes are left out of what it causes.
    fn tell(&mut self, event: Event) -> Vec<String> {
        let actions = self.scheduler.handle(self.now(), event);
        self.scheduler.check();
        self.words(&actions)
    }

    fn words(&mut self, actions: &[Action]) -> Vec<String> {
        let words = actions.iter().filter_map(|action| match action {
            Action::Start { job, channel, .. } => Some(format!("start {} {channel}", job.0)),
            Action::Welcome(job) => Some(format!("welcome {}", job.0)),
            Action::Refuse(_) => Some("refuse".to_owned()),
            Action::Give { job, thread, work } => {
                self.works.insert((job.0, *thread), work.id);
                let number = work.place.file.unique()[1..].parse::<u32>().unwrap();
                Some(format!("give {}.{thread} {number} {}", job.0, work.host))
            }
            Action::Dismiss { job, thread } => Some(format!("exit {}.{thread}", job.0)),
            Action::Signal { job, kill } => {
                Some(format!("{} {}", if *kill { "kill" } else { "term" }, job.0))
            }
            Action::CountAttempt { deaths, .. } => Some(format!("count {deaths}")),
            Action::Hold { deaths, .. } => Some(format!("hold {deaths}")),
            Action::Scan(channel) => Some(match channel {
                Some(channel) => format!("scan {channel}"),
                None => "scan".to_owned(),
            }),
            Action::StopScan => Some("stop scan".to_owned()),
            Action::Note(_) => None,
        });
        words.collect()
    }

    /// Lets time pass, ticking whenever the scheduler wants it.
    fn pass(&mut self, seconds: u64) -> Vec<String> {
        let end = self.elapsed + seconds * 1_000;
        let mut words = Vec::new();
        loop {
            let next = self.scheduler.next_tick().max(self.elapsed + 1);
            if next > end {
                self.elapsed = end;
                return words;
            }
            self.elapsed = next;
            words.extend(self.tell(Event::Tick));
        }
    }

    fn enqueue(&mut self, entries: &[Entry]) -> Vec<String> {
        self.tell(Event::Enqueued(entries.to_vec()))
    }

    fn arrive(&mut self, job: u32, channel: &str, threads: u16) -> Vec<String> {
        self.tell(Event::Arrived(Arrival {
            job: Some(JobId(job)),
            channel: name(channel),
            pid: 1_000 + job,
            threads,
        }))
    }

    fn next(&mut self, job: u32, thread: u16) -> Vec<String> {
        self.ask(job, thread, None, Vec::new())
    }

    fn ask(
        &mut self,
        job: u32,
        thread: u16,
        host: Option<&str>,
        done: Vec<(WorkId, Settlement)>,
    ) -> Vec<String> {
        self.tell(Event::Next {
            job: JobId(job),
            thread,
            host: host.map(str::to_owned),
            done,
        })
    }

    /// A thread settles what it has and asks for more.
    fn done(&mut self, job: u32, thread: u16, settlement: Settlement) -> Vec<String> {
        let work = self.works.remove(&(job, thread)).unwrap();
        self.ask(job, thread, None, vec![(work, settlement)])
    }

    /// A job dies.
    fn die(&mut self, job: u32) -> Vec<String> {
        let mut words = self.tell(Event::Lost(JobId(job)));
        words.extend(self.tell(Event::Exited {
            job: JobId(job),
            how: "ended by signal 9".to_owned(),
            clean: false,
        }));
        words
    }

    /// A job ends as it was told.
    fn end(&mut self, job: u32) -> Vec<String> {
        let mut words = self.tell(Event::Lost(JobId(job)));
        words.extend(self.tell(Event::Exited {
            job: JobId(job),
            how: "ended with code 0".to_owned(),
            clean: true,
        }));
        words
    }
}

/// One more attempt of the `n`-th message.
fn deferred(n: u32, attempts: u16) -> Settlement {
    Settlement::Deferred {
        place: place(n).renamed(place(n).file.with_attempts(attempts)),
        retry_in: None,
    }
}

impl Scheduler {
    /// What holds after every event.
    fn check(&self) {
        self.cache.check();
        let mut threads: BTreeMap<_, u32> = BTreeMap::new();
        let mut in_hand = 0;
        for job in self.jobs.values() {
            let working = job.threads.iter().filter_map(|thread| match thread.state {
                ThreadState::Working(work) => Some(work),
                ThreadState::Asking | ThreadState::Silent => None,
            });
            let works: BTreeSet<_> = working.collect();
            assert_eq!(works.len(), job.in_hand as usize);
            assert!(works.iter().all(|work| self.works.contains_key(work)));
            in_hand += works.len();
            for queue in job.threads.iter().filter_map(|thread| thread.bound) {
                *threads.entry(queue).or_default() += 1;
            }
            if job.phase == Phase::Lost {
                assert!(works.is_empty());
            }
        }
        let clerk = self
            .works
            .values()
            .filter(|work| work.holder == super::Holder::Clerk)
            .count();
        assert_eq!(in_hand + clerk, self.works.len());
        assert_eq!(self.works.len(), self.in_hand.len());
        for (work, in_hand) in &self.works {
            assert_eq!(self.in_hand[&in_hand.slot], *work);
            assert_eq!(self.cache.message(in_hand.slot).state, State::Loose);
        }
        let loose = |slot: &Slot| self.cache.message(*slot).state == State::Loose;
        let all_loose = self.cache.slots_from(0, usize::MAX).0.filter(loose).count();
        assert_eq!(all_loose, self.works.len(), "a message is on no list");
        self.check_channels(&threads);
    }

    fn check_channels(&self, threads: &BTreeMap<crate::cache::QueueId, u32>) {
        let mut pools = vec![0; self.settings.pools.len()];
        for (n, channel) in self.channels.iter().enumerate() {
            let id = super::channel_id(n);
            let children = self.children(id).count();
            assert!(
                children <= 2 * channel.settings.maxjobs as usize,
                "more jobs than maxjobs, slow ones that leave included"
            );
            if let Some(pool) = channel.pool {
                pools[pool] += children;
            }
            for (queue, state) in self.cache.queues_of(id) {
                let bound = threads.get(&queue).copied().unwrap_or(0);
                assert_eq!(state.threads, bound);
                let listed = state
                    .servable
                    .map(|rank| channel.servable.contains(&(rank, state.turn, queue)));
                assert_ne!(listed, Some(false));
                let depth = channel.settings.threaddepth * state.threads;
                let enough =
                    !channel.sorts || state.threads == 0 || state.eligible(channel.closed) > depth;
                let expected = state.best(channel.closed).filter(|_| enough);
                assert_eq!(state.servable, expected, "host {}", state.host);
            }
            let servable = self
                .cache
                .queues_of(id)
                .filter(|(_, queue)| queue.servable.is_some())
                .count();
            assert_eq!(channel.servable.len(), servable);
            for (job, thread) in &channel.asking {
                let state = self.jobs[job].threads[usize::from(*thread)].state;
                assert_eq!(state, ThreadState::Asking);
            }
        }
        for (pool, count) in self.settings.pools.iter().zip(pools) {
            assert!(
                count <= 2 * pool.job_limit as usize,
                "more jobs than job_limit, slow ones that leave included"
            );
        }
    }
}
