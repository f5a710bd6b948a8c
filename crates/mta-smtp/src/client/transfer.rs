//! One message to one server: MAIL, RCPT, DATA or BDAT, and what became of each recipient.

use std::collections::VecDeque;

use mta_envelope::address::Address;
use mta_envelope::envelope::{Notify, Ret};

use crate::extension::{Extensions, xtext};
use crate::reply::Reply;

/// Commands sent in one go under PIPELINING. Their replies fit the buffers of any socket, so
/// that neither side ever waits for the other to read.
const GROUP: usize = 100;

/// The outside of a message, as the wire needs it.
#[derive(Debug, Clone, Default)]
pub struct Letter {
    /// The sender; nothing is the null sender.
    pub sender: Option<Address>,
    /// Octets of the message on the wire, with CRLF.
    pub size: u64,
    /// The message holds octets over 127.
    pub eight_bit: bool,
    /// RET, if the sender gave it.
    pub ret: Option<Ret>,
    /// ENVID, if the sender gave it.
    pub envid: Option<String>,
    /// AUTH parameter to pass on (`saslpassauth`).
    pub auth: Option<String>,
    /// To whom, in order.
    pub recipients: Vec<LetterRecipient>,
    /// Texts of 552 replies to RCPT that are permanent (`522_PERMANENT_ERROR_STRING`).
    pub permanent_552: Vec<String>,
    /// BDAT is used if it is offered.
    pub chunking: bool,
}

/// One recipient of a [`Letter`].
#[derive(Debug, Clone)]
pub struct LetterRecipient {
    /// The address.
    pub address: Address,
    /// NOTIFY.
    pub notify: Notify,
    /// ORCPT: type and address.
    pub original: Option<(String, String)>,
}

/// Where in the dialogue something was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before anything was sent: the server's SIZE limit is too small.
    Size,
    /// Before anything was sent: the address needs SMTPUTF8.
    Address,
    /// RSET, before the transaction.
    Reset,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, before the message.
    Data,
    /// The message and the answer to it.
    Content,
}

/// How a recipient fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The server has taken the message for it.
    Accepted,
    /// Not now.
    Temporary,
    /// Never.
    Permanent,
}

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How it fared.
    pub fate: Fate,
    /// What decided it.
    pub stage: Stage,
    /// The server's words: of success, those to RCPT. None if the connection broke or nothing
    /// was sent.
    pub reply: Option<Reply>,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum TransferStep {
    /// Send these lines.
    Send(Vec<u8>),
    /// Read a reply and give it to [`Transfer::reply`]. The stage chooses the time-out.
    Receive(Stage),
    /// Send the message with stuffed dots and a final dot, then call
    /// [`Transfer::content_sent`].
    SendContent,
    /// Send the message in chunks, each announced by [`Transfer::chunk`].
    SendChunks,
    /// Close the connection: the server is in a state that mail cannot be sent to.
    Abort,
    /// Ask for the verdicts.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Rset,
    Mail,
    Rcpt(usize),
    Data,
    Chunk,
    Dot,
}

/// A message under way.
#[derive(Debug)]
pub struct Transfer<'a> {
    letter: &'a Letter,
    extensions: &'a Extensions,
    planned: VecDeque<Command>,
    expected: VecDeque<Command>,
    rset: Option<Reply>,
    mail: Option<Reply>,
    rcpt: Vec<Option<Reply>>,
    data: Option<Reply>,
    content: Option<Reply>,
    /// The reply with which the server said that it closes the connection.
    closing: Option<Reply>,
    content_done: bool,
    hopeless: Option<Stage>,
    /// The server still thinks of an earlier transaction.
    reset_owed: bool,
}

