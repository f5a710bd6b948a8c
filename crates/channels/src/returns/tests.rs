use super::*;
use crate::world::{DAY, World};
use std::fs;

#[test]
fn one_run_warns_returns_and_turns_the_logs() {
    let world = World::new();
    let now = world.now();
    let young = world.enqueue("tcp_local", "ada@example.com", now, &["a@example.edu"]);
    world.enqueue(
        "tcp_local",
        "ada@example.com",
        now - DAY,
        &["b@example.edu"],
    );
    world.enqueue(
        "tcp_local",
        "ada@example.com",
        now - 8 * DAY,
        &["c@example.edu"],
    );
    let held = world.enqueue(
        "tcp_local",
        "ada@example.com",
        now - 99 * DAY,
        &["d@example.edu"],
    );
    world.hold("tcp_local", &held);
    let job = Job::new(world.root.clone()).unwrap();
    let moment = mta_log::time::now();
    assert_eq!(job.age(moment), 0);
    assert_eq!(job.clean(moment), 0);
    assert_eq!(world.files("tcp_local").len(), 3);
    assert!(
        world
            .files("tcp_local")
            .iter()
            .any(|(name, _)| *name == young.file.to_string())
    );
    let notices = world.files("ims-ms");
    let of = |subject: &str| {
        notices
            .iter()
            .filter(|(_, text)| text.contains(subject))
            .count()
    };
    assert_eq!((of("has been delayed"), of("has timed out")), (1, 1));
    assert_eq!(job.age(moment), 0, "a second look finds nothing to do");
    assert_eq!(world.files("ims-ms").len(), 2);
    assert_eq!(job.turn(false), 0);
    let yesterday = fs::read_to_string(world.root.log().join("mail.log_yesterday")).unwrap();
    assert!(yesterday.contains(" R "), "{yesterday}");
    assert_eq!(
        fs::read(world.root.log().join("mail.log_current")).unwrap(),
        b""
    );
}

#[test]
fn a_damaged_file_is_counted_and_keeps_nobody_waiting() {
    let world = World::new();
    let now = world.now();
    let place = world.enqueue(
        "tcp_local",
        "ada@example.com",
        now - 9 * DAY,
        &["a@example.edu"],
    );
    world.enqueue(
        "tcp_local",
        "ada@example.com",
        now - 9 * DAY,
        &["b@example.edu"],
    );
    let path = world.root.queue().join("tcp_local").join(place.to_string());
    fs::write(&path, "nothing of the kind\n").unwrap();
    let job = Job::new(world.root.clone()).unwrap();
    assert_eq!(job.age(mta_log::time::now()), 1);
    assert_eq!(world.files("ims-ms").len(), 1);
    let told = fs::read_to_string(job.log.path()).unwrap();
    assert!(told.contains(&place.to_string()), "{told}");
}

#[test]
fn a_message_in_use_is_left_for_the_next_run() {
    let world = World::new();
    let now = world.now();
    let place = world.enqueue(
        "tcp_local",
        "ada@example.com",
        now - 9 * DAY,
        &["a@example.edu"],
    );
    let job = Job::new(world.root.clone()).unwrap();
    let channel = mta_envelope::names::ChannelName::new("tcp_local").unwrap();
    let taken = job.enqueuer.queue().take(&channel, &place).unwrap();
    assert_eq!(job.age(mta_log::time::now()), 0);
    assert!(world.files("ims-ms").is_empty());
    taken.keep();
    assert_eq!(job.age(mta_log::time::now()), 0);
    assert_eq!(world.files("ims-ms").len(), 1);
}
