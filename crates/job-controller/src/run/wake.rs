//! A way for helper threads to wake the poll loop.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// The loop's end: readable when somebody has called.
#[derive(Debug)]
pub(super) struct Wake {
    stream: UnixStream,
    caller: Caller,
}

/// A helper's end.
#[derive(Debug)]
pub(super) struct Caller(UnixStream);

impl Wake {
    pub(super) fn new() -> io::Result<Self> {
        let (stream, caller) = UnixStream::pair()?;
        stream.set_nonblocking(true)?;
        caller.set_nonblocking(true)?;
        Ok(Self {
            stream,
            caller: Caller(caller),
        })
    }

    /// One more end for a helper.
    pub(super) fn caller(&self) -> io::Result<Caller> {
        self.caller.0.try_clone().map(Caller)
    }

    /// Forgets the calls so far; what they were about is to be looked at after this.
    pub(super) fn clear(&self) {
        let mut bytes = [0; 256];
        while matches!((&self.stream).read(&mut bytes), Ok(count) if count > 0) {}
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Caller {
    /// Wakes the loop.
    pub(super) fn call(&self) {
        // Full means that enough calls wait already; closed, that nobody listens any more.
        drop((&self.0).write(&[1]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_process::poll::{Interest, Poll};

    #[test]
    fn a_call_makes_the_loop_s_end_readable_until_it_is_cleared() {
        let wake = Wake::new().unwrap();
        let caller = wake.caller().unwrap();
        for _ in 0..100_000 {
            caller.call();
        }
        let ready = |wake: &Wake| {
            let mut poll = Poll::new();
            poll.watch(wake.as_fd(), Interest::Read, ());
            poll.wait(Some(std::time::Instant::now())).unwrap().len()
        };
        assert_eq!(ready(&wake), 1);
        wake.clear();
        assert_eq!(ready(&wake), 0);
    }
}
