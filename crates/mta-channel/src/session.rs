//! Which answer each command of a client deserves, as far as that is a matter of counting.
//!
//! The policy half of the SMTP server that knows neither sockets nor disks: limits come from the
//! configuration, counts from the session itself. What needs the directory or the queue is asked
//! of [`crate::enqueue`].

use crate::enqueue::Refusal;
use mta_access::auth::AuthProbe;
use mta_config::{Channel, ChannelOption, Config, MtaOption};
use mta_envelope::status::Status;
use mta_mapping::{Callouts, Silent};

/// The numbers that bound a session; those of the option file and the disconnect limits belong
/// to the initial channel, the others follow each switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    allow_recipients: u64,
    reject_recipients: Option<u64>,
    allow_rejections: Option<u64>,
    allow_transactions: Option<u64>,
    transactions_at_recipient: bool,
    transaction_limit: Option<u64>,
    recipient_limit: Option<u64>,
    recipient_limit_permanent: bool,
    disconnect_transactions: Option<u64>,
    disconnect_recipients: Option<u64>,
    disconnect_rejections: Option<u64>,
    disconnect_bad_commands: Option<u64>,
    disconnect_bad_auths: u64,
    j_records: u64,
    b_records: u64,
    texts: Texts,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Texts {
    transactions: String,
    recipients: String,
}

impl Limits {
    /// The limits of a session that began on `initial` and is now on `current`.
    #[must_use]
    pub fn new(config: &Config, initial: &Channel, current: &Channel) -> Self {
        let option = |name: &str| {
            initial
                .option(name)
                .map(|_| initial.option_int(name, -1))
                .and_then(|value| u64::try_from(value).ok())
        };
        let text = |option: MtaOption| config.mta.text(option).unwrap_or_default().to_owned();
        let smallest = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Self {
            allow_recipients: option("ALLOW_RECIPIENTS_PER_TRANSACTION").unwrap_or(128),
            reject_recipients: smallest(
                option("REJECT_RECIPIENTS_PER_TRANSACTION"),
                current.limit(ChannelOption::Recipientcutoff),
            ),
            allow_rejections: smallest(
                option("ALLOW_REJECTIONS_BEFORE_DEFERRAL"),
                current.limit(ChannelOption::Deferralrejectlimit),
            ),
            allow_transactions: option("ALLOW_TRANSACTIONS_PER_SESSION"),
            transactions_at_recipient: option("TRANSACTION_LIMIT_RCPT_TO") == Some(1),
            transaction_limit: initial.limit(ChannelOption::Transactionlimit),
            recipient_limit: current.limit(ChannelOption::Recipientlimit),
            recipient_limit_permanent: config.mta.int(MtaOption::UsePermanentError) & 16 != 0,
            disconnect_transactions: initial.limit(ChannelOption::Disconnecttransactionlimit),
            disconnect_recipients: initial.limit(ChannelOption::Disconnectrecipientlimit),
            disconnect_rejections: initial.limit(ChannelOption::Disconnectrejectlimit),
            disconnect_bad_commands: initial.limit(ChannelOption::Disconnectbadcommandlimit),
            disconnect_bad_auths: initial
                .limit(ChannelOption::Disconnectbadauthlimit)
                .unwrap_or(3),
            j_records: option("MAX_J_ENTRIES").unwrap_or(10),
            b_records: option("MAX_B_ENTRIES").unwrap_or(10),
            texts: Texts {
                transactions: text(MtaOption::ErrorTextTransactionLimitExceeded),
                recipients: text(MtaOption::ErrorTextRecipientOver),
            },
        }
    }
}

/// What must be true of a session before MAIL is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Security {
    /// TLS is on.
    pub tls: bool,
    /// AUTH succeeded.
    pub authenticated: bool,
}

/// What a session has done so far.
#[derive(Debug, Clone)]
pub struct Counts {
    limits: Limits,
    transactions: u64,
    recipients: u64,
    rejections: u64,
    bad_commands: u64,
    bad_auths: u64,
    j_records: u64,
    b_records: u64,
    etrns: u64,
    offered: u64,
    accepted: u64,
    verified: u64,
}

