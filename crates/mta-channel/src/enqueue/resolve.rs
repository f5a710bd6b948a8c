//! Where one recipient's mail goes, or why it is refused: a pure function of configuration,
//! directory and question.
//!
//! ```text
//! given address -> completed -> rewritten -> ORIG_SEND_ACCESS, ORIG_MAIL_ACCESS
//!               -> aliases and directory (each result rewritten from the beginning)
//!               -> SEND_ACCESS, MAIL_ACCESS, size limits for each final address
//! ```
//!
//! `imsimta test -rewrite`, the SMTP server's RCPT and VRFY, notices and the reprocess channel
//! all run this, and each step can be asked for as data ([`super::Step`]).

use super::access::{self, Stage};
use super::expand::Expansion;
use super::fault::{Fault, SizeLimit};
use super::list_header::ListHeader;
use super::refusal::Refusal;
use super::rewriting::{Rewriter, Routed};
use super::source::{Checked, RcptParams, ReverseName, Source};
use super::trace::{Step, Trace, tell};
use crate::lookups::Lookups;
use mta_access::conversions::{Conversion, ConversionProbe, conversion};
use mta_config::database::Databases;
use mta_config::{Channel, ChannelOption, Config};
use mta_directory::Directory;
use mta_envelope::address::Address;
use mta_envelope::domain::to_literal;
use mta_envelope::envelope::Pending;
use mta_envelope::names::ChannelName;
use mta_envelope::status::Status;
use std::sync::Arc;
use std::time::Duration;

/// What every question is asked of.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Who exists.
    pub directory: &'a Directory,
    /// The databases of the server root.
    pub databases: &'a Databases,
}

impl<'a> Context<'a> {
    /// Answers the call-outs of templates.
    #[must_use]
    pub const fn lookups(&self) -> Lookups<'a> {
        Lookups::new(self.config, self.databases, Some(self.directory))
    }
}

/// Where does this recipient's mail go?
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub source: &'a Source,
    /// Envelope From, as rewritten; `None` is the null sender.
    pub sender: Option<&'a Address>,
    /// The recipient as given.
    pub recipient: &'a str,
    /// Its parameters.
    pub params: &'a RcptParams,
    /// Envelope From as it was given, if that is known and another one.
    pub given_sender: Option<&'a Address>,
    /// The size that the client announced, in octets.
    pub size: Option<u64>,
    /// Recipients accepted so far, and offered so far, for `access_counts`.
    pub counts: (usize, usize),
}

/// A final address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The channel in whose queue the message goes.
    pub channel: ChannelName,
    /// The address on that channel.
    pub address: Address,
    /// The address before its last expansion: what lists and aliases made of the recipient.
    pub intermediate: Address,
    /// The name by which rewriting found the channel.
    pub host: String,
    /// Why the message is held there, if it is.
    pub held: Option<String>,
    /// Another envelope From, if a list asks for it; such a recipient gets no notices of ours.
    pub sender: Option<Option<Address>>,
    /// The recipient's `o;` record.
    pub store_options: Option<String>,
    /// Conversion tags.
    pub tags: Vec<String>,
    /// What is to be known of it when it comes back from the reprocess channel; such a
    /// destination was not taken by the channel that it is meant for.
    pub pending: Option<Pending>,
    /// What lists change in the header of what goes there.
    pub list: Option<Arc<ListHeader>>,
    /// Whether notices of delay are wanted, if a list says so.
    pub delay_notices: Option<bool>,
}

/// What access tables asked for beside yes and no; empty most of the time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Why the message is to be held for this recipient.
    pub held: Option<String>,
    /// The recipient's copy goes to the bit bucket.
    pub discarded: bool,
    /// Header lines to add.
    pub headers: Vec<String>,
    /// Conversion tags.
    pub tags: Vec<String>,
    /// How long the answer to this command waits.
    pub delay: Duration,
    /// Lines for the operator.
    pub notes: Vec<String>,
}

