//! Header addresses of a message on its way to one channel: completed, rewritten, reversed.
//!
//! An address that no rule can give a channel stays as it is: addresses in headers are never a
//! reason to return a message. Everything around an address stays as it was written.

use super::resolve::{Context, default_host};
use super::reverse::{Moment, Reversal};
use super::rewriting::Rewriter;
use super::source::Source;
use super::trace::Silent;
use super::words::{self, End};
use mta_config::{Channel, ChannelOption};
use mta_envelope::address::Address;
use mta_envelope::names::ChannelName;
use mta_message::addresses;
use mta_message::header::{Field, Header};
use mta_rewrite::{Direction, Part, Question};
use std::collections::HashMap;

/// Fields whose addresses point forward.
const FORWARD: [&str; 6] = ["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"];
/// Fields whose addresses point backward.
const BACKWARD: [&str; 9] = [
    "From",
    "Sender",
    "Reply-To",
    "Resent-From",
    "Resent-Sender",
    "Resent-Reply-To",
    "Return-Path",
    "Errors-To",
    "Warnings-To",
];

/// Changes the addresses of `header` for the channel `destination`.
pub(super) fn addresses_for(
    context: Context<'_>,
    source: &Source,
    destination: &ChannelName,
    header: &mut Header,
) {
    let channel = context.config.channel(destination);
    let longest = channel.and_then(|channel| channel.limit(ChannelOption::Maxprocchars));
    let mut marker = Marker {
        context,
        source,
        destination,
        channel,
        known: HashMap::new(),
    };
    header.rewrite(|field| {
        let too_long = longest.is_some_and(|most| field.raw_value().len() as u64 > most);
        let changed = direction(&field)
            .filter(|_| !too_long)
            .and_then(|direction| {
                addresses::rewrite(&field, |address| marker.change(address, direction))
            });
        Some(changed.unwrap_or(field))
    });
    words::treat(context, channel, End::Destination, header);
}

pub(super) fn direction(field: &Field) -> Option<Direction> {
    if FORWARD.iter().any(|name| field.is(name)) {
        Some(Direction::Forward)
    } else if BACKWARD.iter().any(|name| field.is(name)) {
        Some(Direction::Backward)
    } else {
        None
    }
}

struct Marker<'a> {
    context: Context<'a>,
    source: &'a Source,
    destination: &'a ChannelName,
    channel: Option<&'a Channel>,
    /// What became of addresses that were met before; the same ones stand in several fields.
    known: HashMap<(String, bool), Option<String>>,
}

impl Marker<'_> {
    fn change(&mut self, address: &str, direction: Direction) -> Option<String> {
        let key = (address.to_owned(), direction == Direction::Forward);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let changed = header_address(
            self.context,
            self.source,
            self.destination,
            self.channel,
            address,
            direction,
        );
        self.known.insert(key, changed.clone());
        changed
    }
}

/// What an address of a header is shown as on its way to a channel; nothing if it stays.
pub(super) fn header_address(
    context: Context<'_>,
    source: &Source,
    destination: &ChannelName,
    channel: Option<&Channel>,
    address: &str,
    direction: Direction,
) -> Option<String> {
    // What is no address is nobody's to change.
    let parsed = Address::parse(address).ok()?;
    let mut text = match parsed.domain() {
        Some(_) => address.to_owned(),
        None => {
            let forward = direction == Direction::Forward;
            let (host, _) = default_host(context.config, source, &parsed, forward);
            Address::join(parsed.as_str(), &host).ok()?.to_string()
        }
    };
    let reversal = Reversal {
        part: Part::Header,
        direction,
        source: &source.channel,
        destination,
    };
    if let Some(reversed) = reversal.of(context, &text, Moment::Before, &mut Silent) {
        text = reversed;
    }
    let question = Question::header(&text, direction, &source.channel, Some(destination));
    let rewriter = Rewriter::new(context, &source.channel);
    if let Ok(rewritten) = rewriter.ask(&question, &mut Silent) {
        text = rewritten.address;
    }
    if let Some(reversed) = reversal.of(context, &text, Moment::After, &mut Silent) {
        text = reversed;
    }
    let text = with_alias(context, channel, text);
    (text != address).then_some(text)
}

/// The name that this machine uses toward a channel takes the place of its own.
fn with_alias(context: Context<'_>, channel: Option<&Channel>, text: String) -> String {
    let alias = channel.and_then(Channel::local_alias);
    let (Some(alias), Some((local, domain))) = (alias, text.rsplit_once('@')) else {
        return text;
    };
    if domain.eq_ignore_ascii_case(context.config.local_host()) {
        format!("{local}@{alias}")
    } else {
        text
    }
}

/// The envelope From of a file for a channel: reversed, and with the channel's name of ours.
pub(super) fn sender_for(
    context: Context<'_>,
    source: &Source,
    destination: &ChannelName,
    sender: &Address,
) -> Address {
    let reversal = Reversal {
        part: Part::Envelope,
        direction: Direction::Backward,
        source: &source.channel,
        destination,
    };
    let text = reversal.of(context, sender.as_str(), Moment::After, &mut Silent);
    let text = text.unwrap_or_else(|| sender.to_string());
    let channel = context.config.channel(destination);
    let text = with_alias(context, channel, text);
    Address::parse(&text).unwrap_or_else(|_| sender.clone())
}
