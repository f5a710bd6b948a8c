//! One session: what the machine of `mta_smtp` asks, answered from configuration, directory
//! and queue.

use super::debug::Lines;
use super::process::Server;
use super::wording::{port_refusal, said};
use super::{names, records, switching};
use mta_access::port::{PortDecision, PortProbe, ask_port};
use mta_channel::enqueue::{
    Context, Enqueuer, MailParams, MessageWriter, Peer, Protocol, RcptParams, ReverseName, Source,
    Transaction,
};
use mta_channel::session::{Counts, Limits, Security};
use mta_config::{Channel, ChannelOption, Config, MtaOption};
use mta_envelope::names::ChannelName;
use mta_envelope::status::Status;
use mta_ipc::handover::Arrival;
use mta_log::record::ConnectionAction;
use mta_mapping::Silent;
use mta_smtp::command::{Body, Mail, Rcpt};
use mta_smtp::data::{DataSummary, LongLines};
use mta_smtp::reply::{Refusal, Reply};
use mta_smtp::server::Stored;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// One client, from its connection to its end.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) server: Arc<Server>,
    /// Stays with the configuration that the conversation began with, which is this one:
    pub(super) enqueuer: Enqueuer,
    pub(super) config: Arc<Config>,
    pub(super) initial: ChannelName,
    pub(super) source: Arc<Source>,
    pub(super) counts: Counts,
    pub(super) security: Security,
    /// BODY=8BITMIME was announced for the message under way.
    pub(super) eight_bit: bool,
    pub(super) transaction: Option<Transaction>,
    pub(super) writer: Option<MessageWriter>,
    /// The envelope of a message that came to nothing without the client saying so.
    pub(super) leftover: Option<Transaction>,
    pub(super) lines: Lines,
    pub(super) number: u64,
    /// The connection was let in: its end is worth a record.
    pub(super) opened: bool,
    /// What PORT_ACCESS wants said in the record of the end.
    pub(super) site_text: Option<String>,
}

/// `log_connection`: the site's text in `C` records.
const SITE_TEXT: i64 = 16;

impl Conversation {
    /// A conversation about to begin; `None` if the initial channel is in no configuration.
    pub(super) fn new(server: &Arc<Server>, arrival: &Arrival) -> Option<Self> {
        let enqueuer = server.enqueuer.for_session();
        let config = enqueuer.config();
        let initial = server.channel.clone();
        let channel = config.channel(&initial)?;
        let probe = PortProbe {
            local: arrival.local,
            peer: arrival.peer,
        };
        let source = Source {
            peer: Some(peer(channel, arrival.local, arrival.peer)),
            protocol: Protocol::default(),
            port_probe: probe.text(),
            thread: u32::try_from(arrival.id).ok(),
            ..Source::internal(initial.clone(), "")
        };
        let lines = server
            .debug
            .of(&config, channel, channel)
            .numbered(arrival.id);
        let counts = Counts::new(Limits::new(&config, channel, channel));
        Some(Self {
            server: Arc::clone(server),
            initial,
            source: Arc::new(source),
            counts,
            security: Security::default(),
            eight_bit: false,
            transaction: None,
            writer: None,
            leftover: None,
            lines,
            number: arrival.id,
            opened: false,
            site_text: None,
            enqueuer,
            config,
        })
    }

    /// The numbers of the protocol machine.
    pub(super) fn limits(&self) -> mta_smtp::server::Limits {
        let initial = self.initial();
        let long_lines = if initial.is(ChannelOption::Rejectsmtplonglines) {
            LongLines::Reject
        } else if initial.is(ChannelOption::Wrapsmtplonglines) {
            LongLines::Wrap
        } else {
            LongLines::Truncate
        };
        mta_smtp::server::Limits {
            long_lines,
            command_time: initial.option_time("COMMAND_RECEIVE_TIME", 10.0),
            data_time: initial.option_time("DATA_RECEIVE_TIME", 5.0),
            transmit_time: initial.option_time("STATUS_TRANSMIT_TIME", 10.0),
            ..mta_smtp::server::Limits::default()
        }
    }

    pub(super) fn initial(&self) -> &Channel {
        self.config
            .channel(&self.initial)
            .expect("the session began on this channel of this configuration")
    }

    pub(super) fn current(&self) -> &Channel {
        self.config
            .channel(&self.source.channel)
            .unwrap_or_else(|| self.initial())
    }

