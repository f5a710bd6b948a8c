//! From a rewritten address to its final ones, through aliases and the directory.
//!
//! An address on the local channel, or on one marked `aliaslocal`, is looked up; each result is
//! rewritten from the beginning and looked up again, `max_alias_levels` deep. An alias or entry
//! that occurs inside its own expansion is not expanded again. If some results of one recipient
//! are good and others are not, the bad ones go to the reprocess channel, which will return
//! them: nobody is forgotten.

mod entry;
mod list;
mod look_up;

use super::fault::Fault;
use super::forward::forward;
use super::list_header::ListHeader;
use super::refusal::Refusal;
use super::resolve::{Context, Destination, Question};
use super::rewriting::{Rewriter, Routed};
use super::trace::{Step, Trace, tell};
use crate::store::StoreOptions;
use list::Posting;
use mta_config::aliases::AliasEntry;
use mta_config::{Channel, ChannelOption, MtaOption};
use mta_directory::entry::Entry;
use mta_envelope::address::Address;
use mta_envelope::envelope::Pending;
use mta_envelope::names::ChannelName;
use mta_envelope::status::Status;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Most final addresses of one recipient.
const MAX_DESTINATIONS: usize = 20_000;

/// Most results of aliases and entries that are looked at for one recipient. A list of lists of
/// lists grows by multiplication, and a client waits for the answer.
const MAX_WORK: usize = 100_000;

/// What aliases and entries of the directory ask of the message as a whole.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Demands {
    /// Its largest size.
    pub(super) octets: Option<u64>,
    /// The most lines it may have.
    pub(super) lines: Option<u64>,
    /// The members of a list are not to be shown.
    pub(super) hidden: bool,
}

/// What a list says of its members beside who they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Membership {
    header: Option<Arc<ListHeader>>,
    /// Whether they get notices of delay, if the list says so.
    delay_notices: Option<bool>,
    /// Conversion tags.
    tags: Vec<String>,
}

/// What an address brings along from the aliases above it.
#[derive(Clone)]
struct Above {
    level: usize,
    via_alias: bool,
    held: Option<String>,
    sender: Option<Option<Address>>,
    store: StoreOptions,
    /// FORWARD has been asked for the last time.
    forwarded: bool,
    /// The address of the user whose mailbox this is; anybody else is what the address says.
    intermediate: Option<Address>,
    list: Membership,
}

/// What an address was found to stand for.
enum Found<'c> {
    Entry(Arc<Entry>, Option<String>),
    /// Of the alias file or database.
    Alias(Cow<'c, AliasEntry>),
    Nothing,
}

/// One expansion under way.
pub(super) struct Expansion<'a, 't> {
    context: Context<'a>,
    question: &'a Question<'a>,
    rewriter: &'a Rewriter<'a>,
    trace: &'t mut dyn Trace,
    /// Names of the aliases and entries that are being expanded, outermost first.
    open: Vec<String>,
    /// The look-up found an alias that is being expanded.
    recursion: bool,
    /// Entries that have been expanded, and at which level.
    done: HashMap<Visit, usize>,
    destinations: Vec<Destination>,
    failures: Vec<Failure>,
    demands: Demands,
    /// Results looked at.
    work: usize,
    /// There are too many of them: the recipient as a whole is refused.
    exhausted: Option<Refusal>,
}

/// An entry, and all that what comes out of it depends on.
#[derive(PartialEq, Eq, Hash)]
struct Visit {
    dn: String,
    address: Address,
    subaddress: Option<String>,
    held: Option<String>,
    sender: Option<Option<Address>>,
    list: Membership,
}

/// A result that cannot be had.
struct Failure {
    address: Address,
    refusal: Refusal,
    /// The envelope From that its list asks for.
    sender: Option<Option<Address>>,
    list: Membership,
}

