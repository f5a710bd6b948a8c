//! Settling, and each state that a crash can leave.

use std::fs::OpenOptions;
use std::io::Write;

use super::*;
use crate::sync::fault;
use crate::tests::{Area, BODY, HEADER, attempt, channel, plan, read};

fn take(area: &Area, place: &Place) -> Dequeued {
    area.queue.take(&channel("tcp_local"), place).unwrap()
}

#[test]
fn a_message_in_use_is_busy_and_a_removed_one_gone() {
    let area = Area::new();
    let place = area.enqueue();
    let taken = take(&area, &place);
    let busy = area.queue.take(&channel("tcp_local"), &place);
    assert!(matches!(busy, Err(TakeError::Busy)));
    taken.remove().unwrap();
    let gone = area.queue.take(&channel("tcp_local"), &place);
    assert!(matches!(gone, Err(TakeError::Gone)));
    let nowhere = area.queue.take(&channel("l"), &place);
    assert!(matches!(nowhere, Err(TakeError::Gone)));
}

#[test]
fn a_message_that_nobody_settles_stays() {
    let area = Area::new();
    let place = area.enqueue();
    drop(take(&area, &place));
    take(&area, &place).keep();
    assert_eq!(take(&area, &place).history(), []);
}

#[test]
fn a_deferred_message_counts_down_and_remembers() {
    let area = Area::new();
    let place = area.enqueue();
    let first = take(&area, &place).defer(&[attempt("refused")]).unwrap();
    let second = take(&area, &first).defer(&[attempt("silent")]).unwrap();
    assert_eq!((first.file.attempts(), second.file.attempts()), (1, 2));
    assert!(second.file.as_str().starts_with("ZX"));
    assert_eq!(area.files(), [format!("tcp_local/{}", second.file)]);
    let message = take(&area, &second);
    assert_eq!(message.history(), [attempt("refused"), attempt("silent")]);
    assert_eq!(read(message.body().unwrap()), BODY);
}

#[test]
fn the_time_stamp_tells_of_the_last_attempt() {
    let area = Area::new();
    let place = area.enqueue();
    let old = std::time::SystemTime::UNIX_EPOCH;
    let file = File::open(area.path(&place)).unwrap();
    file.set_modified(old).unwrap();
    drop(file);
    let place = take(&area, &place).defer(&[]).unwrap();
    let found = area.queue.scan(&channel("tcp_local")).next().unwrap();
    assert_eq!(found.place, place);
    assert!(found.mtime + 60 > name::now());
}

#[test]
fn the_last_count_is_kept() {
    let area = Area::new();
    let place = area.enqueue();
    let worn = place.renamed(place.file.with_attempts(1295));
    std::fs::rename(area.path(&place), area.path(&worn)).unwrap();
    assert_eq!(take(&area, &worn).defer(&[]).unwrap(), worn);
}

#[test]
fn a_split_message_is_left_for_the_others() {
    let area = Area::new();
    let place = area.enqueue();
    let tried = take(&area, &place).defer(&[attempt("one")]).unwrap();
    let placed = take(&area, &tried)
        .split(&[0, 2], &[attempt("two")])
        .unwrap();
    assert_eq!(area.files(), [format!("tcp_local/{}", placed.place.file)]);
    assert_eq!(placed.place.file, tried.file.with_attempts(2).rewritten());
    assert_eq!(placed.place.file.suffix(), "01");
    let message = take(&area, &placed.place);
    let left: Vec<&str> = message
        .envelope()
        .recipients
        .iter()
        .map(|recipient| recipient.address.as_str())
        .collect();
    assert_eq!(left, ["a@one.example", "c@three.example"]);
    assert_eq!(message.envelope(), &placed.envelope);
    assert_eq!(message.header().unwrap(), HEADER);
    assert_eq!(read(message.body().unwrap()), BODY);
    assert_eq!(message.history(), [attempt("one"), attempt("two")]);
}

#[test]
fn a_split_for_nobody_changes_nothing() {
    let area = Area::new();
    let place = area.enqueue();
    assert!(take(&area, &place).split(&[7], &[]).is_err());
    assert_eq!(take(&area, &place).envelope().recipients.len(), 3);
}

#[test]
fn a_crash_between_rewriting_and_renaming_leaves_the_new_file_alone() {
    let area = Area::new();
    let place = area.enqueue();
    let message = take(&area, &place);
    let lock = message.rewrite(&message.head_of(&[1]), &[]).unwrap();
    drop((message, lock));
    assert_eq!(area.files(), [format!("tcp_local/{}", place.file)]);
    assert_eq!(take(&area, &place).envelope().recipients.len(), 1);
}

#[test]
fn whichever_sync_of_a_split_fails_nobody_is_lost() {
    for successes in 0.. {
        let area = Area::new();
        let place = area.enqueue();
        let message = take(&area, &place);
        fault::fail_after(successes);
        let result = message.split(&[0, 1], &[]);
        if fault::clear() {
            assert!(result.is_ok());
            break;
        }
        let place = result.map_or_else(|error| error.place, |placed| placed.place);
        assert_eq!(take(&area, &place).envelope().recipients.len(), 2);
        assert_eq!(area.files().len(), 1, "{:?}", area.files());
    }
}