impl<'a> Transfer<'a> {
    /// A message to a server with these `extensions`; `reset` if its last transaction was left
    /// open.
    #[must_use]
    pub fn new(letter: &'a Letter, extensions: &'a Extensions, reset: bool) -> Self {
        let mut transfer = Self {
            letter,
            extensions,
            planned: VecDeque::new(),
            expected: VecDeque::new(),
            rset: None,
            mail: None,
            rcpt: vec![None; letter.recipients.len()],
            data: None,
            content: None,
            closing: None,
            content_done: false,
            hopeless: None,
            reset_owed: reset,
        };
        if extensions
            .size
            .is_some_and(|limit| limit > 0 && letter.size > limit)
        {
            transfer.hopeless = Some(Stage::Size);
            return transfer;
        }
        if letter
            .sender
            .as_ref()
            .is_some_and(Address::is_international)
        {
            transfer.hopeless = Some(Stage::Address);
            return transfer;
        }
        transfer.planned.extend(reset.then_some(Command::Rset));
        transfer.planned.push_back(Command::Mail);
        let askable = |index: &usize| !letter.recipients[*index].address.is_international();
        let recipients = (0..letter.recipients.len()).filter(askable);
        transfer.planned.extend(recipients.map(Command::Rcpt));
        if !transfer.uses_chunks() {
            transfer.planned.push_back(Command::Data);
        }
        transfer
    }

    /// What to do next.
    pub fn step(&mut self) -> TransferStep {
        if self.hopeless.is_some() {
            return TransferStep::Done;
        }
        if self.closing.is_some() || self.is_out_of_step() {
            return TransferStep::Abort;
        }
        if let Some(stage) = self.awaited() {
            return TransferStep::Receive(stage);
        }
        if self.content_done || self.content.is_some() {
            return TransferStep::Done;
        }
        self.drop_the_pointless();
        if !self.planned.is_empty() {
            return TransferStep::Send(self.next_group());
        }
        match &self.data {
            Some(reply) if reply.code == 354 && self.has_accepted() => TransferStep::SendContent,
            // The server waits for a message that nobody may get: only closing is safe.
            Some(reply) if reply.code == 354 => TransferStep::Abort,
            Some(_) => TransferStep::Done,
            None if self.uses_chunks() && self.has_accepted() => TransferStep::SendChunks,
            None => TransferStep::Done,
        }
    }

    /// What the next reply will be about, if one is to come.
    #[must_use]
    pub fn awaited(&self) -> Option<Stage> {
        self.expected.front().map(|command| command.stage())
    }

    /// Takes the reply to the oldest command that has none yet.
    pub fn reply(&mut self, reply: Reply) {
        let Some(command) = self.expected.pop_front() else {
            return;
        };
        if reply.code == 421 {
            self.closing = Some(reply.clone());
        }
        match command {
            Command::Rset => self.rset = Some(reply),
            Command::Mail => self.mail = Some(reply),
            Command::Rcpt(index) => self.rcpt[index] = Some(reply),
            Command::Data => self.data = Some(reply),
            Command::Chunk if reply.is_positive() => {}
            Command::Chunk | Command::Dot => {
                // Of several refused chunks the first says why.
                self.content.get_or_insert(reply);
            }
        }
    }

    /// The line that announces a chunk of `size` octets.
    pub fn chunk(&mut self, size: usize, last: bool) -> String {
        self.expected
            .push_back(if last { Command::Dot } else { Command::Chunk });
        self.content_done = last;
        let last = if last { " LAST" } else { "" };
        format!("BDAT {size}{last}\r\n")
    }

    /// Chunks that were sent and not yet answered.
    #[must_use]
    pub fn chunks_unanswered(&self) -> usize {
        self.expected.len()
    }

    /// A chunk was refused: no more need be sent.
    #[must_use]
    pub const fn content_refused(&self) -> bool {
        self.content.is_some()
    }

    /// The message and its final dot are out.
    pub fn content_sent(&mut self) {
        self.content_done = true;
        self.expected.push_back(Command::Dot);
    }

