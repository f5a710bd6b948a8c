//! `imsimta process`: what runs from this server root.
//!
//! A process is ours if its program file lies in `ROOT/lib`; names of processes are not matched.
//! Where the system does not show us that file (another group, a watcher that is root) a daemon
//! is known by the lock it holds, and what it has started by the path it was started with.

use crate::context::{Context, Outcome};
use crate::report::clock;
use crate::report::processes::{Image, Process, Processes};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Verb};
use mta_config::paths::ServerRoot;
use mta_ipc::ProcessImage;
use mta_ipc::{dispatcher, job_controller};
use mta_process::lock;
use nix::unistd::{SysconfVar, sysconf};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Whoever holds a lock of this name is this program of `ROOT/lib`.
const DAEMONS: [(&str, &str); 4] = [
    ("watcher", "watcher"),
    ("sched", "imsched"),
    ("dispatcher", "dispatcher"),
    ("job_controller", "job_controller"),
];

pub(crate) const VERBS: &[Verb] = &[Verb {
    name: "process",
    about: "list the MTA's processes",
    parameters: "",
    least: 0,
    most: 0,
    switches: &[
        Switch::flag("image", "show the configuration image that each runs"),
        Switch::flag("json", "as JSON"),
    ],
}];

pub(crate) fn run(context: &Context, typed: &[String]) -> Outcome {
    let words = VERBS[0].parse(typed)?;
    let with_image = words.is_on("image", false);
    context.warn_if_stale();
    let Running {
        mut processes,
        hidden,
    } = running(&context.root);
    for daemon in hidden {
        let text = format!("{daemon} runs, but its process cannot be seen from here");
        Message::warning("PROCESS", "HIDDEN", text).emit();
    }
    if with_image {
        let images = images(context);
        for process in &mut processes {
            let known = u32::try_from(process.pid)
                .ok()
                .and_then(|pid| images.get(&pid).cloned());
            process.image = Some(known);
        }
    }
    let view = Processes {
        processes,
        now: clock::now(),
        with_image,
    };
    output::show(&view, words.is_on("json", false));
    Ok(())
}

/// What runs from a server root.
pub(crate) struct Running {
    /// By number.
    pub(crate) processes: Vec<Process>,
    /// Daemons whose lock is held by a process that the system does not show us.
    pub(crate) hidden: Vec<&'static str>,
}

/// Looks at the system's processes, and at the daemons' locks.
pub(crate) fn running(root: &ServerRoot) -> Running {
    let lib = root.lib();
    let boot = boot_time();
    let mut processes: Vec<Process> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            look_at(pid, &entry.path(), &lib, boot)
        })
        .collect();
    let mut hidden = Vec::new();
    for (daemon, program) in DAEMONS {
        let path = lock::daemon_path(&root.config(), daemon);
        // A lock that cannot be asked about says nothing of anybody.
        let holder = lock::holder(&path).ok().flatten();
        match holder.and_then(|pid| i32::try_from(pid).ok()) {
            Some(pid) if processes.iter().any(|process| process.pid == pid) => {}
            Some(pid) => {
                let directory = Path::new("/proc").join(pid.to_string());
                match describe(pid, &directory, &lib.join(program), boot) {
                    Some(process) => processes.push(process),
                    None => hidden.push(daemon),
                }
            }
            None => {
                if lock::is_held(&path).unwrap_or(false) {
                    hidden.push(daemon);
                }
            }
        }
    }
    processes.sort_by_key(|process| process.pid);
    Running { processes, hidden }
}

fn look_at(pid: i32, directory: &Path, lib: &Path, boot: i64) -> Option<Process> {
    let program = match fs::read_link(directory.join("exe")) {
        Ok(program) => program,
        // Not to be seen by us; what it was started as is there for everybody.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let words = fs::read(directory.join("cmdline")).ok()?;
            let first = words.split(|byte| *byte == 0).next()?;
            let ours = real_user(directory)? == nix::unistd::getuid().as_raw();
            let first = String::from_utf8_lossy(first).into_owned();
            Some(first).filter(|_| ours)?.into()
        }
        Err(_) => return None,
    };
    if !program.starts_with(lib) {
        return None;
    }
    describe(pid, directory, &program, boot)
}

