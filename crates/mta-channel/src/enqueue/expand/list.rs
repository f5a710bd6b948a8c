//! Mailing lists of the alias file: members that stand in files or come from the directory, and who
//! may post.
//!
//! A posting passes when the access checks of the list agree: all of them, or one of them where the
//! list says `OR` or the option `or_clauses` does. One by somebody who is no moderator of a
//! moderated list goes to the moderator instead of the members.

use super::{Expansion, MAX_WORK, Membership};
use crate::enqueue::fault::Fault;
use crate::enqueue::list_header::{self, ListHeader};
use crate::enqueue::refusal::Refusal;
use crate::enqueue::trace::{MappingSteps, Step, tell};
use mta_access::arguments::is_incomplete;
use mta_config::MtaOption;
use mta_config::aliases::{AliasEntry, AliasValue};
use mta_envelope::address::Address;
use mta_envelope::status::Status;
use mta_mapping::{Input, Pattern};

/// How deep a file of members may name another.
const MAX_NESTING: u32 = 3;

/// What becomes of a posting.
pub(super) enum Posting {
    /// It goes to the members.
    Passes,
    /// It goes to the members and is held for them.
    Held,
    /// It goes to the moderator.
    ToModerator(String),
}

impl Expansion<'_, '_> {
    /// The addresses that a value of an alias stands for.
    pub(super) fn members_of(&mut self, value: &AliasValue) -> Result<Vec<String>, Refusal> {
        let mut members = Vec::new();
        self.gather(value, 0, &mut members)?;
        Ok(members)
    }

