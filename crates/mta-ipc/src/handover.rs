//! Between the Dispatcher and one of its server processes.
//!
//! The two share a packet socket, which is the server's standard input. The Dispatcher sends one
//! packet and one descriptor per accepted connection and keeps its own copy of the connection
//! until [`FromServer::Taken`] comes back; if the server dies before that, another one gets it.
//!
//! ```text
//! Dispatcher                            server process
//!    |  <----------------------------------  Ready
//!    |  Connection{id} + descriptor  ----->
//!    |  <----------------------------------  Taken{id}     from here on the connection is the
//!    |                                                     server's alone, and dies with it
//!    |  <----------------------------------  Closed{id}
//!    |  Retire  --------------------------->               (or: end of the stream)
//!    |  <----------------------------------  Closed{id}... and then the server ends
//! ```
//!
//! `SIGTERM` comes ten seconds after [`ToServer::Shutdown`], and from the watcher to a server
//! whose Dispatcher is gone and which has had its time; the server then ends at once.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use mta_envelope::names::ServiceName;
use nix::sys::socket::{SockType, getsockopt, sockopt};
use serde::{Deserialize, Serialize};

use crate::descriptor::{self, Packet, Waiting};
use crate::{IpcError, frame};

/// Environment variable that tells a server process the name of its service.
pub const SERVICE_VARIABLE: &str = "IMTA_SERVICE";

/// What the Dispatcher says to a server process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToServer {
    /// Serve this connection, whose descriptor comes with the packet. Answered by
    /// [`FromServer::Taken`], then [`FromServer::Closed`].
    Connection {
        /// By this the Dispatcher knows it; never used twice.
        id: u64,
        /// The service it came in for.
        service: ServiceName,
        /// Our end.
        local: SocketAddr,
        /// The client's end.
        peer: SocketAddr,
        /// TLS from the first byte.
        tls: bool,
        /// When it was accepted, milliseconds since 1970.
        accepted: u64,
    },
    /// No new connections will come: end when the last session has ended. The end of the stream
    /// means the same.
    Retire,
    /// End every session with a 421 as soon as it reaches a command, then end.
    Shutdown,
    /// Load the reloadable part of a new image for sessions that begin from now on. Answered by
    /// another [`FromServer::Ready`], with the hashes that hold then.
    Reload,
}

/// What a server process says to the Dispatcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromServer {
    /// The configuration is loaded: connections may come.
    Ready {
        /// Hash of the fixed part of the image.
        fixed: String,
        /// Hash of the reloadable part of the image.
        reloadable: String,
    },
    /// The connection is in our hands.
    Taken {
        /// Which one.
        id: u64,
    },
    /// The session has ended.
    Closed {
        /// Which one.
        id: u64,
    },
}

/// A connection as a server process receives it.
#[derive(Debug)]
pub struct Arrival {
    /// By this the Dispatcher knows it.
    pub id: u64,
    /// The service it came in for.
    pub service: ServiceName,
    /// Our end.
    pub local: SocketAddr,
    /// The client's end.
    pub peer: SocketAddr,
    /// TLS from the first byte.
    pub tls: bool,
    /// When it was accepted, milliseconds since 1970.
    pub accepted: u64,
    /// The connection itself, blocking.
    pub stream: TcpStream,
}

/// What a server process is to do next.
#[derive(Debug)]
pub enum Order {
    /// Serve a connection; say [`ServerEnd::taken`] as soon as a thread has it, and
    /// [`ServerEnd::closed`] when its session has ended.
    Serve(Arrival),
    /// End when the last session has ended; go on receiving, since [`Order::Shutdown`] may
    /// follow.
    Retire,
    /// End every session at its next command, then end; go on receiving.
    Shutdown,
    /// Load the reloadable part of the image, then say [`ServerEnd::ready`] again.
    Reload,
    /// The Dispatcher is gone: end when the last session has ended. Nothing more will come.
    Orphaned,
}

/// The server process's end of the socket. Shared by reference between threads: each packet goes
/// out whole.
#[derive(Debug)]
pub struct ServerEnd {
    socket: OwnedFd,
}

