//! One message's envelope while it is being put together.

use super::access;
use super::fault::{Fault, over_transaction_limit};
use super::mark;
use super::message::MessageWriter;
use super::originator;
use super::refusal::Refusal;
use super::resolve::{Context, Question, Resolution, default_host, resolve};
use super::rewriting::Rewriter;
use super::source::{Checked, MailParams, RcptParams, Source};
use super::split::{self, Addressed, Group};
use super::trace::{Silent, Step, Trace, tell};
use super::{Enqueuer, Shared};
use jiff::Timestamp;
use mta_config::{Channel, ChannelOption, Config, MtaOption};
use mta_envelope::address::Address;
use mta_envelope::envelope::{Envelope, Notify, Pending, Priority, Recipient};
use mta_envelope::names::ChannelName;
use mta_envelope::status::Status;
use mta_log::record::{Action, MessageRecord, Record};
use mta_message::header::Header;
use std::sync::Arc;
use std::time::Duration;

/// A sender that was accepted, and the recipients accepted so far.
///
/// Nothing of it is on disk; dropping it forgets it.
#[derive(Debug)]
pub struct Transaction {
    pub(super) shared: Arc<Shared>,
    pub(super) config: Arc<Config>,
    pub(super) source: Arc<Source>,
    pub(super) sender: Option<Address>,
    /// Envelope From as the client gave it, if rewriting changed it.
    pub(super) original_sender: Option<Address>,
    pub(super) params: MailParams,
    pub(super) now: Timestamp,
    /// `ID@HOST`, made by us.
    pub(super) id: String,
    /// Who is to stand in Sender:, because FROM_ACCESS said so and `authrewrite` is on.
    sender_line: Option<Address>,
    /// Header lines that access tables added.
    pub(super) headers: Vec<String>,
    pub(super) size_limit: Option<u64>,
    pub(super) line_limit: Option<u64>,
    /// The recipients as given, for the `for` clause and `missingrecipientpolicy`.
    pub(super) given: Vec<Address>,
    /// The ORCPT of the first recipient, if it differs from what was given.
    pub(super) original_recipient: Option<String>,
    addressed: Vec<Addressed>,
    /// Recipients offered so far, refused ones included.
    offered: usize,
    /// Conversion tags and bit bucket that FROM_ACCESS wants for everybody.
    tags: Vec<String>,
    discarded: bool,
    /// Held for all recipients, because FROM_ACCESS said so.
    held: Option<String>,
    delay: Duration,
}

/// A recipient that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// How long the answer is to wait (`$D` of an access table).
    pub delay: Duration,
    /// In how many places the message will go for this recipient.
    pub destinations: usize,
}

impl Transaction {
    pub(super) fn begin(
        enqueuer: &Enqueuer,
        source: &Arc<Source>,
        sender: Option<&Address>,
        params: MailParams,
        now: Timestamp,
        trace: &mut dyn Trace,
    ) -> Result<Self, Refusal> {
        let config = enqueuer.config();
        let context = enqueuer.shared.context(&config);
        let size_limit = source_limit(&config, &source.channel);
        if let (Some(size), Some(limit)) = (params.size, size_limit)
            && size > limit
        {
            return Err(over_transaction_limit(size, limit));
        }
        let rewritten = sender.map(|address| rewrite_sender(context, source, address, trace));
        let mut transaction = Self {
            original_sender: sender
                .filter(|given| rewritten.as_ref() != Some(given))
                .cloned(),
            sender: rewritten,
            id: enqueuer.shared.next_id(&config, now),
            shared: Arc::clone(&enqueuer.shared),
            source: Arc::clone(source),
            params,
            now,
            sender_line: None,
            headers: Vec::new(),
            size_limit,
            line_limit: config.mta.limit(MtaOption::LineLimit),
            given: Vec::new(),
            original_recipient: None,
            addressed: Vec::new(),
            offered: 0,
            tags: Vec::new(),
            discarded: false,
            held: None,
            delay: Duration::ZERO,
            config: Arc::clone(&config),
        };
        let effects = access::sender(context, source, transaction.sender.as_ref(), sender, trace);
        let effects = effects.inspect_err(|refusal| transaction.shared.tell(&refusal.notes))?;
        transaction.held = effects.held;
        transaction.sender_line = effects.sender_line;
        transaction.delay = effects.delay;
        transaction.headers = effects.headers;
        transaction.tags = effects.tags;
        let channel = config.channel(&source.channel);
        let tag = channel.and_then(|channel| channel.text(ChannelOption::Sourceconversiontag));
        if let Some(tag) = tag.filter(|tag| !transaction.tags.iter().any(|known| known == tag)) {
            transaction.tags.push(tag.to_owned());
        }
        transaction.discarded = effects.discarded;
        let blocks = effects
            .blocks
            .map(|blocks| blocks.saturating_mul(config.block_size()));
        transaction.size_limit = smaller(transaction.size_limit, blocks);
        transaction.shared.tell(&effects.notes);
        if let Some(replaced) = effects.sender {
            transaction.sender = replaced;
        }
        Ok(transaction)
    }