impl<'a, 't> Expansion<'a, 't> {
    pub(super) fn new(
        context: Context<'a>,
        question: &'a Question<'a>,
        rewriter: &'a Rewriter<'a>,
        trace: &'t mut dyn Trace,
    ) -> Self {
        Self {
            context,
            question,
            rewriter,
            trace,
            open: Vec::new(),
            recursion: false,
            done: HashMap::new(),
            destinations: Vec::new(),
            failures: Vec::new(),
            demands: Demands::default(),
            work: 0,
            exhausted: None,
        }
    }

    /// All final addresses of `routed`.
    pub(super) fn of(mut self, routed: &Routed) -> Result<(Vec<Destination>, Demands), Refusal> {
        let above = Above {
            level: 0,
            via_alias: false,
            held: None,
            sender: None,
            store: StoreOptions::default(),
            forwarded: false,
            intermediate: None,
            list: Membership::default(),
        };
        if self.question.params.expanded {
            let channel = self.context.config.channel(&routed.channel);
            let found = Above {
                via_alias: true,
                ..above
            };
            self.destination(routed, channel, &found)?;
            return Ok((self.destinations, self.demands));
        }
        self.expand(routed, &above)?;
        if self.destinations.is_empty() {
            return Err(self.worst());
        }
        self.send_failures_on()?;
        Ok((self.destinations, self.demands))
    }

    /// Why there is no final address at all: a temporary reason if there is one.
    fn worst(&self) -> Refusal {
        let mut refusals = self.failures.iter().map(|failure| &failure.refusal);
        let temporary = refusals.clone().find(|refusal| refusal.is_temporary());
        temporary
            .or_else(|| refusals.next())
            .cloned()
            .unwrap_or_else(|| {
                let text = "alias stands for nothing but itself";
                self.permanent(Status::new(5, 4, 6), text)
            })
    }

    /// Members that were refused while others were not are left to the reprocess channel: it
    /// returns them, or asks again about those that were refused for now.
    fn send_failures_on(&mut self) -> Result<(), Refusal> {
        if self.failures.is_empty() {
            return Ok(());
        }
        let name = ChannelName::new("reprocess").ok();
        let channel = name.and_then(|name| self.context.config.channel(&name));
        for failure in std::mem::take(&mut self.failures) {
            let Failure {
                address,
                refusal,
                sender,
                list,
            } = failure;
            let Some(channel) = channel else {
                return Err(refusal);
            };
            tell(self.trace, || Step::Note {
                text: format!("{address} is left to {}: {refusal}", channel.name()),
            });
            self.destinations.push(Destination {
                channel: channel.name().clone(),
                host: channel.official_host().to_owned(),
                intermediate: address.clone(),
                address,
                held: None,
                sender,
                store_options: None,
                tags: list.tags,
                pending: Some(refusal.lasting().unwrap_or(Pending::Later)),
                list: list.header,
                delay_notices: list.delay_notices,
            });
        }
        Ok(())
    }

    fn expand(&mut self, routed: &Routed, above: &Above) -> Result<(), Refusal> {
        let levels = self.context.config.mta.int(MtaOption::MaxAliasLevels);
        if above.level > usize::try_from(levels).unwrap_or(10) {
            let text = "too many levels of alias";
            return Err(self.permanent(Status::new(5, 4, 6), text));
        }
        let channel = self.context.config.channel(&routed.channel);
        let looks_up = channel.is_some_and(|channel| {
            channel.name().as_str() == "l" || channel.is(ChannelOption::Aliaslocal)
        });
        self.recursion = false;
        let found = match channel.filter(|_| looks_up) {
            Some(channel) => self.look_up(channel, &routed.address)?,
            None => Found::Nothing,
        };
        match found {
            Found::Entry(entry, sub) => self.entry(&entry, sub.as_deref(), &routed.address, above),
            Found::Alias(alias) => self.alias(&alias, &routed.address, above),
            Found::Nothing => {
                // Where every address is looked up, coming out of a list is not enough: the
                // member itself must be known. One that is being expanded is.
                let mut above = above.clone();
                above.via_alias &= !looks_up || std::mem::take(&mut self.recursion);
                self.forwarded(routed, channel, &above)
            }
        }
    }

