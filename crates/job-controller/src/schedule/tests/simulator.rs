//! Days of scheduling with programs that are slow, fail, die and hang up, on a disk that is the
//! truth. Time is virtual and chance comes from a seed, so every run can be repeated.

use super::*;
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A small generator of our own: the tests need repeatable chance, not good chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// How the world behaves.
#[derive(Debug, Clone, Copy)]
struct World {
    /// Of attempts: deferred.
    defers: u64,
    /// Of attempts: the program dies.
    dies: u64,
    /// Of programs: gone before they ask.
    stillborn: u64,
    /// Of files: nobody tells the scheduler.
    unannounced: u64,
    /// Of events: the clock is moved before it.
    jumps: u64,
}

const CALM: World = World {
    defers: 0,
    dies: 0,
    stillborn: 0,
    unannounced: 0,
    jumps: 0,
};

/// What will happen at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Future {
    Arrival(u32),
    Ask(u32, u16),
    Finish(u32, u16),
    End(u32),
    Scanned,
    Amended(u64, u32),
    Mail(u32),
}

struct Program {
    channel: ChannelName,
    threads: u16,
    gone: u16,
    works: BTreeMap<u16, (WorkId, u32)>,
}

/// A file on disk: its attempts, and when it was tried last.
#[derive(Debug, Clone)]
struct File {
    entry: Entry,
    tried: u64,
}

struct Simulator {
    bench: Bench,
    chance: Chance,
    world: World,
    future: BinaryHeap<Reverse<(u64, u64, Future)>>,
    order: u64,
    programs: BTreeMap<u32, Program>,
    disk: BTreeMap<u32, File>,
    /// In whose hands each message is; two at once is the gravest of faults.
    held_by: BTreeMap<u32, u32>,
    delivered: BTreeMap<u32, u64>,
    events: u64,
}

fn number(place: &Place) -> u32 {
    place.file.unique()[1..].parse().unwrap()
}

impl Simulator {
    fn new(settings: Settings, seed: u64, world: World) -> Self {
        Self {
            bench: Bench::new(settings),
            chance: Chance(seed | 1),
            world,
            future: BinaryHeap::new(),
            order: 0,
            programs: BTreeMap::new(),
            disk: BTreeMap::new(),
            held_by: BTreeMap::new(),
            delivered: BTreeMap::new(),
            events: 0,
        }
    }

    fn later(&mut self, millis: u64, what: Future) {
        self.order += 1;
        let at = self.bench.elapsed + millis;
        self.future.push(Reverse((at, self.order, what)));
    }

    fn tell(&mut self, event: Event) {
        let actions = self.bench.scheduler.handle(self.bench.now(), event);
        self.events += 1;
        if self.events.is_multiple_of(16) {
            self.bench.scheduler.check();
        }
        for action in actions {
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Start { job, channel, .. } => {
                let threads = if channel.as_str().starts_with("tcp") {
                    3
                } else {
                    1
                };
                let program = Program {
                    channel,
                    threads,
                    gone: 0,
                    works: BTreeMap::new(),
                };
                self.programs.insert(job.0, program);
                let stillborn = self.chance.percent(self.world.stillborn);
                let event = Future::Arrival(job.0);
                self.later(20, if stillborn { Future::End(job.0) } else { event });
            }
            Action::Give { job, thread, work } => {
                let message = number(&work.place);
                let other = self.held_by.insert(message, job.0);
                assert_eq!(other, None, "message {message} is in two hands");
                if let Some(file) = self.disk.get(&message) {
                    assert_eq!(file.entry.place, work.place, "handed out under an old name");
                }
                let program = self.programs.get_mut(&job.0).unwrap();
                program.works.insert(thread, (work.id, message));
                let takes = 50 + self.chance.below(20_000);
                self.later(takes, Future::Finish(job.0, thread));
            }
            Action::Dismiss { job, .. } => {
                let program = self.programs.get_mut(&job.0).unwrap();
                program.gone += 1;
                if program.gone == program.threads {
                    self.later(5, Future::End(job.0));
                }
            }
            Action::CountAttempt { work, place, .. } | Action::Hold { work, place, .. } => {
                self.later(3, Future::Amended(work.0, number(&place)));
            }
            Action::Scan(_) => self.later(300, Future::Scanned),
            Action::Signal { job, .. } => self.later(1, Future::End(job.0)),
            Action::Welcome(_) | Action::Refuse(_) | Action::StopScan | Action::Note(_) => {}
        }
    }

