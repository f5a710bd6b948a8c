//! Events in any order, sensible or not: whatever is said, no list breaks, no limit is passed and
//! no message is in two hands.

use super::*;
use mta_ipc::job_controller::Change;
use proptest::prelude::*;

const CHANNELS: [&str; 5] = ["tcp_local", "tcp_intranet", "ims-ms", "l", "unheard_of"];

fn any_channel() -> impl Strategy<Value = ChannelName> {
    prop::sample::select(&CHANNELS).prop_map(name)
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let numbers = (0..12_u32, 0..5_usize, 0..3_u16, 0..4_u8, 0..400_u64);
    (any_channel(), numbers).prop_map(|(channel, (n, priority, attempts, host, later))| {
        let mut entry = entry(channel.as_str(), n, &format!("h{host}.example"));
        entry.place = place(n).renamed(place(n).file.with_attempts(attempts));
        entry.priority = Priority::ALL[priority];
        entry.not_before = (later > 300).then_some(EPOCH + later);
        entry
    })
}

fn any_settlement() -> impl Strategy<Value = Settlement> {
    prop_oneof![
        Just(Settlement::Removed),
        Just(Settlement::Gone),
        Just(Settlement::Busy),
        Just(Settlement::Kept),
        Just(Settlement::Died),
        any_entry().prop_map(|entry| Settlement::Split { entry }),
        any_entry().prop_map(|entry| Settlement::Held { place: entry.place }),
        (any_entry(), prop::option::of(0..50_u32)).prop_map(|(entry, retry_in)| {
            Settlement::Deferred {
                place: entry.place,
                retry_in,
            }
        }),
    ]
}

fn any_done() -> impl Strategy<Value = Vec<(WorkId, Settlement)>> {
    let one = ((0..40_u64).prop_map(WorkId), any_settlement());
    prop::collection::vec(one, 0..3)
}

fn any_job() -> impl Strategy<Value = JobId> {
    (1..12_u32).prop_map(JobId)
}

fn any_mail() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => prop::collection::vec(any_entry(), 1..5).prop_map(Event::Enqueued),
        1 => any_entry().prop_map(Event::Released),
        1 => any_entry().prop_map(|entry| Event::Forgotten {
            channel: entry.channel,
            place: entry.place,
        }),
        1 => (any_entry(), 0..900_u64).prop_map(|(entry, ago)| {
            let tried = EPOCH - ago;
            Event::Found(vec![Found { entry, tried, deaths: 0 }])
        }),
        1 => Just(Event::ScanDone { complete: true }),
        1 => Just(Event::Sync),
    ]
}

fn any_job_event() -> impl Strategy<Value = Event> {
    let arrival = (prop::option::of(any_job()), any_channel(), 0..5_u16);
    prop_oneof![
        4 => arrival.prop_map(|(job, channel, threads)| Event::Arrived(Arrival {
            job,
            channel,
            pid: 7,
            threads,
        })),
        8 => (any_job(), 0..4_u16, any_done()).prop_map(|(job, thread, done)| Event::Next {
            job,
            thread,
            host: Some(format!("h{thread}.example")),
            done,
        }),
        2 => (any_job(), any_done()).prop_map(|(job, done)| Event::Settled { job, done }),
        1 => any_job().prop_map(|job| Event::Started { job, pid: 9 }),
        1 => any_job().prop_map(|job| Event::StartFailed { job, reason: String::new() }),
        1 => any_job().prop_map(Event::Lost),
        1 => (any_job(), any::<bool>()).prop_map(|(job, clean)| Event::Exited {
            job,
            how: String::new(),
            clean,
        }),
        1 => ((0..40_u64).prop_map(WorkId), any_settlement())
            .prop_map(|(work, settlement)| Event::Amended { work, settlement }),
    ]
}

fn any_order() -> impl Strategy<Value = Event> {
    prop_oneof![
        prop::collection::btree_set(any_channel(), 0..3).prop_map(Event::HoldList),
        (any_channel(), any::<bool>()).prop_map(|(channel, poll)| Event::Submit { channel, poll }),
        (any_channel(), 0..4_u32)
            .prop_map(|(channel, n)| Event::Change(Change::ThreadDepth { channel, n })),
        (0..30_u64).prop_map(|n| Event::Change(Change::MaxMessages(n))),
        Just(Event::Reloaded),
        Just(Event::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_that_is_said_breaks_the_scheduler(
        events in prop::collection::vec(
            (
                prop_oneof![3 => any_mail(), 6 => any_job_event(), 2 => any_order()],
                prop_oneof![6 => 0..3_000_u64, 1 => 0..4_000_000_u64],
                prop_oneof![20 => Just(0_i64), 1 => -9_000_000..9_000_000_i64],
            ),
            1..150,
        )
    ) {
        let mut bench = Bench::new(settings());
        for (event, passed, jump) in events {
            bench.elapsed += passed;
            bench.wall += jump;
            // `tell` checks all invariants.
            bench.tell(event);
            let next = bench.scheduler.next_tick();
            prop_assert!(next >= bench.elapsed);
            if next == bench.elapsed {
                bench.tell(Event::Tick);
            }
        }
    }
}
