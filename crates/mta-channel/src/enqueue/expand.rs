//! From a rewritten address to its final ones, through aliases and the directory.
//!
//! An address on the local channel, or on one marked `aliaslocal`, is looked up; each result is
//! rewritten from the beginning and looked up again, `max_alias_levels` deep. An alias or entry
//! that occurs inside its own expansion is not expanded again. If some results of one recipient
//! are good and others are not, the bad ones go to the reprocess channel, which will return
//! them: nobody is forgotten.

use super::delivery::{Facts, Given, fill};
use super::fault::{Fault, SizeLimit};
use super::lists::{self, Poster};
use super::refusal::Refusal;
use super::resolve::{Context, Destination, Question};
use super::rewriting::{Rewriter, Routed};
use super::trace::{Step, Trace, tell};
use crate::store::StoreOptions;
use mta_config::aliases::{AliasEntry, AliasValue, Subaddress};
use mta_config::delivery::Clause;
use mta_config::{Channel, ChannelOption, MtaOption};
use mta_directory::entry::{Entry, EntryStatus, Kind, status_in_force};
use mta_envelope::address::Address;
use mta_envelope::names::ChannelName;
use mta_envelope::status::Status;
use std::sync::Arc;

/// Most final addresses of one recipient.
const MAX_DESTINATIONS: usize = 20_000;

/// Limits that entries of the directory set for a message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SizeLimits {
    pub(super) octets: Option<u64>,
}

/// What an address brings along from the aliases above it.
#[derive(Clone)]
struct Above {
    level: usize,
    via_alias: bool,
    held: Option<String>,
    sender: Option<Option<Address>>,
    store: StoreOptions,
    intermediate: Option<Address>,
}

/// What an address was found to stand for.
enum Found<'c> {
    Entry(Arc<Entry>, Option<String>),
    Alias(&'c AliasEntry),
    Nothing,
}

/// One expansion under way.
pub(super) struct Expansion<'a, 't> {
    context: Context<'a>,
    question: &'a Question<'a>,
    rewriter: &'a Rewriter<'a>,
    trace: &'t mut dyn Trace,
    /// Names of the aliases and entries that are being expanded, outermost first.
    open: Vec<String>,
    /// The look-up found an alias that is being expanded.
    recursion: bool,
    destinations: Vec<Destination>,
    failures: Vec<(Address, Refusal)>,
    limits: SizeLimits,
}

impl<'a, 't> Expansion<'a, 't> {
    pub(super) fn new(
        context: Context<'a>,
        question: &'a Question<'a>,
        rewriter: &'a Rewriter<'a>,
        trace: &'t mut dyn Trace,
    ) -> Self {
        Self {
            context,
            question,
            rewriter,
            trace,
            open: Vec::new(),
            recursion: false,
            destinations: Vec::new(),
            failures: Vec::new(),
            limits: SizeLimits::default(),
        }
    }

    /// All final addresses of `routed`.
    pub(super) fn of(mut self, routed: &Routed) -> Result<(Vec<Destination>, SizeLimits), Refusal> {
        let above = Above {
            level: 0,
            via_alias: false,
            held: None,
            sender: None,
            store: StoreOptions::default(),
            intermediate: None,
        };
        self.expand(routed, &above)?;
        if self.destinations.is_empty() {
            return Err(self.worst());
        }
        self.send_failures_on()?;
        Ok((self.destinations, self.limits))
    }

    /// Why there is no final address at all: a temporary reason if there is one.
    fn worst(&self) -> Refusal {
        let mut refusals = self.failures.iter().map(|(_, refusal)| refusal);
        let temporary = refusals.clone().find(|refusal| refusal.is_temporary());
        temporary
            .or_else(|| refusals.next())
            .cloned()
            .unwrap_or_else(|| {
                let text = "alias stands for nothing but itself";
                self.permanent(Status::new(5, 4, 6), text)
            })
    }

    /// Members that were refused while others were not are left to the reprocess channel.
    fn send_failures_on(&mut self) -> Result<(), Refusal> {
        if self.failures.is_empty() {
            return Ok(());
        }
        let name = ChannelName::new("reprocess").ok();
        let channel = name.and_then(|name| self.context.config.channel(&name));
        for (address, refusal) in std::mem::take(&mut self.failures) {
            let Some(channel) = channel else {
                return Err(refusal);
            };
            tell(self.trace, || Step::Note {
                text: format!("{address} is left to {}: {refusal}", channel.name()),
            });
            self.destinations.push(Destination {
                channel: channel.name().clone(),
                host: channel.official_host().to_owned(),
                intermediate: address.clone(),
                address,
                held: None,
                sender: None,
                store_options: None,
                tags: Vec::new(),
            });
        }
        Ok(())
    }

