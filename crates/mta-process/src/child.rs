//! Children: start, watch, reap.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// The children of a daemon. Dropping it ends none of them.
#[derive(Debug, Default)]
pub struct Children {
    running: Vec<Child>,
}

impl Children {
    /// Starts a program; returns its process number.
    ///
    /// # Errors
    /// What the system says: [`io::ErrorKind::NotFound`], [`io::ErrorKind::PermissionDenied`], or
    /// that no process or memory is left.
    pub fn spawn(&mut self, command: &mut Command) -> io::Result<u32> {
        let child = command.spawn()?;
        let pid = child.id();
        self.running.push(child);
        Ok(pid)
    }

    /// Whether `pid` is one of ours and was not reaped yet; only then is it safe to signal, since
    /// the number cannot have been given to another process.
    #[must_use]
    pub fn contains(&self, pid: u32) -> bool {
        self.running.iter().any(|child| child.id() == pid)
    }

    /// How many are running or not yet reaped.
    #[must_use]
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Takes away those that have ended. Call it on [`crate::signal::Signal::Child`].
    pub fn reap(&mut self) -> Vec<(u32, ExitStatus)> {
        let mut ended = Vec::new();
        self.running.retain_mut(|child| match child.try_wait() {
            Ok(Some(status)) => {
                ended.push((child.id(), status));
                false
            }
            Ok(None) => true,
            // Somebody else has waited for it: it is gone, nobody knows how.
            Err(_) => {
                ended.push((child.id(), ExitStatus::from_raw(0)));
                false
            }
        });
        ended
    }
}

/// Makes this process the one that orphans among its descendants are given to.
///
/// # Errors
/// What the system says.
pub fn become_subreaper() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// Takes away every child that has ended, adopted ones too; for a subreaper that starts its own
/// children without [`Children`].
///
/// # Errors
/// What the system says; that there are no children is no error.
pub fn reap_all() -> io::Result<Vec<(u32, ExitStatus)>> {
    let mut ended = Vec::new();
    loop {
        let (pid, raw) = match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => (pid, code << 8),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, signal as i32),
            Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::ECHILD) => return Ok(ended),
            Ok(_) | Err(nix::errno::Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        if let Ok(pid) = u32::try_from(pid.as_raw()) {
            ended.push((pid, ExitStatus::from_raw(raw)));
        }
    }
}

/// The children of a process, as the system lists them; none where it does not.
#[must_use]
pub fn of_process(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    threads
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

/// How a process ended, in words for a log: `exit code 3`, `signal 9`.
#[must_use]
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown end".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{Interest, Poll};
    use crate::signal::{Signal, Signals};
    use std::os::fd::AsFd;

    #[test]
    fn children_are_reaped_with_their_status() {
        let mut signals = Signals::listen(&[Signal::Child]).unwrap();
        let mut children = Children::default();
        let quick = children
            .spawn(Command::new("sh").args(["-c", "exit 3"]))
            .unwrap();
        let long = children.spawn(Command::new("sleep").arg("100")).unwrap();
        assert!(children.contains(long));
        assert!(of_process(std::process::id()).contains(&long));
        Signal::Kill.send(long).unwrap();
        let mut ended = Vec::new();
        while !children.is_empty() {
            let mut poll = Poll::new();
            poll.watch(signals.as_fd(), Interest::Read, ());
            poll.wait(None).unwrap();
            signals.take();
            ended.extend(children.reap());
        }
        ended.sort_unstable_by_key(|&(pid, _)| pid != quick);
        assert_eq!(describe(ended[0].1), "exit code 3");
        assert_eq!(describe(ended[1].1), "signal 9");
        assert!(!children.contains(long));
    }
}
