//! From accepted recipients to message files: who shares a file with whom.
//!
//! Recipients of one channel share a file unless its options say otherwise: `single_sys` wants a
//! file for each host, `single` one for each recipient, `addrsperfile` caps them. What is held,
//! and what has another envelope From, always lies apart.

use super::list_header::ListHeader;
use mta_config::{Channel, ChannelOption, Config};
use mta_envelope::address::Address;
use mta_envelope::envelope::{Notify, Pending, Recipient};
use mta_envelope::names::ChannelName;
use std::collections::HashMap;
use std::sync::Arc;

/// One recipient, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addressed {
    /// The channel.
    pub channel: ChannelName,
    /// The recipient of the file.
    pub recipient: Recipient,
    /// Why it is held, if it is.
    pub held: Option<String>,
    /// Another envelope From than the message's, if a list says so.
    pub sender: Option<Option<Address>>,
    /// What lists change in the header.
    pub list: Option<Arc<ListHeader>>,
}

/// The recipients of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// The channel in whose queue the file goes.
    pub channel: ChannelName,
    /// How many subdirectories that queue has.
    pub subdirs: u16,
    /// Whether the Job Controller sorts the channel by host.
    pub sorts_by_host: bool,
    /// Why the file is held, if it is.
    pub held: Option<String>,
    /// Another envelope From than the message's.
    pub sender: Option<Option<Address>>,
    /// What lists change in the header.
    pub list: Option<Arc<ListHeader>>,
    /// The recipients, at least one.
    pub recipients: Vec<Recipient>,
}

/// What recipients of one file have in common.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    channel: ChannelName,
    held: Option<String>,
    sender: Option<Option<Address>>,
    list: Option<Arc<ListHeader>>,
    host: Option<String>,
}

/// Puts recipients into files, in the order in which they came.
#[must_use]
pub(super) fn split(config: &Config, addressed: Vec<Addressed>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut open: HashMap<Key, usize> = HashMap::new();
    for one in addressed {
        let channel = config.channel(&one.channel);
        let most = most_recipients(channel);
        let by_host = sorts_by_host(channel);
        let key = Key {
            host: by_host.then(|| one.recipient.sort_host()),
            channel: one.channel.clone(),
            held: one.held.clone(),
            sender: one.sender.clone(),
            list: one.list.clone(),
        };
        let known = open
            .get(&key)
            .filter(|at| groups[**at].recipients.len() < most);
        if let Some(at) = known {
            groups[*at].recipients.push(one.recipient);
            continue;
        }
        open.insert(key, groups.len());
        groups.push(Group {
            channel: one.channel,
            subdirs: channel.map_or(0, Channel::subdirs),
            sorts_by_host: by_host,
            held: one.held,
            sender: one.sender,
            list: one.list,
            recipients: vec![one.recipient],
        });
    }
    groups
}

/// Most files that a message gets at once: they stay open until all of them are safe.
const MAX_FILES: usize = 200;

/// Files in which the recipients of the other files wait for their turn, about.
const MAX_PORTIONS: usize = 50;

/// Leaves the recipients of all files beyond [`MAX_FILES`] to the channel `detour`, which sends
/// them on in portions. They passed every check, and nobody asks again.
#[must_use]
pub(super) fn bounded(mut groups: Vec<Group>, detour: Option<&Channel>) -> Vec<Group> {
    let Some(detour) = detour.filter(|_| groups.len() > MAX_FILES) else {
        return groups;
    };
    let rest = groups.split_off(MAX_FILES);
    let portion = MAX_FILES.max(rest.len().div_ceil(MAX_PORTIONS));
    // By hold, list sender and list header: which group takes more, and how many files it stands for.
    type Key = (
        Option<String>,
        Option<Option<Address>>,
        Option<Arc<ListHeader>>,
    );
    let mut open: HashMap<Key, (usize, usize)> = HashMap::new();
    for mut group in rest {
        if group.channel == *detour.name() {
            groups.push(group);
            continue;
        }
        for recipient in &mut group.recipients {
            recipient.pending.get_or_insert(Pending::Checked);
        }
        let key = (group.held.clone(), group.sender.clone(), group.list.clone());
        match open.get_mut(&key).filter(|(_, files)| *files < portion) {
            Some((at, files)) => {
                groups[*at].recipients.append(&mut group.recipients);
                *files += 1;
            }
            None => {
                open.insert(key, (groups.len(), 1));
                groups.push(Group {
                    channel: detour.name().clone(),
                    subdirs: detour.subdirs(),
                    sorts_by_host: sorts_by_host(Some(detour)),
                    ..group
                });
            }
        }
    }
    groups
}

/// Where a copy of the message comes to lie.
#[derive(PartialEq, Eq, Hash)]
struct Mailplace {
    channel: ChannelName,
    mailbox: String,
    store_options: Option<String>,
    pending: Option<Pending>,
}

/// Merges recipients that would get the same message twice in the same place. What one of them
/// wants to be told is told; the first one's original address stays. Somebody who is addressed
/// directly is served as that, whatever a list wants for its members.
pub(super) fn merge(addressed: &mut Vec<Addressed>) {
    let mut first: HashMap<Mailplace, usize> = HashMap::new();
    let mut kept: Vec<Addressed> = Vec::with_capacity(addressed.len());
    for one in addressed.drain(..) {
        let address = &one.recipient.address;
        let mailbox = match address.as_str().rsplit_once('@') {
            Some((local, domain)) => format!("{local}@{}", domain.to_ascii_lowercase()),
            None => address.as_str().to_owned(),
        };
        let place = Mailplace {
            channel: one.channel.clone(),
            mailbox,
            store_options: one.recipient.store_options.clone(),
            pending: one.recipient.pending.clone(),
        };
        match first.get(&place) {
            Some(at) => kept[*at].merge(one),
            None => {
                first.insert(place, kept.len());
                kept.push(one);
            }
        }
    }
    *addressed = kept;
}

