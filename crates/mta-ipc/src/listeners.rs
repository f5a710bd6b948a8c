//! Between the watcher and the Dispatcher: the listening sockets.
//!
//! The watcher binds every port once and keeps its copy of each listener for as long as it
//! lives; a Dispatcher gets them over its standard input, a packet socket, when it starts. So a
//! Dispatcher can die or be replaced while connections wait in the backlog.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use mta_envelope::names::ServiceName;
use nix::sys::socket::{Shutdown, SockType, getsockopt, shutdown, sockopt};
use serde::{Deserialize, Serialize};

use crate::descriptor::{self, Waiting};
use crate::{IpcError, frame};

/// What the watcher sends, in this order: any number of listeners, then the end of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum FromWatcher {
    /// One listener; its descriptor comes with the packet.
    Listener { service: ServiceName, tls: bool },
    /// The list is complete.
    Complete,
}

/// A listening socket and what it is for.
#[derive(Debug)]
pub struct ServiceListener {
    /// Whose connections come in here.
    pub service: ServiceName,
    /// TLS from the first byte.
    pub tls: bool,
    /// The socket, non-blocking.
    pub socket: TcpListener,
}

/// Lets a listener refuse connections until somebody listens again. Both the watcher and the
/// Dispatcher may ask for it, in any order and more than once.
///
/// # Errors
/// What the system says; the socket may still listen.
pub fn close(socket: &TcpListener) -> io::Result<()> {
    // Shut down a second time, the socket would be marked as one that receives nothing; that
    // mark survives `listen`, and every connection accepted later would be born with it.
    if getsockopt(socket, sockopt::AcceptConn)? {
        shutdown(socket.as_raw_fd(), Shutdown::Read)?;
    }
    Ok(())
}

/// Queues all listeners on `socket` for the Dispatcher that is being started with the other end.
///
/// # Errors
/// [`IpcError::TimedOut`] if there are more than the socket holds unread (some hundreds);
/// [`IpcError::Closed`] if the Dispatcher has died already.
pub fn hand_over<'l>(
    socket: BorrowedFd<'_>,
    listeners: impl IntoIterator<Item = &'l ServiceListener>,
) -> Result<(), IpcError> {
    let doing = "handing the listeners over";
    for listener in listeners {
        let packet = frame::body(&FromWatcher::Listener {
            service: listener.service.clone(),
            tls: listener.tls,
        })?;
        descriptor::send(
            socket,
            &packet,
            Some(listener.socket.as_fd()),
            Waiting::Never,
        )
        .map_err(IpcError::io(doing))?;
    }
    let packet = frame::body(&FromWatcher::Complete)?;
    descriptor::send(socket, &packet, None, Waiting::Never).map_err(IpcError::io(doing))
}

/// Takes the listeners off standard input. The descriptor that is returned becomes readable when
/// the watcher is gone.
///
/// # Errors
/// [`IpcError::Io`] if standard input is no packet socket (the program was not started by the
/// watcher); [`IpcError::Closed`] if the watcher went away in the middle of the list;
/// [`IpcError::Malformed`] or [`IpcError::Descriptors`] if it talks nonsense.
pub fn take_over() -> Result<(Vec<ServiceListener>, OwnedFd), IpcError> {
    let doing = "taking the listeners over from standard input";
    let socket = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(IpcError::io(doing))?;
    match getsockopt(&socket, sockopt::SockType) {
        Ok(SockType::SeqPacket) => {}
        Ok(_) => {
            return Err(IpcError::Io {
                doing,
                source: io::Error::from(io::ErrorKind::InvalidInput),
            });
        }
        Err(errno) => {
            return Err(IpcError::Io {
                doing,
                source: errno.into(),
            });
        }
    }
    Ok((receive_all(socket.as_fd())?, socket))
}

fn receive_all(socket: BorrowedFd<'_>) -> Result<Vec<ServiceListener>, IpcError> {
    let mut listeners = Vec::new();
    loop {
        let packet = descriptor::receive(socket, Waiting::Allowed)
            .map_err(IpcError::io("taking the listeners over"))?;
        if packet.is_end() {
            return Err(IpcError::Closed);
        }
        match frame::parse(&packet.bytes)? {
            FromWatcher::Listener { service, tls } => {
                let count = packet.descriptors.len();
                let [descriptor] = <[OwnedFd; 1]>::try_from(packet.descriptors)
                    .map_err(|_| IpcError::Descriptors { count, wanted: 1 })?;
                let socket = TcpListener::from(descriptor);
                socket
                    .set_nonblocking(true)
                    .map_err(IpcError::io("taking the listeners over"))?;
                listeners.push(ServiceListener {
                    service,
                    tls,
                    socket,
                });
            }
            FromWatcher::Complete => return Ok(listeners),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn listeners_arrive_in_order_and_work() {
        let (ours, theirs) = descriptor::pair().unwrap();
        let kept: Vec<_> = [("SMTP", false), ("SMTP_SUBMIT", true)]
            .into_iter()
            .map(|(name, tls)| ServiceListener {
                service: ServiceName::new(name).unwrap(),
                tls,
                socket: TcpListener::bind("127.0.0.1:0").unwrap(),
            })
            .collect();
        hand_over(ours.as_fd(), &kept).unwrap();
        let got = receive_all(theirs.as_fd()).unwrap();
        assert_eq!(got.len(), 2);
        for (kept, got) in kept.iter().zip(&got) {
            assert_eq!((&kept.service, kept.tls), (&got.service, got.tls));
            let address = kept.socket.local_addr().unwrap();
            let _client = TcpStream::connect(address).unwrap();
            assert!(got.socket.accept().is_ok());
        }
    }

    #[test]
    fn half_a_list_is_no_list() {
        let (ours, theirs) = descriptor::pair().unwrap();
        let packet = frame::body(&FromWatcher::Listener {
            service: ServiceName::new("SMTP").unwrap(),
            tls: false,
        })
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        descriptor::send(
            ours.as_fd(),
            &packet,
            Some(listener.as_fd()),
            Waiting::Never,
        )
        .unwrap();
        drop(ours);
        assert!(matches!(receive_all(theirs.as_fd()), Err(IpcError::Closed)));
    }
}
