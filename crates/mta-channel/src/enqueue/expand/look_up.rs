//! Asking the sources of aliases, in the order of `alias_magic`.

use super::{Expansion, Found, alias_mark};
use crate::enqueue::fault::Fault;
use crate::enqueue::refusal::Refusal;
use crate::enqueue::trace::{Step, tell};
use mta_config::aliases::{AliasEntry, Subaddress};
use mta_config::database::Kind;
use mta_config::{Channel, ChannelOption, MtaOption};
use mta_envelope::address::Address;
use std::borrow::Cow;

impl<'a> Expansion<'a, '_> {
    /// Asks the sources of aliases in the order of `alias_magic`.
    pub(super) fn look_up(
        &mut self,
        channel: &'a Channel,
        address: &Address,
    ) -> Result<Found<'a>, Refusal> {
        let context = self.context;
        let address = &*address.plain();
        let magic = channel
            .number(ChannelOption::Aliasmagic)
            .unwrap_or_else(|| context.config.mta.int(MtaOption::AliasMagic));
        let subaddress = subaddress_rule(channel);
        let mut directory_asked = !context.directory.exists();
        let magic = magic.to_string();
        // Where the file is looked at the database is looked at before it, unless the order names
        // it itself.
        let names_database = magic.contains('3');
        for digit in magic.chars() {
            let found = match digit {
                '6' | '7' | '8' | '9' if !directory_asked => {
                    directory_asked = true;
                    self.in_directory(address, subaddress)?
                }
                '3' => self.in_database(address, subaddress)?,
                '4' if !names_database => match self.in_database(address, subaddress)? {
                    Found::Nothing => self.in_file(address, subaddress)?,
                    found => found,
                },
                '4' => self.in_file(address, subaddress)?,
                _ => Found::Nothing,
            };
            if !matches!(found, Found::Nothing) {
                return Ok(found);
            }
        }
        Ok(Found::Nothing)
    }

    /// The alias database (`use_alias_database`), asked for the same forms as the file.
    fn in_database(
        &mut self,
        address: &Address,
        subaddress: Subaddress,
    ) -> Result<Found<'a>, Refusal> {
        let (config, databases) = (self.context.config, self.context.databases);
        let wanted = config.mta.int(MtaOption::UseAliasDatabase) > 0;
        if databases.is_missing(&config.mta, Kind::Alias) {
            let recipient = self.question.recipient;
            return Err(Fault::AliasTemporary.refuse(config, recipient));
        }
        if !wanted || !databases.exists(Kind::Alias) {
            return Ok(Found::Nothing);
        }
        let keys = config
            .aliases
            .keys(address.local(), address.domain(), subaddress);
        for key in keys {
            let found = databases.look_up(&config.texts, Kind::Alias, &key);
            let value = found.map_err(|_| {
                let recipient = self.question.recipient;
                Fault::AliasTemporary.refuse(config, recipient)
            })?;
            tell(self.trace, || Step::Alias {
                source: "alias database",
                key: key.clone(),
                found: value.clone(),
            });
            let Some(value) = value else {
                continue;
            };
            let entry = AliasEntry::of(&key, &value);
            if self.open.contains(&alias_mark(&entry)) {
                self.recursion = true;
                continue;
            }
            return Ok(Found::Alias(Cow::Owned(entry)));
        }
        Ok(Found::Nothing)
    }

    fn in_file(&mut self, address: &Address, subaddress: Subaddress) -> Result<Found<'a>, Refusal> {
        let config = self.context.config;
        let found = config
            .aliases
            .lookup(address.local(), address.domain(), subaddress);
        let found = found.map_err(|_| {
            let recipient = self.question.recipient;
            Fault::AliasTemporary.refuse(config, recipient)
        })?;
        let is_open = |alias: &AliasEntry| self.open.contains(&alias_mark(alias));
        self.recursion |= found.as_deref().is_some_and(is_open);
        let found = found.filter(|_| !self.recursion);
        tell(self.trace, || Step::Alias {
            source: "alias file",
            key: address.to_string(),
            found: found.as_ref().map(|alias| alias.name.clone()),
        });
        Ok(found.map_or(Found::Nothing, Found::Alias))
    }

    fn in_directory(
        &mut self,
        address: &Address,
        subaddress: Subaddress,
    ) -> Result<Found<'a>, Refusal> {
        let config = self.context.config;
        let given = address.domain().unwrap_or(config.local_host());
        // Users of the default domain are known at this host's own name, too.
        let at_host = given.eq_ignore_ascii_case(config.local_host());
        let own = Some(config.default_domain.as_str())
            .filter(|domain| at_host && !domain.eq_ignore_ascii_case(given));
        for domain in std::iter::once(given).chain(own) {
            if let Some(found) = self.in_domain(address.local(), domain, subaddress)? {
                return Ok(found);
            }
        }
        Ok(Found::Nothing)
    }

    fn in_domain(
        &mut self,
        local: &str,
        domain: &str,
        subaddress: Subaddress,
    ) -> Result<Option<Found<'a>>, Refusal> {
        let split = match local.split_once('+') {
            Some((user, sub)) if !user.is_empty() && !local.starts_with('"') => Some((user, sub)),
            Some(_) | None => None,
        };
        let mut forms = vec![(format!("{local}@{domain}"), None, "directory")];
        if let Some((user, sub)) = split {
            if subaddress != Subaddress::Exact {
                forms.push((format!("{user}+*@{domain}"), Some(sub), "directory"));
            }
            if subaddress == Subaddress::Relaxed {
                forms.push((format!("{user}@{domain}"), Some(sub), "directory"));
            }
        }
        forms.push((format!("@{domain}"), None, "catch-all"));
        for (key, sub, source) in forms {
            let entry = self
                .context
                .directory
                .find(&key)
                .map_err(|error| self.directory_trouble(&error))?;
            tell(self.trace, || Step::Alias {
                source,
                key,
                found: entry.as_ref().map(|entry| entry.dn.clone()),
            });
            if let Some(entry) = entry {
                return Ok(Some(Found::Entry(entry, sub.map(str::to_owned))));
            }
        }
        Ok(None)
    }

    pub(super) fn directory_trouble(&self, error: &mta_directory::DirectoryError) -> Refusal {
        use mta_directory::DirectoryError as Error;
        let fault = match error {
            Error::Unavailable(_) => Fault::AliasTemporary,
            Error::Ambiguous(_) => Fault::Ambiguous,
        };
        fault.refuse(self.context.config, self.question.recipient)
    }
}

fn subaddress_rule(channel: &Channel) -> Subaddress {
    if channel.is(ChannelOption::Subaddressexact) {
        Subaddress::Exact
    } else if channel.is(ChannelOption::Subaddresswild) {
        Subaddress::Wild
    } else {
        Subaddress::Relaxed
    }
}
