//! Evaluating a table: order of entries, iteration, the loop guard.

use crate::expand::{cut, expand};
use crate::matching::Matcher;
use crate::pattern::is_too_long;
use crate::template::Control;
use crate::{Callouts, Event, Input, Mapped, Table, Tables, Trace, Unreadable};

/// Restarts in a row that do not shorten the string; the next is not honoured.
const MAX_GROWING_RESTARTS: u32 = 10;

/// Restarts and calls of one question in all. The loop guard of the language counts only
/// restarts that do not shorten the string, and a table that shortens and lengthens it in turn
/// would never end; tables that call each other several times would take exponential time.
const MAX_TURNS: u32 = 4096;

/// An entry that matched: its place, its output unless it failed, and what is to happen next.
type First = (usize, Option<String>, Option<Control>);

/// One question to the tables, with all calls from table to table.
pub(crate) struct Evaluation<'e> {
    tables: &'e Tables,
    pub(crate) callouts: &'e dyn Callouts,
    trace: &'e mut dyn Trace,
    turns: u32,
    input_too_long: bool,
    output_cut: bool,
    unreadable: bool,
}

impl<'e> Evaluation<'e> {
    pub(crate) fn new(
        tables: &'e Tables,
        callouts: &'e dyn Callouts,
        trace: &'e mut dyn Trace,
    ) -> Self {
        Self {
            tables,
            callouts,
            trace,
            turns: 0,
            input_too_long: false,
            output_cut: false,
            unreadable: false,
        }
    }

    /// Tells a step if anybody listens.
    pub(crate) fn tell(&mut self, event: impl FnOnce() -> Event) {
        if self.trace.listens() {
            self.trace.event(event());
        }
    }

    /// Counts one restart or call; whether there may be one more.
    pub(crate) fn may_go_on(&mut self) -> bool {
        self.turns += 1;
        self.turns <= MAX_TURNS
    }

    /// Runs `input` through the table `name`, `depth` calls deep.
    pub(crate) fn run(&mut self, name: &str, input: &Input<'_>, depth: u32) -> Mapped {
        let place = self.tables.position(name);
        self.tell(|| Event::Applied {
            table: name.to_owned(),
            index: place.map(|place| place + 1),
            input: input.text.to_owned(),
            depth,
        });
        let mut mapped = Mapped {
            output: input.text.to_owned(),
            ..Mapped::default()
        };
        let tables = self.tables;
        if let Some(place) = place {
            self.table(tables.at(place), input, depth, &mut mapped);
        }
        mapped.input_too_long = self.input_too_long;
        mapped.output_cut = self.output_cut;
        mapped.unreadable = self.unreadable;
        self.tell(|| Event::Result {
            matched: mapped.matched,
            text: mapped.output.clone(),
            flags: mapped.flags,
            depth,
        });
        mapped
    }

    fn table(&mut self, table: &Table, input: &Input<'_>, depth: u32, mapped: &mut Mapped) {
        let mut next = 0;
        let mut number = 0;
        let mut wrap_pending = false;
        let mut guard = LoopGuard::new(input.text);
        loop {
            if is_too_long(&mapped.output) {
                self.input_too_long = true;
                self.tell(|| Event::InputTooLong { depth });
                return;
            }
            let text = std::mem::take(&mut mapped.output);
            let first = self.first_match(table, next, number, &text, input, depth, mapped);
            let first = match first {
                Ok(first) => first,
                Err(unreadable) => {
                    self.unreadable = true;
                    self.tell(|| Event::Failed {
                        reason: unreadable.to_string(),
                        depth,
                    });
                    mapped.output = text;
                    return;
                }
            };
            let Some((found, output, control)) = first else {
                mapped.output = text;
                if !wrap_pending || !self.restart(&mut guard, &mapped.output, depth) {
                    return;
                }
                wrap_pending = false;
                next = 0;
                continue;
            };
            number += 1;
            mapped.output = output.unwrap_or(text);
            self.tell(|| Event::Target {
                text: mapped.output.clone(),
                depth,
            });
            match control {
                None | Some(Control::End) => break,
                Some(Control::Next) => {
                    wrap_pending = false;
                    next = found + 1;
                }
                Some(Control::Again) => {
                    wrap_pending = true;
                    next = found + 1;
                }
                Some(Control::Restart) => {
                    wrap_pending = false;
                    next = 0;
                    if !self.restart(&mut guard, &mapped.output, depth) {
                        break;
                    }
                }
            }
        }
        self.tell(|| Event::Exiting { depth });
    }

    /// Finds the first entry from `next` on that matches `text` and expands its template.
    #[expect(
        clippy::too_many_arguments,
        reason = "the state of one evaluation; a struct of references would say the same twice"
    )]
    fn first_match(
        &mut self,
        table: &Table,
        next: usize,
        number: usize,
        text: &str,
        input: &Input<'_>,
        depth: u32,
        mapped: &mut Mapped,
    ) -> Result<Option<First>, Unreadable> {
        let mut matcher = Matcher::new(text);
        let matched = table.first(text, next, |entry| matcher.matches(&entry.pattern))?;
        let Some((found, entry)) = matched else {
            return Ok(None);
        };
        mapped.matched = true;
        self.tell(|| Event::Matched {
            entry: found + 1,
            pattern: entry.pattern.source().to_owned(),
            template: entry.template.source().to_owned(),
            number,
            fields: matcher
                .fields()
                .map(|field| field.unwrap_or("").to_owned())
                .collect(),
            depth,
        });
        let expanded = expand(self, &entry.template.pieces, &matcher, input, depth);
        mapped.flags = mapped.flags.union(expanded.flags);
        let output = expanded.text.map(|text| {
            let (text, was_cut) = cut(text);
            self.output_cut |= was_cut;
            text
        });
        Ok(Some((found, output, expanded.control)))
    }

    /// Asks for one more pass; whether the request is honoured.
    fn restart(&mut self, guard: &mut LoopGuard, text: &str, depth: u32) -> bool {
        let honoured = guard.allows(text) && self.may_go_on();
        self.tell(|| {
            if honoured {
                Event::Restarted { depth }
            } else {
                Event::LoopGuard { depth }
            }
        });
        honoured
    }
}

/// Counts restarts that do not shorten the string.
struct LoopGuard {
    counter: u32,
    last_length: usize,
}

impl LoopGuard {
    fn new(text: &str) -> Self {
        Self {
            counter: 0,
            last_length: text.len(),
        }
    }

    fn allows(&mut self, text: &str) -> bool {
        if text.len() >= self.last_length {
            self.counter += 1;
        } else {
            self.counter = 0;
        }
        self.last_length = text.len();
        self.counter <= MAX_GROWING_RESTARTS
    }
}
