//! A daemon's control socket with all its clients, for a poll loop.
//!
//! The loop watches what [`ControlSocket::watched`] lists, passes what is ready to
//! [`ControlSocket::serve`], and answers the requests that come out, now or later. A client that
//! talks nonsense or does not read is dropped; the daemon is told why, for its log, and goes on.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::endpoint::Listener;
use crate::{IpcError, Peer};

/// Most clients at a time; further ones wait in the backlog.
const MOST_CLIENTS: usize = 256;

/// What of a control socket is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// A client wants to connect.
    Listener,
    /// This client has said something, or can be told more.
    Client(u64),
}

/// A request, and where its answer goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked<Q> {
    /// Who asks.
    pub from: Asker,
    /// What.
    pub request: Q,
}

/// Where an answer goes: a client, and one request of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    client: u64,
    id: u32,
}

/// A listener and its clients.
#[derive(Debug)]
pub struct ControlSocket<Q, R> {
    listener: Listener,
    program: String,
    clients: BTreeMap<u64, Peer<Q, R>>,
    last: u64,
}

impl<Q: DeserializeOwned, R: Serialize> ControlSocket<Q, R> {
    /// Serves `listener`, greeting as `program`.
    #[must_use]
    pub fn new(listener: Listener, program: &str) -> Self {
        Self {
            listener,
            program: program.to_owned(),
            clients: BTreeMap::new(),
            last: 0,
        }
    }

    /// The listener.
    #[must_use]
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// Listens on another socket from now on, because the name of the first was removed; its
    /// clients stay.
    pub fn replace_listener(&mut self, listener: Listener) {
        self.listener = listener;
    }

    /// What to watch: for reading, and where the flag is set for writing too.
    pub fn watched(&self) -> impl Iterator<Item = (Slot, BorrowedFd<'_>, bool)> {
        let listener = (self.clients.len() < MOST_CLIENTS)
            .then(|| (Slot::Listener, self.listener.as_fd(), false));
        listener
            .into_iter()
            .chain(self.clients.iter().map(|(&number, client)| {
                (
                    Slot::Client(number),
                    client.as_fd(),
                    client.wants_to_write(),
                )
            }))
    }

    /// Deals with what is ready; returns what is asked.
    ///
    /// # Errors
    /// Why a client was turned away or dropped: for the log, nothing else is to be done. That a
    /// client has simply left is no error.
    pub fn serve(&mut self, slot: Slot) -> Result<Vec<Asked<Q>>, IpcError> {
        match slot {
            Slot::Listener => {
                self.admit()?;
                Ok(Vec::new())
            }
            Slot::Client(number) => self.hear(number),
        }
    }

    fn admit(&mut self) -> Result<(), IpcError> {
        if let Some(stream) = self.listener.accept()? {
            let mut client = Peer::new(stream, &self.program)?;
            client.flush()?;
            self.last += 1;
            self.clients.insert(self.last, client);
        }
        Ok(())
    }

    fn hear(&mut self, number: u64) -> Result<Vec<Asked<Q>>, IpcError> {
        let Some(client) = self.clients.get_mut(&number) else {
            return Ok(Vec::new());
        };
        match client.flush().and_then(|()| client.receive()) {
            Ok(requests) => Ok(requests
                .into_iter()
                .map(|(id, request)| Asked {
                    from: Asker { client: number, id },
                    request,
                })
                .collect()),
            Err(error) => {
                self.clients.remove(&number);
                match error {
                    IpcError::Closed => Ok(Vec::new()),
                    error => Err(error),
                }
            }
        }
    }

    /// Answers. An asker that has left is not missed; one that does not read is dropped.
    ///
    /// # Errors
    /// [`IpcError::Stuck`] or [`IpcError::Io`] when the client had to be dropped, and
    /// [`IpcError::TooLong`] when the answer fits into no frame: for the log.
    pub fn reply(&mut self, to: Asker, reply: &R) -> Result<(), IpcError> {
        let Some(client) = self.clients.get_mut(&to.client) else {
            return Ok(());
        };
        match client.reply(to.id, reply) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.clients.remove(&to.client);
                match error {
                    IpcError::Closed => Ok(()),
                    error => Err(error),
                }
            }
        }
    }

    /// Whether the asker is still connected.
    #[must_use]
    pub fn is_connected(&self, asker: Asker) -> bool {
        self.clients.contains_key(&asker.client)
    }

    /// Whether answers wait to be written.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        self.clients.values().any(Peer::wants_to_write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Client;
    use crate::endpoint;
    use std::thread;
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// A directory deeper than the address of a Unix socket is long.
    fn deep() -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("a-rather-long-name/".repeat(12));
        std::fs::create_dir_all(&deep).unwrap();
        (directory, deep)
    }

    #[test]
    fn a_client_is_served_in_a_deep_directory() {
        let (_kept, config) = deep();
        let listener = Listener::bind(&config, "dispatcher").unwrap();
        let mut control: ControlSocket<u32, u32> = ControlSocket::new(listener, "dispatcher");
        let client = thread::spawn(move || {
            let client: Client<u32, u32> =
                Client::connect(&config, "dispatcher", "test", PATIENCE).unwrap();
            (
                client.program().to_owned(),
                client.call(&20, PATIENCE).unwrap(),
            )
        });
        let mut answered = false;
        while !answered {
            let slots: Vec<Slot> = control.watched().map(|(slot, ..)| slot).collect();
            for slot in slots {
                // Nothing is ready most of the time: accept and read say so without waiting.
                for asked in control.serve(slot).unwrap() {
                    control.reply(asked.from, &(asked.request + 1)).unwrap();
                    answered = true;
                }
            }
            thread::yield_now();
        }
        assert_eq!(client.join().unwrap(), ("dispatcher".to_owned(), 21));
    }

    #[test]
    fn a_leftover_of_our_own_is_replaced_and_nothing_else() {
        let (_kept, config) = deep();
        drop(Listener::bind(&config, "dispatcher").unwrap());
        assert!(matches!(
            endpoint::connect(&config, "dispatcher", "test", PATIENCE),
            Err(IpcError::NotRunning { .. })
        ));
        let listener = Listener::bind(&config, "dispatcher").unwrap();
        assert!(listener.is_in_place());
        std::fs::remove_file(listener.path()).unwrap();
        assert!(!listener.is_in_place());
        std::fs::write(listener.path(), "no socket").unwrap();
        assert!(matches!(
            Listener::bind(&config, "dispatcher"),
            Err(IpcError::InTheWay { .. })
        ));
    }
}
