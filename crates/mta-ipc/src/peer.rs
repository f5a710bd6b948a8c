//! The answering side: one client of a daemon that has a poll loop.
//!
//! Nothing here blocks. The daemon watches [`Peer`] for readability, and for writability while
//! [`Peer::wants_to_write`]; it calls [`Peer::receive`] and [`Peer::flush`] accordingly, and
//! drops the peer on any error. A peer that floods is read a bounded piece at a time; one that
//! does not read its answers is cut off when [`MOST_UNREAD`] bytes wait for it.

use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{getsockopt, sockopt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::IpcError;
use crate::frame::{self, Greeting, HEAD, LIMIT};

/// Most bytes of answers that may wait for a peer to read them.
pub const MOST_UNREAD: usize = 1024 * 1024;

/// Most bytes taken from one peer in one turn of the loop.
const A_TURN: usize = HEAD + LIMIT;

/// One client of a daemon.
#[derive(Debug)]
pub struct Peer<Q, R> {
    stream: UnixStream,
    program: Option<String>,
    input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
    speaks: PhantomData<fn(R) -> Q>,
}

impl<Q: DeserializeOwned, R: Serialize> Peer<Q, R> {
    /// A client that has just connected; our greeting, as `program`, goes out with the first
    /// [`Peer::flush`].
    ///
    /// # Errors
    /// [`IpcError::Io`] if the stream cannot be made non-blocking.
    pub fn new(stream: UnixStream, program: &str) -> Result<Self, IpcError> {
        stream
            .set_nonblocking(true)
            .map_err(IpcError::io("preparing a control connection"))?;
        Ok(Self {
            stream,
            program: None,
            input: Vec::new(),
            output: frame::frame(&Greeting::of(program))?,
            written: 0,
            speaks: PhantomData,
        })
    }

    /// A connected pair: our side, and the end that a child process gets as standard input
    /// ([`crate::endpoint::Connection::inherited`]).
    ///
    /// # Errors
    /// [`IpcError::Io`] if the system refuses.
    pub fn pair(program: &str) -> Result<(Self, std::os::fd::OwnedFd), IpcError> {
        let (ours, theirs) =
            UnixStream::pair().map_err(IpcError::io("making a control connection"))?;
        Ok((Self::new(ours, program)?, theirs.into()))
    }

    /// The other program's name, once it has greeted.
    #[must_use]
    pub fn program(&self) -> Option<&str> {
        self.program.as_deref()
    }

    /// The process on the other side, as it was when it connected.
    ///
    /// # Errors
    /// [`IpcError::Io`] if the system does not tell.
    pub fn process(&self) -> Result<u32, IpcError> {
        let peer =
            getsockopt(&self.stream, sockopt::PeerCredentials).map_err(|errno| IpcError::Io {
                doing: "asking who is connected",
                source: errno.into(),
            })?;
        Ok(u32::try_from(peer.pid()).unwrap_or(0))
    }

    /// Takes what has arrived. Requests stand in the order in which they came.
    ///
    /// # Errors
    /// [`IpcError::Closed`] when the client is gone and every request before that was handed out;
    /// [`IpcError::Version`], [`IpcError::TooLong`], [`IpcError::Malformed`] when it talks
    /// nonsense. In each case the peer is to be dropped.
    pub fn receive(&mut self) -> Result<Vec<(u32, Q)>, IpcError> {
        let ended = self.fill()?;
        let mut requests = Vec::new();
        let mut used = 0;
        while let Some(whole) = frame::announced(&self.input[used..])? {
            let Some(bytes) = self.input.get(used..used + whole) else {
                break;
            };
            let body = &bytes[HEAD..];
            if self.program.is_some() {
                requests.push(frame::parse(body)?);
            } else {
                self.program = Some(frame::parse::<Greeting>(body)?.check()?);
            }
            used += whole;
        }
        self.input.drain(..used);
        if self.input.is_empty() {
            self.input.shrink_to(1024);
        }
        if ended && requests.is_empty() {
            return Err(IpcError::Closed);
        }
        Ok(requests)
    }

    /// Reads one turn's bytes; tells whether the stream has ended.
    fn fill(&mut self) -> Result<bool, IpcError> {
        let mut piece = [0; 16 * 1024];
        let most = self.input.len() + A_TURN;
        while self.input.len() < most {
            match (&self.stream).read(&mut piece) {
                Ok(0) => return Ok(true),
                Ok(count) => {
                    self.input.extend_from_slice(&piece[..count]);
                    if count < piece.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(IpcError::io("reading from a client")(error)),
            }
        }
        Ok(false)
    }

    /// Answers request `id`, at once as far as the stream takes it.
    ///
    /// # Errors
    /// [`IpcError::Stuck`] when too much waits already; [`IpcError::TooLong`] when the reply does
    /// not fit into a frame (nothing is sent then); [`IpcError::Closed`].
    pub fn reply(&mut self, id: u32, reply: &R) -> Result<(), IpcError> {
        let bytes = frame::frame(&(id, reply))?;
        if self.output.len() - self.written + bytes.len() > MOST_UNREAD {
            return Err(IpcError::Stuck);
        }
        self.output.extend_from_slice(&bytes);
        self.flush()
    }

    /// Writes what waits, as far as the stream takes it.
    ///
    /// # Errors
    /// [`IpcError::Closed`] or [`IpcError::Io`]; the peer is to be dropped.
    pub fn flush(&mut self) -> Result<(), IpcError> {
        while self.written < self.output.len() {
            match (&self.stream).write(&self.output[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(IpcError::io("answering a client")(error)),
            }
        }
        if self.written == self.output.len() {
            self.output.clear();
            self.output.shrink_to(1024);
            self.written = 0;
        } else if self.written > MOST_UNREAD / 2 {
            self.output.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    /// Whether answers wait for the stream to take more.
    #[must_use]
    pub fn wants_to_write(&self) -> bool {
        self.written < self.output.len()
    }
}

impl<Q, R> AsFd for Peer<Q, R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected() -> (Peer<u32, String>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Peer::new(ours, "daemon").unwrap(), theirs)
    }

    #[test]
    fn requests_come_out_whole_however_they_arrive() {
        let (mut peer, mut client) = connected();
        let mut bytes = frame::frame(&Greeting::of("test")).unwrap();
        for n in 0..3_u32 {
            bytes.extend(frame::frame(&(n, n * 10)).unwrap());
        }
        let mut got = Vec::new();
        for byte in bytes {
            client.write_all(&[byte]).unwrap();
            got.extend(peer.receive().unwrap());
        }
        assert_eq!(got, [(0, 0), (1, 10), (2, 20)]);
        assert_eq!(peer.program(), Some("test"));
        drop(client);
        assert!(matches!(peer.receive(), Err(IpcError::Closed)));
    }

    #[test]
    fn nothing_is_heard_before_the_greeting() {
        let (mut peer, mut client) = connected();
        client
            .write_all(&frame::frame(&(1_u32, 2_u32)).unwrap())
            .unwrap();
        assert!(peer.receive().is_err());
    }

    #[test]
    fn a_client_that_reads_nothing_is_cut_off() {
        let (mut peer, _client) = connected();
        let long = "x".repeat(60_000);
        let error = (0..100).find_map(|id| peer.reply(id, &long).err());
        assert!(matches!(error, Some(IpcError::Stuck)));
    }

    #[test]
    fn an_oversized_frame_is_refused_by_its_head() {
        let (mut peer, mut client) = connected();
        client
            .write_all(&frame::frame(&Greeting::of("test")).unwrap())
            .unwrap();
        client.write_all(&[0x7f, 0, 0, 0]).unwrap();
        assert!(matches!(peer.receive(), Err(IpcError::TooLong { .. })));
    }

    #[test]
    fn the_last_requests_of_a_client_that_left_are_heard() {
        let (mut peer, mut client) = connected();
        let mut bytes = frame::frame(&Greeting::of("test")).unwrap();
        bytes.extend(frame::frame(&(5_u32, 6_u32)).unwrap());
        client.write_all(&bytes).unwrap();
        drop(client);
        assert_eq!(peer.receive().unwrap(), [(5, 6)]);
        assert!(matches!(peer.receive(), Err(IpcError::Closed)));
    }
}
