//! One service: its listeners, its server processes, and what has happened to it.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use mta_config::service::Service as Options;
use mta_ipc::ProcessImage;
use mta_ipc::dispatcher::{ServerStatistics, ServiceStatistics};

use crate::balance::{self, Choice, Limits, Phase, ServerView};
use crate::server::{Accepted, Server};

/// Most closed connections that the statistics remember one by one.
const MOST_REMEMBERED: usize = 100_000;

/// Most ended server processes that the statistics remember.
const MOST_ENDED: usize = 50;

/// A server process that lives this long was no failure at its start.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    /// The socket, non-blocking, shared with the watcher.
    pub(crate) socket: TcpListener,
    /// TLS from the first byte.
    pub(crate) tls: bool,
    /// Not watched before this time, since the last accept failed for lack of something.
    pub(crate) rests_until: Option<Instant>,
}

/// One service.
#[derive(Debug)]
pub(crate) struct Service {
    /// What the configuration says of it.
    pub(crate) options: Options,
    /// Its limits, out of the options.
    pub(crate) limits: Limits,
    /// Where connections come in.
    pub(crate) listeners: Vec<Listener>,
    /// Its server processes.
    pub(crate) servers: Vec<Server>,
    /// Connections that lost their server before they were taken.
    pub(crate) orphans: VecDeque<Accepted>,
    /// Takes no connections any more.
    pub(crate) stopped: bool,
    /// No server process is started before this time.
    pub(crate) not_before: Option<Instant>,
    /// Connections accepted so far.
    pub(crate) accepted: u64,
    /// Connections refused so far.
    pub(crate) rejected: u64,
    /// Server processes in a row that died soon after their start.
    failures: u32,
    closed: VecDeque<Instant>,
    ended: VecDeque<(Instant, ServerStatistics)>,
}

impl Service {
    /// A service without listeners and processes yet.
    pub(crate) fn new(options: Options) -> Self {
        let limits = Limits {
            min_procs: options.min_procs,
            max_procs: options.max_procs,
            min_conns: options.min_conns,
            max_conns: options.max_conns,
            max_life_conns: options.max_life_conns,
            max_life_time: Duration::from_secs(options.max_life_time),
            max_idle_time: Duration::from_secs(options.max_idle_time),
            max_shutdown: options.max_shutdown,
            max_handoffs: options.max_handoffs,
        };
        Self {
            options,
            limits,
            listeners: Vec::new(),
            servers: Vec::new(),
            orphans: VecDeque::new(),
            stopped: false,
            not_before: None,
            accepted: 0,
            rejected: 0,
            failures: 0,
            closed: VecDeque::new(),
            ended: VecDeque::new(),
        }
    }

    /// Its servers as [`balance`] sees them.
    pub(crate) fn views(&self, now: Instant) -> Vec<ServerView> {
        self.servers.iter().map(|server| server.view(now)).collect()
    }

    /// The server that takes the next connection, if any can.
    pub(crate) fn chosen(&mut self, now: Instant) -> Option<&mut Server> {
        match balance::choose(&self.views(now), &self.limits) {
            Choice::Give(key) => self.servers.iter_mut().find(|server| server.key == key),
            Choice::Wait => None,
        }
    }