/// Where a recipient's mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The recipient as completed, the original address of all its destinations.
    pub original: Address,
    /// The first rewriting's result, before aliases.
    pub rewritten: Address,
    /// The channel found then.
    pub channel: ChannelName,
    /// The name by which it was found.
    pub host: String,
    /// At least one, unless everything is discarded.
    pub destinations: Vec<Destination>,
    /// What access tables asked for.
    pub effects: Effects,
    /// The smallest limit on the message's size that any destination has, in octets.
    pub size_limit: Option<u64>,
    /// The smallest limit in lines.
    pub line_limit: Option<u64>,
    /// The members of a list among these are not to be shown (`nonexpandable`).
    pub hidden: bool,
}

/// Answers the question.
///
/// # Errors
/// The refusal that the client is told at RCPT, with the address as it was given.
pub fn resolve(
    context: Context<'_>,
    question: &Question<'_>,
    trace: &mut dyn Trace,
) -> Result<Resolution, Refusal> {
    let resolution = find(context, question, trace);
    if let Err(refusal) = &resolution {
        tell(trace, || Step::Refused {
            address: question.recipient.to_owned(),
            refusal: refusal.to_string(),
        });
    }
    resolution
}

fn find(
    context: Context<'_>,
    question: &Question<'_>,
    trace: &mut dyn Trace,
) -> Result<Resolution, Refusal> {
    let original = complete(context.config, question, trace)?;
    let rewriter = Rewriter::new(context, &question.source.channel);
    let routed = rewriter.forward(original.as_str(), question.recipient, trace)?;
    let mut effects = Effects::default();
    if question.params.checked == Checked::Nothing {
        let stage = Stage::Original;
        access::recipient(context, question, stage, &routed, &mut effects, trace)?;
    }
    let (mut destinations, demands) =
        Expansion::new(context, question, &rewriter, trace).of(&routed)?;
    if is_reprocess(&routed.channel) && !question.source.reprocessing {
        // Rewriting could not tell the channel yet: what was asked was not asked about that.
        for destination in &mut destinations {
            destination.pending.get_or_insert(Pending::Anew);
        }
    }
    let mut resolution = Resolution {
        original,
        rewritten: routed.address,
        channel: routed.channel,
        host: routed.host,
        destinations,
        effects,
        size_limit: demands.octets,
        line_limit: demands.lines,
        hidden: demands.hidden,
    };
    settle(context, question, &mut resolution, trace)?;
    Ok(resolution)
}

/// SEND_ACCESS, MAIL_ACCESS and the limits of each destination.
fn settle(
    context: Context<'_>,
    question: &Question<'_>,
    resolution: &mut Resolution,
    trace: &mut dyn Trace,
) -> Result<(), Refusal> {
    let mut refused = Vec::new();
    let mut allowed = Vec::with_capacity(resolution.destinations.len());
    for mut destination in std::mem::take(&mut resolution.destinations) {
        match settle_one(context, question, &mut destination, resolution, trace) {
            Ok(true) => {
                tell(trace, || Step::Destination {
                    channel: destination.channel.to_string(),
                    address: destination.address.to_string(),
                    held: destination.held.clone(),
                });
                allowed.push(destination);
            }
            Ok(false) => {}
            Err(refusal) => {
                tell(trace, || Step::Refused {
                    address: destination.address.to_string(),
                    refusal: refusal.to_string(),
                });
                refused.push((destination, refusal));
            }
        }
    }
    if let (true, Some((_, refusal))) = (allowed.is_empty(), refused.first()) {
        return Err(refusal.clone());
    }
    // One good address makes the recipient good. The others are returned one by one.
    for (destination, refusal) in refused {
        allowed.push(returned(context, destination, refusal, trace)?);
    }
    resolution.destinations = allowed;
    Ok(())
}

/// A destination that was refused while others of the same recipient were not: the reprocess
/// channel takes it, and returns it with this refusal.
fn returned(
    context: Context<'_>,
    mut destination: Destination,
    refusal: Refusal,
    trace: &mut dyn Trace,
) -> Result<Destination, Refusal> {
    let name = ChannelName::new("reprocess").ok();
    let Some(channel) = name.and_then(|name| context.config.channel(&name)) else {
        return Err(refusal);
    };
    tell(trace, || Step::Note {
        text: format!(
            "{} is left to {}: {refusal}",
            destination.address,
            channel.name()
        ),
    });
    channel.name().clone_into(&mut destination.channel);
    channel.official_host().clone_into(&mut destination.host);
    destination.pending = Some(Pending::Refused {
        code: refusal.code,
        status: refusal.status,
        text: refusal.text,
    });
    destination.held = None;
    destination.store_options = None;
    Ok(destination)
}

