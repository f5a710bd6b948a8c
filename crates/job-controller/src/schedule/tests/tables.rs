//! What single events cause.

use super::*;

#[test]
fn first_message_starts_a_job_that_gets_it() {
    let mut bench = Bench::new(settings());
    assert_eq!(
        bench.enqueue(&[entry("tcp_local", 1, "a.example")]),
        ["start 1 tcp_local"]
    );
    assert_eq!(bench.arrive(1, "tcp_local", 2), ["welcome 1"]);
    assert_eq!(bench.next(1, 0), ["give 1.0 1 a.example"]);
    assert!(bench.next(1, 1).is_empty());
    assert!(bench.done(1, 0, Settlement::Removed).is_empty());
    assert_eq!(bench.scheduler.totals().messages, 0);
}

#[test]
fn a_waiting_thread_gets_new_mail_at_once() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    bench.arrive(1, "ims-ms", 2);
    bench.next(1, 0);
    bench.next(1, 1);
    assert_eq!(bench.enqueue(&[entry("ims-ms", 2, "x")]), ["give 1.1 2 "]);
}

#[test]
fn one_thread_per_host_until_the_backlog_is_deep() {
    let mut bench = Bench::new(settings());
    let mail: Vec<_> = (0..12)
        .map(|n| entry("tcp_local", n, "A.example"))
        .collect();
    bench.enqueue(&mail[..9]);
    bench.arrive(1, "tcp_local", 3);
    assert_eq!(bench.next(1, 0), ["give 1.0 0 a.example"]);
    assert!(bench.next(1, 1).is_empty(), "eight more are not worth it");
    assert_eq!(
        bench.enqueue(&mail[9..]),
        ["give 1.1 1 a.example"],
        "eleven are"
    );
    assert!(bench.next(1, 2).is_empty());
}

#[test]
fn a_dead_host_delays_no_other() {
    let mut bench = Bench::new(settings());
    let mail: Vec<_> = (0..8)
        .map(|n| {
            entry(
                "tcp_local",
                n,
                if n < 6 { "dead.example" } else { "b.example" },
            )
        })
        .collect();
    bench.enqueue(&mail);
    bench.arrive(1, "tcp_local", 2);
    assert_eq!(bench.next(1, 0), ["give 1.0 0 dead.example"]);
    assert_eq!(bench.next(1, 1), ["give 1.1 6 b.example"]);
    assert_eq!(
        bench.done(1, 1, Settlement::Removed),
        ["give 1.1 7 b.example"]
    );
}

#[test]
fn a_thread_stays_with_its_host_but_not_for_ever() {
    let mut bench = Bench::new(settings());
    let mut mail: Vec<_> = (0..30)
        .map(|n| entry("tcp_local", n, "a.example"))
        .collect();
    mail.extend((30..60).map(|n| entry("tcp_local", n, "b.example")));
    bench.enqueue(&mail);
    bench.arrive(1, "tcp_local", 1);
    let mut hosts = Vec::new();
    let mut words = bench.next(1, 0);
    for _ in 0..25 {
        let host = words[0].rsplit_once(' ').unwrap().1.to_owned();
        let work = bench.works[&(1, 0)];
        hosts.push(host.clone());
        words = bench.ask(1, 0, Some(&host), vec![(work, Settlement::Removed)]);
    }
    let switches = hosts.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(switches, 2, "{hosts:?}");
}

#[test]
fn urgent_mail_goes_first_and_released_mail_before_it() {
    let mut bench = Bench::new(settings());
    let mut urgent = entry("ims-ms", 2, "");
    urgent.priority = Priority::Urgent;
    bench.enqueue(&[entry("ims-ms", 1, ""), urgent]);
    bench.tell(Event::Released(entry("ims-ms", 3, "")));
    bench.arrive(1, "ims-ms", 1);
    assert_eq!(bench.next(1, 0), ["give 1.0 3 "]);
    assert_eq!(bench.done(1, 0, Settlement::Removed), ["give 1.0 2 "]);
    assert_eq!(bench.done(1, 0, Settlement::Removed), ["give 1.0 1 "]);
}

#[test]
fn old_mail_follows_new_mail_without_being_starved() {
    let mut bench = Bench::new(settings());
    let old = |n| Found {
        entry: entry("ims-ms", n, ""),
        tried: EPOCH,
        deaths: 0,
    };
    bench.tell(Event::Found((0..20).map(old).collect()));
    let new: Vec<_> = (100..140).map(|n| entry("ims-ms", n, "")).collect();
    bench.enqueue(&new);
    bench.arrive(1, "ims-ms", 1);
    let mut order = bench.next(1, 0);
    for _ in 0..23 {
        order.extend(bench.done(1, 0, Settlement::Removed));
    }
    let is_old = |word: &&String| word.split(' ').nth(2).is_some_and(|n| n.len() < 3);
    let old_ones = order.iter().filter(is_old).count();
    assert_eq!(order[0], "give 1.0 100 ");
    assert_eq!(old_ones, 3, "{order:?}");
}