    /// How long the answer to MAIL is to wait.
    #[must_use]
    pub const fn delay(&self) -> Duration {
        self.delay
    }

    /// The configuration it began with.
    #[must_use]
    pub const fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Envelope From, as rewritten.
    #[must_use]
    pub const fn sender(&self) -> Option<&Address> {
        self.sender.as_ref()
    }

    /// Takes one more recipient.
    ///
    /// # Errors
    /// The refusal that the client is told. What was accepted before stays.
    pub fn recipient(&mut self, address: &str, params: &RcptParams) -> Result<Accepted, Refusal> {
        self.recipient_traced(address, params, &mut Silent)
    }

    /// As [`Transaction::recipient`], telling each step.
    ///
    /// # Errors
    /// As [`Transaction::recipient`].
    pub fn recipient_traced(
        &mut self,
        address: &str,
        params: &RcptParams,
        trace: &mut dyn Trace,
    ) -> Result<Accepted, Refusal> {
        let config = Arc::clone(&self.config);
        let shared = Arc::clone(&self.shared);
        let source = Arc::clone(&self.source);
        let context = shared.context(&config);
        let question = Question {
            source: &source,
            sender: self.sender.as_ref(),
            recipient: address,
            params,
            size: self.params.size,
            given_sender: self.original_sender.as_ref(),
            counts: (self.given.len(), self.offered),
        };
        self.offered += 1;
        match resolve(context, &question, trace) {
            Ok(resolution) => Ok(self.accept(resolution, params, trace)),
            Err(refusal) => {
                self.shared.tell(&refusal.notes);
                if let Some(cause) = &refusal.cause {
                    self.shared.trouble(cause);
                }
                self.accept_refused(address, params, refusal, trace)
            }
        }
    }

    /// How many recipients were accepted.
    #[must_use]
    pub const fn accepted(&self) -> usize {
        self.given.len()
    }

    fn accept(
        &mut self,
        resolution: Resolution,
        params: &RcptParams,
        trace: &mut dyn Trace,
    ) -> Accepted {
        let accepted = Accepted {
            delay: resolution.effects.delay,
            destinations: resolution.destinations.len(),
        };
        self.size_limit = smaller(self.size_limit, resolution.size_limit);
        self.line_limit = smaller(self.line_limit, resolution.line_limit);
        self.shared.tell(&resolution.effects.notes);
        for line in resolution.effects.headers {
            if !self.headers.contains(&line) {
                self.headers.push(line);
            }
        }
        let original = resolution.original;
        if self.given.is_empty() {
            let asked = params.original.as_ref();
            self.original_recipient = asked
                .filter(|(_, address)| address != original.as_str())
                .map(|(kind, address)| format!("{kind};{address}"));
        }
        let put_off = self.put_off();
        if let Some(channel) = put_off.filter(|_| !resolution.effects.discarded) {
            tell(trace, || Step::Note {
                text: format!("over expandlimit, left to {channel}"),
            });
            let mut recipient = self.recipient_for(resolution.rewritten, &original, params);
            add_tags(&mut recipient, &resolution.effects.tags);
            self.addressed.push(Addressed {
                channel,
                recipient,
                held: resolution.effects.held,
                sender: None,
                list: None,
            });
            self.given.push(original);
            return accepted;
        }
        for destination in resolution.destinations {
            let mut recipient = self.recipient_for(destination.address, &original, params);
            let known = || params.store_options.clone();
            recipient.store_options = destination.store_options.or_else(known);
            recipient.pending = destination.pending;
            add_tags(&mut recipient, &destination.tags);
            add_tags(&mut recipient, &resolution.effects.tags);
            if destination.sender.is_some() {
                // A list answers for its members by itself (RFC 3461 §5.2.7).
                recipient.original = None;
                recipient.notify = Notify::default();
            }
            if let Some(wanted) = destination.delay_notices {
                recipient.notify = recipient.notify.with_delay(wanted);
            }
            self.addressed.push(Addressed {
                channel: destination.channel,
                recipient,
                held: destination.held,
                sender: destination.sender,
                list: destination.list,
            });
        }
        self.given.push(original);
        accepted
    }