    /// Whether the server still thinks of this transaction, or of an earlier one that this never
    /// ended, so that RSET must come first.
    #[must_use]
    pub fn needs_reset(&self) -> bool {
        if self.mail.is_none() {
            let reset = self.rset.as_ref().is_some_and(Reply::is_positive);
            return self.reset_owed && !reset;
        }
        let begun = self.mail.as_ref().is_some_and(Reply::is_positive);
        let ended = self.content.is_some() && !self.uses_chunks()
            || self.content.as_ref().is_some_and(Reply::is_positive);
        begun && !ended
    }

    /// What became of each recipient, in their order. Whatever has no answer is temporary.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        (0..self.rcpt.len())
            .map(|index| self.verdict(index))
            .collect()
    }

    fn verdict(&self, index: usize) -> Verdict {
        if let Some(stage) = self.hopeless {
            return Verdict {
                fate: Fate::Permanent,
                stage,
                reply: None,
            };
        }
        if self.letter.recipients[index].address.is_international() {
            return Verdict {
                fate: Fate::Permanent,
                stage: Stage::Address,
                reply: None,
            };
        }
        let steps = [(Stage::Reset, &self.rset), (Stage::Mail, &self.mail)];
        for (stage, reply) in steps {
            if let Some(reply) = reply.as_ref().filter(|reply| !reply.is_positive()) {
                let permanent = reply.is_permanent() && !is_bad_sequence(reply);
                return self.refused(stage, reply, stage == Stage::Mail && permanent);
            }
        }
        let Some(rcpt) = &self.rcpt[index] else {
            return self.unanswered(Stage::Rcpt);
        };
        if !rcpt.is_positive() {
            let permanent = rcpt.is_permanent() && !self.is_temporary_552(rcpt);
            return self.refused(Stage::Rcpt, rcpt, permanent);
        }
        if let Some(data) = self.data.as_ref().filter(|data| data.code != 354) {
            let permanent = data.is_permanent() && !is_bad_sequence(data);
            return self.refused(Stage::Data, data, permanent);
        }
        match &self.content {
            Some(reply) if reply.is_positive() => Verdict {
                fate: Fate::Accepted,
                stage: Stage::Rcpt,
                reply: Some(rcpt.clone()),
            },
            Some(reply) => self.refused(Stage::Content, reply, reply.is_permanent()),
            None => self.unanswered(Stage::Content),
        }
    }

    fn refused(&self, stage: Stage, reply: &Reply, permanent: bool) -> Verdict {
        let fate = if permanent {
            Fate::Permanent
        } else {
            Fate::Temporary
        };
        Verdict {
            fate,
            stage,
            reply: Some(reply.clone()),
        }
    }

    fn unanswered(&self, stage: Stage) -> Verdict {
        Verdict {
            fate: Fate::Temporary,
            stage,
            reply: self.closing.clone(),
        }
    }

    /// 552 to RCPT means "over quota" or "too many recipients" more often than "never".
    fn is_temporary_552(&self, reply: &Reply) -> bool {
        let text = reply.text();
        let listed = |known: &String| text.eq_ignore_ascii_case(known);
        reply.code == 552 && !self.letter.permanent_552.iter().any(listed)
    }

    fn uses_chunks(&self) -> bool {
        self.letter.chunking && self.extensions.chunking
    }

    fn has_accepted(&self) -> bool {
        let positive = |reply: &Option<Reply>| reply.as_ref().is_some_and(Reply::is_positive);
        positive(&self.mail) && self.rcpt.iter().any(positive)
    }

    /// The server does not stand where it should: what it says from now on may be about another
    /// transaction than ours. DATA is out of sequence for good reason if nobody was accepted.
    fn is_out_of_step(&self) -> bool {
        let refused = |reply: &Option<Reply>| reply.as_ref().is_some_and(|r| !r.is_positive());
        let bad = |reply: &Option<Reply>| reply.as_ref().is_some_and(is_bad_sequence);
        refused(&self.rset) || bad(&self.mail) || bad(&self.data) && self.has_accepted()
    }

    /// Without PIPELINING a refusal saves the commands behind it.
    fn drop_the_pointless(&mut self) {
        let refused = |reply: &Option<Reply>| reply.as_ref().is_some_and(|r| !r.is_positive());
        if refused(&self.rset) || refused(&self.mail) {
            self.planned.clear();
        }
        if self.planned.front() == Some(&Command::Data) && !self.has_accepted() {
            self.planned.clear();
        }
    }

    fn next_group(&mut self) -> Vec<u8> {
        let count = if self.extensions.pipelining { GROUP } else { 1 };
        let mut lines = Vec::new();
        for command in self.planned.drain(..count.min(self.planned.len())) {
            lines.extend_from_slice(self.letter.line(command, self.extensions).as_bytes());
            self.expected.push_back(command);
        }
        lines
    }
}

