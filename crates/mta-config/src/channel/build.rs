//! Putting a channel together from its words, in the order in which they are said.

use super::{Channel, ChannelOption, Options};
use crate::value::Value;
use mta_envelope::names::ChannelName;
use std::collections::BTreeMap;

/// Retry intervals in minutes when nothing is said: urgent, normal, nonurgent and below.
const BACKOFF: [[u32; 7]; 3] = [
    [30, 60, 60, 120, 120, 120, 240],
    [60, 120, 120, 240, 240, 240, 480],
    [120, 240, 240, 480, 480, 480, 960],
];

/// Ages of warnings and of the return when neither the channel nor `l` says any.
const NOTICES: [u32; 4] = [3, 6, 9, 12];

/// Settings as they accumulate; the later of two contradicting words wins.
type Settings = BTreeMap<ChannelOption, Value>;

/// What `defaults` blocks have said so far; an empty one is what `nodefaults` leaves.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    settings: Settings,
}

impl Defaults {
    /// Adds a word.
    pub fn set(&mut self, option: ChannelOption, value: Value) {
        set(&mut self.settings, option, value);
    }
}

/// A channel in the making.
#[derive(Debug)]
pub struct ChannelBuilder {
    name: ChannelName,
    settings: Settings,
    official_host: String,
    local_host_alias: Option<String>,
    hosts: Vec<(String, Option<String>)>,
    options: BTreeMap<String, String>,
    group_words: Vec<String>,
}

impl ChannelBuilder {
    /// Starts a channel with what `defaults` say.
    #[must_use]
    pub fn new(name: ChannelName, defaults: &Defaults) -> Self {
        Self {
            name,
            settings: defaults.settings.clone(),
            official_host: String::new(),
            local_host_alias: None,
            hosts: Vec::new(),
            options: BTreeMap::new(),
            group_words: Vec::new(),
        }
    }

    /// Adds a word.
    pub fn set(&mut self, option: ChannelOption, value: Value) {
        set(&mut self.settings, option, value);
    }

    /// Adds a word that is no option.
    pub fn group_word(&mut self, word: &str) {
        self.group_words.push(word.to_owned());
    }

    /// Sets the official host name.
    pub fn official_host(&mut self, host: &str) {
        host.clone_into(&mut self.official_host);
    }

    /// Sets the name this machine uses toward the channel.
    pub fn local_host_alias(&mut self, host: &str) {
        self.local_host_alias = Some(host.to_owned());
    }

    /// Adds a host name, with its proper name if it has one.
    pub fn host(&mut self, host: &str, proper: Option<&str>) {
        self.hosts
            .push((host.to_owned(), proper.map(str::to_owned)));
    }

    /// Sets an option of the option file.
    pub fn option(&mut self, name: &str, value: &str) {
        self.options
            .insert(name.to_ascii_uppercase(), value.to_owned());
    }

    /// The ages said for the channel itself, as `l` lends them to others.
    #[must_use]
    pub fn notices(&self) -> Option<Vec<u32>> {
        numbers(&self.settings, ChannelOption::Notices).cloned()
    }

    /// Ends the channel; `lent` are the `notices` of `l`.
    #[must_use]
    pub fn finish(mut self, lent: Option<&[u32]>) -> Channel {
        use ChannelOption::{
            Backoff, Nonurgentbackoff, Nonurgentnotices, Normalbackoff, Normalnotices, Notices,
            Urgentbackoff, Urgentnotices,
        };
        warnings_follow_failures(&mut self.settings);
        let settings = &self.settings;
        let list = |specific, general: ChannelOption, fallback: &[u32]| {
            numbers(settings, specific)
                .or_else(|| numbers(settings, general))
                .map_or_else(|| fallback.to_vec(), Clone::clone)
        };
        let backoff = |specific, class: usize| {
            list(
                specific,
                Backoff,
                &BACKOFF[class].map(|minutes| minutes * 60),
            )
        };
        let notices = |specific| list(specific, Notices, lent.unwrap_or(&NOTICES));
        let said = Options {
            backoff: [
                backoff(Urgentbackoff, 0),
                backoff(Normalbackoff, 1),
                backoff(Nonurgentbackoff, 2),
            ],
            notices: [
                notices(Urgentnotices),
                notices(Normalnotices),
                notices(Nonurgentnotices),
            ],
            settings: self.settings,
        };
        Channel {
            name: self.name,
            official_host: self.official_host,
            local_host_alias: self.local_host_alias,
            hosts: self.hosts,
            said: said.into(),
            options: self.options,
            group_words: self.group_words,
        }
    }
}

fn numbers(settings: &Settings, option: ChannelOption) -> Option<&Vec<u32>> {
    match settings.get(&option) {
        Some(Value::Numbers(numbers)) => Some(numbers),
        _ => None,
    }
}

impl ChannelOption {
    /// The special lists that a general one replaces.
    const fn replaced(self) -> &'static [Self] {
        match self {
            Self::Backoff => &[
                Self::Urgentbackoff,
                Self::Normalbackoff,
                Self::Nonurgentbackoff,
            ],
            Self::Notices => &[
                Self::Urgentnotices,
                Self::Normalnotices,
                Self::Nonurgentnotices,
            ],
            _ => &[],
        }
    }

    /// Whether nothing is left of `earlier` when this word is said after it: it is the same, or
    /// it contradicts, or it is a special list and this one is for all, or what it is short for
    /// is said anew.
    #[must_use]
    pub fn overrides(self, earlier: Self) -> bool {
        let (new, old) = (self.row(), earlier.row());
        let same_group = |a: &super::Row, b: &super::Row| !a.group.is_empty() && a.group == b.group;
        let members = || new.short_for.iter();
        self == earlier
            || same_group(new, old)
            || self.replaced().contains(&earlier)
            || members().any(|member| same_group(member.row(), old))
            || members().any(|member| old.short_for.contains(member))
    }
}

