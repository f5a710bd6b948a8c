//! PORT_ACCESS, as far as it can be decided at once.
//!
//! The Dispatcher asks only what is pure; entries that call out are asked by the server process
//! before its banner.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};

use mta_access::port::{PortDecision, PortProbe, port_access_at_once};
use mta_config::config::Config;

/// What to do with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Hand it over.
    Welcome,
    /// Send this text and close.
    Refused {
        /// What the client is told, lines separated by `~`.
        text: String,
        /// What a `T` record is to say, if the entry asks for one.
        record: Option<String>,
        /// What the entry wants told to the system's log.
        notes: Vec<String>,
    },
}

/// Asks PORT_ACCESS about a connection.
pub(crate) fn ask(config: &Config, local: SocketAddr, peer: SocketAddr) -> Verdict {
    let probe = PortProbe { local, peer };
    match port_access_at_once(config, &probe) {
        None | Some(PortDecision::Accept { .. }) => Verdict::Welcome,
        Some(PortDecision::Refuse { text, notes }) => Verdict::Refused {
            text,
            record: notes.refusal_record,
            notes: notes.syslog,
        },
    }
}

/// What goes over the wire: CRLF behind each line, and nothing in a line that could end it early.
pub(crate) fn wire_form(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 2);
    for line in text.split('~') {
        bytes.extend(line.bytes().filter(|byte| !byte.is_ascii_control()));
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Sends the refusal and closes. The connection is not waited for: a text of a line or two fits
/// into the buffer of a fresh connection.
pub(crate) fn refuse(mut stream: TcpStream, text: &str) {
    // A client that has gone already misses nothing that it would have read.
    drop(stream.set_nonblocking(true));
    drop(stream.write(&wire_form(text)));
    drop(stream.shutdown(Shutdown::Write));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_lines() {
        for (text, wire) in [
            ("400 can't connect now", "400 can't connect now\r\n"),
            ("554-no~554 go away", "554-no\r\n554 go away\r\n"),
            ("500 a\r\n250 b", "500 a250 b\r\n"),
        ] {
            assert_eq!(wire_form(text), wire.as_bytes());
        }
    }
}