    /// Whether the listeners are of interest: somebody can take a connection, or a connection
    /// would be a reason to start somebody.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        if self.stopped || !self.orphans.is_empty() {
            return false;
        }
        let views = self.views(now);
        balance::choose(&views, &self.limits) != Choice::Wait
            || (self.may_start(now) && balance::to_start(&views, &self.limits, true) > 0)
    }

    /// Whether the delay after a failed start is over.
    pub(crate) fn may_start(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|at| now >= at)
    }

    /// Notes that sessions have ended.
    pub(crate) fn note_closed(&mut self, count: u32, now: Instant) {
        for _ in 0..count {
            if self.closed.len() == MOST_REMEMBERED {
                self.closed.pop_front();
            }
            self.closed.push_back(now);
        }
    }

    /// Notes that a server process could not be started, or died; returns how long the next
    /// start waits.
    pub(crate) fn note_failure(&mut self, now: Instant) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let delay = balance::delay_after(self.failures);
        self.not_before = Some(now + delay);
        delay
    }

    /// Takes a server process that has died out of service, with the connections it had not
    /// taken, which are now to be given to others. Returns the delay before its successor.
    pub(crate) fn bury(&mut self, at: usize, now: Instant) -> (Obituary, Duration) {
        let server = self.servers.swap_remove(at);
        let told = Obituary {
            pid: server.pid,
            sessions: server.view(now).active - server.view(now).untaken,
            returned: server.view(now).untaken,
            expected: server.was_asked(),
        };
        let mut delay = Duration::ZERO;
        if server.age(now) >= SETTLED_AFTER {
            self.failures = 0;
        } else if !told.expected {
            delay = self.note_failure(now);
        }
        if self.ended.len() == MOST_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back((now, statistics_of(&server, "ended")));
        self.orphans.extend(server.into_untaken());
        (told, delay)
    }

    /// Forgets what is older than `historical_time`.
    pub(crate) fn forget(&mut self, historical: Duration, now: Instant) {
        let is_old = |at: Instant| now.saturating_duration_since(at) > historical;
        while self.closed.front().is_some_and(|&at| is_old(at)) {
            self.closed.pop_front();
        }
        while self.ended.front().is_some_and(|&(at, _)| is_old(at)) {
            self.ended.pop_front();
        }
    }

    /// What `imsimta dispatcher -statistics` shows.
    pub(crate) fn statistics(&self, now: Instant) -> ServiceStatistics {
        let views = self.views(now);
        let count = |phase| {
            let found = views.iter().filter(|view| view.phase == phase).count();
            u32::try_from(found).unwrap_or(u32::MAX)
        };
        let ports = self.options.tcp_ports.iter().chain(&self.options.ssl_ports);
        let living = self.servers.iter().map(|server| {
            let state = match server.phase() {
                Phase::Starting => "starting",
                Phase::Serving => "serving",
                Phase::Retiring => "retiring",
            };
            statistics_of(server, state)
        });
        ServiceStatistics {
            service: self.options.name.clone(),
            ports: ports.copied().collect(),
            workers: count(Phase::Serving) + count(Phase::Starting),
            active: views.iter().map(|view| view.active).sum(),
            retiring: count(Phase::Retiring),
            accepted: self.accepted,
            rejected: self.rejected,
            closed_recently: u64::try_from(self.closed.len()).unwrap_or(u64::MAX),
            stopped: self.stopped,
            servers: living
                .chain(self.ended.iter().map(|(_, server)| server.clone()))
                .collect(),
        }
    }

    /// Process and image of each server process.
    pub(crate) fn images(&self) -> impl Iterator<Item = ProcessImage> + '_ {
        self.servers.iter().map(|server| {
            let (fixed, reloadable) = server.image.clone().unwrap_or_default();
            ProcessImage {
                pid: server.pid,
                program: program_name(&self.options.image).to_owned(),
                fixed,
                reloadable,
            }
        })
    }
}

/// What is to be told of a server process that has died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Obituary {
    /// Its process.
    pub(crate) pid: u32,
    /// Sessions that ended with it.
    pub(crate) sessions: u32,
    /// Connections that others will get.
    pub(crate) returned: u32,
    /// It was told to end.
    pub(crate) expected: bool,
}

/// `tcp_smtp_server`, of `IMTA_BIN:tcp_smtp_server`.
pub(crate) fn program_name(image: &str) -> &str {
    image.rsplit(['/', ':']).next().unwrap_or(image)
}

fn statistics_of(server: &Server, state: &str) -> ServerStatistics {
    ServerStatistics {
        pid: server.pid,
        started: server.started_at,
        active: if state == "ended" {
            0
        } else {
            server.connections()
        },
        total: server.total,
        state: state.to_owned(),
    }
}
