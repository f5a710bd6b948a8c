//! Jobs that die, and messages that kill them.

use super::*;

/// Starts a job on `channel`, arrives with `threads` and lets each ask.
fn bring(bench: &mut Bench, job: u32, channel: &str, threads: u16) -> Vec<String> {
    let mut words = bench.arrive(job, channel, threads);
    for thread in 0..threads {
        words.extend(bench.next(job, thread));
    }
    words.retain(|word| word.starts_with("give"));
    words
}

#[test]
fn the_others_of_a_dead_job_go_on_at_once_each_alone() {
    let mut bench = Bench::new(settings());
    let mail: Vec<_> = (1..4).map(|n| entry("ims-ms", n, "")).collect();
    bench.enqueue(&mail);
    assert_eq!(bring(&mut bench, 1, "ims-ms", 3).len(), 3);
    assert_eq!(bench.die(1), ["start 2 ims-ms"]);
    let given = bring(&mut bench, 2, "ims-ms", 3);
    assert_eq!(given, ["give 2.0 1 "], "one at a time");
    bench.enqueue(&[entry("ims-ms", 9, "")]);
    assert_eq!(bench.done(2, 0, Settlement::Removed), ["give 2.0 2 "]);
    assert_eq!(bench.done(2, 0, Settlement::Removed), ["give 2.0 3 "]);
    let words = bench.done(2, 0, Settlement::Removed);
    assert_eq!(words, ["give 2.0 9 "], "then as usual");
}

#[test]
fn a_death_is_followed_by_a_scan_for_what_was_enqueued_without_a_hint() {
    let mut bench = Bench::new(settings());
    let mail: Vec<_> = (1..3).map(|n| entry("ims-ms", n, "")).collect();
    bench.enqueue(&mail);
    assert_eq!(bring(&mut bench, 1, "ims-ms", 1).len(), 1);
    bench.die(1);
    assert!(bench.pass(1).is_empty());
    assert_eq!(bench.pass(1), ["scan"]);
    bench.tell(Event::ScanDone { complete: true });
    assert!(bench.pass(30).is_empty(), "one scan is enough");
}

#[test]
fn third_death_counts_as_an_attempt_and_the_tenth_holds() {
    let mut settings = settings();
    settings.synch.interval = 10_000;
    let mut bench = Bench::new(settings);
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    let mut attempts = 0;
    for death in 1..=10_u32 {
        let job = death;
        assert_eq!(
            bring(&mut bench, job, "ims-ms", 1).len(),
            1,
            "death {death}"
        );
        let words = bench.die(job);
        let work = *bench.scheduler.works.keys().next().unwrap_or(&WorkId(0));
        match death {
            1 | 2 => assert_eq!(words, [format!("start {} ims-ms", job + 1)]),
            3..=9 => {
                assert_eq!(words, [format!("count {death}")]);
                attempts += 1;
                let settlement = deferred(1, attempts);
                assert!(bench.tell(Event::Amended { work, settlement }).is_empty());
                let wait = [600, 1_200, 3_600][usize::from(attempts).min(3) - 1];
                let scans = bench.pass(wait - 1);
                assert!(scans.iter().all(|word| word == "scan"), "{scans:?}");
                assert_eq!(bench.pass(2), [format!("start {} ims-ms", job + 1)]);
            }
            _ => {
                assert_eq!(words, ["hold 10"]);
                let settlement = Settlement::Held {
                    place: place(1).renamed(place(1).file.held()),
                };
                bench.tell(Event::Amended { work, settlement });
            }
        }
    }
    assert_eq!(bench.scheduler.totals().messages, 0);
}

#[test]
fn an_attempt_that_ends_otherwise_clears_the_count() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    for job in 1..=2 {
        bring(&mut bench, job, "ims-ms", 1);
        bench.die(job);
    }
    bring(&mut bench, 3, "ims-ms", 1);
    bench.done(3, 0, deferred(1, 1));
    bench.end(3);
    assert_eq!(bench.pass(601), ["scan", "start 4 ims-ms"]);
    bring(&mut bench, 4, "ims-ms", 1);
    assert_eq!(bench.die(4), ["start 5 ims-ms"], "the first death again");
}

#[test]
fn a_file_that_cannot_be_renamed_now_waits_uncounted() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    for job in 1..=3 {
        bring(&mut bench, job, "ims-ms", 1);
        bench.die(job);
    }
    let work = *bench.scheduler.works.keys().next().unwrap();
    let settlement = Settlement::Busy;
    bench.tell(Event::Amended { work, settlement });
    assert_eq!(bench.pass(6), ["scan", "start 4 ims-ms"]);
}

#[test]
fn a_program_that_dies_at_start_is_started_ever_more_seldom() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.enqueue(&[entry("ims-ms", 1, "")]), ["start 1 ims-ms"]);
    let mut waits = Vec::new();
    for job in 1..8 {
        assert!(bench.die(job).is_empty());
        let since = bench.elapsed;
        while bench.pass(1).is_empty() {}
        waits.push((bench.elapsed - since) / 1_000);
    }
    assert!(waits.is_sorted(), "{waits:?}");
    assert!(waits[6] >= 64, "{waits:?}");
    assert_eq!(bench.scheduler.totals().messages, 1);
}