/// Says a word: contradicting ones go, and so do the special lists that a general one replaces.
fn set(settings: &mut Settings, option: ChannelOption, value: Value) {
    let row = option.row();
    for member in row.short_for {
        set(settings, *member, Value::Present);
    }
    if !row.short_for.is_empty() {
        return;
    }
    if !row.group.is_empty() {
        settings.retain(|other, _| other.row().group != row.group);
    }
    for special in option.replaced() {
        settings.remove(special);
    }
    settings.insert(option, value);
}

/// Postmaster's copies of warnings follow those of failures unless something else was said.
fn warnings_follow_failures(settings: &mut Settings) {
    use ChannelOption::{
        Copysendpost, Copywarnpost, Errsendpost, Errwarnpost, Nosendpost, Nowarnpost, Sendpost,
        Warnpost,
    };
    let said = settings
        .keys()
        .any(|set| set.row().group == Warnpost.row().group);
    if said {
        return;
    }
    let twins = [
        (Sendpost, Warnpost),
        (Copysendpost, Copywarnpost),
        (Errsendpost, Errwarnpost),
        (Nosendpost, Nowarnpost),
    ];
    let twin = twins
        .iter()
        .find(|(failure, _)| settings.contains_key(failure));
    let warning = twin.map_or(Nowarnpost, |(_, warning)| *warning);
    settings.insert(warning, Value::Present);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::ROWS;
    use mta_envelope::envelope::Priority;
    use std::time::Duration;

    fn channel(defaults: &[(&str, &str)], words: &[(&str, &str)]) -> Channel {
        let option = |name: &str| ChannelOption::by_name(name).unwrap();
        let value = |name: &str, text: &str| option(name).row().kind.read(text).unwrap();
        let mut built = Defaults::default();
        for (name, text) in defaults {
            built.set(option(name), value(name, text));
        }
        let mut builder = ChannelBuilder::new(ChannelName::new("tcp_test").unwrap(), &built);
        for (name, text) in words {
            builder.set(option(name), value(name, text));
        }
        builder.finish(None)
    }

    #[test]
    fn rows_stand_where_their_options_point() {
        let mut defaults: Vec<&str> = Vec::new();
        for (position, row) in ROWS.iter().enumerate() {
            assert_eq!(row.option as usize, position, "{}", row.name);
            assert_eq!(ChannelOption::by_name(row.name), Some(row.option));
            if row.group_default {
                assert!(
                    !defaults.contains(&row.group),
                    "two defaults: {}",
                    row.group
                );
                defaults.push(row.group);
            }
        }
    }

    #[test]
    fn the_later_of_two_contradicting_words_wins() {
        let switched = channel(
            &[("noswitchchannel", ""), ("maxjobs", "7")],
            &[("switchchannel", ""), ("single", ""), ("single_sys", "")],
        );
        assert!(switched.is(ChannelOption::Switchchannel));
        assert!(!switched.is(ChannelOption::Noswitchchannel));
        assert!(!switched.is(ChannelOption::Allowswitchchannel));
        assert!(switched.is(ChannelOption::SingleSys) && !switched.is(ChannelOption::Single));
        assert_eq!(switched.maxjobs(), 7);
    }

    #[test]
    fn group_defaults_hold_when_nothing_is_said() {
        let plain = channel(&[], &[]);
        assert!(plain.is(ChannelOption::Allowswitchchannel));
        assert!(plain.is(ChannelOption::Multiple) && plain.is(ChannelOption::Nosaslserver));
        assert!(plain.is(ChannelOption::Nowarnpost) && plain.is(ChannelOption::Nosendpost));
        assert_eq!(plain.pool(), None);
    }

    #[test]
    fn short_words_set_both_halves() {
        let both = channel(&[], &[("musttls", ""), ("maytlsclient", "")]);
        assert!(both.is(ChannelOption::Musttlsserver) && both.is(ChannelOption::Maytlsclient));
    }

    #[test]
    fn a_general_list_replaces_special_ones_said_before() {
        let notices = channel(&[], &[("urgentnotices", "1"), ("notices", "1 2")]);
        assert_eq!(notices.notices(Priority::Urgent), [1, 2]);
        let notices = channel(&[], &[("notices", "1 2"), ("urgentnotices", "1")]);
        assert_eq!(notices.notices(Priority::Urgent), [1]);
        assert_eq!(notices.notices(Priority::ThirdClass), [1, 2]);
        let plain = channel(&[], &[]);
        assert_eq!(plain.notices(Priority::Normal), NOTICES);
        let backoff = channel(&[], &[("backoff", "pt5m pt1h")]);
        assert_eq!(
            backoff.backoff(Priority::Normal),
            [Duration::from_secs(300), Duration::from_secs(3600)]
        );
        assert_eq!(
            plain.backoff(Priority::Urgent)[0],
            Duration::from_secs(1800)
        );
    }

    #[test]
    fn warnings_follow_the_failure_setting() {
        assert!(channel(&[], &[("copysendpost", "")]).is(ChannelOption::Copywarnpost));
        let said = channel(&[], &[("copysendpost", ""), ("nowarnpost", "")]);
        assert!(said.is(ChannelOption::Nowarnpost));
    }
}
