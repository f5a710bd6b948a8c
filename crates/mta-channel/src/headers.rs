//! What the enqueue path adds to a header, and what it reads there.
//!
//! Our trace line in front; behind the rest, whatever RFC 5322 asks for and the sender left out.
//! Nothing else is changed: lines keep their order, folding and spelling.

use crate::enqueue::{Peer, Refusal, ReverseName, Source};
use crate::product;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mta_config::{ChannelOption, Config, MtaOption};
use mta_envelope::address::Address;
use mta_envelope::domain::to_literal;
use mta_envelope::envelope::Priority;
use mta_envelope::status::Status;
use mta_message::date;
use mta_message::header::{Field, Header};
use mta_message::received::{HopLimits, Hops, Origin, Received};

/// Longest Message-id that is carried on the envelope; RFC 5322 allows no longer line.
const MAX_MESSAGE_ID: usize = 995;

/// What is known of a message when its header is complete.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) config: &'a Config,
    pub(crate) source: &'a Source,
    /// Envelope From, as rewritten.
    pub(crate) sender: Option<&'a Address>,
    /// Envelope From as given, if that is another.
    pub(crate) original_sender: Option<&'a Address>,
    /// The recipients as given.
    pub(crate) recipients: &'a [Address],
    /// The ORCPT of the only recipient, as `type;address`.
    pub(crate) original_recipient: Option<&'a str>,
    /// `ID@HOST`.
    pub(crate) id: &'a str,
    pub(crate) now: Timestamp,
    /// Lines to add, without line ends.
    pub(crate) added: &'a [String],
    /// `datefour` on every destination.
    pub(crate) four_digit_years: bool,
    /// `dayofweek` on every destination.
    pub(crate) days_of_week: bool,
}

/// A header as it is queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finished {
    /// The lines, and the empty one that ends them.
    pub(crate) header: Vec<u8>,
    pub(crate) message_id: Option<String>,
    pub(crate) priority: Priority,
    /// Why the message looks like a loop, if it does.
    pub(crate) held: Option<String>,
}

/// Settles everything about a header.
///
/// # Errors
/// A refusal if the source channel does not take messages without recipient header.
pub(crate) fn finish(mut header: Header, facts: &Facts<'_>) -> Result<Finished, Refusal> {
    let source = facts.config.channel(&facts.source.channel);
    let held = Hops::count(&header, facts.config.local_host()).exceed(&hop_limits(facts.config));
    if source.is_some_and(|channel| channel.is(ChannelOption::Dropblank)) {
        header.rewrite(|field| (!field.value().is_empty()).then_some(field));
    }
    mend_dates(&mut header, facts);
    add_missing(&mut header, facts)?;
    for line in facts.added {
        if let Some(field) = added(line) {
            header.append(field);
        }
    }
    let message_id = header.get("Message-id").and_then(message_id);
    let priority = header.get("Priority").map_or(Priority::Normal, priority);
    header.prepend(received(facts));
    let mut bytes = header.into_bytes();
    bytes.push(b'\n');
    Ok(Finished {
        header: bytes,
        message_id,
        priority,
        held,
    })
}

/// A line to add, given without its line end, as a field.
pub(crate) fn added(line: &str) -> Option<Field> {
    let (name, value) = line.split_once(':')?;
    Some(Field::folded(name.trim(), value.trim()))
}

fn hop_limits(config: &Config) -> HopLimits {
    let usual = HopLimits::default();
    let limit = |option, usual: usize| {
        config
            .mta
            .limit(option)
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(usual)
    };
    HopLimits {
        local: limit(MtaOption::MaxLocalReceivedLines, usual.local),
        received: limit(MtaOption::MaxReceivedLines, usual.received),
        mr: limit(MtaOption::MaxMrReceivedLines, usual.mr),
        x400: limit(MtaOption::MaxX400ReceivedLines, usual.x400),
        total: limit(MtaOption::MaxTotalReceivedLines, usual.total),
    }
}

/// Our name in trace lines and in what we insert.
fn our_domain(config: &Config) -> &str {
    config
        .mta
        .text(MtaOption::ReceivedDomain)
        .unwrap_or_else(|| config.local_host())
}

