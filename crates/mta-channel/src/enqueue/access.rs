//! Asking the access tables about senders and recipients, and what their answers do.

use super::refusal::Refusal;
use super::resolve::{Context, Effects, Question};
use super::reverse::{Moment, Reversal};
use super::rewriting::{Routed, World};
use super::source::Source;
use super::trace::{MappingSteps, Silent, Step, Trace, tell};
use mta_access::address::{AccessDecision, AccessRefusal, AccessTable, AddressProbe, ask, text};
use mta_config::MtaOption;
use mta_envelope::address::Address;
use mta_envelope::envelope::Notify;
use mta_envelope::status::Status;
use mta_rewrite::{Direction, Part};
use std::time::Duration;

/// Longest delay that a table can ask for.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// The two moments at which recipients are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// After rewriting, before aliases.
    Original,
    /// For each final address.
    Expanded,
}

impl Stage {
    const fn tables(self) -> [AccessTable; 2] {
        match self {
            Self::Original => [AccessTable::OrigSend, AccessTable::OrigMail],
            Self::Expanded => [AccessTable::Send, AccessTable::Mail],
        }
    }
}

/// What FROM_ACCESS asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct SenderEffects {
    /// Why everything of this sender is held.
    pub(super) held: Option<String>,
    /// Everything of this sender goes to the bit bucket.
    pub(super) discarded: bool,
    /// Another envelope From.
    pub(super) sender: Option<Option<Address>>,
    /// `$K`: who is to stand in Sender:, if `authrewrite` is on.
    pub(super) sender_line: Option<Address>,
    /// Header lines to add.
    pub(super) headers: Vec<String>,
    /// Conversion tags of all recipients.
    pub(super) tags: Vec<String>,
    /// How long the answer waits.
    pub(super) delay: Duration,
    /// A new limit on the message's size, in blocks.
    pub(super) blocks: Option<u64>,
    /// Lines for the operator.
    pub(super) notes: Vec<String>,
}

/// Asks FROM_ACCESS about a sender; `given` is the one that a refusal names.
pub(super) fn sender(
    context: Context<'_>,
    source: &Source,
    sender: Option<&Address>,
    given: Option<&Address>,
    trace: &mut dyn Trace,
) -> Result<SenderEffects, Refusal> {
    let app_info = app_info(source);
    let canonical = canonical(context, source, sender);
    let probe = AddressProbe {
        from: sender.map_or("", Address::as_str),
        given_from: given.map_or("", Address::as_str),
        canonical_from: canonical.as_deref().unwrap_or(""),
        ..of_source(source, &app_info)
    };
    let decision = asked(context, AccessTable::From, &probe, trace);
    let named = given.map_or("<>", Address::as_str);
    if let Some(refusal) = &decision.refused {
        return Err(refused(refusal, named).telling(decision.syslog));
    }
    supported(&decision, named)?;
    let limits = decision.limits.as_deref().unwrap_or_default();
    Ok(SenderEffects {
        held: decision.hold.then(|| held_by(AccessTable::From)),
        discarded: decision.discard.is_some(),
        sender: decision.new_from.as_deref().and_then(new_sender),
        sender_line: decision
            .new_sender
            .as_deref()
            .and_then(new_sender)
            .flatten(),
        headers: decision.header.into_iter().collect(),
        tags: tags(decision.tags.as_deref()),
        delay: delay(decision.delay),
        blocks: limits.split(',').next().and_then(|n| n.trim().parse().ok()),
        notes: decision.syslog,
    })
}

/// Asks the two tables of a stage about a recipient and adds what they want to `effects`.
pub(super) fn recipient(
    context: Context<'_>,
    question: &Question<'_>,
    stage: Stage,
    routed: &Routed,
    effects: &mut Effects,
    trace: &mut dyn Trace,
) -> Result<(), Refusal> {
    let tables = stage.tables();
    let mappings = &context.config.mappings;
    if tables
        .iter()
        .all(|table| mappings.get(table.name()).is_none())
    {
        return Ok(());
    }
    let source = question.source;
    let app_info = app_info(source);
    let notify = question.params.notify.unwrap_or_default();
    let orcpt = question
        .params
        .original
        .as_ref()
        .map_or_else(String::new, |(kind, address)| format!("{kind};{address}"));
    let canonical = canonical(context, source, question.sender);
    let probe = AddressProbe {
        from: question.sender.map_or("", Address::as_str),
        given_from: question.given_sender.map_or("", Address::as_str),
        canonical_from: canonical.as_deref().unwrap_or(""),
        destination_channel: routed.channel.as_str(),
        to: routed.address.as_str(),
        orcpt: &orcpt,
        counts: question.counts,
        receipts: (
            notify.has(Notify::SUCCESS),
            notify.has(Notify::FAILURE),
            notify.has(Notify::DELAY),
        ),
        ..of_source(source, &app_info)
    };
    for table in tables {
        let decision = asked(context, table, &probe, trace);
        effects.notes.extend(decision.syslog.iter().cloned());
        if let Some(refusal) = &decision.refused {
            let notes = std::mem::take(&mut effects.notes);
            return Err(refused(refusal, question.recipient).telling(notes));
        }
        supported(&decision, question.recipient)?;
        if decision.hold {
            effects.held.get_or_insert_with(|| held_by(table));
        }
        effects.discarded |= decision.discard.is_some();
        effects.headers.extend(decision.header);
        effects.tags.extend(tags(decision.tags.as_deref()));
        effects.delay = effects.delay.max(delay(decision.delay));
    }
    Ok(())
}

