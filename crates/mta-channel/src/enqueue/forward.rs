//! Forwarding of envelope recipients: the mapping table FORWARD, then the forward database
//! (`use_forward_database`).

use super::resolve::{Context, Question};
use super::rewriting::Routed;
use super::trace::{MappingSteps, Step, Trace, tell};
use mta_config::MtaOption;
use mta_config::database::Kind;
use mta_envelope::address::Address;
use mta_envelope::envelope::Notify;
use mta_mapping::{Flags, Input, TemporaryFailure};

const TABLE: &str = "FORWARD";
/// Bit of `use_forward_database`: the database is asked.
const DATABASE: i64 = 1;
/// Bit of `use_forward_database`: source channel and sender stand in front of its keys.
const DATABASE_SOURCE: i64 = 8;
/// Bit of `use_forward_database`: the same for probes of the table.
const TABLE_SOURCE: i64 = 16;

/// Where a recipient is sent instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forwarded {
    /// The new address.
    pub(super) address: String,
    /// It is rewritten from the beginning; otherwise the channel found before stays.
    pub(super) rewrite: bool,
    /// It is not forwarded once more.
    pub(super) last: bool,
    /// The message is held for it.
    pub(super) hold: bool,
}

/// Asks about a recipient behind all aliases; nothing if it goes where it goes.
pub(super) fn forward(
    context: Context<'_>,
    question: &Question<'_>,
    routed: &Routed,
    trace: &mut dyn Trace,
) -> Result<Option<Forwarded>, TemporaryFailure> {
    let config = context.config;
    let bits = config.mta.int(MtaOption::UseForwardDatabase);
    let table = config.mappings.get(TABLE).is_some();
    if !table && bits & DATABASE == 0 {
        return Ok(None);
    }
    let to = routed.address.as_str();
    let sender = question.sender.map_or("", Address::as_str);
    let source = &question.source.channel;
    let long = |to: &str| format!("{source}|{sender}|{to}");
    if table {
        let probe = if bits & TABLE_SOURCE != 0 {
            long(to)
        } else {
            to.to_owned()
        };
        let input = Input {
            flags: flags(question),
            address: to,
            host: routed.address.domain().unwrap_or(""),
            ..Input::of(&probe)
        };
        let tables = &config.mappings;
        let mapped = tables.map(TABLE, &input, &context.lookups(), &mut MappingSteps(trace));
        if mapped.unreadable {
            return Err(TemporaryFailure);
        }
        let has = |flag| mapped.flags.contains(flag);
        if mapped.matched && has('N') {
            return Ok(None);
        }
        if mapped.matched && (has('Y') || has('I')) {
            let mut forwarded = Forwarded {
                address: if has('Y') {
                    mapped.output.trim().to_owned()
                } else {
                    to.to_owned()
                },
                rewrite: has('D'),
                last: has('H'),
                hold: has('I'),
            };
            if has('G')
                && let Some(found) = in_database(context, bits, &forwarded.address, &long, trace)?
            {
                forwarded.address = found;
                forwarded.rewrite = true;
            }
            return Ok(Some(forwarded));
        }
        if mapped.matched {
            return Ok(None);
        }
    }
    let found = in_database(context, bits, to, &long, trace)?;
    Ok(found.map(|address| Forwarded {
        address,
        rewrite: true,
        last: false,
        hold: false,
    }))
}

fn in_database(
    context: Context<'_>,
    bits: i64,
    address: &str,
    long: &dyn Fn(&str) -> String,
    trace: &mut dyn Trace,
) -> Result<Option<String>, TemporaryFailure> {
    if bits & DATABASE == 0 {
        return Ok(None);
    }
    let key = if bits & DATABASE_SOURCE != 0 {
        long(address)
    } else {
        address.to_owned()
    };
    let texts = &context.config.texts;
    let found = context.databases.look_up(texts, Kind::Forward, &key);
    let found = found.map_err(|_| TemporaryFailure)?;
    tell(trace, || Step::Alias {
        source: "forward database",
        key,
        found: found.clone(),
    });
    Ok(found)
}

fn flags(question: &Question<'_>) -> Flags {
    let modifiers = question.source.protocol.modifiers;
    let notify = question.params.notify.unwrap_or_default();
    let all = [
        (modifiers.auth, 'A'),
        (modifiers.tls, 'T'),
        (modifiers.esmtp, 'E'),
        (modifiers.lmtp, 'L'),
        (notify.has(Notify::SUCCESS), 'S'),
        (notify.has(Notify::FAILURE), 'F'),
        (notify.has(Notify::DELAY), 'D'),
    ];
    let set = all.into_iter().filter(|(set, _)| *set);
    Flags::of(&set.map(|(_, flag)| flag).collect::<String>())
}
