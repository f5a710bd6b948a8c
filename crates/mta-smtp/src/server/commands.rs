//! What each command does.

use super::policy::{Closed, Policy, Welcome};
use super::session::{Answer, Mode, Session};
use super::transaction::Transaction;
use crate::command::{self, Command, Hello, Mail, Rcpt, Verb};
use crate::reply::{Refusal, Reply};
use crate::sasl;

impl Session {
    pub(super) fn command(&mut self, line: &str, policy: &mut dyn Policy) -> Answer {
        let (verb, arguments) = match command::split(line.trim_end_matches([' ', '\t'])) {
            Ok(split) => split,
            Err(error) => return Answer::Bad(error.reply()),
        };
        if let Some(reply) = self.transaction.out_of_order(verb) {
            return self.misplaced(verb, arguments, reply, policy);
        }
        if verb == Verb::Mail
            && let Err(refusal) = policy.mail_begin()
        {
            return refusal.into();
        }
        match command::parse(verb, arguments) {
            Ok(command) => self.perform(command, policy),
            Err(error) if verb == Verb::Bdat => {
                // Nobody knows how many octets follow: they must not be taken for commands.
                let reply = error.reply();
                Answer::Last(reply.clone(), Closed::Refused(reply))
            }
            Err(error) => Answer::Bad(error.reply()),
        }
    }

    /// A command that is not legal now. The octets of a BDAT are skipped all the same.
    fn misplaced(
        &mut self,
        verb: Verb,
        arguments: &str,
        reply: Reply,
        policy: &mut dyn Policy,
    ) -> Answer {
        if verb != Verb::Bdat {
            return Answer::Bad(reply);
        }
        match command::parse(verb, arguments) {
            Ok(Command::Bdat(chunk)) => {
                if !matches!(self.transaction, Transaction::None) {
                    self.spoil(policy);
                }
                self.skip_chunk(chunk, reply.into());
                Answer::Nothing
            }
            Ok(_) | Err(_) => Answer::Last(reply.clone(), Closed::Refused(reply)),
        }
    }

    fn perform(&mut self, command: Command, policy: &mut dyn Policy) -> Answer {
        match command {
            Command::Hello(hello) => self.hello(&hello, policy).into(),
            Command::Mail(mail) => self.mail(&mail, policy).into(),
            Command::Rcpt(rcpt) => self.rcpt(&rcpt, policy).into(),
            Command::Data => self.data_command(policy),
            Command::Bdat(chunk) => self.bdat(chunk, policy),
            Command::Rset => match policy.rset() {
                Ok(()) => {
                    self.forget(policy);
                    Answer::Reply(ok())
                }
                Err(refusal) => refusal.into(),
            },
            Command::Noop => Answer::Reply(ok()),
            Command::Quit => {
                let reply = Reply::new(221, (2, 3, 0), "Bye received. Goodbye.");
                Answer::Last(reply, Closed::Quit)
            }
            Command::Help => Answer::Reply(help()),
            Command::Vrfy(address) => Answer::Reply(policy.verify(&address)),
            Command::Expn(_) | Command::Etrn(_) | Command::Private(..) | Command::Send => {
                Answer::Reply(optional(&command, policy))
            }
            Command::StartTls => self.start_tls(policy),
            Command::Auth { mechanism, initial } => {
                self.auth(&mechanism, initial.as_deref(), policy)
            }
        }
    }

    fn hello(&mut self, hello: &Hello, policy: &mut dyn Policy) -> Result<Reply, Refusal> {
        self.forget(policy);
        let Welcome { host, client } = policy.hello(hello)?;
        if !hello.extended {
            return Ok(Reply::plain(250, format!("{host} OK, [{client}].")));
        }
        let mut offers = policy.offers();
        offers.starttls = offers.starttls && !self.tls;
        if !self.tls || self.authenticated {
            offers.auth.clear();
        }
        Ok(Reply {
            code: 250,
            status: None,
            lines: std::iter::once(host).chain(offers.lines()).collect(),
        })
    }

    fn start_tls(&mut self, policy: &mut dyn Policy) -> Answer {
        if self.tls {
            return Answer::Bad(Reply::new(503, (5, 5, 0), "TLS already active."));
        }
        let offers = policy.offers();
        if !offers.starttls && !offers.starttls_permitted {
            return Answer::Bad(Reply::new(
                502,
                (5, 5, 1),
                "STARTTLS command is not available.",
            ));
        }
        match policy.start_tls() {
            Ok(acceptor) => {
                self.forget(policy);
                Answer::StartTls(acceptor)
            }
            Err(refusal) => refusal.into(),
        }
    }

