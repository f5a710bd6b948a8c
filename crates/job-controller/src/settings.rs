//! What the scheduler is told of the configuration: what it needs, and nothing else, so that a
//! test can write it down.

use mta_config::Config;
use mta_config::channel::{Channel, ChannelOption};
use mta_config::pool::{ChannelClass, Pool};
use mta_config::window::{SynchTime, Windows};
use mta_envelope::envelope::Priority;
use mta_envelope::names::ChannelName;
use std::cmp::Reverse;

/// Everything that steers the scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The debug mask: 1 jobs, 2 entries, 4 decisions, 8 protocol, 16 scans, 32 timers.
    pub debug: u32,
    /// Most messages in the cache.
    pub max_messages: u64,
    /// When the queue directories are scanned again.
    pub synch: SynchTime,
    /// Channel directories scanned at once.
    pub parallel_rebuild: u32,
    /// Whether a scan hands its finds over in order of creation.
    pub inorder_rebuild: bool,
    /// The pools. A channel whose pool is not among them is never run.
    pub pools: Vec<Pool>,
    /// The channel classes in the order in which they are asked: see [`Settings::sort_classes`].
    pub classes: Vec<ChannelClass>,
    /// The channels.
    pub channels: Vec<ChannelSettings>,
}

/// A channel, as far as scheduling goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSettings {
    /// Its name.
    pub name: ChannelName,
    /// The pool it draws processes from.
    pub pool: String,
    /// Whether it is served in the master direction at all (not `slave`).
    pub master: bool,
    /// Most processes for it.
    pub maxjobs: u32,
    /// Messages per thread before another is used.
    pub threaddepth: u32,
    /// Messages per process before another is used; 0 has no effect.
    pub filesperjob: u32,
    /// Waits in seconds, per priority.
    pub backoff: [Vec<u32>; 5],
    /// When the first attempt may come, per priority.
    pub after: [After; 5],
    /// When messages may be tried, per priority; `None` is always.
    pub windows: [Option<Windows>; 5],
}

/// The channel options `after`, `urgentafter`, ….
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum After {
    /// At once.
    #[default]
    AtOnce,
    /// At this time, seconds since 1970.
    Time(u64),
    /// This many seconds after arrival.
    Delay(u64),
}

impl Settings {
    /// What `config` says.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let options = &config.job_controller;
        let channels = config.channels.iter();
        let mut settings = Self {
            // -1 is "all"; more than 32 bits there are not.
            debug: u32::try_from(options.debug & i64::from(u32::MAX)).unwrap_or(u32::MAX),
            max_messages: options.max_cache_messages,
            synch: options.synch_time,
            parallel_rebuild: options.rebuild_parallel_channel,
            inorder_rebuild: false,
            pools: options.pools.clone(),
            classes: options.classes.clone(),
            channels: channels
                .map(|channel| ChannelSettings::of(channel, config))
                .collect(),
        };
        settings.sort_classes();
        settings
    }

    /// Puts exact names before patterns, and longer patterns before shorter ones.
    pub fn sort_classes(&mut self) {
        let order = |class: &ChannelClass| {
            let pattern = &class.pattern;
            (pattern.contains('*'), Reverse(pattern.len()))
        };
        self.classes.sort_by_key(order);
    }
}

impl ChannelSettings {
    fn of(channel: &Channel, config: &Config) -> Self {
        let priorities = Priority::ALL;
        let filesperjob = channel.number(ChannelOption::Filesperjob).unwrap_or(0);
        let seconds = |priority| {
            let waits = channel.backoff(priority).into_iter();
            waits
                .map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX))
                .collect()
        };
        let windows = |priority| config.job_controller.windows_for(channel, priority);
        Self {
            name: channel.name().clone(),
            pool: config.job_controller.pool_name(channel).to_owned(),
            master: !channel.is(ChannelOption::Slave),
            maxjobs: channel.maxjobs(),
            threaddepth: channel.threaddepth(),
            filesperjob: u32::try_from(filesperjob).unwrap_or(0),
            backoff: priorities.map(seconds),
            after: priorities.map(|priority| After::of(channel, priority)),
            windows: priorities.map(|priority| windows(priority).cloned()),
        }
    }

    /// A channel of which the configuration says nothing: its files are remembered, and never
    /// tried, since no pool has this name.
    #[must_use]
    pub fn unknown(name: ChannelName) -> Self {
        Self {
            name,
            pool: String::new(),
            master: false,
            maxjobs: 0,
            threaddepth: 1,
            filesperjob: 0,
            backoff: Default::default(),
            after: Default::default(),
            windows: Default::default(),
        }
    }
}

impl After {
    fn of(channel: &Channel, priority: Priority) -> Self {
        let special = match priority {
            Priority::Urgent => ChannelOption::Urgentafter,
            Priority::Normal => ChannelOption::Normalafter,
            Priority::Nonurgent => ChannelOption::Nonurgentafter,
            Priority::SecondClass => ChannelOption::Secondclassafter,
            Priority::ThirdClass => ChannelOption::Thirdclassafter,
        };
        let text = channel
            .text(special)
            .or_else(|| channel.text(ChannelOption::After));
        text.and_then(Self::parse).unwrap_or_default()
    }

    /// Reads `n`, a time in seconds since 1970, or `+n`, a delay in seconds.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let number = digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse().ok())
            .flatten()?;
        Some(if text.starts_with('+') {
            Self::Delay(number)
        } else {
            Self::Time(number)
        })
    }

    /// The time before which a message that arrived at `arrived` is not tried.
    #[must_use]
    pub const fn not_before(self, arrived: u64) -> Option<u64> {
        match self {
            Self::AtOnce => None,
            Self::Time(time) => Some(time),
            Self::Delay(delay) => Some(arrived.saturating_add(delay)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_is_a_time_or_a_delay() {
        assert_eq!(After::AtOnce.not_before(10), None);
        assert_eq!(After::parse("99").unwrap().not_before(10), Some(99));
        assert_eq!(After::parse("+99").unwrap().not_before(10), Some(109));
        for text in ["", "+", "-1", "1h", "++1", "99999999999999999999"] {
            assert_eq!(After::parse(text), None, "{text}");
        }
    }
}
