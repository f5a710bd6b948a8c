//! A raw SMTP conversation: what a peer can send, octet for octet.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One connection to a server.
pub(crate) struct Wire {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Wire {
    /// Connects and reads nothing yet.
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream =
            TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self { stream, reader }
    }

    /// Connects, wants the banner.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let mut wire = Self::open(address);
        wire.expect("220");
        wire
    }

    /// Connects and says EHLO.
    pub(crate) fn hello(address: SocketAddr) -> Self {
        let mut wire = Self::connect(address);
        wire.say("EHLO client.example.org", "250");
        wire
    }

    /// Sends octets as they are.
    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).unwrap();
    }

    /// As [`Wire::send`], but tells whether the peer still took it.
    pub(crate) fn try_send(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(octets)
    }

    /// One reply, all its lines joined by LF; empty at the end of the connection.
    pub(crate) fn reply(&mut self) -> String {
        let mut text = String::new();
        loop {
            let mut line = Vec::new();
            match self.reader.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return text,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line).into_owned();
            assert!(line.ends_with("\r\n"), "reply line without CRLF: {line:?}");
            text.push_str(line.trim_end_matches(['\r', '\n']));
            if line.as_bytes().get(3) != Some(&b'-') {
                return text;
            }
            text.push('\n');
        }
    }

    /// Reads one reply that must begin with `code`.
    pub(crate) fn expect(&mut self, code: &str) -> String {
        let reply = self.reply();
        assert!(reply.starts_with(code), "expected {code}, got {reply:?}");
        reply
    }

    /// Sends a command line and reads a reply that must begin with `code`.
    pub(crate) fn say(&mut self, command: &str, code: &str) -> String {
        self.send(format!("{command}\r\n").as_bytes());
        let reply = self.reply();
        assert!(
            reply.starts_with(code),
            "{command:.80}: expected {code}, got {reply:?}"
        );
        reply
    }

    /// Sends one message (LF or CRLF lines) and gives the reply to the final dot.
    pub(crate) fn message(&mut self, from: &str, to: &[&str], message: &[u8]) -> String {
        self.say(&format!("MAIL FROM:<{from}>"), "250");
        for recipient in to {
            self.say(&format!("RCPT TO:<{recipient}>"), "250");
        }
        self.say("DATA", "354");
        self.send(&on_the_wire(message));
        self.reply()
    }

    /// Whether the server has closed the connection (waits for it).
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).is_ok() && rest.is_empty()
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The bare connection; nothing may be waiting to be read.
    pub(crate) fn into_stream(self) -> TcpStream {
        assert!(
            self.reader.buffer().is_empty(),
            "the server sent more than its reply"
        );
        self.stream
    }

    pub(crate) fn quit(mut self) {
        self.say("QUIT", "221");
    }
}

/// A message with CRLF line ends, dots stuffed, the final dot added.
pub(crate) fn on_the_wire(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    let body = message.strip_suffix(b"\n").unwrap_or(message);
    for line in body.split(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}