impl Counts {
    /// A session that has done nothing.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            transactions: 0,
            recipients: 0,
            rejections: 0,
            bad_commands: 0,
            bad_auths: 0,
            j_records: 0,
            b_records: 0,
            etrns: 0,
            offered: 0,
            accepted: 0,
            verified: 0,
        }
    }

    /// The session is on another channel now; what was counted stays counted.
    pub fn switch(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// MAIL was given.
    ///
    /// # Errors
    /// The refusal it deserves before its arguments are looked at.
    pub fn mail(&mut self, current: &Channel, security: Security) -> Result<(), Refusal> {
        self.disconnect()?;
        if current.is(ChannelOption::Musttlsserver) && !security.tls {
            let text = "Must issue a STARTTLS command first";
            return Err(Refusal::new(530, Status::new(5, 7, 0), text));
        }
        if current.is(ChannelOption::Mustsaslserver) && !security.authenticated {
            let text = "No AUTH command has been given.";
            return Err(Refusal::new(530, Status::new(5, 7, 0), text));
        }
        if over(self.transactions, self.limits.transaction_limit) {
            let text = self.limits.texts.transactions.clone();
            return Err(Refusal::new(450, Status::new(4, 5, 3), text));
        }
        if !self.limits.transactions_at_recipient {
            self.transactions_left()?;
        }
        Ok(())
    }

    /// MAIL was accepted: a transaction begins.
    pub const fn begin(&mut self) {
        self.transactions += 1;
        self.offered = 0;
        self.accepted = 0;
        self.verified = 0;
    }

    /// RCPT was given.
    ///
    /// # Errors
    /// The refusal it deserves before its address is looked at.
    pub fn recipient(&mut self) -> Result<(), Refusal> {
        self.offered += 1;
        if self.limits.transactions_at_recipient && self.transactions > 0 {
            // The transaction under way is counted already.
            over(self.transactions - 1, self.limits.allow_transactions)
                .then(no_more_transactions)
                .map_or(Ok(()), Err)?;
        }
        if self.accepted + self.verified >= self.limits.allow_recipients {
            let text = "Too many recipients specified";
            return Err(Refusal::new(452, Status::new(4, 5, 3), text));
        }
        if over(self.accepted, self.limits.recipient_limit) {
            let code = if self.limits.recipient_limit_permanent {
                550
            } else {
                452
            };
            let text = self.limits.texts.recipients.clone();
            return Err(Refusal::new(code, Status::new(4, 2, 3), text));
        }
        self.rejections_left()
    }

    fn rejections_left(&self) -> Result<(), Refusal> {
        if over(self.rejections, self.limits.allow_rejections) {
            let text = "Too many rejected recipients in this session; try again later";
            return Err(Refusal::new(452, Status::new(4, 2, 1), text));
        }
        Ok(())
    }

    /// VRFY or EXPN was given: one more address that is asked about, but no recipient of the
    /// message.
    ///
    /// # Errors
    /// The refusal it deserves before its address is looked at.
    pub fn verify(&mut self) -> Result<(), Refusal> {
        if self.accepted + self.verified >= self.limits.allow_recipients {
            let text = "Too many recipients specified";
            return Err(Refusal::new(452, Status::new(4, 5, 3), text));
        }
        self.rejections_left()?;
        self.verified += 1;
        Ok(())
    }

    /// The recipient was accepted.
    pub const fn recipient_accepted(&mut self) {
        self.accepted += 1;
        self.recipients += 1;
    }

    /// The recipient was refused for what it is.
    pub const fn recipient_refused(&mut self) {
        self.recipients += 1;
        self.rejections += 1;
    }

    /// DATA or the first BDAT was given.
    ///
    /// # Errors
    /// The refusal of the whole message if too many recipients were offered.
    pub fn data(&self) -> Result<(), Refusal> {
        if self
            .limits
            .reject_recipients
            .is_some_and(|limit| self.offered > limit)
        {
            let text = "Error ending envelope - Too many recipients specified";
            return Err(Refusal::new(451, Status::new(4, 4, 5), text));
        }
        Ok(())
    }

    /// RSET was given.
    ///
    /// # Errors
    /// The refusal that ends the session at a disconnect limit.
    pub fn rset(&self) -> Result<(), Refusal> {
        self.disconnect()
    }

    /// A bad command was given; the answer that ends the session if it was one too many.
    pub fn bad_command(&mut self) -> Option<Refusal> {
        self.bad_commands += 1;
        self.limits
            .disconnect_bad_commands
            .filter(|limit| self.bad_commands > *limit)
            .map(|_| disconnecting("bad command"))
    }

    /// AUTH failed; whether that was once too often.
    pub const fn bad_auth(&mut self) -> bool {
        self.bad_auths += 1;
        self.bad_auths >= self.limits.disconnect_bad_auths
    }

    /// Whether one more `J` record may be written in this session.
    pub const fn may_record_rejection(&mut self) -> bool {
        self.j_records += 1;
        self.j_records <= self.limits.j_records
    }

    /// Whether one more `B` record may be written in this session.
    pub const fn may_record_bad_command(&mut self) -> bool {
        self.b_records += 1;
        self.b_records <= self.limits.b_records
    }

    /// Whether one more ETRN is honoured, if `limit` are in a session.
    pub const fn may_etrn(&mut self, limit: u64) -> bool {
        self.etrns += 1;
        self.etrns <= limit
    }

    fn transactions_left(&self) -> Result<(), Refusal> {
        if over(self.transactions, self.limits.allow_transactions) {
            return Err(no_more_transactions());
        }
        Ok(())
    }

    fn disconnect(&self) -> Result<(), Refusal> {
        let limits = &self.limits;
        let table = [
            (
                self.transactions,
                limits.disconnect_transactions,
                "transaction",
            ),
            (self.recipients, limits.disconnect_recipients, "recipient"),
            (self.rejections, limits.disconnect_rejections, "rejection"),
        ];
        for (count, limit, what) in table {
            if limit.is_some_and(|limit| count > limit) {
                return Err(disconnecting(what));
            }
        }
        Ok(())
    }
}