    fn expand(&mut self, routed: &Routed, above: &Above) -> Result<(), Refusal> {
        let levels = self.context.config.mta.int(MtaOption::MaxAliasLevels);
        if above.level > usize::try_from(levels).unwrap_or(10) {
            let text = "too many levels of alias";
            return Err(self.permanent(Status::new(5, 4, 6), text));
        }
        let channel = self.context.config.channel(&routed.channel);
        let looks_up = channel.is_some_and(|channel| {
            channel.name().as_str() == "l" || channel.is(ChannelOption::Aliaslocal)
        });
        self.recursion = false;
        let found = match channel.filter(|_| looks_up) {
            Some(channel) => self.look_up(channel, &routed.address)?,
            None => Found::Nothing,
        };
        match found {
            Found::Entry(entry, sub) => self.entry(&entry, sub.as_deref(), &routed.address, above),
            Found::Alias(alias) => self.alias(alias, &routed.address, above),
            Found::Nothing => {
                // Where every address is looked up, coming out of a list is not enough: the
                // member itself must be known. One that is being expanded is.
                let mut above = above.clone();
                above.via_alias &= !looks_up || std::mem::take(&mut self.recursion);
                self.destination(routed, channel, &above)
            }
        }
    }

    /// A final address, if its channel takes it.
    fn destination(
        &mut self,
        routed: &Routed,
        channel: Option<&Channel>,
        above: &Above,
    ) -> Result<(), Refusal> {
        let wants_alias =
            channel.is_some_and(|channel| channel.is(ChannelOption::Viaaliasrequired));
        if wants_alias && !above.via_alias {
            let recipient = self.question.recipient;
            return Err(Fault::UnknownAlias.refuse(self.context.config, recipient));
        }
        if self.destinations.len() >= MAX_DESTINATIONS {
            let text = "too many addresses in this list";
            return Err(Refusal::temporary(
                Status::new(4, 5, 3),
                text,
                self.question.recipient,
            ));
        }
        let mut store = above.store.clone();
        if let Some(flags) = channel.and_then(|c| c.limit(ChannelOption::Deliveryflags)) {
            store.flags |= u32::try_from(flags).unwrap_or(0);
        }
        self.destinations.push(Destination {
            channel: routed.channel.clone(),
            address: routed.address.clone(),
            intermediate: above
                .intermediate
                .clone()
                .unwrap_or_else(|| routed.address.clone()),
            host: routed.host.clone(),
            held: above.held.clone(),
            sender: above.sender.clone(),
            store_options: store.to_record(),
            tags: Vec::new(),
        });
        Ok(())
    }

