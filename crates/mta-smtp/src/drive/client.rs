//! Runs the client's machines over a socket.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::wire::{Wire, WireError};
use crate::client::{
    Letter, Manners, Opening, OpeningError, OpeningStep, Peer, Stage, Transfer, TransferStep,
    Verdict,
};
use crate::data::DotEncoder;
use crate::line::Input;
use crate::reply::{Reply, ReplyError, ReplyReader};
use crate::tls::{Connector, Negotiated};

/// Octets of a message read from the queue, and put into one chunk, at a time.
const PIECE: usize = 64 << 10;
/// Octets of replies read at a time.
const READ: usize = 4 << 10;

/// How long a client waits (channel options of smtp.md §5).
#[derive(Debug, Clone)]
pub struct Times {
    /// STATUS_RECEIVE_TIME: for the banner and for answers that have no time of their own.
    pub status: Duration,
    /// STATUS_MAIL_RECEIVE_TIME.
    pub mail_status: Duration,
    /// STATUS_RCPT_RECEIVE_TIME.
    pub rcpt_status: Duration,
    /// The answer to the final dot, as computed for this message.
    pub content_status: Duration,
    /// COMMAND_TRANSMIT_TIME: until a command has been taken.
    pub transmit: Duration,
    /// MAIL_TRANSMIT_TIME.
    pub mail_transmit: Duration,
    /// RCPT_TRANSMIT_TIME.
    pub rcpt_transmit: Duration,
    /// DATA_TRANSMIT_TIME: until the next piece of a message has been taken.
    pub data_transmit: Duration,
    /// DOT_TRANSMIT_TIME: until the end of the message has been taken.
    pub dot_transmit: Duration,
    /// A TLS handshake.
    pub handshake: Duration,
    /// All from the banner to a server that is ready for mail, however it trickles.
    pub opening: Duration,
    /// All of one message, as computed for it.
    pub message: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        Self {
            status: minutes(10),
            mail_status: minutes(10),
            rcpt_status: minutes(10),
            content_status: minutes(10),
            transmit: minutes(10),
            mail_transmit: minutes(10),
            rcpt_transmit: minutes(10),
            data_transmit: minutes(10),
            dot_transmit: minutes(10),
            handshake: minutes(1),
            opening: minutes(15),
            message: minutes(60),
        }
    }
}

/// Why a connection ended before its work was done.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// Reading or writing failed.
    #[error("{doing}: {source}")]
    Wire {
        /// What was being done: `os_smtp_read`, `os_smtp_write`.
        doing: &'static str,
        /// How it failed.
        source: WireError,
    },
    /// The server says things that are no replies.
    #[error("{0}")]
    Reply(#[from] ReplyError),
    /// The server does not want us, or not as we want it.
    #[error("{0}")]
    Opening(#[from] OpeningError),
    /// The handshake failed; in clear it may work.
    #[error("TLS handshake failed: {0}")]
    Handshake(WireError),
    /// The message cannot be read.
    #[error("cannot read the message: {0}")]
    Content(std::io::Error),
    /// The server is in a state in which it cannot be given mail.
    #[error("remote server answers out of step")]
    OutOfStep,
}

/// What became of a message.
#[derive(Debug)]
pub struct Transferred {
    /// One a recipient, in the letter's order.
    pub verdicts: Vec<Verdict>,
    /// Why the connection ended within it; recipients without a reply suffer from this.
    pub error: Option<ConnectionError>,
    /// The message's octets went out, whatever the answer was.
    pub data_sent: bool,
    /// They went by BDAT.
    pub chunked: bool,
}

/// A connection to a server that is ready for mail, or was.
#[derive(Debug)]
pub struct Connection {
    talk: Talk,
    peer: Peer,
    tls: Option<Negotiated>,
    usable: bool,
    needs_reset: bool,
}

/// A connection that failed while it was opened: why, and what the banner said.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub error: ConnectionError,
    /// The banner and what else was learned.
    pub peer: Peer,
    /// What was said, if a transcript was asked for.
    pub transcript: Vec<String>,
}

