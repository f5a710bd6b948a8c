//! A policy of local parts: `unknown`, `later` and `bye` are refused, everything else is taken.

use std::collections::VecDeque;
use std::time::Duration;

use mta_envelope::status::Status;

use super::super::{BadCommand, Closed, Greeting, Limits, Policy, Stored, Welcome};
use crate::command::{Hello, Mail, PrivateVerb, Rcpt};
use crate::data::{DataFault, DataSummary, LongLines};
use crate::extension::Offers;
use crate::reply::{Refusal, Reply};
use crate::sasl::{Credentials, Mechanism};
use crate::tls::{Acceptor, Negotiated};

pub(crate) struct TestPolicy {
    pub(crate) limits: Limits,
    pub(crate) offers: Offers,
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) told: VecDeque<String>,
    sender: String,
    recipients: Vec<String>,
    message: Vec<u8>,
    pub(crate) bad_commands_left: u32,
    /// Tell the lines of bad commands.
    pub(crate) tells_bad_commands: bool,
    /// Octets of a message that are wanted.
    pub(crate) room: usize,
}

pub(crate) fn negotiated() -> Negotiated {
    Negotiated {
        version: "TLSv1.3".into(),
        cipher: "TLS13_AES_128_GCM_SHA256".into(),
        server_name: None,
    }
}

impl TestPolicy {
    pub(crate) fn new() -> Self {
        Self {
            limits: Limits {
                command_line: 512,
                drain: 100_000,
                ..Limits::default()
            },
            offers: Offers {
                eight_bit_mime: true,
                chunking: true,
                starttls: true,
                auth: Mechanism::ALL.to_vec(),
                ..Offers::default()
            },
            acceptor: None,
            told: VecDeque::new(),
            sender: String::new(),
            recipients: Vec::new(),
            message: Vec::new(),
            bad_commands_left: 100,
            tells_bad_commands: false,
            room: usize::MAX,
        }
    }

    fn verdict(local: &str) -> Result<(), Refusal> {
        match local {
            "unknown" => Err(Refusal::new(
                550,
                Status::UNKNOWN_USER,
                "unknown or illegal user: it",
            )),
            "later" => Err(Refusal::new(452, Status::new(4, 2, 1), "try later")),
            "bye" => {
                Err(Refusal::new(450, Status::new(4, 7, 0), "limit; disconnecting").and_close())
            }
            _ => Ok(()),
        }
    }

    fn tell(&mut self, event: String) {
        self.told.push_back(event);
    }
}

impl Policy for TestPolicy {
    fn greeting(&mut self) -> Result<Greeting, Refusal> {
        let purge_delay = Duration::ZERO;
        let reply = Reply::plain(220, "mx ESMTP");
        self.told.clear();
        // Scripts begin behind the banner, which `tests::order` looks at itself.
        Ok(Greeting { reply, purge_delay })
    }

    fn hello(&mut self, hello: &Hello) -> Result<Welcome, Refusal> {
        self.tell(format!("hello {}", hello.name));
        Ok(Welcome {
            host: "mx".into(),
            client: "192.0.2.1".into(),
        })
    }

    fn offers(&mut self) -> Offers {
        self.offers.clone()
    }

    fn start_tls(&mut self) -> Result<Acceptor, Refusal> {
        let text = "TLS library initialization failure";
        self.acceptor
            .clone()
            .ok_or(Refusal::new(454, Status::new(4, 7, 1), text))
    }

    fn tls_started(&mut self, _tls: &Negotiated) {
        self.tell("tls".into());
    }

    fn auth_begin(&mut self, _mechanism: Mechanism, _user: &str) -> Result<(), Refusal> {
        Ok(())
    }

    fn authenticate(
        &mut self,
        _mechanism: Mechanism,
        credentials: &Credentials,
    ) -> Result<(), Refusal> {
        if credentials.password != "secret" {
            return Err(Refusal::bad_credentials());
        }
        self.tell(format!("user {}", credentials.user));
        Ok(())
    }

