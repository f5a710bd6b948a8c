//! The message itself, from its first octet to the moment it is safe.
//!
//! Octets come in pieces of any length, lines end in LF. The header is kept until it is
//! complete, and with it the first 32 KiB of the body, in which a long line may still call for
//! one more header line. Then fix-ups, our trace line and the loop counts are settled, and from
//! there on everything goes straight into the draft of the queue files. A message that cannot be
//! taken is remembered as such and nothing more of it is kept.
//!
//! Header, early body and draft together take no more than 256 KiB of memory at any moment.

use super::fault::over_transaction_limit;
use super::hints;
use super::list_header::ListHeader;
use super::mark;
use super::refusal::Refusal;
use super::split::Group;
use super::transaction::Transaction;
use super::words::{self, End};
use crate::headers::{self, Facts, Finished};
use mta_config::ChannelOption;
use mta_envelope::envelope::Recipient;
use mta_envelope::names::ChannelName;
use mta_envelope::status::Status;
use mta_log::record::{Action, MessageRecord, Record, transport};
use mta_message::header::{Collector, Header, Progress};
use mta_queue::enqueue::{Draft, Placed, Plan};
use std::collections::HashMap;
use std::sync::Arc;

/// Memory for a header from outside, in octets. What comes back from a queue of ours has got
/// lines of ours since, and may have twice as much.
const MAX_HEADER: usize = 128 * 1024;

/// Octets of the body that are kept while the header may still change.
const EARLY: usize = 32 * 1024;

/// A message that is being received.
#[must_use = "a message is nowhere until it is finished"]
#[derive(Debug)]
pub struct MessageWriter {
    transaction: Transaction,
    groups: Vec<Group>,
    state: State,
    /// Octets as SIZE counts them, with two for each line end.
    octets: u64,
    lines: u64,
    chunked: bool,
}

#[derive(Debug)]
enum State {
    Header(Collector),
    /// The header as received, and the beginning of the body.
    Early(Header, Vec<u8>),
    /// One draft for all files, or one for those that have the same header.
    Body(Vec<Draft>),
    Failed(Refusal),
    /// Larger than this limit; how much larger is known at the end.
    TooLarge(u64),
}

/// A message that is safe.
#[derive(Debug, Clone)]
pub struct Enqueued {
    /// `ID@HOST`, for the final answer.
    pub envelope_id: String,
    /// Its files.
    pub files: Vec<Placed>,
}

impl MessageWriter {
    pub(super) fn new(transaction: Transaction, groups: Vec<Group>) -> Self {
        let ours = transaction.source.peer.is_none();
        let limit = MAX_HEADER * if ours { 2 } else { 1 };
        Self {
            transaction,
            groups,
            state: State::Header(Collector::new(limit)),
            octets: 0,
            lines: 0,
            chunked: false,
        }
    }

    /// Adds a header line of ours, without its line end.
    pub fn add_header(&mut self, line: &str) {
        if self.transaction.headers.iter().any(|known| known == line) {
            return;
        }
        self.transaction.headers.push(line.to_owned());
        if let (State::Body(drafts), Some(field)) = (&mut self.state, headers::added(line))
            && let Err(error) = drafts
                .iter_mut()
                .try_for_each(|draft| draft.late_header(field.raw()))
        {
            self.state = State::Failed(self.transaction.queue_trouble(&error));
        }
    }

    /// `ID@HOST`, as the final answer will tell it.
    #[must_use]
    pub fn envelope_id(&self) -> &str {
        &self.transaction.id
    }

    /// The message came by BDAT; its records say so.
    pub const fn came_in_chunks(&mut self) {
        self.chunked = true;
    }

    /// Gives the message up, with a `J` record for each recipient.
    pub fn refuse(self, refusal: &Refusal) {
        self.transaction.record_refusal(refusal);
    }

    /// Gives the message up and leaves its envelope: what was written is gone.
    #[must_use]
    pub fn give_up(self) -> Transaction {
        self.transaction
    }

    /// Takes the next octets. False if the message is refused already: nothing more of it is
    /// kept, and [`MessageWriter::finish`] tells why.
    pub fn write(&mut self, octets: &[u8]) -> bool {
        let lines = octets.iter().filter(|octet| **octet == b'\n').count() as u64;
        self.octets += octets.len() as u64 + lines;
        self.lines += lines;
        self.check_limits();
        match &mut self.state {
            State::Header(collector) => match collector.push(octets) {
                Progress::More => {}
                Progress::End { used } => self.end_header(&octets[used..]),
                Progress::TooLong => {
                    let text = format!(
                        "message header is larger than {} kilobytes",
                        MAX_HEADER / 1024
                    );
                    let refusal = Refusal::new(552, Status::new(5, 3, 4), text);
                    self.state = State::Failed(refusal);
                }
            },
            State::Early(_, body) => {
                body.extend_from_slice(octets);
                if body.len() > EARLY {
                    self.open();
                }
            }
            State::Body(drafts) => {
                let done = drafts.iter_mut().try_for_each(|draft| draft.body(octets));
                if let Err(error) = done {
                    self.state = State::Failed(self.transaction.queue_trouble(&error));
                }
            }
            State::Failed(_) | State::TooLarge(_) => {}
        }
        !matches!(self.state, State::Failed(_) | State::TooLarge(_))
    }

