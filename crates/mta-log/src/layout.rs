//! From a record to its line: the columns and the order of fields of `log_format` 1, 2 and 3.

use crate::escape;
use crate::record::{
    Action, ConnectionAction, ConnectionRecord, Direction, MessageRecord, Modifiers, Record,
    transport,
};
use crate::time;
use jiff::tz::TimeZone;
use mta_config::config::Config;
use mta_config::option::MtaOption;
use mta_envelope::envelope::{Notify, Priority};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longest line, line end included: one `write` of this size stays whole.
pub const MAX_LINE: usize = 64 * 1024;

/// Longest single field; with all of them at this length a line is still under [`MAX_LINE`].
const MAX_FIELD: usize = 3 * 1024;

/// Columns of a channel field.
const CHANNEL_WIDTH: usize = 12;

/// `log_connection` bits.
mod connection_bit {
    /// Source system in message records.
    pub(super) const SYSTEM: i64 = 1;
    /// Connection records.
    pub(super) const RECORDS: i64 = 2;
    /// ETRN records.
    pub(super) const ETRN: i64 = 4;
    /// Transport field in message records.
    pub(super) const TRANSPORT: i64 = 32;
    /// Application field in message records.
    pub(super) const APPLICATION: i64 = 64;
    /// Authentication records.
    pub(super) const AUTHENTICATION: i64 = 128;
}

/// What the `log_*` options ask for; the defaults are the product's.
#[derive(Debug, Clone)]
pub struct Options {
    /// `log_format`: 1 plain, 2 empty addresses as `<>`, 3 counted fields.
    pub format: i64,
    /// `log_connection`, a bit mask.
    pub connection: i64,
    /// `log_node`: the name to show, if it is to be shown.
    pub node: Option<String>,
    /// `log_process`.
    pub process: bool,
    /// `log_notary`.
    pub notary: bool,
    /// `log_filename`.
    pub filename: bool,
    /// `log_envelope_id`.
    pub envelope_id: bool,
    /// `log_message_id`.
    pub message_id: bool,
    /// `log_username`.
    pub username: bool,
    /// `log_priority`.
    pub priority: bool,
    /// `log_local`: the host to put behind bare local addresses, if that is wanted.
    pub local_host: Option<String>,
    /// `log_reason`, bit 0.
    pub reason: bool,
    /// `log_diagnostics`, bit 0.
    pub diagnostics: bool,
    /// `log_remote_mta`, bit 0: the remote system as a field of its own, behind the diagnostic.
    pub remote_mta: bool,
    /// `log_queue_time`.
    pub queue_time: bool,
    /// Bit 1 of `log_reason`, `log_diagnostics` and `log_remote_mta`: the field is part of
    /// LOG_ACTION probes.
    pub in_probes: InProbes,
    /// `separate_connection_log`.
    pub separate_connections: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: 1,
            connection: 0,
            node: None,
            process: false,
            notary: false,
            filename: false,
            envelope_id: false,
            message_id: false,
            username: false,
            priority: false,
            local_host: None,
            reason: false,
            diagnostics: true,
            remote_mta: false,
            queue_time: false,
            in_probes: InProbes::default(),
            separate_connections: false,
        }
    }
}

/// Which fields a LOG_ACTION probe has because their options say so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InProbes {
    /// `log_reason`.
    pub reason: bool,
    /// `log_diagnostics`.
    pub diagnostics: bool,
    /// `log_remote_mta`.
    pub remote_mta: bool,
}

