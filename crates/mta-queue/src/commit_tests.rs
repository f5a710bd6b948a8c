//! Commits of several sessions, and what a failure does to all of them.

use std::thread;

use super::*;
use crate::enqueue::create_locked;
use crate::sync::fault;
use crate::tests::{Area, BODY, channel, plan};

fn written(area: &Area, name: &str) -> Written {
    let directory = area.queue.root().made(&channel("l"), None).unwrap();
    create_locked(directory, name, &format!("ZZ{name}.00")).unwrap()
}

fn tickets(area: &Area) -> Vec<Ticket> {
    let ticket = |names: &[&str]| Ticket {
        files: names.iter().map(|name| written(area, name)).collect(),
        answer: channel_of_words(),
    };
    vec![ticket(&["aaaa"]), ticket(&["bbbb", "cccc"])]
}

fn channel_of_words() -> Sender<Word> {
    std::sync::mpsc::channel().0
}

#[test]
fn a_batch_is_durable_together() {
    for (together, syncs) in [(true, 1), (false, 4)] {
        let area = Area::new();
        let tickets = tickets(&area);
        fault::calls();
        let settled = make_durable(area.queue.root(), tickets, together);
        assert_eq!(fault::calls(), syncs);
        assert!(settled.iter().all(|(_, result)| result.is_ok()));
        drop(settled);
        assert_eq!(area.files(), ["l/ZZaaaa.00", "l/ZZbbbb.00", "l/ZZcccc.00"]);
    }
}

#[test]
fn one_file_is_synced_plainly() {
    let area = Area::new();
    let mut tickets = tickets(&area);
    tickets.pop();
    fault::calls();
    drop(make_durable(area.queue.root(), tickets, true));
    assert_eq!(fault::calls(), 2, "file and directory");
    assert_eq!(area.files(), ["l/ZZaaaa.00"]);
}

#[test]
fn a_failing_sync_fails_every_message_of_the_batch_and_leaves_none() {
    for (together, syncs) in [(true, 1), (false, 4)] {
        for successes in 0..syncs {
            let area = Area::new();
            let tickets = tickets(&area);
            fault::fail_after(successes);
            let settled = make_durable(area.queue.root(), tickets, together);
            assert!(!fault::clear(), "it struck");
            assert!(settled.iter().all(|(_, result)| result.is_err()));
            drop(settled);
            assert!(area.files().is_empty(), "{:?}", area.files());
        }
    }
}

#[test]
fn a_name_that_is_taken_fails_its_own_message_alone() {
    let area = Area::new();
    let tickets = tickets(&area);
    std::fs::write(area.directory.path().join("l/ZZcccc.00"), "older").unwrap();
    let settled = make_durable(area.queue.root(), tickets, true);
    let failed = settled.iter().filter(|(_, result)| result.is_err()).count();
    assert_eq!(failed, 1);
    drop(settled);
    assert_eq!(area.files(), ["l/ZZaaaa.00", "l/ZZcccc.00"]);
    let kept = std::fs::read(area.directory.path().join("l/ZZcccc.00")).unwrap();
    assert_eq!(kept, b"older");
}

#[test]
fn a_file_stays_locked_until_its_fate_is_known() {
    let area = Area::new();
    let mut one = written(&area, "aaaa");
    one.place().unwrap();
    let path = area.directory.path().join("l/ZZaaaa.00");
    let other = File::open(path).unwrap();
    assert!(fs2::FileExt::try_lock_exclusive(&other).is_err());
    drop(one);
    assert!(fs2::FileExt::try_lock_exclusive(&other).is_ok());
    assert!(area.files().is_empty());
}

#[test]
fn many_sessions_commit_at_once() {
    let area = Area::new();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..10 {
                    area.put(plan("tcp_local", 20), BODY);
                }
            });
        }
    });
    assert_eq!(area.files().len(), 160);
    let found: Vec<_> = area.queue.scan(&channel("tcp_local")).collect();
    for found in &found {
        let taken = area
            .queue
            .take(&channel("tcp_local"), &found.place)
            .unwrap();
        taken.remove().unwrap();
    }
    assert_eq!(found.len(), 160);
}

#[test]
fn the_duty_is_passed_on_when_a_leader_dies() {
    let area = Area::new();
    let committer = Committer::new(area.queue.root());
    let (answer, word) = std::sync::mpsc::channel();
    {
        let mut waiting = committer.lock();
        waiting.led = true;
        waiting.tickets.push(Ticket {
            files: Vec::new(),
            answer,
        });
    }
    drop(Next(&committer));
    assert!(matches!(word.try_recv(), Ok(Word::Lead)));
    assert!(committer.lock().led);
    drop(word);
    drop(Next(&committer));
    assert!(!committer.lock().led, "nobody is left to lead");
}
