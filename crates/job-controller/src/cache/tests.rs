use super::*;
use proptest::prelude::*;

impl Cache {
    /// Counts, lists and indexes agree.
    pub(crate) fn check(&self) {
        let mut free = 0;
        let mut at = self.free.unwrap_or(Slot::NONE);
        while at != Slot::NONE {
            assert_eq!(self.message(at).state, State::Free);
            free += 1;
            at = self.message(at).next;
        }
        assert_eq!(self.count + free, self.messages.len());
        assert_eq!(self.index.len(), self.count);
        for (n, lists) in self.channels.iter().enumerate() {
            let channel = ChannelId(u16::try_from(n).unwrap());
            let mine: Vec<_> = self
                .slots_from(0, usize::MAX)
                .0
                .filter(|slot| self.channel_of(*slot) == channel)
                .collect();
            let states = |wanted: fn(&State) -> bool| {
                mine.iter()
                    .filter(|slot| wanted(&self.message(**slot).state))
                    .count()
            };
            assert_eq!(lists.messages as usize, mine.len());
            let waiting = states(|state| *state == State::Waiting);
            assert_eq!(lists.waiting_count as usize, waiting);
            assert_eq!(self.all_waiting(channel).len(), waiting);
            let suspects = states(|state| *state == State::Suspect);
            assert_eq!(self.suspects(channel) as usize, suspects);
            let ready = states(|state| matches!(state, State::Ready(_)));
            assert_eq!(lists.ready_count as usize, ready);
            let by_queue: u32 = self.queues_of(channel).map(|(_, q)| q.ready_count).sum();
            assert_eq!(by_queue as usize, ready);
            for slot in mine {
                let unique = self.message(slot).unique.as_str().to_owned();
                assert_eq!(self.find(channel, &unique), Some(slot));
            }
        }
    }
}

fn place(n: u32) -> Place {
    Place::parse(&format!("{:03}/ZZa{n:010}.00", n % 20)).unwrap()
}

#[test]
fn a_message_is_found_by_its_unique_part_in_its_channel_only() {
    let mut cache = Cache::default();
    cache.add_channel(ChannelId(1));
    let slot = cache.insert(ChannelId(1), "a.example", &place(7));
    assert_eq!(cache.find(ChannelId(1), "a0000000007"), Some(slot));
    assert_eq!(cache.find(ChannelId(0), "a0000000007"), None);
    let renamed = place(7).renamed(place(7).file.with_attempts(3));
    cache.rename(slot, &renamed);
    assert_eq!(cache.find(ChannelId(1), "a0000000007"), Some(slot));
    assert_eq!(cache.message(slot).place(), Some(renamed));
}

#[test]
fn an_empty_queue_is_given_back() {
    let mut cache = Cache::default();
    cache.add_channel(ChannelId(0));
    for round in 0..3 {
        let slot = cache.insert(ChannelId(0), &format!("host{round}"), &place(round));
        cache.make_ready(slot, Rank::RELEASED);
        cache.remove(slot);
        assert_eq!(
            cache.find_queue(ChannelId(0), &format!("host{round}")),
            None
        );
    }
    assert_eq!(cache.queues.len(), 1);
    assert_eq!(cache.messages.len(), 1);
    cache.check();
}

#[test]
fn a_million_messages_on_a_thousand_hosts_cost_under_a_hundred_bytes_each() {
    let mut cache = Cache::default();
    cache.add_channel(ChannelId(0));
    let count = 1_000_000;
    for n in 0..count {
        let slot = cache.insert(
            ChannelId(0),
            &format!("host{}.example", n % 1_000),
            &place(n),
        );
        cache.make_waiting(slot, n / 70);
    }
    let bytes = cache.messages.len() * size_of::<Message>()
        + cache.index.allocation_size()
        + cache.queue_index.allocation_size()
        + cache.queues.len() * (size_of::<HostQueue>() + 64)
        + cache.channels[0].waiting.len() * 64;
    assert!(bytes / count as usize <= 100, "{}", bytes / count as usize);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn lists_and_counts_agree_after_any_sequence(
        steps in prop::collection::vec((0u32..12, 0u8..6, 0u32..4), 1..120)
    ) {
        let mut cache = Cache::default();
        cache.add_channel(ChannelId(2));
        for (n, what, detail) in steps {
            let channel = ChannelId(u16::try_from(n % 3).unwrap());
            let unique = place(n).file.unique().to_owned();
            let slot = match cache.find(channel, &unique) {
                Some(slot) => slot,
                None => cache.insert(channel, &format!("h{detail}"), &place(n)),
            };
            match what {
                0 => cache.make_ready(slot, Rank::RELEASED),
                1 => cache.make_ready(slot, Rank::new(
                    mta_envelope::envelope::Priority::ALL[detail as usize], true)),
                2 => cache.make_waiting(slot, detail),
                3 => cache.make_suspect(slot),
                4 => cache.detach(slot),
                _ => cache.remove(slot),
            }
            cache.check();
        }
    }
}