    /// Makes everything durable, writes the records, leaves the hints.
    ///
    /// # Errors
    /// The refusal of the message; nothing of it is left behind then.
    pub fn finish(mut self) -> Result<Enqueued, Refusal> {
        if matches!(self.state, State::Header(_)) {
            self.end_header(&[]);
        }
        self.open();
        let committed = match std::mem::replace(&mut self.state, State::Failed(unfinished())) {
            State::Body(drafts) => {
                let _room = self.transaction.shared.room.take(self.groups.len());
                Draft::commit_all(drafts).map_err(|error| self.transaction.queue_trouble(&error))
            }
            State::Failed(refusal) => Err(refusal),
            State::TooLarge(limit) => Err(over_transaction_limit(self.octets, limit)),
            State::Header(_) | State::Early(..) => Err(unfinished()),
        };
        let placed = committed.inspect_err(|refusal| self.transaction.record_refusal(refusal))?;
        record(&self.transaction, &placed, self.chunked);
        for (file, group) in placed.iter().zip(&self.groups) {
            if !file.place.file.is_held() {
                let hint = hints::entry(file, group.sorts_by_host);
                self.transaction.shared.hints().leave(hint);
            }
        }
        Ok(Enqueued {
            envelope_id: self.transaction.id,
            files: placed,
        })
    }

    fn check_limits(&mut self) {
        if matches!(self.state, State::Failed(_) | State::TooLarge(_)) {
            return;
        }
        let limit = self.transaction.size_limit;
        if let Some(limit) = limit.filter(|limit| self.octets > *limit) {
            self.state = State::TooLarge(limit);
            return;
        }
        let limit = self.transaction.line_limit;
        if let Some(limit) = limit.filter(|limit| self.lines > *limit) {
            let config = &self.transaction.config;
            let whose = super::fault::SizeLimit::ChannelLines;
            self.state = State::Failed(whose.refuse(config, limit, ""));
        }
    }

    /// The header is complete; `body` is what came behind it.
    fn end_header(&mut self, body: &[u8]) {
        let taken = State::Failed(unfinished());
        if let State::Header(collector) = std::mem::replace(&mut self.state, taken) {
            let (header, mut start) = collector.finish();
            start.extend_from_slice(body);
            let early = start.len() <= EARLY;
            self.state = State::Early(header, start);
            if !early {
                self.open();
            }
        }
    }

    /// Settles the header and opens the draft, unless that is done.
    fn open(&mut self) {
        if !matches!(self.state, State::Early(..)) {
            return;
        }
        let taken = State::Failed(unfinished());
        if let State::Early(header, body) = std::mem::replace(&mut self.state, taken) {
            self.state = match self.drafts(header, &body) {
                Ok(drafts) => State::Body(drafts),
                Err(refusal) => State::Failed(refusal),
            };
        }
    }

    fn drafts(&mut self, mut header: Header, body: &[u8]) -> Result<Vec<Draft>, Refusal> {
        self.transaction.authenticate_header(&mut header)?;
        let transaction = &self.transaction;
        let context = transaction.shared.context(&transaction.config);
        let source = transaction.config.channel(&transaction.source.channel);
        // What comes back from a queue of ours was treated when it came.
        let source = source.filter(|_| !transaction.source.reprocessing);
        words::treat(context, source, End::Source, &mut header);
        let headers = self.headers(&header);
        // Files with the same header share a draft, and lie behind one another from here on.
        let mut groups = Vec::with_capacity(self.groups.len());
        let mut shares = Vec::with_capacity(headers.len());
        for (_, members) in &headers {
            shares.push(members.len());
            groups.extend(members.iter().map(|at| self.groups[*at].clone()));
        }
        self.groups = groups;
        let mut drafts = Vec::with_capacity(headers.len());
        let count = headers.len();
        let mut first = 0;
        for ((header, _), share) in headers.into_iter().zip(shares) {
            let groups = first..first + share;
            first += share;
            drafts.push(self.draft(header, body, groups, count)?);
        }
        Ok(drafts)
    }

