//! Filling the templates of `delivery_options`: how a value of `mailDeliveryOption` becomes an
//! address.
//!
//! A clause whose value an entry has, and whose flags allow the entry's kind, contributes one
//! result: an address made from its template, the members of the group (`*`), or the forwarding
//! addresses (`**`).

use mta_config::delivery::Clause;

/// What a clause gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    /// An address, to be rewritten from the beginning.
    Address(String),
    /// The members of the group.
    Members,
    /// The values of the forwarding attribute.
    Forwarding,
    /// A substitution had no value: the clause gives nothing.
    Nothing,
}

/// What the templates may insert.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts<'a> {
    /// The address that was looked up, with its subaddress.
    pub address: &'a str,
    /// Its source route, if it has one.
    pub route: Option<&'a str>,
    /// The user id.
    pub uid: &'a str,
    /// The hosted domain; nothing in the default domain.
    pub hosted_domain: Option<&'a str>,
    /// The subaddress, without its separator.
    pub subaddress: Option<&'a str>,
    /// The mail host.
    pub mail_host: Option<&'a str>,
    /// `mailProgramDeliveryInfo`.
    pub program: Option<&'a str>,
    /// `mailDeliveryFileURL`.
    pub file: Option<&'a str>,
}

/// Fills the clause's template.
#[must_use]
pub(super) fn fill(clause: &Clause, facts: &Facts<'_>) -> Given {
    match clause.template.as_str() {
        "*" => Given::Members,
        "**" => Given::Forwarding,
        template => Filler::new(facts)
            .fill(template)
            .map_or(Given::Nothing, Given::Address),
    }
}

/// `$\`, `$^`, `$_`: what happens to the case of what follows.
#[derive(Clone, Copy)]
enum Case {
    Keep,
    Lower,
    Upper,
}

/// What becomes of a substitution without a value: the number in front of `I`, `O`, `S`.
#[derive(Clone, Copy)]
enum Missing {
    Fail,
    Nothing,
    DropBefore,
    DropBehind,
}

struct Filler<'a> {
    facts: &'a Facts<'a>,
    text: String,
    case: Case,
    drop_next: bool,
}

impl<'a> Filler<'a> {
    const fn new(facts: &'a Facts<'a>) -> Self {
        Self {
            facts,
            text: String::new(),
            case: Case::Keep,
            drop_next: false,
        }
    }

