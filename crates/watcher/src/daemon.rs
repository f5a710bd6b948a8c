//! The watcher itself: start, loop, end.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use mta_config::config::Config;
use mta_config::paths::ServerRoot;
use mta_ipc::control::{ControlSocket, Slot};
use mta_ipc::descriptor;
use mta_ipc::endpoint::Listener;
use mta_ipc::watcher::{DAEMON, Reply, Request};
use mta_process::child::{self, describe};
use mta_process::exit::with_causes;
use mta_process::lock::{self, Lock};
use mta_process::poll::{Interest, Poll};
use mta_process::privilege::{Identity, Rights, is_root};
use mta_process::signal::{Signal, Signals};
use mta_process::start;

use crate::command::{Act, Command};
use crate::component::{Component, KINDS, Readiness, Run};
use crate::log::Log;
use crate::ports::Ports;
use crate::{Error, system};

/// How often things on their way are looked at.
const TICK: Duration = Duration::from_millis(50);

/// How often it is looked whether somebody has removed the control socket.
const IDLE: Duration = Duration::from_secs(30);

/// What a descriptor of the loop belongs to.
#[derive(Debug, Clone, Copy)]
enum Source {
    Signals,
    Control(Slot),
}

/// Everything the loop works on.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) root: ServerRoot,
    rights: Rights,
    pub(crate) log: Log,
    pub(crate) control: ControlSocket<Request, Reply>,
    signals: Signals,
    pub(crate) components: [Component; 3],
    pub(crate) ports: Ports,
    pub(crate) commands: VecDeque<Command>,
    /// A service manager waits to hear that all is up.
    manager_waits: bool,
    ha: bool,
    gave_up: Option<&'static str>,
    pub(crate) ended: bool,
}

/// Is the watcher until it is told to end.
///
/// # Errors
/// [`Error`] when it cannot start, or under `ha` when it gives up.
pub(crate) fn run(root: ServerRoot, ha: bool, start_all: bool) -> Result<(), Error> {
    let rights = rights(&root)?;
    let log = Log::open(&root).map_err(system("opening data/log/watcher"))?;
    // Already the leader of a session if a service manager has started us.
    nix::unistd::setsid().ok();
    let outcome = serve(root, rights, &log, ha, start_all);
    if let Err(error) = &outcome {
        log.tell(format_args!("watcher: {}", with_causes(error)));
    }
    outcome
}

/// Puts root aside before anything else is read or written.
pub(crate) fn rights(root: &ServerRoot) -> Result<Rights, Error> {
    let identity = if is_root() {
        let accounts = mta_config::source::accounts(root)?;
        Identity::lookup(&accounts.user, accounts.group.as_deref())?
    } else {
        Identity::current()
    };
    let owner = is_root().then_some((identity.uid, identity.gid));
    mta_config::source::save::prepare_legacy(root, owner)
        .map_err(|(_, error)| system("making the directories of the server root")(error))?;
    Ok(Rights::lower(identity)?)
}

fn serve(
    root: ServerRoot,
    rights: Rights,
    log: &Log,
    ha: bool,
    start_all: bool,
) -> Result<(), Error> {
    let lock = lock::daemon_path(&root.config(), DAEMON);
    let lock = Lock::acquire_within(&lock, Duration::from_secs(5))
        .map_err(system("locking config/.watcher.lock"))?
        .ok_or(Error::Running)?;
    child::become_subreaper().map_err(system("becoming the reaper of orphans"))?;
    let listened = [
        Signal::Terminate,
        Signal::Interrupt,
        Signal::Hangup,
        Signal::Child,
    ];
    let signals = Signals::listen(&listened).map_err(system("listening for signals"))?;
    let listener = Listener::bind(&root.config(), DAEMON).map_err(Error::Control)?;
    let mut watcher = Watcher {
        control: ControlSocket::new(listener, DAEMON),
        log: log.reopened().map_err(system("opening data/log/watcher"))?,
        root,
        rights,
        signals,
        components: KINDS.each_ref().map(Component::new),
        ports: Ports::default(),
        commands: VecDeque::new(),
        manager_waits: true,
        ha,
        gave_up: None,
        ended: false,
    };
    if start_all {
        let acts = watcher.all_enabled()?;
        watcher.commands.push_back(Command::new(None, acts));
    }
    watcher.log.tell(format_args!(
        "watcher started, process {}",
        std::process::id()
    ));
    let outcome = watcher.work();
    watcher.log.tell(format_args!("watcher ended"));
    drop(lock);
    outcome
}

