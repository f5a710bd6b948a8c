//! Operators' changes.

use crate::error::{Fault, TakeError};
use crate::tests::{Area, BODY, attempt, channel, read};

#[test]
fn a_held_message_is_released_with_its_history() {
    let area = Area::new();
    let place = area.enqueue();
    let tcp = channel("tcp_local");
    let place = area
        .queue
        .take(&tcp, &place)
        .unwrap()
        .defer(&[attempt("x")])
        .unwrap();
    let held = area.queue.hold(&tcp, &place, "by hand").unwrap();
    assert_eq!(area.queue.hold(&tcp, &held, "again").unwrap(), held);
    let released = area.queue.release(&tcp, &held).unwrap();
    assert_eq!(released.place, place);
    assert_eq!(released.path, area.path(&place));
    let message = area.queue.take(&tcp, &released.place).unwrap();
    assert_eq!(message.history().len(), 2);
}

#[test]
fn a_copy_is_set_aside_until_an_operator_releases_it() {
    let area = Area::new();
    let tcp = channel("tcp_local");
    let place = area.enqueue();
    let copy = place.renamed(mta_envelope::names::FileName::first("copied").unwrap());
    std::fs::copy(area.path(&place), area.path(&copy)).unwrap();
    let error = area.queue.take(&tcp, &copy).unwrap_err();
    let TakeError::SetAside { place: held, fault } = error else {
        panic!("{error}");
    };
    assert!(matches!(fault, Fault::OtherName { .. }));
    let released = area.queue.release(&tcp, &held).unwrap();
    assert_eq!(released.place, copy);
    let message = area.queue.take(&tcp, &copy).unwrap();
    assert_eq!(read(message.body().unwrap()), BODY);
    area.queue.take(&tcp, &place).unwrap().keep();
}

#[test]
fn a_message_in_use_cannot_be_changed() {
    let area = Area::new();
    let tcp = channel("tcp_local");
    let place = area.enqueue();
    let taken = area.queue.take(&tcp, &place).unwrap();
    assert!(matches!(
        area.queue.hold(&tcp, &place, "x"),
        Err(TakeError::Busy)
    ));
    assert!(matches!(
        area.queue.delete(&tcp, &place),
        Err(TakeError::Busy)
    ));
    taken.keep();
    area.queue.delete(&tcp, &place).unwrap();
    assert!(matches!(
        area.queue.delete(&tcp, &place),
        Err(TakeError::Gone)
    ));
}