    /// FORWARD and the forward database, then the destination.
    fn forwarded(
        &mut self,
        routed: &Routed,
        channel: Option<&Channel>,
        above: &Above,
    ) -> Result<(), Refusal> {
        if above.forwarded {
            return self.destination(routed, channel, above);
        }
        let found = forward(self.context, self.question, routed, self.trace);
        let found = found.map_err(|_| {
            let recipient = self.question.recipient;
            Fault::AliasTemporary.refuse(self.context.config, recipient)
        })?;
        let Some(forwarded) = found else {
            return self.destination(routed, channel, above);
        };
        let mut below = self.below(above, &routed.address);
        below.store.clone_from(&above.store);
        below.forwarded = forwarded.last;
        if forwarded.hold {
            below.held = Some("held by FORWARD".to_owned());
        }
        if forwarded.rewrite {
            return self.each(&[forwarded.address], &below);
        }
        let address = self.read(&forwarded.address)?;
        let routed = Routed {
            address: self.complete(address)?,
            ..routed.clone()
        };
        self.destination(&routed, channel, &below)
    }

    /// A final address, if its channel takes it.
    fn destination(
        &mut self,
        routed: &Routed,
        channel: Option<&Channel>,
        above: &Above,
    ) -> Result<(), Refusal> {
        let wants_alias =
            channel.is_some_and(|channel| channel.is(ChannelOption::Viaaliasrequired));
        if wants_alias && !above.via_alias {
            let recipient = self.question.recipient;
            return Err(Fault::UnknownAlias.refuse(self.context.config, recipient));
        }
        if self.destinations.len() >= MAX_DESTINATIONS {
            return Err(self.exhaust());
        }
        let mut store = above.store.clone();
        if let Some(flags) = channel.and_then(|c| c.limit(ChannelOption::Deliveryflags)) {
            store.flags |= u32::try_from(flags).unwrap_or(0);
        }
        self.destinations.push(Destination {
            channel: routed.channel.clone(),
            address: routed.address.clone(),
            intermediate: above
                .intermediate
                .clone()
                .unwrap_or_else(|| routed.address.clone()),
            host: routed.host.clone(),
            held: above.held.clone(),
            sender: above.sender.clone(),
            store_options: store.to_record(),
            tags: above.list.tags.clone(),
            pending: None,
            list: above.list.header.clone(),
            delay_notices: above.list.delay_notices,
        });
        Ok(())
    }

    /// Gives up: nothing more is looked at, and nobody is left behind, since nobody is taken.
    fn exhaust(&mut self) -> Refusal {
        let text = "too many addresses in this list";
        let refusal = Refusal::temporary(Status::new(4, 5, 3), text, self.question.recipient);
        self.exhausted = Some(refusal.clone());
        refusal
    }

    /// The message as a whole may be no larger than the smallest of all limits.
    fn limit(&mut self, octets: u64) {
        let known = &mut self.demands.octets;
        *known = Some(known.map_or(octets, |known| known.min(octets)));
    }