/// 503 speaks of the order of our commands, not of the message.
const fn is_bad_sequence(reply: &Reply) -> bool {
    reply.code == 503
}

impl Command {
    const fn stage(self) -> Stage {
        match self {
            Self::Rset => Stage::Reset,
            Self::Mail => Stage::Mail,
            Self::Rcpt(_) => Stage::Rcpt,
            Self::Data => Stage::Data,
            Self::Chunk | Self::Dot => Stage::Content,
        }
    }
}

impl Letter {
    fn line(&self, command: Command, extensions: &Extensions) -> String {
        match command {
            Command::Rset => "RSET\r\n".to_owned(),
            Command::Mail => self.mail_line(extensions),
            Command::Rcpt(index) => self.recipients[index].line(extensions),
            Command::Data => "DATA\r\n".to_owned(),
            Command::Chunk | Command::Dot => String::new(),
        }
    }

    fn mail_line(&self, extensions: &Extensions) -> String {
        let sender = self.sender.as_ref().map_or("", Address::as_str);
        let mut line = format!("MAIL FROM:<{sender}>");
        if extensions.size.is_some() {
            line += &format!(" SIZE={}", self.size);
        }
        if extensions.eight_bit_mime && self.eight_bit {
            line += " BODY=8BITMIME";
        }
        if extensions.dsn {
            line += match self.ret {
                Some(Ret::Full) => " RET=FULL",
                Some(Ret::Headers) => " RET=HDRS",
                None => "",
            };
            if let Some(envid) = &self.envid {
                line += &format!(" ENVID={}", xtext::encode(envid));
            }
        }
        if let Some(auth) = self.auth.as_ref().filter(|_| !extensions.auth.is_empty()) {
            line += &format!(" AUTH={}", xtext::encode(auth));
        }
        line + "\r\n"
    }
}

impl LetterRecipient {
    fn line(&self, extensions: &Extensions) -> String {
        let mut line = format!("RCPT TO:<{}>", self.address);
        if extensions.dsn {
            line += &self.notify_parameter();
            if let Some((kind, address)) = &self.original {
                line += &format!(" ORCPT={kind};{}", xtext::encode(address));
            }
        }
        line + "\r\n"
    }

    /// NOTIFY is passed on only if the sender gave it (RFC 3461 §5.2.1).
    fn notify_parameter(&self) -> String {
        if !self.notify.has(Notify::EXPLICIT) {
            return String::new();
        }
        let words = [
            (Notify::NEVER, "NEVER"),
            (Notify::SUCCESS, "SUCCESS"),
            (Notify::FAILURE, "FAILURE"),
            (Notify::DELAY, "DELAY"),
        ];
        let given = words.iter().filter(|(bit, _)| self.notify.has(*bit));
        let given: Vec<&str> = given.map(|(_, word)| *word).collect();
        if given.is_empty() {
            String::new()
        } else {
            format!(" NOTIFY={}", given.join(","))
        }
    }
}