#[test]
fn a_deferred_message_waits_as_backoff_says() {
    let mut settings = settings();
    settings.classes[1].max_life_time = 100_000;
    let mut bench = Bench::new(settings);
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    bench.arrive(1, "ims-ms", 1);
    bench.next(1, 0);
    for (attempt, wait) in [(1, 600), (2, 1_200), (3, 3_600), (4, 3_600)] {
        assert!(bench.done(1, 0, deferred(1, attempt)).is_empty());
        // Kept busy meanwhile, so that the job does not end for idleness.
        for step in 0..wait / 100 {
            let n = 1_000 * u32::from(attempt) + step;
            bench.enqueue(&[entry("ims-ms", n, "")]);
            bench.done(1, 0, Settlement::Removed);
            let words = bench.pass(99);
            assert!(words.is_empty(), "{attempt} {step}: {words:?}");
            bench.elapsed += 1_000;
        }
        assert_eq!(bench.pass(1), ["give 1.0 1 "], "attempt {attempt}");
    }
}

#[test]
fn retry_in_overrides_backoff_and_split_is_eligible_at_once() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    bench.arrive(1, "ims-ms", 1);
    bench.next(1, 0);
    let Settlement::Deferred { place, .. } = deferred(1, 1) else {
        unreachable!("made above");
    };
    let soon = Settlement::Deferred {
        place,
        retry_in: Some(30),
    };
    bench.done(1, 0, soon);
    assert_eq!(bench.pass(31), ["give 1.0 1 "]);
    let rest = Settlement::Split {
        entry: entry("ims-ms", 2, ""),
    };
    assert_eq!(bench.done(1, 0, rest), ["give 1.0 2 "]);
}

#[test]
fn restart_goes_on_with_what_is_left_of_each_wait() {
    let mut bench = Bench::new(settings());
    let file = |n: u32, attempts, ago| {
        let mut entry = entry("ims-ms", n, "");
        entry.place = place(n).renamed(place(n).file.with_attempts(attempts));
        Found {
            entry,
            tried: EPOCH - ago,
            deaths: 0,
        }
    };
    let words = bench.tell(Event::Found(vec![
        file(1, 1, 580),
        file(2, 2, 700),
        file(3, 0, 0),
        file(4, 1, 9_000),
    ]));
    assert_eq!(words, ["start 1 ims-ms"]);
    bench.arrive(1, "ims-ms", 1);
    assert_eq!(bench.next(1, 0), ["give 1.0 3 "]);
    assert_eq!(bench.done(1, 0, Settlement::Removed), ["give 1.0 4 "]);
    assert!(bench.done(1, 0, Settlement::Removed).is_empty());
    assert_eq!(bench.pass(21), ["give 1.0 1 "]);
    bench.done(1, 0, Settlement::Removed);
    let (view, _) = bench.scheduler.view(None, 0);
    let until = mta_ipc::job_controller::RowState::Waiting { until: EPOCH + 500 };
    assert_eq!(view[0].state, until);
}

#[test]
fn not_before_is_honoured_over_a_jump_of_the_clock() {
    let mut bench = Bench::new(settings());
    let mut later = entry("ims-ms", 1, "");
    later.not_before = Some(EPOCH + 100_000);
    assert!(bench.enqueue(&[later]).is_empty());
    bench.wall += 99_990;
    assert!(bench.tell(Event::Tick).is_empty());
    assert_eq!(bench.pass(11), ["start 1 ims-ms"]);
}

#[test]
fn a_jump_of_the_clock_moves_no_backoff() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    bench.arrive(1, "ims-ms", 1);
    bench.next(1, 0);
    bench.done(1, 0, deferred(1, 1));
    bench.wall += 365 * 86_400;
    assert!(bench.pass(100).is_empty());
    bench.wall -= 2 * 365 * 86_400;
    assert_eq!(bench.pass(21), ["exit 1.0"]);
    bench.end(1);
    assert_eq!(bench.pass(480), ["start 2 ims-ms"]);
}

#[test]
fn a_message_is_known_once_however_often_it_is_announced() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, ""), entry("ims-ms", 1, "")]);
    bench.tell(Event::Found(vec![Found {
        entry: entry("ims-ms", 1, ""),
        tried: EPOCH,
        deaths: 0,
    }]));
    assert_eq!(bench.scheduler.totals().messages, 1);
    bench.arrive(1, "ims-ms", 1);
    bench.next(1, 0);
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    assert_eq!(bench.scheduler.totals().messages, 1);
    bench.done(1, 0, deferred(1, 1));
    bench.tell(Event::Found(vec![Found {
        entry: entry("ims-ms", 1, ""),
        tried: EPOCH,
        deaths: 0,
    }]));
    let (view, _) = bench.scheduler.view(None, 0);
    assert!(view[0].place.file.as_str().starts_with("ZY"), "later truth");
}

