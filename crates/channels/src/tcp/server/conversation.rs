//! One session: what the machine of `mta_smtp` asks, answered from configuration, directory
//! and queue.

use super::certificate::Certificate;
use super::debug::Lines;
use super::process::Server;
use super::wording::{ending, port_refusal, said};
use super::{inquiry, names, records, switching};
use mta_access::port::{PortDecision, PortProbe, port_access};
use mta_channel::enqueue::{
    Context, MailParams, MessageWriter, Peer, Protocol, RcptParams, ReverseName, Source,
    Transaction, source_limit,
};
use mta_channel::session::{self, Counts, Limits, Security};
use mta_config::{Channel, ChannelOption, Config, MtaOption};
use mta_envelope::names::ChannelName;
use mta_envelope::status::Status;
use mta_ipc::handover::Arrival;
use mta_log::record::ConnectionAction;
use mta_smtp::command::{Body, Hello, Mail, PrivateVerb, Rcpt};
use mta_smtp::data::{DataFault, DataSummary, LongLines};
use mta_smtp::extension::Offers;
use mta_smtp::reply::{Refusal, Reply};
use mta_smtp::sasl::{Credentials, Mechanism};
use mta_smtp::server::{BadCommand, Closed, Greeting, Policy, Stored, Welcome};
use mta_smtp::tls::{Acceptor, Negotiated};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// One client, from its connection to its end.
#[derive(Debug)]
pub(super) struct Conversation {
    server: Arc<Server>,
    config: Arc<Config>,
    initial: ChannelName,
    source: Arc<Source>,
    counts: Counts,
    security: Security,
    /// BODY=8BITMIME was announced for the message under way.
    eight_bit: bool,
    transaction: Option<Transaction>,
    writer: Option<MessageWriter>,
    lines: Lines,
    number: u64,
    /// The connection was let in: its end is worth a record.
    opened: bool,
    /// What PORT_ACCESS wants said in the record of the end.
    site_text: Option<String>,
}

/// `log_connection`: the site's text in `C` records.
const SITE_TEXT: i64 = 16;

impl Conversation {
    /// A conversation about to begin; `None` if the initial channel is in no configuration.
    pub(super) fn new(server: &Arc<Server>, arrival: &Arrival) -> Option<Self> {
        let config = server.enqueuer.config();
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
            lines,
            number: arrival.id,
            opened: false,
            site_text: None,
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

    fn initial(&self) -> &Channel {
        self.config
            .channel(&self.initial)
            .expect("the session began on this channel of this configuration")
    }

    fn current(&self) -> &Channel {
        self.config
            .channel(&self.source.channel)
            .unwrap_or_else(|| self.initial())
    }

    fn context(&self) -> Context<'_> {
        Context {
            config: &self.config,
            directory: self.server.enqueuer.directory(),
        }
    }

    fn source_mut(&mut self) -> &mut Source {
        Arc::make_mut(&mut self.source)
    }

