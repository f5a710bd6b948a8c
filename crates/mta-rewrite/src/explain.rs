//! The steps of a rewrite, as data.
//!
//! `imsimta test -rewrite -debug` and the debug logs print the display text of each event;
//! whoever wants JSON serialises them. A trace that nobody asked for ([`Silent`]) costs one
//! question per step.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where in an address a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// First host of a source route.
    Route,
    /// Right of `@`, or supplied.
    At,
    /// Right of the last single `%`.
    Percent,
    /// Left of the first `!`.
    Bang,
}

/// One step of a rewrite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Event {
    /// A round begins with this address.
    Round {
        /// The address as it is now.
        address: String,
        /// The current tag.
        tag: String,
    },
    /// The address has no host; this one is supplied.
    HostSupplied {
        /// The host.
        host: String,
    },
    /// The first host of the address.
    Extracted {
        /// The host specification.
        host: String,
        /// Where it stood.
        place: Place,
        /// The user part.
        user: String,
    },
    /// A pattern was looked up.
    Probed {
        /// With the current tag in front.
        pattern: String,
        /// Number of rules with that pattern, the domain database included.
        rules: usize,
    },
    /// A rule with the probed pattern is tried.
    Tried {
        /// Its number in the list, from 1; 0 for the domain database.
        number: usize,
        /// Its line in the file, 0 if it has none.
        line: u32,
        /// The pattern as written.
        pattern: String,
        /// The template as written.
        template: String,
    },
    /// The rule failed; scanning goes on.
    Refused {
        /// Why.
        reason: String,
    },
    /// The rule succeeded.
    Applied {
        /// The new user part; nothing where the template does not give an address.
        user: Option<String>,
        /// The new domain.
        domain: Option<String>,
        /// The host inserted as source route.
        route: Option<String>,
        /// The routing system; nothing when rewriting starts again.
        tag: Option<String>,
    },
    /// A call-out or a question to the directory.
    Called {
        /// What kind of question.
        call: String,
        /// The question.
        argument: String,
        /// The answer; nothing if there was none.
        result: Option<String>,
    },
    /// A step of a mapping table.
    Mapping {
        /// That step.
        event: mta_mapping::Event,
    },
    /// No rule matched: the host is its own routing system.
    Unmatched {
        /// The host.
        host: String,
    },
    /// A routing system was looked up among the channels.
    LookedUp {
        /// The routing system.
        tag: String,
        /// The channel that owns it.
        channel: Option<String>,
    },
    /// The host was this machine and there are more: it is dropped.
    Peeled {
        /// The address without it.
        address: String,
    },
    /// The template asks to start again.
    Restarted {
        /// The new address.
        address: String,
    },
    /// The end: a channel.
    Found {
        /// The new address.
        address: String,
        /// The channel.
        channel: String,
        /// The routing system.
        tag: String,
    },
    /// The end: none.
    Failed {
        /// The enhanced code.
        status: String,
        /// The text.
        text: String,
    },
}

impl Event {
    /// Levels of indentation of the printed line.
    #[must_use]
    pub fn indent(&self) -> usize {
        match self {
            Self::Round { .. } | Self::Found { .. } | Self::Failed { .. } => 0,
            Self::HostSupplied { .. }
            | Self::Extracted { .. }
            | Self::Probed { .. }
            | Self::Unmatched { .. }
            | Self::LookedUp { .. }
            | Self::Peeled { .. }
            | Self::Restarted { .. } => 1,
            Self::Tried { .. } => 2,
            Self::Refused { .. } | Self::Applied { .. } | Self::Called { .. } => 3,
            Self::Mapping { event } => 3 + event.indent(),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Round { address, tag } if tag.is_empty() => write!(f, "Rewriting {address}"),
            Self::Round { address, tag } => write!(f, "Rewriting {address}, current tag \"{tag}\""),
            Self::HostSupplied { host } => write!(f, "No host in the address, taken as @{host}"),
            Self::Extracted { host, place, user } => {
                let place = match place {
                    Place::Route => "in a source route",
                    Place::At => "right of @",
                    Place::Percent => "right of %",
                    Place::Bang => "left of !",
                };
                write!(f, "Host/domain \"{host}\" ({place}), user \"{user}\"")
            }
            Self::Probed { pattern, rules: 0 } => write!(f, "Probe \"{pattern}\": no rule"),
            Self::Probed { pattern, .. } => write!(f, "Probe \"{pattern}\":"),
            Self::Tried {
                pattern, template, ..
            } => write!(f, "Rewrite rule: {pattern} -> {template}"),
            Self::Refused { reason } => write!(f, "Rule fails: {reason}"),
            Self::Applied {
                user,
                domain,
                route,
                tag,
            } => write_applied(f, [user, domain, route, tag]),
            Self::Called {
                call,
                argument,
                result,
            } => match result {
                Some(text) => write!(f, "Lookup in {call}: {argument} -> \"{text}\""),
                None => write!(f, "Lookup in {call}: {argument} -> nothing"),
            },
            Self::Mapping { event } => event.fmt(f),
            Self::Unmatched { host } => write!(f, "No rule matches, \"{host}\" stands for itself"),
            Self::LookedUp {
                tag,
                channel: Some(channel),
            } => write!(f, "Routing system \"{tag}\" belongs to channel {channel}"),
            Self::LookedUp { tag, .. } => {
                write!(f, "Routing system \"{tag}\" belongs to no channel")
            }
            Self::Peeled { address } => {
                write!(f, "Routed through this host, {address} is what remains")
            }
            Self::Restarted { address } => write!(f, "Starting again with {address}"),
            Self::Found {
                address,
                channel,
                tag,
            } => write!(f, "Result: {address}, channel {channel} ({tag})"),
            Self::Failed { status, text } => write!(f, "Rewriting failed: {status} {text}"),
        }
    }
}

fn write_applied(f: &mut fmt::Formatter<'_>, parts: [&Option<String>; 4]) -> fmt::Result {
    let names = ["user", "domain", "source route", "routing system"];
    if parts.iter().all(|part| part.is_none()) {
        return f.write_str("Rule applies: the host is looked up as it is");
    }
    f.write_str("Rule applies:")?;
    let mut separator = " ";
    for (name, part) in names.iter().zip(parts) {
        if let Some(part) = part {
            write!(f, "{separator}{name} \"{part}\"")?;
            separator = ", ";
        }
    }
    Ok(())
}

/// A listener to the steps of a rewrite.
pub trait Trace {
    /// Whether anybody listens; events are not even made otherwise.
    fn listens(&self) -> bool {
        true
    }

    /// Is told one step.
    fn event(&mut self, event: Event);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Trace for Silent {
    fn listens(&self) -> bool {
        false
    }

    fn event(&mut self, event: Event) {
        drop(event);
    }
}

impl Trace for Vec<Event> {
    fn event(&mut self, event: Event) {
        self.push(event);
    }
}

/// Hands the steps of a mapping table on to a listener of ours.
pub(crate) struct MappingSteps<'t>(pub(crate) &'t mut dyn Trace);

impl mta_mapping::Trace for MappingSteps<'_> {
    fn listens(&self) -> bool {
        self.0.listens()
    }

    fn event(&mut self, event: mta_mapping::Event) {
        self.0.event(Event::Mapping { event });
    }
}