impl Connection {
    /// Leads a fresh connection to `host` to the point where mail may go.
    ///
    /// # Errors
    /// [`Failed`]. After [`ConnectionError::Handshake`] a fresh connection in clear may do; after
    /// a connection lost on EHLO one with HELO.
    pub fn open(
        socket: TcpStream,
        host: &str,
        manners: &Manners,
        connector: &Connector,
        times: &Times,
    ) -> Result<Self, Box<Failed>> {
        let mut opening = Opening::new(manners);
        let failed = |error, opening: Opening<'_>, transcript| {
            Box::new(Failed {
                error,
                peer: opening.into_peer(),
                transcript,
            })
        };
        let limit = Instant::now() + times.opening;
        let mut talk = match Talk::new(socket, manners.transcript, limit) {
            Ok(talk) => talk,
            Err(error) => return Err(failed(error, opening, Vec::new())),
        };
        match talk.open(&mut opening, host, connector, times) {
            Ok(tls) => Ok(Self {
                talk,
                peer: opening.into_peer(),
                tls,
                usable: true,
                needs_reset: false,
            }),
            Err(error) => Err(failed(error, opening, talk.transcript.unwrap_or_default())),
        }
    }

    /// Takes what has been said since this was last asked (`C: …`, `S: …`), if a transcript
    /// was asked for. Passwords are left out.
    pub fn take_transcript(&mut self) -> Vec<String> {
        self.talk
            .transcript
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// What is known about the server.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What TLS agreed on, if it is on.
    #[must_use]
    pub const fn tls(&self) -> Option<&Negotiated> {
        self.tls.as_ref()
    }

    /// Our end and the server's.
    ///
    /// # Errors
    /// What the system said.
    pub fn addresses(&self) -> std::io::Result<(SocketAddr, SocketAddr)> {
        let socket = self.talk.wire.socket();
        Ok((socket.local_addr()?, socket.peer_addr()?))
    }

    /// Whether another message may go over it. A server that closed in the meantime is noticed
    /// here.
    pub fn is_usable(&mut self) -> bool {
        // Between transactions the server has nothing to say: whatever it says, or its closing,
        // means that this connection is over.
        self.usable = self.usable && self.talk.is_silent();
        self.usable
    }

    /// Sends a message: `content` gives its header and body with LF line ends.
    pub fn transfer(
        &mut self,
        letter: &Letter,
        content: &mut dyn Read,
        times: &Times,
    ) -> Transferred {
        let extensions = self.peer.extensions.clone();
        let mut transfer = Transfer::new(letter, &extensions, self.needs_reset);
        let mut progress = Progress::default();
        self.talk.limit = Instant::now() + times.message;
        let error = self
            .talk
            .transfer(&mut transfer, content, times, &mut progress)
            .err();
        self.usable = self.usable && error.is_none();
        self.needs_reset = transfer.needs_reset();
        Transferred {
            verdicts: transfer.verdicts(),
            error,
            data_sent: progress.data_sent,
            chunked: progress.chunked,
        }
    }

    /// Says QUIT and closes, without waiting long for the answer.
    pub fn quit(mut self, within: Duration) {
        let until = Instant::now() + within;
        if self.usable && self.talk.wire.write_all(b"QUIT\r\n", until).is_ok() {
            // The mail is settled; whether the goodbye is answered changes nothing.
            drop(self.talk.receive(until));
        }
        self.talk.wire.finish();
    }
}

#[derive(Debug, Default)]
struct Progress {
    data_sent: bool,
    chunked: bool,
}

/// Lines out, replies in.
#[derive(Debug)]
struct Talk {
    wire: Wire<'static>,
    input: Input,
    replies: ReplyReader,
    transcript: Option<Vec<String>>,
    /// The end of all patience: each step has its own, and there can be very many steps.
    limit: Instant,
}

impl Talk {
    fn new(socket: TcpStream, transcript: bool, limit: Instant) -> Result<Self, ConnectionError> {
        let wire = Wire::new(socket, None).map_err(|source| ConnectionError::Wire {
            doing: "os_smtp_open",
            source,
        })?;
        Ok(Self {
            wire,
            input: Input::default(),
            replies: ReplyReader::default(),
            transcript: transcript.then(Vec::new),
            limit,
        })
    }

    fn until(&self, within: Duration) -> Instant {
        (Instant::now() + within).min(self.limit)
    }

    fn open(
        &mut self,
        opening: &mut Opening<'_>,
        host: &str,
        connector: &Connector,
        times: &Times,
    ) -> Result<Option<Negotiated>, ConnectionError> {
        let mut tls = None;
        let mut step = opening.reply(self.receive_within(times.status)?)?;
        loop {
            step = match step {
                OpeningStep::Send(line) => {
                    self.command(line.as_bytes(), times.transmit)?;
                    opening.reply(self.receive_within(times.status)?)?
                }
                OpeningStep::StartTls => {
                    // What came behind the 220 was not said under TLS (CVE-2021-38371).
                    self.input.clear();
                    let until = self.until(times.handshake);
                    let done = self.wire.connect_tls(connector, host, until);
                    tls = Some(done.map_err(ConnectionError::Handshake)?);
                    opening.tls_started()
                }
                OpeningStep::Ready => return Ok(tls),
            };
        }
    }

    fn transfer(
        &mut self,
        transfer: &mut Transfer<'_>,
        content: &mut dyn Read,
        times: &Times,
        progress: &mut Progress,
    ) -> Result<(), ConnectionError> {
        loop {
            match transfer.step() {
                TransferStep::Send(lines) => {
                    let within = times.to_transmit(transfer.awaited());
                    self.command(&lines, within)?;
                }
                TransferStep::Receive(stage) => {
                    let reply = self.receive_within(times.of(stage))?;
                    transfer.reply(reply);
                }
                TransferStep::SendContent => {
                    progress.data_sent = true;
                    let sent = self.send_content(content, times);
                    transfer.content_sent();
                    self.or_last_words(sent, transfer)?;
                }
                TransferStep::SendChunks => {
                    progress.data_sent = true;
                    progress.chunked = true;
                    self.send_chunks(transfer, content, times)?;
                }
                TransferStep::Abort => return Err(ConnectionError::OutOfStep),
                TransferStep::Done => return Ok(()),
            }
        }
    }

