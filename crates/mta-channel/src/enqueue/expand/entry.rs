//! What a user or group of the directory stands for: status, limits, delivery options, members.

use super::{Above, Expansion, Visit};
use crate::enqueue::delivery::{Facts, Given, fill};
use crate::enqueue::fault::{Fault, SizeLimit};
use crate::enqueue::lists::{self, Poster};
use crate::enqueue::refusal::Refusal;
use crate::enqueue::rewriting::Routed;
use crate::enqueue::trace::{Step, tell};
use crate::store::StoreOptions;
use mta_config::delivery::Clause;
use mta_directory::entry::{Entry, EntryStatus, Kind, status_in_force};
use mta_envelope::address::Address;
use mta_envelope::names::ChannelName;
use mta_envelope::status::Status;
use std::sync::Arc;

impl<'a> Expansion<'a, '_> {
    /// A user or group of the directory.
    pub(super) fn entry(
        &mut self,
        entry: &Arc<Entry>,
        subaddress: Option<&str>,
        address: &Address,
        above: &Above,
    ) -> Result<(), Refusal> {
        if self.open.contains(&entry.dn) {
            tell(self.trace, || Step::Note {
                text: format!("{} occurs inside its own expansion", entry.dn),
            });
            return Ok(());
        }
        if self.is_done(entry, subaddress, address, above) {
            return Ok(());
        }
        let domain = entry
            .domain()
            .or_else(|| address.domain().map(str::to_lowercase))
            .unwrap_or_default();
        let of_domain = self
            .context
            .directory
            .domain(&domain)
            .map_err(|error| self.directory_trouble(&error))?;
        let held = self.status(of_domain.as_deref(), entry)?;
        self.entry_limits(of_domain.as_deref(), entry)?;
        if entry.kind == Kind::Group {
            let poster = Poster {
                sender: self.question.sender,
                authenticated: self.question.source.authenticated.as_deref(),
                size: self.question.size,
            };
            lists::may_post(self.context.config, entry, &poster, self.question.recipient)?;
        }
        let mut below = self.below(above, address);
        if let Some(text) = entry
            .first("mgrperrorsto")
            .filter(|_| entry.kind == Kind::Group)
        {
            below.sender = Some(self.list_sender(text)?);
        }
        if entry.kind == Kind::User {
            let number = |name| {
                entry
                    .first(name)
                    .and_then(|text: &str| text.trim().parse().ok())
            };
            below.store = StoreOptions {
                folder: subaddress.map(str::to_owned),
                quota: number("mailquota"),
                message_quota: number("mailmsgquota"),
                flags: 0,
            };
        }
        self.open.push(entry.dn.clone());
        let done = self.options(entry, subaddress, address, held, &below);
        self.open.pop();
        done
    }

    /// Whether the entry has been expanded already, no deeper than this, with the same outcome.
    fn is_done(
        &mut self,
        entry: &Entry,
        subaddress: Option<&str>,
        address: &Address,
        above: &Above,
    ) -> bool {
        let visit = Visit {
            dn: entry.dn.clone(),
            address: address.clone(),
            subaddress: subaddress.map(str::to_owned),
            held: above.held.clone(),
            sender: above.sender.clone(),
            list: above.list.clone(),
        };
        let level = self.done.entry(visit).or_insert(usize::MAX);
        let known = *level <= above.level;
        *level = (*level).min(above.level);
        if known {
            tell(self.trace, || Step::Note {
                text: format!("{} has been expanded already", entry.dn),
            });
        }
        known
    }

    /// Whether the entry's mail is held, by the first status that is not `active`.
    fn status(&mut self, domain: Option<&Entry>, entry: &Entry) -> Result<bool, Refusal> {
        let (status, whose) = status_in_force(domain, entry);
        if status != EntryStatus::Active {
            tell(self.trace, || Step::Status {
                entry: entry.dn.clone(),
                status: format!("{status:?}").to_lowercase(),
            });
        }
        let group = whose == Kind::Group;
        let pick = |user, of_group| if group { of_group } else { user };
        let fault = match status {
            EntryStatus::Active => return Ok(false),
            EntryStatus::Hold => return Ok(true),
            EntryStatus::Inactive => pick(Fault::InactiveUser, Fault::InactiveGroup),
            EntryStatus::Disabled => pick(Fault::DisabledUser, Fault::DisabledGroup),
            EntryStatus::Deleted | EntryStatus::Removed => {
                pick(Fault::DeletedUser, Fault::DeletedGroup)
            }
            EntryStatus::OverQuota => Fault::OverQuota,
        };
        Err(fault.refuse(self.context.config, self.question.recipient))
    }

    fn entry_limits(&mut self, domain: Option<&Entry>, entry: &Entry) -> Result<(), Refusal> {
        let config = self.context.config;
        let blocks = |entry: &Entry, name: &str| {
            let text = entry.first(name)?;
            text.trim().parse::<u64>().ok()
        };
        let table = [
            (blocks(entry, "mailmsgmaxblocks"), SizeLimit::User),
            (
                domain.and_then(|domain| blocks(domain, "maildomainmsgmaxblocks")),
                SizeLimit::Domain,
            ),
        ];
        for (limit, whose) in table {
            let Some(octets) = limit.map(|blocks| blocks.saturating_mul(config.block_size()))
            else {
                continue;
            };
            if self.question.size.is_some_and(|size| size > octets) {
                let kilobytes = octets.div_ceil(1024);
                return Err(whose.refuse(config, kilobytes, self.question.recipient));
            }
            self.limit(octets);
        }
        Ok(())
    }

    /// `mailDeliveryOption`, value by value.
    fn options(
        &mut self,
        entry: &Entry,
        subaddress: Option<&str>,
        address: &Address,
        held: bool,
        below: &Above,
    ) -> Result<(), Refusal> {
        let config = self.context.config;
        let group = entry.kind == Kind::Group;
        let values: Vec<String> = if held {
            vec!["hold".to_owned()]
        } else {
            let set: Vec<String> = entry
                .values("maildeliveryoption")
                .map(|value| value.trim().to_lowercase())
                .collect();
            let usual = if group { "members" } else { "mailbox" };
            if set.is_empty() {
                vec![usual.to_owned()]
            } else {
                set
            }
        };
        let active: Vec<&Clause> = values
            .iter()
            .filter_map(|value| self.clause(value, group))
            .collect();
        if let Some(elsewhere) = self.elsewhere(entry, &active, address) {
            return self.each(&[elsewhere], below);
        }
        let default_domain = &config.default_domain;
        let domain = entry.domain();
        let hosted = domain
            .as_deref()
            .filter(|name| !name.eq_ignore_ascii_case(default_domain));
        let facts = Facts {
            address: address.without_route(),
            route: address.route(),
            uid: entry.uid().unwrap_or_default(),
            hosted_domain: hosted,
            subaddress,
            mail_host: entry.first("mailhost"),
            program: entry.first("mailprogramdeliveryinfo"),
            file: entry.first("maildeliveryfileurl"),
        };
        if active.is_empty() {
            let text = "no way of delivery is set for this address";
            return Err(Refusal::temporary(
                Status::new(4, 2, 1),
                text,
                self.question.recipient,
            ));
        }
        for clause in active {
            self.clause_results(clause, entry, &facts, below)?;
        }
        Ok(())
    }

    /// The clause for a value, if it can contribute.
    fn clause(&mut self, value: &str, group: bool) -> Option<&'a Clause> {
        let config = self.context.config;
        let clause = config.delivery.iter().find(|clause| {
            clause.value == value
                && if group {
                    clause.for_groups()
                } else {
                    clause.for_users()
                }
        });
        let usable = clause.filter(|clause| !clause.inside && !clause.in_vacation);
        if usable.is_none() {
            tell(self.trace, || Step::DeliveryOption {
                value: value.to_owned(),
                result: match clause {
                    None => "not defined for this kind of entry".to_owned(),
                    Some(_) => "automatic replies are not made".to_owned(),
                },
            });
        }
        usable
    }

    /// Where the mail goes instead if the entry belongs to another host.
    fn elsewhere(
        &mut self,
        entry: &Entry,
        active: &[&Clause],
        address: &Address,
    ) -> Option<String> {
        if !active.is_empty() && active.iter().all(|clause| clause.any_host) {
            return None;
        }
        if let Some(other) = entry.first("mailroutingaddress") {
            return Some(other.to_owned());
        }
        let config = self.context.config;
        let host = entry.first("mailhost")?;
        let ours = host.eq_ignore_ascii_case(config.local_host())
            || host.eq_ignore_ascii_case(&config.hostname);
        (!ours).then(|| format!("@{host}:{}", address.without_route()))
    }

    fn clause_results(
        &mut self,
        clause: &Clause,
        entry: &Entry,
        facts: &Facts<'_>,
        below: &Above,
    ) -> Result<(), Refusal> {
        let mut below = below.clone();
        if clause.held {
            below.held = Some(format!("delivery option {} of {}", clause.value, entry.dn));
        }
        let given = fill(clause, facts);
        tell(self.trace, || Step::DeliveryOption {
            value: clause.value.clone(),
            result: match &given {
                Given::Address(address) => address.clone(),
                Given::Members => "members of the group".to_owned(),
                Given::Forwarding => "forwarding addresses".to_owned(),
                Given::Nothing => "nothing: a substitution has no value".to_owned(),
            },
        });
        let results = match given {
            Given::Address(address) => vec![address],
            Given::Members if clause.deferred && !self.is_reprocessing() => {
                return self.defer(facts.address, &below);
            }
            Given::Members => self.members(entry)?,
            Given::Forwarding => entry
                .values("mailforwardingaddress")
                .map(|address| address.trim().to_owned())
                .collect(),
            Given::Nothing => Vec::new(),
        };
        if !matches!(clause.template.as_str(), "*" | "**") {
            return self.each(&results, &below);
        }
        // A folder asked for by subaddress is one of this user, not of those he forwards to.
        below.store = StoreOptions::default();
        below.intermediate = None;
        self.each(&results, &below)
    }

    /// Whether the reprocess channel is asking, so that nothing is put off again.
    fn is_reprocessing(&self) -> bool {
        self.question.source.reprocessing
    }

    /// Leaves the address to the reprocess channel as it is.
    fn defer(&mut self, address: &str, below: &Above) -> Result<(), Refusal> {
        let name = ChannelName::new("reprocess").ok();
        let channel = name.and_then(|name| self.context.config.channel(&name));
        let Some(channel) = channel else {
            let recipient = self.question.recipient;
            return Err(Fault::AliasTemporary.refuse(self.context.config, recipient));
        };
        let routed = Routed {
            address: self.read(address)?,
            channel: channel.name().clone(),
            host: channel.official_host().to_owned(),
        };
        self.destination(&routed, Some(channel), below)
    }

    /// The addresses of a group's members.
    fn members(&mut self, group: &Entry) -> Result<Vec<String>, Refusal> {
        let recipient = self.question.recipient;
        let config = self.context.config;
        let mut members: Vec<String> = group
            .values("mgrprfc822mailmember")
            .map(|address| address.trim().to_owned())
            .collect();
        for name in ["uniquemember", "member"] {
            for dn in group.values(name) {
                let entry = self
                    .context
                    .directory
                    .by_dn(dn)
                    .map_err(|error| self.directory_trouble(&error))?;
                match entry.as_deref().and_then(Entry::mail) {
                    Some(address) => members.push(address.to_owned()),
                    None => tell(self.trace, || Step::Note {
                        text: format!("member {dn} of {} has no address", group.dn),
                    }),
                }
            }
        }
        for url in group
            .values("memberurl")
            .chain(group.values("mgrpdeliverto"))
        {
            match url.get(..7) {
                Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => {
                    members.push(url[7..].trim().to_owned());
                }
                Some(_) | None => return Err(Fault::AliasFile.refuse(config, recipient)),
            }
        }
        if members.is_empty() {
            let text = "this list has no members";
            return Err(Refusal::permanent(Status::new(5, 1, 1), text, recipient));
        }
        Ok(members)
    }
}
