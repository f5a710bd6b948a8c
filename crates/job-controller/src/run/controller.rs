//! The poll loop: descriptors to events, actions to deeds.

use super::clerk::{Clerk, Task};
use super::clock::Clock;
use super::program::{self, Complaints};
use super::scan::{Order, Report, Scan};
use super::wake::Wake;
use super::{Error, system};
use crate::schedule::{Action, Event, Note, Scheduler};
use mta_config::{ImageIdentity, ServerRoot};
use mta_envelope::names::ChannelName;
use mta_ipc::endpoint::Listener;
use mta_ipc::job_controller::{DAEMON, JobId, Reply, Request};
use mta_ipc::{IpcError, Peer};
use mta_log::program::ProgramLog;
use mta_process::child::{self, Children};
use mta_process::poll::{Interest, Poll, Readiness};
use mta_process::signal::{Signal, Signals};
use mta_queue::Queue;
use mta_queue::hold_list::HoldList;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Most connections besides those of our own jobs.
const MAX_CLIENTS: usize = 2_000;

/// How long to wait for jobs to finish the message in hand when the server stops.
const FAREWELL: Duration = Duration::from_secs(30);

/// How often the hold list, the socket and silent clients are looked after.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// Turns of reading that a job's connection gets after the job's end.
const LAST_TURNS: usize = 8;

/// Batches of a scan that are taken in one turn of the loop.
const BATCHES: usize = 4;

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
    last_connection: ConnectionId,
    /// The connection of each job.
    pub(super) jobs: HashMap<JobId, ConnectionId>,
    /// `Next` requests that wait for work.
    pub(super) waiting: HashMap<(JobId, u16), Asker>,
    children: Children,
    pids: BTreeMap<u32, JobId>,
    complaints: Vec<Complaints>,
    wake: Wake,
    scan: Option<Scan>,
    clerk: Clerk,
    /// Events that actions have caused.
    follow_up: VecDeque<Event>,
    /// No connections are accepted until then, since descriptors ran out.
    deaf_until: Option<Instant>,
    housekeeping: Instant,
    /// When we end at the latest, once we were told to.
    farewell: Option<Instant>,
}

/// One client.
pub(super) struct Connection {
    peer: Peer<Request, Reply>,
    /// The job it is, and whether it has said so.
    pub(super) job: Option<JobId>,
    pub(super) arrived: bool,
    /// It had not greeted us when we last looked.
    silent: bool,
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

    fn accept(&mut self) {
        loop {
            let stream = match self.parts.listener.accept() {
                Ok(Some(stream)) => stream,
                Ok(None) => return,
                Err(error @ IpcError::Stranger { .. }) => {
                    self.parts.log.write(&error.to_string());
                    continue;
                }
                Err(error) => {
                    self.complain(&error, "accepting a connection");
                    self.deaf_until = Some(Instant::now() + Duration::from_secs(1));
                    return;
                }
            };
            if self.connections.len() >= MAX_CLIENTS + self.pids.len() {
                self.parts.log.write("too many connections; one was closed");
                continue;
            }
            match Peer::new(stream, DAEMON) {
                Ok(peer) => {
                    let id = self.add_connection(peer, None);
                    self.flush(id);
                }
                Err(error) => self.complain(&error, "greeting a client"),
            }
        }
    }

    fn add_connection(&mut self, peer: Peer<Request, Reply>, job: Option<JobId>) -> ConnectionId {
        self.last_connection += 1;
        let connection = Connection {
            peer,
            job,
            arrived: false,
            silent: false,
        };
        self.connections.insert(self.last_connection, connection);
        self.last_connection
    }

    fn flush(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && let Err(error) = connection.peer.flush()
        {
            self.close(id, Some(&error));
        }
    }

    fn read(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match connection.peer.receive() {
            Ok(requests) => {
                for (number, request) in requests {
                    self.answer((id, number), request);
                }
            }
            Err(error) => self.close(id, Some(&error)),
        }
    }

