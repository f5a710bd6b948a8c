//! Signals as ordinary events of a poll loop.
//!
//! A handler only sets a flag and writes a byte into a socket pair; the loop sees the socket
//! readable and asks [`Signals::take`]. Two of the same kind that come before the loop looks are
//! one.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1};

/// A signal that a program of ours handles or sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// `SIGTERM`: end in order.
    Terminate,
    /// `SIGINT`: end in order; from a terminal.
    Interrupt,
    /// `SIGHUP`: read the configuration again.
    Hangup,
    /// `SIGCHLD`: a child has ended.
    Child,
    /// `SIGUSR1`: free for the program's own use.
    User1,
    /// `SIGKILL`: can be sent, and never handled.
    Kill,
}

impl Signal {
    /// The system's number for it.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Terminate => SIGTERM,
            Self::Interrupt => SIGINT,
            Self::Hangup => SIGHUP,
            Self::Child => SIGCHLD,
            Self::User1 => SIGUSR1,
            Self::Kill => SIGKILL,
        }
    }

    /// Sends it to a process. A process that is already gone is no error.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] for another user's process;
    /// [`io::ErrorKind::InvalidInput`] for a number that names no single process.
    pub fn send(self, pid: u32) -> io::Result<()> {
        let pid = i32::try_from(pid)
            .ok()
            .filter(|&pid| pid > 0)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let signal = nix::sys::signal::Signal::try_from(self.number())?;
        match nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal) {
            Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// The signals that this process listens for, from [`Signals::listen`] until it is dropped.
#[derive(Debug)]
pub struct Signals {
    wake: UnixStream,
    flags: Vec<(Signal, Arc<AtomicBool>)>,
    handlers: Vec<SigId>,
}

impl Signals {
    /// Begins to listen; these signals no longer do what they do by default.
    ///
    /// # Errors
    /// What the system says; [`Signal::Kill`] cannot be listened for.
    pub fn listen(signals: &[Signal]) -> io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        let mut this = Self {
            wake,
            flags: Vec::new(),
            handlers: Vec::new(),
        };
        for &signal in signals {
            if signal == Signal::Kill {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let flag = Arc::new(AtomicBool::new(false));
            // In this order: whoever is woken finds the flag set.
            this.handlers.push(signal_hook::flag::register(
                signal.number(),
                Arc::clone(&flag),
            )?);
            this.handlers.push(signal_hook::low_level::pipe::register(
                signal.number(),
                waker.try_clone()?,
            )?);
            this.flags.push((signal, flag));
        }
        Ok(this)
    }

    /// What has come since the last call, in the order in which the signals were listed.
    pub fn take(&mut self) -> Vec<Signal> {
        let mut bytes = [0; 64];
        while matches!((&self.wake).read(&mut bytes), Ok(count) if count > 0) {}
        self.flags
            .iter()
            .filter(|(_, flag)| flag.swap(false, Ordering::AcqRel))
            .map(|&(signal, _)| signal)
            .collect()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            signal_hook::low_level::unregister(handler);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{Interest, Poll};

    #[test]
    fn a_signal_wakes_the_loop_and_is_told_once() {
        let mut signals = Signals::listen(&[Signal::Hangup, Signal::User1]).unwrap();
        Signal::User1.send(std::process::id()).unwrap();
        let mut poll = Poll::new();
        poll.watch(signals.as_fd(), Interest::Read, ());
        assert_eq!(poll.wait(None).unwrap().len(), 1);
        assert_eq!(signals.take(), [Signal::User1]);
        assert!(signals.take().is_empty());
    }

    #[test]
    fn numbers_that_name_many_processes_are_refused() {
        assert!(Signal::Terminate.send(0).is_err());
        assert!(Signal::Terminate.send(u32::MAX).is_err());
    }
}