    /// The filled template; nothing if a value that must be there is not.
    fn fill(mut self, template: &str) -> Option<String> {
        let mut rest = template.chars().peekable();
        while let Some(c) = rest.next() {
            if c != '$' {
                self.literal(c);
                continue;
            }
            let mut number = None;
            while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
                rest.next();
                number = Some(number.unwrap_or(0_usize).saturating_mul(10) + digit as usize);
            }
            self.substitute(rest.next()?, number)?;
        }
        Some(self.text)
    }

    fn substitute(&mut self, letter: char, number: Option<usize>) -> Option<()> {
        let facts = self.facts;
        let (local, domain) = match facts.address.rsplit_once('@') {
            Some((local, domain)) => (local, Some(domain)),
            None => (facts.address, None),
        };
        let mailbox = match facts.subaddress {
            Some(sub) => local.strip_suffix(sub).and_then(|l| l.strip_suffix('+')),
            None => None,
        };
        match letter.to_ascii_uppercase() {
            '\\' => self.case = Case::Lower,
            '^' => self.case = Case::Upper,
            '_' => self.case = Case::Keep,
            'A' => self.nth_character(facts.address, number)?,
            'D' => self.insert(domain?),
            'F' => self.insert(facts.file?),
            'H' => self.nth_component(domain?, number)?,
            'I' => self.optional(facts.hosted_domain, number)?,
            'L' => self.insert(local),
            'M' => self.nth_character(facts.uid, number)?,
            'O' => self.optional(facts.route, number)?,
            'P' => self.insert(facts.program?),
            'S' => self.optional(facts.subaddress, number)?,
            'U' => self.nth_character(mailbox.unwrap_or(local), number)?,
            'X' => self.insert(facts.mail_host?),
            _ if letter.is_ascii_alphanumeric() => return None,
            _ => self.literal(letter),
        }
        Some(())
    }

    fn literal(&mut self, c: char) {
        if std::mem::take(&mut self.drop_next) {
            return;
        }
        self.text.push(c);
    }

    fn insert(&mut self, value: &str) {
        match self.case {
            Case::Keep => self.text.push_str(value),
            Case::Lower => self.text.push_str(&value.to_lowercase()),
            Case::Upper => self.text.push_str(&value.to_uppercase()),
        }
    }

    fn nth_character(&mut self, value: &str, number: Option<usize>) -> Option<()> {
        match number {
            None => self.insert(value),
            Some(n) => self.insert(&value.chars().nth(n)?.to_string()),
        }
        Some(())
    }

    fn nth_component(&mut self, value: &str, number: Option<usize>) -> Option<()> {
        self.insert(value.split('.').nth(number.unwrap_or(0))?);
        Some(())
    }

    fn optional(&mut self, value: Option<&str>, number: Option<usize>) -> Option<()> {
        let missing = match number {
            None | Some(0) => Missing::Fail,
            Some(1) => Missing::Nothing,
            Some(2) => Missing::DropBefore,
            Some(_) => Missing::DropBehind,
        };
        match (value.filter(|value| !value.is_empty()), missing) {
            (Some(value), _) => self.insert(value),
            (None, Missing::Fail) => return None,
            (None, Missing::Nothing) => {}
            (None, Missing::DropBefore) => {
                self.text.pop();
            }
            (None, Missing::DropBehind) => self.drop_next = true,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_config::MtaOption;

    fn clause(value: &str) -> Clause {
        let (clauses, _) = mta_config::delivery::parse(MtaOption::DeliveryOptions.row().default);
        clauses.into_iter().find(|c| c.value == value).unwrap()
    }

    #[test]
    fn mailboxes_of_the_default_and_of_hosted_domains() {
        let table = [
            (None, None, "ada@ims-ms-daemon"),
            (None, Some("Work"), "ada+Work@ims-ms-daemon"),
            (Some("Example.ORG"), None, "ada%example.org@ims-ms-daemon"),
            (
                Some("Example.ORG"),
                Some("Work"),
                "ada%example.org+Work@ims-ms-daemon",
            ),
        ];
        for (hosted_domain, subaddress, address) in table {
            let facts = Facts {
                address: "x@y",
                uid: "ada",
                hosted_domain,
                subaddress,
                ..Facts::default()
            };
            assert_eq!(
                fill(&clause("mailbox"), &facts),
                Given::Address(address.into())
            );
        }
    }

    #[test]
    fn held_and_empty_results() {
        let facts = Facts {
            address: "ada+x@example.com",
            uid: "ada",
            ..Facts::default()
        };
        assert_eq!(
            fill(&clause("hold"), &facts),
            Given::Address("@hold-daemon:ada+x@example.com".into())
        );
        assert_eq!(fill(&clause("program"), &facts), Given::Nothing);
        assert_eq!(fill(&clause("members"), &facts), Given::Members);
        assert_eq!(fill(&clause("forward"), &facts), Given::Forwarding);
    }

    #[test]
    fn substitutions_one_by_one() {
        let facts = Facts {
            address: "Ada+Work@mail.example.com",
            uid: "ada",
            subaddress: Some("Work"),
            mail_host: Some("store.example.com"),
            ..Facts::default()
        };
        let table = [
            ("$U", "Ada"),
            ("$0U", "A"),
            ("$L", "Ada+Work"),
            ("$D", "mail.example.com"),
            ("$1H", "example"),
            ("$\\$U$^$U$_$U", "adaADAAda"),
            ("a$1Ib", "ab"),
            ("a$2Ib", "b"),
            ("a$3Ibc", "ac"),
            ("$X$$", "store.example.com$"),
        ];
        for (template, filled) in table {
            let clause = Clause {
                template: template.to_owned(),
                ..Clause::default()
            };
            assert_eq!(
                fill(&clause, &facts),
                Given::Address(filled.into()),
                "{template}"
            );
        }
    }
}
