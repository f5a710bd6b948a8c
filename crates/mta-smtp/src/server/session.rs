//! The session machine of the server.

use std::borrow::Cow;
use std::time::Duration;

use super::policy::{BadCommand, Closed, Policy};
use super::transaction::Transaction;
use crate::command;
use crate::data::{DataDecoder, LongLines};
use crate::line::{Input, Line, LineFault, LineReader};
use crate::reply::{Refusal, Reply};
use crate::sasl;
use crate::tls::{Acceptor, Negotiated};

/// Numbers that hold for a session from its beginning, from the initial channel.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest command line without CRLF (RFC 5321 §4.5.3.1.4 and the extensions' additions).
    pub command_line: usize,
    /// Treatment of long lines in message data.
    pub long_lines: LongLines,
    /// COMMAND_RECEIVE_TIME: from our last answer to the end of the next command.
    pub command_time: Duration,
    /// DATA_RECEIVE_TIME: the most a client may save up while sending data; see `data_rate`.
    pub data_time: Duration,
    /// STATUS_TRANSMIT_TIME: until our answers have been taken.
    pub transmit_time: Duration,
    /// Octets of message data a second that keep `data_time` from running out.
    pub data_rate: u32,
    /// Octets of a refused message that are still read before the connection is closed.
    pub drain: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line: 4096,
            long_lines: LongLines::Truncate,
            command_time: Duration::from_secs(600),
            data_time: Duration::from_secs(300),
            transmit_time: Duration::from_secs(600),
            data_rate: 500,
            drain: 1 << 30,
        }
    }
}

/// What the client is expected to send next; decides which clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// A command, or a line of an AUTH exchange.
    Command,
    /// Message data, or the rest of a faulty line.
    Data,
}

/// What the driver has to do before it calls [`Session::step`] again. Output goes out first.
#[derive(Debug)]
pub enum Step {
    /// Send the output: there is much of it.
    Write,
    /// Send the output and read more input.
    Read(Wait),
    /// Send the output, drop all input, do a TLS handshake, call [`Session::tls_started`].
    StartTls(Acceptor),
    /// Wait, then drop all input.
    Pause(Duration),
    /// Send the output and close; [`Policy::closed`] has been called.
    Close,
}

/// Output that is sent although more input is waiting.
const FLUSH: usize = 8 << 10;
/// Decoded message data handed to the policy at a time, about.
pub(super) const PIECE: usize = 16 << 10;

/// What the machine is in the middle of.
#[derive(Debug)]
pub(super) enum Mode {
    /// Nothing has been said.
    Start,
    /// The next line is a command.
    Command,
    /// The next line belongs to an AUTH exchange.
    Auth {
        mechanism: sasl::Mechanism,
        exchange: sasl::Exchange,
    },
    /// Message data until the final dot.
    Data(Box<DataDecoder>),
    /// Octets of a BDAT chunk; `refusal` if they are only skipped.
    Chunk {
        left: u64,
        last: bool,
        refusal: Option<Refusal>,
    },
    /// The handshake is being done.
    Handshake,
    /// Over.
    Closed,
}

/// One client's session.
#[derive(Debug)]
pub struct Session {
    pub(super) limits: Limits,
    pub(super) mode: Mode,
    lines: LineReader,
    pub(super) output: Vec<u8>,
    pub(super) transaction: Transaction,
    pub(super) tls: bool,
    pub(super) authenticated: bool,
    /// Octets of the refused message that is being drained.
    pub(super) drained: u64,
    /// Decoded data on its way to the policy; owns memory only while data flow.
    pub(super) decoded: Vec<u8>,
    /// A long line of this message has been told.
    pub(super) told_long: bool,
}

/// What a command line amounts to.
pub(super) enum Answer {
    Reply(Reply),
    /// The session ends after it.
    Last(Reply, Closed),
    /// A bad command.
    Bad(Reply),
    /// Everything to be sent has been sent.
    Nothing,
    StartTls(Acceptor),
}

impl From<Result<Reply, Refusal>> for Answer {
    fn from(result: Result<Reply, Refusal>) -> Self {
        result.map_or_else(Self::from, Self::Reply)
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        if refusal.close {
            Self::Last(refusal.reply.clone(), Closed::Refused(refusal.reply))
        } else {
            Self::Reply(refusal.reply)
        }
    }
}

