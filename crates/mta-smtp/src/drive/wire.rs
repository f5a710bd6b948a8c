//! A socket, in clear or under TLS, with deadlines and a wake-up descriptor.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::Connection;

use crate::line::Input;
use crate::tls::{Acceptor, Connector, Negotiated, TlsError};

/// Why nothing more comes from a connection, or goes into it.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The deadline passed.
    #[error("timed out")]
    Timeout,
    /// The wake-up descriptor became readable.
    #[error("interrupted by shutdown")]
    Woken,
    /// The peer closed the connection.
    #[error("connection closed by peer")]
    Closed,
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// TLS failed.
    #[error("{0}")]
    Tls(#[from] TlsError),
}

impl WireError {
    /// Whether the peer ended the connection, in good order or not.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Closed => true,
            Self::Io(error) => matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
            ),
            Self::Timeout | Self::Woken | Self::Tls(_) => false,
        }
    }
}

/// A connection. The wake-up descriptor is shared by all connections of a process: once it is
/// readable, or its other end is closed, every wait on every wire ends.
#[derive(Debug)]
pub struct Wire<'wake> {
    socket: TcpStream,
    tls: Option<Box<Connection>>,
    wake: Option<BorrowedFd<'wake>>,
}

impl<'wake> Wire<'wake> {
    /// Takes over a connected socket.
    ///
    /// # Errors
    /// [`WireError::Io`] if it cannot be made non-blocking.
    pub fn new(socket: TcpStream, wake: Option<BorrowedFd<'wake>>) -> Result<Self, WireError> {
        socket.set_nonblocking(true)?;
        // Answers are short and complete; a failure to set this costs speed only.
        drop(socket.set_nodelay(true));
        Ok(Self {
            socket,
            tls: None,
            wake,
        })
    }

    /// The socket, for its addresses.
    #[must_use]
    pub const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether TLS is on.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Waits for octets and appends at most `most` of them to `input`.
    ///
    /// # Errors
    /// Every [`WireError`]; [`WireError::Closed`] at the end of the stream.
    pub fn read(
        &mut self,
        input: &mut Input,
        most: usize,
        until: Instant,
    ) -> Result<usize, WireError> {
        if input.is_empty() {
            input.clear();
        }
        loop {
            if self.tls.is_none() {
                self.wait(PollFlags::POLLIN, until)?;
            }
            let space = input.space(most);
            let result = match &mut self.tls {
                None => self.socket.read(space),
                Some(tls) => tls.reader().read(space),
            };
            let count = *result.as_ref().unwrap_or(&0);
            input.filled(most, count);
            if input.is_empty() {
                input.clear();
            }
            match result {
                Ok(0) => return Err(WireError::Closed),
                Ok(count) => return Ok(count),
                Err(error) => again(error)?,
            }
            if self.tls.is_some() {
                self.receive_records(until)?;
            }
        }
    }

    /// Whether octets can be read without waiting.
    ///
    /// # Errors
    /// Every [`WireError`] but the time-out.
    pub fn has_input(&mut self) -> Result<bool, WireError> {
        match self.wait(PollFlags::POLLIN, Instant::now()) {
            Ok(()) => Ok(true),
            Err(WireError::Timeout) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// Every [`WireError`].
    pub fn write_all(&mut self, mut bytes: &[u8], until: Instant) -> Result<(), WireError> {
        while !bytes.is_empty() {
            let result = match &mut self.tls {
                None => self.socket.write(bytes),
                Some(tls) => tls.writer().write(bytes),
            };
            match result {
                Ok(count) => bytes = &bytes[count..],
                Err(error) => {
                    again(error)?;
                    self.wait(PollFlags::POLLOUT, until)?;
                }
            }
            self.send_records(until)?;
        }
        Ok(())
    }

    /// The server's side of a handshake.
    ///
    /// # Errors
    /// Every [`WireError`].
    pub fn accept_tls(
        &mut self,
        acceptor: &Acceptor,
        until: Instant,
    ) -> Result<Negotiated, WireError> {
        let connection =
            rustls::ServerConnection::new(acceptor.config()).map_err(TlsError::from)?;
        self.handshake(connection.into(), until)
    }

    /// The client's side of a handshake with `host`.
    ///
    /// # Errors
    /// Every [`WireError`].
    pub fn connect_tls(
        &mut self,
        connector: &Connector,
        host: &str,
        until: Instant,
    ) -> Result<Negotiated, WireError> {
        self.handshake(connector.session(host)?.into(), until)
    }

    fn handshake(
        &mut self,
        connection: Connection,
        until: Instant,
    ) -> Result<Negotiated, WireError> {
        self.tls = Some(Box::new(connection));
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            self.send_records(until)?;
            if self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
                self.receive_records(until)?;
            }
        }
        self.send_records(until)?;
        Ok(self
            .tls
            .as_ref()
            .map_or_else(nothing_negotiated, |tls| negotiated(tls)))
    }

