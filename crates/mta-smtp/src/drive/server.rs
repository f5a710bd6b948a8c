//! Runs a server session over a socket.

use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::wire::{Wire, WireError};
use crate::line::Input;
use crate::server::{Closed, Limits, Policy, Session, Step, Wait};
use crate::tls::Acceptor;

/// Octets read at a time while commands, or data, are expected.
const COMMAND_READ: usize = 4 << 10;
const DATA_READ: usize = 32 << 10;
/// What a peer may still send after our last words.
const LINGER: usize = 1 << 20;
const LINGER_TIME: Duration = Duration::from_secs(2);
/// Longest TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(60);
/// Octets thrown away after a banner delay.
const PURGE: usize = 64 << 10;

/// One connection that a server process was given.
#[derive(Debug)]
pub struct Connection<'wake> {
    /// The socket.
    pub socket: TcpStream,
    /// TLS from the first byte (port 465).
    pub tls_first: bool,
    /// Becomes readable, or loses its writer, when the process shuts down: the session says 421
    /// and ends as soon as it waits.
    pub wake: BorrowedFd<'wake>,
    /// Numbers of the session.
    pub limits: Limits,
}

/// Serves `connection` until it ends; [`Policy::closed`] then tells why. Never panics: a panic
/// of the policy is a 421 for this client and nothing for the others.
pub fn serve(connection: Connection<'_>, policy: &mut dyn Policy) {
    let tls_first = connection.tls_first;
    let mut session = Session::new(connection.limits);
    let mut wire = match Wire::new(connection.socket, Some(connection.wake)) {
        Ok(wire) => wire,
        Err(error) => return session.end(&reason(&error, Wait::Command), policy),
    };
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut running = Running::new(&mut session, &mut wire, policy);
        if !tls_first || running.tls_from_the_start() {
            running.run();
        }
    }));
    if ran.is_err() {
        // The hook has written the panic down; what the policy does now may fail as well.
        let ended = catch_unwind(AssertUnwindSafe(|| session.end(&Closed::Panic, policy)));
        drop(ended);
        let until = Instant::now() + LINGER_TIME;
        drop(wire.write_all(&session.take_output(), until));
        wire.finish();
    }
}

/// How long the client may still keep us waiting. Only waiting is counted, not our own work.
#[derive(Debug)]
struct Budget {
    wait: Wait,
    left: Duration,
}

struct Running<'a, 'wake> {
    session: &'a mut Session,
    wire: &'a mut Wire<'wake>,
    policy: &'a mut dyn Policy,
    input: Input,
    budget: Budget,
}

impl<'a, 'wake> Running<'a, 'wake> {
    fn new(
        session: &'a mut Session,
        wire: &'a mut Wire<'wake>,
        policy: &'a mut dyn Policy,
    ) -> Self {
        let left = session.limits().command_time;
        Self {
            session,
            wire,
            policy,
            input: Input::default(),
            budget: Budget {
                wait: Wait::Command,
                left,
            },
        }
    }

    fn run(&mut self) {
        loop {
            let step = self.session.step(&mut self.input, self.policy);
            let done = match step {
                Step::Write => self.flush(),
                Step::Read(wait) => self.flush().and_then(|()| self.read(wait)),
                Step::StartTls(acceptor) => self.flush().map(|()| {
                    self.input.clear();
                    self.handshake(&acceptor);
                }),
                Step::Pause(time) => self.wire.pause(time).and_then(|()| {
                    self.input.clear();
                    self.wire.purge(PURGE)
                }),
                Step::Close => return self.close(),
            };
            if let Err(error) = done {
                let reason = self.reason(&error);
                self.session.end(&reason, self.policy);
            }
        }
    }

    /// Port 465. False if the session is over.
    fn tls_from_the_start(&mut self) -> bool {
        let acceptor = match self.policy.start_tls() {
            Ok(acceptor) => acceptor,
            Err(refusal) => {
                let reason = Closed::TlsFailed(refusal.reply.one_line());
                self.session.end(&reason, self.policy);
                return false;
            }
        };
        self.handshake(&acceptor)
    }

    /// False if the session is over.
    fn handshake(&mut self, acceptor: &Acceptor) -> bool {
        let until = Instant::now() + HANDSHAKE_TIME;
        match self.wire.accept_tls(acceptor, until) {
            Ok(negotiated) => {
                self.session.tls_started(&negotiated, self.policy);
                true
            }
            Err(error) => {
                let reason = match error {
                    WireError::Woken => Closed::Shutdown,
                    WireError::Timeout
                    | WireError::Closed
                    | WireError::Io(_)
                    | WireError::Tls(_) => Closed::TlsFailed(error.to_string()),
                };
                self.session.end(&reason, self.policy);
                false
            }
        }
    }

    fn flush(&mut self) -> Result<(), WireError> {
        let output = self.session.take_output();
        if output.is_empty() {
            return Ok(());
        }
        self.budget.left = self.full(self.budget.wait);
        let until = Instant::now() + self.session.limits().transmit_time;
        self.wire
            .write_all(&output, until)
            .map_err(|error| match error {
                WireError::Timeout => WireError::Io(std::io::ErrorKind::TimedOut.into()),
                WireError::Woken | WireError::Closed | WireError::Io(_) | WireError::Tls(_) => {
                    error
                }
            })
    }

    fn full(&self, wait: Wait) -> Duration {
        match wait {
            Wait::Command => self.session.limits().command_time,
            Wait::Data => self.session.limits().data_time,
        }
    }

    fn read(&mut self, wait: Wait) -> Result<(), WireError> {
        if self.budget.wait != wait {
            let left = self.full(wait);
            self.budget = Budget { wait, left };
        }
        let most = match wait {
            Wait::Command => COMMAND_READ,
            Wait::Data => DATA_READ,
        };
        let began = Instant::now();
        let count = self
            .wire
            .read(&mut self.input, most, began + self.budget.left)?;
        self.budget.left = self.budget.left.saturating_sub(began.elapsed());
        if wait == Wait::Data {
            let rate = f64::from(self.session.limits().data_rate.max(1));
            let earned = Duration::from_secs_f64(count as f64 / rate);
            self.budget.left = (self.budget.left + earned).min(self.full(wait));
        }
        Ok(())
    }

    fn reason(&self, error: &WireError) -> Closed {
        reason(error, self.budget.wait)
    }

    /// Sends the last words and closes in a way that lets them arrive.
    fn close(&mut self) {
        let until = Instant::now() + LINGER_TIME;
        let output = self.session.take_output();
        // The session is over either way; a peer that does not listen loses only our goodbye.
        let sent = self.wire.write_all(&output, until);
        self.wire.finish();
        if sent.is_ok() && !output.is_empty() {
            self.wire.linger(LINGER, until);
        }
    }
}

fn reason(error: &WireError, wait: Wait) -> Closed {
    match error {
        WireError::Timeout => match wait {
            Wait::Command => Closed::CommandTimeout,
            Wait::Data => Closed::DataTimeout,
        },
        WireError::Woken => Closed::Shutdown,
        WireError::Closed => Closed::PeerGone,
        WireError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            Closed::TransmitTimeout
        }
        WireError::Io(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
            Closed::PeerGone
        }
        WireError::Io(error) => Closed::Io(error.to_string()),
        WireError::Tls(error) => Closed::TlsFailed(error.to_string()),
    }
}
