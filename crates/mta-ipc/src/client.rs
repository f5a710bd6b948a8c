//! The asking side: calls that look local.
//!
//! One connection serves all threads of a program. A reader thread takes replies off the stream
//! and wakes the caller whose id they bear, so that a reply which is long in coming (the next
//! message for a channel program) keeps nobody else waiting. A vocabulary with several replies to
//! one request is read with [`Client::converse`].

use std::collections::HashMap;
use std::io::Write;
use std::marker::PhantomData;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::endpoint::{self, Connection};
use crate::{IpcError, frame};

/// Who waits for which reply; `None` once the connection has ended.
type Pending<R> = Mutex<Option<HashMap<u32, Sender<R>>>>;

/// A connection to a daemon, shared by reference between threads.
#[derive(Debug)]
pub struct Client<Q, R> {
    stream: UnixStream,
    program: String,
    writing: Mutex<u32>,
    pending: Arc<Pending<R>>,
    asks: PhantomData<fn(Q)>,
}

impl<Q: Serialize, R: DeserializeOwned + Send + 'static> Client<Q, R> {
    /// Connects to `daemon`, whose control socket stands in `config_dir`; `program` is our name.
    ///
    /// # Errors
    /// As [`endpoint::connect`].
    pub fn connect(
        config_dir: &Path,
        daemon: &str,
        program: &str,
        within: Duration,
    ) -> Result<Self, IpcError> {
        Self::over(endpoint::connect(config_dir, daemon, program, within)?)
    }

    /// Uses the connection that this process was started with as its standard input.
    ///
    /// # Errors
    /// As [`Connection::inherited`].
    pub fn inherited(program: &str, within: Duration) -> Result<Self, IpcError> {
        Self::over(Connection::inherited(program, within)?)
    }

    /// Takes over a connection.
    ///
    /// # Errors
    /// [`IpcError::Io`] if the system refuses a descriptor or a thread.
    pub fn over(connection: Connection) -> Result<Self, IpcError> {
        let Connection { stream, program } = connection;
        let reading = stream
            .try_clone()
            .map_err(IpcError::io("preparing a control connection"))?;
        let pending: Arc<Pending<R>> = Arc::new(Mutex::new(Some(HashMap::new())));
        let waiting = Arc::clone(&pending);
        thread::Builder::new()
            .name(format!("{program} replies"))
            .stack_size(256 * 1024)
            .spawn(move || hand_out_replies(&reading, &waiting))
            .map_err(IpcError::io("starting a thread"))?;
        Ok(Self {
            stream,
            program,
            writing: Mutex::new(0),
            pending,
            asks: PhantomData,
        })
    }

    /// The daemon's name for itself, for logs.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Asks, and waits for the answer. A request that is given up after `within` is still
    /// carried out by the daemon; its late reply is dropped.
    ///
    /// # Errors
    /// [`IpcError::TimedOut`]; [`IpcError::Closed`] when the daemon is gone, now or earlier;
    /// [`IpcError::TooLong`] when the request does not fit into a frame.
    pub fn call(&self, request: &Q, within: Duration) -> Result<R, IpcError> {
        self.converse(request, |reply| Some(reply), within)
    }

    /// Asks, and looks at each reply to this request until `last` makes something of one.
    /// `within` is the longest wait for each single reply.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn converse<T>(
        &self,
        request: &Q,
        mut last: impl FnMut(R) -> Option<T>,
        within: Duration,
    ) -> Result<T, IpcError> {
        let (id, replies) = self.send(request)?;
        let outcome = loop {
            match wait(&replies, within) {
                Ok(reply) => {
                    if let Some(result) = last(reply) {
                        break Ok(result);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        if let Some(pending) = lock(&self.pending).as_mut() {
            pending.remove(&id);
        }
        outcome
    }

    /// Asks for something that may be long in coming; the answer is waited for with
    /// [`Asked::wait`], as often as the caller has something else to do meanwhile.
    ///
    /// # Errors
    /// [`IpcError::Closed`], [`IpcError::TimedOut`] or [`IpcError::TooLong`].
    pub fn ask(&self, request: &Q) -> Result<Asked<'_, R>, IpcError> {
        let (id, replies) = self.send(request)?;
        Ok(Asked {
            pending: &self.pending,
            id,
            replies,
        })
    }

    /// Asks without waiting for the answer, which is dropped when it comes.
    ///
    /// # Errors
    /// [`IpcError::Closed`], [`IpcError::TimedOut`] or [`IpcError::TooLong`].
    pub fn tell(&self, request: &Q) -> Result<(), IpcError> {
        let (id, _) = self.send(request)?;
        if let Some(pending) = lock(&self.pending).as_mut() {
            pending.remove(&id);
        }
        Ok(())
    }

    /// Whether the connection has ended; every further call will say [`IpcError::Closed`].
    #[must_use]
    pub fn is_closed(&self) -> bool {
        lock(&self.pending).is_none()
    }

    fn send(&self, request: &Q) -> Result<(u32, Receiver<R>), IpcError> {
        let (sender, receiver) = channel();
        let mut last_id = lock(&self.writing);
        let id = last_id.wrapping_add(1);
        let bytes = frame::frame(&(id, request))?;
        match lock(&self.pending).as_mut() {
            Some(pending) => pending.insert(id, sender),
            None => return Err(IpcError::Closed),
        };
        *last_id = id;
        if let Err(error) = (&self.stream).write_all(&bytes) {
            // Part of the frame may be out: nothing sensible can follow it.
            self.close();
            return Err(IpcError::io("asking a daemon")(error));
        }
        Ok((id, receiver))
    }

    /// Ends the connection; whoever waits is told [`IpcError::Closed`].
    pub fn close(&self) {
        // An error means that the connection has ended already.
        drop(self.stream.shutdown(Shutdown::Both));
        lock(&self.pending).take();
    }
}

/// A request whose answer has not come yet. Dropping it gives the answer up.
#[derive(Debug)]
pub struct Asked<'a, R> {
    pending: &'a Pending<R>,
    id: u32,
    replies: Receiver<R>,
}

impl<R> Asked<'_, R> {
    /// Waits for the answer. After [`IpcError::TimedOut`] it may still come: wait again.
    ///
    /// # Errors
    /// [`IpcError::TimedOut`], or [`IpcError::Closed`] when the daemon is gone.
    pub fn wait(&self, within: Duration) -> Result<R, IpcError> {
        wait(&self.replies, within)
    }
}

