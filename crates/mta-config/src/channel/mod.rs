//! Channels: the table of channel options, one channel, and all of them.

mod build;
mod file_options;
mod stored;
mod table;

pub use build::{ChannelBuilder, Defaults};
pub use file_options::{FILE_OPTIONS, FileOption};
pub use table::{ChannelOption, ROWS, Row};

use crate::value::Value;
use hashbrown::HashTable;
use mta_envelope::envelope::Priority;
use mta_envelope::names::ChannelName;
use mta_mapping::records::hash;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

impl ChannelOption {
    /// The option of that name or alias, in any case.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        static INDEX: OnceLock<HashMap<&'static str, ChannelOption>> = OnceLock::new();
        let index = INDEX.get_or_init(|| {
            let mut index = HashMap::new();
            for row in ROWS {
                index.insert(row.name, row.option);
                index.extend(row.aliases.iter().map(|alias| (*alias, row.option)));
            }
            index
        });
        index.get(name.to_ascii_lowercase().as_str()).copied()
    }

    /// Its row in the table.
    #[must_use]
    pub fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }
}

impl fmt::Display for ChannelOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the options of a channel say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Options {
    settings: BTreeMap<ChannelOption, Value>,
    backoff: [Vec<u32>; 3],
    notices: [Vec<u32>; 3],
}

/// One channel: its names, its options, its option file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    name: ChannelName,
    official_host: String,
    local_host_alias: Option<String>,
    hosts: Vec<(String, Option<String>)>,
    said: stored::Said,
    options: BTreeMap<String, String>,
    group_words: Vec<String>,
}

impl Channel {
    /// The channel with another option file; names in upper case.
    #[must_use]
    pub fn with_options(self, options: BTreeMap<String, String>) -> Self {
        Self { options, ..self }
    }

    /// The channel's name.
    #[must_use]
    pub const fn name(&self) -> &ChannelName {
        &self.name
    }

    /// The host name by which rewriting selects the channel.
    #[must_use]
    pub fn official_host(&self) -> &str {
        &self.official_host
    }

    /// The name this machine uses for itself toward the channel, if it is not that of `l`.
    #[must_use]
    pub fn local_alias(&self) -> Option<&str> {
        self.local_host_alias.as_deref()
    }

    /// Further host names that lead to the channel, each with its proper name if it has one.
    #[must_use]
    pub fn hosts(&self) -> &[(String, Option<String>)] {
        &self.hosts
    }

    /// Whether the option is in force. In an exclusive group that is the word said last, or the
    /// group's default when none was said.
    #[must_use]
    pub fn is(&self, option: ChannelOption) -> bool {
        if self.said.settings.contains_key(&option) {
            return true;
        }
        let row = option.row();
        row.group_default
            && !self
                .said
                .settings
                .keys()
                .any(|set| set.row().group == row.group)
    }

    /// Whether the option is set on the channel, by itself or by `defaults`.
    #[must_use]
    pub fn is_set(&self, option: ChannelOption) -> bool {
        self.said.settings.contains_key(&option)
    }

    /// The options that are set, in the order of the table.
    pub fn settings(&self) -> impl Iterator<Item = (ChannelOption, &Value)> {
        self.said
            .settings
            .iter()
            .map(|(option, value)| (*option, value))
    }

