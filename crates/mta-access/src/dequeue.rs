//! DEQUEUE_ACCESS: may this message be tried now? And MESSAGE-SAVE-COPY: is a copy kept of it when
//! it goes?

use crate::arguments::is_incomplete;
use mta_config::{MtaOption, MtaOptions};
use mta_mapping::{Callouts, Input, Silent, Tables};

/// Bit of `include_conversiontag`: the tags of the recipients stand behind the fields.
const TAGS: i64 = 1 << 11;
/// Bit of `include_retries`: the number of attempts so far stands at the end.
const RETRIES: i64 = 1 << 1;

/// A message that a channel program is about to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DequeueProbe<'a> {
    /// The channel.
    pub channel: &'a str,
    /// The path of the message file.
    pub file: &'a str,
    /// Seconds since it was enqueued, if that is known.
    pub queued: Option<u64>,
    /// Envelope From, empty for the null sender.
    pub from: &'a str,
    /// What AUTH= of MAIL FROM said.
    pub auth: &'a str,
    /// Who authenticated.
    pub authenticated: &'a str,
    /// MT-PRIORITY, empty if the message has none.
    pub mt_priority: &'a str,
    /// The domain of the first recipient.
    pub domain: &'a str,
    /// The conversion tags of the recipients.
    pub tags: &'a [String],
    /// How often it was tried.
    pub retries: u32,
}

impl DequeueProbe<'_> {
    fn text(&self, mta: &MtaOptions) -> String {
        let queued = self
            .queued
            .map_or_else(|| "-1".to_owned(), |n| n.to_string());
        let mut text = [
            self.channel,
            self.file,
            &queued,
            self.from,
            self.auth,
            self.authenticated,
            self.mt_priority,
            self.domain,
        ]
        .join("|");
        if mta.int(MtaOption::IncludeConversiontag) & TAGS != 0 {
            text.push('|');
            text.push_str(&self.tags.join(","));
        }
        if mta.int(MtaOption::IncludeRetries) & RETRIES != 0 {
            text.push('|');
            text.push_str(&self.retries.to_string());
        }
        text
    }
}

/// What DEQUEUE_ACCESS says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DequeueDecision {
    /// It is tried.
    Try,
    /// `$N`: it is left for now, and that is no attempt.
    Leave {
        /// `$S`: for so many seconds; otherwise for as long as its `backoff` says.
        seconds: Option<u32>,
    },
}

/// Asks DEQUEUE_ACCESS. Without the table, and when nothing matches, the message is tried; when
/// the table cannot be read, it is left.
#[must_use]
pub fn dequeue_access(
    mta: &MtaOptions,
    mappings: &Tables,
    probe: &DequeueProbe<'_>,
    callouts: &dyn Callouts,
) -> DequeueDecision {
    const TABLE: &str = "DEQUEUE_ACCESS";
    if mappings.get(TABLE).is_none() {
        return DequeueDecision::Try;
    }
    let text = probe.text(mta);
    let input = Input {
        address: probe.from,
        host: probe.domain,
        ..Input::of(&text)
    };
    let mapped = mappings.map(TABLE, &input, callouts, &mut Silent);
    if is_incomplete(&mapped) {
        return DequeueDecision::Leave { seconds: None };
    }
    if !mapped.matched || !mapped.flags.contains('N') {
        return DequeueDecision::Try;
    }
    let wanted = mapped.flags.contains('S');
    let seconds = mapped.output.trim().parse().ok().filter(|_| wanted);
    DequeueDecision::Leave { seconds }
}