#[test]
fn programs_that_die_with_everything_are_started_ever_more_seldom() {
    let mut settings = settings();
    settings.channels[2].maxjobs = 1;
    let mut bench = Bench::new(settings);
    let mail: Vec<_> = (1..50).map(|n| entry("ims-ms", n, "")).collect();
    bench.enqueue(&mail);
    for job in 1..=11 {
        assert_eq!(bring(&mut bench, job, "ims-ms", 1).len(), 1, "job {job}");
        let started = bench.die(job).iter().any(|word| word.starts_with("start"));
        assert_eq!(started, job <= 10, "after job {job}");
    }
    let words = bench.pass(60);
    assert!(words.contains(&"start 12 ims-ms".to_owned()), "{words:?}");
    bring(&mut bench, 12, "ims-ms", 1);
    bench.done(12, 0, Settlement::Removed);
    let words = bench.die(12);
    assert!(words.contains(&"start 13 ims-ms".to_owned()), "{words:?}");
}

#[test]
fn a_thread_that_died_counts_as_a_death() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    bring(&mut bench, 1, "ims-ms", 2);
    for _ in 1..=2 {
        assert_eq!(bench.done(1, 0, Settlement::Died), ["give 1.0 1 "]);
    }
    assert_eq!(bench.done(1, 0, Settlement::Died), ["count 3"]);
}

#[test]
fn deaths_before_a_restart_are_remembered() {
    let mut bench = Bench::new(settings());
    let found = Found {
        entry: entry("ims-ms", 1, ""),
        tried: EPOCH,
        deaths: 9,
    };
    bench.tell(Event::Found(vec![found]));
    bring(&mut bench, 1, "ims-ms", 1);
    assert_eq!(bench.die(1), ["hold 10"]);
}

#[test]
fn scans_after_deaths_leave_the_disk_some_rest() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    let mut scans = 0;
    for job in 1..=2 {
        bring(&mut bench, job, "ims-ms", 1);
        bench.die(job);
        for _ in 0..20 {
            let words = bench.pass(1);
            if words.iter().any(|word| word == "scan") {
                scans += 1;
                bench.pass(4);
                bench.tell(Event::ScanDone { complete: true });
            }
        }
    }
    assert_eq!(scans, 1);
    assert_eq!(
        bench.pass(60).iter().filter(|word| *word == "scan").count(),
        1
    );
}

#[test]
fn an_incomplete_scan_is_done_again() {
    let mut bench = Bench::new(settings());
    bench.tell(Event::Sync);
    for wait in [60, 120, 240, 480, 600, 600] {
        bench.tell(Event::ScanDone { complete: false });
        assert!(bench.pass(wait - 1).is_empty());
        assert_eq!(bench.pass(2), ["scan"]);
    }
    bench.tell(Event::ScanDone { complete: true });
    assert!(bench.pass(3_600).is_empty());
}

#[test]
fn a_failed_fork_is_logged_and_tried_again() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    let failed = Event::StartFailed {
        job: JobId(1),
        reason: "Not enough space".to_owned(),
    };
    let actions = bench.scheduler.handle(bench.now(), failed);
    let line = actions.iter().find_map(|action| match action {
        Action::Note(note @ Note::ForkFailed { .. }) => Some(note.to_string()),
        _ => None,
    });
    let line = line.unwrap();
    assert!(
        line.starts_with("jbc_channels: chan_execute [1]: fork failed: Not enough space"),
        "{line}"
    );
    assert_eq!(bench.pass(3), ["start 2 ims-ms"]);
}

#[test]
fn messages_of_an_interrupted_run_count_no_death() {
    let mut bench = Bench::new(settings());
    bench.tell(Event::HoldList([name("ims-ms")].into()));
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    bench.tell(Event::Arrived(Arrival {
        job: None,
        channel: name("ims-ms"),
        pid: 1,
        threads: 1,
    }));
    bench.next(1, 0);
    bench.tell(Event::Lost(JobId(1)));
    assert_eq!(
        bench.scheduler.cache.suspects(crate::cache::ChannelId(2)),
        0
    );
    assert_eq!(bench.scheduler.totals().messages, 1);
}

#[test]
fn what_one_job_has_in_hand_another_cannot_settle() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, ""), entry("l", 2, "")]);
    bring(&mut bench, 1, "ims-ms", 1);
    bring(&mut bench, 2, "l", 1);
    let work = bench.works[&(1, 0)];
    bench.tell(Event::Settled {
        job: JobId(2),
        done: vec![(work, Settlement::Removed), (WorkId(999), Settlement::Gone)],
    });
    assert_eq!(bench.scheduler.totals().messages, 2);
}

#[test]
fn a_thread_that_asks_without_settling_keeps_nothing() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&[entry("ims-ms", 1, ""), entry("ims-ms", 2, "")]);
    bring(&mut bench, 1, "ims-ms", 1);
    assert_eq!(bench.next(1, 0), ["give 1.0 2 "]);
    assert_eq!(bench.scheduler.totals().in_hand, 1);
}

#[test]
fn nonsense_is_refused() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.next(7, 0), ["refuse"]);
    bench.enqueue(&[entry("ims-ms", 1, "")]);
    assert_eq!(bench.arrive(1, "l", 1), ["refuse"], "another channel");
    assert_eq!(bench.arrive(1, "ims-ms", 1), ["welcome 1"]);
    assert_eq!(bench.arrive(1, "ims-ms", 1), ["refuse"], "twice");
    assert_eq!(bench.next(1, 5), ["refuse"], "no such thread");
}