    /// An alias of the alias file.
    fn alias(
        &mut self,
        alias: &AliasEntry,
        address: &Address,
        above: &Above,
    ) -> Result<(), Refusal> {
        let posting = self.posting(alias, address)?;
        let mut below = self.below(above, address);
        below.intermediate = None;
        if let Some(text) = alias.option("envelope_from") {
            below.sender = Some(self.list_sender(text)?);
        }
        let number = |name| alias.option(name).and_then(|text| text.trim().parse().ok());
        if let Some(blocks) = number("blocklimit").filter(|blocks: &u64| *blocks > 0) {
            self.limit(blocks.saturating_mul(self.context.config.block_size()));
        }
        if let Some(lines) = number("linelimit").filter(|lines: &u64| *lines > 0) {
            let known = &mut self.demands.lines;
            *known = Some(known.map_or(lines, |known| known.min(lines)));
        }
        let is_set = |name| alias.option(name).is_some();
        self.demands.hidden |= is_set("nonexpandable") && !is_set("expandable");
        // The moderator gets what was written: it becomes a posting of the list when it comes back.
        if !matches!(posting, Posting::ToModerator(_)) {
            below.list = self.membership(alias, &above.list)?;
        }
        if let Posting::Held = posting {
            below.held = Some(format!("held by the list {}", alias.name));
        }
        self.open.push(alias_mark(alias));
        let mut results = Vec::with_capacity(alias.values.len());
        if let Posting::ToModerator(moderator) = posting {
            results.push(moderator);
        } else {
            for value in &alias.values {
                // All or nothing: who was reached now would be reached again later.
                match self.members_of(value) {
                    Ok(members) => results.extend(members),
                    Err(refusal) => {
                        self.open.pop();
                        return Err(refusal);
                    }
                }
            }
        }
        let done = self.each(&results, &below);
        self.open.pop();
        done
    }

    /// Rewrites and expands each of the results of one alias or entry.
    fn each(&mut self, results: &[String], below: &Above) -> Result<(), Refusal> {
        for text in results {
            self.work += 1;
            if self.work > MAX_WORK {
                return Err(self.exhaust());
            }
            tell(self.trace, || Step::Expanded { to: text.clone() });
            let done = self.read(text).and_then(|address| {
                let whole = self.complete(address)?;
                let routed =
                    self.rewriter
                        .forward(whole.as_str(), self.question.recipient, self.trace)?;
                self.expand(&routed, below)
            });
            if let Err(refusal) = done {
                if self.exhausted.is_some() {
                    return Err(refusal);
                }
                match self.read(text) {
                    Ok(address) => self.fail(address, refusal, below),
                    Err(_) => return Err(refusal),
                }
            }
        }
        Ok(())
    }

    /// A result that cannot be had; what becomes of it depends on the others.
    fn fail(&mut self, address: Address, refusal: Refusal, below: &Above) {
        tell(self.trace, || Step::Refused {
            address: address.to_string(),
            refusal: refusal.to_string(),
        });
        self.failures.push(Failure {
            address,
            refusal,
            sender: below.sender.clone(),
            list: below.list.clone(),
        });
    }

    fn below(&self, above: &Above, address: &Address) -> Above {
        Above {
            level: above.level + 1,
            via_alias: true,
            held: above.held.clone(),
            sender: above.sender.clone(),
            store: StoreOptions::default(),
            forwarded: above.forwarded,
            intermediate: Some(address.clone()),
            list: above.list.clone(),
        }
    }

    fn read(&self, text: &str) -> Result<Address, Refusal> {
        Address::parse(text.trim_matches(['<', '>'])).map_err(|error| {
            let text = format!("alias with an illegal address ({error})");
            self.permanent(Status::new(5, 1, 3), &text)
        })
    }

    /// An alias value without domain means this host.
    fn complete(&self, address: Address) -> Result<Address, Refusal> {
        if address.domain().is_some() {
            return Ok(address);
        }
        Address::join(address.as_str(), self.context.config.local_host())
            .map_err(|error| self.permanent(Status::new(5, 1, 3), &error.to_string()))
    }

    /// The envelope From that a list asks for.
    fn list_sender(&self, text: &str) -> Result<Option<Address>, Refusal> {
        let text = text.trim();
        let text = match text.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => &text[7..],
            Some(_) | None => text,
        };
        if text.is_empty() || text == "<>" {
            return Ok(None);
        }
        self.read(text).and_then(|a| self.complete(a)).map(Some)
    }

    fn permanent(&self, status: Status, text: &str) -> Refusal {
        Refusal::permanent(status, text, self.question.recipient)
    }
}

fn alias_mark(alias: &AliasEntry) -> String {
    format!("alias {}", alias.name.to_lowercase())
}