    fn auth(&mut self, name: &str, initial: Option<&str>, policy: &mut dyn Policy) -> Answer {
        if self.authenticated {
            return Answer::Bad(Reply::new(503, (5, 5, 0), "Already authenticated."));
        }
        let offered = policy.offers().auth;
        if offered.is_empty() {
            return Answer::Bad(Reply::new(502, (5, 5, 1), "AUTH command is not available."));
        }
        if !self.tls {
            let text = "Encryption required for requested authentication mechanism.";
            return Answer::Bad(Reply::new(538, (5, 7, 11), text));
        }
        let mechanism = sasl::Mechanism::from_name(name).filter(|found| offered.contains(found));
        let Some(mechanism) = mechanism else {
            let text = "Unrecognized authentication mechanism.";
            return Answer::Bad(Reply::new(504, (5, 5, 4), text));
        };
        let user = sasl::claimed_user(mechanism, initial);
        if let Err(refusal) = policy.auth_begin(mechanism, &user) {
            return refusal.into();
        }
        let (exchange, progress) = sasl::Exchange::begin(mechanism, initial);
        self.auth_progress(mechanism, exchange, progress, policy)
    }

    pub(super) fn auth_line(
        &mut self,
        mechanism: sasl::Mechanism,
        mut exchange: sasl::Exchange,
        line: &[u8],
        policy: &mut dyn Policy,
    ) -> Answer {
        if line == b"*" {
            return Answer::Reply(Reply::new(501, (5, 7, 0), "Authentication cancelled."));
        }
        let progress = match std::str::from_utf8(line) {
            Ok(text) => exchange.respond(text),
            Err(_) => sasl::Progress::Malformed,
        };
        self.auth_progress(mechanism, exchange, progress, policy)
    }

    fn auth_progress(
        &mut self,
        mechanism: sasl::Mechanism,
        exchange: sasl::Exchange,
        progress: sasl::Progress,
        policy: &mut dyn Policy,
    ) -> Answer {
        match progress {
            sasl::Progress::Challenge(text) => {
                self.mode = Mode::Auth {
                    mechanism,
                    exchange,
                };
                Answer::Reply(Reply::plain(334, text))
            }
            sasl::Progress::Malformed => {
                Answer::Bad(Reply::new(501, (5, 5, 2), "Syntax error in AUTH exchange."))
            }
            sasl::Progress::Complete(credentials) => {
                if let Err(refusal) = policy.authenticate(mechanism, &credentials) {
                    return refusal.into();
                }
                self.authenticated = true;
                let text = format!("{} authentication successful.", mechanism.name());
                Answer::Reply(Reply::new(235, (2, 7, 0), text))
            }
        }
    }

    fn mail(&mut self, mail: &Mail, policy: &mut dyn Policy) -> Result<Reply, Refusal> {
        policy.mail(mail)?;
        self.transaction = Transaction::Mail { recipients: 0 };
        Ok(Reply::new(250, (2, 5, 0), "Address Ok."))
    }

    fn rcpt(&mut self, rcpt: &Rcpt, policy: &mut dyn Policy) -> Result<Reply, Refusal> {
        policy.recipient(rcpt)?;
        if let Transaction::Mail { recipients } = &mut self.transaction {
            *recipients += 1;
        }
        let options = if rcpt.has_options() {
            " and options"
        } else {
            ""
        };
        let text = format!("{}{options} OK.", rcpt.address);
        Ok(Reply::new(250, (2, 1, 5), text))
    }
}

fn ok() -> Reply {
    Reply::new(250, (2, 5, 0), "Ok.")
}

fn help() -> Reply {
    Reply::new(214, (2, 3, 0), "Commands:")
        .line("HELO EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT HELP")
        .line("VRFY EXPN ETRN STARTTLS AUTH")
        .line("End of HELP")
}

/// Commands that are refused unless the policy offers them.
fn optional(command: &Command, policy: &mut dyn Policy) -> Reply {
    let offers = policy.offers();
    match command {
        Command::Expn(list) if offers.expn => policy.expand(list),
        Command::Expn(_) => Reply::new(550, (5, 7, 2), "EXPN command has been disabled"),
        Command::Etrn(target) if offers.etrn => policy.etrn(target),
        Command::Etrn(_) => Reply::new(550, (5, 7, 1), "ETRN command has been disabled."),
        Command::Private(verb, argument) if offers.private.contains(verb) => {
            policy.private(*verb, argument)
        }
        Command::Private(verb, _) => {
            let text = format!("{} command has been disabled.", verb.word());
            Reply::new(550, (5, 7, 0), text)
        }
        _ => Reply::new(
            550,
            (5, 7, 2),
            "SEND/SAML/SOML commands have been disabled.",
        ),
    }
}
