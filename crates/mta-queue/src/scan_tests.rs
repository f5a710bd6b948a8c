//! What scans see, and what cleaning removes.

use std::fs::{File, create_dir_all, write};

use super::*;
use crate::tests::{Area, BODY, channel, plan};

#[test]
fn a_scan_trusts_only_names() {
    let area = Area::new();
    let at = |name: &str| area.directory.path().join(name);
    let mut expected: Vec<Place> = Vec::new();
    for subdirs in [0, 20, 20, 20] {
        expected.extend(
            area.put(plan("tcp_local", subdirs), BODY)
                .pop()
                .map(|p| p.place),
        );
    }
    let mut held = plan("tcp_local", 20);
    held.held = Some("x".into());
    expected.extend(area.put(held, BODY).pop().map(|p| p.place));
    create_dir_all(at("tcp_local/000/spool")).unwrap();
    create_dir_all(at("tcp_local/000/001")).unwrap();
    write(at("tcp_local/ZZabc.KEEP1"), "").unwrap();
    write(at("tcp_local/000/001/ZZdeep.00"), "").unwrap();
    write(at("tcp_local/.tmp-x"), "").unwrap();
    write(at("tcp_local/core"), "").unwrap();
    let mut found: Vec<Place> = area
        .queue
        .scan(&channel("tcp_local"))
        .map(|found| found.place)
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let mut strangers = area.queue.strangers(&channel("tcp_local")).unwrap();
    strangers.sort();
    let foreign = [
        "tcp_local/000/001",
        "tcp_local/000/spool",
        "tcp_local/ZZabc.KEEP1",
        "tcp_local/core",
    ];
    assert_eq!(strangers, foreign.map(at));
}

#[test]
fn a_scan_tells_what_it_could_not_read_and_goes_on() {
    let area = Area::new();
    let at = |name: &str| area.directory.path().join(name);
    area.put(plan("tcp_local", 0), BODY);
    write(at("tcp_local/007"), "").unwrap();
    let mut scan = area.queue.scan(&channel("tcp_local"));
    assert_eq!(scan.by_ref().count(), 1);
    let faults = scan.faults();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].path, at("tcp_local/007"));
    assert_eq!(faults[0].source.kind(), io::ErrorKind::NotADirectory);
    assert!(scan.faults().is_empty(), "each is told once");
}

#[test]
fn a_channel_without_a_directory_is_empty() {
    let area = Area::new();
    let mut scan = area.queue.scan(&channel("l"));
    assert_eq!(scan.by_ref().count(), 0);
    assert!(scan.faults().is_empty());
    assert!(area.queue.strangers(&channel("l")).unwrap().is_empty());
    assert_eq!(area.queue.clean(&channel("l"), 0).unwrap(), 0);
}

#[test]
fn only_channels_names_are_channels() {
    let area = Area::new();
    for name in ["tcp_local", "l", ".deleted", "Lost+Found"] {
        create_dir_all(area.directory.path().join(name)).unwrap();
    }
    write(area.directory.path().join("file"), "").unwrap();
    assert_eq!(
        area.queue.channels().unwrap(),
        [channel("l"), channel("tcp_local")]
    );
}

#[test]
fn temporary_files_go_when_they_are_old_and_their_writer_is_gone() {
    let area = Area::new();
    let directory = area.directory.path().join("l/003");
    create_dir_all(&directory).unwrap();
    let now = 1_790_000_000;
    let make = |name: &str, age: u64| {
        let file = File::create(directory.join(name)).unwrap();
        let changed = std::time::UNIX_EPOCH + Duration::from_secs(now - age);
        file.set_modified(changed).unwrap();
        file
    };
    drop(make(".tmp-old", 90_000));
    drop(make(".tmp-young", 80_000));
    drop(make("ZZold.00", 90_000));
    let used = make(".tmp-used", 90_000);
    fs2::FileExt::lock_exclusive(&used).unwrap();
    assert_eq!(area.queue.clean(&channel("l"), now).unwrap(), 1);
    assert_eq!(
        area.files(),
        ["l/003/.tmp-used", "l/003/.tmp-young", "l/003/ZZold.00"]
    );
    drop(used);
    assert_eq!(area.queue.clean(&channel("l"), now).unwrap(), 1);
}

#[test]
fn envelopes_are_read_while_a_message_is_in_use() {
    let area = Area::new();
    let place = area.enqueue();
    let taken = area.queue.take(&channel("tcp_local"), &place).unwrap();
    let (envelope, history) = area
        .queue
        .read_envelope(&channel("tcp_local"), &place)
        .unwrap();
    assert_eq!(&envelope, taken.envelope());
    assert!(history.is_empty());
    let message = area
        .queue
        .read_message(&channel("tcp_local"), &place, true)
        .unwrap();
    assert_eq!(message.header().unwrap(), taken.header().unwrap());
}
