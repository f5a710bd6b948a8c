//! The scan of the queue directories, on threads of its own.
//!
//! It sends what it finds in batches through a short queue, so that it runs only as fast as the
//! loop takes batches between requests: new mail flows while it goes on, and messages are handed
//! out as they are found.

use super::clerk;
use super::wake::{Caller, Wake};
use crate::schedule::Found;
use mta_envelope::envelope::Priority;
use mta_envelope::names::ChannelName;
use mta_ipc::job_controller::Entry;
use mta_queue::Queue;
use mta_queue::error::TakeError;
use mta_queue::scan::Found as File;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Files in a batch: a fraction of a millisecond's work for the scheduler.
const BATCH: usize = 256;

/// Batches that may wait.
const WAITING: usize = 4;

/// What a scan tells.
#[derive(Debug)]
pub(super) enum Report {
    /// Files.
    Found(Vec<Found>),
    /// Something for the log.
    Trouble(String),
    /// It is over.
    Done {
        /// Everything was looked at.
        complete: bool,
    },
}

/// How a scan is done.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// Only this channel; otherwise all that have a directory.
    pub(super) channel: Option<ChannelName>,
    /// Channels at once.
    pub(super) parallel: u32,
    /// Each channel's files in the order in which they came in.
    pub(super) in_order: bool,
    /// Seconds since 1970, to tell stale temporary files.
    pub(super) now: u64,
}

/// A scan that is going on.
#[derive(Debug)]
pub(super) struct Scan {
    reports: Receiver<Report>,
    stop: Arc<AtomicBool>,
}

impl Scan {
    /// Begins a scan; `wake` is called whenever there is a report.
    pub(super) fn begin(queue: &Queue, order: Order, wake: &Wake) -> io::Result<Self> {
        let (sender, reports) = sync_channel(WAITING);
        let stop = Arc::new(AtomicBool::new(false));
        let walker = Walker {
            queue: queue.clone(),
            order,
            sender,
            wake: wake.caller()?,
            stop: Arc::clone(&stop),
            missed: AtomicBool::new(false),
        };
        thread::Builder::new()
            .name("scan".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || walker.walk())?;
        Ok(Self { reports, stop })
    }

    /// The next report, if there is one now. A scan whose threads are gone is done.
    pub(super) fn report(&self) -> Option<Report> {
        match self.reports.try_recv() {
            Ok(report) => Some(report),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Report::Done { complete: false }),
        }
    }

    /// Lets it end soon.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The scanning side.
struct Walker {
    queue: Queue,
    order: Order,
    sender: SyncSender<Report>,
    wake: Caller,
    stop: Arc<AtomicBool>,
    /// Something could not be read.
    missed: AtomicBool,
}

impl Walker {
    fn walk(&self) {
        let channels = match &self.order.channel {
            Some(channel) => vec![channel.clone()],
            None => match self.queue.channels() {
                Ok(channels) => channels,
                Err(error) => {
                    self.missed(format!("cannot read the queue directory: {error}"));
                    Vec::new()
                }
            },
        };
        let workers = channels
            .len()
            .min(self.order.parallel.clamp(1, 64) as usize);
        let channels = Mutex::new(VecDeque::from(channels));
        thread::scope(|scope| {
            for _ in 1..workers {
                let work = || self.walk_channels(&channels);
                let spawned = thread::Builder::new()
                    .stack_size(256 * 1024)
                    .spawn_scoped(scope, work);
                if spawned.is_err() {
                    // Fewer workers only take longer.
                    break;
                }
            }
            self.walk_channels(&channels);
        });
        let missed = self.missed.load(Ordering::Relaxed) || self.is_stopped();
        self.send(Report::Done { complete: !missed });
    }

    fn walk_channels(&self, channels: &Mutex<VecDeque<ChannelName>>) {
        loop {
            let next = channels
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            match next {
                Some(channel) if !self.is_stopped() => self.walk_channel(&channel),
                _ => return,
            }
        }
    }