/// The envelope From after address reversal, if some probe is to have it.
fn canonical(context: Context<'_>, source: &Source, sender: Option<&Address>) -> Option<String> {
    if context.config.mta.int(MtaOption::UseCanonicalReturn) == 0 {
        return None;
    }
    let reversal = Reversal {
        part: Part::Envelope,
        direction: Direction::Backward,
        source: &source.channel,
        destination: &source.channel,
    };
    let sender = sender?.as_str();
    reversal.of(context, sender, Moment::After, &mut Silent)
}

fn asked(
    context: Context<'_>,
    table: AccessTable,
    probe: &AddressProbe<'_>,
    trace: &mut dyn Trace,
) -> AccessDecision {
    let world = World { context };
    let decision = ask(
        context.config,
        table,
        probe,
        &world,
        &mut MappingSteps(trace),
    );
    let known = context.config.mappings.get(table.name()).is_some();
    if known {
        tell(trace, || Step::Access {
            table: table.name(),
            probe: text(context.config, table, probe),
            verdict: verdict(&decision),
        });
    }
    decision
}

fn verdict(decision: &AccessDecision) -> String {
    match &decision.refused {
        Some(refusal) => format!("refused, {} {}", refusal.status, refusal.text),
        None if decision.hold => "held".to_owned(),
        None if decision.discard.is_some() => "discarded".to_owned(),
        None if decision.matched => "allowed".to_owned(),
        None => "no entry matches, allowed".to_owned(),
    }
}

fn refused(refusal: &AccessRefusal, address: &str) -> Refusal {
    let text = refusal.text.trim();
    let refusal = if refusal.status.is_temporary() {
        Refusal::temporary(refusal.status, text, address)
    } else {
        Refusal::permanent(refusal.status, text, address)
    };
    refusal.by_table()
}

/// An answer that depends on a check we cannot make is no permission.
fn supported(decision: &AccessDecision, address: &str) -> Result<(), Refusal> {
    if decision.group.is_some() {
        let text = "group membership cannot be checked here";
        let refusal = Refusal::temporary(Status::new(4, 3, 5), text, address);
        return Err(refusal.by_table());
    }
    Ok(())
}

fn held_by(table: AccessTable) -> String {
    format!("held by {}", table.name())
}

fn new_sender(text: &str) -> Option<Option<Address>> {
    let text = text.trim().trim_matches(['<', '>']);
    if text.is_empty() {
        return Some(None);
    }
    Address::parse(text).ok().map(Some)
}

fn tags(text: Option<&str>) -> Vec<String> {
    text.into_iter()
        .flat_map(|text| text.split(','))
        .map(|tag| tag.trim().to_owned())
        .filter(|tag| !tag.is_empty())
        .collect()
}

fn delay(hundredths: Option<i32>) -> Duration {
    let hundredths = u64::from(hundredths.unwrap_or(0).unsigned_abs());
    Duration::from_millis(hundredths * 10).min(MAX_DELAY)
}

/// The fields that every probe of a source has.
fn of_source<'a>(source: &'a Source, app_info: &'a str) -> AddressProbe<'a> {
    let modifiers = source.protocol.modifiers;
    AddressProbe {
        port_info: &source.port_probe,
        app_info,
        source_channel: source.channel.as_str(),
        auth_from: source.authenticated.as_deref().unwrap_or(""),
        sasl: modifiers.auth,
        tls: modifiers.tls,
        esmtp: modifiers.esmtp,
        lmtp: modifiers.lmtp,
        ..AddressProbe::default()
    }
}

/// `SMTP/helo-name`, with TLS `SMTP/tls-info/helo-name`; empty without a connection.
fn app_info(source: &Source) -> String {
    let Some(peer) = &source.peer else {
        return String::new();
    };
    let helo = peer.helo.as_deref().unwrap_or("");
    match &source.protocol.cipher {
        Some(cipher) => format!("SMTP/{cipher}/{helo}"),
        None => format!("SMTP/{helo}"),
    }
}