    /// From here on the session is on channel `name`.
    fn switch(&mut self, name: &ChannelName) {
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
    fn answered(&self, command: impl FnOnce() -> String, refusal: Option<&Refusal>) {
        self.lines.line(|| match refusal {
            Some(refusal) => format!("{} -> {}", command(), refusal.reply.one_line()),
            None => format!("{} -> ok", command()),
        });
    }

    /// Asks PORT_ACCESS again; what the banner waits for, if it says so.
    fn check_port(&mut self) -> Result<Option<u32>, Refusal> {
        let Some(peer) = &self.source.peer else {
            return Ok(None);
        };
        let probe = PortProbe {
            local: peer.local,
            peer: peer.remote,
        };
        let decision = port_access(&self.config, &probe, false);
        let (PortDecision::Accept { notes, .. } | PortDecision::Refuse { notes, .. }) = &decision;
        for line in &notes.syslog {
            self.server.enqueuer.program_log().write(line);
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
    fn record(&self, action: ConnectionAction, user: Option<&str>, words: Option<&str>) {
        records::connection(&self.server.enqueuer, &self.source, action, user, words);
    }

    /// Looks the client up and chooses the source channel.
    fn identify(&mut self) {
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
    }

    /// A session without leftovers of a message.
    fn forget(&mut self) {
        self.writer = None;
        self.transaction = None;
        self.eight_bit = false;
    }

    fn begin(&mut self, mail: &Mail) -> Result<(), Refusal> {
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
            .server
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
    fn check_solicitation(&self, words: &str) -> Result<(), Refusal> {
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

    fn take_recipient(&mut self, recipient: &Rcpt) -> Result<(), Refusal> {
        let params = RcptParams {
            notify: recipient.notify,
            original: recipient.original.clone(),
            trusted: false,
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

    fn end_message(&mut self, summary: &DataSummary) -> Result<Stored, Refusal> {
        let Some(writer) = self.writer.take() else {
            return Err(no_transaction());
        };
        if summary.eight_bit && !self.eight_bit && self.current().is(ChannelOption::Eightstrict) {
            let text = self
                .config
                .mta
                .text(MtaOption::ErrorTextUnnegotiatedEightbit);
            let text = text.unwrap_or("message contains unnegotiated 8bit");
            return Err(Refusal::new(550, Status::new(5, 6, 0), text));
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

impl Policy for Conversation {
    fn greeting(&mut self) -> Result<Greeting, Refusal> {
        let purge = self.check_port()?;
        self.identify();
        self.opened = true;
        self.record(ConnectionAction::Opened, None, None);
        let initial = self.initial();
        let lines = session::banner(&self.config, initial);
        self.lines.line(|| {
            let peer = self.source.peer.as_ref();
            let peer = peer.map_or_else(String::new, |peer| peer.remote.to_string());
            format!(
                "connection from {peer}, source channel {}",
                self.source.channel
            )
        });
        let usual = u32::try_from(initial.option_int("BANNER_PURGE_DELAY", 0)).unwrap_or(0);
        let hundredths = u64::from(purge.unwrap_or(usual)).min(6_000);
        Ok(Greeting {
            reply: Reply {
                code: 220,
                status: None,
                lines,
            },
            purge_delay: Duration::from_millis(hundredths * 10),
        })
    }

    fn hello(&mut self, hello: &Hello) -> Result<Welcome, Refusal> {
        if hello.extended && self.current().is(ChannelOption::Refuseehlo) {
            let text = "EHLO is not supported, use HELO";
            return Err(Refusal::new(502, Status::new(5, 5, 1), text));
        }
        let verb = if hello.extended { "EHLO" } else { "HELO" };
        self.answered(|| format!("{verb} {}", hello.name), None);
        let source = self.source_mut();
        source.protocol.modifiers.esmtp = hello.extended;
        let client = match &mut source.peer {
            Some(peer) => {
                peer.helo = Some(hello.name.clone());
                peer.remote.ip().to_canonical().to_string()
            }
            None => String::new(),
        };
        let host = self.initial().option("BANNER_HOST");
        Ok(Welcome {
            host: host.unwrap_or_else(|| self.config.local_host()).to_owned(),
            client,
        })
    }

    fn offers(&mut self) -> Offers {
        let (initial, current) = (self.initial(), self.current());
        let is = |option| current.is(option);
        let tls = is(ChannelOption::Maytlsserver) || is(ChannelOption::Musttlsserver);
        let sasl = is(ChannelOption::Maysaslserver) || is(ChannelOption::Mustsaslserver);
        let expand = is(ChannelOption::Expnallow)
            || (is(ChannelOption::Expndefault) && initial.option_int("DISABLE_EXPAND", 0) == 0);
        Offers {
            eight_bit_mime: !initial.is(ChannelOption::Sevenbit),
            chunking: !is(ChannelOption::Nochunkingserver),
            expn: expand,
            private: Vec::new(),
            xloop: initial
                .is(ChannelOption::Loopcheck)
                .then(|| crate::tcp::identity::loop_digits(&self.config, &self.server.root)),
            starttls: tls && Certificate::is_configured(&self.config),
            auth: if sasl {
                Mechanism::ALL.to_vec()
            } else {
                Vec::new()
            },
            etrn: !is(ChannelOption::Disableetrn),
            no_soliciting: current
                .text(ChannelOption::Sourcenosolicit)
                .unwrap_or("")
                .to_owned(),
            size: source_limit(&self.config, current.name()).unwrap_or(0),
        }
    }

    fn start_tls(&mut self) -> Result<Acceptor, Refusal> {
        let log = Arc::clone(self.server.enqueuer.program_log());
        let acceptor = self
            .server
            .certificate
            .acceptor(&self.config, &self.server.root, |error| {
                log.write(&format!("TLS: {}", mta_process::exit::with_causes(error)));
            });
        let refusal = || {
            Refusal::new(
                454,
                Status::new(4, 7, 1),
                "TLS library initialization failure",
            )
        };
        let acceptor = acceptor.ok_or_else(refusal);
        self.answered(|| "STARTTLS".to_owned(), acceptor.as_ref().err());
        acceptor
    }

    fn tls_started(&mut self, tls: &Negotiated) {
        self.forget();
        self.lines
            .line(|| format!("TLS established: {} {}", tls.version, tls.cipher));
        self.security.tls = true;
        let source = self.source_mut();
        source.protocol.modifiers.tls = true;
        source.protocol.cipher = Some(format!("{}-{}", tls.version, tls.cipher));
        if let Some(peer) = &mut source.peer {
            peer.helo = None;
        }
        let next = switching::by_tls(self.context(), self.current());
        let next = next.name().clone();
        self.switch(&next);
    }

    fn auth_begin(&mut self, mechanism: Mechanism) -> Result<(), Refusal> {
        let address = self.source.peer.as_ref().map(|peer| peer.remote.ip());
        let checked =
            session::auth_access(&self.config, mechanism.name(), address, self.security.tls);
        checked.map_err(said)
    }

    fn authenticate(
        &mut self,
        mechanism: Mechanism,
        credentials: &Credentials,
    ) -> Result<(), Refusal> {
        let checked = inquiry::authenticate(self.server.enqueuer.directory(), credentials);
        let (result, refusal) = match checked {
            Ok(account) => (Some(account), None),
            Err(refusal) => (None, Some(refusal)),
        };
        let success = format!("235 2.7.0 {} authentication successful.", mechanism.name());
        let diagnostic = refusal
            .as_ref()
            .map_or(success, |refusal| refusal.reply.one_line());
        let (user, words) = (credentials.user.as_str(), Some(diagnostic.as_str()));
        let action = ConnectionAction::Authentication;
        records::connection(
            &self.server.enqueuer,
            &self.source,
            action,
            Some(user),
            words,
        );
        self.answered(
            || format!("AUTH {} {user}", mechanism.name()),
            refusal.as_ref(),
        );
        match (result, refusal) {
            (Some(account), _) => {
                self.security.authenticated = true;
                let source = self.source_mut();
                source.protocol.modifiers.auth = true;
                source.user.clone_from(&account.address);
                source.authenticated = Some(account.address);
                let of_user = account.submit_channel.as_deref();
                let next = switching::by_user(self.context(), self.current(), of_user);
                let next = next.name().clone();
                self.switch(&next);
                Ok(())
            }
            (None, Some(refusal)) => {
                let last = refusal.reply.is_permanent() && self.counts.bad_auth();
                Err(if last { refusal.and_close() } else { refusal })
            }
            (None, None) => Err(Refusal::bad_credentials()),
        }
    }

    fn mail_begin(&mut self) -> Result<(), Refusal> {
        let config = Arc::clone(&self.config);
        let source = Arc::clone(&self.source);
        let Some(current) = config.channel(&source.channel) else {
            return Err(no_transaction());
        };
        self.counts.mail(current, self.security).map_err(said)
    }

    fn mail(&mut self, mail: &Mail) -> Result<(), Refusal> {
        self.forget();
        let begun = self.begin(mail);
        self.answered(
            || {
                let sender = mail.sender.as_ref().map_or("", |sender| sender.as_str());
                format!("MAIL FROM:<{sender}>")
            },
            begun.as_ref().err(),
        );
        begun
    }

    fn recipient(&mut self, recipient: &Rcpt) -> Result<(), Refusal> {
        let taken = self.take_recipient(recipient);
        let command = || format!("RCPT TO:<{}>", recipient.address);
        self.answered(command, taken.as_ref().err());
        taken
    }

    fn data_begin(&mut self) -> Result<(), Refusal> {
        let opened = self
            .counts
            .data()
            .and_then(|()| match self.transaction.take() {
                Some(transaction) => transaction.message(),
                None => Err(mta_channel::enqueue::Refusal::new(
                    503,
                    Status::new(5, 5, 0),
                    "No MAIL FROM command has been given.",
                )),
            });
        let opened = opened.map_err(said);
        self.answered(|| "DATA".to_owned(), opened.as_ref().err());
        self.writer = Some(opened?);
        Ok(())
    }

    fn long_line(&mut self, treatment: LongLines) {
        if let (Some(writer), Some(line)) = (&mut self.writer, treatment.warning()) {
            writer.add_header(line);
        }
    }

    fn data_chunk(&mut self, octets: &[u8]) {
        if let Some(writer) = &mut self.writer {
            writer.write(octets);
        }
    }

    fn data_end(&mut self, summary: &DataSummary) -> Result<Stored, Refusal> {
        let stored = self.end_message(summary);
        self.lines.line(|| match &stored {
            Ok(stored) => format!(
                "message of {} octets is safe, id {}",
                summary.octets,
                stored.envelope_id.as_deref().unwrap_or_default()
            ),
            Err(refusal) => format!(
                "message of {} octets refused: {}",
                summary.octets,
                refusal.reply.one_line()
            ),
        });
        self.forget();
        stored
    }

    fn data_refused(&mut self, fault: DataFault) -> Refusal {
        let mut refusal = fault.refusal();
        let own = self.config.mta.text(MtaOption::ErrorTextSmtpLinesTooLong);
        if let Some(text) = own.filter(|_| fault == DataFault::LongLine) {
            refusal.reply.lines = vec![text.to_owned()];
        }
        if let Some(writer) = self.writer.take() {
            let reply = &refusal.reply;
            let status = reply.status_or_class();
            let told =
                mta_channel::enqueue::Refusal::new(reply.code, status, reply.lines.join(" "));
            writer.refuse(&told);
        }
        self.answered(|| "message data".to_owned(), Some(&refusal));
        self.forget();
        refusal
    }

    fn rset(&mut self) -> Result<(), Refusal> {
        self.counts.rset().map_err(said)
    }

    fn reset(&mut self) {
        self.forget();
    }

    fn verify(&mut self, address: &str) -> Reply {
        if let Err(refusal) = self.counts.recipient() {
            return said(refusal).reply;
        }
        let hidden = self.current().is(ChannelOption::Vrfyhide)
            || (self.current().is(ChannelOption::Vrfydefault)
                && self.initial().option_int("HIDE_VERIFY", 0) == 1);
        inquiry::verify(&self.server.enqueuer, &self.source, address, hidden)
    }

    fn expand(&mut self, list: &str) -> Reply {
        inquiry::expand(&self.server.enqueuer, &self.source, list)
    }

    fn etrn(&mut self, target: &str) -> Reply {
        let limit = self.initial().option_int("ALLOW_ETRNS_PER_SESSION", 1);
        let allowed = self.counts.may_etrn(u64::try_from(limit).unwrap_or(0));
        let reply = if allowed {
            inquiry::etrn(self.context(), &self.server, &self.source, target)
        } else {
            Reply::new(458, (4, 7, 1), "ETRN session limit reached")
        };
        let diagnostic = format!("{target} {}", reply.one_line());
        self.record(ConnectionAction::Etrn, None, Some(&diagnostic));
        reply
    }

    fn private(&mut self, verb: PrivateVerb, _argument: &str) -> Reply {
        let name = match verb {
            PrivateVerb::Xadr => "XADR",
            PrivateVerb::Xcir => "XCIR",
            PrivateVerb::Xgen => "XGEN",
            PrivateVerb::Xsta => "XSTA",
        };
        Reply::new(550, (5, 7, 0), format!("{name} command has been disabled."))
    }

    fn bad_command(&mut self, bad: &BadCommand<'_>) -> Option<Refusal> {
        self.lines
            .line(|| format!("{} -> {}", bad.line, bad.reply.one_line()));
        if self.counts.may_record_bad_command() {
            records::bad_command(&self.server.enqueuer, &self.source, bad.line, bad.reply);
        }
        self.counts.bad_command().map(said)
    }

    fn closed(&mut self, reason: &Closed) {
        self.forget();
        let reason = ending(reason);
        self.lines
            .line(|| format!("closed: {}", reason.as_deref().unwrap_or("QUIT")));
        if self.opened {
            let words = match (reason, &self.site_text) {
                (Some(reason), Some(site)) => Some(format!("{reason} {site}")),
                (reason, site) => reason.or_else(|| site.clone()),
            };
            self.record(ConnectionAction::Closed, None, words.as_deref());
        }
    }
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

fn no_transaction() -> Refusal {
    let text = "No MAIL FROM command has been given.";
    Refusal::new(503, Status::new(5, 5, 0), text)
}

/// `$D` of an access table. The machine does not count the time that a policy takes.
fn pause(delay: Duration) {
    if !delay.is_zero() {
        std::thread::sleep(delay);
    }
}
