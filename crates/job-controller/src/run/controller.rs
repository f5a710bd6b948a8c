//! The poll loop: descriptors and time to events.

use super::clerk::Clerk;
use super::clock::Clock;
use super::connections::Connection;
use super::program::Complaints;
use super::scan::Scan;
use super::wake::Wake;
use super::{Error, system};
use crate::schedule::{Event, Scheduler};
use mta_config::{ImageIdentity, ServerRoot};
use mta_ipc::endpoint::Listener;
use mta_ipc::job_controller::{DAEMON, JobId};
use mta_log::program::ProgramLog;
use mta_process::child::{self, Children};
use mta_process::poll::{Interest, Poll, Readiness};
use mta_process::signal::{Signal, Signals};
use mta_queue::Queue;
use mta_queue::hold_list::HoldList;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long to wait for jobs to finish the message in hand when the server stops.
const FAREWELL: Duration = Duration::from_secs(30);

/// How often the hold list, the socket and silent clients are looked after.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// Turns of reading that a job's connection gets after the job's end.
const LAST_TURNS: usize = 8;

/// The number of a connection, never used twice.
pub(super) type ConnectionId = u64;

/// Who asked: connection and number of the request.
pub(super) type Asker = (ConnectionId, u32);

/// What the controller is made of.
pub(super) struct Parts<'a> {
    pub(super) root: &'a ServerRoot,
    pub(super) identity: ImageIdentity,
    pub(super) log: &'a ProgramLog,
    pub(super) queue: Queue,
    pub(super) hold_list: HoldList,
    pub(super) listener: Listener,
    pub(super) signals: Signals,
    pub(super) clock: Clock,
    pub(super) scheduler: Scheduler,
}

/// The running Job Controller.
pub(super) struct Controller<'a> {
    pub(super) parts: Parts<'a>,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) last_connection: ConnectionId,
    /// The connection of each job.
    pub(super) jobs: HashMap<JobId, ConnectionId>,
    /// `Next` requests that wait for work.
    pub(super) waiting: HashMap<(JobId, u16), Asker>,
    pub(super) children: Children,
    pub(super) pids: BTreeMap<u32, JobId>,
    pub(super) complaints: Vec<Complaints>,
    pub(super) wake: Wake,
    pub(super) scan: Option<Scan>,
    pub(super) clerk: Clerk,
    /// Events that actions have caused.
    pub(super) follow_up: VecDeque<Event>,
    /// No connections are accepted until then, since descriptors ran out.
    pub(super) deaf_until: Option<Instant>,
    housekeeping: Instant,
    /// When we end at the latest, once we were told to.
    farewell: Option<Instant>,
}

/// What is watched.
#[derive(Debug, Clone, Copy)]
enum Watched {
    Signals,
    Wake,
    Listener,
    Connection(ConnectionId),
    Complaints(usize),
}

impl<'a> Controller<'a> {
    pub(super) fn new(parts: Parts<'a>) -> Result<Self, Error> {
        let wake = Wake::new().map_err(system("making a wake-up connection"))?;
        let clerk =
            Clerk::start(parts.queue.clone(), &wake).map_err(system("starting a thread"))?;
        Ok(Self {
            parts,
            connections: BTreeMap::new(),
            last_connection: 0,
            jobs: HashMap::new(),
            waiting: HashMap::new(),
            children: Children::default(),
            pids: BTreeMap::new(),
            complaints: Vec::new(),
            wake,
            scan: None,
            clerk,
            follow_up: VecDeque::new(),
            deaf_until: None,
            housekeeping: Instant::now() + HOUSEKEEPING,
            farewell: None,
        })
    }

