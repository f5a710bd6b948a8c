//! The tables that are asked about addresses: FROM_ACCESS at MAIL, the others at RCPT.

use serde::{Deserialize, Serialize};

use crate::arguments::{Dealt, Taker, any, is_incomplete, one, refusing};
use mta_config::config::Config;
use mta_config::option::{MtaOption, MtaOptions};
use mta_envelope::status::Status;
use mta_mapping::{Callouts, Flags, Input, Mapped, Tables, Trace};

/// The five tables, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AccessTable {
    /// At MAIL FROM.
    From,
    /// At RCPT TO, after rewriting, before alias expansion.
    OrigSend,
    /// The same moment, with connection data.
    OrigMail,
    /// After alias expansion, for each resulting address.
    Send,
    /// The same moment, with connection data.
    Mail,
}

impl AccessTable {
    /// The name of the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::From => "FROM_ACCESS",
            Self::OrigSend => "ORIG_SEND_ACCESS",
            Self::OrigMail => "ORIG_MAIL_ACCESS",
            Self::Send => "SEND_ACCESS",
            Self::Mail => "MAIL_ACCESS",
        }
    }

    /// The bit by which `access_counts`, `access_orcpt` and the options of the form of the envelope
    /// From name this table (bit 0 names all).
    const fn field_bit(self) -> i64 {
        match self {
            Self::From => 32,
            Self::OrigSend => 2,
            Self::Send => 4,
            Self::OrigMail => 8,
            Self::Mail => 16,
        }
    }
}

/// What is known when a table is asked. Fields that a table does not use may stay empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressProbe<'a> {
    /// The five-field PORT_ACCESS string, empty for mail that came in otherwise.
    pub port_info: &'a str,
    /// `SMTP/helo-name`, `SMTP/tls-info/helo-name`, or empty.
    pub app_info: &'a str,
    /// The channel it came from.
    pub source_channel: &'a str,
    /// Envelope From; empty for the null sender.
    pub from: &'a str,
    /// Envelope From as the client gave it, for `use_orig_return`.
    pub given_from: &'a str,
    /// Envelope From after address reversal, for `use_canonical_return`.
    pub canonical_from: &'a str,
    /// Authenticated originator, or empty.
    pub auth_from: &'a str,
    /// Destination channel (not FROM_ACCESS).
    pub destination_channel: &'a str,
    /// Recipient (not FROM_ACCESS).
    pub to: &'a str,
    /// ORCPT value, or empty.
    pub orcpt: &'a str,
    /// Recipients of this transaction so far, and RCPT commands of the session.
    pub counts: (usize, usize),
    /// SASL was used.
    pub sasl: bool,
    /// TLS is on.
    pub tls: bool,
    /// EHLO was said.
    pub esmtp: bool,
    /// LMTP is spoken.
    pub lmtp: bool,
    /// Success, failure, delay receipts are wanted.
    pub receipts: (bool, bool, bool),
}

/// A refusal by an access table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRefusal {
    /// The enhanced status.
    pub status: Status,
    /// The text for the peer, without address.
    pub text: String,
}

/// What a table says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AccessDecision {
    /// Refused, and how. Everything below still holds.
    pub refused: Option<AccessRefusal>,
    /// `$B`, `$V`, `$Z`: throw the message away for this recipient, or for all (`$V`, `$Z`).
    pub discard: Option<Discard>,
    /// `$H`: set the message aside.
    pub hold: bool,
    /// `$!` (FROM_ACCESS): no vacation replies.
    pub no_vacation: bool,
    /// `$U`: debug level of this transaction.
    pub debug: Option<u32>,
    /// `$J` (FROM_ACCESS): new envelope From.
    pub new_from: Option<String>,
    /// `$K` (FROM_ACCESS): new Sender line.
    pub new_sender: Option<String>,
    /// `$I`: `user|identifier`, the group to be checked.
    pub group: Option<String>,
    /// `$<`, and `$>` if refused: text for syslog.
    pub syslog: Vec<String>,
    /// `$D`: hundredths of a second; negative: only this command's reply.
    pub delay: Option<i32>,
    /// `$A`: header line to add.
    pub header: Option<String>,
    /// `$G`: conversion tags.
    pub tags: Option<String>,
    /// `$S`: new limits `block[,recipients[,cutoff]]`.
    pub limits: Option<String>,
    /// `$,`: spamadjust argument.
    pub spam_adjust: Option<String>,
    /// Whether any entry matched.
    pub matched: bool,
}

