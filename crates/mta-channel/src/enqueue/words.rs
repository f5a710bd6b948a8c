//! What a header says to people beside its addresses: comments and display names, which a
//! channel may have kept, mapped, stripped or dropped, at the source and at the destination.
//!
//! `commentmap` asks the table COMMENT_STRINGS with `(text)|address`, `personalmap` the table
//! PERSONAL_NAMES with `name|address`; only with `$Y` the output counts, an empty one drops the
//! words. A table that cannot be read leaves them as they are: they are no reason to return a
//! message.

use super::mark::direction;
use super::resolve::Context;
use super::trace::{MappingSteps, Silent};
use mta_access::arguments::is_incomplete;
use mta_config::{Channel, ChannelOption};
use mta_mapping::Input;
use mta_message::addresses::{self, Kind, Words, is_atomic};
use mta_message::header::{Field, Header};

/// Structured fields without addresses, of which `commenttotal` drops the comments as well.
const STRUCTURED: [&str; 10] = [
    "Date",
    "Resent-Date",
    "Message-ID",
    "Resent-Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
];

/// At which end of a message's way through the MTA a channel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It brought the message.
    Source,
    /// It takes the message.
    Destination,
}

/// What becomes of words of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treatment {
    Keep,
    Map,
    Strip,
    Drop,
    /// Dropped from every structured line.
    DropEverywhere,
}

impl Treatment {
    fn of(channel: &Channel, options: &[(ChannelOption, Self)]) -> Self {
        let set = options.iter().find(|(option, _)| channel.is(*option));
        set.map_or(Self::Keep, |(_, treatment)| *treatment)
    }
}

/// What a channel does to the words of a header.
#[derive(Debug, Clone, Copy)]
struct Treatments {
    comments: Treatment,
    personal: Treatment,
}

impl Treatments {
    fn of(channel: &Channel, end: End) -> Self {
        use ChannelOption as O;
        let (map, strip, omit, total) = match end {
            End::Source => (
                O::Sourcecommentmap,
                O::Sourcecommentstrip,
                O::Sourcecommentomit,
                O::Sourcecommenttotal,
            ),
            End::Destination => (
                O::Commentmap,
                O::Commentstrip,
                O::Commentomit,
                O::Commenttotal,
            ),
        };
        let comments = [
            (map, Treatment::Map),
            (strip, Treatment::Strip),
            (omit, Treatment::Drop),
            (total, Treatment::DropEverywhere),
        ];
        let (map, strip, omit) = match end {
            End::Source => (
                O::Sourcepersonalmap,
                O::Sourcepersonalstrip,
                O::Sourcepersonalomit,
            ),
            End::Destination => (O::Personalmap, O::Personalstrip, O::Personalomit),
        };
        let personal = [
            (map, Treatment::Map),
            (strip, Treatment::Strip),
            (omit, Treatment::Drop),
        ];
        Self {
            comments: Treatment::of(channel, &comments),
            personal: Treatment::of(channel, &personal),
        }
    }
}

/// Does to the words of `header` what `channel` wants at that end.
pub(super) fn treat(
    context: Context<'_>,
    channel: Option<&Channel>,
    end: End,
    header: &mut Header,
) {
    let Some(treatments) = channel.map(|channel| Treatments::of(channel, end)) else {
        return;
    };
    if treatments.comments == Treatment::Keep && treatments.personal == Treatment::Keep {
        return;
    }
    header.rewrite(|field| {
        let changed = if direction(&field).is_some() {
            addresses::reword(&field, |words, text| {
                change(context, treatments, words, text)
            })
        } else if treatments.comments == Treatment::DropEverywhere && is_structured(&field) {
            let drop = |words: &Words, _: &str| (words.kind == Kind::Comment).then(String::new);
            addresses::reword(&field, drop)
        } else {
            None
        };
        Some(changed.unwrap_or(field))
    });
}

fn is_structured(field: &Field) -> bool {
    STRUCTURED.iter().any(|name| field.is(name))
}

/// What is to stand in the place of words; nothing if they stay.
fn change(
    context: Context<'_>,
    treatments: Treatments,
    words: &Words,
    text: &str,
) -> Option<String> {
    let (treatment, table) = match words.kind {
        Kind::Comment => (treatments.comments, "COMMENT_STRINGS"),
        Kind::Personal => (treatments.personal, "PERSONAL_NAMES"),
    };
    match treatment {
        Treatment::Keep => None,
        Treatment::Drop | Treatment::DropEverywhere => Some(String::new()),
        Treatment::Strip => Some(stripped(words.kind, text)),
        Treatment::Map => {
            let probe = format!("{text}|{}", words.address);
            let host = words.address.rsplit_once('@').map_or("", |(_, host)| host);
            let input = Input {
                address: &words.address,
                host,
                ..Input::of(&probe)
            };
            let lookups = context.lookups();
            let trace = &mut MappingSteps(&mut Silent);
            let mapped = context.config.mappings.map(table, &input, &lookups, trace);
            let counts = mapped.matched && !is_incomplete(&mapped) && mapped.flags.contains('Y');
            counts.then_some(mapped.output)
        }
    }
}

/// Without the characters that cannot stand in an atom; blanks stay between words.
fn stripped(kind: Kind, text: &str) -> String {
    let kept = text
        .chars()
        .filter(|c| is_atomic(*c) || *c == ' ' || !c.is_ascii());
    let kept: String = kept.collect();
    let kept = kept.split(' ').filter(|word| !word.is_empty());
    let text = kept.collect::<Vec<_>>().join(" ");
    match kind {
        Kind::Comment if !text.is_empty() => format!("({text})"),
        Kind::Comment | Kind::Personal => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fits_an_atom_stays() {
        let table = [
            (Kind::Comment, "(Dr. A (x) \\) B)", "(Dr A x B)"),
            (Kind::Comment, "(.)", ""),
            (Kind::Personal, "Lovelace, Ada <x@y>", "Lovelace Ada xy"),
            (
                Kind::Personal,
                "=?utf-8?q?Ad=C3=A4?=",
                "=?utf-8?q?Ad=C3=A4?=",
            ),
        ];
        for (kind, text, kept) in table {
            assert_eq!(stripped(kind, text), kept);
        }
    }
}
