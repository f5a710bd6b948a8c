//! What the header says of who sent a message, against who is known to have sent it: the channel
//! option `authrewrite` and the mapping table AUTH_REWRITE.

use super::refusal::Refusal;
use super::resolve::Context;
use super::source::Source;
use mta_config::{ChannelOption, MtaOption};
use mta_envelope::address::Address;
use mta_envelope::status::Status;
use mta_mapping::{Input, Silent};
use mta_message::addresses;
use mta_message::header::{Field, Header};

const TABLE: &str = "AUTH_REWRITE";
/// Bits of `authrewrite` that say what is done.
const ACTION: i64 = 15;
/// Without authentication, too.
const ALWAYS: i64 = 16;
/// The source channel stands in front of the probe.
const CHANNEL: i64 = 32;

/// What becomes of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Another envelope From.
    pub(super) sender: Option<Address>,
}

/// Checks and changes the header of a message. `sender_line` is whom FROM_ACCESS wants in Sender:
/// (`$K`); it stands there before anything else is decided, in the place of who has authenticated.
///
/// # Errors
/// The refusal that AUTH_REWRITE wants.
pub(super) fn check(
    context: Context<'_>,
    source: &Source,
    sender: Option<&Address>,
    sender_line: Option<&Address>,
    header: &mut Header,
) -> Result<Verdict, Refusal> {
    let channel = context.config.channel(&source.channel);
    let bits = channel.and_then(|channel| channel.number(ChannelOption::Authrewrite));
    let bits = bits.unwrap_or(0);
    if let Some(line) = sender_line.filter(|_| bits & ACTION != 0) {
        header.replace(Field::new("Sender", line.as_str()));
    }
    let known = source.authenticated.as_deref();
    if bits & ACTION == 0 || (known.is_none() && bits & ALWAYS == 0) {
        return Ok(Verdict::default());
    }
    let resent = header
        .fields()
        .any(|field| matches!(field.name().get(..7), Some(n) if n.eq_ignore_ascii_case("resent-")));
    let named = |prefer_resent: bool, name: &'static str, resent_name: &'static str| {
        if prefer_resent && resent {
            resent_name
        } else {
            name
        }
    };
    match (bits & ACTION, known) {
        (1 | 2, Some(_)) if sender_line.is_some() => {}
        (1 | 2, Some(known)) => {
            let name = named(bits & ACTION == 1, "Sender", "Resent-sender");
            header.replace(Field::new(name, known));
        }
        (5 | 6, Some(known)) => {
            let name = named(bits & ACTION == 5, "From", "Resent-from");
            header.replace(Field::new(name, known));
        }
        (3 | 4, _) => {
            let first = bits & ACTION == 3;
            let names = [
                named(first, "Sender", "Resent-sender"),
                named(first, "From", "Resent-from"),
            ];
            return table(context, source, sender, header, names, bits & CHANNEL != 0);
        }
        _ => {}
    }
    Ok(Verdict::default())
}

fn table(
    context: Context<'_>,
    source: &Source,
    sender: Option<&Address>,
    header: &mut Header,
    [sender_field, from_field]: [&'static str; 2],
    with_channel: bool,
) -> Result<Verdict, Refusal> {
    let tables = &context.config.mappings;
    if tables.get(TABLE).is_none() {
        return Ok(Verdict::default());
    }
    let address_in = |name: &str| {
        let field = header.get(name)?;
        let mut found = addresses::find(field.raw_value()).into_iter();
        found.next().map(|found| found.address)
    };
    let mail_from = sender.map_or("", Address::as_str);
    let (in_sender, in_from) = (address_in(sender_field), address_in(from_field));
    let mut probe = format!(
        "{mail_from}|{}|{}|{}",
        in_sender.as_deref().unwrap_or(""),
        in_from.as_deref().unwrap_or(""),
        source.authenticated.as_deref().unwrap_or("")
    );
    let more = context.config.mta.text(MtaOption::AuthrewriteExtraHeaders);
    let names = more.unwrap_or("").split(',').map(str::trim);
    for name in names.filter(|name| !name.is_empty()) {
        probe.push('|');
        probe.push_str(&header.get(name).map(Field::value).unwrap_or_default());
    }
    if with_channel {
        probe = format!("{}|{probe}", source.channel);
    }
    let input = Input {
        address: mail_from,
        ..Input::of(&probe)
    };
    let mapped = tables.map(TABLE, &input, &context.lookups(), &mut Silent);
    if mapped.unreadable {
        let text = format!("{TABLE} cannot be read");
        return Err(Refusal::new(451, Status::new(4, 3, 5), &text));
    }
    if !mapped.matched {
        return Ok(Verdict::default());
    }
    let has = |flags: &str| flags.chars().any(|flag| mapped.flags.contains(flag));
    let wanted = [has("JK"), has("YT"), has("Z"), has("N")];
    let count = wanted.iter().filter(|wanted| **wanted).count();
    // The last argument takes the rest, further bars included.
    let mut pieces = mapped.output.splitn(count.max(1), '|').map(str::trim);
    let mut next = |wanted: bool| if wanted { pieces.next() } else { None };
    let new_sender = next(wanted[0]);
    let new_sender_field = next(wanted[1]);
    let new_from = next(wanted[2]);
    if wanted[3] {
        let text = next(true).filter(|text| !text.is_empty());
        let text = text.unwrap_or("invalid originator address used");
        return Err(Refusal::new(550, Status::new(5, 7, 1), text));
    }
    for (name, value) in [(sender_field, new_sender_field), (from_field, new_from)] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            header.replace(Field::new(name, value));
        }
    }
    Ok(Verdict {
        sender: new_sender.and_then(|text| Address::parse(text.trim_matches(['<', '>'])).ok()),
    })
}
