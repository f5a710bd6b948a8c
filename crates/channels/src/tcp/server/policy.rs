//! What the session machine asks, one answer after the other.

use super::certificate::Certificate;
use super::conversation::{Conversation, no_transaction};
use super::wording::{ending, said};
use super::{inquiry, records, switching};
use mta_access::auth::AuthProbe;
use mta_channel::enqueue::source_limit;
use mta_channel::session;
use mta_config::{ChannelOption, MtaOption};
use mta_envelope::status::Status;
use mta_log::record::ConnectionAction;
use mta_smtp::command::{Hello, Mail, PrivateVerb, Rcpt};
use mta_smtp::data::{DataFault, DataSummary, LongLines};
use mta_smtp::extension::Offers;
use mta_smtp::reply::{Refusal, Reply};
use mta_smtp::sasl::{Credentials, Mechanism};
use mta_smtp::server::{BadCommand, Closed, Greeting, Policy, Stored, Welcome};
use mta_smtp::tls::{Acceptor, Negotiated};
use std::sync::Arc;
use std::time::Duration;

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
        self.leftover = None;
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
            starttls_permitted: tls,
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
        let log = Arc::clone(self.enqueuer.program_log());
        let acceptor = self
            .server
            .certificate
            .acceptor(&self.config, &self.server.root, |error| {
                log.write(&format!("TLS: {}", mta_process::exit::with_causes(error)));
            });
        let certificate = &self.server.certificate;
        if acceptor.is_none() && certificate.is_newly_missed(&self.config) {
            self.enqueuer.program_log().write(
                "TLS: no tls_certificate is set; whoever connects to a port that begins with TLS \
                 is sent away",
            );
        }
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
        self.leftover = None;
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
        self.switch_by_tls();
    }

    fn auth_begin(&mut self, mechanism: Mechanism, user: &str) -> Result<(), Refusal> {
        let Some(peer) = &self.source.peer else {
            return Ok(());
        };
        let probe = AuthProbe {
            mechanism: mechanism.name(),
            client: peer.remote.ip(),
            user,
            tls: self.security.tls,
        };
        let lookups = self.enqueuer.lookups(&self.config);
        session::auth_access(&self.config, &probe, &lookups).map_err(said)
    }

    fn authenticate(
        &mut self,
        mechanism: Mechanism,
        credentials: &Credentials,
    ) -> Result<(), Refusal> {
        let checked = inquiry::authenticate(self.enqueuer.directory(), credentials);
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
        records::connection(&self.enqueuer, &self.source, action, Some(user), words);
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
        self.leftover = None;
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

    fn data_chunk(&mut self, octets: &[u8]) -> bool {
        self.writer
            .as_mut()
            .is_some_and(|writer| writer.write(octets))
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
        self.counts.rset().map_err(said)?;
        // What the client takes back itself leaves nothing to tell.
        self.forget();
        Ok(())
    }

    fn reset(&mut self) {
        self.put_aside();
    }

    fn verify(&mut self, address: &str) -> Reply {
        if let Err(refusal) = self.counts.verify() {
            return said(refusal).reply;
        }
        let hidden = self.current().is(ChannelOption::Vrfyhide)
            || (self.current().is(ChannelOption::Vrfydefault)
                && self.initial().option_int("HIDE_VERIFY", 0) == 1);
        let reply = inquiry::verify(&self.enqueuer, &self.source, address, hidden);
        self.inquired(&reply);
        reply
    }

    fn expand(&mut self, list: &str) -> Reply {
        if let Err(refusal) = self.counts.verify() {
            return said(refusal).reply;
        }
        let reply = inquiry::expand(&self.enqueuer, &self.source, list);
        self.inquired(&reply);
        reply
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
            records::bad_command(&self.enqueuer, &self.source, bad.line, bad.reply);
        }
        self.counts.bad_command().map(said)
    }

    fn closed(&mut self, reason: &Closed) {
        let reason = ending(reason);
        if let (Some(envelope), Some(reason)) = (&self.leftover, &reason) {
            envelope.record_abort(reason);
        }
        self.leftover = None;
        self.forget();
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