fn add_missing(header: &mut Header, facts: &Facts<'_>) -> Result<(), Refusal> {
    if !header.has("Date") {
        let now = facts.now.to_zoned_datetime(TimeZone::system());
        header.append(Field::new("Date", &date::rfc5322(&now)));
        let host = our_domain(facts.config);
        let text = format!("Date header was inserted by {host}");
        header.append(Field::new("Date-warning", &text));
    }
    if !header.has("From") {
        let postmaster = facts.config.postmaster();
        let from = facts.sender.unwrap_or(&postmaster);
        header.append(Field::new("From", from.as_str()));
    }
    if !header.has("Message-id") {
        header.append(Field::new("Message-id", &format!("<{}>", facts.id)));
    }
    let has_content = header.fields().any(|field| {
        field
            .name()
            .get(..8)
            .is_some_and(|n| n.eq_ignore_ascii_case("content-"))
    });
    if has_content && !header.has("MIME-version") {
        header.append(Field::new("MIME-version", "1.0"));
    }
    if !["To", "Cc", "Bcc"].into_iter().any(|name| header.has(name)) {
        add_recipients(header, facts)?;
    }
    Ok(())
}

/// `missingrecipientpolicy`.
fn add_recipients(header: &mut Header, facts: &Facts<'_>) -> Result<(), Refusal> {
    let of_channel = facts
        .config
        .channel(&facts.source.channel)
        .and_then(|channel| channel.number(ChannelOption::Missingrecipientpolicy));
    let policy =
        of_channel.unwrap_or_else(|| facts.config.mta.int(MtaOption::MissingRecipientPolicy));
    let all = || {
        let addresses: Vec<&str> = facts.recipients.iter().map(Address::as_str).collect();
        addresses.join(", ")
    };
    match policy {
        2 => header.append(Field::folded("To", &all())),
        3 => header.append(Field::folded("Bcc", &all())),
        4 => header.append(Field::new("To", "Recipients not specified: ;")),
        5 => header.append(Field::new("Bcc", "")),
        6 => {
            let text = "message has no To:, Cc: or Bcc: header line";
            return Err(Refusal::new(550, Status::new(5, 6, 0), text));
        }
        _ => {}
    }
    Ok(())
}

/// Years of two digits and missing days of the week.
fn mend_dates(header: &mut Header, facts: &Facts<'_>) {
    if !facts.four_digit_years && !facts.days_of_week {
        return;
    }
    header.rewrite(|field| {
        let dated = field.is("Date") || field.is("Resent-date");
        let mended = dated
            .then(|| mend_date(&field.value(), facts.four_digit_years, facts.days_of_week))
            .flatten();
        Some(match mended {
            Some(value) => Field::new(field.name(), &value),
            None => field,
        })
    });
}

