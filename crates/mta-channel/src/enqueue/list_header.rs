//! What a mailing list of the alias file changes in the header of what goes to its members.

use mta_config::aliases::AliasEntry;
use mta_message::header::{Field, Header};
use std::sync::Arc;

/// Parameters whose header field takes the place of the message's own.
const REPLACED: [(&str, &str); 3] = [
    ("reply_to", "Reply-To"),
    ("errors_to", "Errors-To"),
    ("warnings_to", "Warnings-To"),
];

/// Parameters whose header field is added to a message that has none.
const SUPPLIED: [(&str, &str); 5] = [
    ("comments", "Comments"),
    ("importance", "Importance"),
    ("precedence", "Precedence"),
    ("priority", "Priority"),
    ("sensitivity", "Sensitivity"),
];

/// The header fields of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ListHeader {
    replaced: Vec<(&'static str, String)>,
    supplied: Vec<(&'static str, String)>,
    /// Lines of the file that `header_addition` names.
    added: Vec<String>,
    /// Text in front of the subject (`tag`).
    tag: Option<String>,
    /// Whoever wrote the message gets the replies as well (`originator_reply`).
    originator_replies: bool,
}

impl ListHeader {
    /// What `alias` says of the header, on top of what the list says whose member it is; `added`
    /// are the lines of its file of header fields.
    pub(super) fn of(
        alias: &AliasEntry,
        added: Vec<String>,
        above: Option<&Arc<Self>>,
    ) -> Option<Arc<Self>> {
        let own = Self {
            replaced: said(alias, &REPLACED),
            supplied: said(alias, &SUPPLIED),
            added,
            tag: alias.option("tag").map(|tag| tag.trim().to_owned()),
            originator_replies: alias.option("originator_reply").is_some(),
        };
        if own == Self::default() {
            return above.cloned();
        }
        Some(Arc::new(match above {
            Some(above) => own.over(above),
            None => own,
        }))
    }

    /// This one, and what only the other one says.
    fn over(mut self, above: &Self) -> Self {
        for (own, above) in [
            (&mut self.replaced, &above.replaced),
            (&mut self.supplied, &above.supplied),
        ] {
            for (name, value) in above {
                if own.iter().all(|(known, _)| known != name) {
                    own.push((name, value.clone()));
                }
            }
        }
        self.added.extend(above.added.iter().cloned());
        self.tag = self.tag.or_else(|| above.tag.clone());
        self.originator_replies |= above.originator_replies;
        self
    }

    /// Changes a header.
    pub(super) fn apply(&self, header: &mut Header) {
        for (name, value) in &self.replaced {
            let value = match self.originator(name, header) {
                Some(originator) if !value.contains(&originator) => {
                    format!("{originator}, {value}")
                }
                Some(_) | None => value.clone(),
            };
            header.remove(name);
            header.append(Field::folded(name, &value));
        }
        for (name, value) in &self.supplied {
            if !header.has(name) {
                header.append(Field::folded(name, value));
            }
        }
        for line in &self.added {
            if let Some(field) = crate::headers::added(line) {
                header.append(field);
            }
        }
        if let Some(tag) = self.tag.as_deref().filter(|tag| !tag.is_empty()) {
            let subject = header.get("Subject").map(Field::value).unwrap_or_default();
            if !subject.contains(tag) {
                let subject = format!("{tag} {subject}");
                header.replace(Field::folded("Subject", subject.trim_end()));
            }
        }
    }

    /// Whom else a Reply-To of the list names: where the message's own replies go.
    fn originator(&self, name: &str, header: &Header) -> Option<String> {
        let wanted = self.originator_replies && name == "Reply-To";
        let field = header.get("Reply-To").or_else(|| header.get("From"));
        field.filter(|_| wanted).map(Field::value)
    }
}

fn said(alias: &AliasEntry, names: &[(&'static str, &'static str)]) -> Vec<(&'static str, String)> {
    let value = |(parameter, field): &(&'static str, &'static str)| {
        let value = alias.option(parameter)?.trim();
        (!value.is_empty()).then(|| (*field, value.to_owned()))
    };
    names.iter().filter_map(value).collect()
}

/// The header lines of a file: folded ones joined, comments (`!`) and blank lines left out.
pub(super) fn lines_of(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let continues = line.starts_with([' ', '\t']);
        match lines.last_mut() {
            _ if line.trim().is_empty() || line.starts_with('!') => {}
            Some(last) if continues => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.trim_end().to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(options: &[(&str, &str)]) -> AliasEntry {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        AliasEntry {
            name: "list".into(),
            values: Vec::new(),
            options: options.iter().map(owned).collect(),
        }
    }

    fn applied(options: &[(&str, &str)], header: &str) -> String {
        let list = ListHeader::of(&alias(options), Vec::new(), None);
        let mut header = Header::parse(header.as_bytes());
        if let Some(list) = list {
            list.apply(&mut header);
        }
        String::from_utf8(header.into_bytes()).unwrap()
    }

    #[test]
    fn a_list_without_header_parameters_changes_nothing() {
        let options = [("envelope_from", "owner@x"), ("reply_to", " ")];
        assert_eq!(ListHeader::of(&alias(&options), Vec::new(), None), None);
    }

    #[test]
    fn fields_are_replaced_supplied_and_tagged() {
        type Case<'c> = (&'c [(&'c str, &'c str)], &'c str, &'c str);
        let table: [Case<'_>; 6] = [
            (
                &[("reply_to", "l@x"), ("errors_to", "e@x")],
                "From: a@x\nReply-To: a@x\n",
                "From: a@x\nReply-To: l@x\nErrors-To: e@x\n",
            ),
            (
                &[("reply_to", "l@x"), ("originator_reply", "")],
                "From: Ada <a@x>\n",
                "From: Ada <a@x>\nReply-To: Ada <a@x>, l@x\n",
            ),
            (
                &[("precedence", "list"), ("comments", "c")],
                "Precedence: bulk\n",
                "Precedence: bulk\nComments: c\n",
            ),
            (&[("tag", "[l]")], "Subject: x\n", "Subject: [l] x\n"),
            (
                &[("tag", "[l]")],
                "Subject: Re: [l] x\n",
                "Subject: Re: [l] x\n",
            ),
            (&[("tag", "[l]")], "To: x\n", "To: x\nSubject: [l]\n"),
        ];
        for (options, before, after) in table {
            assert_eq!(applied(options, before), after, "{options:?}");
        }
    }

    #[test]
    fn an_inner_list_wins_and_an_outer_one_adds() {
        let outer = [("reply_to", "o@x"), ("errors_to", "oe@x"), ("tag", "[o]")];
        let outer = ListHeader::of(&alias(&outer), vec!["X-O: 1".into()], None);
        let inner = ListHeader::of(
            &alias(&[("reply_to", "i@x")]),
            vec!["X-I: 1".into()],
            outer.as_ref(),
        );
        let mut header = Header::parse(b"Subject: x\n");
        inner.unwrap().apply(&mut header);
        assert_eq!(
            String::from_utf8(header.into_bytes()).unwrap(),
            "Subject: [o] x\nReply-To: i@x\nErrors-To: oe@x\nX-I: 1\nX-O: 1\n"
        );
        let nothing = ListHeader::of(&alias(&[]), Vec::new(), outer.as_ref());
        assert_eq!(nothing, outer);
    }

    #[test]
    fn a_file_of_header_lines_is_read_line_by_line() {
        let text = "! comment\nX-A: one\n two\n\n\tthree\nX-B: four  \n";
        assert_eq!(lines_of(text), ["X-A: one two three", "X-B: four"]);
    }
}