impl Options {
    /// What the `log_*` options of a configuration ask for.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let mta = &config.mta;
        Self {
            format: mta.int(MtaOption::LogFormat),
            connection: mta.int(MtaOption::LogConnection),
            node: mta
                .flag(MtaOption::LogNode)
                .then(|| config.hostname.clone()),
            process: mta.flag(MtaOption::LogProcess),
            notary: mta.flag(MtaOption::LogNotary),
            filename: mta.flag(MtaOption::LogFilename),
            envelope_id: mta.flag(MtaOption::LogEnvelopeId),
            message_id: mta.flag(MtaOption::LogMessageId),
            username: mta.flag(MtaOption::LogUsername),
            priority: mta.flag(MtaOption::LogPriority),
            local_host: mta
                .flag(MtaOption::LogLocal)
                .then(|| config.local_host().to_owned()),
            reason: mta.int(MtaOption::LogReason) & 1 != 0,
            diagnostics: mta.int(MtaOption::LogDiagnostics) & 1 != 0,
            remote_mta: mta.int(MtaOption::LogRemoteMta) & 1 != 0,
            queue_time: mta.flag(MtaOption::LogQueueTime),
            in_probes: InProbes {
                reason: mta.int(MtaOption::LogReason) & 2 != 0,
                diagnostics: mta.int(MtaOption::LogDiagnostics) & 2 != 0,
                remote_mta: mta.int(MtaOption::LogRemoteMta) & 2 != 0,
            },
            separate_connections: mta.flag(MtaOption::SeparateConnectionLog),
        }
    }

    /// Whether a record of this kind is to be written at all.
    #[must_use]
    pub const fn wants(&self, action: ConnectionAction) -> bool {
        let bit = match action {
            ConnectionAction::Opened
            | ConnectionAction::Closed
            | ConnectionAction::Refused
            | ConnectionAction::Failed
            | ConnectionAction::PortRefused => connection_bit::RECORDS,
            ConnectionAction::Etrn => connection_bit::ETRN,
            ConnectionAction::Authentication => connection_bit::AUTHENTICATION,
        };
        self.connection & bit != 0
    }

    const fn has(&self, bit: i64) -> bool {
        self.connection & bit != 0
    }
}

/// A field that is there only if it is on.
const fn when(on: bool, field: &str) -> Option<&str> {
    if on { Some(field) } else { None }
}

/// The probe with which the mapping table LOG_ACTION is asked about a record:
/// `channel|dest-channel|action-code|size|from|orig-to|to|`, and behind it the optional fields
/// that are on, in the order of the log, each with a `|` behind it: those of the options that are
/// on or off, and of `log_reason`, `log_diagnostics` and `log_remote_mta` those with bit 1.
#[must_use]
pub fn action_probe(record: &MessageRecord<'_>, options: &Options) -> String {
    let mut action = String::from(record.action.letter());
    record.modifiers.push(&mut action);
    let blocks = record.blocks.to_string();
    let flags = record
        .notify
        .map_or(0, |(notify, original)| notary_flags(notify, original));
    let flags = flags.to_string();
    let priority = priority_number(record.priority).to_string();
    let seconds = record.queue_time.filter(|_| options.queue_time);
    let seconds = seconds.map(|seconds| seconds.to_string());

    let optional = [
        when(options.notary, &flags),
        when(options.filename, record.file.unwrap_or("")),
        when(options.envelope_id, record.envelope_id),
        when(options.message_id, record.message_id.unwrap_or("")),
        when(options.username, record.user),
        when(options.has(connection_bit::SYSTEM), record.source_system),
        when(options.priority, &priority),
        when(options.in_probes.reason, record.reason.unwrap_or("")),
        when(
            options.in_probes.diagnostics,
            record.diagnostic.unwrap_or(""),
        ),
        when(options.in_probes.remote_mta, record.remote.unwrap_or("")),
        when(
            options.has(connection_bit::TRANSPORT),
            record.transport.unwrap_or(""),
        ),
        when(
            options.has(connection_bit::APPLICATION),
            record.application.unwrap_or(""),
        ),
        seconds.as_deref(),
    ];
    let destination = record.destination.map_or("", |name| name.as_str());
    let fields = [
        record.source.as_str(),
        destination,
        &action,
        &blocks,
        record.sender,
        record.original,
        record.current,
    ];
    let mut probe = String::new();
    for field in fields.into_iter().chain(optional.into_iter().flatten()) {
        probe.extend(field.chars().filter(|c| !c.is_control()));
        probe.push('|');
    }
    probe
}

