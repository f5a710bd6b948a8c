//! The envelope records at the front of a message file.
//!
//! Order of printing: `v u c s i h t p r q x a y`, `m` last, then for each recipient
//! `j f n k o d w` and the bare line. `q;` has a fixed width, because the size of a message that
//! went straight to its file is known only at the end and is written back; `h;` and `p;` need
//! none, because a header comes whole before the first octet is written. Records with letters
//! that this release does not use are kept and written again.

use std::collections::HashSet;

use mta_envelope::address::Address;
use mta_envelope::envelope::{Envelope, Notify, Pending, Priority, Recipient, Ret};
use mta_envelope::names::ChannelName;
use mta_envelope::status::Status;

use crate::error::Fault;
use crate::name;

/// Digits of the `q;` record.
const SIZE_WIDTH: usize = 12;

/// Longest line of the envelope part.
pub(crate) const MAX_LINE: usize = 64 * 1024;

/// Everything that stands before the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// Unique part of the name the file was written for.
    pub(crate) unique: String,
    pub(crate) envelope: Envelope,
    /// Whole lines of per-message records with unknown letters, and `y;`.
    pub(crate) others: Vec<String>,
    /// The same for each recipient.
    pub(crate) recipient_others: Vec<Vec<String>>,
    /// The line between head and message, and behind the message.
    pub(crate) boundary: String,
}

impl Head {
    pub(crate) fn new(unique: String, envelope: Envelope, boundary: String) -> Self {
        Self {
            unique,
            recipient_others: vec![Vec::new(); envelope.recipients.len()],
            envelope,
            others: Vec::new(),
            boundary,
        }
    }

    /// The head with its boundary line. The letter of a record that cannot be written is the
    /// error.
    pub(crate) fn print(&self) -> Result<Vec<u8>, char> {
        let envelope = &self.envelope;
        let mut out = Printer::default();
        out.record('v', &format!("1 {}", self.unique))?;
        out.some('u', &clean(&envelope.user))?;
        out.record('c', envelope.source_channel.as_str())?;
        out.some('s', &clean(&envelope.source_system))?;
        out.record('i', &envelope.id)?;
        out.some('h', &clean(envelope.message_id.as_deref().unwrap_or("")))?;
        out.record('t', &envelope.arrived.to_string())?;
        out.record('p', &(envelope.priority as u8).to_string())?;
        out.some('r', ret_word(envelope.ret))?;
        out.record('q', &format!("{:0SIZE_WIDTH$}", envelope.size))?;
        if let Some(until) = envelope.deferred_until {
            out.record('x', &until.to_string())?;
        }
        if let Some(user) = &envelope.authenticated {
            out.record('a', user)?;
        }
        for line in &self.others {
            out.line(line, 'y')?;
        }
        out.record('m', envelope.sender_text())?;
        let none = Vec::new();
        for (at, recipient) in envelope.recipients.iter().enumerate() {
            let others = self.recipient_others.get(at).unwrap_or(&none);
            out.recipient(recipient, others)?;
        }
        out.line(&self.boundary, '@')?;
        Ok(out.bytes)
    }

    /// Leaves out all recipients but those with these numbers; the order stays.
    pub(crate) fn keep(&mut self, numbers: &[usize]) {
        let chosen: HashSet<usize> = numbers.iter().copied().collect();
        pick(&mut self.envelope.recipients, &chosen);
        pick(&mut self.recipient_others, &chosen);
    }

    /// Reads a head that ends with (and includes) its boundary line.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut reader = Parser::default();
        for (at, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            let fault = |what| Fault::Record { line: at + 1, what };
            let line = line.strip_suffix(b"\n").ok_or(Fault::NoBoundary)?;
            let line = std::str::from_utf8(line).map_err(|_| fault("not UTF-8"))?;
            if name::is_boundary(line.as_bytes()) {
                return reader.finish(line).map_err(fault);
            }
            match record(line) {
                Some((letter, value)) => reader.record(letter, value, line),
                None => reader.recipient(line),
            }
            .map_err(|trouble| match trouble {
                Trouble::Version(version) => Fault::Version { version },
                Trouble::Record(what) => fault(what),
            })?;
        }
        Err(Fault::NoBoundary)
    }
}

/// Where the boundary line ends that ends the head, looking from `from` (the start of a line).
/// `Err` is where to go on looking when more has been read.
pub(crate) fn find_end(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let mut at = from;
    while let Some(length) = bytes[at..].iter().position(|b| *b == b'\n') {
        let end = at + length + 1;
        if name::is_boundary(&bytes[at..end - 1]) {
            return Ok(end);
        }
        at = end;
    }
    Err(at)
}