    fn happen(&mut self, what: Future) {
        match what {
            Future::Mail(n) => self.mail(n),
            Future::Arrival(job) => self.arrival(job),
            Future::Ask(job, thread) => {
                if self.programs.contains_key(&job) {
                    self.tell(Event::Next {
                        job: JobId(job),
                        thread,
                        host: None,
                        done: Vec::new(),
                    });
                }
            }
            Future::Finish(job, thread) => self.finish(job, thread),
            Future::End(job) => self.end(job),
            Future::Scanned => {
                let files = self.disk.values().cloned().map(|file| Found {
                    entry: file.entry,
                    tried: file.tried,
                    deaths: 0,
                });
                let files = files.collect();
                self.tell(Event::Found(files));
                self.tell(Event::ScanDone { complete: true });
            }
            Future::Amended(work, message) => {
                let settlement = self.one_more(message);
                let work = WorkId(work);
                self.tell(Event::Amended { work, settlement });
            }
        }
    }

    fn mail(&mut self, n: u32) {
        let channel = ["tcp_local", "tcp_intranet", "ims-ms", "l"][self.chance.below(4) as usize];
        let mut entry = entry(channel, n, &format!("h{}.example", self.chance.below(6)));
        entry.priority = Priority::ALL[self.chance.below(5) as usize];
        entry.arrived = self.bench.now().wall;
        let file = File {
            entry: entry.clone(),
            tried: entry.arrived,
        };
        self.disk.insert(n, file);
        if !self.chance.percent(self.world.unannounced) {
            self.tell(Event::Enqueued(vec![entry]));
        }
    }

    fn arrival(&mut self, job: u32) {
        let Some(program) = self.programs.get(&job) else {
            return;
        };
        let (channel, threads) = (program.channel.clone(), program.threads);
        self.tell(Event::Arrived(Arrival {
            job: Some(JobId(job)),
            channel,
            pid: 10_000 + job,
            threads,
        }));
        for thread in 0..threads {
            self.later(u64::from(thread), Future::Ask(job, thread));
        }
    }

    /// The file is renamed for one more attempt.
    fn one_more(&mut self, message: u32) -> Settlement {
        let now = self.bench.now().wall;
        let file = self.disk.get_mut(&message).unwrap();
        let name = &file.entry.place.file;
        let place = file
            .entry
            .place
            .renamed(name.with_attempts(name.attempts() + 1));
        file.entry.place = place.clone();
        file.tried = now;
        Settlement::Deferred {
            place,
            retry_in: None,
        }
    }

    fn finish(&mut self, job: u32, thread: u16) {
        let Some(program) = self.programs.get_mut(&job) else {
            return;
        };
        if self.chance.percent(self.world.dies) {
            self.end(job);
            return;
        }
        let Some((work, message)) = program.works.remove(&thread) else {
            return;
        };
        self.held_by.remove(&message);
        let settlement = if self.chance.percent(self.world.defers) {
            self.one_more(message)
        } else {
            self.disk.remove(&message);
            *self.delivered.entry(message).or_default() += 1;
            Settlement::Removed
        };
        self.tell(Event::Next {
            job: JobId(job),
            thread,
            host: None,
            done: vec![(work, settlement)],
        });
    }

    /// A program ends, with or without mail in hand.
    fn end(&mut self, job: u32) {
        let Some(program) = self.programs.remove(&job) else {
            return;
        };
        for (_, message) in program.works.values() {
            self.held_by.remove(message);
        }
        self.tell(Event::Lost(JobId(job)));
        self.tell(Event::Exited {
            job: JobId(job),
            how: "ended".to_owned(),
            clean: program.works.is_empty(),
        });
    }

