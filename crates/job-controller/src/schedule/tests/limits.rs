//! How many jobs, of whom, and when they end.

use super::*;

fn mail(channel: &str, range: std::ops::Range<u32>) -> Vec<Entry> {
    range
        .map(|n| entry(channel, n, &format!("h{n}.example")))
        .collect()
}

#[test]
fn busy_threads_call_for_a_second_process() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&mail("tcp_local", 0..3));
    bench.arrive(1, "tcp_local", 2);
    bench.next(1, 0);
    assert_eq!(
        bench.next(1, 1),
        ["give 1.1 1 h1.example", "start 2 tcp_local"]
    );
}

#[test]
fn single_threaded_jobs_follow_threaddepth() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&mail("ims-ms", 0..10));
    bench.arrive(1, "ims-ms", 1);
    assert_eq!(bench.next(1, 0), ["give 1.0 0 "]);
    assert!(
        bench.enqueue(&mail("ims-ms", 10..11)).is_empty(),
        "ten are for one"
    );
    assert_eq!(bench.enqueue(&mail("ims-ms", 11..12)), ["start 2 ims-ms"]);
}

#[test]
fn files_per_job_call_for_more() {
    let mut settings = settings();
    settings.channels[2].filesperjob = 2;
    let mut bench = Bench::new(settings);
    bench.enqueue(&mail("ims-ms", 0..2));
    bench.arrive(1, "ims-ms", 1);
    assert_eq!(bench.next(1, 0), ["give 1.0 0 "]);
    assert_eq!(bench.enqueue(&mail("ims-ms", 2..4)), ["start 2 ims-ms"]);
}

#[test]
fn maxjobs_and_job_limit_bind() {
    let mut settings = settings();
    settings.channels[0].maxjobs = 3;
    let mut bench = Bench::new(settings);
    bench.enqueue(&mail("tcp_local", 0..100));
    for job in 1..=3 {
        bench.arrive(job, "tcp_local", 1);
        bench.next(job, 0);
    }
    let limit = |bench: &Bench, n: usize| bench.scheduler.channel_jobs(None)[n].limit.clone();
    assert_eq!(limit(&bench, 0), "maxjobs 3");
    let words = bench.enqueue(&mail("tcp_intranet", 200..300));
    assert_eq!(words, ["start 4 tcp_intranet"]);
    bench.arrive(4, "tcp_intranet", 1);
    bench.next(4, 0);
    assert_eq!(
        limit(&bench, 1),
        "pool SMTP_POOL full (job_limit 4: tcp_local 3 tcp_intranet 1)"
    );
}

#[test]
fn an_idle_job_makes_room_for_another_channel() {
    let mut bench = Bench::new(settings());
    for (job, n) in [(1, 0), (2, 20)] {
        bench.enqueue(&mail("ims-ms", n..n + 12 - job));
        bench.arrive(job, "ims-ms", 1);
    }
    while let Some((job, thread)) = bench.works.keys().next().copied() {
        bench.done(job, thread, Settlement::Removed);
    }
    for job in 1..=2 {
        bench.next(job, 0);
        while bench.works.contains_key(&(job, 0)) {
            bench.done(job, 0, Settlement::Removed);
        }
    }
    assert_eq!(bench.scheduler.totals().messages, 0);
    let jobs = bench.scheduler.totals().jobs;
    let words = bench.enqueue(&mail("l", 90..91));
    if jobs == 2 {
        assert_eq!(words, ["exit 1.0"]);
        assert_eq!(bench.end(1), ["start 3 l"]);
    } else {
        assert_eq!(words, ["start 2 l"]);
    }
}

#[test]
fn a_channel_without_jobs_gets_the_place_of_the_busiest() {
    let mut settings = settings();
    settings.pools[0].job_limit = 1;
    let mut bench = Bench::new(settings);
    bench.enqueue(&mail("ims-ms", 0..100));
    bench.arrive(1, "ims-ms", 1);
    bench.next(1, 0);
    assert!(bench.enqueue(&mail("l", 200..201)).is_empty());
    for _ in 0..9 {
        assert_eq!(bench.done(1, 0, Settlement::Removed).len(), 1);
        assert!(bench.pass(1).is_empty());
    }
    bench.pass(3);
    assert_eq!(bench.done(1, 0, Settlement::Removed), ["exit 1.0"]);
    assert_eq!(bench.end(1), ["start 2 l"]);
}

#[test]
fn urgent_mail_gets_the_free_place_of_the_pool() {
    let mut settings = settings();
    settings.pools[0].job_limit = 1;
    settings.channels.push(channel("bitbucket", "DEFAULT"));
    settings.classes.push(class("bitbucket", true));
    let mut bench = Bench::new(settings);
    bench.enqueue(&mail("bitbucket", 0..1));
    bench.enqueue(&mail("ims-ms", 10..11));
    let mut urgent = entry("l", 20, "");
    urgent.priority = Priority::Urgent;
    bench.enqueue(&[urgent]);
    bench.arrive(1, "bitbucket", 1);
    bench.next(1, 0);
    bench.done(1, 0, Settlement::Removed);
    assert_eq!(bench.end(1), ["start 2 l"]);
}

#[test]
fn old_jobs_and_those_that_asked_often_are_told_to_exit() {
    let mut settings = settings();
    settings.classes[1].max_life_askwork = 2;
    let mut bench = Bench::new(settings);
    bench.enqueue(&mail("ims-ms", 0..5));
    bench.arrive(1, "ims-ms", 1);
    bench.next(1, 0);
    assert_eq!(bench.done(1, 0, Settlement::Removed), ["give 1.0 1 "]);
    assert_eq!(
        bench.done(1, 0, Settlement::Removed),
        ["exit 1.0", "start 2 ims-ms"]
    );
    bench.enqueue(&mail("tcp_local", 10..12));
    bench.arrive(3, "tcp_local", 1);
    bench.next(3, 0);
    bench.elapsed += 3_600_000;
    assert_eq!(bench.done(3, 0, Settlement::Removed)[0], "exit 3.0");
}