impl Watcher {
    fn all_enabled(&self) -> Result<Vec<Act>, Error> {
        let config = Config::load(&self.root)?;
        let enabled = KINDS
            .iter()
            .enumerate()
            .filter(|(_, kind)| kind.is_enabled(&config));
        Ok(enabled.map(|(number, _)| Act::Start(number)).collect())
    }

    fn work(&mut self) -> Result<(), Error> {
        while !self.ended {
            let now = Instant::now();
            self.keep_running(now);
            self.go_on(now);
            if !self.ended {
                for source in self.wait(now)? {
                    match source {
                        Source::Signals => self.take_signals(),
                        Source::Control(slot) => self.serve_control(slot),
                    }
                }
            }
        }
        match self.gave_up {
            Some(component) => Err(Error::GaveUp { component }),
            None => Ok(()),
        }
    }

    fn wait(&mut self, now: Instant) -> Result<Vec<Source>, Error> {
        let busy = !self.commands.is_empty() || self.components.iter().any(Component::is_changing);
        if self.manager_waits && !busy && self.components.iter().all(Component::is_as_wanted) {
            self.manager_waits = false;
            // The service manager may have gone; it then does not wait either.
            drop(start::notify_ready());
        }
        let pauses = self.components.iter().filter(|component| component.wanted);
        let next = pauses.filter_map(|component| component.not_before).min();
        let idle = now + if busy { TICK } else { IDLE };
        let beats = self.components.iter().filter_map(Component::next_beat);
        let deadline = beats
            .chain(next)
            .filter(|&at| at > now)
            .fold(idle, Instant::min);
        let mut poll = Poll::new();
        poll.watch(self.signals.as_fd(), Interest::Read, Source::Signals);
        for (slot, descriptor, writing) in self.control.watched() {
            poll.watch(
                descriptor,
                Interest::reading_and(writing),
                Source::Control(slot),
            );
        }
        let ready = poll.wait(Some(deadline)).map_err(system("waiting"))?;
        if ready.is_empty() && !self.control.listener().is_in_place() {
            match Listener::bind(&self.root.config(), DAEMON) {
                Ok(listener) => self.control.replace_listener(listener),
                Err(error) => self.log.tell(format_args!("{}", with_causes(&error))),
            }
        }
        Ok(ready.into_iter().map(|(source, _)| source).collect())
    }

    fn take_signals(&mut self) {
        for signal in self.signals.take() {
            match signal {
                Signal::Child => self.reap(),
                Signal::Terminate | Signal::Interrupt => {
                    self.commands
                        .push_back(Command::new(None, Command::finish(false)));
                }
                Signal::Hangup | Signal::User1 | Signal::Kill => {}
            }
        }
    }

    fn reap(&mut self) {
        let now = Instant::now();
        match child::reap_all() {
            Ok(ended) => ended
                .into_iter()
                .for_each(|(pid, status)| self.note_end(pid, status, now)),
            Err(error) => self.log.tell(format_args!("cannot reap: {error}")),
        }
    }