fn pick<T>(all: &mut Vec<T>, chosen: &HashSet<usize>) {
    let mut at = 0..;
    all.retain(|_| at.next().is_some_and(|at| chosen.contains(&at)));
}

fn record(line: &str) -> Option<(char, &str)> {
    let mut chars = line.chars();
    let letter = chars.next().filter(char::is_ascii_lowercase)?;
    (chars.next() == Some(';')).then_some((letter, chars.as_str()))
}

const fn ret_word(ret: Option<Ret>) -> &'static str {
    match ret {
        Some(Ret::Full) => "FULL",
        Some(Ret::Headers) => "HDRS",
        None => "",
    }
}

/// Values that only inform may have come from anywhere: control characters become `?`.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[derive(Default)]
struct Printer {
    bytes: Vec<u8>,
}

impl Printer {
    fn line(&mut self, line: &str, letter: char) -> Result<(), char> {
        if line.len() >= MAX_LINE || line.chars().any(char::is_control) {
            return Err(letter);
        }
        self.bytes.extend_from_slice(line.as_bytes());
        self.bytes.push(b'\n');
        Ok(())
    }

    fn record(&mut self, letter: char, value: &str) -> Result<(), char> {
        self.line(&format!("{letter};{value}"), letter)
    }

    /// A record that is left out when it is empty.
    fn some(&mut self, letter: char, value: &str) -> Result<(), char> {
        if value.is_empty() {
            return Ok(());
        }
        self.record(letter, value)
    }

    fn recipient(&mut self, recipient: &Recipient, others: &[String]) -> Result<(), char> {
        if let Some((kind, address)) = &recipient.original {
            self.record('j', kind)?;
            self.record('f', address)?;
        }
        self.record('n', &recipient.notify.0.to_string())?;
        self.some('k', &recipient.tags.join(","))?;
        if let Some(options) = &recipient.store_options {
            self.record('o', options)?;
        }
        if let Some(host) = &recipient.host {
            self.record('d', host)?;
        }
        if let Some(pending) = &recipient.pending {
            self.record('w', &clean(&pending_text(pending)))?;
        }
        for line in others {
            self.line(line, '@')?;
        }
        let address = recipient.address.as_str();
        // An address that looks like a record or like the end of the envelope is marked.
        if record(address).is_some() || address.starts_with("Boundary_(") {
            self.line(&format!("<{address}"), '@')
        } else {
            self.line(address, '@')
        }
    }
}

fn pending_text(pending: &Pending) -> String {
    match pending {
        Pending::Anew => "anew".to_owned(),
        Pending::Later => "later".to_owned(),
        Pending::Checked => "checked".to_owned(),
        Pending::Refused { code, status, text } => format!("{code} {status} {text}"),
    }
}

fn pending(value: &str) -> Option<Pending> {
    Some(match value {
        "anew" => Pending::Anew,
        "later" => Pending::Later,
        "checked" => Pending::Checked,
        reply => {
            let (code, rest) = reply.split_once(' ')?;
            let (status, text) = rest.split_once(' ')?;
            let (status, rest) = Status::parse_prefix(status)?;
            let code = code.parse().ok()?;
            if !(400..600).contains(&code) || !rest.is_empty() {
                return None;
            }
            Pending::Refused {
                code,
                status,
                text: text.to_owned(),
            }
        }
    })
}

enum Trouble {
    Record(&'static str),
    Version(String),
}

impl From<&'static str> for Trouble {
    fn from(what: &'static str) -> Self {
        Self::Record(what)
    }
}

#[derive(Default)]
struct Parser {
    unique: Option<String>,
    user: String,
    source_channel: Option<ChannelName>,
    source_system: String,
    id: Option<String>,
    message_id: Option<String>,
    arrived: Option<u64>,
    priority: Option<Priority>,
    ret: Option<Ret>,
    size: Option<u64>,
    deferred: Option<String>,
    authenticated: Option<String>,
    sender: Option<Option<Address>>,
    others: Vec<String>,
    group: Group,
    recipients: Vec<Recipient>,
    recipient_others: Vec<Vec<String>>,
}

/// The records of a recipient whose bare line is still to come.
#[derive(Default)]
struct Group {
    kind: Option<String>,
    address: Option<String>,
    notify: Option<Notify>,
    tags: Vec<String>,
    store_options: Option<String>,
    host: Option<String>,
    pending: Option<Pending>,
    others: Vec<String>,
    started: bool,
}

