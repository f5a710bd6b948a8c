//! The steps of resolving a recipient, as data.
//!
//! `imsimta test -rewrite -debug` and the debug logs print the display text of each step,
//! whoever wants JSON serialises it. A trace that nobody asked for ([`Silent`]) costs one
//! question per step.

use serde::Serialize;
use std::fmt;

/// One step on the way from a recipient to its destinations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Step {
    /// An address is looked at; the outermost one is the recipient as given.
    Address {
        /// As written.
        address: String,
        /// Levels of alias above it.
        level: usize,
    },
    /// An address without domain got one.
    Completed {
        /// The address now.
        address: String,
        /// Why this domain: `defaulthost`, `remotehost`, `local host`.
        by: &'static str,
    },
    /// A step of rewriting.
    Rewrite {
        /// What happened there.
        event: mta_rewrite::Event,
    },
    /// A step of a mapping.
    Mapping {
        /// What happened there.
        event: mta_mapping::Event,
    },
    /// Rewriting found a channel.
    Routed {
        /// The rewritten address.
        address: String,
        /// The channel.
        channel: String,
        /// The name by which the channel was found.
        host: String,
    },
    /// An access table was asked.
    Access {
        /// Its name.
        table: &'static str,
        /// What it was asked.
        probe: String,
        /// What that means: `allowed`, `refused`, `held`, and so on.
        verdict: String,
    },
    /// A source of aliases was asked.
    Alias {
        /// `directory`, `catch-all`, `alias file`.
        source: &'static str,
        /// What was looked up.
        key: String,
        /// What it leads to, if anything.
        found: Option<String>,
    },
    /// The status in force of an entry is not `active`.
    Status {
        /// The entry.
        entry: String,
        /// The status.
        status: String,
    },
    /// A value of `mailDeliveryOption` was looked at.
    DeliveryOption {
        /// The value.
        value: String,
        /// What it gives, or why it gives nothing.
        result: String,
    },
    /// An address stands for another.
    Expanded {
        /// The other address.
        to: String,
    },
    /// A final address on its channel.
    Destination {
        /// The channel.
        channel: String,
        /// The address.
        address: String,
        /// Why it is held, if it is.
        held: Option<String>,
    },
    /// An address was refused.
    Refused {
        /// The address.
        address: String,
        /// Code, status, text.
        refusal: String,
    },
    /// Anything else worth knowing.
    Note {
        /// One sentence.
        text: String,
    },
}

impl Step {
    /// Levels of indentation of the printed line.
    #[must_use]
    pub fn indent(&self) -> usize {
        match self {
            Self::Address { level, .. } => *level,
            Self::Rewrite { event } => 1 + event.indent(),
            Self::Mapping { event } => 1 + event.indent(),
            Self::Refused { .. } | Self::Note { .. } => 0,
            Self::Completed { .. }
            | Self::Routed { .. }
            | Self::Access { .. }
            | Self::Alias { .. }
            | Self::Status { .. }
            | Self::DeliveryOption { .. }
            | Self::Expanded { .. }
            | Self::Destination { .. } => 1,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address, level: 0 } => write!(f, "Recipient address: {address}"),
            Self::Address { address, level } => {
                write!(f, "Address at alias level {level}: {address}")
            }
            Self::Completed { address, by } => write!(f, "Completed by {by}: {address}"),
            Self::Rewrite { event } => event.fmt(f),
            Self::Mapping { event } => event.fmt(f),
            Self::Routed {
                address,
                channel,
                host,
            } => write!(f, "Rewritten to {address}, channel {channel} (host {host})"),
            Self::Access {
                table,
                probe,
                verdict,
            } => write!(f, "{table} probed with \"{probe}\": {verdict}"),
            Self::Alias {
                source,
                key,
                found: Some(found),
            } => write!(f, "Alias lookup of {key} in {source}: {found}"),
            Self::Alias {
                source,
                key,
                found: None,
            } => write!(f, "Alias lookup of {key} in {source}: nothing"),
            Self::Status { entry, status } => write!(f, "Status of {entry}: {status}"),
            Self::DeliveryOption { value, result } => {
                write!(f, "Delivery option {value}: {result}")
            }
            Self::Expanded { to } => write!(f, "Expands to {to}"),
            Self::Destination {
                channel,
                address,
                held: None,
            } => write!(f, "Destination: {address} on channel {channel}"),
            Self::Destination {
                channel,
                address,
                held: Some(reason),
            } => write!(
                f,
                "Destination: {address} on channel {channel}, held: {reason}"
            ),
            Self::Refused { address, refusal } => write!(f, "Refused {address}: {refusal}"),
            Self::Note { text } => f.write_str(text),
        }
    }
}

/// A listener to the steps.
pub trait Trace {
    /// Whether anybody listens; steps are not even made otherwise.
    fn listens(&self) -> bool {
        true
    }

    /// Is told one step.
    fn step(&mut self, step: Step);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Trace for Silent {
    fn listens(&self) -> bool {
        false
    }

    fn step(&mut self, step: Step) {
        drop(step);
    }
}

impl Trace for Vec<Step> {
    fn step(&mut self, step: Step) {
        self.push(step);
    }
}

/// Tells a step if anybody listens; only then is it made.
pub(super) fn tell(trace: &mut dyn Trace, step: impl FnOnce() -> Step) {
    if trace.listens() {
        trace.step(step());
    }
}

/// Passes the steps of rewriting on.
pub(super) struct RewriteSteps<'a>(pub(super) &'a mut dyn Trace);

impl mta_rewrite::Trace for RewriteSteps<'_> {
    fn listens(&self) -> bool {
        self.0.listens()
    }

    fn event(&mut self, event: mta_rewrite::Event) {
        self.0.step(Step::Rewrite { event });
    }
}

/// Passes the steps of a mapping on.
pub(super) struct MappingSteps<'a>(pub(super) &'a mut dyn Trace);

impl mta_mapping::Trace for MappingSteps<'_> {
    fn listens(&self) -> bool {
        self.0.listens()
    }

    fn event(&mut self, event: mta_mapping::Event) {
        self.0.step(Step::Mapping { event });
    }
}
