//! The whole configuration, as every process sees it.

use crate::aliases::Aliases;
use crate::channel::{Channel, ChannelOption, Channels};
use crate::database::TextDatabases;
use crate::delivery::Clause;
use crate::fault::{LoadFault, Warning};
use crate::image::ImageError;
use crate::option::{MtaOption, MtaOptions};
use crate::paths::ServerRoot;
use crate::pool::JobControllerOptions;
use crate::service::DispatcherOptions;
use crate::task::Task;
use mta_envelope::address::Address;
use mta_envelope::names::ChannelName;
use serde::{Deserialize, Serialize};

/// Which configuration this is: short hashes of its two halves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageIdentity {
    /// Sixteen hexadecimal digits over channels, rules and options.
    pub fixed: String,
    /// Sixteen hexadecimal digits over mapping tables and aliases.
    pub reloadable: String,
    /// Whether it came from the image and not from text.
    pub from_image: bool,
}

/// Accounts, from `restricted.cnf`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restricted {
    /// The server user.
    pub user: String,
    /// The server group; the user's primary one when unset.
    pub group: Option<String>,
    /// The unprivileged user of site programs.
    pub noprivuser: Option<String>,
}

/// One immutable configuration. Shared as `Arc<Config>`; a session or message keeps the one it
/// began with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which one this is.
    pub identity: ImageIdentity,
    /// Options of the whole MTA.
    pub mta: MtaOptions,
    /// The channels.
    pub channels: Channels,
    /// The rewrite rules.
    pub rules: mta_rewrite::Rules,
    /// The mapping tables; reloadable.
    pub mappings: mta_mapping::Tables,
    /// The aliases; reloadable.
    pub aliases: Aliases,
    /// The text databases; reloadable.
    pub texts: TextDatabases,
    /// What `delivery_options` says, read.
    pub delivery: Vec<Clause>,
    /// What the Dispatcher serves.
    pub dispatcher: DispatcherOptions,
    /// What the Job Controller runs.
    pub job_controller: JobControllerOptions,
    /// What `imsched` runs.
    pub tasks: Vec<Task>,
    /// Accounts.
    pub restricted: Restricted,
    /// `base.hostname`: this host's name.
    pub hostname: String,
    /// `base.defaultdomain`: the domain of bare addresses.
    pub default_domain: String,
}

/// Why a process has no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The text has errors; this is the first.
    #[error(transparent)]
    Fault(#[from] LoadFault),
    /// There is an image, and it is no use.
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl Config {
    /// The configuration of `root`: the compiled one if there is one, else the text.
    ///
    /// # Errors
    /// [`LoadError`] when the image cannot be used, or at the first error of the text.
    pub fn load(root: &ServerRoot) -> Result<Self, LoadError> {
        crate::charset::check(root)?;
        match crate::image::read(root) {
            Err(ImageError::Missing { .. }) => {}
            Err(other) => return Err(other.into()),
            Ok(config) => return crate::source::overlay(root, config).map_err(first),
        }
        match Self::from_text(root) {
            Ok((config, _)) => Ok(Self {
                identity: crate::image::identity(&config),
                ..config
            }),
            Err(faults) => Err(first(faults)),
        }
    }

    /// This configuration with the reloadable part of `new`: mapping tables, aliases, text databases. What
    /// lies in the fixed part stays as it is, under its own name (`imsimta reload`).
    #[must_use]
    pub fn reloaded(&self, new: Self) -> Self {
        Self {
            identity: ImageIdentity {
                reloadable: new.identity.reloadable,
                ..self.identity.clone()
            },
            mappings: new.mappings,
            aliases: new.aliases,
            texts: new.texts,
            ..self.clone()
        }
    }

    /// Reads the text files, with everything that is odd about them. The configuration has no
    /// identity yet.
    ///
    /// # Errors
    /// All faults found, at least one.
    pub fn from_text(root: &ServerRoot) -> Result<(Self, Vec<Warning>), Vec<LoadFault>> {
        crate::source::load(root)
    }

    /// The official host name of channel `l`: this system's name.
    #[must_use]
    pub fn local_host(&self) -> &str {
        self.channels
            .iter()
            .next()
            .map_or(&self.hostname, Channel::official_host)
    }

    /// The channel of that name.
    #[must_use]
    pub fn channel(&self, name: &ChannelName) -> Option<&Channel> {
        self.channels.get(name)
    }

    /// The postmaster's address: `return_address`, or `postmaster` at the local host.
    #[must_use]
    pub fn postmaster(&self) -> Address {
        let set = self.mta.text(MtaOption::ReturnAddress);
        set.and_then(|text| Address::parse(text.trim_matches(['<', '>'])).ok())
            .or_else(|| Address::join("postmaster", self.local_host()).ok())
            .unwrap_or_else(|| Address::parse("postmaster").expect("a word is an address"))
    }

    /// The postmaster's address for notices about a channel's mail: its `returnaddress`, else
    /// the general one.
    #[must_use]
    pub fn postmaster_for(&self, channel: &Channel) -> Address {
        let own = channel.text(ChannelOption::Returnaddress);
        own.and_then(|text| Address::parse(text.trim_matches(['<', '>'])).ok())
            .unwrap_or_else(|| self.postmaster())
    }

    /// Bytes in one MTA block.
    #[must_use]
    pub fn block_size(&self) -> u64 {
        self.mta.limit(MtaOption::BlockSize).unwrap_or(1024).max(1)
    }
}

fn first(faults: Vec<LoadFault>) -> LoadError {
    let mut faults = faults.into_iter();
    faults.next().expect("a failed load has a fault").into()
}
