//! Start, loop and end of the Dispatcher.
//!
//! It ends in two ways. `SIGTERM` (`stop-msg`): nothing more is accepted, sessions have
//! [`GRACE`] to end by themselves, then they get a 421, then a signal. `SIGUSR1` (a restart by the
//! watcher): hand-overs under way are completed, the server processes are told to finish what
//! they have, and it ends at once, so that its successor can take over.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mta_config::config::Config;
use mta_config::paths::ServerRoot;
use mta_ipc::control::{Asker, ControlSocket, Slot};
use mta_ipc::dispatcher::{DAEMON, Reply, Request};
use mta_ipc::endpoint::Listener as ControlListener;
use mta_ipc::listeners::{self, ServiceListener};
use mta_log::program::ProgramLog;
use mta_log::writer::Writer;
use mta_process::child::Children;
use mta_process::exit::with_causes;
use mta_process::lock::{self, Lock};
use mta_process::poll::{Interest, Poll};
use mta_process::signal::{Signal, Signals};
use mta_process::{privilege, start};

use crate::balance;
use crate::debug::{Log, Topic};
use crate::server::Server;
use crate::service::{Listener, Service};
use crate::{Arguments, Error};

/// What sessions get to end by themselves when the Dispatcher is stopped.
const GRACE: Duration = Duration::from_secs(60);

/// What server processes get to act on a 421 order or on `SIGTERM`.
const LAST_GRACE: Duration = Duration::from_secs(10);

/// What hand-overs under way get to complete before a restart.
const HAND_OVER: Duration = Duration::from_secs(10);

/// A predecessor that was just killed gets this long to disappear.
const PREDECESSOR: Duration = Duration::from_secs(5);

/// Descriptors for ourselves and, by inheritance, for a server process with many connections.
const DESCRIPTORS: u64 = 65_536;

/// How often it is looked whether somebody has removed the control socket.
const SOCKET_CHECK: Duration = Duration::from_secs(30);

/// What the Dispatcher is up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Accepting connections.
    Running,
    /// Stopping: what comes next, and when.
    Stopping { next: Step, at: Instant },
    /// Making room for a successor, until all is handed over or this time has come.
    Leaving { until: Instant },
}

/// The next measure against sessions that do not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// 421 at the next command.
    Shutdown,
    /// `SIGTERM`.
    Terminate,
    /// `SIGKILL`.
    Kill,
}

/// Everything the loop works on.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    pub(crate) root: ServerRoot,
    pub(crate) config: Arc<Config>,
    pub(crate) log: Log,
    pub(crate) records: Writer,
    pub(crate) control: ControlSocket<Request, Reply>,
    pub(crate) services: Vec<Service>,
    pub(crate) children: Children,
    pub(crate) state: State,
    pub(crate) started: Instant,
    pub(crate) last_key: u64,
    pub(crate) last_connection: u64,
    /// Who waits for the services to be ready.
    pub(crate) awaiting: Vec<Asker>,
    /// Why a server process could not be started, for those who wait.
    pub(crate) trouble: Option<String>,
    signals: Signals,
    watcher: Option<OwnedFd>,
    socket_checked: Instant,
    /// By this a running Dispatcher is known.
    _lock: Lock,
}

/// What a descriptor of the loop belongs to.
#[derive(Debug, Clone, Copy)]
enum Source {
    Signals,
    Watcher,
    Control(Slot),
    Listener { service: usize, listener: usize },
    Server { service: usize, key: u64 },
}

/// Runs the Dispatcher until it is told to end.
///
/// # Errors
/// [`Error`] when it cannot start; the reason is in its log too, as soon as there is one.
pub fn run(arguments: Arguments) -> Result<(), Error> {
    start::prepare();
    if privilege::is_root() {
        return Err(Error::Root);
    }
    let root = match arguments.server_root {
        Some(root) => root,
        None => start::server_root()?,
    };
    let root = ServerRoot::new(root);
    let file = ProgramLog::open(&root.log(), DAEMON).map_err(|source| Error::Log {
        directory: root.log(),
        source,
    })?;
    let mut log = Log::new(file);
    match prepare(&root) {
        Ok(prepared) => {
            log.ask_for(prepared.config.dispatcher.debug);
            Dispatcher::new(root, log, prepared).work()
        }
        Err(error) => {
            log.tell(format_args!("cannot start: {}", with_causes(&error)));
            Err(error)
        }
    }
}

/// What has to be there before the loop can begin, in the order in which it is acquired.
struct Prepared {
    lock: Lock,
    config: Config,
    control: ControlSocket<Request, Reply>,
    listeners: Vec<ServiceListener>,
    watcher: OwnedFd,
    signals: Signals,
}