/// Whether the destination stays; discarded ones do not.
fn settle_one(
    context: Context<'_>,
    question: &Question<'_>,
    destination: &mut Destination,
    resolution: &mut Resolution,
    trace: &mut dyn Trace,
) -> Result<bool, Refusal> {
    if destination.pending.is_some() {
        return Ok(true);
    }
    if question.source.reprocessing && is_reprocess(&destination.channel) {
        // Round and round at full speed would be no help: the file waits for its next turn.
        return Err(Fault::AliasTemporary.refuse(context.config, question.recipient));
    }
    let mut effects = Effects::default();
    let channel = context.config.channel(&destination.channel);
    let tag = channel.and_then(|channel| channel.text(ChannelOption::Destinationconversiontag));
    destination.tags.extend(tag.map(str::to_owned));
    if question.params.checked != Checked::Everything {
        let routed = Routed {
            address: destination.address.clone(),
            channel: destination.channel.clone(),
            host: destination.host.clone(),
        };
        let stage = Stage::Expanded;
        access::recipient(context, question, stage, &routed, &mut effects, trace)?;
    }
    let held = resolution.effects.held.clone();
    destination.held = destination.held.take().or(effects.held).or(held);
    destination.tags.extend(effects.tags);
    resolution.effects.headers.append(&mut effects.headers);
    resolution.effects.notes.append(&mut effects.notes);
    resolution.effects.delay = resolution.effects.delay.max(effects.delay);
    if effects.discarded || resolution.effects.discarded {
        return discard(context, destination);
    }
    limits(context, question, destination, resolution)?;
    convert(context, question, destination, trace)?;
    Ok(true)
}

/// CONVERSIONS: a conversion channel may stand in front of the one that is to take the message.
/// What cannot be sent through it waits: it may be the one that looks for viruses.
fn convert(
    context: Context<'_>,
    question: &Question<'_>,
    destination: &mut Destination,
    trace: &mut dyn Trace,
) -> Result<(), Refusal> {
    let config = context.config;
    if is_aside(&destination.channel) {
        return Ok(());
    }
    let mut tags = question.params.tags.clone();
    tags.extend(destination.tags.iter().cloned());
    let probe = ConversionProbe {
        source: question.source.channel.as_str(),
        destination: destination.channel.as_str(),
        tags: &tags,
    };
    let lookups = context.lookups();
    let wanted = match conversion(&config.mta, &config.mappings, &probe, &lookups) {
        Conversion::Direct => return Ok(()),
        Conversion::Through(channel) => Some(channel),
        Conversion::Unknown => None,
    };
    let name = wanted
        .as_deref()
        .and_then(|name| ChannelName::new(name).ok());
    let Some(channel) = name.and_then(|name| config.channel(&name)) else {
        let what = wanted.map_or("CONVERSIONS cannot be read".to_owned(), |name| {
            format!("there is no conversion channel {name}")
        });
        tell(trace, || Step::Note { text: what.clone() });
        let status = Status::new(4, 3, 5);
        let text = "mail for this address cannot be converted now";
        let refusal = Refusal::temporary(status, text, question.recipient);
        return Err(refusal.because(format!("{}: {what}", question.recipient)));
    };
    tell(trace, || Step::Note {
        text: format!(
            "CONVERSIONS sends what is for {} through {}",
            destination.channel,
            channel.name()
        ),
    });
    destination.channel = channel.name().clone();
    channel.official_host().clone_into(&mut destination.host);
    Ok(())
}

/// Whether the channel keeps mail, or throws it away, for reasons of ours: what leaves it again
/// goes through the whole enqueue path, CONVERSIONS included.
fn is_aside(channel: &ChannelName) -> bool {
    ["hold", "bitbucket", "filter_discard"].contains(&channel.as_str()) || is_reprocess(channel)
}

