//! `top`, and `imsimta qtop`: the most frequent subjects, addresses, hosts or beginnings of the
//! messages in the queue.

use super::reading::{self, Reader};
use super::{Source, listing};
use crate::context::{Context, Failure, Outcome};
use crate::report::top::{Count, Field, Top};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Verb, Words};
use mta_message::header::Header;
use mta_queue::message::Message as Queued;
use std::collections::HashMap;
use std::io::{self, Read as _};

/// What of a message can be counted; without a choice it is the subject.
const FIELDS: [&str; 5] = ["content", "from", "subject", "to", "domain_to"];

pub(super) const SWITCHES: &[Switch] = &[
    Switch::maybe("content", "range", "count beginnings of the body"),
    Switch::maybe("from", "range", "count envelope From"),
    Switch::maybe("subject", "range", "count subjects (default)"),
    Switch::maybe("to", "range", "count envelope To"),
    Switch::maybe("domain_to", "range", "count the hosts of envelope To"),
    super::TREE,
    super::DATABASE,
    Switch::flag("held", "look at held messages"),
    Switch::flag("ignore_zz", "skip messages that were never tried"),
    Switch::with(
        "min_count",
        "n",
        "a value must occur at least this often (2)",
    ),
    Switch::with("threads", "n", "read with 1 to 8 threads"),
    Switch::with("top", "n", "how many values are shown (20)"),
    Switch::flag("verbose", "name each file that is looked at"),
    super::JSON,
];

pub(crate) const QTOP: &[Verb] = &[Verb {
    name: "qtop",
    about: "count the most frequent fields of queued messages (of those in the queue cache)",
    parameters: "[channel]",
    least: 0,
    most: 1,
    switches: SWITCHES,
}];

/// `imsimta qtop`: the same, but the queue cache is where it looks if nothing is said.
pub(crate) fn qtop(context: &Context, typed: &[String]) -> Outcome {
    run(context, Source::Cache, &QTOP[0].parse(typed)?)
}

/// A part of a field, by characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    /// From 1.
    start: usize,
    length: usize,
}

impl Range {
    /// `(START=n,LENGTH=n)`, either of which may be left out.
    fn parse(text: &str, usual: Self) -> Option<Self> {
        let mut range = usual;
        let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
        for part in inner.unwrap_or(text).split(',') {
            let (name, value) = part.split_once('=')?;
            let value: usize = value.trim().parse().ok()?;
            let name = name.trim().to_ascii_uppercase();
            let is = |keyword: &str| !name.is_empty() && keyword.starts_with(&name);
            if is("START") && value > 0 {
                range.start = value;
            } else if is("LENGTH") {
                range.length = value;
            } else {
                return None;
            }
        }
        Some(range)
    }

    fn of(self, text: &str) -> String {
        let characters = text.chars().skip(self.start - 1);
        characters.take(self.length).collect()
    }
}