    /// Plays until `seconds` have passed, or until nothing is left to do.
    fn play(&mut self, seconds: u64) {
        let end = self.bench.elapsed + seconds * 1_000;
        while self.bench.elapsed < end {
            if self.chance.percent(self.world.jumps) {
                let by = self.chance.below(40_000_000);
                self.bench.wall += i64::try_from(by).unwrap() - 20_000_000;
            }
            let tick = self.bench.scheduler.next_tick().max(self.bench.elapsed);
            match self.future.peek() {
                Some(Reverse((at, _, _))) if *at <= tick => {
                    let Some(Reverse((at, _, what))) = self.future.pop() else {
                        break;
                    };
                    self.bench.elapsed = at.max(self.bench.elapsed);
                    self.happen(what);
                }
                _ => {
                    self.bench.elapsed = tick.max(self.bench.elapsed + 1).min(end);
                    self.tell(Event::Tick);
                }
            }
        }
        self.bench.scheduler.check();
    }

    /// Mail at random times over `seconds`.
    fn pour(&mut self, count: u32, seconds: u64) {
        for n in 0..count {
            let at = self.chance.below(seconds * 1_000);
            self.later(at, Future::Mail(n));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_message_is_forgotten_or_tried_by_two_at_once(
        seed in 1u64..u64::MAX,
        defers in 0u64..60,
        dies in 0u64..25,
        stillborn in 0u64..30,
        unannounced in 0u64..20,
        jumps in 0u64..5,
    ) {
        let world = World { defers, dies, stillborn, unannounced, jumps };
        let mut simulator = Simulator::new(settings(), seed, world);
        simulator.pour(60, 7_200);
        simulator.play(20_000);
        simulator.world = CALM;
        simulator.play(86_400);
        let left: Vec<_> = simulator.disk.keys().collect();
        prop_assert!(left.is_empty(), "forgotten: {left:?}");
        prop_assert!(simulator.delivered.values().all(|times| *times == 1));
        prop_assert_eq!(simulator.bench.scheduler.totals().messages, 0);
    }
}

#[test]
fn a_week_of_mail_is_played_and_every_channel_has_its_share() {
    let world = World {
        defers: 20,
        dies: 1,
        ..CALM
    };
    let mut simulator = Simulator::new(settings(), 42, world);
    simulator.pour(5_000, 7 * 86_400);
    simulator.play(8 * 86_400);
    assert!(simulator.disk.is_empty(), "{} left", simulator.disk.len());
    assert_eq!(simulator.delivered.len(), 5_000);
    let jobs = simulator.bench.scheduler.channel_jobs(None);
    assert!(jobs.iter().all(|channel| channel.delivered > 1_000));
}

#[test]
fn hosts_and_channels_share_fairly_under_load() {
    let mut simulator = Simulator::new(settings(), 7, CALM);
    let mut mail = Vec::new();
    for n in 0..2_000 {
        // One host has half of all the mail; it must not get half of the attempts.
        let host = if n % 2 == 0 { 0 } else { n % 20 };
        let channel = if n % 4 < 3 {
            "tcp_local"
        } else {
            "tcp_intranet"
        };
        mail.push(entry(channel, n, &format!("h{host}.example")));
    }
    for entry in &mail {
        let file = File {
            entry: entry.clone(),
            tried: EPOCH,
        };
        simulator.disk.insert(number(&entry.place), file);
    }
    simulator.tell(Event::Enqueued(mail.clone()));
    simulator.play(600);
    let done = |host: &str| {
        let of_host = mail.iter().filter(|entry| entry.host == host);
        of_host
            .filter(|entry| simulator.delivered.contains_key(&number(&entry.place)))
            .count()
    };
    let quiet: Vec<usize> = (1..20)
        .step_by(2)
        .map(|n| done(&format!("h{n}.example")))
        .collect();
    assert!(quiet.iter().all(|count| *count > 0), "{quiet:?}");
    let channel = |n: usize| simulator.bench.scheduler.channel_jobs(None)[n].delivered;
    assert!(
        channel(1) * 10 > channel(0),
        "{} {}",
        channel(0),
        channel(1)
    );
}