/// The date with what it lacks; nothing if it lacks nothing or is no date.
fn mend_date(value: &str, years: bool, days: bool) -> Option<String> {
    let (weekday, rest) = match value.split_once(',') {
        Some((weekday, rest)) => (Some(weekday.trim()), rest.trim_start()),
        None => (None, value.trim_start()),
    };
    let mut words = rest.splitn(4, ' ').filter(|word| !word.is_empty());
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let number: i16 = year
        .parse()
        .ok()
        .filter(|_| year.len() == 2 || year.len() == 4)?;
    let full = match (year.len(), number) {
        (2, 0..=49) => 2000 + number,
        (2, _) => 1900 + number,
        _ => number,
    };
    let place = MONTHS
        .iter()
        .position(|name| name.eq_ignore_ascii_case(month))?;
    let place = i8::try_from(place + 1).ok()?;
    let date = jiff::civil::Date::new(full, place, day.parse().ok()?).ok()?;
    let expand = years && year.len() == 2;
    let name = days && weekday.is_none();
    if !expand && !name {
        return None;
    }
    let year = if expand {
        full.to_string()
    } else {
        year.to_owned()
    };
    let weekday = match weekday {
        Some(weekday) => format!("{weekday}, "),
        None if name => format!("{}, ", date.strftime("%a")),
        None => String::new(),
    };
    Some(format!("{weekday}{day} {month} {year} {time}"))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The Message-id with its brackets, fit for the envelope.
fn message_id(field: &Field) -> Option<String> {
    let value = field.value();
    let id = match (value.find('<'), value.find('>')) {
        (Some(start), Some(end)) if start < end => &value[start..=end],
        _ => value.split_whitespace().next()?,
    };
    let id: String = id.chars().filter(|c| !c.is_control()).collect();
    Some(id).filter(|id| !id.is_empty() && id.len() <= MAX_MESSAGE_ID)
}

fn priority(field: &Field) -> Priority {
    match field.value().to_ascii_lowercase().as_str() {
        "urgent" => Priority::Urgent,
        "non-urgent" | "nonurgent" => Priority::Nonurgent,
        "second-class" => Priority::SecondClass,
        "third-class" => Priority::ThirdClass,
        _ => Priority::Normal,
    }
}

/// Our trace line for this hop.
fn received(facts: &Facts<'_>) -> Field {
    let channel = facts.config.channel(&facts.source.channel);
    let says = |option| channel.is_none_or(|channel| channel.is(option));
    let product = product::text(facts.config);
    let now = facts.now.to_zoned_datetime(TimeZone::system());
    let date = date::rfc5322(&now);
    let only = match facts.recipients {
        [only] if says(ChannelOption::Receivedfor) => Some(only.as_str()),
        _ => None,
    };
    let original_sender = facts
        .original_sender
        .filter(|_| says(ChannelOption::Receivedfrom))
        .map(Address::as_str);
    let mut line = Received {
        from: Origin::Channel(""),
        by: facts.config.local_host(),
        product: &product,
        with: None,
        id: facts.id,
        recipient: None,
        original_recipient: None,
        original_sender,
        date: &date,
    };
    let Some(peer) = &facts.source.peer else {
        let host = internal_host(facts);
        line.from = Origin::Channel(&host);
        return line.field();
    };
    let literal = to_literal(peer.remote.ip());
    let with = facts.source.protocol.word();
    line.from = Origin::Network {
        helo: peer.helo.as_deref().unwrap_or(&literal),
        peer: comment(peer),
    };
    line.by = our_domain(facts.config);
    line.with = Some(&with);
    line.recipient = only;
    line.original_recipient = facts.original_recipient.filter(|_| only.is_some());
    line.field()
}

/// The channel's official host name, made whole with ours if it is short.
fn internal_host(facts: &Facts<'_>) -> String {
    let channel = facts.config.channel(&facts.source.channel);
    let host = channel.map_or(facts.source.channel.as_str(), |c| c.official_host());
    if host.contains('.') {
        host.to_owned()
    } else {
        format!("{host}.{}", facts.config.local_host())
    }
}

fn comment(peer: &Peer) -> mta_message::received::Peer<'_> {
    use mta_message::received::Peer as Comment;
    let ip = peer.remote.ip().to_canonical();
    match (&peer.name, peer.show_comment, peer.show_address) {
        (_, false, _) => Comment::Nothing,
        (ReverseName::NotAsked, true, _) => Comment::Address(ip),
        (ReverseName::Unknown, true, _) => Comment::Unknown(ip),
        (ReverseName::Known(name), true, true) => Comment::Named(name, ip),
        (ReverseName::Known(name), true, false) => Comment::NameOnly(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_get_what_they_lack_and_nothing_else() {
        let table = [
            ("Tue, 13 Oct 2009 17:28:52 -0700", None),
            (
                "13 Oct 2009 17:28:52 -0700 (PDT)",
                Some("Tue, 13 Oct 2009 17:28:52 -0700 (PDT)"),
            ),
            (
                "Tue, 13 Oct 09 17:28 -0700",
                Some("Tue, 13 Oct 2009 17:28 -0700"),
            ),
            ("1 jan 99 00:00 GMT", Some("Fri, 1 jan 1999 00:00 GMT")),
            ("yesterday", None),
            ("32 Oct 2009 17:28:52 -0700", None),
            ("", None),
        ];
        for (value, mended) in table {
            assert_eq!(mend_date(value, true, true).as_deref(), mended, "{value}");
        }
        assert_eq!(mend_date("13 Oct 09 1:00 Z", false, false), None);
    }

    #[test]
    fn message_ids_are_fit_for_the_envelope() {
        let id = |value: &str| message_id(&Field::new("Message-ID", value));
        assert_eq!(id("<a@b>").as_deref(), Some("<a@b>"));
        assert_eq!(id("(x) <a@b> y").as_deref(), Some("<a@b>"));
        assert_eq!(id("a@b c").as_deref(), Some("a@b"));
        assert_eq!(id(""), None);
        assert_eq!(id(&"x".repeat(2000)), None);
    }
}