    /// Asks the sources of aliases in the order of `alias_magic`.
    fn look_up(&mut self, channel: &'a Channel, address: &Address) -> Result<Found<'a>, Refusal> {
        let context = self.context;
        let magic = channel
            .number(ChannelOption::Aliasmagic)
            .unwrap_or_else(|| context.config.mta.int(MtaOption::AliasMagic));
        let subaddress = subaddress_rule(channel);
        let mut directory_asked = !context.directory.exists();
        for digit in magic.to_string().chars() {
            let found = match digit {
                '6' | '7' | '8' | '9' if !directory_asked => {
                    directory_asked = true;
                    self.in_directory(address, subaddress)?
                }
                '4' => self.in_file(address, subaddress),
                _ => Found::Nothing,
            };
            if !matches!(found, Found::Nothing) {
                return Ok(found);
            }
        }
        Ok(Found::Nothing)
    }

    fn in_file(&mut self, address: &Address, subaddress: Subaddress) -> Found<'a> {
        let config = self.context.config;
        let found = config
            .aliases
            .lookup(address.local(), address.domain(), subaddress);
        self.recursion |= found.is_some_and(|alias| self.open.contains(&alias_mark(alias)));
        let found = found.filter(|_| !self.recursion);
        tell(self.trace, || Step::Alias {
            source: "alias file",
            key: address.to_string(),
            found: found.map(|alias| alias.name.clone()),
        });
        found.map_or(Found::Nothing, Found::Alias)
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

    fn directory_trouble(&self, error: &mta_directory::DirectoryError) -> Refusal {
        use mta_directory::DirectoryError as Error;
        let fault = match error {
            Error::Unavailable(_) => Fault::AliasTemporary,
            Error::Ambiguous(_) => Fault::Ambiguous,
        };
        fault.refuse(self.context.config, self.question.recipient)
    }

    /// An alias of the alias file.
    fn alias(
        &mut self,
        alias: &AliasEntry,
        address: &Address,
        above: &Above,
    ) -> Result<(), Refusal> {
        if alias.options.iter().any(|(name, _)| restricts(name)) {
            let recipient = self.question.recipient;
            return Err(Fault::AliasAccess.refuse(self.context.config, recipient));
        }
        let mut below = self.below(above, address);
        if let Some(text) = alias.option("envelope_from") {
            below.sender = Some(self.list_sender(text)?);
        }
        self.open.push(alias_mark(alias));
        let mut results = Vec::with_capacity(alias.values.len());
        for value in &alias.values {
            match value {
                AliasValue::Address(text) => {
                    results.push(text.trim_start_matches(':').to_owned());
                }
                AliasValue::File(_) | AliasValue::Url(_) => {
                    let recipient = self.question.recipient;
                    let refusal = Fault::AliasFile.refuse(self.context.config, recipient);
                    self.fail(address.clone(), refusal);
                }
            }
        }
        let done = self.each(&results, &below);
        self.open.pop();
        done
    }

    /// A user or group of the directory.
    fn entry(
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
            self.limits.octets = Some(self.limits.octets.map_or(octets, |o| o.min(octets)));
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

    /// Rewrites and expands each of the results of one alias or entry.
    fn each(&mut self, results: &[String], below: &Above) -> Result<(), Refusal> {
        for text in results {
            tell(self.trace, || Step::Expanded { to: text.clone() });
            let done = self.read(text).and_then(|address| {
                let whole = self.complete(address)?;
                let routed =
                    self.rewriter
                        .forward(whole.as_str(), self.question.recipient, self.trace)?;
                self.expand(&routed, below)
            });
            if let Err(refusal) = done {
                match self.read(text) {
                    Ok(address) => self.fail(address, refusal),
                    Err(_) => return Err(refusal),
                }
            }
        }
        Ok(())
    }

    /// A result that cannot be had; what becomes of it depends on the others.
    fn fail(&mut self, address: Address, refusal: Refusal) {
        tell(self.trace, || Step::Refused {
            address: address.to_string(),
            refusal: refusal.to_string(),
        });
        self.failures.push((address, refusal));
    }

    fn below(&self, above: &Above, address: &Address) -> Above {
        Above {
            level: above.level + 1,
            via_alias: true,
            held: above.held.clone(),
            sender: above.sender.clone(),
            store: StoreOptions::default(),
            intermediate: Some(address.clone()),
        }
    }

    fn read(&self, text: &str) -> Result<Address, Refusal> {
        Address::parse(text.trim_matches(['<', '>'])).map_err(|error| {
            let text = format!("alias with an illegal address ({error})");
            self.permanent(Status::new(5, 1, 3), &text)
        })
    }

    /// An alias value without domain means this host.
    fn complete(&self, address: Address) -> Result<Address, Refusal> {
        if address.domain().is_some() {
            return Ok(address);
        }
        Address::join(address.as_str(), self.context.config.local_host())
            .map_err(|error| self.permanent(Status::new(5, 1, 3), &error.to_string()))
    }

    /// The envelope From that a list asks for.
    fn list_sender(&self, text: &str) -> Result<Option<Address>, Refusal> {
        let text = text.trim();
        let text = match text.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => &text[7..],
            Some(_) | None => text,
        };
        if text.is_empty() || text == "<>" {
            return Ok(None);
        }
        self.read(text).and_then(|a| self.complete(a)).map(Some)
    }

    fn permanent(&self, status: Status, text: &str) -> Refusal {
        Refusal::permanent(status, text, self.question.recipient)
    }
}

/// Whether an alias option says who may post. None of them can be checked yet, so that a list
/// which has one takes nothing rather than everything.
fn restricts(option: &str) -> bool {
    ["auth_", "cant_", "moderator_", "hold_"]
        .iter()
        .any(|word| option.contains(word))
}

fn alias_mark(alias: &AliasEntry) -> String {
    format!("alias {}", alias.name.to_lowercase())
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