impl Session {
    /// A session in which nothing has been said.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            mode: Mode::Start,
            lines: LineReader::default(),
            output: Vec::new(),
            transaction: Transaction::None,
            tls: false,
            authenticated: false,
            drained: 0,
            decoded: Vec::new(),
            told_long: false,
        }
    }

    /// Numbers of this session.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes what has to be sent.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Does as much as the input allows.
    pub fn step(&mut self, input: &mut Input, policy: &mut dyn Policy) -> Step {
        loop {
            if self.output.len() > FLUSH {
                return Step::Write;
            }
            let step = match &mut self.mode {
                Mode::Start => self.greet(policy),
                Mode::Command | Mode::Auth { .. } => self.line(input, policy),
                Mode::Data(_) => self.data(input, policy),
                Mode::Chunk { .. } => self.chunk(input, policy),
                Mode::Handshake => Some(Step::Read(Wait::Command)),
                Mode::Closed => Some(Step::Close),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// The handshake is done, after STARTTLS or before the first step (a port that speaks TLS
    /// from the first byte): forgets all that was said before (RFC 3207 §4.2).
    pub fn tls_started(&mut self, tls: &Negotiated, policy: &mut dyn Policy) {
        self.tls = true;
        self.lines = LineReader::default();
        if matches!(self.mode, Mode::Handshake) {
            self.mode = Mode::Command;
        }
        policy.tls_started(tls);
    }

    /// The session ends from outside: the reason's own 421 if the client may still hear it.
    pub fn end(&mut self, reason: &Closed, policy: &mut dyn Policy) {
        if matches!(self.mode, Mode::Closed) {
            return;
        }
        let goodbye = match reason {
            Closed::CommandTimeout => Some(((4, 4, 2), "Timeout while waiting for command.")),
            Closed::DataTimeout => Some(((4, 4, 2), "Timeout while receiving data.")),
            Closed::Shutdown => Some(((4, 3, 2), "Service is shutting down; try again later.")),
            Closed::Flood => Some(((4, 7, 0), "Too much input refused; closing connection.")),
            Closed::Panic => Some(((4, 3, 0), "Internal error; closing connection.")),
            Closed::Quit
            | Closed::Refused(_)
            | Closed::TransmitTimeout
            | Closed::PeerGone
            | Closed::TlsFailed(_)
            | Closed::Io(_) => None,
        };
        if let Some((status, text)) = goodbye.filter(|_| !matches!(self.mode, Mode::Handshake)) {
            Reply::new(421, status, text).write(&mut self.output);
        }
        self.close(reason, policy);
    }

    fn close(&mut self, reason: &Closed, policy: &mut dyn Policy) {
        self.forget(policy);
        self.mode = Mode::Closed;
        policy.closed(reason);
    }

    fn greet(&mut self, policy: &mut dyn Policy) -> Option<Step> {
        match policy.greeting() {
            Ok(greeting) => {
                self.mode = Mode::Command;
                greeting.reply.write(&mut self.output);
                // The pause comes first: the driver sends the output after it.
                (!greeting.purge_delay.is_zero()).then_some(Step::Pause(greeting.purge_delay))
            }
            Err(refusal) => {
                refusal.reply.write(&mut self.output);
                self.close(&Closed::Refused(refusal.reply), policy);
                None
            }
        }
    }

    fn line(&mut self, input: &mut Input, policy: &mut dyn Policy) -> Option<Step> {
        let in_auth = matches!(self.mode, Mode::Auth { .. });
        let longest = if in_auth {
            sasl::MAX_LINE
        } else {
            self.limits.command_line
        };
        // AUTH with an initial response may be longer than other commands.
        let longest = if is_auth(input.rest()) {
            sasl::MAX_LINE
        } else {
            longest
        };
        let answer = match self.lines.next(input, longest) {
            Line::Partial => return Some(Step::Read(Wait::Command)),
            Line::Flood => {
                self.end(&Closed::Flood, policy);
                return None;
            }
            Line::Fault(fault) => {
                if in_auth {
                    self.mode = Mode::Command;
                }
                Answer::Bad(faulty_line(fault, in_auth))
            }
            Line::Complete(line) => match std::mem::replace(&mut self.mode, Mode::Command) {
                Mode::Auth {
                    mechanism,
                    exchange,
                } => self.auth_line(mechanism, exchange, &line, policy),
                _ => {
                    let text = command::octets_as_text(&line);
                    let answer = self.command(&text, policy);
                    self.judged(answer, &text, policy)
                }
            },
        };
        let answer = self.judged(answer, "", policy);
        self.answer(answer, policy)
    }

    /// Asks the policy about a bad command.
    pub(super) fn judged(&self, answer: Answer, line: &str, policy: &mut dyn Policy) -> Answer {
        let Answer::Bad(reply) = answer else {
            return answer;
        };
        let bad = BadCommand {
            line: &command::printable(&without_secret(line), 512),
            reply: &reply,
        };
        policy
            .bad_command(&bad)
            .map_or(Answer::Reply(reply), Answer::from)
    }

    pub(super) fn answer(&mut self, answer: Answer, policy: &mut dyn Policy) -> Option<Step> {
        match answer {
            Answer::Nothing => None,
            Answer::Reply(reply) | Answer::Bad(reply) => {
                reply.write(&mut self.output);
                None
            }
            Answer::Last(reply, reason) => {
                reply.write(&mut self.output);
                self.close(&reason, policy);
                None
            }
            Answer::StartTls(acceptor) => {
                Reply::new(220, (2, 5, 0), "Go ahead with TLS negotiation.")
                    .write(&mut self.output);
                self.mode = Mode::Handshake;
                Some(Step::StartTls(acceptor))
            }
        }
    }

    /// Ends the transaction and takes back what the policy has of it.
    pub(super) fn forget(&mut self, policy: &mut dyn Policy) {
        self.transaction = Transaction::None;
        self.decoded = Vec::new();
        policy.reset();
    }
}

/// Whether an AUTH command, which may be longer than others, begins here.
fn is_auth(line: &[u8]) -> bool {
    line.get(..5)
        .is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "))
}

/// The line as it may be told: behind the mechanism of an AUTH stands a password.
fn without_secret(line: &str) -> Cow<'_, str> {
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let verb = words.next().unwrap_or_default();
    if !verb.eq_ignore_ascii_case("AUTH") {
        return Cow::Borrowed(line);
    }
    let mechanism = words.next().unwrap_or_default();
    match words.next() {
        Some(_) => Cow::Owned(format!("{verb} {mechanism} ***")),
        None => Cow::Borrowed(line),
    }
}

fn faulty_line(fault: LineFault, in_auth: bool) -> Reply {
    match fault {
        LineFault::TooLong if in_auth => {
            Reply::new(500, (5, 5, 6), "Authentication exchange line is too long.")
        }
        LineFault::TooLong => Reply::new(500, (5, 5, 2), "Command line is too long."),
        LineFault::BareLineEnd => Reply::new(
            500,
            (5, 5, 2),
            "Bare CR or LF in command; lines must end in CRLF.",
        ),
    }
}
