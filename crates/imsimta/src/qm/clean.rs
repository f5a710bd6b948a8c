//! `clean`, and `imsimta qclean`: messages that hold given substrings are set aside, or deleted.

use super::reading::{self, Reader};
use super::{Source, act, listing};
use crate::context::{Context, Failure, Outcome};
use crate::report::clean::{Cleaned, Deed, Place as Row};
use crate::returning;
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Verb, Words};
use mta_envelope::names::{ChannelName, Place};
use mta_message::header::{Field, Header};
use mta_queue::Queue;
use mta_queue::message::Message as Queued;
use std::collections::BTreeMap;
use std::io::{self, Read as _};

/// Shortest substring, unless `-min_length` says another length: a guard against accidents.
const SHORTEST: usize = 24;

/// Octets of a body that are searched at a time.
const PIECE: usize = 64 * 1024;

/// Where a substring may be looked for.
const FIELDS: [&str; 5] = ["content", "from", "subject", "to", "domain_to"];

pub(super) const SWITCHES: &[Switch] = &[
    Switch::with("content", "text", "look for this in the body"),
    Switch::with(
        "from",
        "text",
        "look for this in envelope From; <> is the empty one",
    ),
    Switch::with("subject", "text", "look for this in the subject"),
    Switch::with("to", "text", "look for this in envelope To"),
    Switch::with(
        "domain_to",
        "text",
        "look for this in the hosts of envelope To",
    ),
    super::TREE,
    super::DATABASE,
    Switch::flag("delete", "delete what is found"),
    Switch::flag("hold", "set what is found aside as .HELD (default)"),
    Switch::flag("ignore_zz", "skip messages that were never tried"),
    Switch::with(
        "match",
        "AND|OR",
        "whether all substrings must be found, or one (AND)",
    ),
    Switch::with("min_length", "n", "shortest substring that is taken (24)"),
    Switch::flag(
        "preview",
        "only count what would be touched, by channel and host",
    ),
    Switch::with("threads", "n", "read with 1 to 8 threads"),
    Switch::flag("verbose", "name each file that is looked at"),
    super::JSON,
];

pub(crate) const QCLEAN: &[Verb] = &[Verb {
    name: "qclean",
    about: "hold or delete queued messages by substrings (of those in the queue cache)",
    parameters: "[channel]",
    least: 0,
    most: 1,
    switches: SWITCHES,
}];