/// Turns records into lines.
#[derive(Debug)]
pub struct Layout {
    options: Options,
    zone: TimeZone,
    process: u32,
    sequence: AtomicU64,
}

impl Layout {
    /// A layout for the process `process`, with times in `zone`.
    #[must_use]
    pub const fn new(options: Options, zone: TimeZone, process: u32) -> Self {
        Self {
            options,
            zone,
            process,
            sequence: AtomicU64::new(1),
        }
    }

    /// The options it follows.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Appends the record's line, with its line end; nothing if the options do not want it.
    pub fn push(&self, lines: &mut String, record: &Record<'_>) {
        let start = lines.len();
        match record {
            Record::Message(message) => self.push_message(lines, message),
            Record::Connection(connection) if self.options.wants(connection.action) => {
                self.push_connection(lines, connection);
            }
            Record::Connection(_) => return,
        }
        if lines.len() - start >= MAX_LINE {
            let mut end = start + MAX_LINE - 1;
            while !lines.is_char_boundary(end) {
                end -= 1;
            }
            lines.truncate(end);
        }
        lines.push('\n');
    }

    fn push_message(&self, line: &mut String, record: &MessageRecord<'_>) {
        self.push_front(line, record.time, record.thread);
        push_channel(line, record.source.as_str());
        push_channel(line, record.destination.map_or("", |name| name.as_str()));
        line.push(record.action.letter());
        record.modifiers.push(line);
        // Writing to a String cannot fail.
        write!(line, " {}", record.blocks).unwrap_or_default();
        self.push_address(line, record.sender);
        self.push_address(line, record.original);
        self.push_address(line, record.current);
        self.push_identity(line, record);
        self.push_outcome(line, record);
    }

    fn push_identity(&self, line: &mut String, record: &MessageRecord<'_>) {
        let options = &self.options;
        if options.notary {
            let flags = record
                .notify
                .map_or(0, |(notify, original)| notary_flags(notify, original));
            write!(line, " {flags}").unwrap_or_default();
        }
        if options.filename {
            self.push_field(line, record.file.unwrap_or(""));
        }
        if options.envelope_id {
            self.push_field(line, record.envelope_id);
        }
        if options.message_id {
            self.push_field(line, record.message_id.unwrap_or(""));
        }
        if options.username {
            self.push_field(line, record.user);
        }
        if options.has(connection_bit::SYSTEM) && !record.source_system.is_empty() {
            self.push_field(line, record.source_system);
        }
        if options.priority {
            write!(line, " {}", priority_number(record.priority)).unwrap_or_default();
        }
    }

    fn push_outcome(&self, line: &mut String, record: &MessageRecord<'_>) {
        let options = &self.options;
        let failed = matches!(record.action, Action::Returned | Action::Killed);
        if let Some(reason) = record.reason.filter(|_| options.reason && failed) {
            self.push_field(line, reason);
        }
        if options.diagnostics {
            match (record.remote, record.diagnostic) {
                (Some(remote), Some(text)) if !options.remote_mta => {
                    self.push_field(line, &format!("{remote} {text}"));
                }
                (Some(remote), None) if !options.remote_mta => self.push_field(line, remote),
                (_, Some(text)) => self.push_field(line, text),
                (_, None) => {}
            }
        }
        if let Some(remote) = record.remote.filter(|_| options.remote_mta) {
            self.push_field(line, remote);
        }
        if let Some(text) = record
            .transport
            .filter(|_| options.has(connection_bit::TRANSPORT))
        {
            self.push_field(line, text);
        }
        if let Some(text) = record
            .application
            .filter(|_| options.has(connection_bit::APPLICATION))
        {
            self.push_field(line, text);
        }
        if let Some(seconds) = record.queue_time.filter(|_| options.queue_time) {
            write!(line, " {seconds}").unwrap_or_default();
        }
    }