    pub(super) fn context(&self) -> Context<'_> {
        Context {
            config: &self.config,
            directory: self.enqueuer.directory(),
            databases: self.enqueuer.databases(),
        }
    }

    pub(super) fn source_mut(&mut self) -> &mut Source {
        Arc::make_mut(&mut self.source)
    }

    /// From here on the session is on channel `name`.
    pub(super) fn switch(&mut self, name: &ChannelName) {
        if *name == self.source.channel {
            return;
        }
        self.lines.line(|| format!("source channel is now {name}"));
        self.source_mut().channel = name.clone();
        let config = Arc::clone(&self.config);
        let (initial, current) = (self.initial(), self.current());
        let limits = Limits::new(&config, initial, current);
        let lines = self.server.debug.of(&config, initial, current);
        self.counts.switch(limits);
        self.lines = lines.numbered(self.number);
    }

    /// Tells the debug log what a command is answered, if with a refusal.
    pub(super) fn answered(&self, command: impl FnOnce() -> String, refusal: Option<&Refusal>) {
        self.lines.line(|| match refusal {
            Some(refusal) => format!("{} -> {}", command(), refusal.reply.one_line()),
            None => format!("{} -> ok", command()),
        });
    }

    /// Asks PORT_ACCESS again; what the banner waits for, if it says so.
    pub(super) fn check_port(&mut self) -> Result<Option<u32>, Refusal> {
        let Some(peer) = &self.source.peer else {
            return Ok(None);
        };
        let probe = PortProbe {
            local: peer.local,
            peer: peer.remote,
        };
        let lookups = self.enqueuer.lookups(&self.config);
        let decision = ask_port(&self.config, &probe, false, &lookups, &mut Silent);
        let (PortDecision::Accept { notes, .. } | PortDecision::Refuse { notes, .. }) = &decision;
        for line in &notes.syslog {
            self.enqueuer.program_log().notice(line);
        }
        let wants_site_text = self.config.mta.int(MtaOption::LogConnection) & SITE_TEXT != 0;
        self.site_text = notes.close_record.clone().filter(|_| wants_site_text);
        match decision {
            PortDecision::Accept { purge_delay, .. } => Ok(purge_delay),
            PortDecision::Refuse { text, notes } => {
                let refusal = port_refusal(&text);
                let reply = refusal.reply.one_line();
                self.record(ConnectionAction::Refused, None, Some(&reply));
                if let Some(text) = &notes.refusal_record {
                    self.record(ConnectionAction::PortRefused, None, Some(text));
                }
                Err(refusal)
            }
        }
    }

    /// Writes a connection record of this session.
    pub(super) fn record(&self, action: ConnectionAction, user: Option<&str>, words: Option<&str>) {
        records::connection(&self.enqueuer, &self.source, action, user, words);
    }

    /// Looks the client up and chooses the source channel.
    pub(super) fn identify(&mut self) {
        let Some(address) = self.source.peer.as_ref().map(|peer| peer.remote.ip()) else {
            return;
        };
        let name = names::of_client(&self.server.dns, self.initial(), address);
        let current = switching::by_client(self.context(), self.initial(), address, &name);
        let current = current.name().clone();
        if let Some(peer) = &mut self.source_mut().peer {
            peer.name = name;
        }
        self.switch(&current);
        if self.security.tls {
            // On a port that speaks TLS from the first octet the handshake came before.
            self.switch_by_tls();
        }
    }

    /// `tlsswitchchannel`.
    pub(super) fn switch_by_tls(&mut self) {
        let next = switching::by_tls(self.context(), self.current());
        let next = next.name().clone();
        self.switch(&next);
    }

    /// A session without leftovers of a message.
    pub(super) fn forget(&mut self) {
        self.writer = None;
        self.transaction = None;
        self.eight_bit = false;
    }

    /// Takes what there is of a message apart, and keeps its envelope in case the connection
    /// is lost: then its recipients get a record.
    pub(super) fn put_aside(&mut self) {
        let written = self.writer.take().map(MessageWriter::give_up);
        self.leftover = written.or_else(|| self.transaction.take());
        self.forget();
    }

    pub(super) fn begin(&mut self, mail: &Mail) -> Result<(), Refusal> {
        if let (true, Some(sender)) = (
            self.current().is(ChannelOption::Mailfromdnsverify),
            &mail.sender,
        ) {
            names::verify_sender(&self.server.dns, &self.config, sender).map_err(said)?;
        }
        if let Some(words) = &mail.solicit {
            self.check_solicitation(words)?;
        }
        let params = MailParams {
            size: mail.size,
            eight_bit: mail.body == Some(Body::EightBitMime),
            ret: mail.ret,
            envelope_id: mail.envid.clone(),
            authenticated: mail.auth.clone().flatten(),
            arrived: None,
        };
        self.eight_bit = params.eight_bit;
        let transaction = self
            .enqueuer
            .begin_traced(
                &self.source,
                mail.sender.as_ref(),
                params,
                mta_log::time::now(),
                &mut self.lines,
            )
            .map_err(said)?;
        pause(transaction.delay());
        self.transaction = Some(transaction);
        self.counts.begin();
        Ok(())
    }

    /// RFC 3865: refuses classes that the source channel does not want.
    pub(super) fn check_solicitation(&self, words: &str) -> Result<(), Refusal> {
        let unwanted = self.current().text(ChannelOption::Sourcenosolicit);
        let unwanted: Vec<&str> = unwanted.unwrap_or("").split(',').map(str::trim).collect();
        let refused = words.split(',').any(|word| {
            unwanted
                .iter()
                .any(|known| known.eq_ignore_ascii_case(word.trim()))
        });
        if refused {
            let text = "solicitations of this class are not accepted here";
            return Err(Refusal::new(550, Status::new(5, 7, 1), text));
        }
        Ok(())
    }

    pub(super) fn take_recipient(&mut self, recipient: &Rcpt) -> Result<(), Refusal> {
        let params = RcptParams {
            notify: recipient.notify,
            original: recipient.original.clone(),
            ..RcptParams::default()
        };
        let address = recipient.address.as_str();
        let counted = self.counts.recipient();
        let limited = counted.is_err();
        let Some(transaction) = &mut self.transaction else {
            return Err(no_transaction());
        };
        let accepted =
            counted.and_then(|()| transaction.recipient_traced(address, &params, &mut self.lines));
        match accepted {
            Ok(accepted) => {
                self.counts.recipient_accepted();
                pause(accepted.delay);
                Ok(())
            }
            Err(refusal) => {
                if !limited {
                    self.counts.recipient_refused();
                }
                if self.counts.may_record_rejection() {
                    transaction.record_rejection(address, &params, &refusal);
                }
                Err(said(refusal))
            }
        }
    }

    /// Counts what VRFY and EXPN tell of addresses that are none: who guesses at them is no
    /// better than one who guesses by RCPT.
    pub(super) fn inquired(&mut self, reply: &Reply) {
        if reply.code >= 400 {
            self.counts.recipient_refused();
        }
    }

    pub(super) fn end_message(&mut self, summary: &DataSummary) -> Result<Stored, Refusal> {
        let Some(mut writer) = self.writer.take() else {
            return Err(no_transaction());
        };
        if summary.eight_bit && !self.eight_bit && self.current().is(ChannelOption::Eightstrict) {
            let text = self
                .config
                .mta
                .text(MtaOption::ErrorTextUnnegotiatedEightbit);
            let text = text.unwrap_or("message contains unnegotiated 8bit");
            let refusal = mta_channel::enqueue::Refusal::new(550, Status::new(5, 6, 0), text);
            writer.refuse(&refusal);
            return Err(said(refusal));
        }
        if summary.chunked {
            writer.came_in_chunks();
        }
        let enqueued = finish(writer).map_err(said)?;
        Ok(Stored {
            envelope_id: Some(enqueued),
        })
    }
}

