//! `imsimta process`: what runs from this server root.
//!
//! A process is ours if its program file lies in `ROOT/lib`; names of processes are not matched.

use crate::context::{Context, Outcome};
use crate::report::clock;
use crate::report::processes::{Image, Process, Processes};
use mta_command::output;
use mta_command::switches::{Switch, Verb};
use mta_ipc::ProcessImage;
use mta_ipc::{dispatcher, job_controller};
use mta_process::lock;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

const WATCHER: &str = "watcher";

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
    let lib = context.root.lib();
    let mut processes = list(&lib);
    add_watcher(&mut processes, context, &lib);
    if with_image {
        let images = images(context);
        for process in &mut processes {
            process.image = u32::try_from(process.pid)
                .ok()
                .and_then(|pid| images.get(&pid).cloned());
        }
        context.warn_if_stale();
    }
    let view = Processes {
        processes,
        now: clock::now(),
        with_image,
    };
    output::show(&view, words.is_on("json", false));
    Ok(())
}

/// Every process whose program lies in `lib`, by number.
pub(crate) fn list(lib: &Path) -> Vec<Process> {
    let boot = boot_time();
    let mut found: Vec<Process> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            look_at(pid, &entry.path(), lib, boot)
        })
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

/// A watcher that is root does not let us see its program file; it is known by its lock.
fn add_watcher(processes: &mut Vec<Process>, context: &Context, lib: &Path) {
    let lock = lock::daemon_path(&context.root.config(), WATCHER);
    let holder = lock::holder(&lock).ok().flatten();
    let Some(pid) = holder.and_then(|pid| i32::try_from(pid).ok()) else {
        return;
    };
    if processes.iter().any(|process| process.pid == pid) {
        return;
    }
    let directory = Path::new("/proc").join(pid.to_string());
    let program = lib.join(WATCHER);
    processes.extend(describe(pid, &directory, &program, boot_time()));
    processes.sort_by_key(|process| process.pid);
}

fn look_at(pid: i32, directory: &Path, lib: &Path, boot: i64) -> Option<Process> {
    let program = fs::read_link(directory.join("exe")).ok()?;
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
    let page = 4;
    let command = program.to_string_lossy().replace(" (deleted)", "");
    Some(Process {
        user: user_name(fs::metadata(directory).ok()?.uid()),
        pid,
        state: fields.first()?.chars().next()?,
        virtual_size: number(20)? / 1024,
        resident_size: number(21)? * page,
        started: boot + i64::try_from(number(19)? / TICKS).ok()?,
        cpu_time: ticks / TICKS,
        command,
        image: None,
    })
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