fn prepare(root: &ServerRoot) -> Result<Prepared, Error> {
    let system = |doing| move |source| Error::System { doing, source };
    let lock = lock::daemon_path(&root.config(), DAEMON);
    let lock = match Lock::acquire_within(&lock, PREDECESSOR) {
        Ok(Some(held)) => held,
        Ok(None) => return Err(Error::Running { lock }),
        Err(source) => return Err(Error::Lock { lock, source }),
    };
    let config = Config::load(root)?;
    let listener = ControlListener::bind(&root.config(), DAEMON).map_err(Error::Control)?;
    let (listeners, watcher) = listeners::take_over().map_err(Error::Listeners)?;
    let signals = Signals::listen(&[
        Signal::Terminate,
        Signal::Interrupt,
        Signal::Hangup,
        Signal::User1,
        Signal::Child,
    ])
    .map_err(system("listening for signals"))?;
    start::raise_descriptor_limit(DESCRIPTORS).map_err(system("raising the file limit"))?;
    Ok(Prepared {
        lock,
        config,
        control: ControlSocket::new(listener, DAEMON),
        listeners,
        watcher,
        signals,
    })
}

impl Dispatcher {
    fn new(root: ServerRoot, log: Log, prepared: Prepared) -> Self {
        let now = Instant::now();
        let options = mta_log::layout::Options::of(&prepared.config);
        Self {
            services: services(&prepared.config, prepared.listeners),
            records: Writer::new(&root.log(), options),
            root,
            config: Arc::new(prepared.config),
            log,
            control: prepared.control,
            children: Children::default(),
            state: State::Running,
            started: now,
            last_key: 0,
            last_connection: 0,
            awaiting: Vec::new(),
            trouble: None,
            signals: prepared.signals,
            watcher: Some(prepared.watcher),
            socket_checked: now,
            _lock: prepared.lock,
        }
    }

    fn work(&mut self) -> Result<(), Error> {
        self.log.tell(format_args!(
            "started, process {}, image {}/{}, {} services",
            std::process::id(),
            self.config.identity.fixed,
            self.config.identity.reloadable,
            self.services.len()
        ));
        // A predecessor that was killed may not have told of a server that was killed before it.
        crate::serve::tell_job_controller(&self.root.config());
        while !self.is_finished(Instant::now()) {
            let now = Instant::now();
            self.keep_services(now);
            self.answer_awaiting();
            self.check_socket(now);
            for source in self.wait(now)? {
                self.deal_with(source, Instant::now());
            }
        }
        self.log.tell(format_args!("ended"));
        Ok(())
    }

    /// Waits for something to happen.
    fn wait(&self, now: Instant) -> Result<Vec<Source>, Error> {
        let mut poll = Poll::new();
        poll.watch(self.signals.as_fd(), Interest::Read, Source::Signals);
        if let Some(watcher) = &self.watcher {
            poll.watch(watcher.as_fd(), Interest::Read, Source::Watcher);
        }
        for (slot, descriptor, writing) in self.control.watched() {
            let interest = Interest::reading_and(writing);
            poll.watch(descriptor, interest, Source::Control(slot));
        }
        for (number, service) in self.services.iter().enumerate() {
            for server in service.servers.iter().filter(|s| s.is_connected()) {
                let source = Source::Server {
                    service: number,
                    key: server.key,
                };
                poll.watch(server.as_fd(), Interest::Read, source);
            }
            if self.state != State::Running || !service.is_open(now) {
                continue;
            }
            for (at, listener) in service.listeners.iter().enumerate() {
                if listener.rests_until.is_none_or(|until| now >= until) {
                    let source = Source::Listener {
                        service: number,
                        listener: at,
                    };
                    poll.watch(listener.socket.as_fd(), Interest::Read, source);
                }
            }
        }
        let ready = poll
            .wait(self.next_look(now))
            .map_err(|source| Error::System {
                doing: "waiting for connections",
                source,
            })?;
        Ok(ready.into_iter().map(|(source, _)| source).collect())
    }

    /// When something is due even if nothing happens.
    fn next_look(&self, now: Instant) -> Option<Instant> {
        let stage = match self.state {
            State::Running => None,
            State::Stopping { at, .. } => Some(at),
            State::Leaving { until } => Some(until),
        };
        let of_services = self.services.iter().flat_map(|service| {
            let views = service.views(now);
            let rests = service.listeners.iter().filter_map(|l| l.rests_until);
            rests
                .chain(service.not_before)
                .chain(balance::next_look(&views, &service.limits, now))
                .chain(crate::serve::next_suspicion(service, now))
                .collect::<Vec<_>>()
        });
        of_services
            .filter(|&at| at > now)
            .chain(stage)
            .chain([self.socket_checked + SOCKET_CHECK])
            .min()
    }

