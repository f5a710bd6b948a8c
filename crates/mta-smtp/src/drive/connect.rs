//! Opening a TCP connection with a deadline and a chosen source address.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect as start, getsockopt, socket,
    sockopt,
};

/// Connects to `to`, from the address `from` if one is given (`interfaceaddress`).
///
/// # Errors
/// What the system said; [`io::ErrorKind::TimedOut`] after `within`.
pub fn connect(to: SocketAddr, from: Option<IpAddr>, within: Duration) -> io::Result<TcpStream> {
    let until = Instant::now() + within;
    let family = match to {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let descriptor = socket(family, SockType::Stream, flags, None)?;
    if let Some(from) = from {
        bind(
            descriptor.as_raw_fd(),
            &SockaddrStorage::from(SocketAddr::new(from, 0)),
        )?;
    }
    match start(descriptor.as_raw_fd(), &SockaddrStorage::from(to)) {
        Ok(()) => {}
        Err(Errno::EINPROGRESS | Errno::EINTR) => finish(&descriptor, until)?,
        Err(errno) => return Err(errno.into()),
    }
    Ok(TcpStream::from(descriptor))
}

/// Waits for the connection that is being made.
fn finish(descriptor: &OwnedFd, until: Instant) -> io::Result<()> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let millis = left.as_nanos().div_ceil(1_000_000).min(3_600_000);
        let timeout = u32::try_from(millis).unwrap_or(3_600_000);
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::ZERO);
        match poll(
            &mut [PollFd::new(descriptor.as_fd(), PollFlags::POLLOUT)],
            timeout,
        ) {
            Ok(0) if left.is_zero() => return Err(io::ErrorKind::TimedOut.into()),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    match getsockopt(descriptor, sockopt::SocketError)? {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connects_from_the_chosen_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let from = "127.0.0.9".parse().unwrap();
        let socket = connect(to, Some(from), Duration::from_secs(5)).unwrap();
        assert_eq!(socket.local_addr().unwrap().ip(), from);
        assert_eq!(socket.peer_addr().unwrap(), to);
    }

    #[test]
    fn a_closed_port_refuses() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        drop(listener);
        let error = connect(to, None, Duration::from_secs(5)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
