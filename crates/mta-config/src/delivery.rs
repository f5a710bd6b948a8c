//! The MTA option `delivery_options`: which address each value of `mailDeliveryOption` becomes.
//!
//! Clauses have the form `flags value=template`; this module only reads them. Filling the
//! templates is the business of alias expansion.

use serde::{Deserialize, Serialize};

/// Most clauses that count.
const MOST: usize = 20;

/// One clause.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// The value of `mailDeliveryOption`, in lower case.
    pub value: String,
    /// What the address is made of: `**` for the forwarding addresses, `*` for the members.
    pub template: String,
    /// `*`: for users. With neither `*` nor `&` a clause is for both.
    pub users: bool,
    /// `&`: for groups.
    pub groups: bool,
    /// `@`: expansion is left to the reprocess channel.
    pub deferred: bool,
    /// `^`: only inside the vacation dates.
    pub in_vacation: bool,
    /// `%`: only outside them.
    pub out_of_vacation: bool,
    /// `#`: whatever `mailHost` says.
    pub any_host: bool,
    /// `/`: resulting messages are held.
    pub held: bool,
    /// `!`: the reply is made inside the MTA.
    pub inside: bool,
}

impl Clause {
    /// Whether the clause is meant for users.
    #[must_use]
    pub const fn for_users(&self) -> bool {
        self.users || !self.groups
    }

    /// Whether the clause is meant for groups.
    #[must_use]
    pub const fn for_groups(&self) -> bool {
        self.groups || !self.users
    }

    fn parse(text: &str) -> Option<Self> {
        let mut clause = Self::default();
        let mut rest = text.trim();
        while let Some(flag) = rest.chars().next() {
            match flag {
                '*' => clause.users = true,
                '&' => clause.groups = true,
                '@' => clause.deferred = true,
                '^' => clause.in_vacation = true,
                '%' => clause.out_of_vacation = true,
                '#' => clause.any_host = true,
                '/' => clause.held = true,
                '!' => clause.inside = true,
                _ => break,
            }
            rest = &rest[flag.len_utf8()..];
        }
        let (value, template) = rest.split_once('=')?;
        let value = value.trim();
        let legal = !value.is_empty()
            && value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        clause.value = value.to_ascii_lowercase();
        template.trim().clone_into(&mut clause.template);
        legal.then_some(clause)
    }
}

/// Reads the clauses of the option, and the ones that cannot be read. A comma inside a template
/// is written `\,`.
#[must_use]
pub fn parse(text: &str) -> (Vec<Clause>, Vec<String>) {
    let (mut clauses, mut bad) = (Vec::new(), Vec::new());
    for part in split(text) {
        match Clause::parse(&part) {
            Some(clause) if clauses.len() < MOST => clauses.push(clause),
            Some(_) | None => bad.push(part.trim().to_owned()),
        }
    }
    (clauses, bad)
}

fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            (',', _) => parts.push(String::new()),
            ('\\', Some(',')) => {
                chars.next();
                parts
                    .last_mut()
                    .expect("one part is always there")
                    .push(',');
            }
            (c, _) => parts.last_mut().expect("one part is always there").push(c),
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::option::MtaOption;

    #[test]
    fn the_default_clauses_are_read() {
        let (clauses, bad) = parse(MtaOption::DeliveryOptions.row().default);
        assert_eq!(bad, Vec::<String>::new());
        let values: Vec<&str> = clauses.iter().map(|clause| clause.value.as_str()).collect();
        let expected = [
            "mailbox",
            "members",
            "native",
            "hold",
            "unix",
            "file",
            "members_offline",
            "program",
            "forward",
            "autoreply",
        ];
        assert_eq!(values, expected);
        let clause = |value| clauses.iter().find(|clause| clause.value == value).unwrap();
        assert_eq!(clause("mailbox").template, "$M%$\\$2I$_+$2S@ims-ms-daemon");
        assert!(clause("mailbox").for_users() && !clause("mailbox").for_groups());
        assert!(clause("hold").held && clause("hold").for_users() && clause("hold").for_groups());
        assert!(clause("members_offline").deferred && clause("members_offline").groups);
        assert!(clause("forward").any_host);
        assert_eq!(clause("forward").template, "**");
        assert!(clause("autoreply").in_vacation && clause("autoreply").inside);
    }

    #[test]
    fn what_is_no_clause_is_reported() {
        let (clauses, bad) = parse("*mailbox=a\\,b, nonsense, =x");
        assert_eq!(clauses.len(), 1);
        assert_eq!(clauses[0].template, "a,b");
        assert_eq!(bad, ["nonsense", "=x"]);
    }
}