    /// Serves until told to end.
    pub(super) fn run(mut self) -> Result<(), Error> {
        let actions = self.parts.scheduler.begin();
        self.carry_out(actions, None);
        self.follow_up();
        while !self.is_over() {
            for (what, readiness) in self.wait()? {
                self.attend(what, readiness);
            }
            self.pass_time();
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let Some(farewell) = self.farewell else {
            return false;
        };
        let totals = self.parts.scheduler.totals();
        (totals.jobs == 0 && totals.in_hand == 0) || Instant::now() >= farewell
    }

    fn wait(&mut self) -> Result<Vec<(Watched, Readiness)>, Error> {
        let deadline = self.deadline();
        let mut poll = Poll::new();
        poll.watch(self.parts.signals.as_fd(), Interest::Read, Watched::Signals);
        poll.watch(self.wake.as_fd(), Interest::Read, Watched::Wake);
        if self.deaf_until.is_none() {
            poll.watch(
                self.parts.listener.as_fd(),
                Interest::Read,
                Watched::Listener,
            );
        }
        for (id, connection) in &self.connections {
            let interest = Interest::reading_and(connection.peer.wants_to_write());
            poll.watch(connection.peer.as_fd(), interest, Watched::Connection(*id));
        }
        for (n, complaints) in self.complaints.iter().enumerate() {
            poll.watch(complaints.as_fd(), Interest::Read, Watched::Complaints(n));
        }
        poll.wait(Some(deadline))
            .map_err(system("waiting for something to happen"))
    }

    /// When something is to be done without anything happening.
    fn deadline(&mut self) -> Instant {
        let now = self.parts.clock.now();
        let left = self.parts.scheduler.next_tick().saturating_sub(now.elapsed);
        let tick = Instant::now() + Duration::from_millis(left.min(3_600_000));
        [Some(self.housekeeping), self.deaf_until, self.farewell]
            .into_iter()
            .flatten()
            .fold(tick, Instant::min)
    }

    fn attend(&mut self, what: Watched, readiness: Readiness) {
        match what {
            Watched::Signals => self.take_signals(),
            Watched::Wake => self.take_reports(),
            Watched::Listener => self.accept(),
            Watched::Connection(id) => {
                if readiness.writable {
                    self.flush(id);
                }
                if readiness.readable {
                    self.read(id);
                }
            }
            Watched::Complaints(n) => self.listen_to(n),
        }
    }

    fn pass_time(&mut self) {
        let now = Instant::now();
        self.complaints.retain(|complaints| complaints.pid != 0);
        if self.deaf_until.is_some_and(|until| now >= until) {
            self.deaf_until = None;
        }
        if now >= self.housekeeping {
            self.housekeeping = now + HOUSEKEEPING;
            self.keep_house();
        }
        let elapsed = self.parts.clock.now().elapsed;
        if self.parts.scheduler.next_tick() <= elapsed {
            self.tell(Event::Tick, None);
        }
    }

    fn take_signals(&mut self) {
        for signal in self.parts.signals.take() {
            match signal {
                Signal::Terminate | Signal::Interrupt => self.shut_down(),
                Signal::Child => self.reap(),
                Signal::Hangup => {
                    self.read_hold_list();
                }
                Signal::User1 | Signal::Kill => {}
            }
        }
    }

    fn shut_down(&mut self) {
        let now = Instant::now();
        if self.farewell.is_some() {
            // Told twice: at once.
            self.farewell = Some(now);
            return;
        }
        self.parts.log.write("told to end; waiting for jobs");
        self.farewell = Some(now + FAREWELL);
        self.tell(Event::Shutdown, None);
    }

    fn reap(&mut self) {
        for (pid, status) in self.children.reap() {
            let Some(job) = self.pids.remove(&pid) else {
                continue;
            };
            // What it said last comes before its death.
            if let Some(connection) = self.jobs.get(&job).copied() {
                for _ in 0..LAST_TURNS {
                    self.read(connection);
                }
                self.close(connection, None);
            }
            if let Some(n) = self.complaints.iter().position(|other| other.pid == pid) {
                self.listen_to(n);
                self.complaints.remove(n);
            }
            let event = Event::Exited {
                job,
                how: format!("ended: {}", child::describe(status)),
                clean: status.success(),
            };
            self.tell(event, None);
        }
    }

    fn listen_to(&mut self, n: usize) {
        let Some(complaints) = self.complaints.get_mut(n) else {
            return;
        };
        let (lines, ended) = complaints.read();
        for line in lines {
            let (channel, pid) = (&complaints.channel, complaints.pid);
            let line = format!("channel {channel}: job {pid} says: {line}");
            self.parts.log.write(&line);
        }
        if ended {
            // Taken out at the end of the turn, so that positions hold until then.
            complaints.pid = 0;
        }
    }

    /// Tells the scheduler, and does what it says; `asker` waits for an answer.
    pub(super) fn tell(&mut self, event: Event, asker: Option<Asker>) -> bool {
        let now = self.parts.clock.now();
        let actions = self.parts.scheduler.handle(now, event);
        let answered = self.carry_out(actions, asker);
        self.follow_up();
        answered
    }

    fn follow_up(&mut self) {
        while let Some(event) = self.follow_up.pop_front() {
            let now = self.parts.clock.now();
            let actions = self.parts.scheduler.handle(now, event);
            self.carry_out(actions, None);
        }
    }

    fn keep_house(&mut self) {
        self.read_hold_list();
        if !self.parts.listener.is_in_place() {
            match Listener::bind(&self.parts.root.config(), DAEMON) {
                Ok(listener) => {
                    self.parts
                        .log
                        .write("the control socket was gone; made a new one");
                    self.parts.listener = listener;
                }
                Err(error) => self.complain(&error, "making the control socket anew"),
            }
        }
        let mut mute = Vec::new();
        for (id, connection) in &mut self.connections {
            let silent = connection.job.is_none() && connection.peer.program().is_none();
            if silent && connection.silent {
                mute.push(*id);
            }
            connection.silent = silent;
        }
        for id in mute {
            self.close(id, None);
        }
    }

    /// Reads the hold list again: the list is the truth, whoever told us or did not. Whether it
    /// could be read.
    pub(super) fn read_hold_list(&mut self) -> bool {
        match self.parts.hold_list.list() {
            Ok(stopped) => {
                self.tell(Event::HoldList(stopped), None);
                true
            }
            Err(error) => {
                self.complain(&error, "stopped channels stay as they are");
                false
            }
        }
    }

    pub(super) fn complain(&self, error: &dyn std::error::Error, doing: &str) {
        let text = mta_process::exit::with_causes(error);
        self.parts.log.write(&format!("{doing}: {text}"));
    }
}
