//! The steps of an evaluation, as data.
//!
//! `imsimta test -mapping -debug` and the debug logs print the display text of each event;
//! whoever wants JSON serialises them. A trace that nobody asked for ([`Silent`]) costs one
//! question per step.

use serde::Serialize;
use std::fmt;

use crate::Flags;

/// One step of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Event {
    /// A table was asked.
    Applied {
        /// Its name.
        table: String,
        /// Its place among all tables, from 1; nothing if there is no such table.
        index: Option<usize>,
        /// What it was asked.
        input: String,
        /// How many tables deep: 0 for the one the caller asked.
        depth: u32,
    },
    /// An entry's pattern fits.
    Matched {
        /// The entry's number, from 1.
        entry: usize,
        /// Its pattern as written.
        pattern: String,
        /// Its template as written.
        template: String,
        /// How many entries had matched before in this evaluation.
        number: usize,
        /// The saved fields.
        fields: Vec<String>,
        /// How many tables deep.
        depth: u32,
    },
    /// A template asked the world.
    Called {
        /// What kind of question: `database`, `url`, `routine` and so on.
        call: String,
        /// The question.
        argument: String,
        /// The answer; nothing if there was none.
        result: Option<String>,
        /// How many tables deep.
        depth: u32,
    },
    /// The entry failed; its input goes on unchanged.
    Failed {
        /// Why.
        reason: String,
        /// How many tables deep.
        depth: u32,
    },
    /// What the entry made of the string.
    Target {
        /// The new string.
        text: String,
        /// How many tables deep.
        depth: u32,
    },
    /// The table starts again at its first entry.
    Restarted {
        /// How many tables deep.
        depth: u32,
    },
    /// A request to iterate was not honoured: the loop guard ended the mapping.
    LoopGuard {
        /// How many tables deep.
        depth: u32,
    },
    /// The input is longer than any entry may match.
    InputTooLong {
        /// How many tables deep.
        depth: u32,
    },
    /// The evaluation is over.
    Exiting {
        /// How many tables deep.
        depth: u32,
    },
    /// What came out.
    Result {
        /// Whether any entry matched.
        matched: bool,
        /// The output string.
        text: String,
        /// The output flags.
        flags: Flags,
        /// How many tables deep.
        depth: u32,
    },
}

impl Event {
    /// How many tables deep the step was taken.
    #[must_use]
    pub fn depth(&self) -> u32 {
        match self {
            Self::Applied { depth, .. }
            | Self::Matched { depth, .. }
            | Self::Called { depth, .. }
            | Self::Failed { depth, .. }
            | Self::Target { depth, .. }
            | Self::Restarted { depth }
            | Self::LoopGuard { depth }
            | Self::InputTooLong { depth }
            | Self::Exiting { depth }
            | Self::Result { depth, .. } => *depth,
        }
    }

    /// Levels of indentation of the printed line: a table's own steps stand one deeper than
    /// the line that names it.
    #[must_use]
    pub fn indent(&self) -> usize {
        let inner = usize::from(!matches!(self, Self::Applied { .. }));
        2 * self.depth() as usize + inner
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied {
                index: Some(index),
                input,
                ..
            } => write!(f, "Mapping {index} applied to {input}"),
            Self::Applied { table, input, .. } => {
                write!(f, "No mapping {table} to apply to {input}")
            }
            Self::Matched {
                entry,
                pattern,
                template,
                number,
                ..
            } => write!(
                f,
                "Entry #{entry} matched, pattern \"{pattern}\", template \"{template}\", match #{number}."
            ),
            Self::Called {
                call,
                argument,
                result,
                ..
            } => match (call.as_str(), result) {
                ("routine", Some(text)) => {
                    write!(f, "User routine call: {argument} -> Returned \"{text}\".")
                }
                ("routine", None) => write!(f, "User routine call: {argument} -> Failed."),
                (_, Some(text)) => write!(f, "Lookup in {call}: {argument} -> \"{text}\""),
                (_, None) => write!(f, "Lookup in {call}: {argument} -> nothing"),
            },
            Self::Failed { reason, .. } => write!(f, "Entry failed: {reason}"),
            Self::Target { text, .. } => write!(f, "New target \"{text}\""),
            Self::Restarted { .. } => f.write_str("Restarting at the first entry..."),
            Self::LoopGuard { .. } => f.write_str("Iterated too often, not restarted"),
            Self::InputTooLong { .. } => f.write_str("Input too long, no entry is tried"),
            Self::Exiting { .. } => f.write_str("Exiting..."),
            Self::Result { text, .. } => write!(f, "Final result \"{text}\""),
        }
    }
}

/// A listener to the steps of an evaluation.
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