    fn note_end(&mut self, pid: u32, status: ExitStatus, now: Instant) {
        let Some(at) = self.components.iter().position(|c| c.pid() == Some(pid)) else {
            for component in &mut self.components {
                component.left.remove(&pid);
            }
            return;
        };
        let mut strange: Vec<u32> = child::of_process(std::process::id());
        strange.retain(|pid| {
            self.components
                .iter()
                .all(|c| c.pid() != Some(*pid) && !c.left.contains(pid))
        });
        let component = &mut self.components[at];
        let name = component.kind.name;
        let text = format!("{name} (process {pid}) ended with {}", describe(status));
        self.log.tell(format_args!("{text}"));
        if let Run::Starting { .. } | Run::Up { .. } = component.run {
            component.note_failure(text, now);
            if self.ha && component.is_hopeless() && self.gave_up.is_none() {
                self.gave_up = Some(name);
                self.commands
                    .push_front(Command::new(None, Command::finish(false)));
            }
        }
        component.run = Run::Down;
        component.left.extend(strange);
    }

    /// Starts what should run, and looks after what is starting.
    fn keep_running(&mut self, now: Instant) {
        for number in 0..KINDS.len() {
            let component = &mut self.components[number];
            if component.hangs(&self.root.config(), now) {
                self.log.tell(format_args!(
                    "{} does not answer any more; it is killed",
                    component.kind.name
                ));
                component.end_hung();
            }
            if let Err(reason) = component.check_readiness(&self.root.config()) {
                self.log
                    .tell(format_args!("{}: {reason}", component.kind.name));
            }
            let due = component.not_before.is_none_or(|at| now >= at);
            if component.wanted && due && matches!(component.run, Run::Down) {
                component.not_before = None;
                if let Err(reason) = self.launch(number, now) {
                    let component = &mut self.components[number];
                    self.log
                        .tell(format_args!("{}: {reason}", component.kind.name));
                    component.note_failure(reason, now);
                }
            }
        }
    }

    /// Starts a daemon, once the one of a former watcher has made room.
    fn launch(&mut self, number: usize, now: Instant) -> Result<(), String> {
        let component = &mut self.components[number];
        let kind = component.kind;
        component.missing.clear();
        if component.make_room(&self.root.config(), now) {
            return Ok(());
        }
        let doing = |what: &'static str| move |error| format!("{what}: {error}");
        let mut input = Stdio::null();
        let mut theirs = None;
        if kind.readiness == Readiness::Services {
            let config = Config::load(&self.root).map_err(|error| with_causes(&error))?;
            let opened = self.rights.raised(|| self.ports.open(&config.dispatcher));
            let mut missing = opened.map_err(|error| with_causes(&error))?.into_iter();
            if self.ports.is_empty()
                && let Some(error) = missing.next()
            {
                return Err(error.to_string());
            }
            let component = &mut self.components[number];
            for error in missing {
                self.log.tell(format_args!("{error}"));
                component.missing.push(error.to_string());
            }
            let (ours, end) = descriptor::pair().map_err(doing("making a socket"))?;
            self.ports
                .hand_over(ours.as_fd())
                .map_err(|error| with_causes(&error))?;
            input = Stdio::from(end);
            theirs = Some(ours);
        }
        let mut command = self.rights.command(&self.root.lib().join(kind.program));
        command
            .env("SERVERROOT", self.root.root())
            .current_dir(self.root.root())
            .process_group(0)
            .stdin(input)
            .stdout(Stdio::null())
            .stderr(self.log.for_child().map_err(doing("opening the log"))?);
        let spawned = self.rights.raised(|| command.spawn());
        let child = spawned
            .map_err(|error| with_causes(&error))?
            .map_err(|error| {
                format!("cannot start {}: {error}", command.get_program().display())
            })?;
        self.log.tell(format_args!(
            "started {} (process {})",
            kind.name,
            child.id()
        ));
        let component = &mut self.components[number];
        component.run = Run::Starting {
            pid: child.id(),
            since: now,
            asked: None,
        };
        component.link = theirs;
        Ok(())
    }
}