    fn walk_channel(&self, channel: &ChannelName) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut unreadable = 0_u64;
        let mut files = self.queue.scan(channel);
        for file in &mut files {
            if self.is_stopped() {
                return;
            }
            if file.place.file.is_held() {
                continue;
            }
            match self.look_into(channel, &file) {
                Ok(found) => batch.extend(found),
                Err(error) => {
                    if unreadable == 0 {
                        self.missed(format!("channel {channel}: {}: {error}", file.place));
                    }
                    unreadable += 1;
                }
            }
            if batch.len() >= BATCH && !self.order.in_order {
                self.send(Report::Found(std::mem::take(&mut batch)));
            }
        }
        for fault in files.faults() {
            self.missed(mta_process::exit::with_causes(&fault));
        }
        if unreadable > 1 {
            self.trouble(format!("channel {channel}: {unreadable} unreadable files"));
        }
        batch.sort_by_key(|found| found.entry.arrived);
        while !batch.is_empty() && !self.is_stopped() {
            let rest = batch.split_off(batch.len().min(BATCH));
            self.send(Report::Found(std::mem::replace(&mut batch, rest)));
        }
        if let Err(error) = self.queue.clean(channel, self.order.now) {
            self.trouble(format!(
                "channel {channel}: cannot remove temporary files: {error}"
            ));
        }
    }

    /// What a file says of itself. A damaged one is taken in all the same: the job that gets it
    /// sets it aside and reports it, as it does with one that was damaged later.
    fn look_into(&self, channel: &ChannelName, file: &File) -> io::Result<Option<Found>> {
        let mut deaths = 0;
        let mut entry = Entry {
            channel: channel.clone(),
            place: file.place.clone(),
            priority: Priority::default(),
            host: String::new(),
            size: file.len,
            recipients: 1,
            arrived: file.mtime,
            not_before: None,
        };
        match self.queue.read_envelope(channel, &file.place) {
            Ok((envelope, history)) => {
                deaths = clerk::deaths_in(&history, envelope.recipients.len());
                entry.priority = envelope.priority;
                entry.size = envelope.size;
                entry.arrived = envelope.arrived;
                entry.not_before = envelope.deferred_until;
                entry.recipients = u32::try_from(envelope.recipients.len()).unwrap_or(u32::MAX);
                if let Some(first) = envelope.recipients.first() {
                    entry.host = first.sort_host();
                }
            }
            Err(TakeError::Gone) => return Ok(None),
            Err(TakeError::Busy | TakeError::SetAside { .. } | TakeError::Damaged { .. }) => {}
            Err(TakeError::Io { source }) => return Err(source),
        }
        Ok(Some(Found {
            entry,
            tried: file.mtime,
            deaths,
        }))
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn missed(&self, text: String) {
        self.missed.store(true, Ordering::Relaxed);
        self.trouble(text);
    }

    fn trouble(&self, text: String) {
        self.send(Report::Trouble(text));
    }

    fn send(&self, report: Report) {
        // Nobody receives any more when the controller ends or has dropped this scan.
        if self.sender.send(report).is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.wake.call();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_envelope::address::Address;
    use mta_envelope::envelope::{Envelope, Recipient};
    use mta_process::poll::{Interest, Poll};
    use mta_queue::{Placed, Plan};
    use std::os::fd::AsFd;
    use std::path::Path;

    fn channel(n: u64) -> ChannelName {
        ChannelName::new(&format!("tcp_{}", n % 3)).unwrap()
    }

    fn write(queue: &Queue, n: u64) -> Placed {
        let to = Address::parse(&format!("ada@H{n}.example")).unwrap();
        let envelope = Envelope {
            id: "0TOY00B049408X00@mail.example.com".to_owned(),
            sender: None,
            ret: None,
            source_channel: channel(0),
            source_system: String::new(),
            user: String::new(),
            authenticated: None,
            arrived: 1_790_000_000 - n,
            priority: Priority::Urgent,
            message_id: None,
            size: 0,
            deferred_until: None,
            recipients: vec![Recipient::new(to)],
        };
        let plan = Plan {
            channel: channel(n),
            subdirs: 4,
            envelope,
            held: (n == 999).then(|| "a reason".to_owned()),
        };
        let mut draft = queue.draft(vec![plan]);
        draft.header(b"\n", None, Priority::Urgent).unwrap();
        draft.commit().unwrap().remove(0)
    }

    fn scan(queue: &Queue, channel: Option<ChannelName>) -> (Vec<Found>, Vec<String>) {
        let wake = Wake::new().unwrap();
        let order = Order {
            channel,
            parallel: 12,
            in_order: true,
            now: 1_790_000_000,
        };
        let scan = Scan::begin(queue, order, &wake).unwrap();
        let (mut found, mut troubles) = (Vec::new(), Vec::new());
        loop {
            match scan.report() {
                Some(Report::Found(batch)) => found.extend(batch),
                Some(Report::Trouble(text)) => troubles.push(text),
                Some(Report::Done { complete }) => {
                    assert_eq!(complete, troubles.is_empty());
                    return (found, troubles);
                }
                None => {
                    let mut poll = Poll::new();
                    poll.watch(wake.as_fd(), Interest::Read, ());
                    poll.wait(None).unwrap();
                    wake.clear();
                }
            }
        }
    }

    #[test]
    fn a_directory_that_cannot_be_read_makes_the_scan_incomplete() {
        let area = tempfile::tempdir().unwrap();
        let queue = Queue::open(area.path()).unwrap();
        write(&queue, 1);
        // Not even root can read what is no directory.
        std::fs::write(area.path().join("tcp_1/007"), "").unwrap();
        let (found, troubles) = scan(&queue, None);
        assert_eq!(found.len(), 1);
        assert!(troubles[0].contains("tcp_1/007"), "{troubles:?}");
    }

    fn damage(path: &Path) {
        std::fs::write(path, "u;x\n").unwrap();
    }

    #[test]
    fn everything_that_can_be_delivered_is_found_in_order() {
        let area = tempfile::tempdir().unwrap();
        let queue = Queue::open(area.path()).unwrap();
        for n in 0..600 {
            write(&queue, n);
        }
        write(&queue, 999);
        let (found, troubles) = scan(&queue, None);
        assert_eq!((found.len(), troubles), (600, Vec::new()));
        for n in 0..3 {
            let channel = channel(n);
            let mine = found.iter().filter(|file| file.entry.channel == channel);
            let arrived: Vec<_> = mine.map(|file| file.entry.arrived).collect();
            assert!(arrived.len() == 200 && arrived.is_sorted());
        }
        assert!(found.iter().all(
            |file| file.entry.host.starts_with('h') && file.entry.priority == Priority::Urgent
        ));
        assert_eq!(scan(&queue, Some(channel(1))).0.len(), 200);
    }

    #[test]
    fn damaged_files_are_left_to_the_job_that_gets_them() {
        let area = tempfile::tempdir().unwrap();
        let queue = Queue::open(area.path()).unwrap();
        let placed = write(&queue, 1);
        damage(&placed.path);
        let (found, troubles) = scan(&queue, None);
        assert_eq!((found.len(), troubles.len()), (1, 0));
        assert_eq!(found[0].entry.place, placed.place);
    }
}
