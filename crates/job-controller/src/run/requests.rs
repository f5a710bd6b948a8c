//! What clients ask, one place for each request.

use super::controller::{Asker, Controller};
use crate::schedule::{Arrival, Event};
use mta_config::Config;
use mta_ipc::ProcessImage;
use mta_ipc::job_controller::{Change, Reply, Request, Status};

impl Controller<'_> {
    pub(super) fn answer(&mut self, asker: Asker, request: Request) {
        if self.parts.scheduler.settings().debug & crate::schedule::debug::PROTOCOL != 0 {
            let line = format!("connection {} asks {request:?}", asker.0);
            self.parts.log.write(&line);
        }
        match request {
            Request::Enqueued(entries) => self.hint(asker, Event::Enqueued(entries)),
            Request::Released(entry) => self.hint(asker, Event::Released(entry)),
            Request::Forgotten { channel, place } => {
                self.hint(asker, Event::Forgotten { channel, place });
            }
            Request::Job {
                channel,
                pid,
                threads,
                run,
            } => self.arrive(
                asker,
                run,
                Arrival {
                    job: None,
                    channel,
                    pid,
                    threads,
                },
            ),
            Request::Next {
                job,
                thread,
                host,
                done,
            } => {
                let event = Event::Next {
                    job,
                    thread,
                    host,
                    done,
                };
                self.next(asker, event);
            }
            Request::Settled { job, done } => {
                if self.is_of(asker, job) {
                    self.hint(asker, Event::Settled { job, done });
                } else {
                    self.refuse(asker, "this is another connection's job");
                }
            }
            Request::Sync => self.hint(asker, Event::Sync),
            Request::Walk { debug } => {
                let state = self.parts.scheduler.walk();
                self.parts.log.write(&state);
                self.hint(asker, Event::Change(Change::Debug(debug)));
            }
            Request::Change(change) => self.hint(asker, Event::Change(change)),
            Request::Submit { channel, poll } => {
                self.hint(asker, Event::Submit { channel, poll });
            }
            Request::StopChannel(_) | Request::StartChannel(_) => {
                if self.read_hold_list() {
                    self.reply(asker, &Reply::Ok);
                } else {
                    self.refuse(asker, "the Job Controller cannot read the hold list");
                }
            }
            Request::View { channel, cursor } => {
                let (rows, next) = self.parts.scheduler.view(channel.as_ref(), cursor);
                self.reply(asker, &Reply::View { rows, next });
            }
            Request::Jobs { channel } => {
                let jobs = self.parts.scheduler.channel_jobs(channel.as_ref());
                self.reply(asker, &Reply::Jobs(jobs));
            }
            Request::Messages { channel } => {
                let counts = self.parts.scheduler.host_counts(&channel);
                self.reply(asker, &Reply::Messages(counts));
            }
            Request::Status => {
                let status = self.status();
                self.reply(asker, &Reply::Status(status));
            }
            Request::Reload => self.reload(asker),
        }
    }

    /// An event that is answered by `Ok`, unless the scheduler refuses it.
    fn hint(&mut self, asker: Asker, event: Event) {
        if !self.tell(event, Some(asker)) {
            self.reply(asker, &Reply::Ok);
        }
    }

    /// A channel program is there: one of ours, or one that an operator runs.
    fn arrive(&mut self, asker: Asker, run: bool, arrival: Arrival) {
        let Some(connection) = self.connections.get(&asker.0) else {
            return;
        };
        if connection.arrived {
            self.refuse(asker, "this connection has a job already");
            return;
        }
        let job = connection.job;
        if job.is_none() && !run {
            self.refuse(
                asker,
                "channel programs are started by the Job Controller or by imsimta run",
            );
            return;
        }
        let pid = match job {
            // The pair's credentials are ours; the process is the one that we started.
            Some(_) => arrival.pid,
            None => connection.process(),
        };
        self.tell(
            Event::Arrived(Arrival {
                job,
                pid,
                ..arrival
            }),
            Some(asker),
        );
    }

    fn next(&mut self, asker: Asker, event: Event) {
        let Event::Next { job, thread, .. } = &event else {
            return;
        };
        let (job, thread) = (*job, *thread);
        if !self.is_of(asker, job) {
            self.refuse(asker, "this is another connection's job");
            return;
        }
        if let Some(earlier) = self.waiting.insert((job, thread), asker) {
            self.refuse(earlier, "asked anew");
        }
        let refused = self.tell(event, Some(asker));
        if refused {
            self.waiting.remove(&(job, thread));
        }
    }

    fn is_of(&self, asker: Asker, job: mta_ipc::job_controller::JobId) -> bool {
        let connection = self.connections.get(&asker.0);
        connection.is_some_and(|connection| connection.arrived && connection.job == Some(job))
    }

    fn refuse(&mut self, asker: Asker, reason: &str) {
        self.reply(asker, &Reply::Refused(reason.to_owned()));
    }

    fn status(&mut self) -> Status {
        let totals = self.parts.scheduler.totals();
        let identity = &self.parts.identity;
        let jobs = self
            .connections
            .values()
            .filter(|other| other.job.is_some());
        let children = self
            .parts
            .scheduler
            .processes()
            .map(|(job, pid)| {
                let connection = self.jobs.get(&job).and_then(|id| self.connections.get(id));
                ProcessImage {
                    pid,
                    program: connection
                        .map_or_else(String::new, |connection| connection.program().to_owned()),
                    fixed: String::new(),
                    reloadable: String::new(),
                }
            })
            .collect();
        Status {
            pid: std::process::id(),
            fixed: identity.fixed.clone(),
            reloadable: identity.reloadable.clone(),
            from_image: identity.from_image,
            uptime: self.parts.clock.now().elapsed / 1_000,
            messages: totals.messages as u64,
            jobs: jobs.count() as u64,
            built: totals.built,
            children,
        }
    }

    /// Nothing that the Job Controller itself uses can be reloaded: it takes over the new name of
    /// that part, and channel programs that have read the old one make room for others.
    fn reload(&mut self, asker: Asker) {
        match Config::load(self.parts.root) {
            Ok(config) => {
                self.parts.identity.reloadable = config.identity.reloadable;
                let identity = &self.parts.identity;
                self.parts.log.write(&format!(
                    "loaded image {} {}; channel programs are replaced",
                    identity.fixed, identity.reloadable
                ));
                self.hint(asker, Event::Reloaded);
            }
            Err(error) => {
                let text = format!(
                    "BADCONFIGLOAD, Attempt to load new configuration failed. {}",
                    mta_process::exit::with_causes(&error)
                );
                self.parts.log.write(&text);
                self.refuse(asker, &text);
            }
        }
    }
}
