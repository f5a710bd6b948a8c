//! What the session machine asks of the rest of the server.
//!
//! The machine knows the protocol: order of commands, syntax, replies of success, and what is
//! forgotten when. A [`Policy`] knows everything else: who may send what to whom, where a
//! message goes, which limits this channel has. The machine never calls a policy out of order:
//! [`Policy::recipient`] only after an accepted [`Policy::mail`], [`Policy::data_begin`] only
//! after an accepted recipient, and so on.

use std::time::Duration;

use crate::command::{Hello, Mail, PrivateVerb, Rcpt};
use crate::data::{DataFault, DataSummary, LongLines};
use crate::extension::Offers;
use crate::reply::{Refusal, Reply};
use crate::sasl::{Credentials, Mechanism};
use crate::tls::{Acceptor, Negotiated};

/// The banner, and how long the client must wait for it.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// `220 HOST -- Server ESMTP (…)`; several lines are allowed.
    pub reply: Reply,
    /// BANNER_PURGE_DELAY: wait this long, then throw away what the client has sent so far.
    pub purge_delay: Duration,
}

/// How this server and the client are called in the answer to HELO and EHLO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Our host name: first line of the EHLO list.
    pub host: String,
    /// The client's address without brackets, for `250 HOST OK, [ADDRESS].`
    pub client: String,
}

/// A message is safe on disk (design, promise 1); the client may be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// `ID@HOST`: makes the answer `250 2.5.0 Ok, envelope id ID@HOST`; without it `Ok.`
    pub envelope_id: Option<String>,
}

/// A command that counted as bad, for `B` log records and `disconnectbadcommandlimit`.
#[derive(Debug, Clone)]
pub struct BadCommand<'a> {
    /// The line without its CRLF: at most 512 octets of it, each octet above 127 as one
    /// character, control characters replaced by `?`. Empty during an AUTH exchange; of an AUTH
    /// command only verb and mechanism, since a password may follow.
    pub line: &'a str,
    /// What would be answered.
    pub reply: &'a Reply,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// The client said QUIT.
    Quit,
    /// A refusal with [`Refusal::close`] was sent, the greeting among them.
    Refused(Reply),
    /// No complete command in time.
    CommandTimeout,
    /// Message data came too slowly or not at all.
    DataTimeout,
    /// The client did not take our answers in time.
    TransmitTimeout,
    /// The client closed the connection without QUIT.
    PeerGone,
    /// This server process is shutting down; the client got 421.
    Shutdown,
    /// The TLS handshake failed.
    TlsFailed(String),
    /// The connection broke.
    Io(String),
    /// An over-long line or an endless refused message was not read to its end.
    Flood,
    /// A bug: the session panicked, the client got 421.
    Panic,
}

/// The server's side of every decision in one session.
///
/// A method may block (DNS, disk); its time is not counted against the client. What a
/// [`Refusal`] says is sent as it is; with [`Refusal::close`] the session ends after it. On
/// success the machine words the answer itself.
pub trait Policy {
    /// The first thing sent. A refusal (PORT_ACCESS `$N`) is sent and the connection closed.
    fn greeting(&mut self) -> Result<Greeting, Refusal>;

    /// HELO or EHLO was understood. The transaction, if any, has been [`reset`](Self::reset)
    /// before.
    fn hello(&mut self, hello: &Hello) -> Result<Welcome, Refusal>;

    /// What EHLO lists and which optional commands are accepted now. Asked anew each time.
    ///
    /// Say what the channel permits: that STARTTLS disappears under TLS, and AUTH without TLS
    /// or after success, is the machine's business.
    fn offers(&mut self) -> Offers;

    /// STARTTLS was asked for while [`Offers::starttls_permitted`] (or the service speaks TLS from the
    /// first byte). A refusal is the `454 4.7.1 TLS library initialization failure`; the session
    /// goes on in clear.
    fn start_tls(&mut self) -> Result<Acceptor, Refusal>;

    /// The handshake succeeded; everything learned before (HELO, sender) is forgotten.
    fn tls_started(&mut self, tls: &Negotiated);

    /// AUTH with a known and offered mechanism, before any exchange (AUTH_ACCESS); `user` is
    /// whom an initial response names, or empty.
    fn auth_begin(&mut self, mechanism: Mechanism, user: &str) -> Result<(), Refusal>;

    /// Are these credentials right? Use [`Refusal::bad_credentials`] for no.
    fn authenticate(
        &mut self,
        mechanism: Mechanism,
        credentials: &Credentials,
    ) -> Result<(), Refusal>;

    /// MAIL was given, its arguments are not yet looked at: session limits, required AUTH or TLS.
    fn mail_begin(&mut self) -> Result<(), Refusal>;

    /// MAIL FROM with legal arguments. Success is `250 2.5.0 Address Ok.`
    fn mail(&mut self, mail: &Mail) -> Result<(), Refusal>;

    /// RCPT TO with legal arguments. Success is `250 2.1.5 ADDRESS OK.`
    fn recipient(&mut self, recipient: &Rcpt) -> Result<(), Refusal>;

    /// DATA, or the first BDAT, with at least one accepted recipient: envelope closed,
    /// `recipientcutoff`.
    fn data_begin(&mut self) -> Result<(), Refusal>;

    /// A line was too long and has been cut or broken: told once a message, at the first such
    /// line, before the octets that follow it. The header line to add is
    /// [`LongLines::warning`].
    fn long_line(&mut self, treatment: LongLines);

    /// The next octets of the message, header and body: dots unstuffed, lines ended by LF
    /// alone; no CR, and no line over 998 octets, is ever in it. Cut anywhere. Remember a
    /// failure and tell it from [`data_end`](Self::data_end). False if the message is refused
    /// already: a client that goes on for too long ([`super::Limits::drain`]) is cut off.
    fn data_chunk(&mut self, octets: &[u8]) -> bool;

    /// The message is complete: make it durable and answer. The transaction is over, whatever
    /// the result.
    fn data_end(&mut self, summary: &DataSummary) -> Result<Stored, Refusal>;

    /// The message came to its end but must not be stored. Word the refusal
    /// ([`DataFault::refusal`] is the default text). The transaction is over.
    fn data_refused(&mut self, fault: DataFault) -> Refusal;

    /// RSET was given; [`reset`](Self::reset) follows on success. For `disconnect…limit`.
    fn rset(&mut self) -> Result<(), Refusal>;

    /// Forget the transaction (RSET, EHLO, STARTTLS, a lost connection, a failed BDAT): sender,
    /// recipients, and whatever has been stored of a message. May come without a transaction.
    fn reset(&mut self);

    /// VRFY: the complete answer.
    fn verify(&mut self, address: &str) -> Reply;

    /// EXPN while [`Offers::expn`]: the complete answer.
    fn expand(&mut self, list: &str) -> Reply;

    /// ETRN while [`Offers::etrn`]: the complete answer. `target` is `host`, `@host` or
    /// `#channel` as given.
    fn etrn(&mut self, target: &str) -> Reply;

    /// XADR, XCIR, XGEN or XSTA while it is in [`Offers::private`]: the complete answer.
    fn private(&mut self, verb: PrivateVerb, argument: &str) -> Reply;

    /// A bad command will be answered as shown, unless a refusal is returned instead
    /// (`disconnectbadcommandlimit`).
    fn bad_command(&mut self, bad: &BadCommand<'_>) -> Option<Refusal>;

    /// The session is over; called exactly once, as the last method.
    fn closed(&mut self, reason: &Closed);
}