    fn recipient_for(
        &self,
        address: Address,
        original: &Address,
        params: &RcptParams,
    ) -> Recipient {
        let mut recipient = Recipient::new(address);
        recipient.notify = params.notify.unwrap_or_default();
        recipient.original = Some(
            params
                .original
                .clone()
                .unwrap_or_else(|| ("rfc822".to_owned(), original.as_str().to_owned())),
        );
        add_tags(&mut recipient, &params.tags);
        add_tags(&mut recipient, &self.tags);
        recipient
    }

    /// The channel to which recipients beyond `expandlimit` are left, once there are so many.
    fn put_off(&self) -> Option<ChannelName> {
        let config = &self.config;
        let source = config.channel(&self.source.channel)?;
        let limit = source.limit(ChannelOption::Expandlimit)?;
        let allowed = source.name().as_str() != "l" && !self.source.reprocessing;
        (allowed && self.addressed.len() as u64 >= limit)
            .then(|| expand_channel(config, source))
            .flatten()
            .map(|channel| channel.name().clone())
    }

    /// `acceptalladdresses`, `accepttemporaryfailures` and notices: the refusal comes later, from
    /// the reprocess channel. It takes along what was said here, so that the detour opens no door.
    fn accept_refused(
        &mut self,
        address: &str,
        params: &RcptParams,
        refusal: Refusal,
        trace: &mut dyn Trace,
    ) -> Result<Accepted, Refusal> {
        let config = Arc::clone(&self.config);
        let source = config.channel(&self.source.channel);
        let Some(source) = source.filter(|_| !self.source.reprocessing) else {
            return Err(refusal);
        };
        let patient = params.patient || source.is(ChannelOption::Accepttemporaryfailures);
        let later =
            source.is(ChannelOption::Acceptalladdresses) || (refusal.is_temporary() && patient);
        let channel = expand_channel(&config, source).filter(|_| later && !refusal.close);
        let address = Address::parse(address).ok().and_then(|address| {
            let (host, _) = default_host(&config, &self.source, &address, true);
            match address.domain() {
                Some(_) => Some(address),
                None => Address::join(address.as_str(), &host).ok(),
            }
        });
        let (Some(channel), Some(address)) = (channel, address) else {
            return Err(refusal);
        };
        tell(trace, || Step::Note {
            text: format!("accepted all the same, left to {}", channel.name()),
        });
        let mut recipient = self.recipient_for(address.clone(), &address, params);
        let pending = refusal.lasting().unwrap_or(match params.checked {
            // A notice is no more checked later than it would have been now.
            Checked::Everything => Pending::Checked,
            Checked::AsGiven | Checked::Nothing => Pending::Anew,
        });
        recipient.pending = Some(pending);
        self.addressed.push(Addressed {
            channel: channel.name().clone(),
            recipient,
            held: None,
            sender: None,
            list: None,
        });
        self.given.push(address);
        Ok(Accepted {
            delay: Duration::ZERO,
            destinations: 1,
        })
    }