    /// Ends a connection. If it is a job's, what the job has in hand comes back.
    pub(super) fn close(&mut self, id: ConnectionId, why: Option<&IpcError>) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        if let Some(error) = why.filter(|error| !matches!(error, IpcError::Closed)) {
            let program = connection.peer.program().unwrap_or("a client");
            self.complain(error, &format!("dropped the connection of {program}"));
        }
        if let Some(job) = connection.job {
            self.jobs.remove(&job);
            self.waiting.retain(|(of, _), _| *of != job);
            self.tell(Event::Lost(job), None);
        }
    }

    /// Sends a reply, or ends a connection that does not take it.
    pub(super) fn reply(&mut self, asker: Asker, reply: &Reply) {
        let Some(connection) = self.connections.get_mut(&asker.0) else {
            return;
        };
        let sent = match connection.peer.reply(asker.1, reply) {
            Err(IpcError::TooLong { .. }) => {
                let refused = Reply::Refused("the answer is too long".to_owned());
                connection.peer.reply(asker.1, &refused)
            }
            other => other,
        };
        if let Err(error) = sent {
            self.close(asker.0, Some(&error));
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

    /// Does what the scheduler wants; whether one of the actions was the asker's answer.
    fn carry_out(&mut self, actions: Vec<Action>, asker: Option<Asker>) -> bool {
        let mut answered = false;
        for action in actions {
            match action {
                Action::Start {
                    job,
                    channel,
                    command,
                } => self.start(job, &channel, &command),
                Action::Welcome(job) => {
                    answered = true;
                    self.welcome(asker, job);
                }
                Action::Refuse(reason) => {
                    answered = true;
                    if let Some(asker) = asker {
                        self.reply(asker, &Reply::Refused(reason));
                    }
                }
                Action::Give { job, thread, work } => {
                    self.answer_next(job, thread, &Reply::Work(work));
                }
                Action::Dismiss { job, thread } => self.answer_next(job, thread, &Reply::Exit),
                Action::Signal { job, kill } => self.signal(job, kill),
                Action::CountAttempt {
                    work,
                    channel,
                    place,
                    ..
                } => self.amend(Task {
                    work,
                    channel,
                    place,
                    hold: false,
                }),
                Action::Hold {
                    work,
                    channel,
                    place,
                    ..
                } => self.amend(Task {
                    work,
                    channel,
                    place,
                    hold: true,
                }),
                Action::Scan(channel) => self.scan(channel),
                Action::StopScan => {
                    if let Some(scan) = &self.scan {
                        scan.stop();
                    }
                }
                Action::Note(note) => self.note(&note),
            }
        }
        answered
    }

    fn answer_next(&mut self, job: JobId, thread: u16, reply: &Reply) {
        // A job whose connection just ended gets nothing; its messages are on their way back.
        if let Some(asker) = self.waiting.remove(&(job, thread)) {
            self.reply(asker, reply);
        }
    }

    fn welcome(&mut self, asker: Option<Asker>, job: JobId) {
        let Some(asker) = asker else {
            return;
        };
        if let Some(connection) = self.connections.get_mut(&asker.0) {
            connection.job = Some(job);
            connection.arrived = true;
            self.jobs.insert(job, asker.0);
        }
        self.reply(asker, &Reply::Job(job));
    }

    fn start(&mut self, job: JobId, channel: &ChannelName, command: &str) {
        let started = Peer::pair(DAEMON)
            .map_err(|error| mta_process::exit::with_causes(&error))
            .and_then(|(peer, theirs)| {
                let root = self.parts.root;
                program::start(&mut self.children, root, channel, command, theirs)
                    .map(|complaints| (peer, complaints))
                    .map_err(|error| error.to_string())
            });
        match started {
            Ok((peer, complaints)) => {
                let pid = complaints.pid;
                self.complaints.push(complaints);
                self.pids.insert(pid, job);
                let connection = self.add_connection(peer, Some(job));
                self.jobs.insert(job, connection);
                self.flush(connection);
                self.follow_up.push_back(Event::Started { job, pid });
            }
            Err(reason) => {
                let event = Event::StartFailed { job, reason };
                self.follow_up.push_back(event);
            }
        }
    }

    fn signal(&mut self, job: JobId, kill: bool) {
        let pid = self
            .pids
            .iter()
            .find(|(_, of)| **of == job)
            .map(|(pid, _)| *pid);
        let signal = if kill {
            Signal::Kill
        } else {
            Signal::Terminate
        };
        // A child that was not reaped yet: its number is its own.
        if let Some(pid) = pid.filter(|pid| self.children.contains(*pid))
            && let Err(error) = signal.send(pid)
        {
            self.complain(&error, "sending a signal");
        }
    }

    fn amend(&mut self, task: Task) {
        if let Some((work, settlement)) = self.clerk.give(task) {
            self.follow_up
                .push_back(Event::Amended { work, settlement });
        }
    }

    fn scan(&mut self, channel: Option<ChannelName>) {
        let settings = self.parts.scheduler.settings();
        let order = Order {
            channel,
            parallel: settings.parallel_rebuild,
            in_order: settings.inorder_rebuild,
            now: self.parts.clock.now().wall,
        };
        match Scan::begin(&self.parts.queue, order, &self.wake) {
            Ok(scan) => self.scan = Some(scan),
            Err(error) => {
                self.complain(&error, "beginning a scan of the queue directories");
                self.follow_up.push_back(Event::ScanDone);
            }
        }
    }

    /// What the helper threads have to tell.
    fn take_reports(&mut self) {
        self.wake.clear();
        while let Some((work, settlement)) = self.clerk.result() {
            self.tell(Event::Amended { work, settlement }, None);
        }
        for _ in 0..BATCHES {
            match self.scan.as_ref().and_then(Scan::report) {
                None => return,
                Some(Report::Found(found)) => {
                    self.tell(Event::Found(found), None);
                }
                Some(Report::Trouble(text)) => self.parts.log.write(&text),
                Some(Report::Done) => {
                    self.scan = None;
                    self.tell(Event::ScanDone, None);
                }
            }
        }
        // There may be more: look again after whatever else has happened meanwhile.
        if let Ok(caller) = self.wake.caller() {
            caller.call();
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

    fn note(&mut self, note: &Note) {
        self.parts.log.write(&note.to_string());
    }

    pub(super) fn complain(&self, error: &dyn std::error::Error, doing: &str) {
        let text = mta_process::exit::with_causes(error);
        self.parts.log.write(&format!("{doing}: {text}"));
    }
}

impl Connection {
    /// The program on the other side, as it calls itself.
    pub(super) fn program(&self) -> &str {
        self.peer.program().unwrap_or_default()
    }

    /// The process on the other side, as the system tells.
    pub(super) fn process(&self) -> u32 {
        self.peer.process().unwrap_or(0)
    }
}
