//! In which language a notice is written: the mapping table NOTIFICATION_LANGUAGE.
//!
//! Probe `type|channel|language|return-address|first-recipient`: the kind of the notice, the
//! channel in whose queue the message is, what the message's header prefers, its envelope From and
//! its first recipient. `$I` names the directory of the templates, `$S` behind it a subject. A
//! file that the directory has not is taken from the usual ones. Pure.

use mta_access::arguments::{Dealt, is_incomplete, one};
use mta_envelope::envelope::Envelope;
use mta_mapping::{Callouts, Input, Silent, Tables};
use mta_message::header::{Field, Header};
use mta_message::template::Kind;

const TABLE: &str = "NOTIFICATION_LANGUAGE";

/// Header fields that tell the language of a sender; the first one that is there counts.
const FIELDS: [&str; 3] = ["Accept-Language", "Preferred-Language", "X-Accept-Language"];

/// What the table says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Language {
    /// The directory, as the table names it.
    pub(super) directory: Option<String>,
    /// The subject.
    pub(super) subject: Option<String>,
}

/// Asks the table about a notice of `kind` on a message.
pub(super) fn language(
    tables: &Tables,
    kind: Kind,
    channel: &str,
    envelope: &Envelope,
    header: &Header,
    callouts: &dyn Callouts,
) -> Language {
    if tables.get(TABLE).is_none() {
        return Language::default();
    }
    let sender = envelope.sender_text();
    let first = envelope.recipients.first();
    let probe = format!(
        "{}|{channel}|{}|{sender}|{}",
        kind.word(),
        preferred(header),
        first.map_or("", |recipient| recipient.address.as_str())
    );
    let input = Input {
        address: sender,
        host: sender.rsplit_once('@').map_or("", |(_, host)| host),
        ..Input::of(&probe)
    };
    let mapped = tables.map(TABLE, &input, callouts, &mut Silent);
    if !mapped.matched || is_incomplete(&mapped) {
        return Language::default();
    }
    let dealt = Dealt::deal(&mapped, &[one('I'), one('S')]);
    let taken = |flag| {
        let text = dealt.get(flag).map(str::trim);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    Language {
        directory: taken('I'),
        subject: taken('S'),
    }
}

/// The first language tag that the header prefers.
fn preferred(header: &Header) -> String {
    let field = FIELDS.iter().find_map(|name| header.get(name));
    let value = field.map(Field::value).unwrap_or_default();
    let tag = value.split([',', ';']).next().unwrap_or("").trim();
    let is_tag = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '*';
    tag.chars().take_while(|c| is_tag(*c)).collect()
}

/// The directory as its symbolic name stands in a configuration: the books write
/// `IMTA_TABLE/notify_french/` for `IMTA_TABLE:notify_french/`.
pub(super) fn symbolic(directory: &str) -> String {
    match directory.split_once('/') {
        Some((name, rest))
            if name
                .get(..5)
                .is_some_and(|n| n.eq_ignore_ascii_case("IMTA_")) =>
        {
            let name = name.trim_end_matches(':');
            format!("{name}:{rest}")
        }
        _ => directory.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_and_its_first_tag_count() {
        let table = [
            ("Subject: x\n", ""),
            ("Accept-Language: fr\n", "fr"),
            (
                "X-Accept-Language: de\nPreferred-Language: fr-CH, en;q=0.5\n",
                "fr-CH",
            ),
            ("Accept-Language: es;q=0.8,en\n", "es"),
            ("Accept-Language: a|b\n", "a"),
            ("Accept-Language:\nPreferred-Language: fr\n", ""),
        ];
        for (header, tag) in table {
            assert_eq!(
                preferred(&Header::parse(header.as_bytes())),
                tag,
                "{header}"
            );
        }
    }

    #[test]
    fn directories_may_be_written_as_the_books_do() {
        let table = [
            ("IMTA_TABLE/notify_french/", "IMTA_TABLE:notify_french/"),
            ("IMTA_TABLE:/notify_french/", "IMTA_TABLE:notify_french/"),
            ("IMTA_TABLE:notify_french", "IMTA_TABLE:notify_french"),
            ("/etc/french", "/etc/french"),
            ("config/french", "config/french"),
        ];
        for (written, name) in table {
            assert_eq!(symbolic(written), name);
        }
    }
}