    /// Writes the `J` record of a refused recipient.
    pub fn record_rejection(&self, address: &str, params: &RcptParams, refusal: &Refusal) {
        let original = params.original.as_ref().map_or_else(
            || format!("rfc822;{address}"),
            |(kind, original)| format!("{kind};{original}"),
        );
        let diagnostic = refusal.to_string();
        self.record(Action::Rejected, address, &original, &diagnostic);
    }

    /// Writes a `V` record for each recipient accepted so far: the client is gone, and nothing
    /// of the message was stored.
    pub fn record_abort(&self, reason: &str) {
        for address in &self.given {
            let original = format!("rfc822;{address}");
            self.record(Action::Aborted, address.as_str(), &original, reason);
        }
    }

    fn record(&self, action: Action, address: &str, original: &str, diagnostic: &str) {
        let system = self.source.system();
        let now = mta_log::time::now();
        let mut record = MessageRecord::new(now, &self.source.channel, action);
        record.thread = self.source.thread;
        record.modifiers = self.source.protocol.modifiers;
        record.sender = self.sender.as_ref().map_or("", Address::as_str);
        record.original = original;
        record.current = address;
        record.envelope_id = self.params.envelope_id.as_deref().unwrap_or(&self.id);
        record.user = &self.source.user;
        record.source_system = &system;
        record.diagnostic = Some(diagnostic);
        self.shared.record(
            &self.config,
            &self.source.channel,
            &[Record::Message(record)],
        );
    }

    /// Writes a `J` record for each recipient of a message that was refused as a whole; ten at
    /// most, so that one message cannot fill the log.
    pub(super) fn record_refusal(&self, refusal: &Refusal) {
        for address in self.given.iter().take(10) {
            self.record_rejection(address.as_str(), &RcptParams::default(), refusal);
        }
    }

    /// Closes the envelope: the message can come.
    ///
    /// # Errors
    /// A refusal if nobody was accepted.
    pub fn message(mut self) -> Result<MessageWriter, Refusal> {
        if self.given.is_empty() {
            let text = "No recipients have been specified.";
            return Err(Refusal::new(503, Status::new(5, 5, 0), text));
        }
        let mut addressed = std::mem::take(&mut self.addressed);
        self.hold(&mut addressed);
        split::merge(&mut addressed);
        let groups = split::split(&self.config, addressed);
        let source = self.config.channel(&self.source.channel);
        let detour = source.and_then(|source| expand_channel(&self.config, source));
        let groups = split::bounded(groups, detour);
        Ok(MessageWriter::new(self, groups))
    }

    /// `holdlimit`, and what FROM_ACCESS wants held.
    fn hold(&mut self, addressed: &mut [Addressed]) {
        if let Some(reason) = &self.held {
            for one in addressed.iter_mut() {
                one.held.get_or_insert_with(|| reason.clone());
            }
        }
        let config = Arc::clone(&self.config);
        let bucket = ChannelName::new("bitbucket").ok();
        if let Some(name) = bucket.filter(|name| self.discarded && config.channel(name).is_some()) {
            for one in addressed.iter_mut() {
                one.channel = name.clone();
                one.held = None;
            }
            return;
        }
        // What an operator has released is not held again for the same reason.
        let source = config.channel(&self.source.channel);
        let Some(source) = source.filter(|_| !self.source.reprocessing) else {
            return;
        };
        let Some(limit) = source.limit(ChannelOption::Holdlimit) else {
            return;
        };
        let count = self.given.len();
        let Some(channel) = expand_channel(&config, source).filter(|_| count as u64 > limit) else {
            return;
        };
        for one in addressed {
            one.channel = channel.name().clone();
            one.held = Some(format!("{count} recipients exceed holdlimit {limit}"));
        }
    }

    /// The envelope of one file, without what the message's header decides.
    pub(super) fn envelope(&self, group: &Group) -> Envelope {
        let arrived = u64::try_from(self.now.as_second()).unwrap_or(0);
        Envelope {
            id: self
                .params
                .envelope_id
                .clone()
                .unwrap_or_else(|| self.id.clone()),
            sender: self.sender_of(group),
            ret: self.params.ret,
            source_channel: self.source.channel.clone(),
            source_system: self.source.system(),
            user: self.source.user.clone(),
            authenticated: self.authenticated().map(str::to_owned),
            arrived: self.params.arrived.unwrap_or(arrived),
            priority: Priority::Normal,
            message_id: None,
            size: 0,
            deferred_until: None,
            recipients: group.recipients.clone(),
        }
    }