/// Whether one more is one too many.
fn over(count: u64, limit: Option<u64>) -> bool {
    limit.is_some_and(|limit| count >= limit)
}

fn no_more_transactions() -> Refusal {
    let text = "No more transactions allowed";
    Refusal::new(451, Status::new(4, 5, 3), text)
}

fn disconnecting(what: &str) -> Refusal {
    let text = format!("Session {what} limit reached; disconnecting");
    Refusal::new(450, Status::new(4, 7, 0), text).and_close()
}

/// AUTH_ACCESS: may this client try to authenticate at all?
///
/// # Errors
/// The refusal before any exchange begins.
pub fn auth_access(
    config: &Config,
    probe: &AuthProbe<'_>,
    callouts: &dyn Callouts,
) -> Result<(), Refusal> {
    let asked = mta_access::auth::auth_access(&config.mappings, probe, callouts, &mut Silent);
    let Err(text) = asked else {
        return Ok(());
    };
    let text = match text.trim() {
        "" => "Bad username or password (Authentication failed).",
        text => text,
    };
    Err(Refusal::new(535, Status::new(5, 7, 8), text))
}

/// The lines of the banner: `HOST -- Server ESMTP (PRODUCT)` and what BANNER_ADDITION adds.
#[must_use]
pub fn banner(config: &Config, initial: &Channel) -> Vec<String> {
    let host = initial
        .option("BANNER_HOST")
        .unwrap_or_else(|| config.local_host());
    let product = initial.option("CUSTOM_VERSION_STRING").map_or_else(
        || format!("({})", crate::product::text(config)),
        str::to_owned,
    );
    let first = format!("{host} -- Server ESMTP {product}");
    let Some(addition) = initial
        .option("BANNER_ADDITION")
        .filter(|text| !text.is_empty())
    else {
        return vec![first];
    };
    let mut parts = addition.split('|');
    let head = parts.next().unwrap_or_default();
    let room = 80 - "220 ".len();
    let fits = first.len() + 1 + head.len() <= room;
    let mut lines = if fits && !addition.contains('|') {
        vec![format!("{first} {head}")]
    } else {
        vec![first, head.to_owned()]
    };
    lines.extend(parts.map(str::to_owned));
    lines
}

#[cfg(test)]
mod tests;
