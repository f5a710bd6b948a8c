//! Room for the files that a message has open until they are all in the queue.

use std::sync::{Condvar, Mutex, PoisonError};

/// Files that all messages of a process together have open at their commit. A message to hundreds
/// of hosts waits for its turn; it does not take away the descriptors that others need.
pub const OPEN_FILES: usize = 400;

/// How many of [`OPEN_FILES`] are free.
#[derive(Debug)]
pub(super) struct Room {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A part of the room, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    room: &'a Room,
    files: usize,
}

impl Room {
    pub(super) const fn new() -> Self {
        Self {
            free: Mutex::new(OPEN_FILES),
            freed: Condvar::new(),
        }
    }

    /// Waits until there is room for so many files, or for as many as there can be. Nobody waits
    /// who has room already, so that all get their turn.
    pub(super) fn take(&self, files: usize) -> Taken<'_> {
        let files = files.min(OPEN_FILES);
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_while(free, |free| *free < files);
        *waited.unwrap_or_else(PoisonError::into_inner) -= files;
        Taken { room: self, files }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let free = self.room.free.lock();
        *free.unwrap_or_else(PoisonError::into_inner) += self.files;
        self.room.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn more_than_there_is_room_for_waits() {
        let (room, open) = (Room::new(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for files in [1, 10, 150, 200, 399, 400, 5000] {
                let (room, open) = (&room, &open);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let taken = room.take(files);
                        let now = open.fetch_add(taken.files, Ordering::SeqCst) + taken.files;
                        assert!(now <= OPEN_FILES);
                        open.fetch_sub(taken.files, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(room.take(OPEN_FILES).files, OPEN_FILES);
    }
}
