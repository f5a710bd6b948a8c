//! What is done for the services: accept, ask PORT_ACCESS, hand over; start, retire and bury
//! server processes.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mta_ipc::Client;
use mta_ipc::job_controller::{self, Reply, Request};
use mta_log::record::{ConnectionAction, ConnectionRecord, Direction, Modifiers, Record};
use mta_process::child::describe;
use mta_process::signal::Signal;
use nix::errno::Errno;

use crate::access::{self, Verdict};
use crate::balance::{self, Phase};
use crate::debug::Topic;
use crate::run::{Dispatcher, State};
use crate::server::{Accepted, Server};
use crate::service::{Service, program_name};

/// How long a listener rests when the system has no descriptor or memory for a connection.
const REST: Duration = Duration::from_millis(500);

/// A server process that is not ready by then is ended.
const STARTING: Duration = Duration::from_secs(60);

/// Most connections accepted in one turn from one listener.
const A_TURN: usize = 16;

/// When a server process of the service will have been starting for too long, or have left a
/// connection untaken for too long, or for so long that it is ended.
pub(crate) fn next_suspicion(service: &Service, now: Instant) -> Option<Instant> {
    let starting = |server: &&Server| server.phase() == Phase::Starting;
    let ages = service.servers.iter().filter(starting);
    let starts = ages.map(|server| now + STARTING.saturating_sub(server.age(now)));
    let stalls = service.servers.iter().filter_map(Server::stalls_at);
    let living = service.servers.iter().filter(|server| !server.terminated);
    let hangs = living.filter_map(Server::hangs_at);
    starts
        .chain(stalls.filter(|&at| at > now))
        .chain(hangs)
        .min()
}

impl Dispatcher {
    /// Retires, starts and supplies server processes as each service needs it.
    pub(crate) fn keep_services(&mut self, now: Instant) {
        let historical = Duration::from_secs(self.config.dispatcher.historical_time);
        for number in 0..self.services.len() {
            self.services[number].forget(historical, now);
            self.end_suspects(number, now);
            if self.state == State::Running {
                self.retire_servers(number, now);
                self.start_servers(number, false, now);
            }
            if !matches!(self.state, State::Stopping { .. }) {
                self.supply_orphans(number, now);
            }
        }
    }

    fn end_suspects(&mut self, number: usize, now: Instant) {
        for server in &mut self.services[number].servers {
            if server.begins_to_stall(now) {
                self.log.tell(format_args!(
                    "process {} does not take connections; it gets no more until it does",
                    server.pid
                ));
            }
            if server.hangs_at().is_some_and(|at| now >= at) && !server.terminated {
                server.terminated = true;
                self.log.tell(format_args!(
                    "process {} has not taken a connection for too long; it is ended",
                    server.pid
                ));
                // It is our child and not reaped; that it has just died is no matter.
                drop(Signal::Kill.send(server.pid));
            }
            if server.phase() == Phase::Starting
                && server.age(now) >= STARTING
                && !server.terminated
            {
                server.terminated = true;
                self.log.tell(format_args!(
                    "process {} did not become ready; it is ended",
                    server.pid
                ));
                // It is our child and not reaped; that it has just died is no matter.
                drop(Signal::Kill.send(server.pid));
            }
        }
    }

    fn retire_servers(&mut self, number: usize, now: Instant) {
        let service = &mut self.services[number];
        let leaving = balance::to_retire(&service.views(now), &service.limits, now);
        for server in &mut service.servers {
            if leaving.contains(&server.key) {
                server.retire();
                self.log.debug(
                    Topic::Processes,
                    format_args!("{}: process {} retires", service.options.name, server.pid),
                );
            }
        }
    }

    /// Starts as many server processes as [`balance::to_start`] says.
    fn start_servers(&mut self, number: usize, waiting: bool, now: Instant) {
        let service = &self.services[number];
        if service.stopped || !service.may_start(now) {
            return;
        }
        for _ in 0..balance::to_start(&service.views(now), &service.limits, waiting) {
            if !self.start_server(number, now) {
                break;
            }
        }
    }

