//! Packets with descriptors: handing over a listener or an accepted connection.
//!
//! This is the one place where a received descriptor, which the system names by a bare number,
//! is adopted into an [`OwnedFd`]. Sockets are `SOCK_SEQPACKET`, so that one `recvmsg` returns
//! one packet with what belongs to it and never two glued together.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};

/// Most descriptors that the system lets travel with one packet (`SCM_MAX_FD`). The buffer has
/// room for all, so that whatever somebody sends is received, owned, and closed again.
const MOST_DESCRIPTORS: usize = 253;

/// Most bytes of a packet.
pub const LONGEST_PACKET: usize = 4096;

/// Two ends of a packet socket, both close-on-exec.
///
/// # Errors
/// What the system says.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?)
}

/// Whether a call may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Until the other side has read, or sent.
    Allowed,
    /// Not at all: [`io::ErrorKind::WouldBlock`] instead.
    Never,
}

impl Waiting {
    fn flags(self) -> MsgFlags {
        match self {
            Self::Allowed => MsgFlags::empty(),
            Self::Never => MsgFlags::MSG_DONTWAIT,
        }
    }
}

/// Sends one packet, with a copy of `descriptor` if there is one.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`], [`io::ErrorKind::BrokenPipe`], or what else the system says
/// (`ETOOMANYREFS` when too many descriptors are under way).
pub fn send(
    socket: BorrowedFd<'_>,
    packet: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
    waiting: Waiting,
) -> io::Result<()> {
    let raw: Vec<RawFd> = descriptor.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    loop {
        match sendmsg::<()>(
            socket.as_raw_fd(),
            &[IoSlice::new(packet)],
            control,
            waiting.flags() | MsgFlags::MSG_NOSIGNAL,
            None,
        ) {
            Ok(_) => return Ok(()),
            Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// One packet as it was received.
#[derive(Debug)]
pub struct Packet {
    /// Its bytes; none at the end of the stream.
    pub bytes: Vec<u8>,
    /// The descriptors that came with it, ours from now on.
    pub descriptors: Vec<OwnedFd>,
}

impl Packet {
    /// Whether this is no packet but the end: the other side has closed.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Receives one packet.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`]; [`io::ErrorKind::InvalidData`] if the packet was too long or
/// its descriptors could not all be received (none are left open then); or what else the system
/// says.
pub fn receive(socket: BorrowedFd<'_>, waiting: Waiting) -> io::Result<Packet> {
    let mut bytes = vec![0; LONGEST_PACKET];
    let mut control = nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]);
    let mut descriptors = Vec::new();
    let (length, flags) = loop {
        let mut pieces = [IoSliceMut::new(&mut bytes)];
        let received = recvmsg::<()>(
            socket.as_raw_fd(),
            &mut pieces,
            Some(&mut control),
            waiting.flags() | MsgFlags::MSG_CMSG_CLOEXEC,
        );
        match received {
            Ok(message) => {
                // An error here means that the control data was cut, which the flags say too.
                for part in message.cmsgs().into_iter().flatten() {
                    if let ControlMessageOwned::ScmRights(raw) = part {
                        descriptors.extend(raw.into_iter().map(adopt));
                    }
                }
                break (message.bytes, message.flags);
            }
            Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    };
    if flags.intersects(MsgFlags::MSG_CTRUNC | MsgFlags::MSG_TRUNC) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a packet or its descriptors were cut short",
        ));
    }
    bytes.truncate(length);
    Ok(Packet { bytes, descriptors })
}

/// Makes us the owner of a descriptor that has just arrived.
#[expect(
    unsafe_code,
    reason = "the system names a received descriptor by its number only"
)]
fn adopt(raw: RawFd) -> OwnedFd {
    // SAFETY: `raw` was put into this process by the `recvmsg` whose control message is being
    // read, so it is open; that message is read once and is the only place where the number
    // stands, so nobody else owns or closes it.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_descriptor_arrives_with_its_packet() {
        let (ours, theirs) = pair().unwrap();
        let (mut near, far) = UnixStream::pair().unwrap();
        send(ours.as_fd(), b"one", Some(far.as_fd()), Waiting::Never).unwrap();
        send(ours.as_fd(), b"two", None, Waiting::Never).unwrap();
        drop(far);
        let packet = receive(theirs.as_fd(), Waiting::Allowed).unwrap();
        assert_eq!(packet.bytes, b"one");
        let [descriptor] = <[OwnedFd; 1]>::try_from(packet.descriptors).unwrap();
        UnixStream::from(descriptor).write_all(b"hello").unwrap();
        let mut text = [0; 5];
        near.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"hello");
        let packet = receive(theirs.as_fd(), Waiting::Allowed).unwrap();
        assert_eq!(
            (packet.bytes.as_slice(), packet.descriptors.len()),
            (b"two".as_slice(), 0)
        );
        drop(ours);
        assert!(receive(theirs.as_fd(), Waiting::Allowed).unwrap().is_end());
    }

    #[test]
    fn an_unread_descriptor_closes_with_the_socket() {
        let (ours, theirs) = pair().unwrap();
        let (mut near, far) = UnixStream::pair().unwrap();
        send(ours.as_fd(), b"one", Some(far.as_fd()), Waiting::Never).unwrap();
        drop(far);
        drop(theirs);
        let mut text = Vec::new();
        near.read_to_end(&mut text).unwrap();
        assert!(text.is_empty());
    }

    #[test]
    fn a_long_packet_is_no_packet() {
        let (ours, theirs) = pair().unwrap();
        send(ours.as_fd(), &[7; LONGEST_PACKET + 1], None, Waiting::Never).unwrap();
        let error = receive(theirs.as_fd(), Waiting::Allowed).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