    fn push_connection(&self, line: &mut String, record: &ConnectionRecord<'_>) {
        self.push_front(line, record.time, record.thread);
        push_channel(line, record.channel.as_str());
        push_channel(
            line,
            match record.direction {
                Direction::Inbound => "+",
                Direction::Outbound => "-",
            },
        );
        line.push(record.action.letter());
        if record.action == ConnectionAction::Closed {
            record.modifiers.push(line);
        }
        self.push_field(line, &transport(record.local, record.remote));
        self.push_field(line, record.application);
        if let Some(user) = record
            .user
            .filter(|_| self.options.username || is_auth(record))
        {
            self.push_field(line, user);
        }
        if let Some(text) = record.diagnostic.filter(|_| self.options.diagnostics) {
            self.push_field(line, text);
        }
    }

    /// Time, node, process.
    fn push_front(&self, line: &mut String, when: jiff::Timestamp, thread: Option<u32>) {
        line.push_str(&time::stamp_in(when, &self.zone));
        line.push(' ');
        if let Some(node) = &self.options.node {
            push_cut(line, node);
            line.push(' ');
        }
        if self.options.process {
            let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
            match thread {
                Some(thread) => write!(line, "{:x}.{thread:x}.{sequence} ", self.process),
                None => write!(line, "{:x}.{sequence} ", self.process),
            }
            .unwrap_or_default();
        }
    }

    fn push_address(&self, line: &mut String, text: &str) {
        if text.is_empty() && self.options.format == 2 {
            line.push_str(" <>");
            return;
        }
        match &self.options.local_host {
            Some(host) if !text.is_empty() && !text.contains('@') => {
                self.push_field(line, &format!("{text}@{host}"));
            }
            Some(_) | None => self.push_field(line, text),
        }
    }

    fn push_field(&self, line: &mut String, text: &str) {
        line.push(' ');
        if self.options.format == 3 {
            let mut field = String::with_capacity(text.len());
            push_cut(&mut field, text);
            write!(line, "{}:{field}", field.chars().count()).unwrap_or_default();
        } else {
            push_cut(line, text);
        }
    }
}

fn is_auth(record: &ConnectionRecord<'_>) -> bool {
    record.action == ConnectionAction::Authentication
}

fn push_channel(line: &mut String, name: &str) {
    write!(line, "{name:<CHANNEL_WIDTH$} ").unwrap_or_default();
}

fn push_cut(line: &mut String, text: &str) {
    let start = line.len();
    let mut end = text.len().min(MAX_FIELD);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    escape::push(line, &text[..end]);
    if line.len() - start > MAX_FIELD {
        let mut end = start + MAX_FIELD;
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
    }
}

/// `log_priority` counts the other way than the queue file does: 4 is urgent.
const fn priority_number(priority: Priority) -> u8 {
    4 - priority as u8
}

/// The modifiers of a message as the client of a mail system names them, for `Received:` lines
/// and records alike: kept here because both must agree.
#[must_use]
pub fn protocol_word(modifiers: Modifiers) -> String {
    let mut word = String::from(match (modifiers.lmtp, modifiers.esmtp) {
        (true, _) => "LMTP",
        (false, true) => "ESMTP",
        (false, false) => "SMTP",
    });
    if modifiers.esmtp || modifiers.lmtp {
        if modifiers.tls {
            word.push('S');
        }
        if modifiers.auth {
            word.push('A');
        }
    }
    word
}

/// The flags integer of `log_notary`.
const fn notary_flags(notify: Notify, original_given: bool) -> u8 {
    (notify.0 & 0x1f) | if original_given { 32 } else { 0 }
}

#[cfg(test)]
mod tests;