impl Addressed {
    /// Takes in another copy for the same place.
    fn merge(&mut self, other: Self) {
        self.held = self.held.take().filter(|_| other.held.is_some());
        self.list = self.list.take().filter(|_| other.list.is_some());
        match (&self.sender, &other.sender) {
            (Some(_), None) => {
                self.sender = None;
                self.recipient.original = other.recipient.original;
                self.recipient.notify = other.recipient.notify;
            }
            (None, Some(_)) => {}
            (None, None) | (Some(_), Some(_)) => {
                self.recipient.notify = both(self.recipient.notify, other.recipient.notify);
            }
        }
    }
}

/// NOTIFY for somebody who is addressed twice: NEVER only if both say so.
const fn both(a: Notify, b: Notify) -> Notify {
    let bits = a.0 | b.0;
    if a.0 & b.0 & Notify::NEVER != 0 {
        Notify(bits)
    } else {
        Notify(bits & !Notify::NEVER)
    }
}

fn most_recipients(channel: Option<&Channel>) -> usize {
    let Some(channel) = channel else {
        return usize::MAX;
    };
    if channel.is(ChannelOption::Single) {
        return 1;
    }
    channel
        .limit(ChannelOption::Addrsperfile)
        .filter(|limit| *limit > 0)
        .map_or(usize::MAX, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        })
}

/// Whether files of this channel carry one destination host each.
#[must_use]
pub(super) fn sorts_by_host(channel: Option<&Channel>) -> bool {
    channel.is_some_and(|channel| channel.is(ChannelOption::SingleSys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enqueue::test_config;
    use proptest::prelude::*;

    fn addressed(channel: &str, address: &str) -> Addressed {
        Addressed {
            channel: ChannelName::new(channel).unwrap(),
            recipient: Recipient::new(Address::parse(address).unwrap()),
            held: None,
            sender: None,
            list: None,
        }
    }

    #[test]
    fn those_addressed_twice_are_told_what_either_wants() {
        let mut twice = vec![addressed("ims-ms", "a@X"), addressed("ims-ms", "a@x")];
        twice[0].recipient.notify = Notify(Notify::NEVER | Notify::EXPLICIT);
        twice[1].recipient.notify = Notify(Notify::SUCCESS | Notify::EXPLICIT);
        merge(&mut twice);
        assert_eq!(twice.len(), 1);
        assert_eq!(
            twice[0].recipient.notify,
            Notify(Notify::SUCCESS | Notify::EXPLICIT)
        );
    }

    #[test]
    fn who_is_addressed_directly_is_no_mere_member_of_a_list() {
        let direct = Recipient {
            original: Some(("rfc822".into(), "a@y".into())),
            notify: Notify(Notify::SUCCESS | Notify::EXPLICIT),
            ..addressed("ims-ms", "a@x").recipient
        };
        let direct = Addressed {
            recipient: direct,
            ..addressed("ims-ms", "a@x")
        };
        let member = Addressed {
            held: Some("reason".into()),
            sender: Some(None),
            ..addressed("ims-ms", "a@x")
        };
        for order in [[&member, &direct], [&direct, &member]] {
            let mut both: Vec<Addressed> = order.into_iter().cloned().collect();
            merge(&mut both);
            assert_eq!(both, std::slice::from_ref(&direct));
        }
    }

    #[test]
    fn what_is_held_lies_apart() {
        let mut list = vec![addressed("ims-ms", "a@x"), addressed("ims-ms", "b@x")];
        list[1].held = Some("reason".into());
        assert_eq!(split(&test_config(), list).len(), 2);
    }

    #[test]
    fn more_files_than_may_be_open_go_on_in_portions() {
        let config = test_config();
        let name = ChannelName::new("reprocess").unwrap();
        let detour = config.channel(&name);
        for (hosts, files) in [(200, 200), (201, 201), (400, 201), (4500, 200 + 22)] {
            let list: Vec<Addressed> = (0..hosts)
                .map(|n| addressed("tcp_local", &format!("a@h{n}")))
                .collect();
            let groups = bounded(split(&config, list), detour);
            assert_eq!(groups.len(), files);
            let all: usize = groups.iter().map(|group| group.recipients.len()).sum();
            assert_eq!(all, hosts);
            for group in &groups[MAX_FILES..] {
                assert_eq!(group.channel, name);
                let checked = |one: &Recipient| one.pending == Some(Pending::Checked);
                assert!(group.recipients.iter().all(checked));
            }
        }
        let list: Vec<Addressed> = (0..300)
            .map(|n| addressed("tcp_local", &format!("a@h{n}")))
            .collect();
        assert_eq!(bounded(split(&config, list), None).len(), 300);
    }

    proptest! {
        #[test]
        fn everybody_is_in_exactly_one_file(
            list in proptest::collection::vec(("ims-ms|tcp_local|hold", "[a-c]@[x-z]"), 0..30),
        ) {
            let config = test_config();
            let all: Vec<Addressed> = list
                .iter()
                .map(|(channel, address)| addressed(channel, address))
                .collect();
            let groups = split(&config, all.clone());
            let count: usize = groups.iter().map(|group| group.recipients.len()).sum();
            prop_assert_eq!(count, all.len());
            for group in &groups {
                prop_assert!(!group.recipients.is_empty());
                let host = group.recipients[0].sort_host();
                let alone = !group.sorts_by_host
                    || group.recipients.iter().all(|one| one.sort_host() == host);
                prop_assert!(alone);
            }
        }
    }
}