impl<R> Drop for Asked<'_, R> {
    fn drop(&mut self) {
        if let Some(pending) = lock(self.pending).as_mut() {
            pending.remove(&self.id);
        }
    }
}

impl<Q, R> Drop for Client<Q, R> {
    fn drop(&mut self) {
        // Wakes the reader thread, which owns another descriptor of the same stream.
        drop(self.stream.shutdown(Shutdown::Both));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait<R>(replies: &Receiver<R>, within: Duration) -> Result<R, IpcError> {
    // A deadline beyond the clock's end means: wait for ever.
    if Instant::now().checked_add(within).is_none() {
        return replies.recv().map_err(|_| IpcError::Closed);
    }
    replies.recv_timeout(within).map_err(|error| match error {
        RecvTimeoutError::Timeout => IpcError::TimedOut,
        RecvTimeoutError::Disconnected => IpcError::Closed,
    })
}

/// Reads replies until the stream ends or stops making sense.
fn hand_out_replies<R: DeserializeOwned>(stream: &UnixStream, pending: &Pending<R>) {
    let mut reader = std::io::BufReader::with_capacity(1024, stream);
    while let Ok((id, reply)) = frame::read::<(u32, R)>(&mut reader) {
        let receiver = lock(pending)
            .as_ref()
            .and_then(|waiting| waiting.get(&id).cloned());
        if let Some(receiver) = receiver {
            // Nobody listening any more: the caller gave up, and said so by its deadline.
            drop(receiver.send(reply));
        }
    }
    // Dropping the senders wakes every caller.
    lock(pending).take();
    drop(stream.shutdown(Shutdown::Both));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client and the raw stream of a daemon played by the test.
    fn pair() -> (Client<u32, String>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let daemon = thread::spawn(move || {
            Connection::greet(theirs, "daemon", Duration::from_secs(5)).unwrap()
        });
        let connection = Connection::greet(ours, "test", Duration::from_secs(5)).unwrap();
        let client = Client::over(connection).unwrap();
        (client, daemon.join().unwrap().stream)
    }

    #[test]
    fn replies_find_their_callers_in_any_order() {
        let (client, mut daemon) = pair();
        thread::scope(|scope| {
            let callers: Vec<_> = (0..4_u32)
                .map(|n| {
                    let client = &client;
                    scope.spawn(move || client.call(&n, Duration::from_secs(5)).unwrap())
                })
                .collect();
            let mut asked: Vec<(u32, u32)> =
                (0..4).map(|_| frame::read(&mut daemon).unwrap()).collect();
            asked.reverse();
            for (id, n) in asked {
                frame::write(&mut daemon, &(id, format!("reply {n}"))).unwrap();
            }
            for (n, caller) in callers.into_iter().enumerate() {
                assert_eq!(caller.join().unwrap(), format!("reply {n}"));
            }
        });
    }

    #[test]
    fn a_dead_daemon_ends_every_call() {
        let (client, daemon) = pair();
        thread::scope(|scope| {
            let caller = scope.spawn(|| client.call(&1, Duration::MAX));
            let mut daemon = daemon;
            let _: (u32, u32) = frame::read(&mut daemon).unwrap();
            drop(daemon);
            assert!(matches!(caller.join().unwrap(), Err(IpcError::Closed)));
        });
        assert!(client.is_closed());
        assert!(matches!(
            client.call(&2, Duration::from_secs(5)),
            Err(IpcError::Closed)
        ));
    }

    #[test]
    fn a_silent_daemon_costs_no_more_than_the_deadline() {
        let (client, mut daemon) = pair();
        assert!(matches!(
            client.call(&1, Duration::from_millis(1)),
            Err(IpcError::TimedOut)
        ));
        let (id, _): (u32, u32) = frame::read(&mut daemon).unwrap();
        frame::write(&mut daemon, &(id, "late".to_owned())).unwrap();
        let caller = thread::spawn(move || client.call(&2, Duration::from_secs(5)));
        let (id, _): (u32, u32) = frame::read(&mut daemon).unwrap();
        frame::write(&mut daemon, &(id, "in time".to_owned())).unwrap();
        assert_eq!(caller.join().unwrap().unwrap(), "in time");
    }

    #[test]
    fn an_answer_may_be_waited_for_more_than_once() {
        let (client, mut daemon) = pair();
        let asked = client.ask(&1).unwrap();
        assert!(matches!(
            asked.wait(Duration::from_millis(1)),
            Err(IpcError::TimedOut)
        ));
        let (id, _): (u32, u32) = frame::read(&mut daemon).unwrap();
        frame::write(&mut daemon, &(id, "late".to_owned())).unwrap();
        assert_eq!(asked.wait(Duration::MAX).unwrap(), "late");
    }

    #[test]
    fn nonsense_ends_the_connection() {
        let (client, mut daemon) = pair();
        daemon.write_all(&[0, 0, 0, 2, 1, 1, 1, 1]).unwrap();
        assert!(matches!(
            client.call(&1, Duration::from_secs(5)),
            Err(IpcError::Closed)
        ));
    }
}