    /// The number of an option; nothing when it is not set.
    #[must_use]
    pub fn number(&self, option: ChannelOption) -> Option<i64> {
        match self.said.settings.get(&option) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// A limit as a count; nothing for no limit.
    #[must_use]
    pub fn limit(&self, option: ChannelOption) -> Option<u64> {
        self.number(option)
            .and_then(|limit| u64::try_from(limit).ok())
    }

    /// The text of an option; nothing when it is not set.
    #[must_use]
    pub fn text(&self, option: ChannelOption) -> Option<&str> {
        match self.said.settings.get(&option) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The words of an option that takes several.
    #[must_use]
    pub fn list(&self, option: ChannelOption) -> &[String] {
        match self.said.settings.get(&option) {
            Some(Value::List(words)) => words,
            _ => &[],
        }
    }

    /// An option of the channel's option file (`channel:NAME.options.*`), in any case.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options
            .get(&name.to_ascii_uppercase())
            .map(String::as_str)
    }

    /// The options of the channel's option file, names in upper case.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A whole number of the option file, `default` when it is absent or no number.
    #[must_use]
    pub fn option_int(&self, name: &str, default: i64) -> i64 {
        self.option(name)
            .and_then(|text| crate::value::integer(text.trim()))
            .unwrap_or(default)
    }

    /// A fraction of the option file, `default` when it is absent or no number.
    #[must_use]
    pub fn option_real(&self, name: &str, default: f64) -> f64 {
        let number = self
            .option(name)
            .and_then(|text| text.trim().parse::<f64>().ok());
        number
            .filter(|number| number.is_finite() && *number >= 0.0)
            .unwrap_or(default)
    }

    /// A time of the option file in units of `TIMEOUT_MULTIPLIER` seconds (60, so minutes).
    #[must_use]
    pub fn option_time(&self, name: &str, default: f64) -> Duration {
        let unit = self.option_real("TIMEOUT_MULTIPLIER", 60.0);
        let seconds = (self.option_real(name, default) * unit).min(1e9);
        Duration::from_secs_f64(seconds)
    }

    /// Waits before the attempts after the first, second, … failure; the last repeats.
    #[must_use]
    pub fn backoff(&self, priority: Priority) -> Vec<Duration> {
        let seconds = &self.said.backoff[class(priority)];
        seconds
            .iter()
            .map(|wait| Duration::from_secs(u64::from(*wait)))
            .collect()
    }

    /// Ages at which warnings are sent, in the unit of `return_units`; at the last one the
    /// message is returned.
    #[must_use]
    pub fn notices(&self, priority: Priority) -> Vec<u32> {
        self.said.notices[class(priority)].clone()
    }

    /// Subdirectories of the queue directory; 0 for none.
    #[must_use]
    pub fn subdirs(&self) -> u16 {
        let subdirs = self.number(ChannelOption::Subdirs).unwrap_or(0);
        u16::try_from(subdirs).unwrap_or(0)
    }

    /// The pool that the channel names; see [`crate::pool::JobControllerOptions::pool_name`].
    #[must_use]
    pub fn pool(&self) -> Option<&str> {
        self.text(ChannelOption::Pool)
    }

    /// Most processes for the channel.
    #[must_use]
    pub fn maxjobs(&self) -> u32 {
        self.count(ChannelOption::Maxjobs, 100)
    }

    /// Messages per client thread before another one is used.
    #[must_use]
    pub fn threaddepth(&self) -> u32 {
        self.count(ChannelOption::Threaddepth, 128)
    }

    /// Whether the channel speaks SMTP, under any of its names.
    #[must_use]
    pub fn speaks_smtp(&self) -> bool {
        use ChannelOption::{Smtp, SmtpCr, SmtpCrorlf, SmtpLf};
        [Smtp, SmtpCr, SmtpLf, SmtpCrorlf]
            .into_iter()
            .any(|option| self.is(option))
    }

    /// Words of the block that are no option: names of groups that may enqueue.
    #[must_use]
    pub fn group_words(&self) -> &[String] {
        &self.group_words
    }

    fn count(&self, option: ChannelOption, default: u32) -> u32 {
        let number = self.number(option).unwrap_or(i64::from(default));
        u32::try_from(number).unwrap_or(default)
    }
}

/// Which of the three lists a priority uses: urgent, normal, nonurgent and below.
const fn class(priority: Priority) -> usize {
    match priority {
        Priority::Urgent => 0,
        Priority::Normal => 1,
        Priority::Nonurgent | Priority::SecondClass | Priority::ThirdClass => 2,
    }
}

/// All channels, in their order, found by name and by host.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "stored::Stored", into = "stored::Stored")]
pub struct Channels {
    channels: Vec<Channel>,
    /// Hashes of names, and places: there may be a thousand of which a process asks for a few, so
    /// that a copy of each name would be half of what it does at its start.
    by_name: HashTable<(u64, u32)>,
    /// Hashes of folded hosts, and whose they are.
    by_host: HashTable<(u64, Owner)>,
}

/// Whose a host name is.
#[derive(Debug, Clone, Copy)]
struct Owner {
    channel: u32,
    /// Which of its further hosts, if it is not the official one.
    further: Option<u32>,
}

impl PartialEq for Channels {
    fn eq(&self, other: &Self) -> bool {
        self.channels == other.channels
    }
}

impl Eq for Channels {}

/// A hash of a host name that is the same in either case.
fn hash_of_host(host: &str) -> u64 {
    if host.bytes().any(|octet| octet.is_ascii_uppercase()) {
        hash(mta_envelope::domain::fold(host).as_bytes())
    } else {
        hash(host.as_bytes())
    }
}

impl Channels {
    /// The channels in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.channels.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// The channel of that name.
    #[must_use]
    pub fn get(&self, name: &ChannelName) -> Option<&Channel> {
        let hash = hash(name.as_str().as_bytes());
        let is_it = |known: &(u64, u32)| {
            let channel = self.channels.get(known.1 as usize);
            known.0 == hash && channel.is_some_and(|channel| channel.name == *name)
        };
        let found = self.by_name.find(hash, is_it);
        found.and_then(|(_, at)| self.channels.get(*at as usize))
    }

