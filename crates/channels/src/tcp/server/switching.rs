//! From which channel a session's mail comes.
//!
//! The service names the initial channel. With `switchchannel` the client's address, and then
//! its name, are rewritten as if they sent mail; the channel that comes out becomes the source
//! if it allows that. What the client says of itself never counts.

use mta_channel::enqueue::{Context, ReverseName, Rewriter, Silent};
use mta_config::{Channel, ChannelOption};
use mta_envelope::names::ChannelName;
use std::net::IpAddr;

/// The channel of a new session.
pub(super) fn by_client<'c>(
    context: Context<'c>,
    initial: &'c Channel,
    address: IpAddr,
    name: &ReverseName,
) -> &'c Channel {
    let switches =
        initial.is(ChannelOption::Switchchannel) && initial.option_int("CHECK_SOURCE", 1) != 0;
    if !switches {
        return initial;
    }
    let by_address = format!("x@[{}]", address.to_canonical());
    if let Some(found) = ask(context, initial, &by_address) {
        return found;
    }
    match name {
        ReverseName::Known(name) if !initial.is(ChannelOption::Identnonelimited) => {
            ask(context, initial, &format!("x@{name}")).unwrap_or(initial)
        }
        ReverseName::Known(_) | ReverseName::Unknown | ReverseName::NotAsked => initial,
    }
}

fn ask<'c>(context: Context<'c>, initial: &'c Channel, address: &str) -> Option<&'c Channel> {
    let routed = Rewriter::new(context, initial.name())
        .backward(address, &mut Silent)
        .ok()?;
    let found = context.config.channel(&routed.channel)?;
    let other = found.name() != initial.name();
    (other && !found.is(ChannelOption::Noswitchchannel)).then_some(found)
}

/// The channel after STARTTLS.
pub(super) fn by_tls<'c>(context: Context<'c>, current: &'c Channel) -> &'c Channel {
    named(context, current.text(ChannelOption::Tlsswitchchannel)).unwrap_or(current)
}

/// The channel after AUTH: the one that the user's entry names, else `saslswitchchannel`.
pub(super) fn by_user<'c>(
    context: Context<'c>,
    current: &'c Channel,
    of_user: Option<&str>,
) -> &'c Channel {
    named(context, of_user)
        .or_else(|| named(context, current.text(ChannelOption::Saslswitchchannel)))
        .unwrap_or(current)
}

/// A channel that does not exist is not switched to.
fn named<'c>(context: Context<'c>, name: Option<&str>) -> Option<&'c Channel> {
    let name = ChannelName::new(&name?.trim().to_lowercase()).ok()?;
    context.config.channel(&name)
}