/// Asks MESSAGE-SAVE-COPY about a message that a channel program is done with: where a copy is to be kept, if anywhere.
/// The probe is `D|channel|file`.
#[must_use]
pub fn save_copy(
    mappings: &Tables,
    channel: &str,
    file: &str,
    callouts: &dyn Callouts,
) -> Option<String> {
    let text = format!("D|{channel}|{file}");
    let table = "MESSAGE-SAVE-COPY";
    let mapped = mappings.map(table, &Input::of(&text), callouts, &mut Silent);
    let wanted = mapped.matched && !is_incomplete(&mapped) && mapped.flags.contains('Y');
    let copy = mapped.output.trim();
    (wanted && !copy.is_empty()).then(|| copy.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_config::value::Value;
    use mta_mapping::{Entry, NoCallouts};

    const PROBE: DequeueProbe<'_> = DequeueProbe {
        channel: "tcp_local",
        file: "/q/tcp_local/001/ZZf0.00",
        queued: Some(90),
        from: "ada@example.org",
        auth: "",
        authenticated: "ada",
        mt_priority: "",
        domain: "example.net",
        tags: &[],
        retries: 2,
    };

    fn tables(name: &str, entries: &[(&str, &str)]) -> Tables {
        let entries: Vec<Entry<'_>> = entries.iter().map(|(p, t)| Entry::new(p, t)).collect();
        let mut tables = Tables::default();
        tables.insert(name, &entries).unwrap();
        tables
    }

    #[test]
    fn probes_have_their_fields_and_what_options_add() {
        let mut mta = MtaOptions::default();
        let plain = "tcp_local|/q/tcp_local/001/ZZf0.00|90|ada@example.org||ada||example.net";
        assert_eq!(PROBE.text(&mta), plain);
        let unknown = DequeueProbe {
            queued: None,
            ..PROBE
        };
        assert!(unknown.text(&mta).contains("|-1|"));
        mta.set(MtaOption::IncludeConversiontag, Value::Integer(2048 | 2));
        mta.set(MtaOption::IncludeRetries, Value::Integer(2));
        let tagged = DequeueProbe {
            tags: &["a".to_owned(), "b".to_owned()],
            ..PROBE
        };
        assert_eq!(tagged.text(&mta), format!("{plain}|a,b|2"));
    }

    #[test]
    fn flags_decide_whether_a_message_is_tried() {
        let leave = |seconds| DequeueDecision::Leave { seconds };
        for (template, decision) in [
            ("$Y", DequeueDecision::Try),
            ("$N", leave(None)),
            ("600$N$S", leave(Some(600))),
            ("600$N", leave(None)),
            ("soon$N$S", leave(None)),
            ("600$S", DequeueDecision::Try),
        ] {
            let tables = tables(
                "DEQUEUE_ACCESS",
                &[("tcp_*|*|*|*@example.net*", "$N"), ("tcp_*", template)],
            );
            let asked = dequeue_access(&MtaOptions::default(), &tables, &PROBE, &NoCallouts);
            assert_eq!(asked, decision, "{template}");
        }
        let none = Tables::default();
        let long = "x".repeat(2000);
        let long = DequeueProbe {
            from: &long,
            ..PROBE
        };
        let asked = dequeue_access(&MtaOptions::default(), &none, &long, &NoCallouts);
        assert_eq!(asked, DequeueDecision::Try);
        let tables = tables("DEQUEUE_ACCESS", &[("*", "$Y")]);
        let asked = dequeue_access(&MtaOptions::default(), &tables, &long, &NoCallouts);
        assert_eq!(asked, leave(None));
    }

    #[test]
    fn a_copy_is_kept_where_the_table_says() {
        let tables = tables(
            "MESSAGE-SAVE-COPY",
            &[
                ("D|ims-ms|*", "$Y/keep/x"),
                ("D|hold|*", "/keep/x"),
                ("D|l|*", "$Y"),
            ],
        );
        let copy = |channel: &str| save_copy(&tables, channel, "/q/f", &NoCallouts);
        assert_eq!(copy("ims-ms").as_deref(), Some("/keep/x"));
        for channel in ["hold", "l", "tcp_local"] {
            assert_eq!(copy(channel), None, "{channel}");
        }
    }
}