    fn start_server(&mut self, number: usize, now: Instant) -> bool {
        self.last_key += 1;
        let service = &mut self.services[number];
        let clock = (now, seconds_since_1970());
        let started = Server::start(
            self.last_key,
            &self.root,
            &service.options,
            &mut self.children,
            clock,
        );
        match started {
            Ok(server) => {
                self.log.debug(
                    Topic::Processes,
                    format_args!("{}: started process {}", service.options.name, server.pid),
                );
                service.servers.push(server);
                true
            }
            Err(error) => {
                let delay = service.note_failure(now);
                let text = format!(
                    "{}: cannot start {}: {error}",
                    service.options.name,
                    self.root.resolve(&service.options.image).display(),
                );
                self.log
                    .tell(format_args!("{text}; next try in {} s", delay.as_secs()));
                self.trouble.get_or_insert(text);
                false
            }
        }
    }

    /// Gives connections that lost their server to others.
    fn supply_orphans(&mut self, number: usize, now: Instant) {
        while let Some(accepted) = self.services[number].orphans.pop_front() {
            if let Err(accepted) = self.services[number].give(accepted, now) {
                self.services[number].orphans.push_front(accepted);
                self.start_servers(number, true, now);
                return;
            }
        }
    }

    /// A listener has a connection waiting, or several.
    pub(crate) fn welcome(&mut self, number: usize, listener: usize, now: Instant) {
        for _ in 0..A_TURN {
            if self.services[number].chosen(now).is_none() {
                self.start_servers(number, true, now);
                return;
            }
            let Some(at) = self.services[number].listeners.get_mut(listener) else {
                return;
            };
            match at.socket.accept() {
                Ok((stream, peer)) => {
                    let tls = at.tls;
                    self.admit(number, stream, (peer, tls), now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_want(&error) => {
                    at.rests_until = Some(now + REST);
                    let name = &self.services[number].options.name;
                    self.log.tell(format_args!(
                        "{name}: cannot accept: {error}; the listener rests"
                    ));
                    return;
                }
                // The client has gone before it was accepted, or was interrupted on the way.
                Err(_) => {}
            }
        }
    }

    fn admit(
        &mut self,
        number: usize,
        stream: std::net::TcpStream,
        (peer, tls): (std::net::SocketAddr, bool),
        now: Instant,
    ) {
        // The client may have gone again.
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let (local, peer) = (canonical(local), canonical(peer));
        let service = &mut self.services[number];
        if let Verdict::Refused {
            text,
            record,
            notes,
        } = access::ask(&self.config, local, peer)
        {
            service.rejected += 1;
            access::refuse(stream, &text);
            self.log
                .debug(Topic::Denials, format_args!("refused {peer}: {text}"));
            for note in notes {
                self.log.tell(format_args!("{note}"));
                mta_log::syslog::notice(&note);
            }
            let ends = (local, peer);
            self.record_refusal(number, ends, ConnectionAction::Refused, &text);
            if let Some(record) = record {
                self.record_refusal(number, ends, ConnectionAction::PortRefused, &record);
            }
            return;
        }
        service.accepted += 1;
        self.last_connection += 1;
        let accepted = Accepted {
            id: self.last_connection,
            stream,
            local,
            peer,
            tls,
            accepted: milliseconds_since_1970(),
        };
        self.log.debug(
            Topic::HandOver,
            format_args!("connection {} from {peer}", accepted.id),
        );
        if let Err(accepted) = service.give(accepted, now) {
            service.orphans.push_back(accepted);
        }
    }

    /// The `X` or `T` record of `mail.log_current`; the writer drops it unless `log_connection`
    /// asks for such records.
    fn record_refusal(
        &self,
        number: usize,
        (local, peer): (std::net::SocketAddr, std::net::SocketAddr),
        action: ConnectionAction,
        text: &str,
    ) {
        let Some(channel) = self.services[number].options.channel() else {
            return;
        };
        let record = Record::Connection(ConnectionRecord {
            time: mta_log::time::now(),
            thread: None,
            channel: &channel,
            direction: Direction::Inbound,
            action,
            modifiers: Modifiers::default(),
            local: Some(local),
            remote: Some(peer),
            application: "SMTP",
            user: None,
            diagnostic: Some(text),
        });
        if let Err(error) = self.records.write(&record) {
            self.log.tell(format_args!("{error}"));
        }
    }

    /// A server process has said something, or closed its end.
    pub(crate) fn listen_to(&mut self, number: usize, key: u64, now: Instant) {
        let service = &mut self.services[number];
        let Some(server) = service.servers.iter_mut().find(|s| s.key == key) else {
            return;
        };
        let pid = server.pid;
        match server.hear(now) {
            Ok(news) => {
                self.log
                    .debug(Topic::Talk, format_args!("process {pid}: {news:?}"));
                if news.ready {
                    self.trouble = None;
                    self.log.debug(
                        Topic::Server,
                        format_args!("{}: process {pid} is ready", service.options.name),
                    );
                }
                if news.ended {
                    server.give_up();
                }
                service.note_closed(news.closed, now);
            }
            Err(error) => {
                server.give_up();
                self.log
                    .tell(format_args!("process {pid}: {error}; it is ended"));
                // It is our child and not reaped; that it has just died is no matter.
                drop(Signal::Terminate.send(pid));
            }
        }
    }

    /// Takes dead server processes away.
    pub(crate) fn reap(&mut self, now: Instant) {
        for (pid, status) in self.children.reap() {
            for service in &mut self.services {
                let Some(at) = service.servers.iter().position(|s| s.pid == pid) else {
                    continue;
                };
                // Its last words first: what it has taken must not be given to another.
                let last_words = service.servers[at].hear(now);
                service.note_closed(last_words.map_or(0, |news| news.closed), now);
                let (gone, delay) = service.bury(at, now);
                let text = format!(
                    "{}: {} (process {pid}) ended with {}",
                    service.options.name,
                    program_name(&service.options.image),
                    describe(status)
                );
                if gone.expected && status.success() {
                    self.log.debug(Topic::Processes, format_args!("{text}"));
                } else {
                    self.log.tell(format_args!(
                        "{text}; {} sessions lost, {} connections go to others, next start in {} s",
                        gone.sessions,
                        gone.returned,
                        delay.as_secs()
                    ));
                }
                if !status.success() {
                    tell_job_controller(&self.root.config());
                }
                if !gone.expected && !delay.is_zero() {
                    self.trouble.get_or_insert(text);
                }
                break;
            }
        }
    }
}

/// A server process that is killed may have put a message into a queue without telling the Job
/// Controller, which is asked to look for itself. On a thread of its own: nobody waits for it, and
/// if it fails the periodic scan finds the message.
pub(crate) fn tell_job_controller(config_dir: &Path) {
    let config_dir = config_dir.to_owned();
    let asking = std::thread::Builder::new().spawn(move || {
        let within = Duration::from_secs(10);
        let client: Result<Client<Request, Reply>, _> =
            Client::connect(&config_dir, job_controller::DAEMON, "dispatcher", within);
        if let Ok(client) = client {
            drop(client.call(&Request::Sync, within));
        }
    });
    drop(asking);
}

impl Service {
    /// Hands a connection to the server process that is best for it.
    fn give(&mut self, accepted: Accepted, now: Instant) -> Result<(), Accepted> {
        match self.chosen(now) {
            Some(server) => server.give(accepted, now),
            None => Err(accepted),
        }
    }
}

/// Whether the system lacks something that may come back.
fn is_want(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM)
    )
}

/// IPv4 clients of a socket for both families have addresses like `::ffff:192.0.2.1`.
fn canonical(address: std::net::SocketAddr) -> std::net::SocketAddr {
    std::net::SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn milliseconds_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

fn seconds_since_1970() -> u64 {
    milliseconds_since_1970() / 1000
}
