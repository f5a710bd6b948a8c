//! An SMTP client for load: whatever it does may fail, since its server may die at any moment.

use super::messages::to_crlf;
use super::wire::on_the_wire;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One connection. After an error it is of no more use.
pub(crate) struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Connects and says EHLO.
    pub(crate) fn hello(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_nodelay(true)?;
        let reader = BufReader::new(stream.try_clone()?);
        let mut client = Self { stream, reader };
        client.expect("220")?;
        client.say("EHLO loader.example.org", "250")?;
        Ok(client)
    }

    /// MAIL and RCPT.
    pub(crate) fn envelope(&mut self, from: &str, to: &[&str]) -> io::Result<()> {
        self.say(&format!("MAIL FROM:<{from}>"), "250")?;
        to.iter()
            .try_for_each(|one| self.say(&format!("RCPT TO:<{one}>"), "250"))
    }

    /// The message by DATA. Good only if all of a 250 was read.
    pub(crate) fn data(&mut self, message: &[u8]) -> io::Result<()> {
        self.say("DATA", "354")?;
        self.stream.write_all(&on_the_wire(message))?;
        self.expect("250")
    }

    /// The message by BDAT, in two chunks. Good only if all of both 250 was read.
    pub(crate) fn bdat(&mut self, message: &[u8]) -> io::Result<()> {
        let message = to_crlf(message);
        let (first, last) = message.split_at(message.len() / 2);
        for (chunk, mark) in [(first, ""), (last, " LAST")] {
            self.stream
                .write_all(format!("BDAT {}{mark}\r\n", chunk.len()).as_bytes())?;
            self.stream.write_all(chunk)?;
            self.expect("250")?;
        }
        Ok(())
    }

    fn say(&mut self, command: &str, code: &str) -> io::Result<()> {
        self.stream.write_all(format!("{command}\r\n").as_bytes())?;
        self.expect(code)
    }

    fn expect(&mut self, code: &str) -> io::Result<()> {
        loop {
            let mut line = String::new();
            let got = self.reader.read_line(&mut line)?;
            if got == 0 || !line.ends_with('\n') || !line.starts_with(code) {
                return Err(io::Error::other(line));
            }
            if line.as_bytes().get(3) == Some(&b' ') {
                return Ok(());
            }
        }
    }
}