#[test]
fn without_room_for_a_new_file_it_is_noted_who_is_done() {
    let area = Area::new();
    let mut place = area.enqueue();
    for left in [
        ["a@one.example", "c@three.example"].as_slice(),
        &["c@three.example"],
    ] {
        let message = take(&area, &place);
        message.reserve().unwrap();
        let remaining: Vec<usize> = (0..message.envelope().recipients.len())
            .filter(|at| left.contains(&message.envelope().recipients[*at].address.as_str()))
            .collect();
        // The sync of the new file stands for whatever keeps it from being written.
        fault::fail_after(0);
        let placed = message.split(&remaining, &[attempt("later")]).unwrap();
        assert!(!fault::clear());
        place = placed.place;
        let message = take(&area, &place);
        let found = message.envelope().recipients.iter();
        let found: Vec<&str> = found.map(|recipient| recipient.address.as_str()).collect();
        assert_eq!(found, left);
        assert_eq!(&placed.envelope, message.envelope());
        assert_eq!(read(message.body().unwrap()), BODY);
    }
    assert_eq!(place.file.attempts(), 2);
    assert_eq!(take(&area, &place).history().len(), 2);
    // With room again the notes are gone, and their numbers mean nobody else.
    let area = Area::new();
    let place = area.enqueue();
    fault::fail_after(0);
    let place = take(&area, &place).split(&[1, 2], &[]).unwrap().place;
    fault::clear();
    let place = take(&area, &place).split(&[0], &[]).unwrap().place;
    let message = take(&area, &place);
    assert_eq!(
        message.envelope().recipients[0].address.as_str(),
        "b@two.example"
    );
    let text = std::fs::read(area.path(&place)).unwrap();
    assert!(!String::from_utf8(text).unwrap().contains("DONE"));
}

#[test]
fn a_message_of_which_only_the_removal_failed_is_removed_by_the_next() {
    let area = Area::new();
    let place = area.enqueue();
    let mut message = take(&area, &place);
    message.note_done(&[], &[]).unwrap();
    message.keep();
    let again = area.queue.take(&channel("tcp_local"), &place);
    assert!(matches!(again, Err(TakeError::Gone)));
    assert!(area.files().is_empty());
}

#[test]
fn a_note_does_not_pass_for_an_attempt() {
    let area = Area::new();
    let place = area.enqueue();
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(5);
    let file = File::open(area.path(&place)).unwrap();
    file.set_modified(old).unwrap();
    drop(file);
    take(&area, &place).note(&[Attempt::warned(1)]).unwrap();
    let found = area.queue.scan(&channel("tcp_local")).next().unwrap();
    assert_eq!(found.mtime, 5);
}

#[test]
fn whichever_sync_of_a_deferral_fails_the_message_is_where_it_is_said_to_be() {
    for successes in 0.. {
        let area = Area::new();
        let place = area.enqueue();
        let message = take(&area, &place);
        fault::fail_after(successes);
        let result = message.defer(&[attempt("x")]);
        if fault::clear() {
            break;
        }
        take(&area, &result.unwrap_err().place).keep();
    }
}

#[test]
fn a_history_line_cut_by_a_crash_hurts_nobody() {
    let area = Area::new();
    let place = area.enqueue();
    let path = area.path(&place);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"2026-11-24T03:28:38Z\ta@b\t4.").unwrap();
    drop(file);
    let mut message = take(&area, &place);
    assert_eq!(message.history(), []);
    message.note(&[Attempt::warned(3)]).unwrap();
    message.keep();
    assert_eq!(take(&area, &place).history(), [Attempt::warned(3)]);
}

#[test]
fn a_cut_file_is_set_aside_and_never_delivered() {
    let area = Area::new();
    let place = area.enqueue();
    let file = OpenOptions::new()
        .write(true)
        .open(area.path(&place))
        .unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    drop(file);
    let error = area.queue.take(&channel("tcp_local"), &place).unwrap_err();
    let TakeError::SetAside { place: held, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(held.file, place.file.held());
    let again = area.queue.take(&channel("tcp_local"), &held);
    assert!(matches!(again, Err(TakeError::Damaged { .. })));
    let released = area.queue.release(&channel("tcp_local"), &held);
    assert!(matches!(released, Err(TakeError::Damaged { .. })));
    area.queue.delete(&channel("tcp_local"), &held).unwrap();
    assert!(area.files().is_empty());
}

#[test]
fn what_is_no_file_is_set_aside_unopened() {
    let area = Area::new();
    let place = area.enqueue();
    let other = place.renamed(place.file.with_attempts(5));
    std::os::unix::fs::symlink("/etc/passwd", area.path(&other)).unwrap();
    let error = area.queue.take(&channel("tcp_local"), &other).unwrap_err();
    let not_regular = Fault::NotRegular;
    assert!(matches!(error, TakeError::SetAside { fault, .. } if fault == not_regular));
}

#[test]
fn a_file_renamed_under_our_hands_is_gone() {
    let area = Area::new();
    let place = area.enqueue();
    let taken = take(&area, &place);
    let elsewhere = place.renamed(place.file.with_attempts(9));
    std::fs::rename(area.path(&place), area.path(&elsewhere)).unwrap();
    let error = taken.remove().unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::NotFound);
    assert_eq!(area.files().len(), 1);
}

#[test]
fn a_held_message_keeps_its_reason() {
    let area = Area::new();
    let place = area.enqueue();
    let held = take(&area, &place).hold("tenth death of its job").unwrap();
    assert_eq!(held.file, place.file.held());
    let history = take(&area, &held).history().to_vec();
    assert_eq!(history[0].status, crate::history::HELD);
    assert_eq!(history[0].text, "tenth death of its job");
}

#[test]
fn unknown_records_survive_a_split() {
    let area = Area::new();
    let place = area.put(plan("tcp_local", 0), BODY).remove(0).place;
    let message = take(&area, &place);
    let mut head = message.contents.head.clone();
    head.others.push("z;from a later release".into());
    drop(message.rewrite(&head, &[]).unwrap());
    drop(message);
    let placed = take(&area, &place).split(&[0], &[]).unwrap();
    let message = take(&area, &placed.place);
    assert_eq!(message.contents.head.others, ["z;from a later release"]);
}