/// For whom a message is thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Discard {
    /// For the recipient asked about.
    Recipient,
    /// For all of them.
    Everybody,
}

/// Text while a table of the compiled configuration cannot be read.
const UNREADABLE: &str = "access table cannot be read";
/// The text of a refusal because nobody can tell what the table would have said.
const TOO_LONG: &str = "address too long for an access check";

/// Flags with arguments, in reading order (mapping tables §5.2); the one that refuses comes last.
const ORDER: [Taker; 13] = [
    one('U'),
    one('J'),
    one('K'),
    Taker {
        flag: 'I',
        fields: 2,
    },
    one('<'),
    one('>'),
    one('D'),
    one('T'),
    one('A'),
    one('G'),
    one('S'),
    one('X'),
    one(','),
];

/// Asks one table. Without it, and when no entry matches, everything is allowed; a probe that is
/// too long for a mapping has not been checked and is refused, and one that cannot be checked now
/// is refused for now.
pub fn ask(
    config: &Config,
    table: AccessTable,
    probe: &AddressProbe<'_>,
    callouts: &dyn Callouts,
    trace: &mut dyn Trace,
) -> AccessDecision {
    ask_tables(&config.mta, &config.mappings, table, probe, callouts, trace)
}

fn ask_tables(
    mta: &MtaOptions,
    tables: &Tables,
    table: AccessTable,
    probe: &AddressProbe<'_>,
    callouts: &dyn Callouts,
    trace: &mut dyn Trace,
) -> AccessDecision {
    if tables.get(table.name()).is_none() {
        return AccessDecision::default();
    }
    let mapped = mapped(mta, tables, table, probe, callouts, trace);
    if mapped.unreadable {
        return AccessDecision {
            refused: Some(AccessRefusal {
                status: Status::new(4, 3, 5),
                text: UNREADABLE.to_owned(),
            }),
            ..AccessDecision::default()
        };
    }
    if is_incomplete(&mapped) {
        return AccessDecision {
            refused: Some(AccessRefusal {
                status: Status::new(5, 7, 1),
                text: TOO_LONG.to_owned(),
            }),
            ..AccessDecision::default()
        };
    }
    if mapped.matched {
        decision(mta, table, &mapped)
    } else {
        AccessDecision::default()
    }
}

/// What the table makes of the probe.
fn mapped(
    mta: &MtaOptions,
    tables: &Tables,
    table: AccessTable,
    probe: &AddressProbe<'_>,
    callouts: &dyn Callouts,
    trace: &mut dyn Trace,
) -> Mapped {
    let text = probe_text(mta, table, probe);
    let address = if table == AccessTable::From {
        probe.from
    } else {
        probe.to
    };
    let input = Input {
        text: &text,
        flags: flags(table, probe),
        address,
        host: address.rsplit_once('@').map_or("", |(_, host)| host),
    };
    tables.map(table.name(), &input, callouts, trace)
}

/// What the output and the flags of an entry that matched mean.
fn decision(mta: &MtaOptions, table: AccessTable, mapped: &Mapped) -> AccessDecision {
    let is_from = table == AccessTable::From;
    let order: Vec<Taker> = ORDER
        .into_iter()
        .filter(|taker| is_from || !matches!(taker.flag, 'J' | 'K'))
        .chain([refusing(mapped.flags)])
        .collect();
    let dealt = Dealt::deal(mapped, &order);
    let owned = |flag| dealt.get(flag).map(str::to_owned);
    let refused = any(mapped.flags, "NF").then(|| refusal(mta, mapped.flags, &dealt));
    let mut syslog: Vec<String> = owned('<').into_iter().collect();
    if refused.is_some() {
        syslog.extend(owned('>'));
    }
    AccessDecision {
        discard: discard(mapped.flags),
        hold: mapped.flags.contains('H'),
        no_vacation: is_from && mapped.flags.contains('!'),
        debug: dealt
            .number('U')
            .and_then(|level| u32::try_from(level).ok()),
        new_from: owned('J'),
        new_sender: owned('K'),
        group: owned('I'),
        syslog,
        delay: dealt
            .number('D')
            .and_then(|delay| i32::try_from(delay).ok()),
        header: owned('A'),
        tags: owned('G'),
        limits: owned('S'),
        spam_adjust: owned(','),
        matched: true,
        refused,
    }
}