    /// The header as each channel is to see it, with the places of the files that have it.
    fn headers(&self, header: &Header) -> Vec<(Header, Vec<usize>)> {
        let transaction = &self.transaction;
        let context = transaction.shared.context(&transaction.config);
        type Key<'k> = (&'k ChannelName, Option<&'k Arc<ListHeader>>);
        let mut by_channel: HashMap<Key<'_>, usize> = HashMap::new();
        let mut headers: Vec<(Header, Vec<usize>)> = Vec::new();
        for (at, group) in self.groups.iter().enumerate() {
            let key = (&group.channel, group.list.as_ref());
            if let Some(known) = by_channel.get(&key) {
                headers[*known].1.push(at);
                continue;
            }
            let mut own = header.clone();
            if let Some(list) = &group.list {
                list.apply(&mut own);
            }
            mark::addresses_for(context, &transaction.source, &group.channel, &mut own);
            let known = headers.iter().position(|(header, _)| *header == own);
            let place = known.unwrap_or_else(|| {
                headers.push((own, Vec::new()));
                headers.len() - 1
            });
            headers[place].1.push(at);
            by_channel.insert(key, place);
        }
        headers
    }

    fn draft(
        &self,
        header: Header,
        body: &[u8],
        groups: std::ops::Range<usize>,
        drafts: usize,
    ) -> Result<Draft, Refusal> {
        let config = &self.transaction.config;
        let all_are = |option| {
            self.groups[groups.clone()].iter().all(|group| {
                let channel = config.channel(&group.channel);
                channel.is_some_and(|channel| channel.is(option))
            })
        };
        let facts = Facts {
            config,
            source: &self.transaction.source,
            sender: self.transaction.sender.as_ref(),
            original_sender: self.transaction.original_sender.as_ref(),
            recipients: &self.transaction.given,
            original_recipient: self.transaction.original_recipient.as_deref(),
            id: &self.transaction.id,
            now: self.transaction.now,
            added: &self.transaction.headers,
            four_digit_years: all_are(ChannelOption::Datefour),
            days_of_week: all_are(ChannelOption::Dayofweek),
        };
        let finished = headers::finish(header, &facts)?;
        let plans = self.plans(&finished, &self.groups[groups]);
        let queue = &self.transaction.shared.queue;
        let mut draft = queue.draft(plans).sharing_memory(drafts);
        let id = finished.message_id.as_deref();
        draft
            .whole_header(finished.header, id, finished.priority)
            .and_then(|()| draft.body(body))
            .map_err(|error| self.transaction.queue_trouble(&error))?;
        Ok(draft)
    }

    fn plans(&self, finished: &Finished, groups: &[Group]) -> Vec<Plan> {
        groups
            .iter()
            .map(|group| Plan {
                channel: group.channel.clone(),
                subdirs: group.subdirs,
                envelope: self.transaction.envelope(group),
                held: group.held.clone().or_else(|| finished.held.clone()),
            })
            .collect()
    }
}

/// A writer whose header never ended; cannot happen, and is temporary if it does.
fn unfinished() -> Refusal {
    Refusal::new(451, Status::new(4, 3, 0), "message is not complete")
}

/// One `E` record for each recipient of each file.
fn record(transaction: &Transaction, placed: &[Placed], chunked: bool) {
    let source = &transaction.source;
    let block = transaction.config.block_size();
    let now = mta_log::time::now();
    let (transport, application) = match &source.peer {
        Some(peer) => (
            Some(transport(Some(peer.local), Some(peer.remote))),
            Some(
                peer.helo
                    .as_ref()
                    .map_or_else(|| "SMTP".to_owned(), |helo| format!("SMTP/{helo}")),
            ),
        ),
        None => (None, None),
    };
    let paths: Vec<String> = placed
        .iter()
        .map(|file| file.path.display().to_string())
        .collect();
    let originals: Vec<Vec<String>> = placed
        .iter()
        .map(|file| {
            let recipients = file.envelope.recipients.iter();
            recipients.map(Recipient::original_text).collect()
        })
        .collect();
    let mut records = Vec::new();
    for (file, (path, originals)) in placed.iter().zip(paths.iter().zip(&originals)) {
        let envelope = &file.envelope;
        for (recipient, original) in envelope.recipients.iter().zip(originals) {
            let mut record = MessageRecord::new(now, &source.channel, Action::Enqueued);
            record.thread = source.thread;
            record.destination = Some(&file.channel);
            record.modifiers = source.protocol.modifiers;
            record.modifiers.chunking = chunked;
            record.blocks = envelope.blocks(block);
            record.sender = envelope.sender_text();
            record.original = original;
            record.current = recipient.address.as_str();
            record.notify = Some((recipient.notify, recipient.original.is_some()));
            record.file = Some(path);
            record.envelope_id = &envelope.id;
            record.message_id = envelope.message_id.as_deref();
            record.user = &envelope.user;
            record.source_system = &envelope.source_system;
            record.priority = envelope.priority;
            record.transport = transport.as_deref();
            record.application = application.as_deref();
            records.push(Record::Message(record));
        }
    }
    transaction
        .shared
        .record(&transaction.config, &source.channel, &records);
}