impl Parser {
    fn record(&mut self, letter: char, value: &str, line: &str) -> Result<(), Trouble> {
        if self.unique.is_none() && letter != 'v' {
            return Err("no v; record at the start".into());
        }
        if self.sender.is_some() {
            return self.group.record(letter, value, line);
        }
        match letter {
            'v' => {
                let (version, unique) = value.split_once(' ').unwrap_or((value, ""));
                if version != "1" {
                    return Err(Trouble::Version(version.chars().take(20).collect()));
                }
                self.unique = Some(unique.to_owned());
            }
            'u' => value.clone_into(&mut self.user),
            'c' => {
                let channel = ChannelName::new(value).map_err(|_| "illegal channel name")?;
                self.source_channel = Some(channel);
            }
            's' => value.clone_into(&mut self.source_system),
            'i' => self.id = Some(value.to_owned()),
            'h' => self.message_id = Some(value.trim_end().to_owned()),
            't' => self.arrived = Some(number(value)?),
            'p' => {
                let digit = value.trim().parse().ok();
                let priority = digit.and_then(Priority::from_number);
                self.priority = Some(priority.ok_or("no such priority")?);
            }
            'r' => {
                self.ret = Some(match value {
                    "FULL" => Ret::Full,
                    "HDRS" => Ret::Headers,
                    _ => return Err("neither FULL nor HDRS".into()),
                });
            }
            'q' => self.size = Some(number(value)?),
            'x' => self.deferred = Some(value.to_owned()),
            'a' => self.authenticated = Some(value.to_owned()),
            'm' => self.sender = Some(address_or_none(value)?),
            _ => self.others.push(line.to_owned()),
        }
        Ok(())
    }

    fn recipient(&mut self, line: &str) -> Result<(), Trouble> {
        if self.sender.is_none() {
            return Err("a recipient before the m; record".into());
        }
        let address = Address::parse(line.strip_prefix('<').unwrap_or(line))
            .map_err(|_| "no address and no record")?;
        let group = std::mem::take(&mut self.group);
        self.recipients.push(Recipient {
            address,
            original: group
                .address
                .map(|f| (group.kind.unwrap_or_else(|| "rfc822".to_owned()), f)),
            notify: group.notify.unwrap_or_default(),
            tags: group.tags,
            store_options: group.store_options,
            host: group.host,
            pending: group.pending,
        });
        self.recipient_others.push(group.others);
        Ok(())
    }

    fn finish(self, boundary: &str) -> Result<Head, &'static str> {
        if self.group.started {
            return Err("records of a recipient without the recipient");
        }
        if self.recipients.is_empty() {
            return Err("no recipient");
        }
        let arrived = self.arrived.ok_or("no t; record")?;
        Ok(Head {
            unique: self.unique.ok_or("no v; record")?,
            envelope: Envelope {
                id: self.id.ok_or("no i; record")?,
                sender: self.sender.ok_or("no m; record")?,
                ret: self.ret,
                source_channel: self.source_channel.ok_or("no c; record")?,
                source_system: self.source_system,
                user: self.user,
                authenticated: self.authenticated,
                arrived,
                priority: self.priority.unwrap_or_default(),
                message_id: self.message_id,
                size: self.size.ok_or("no q; record")?,
                deferred_until: self.deferred.map(|x| until(&x, arrived)).transpose()?,
                recipients: self.recipients,
            },
            others: self.others,
            recipient_others: self.recipient_others,
            boundary: boundary.to_owned(),
        })
    }
}

impl Group {
    fn record(&mut self, letter: char, value: &str, line: &str) -> Result<(), Trouble> {
        self.started = true;
        match letter {
            'j' => self.kind = Some(value.to_owned()),
            'f' => self.address = Some(value.to_owned()),
            'n' => {
                let bits = value.parse().map_err(|_| "not a number of flags")?;
                self.notify = Some(Notify(bits));
            }
            'k' => self.tags = value.split(',').map(str::to_owned).collect(),
            'o' => self.store_options = Some(value.to_owned()),
            'd' => self.host = Some(value.to_owned()),
            'w' => {
                // What is known of it decides who is asked again: not a thing to guess.
                self.pending = Some(pending(value).ok_or("no such state of a recipient")?);
            }
            _ => self.others.push(line.to_owned()),
        }
        Ok(())
    }
}

fn number(value: &str) -> Result<u64, &'static str> {
    value.trim().parse().map_err(|_| "not a number")
}

/// `x;` is a time, or `HOLDFOR=` seconds after the arrival.
fn until(value: &str, arrived: u64) -> Result<u64, &'static str> {
    match value.strip_prefix("HOLDFOR=") {
        Some(seconds) => Ok(arrived.saturating_add(number(seconds)?)),
        None => number(value),
    }
}

fn address_or_none(value: &str) -> Result<Option<Address>, &'static str> {
    if value.is_empty() {
        return Ok(None);
    }
    Address::parse(value)
        .map(Some)
        .map_err(|_| "the sender is no address")
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