fn describe(pid: i32, directory: &Path, program: &Path, boot: i64) -> Option<Process> {
    let stat = fs::read_to_string(directory.join("stat")).ok()?;
    // The name in parentheses may hold anything; the numbers begin behind the last one.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
    let ticks = number(11)? + number(12)?;
    let command = program.to_string_lossy().replace(" (deleted)", "");
    Some(Process {
        user: user_name(real_user(directory)?),
        pid,
        state: fields.first()?.chars().next()?,
        virtual_size: number(20)? / 1024,
        resident_size: number(21)? * page_size() / 1024,
        started: boot + i64::try_from(number(19)? / TICKS).ok()?,
        cpu_time: ticks / TICKS,
        command,
        image: None,
    })
}

/// The user who started a process: for the watcher, which lowers its effective one, root.
fn real_user(directory: &Path) -> Option<u32> {
    let status = fs::read_to_string(directory.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Octets of a page of memory.
fn page_size() -> u64 {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok())
        .unwrap_or(4096)
}

/// Clock ticks a second in `/proc/PID/stat`; Linux has exported 100 to user space on every
/// architecture we build for.
const TICKS: u64 = 100;

fn boot_time() -> i64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "));
    line.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn user_name(uid: u32) -> String {
    match nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => uid.to_string(),
    }
}

/// What the daemons say of themselves and of their children. One that does not answer is simply
/// not in the list.
pub(crate) fn images(context: &Context) -> HashMap<u32, Image> {
    let mut told: Vec<ProcessImage> = Vec::new();
    if let Ok(dispatcher) = context.dispatcher()
        && let Ok(dispatcher::Reply::Status(status)) =
            dispatcher.call(&dispatcher::Request::Status, crate::context::PATIENCE)
    {
        told.push(own(
            status.pid,
            "dispatcher",
            status.fixed,
            status.reloadable,
        ));
        told.extend(status.children);
    }
    if let Ok(controller) = context.controller("IMTA")
        && let Ok(job_controller::Reply::Status(status)) =
            controller.call(&job_controller::Request::Status, crate::context::PATIENCE)
    {
        told.push(own(
            status.pid,
            "job_controller",
            status.fixed,
            status.reloadable,
        ));
        told.extend(status.children);
    }
    let image = |told: ProcessImage| Image {
        fixed: told.fixed,
        reloadable: told.reloadable,
    };
    told.into_iter()
        .map(|told| (told.pid, image(told)))
        .collect()
}

fn own(pid: u32, program: &str, fixed: String, reloadable: String) -> ProcessImage {
    ProcessImage {
        pid,
        program: program.to_owned(),
        fixed,
        reloadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_process::lock::Lock;

    fn staged(name: &str) -> ServerRoot {
        let name = format!("imsimta-process-{}-{name}", std::process::id());
        let root = ServerRoot::new(std::env::temp_dir().join(name));
        fs::create_dir_all(root.config()).unwrap();
        root
    }

    #[test]
    fn a_daemon_is_known_by_its_lock() {
        let root = staged("lock");
        assert!(running(&root).processes.is_empty());
        let path = lock::daemon_path(&root.config(), "sched");
        let lock = Lock::try_acquire(&path).unwrap().unwrap();
        let Running { processes, hidden } = running(&root);
        assert!(hidden.is_empty(), "{hidden:?}");
        let me = i32::try_from(std::process::id()).unwrap();
        assert_eq!(processes.len(), 1);
        assert_eq!(processes[0].pid, me);
        let program = root.lib().join("imsched");
        assert_eq!(processes[0].command, program.display().to_string());
        assert!(processes[0].resident_size > 0);
        drop(lock);
        drop(fs::remove_dir_all(root.root()));
    }
}