    /// Whether what every channel says can be read.
    pub(crate) fn are_sound(&self) -> bool {
        self.channels.iter().all(|channel| channel.said.is_sound())
    }

    /// The channel that owns a host name, official or additional, and the name that stands for
    /// it in the envelope To when the host is an additional one.
    #[must_use]
    pub fn by_host(&self, host: &str) -> Option<(&Channel, Option<&str>)> {
        // Nearly every name is in lower case, and need not be looked through for capitals.
        let owner = self.owner(host, hash(host.as_bytes()));
        let owner = owner.or_else(|| self.owner(host, hash_of_host(host)))?;
        let channel = self.channels.get(owner.channel as usize)?;
        let Some(further) = owner.further else {
            return Some((channel, None));
        };
        let (_, proper) = channel.hosts.get(further as usize)?;
        let official = channel.official_host.as_str();
        Some((channel, Some(proper.as_deref().unwrap_or(official))))
    }

    fn owner(&self, host: &str, hash: u64) -> Option<Owner> {
        let is_it = |known: &(u64, Owner)| {
            let is_host = |name: &str| name == host || name.eq_ignore_ascii_case(host);
            known.0 == hash && self.host(known.1).is_some_and(is_host)
        };
        self.by_host.find(hash, is_it).map(|(_, owner)| *owner)
    }

    fn host(&self, owner: Owner) -> Option<&str> {
        let channel = self.channels.get(owner.channel as usize)?;
        match owner.further {
            None => Some(&channel.official_host),
            Some(at) => channel
                .hosts
                .get(at as usize)
                .map(|(host, _)| host.as_str()),
        }
    }

    /// Remembers whose a host is; the first channel that has it keeps it.
    fn note_host(&mut self, owner: Owner) {
        let Some(host) = self.host(owner) else {
            return;
        };
        let hash = hash_of_host(host);
        if self.owner(host, hash).is_none() {
            let new = (hash, owner);
            self.by_host.insert_unique(hash, new, |known| known.0);
        }
    }
}

impl From<Vec<Channel>> for Channels {
    fn from(channels: Vec<Channel>) -> Self {
        let count = channels.len();
        let mut all = Self {
            channels,
            by_name: HashTable::with_capacity(count),
            by_host: HashTable::with_capacity(count),
        };
        for (at, channel) in (0..).zip(&all.channels) {
            let hash = hash(channel.name.as_str().as_bytes());
            all.by_name.insert_unique(hash, (hash, at), |known| known.0);
        }
        for channel in 0..u32::try_from(count).unwrap_or(u32::MAX) {
            let hosts = all.channels[channel as usize].hosts.len();
            let further = (0..u32::try_from(hosts).unwrap_or(u32::MAX)).map(Some);
            for further in std::iter::once(None).chain(further) {
                all.note_host(Owner { channel, further });
            }
        }
        all
    }
}
