//! Actions to deeds: what the scheduler wants is answered, started, signalled, handed to a helper
//! thread or logged here.

use super::clerk::Task;
use super::controller::{Asker, Controller};
use super::program;
use super::scan::{Order, Report, Scan};
use crate::schedule::{Action, Event, Note};
use mta_envelope::names::ChannelName;
use mta_ipc::Peer;
use mta_ipc::job_controller::{DAEMON, JobId, Reply};
use mta_process::signal::Signal;

/// Batches of a scan that are taken in one turn of the loop.
const BATCHES: usize = 4;

impl Controller<'_> {
    /// Does what the scheduler wants; whether one of the actions was the asker's answer.
    pub(super) fn carry_out(&mut self, actions: Vec<Action>, asker: Option<Asker>) -> bool {
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
                self.follow_up
                    .push_back(Event::ScanDone { complete: false });
            }
        }
    }

    /// What the helper threads have to tell.
    pub(super) fn take_reports(&mut self) {
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
                Some(Report::Done { complete }) => {
                    self.scan = None;
                    self.tell(Event::ScanDone { complete }, None);
                }
            }
        }
        // There may be more: look again after whatever else has happened meanwhile.
        if let Ok(caller) = self.wake.caller() {
            caller.call();
        }
    }

    fn note(&mut self, note: &Note) {
        self.parts.log.write(&note.to_string());
    }
}