impl ServerEnd {
    /// Takes over standard input, which the Dispatcher has made our end.
    ///
    /// # Errors
    /// [`IpcError::Io`] if standard input is no packet socket: the program was not started by
    /// the Dispatcher.
    pub fn from_stdin() -> Result<Self, IpcError> {
        let doing = "taking over the connection to the Dispatcher from standard input";
        let socket = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .map_err(IpcError::io(doing))?;
        match getsockopt(&socket, sockopt::SockType) {
            Ok(SockType::SeqPacket) => Ok(Self { socket }),
            Ok(_) => Err(IpcError::Io {
                doing,
                source: io::Error::from(io::ErrorKind::InvalidInput),
            }),
            Err(errno) => Err(IpcError::Io {
                doing,
                source: errno.into(),
            }),
        }
    }

    /// Takes over any packet socket.
    #[must_use]
    pub fn over(socket: OwnedFd) -> Self {
        Self { socket }
    }

    /// Says that connections may come, and with which image they will be served.
    ///
    /// # Errors
    /// [`IpcError::Closed`] when the Dispatcher is gone; [`IpcError::Io`].
    pub fn ready(&self, fixed: &str, reloadable: &str) -> Result<(), IpcError> {
        self.say(&FromServer::Ready {
            fixed: fixed.to_owned(),
            reloadable: reloadable.to_owned(),
        })
    }

    /// Says that a thread has the connection.
    ///
    /// # Errors
    /// As [`ServerEnd::ready`]. The session goes on even so: nobody else has the connection if
    /// the Dispatcher is gone.
    pub fn taken(&self, id: u64) -> Result<(), IpcError> {
        self.say(&FromServer::Taken { id })
    }

    /// Says that a session has ended.
    ///
    /// # Errors
    /// As [`ServerEnd::ready`].
    pub fn closed(&self, id: u64) -> Result<(), IpcError> {
        self.say(&FromServer::Closed { id })
    }

    fn say(&self, message: &FromServer) -> Result<(), IpcError> {
        let packet = frame::body(message)?;
        descriptor::send(self.socket.as_fd(), &packet, None, Waiting::Allowed)
            .map_err(IpcError::io("reporting to the Dispatcher"))
    }

    /// Waits for the next order.
    ///
    /// # Errors
    /// [`IpcError::Malformed`], [`IpcError::Descriptors`] or [`IpcError::Io`]: the conversation
    /// has come to nothing; treat it as [`Order::Orphaned`] and log it.
    pub fn receive(&self) -> Result<Order, IpcError> {
        let packet = match descriptor::receive(self.socket.as_fd(), Waiting::Allowed) {
            Ok(packet) => packet,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Ok(Order::Orphaned);
            }
            Err(error) => return Err(IpcError::io("waiting for the Dispatcher")(error)),
        };
        if packet.is_end() {
            return Ok(Order::Orphaned);
        }
        let Packet { bytes, descriptors } = packet;
        let message = frame::parse(&bytes)?;
        let count = descriptors.len();
        match message {
            ToServer::Connection {
                id,
                service,
                local,
                peer,
                tls,
                accepted,
            } => {
                let [socket] = <[OwnedFd; 1]>::try_from(descriptors)
                    .map_err(|_| IpcError::Descriptors { count, wanted: 1 })?;
                let stream = TcpStream::from(socket);
                stream
                    .set_nonblocking(false)
                    .map_err(IpcError::io("taking over a connection"))?;
                Ok(Order::Serve(Arrival {
                    id,
                    service,
                    local,
                    peer,
                    tls,
                    accepted,
                    stream,
                }))
            }
            _ if count > 0 => Err(IpcError::Descriptors { count, wanted: 0 }),
            ToServer::Retire => Ok(Order::Retire),
            ToServer::Shutdown => Ok(Order::Shutdown),
            ToServer::Reload => Ok(Order::Reload),
        }
    }
}

impl AsFd for ServerEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The Dispatcher's end of the socket. Nothing here waits.
#[derive(Debug)]
pub struct DispatcherEnd {
    socket: OwnedFd,
}

/// What came from a server process.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Said(FromServer),
    /// Nothing more for now.
    Nothing,
    /// The process has closed its end, or died.
    End,
}