/// What is counted, and in which files.
struct Wanted {
    fields: Vec<(&'static str, Range)>,
    verbose: bool,
}

impl Wanted {
    fn read(words: &Words) -> Result<Self, Failure> {
        let mut fields = Vec::new();
        for name in FIELDS {
            if !words.is_on(name, false) {
                continue;
            }
            let usual = usual(name);
            let range = match words.value(name) {
                None => usual,
                Some(text) => Range::parse(text, usual).ok_or_else(|| {
                    let text = format!("invalid value for -{name}: (START=n,LENGTH=n) is expected");
                    Message::error("IMTA", "IVVALU", text)
                })?,
            };
            fields.push((name, range));
        }
        if fields.is_empty() {
            fields.push(("subject", usual("subject")));
        }
        Ok(Self {
            fields,
            verbose: words.is_on("verbose", false),
        })
    }
}

fn usual(field: &str) -> Range {
    let length = if field == "content" {
        256
    } else {
        2_147_483_647
    };
    Range { start: 1, length }
}

/// How often each value of each field occurs.
type Counts = Vec<HashMap<String, u64>>;

pub(super) fn run(context: &Context, usual: Source, words: &Words) -> Outcome {
    let wanted = Wanted::read(words)?;
    let threads = reading::threads(words)?;
    let (least, most) = (
        words.number("min_count")?.unwrap_or(2),
        words.number("top")?.unwrap_or(20),
    );
    let queue = listing::open(context)?;
    let (files, mut complete) = reading::chosen(context, &queue, usual, words)?;
    let reader = Reader {
        queue: &queue,
        threads,
        verbose: wanted.verbose,
    };
    let (counts, read): (Vec<Counts>, bool) = reader.each(&files, |_, _, message, counts| {
        count(&wanted, message, counts)
    });
    complete &= read;
    let fields = (0..).zip(&wanted.fields).map(|(at, &(field, _))| Field {
        field,
        values: most_frequent(
            counts.iter().filter_map(|counts| counts.get(at)),
            least,
            most,
        ),
    });
    let view = Top {
        fields: fields.collect(),
    };
    output::show(&view, words.is_on("json", false));
    if complete {
        Ok(())
    } else {
        Err(Failure::Silent(1))
    }
}

/// Counts the fields of one message.
fn count(wanted: &Wanted, message: &Queued, counts: &mut Counts) -> io::Result<()> {
    counts.resize_with(wanted.fields.len(), HashMap::new);
    for ((name, range), counts) in wanted.fields.iter().zip(counts) {
        for value in values(message, name, *range)? {
            *counts.entry(range.of(&value)).or_default() += 1;
        }
    }
    Ok(())
}

/// The values of a field of one message, whole or as far as the range goes.
fn values(message: &Queued, field: &str, range: Range) -> io::Result<Vec<String>> {
    let envelope = message.envelope();
    let to = envelope.recipients.iter().map(|to| &to.address);
    Ok(match field {
        "content" => {
            // A character has four octets at most.
            let octets = range.start.saturating_add(range.length).saturating_mul(4);
            let mut bytes = Vec::new();
            let body = message.body()?;
            body.take(octets as u64).read_to_end(&mut bytes)?;
            vec![String::from_utf8_lossy(&bytes).into_owned()]
        }
        "from" => match envelope.sender_text() {
            "" => vec!["<>".to_owned()],
            sender => vec![sender.to_owned()],
        },
        "to" => to.map(ToString::to_string).collect(),
        "domain_to" => to
            .filter_map(|to| to.domain().map(str::to_ascii_lowercase))
            .collect(),
        _ => {
            let header = Header::parse(&message.header()?);
            let subject = header.get("Subject");
            subject
                .map(mta_message::header::Field::decoded)
                .into_iter()
                .collect()
        }
    })
}

/// The most frequent values over what all threads counted, most frequent first.
fn most_frequent<'a>(
    parts: impl Iterator<Item = &'a HashMap<String, u64>>,
    least: u64,
    most: usize,
) -> Vec<Count> {
    let mut sums: HashMap<&str, u64> = HashMap::new();
    for (value, count) in parts.flatten() {
        *sums.entry(value).or_default() += count;
    }
    let frequent = sums.into_iter().filter(|(_, count)| *count >= least);
    let mut found: Vec<Count> = frequent
        .map(|(value, count)| Count {
            count,
            value: value.to_owned(),
        })
        .collect();
    found.sort_by(|a, b| (b.count, &a.value).cmp(&(a.count, &b.value)));
    found.truncate(most);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_characters_from_one() {
        let usual = usual("subject");
        let range = |text: &str| Range::parse(text, usual);
        let of = |start, length| Some(Range { start, length });
        assert_eq!(range("(START=3,LENGTH=2)"), of(3, 2));
        assert_eq!(range("(length=5)"), of(1, 5));
        assert_eq!(range("START=2"), of(2, usual.length));
        for wrong in ["", "()", "(START=0)", "(START=x)", "(END=1)", "3"] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
        assert_eq!(range("(S=3,L=2)").unwrap().of("äöüß"), "üß");
        assert_eq!(range("(S=9)").unwrap().of("short"), "");
    }

    #[test]
    fn values_of_all_threads_are_summed_up() {
        let part = |values: &[(&str, u64)]| -> HashMap<String, u64> {
            let owned = values.iter().map(|(value, n)| ((*value).to_owned(), *n));
            owned.collect()
        };
        let parts = [
            part(&[("a", 1), ("b", 3), ("once", 1)]),
            part(&[("a", 2), ("c", 9)]),
        ];
        let found = most_frequent(parts.iter(), 2, 3);
        let found: Vec<(&str, u64)> = found.iter().map(|one| (&*one.value, one.count)).collect();
        assert_eq!(found, [("c", 9), ("a", 3), ("b", 3)]);
    }
}
