//! One daemon under the watcher's care: whether it should run, what it is doing, what it left.

use std::collections::{HashSet, VecDeque};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use mta_config::config::Config;
use mta_ipc::IpcError;
use mta_ipc::dispatcher::{Reply, Request};
use mta_ipc::endpoint::{self, Connection, Knock};
use mta_process::signal::Signal;
use mta_process::{child, lock};

/// A daemon that lives this long was no failure at its start.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// Under `ha`, this many failures ...
const TOO_MANY: usize = 3;

/// ... within this time are too many.
const WITHIN: Duration = Duration::from_secs(600);

/// Longest pause before a daemon is started again: another try costs next to nothing, while mail
/// that finds no Dispatcher or no Job Controller waits.
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// A daemon that is up is asked whether it still answers this often ...
const BEAT: Duration = Duration::from_secs(60);

/// ... and is killed after so many questions in a row without an answer.
const SILENCES: u32 = 3;

/// A daemon of a former watcher that has not made room by then is killed.
const ROOM: Duration = Duration::from_secs(90);

/// How a daemon shows that it does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// It holds its lock.
    Lock,
    /// Its control socket greets.
    Greeting,
    /// Its control socket answers that its services are ready.
    Services,
}

/// What is special about each daemon.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its name for operators, and of its lock and socket.
    pub(crate) name: &'static str,
    /// Its program in `lib`.
    pub(crate) program: &'static str,
    /// How it asks to make room for a successor.
    pub(crate) restart: Signal,
    /// How it shows that it is ready.
    pub(crate) readiness: Readiness,
}

/// In starting order.
pub(crate) const KINDS: [Kind; 3] = [
    Kind {
        name: "sched",
        program: "imsched",
        restart: Signal::Terminate,
        readiness: Readiness::Lock,
    },
    Kind {
        name: "dispatcher",
        program: "dispatcher",
        restart: Signal::User1,
        readiness: Readiness::Services,
    },
    Kind {
        name: "job_controller",
        program: "job_controller",
        restart: Signal::Terminate,
        readiness: Readiness::Greeting,
    },
];

impl Kind {
    /// Whether the configuration has anything for it to do.
    pub(crate) fn is_enabled(&self, config: &Config) -> bool {
        match self.readiness {
            Readiness::Lock => config.tasks.iter().any(|task| task.enabled),
            Readiness::Services => config.dispatcher.services.iter().any(|s| s.enable),
            Readiness::Greeting => true,
        }
    }
}

/// What a daemon is doing.
#[derive(Debug)]
pub(crate) enum Run {
    /// Nothing.
    Down,
    /// Started, not ready.
    Starting {
        pid: u32,
        since: Instant,
        /// The question that it has not answered yet.
        asked: Option<Connection>,
    },
    /// Ready.
    Up {
        pid: u32,
        since: Instant,
        pulse: Pulse,
    },
    /// Told to end.
    Stopping { pid: u32 },
}

/// Whether a daemon that is up still answers.
#[derive(Debug)]
pub(crate) struct Pulse {
    /// When it is looked for next.
    pub(crate) due: Instant,
    asked: Option<Knock>,
    silences: u32,
}

impl Pulse {
    fn new(now: Instant) -> Self {
        Self {
            due: now + BEAT,
            asked: None,
            silences: 0,
        }
    }
}

/// One daemon.
#[derive(Debug)]
pub(crate) struct Component {
    /// Which one.
    pub(crate) kind: &'static Kind,
    /// What it is doing.
    pub(crate) run: Run,
    /// Whether it should run.
    pub(crate) wanted: bool,
    /// Not to be started before this time.
    pub(crate) not_before: Option<Instant>,
    /// Why the last start failed.
    pub(crate) trouble: Option<String>,
    /// What the last start had to do without.
    pub(crate) missing: Vec<String>,
    /// Its former children, ours since it ended.
    pub(crate) left: HashSet<u32>,
    /// How often it ended without being asked to.
    pub(crate) failures: u32,
    /// Our end of its standard input; it sees the end of it when we are gone.
    pub(crate) link: Option<OwnedFd>,
    in_a_row: u32,
    recent: VecDeque<Instant>,
    /// Since when we have waited for a daemon of a former watcher to make room.
    waiting: Option<Instant>,
}

impl Component {
    /// One that does not run.
    pub(crate) fn new(kind: &'static Kind) -> Self {
        Self {
            kind,
            run: Run::Down,
            wanted: false,
            not_before: None,
            trouble: None,
            missing: Vec::new(),
            left: HashSet::new(),
            failures: 0,
            link: None,
            in_a_row: 0,
            recent: VecDeque::new(),
            waiting: None,
        }
    }