#[test]
fn held_files_do_not_enter() {
    let mut bench = Bench::new(settings());
    let mut held = entry("ims-ms", 1, "");
    held.place = place(1).renamed(place(1).file.held());
    assert!(bench.enqueue(&[held]).is_empty());
    assert_eq!(bench.scheduler.totals().messages, 0);
}

#[test]
fn forgotten_messages_are_not_handed_out() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, ""), entry("ims-ms", 2, "")]);
    bench.arrive(1, "ims-ms", 1);
    bench.tell(Event::Forgotten {
        channel: name("ims-ms"),
        place: place(1),
    });
    assert_eq!(bench.next(1, 0), ["give 1.0 2 "]);
}

#[test]
fn busy_files_are_tried_again_soon_and_gone_ones_looked_for() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    bench.arrive(1, "ims-ms", 1);
    bench.next(1, 0);
    bench.done(1, 0, Settlement::Busy);
    assert_eq!(bench.pass(6), ["give 1.0 1 "]);
    bench.done(1, 0, Settlement::Gone);
    assert_eq!(bench.scheduler.totals().messages, 0);
    assert_eq!(bench.pass(62), ["scan ims-ms"]);
    bench.tell(Event::ScanDone { complete: true });
    // Another one soon after is looked for as well, only later.
    let words = bench.enqueue(&[entry("ims-ms", 2, "")]);
    assert_eq!(words, ["give 1.0 2 "]);
    bench.done(1, 0, Settlement::Gone);
    assert!(bench.pass(500).iter().all(|word| word != "scan ims-ms"));
    assert!(bench.pass(110).contains(&"scan ims-ms".to_owned()));
}

#[test]
fn a_stopped_channel_finishes_what_is_in_hand_and_rests() {
    let mut bench = Bench::new(settings());
    let mail: Vec<_> = (1..4).map(|n| entry("ims-ms", n, "")).collect();
    bench.enqueue(&mail);
    bench.arrive(1, "ims-ms", 2);
    bench.next(1, 0);
    bench.tell(Event::HoldList([name("ims-ms")].into()));
    assert_eq!(bench.done(1, 0, Settlement::Removed), ["exit 1.0"]);
    assert!(bench.end(1).is_empty());
    assert!(bench.enqueue(&[entry("ims-ms", 9, "")]).is_empty());
    assert!(bench.pass(1_000).is_empty());
    assert_eq!(
        bench.tell(Event::Submit {
            channel: name("ims-ms"),
            poll: false
        }),
        ["refuse"]
    );
    assert_eq!(
        bench.tell(Event::HoldList(BTreeSet::new())),
        ["start 2 ims-ms"]
    );
}

#[test]
fn a_run_job_serves_a_stopped_channel_once_through_and_ends() {
    let mut bench = Bench::new(settings());
    bench.tell(Event::HoldList([name("tcp_local")].into()));
    bench.enqueue(&[entry("tcp_local", 1, "a.example")]);
    let mut tried = entry("tcp_local", 2, "b.example");
    tried.place = place(2).renamed(place(2).file.with_attempts(1));
    let found = Found {
        entry: tried,
        tried: EPOCH,
        deaths: 0,
    };
    bench.tell(Event::Found(vec![found]));
    let run = Arrival {
        job: None,
        channel: name("tcp_local"),
        pid: 77,
        threads: 1,
    };
    assert_eq!(bench.tell(Event::Arrived(run)), ["welcome 1"]);
    assert_eq!(bench.next(1, 0), ["give 1.0 1 a.example"]);
    assert_eq!(bench.done(1, 0, deferred(1, 1)), ["give 1.0 2 b.example"]);
    assert_eq!(bench.done(1, 0, deferred(2, 2)), ["exit 1.0"]);
    assert!(bench.tell(Event::Lost(JobId(1))).is_empty());
    assert_eq!(bench.scheduler.totals().messages, 2);
}

#[test]
fn submit_tries_waiting_messages_at_once() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    bench.arrive(1, "ims-ms", 1);
    bench.next(1, 0);
    bench.done(1, 0, deferred(1, 1));
    let submit = Event::Submit {
        channel: name("ims-ms"),
        poll: false,
    };
    // By a job of its own, which remembers no host that did not answer.
    assert_eq!(bench.tell(submit), ["exit 1.0", "start 2 ims-ms"]);
    bench.arrive(2, "ims-ms", 1);
    assert_eq!(bench.next(2, 0), ["give 2.0 1 "]);
    let nobody = Event::Submit {
        channel: name("nobody"),
        poll: false,
    };
    assert_eq!(bench.tell(nobody), ["refuse"]);
    let poll = Event::Submit {
        channel: name("l"),
        poll: true,
    };
    assert_eq!(Bench::new(settings()).tell(poll), ["start 1 l"]);
}