    fn deal_with(&mut self, source: Source, now: Instant) {
        match source {
            Source::Signals => self.take_signals(now),
            Source::Watcher => {
                // Nothing is ever said on it after the list: this is its end. Mail goes on.
                self.watcher = None;
                self.log.tell(format_args!("the watcher is gone"));
            }
            Source::Control(slot) => self.serve_control(slot, now),
            Source::Listener { service, listener } => self.welcome(service, listener, now),
            Source::Server { service, key } => self.listen_to(service, key, now),
        }
    }

    fn take_signals(&mut self, now: Instant) {
        for signal in self.signals.take() {
            match signal {
                Signal::Terminate | Signal::Interrupt => self.stop(now),
                Signal::User1 => self.leave(now),
                Signal::Hangup => {
                    if let Err(reason) = self.reload() {
                        self.log.tell(format_args!("{reason}"));
                    }
                }
                Signal::Child => self.reap(now),
                Signal::Kill => {}
            }
        }
    }

    /// Begins to stop; asked again, does not wait for sessions any longer.
    fn stop(&mut self, now: Instant) {
        if let State::Stopping { .. } = self.state {
            self.state = State::Stopping {
                next: Step::Shutdown,
                at: now,
            };
            return;
        }
        self.log.tell(format_args!("stopping"));
        self.close_listeners();
        self.state = State::Stopping {
            next: Step::Shutdown,
            at: now + GRACE,
        };
    }

    /// Begins to make room for a successor.
    fn leave(&mut self, now: Instant) {
        self.log.tell(format_args!("making room for a successor"));
        self.close_listeners();
        self.state = State::Leaving {
            until: now + HAND_OVER,
        };
    }

    fn close_listeners(&mut self) {
        for service in &mut self.services {
            service.listeners.clear();
        }
    }

    /// Whether there is nothing left to do; takes the next measure of stopping if it is due.
    fn is_finished(&mut self, now: Instant) -> bool {
        match self.state {
            State::Running => false,
            State::Leaving { until } => {
                let under_way = self.services.iter().any(|service| {
                    !service.orphans.is_empty()
                        || service.servers.iter().any(Server::is_handing_over)
                });
                if under_way && now < until {
                    return false;
                }
                for server in self.services.iter_mut().flat_map(|s| &mut s.servers) {
                    server.retire();
                }
                true
            }
            State::Stopping { next, at } => {
                for service in &mut self.services {
                    service.orphans.clear();
                    for server in &mut service.servers {
                        server.retire();
                    }
                }
                if self.children.is_empty() {
                    return true;
                }
                if now >= at {
                    self.take_step(next, now);
                }
                false
            }
        }
    }

    fn take_step(&mut self, step: Step, now: Instant) {
        let next = match step {
            Step::Shutdown => Step::Terminate,
            Step::Terminate | Step::Kill => Step::Kill,
        };
        for server in self.services.iter_mut().flat_map(|s| &mut s.servers) {
            match step {
                Step::Shutdown => server.shut_down(),
                Step::Terminate | Step::Kill => {
                    let signal = if step == Step::Kill {
                        Signal::Kill
                    } else {
                        Signal::Terminate
                    };
                    self.log.debug(
                        Topic::Processes,
                        format_args!("{signal:?} to process {}", server.pid),
                    );
                    // It is our child and not reaped; that it has just died is no matter.
                    drop(signal.send(server.pid));
                }
            }
        }
        self.state = State::Stopping {
            next,
            at: now + LAST_GRACE,
        };
    }

    /// Makes the control socket anew if somebody has removed it.
    fn check_socket(&mut self, now: Instant) {
        if now.saturating_duration_since(self.socket_checked) < SOCKET_CHECK {
            return;
        }
        self.socket_checked = now;
        if self.control.listener().is_in_place() {
            return;
        }
        match ControlListener::bind(&self.root.config(), DAEMON) {
            Ok(listener) => {
                self.log
                    .tell(format_args!("the control socket was gone; made it anew"));
                self.control.replace_listener(listener);
            }
            Err(error) => self.log.tell(format_args!(
                "the control socket is gone: {}",
                with_causes(&error)
            )),
        }
    }
}

/// The enabled services with the listeners that came for them. A listener of a service that the
/// image does not know (it is older than the watcher) is left to the watcher.
fn services(config: &Config, listeners: Vec<ServiceListener>) -> Vec<Service> {
    let enabled = config.dispatcher.services.iter().filter(|s| s.enable);
    let mut services: Vec<Service> = enabled.cloned().map(Service::new).collect();
    for ServiceListener {
        service,
        tls,
        socket,
    } in listeners
    {
        if let Some(known) = services.iter_mut().find(|s| s.options.name == service) {
            known.listeners.push(Listener {
                socket,
                tls,
                rests_until: None,
            });
        }
    }
    services
}