#[test]
fn a_job_that_leaves_keeps_its_place_until_its_process_has_ended() {
    let mut settings = settings();
    settings.channels[2].maxjobs = 1;
    settings.classes[1].max_life_askwork = 1;
    let mut bench = Bench::new(settings);
    bench.enqueue(&mail("ims-ms", 0..5));
    bench.arrive(1, "ims-ms", 2);
    bench.next(1, 0);
    // Its other thread stays with a slow delivery.
    assert_eq!(bench.next(1, 1), ["exit 1.1"]);
    let words = bench.pass(120);
    assert!(words.is_empty(), "no limit is passed: {words:?}");
    assert_eq!(bench.done(1, 0, Settlement::Removed), ["exit 1.0"]);
    assert_eq!(bench.end(1), ["start 2 ims-ms"]);
}

#[test]
fn old_jobs_leave_one_after_the_other() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&mail("ims-ms", 0..40));
    for job in 1..=2 {
        bench.arrive(job, "ims-ms", 2);
        bench.next(job, 0);
        bench.next(job, 1);
    }
    bench.elapsed += 3_600_000;
    let told = |words: Vec<String>| words.iter().any(|word| word.starts_with("exit"));
    assert!(told(bench.done(1, 0, Settlement::Removed)));
    assert!(!told(bench.done(2, 0, Settlement::Removed)));
    bench.done(1, 1, Settlement::Removed);
    bench.end(1);
    assert!(told(bench.done(2, 0, Settlement::Removed)));
}

#[test]
fn a_program_that_hangs_with_a_message_is_ended_and_the_message_goes_on() {
    let mut settings = settings();
    settings.synch.interval = 10_000;
    let mut bench = Bench::new(settings);
    bench.enqueue(&mail("ims-ms", 0..1));
    bench.arrive(1, "ims-ms", 1);
    bench.next(1, 0);
    assert!(bench.pass(11 * 3_600).is_empty());
    assert_eq!(bench.pass(3_700), ["term 1", "kill 1"]);
    assert_eq!(bench.die(1), ["start 2 ims-ms"]);
}

#[test]
fn idle_jobs_end_after_two_minutes() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&mail("ims-ms", 0..1));
    bench.arrive(1, "ims-ms", 2);
    bench.next(1, 0);
    bench.next(1, 1);
    bench.done(1, 0, Settlement::Removed);
    assert!(bench.pass(119).is_empty());
    assert_eq!(bench.pass(2), ["exit 1.0", "exit 1.1"]);
}

#[test]
fn programs_that_do_not_come_or_do_not_end_are_helped_along() {
    let mut bench = Bench::new(settings());
    bench.enqueue(&mail("ims-ms", 0..1));
    assert_eq!(bench.pass(200), ["term 1", "kill 1"]);
    let mut bench = Bench::new(settings());
    bench.enqueue(&mail("ims-ms", 0..1));
    bench.arrive(1, "ims-ms", 1);
    bench.next(1, 0);
    assert!(
        bench.pass(10_000).iter().all(|word| word == "scan"),
        "in hand: let be"
    );
    bench.tell(Event::Shutdown);
    assert_eq!(bench.done(1, 0, Settlement::Removed), ["exit 1.0"]);
    assert_eq!(bench.pass(100), ["term 1", "kill 1"]);
}

#[test]
fn a_channel_without_program_pool_or_direction_is_never_run() {
    let mut settings = settings();
    settings.channels.push(channel("hold", "DEFAULT"));
    settings.channels.push(channel("tcp_x", "NOWHERE"));
    let mut slave = channel("tcp_in", "DEFAULT");
    slave.master = false;
    settings.channels.push(slave);
    let mut bench = Bench::new(settings);
    for (n, channel) in (0..).zip(["hold", "tcp_x", "tcp_in", "unheard_of"]) {
        assert!(bench.enqueue(&mail(channel, n..n + 1)).is_empty());
    }
    let jobs = bench.scheduler.channel_jobs(None);
    let limits: Vec<_> = jobs.iter().map(|channel| &channel.limit).collect();
    assert_eq!(
        limits,
        [
            "no master_command",
            "pool \"NOWHERE\" not defined",
            "channel has no master direction",
            "no master_command"
        ]
    );
}

#[test]
fn changes_take_effect_at_once() {
    use mta_ipc::job_controller::Change;
    let mut bench = Bench::new(settings());
    bench.tell(Event::Change(Change::JobLimit {
        channel: name("l"),
        n: 0,
    }));
    assert!(bench.enqueue(&mail("l", 0..1)).is_empty());
    let words = bench.tell(Event::Change(Change::JobLimit {
        channel: name("l"),
        n: 1,
    }));
    assert_eq!(words, ["start 1 l"]);
    assert!(bench.enqueue(&mail("unheard_of", 5..6)).is_empty());
    let change = Change::MasterCommand {
        class: "ims-ms".to_owned(),
        command: "/x/y".to_owned(),
    };
    bench.tell(Event::Change(change));
    let actions = bench
        .scheduler
        .handle(bench.now(), Event::Enqueued(mail("ims-ms", 9..10)));
    let command = actions.iter().find_map(|action| match action {
        Action::Start { command, .. } => Some(command.as_str()),
        _ => None,
    });
    assert_eq!(command, Some("/x/y"));
    let nobody = Change::ThreadDepth {
        channel: name("nobody"),
        n: 1,
    };
    assert_eq!(bench.tell(Event::Change(nobody)), ["refuse"]);
}
