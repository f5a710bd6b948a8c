//! The rare work on single files: counting an attempt of, or holding, a message with which
//! channel programs died. On a thread of its own, since it syncs.

use super::wake::{Caller, Wake};
use crate::schedule::{COUNTS, HELD};
use mta_envelope::names::{ChannelName, Place};
use mta_ipc::job_controller::{Settlement, WorkId};
use mta_queue::Queue;
use mta_queue::dequeue::Dequeued;
use mta_queue::error::{SettleError, TakeError};
use mta_queue::history::Attempt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the history and the hold say.
pub(super) const REASON: &str = "channel program died";

/// A file to be amended.
#[derive(Debug)]
pub(super) struct Task {
    /// Names it in the answer.
    pub(super) work: WorkId,
    pub(super) channel: ChannelName,
    pub(super) place: Place,
    /// Hold it, rather than count an attempt.
    pub(super) hold: bool,
}

/// The clerk, seen from the loop.
#[derive(Debug)]
pub(super) struct Clerk {
    tasks: Sender<Task>,
    results: Receiver<(WorkId, Settlement)>,
}

impl Clerk {
    /// Starts the thread; `wake` is called with each result.
    pub(super) fn start(queue: Queue, wake: &Wake) -> io::Result<Self> {
        let (tasks, work) = channel();
        let (sender, results) = channel();
        let caller = wake.caller()?;
        thread::Builder::new()
            .name("clerk".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || do_work(&queue, &work, &sender, &caller))?;
        Ok(Self { tasks, results })
    }

    /// Hands over a task. Returns what to settle it with if the clerk is gone.
    pub(super) fn give(&self, task: Task) -> Option<(WorkId, Settlement)> {
        let gone = self.tasks.send(task).err()?;
        Some((gone.0.work, Settlement::Kept))
    }

    /// The next result, if there is one now.
    pub(super) fn result(&self) -> Option<(WorkId, Settlement)> {
        self.results.try_recv().ok()
    }
}

fn do_work(
    queue: &Queue,
    tasks: &Receiver<Task>,
    results: &Sender<(WorkId, Settlement)>,
    wake: &Caller,
) {
    for task in tasks {
        // Without an answer the message would be in our hands for ever.
        let amended = panic::catch_unwind(AssertUnwindSafe(|| amend(queue, &task)));
        let settlement = amended.unwrap_or(Settlement::Kept);
        if results.send((task.work, settlement)).is_err() {
            return;
        }
        wake.call();
    }
}

fn amend(queue: &Queue, task: &Task) -> Settlement {
    let taken = match queue.take(&task.channel, &task.place) {
        Ok(taken) => taken,
        Err(TakeError::Gone) => return Settlement::Gone,
        Err(TakeError::Busy) => return Settlement::Busy,
        Err(TakeError::SetAside { place, .. }) => return Settlement::Held { place },
        Err(TakeError::Damaged { .. } | TakeError::Io { .. }) => return Settlement::Kept,
    };
    if task.hold {
        match taken.hold(REASON) {
            Ok(place) => Settlement::Held { place },
            Err(error) => unsettled(&error, &task.place),
        }
    } else {
        let attempts = deaths_of(&taken);
        match taken.defer(&attempts) {
            Ok(place) => deferred(place),
            Err(error) => unsettled(&error, &task.place),
        }
    }
}

/// One history line for each recipient.
fn deaths_of(taken: &Dequeued) -> Vec<Attempt> {
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let recipients = taken.envelope().recipients.iter();
    recipients
        .map(|recipient| Attempt {
            time,
            recipient: recipient.address.to_string(),
            status: "4.3.0".to_owned(),
            text: REASON.to_owned(),
        })
        .collect()
}

/// Deaths in a row of which a history tells, for a controller that has just started. It is told
/// from the death on that counts as an attempt.
pub(super) fn deaths_in(history: &[Attempt], recipients: usize) -> u8 {
    let attempts = history.iter().rev().filter(|line| line.recipient != "-");
    let lines = attempts.take_while(|line| line.text == REASON).count();
    let counted = u8::try_from(lines.div_ceil(recipients.max(1))).unwrap_or(u8::MAX);
    match counted {
        0 => 0,
        // Held at the latest by the next one.
        more => (COUNTS - 1).saturating_add(more).min(HELD - 1),
    }
}