    /// Its process, if it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        match self.run {
            Run::Down => None,
            Run::Starting { pid, .. } | Run::Up { pid, .. } | Run::Stopping { pid } => Some(pid),
        }
    }

    /// Whether something is to be looked at soon.
    pub(crate) fn is_changing(&self) -> bool {
        match self.run {
            Run::Starting { .. } | Run::Stopping { .. } => true,
            Run::Down => self.wanted && self.not_before.is_none(),
            Run::Up { .. } => false,
        }
    }

    /// Whether it runs if it should.
    pub(crate) fn is_as_wanted(&self) -> bool {
        !self.wanted || matches!(self.run, Run::Up { .. })
    }

    /// Notes that it could not be started, or ended by itself; the next start waits a while.
    pub(crate) fn note_failure(&mut self, trouble: String, now: Instant) {
        let settled = match self.run {
            Run::Up { since, .. } => now.saturating_duration_since(since) >= SETTLED_AFTER,
            Run::Down | Run::Starting { .. } | Run::Stopping { .. } => false,
        };
        self.in_a_row = if settled {
            0
        } else {
            self.in_a_row.saturating_add(1)
        };
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + delay_after(self.in_a_row));
        self.trouble = Some(trouble);
        self.recent.push_back(now);
        while self
            .recent
            .front()
            .is_some_and(|&at| now.saturating_duration_since(at) > WITHIN)
        {
            self.recent.pop_front();
        }
    }

    /// Whether a daemon of a former watcher still has to make room; asks it to.
    pub(crate) fn make_room(&mut self, config_dir: &Path, now: Instant) -> bool {
        let Some(pid) = self.holder(config_dir) else {
            self.waiting = None;
            return false;
        };
        let signal = match self.waiting {
            None => Some(self.kind.restart),
            Some(since) if now.saturating_duration_since(since) >= ROOM => Some(Signal::Kill),
            Some(_) => None,
        };
        self.waiting.get_or_insert(now);
        if let Some(signal) = signal {
            send(signal, pid);
        }
        true
    }

    /// The process that holds its lock.
    pub(crate) fn holder(&self, config_dir: &Path) -> Option<u32> {
        lock::holder(&lock::daemon_path(config_dir, self.kind.name)).unwrap_or(None)
    }

    /// Begins to stop it.
    pub(crate) fn begin_to_stop(&mut self, target: Option<u32>, force: bool, restart: bool) {
        let signal = if restart {
            self.kind.restart
        } else {
            Signal::Terminate
        };
        if force {
            self.kill(target);
        } else if let Some(pid) = target {
            send(signal, pid);
        }
        if let Some(pid) = self.pid() {
            self.run = Run::Stopping { pid };
        }
    }

    /// Tells it to end, if it runs.
    pub(crate) fn tell_to_end(&mut self, signal: Signal) {
        if let Some(pid) = self.pid() {
            send(signal, pid);
            self.run = Run::Stopping { pid };
        }
    }

    /// Kills it with all its children, former ones too.
    pub(crate) fn kill(&self, target: Option<u32>) {
        let children = target.map_or_else(Vec::new, child::of_process);
        for pid in target
            .into_iter()
            .chain(children)
            .chain(self.left.iter().copied())
        {
            send(Signal::Kill, pid);
        }
    }

    /// Kills it alone: what it has given to its children is not lost with it. Its end is seen as
    /// that of any daemon.
    pub(crate) fn end_hung(&self) {
        if let Some(pid) = self.pid() {
            send(Signal::Kill, pid);
        }
    }

    /// Tells its former children to end.
    pub(crate) fn end_what_is_left(&self) {
        for &pid in &self.left {
            send(Signal::Terminate, pid);
        }
    }

    /// What is told of it.
    pub(crate) fn told(&self) -> mta_ipc::watcher::Component {
        mta_ipc::watcher::Component {
            name: self.kind.name.to_owned(),
            pid: self.pid(),
            wanted: self.wanted,
            failures: self.failures,
        }
    }

    /// Whether it failed as often as `ha` tolerates no longer.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.recent.len() >= TOO_MANY
    }

    /// Looks whether a daemon that was started is ready by now.
    ///
    /// # Errors
    /// What it says is wrong with its services.
    pub(crate) fn check_readiness(&mut self, config_dir: &Path) -> Result<(), String> {
        let Run::Starting { pid, since, asked } = &mut self.run else {
            return Ok(());
        };
        let (pid, since) = (*pid, *since);
        let name = self.kind.name;
        let verdict = match self.kind.readiness {
            Readiness::Lock => lock::is_held(&lock::daemon_path(config_dir, name))
                .is_ok_and(|held| held)
                .then_some(Ok(())),
            Readiness::Greeting => greet(config_dir, name).ok().map(|_| Ok(())),
            Readiness::Services => {
                if asked.is_none() {
                    *asked = ask(config_dir, name).ok();
                }
                match asked.as_ref().map(answer) {
                    None | Some(Ok(None)) => None,
                    Some(Ok(Some(Reply::Refused(reason)))) => Some(Err(reason)),
                    Some(Ok(Some(_))) => Some(Ok(())),
                    Some(Err(_)) => {
                        *asked = None;
                        None
                    }
                }
            }
        };
        let Some(verdict) = verdict else {
            return Ok(());
        };
        let pulse = Pulse::new(Instant::now());
        self.run = Run::Up { pid, since, pulse };
        self.trouble = verdict.clone().err();
        verdict
    }
}