/// Makes the message durable; its envelope id.
#[cfg(not(feature = "broken-early-250"))]
fn finish(writer: MessageWriter) -> Result<String, mta_channel::enqueue::Refusal> {
    writer.finish().map(|enqueued| enqueued.envelope_id)
}

/// The mistake that the test of the order on disk must find: the answer goes out while the
/// message is not yet safe. Never built but for that test.
#[cfg(feature = "broken-early-250")]
fn finish(writer: MessageWriter) -> Result<String, mta_channel::enqueue::Refusal> {
    let id = writer.envelope_id().to_owned();
    drop(std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        drop(writer.finish());
    }));
    Ok(id)
}

fn peer(initial: &Channel, local: SocketAddr, remote: SocketAddr) -> Peer {
    Peer {
        local,
        remote,
        helo: None,
        name: ReverseName::NotAsked,
        show_address: !initial.is(ChannelOption::Identnonesymbolic),
        show_comment: initial.option_int("CHECK_SOURCE", 1) != 0,
    }
}

pub(super) fn no_transaction() -> Refusal {
    let text = "No MAIL FROM command has been given.";
    Refusal::new(503, Status::new(5, 5, 0), text)
}

/// `$D` of an access table. The machine does not count the time that a policy takes.
fn pause(delay: Duration) {
    if !delay.is_zero() {
        std::thread::sleep(delay);
    }
}