    /// `authrewrite`: what the header says of the originator, against who is known.
    ///
    /// # Errors
    /// The refusal that AUTH_REWRITE wants.
    pub(super) fn authenticate_header(&mut self, header: &mut Header) -> Result<(), Refusal> {
        // What comes back from a queue of ours was checked when it came.
        if self.source.reprocessing {
            return Ok(());
        }
        let context = self.shared.context(&self.config);
        let sender = self.sender.as_ref();
        let line = self.sender_line.as_ref();
        let verdict = originator::check(context, &self.source, sender, line, header)?;
        if let Some(sender) = verdict.sender {
            self.sender = Some(sender);
        }
        Ok(())
    }

    /// The envelope From of one file: a list's, or the message's as the channel is to see it.
    fn sender_of(&self, group: &Group) -> Option<Address> {
        if let Some(sender) = &group.sender {
            return sender.clone();
        }
        let context = self.shared.context(&self.config);
        let sender = self.sender.as_ref()?;
        Some(mark::sender_for(
            context,
            &self.source,
            &group.channel,
            sender,
        ))
    }

    /// Who is known to have sent it. AUTH= of a client that has not authenticated proves nothing
    /// (RFC 4954 §5).
    fn authenticated(&self) -> Option<&str> {
        let claimed = self.params.authenticated.as_deref();
        let proven = self.source.authenticated.as_deref();
        proven.or_else(|| claimed.filter(|_| self.source.peer.is_none()))
    }

    /// The refusal for a message that could not be written.
    pub(super) fn queue_trouble(&self, error: &mta_queue::error::QueueError) -> Refusal {
        self.shared.trouble(&format!(
            "message {} not enqueued: {}",
            self.id,
            chain(error)
        ));
        match error {
            mta_queue::error::QueueError::NoSpace { .. } => Fault::NoSpace.refuse(&self.config, ""),
            _ => {
                let text = "error writing the message to the queue; try again later";
                Refusal::new(451, Status::new(4, 3, 0), text)
            }
        }
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn add_tags(recipient: &mut Recipient, tags: &[String]) {
    for tag in tags {
        if !recipient.tags.contains(tag) {
            recipient.tags.push(tag.clone());
        }
    }
}

fn smaller(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    a.into_iter().chain(b).min()
}

/// The smallest of `block_limit` and the source channel's `sourceblocklimit`, in octets.
#[must_use]
pub fn source_limit(config: &Config, source: &ChannelName) -> Option<u64> {
    let of_channel = config
        .channel(source)
        .and_then(|channel| channel.limit(ChannelOption::Sourceblocklimit));
    smaller(config.mta.limit(MtaOption::BlockLimit), of_channel)
        .filter(|blocks| *blocks > 0)
        .map(|blocks| blocks.saturating_mul(config.block_size()))
}

/// The channel to which expansion is left: `expandchannel`, else `reprocess`.
fn expand_channel<'c>(config: &'c Config, source: &Channel) -> Option<&'c Channel> {
    let name = source
        .text(ChannelOption::Expandchannel)
        .unwrap_or("reprocess");
    ChannelName::new(name)
        .ok()
        .and_then(|name| config.channel(&name))
}

/// Envelope From in the form that the rules give it; as it is if they give it none.
fn rewrite_sender(
    context: Context<'_>,
    source: &Source,
    address: &Address,
    trace: &mut dyn Trace,
) -> Address {
    let whole = match address.domain() {
        Some(_) => address.clone(),
        None => {
            let (host, _) = default_host(context.config, source, address, false);
            Address::join(address.as_str(), &host).unwrap_or_else(|_| address.clone())
        }
    };
    Rewriter::new(context, &source.channel)
        .backward(whole.as_str(), trace)
        .map_or(whole, |routed| routed.address)
}
