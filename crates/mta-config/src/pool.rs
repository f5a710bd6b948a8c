//! What the Job Controller runs: pools that limit jobs, and classes that say which program
//! empties a channel.

use crate::channel::Channel;
use crate::window::{SynchTime, Windows};
use mta_envelope::envelope::Priority;
use mta_envelope::names::{ChannelName, PoolName};
use serde::{Deserialize, Serialize};

/// The pool of channels that name none.
pub const DEFAULT_POOL: &str = "DEFAULT";

/// The Job Controller's options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobControllerOptions {
    /// Debug mask; -1 for all.
    pub debug: i64,
    /// Most messages kept in the queue cache.
    pub max_cache_messages: u64,
    /// When the queue directories are scanned.
    pub synch_time: SynchTime,
    /// Channel directories scanned at once while the cache is built.
    pub rebuild_parallel_channel: u32,
    /// Stress control.
    pub stress: Stress,
    /// Windows of pools and channels that have none.
    pub windows: PriorityWindows,
    /// The pools, by name.
    pub pools: Vec<Pool>,
    /// The channel classes, by pattern.
    pub classes: Vec<ChannelClass>,
    /// The pool of channels that name none: [`DEFAULT_POOL`], in a legacy configuration the first
    /// one of the file.
    pub default_pool: String,
    /// Whether the first class that matches a channel is the one, as in a legacy configuration,
    /// and not the one that says most of its name.
    pub first_class_counts: bool,
}

/// How the Job Controller answers reports of stress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stress {
    /// Seconds between reports that count.
    pub blackout: u64,
    /// Factor of `threaddepth` when stressed.
    pub factor: u32,
    /// Jobs fewer when stressed.
    pub jobs: u32,
    /// Seconds without report after which stress is taken back.
    pub time: u64,
    /// Divisor of `threaddepth` when stress is taken back.
    pub unfactor: u32,
    /// Jobs more when stress is taken back.
    pub unjobs: u32,
    /// Seconds between the steps.
    pub untime: u64,
}

/// Delivery windows by priority; nothing means always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityWindows {
    /// Of urgent messages.
    pub urgent: Option<Windows>,
    /// Of normal messages.
    pub normal: Option<Windows>,
    /// Of all others.
    pub nonurgent: Option<Windows>,
}

impl PriorityWindows {
    /// The windows of a priority.
    #[must_use]
    pub const fn of(&self, priority: Priority) -> Option<&Windows> {
        match priority {
            Priority::Urgent => self.urgent.as_ref(),
            Priority::Normal => self.normal.as_ref(),
            Priority::Nonurgent | Priority::SecondClass | Priority::ThirdClass => {
                self.nonurgent.as_ref()
            }
        }
    }
}

/// A limit that several channels share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Its name.
    pub name: PoolName,
    /// Most processes at once.
    pub job_limit: u32,
    /// Windows of its channels.
    pub windows: PriorityWindows,
}

/// Which program empties the channels whose names match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelClass {
    /// A channel name, or one with `*` in it.
    pub pattern: String,
    /// The program that dequeues; without one the channels are never run.
    pub master_command: Option<String>,
    /// The program that polls for incoming mail.
    pub slave_command: Option<String>,
    /// Seconds after which a job is told to end.
    pub max_life_time: u64,
    /// Requests for work after which a job is told to end.
    pub max_life_askwork: u64,
    /// Whether all hosts share one queue; otherwise there is one for each.
    pub anon_host: bool,
    /// Windows of its channels.
    pub windows: PriorityWindows,
}

impl ChannelClass {
    /// Whether the class is meant for a channel of that name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        glob(&self.pattern, name)
    }
}

/// Matches a pattern in which `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.any(|at| glob(tail, &rest[at..]))
        }),
    }
}

impl JobControllerOptions {
    /// The class of a channel: the exact name, else the longest pattern that matches; in a legacy
    /// configuration the first that matches.
    #[must_use]
    pub fn class_for(&self, channel: &ChannelName) -> Option<&ChannelClass> {
        let name = channel.as_str();
        if self.first_class_counts {
            return self.classes.iter().find(|class| class.matches(name));
        }
        let exact = self.classes.iter().find(|class| class.pattern == name);
        exact.or_else(|| {
            let matching = self.classes.iter().filter(|class| class.matches(name));
            matching.max_by_key(|class| class.pattern.len())
        })
    }

    /// The pool of that name.
    #[must_use]
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name.as_str() == name)
    }

    /// The pool of a channel; nothing when it names one that is not defined.
    #[must_use]
    pub fn pool_of(&self, channel: &Channel) -> Option<&Pool> {
        self.pool(self.pool_name(channel))
    }

    /// The name of the pool that limits a channel's jobs.
    #[must_use]
    pub fn pool_name<'a>(&'a self, channel: &'a Channel) -> &'a str {
        channel.pool().unwrap_or(&self.default_pool)
    }

    /// The delivery windows of a channel's messages: the class's before the pool's before the
    /// general ones.
    #[must_use]
    pub fn windows_for(&self, channel: &Channel, priority: Priority) -> Option<&Windows> {
        let class = self.class_for(channel.name());
        class
            .and_then(|class| class.windows.of(priority))
            .or_else(|| self.pool_of(channel)?.windows.of(priority))
            .or_else(|| self.windows.of(priority))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let table = [
            ("tcp_*", "tcp_local", true),
            ("tcp_*", "tcp_", true),
            ("ims-ms*", "ims-ms", true),
            ("hold", "hold", true),
            ("hold", "holder", false),
            ("*_x*z", "a_xyz", true),
            ("*_x*z", "a_xy", false),
        ];
        for (pattern, name, matches) in table {
            assert_eq!(glob(pattern, name), matches, "{pattern} {name}");
        }
    }
}
