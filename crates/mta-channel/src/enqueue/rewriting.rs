//! Asking the rewrite rules: which channel, and in which form.

use super::fault::Fault;
use super::refusal::Refusal;
use super::resolve::Context;
use super::trace::{RewriteSteps, Step, Trace, tell};
use mta_config::database::Kind;
use mta_config::{ChannelOption, MtaOption};
use mta_envelope::address::Address;
use mta_envelope::names::ChannelName;
use mta_envelope::status::Status;
use mta_mapping::{Callouts, Tables, TemporaryFailure};
use mta_rewrite::{ChannelTraits, Owner, Question, Rewritten, Surroundings, rewrite};

/// An address that found its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// The address now.
    pub address: Address,
    /// The channel.
    pub channel: ChannelName,
    /// The name by which the channel was found.
    pub host: String,
}

/// Rewrites addresses for one source channel.
#[derive(Debug, Clone, Copy)]
pub struct Rewriter<'a> {
    context: Context<'a>,
    source: &'a ChannelName,
}

impl<'a> Rewriter<'a> {
    /// A rewriter for what `source` brings.
    #[must_use]
    pub const fn new(context: Context<'a>, source: &'a ChannelName) -> Self {
        Self { context, source }
    }

    /// Rewrites an envelope recipient; `given` is the address that a refusal names.
    ///
    /// # Errors
    /// The refusal when no channel owns it.
    pub fn forward(
        &self,
        address: &str,
        given: &str,
        trace: &mut dyn Trace,
    ) -> Result<Routed, Refusal> {
        let question = Question::envelope_to(address, self.source);
        let found = self.ask(&question, trace);
        let rewritten = found.map_err(|error| {
            Refusal::new(error.code, error.status, format!("{}: {given}", error.text))
        })?;
        let routed = routed(rewritten).ok_or_else(|| {
            let text = "rewriting makes an illegal address";
            Refusal::permanent(Status::new(5, 1, 3), text, given)
        })?;
        tell(trace, || Step::Routed {
            address: routed.address.to_string(),
            channel: routed.channel.to_string(),
            host: routed.host.clone(),
        });
        Ok(routed)
    }

    /// Rewrites an envelope sender.
    ///
    /// # Errors
    /// The refusal when no channel owns it; senders need not have one.
    pub fn backward(&self, address: &str, trace: &mut dyn Trace) -> Result<Routed, Refusal> {
        let question = Question::envelope_from(address, self.source, None);
        let found = self.ask(&question, trace);
        let rewritten = found.map_err(|error| {
            Refusal::new(
                error.code,
                error.status,
                format!("{}: {address}", error.text),
            )
        })?;
        routed(rewritten).ok_or_else(|| Fault::UnknownHost.refuse(self.context.config, address))
    }

    /// Any rewriting question, as `imsimta test -rewrite` has them.
    ///
    /// # Errors
    /// Those of the rules.
    pub fn ask(
        &self,
        question: &Question<'_>,
        trace: &mut dyn Trace,
    ) -> Result<Rewritten, mta_rewrite::RewriteError> {
        let world = World {
            context: self.context,
        };
        let rules = &self.context.config.rules;
        rewrite(rules, question, &world, &mut RewriteSteps(trace))
    }
}

/// What is made of the rules' answer; nothing if they make no legal address.
fn routed(rewritten: Rewritten) -> Option<Routed> {
    let text = without_empty_host(rewritten.address, &rewritten.official_host);
    let address = Address::try_from(text).ok()?;
    let is_tag = |domain: &str| domain.eq_ignore_ascii_case(&rewritten.tag);
    let address = match &rewritten.proper_name {
        Some(proper) if address.domain().is_some_and(is_tag) => {
            Address::join(address.local(), proper).ok()?
        }
        _ => address,
    };
    Some(Routed {
        address,
        channel: rewritten.channel,
        host: rewritten.tag,
    })
}

/// A rule such as `hold-daemon $U%$H@hold-daemon` leaves an empty domain. In a source route that
/// means that this host is done with; at the end of the address the channel's own name stands.
fn without_empty_host(mut address: String, official_host: &str) -> String {
    if address.starts_with("@:") || address.starts_with("@,") {
        address.replace_range(..2, "");
    } else if address.ends_with('@') {
        address.push_str(official_host);
    }
    address
}

/// What rules and tables may ask of configuration and directory.
pub(super) struct World<'a> {
    pub(super) context: Context<'a>,
}

impl Callouts for World<'_> {
    fn database(&self, key: &str) -> Result<Option<String>, TemporaryFailure> {
        self.context.lookups().database(key)
    }

    fn domain_attribute(
        &self,
        domain: &str,
        attribute: &str,
    ) -> Result<Option<String>, TemporaryFailure> {
        self.context.lookups().domain_attribute(domain, attribute)
    }

    fn url(&self, url: &str) -> Result<Option<String>, TemporaryFailure> {
        self.context.lookups().url(url)
    }

    fn sequence(&self, file: &str) -> Option<u64> {
        self.context.lookups().sequence(file)
    }

    fn chance(&self, percent: f64) -> bool {
        self.context.lookups().chance(percent)
    }
}

impl Surroundings for World<'_> {
    fn tables(&self) -> &Tables {
        &self.context.config.mappings
    }

    fn local_host(&self) -> &str {
        self.context.config.local_host()
    }

    fn channel_owning(&self, host: &str) -> Option<Owner<'_>> {
        let (channel, proper_name) = self.context.config.channels.by_host(host)?;
        Some(Owner {
            channel: channel.name(),
            official_host: channel.official_host(),
            proper_name,
            is_local: channel.name().as_str() == "l",
            routelocal: channel.is(ChannelOption::Routelocal),
        })
    }

    fn channel_traits(&self, channel: &ChannelName) -> ChannelTraits {
        let channel = self.context.config.channel(channel);
        let is = |option| channel.is_some_and(|channel| channel.is(option));
        ChannelTraits {
            no_rules: is(ChannelOption::Norules),
            bang_over_percent: is(ChannelOption::Bangoverpercent),
        }
    }

    fn has_domain_rules(&self) -> bool {
        let Context {
            config, databases, ..
        } = self.context;
        config.mta.flag(MtaOption::UseDomainDatabase) && databases.may_exist(Kind::Domain)
    }

    fn domain_rules(&self, pattern: &str) -> Result<Vec<String>, TemporaryFailure> {
        let context = self.context;
        let found = context.databases.all(Kind::Domain, pattern);
        found.map_err(|_| TemporaryFailure)
    }

    fn domain_is_local(&self, domain: &str) -> Result<bool, TemporaryFailure> {
        let directory = self.context.directory;
        if !directory.exists() {
            return Err(TemporaryFailure);
        }
        directory
            .domain_is_local(domain, self.local_host())
            .map_err(|_| TemporaryFailure)
    }

    fn domain_failure(&self) -> &str {
        let set = self.context.config.mta.text(MtaOption::DomainFailure);
        set.unwrap_or("reprocess-daemon$Mtcp_local$1M$1~-error$4000000?Temporary lookup failure")
    }

    fn unknown_host_text(&self) -> &str {
        let set = self
            .context
            .config
            .mta
            .text(MtaOption::ErrorTextUnknownHost);
        set.unwrap_or("unknown host or domain")
    }

    fn unique(&self) -> String {
        mta_log::id::IdSource::new().next(mta_log::time::now_seconds())
    }
}
