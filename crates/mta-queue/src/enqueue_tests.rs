//! Drafts: what is on disk at each step, and what is left when one fails.

use std::io::Write;

use super::*;
use crate::sync::fault;
use crate::tests::{Area, BODY, HEADER, channel, plan, read};

fn large() -> Vec<u8> {
    let mut body = Vec::new();
    for number in 0..40_000 {
        writeln!(body, "line {number}, as long as any").unwrap();
    }
    body
}

fn draft(area: &Area, plans: Vec<Plan>) -> Draft {
    let mut draft = area.queue.draft(plans);
    draft.header(HEADER, None, Priority::Normal).unwrap();
    draft
}

#[test]
fn a_small_message_is_nowhere_before_its_commit() {
    let area = Area::new();
    let mut draft = draft(&area, vec![plan("l", 0)]);
    draft.body(&vec![b'x'; IN_MEMORY - HEADER.len()]).unwrap();
    assert_eq!(draft.memory.capacity(), IN_MEMORY);
    assert_eq!(std::fs::read_dir(area.directory.path()).unwrap().count(), 0);
    drop(draft);
    assert!(area.files().is_empty());
}

#[test]
fn a_large_message_goes_to_a_temporary_file_that_a_dropped_draft_removes() {
    let area = Area::new();
    let mut draft = draft(&area, vec![plan("l", 0)]);
    draft.body(&vec![b'x'; IN_MEMORY + 1]).unwrap();
    let files = area.files();
    assert!(
        files.len() == 1 && files[0].starts_with("l/.tmp-"),
        "{files:?}"
    );
    assert!(draft.memory.capacity() <= 2 * CHUNK);
    drop(draft);
    assert!(area.files().is_empty());
}

#[test]
fn a_large_message_for_several_channels_is_the_same_in_each() {
    let area = Area::new();
    let body = large();
    let mut draft = draft(
        &area,
        vec![plan("l", 0), plan("tcp_local", 20), plan("ims-ms", 3)],
    );
    for piece in body.chunks(777) {
        draft.body(piece).unwrap();
    }
    let placed = draft.commit().unwrap();
    assert_eq!(area.files().len(), 3);
    for placed in placed {
        assert_eq!(placed.size, (HEADER.len() + body.len()) as u64);
        let message = area.queue.take(&placed.channel, &placed.place).unwrap();
        assert_eq!(message.envelope(), &placed.envelope);
        assert_eq!(message.header().unwrap(), HEADER);
        assert!(read(message.body().unwrap()) == body);
    }
}

#[test]
fn a_last_line_without_an_end_gets_one() {
    let area = Area::new();
    for body in [b"no end".to_vec(), vec![b'x'; IN_MEMORY + 10]] {
        let placed = area.put(plan("tcp_local", 0), &body).remove(0);
        let message = area.queue.take(&placed.channel, &placed.place).unwrap();
        assert_eq!(
            read(message.body().unwrap()),
            [body, b"\n".to_vec()].concat()
        );
    }
}

#[test]
fn a_message_may_be_empty() {
    let area = Area::new();
    let placed = area.queue.draft(vec![plan("l", 0)]).commit().unwrap();
    let message = area.queue.take(&channel("l"), &placed[0].place).unwrap();
    assert_eq!(message.content_len(), 0);
    assert!(message.header().unwrap().is_empty());
}

#[test]
fn a_held_message_says_why() {
    let area = Area::new();
    let mut plan = plan("tcp_local", 0);
    plan.held = Some("looping".into());
    let placed = area.put(plan, BODY).remove(0);
    assert!(placed.place.file.is_held());
    let (_, history) = area
        .queue
        .read_envelope(&placed.channel, &placed.place)
        .unwrap();
    assert_eq!(history[0].text, "looping");
}

