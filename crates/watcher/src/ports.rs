//! The listening sockets of all services.
//!
//! Each is bound once and kept until the configuration names its port no more, or the watcher
//! ends. Between [`Ports::open`] and [`Ports::close`] it listens; closed, it keeps its port and
//! refuses connections, so that opening it again needs no root.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use mta_config::service::{DispatcherOptions, Service};
use mta_ipc::IpcError;
use mta_ipc::listeners::{self, ServiceListener};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket,
    sockopt,
};

/// A port could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} port {port} for service {service}: {source}")]
pub(crate) struct PortError {
    service: String,
    address: String,
    port: u16,
    source: io::Error,
}

/// One wish of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wish {
    interface: Option<IpAddr>,
    port: u16,
    backlog: u32,
}

/// All listening sockets.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    bound: Vec<(Wish, ServiceListener)>,
}

impl Ports {
    /// Binds what the configuration asks for and is not bound yet, gives up what it no longer
    /// asks for, and lets all listen. Binding may take root's rights. Returns the ports that
    /// cannot be had, which hinder none of the others.
    pub(crate) fn open(&mut self, options: &DispatcherOptions) -> Vec<PortError> {
        let wanted = wishes(options);
        let mut old = std::mem::take(&mut self.bound);
        // First, since a port may go from one service to another.
        old.retain(|bound| wanted.iter().any(|wanted| is_for(bound, wanted)));
        let mut missing = Vec::new();
        for wanted in wanted {
            let (service, wish, tls) = wanted;
            let found = old.iter().position(|bound| is_for(bound, &wanted));
            let listener = match found {
                Some(at) => Ok(old.swap_remove(at).1),
                None => bound_socket(service, wish, tls),
            };
            match listener {
                Ok(listener) => {
                    let listening = listen_again(&listener.socket, wish.backlog);
                    missing.extend(listening.map_err(port_error(service, wish)).err());
                    self.bound.push((wish, listener));
                }
                Err(error) => missing.push(error),
            }
        }
        missing
    }

    /// Whether there is no port at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.bound.is_empty()
    }

    /// Refuses connections from now on; ports stay ours.
    pub(crate) fn close(&self) {
        for (_, listener) in &self.bound {
            // Nothing can be done about it, and the port is opened again before it is served.
            listeners::close(&listener.socket).ok();
        }
    }

    /// Hands all over to a Dispatcher that is being started.
    ///
    /// # Errors
    /// As [`listeners::hand_over`].
    pub(crate) fn hand_over(&self, to: BorrowedFd<'_>) -> Result<(), IpcError> {
        listeners::hand_over(to, self.bound.iter().map(|(_, listener)| listener))
    }
}

/// A service's wish, for TLS from the first byte or not.
type Wanted<'o> = (&'o Service, Wish, bool);

/// All wishes of the enabled services.
fn wishes(options: &DispatcherOptions) -> Vec<Wanted<'_>> {
    let enabled = options.services.iter().filter(|service| service.enable);
    enabled
        .flat_map(|service| {
            let clear = service.tcp_ports.iter().map(|&port| (port, false));
            let tls = service.ssl_ports.iter().map(|&port| (port, true));
            clear.chain(tls).map(move |(port, tls)| {
                let wish = Wish {
                    interface: service.interface_address,
                    port,
                    backlog: service.backlog,
                };
                (service, wish, tls)
            })
        })
        .collect()
}

fn is_for((bound, listener): &(Wish, ServiceListener), (service, wish, tls): &Wanted<'_>) -> bool {
    (bound.interface, bound.port) == (wish.interface, wish.port)
        && (&listener.service, listener.tls) == (&service.name, *tls)
}

fn port_error(service: &Service, wish: Wish) -> impl FnOnce(io::Error) -> PortError {
    let service = service.name.to_string();
    move |source| PortError {
        service,
        address: wish
            .interface
            .map_or_else(|| "any".to_owned(), |address| address.to_string()),
        port: wish.port,
        source,
    }
}

fn bound_socket(service: &Service, wish: Wish, tls: bool) -> Result<ServiceListener, PortError> {
    let bound = match wish.interface {
        Some(address) => bind_at(SocketAddr::new(address, wish.port)),
        // One socket for both families, or IPv4 alone where there is no IPv6.
        None => bind_at((Ipv6Addr::UNSPECIFIED, wish.port).into()).or_else(|error| {
            let missing = [Errno::EAFNOSUPPORT, Errno::EADDRNOTAVAIL];
            match error.raw_os_error().map(Errno::from_raw) {
                Some(errno) if missing.contains(&errno) => {
                    bind_at((Ipv4Addr::UNSPECIFIED, wish.port).into())
                }
                _ => Err(error),
            }
        }),
    };
    Ok(ServiceListener {
        service: service.name.clone(),
        tls,
        socket: bound.map_err(port_error(service, wish))?,
    })
}

fn bind_at(address: SocketAddr) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Stream, flags, None)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        setsockopt(&socket, sockopt::Ipv6V6Only, &false)?;
    }
    bind(socket.as_fd().as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(TcpListener::from(socket))
}

/// Starts listening, or only sets the backlog of a socket that listens already.
fn listen_again(socket: &TcpListener, backlog: u32) -> io::Result<()> {
    let most = i32::try_from(backlog.max(5)).unwrap_or(i32::MAX);
    let backlog = Backlog::new(most).unwrap_or(Backlog::MAXCONN);
    Ok(listen(socket, backlog)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    #[test]
    fn a_closed_port_refuses_and_opens_again() {
        // A port that the system chose itself would be another one after the second `listen`.
        let free = bind_at("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let listener = ServiceListener {
            service: "SMTP".parse().unwrap(),
            tls: false,
            socket: bind_at(address).unwrap(),
        };
        assert!(TcpStream::connect(address).is_err());
        listen_again(&listener.socket, 5).unwrap();
        let first = TcpStream::connect(address).unwrap();
        // A service that is stopped, then its Dispatcher: two that close the same socket.
        listeners::close(&listener.socket).unwrap();
        listeners::close(&listener.socket).unwrap();
        assert!(TcpStream::connect(address).is_err());
        listen_again(&listener.socket, 5).unwrap();
        drop(first);
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"EHLO").unwrap();
        listener.socket.set_nonblocking(false).unwrap();
        let (mut accepted, _) = listener.socket.accept().unwrap();
        let mut said = [0; 4];
        accepted.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"EHLO");
    }

    #[test]
    fn one_socket_serves_both_families() {
        let Ok(socket) = bind_at("[::]:0".parse().unwrap()) else {
            return; // no IPv6 here
        };
        listen_again(&socket, 5).unwrap();
        let port = socket.local_addr().unwrap().port();
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    }
}
