//! `imsched`: runs each task at its minutes, never two runs of one task at once.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mta_config::config::{Config, LoadError};
use mta_config::paths::ServerRoot;
use mta_config::task::{Minute, Schedule, Task};
use mta_config::value;
use mta_log::program::ProgramLog;
use mta_process::child::{Children, describe};
use mta_process::exit::with_causes;
use mta_process::lock::{self, Lock};
use mta_process::poll::{Interest, Poll};
use mta_process::signal::{Signal, Signals};
use mta_process::start::StartError;
use mta_process::{Failure, privilege, start};

use crate::minutes;

/// The component's name, and that of its lock and log.
const DAEMON: &str = "sched";

/// A predecessor that was just told to end gets this long.
const PREDECESSOR: Duration = Duration::from_secs(5);

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    /// The server root, if it is not to be found in the usual way.
    pub server_root: Option<PathBuf>,
}

/// Why `imsched` cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server root was not found.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It was started as root.
    #[error("imsched must not run as root; use start-msg")]
    Root,
    /// Another one runs.
    #[error("a scheduler is running already")]
    Running,
    /// There is no usable configuration.
    #[error("cannot load the configuration")]
    Config(#[from] LoadError),
    /// The system failed us.
    #[error("{doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

impl Failure for Error {}

fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::System { doing, source }
}

/// Runs tasks until it is told to end.
///
/// # Errors
/// [`Error`] when it cannot start.
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
    let log = ProgramLog::open(&root.log(), DAEMON).map_err(system("opening the log"))?;
    let mut ended = Ok(());
    if let Err(error) = work(&root, &log) {
        log.write(&format!("ended: {}", with_causes(&error)));
        ended = Err(error);
    }
    ended
}

fn work(root: &ServerRoot, log: &ProgramLog) -> Result<(), Error> {
    let listened = [
        Signal::Terminate,
        Signal::Interrupt,
        Signal::Hangup,
        Signal::Child,
    ];
    let mut signals = Signals::listen(&listened).map_err(system("listening for signals"))?;
    let config = Config::load(root)?;
    let lock = lock::daemon_path(&root.config(), DAEMON);
    let _lock = Lock::acquire_within(&lock, PREDECESSOR)
        .map_err(system("locking config/.sched.lock"))?
        .ok_or(Error::Running)?;
    let mut scheduler = Scheduler {
        root,
        log,
        plan: plan(&config.tasks, log),
        running: HashMap::new(),
        children: Children::default(),
    };
    log.write(&format!(
        "started, process {}, {} tasks",
        std::process::id(),
        scheduler.plan.len()
    ));
    let mut last = Timestamp::now();
    loop {
        let pause = minutes::until_next(Timestamp::now()).unsigned_abs();
        let mut poll = Poll::new();
        poll.watch(signals.as_fd(), Interest::Read, ());
        poll.wait(Some(Instant::now() + pause))
            .map_err(system("waiting for the next minute"))?;
        for signal in signals.take() {
            match signal {
                Signal::Terminate | Signal::Interrupt => {
                    log.write("ended; tasks that run go on");
                    return Ok(());
                }
                Signal::Hangup => scheduler.read_again(),
                Signal::Child => scheduler.reap(),
                Signal::User1 | Signal::Kill => {}
            }
        }
        let now = Timestamp::now();
        for minute in minutes::begun(last, now, &TimeZone::system()) {
            scheduler.run_due(&minute);
        }
        last = now;
    }
}

/// One task with its schedule and its command, read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Planned {
    name: String,
    schedule: Schedule,
    words: Vec<String>,
}

/// The tasks that can be run; what is wrong with the others is told.
fn plan(tasks: &[Task], log: &ProgramLog) -> Vec<Planned> {
    let mut plan = Vec::new();
    for task in tasks.iter().filter(|task| task.enabled) {
        let words = value::words(&task.command);
        match task.schedule() {
            Some(schedule) if !words.is_empty() => plan.push(Planned {
                name: task.name.clone(),
                schedule,
                words,
            }),
            Some(_) | None => log.write(&format!(
                "task {}: cannot be understood: {} {}",
                task.name, task.crontab, task.command
            )),
        }
    }
    plan
}

struct Scheduler<'a> {
    root: &'a ServerRoot,
    log: &'a ProgramLog,
    plan: Vec<Planned>,
    /// Process and task.
    running: HashMap<u32, String>,
    children: Children,
}