#[test]
fn what_cannot_be_written_is_refused_and_leaves_nothing() {
    let area = Area::new();
    let mut hostile = plan("l", 0);
    hostile.envelope.id = "a\nm;b".into();
    let mut nobody = plan("l", 0);
    nobody.envelope.recipients.clear();
    let commit = |plans| draft(&area, plans).commit().unwrap_err();
    let error = commit(vec![plan("l", 0), hostile]);
    assert!(
        matches!(error, QueueError::Unwritable { record: 'i' }),
        "{error}"
    );
    assert!(matches!(
        commit(vec![plan("l", 0), nobody]),
        QueueError::NoRecipients
    ));
    assert!(matches!(commit(Vec::new()), QueueError::NoRecipients));
    assert!(area.files().is_empty());
}

#[test]
fn the_header_comes_first_and_once() {
    let area = Area::new();
    let mut draft = draft(&area, vec![plan("l", 0)]);
    let again = draft.header(b"\n", None, Priority::Normal).unwrap_err();
    assert!(matches!(again, QueueError::Order));
}

/// Promise 1 and 2 for each sync that a commit asks for: an error, and nothing is left.
#[test]
fn whichever_sync_fails_the_message_is_refused_and_gone() {
    for plans in [1, 2] {
        for successes in 0.. {
            let area = Area::new();
            let plans = [plan("l", 0), plan("tcp_local", 20)][..plans].to_vec();
            let draft = draft(&area, plans);
            fault::fail_after(successes);
            let result = draft.commit();
            if fault::clear() {
                assert!(result.is_ok() && successes > 1);
                break;
            }
            let error = result.unwrap_err();
            assert!(matches!(error, QueueError::Io { .. }), "{error}");
            assert!(area.files().is_empty(), "{successes}: {:?}", area.files());
        }
    }
}

#[test]
fn a_draft_that_failed_once_never_succeeds() {
    let area = Area::new();
    std::fs::write(area.directory.path().join("l"), "in the way").unwrap();
    let mut draft = draft(&area, vec![plan("l", 0)]);
    assert!(draft.body(&vec![b'x'; IN_MEMORY]).is_err());
    assert!(matches!(draft.body(b"x").unwrap_err(), QueueError::GivenUp));
    assert!(matches!(draft.commit().unwrap_err(), QueueError::GivenUp));
}

#[test]
fn a_full_disk_is_told_apart() {
    for (errno, expected) in [(28, true), (122, true), (5, false)] {
        let error = QueueError::io("write", "/", io::Error::from_raw_os_error(errno));
        assert_eq!(
            matches!(error, QueueError::NoSpace { .. }),
            expected,
            "{errno}"
        );
    }
}

#[test]
fn the_boundary_is_seen_across_pieces_and_only_as_a_line() {
    let line = "Boundary_(ID_bNmDRTvfQNkeUUBbOugFTQ)";
    let hidden = format!("a\n x{line}\n{line}x\n{line}");
    let open = format!("a\n{line}\nb");
    for cut in 0..open.len() {
        let mut watch = BoundaryWatch::new(line);
        let (first, second) = open.as_bytes().split_at(cut);
        assert!(watch.sees(first) | watch.sees(second), "{cut}");
        let mut watch = BoundaryWatch::new(line);
        let (first, second) = hidden.as_bytes().split_at(cut);
        assert!(!watch.sees(first) && !watch.sees(second), "{cut}");
    }
}

#[test]
fn a_message_that_contains_its_boundary_is_never_written() {
    let area = Area::new();
    let mut draft = draft(&area, vec![plan("l", 0)]);
    draft.body(&vec![b'x'; IN_MEMORY]).unwrap();
    let boundary = draft.spill.as_ref().unwrap().head.boundary.clone();
    draft.body(format!("\n{boundary}\n").as_bytes()).unwrap();
    let error = draft.commit().unwrap_err();
    assert!(matches!(error, QueueError::Boundary), "{error}");
    assert!(area.files().is_empty());
}
