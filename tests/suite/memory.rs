//! What a thousand idle sessions cost, over all our programs.

use crate::support::root::Root;
use crate::support::wire::Wire;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs;
use std::time::Duration;

const SESSIONS: usize = 1000;

/// Most kilobytes of proportional set size of all programs of the server together.
const LIMIT: u64 = 64 * 1024;

/// How long the sessions lie idle: memory that is given back late counts as used.
const IDLE: Duration = Duration::from_secs(10);

#[test]
fn a_thousand_idle_sessions_on_one_process_cost_less_than_64_megabytes() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let wanted = 4 * SESSIONS as u64;
    assert!(most >= wanted, "this test needs {wanted} open files");
    setrlimit(Resource::RLIMIT_NOFILE, wanted, most).unwrap();
    let root = Root::staging()
        .set(&["dispatcher.service:SMTP.max_conns", "1100"])
        .set(&["dispatcher.service:SMTP.max_procs", "1"])
        .start();
    let sessions: Vec<Wire> = (0..SESSIONS).map(|_| idle_session(&root)).collect();
    std::thread::sleep(IDLE);
    assert_eq!(root.pids("tcp_smtp_server").len(), 1, "one process for all");
    let mut total = 0;
    for (pid, name) in root.processes() {
        let kilobytes = proportional(pid);
        println!("{kilobytes:>8} kB {name}");
        total += kilobytes;
    }
    println!("{total:>8} kB in all with {SESSIONS} sessions");
    assert!(total < LIMIT, "{total} kB");
    for mut session in sessions {
        session.say("NOOP", "250");
    }
}

fn idle_session(root: &Root) -> Wire {
    let mut wire = Wire::hello(root.smtp);
    wire.say("MAIL FROM:<eve@example.com>", "250");
    wire.say("RCPT TO:<bob@example.com>", "250");
    wire.say("RSET", "250");
    wire
}

/// Kilobytes of a process, each shared page divided by those who share it.
fn proportional(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|line| line.trim().split(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap()
}