impl Scheduler<'_> {
    fn run_due(&mut self, minute: &Minute) {
        let due: Vec<Planned> = self
            .plan
            .iter()
            .filter(|task| task.schedule.matches(minute))
            .cloned()
            .collect();
        for task in due {
            if self.running.values().any(|name| *name == task.name) {
                self.log.write(&format!(
                    "task {}: still running from before; left out this time",
                    task.name
                ));
                continue;
            }
            match self.start(&task) {
                Ok(pid) => {
                    self.log
                        .write(&format!("task {}: started, process {pid}", task.name));
                    self.running.insert(pid, task.name);
                }
                Err(error) => self.log.write(&format!(
                    "task {}: cannot start {}: {error}",
                    task.name, task.words[0]
                )),
            }
        }
    }

    /// What a task prints goes into our log.
    fn start(&mut self, task: &Planned) -> io::Result<u32> {
        let output = OpenOptions::new().append(true).open(self.log.path())?;
        let (program, arguments) = task
            .words
            .split_first()
            .ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = privilege::command(&self.root.resolve(program), None);
        command
            .args(arguments)
            .env("SERVERROOT", self.root.root())
            .current_dir(self.root.root())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        self.children.spawn(&mut command)
    }

    fn reap(&mut self) {
        for (pid, status) in self.children.reap() {
            let name = self.running.remove(&pid);
            let name = name.as_deref().unwrap_or("?");
            self.log.write(&format!(
                "task {name}: process {pid} ended with {}",
                describe(status)
            ));
        }
    }

    /// Takes the tasks of the configuration as it is now. Running ones go on.
    fn read_again(&mut self) {
        match Config::load(self.root) {
            Ok(config) => {
                self.plan = plan(&config.tasks, self.log);
                self.log
                    .write(&format!("read again, {} tasks", self.plan.len()));
            }
            Err(error) => self.log.write(&format!(
                "cannot load the configuration, the old tasks stay: {}",
                with_causes(&error)
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str, crontab: &str, command: &str, enabled: bool) -> Task {
        Task {
            name: name.to_owned(),
            crontab: crontab.to_owned(),
            command: command.to_owned(),
            enabled,
        }
    }

    fn minute() -> Minute {
        Minute {
            minute: 30,
            hour: 0,
            day: 1,
            month: 1,
            weekday: 0,
        }
    }

    #[test]
    fn only_enabled_and_sensible_tasks_are_planned() {
        let directory = tempfile::tempdir().unwrap();
        let log = ProgramLog::open(directory.path(), "sched").unwrap();
        let tasks = [
            task("return_job", "30 0 * * *", "lib/return_job", true),
            task("off", "30 0 * * *", "lib/off", false),
            task("odd", "30 0 * *", "lib/odd", true),
            task("purge", "0 0,4 * * *", "bin/imsimta purge -num=5", true),
        ];
        let plan = plan(&tasks, &log);
        let names: Vec<&str> = plan.iter().map(|task| task.name.as_str()).collect();
        assert_eq!(names, ["return_job", "purge"]);
        assert_eq!(plan[1].words, ["bin/imsimta", "purge", "-num=5"]);
        let told = std::fs::read_to_string(log.path()).unwrap();
        assert!(told.contains("task odd"), "{told}");
    }

    #[test]
    fn a_task_never_runs_twice_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let root = ServerRoot::new(directory.path().to_owned());
        let log = ProgramLog::open(&root.log(), "sched").unwrap();
        let mut scheduler = Scheduler {
            root: &root,
            log: &log,
            plan: plan(&[task("long", "* * * * *", "/bin/sleep 600", true)], &log),
            running: HashMap::new(),
            children: Children::default(),
        };
        scheduler.run_due(&minute());
        scheduler.run_due(&minute());
        assert_eq!(scheduler.children.len(), 1);
        let pid = *scheduler.running.keys().next().unwrap();
        Signal::Kill.send(pid).unwrap();
        while !scheduler.children.is_empty() {
            scheduler.reap();
            std::thread::yield_now();
        }
        assert!(scheduler.running.is_empty());
        let told = std::fs::read_to_string(log.path()).unwrap();
        assert!(told.contains("still running"), "{told}");
        assert!(told.contains("ended with signal 9"), "{told}");
    }

    #[test]
    fn what_a_task_prints_is_in_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let root = ServerRoot::new(directory.path().to_owned());
        let log = ProgramLog::open(&root.log(), "sched").unwrap();
        let tasks = [task("speak", "* * * * *", "/bin/echo hello there", true)];
        let mut scheduler = Scheduler {
            root: &root,
            log: &log,
            plan: plan(&tasks, &log),
            running: HashMap::new(),
            children: Children::default(),
        };
        scheduler.run_due(&minute());
        while !scheduler.children.is_empty() {
            scheduler.reap();
            std::thread::yield_now();
        }
        let told = std::fs::read_to_string(log.path()).unwrap();
        assert!(told.contains("hello there"), "{told}");
    }
}