    /// Sends command lines.
    fn command(&mut self, lines: &[u8], within: Duration) -> Result<(), ConnectionError> {
        if let Some(transcript) = &mut self.transcript {
            let text = String::from_utf8_lossy(lines);
            for line in text.split_terminator("\r\n") {
                let secret = line.starts_with("AUTH PLAIN ");
                let line = if secret { "AUTH PLAIN *" } else { line };
                transcript.push(format!("C: {line}"));
            }
        }
        self.send(lines, within)
    }

    fn send(&mut self, bytes: &[u8], within: Duration) -> Result<(), ConnectionError> {
        let sent = self.wire.write_all(bytes, self.until(within));
        sent.map_err(|source| ConnectionError::Wire {
            doing: "os_smtp_write",
            source,
        })
    }

    fn receive_within(&mut self, within: Duration) -> Result<Reply, ConnectionError> {
        self.receive(self.until(within))
    }

    fn receive(&mut self, until: Instant) -> Result<Reply, ConnectionError> {
        loop {
            if let Some(reply) = self.replies.next(&mut self.input)? {
                if let Some(transcript) = &mut self.transcript {
                    transcript.push(format!("S: {}", reply.one_line()));
                }
                return Ok(reply);
            }
            let read = self.wire.read(&mut self.input, READ, until);
            read.map_err(|source| ConnectionError::Wire {
                doing: "os_smtp_read",
                source,
            })?;
        }
    }

    fn is_silent(&mut self) -> bool {
        self.input.is_empty() && matches!(self.wire.has_input(), Ok(false))
    }

    fn send_content(
        &mut self,
        content: &mut dyn Read,
        times: &Times,
    ) -> Result<(), ConnectionError> {
        let mut encoder = DotEncoder::for_data();
        let mut output = Vec::new();
        let mut piece = vec![0; PIECE];
        loop {
            let count = read_some(content, &mut piece)?;
            if count == 0 {
                break;
            }
            encoder.encode(&piece[..count], &mut output);
            if output.len() >= PIECE {
                self.send(&output, times.data_transmit)?;
                output.clear();
            }
        }
        self.send(&output, times.data_transmit)?;
        output.clear();
        encoder.finish(&mut output);
        self.send(&output, times.dot_transmit)
    }

    /// A server that has had enough may answer and close before the message is out: its answer
    /// is worth more than our broken pipe.
    fn or_last_words(
        &mut self,
        sent: Result<(), ConnectionError>,
        transfer: &mut Transfer<'_>,
    ) -> Result<(), ConnectionError> {
        let Err(error) = sent else {
            return Ok(());
        };
        if matches!(error, ConnectionError::Wire { .. })
            && let Ok(reply) = self.receive(Instant::now() + Duration::from_secs(1))
            && !reply.is_positive()
        {
            transfer.reply(reply);
        }
        Err(error)
    }

    /// One chunk is in flight while the next is prepared; without PIPELINING as well, since
    /// chunks need no permission and their answers are short.
    fn send_chunks(
        &mut self,
        transfer: &mut Transfer<'_>,
        content: &mut dyn Read,
        times: &Times,
    ) -> Result<(), ConnectionError> {
        let mut encoder = DotEncoder::for_chunks();
        let mut piece = vec![0; PIECE];
        let mut last = false;
        while !last && !transfer.content_refused() {
            let mut chunk = Vec::new();
            while chunk.len() < PIECE && !last {
                let count = read_some(content, &mut piece)?;
                last = count == 0;
                encoder.encode(&piece[..count], &mut chunk);
            }
            if last {
                encoder.finish(&mut chunk);
            }
            let line = transfer.chunk(chunk.len(), last);
            let sent = self
                .command(line.as_bytes(), times.transmit)
                .and_then(|()| self.send(&chunk, times.data_transmit));
            self.or_last_words(sent, transfer)?;
            while transfer.chunks_unanswered() > 1 {
                let reply = self.receive_within(times.content_status)?;
                transfer.reply(reply);
            }
        }
        Ok(())
    }
}

impl Times {
    const fn to_transmit(&self, awaited: Option<Stage>) -> Duration {
        match awaited {
            Some(Stage::Mail) => self.mail_transmit,
            Some(Stage::Rcpt) => self.rcpt_transmit,
            Some(_) | None => self.transmit,
        }
    }

    const fn of(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Mail => self.mail_status,
            Stage::Rcpt => self.rcpt_status,
            Stage::Content => self.content_status,
            Stage::Size | Stage::Address | Stage::Reset | Stage::Data => self.status,
        }
    }
}

fn read_some(content: &mut dyn Read, piece: &mut [u8]) -> Result<usize, ConnectionError> {
    loop {
        match content.read(piece) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            result => return result.map_err(ConnectionError::Content),
        }
    }
}
