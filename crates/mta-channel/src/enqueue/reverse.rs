//! Address reversal: what an address that points back, or any header address, is shown as.
//!
//! A database, then the mapping table REVERSE (`use_reverse_database`, `reverse_envelope`, the
//! channel option `noreverse` of the destination). Never an envelope To: address.

use super::resolve::Context;
use super::trace::{MappingSteps, Step, Trace, tell};
use mta_config::database::Kind;
use mta_config::{ChannelOption, MtaOption};
use mta_envelope::names::ChannelName;
use mta_mapping::{Flags, Input};
use mta_rewrite::{Direction, Part};

const TABLE: &str = "REVERSE";
/// Bit of `use_reverse_database`: after rewriting.
const AFTER: i64 = 1;
/// Bit of `use_reverse_database`: before rewriting.
const BEFORE: i64 = 2;
/// Bit of `use_reverse_database`: forward-pointing addresses as well.
const ALL: i64 = 4;
/// Bit of `use_reverse_database`: channels stand in front of probes of the table.
const CHANNELS: i64 = 8;
/// Bit of `use_reverse_database`: channels stand in front of keys of the database.
const DATABASE_CHANNELS: i64 = 16;

/// An address and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Reversal<'a> {
    /// Envelope From, or a header address.
    pub part: Part,
    /// Where it points.
    pub direction: Direction,
    /// The channel that brought the message.
    pub source: &'a ChannelName,
    /// The channel that takes it.
    pub destination: &'a ChannelName,
}

/// When reversal is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before an address is rewritten.
    Before,
    /// Behind that.
    After,
}

impl Reversal<'_> {
    fn wanted(&self, context: Context<'_>, moment: Moment) -> bool {
        let mta = &context.config.mta;
        let bits = mta.int(MtaOption::UseReverseDatabase);
        let now = match moment {
            Moment::Before => BEFORE,
            Moment::After => AFTER,
        };
        let destination = context.config.channel(self.destination);
        let off = destination.is_some_and(|channel| channel.is(ChannelOption::Noreverse));
        let of_kind = match (self.part, self.direction) {
            (Part::Envelope, Direction::Forward) => false,
            (Part::Envelope, Direction::Backward) => mta.flag(MtaOption::ReverseEnvelope),
            (Part::Header, Direction::Backward) => true,
            (Part::Header, Direction::Forward) => bits & ALL != 0,
        };
        bits & now != 0 && of_kind && !off
    }

    /// What the address is shown as; nothing if it stays as it is.
    pub fn of(
        &self,
        context: Context<'_>,
        address: &str,
        moment: Moment,
        trace: &mut dyn Trace,
    ) -> Option<String> {
        let table = context.config.mappings.get(TABLE).is_some();
        let database =
            context.config.texts.has(Kind::Reverse) || context.databases.exists(Kind::Reverse);
        if !(table || database) || !self.wanted(context, moment) {
            return None;
        }
        let bits = context.config.mta.int(MtaOption::UseReverseDatabase);
        let found = self.in_database(context, address, bits, trace);
        if found.is_some() || !table {
            return found;
        }
        let probe = if bits & CHANNELS != 0 {
            format!("{}|{}|{address}", self.source, self.destination)
        } else {
            address.to_owned()
        };
        let input = Input {
            flags: self.flags(),
            address,
            host: address.rsplit_once('@').map_or("", |(_, host)| host),
            ..Input::of(&probe)
        };
        let mapped = context.config.mappings.map(
            TABLE,
            &input,
            &context.lookups(),
            &mut MappingSteps(trace),
        );
        if !mapped.matched || !mapped.flags.contains('Y') {
            return None;
        }
        let again = mapped.flags.contains('D');
        let output = mapped.output.trim().to_owned();
        if again && let Some(found) = self.in_database(context, &output, bits, trace) {
            return Some(found);
        }
        Some(output).filter(|output| !output.is_empty())
    }

    /// The database does not answer: then the address stays as it is.
    fn in_database(
        &self,
        context: Context<'_>,
        address: &str,
        bits: i64,
        trace: &mut dyn Trace,
    ) -> Option<String> {
        let key = if bits & DATABASE_CHANNELS != 0 {
            format!("{}|{}|{address}", self.source, self.destination)
        } else {
            address.to_owned()
        };
        let texts = &context.config.texts;
        let found = context.databases.look_up(texts, Kind::Reverse, &key).ok()?;
        tell(trace, || Step::Alias {
            source: "reverse database",
            key,
            found: found.clone(),
        });
        found
    }

    fn flags(&self) -> Flags {
        let part = match self.part {
            Part::Envelope => 'E',
            Part::Header => 'B',
        };
        let direction = match self.direction {
            Direction::Forward => 'F',
            Direction::Backward => 'R',
        };
        Flags::of(&format!("{part}{direction}"))
    }
}