impl Component {
    /// Whether a daemon that is up has stopped answering, for so long that it hangs. One without a
    /// control socket is not asked.
    pub(crate) fn hangs(&mut self, config_dir: &Path, now: Instant) -> bool {
        let Run::Up { pulse, .. } = &mut self.run else {
            return false;
        };
        if self.kind.readiness == Readiness::Lock || now < pulse.due {
            return false;
        }
        let asked = pulse.asked.take();
        match asked.as_ref().map(Knock::was_heard) {
            Some(false) => pulse.silences += 1,
            Some(true) => pulse.silences = 0,
            None => {}
        }
        pulse.due = now + BEAT;
        match Knock::at(config_dir, self.kind.name, "watcher", PATIENCE) {
            Ok(knock) => pulse.asked = Some(knock),
            // Its backlog is full of others that wait.
            Err(IpcError::NotRunning { source, .. })
                if source.kind() == std::io::ErrorKind::WouldBlock =>
            {
                pulse.silences += 1;
            }
            // Somebody has removed the socket, or the daemon has just ended.
            Err(_) => pulse.silences = 0,
        }
        pulse.silences >= SILENCES
    }

    /// When [`Component::hangs`] has something to look at.
    pub(crate) fn next_beat(&self) -> Option<Instant> {
        match &self.run {
            Run::Up { pulse, .. } if self.kind.readiness != Readiness::Lock => Some(pulse.due),
            Run::Down | Run::Starting { .. } | Run::Up { .. } | Run::Stopping { .. } => None,
        }
    }
}

/// Sends a signal to a process that we know to be there, or to have been there just now.
fn send(signal: Signal, pid: u32) {
    // That it has ended meanwhile is what is wanted.
    drop(signal.send(pid));
}

/// A daemon of this age answers at once, or is asked again.
const PATIENCE: Duration = Duration::from_millis(200);

fn greet(config_dir: &Path, name: &str) -> Result<Connection, IpcError> {
    endpoint::connect(config_dir, name, "watcher", PATIENCE)
}

fn ask(config_dir: &Path, name: &str) -> Result<Connection, IpcError> {
    let connection = greet(config_dir, name)?;
    connection.send(1, &Request::Ready)?;
    Ok(connection)
}

/// The answer, if it has come.
fn answer(connection: &Connection) -> Result<Option<Reply>, IpcError> {
    if !connection.has_news()? {
        return Ok(None);
    }
    connection
        .receive::<Reply>(PATIENCE)
        .map(|(_, reply)| Some(reply))
}

/// The pause after so many failures in a row: none after the first death of a daemon that worked.
pub(crate) fn delay_after(in_a_row: u32) -> Duration {
    match in_a_row {
        0 => Duration::ZERO,
        n => Duration::from_secs(1 << (n - 1).min(6)).min(LONGEST_DELAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(since: Instant) -> Run {
        Run::Up {
            pid: 1,
            since,
            pulse: Pulse::new(since),
        }
    }

    #[test]
    fn a_daemon_that_does_not_answer_for_minutes_hangs() {
        let area = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        for answering in [false, true] {
            let listener = endpoint::Listener::bind(area.path(), "job_controller").unwrap();
            let mut component = Component::new(&KINDS[2]);
            component.run = up(begun);
            let mut hung = Vec::new();
            for beat in 1..=5 {
                let now = begun + BEAT * beat;
                assert!(!component.hangs(area.path(), now - Duration::from_secs(1)));
                hung.push(component.hangs(area.path(), now));
                let waiting = listener.accept().unwrap().unwrap();
                if answering {
                    let within = Duration::from_secs(20);
                    drop(Connection::greet(waiting, "job_controller", within).unwrap());
                } else {
                    std::mem::forget(waiting);
                }
            }
            let silent = [false, false, false, true, true];
            assert_eq!(hung, if answering { [false; 5] } else { silent });
        }
    }

    #[test]
    fn pauses_grow_only_while_it_dies_at_once() {
        let now = Instant::now();
        let mut component = Component::new(&KINDS[0]);
        for seconds in [1, 2, 4, 8, 10, 10] {
            component.run = up(now);
            component.note_failure("x".to_owned(), now);
            let pause = component.not_before.unwrap() - now;
            assert_eq!(pause, Duration::from_secs(seconds));
        }
        component.run = up(now);
        let later = now + SETTLED_AFTER;
        component.note_failure("x".to_owned(), later);
        assert_eq!(component.not_before, Some(later));
    }

    #[test]
    fn three_failures_in_ten_minutes_are_too_many() {
        let now = Instant::now();
        let mut component = Component::new(&KINDS[1]);
        for minutes in [0, 6, 11] {
            assert!(!component.is_hopeless());
            component.note_failure("x".to_owned(), now + Duration::from_secs(minutes * 60));
        }
        assert!(!component.is_hopeless());
        component.note_failure("x".to_owned(), now + Duration::from_secs(12 * 60));
        assert!(component.is_hopeless());
    }
}