    fn mail_begin(&mut self) -> Result<(), Refusal> {
        Ok(())
    }

    fn mail(&mut self, mail: &Mail) -> Result<(), Refusal> {
        Self::verdict(mail.sender.as_ref().map_or("", |sender| sender.local()))?;
        assert!(
            self.recipients.is_empty() && self.message.is_empty(),
            "state kept"
        );
        self.sender = mail
            .sender
            .as_ref()
            .map_or(String::new(), ToString::to_string);
        Ok(())
    }

    fn recipient(&mut self, recipient: &Rcpt) -> Result<(), Refusal> {
        Self::verdict(recipient.address.local())?;
        self.recipients.push(recipient.address.to_string());
        Ok(())
    }

    fn data_begin(&mut self) -> Result<(), Refusal> {
        assert!(
            !self.recipients.is_empty() && self.message.is_empty(),
            "nobody to send to"
        );
        match self.recipients[0].as_str() {
            "nodata@x" => Err(Refusal::new(451, Status::new(4, 4, 5), "no data now")),
            _ => Ok(()),
        }
    }

    fn long_line(&mut self, treatment: LongLines) {
        self.tell(format!("long line: {treatment:?}"));
    }

    fn data_chunk(&mut self, octets: &[u8]) -> bool {
        assert!(!octets.contains(&b'\r') && !octets.is_empty());
        let wanted = self.message.len() + octets.len() <= self.room;
        if wanted {
            self.message.extend_from_slice(octets);
        }
        wanted
    }

    fn data_end(&mut self, summary: &DataSummary) -> Result<Stored, Refusal> {
        let message = String::from_utf8_lossy(&std::mem::take(&mut self.message))
            .escape_debug()
            .to_string();
        let recipients = std::mem::take(&mut self.recipients);
        let summary = format!("{} octets", summary.octets);
        if recipients[0] == "full@x" {
            return Err(Refusal::new(452, Status::new(4, 3, 1), "disk full"));
        }
        self.tell(format!(
            "stored {} > {}: {message} ({summary})",
            self.sender,
            recipients.join(" ")
        ));
        Ok(Stored {
            envelope_id: Some("ID@mx".into()),
        })
    }

    fn data_refused(&mut self, fault: DataFault) -> Refusal {
        self.message.clear();
        self.recipients.clear();
        self.tell(format!("refused: {fault}"));
        fault.refusal()
    }

    fn rset(&mut self) -> Result<(), Refusal> {
        Ok(())
    }

    fn reset(&mut self) {
        self.message.clear();
        self.recipients.clear();
    }

    fn verify(&mut self, address: &str) -> Reply {
        assert_ne!(address, "panic", "a bug in the policy");
        Reply::new(
            252,
            (2, 5, 0),
            format!("Possible local address <{address}>"),
        )
    }

    fn expand(&mut self, list: &str) -> Reply {
        Reply::new(250, (2, 1, 5), list)
    }

    fn etrn(&mut self, target: &str) -> Reply {
        Reply::new(
            250,
            (2, 0, 0),
            format!("Queue processing started for {target}"),
        )
    }

    fn private(&mut self, verb: PrivateVerb, argument: &str) -> Reply {
        Reply::plain(250, format!("{} {argument}", verb.word()))
    }

    fn bad_command(&mut self, bad: &BadCommand<'_>) -> Option<Refusal> {
        if self.tells_bad_commands {
            self.tell(format!("bad: {}", bad.line));
        }
        if self.bad_commands_left == 0 {
            let text = "Session bad command limit reached; disconnecting";
            return Some(Refusal::new(450, Status::new(4, 7, 0), text).and_close());
        }
        self.bad_commands_left -= 1;
        None
    }

    fn closed(&mut self, reason: &Closed) {
        let reason = match reason {
            Closed::Refused(reply) => format!("refused {}", reply.code),
            other => format!("{other:?}"),
        };
        self.tell(format!("closed: {reason}"));
    }
}