fn discard(flags: Flags) -> Option<Discard> {
    if any(flags, "VZ") {
        Some(Discard::Everybody)
    } else if flags.contains('B') {
        Some(Discard::Recipient)
    } else {
        None
    }
}

fn refusal(mta: &MtaOptions, flags: Flags, dealt: &Dealt) -> AccessRefusal {
    let asked = dealt
        .get('X')
        .and_then(|code| Status::parse_prefix(code.trim()))
        .map(|(status, _)| status);
    let status = asked
        .filter(|status| status.class != 2)
        .unwrap_or(Status::new(5, 7, 1));
    let own = dealt.get(refusing(flags).flag).unwrap_or_default();
    let text = if !own.trim().is_empty() {
        own
    } else if mta.flag(MtaOption::AccessErrors) {
        mta.text(MtaOption::ErrorTextAccessFailure)
            .unwrap_or("you are not allowed to use this address")
    } else {
        mta.text(MtaOption::ErrorTextUnknownHost)
            .unwrap_or("unknown host or domain")
    };
    AccessRefusal {
        status,
        text: text.to_owned(),
    }
}

/// The probe string of a table.
#[must_use]
pub fn text(config: &Config, table: AccessTable, probe: &AddressProbe<'_>) -> String {
    probe_text(&config.mta, table, probe)
}

fn probe_text(mta: &MtaOptions, table: AccessTable, probe: &AddressProbe<'_>) -> String {
    let code = u8::try_from(mta.int(MtaOption::MappingParanoia)).unwrap_or(0);
    let paranoia = (code != 0).then_some(char::from(code));
    let safe = |address: &str| match paranoia {
        Some(instead) => address.replace('|', &instead.to_string()),
        None => address.to_owned(),
    };
    let asked = |option| mta.int(option) & (1 | table.field_bit()) != 0;
    let forms = [
        (MtaOption::UseAuthReturn, probe.auth_from),
        (MtaOption::UseOrigReturn, probe.given_from),
        (MtaOption::UseCanonicalReturn, probe.canonical_from),
    ];
    let form = forms
        .into_iter()
        .find(|(option, form)| !form.is_empty() && asked(*option));
    let from = safe(form.map_or(probe.from, |(_, form)| form));
    let to = safe(probe.to);
    let (source, destination) = (probe.source_channel, probe.destination_channel);
    let connection = format!("{}|{}|MAIL", probe.port_info, probe.app_info);
    let mut text = match table {
        AccessTable::From => {
            return format!("{connection}|{source}|{from}|{}", safe(probe.auth_from));
        }
        AccessTable::OrigSend | AccessTable::Send => format!("{source}|{from}|{destination}|{to}"),
        AccessTable::OrigMail | AccessTable::Mail => {
            format!("{connection}|{source}|{from}|{destination}|{to}")
        }
    };
    if asked(MtaOption::AccessOrcpt) {
        text.push_str(&format!("|{}", safe(probe.orcpt)));
    }
    if asked(MtaOption::AccessCounts) {
        text.push_str(&format!("|{}/{}/", probe.counts.0, probe.counts.1));
    }
    if mta.flag(MtaOption::AccessAuth) {
        text.push_str(&format!("|{}", safe(probe.auth_from)));
    }
    text
}

fn flags(table: AccessTable, probe: &AddressProbe<'_>) -> Flags {
    let recipient = table != AccessTable::From;
    let (success, failure, delay) = probe.receipts;
    let table = [
        ('A', probe.sasl),
        ('T', probe.tls),
        ('E', recipient && probe.esmtp),
        ('L', recipient && probe.lmtp),
        ('S', recipient && success),
        ('F', recipient && failure),
        ('D', recipient && delay),
    ];
    table
        .into_iter()
        .filter(|(_, on)| *on)
        .map(|(flag, _)| flag)
        .collect()
}

#[cfg(test)]
mod tests;