/// `imsimta qclean`: the same, but the queue cache is where it looks if nothing is said.
pub(crate) fn qclean(context: &Context, typed: &[String]) -> Outcome {
    run(context, Source::Cache, &QCLEAN[0].parse(typed)?)
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    /// Field and substring, this folded as the field is.
    texts: Vec<(&'static str, String)>,
    /// All of them.
    all: bool,
    verbose: bool,
}

impl Wanted {
    fn read(words: &Words) -> Result<Self, Failure> {
        let least: usize = words.number("min_length")?.unwrap_or(SHORTEST);
        let mut texts = Vec::new();
        for field in FIELDS {
            let Some(text) = words.value(field) else {
                continue;
            };
            // The empty envelope From is a whole address and no accident.
            let whole = field == "from" && text == "<>";
            if !whole && text.chars().count() < least {
                let text = format!("search string is shorter than {least} characters");
                return Err(Message::error("QM", "TOOSHORT", text).into());
            }
            // Of a body only ASCII letters are folded: its charset is anybody's guess.
            let folded = match field {
                "content" => text.to_ascii_lowercase(),
                _ => text.to_lowercase(),
            };
            texts.push((field, folded));
        }
        if texts.is_empty() {
            let text = "say what to look for: -content, -from, -subject, -to or -domain_to";
            return Err(Message::error("QM", "NOSELECT", text).into());
        }
        let all = match words.value("match").map(str::to_ascii_uppercase).as_deref() {
            None | Some("AND") => true,
            Some("OR") => false,
            Some(_) => {
                let text = "invalid value for -match: AND or OR is expected";
                return Err(Message::error("IMTA", "IVVALU", text).into());
            }
        };
        Ok(Self {
            texts,
            all,
            verbose: words.is_on("verbose", false),
        })
    }

    /// Whether a message is one of those. What costs most is asked last.
    fn is_in(&self, message: &Queued) -> io::Result<bool> {
        let mut order: Vec<&(&str, String)> = self.texts.iter().collect();
        order.sort_by_key(|(field, _)| {
            ["from", "to", "domain_to", "subject", "content"]
                .iter()
                .position(|known| known == field)
        });
        for (field, text) in order {
            if holds(message, field, text)? != self.all {
                return Ok(!self.all);
            }
        }
        Ok(self.all)
    }
}

/// Whether a field of a message holds a text, which is folded.
fn holds(message: &Queued, field: &str, text: &str) -> io::Result<bool> {
    let envelope = message.envelope();
    let is_in = |value: &str| value.to_lowercase().contains(text);
    Ok(match field {
        "from" if text == "<>" => envelope.sender.is_none(),
        "from" => is_in(envelope.sender_text()),
        "to" => envelope
            .recipients
            .iter()
            .any(|to| is_in(to.address.as_str())),
        "domain_to" => envelope
            .recipients
            .iter()
            .filter_map(|to| to.address.domain())
            .any(is_in),
        "subject" => {
            let header = Header::parse(&message.header()?);
            header
                .get("Subject")
                .map(Field::decoded)
                .is_some_and(|subject| is_in(&subject))
        }
        _ => body_holds(message.body()?, text.as_bytes())?,
    })
}

/// Whether octets hold a text in lower case; ASCII letters match in either case.
fn body_holds(mut body: impl io::Read, text: &[u8]) -> io::Result<bool> {
    let finder = memchr::memmem::Finder::new(text);
    let mut kept: Vec<u8> = Vec::with_capacity(PIECE + text.len());
    loop {
        let before = kept.len();
        let piece = u64::try_from(PIECE).unwrap_or(u64::MAX);
        if (&mut body).take(piece).read_to_end(&mut kept)? == 0 {
            return Ok(false);
        }
        kept[before..].make_ascii_lowercase();
        if finder.find(&kept).is_some() {
            return Ok(true);
        }
        // What a piece ends with may be the beginning of the text.
        let rest = kept.len().saturating_sub(text.len().saturating_sub(1));
        kept.drain(..rest);
    }
}

/// A message that was found, and the hosts of its recipients.
type Found = (ChannelName, Place, Vec<String>);

pub(super) fn run(context: &Context, usual: Source, words: &Words) -> Outcome {
    let wanted = Wanted::read(words)?;
    let delete = words.is_on("delete", false);
    if delete && words.is_on("hold", false) {
        return Err(crate::front::conflict("QM", "-delete, -hold"));
    }
    let threads = reading::threads(words)?;
    let queue = listing::open(context)?;
    let (files, mut complete) = reading::chosen(context, &queue, usual, words)?;
    let reader = Reader {
        queue: &queue,
        threads,
        verbose: wanted.verbose,
    };
    let (found, read): (Vec<Vec<Found>>, bool) =
        reader.each(&files, |channel, place, message, found: &mut Vec<Found>| {
            if wanted.is_in(message)? {
                found.push((channel.clone(), place.clone(), hosts(message)));
            }
            Ok(())
        });
    complete &= read;
    let found = found.concat();
    let preview = words.is_on("preview", false);
    let mut cleaned = Cleaned {
        scanned: files.len(),
        found: found.len(),
        deed: if delete { Deed::Delete } else { Deed::Hold },
        done: 0,
        preview,
        places: places(&found),
    };
    if !preview {
        for (channel, place, _) in &found {
            let done = if delete {
                returning::delete(context, &queue, channel, place)
            } else {
                let why = "held by the operator, by its content";
                act::set_aside(context, &queue, channel, place, why).map(drop)
            };
            match done {
                Ok(()) => cleaned.done += 1,
                Err(failure) => {
                    if let Failure::Said(message) = failure {
                        message.emit();
                    }
                    complete = false;
                }
            }
        }
    }
    output::show(&cleaned, words.is_on("json", false));
    if complete {
        Ok(())
    } else {
        Err(Failure::Silent(1))
    }
}

/// The hosts of a message's recipients, each once.
fn hosts(message: &Queued) -> Vec<String> {
    let recipients = message.envelope().recipients.iter();
    let domains = recipients.filter_map(|to| to.address.domain());
    let mut hosts: Vec<String> = domains.map(str::to_ascii_lowercase).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// `-preview` of a command that names its messages: what it would do, and to how many.
pub(super) fn preview(
    queue: &Queue,
    deed: Deed,
    chosen: &[(ChannelName, Place)],
    json: bool,
) -> Outcome {
    let mut found = Vec::new();
    let mut complete = true;
    for (channel, place) in chosen {
        match queue.read_message(channel, place, place.file.is_held()) {
            Ok(message) => found.push((channel.clone(), place.clone(), hosts(&message))),
            Err(error) => {
                if let Failure::Said(message) = act::refused("QM", queue, channel, place, &error) {
                    message.emit();
                }
                complete = false;
            }
        }
    }
    let view = Cleaned {
        scanned: chosen.len(),
        found: found.len(),
        deed,
        done: 0,
        preview: true,
        places: places(&found),
    };
    output::show(&view, json);
    if complete {
        Ok(())
    } else {
        Err(Failure::Silent(1))
    }
}

/// How many messages were found for each channel and host.
fn places(found: &[Found]) -> Vec<Row> {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (channel, _, hosts) in found {
        for host in hosts {
            *counts
                .entry((channel.to_string(), host.clone()))
                .or_default() += 1;
        }
    }
    let row = |((channel, host), messages)| Row {
        channel,
        host,
        messages,
    };
    counts.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(words: &[&str]) -> Result<Wanted, String> {
        let typed: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let words = QCLEAN[0].parse(&typed).unwrap();
        Wanted::read(&words).map_err(|failure| match failure {
            Failure::Said(message) => message.to_string(),
            Failure::Silent(_) => String::new(),
        })
    }

    #[test]
    fn short_substrings_are_refused_unless_asked_for() {
        let short = "%QM-E-TOOSHORT, search string is shorter than 24 characters";
        assert_eq!(wanted(&["-subject=spam"]).unwrap_err(), short);
        let found = wanted(&["-subject=Spam", "-min_length=4"]).unwrap();
        assert_eq!(found.texts, [("subject", "spam".to_owned())]);
        assert!(found.all);
        assert!(wanted(&["-from=<>"]).is_ok());
        assert!(!wanted(&["-from=<>", "-match=or"]).unwrap().all);
        assert!(wanted(&[]).unwrap_err().starts_with("%QM-E-NOSELECT"));
        let odd = wanted(&["-from=<>", "-match=XOR"]).unwrap_err();
        assert!(odd.contains("AND or OR is expected"), "{odd}");
    }

    #[test]
    fn a_text_is_found_across_pieces_in_either_case() {
        let text = b"needle in the stack";
        for before in [0, 1, PIECE - 5, PIECE, 2 * PIECE - 1] {
            let mut body = vec![b'x'; before];
            body.extend_from_slice(b"NEEDLE in The Stack");
            assert!(body_holds(&body[..], text).unwrap(), "{before}");
            body.truncate(before + text.len() - 1);
            assert!(!body_holds(&body[..], text).unwrap(), "{before}");
        }
        assert!(!body_holds(&b""[..], text).unwrap());
        let umlauts = wanted(&["-content=\u{c4}PFEL", "-min_length=5"]).unwrap();
        let (_, text) = &umlauts.texts[0];
        let body = "zwei \u{c4}pfel".as_bytes();
        assert!(body_holds(body, text.as_bytes()).unwrap());
    }

    #[test]
    fn found_messages_are_counted_by_channel_and_host() {
        let channel = ChannelName::new("tcp_local").unwrap();
        let place = Place::parse("001/ZZ0T4K00A01C2R70.00").unwrap();
        let message = |hosts: &[&str]| {
            let hosts = hosts.iter().map(|host| (*host).to_owned());
            (channel.clone(), place.clone(), hosts.collect())
        };
        let rows = places(&[
            message(&["b.example", "a.example"]),
            message(&["b.example"]),
        ]);
        let rows: Vec<(&str, usize)> = rows.iter().map(|row| (&*row.host, row.messages)).collect();
        assert_eq!(rows, [("a.example", 1), ("b.example", 2)]);
    }
}