impl DispatcherEnd {
    /// Our end, and the end that becomes a new server process's standard input.
    ///
    /// # Errors
    /// What the system says.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (socket, theirs) = descriptor::pair()?;
        Ok((Self { socket }, theirs))
    }

    /// Says something, with the connection's descriptor for [`ToServer::Connection`].
    ///
    /// # Errors
    /// [`IpcError::TimedOut`] when the socket takes no more for now; [`IpcError::Closed`] when
    /// the process is gone; [`IpcError::Io`] otherwise.
    pub fn say(
        &self,
        message: &ToServer,
        connection: Option<BorrowedFd<'_>>,
    ) -> Result<(), IpcError> {
        let packet = frame::body(message)?;
        descriptor::send(self.socket.as_fd(), &packet, connection, Waiting::Never).map_err(
            |error| match error.raw_os_error().map(nix::errno::Errno::from_raw) {
                Some(nix::errno::Errno::ETOOMANYREFS) => IpcError::TimedOut,
                _ => IpcError::io("handing over to a server process")(error),
            },
        )
    }

    /// Takes one message, if there is one.
    ///
    /// # Errors
    /// [`IpcError::Malformed`], [`IpcError::Descriptors`] or [`IpcError::Io`]: the process talks
    /// nonsense.
    pub fn hear(&self) -> Result<Heard, IpcError> {
        match descriptor::receive(self.socket.as_fd(), Waiting::Never) {
            Ok(packet) if packet.is_end() => Ok(Heard::End),
            Ok(packet) if !packet.descriptors.is_empty() => Err(IpcError::Descriptors {
                count: packet.descriptors.len(),
                wanted: 0,
            }),
            Ok(packet) => frame::parse(&packet.bytes).map(Heard::Said),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Ok(Heard::Nothing),
                io::ErrorKind::ConnectionReset => Ok(Heard::End),
                _ => Err(IpcError::io("listening to a server process")(error)),
            },
        }
    }
}

impl AsFd for DispatcherEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn announce(id: u64, stream: &TcpStream) -> ToServer {
        ToServer::Connection {
            id,
            service: ServiceName::new("SMTP").unwrap(),
            local: stream.local_addr().unwrap(),
            peer: stream.peer_addr().unwrap(),
            tls: false,
            accepted: 0,
        }
    }

    #[test]
    fn a_connection_is_handed_over_taken_and_closed() {
        let (dispatcher, theirs) = DispatcherEnd::pair().unwrap();
        let server = ServerEnd::over(theirs);
        let (mut client, accepted) = connection();
        dispatcher
            .say(&announce(9, &accepted), Some(accepted.as_fd()))
            .unwrap();
        drop(accepted);
        let Order::Serve(mut arrival) = server.receive().unwrap() else {
            panic!("not a connection");
        };
        assert_eq!(arrival.peer, client.local_addr().unwrap());
        server.taken(arrival.id).unwrap();
        arrival.stream.write_all(b"220 \r\n").unwrap();
        drop(arrival);
        server.closed(9).unwrap();
        let mut banner = String::new();
        client.read_to_string(&mut banner).unwrap();
        assert_eq!(banner, "220 \r\n");
        assert_eq!(
            dispatcher.hear().unwrap(),
            Heard::Said(FromServer::Taken { id: 9 })
        );
        assert_eq!(
            dispatcher.hear().unwrap(),
            Heard::Said(FromServer::Closed { id: 9 })
        );
        assert_eq!(dispatcher.hear().unwrap(), Heard::Nothing);
        drop(server);
        assert_eq!(dispatcher.hear().unwrap(), Heard::End);
    }

    #[test]
    fn the_end_of_the_dispatcher_orphans_the_server() {
        let (dispatcher, theirs) = DispatcherEnd::pair().unwrap();
        let server = ServerEnd::over(theirs);
        dispatcher.say(&ToServer::Retire, None).unwrap();
        drop(dispatcher);
        assert!(matches!(server.receive().unwrap(), Order::Retire));
        assert!(matches!(server.receive().unwrap(), Order::Orphaned));
        assert!(matches!(server.taken(1), Err(IpcError::Closed)));
    }

    #[test]
    fn a_packet_without_its_descriptor_is_refused() {
        let (dispatcher, theirs) = DispatcherEnd::pair().unwrap();
        let server = ServerEnd::over(theirs);
        let (_client, accepted) = connection();
        dispatcher.say(&announce(1, &accepted), None).unwrap();
        assert!(matches!(
            server.receive(),
            Err(IpcError::Descriptors { .. })
        ));
        dispatcher
            .say(&ToServer::Retire, Some(accepted.as_fd()))
            .unwrap();
        assert!(matches!(
            server.receive(),
            Err(IpcError::Descriptors { .. })
        ));
    }
}
