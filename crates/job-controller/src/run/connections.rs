//! Connections: taking them in, reading requests, sending replies, and ending those that are no
//! good. A bad client costs itself its connection.

use super::controller::{Asker, ConnectionId, Controller};
use crate::schedule::Event;
use mta_ipc::job_controller::{DAEMON, JobId, Reply, Request};
use mta_ipc::{IpcError, Peer};
use std::time::{Duration, Instant};

/// Most connections besides those of our own jobs.
const MAX_CLIENTS: usize = 2_000;

/// One client.
pub(super) struct Connection {
    pub(super) peer: Peer<Request, Reply>,
    /// The job it is, and whether it has said so.
    pub(super) job: Option<JobId>,
    pub(super) arrived: bool,
    /// It had not greeted us when we last looked.
    pub(super) silent: bool,
}

impl Controller<'_> {
    pub(super) fn accept(&mut self) {
        loop {
            let stream = match self.parts.listener.accept() {
                Ok(Some(stream)) => stream,
                Ok(None) => return,
                Err(error @ IpcError::Stranger { .. }) => {
                    self.parts.log.write(&error.to_string());
                    continue;
                }
                Err(error) => {
                    self.complain(&error, "accepting a connection");
                    self.deaf_until = Some(Instant::now() + Duration::from_secs(1));
                    return;
                }
            };
            if self.connections.len() >= MAX_CLIENTS + self.pids.len() {
                self.parts.log.write("too many connections; one was closed");
                continue;
            }
            match Peer::new(stream, DAEMON) {
                Ok(peer) => {
                    let id = self.add_connection(peer, None);
                    self.flush(id);
                }
                Err(error) => self.complain(&error, "greeting a client"),
            }
        }
    }

    pub(super) fn add_connection(
        &mut self,
        peer: Peer<Request, Reply>,
        job: Option<JobId>,
    ) -> ConnectionId {
        self.last_connection += 1;
        let connection = Connection {
            peer,
            job,
            arrived: false,
            silent: false,
        };
        self.connections.insert(self.last_connection, connection);
        self.last_connection
    }

    pub(super) fn flush(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && let Err(error) = connection.peer.flush()
        {
            self.close(id, Some(&error));
        }
    }

    pub(super) fn read(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match connection.peer.receive() {
            Ok(requests) => {
                for (number, request) in requests {
                    self.answer((id, number), request);
                }
            }
            Err(error) => self.close(id, Some(&error)),
        }
    }

    /// Ends a connection. If it is a job's, what the job has in hand comes back.
    pub(super) fn close(&mut self, id: ConnectionId, why: Option<&IpcError>) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        if let Some(error) = why.filter(|error| !matches!(error, IpcError::Closed)) {
            let program = connection.peer.program().unwrap_or("a client");
            self.complain(error, &format!("dropped the connection of {program}"));
        }
        if let Some(job) = connection.job {
            self.jobs.remove(&job);
            self.waiting.retain(|(of, _), _| *of != job);
            self.tell(Event::Lost(job), None);
        }
    }

    /// Sends a reply, or ends a connection that does not take it.
    pub(super) fn reply(&mut self, asker: Asker, reply: &Reply) {
        let Some(connection) = self.connections.get_mut(&asker.0) else {
            return;
        };
        let sent = match connection.peer.reply(asker.1, reply) {
            Err(IpcError::TooLong { .. }) => {
                let refused = Reply::Refused("the answer is too long".to_owned());
                connection.peer.reply(asker.1, &refused)
            }
            other => other,
        };
        if let Err(error) = sent {
            self.close(asker.0, Some(&error));
        }
    }
}

impl Connection {
    /// The program on the other side, as it calls itself.
    pub(super) fn program(&self) -> &str {
        self.peer.program().unwrap_or_default()
    }

    /// The process on the other side, as the system tells.
    pub(super) fn process(&self) -> u32 {
        self.peer.process().unwrap_or(0)
    }
}