    fn gather(
        &mut self,
        value: &AliasValue,
        nesting: u32,
        members: &mut Vec<String>,
    ) -> Result<(), Refusal> {
        match value {
            AliasValue::Address(text) => members.push(text.trim_start_matches(':').to_owned()),
            AliasValue::Url(url) => {
                let url = url.trim_end_matches('>');
                let found = self.context.directory.search(url);
                let found = found.map_err(|error| self.no_list(url, &error.to_string()))?;
                members.extend(found.into_iter().flat_map(|entry| entry.values));
            }
            AliasValue::File(name) if nesting > MAX_NESTING => {
                return Err(self.no_list(name, "files of members name each other too deep"));
            }
            AliasValue::File(name) => {
                self.work += 1;
                if self.work > MAX_WORK {
                    return Err(self.exhaust());
                }
                let text = self.context.databases.list(name);
                let text = text.map_err(|error| self.no_list(name, &error.to_string()))?;
                for line in text.lines() {
                    if let Some(line) = member(line) {
                        match AliasValue::parse(&line) {
                            Some(value) => self.gather(&value, nesting + 1, members)?,
                            None => members.push(line),
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The refusal for now where a list cannot be read; what is the matter is told to who listens.
    fn no_list(&mut self, name: &str, why: &str) -> Refusal {
        let cause = format!("{name}: {why}");
        tell(self.trace, || Step::Note {
            text: cause.clone(),
        });
        let recipient = self.question.recipient;
        let refusal = Fault::AliasFile.refuse(self.context.config, recipient);
        refusal.because(format!("{recipient}: {cause}"))
    }

    /// What a list says of its members, under the lists above it.
    pub(super) fn membership(
        &mut self,
        alias: &AliasEntry,
        above: &Membership,
    ) -> Result<Membership, Refusal> {
        let added = match alias.option("header_addition").map(str::trim) {
            Some(name) if !name.is_empty() => {
                let name = name.trim_start_matches('<');
                let text = self.context.databases.list(name);
                let text = text.map_err(|error| self.no_list(name, &error.to_string()))?;
                list_header::lines_of(&text)
            }
            Some(_) | None => Vec::new(),
        };
        let delay = alias.option("delay_notifications").map(|_| true);
        let no_delay = alias.option("nodelay_notifications").map(|_| false);
        let mut tags = above.tags.clone();
        let own = alias.option("conversion_tag").unwrap_or("").split(',');
        for tag in own.map(str::trim).filter(|tag| !tag.is_empty()) {
            if !tags.iter().any(|known| known == tag) {
                tags.push(tag.to_owned());
            }
        }
        Ok(Membership {
            header: ListHeader::of(alias, added, above.header.as_ref()),
            delay_notices: no_delay.or(delay).or(above.delay_notices),
            tags,
        })
    }

    /// Asks the access checks, the moderators and the hold lists of an alias.
    pub(super) fn posting(
        &mut self,
        alias: &AliasEntry,
        address: &Address,
    ) -> Result<Posting, Refusal> {
        let mut checks = Vec::new();
        for (name, value) in &alias.options {
            if let Some(agrees) = self.check(name, value, address)? {
                tell(self.trace, || Step::Note {
                    text: format!(
                        "list {}: {name} {value} {}",
                        alias.name,
                        if agrees {
                            "allows it"
                        } else {
                            "does not allow it"
                        }
                    ),
                });
                checks.push(agrees);
            }
        }
        let one_is_enough = match (alias.option("or"), alias.option("and")) {
            (Some(_), _) => true,
            (None, Some(_)) => false,
            (None, None) => self.context.config.mta.flag(MtaOption::OrClauses),
        };
        let passes = if one_is_enough && !checks.is_empty() {
            checks.contains(&true)
        } else {
            !checks.contains(&false)
        };
        if !passes {
            let recipient = self.question.recipient;
            return Err(match alias.option("error_text") {
                Some(text) => Refusal::permanent(Status::new(5, 7, 1), text, recipient),
                None => Fault::AliasAccess.refuse(self.context.config, recipient),
            });
        }
        if let Some(moderator) = self.moderator(alias, address)? {
            return Ok(Posting::ToModerator(moderator));
        }
        let mut held = false;
        for (name, value) in &alias.options {
            held |= match name.as_str() {
                "hold_list" => self.is_listed(value)?,
                "nohold_list" => !self.is_listed(value)?,
                "hold_mapping" => self.is_mapped(value, address)?,
                "nohold_mapping" => !self.is_mapped(value, address)?,
                _ => false,
            };
        }
        Ok(if held { Posting::Held } else { Posting::Passes })
    }

    /// Whether an access check agrees; nothing for an option that is none.
    fn check(
        &mut self,
        name: &str,
        value: &str,
        address: &Address,
    ) -> Result<Option<bool>, Refusal> {
        let source = self.question.source;
        let (name, authenticated) = match name.strip_prefix("sasl_") {
            Some(name) => (name, source.authenticated.is_some()),
            None => (name, true),
        };
        let user = source.authenticated.as_deref().unwrap_or_default();
        Ok(Some(match name {
            "auth_list" => authenticated && self.is_listed(value)?,
            "cant_list" => authenticated && !self.is_listed(value)?,
            "auth_mapping" => authenticated && self.is_mapped(value, address)?,
            "cant_mapping" => authenticated && !self.is_mapped(value, address)?,
            "username_auth_list" => !user.is_empty() && self.names(value, user)?,
            "username_cant_list" => user.is_empty() || !self.names(value, user)?,
            "auth_channel" => fits(value, source.channel.as_str()),
            "cant_channel" => !fits(value, source.channel.as_str()),
            "auth_username" => !user.is_empty() && fits(value, user),
            "cant_username" => user.is_empty() || !fits(value, user),
            _ => return Ok(None),
        }))
    }

    /// Who gets the posting of somebody who is no moderator of a moderated list.
    fn moderator(
        &mut self,
        alias: &AliasEntry,
        address: &Address,
    ) -> Result<Option<String>, Refusal> {
        let authenticated = self.question.source.authenticated.is_some();
        let mut is_moderated = false;
        for (name, value) in &alias.options {
            is_moderated |= name.contains("moderator_");
            let (name, counts) = match name.strip_prefix("sasl_") {
                Some(name) => (name, authenticated),
                None => (name.as_str(), true),
            };
            let is_moderator = match name {
                "moderator_list" => self.is_listed(value)?,
                "moderator_mapping" => self.is_mapped(value, address)?,
                _ => false,
            };
            if counts && is_moderator {
                return Ok(None);
            }
        }
        match alias.option("moderator_address") {
            Some(moderator) => Ok(Some(moderator.to_owned())),
            None if !is_moderated => Ok(None),
            // There is nobody to whom it could go.
            None => {
                let recipient = self.question.recipient;
                Err(Fault::AliasAccess.refuse(self.context.config, recipient))
            }
        }
    }

    /// Whether the envelope From stands in a file or comes out of a search.
    fn is_listed(&mut self, list: &str) -> Result<bool, Refusal> {
        let sender = self.question.sender.map_or("", Address::as_str);
        self.names(list, sender)
    }

    fn names(&mut self, list: &str, wanted: &str) -> Result<bool, Refusal> {
        let list = list.trim();
        let text = if list.starts_with('<') {
            list.to_owned()
        } else {
            format!("<{list}")
        };
        let Some(value) = AliasValue::parse(&text) else {
            return Err(self.no_list(list, "no file and no URL"));
        };
        let members = self.members_of(&value)?;
        Ok(members.iter().any(|member| fits(member, wanted)))
    }

    /// Whether a mapping table says `$Y` to `sender|list`.
    fn is_mapped(&mut self, table: &str, list: &Address) -> Result<bool, Refusal> {
        let sender = self.question.sender.map_or("", Address::as_str);
        let probe = format!("{sender}|{list}");
        let input = Input {
            address: sender,
            ..Input::of(&probe)
        };
        let context = self.context;
        let tables = &context.config.mappings;
        let mapped = tables.map(
            table,
            &input,
            &context.lookups(),
            &mut MappingSteps(self.trace),
        );
        if mapped.unreadable {
            return Err(self.no_list(table, "the mapping table cannot be read"));
        }
        if is_incomplete(&mapped) {
            // Who has not been looked for is neither listed nor absent.
            let recipient = self.question.recipient;
            return Err(Fault::AliasAccess.refuse(context.config, recipient));
        }
        Ok(mapped.matched && mapped.flags.contains('Y'))
    }
}

/// A line of a file of members without its comment; nothing for one that names nobody.
fn member(line: &str) -> Option<String> {
    if line.starts_with('!') {
        return None;
    }
    let mut text = line.trim();
    // Comments in parentheses stand behind the address.
    while let Some(inside) = text.strip_suffix(')') {
        let Some(open) = inside.rfind('(') else {
            break;
        };
        text = inside[..open].trim_end();
    }
    (!text.is_empty()).then(|| text.to_owned())
}

/// Whether a pattern with `*` and `%` means this text; case does not count.
fn fits(pattern: &str, text: &str) -> bool {
    let pattern = pattern.trim();
    if pattern.contains(['*', '%']) {
        Pattern::compile(pattern).is_ok_and(|pattern| pattern.matches(text).is_some())
    } else {
        pattern.eq_ignore_ascii_case(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_members_lose_their_comments() {
        for (line, found) in [
            ("ada@example.com", Some("ada@example.com")),
            (
                "  ada@example.com (Ada) (of London)  ",
                Some("ada@example.com"),
            ),
            ("\"a (b)\"@example.com", Some("\"a (b)\"@example.com")),
            ("<IMTA_TABLE:more.txt", Some("<IMTA_TABLE:more.txt")),
            ("! ada@example.com", None),
            ("(nobody)", None),
            ("", None),
            (")", Some(")")),
        ] {
            assert_eq!(member(line).as_deref(), found, "{line}");
        }
    }

    #[test]
    fn patterns_are_compared_without_case() {
        for (pattern, text, is) in [
            ("ada@example.com", "ADA@Example.COM", true),
            ("*@example.com", "ada@example.com", true),
            ("*@example.com", "ada@example.org", false),
            ("tcp_*", "tcp_local", true),
            ("", "", true),
        ] {
            assert_eq!(fits(pattern, text), is, "{pattern} {text}");
        }
    }
}