fn is_reprocess(channel: &ChannelName) -> bool {
    let name = channel.as_str();
    name == "reprocess" || name.starts_with("reprocess_")
}

/// The bit bucket takes what is discarded, so that it leaves a trail.
fn discard(context: Context<'_>, destination: &mut Destination) -> Result<bool, Refusal> {
    let bucket = ChannelName::new("bitbucket").ok();
    let known = bucket.filter(|name| context.config.channel(name).is_some());
    match known {
        Some(name) => {
            destination.channel = name;
            destination.held = None;
            Ok(true)
        }
        None => {
            let text = "mail for this address cannot be discarded now";
            Err(Refusal::temporary(
                Status::new(4, 3, 5),
                text,
                destination.address.as_str(),
            ))
        }
    }
}

fn limits(
    context: Context<'_>,
    question: &Question<'_>,
    destination: &Destination,
    resolution: &mut Resolution,
) -> Result<(), Refusal> {
    let Some(channel) = context.config.channel(&destination.channel) else {
        return Ok(());
    };
    let smaller = |known: &mut Option<u64>, new: u64| {
        *known = Some(known.map_or(new, |known| known.min(new)));
    };
    if let Some(blocks) = channel.limit(ChannelOption::Blocklimit) {
        let octets = blocks.saturating_mul(context.config.block_size());
        if question.size.is_some_and(|size| size > octets) {
            let kilobytes = octets.div_ceil(1024);
            return Err(SizeLimit::Channel.refuse(context.config, kilobytes, question.recipient));
        }
        smaller(&mut resolution.size_limit, octets);
    }
    if let Some(lines) = channel.limit(ChannelOption::Linelimit) {
        smaller(&mut resolution.line_limit, lines);
    }
    Ok(())
}

/// Reads the address and gives it a domain if it has none.
fn complete(
    config: &Config,
    question: &Question<'_>,
    trace: &mut dyn Trace,
) -> Result<Address, Refusal> {
    tell(trace, || Step::Address {
        address: question.recipient.to_owned(),
        level: 0,
    });
    let address = Address::parse(question.recipient).map_err(|error| {
        Refusal::permanent(Status::new(5, 1, 3), &error.to_string(), question.recipient)
    })?;
    if address.domain().is_some() {
        return Ok(address);
    }
    let (host, by) = default_host(config, question.source, &address, true);
    let whole = Address::join(address.as_str(), &host).map_err(|error| {
        Refusal::permanent(Status::new(5, 1, 3), &error.to_string(), question.recipient)
    })?;
    tell(trace, || Step::Completed {
        address: whole.to_string(),
        by,
    });
    Ok(whole)
}

/// The domain of an address that has none: `defaulthost`, else `remotehost`, else this host.
/// A bare `postmaster` always means ours (RFC 5321 §4.5.1).
pub(super) fn default_host(
    config: &Config,
    source: &Source,
    address: &Address,
    recipient: bool,
) -> (String, &'static str) {
    let local = || (config.local_host().to_owned(), "local host");
    let Some(channel) = config.channel(&source.channel) else {
        return local();
    };
    if address.as_str().eq_ignore_ascii_case("postmaster") {
        return local();
    }
    let names = channel.list(ChannelOption::Defaulthost);
    let named = names.get(usize::from(recipient)).or_else(|| names.first());
    let remote = || remote_host(channel, source).map(|host| (host, "remotehost"));
    match named {
        Some(host) if recipient => (host.clone(), "defaulthost"),
        Some(host) => remote().unwrap_or_else(|| (host.clone(), "defaulthost")),
        None => remote().unwrap_or_else(local),
    }
}

fn remote_host(channel: &Channel, source: &Source) -> Option<String> {
    let peer = source.peer.as_ref()?;
    channel
        .is(ChannelOption::Remotehost)
        .then(|| match &peer.name {
            ReverseName::Known(name) => name.clone(),
            ReverseName::Unknown | ReverseName::NotAsked => to_literal(peer.remote.ip()),
        })
}