    /// Waits for and takes in one portion of TLS records, and answers what they ask.
    fn receive_records(&mut self, until: Instant) -> Result<(), WireError> {
        self.wait(PollFlags::POLLIN, until)?;
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        match tls.read_tls(&mut self.socket) {
            Ok(0) => return Err(WireError::Closed),
            Ok(_) => {}
            Err(error) => return again(error),
        }
        if let Err(error) = tls.process_new_packets() {
            // The alert that says why; if it cannot be sent the peer learns less, that is all.
            drop(self.send_records(Instant::now()));
            return Err(TlsError::from(error).into());
        }
        self.send_records(until)
    }

    fn send_records(&mut self, until: Instant) -> Result<(), WireError> {
        while let Some(tls) = &mut self.tls
            && tls.wants_write()
        {
            if let Err(error) = tls.write_tls(&mut self.socket) {
                again(error)?;
                self.wait(PollFlags::POLLOUT, until)?;
            }
        }
        Ok(())
    }

    /// Waits until the socket is ready for `events`, it is `until`, or the wake-up comes.
    fn wait(&self, events: PollFlags, until: Instant) -> Result<(), WireError> {
        loop {
            let mut descriptors = vec![PollFd::new(self.socket.as_fd(), events)];
            descriptors.extend(self.wake.map(|wake| PollFd::new(wake, PollFlags::POLLIN)));
            let left = until.saturating_duration_since(Instant::now());
            match poll(&mut descriptors, timeout(left)) {
                Ok(0) if left.is_zero() => return Err(WireError::Timeout),
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(errno) => return Err(io::Error::from(errno).into()),
            }
            let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
            if descriptors.get(1).is_some_and(ready) {
                return Err(WireError::Woken);
            }
            return Ok(());
        }
    }

    /// Lets `pause` pass, unless the wake-up comes.
    ///
    /// # Errors
    /// [`WireError::Woken`], [`WireError::Io`].
    pub fn pause(&self, pause: Duration) -> Result<(), WireError> {
        match self.wait(PollFlags::empty(), Instant::now() + pause) {
            // Ready for nothing means that the connection broke: reading will tell.
            Err(WireError::Timeout) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends our half, so that the peer sees the end of the stream behind our last octets.
    pub fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            // The peer may be gone already; then there is nobody to tell.
            drop(self.send_records(Instant::now() + Duration::from_secs(1)));
        }
        drop(self.socket.shutdown(Shutdown::Write));
    }

    /// Reads and forgets what the peer still sends until it closes, so that the kernel does not
    /// answer unread octets with a reset that destroys our last words on their way.
    pub fn linger(&mut self, most: usize, until: Instant) {
        let mut scratch = [0; 2048];
        let mut total = 0;
        while total < most && self.wait(PollFlags::POLLIN, until).is_ok() {
            match self.socket.read(&mut scratch) {
                Ok(0) => return,
                Ok(count) => total += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    /// Reads and forgets what has come so far, at most `most` octets.
    ///
    /// # Errors
    /// Every [`WireError`] but the time-out.
    pub fn purge(&mut self, most: usize) -> Result<(), WireError> {
        let mut total = 0;
        while total < most && self.has_input()? {
            let mut input = Input::default();
            total += self.read(&mut input, 4096, Instant::now())?;
        }
        Ok(())
    }
}

/// Errors that only mean "try again" are none.
fn again(error: io::Error) -> Result<(), WireError> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::UnexpectedEof => Err(WireError::Closed),
        _ => Err(error.into()),
    }
}

/// Milliseconds for `poll`, rounded up so that it never returns early; an hour at most, since
/// the caller asks again.
fn timeout(left: Duration) -> PollTimeout {
    let millis = left.as_nanos().div_ceil(1_000_000).min(3_600_000);
    PollTimeout::try_from(u32::try_from(millis).unwrap_or(3_600_000)).unwrap_or(PollTimeout::ZERO)
}

fn nothing_negotiated() -> Negotiated {
    Negotiated {
        version: String::new(),
        cipher: String::new(),
        server_name: None,
    }
}

fn negotiated(connection: &Connection) -> Negotiated {
    let version = connection
        .protocol_version()
        .and_then(|version| version.as_str());
    let cipher = connection.negotiated_cipher_suite();
    let cipher = cipher.and_then(|suite| suite.suite().as_str());
    let server_name = match connection {
        Connection::Server(server) => server.server_name().map(str::to_owned),
        Connection::Client(_) => None,
    };
    Negotiated {
        version: version.unwrap_or_default().replace('_', "."),
        cipher: cipher.unwrap_or_default().to_owned(),
        server_name,
    }
}
