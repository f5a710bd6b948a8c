//! Staging: a server root, peers, a DNS server, and waiting for facts.

#![allow(
    dead_code,
    reason = "each module of the suite uses its part of the staging"
)]

pub(crate) mod broken;
pub(crate) mod client;
pub(crate) mod dice;
pub(crate) mod disk;
pub(crate) mod dns;
pub(crate) mod messages;
pub(crate) mod root;
pub(crate) mod sink;
pub(crate) mod strace;
pub(crate) mod tls;
pub(crate) mod wire;

use std::time::{Duration, Instant};

/// Ends a process at once; one that has ended already is what we want.
pub(crate) fn end(pid: i32) {
    let pid = nix::unistd::Pid::from_raw(pid);
    let _gone_already = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).is_err();
}

/// How long a fact may take on a busy machine before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Waits until `fact` gives something, looking every few milliseconds.
///
/// # Panics
/// When [`PATIENCE`] is over; `what` says what was waited for.
pub(crate) fn wait_for<T>(what: &str, fact: impl FnMut() -> Option<T>) -> T {
    wait_within(PATIENCE, fact).unwrap_or_else(|| panic!("waited in vain for: {what}"))
}

/// As [`wait_for`], but gives up quietly.
pub(crate) fn wait_within<T>(limit: Duration, mut fact: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = fact() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(15));
    }
}