#[test]
fn windows_hold_mail_back_until_they_open() {
    let mut settings = settings();
    // It is ten o'clock.
    settings.channels[2].windows[Priority::Nonurgent as usize] = Windows::parse("10:05-20:00");
    let mut bench = Bench::new(settings);
    let mut mail = entry("ims-ms", 1, "");
    mail.priority = Priority::Nonurgent;
    assert!(bench.enqueue(&[mail]).is_empty());
    assert_eq!(
        bench.scheduler.channel_jobs(None)[0].limit,
        "delivery window closed"
    );
    assert!(bench.pass(299).is_empty());
    assert_eq!(bench.pass(61), ["start 1 ims-ms"]);
}

#[test]
fn an_overflowed_cache_remembers_nothing_and_scans_when_half_empty() {
    let mut settings = settings();
    settings.max_messages = 10;
    let mut bench = Bench::new(settings);
    let mail: Vec<_> = (0..12).map(|n| entry("ims-ms", n, "")).collect();
    bench.enqueue(&mail);
    assert_eq!(bench.scheduler.totals().messages, 10);
    bench.arrive(1, "ims-ms", 1);
    bench.next(1, 0);
    for _ in 0..4 {
        bench.done(1, 0, Settlement::Removed);
    }
    let words = bench.done(1, 0, Settlement::Removed);
    assert_eq!(words[0], "scan");
    let found = |n| Found {
        entry: entry("ims-ms", n, ""),
        tried: EPOCH,
        deaths: 0,
    };
    bench.tell(Event::Found((5..12).map(found).collect()));
    assert_eq!(bench.scheduler.totals().messages, 7);
}

#[test]
fn a_listing_comes_in_parts_that_miss_nothing() {
    let mut bench = Bench::new(settings());
    let mail: Vec<_> = (0..250)
        .map(|n| {
            entry(
                if n % 2 == 0 { "tcp_local" } else { "ims-ms" },
                n,
                "h.example",
            )
        })
        .collect();
    bench.enqueue(&mail);
    let mut seen = 0;
    let mut cursor = Some(0);
    while let Some(at) = cursor {
        let (rows, next) = bench.scheduler.view(Some(&name("tcp_local")), at);
        assert!(rows.iter().all(|row| row.host == "h.example"));
        seen += rows.len();
        cursor = next;
    }
    assert_eq!(seen, 125);
    let counts = bench.scheduler.host_counts(&name("tcp_local"));
    assert_eq!((counts.len(), counts[0].active), (1, 125));
}

#[test]
fn periodic_scans_come_every_four_hours() {
    let mut bench = Bench::new(settings());
    assert!(bench.pass(14_399).is_empty());
    assert_eq!(bench.pass(2), ["scan"]);
    bench.tell(Event::ScanDone { complete: true });
    assert_eq!(bench.pass(14_400), ["scan"]);
    assert!(bench.tell(Event::Sync).is_empty(), "one is going on");
    assert_eq!(bench.tell(Event::ScanDone { complete: true }), ["scan"]);
}

#[test]
fn shutdown_lets_jobs_finish_and_starts_none() {
    let mut bench = Bench::new(settings());
    let mail: Vec<_> = (0..3).map(|n| entry("ims-ms", n, "")).collect();
    bench.enqueue(&mail);
    bench.arrive(1, "ims-ms", 2);
    bench.next(1, 0);
    bench.tell(Event::Shutdown);
    assert_eq!(bench.next(1, 1), ["exit 1.1"]);
    assert_eq!(bench.done(1, 0, Settlement::Removed), ["exit 1.0"]);
    assert!(bench.end(1).is_empty());
    assert_eq!(bench.scheduler.totals().jobs, 0);
}

#[test]
fn a_reload_replaces_jobs_after_the_message_in_hand() {
    let mut bench = Bench::new(settings());
    let mail: Vec<_> = (0..3).map(|n| entry("ims-ms", n, "")).collect();
    bench.enqueue(&mail[..1]);
    bench.arrive(1, "ims-ms", 2);
    bench.next(1, 0);
    bench.next(1, 1);
    assert_eq!(bench.tell(Event::Reloaded), ["exit 1.1"]);
    assert_eq!(bench.enqueue(&mail[1..]), ["start 2 ims-ms"]);
    assert_eq!(bench.done(1, 0, Settlement::Removed), ["exit 1.0"]);
    assert!(bench.end(1).is_empty());
    bench.arrive(2, "ims-ms", 2);
    assert_eq!(bench.next(2, 0), ["give 2.0 1 "]);
}