fn deferred(place: Place) -> Settlement {
    Settlement::Deferred {
        place,
        retry_in: None,
    }
}

/// The change may have reached the directory although not the disk: the name tells.
fn unsettled(error: &SettleError, before: &Place) -> Settlement {
    if error.place == *before {
        Settlement::Kept
    } else if error.place.file.is_held() {
        Settlement::Held {
            place: error.place.clone(),
        }
    } else {
        deferred(error.place.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_envelope::address::Address;
    use mta_envelope::envelope::{Envelope, Priority, Recipient};
    use mta_queue::{Placed, Plan};

    fn write(queue: &Queue) -> Placed {
        let channel = ChannelName::new("l").unwrap();
        let envelope = Envelope {
            id: "0TOY00B049408X00@mail.example.com".to_owned(),
            sender: None,
            ret: None,
            source_channel: channel.clone(),
            source_system: String::new(),
            user: String::new(),
            authenticated: None,
            arrived: 1_790_000_000,
            priority: Priority::Normal,
            message_id: None,
            size: 0,
            deferred_until: None,
            recipients: vec![Recipient::new(Address::parse("ada@example.com").unwrap())],
        };
        let plan = Plan {
            channel,
            subdirs: 0,
            envelope,
            held: None,
        };
        let mut draft = queue.draft(vec![plan]);
        draft.header(b"\n", None, Priority::Normal).unwrap();
        draft.commit().unwrap().remove(0)
    }

    fn task(placed: &Placed, hold: bool) -> Task {
        Task {
            work: WorkId(1),
            channel: placed.channel.clone(),
            place: placed.place.clone(),
            hold,
        }
    }

    #[test]
    fn an_attempt_is_counted_in_name_and_history() {
        let area = tempfile::tempdir().unwrap();
        let queue = Queue::open(area.path()).unwrap();
        let placed = write(&queue);
        let Settlement::Deferred { place, .. } = amend(&queue, &task(&placed, false)) else {
            panic!("not counted");
        };
        assert_eq!(place.file.attempts(), 1);
        let (_, history) = queue.read_envelope(&placed.channel, &place).unwrap();
        assert_eq!((history.len(), history[0].text.as_str()), (1, REASON));
        assert_eq!(history[0].recipient, "ada@example.com");
    }

    #[test]
    fn deaths_are_read_off_the_history() {
        let line = |recipient: &str, text: &str| Attempt {
            time: 5,
            recipient: recipient.to_owned(),
            status: "4.3.0".to_owned(),
            text: text.to_owned(),
        };
        let death = || line("a@b", REASON);
        let table = [
            (Vec::new(), 0),
            (vec![death(), line("a@b", "refused")], 0),
            (vec![line("a@b", "refused"), death()], 3),
            (vec![death(), death(), Attempt::warned(1)], 4),
            (vec![death(); 50], 9),
        ];
        for (history, deaths) in table {
            assert_eq!(deaths_in(&history, 1), deaths, "{history:?}");
        }
        assert_eq!(deaths_in(&[death(), line("c@d", REASON)], 2), 3);
    }

    #[test]
    fn a_hold_names_its_reason() {
        let area = tempfile::tempdir().unwrap();
        let queue = Queue::open(area.path()).unwrap();
        let placed = write(&queue);
        let Settlement::Held { place } = amend(&queue, &task(&placed, true)) else {
            panic!("not held");
        };
        assert!(place.file.is_held());
        let (_, history) = queue.read_envelope(&placed.channel, &place).unwrap();
        assert_eq!(history[0].text, REASON);
    }

    #[test]
    fn files_that_are_locked_or_gone_are_not_touched() {
        let area = tempfile::tempdir().unwrap();
        let queue = Queue::open(area.path()).unwrap();
        let placed = write(&queue);
        let taken = queue.take(&placed.channel, &placed.place).unwrap();
        assert_eq!(amend(&queue, &task(&placed, true)), Settlement::Busy);
        taken.remove().unwrap();
        assert_eq!(amend(&queue, &task(&placed, true)), Settlement::Gone);
    }
}
