//! What rewriting asks of the configuration around it.

use mta_envelope::names::ChannelName;
use mta_mapping::{Callouts, Tables, TemporaryFailure};

/// The channel that a routing system belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner<'a> {
    /// Its name.
    pub channel: &'a ChannelName,
    /// Its official host name.
    pub official_host: &'a str,
    /// What replaces the asked name in an envelope To: address, if it is an extra host line of
    /// the channel.
    pub proper_name: Option<&'a str>,
    /// It is the local channel `l`.
    pub is_local: bool,
    /// It is marked `routelocal`: routes through it are peeled off as those through `l`.
    pub routelocal: bool,
}

impl<'a> Owner<'a> {
    /// A channel found by its official host name.
    #[must_use]
    pub const fn of(channel: &'a ChannelName, official_host: &'a str) -> Self {
        Self {
            channel,
            official_host,
            proper_name: None,
            is_local: false,
            routelocal: false,
        }
    }

    /// The local channel.
    #[must_use]
    pub const fn local(channel: &'a ChannelName, official_host: &'a str) -> Self {
        Self {
            is_local: true,
            ..Self::of(channel, official_host)
        }
    }
}

/// What the options of a channel say about rewriting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChannelTraits {
    /// `norules`: channel conditions are not checked for it.
    pub no_rules: bool,
    /// `bangoverpercent`: `A!user%B` means host `A`.
    pub bang_over_percent: bool,
}

/// The configuration around the rules, and whatever call-outs ask.
///
/// Comparing host and channel names without regard to case is the implementor's duty.
pub trait Surroundings: Callouts {
    /// The mapping tables that `${table,argument}` calls.
    fn tables(&self) -> &Tables;

    /// Official host name of the local channel.
    fn local_host(&self) -> &str;

    /// The channel that has `host` as its official host name or among its extra host lines.
    fn channel_owning(&self, host: &str) -> Option<Owner<'_>>;

    /// The options of a channel.
    fn channel_traits(&self, channel: &ChannelName) -> ChannelTraits {
        let _ = channel;
        ChannelTraits::default()
    }

    /// The host that completes an address without any, if `channel` brought it; the local host
    /// does otherwise.
    fn default_host(&self, channel: &ChannelName) -> Option<&str> {
        let _ = channel;
        None
    }

    /// Whether there may be a domain database at all.
    fn has_domain_rules(&self) -> bool {
        true
    }

    /// Templates for `pattern` in the domain database, in the order in which they are tried.
    ///
    /// # Errors
    /// [`TemporaryFailure`] when there is a database and it cannot be read.
    fn domain_rules(&self, pattern: &str) -> Result<Vec<String>, TemporaryFailure> {
        let _ = pattern;
        Ok(Vec::new())
    }

    /// Whether the directory knows `domain` as local (`$V`, `$Z`).
    ///
    /// # Errors
    /// [`TemporaryFailure`] when it does not answer, and when there is no directory.
    fn domain_is_local(&self, domain: &str) -> Result<bool, TemporaryFailure> {
        let _ = domain;
        Err(TemporaryFailure)
    }

    /// MTA option `domain_failure`: replaces the rest of a template when the directory does not
    /// answer `$V` or `$Z`.
    fn domain_failure(&self) -> &str {
        "reprocess-daemon$Mtcp_local$1M$1~-error$4000000?Temporary lookup failure"
    }

    /// MTA option `error_text_unknown_host`.
    fn unknown_host_text(&self) -> &str {
        "unknown host or domain"
    }

    /// A text of upper-case letters and digits that never comes again (`$W`).
    fn unique(&self) -> String {
        String::new()
    }
}
