//! Tells the Job Controller about new files, without ever making an enqueue wait.
//!
//! A hint goes into a bounded list; a thread of its own takes everything that is there and
//! sends it. If the Job Controller is away, or cannot keep up, hints are kept for it, up to a
//! bound; beyond that it is asked to scan the queue when it listens again. Disk is the truth.

use mta_ipc::Client;
use mta_ipc::job_controller::{DAEMON, Entry, Reply, Request};
use mta_queue::enqueue::Placed;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Hints that may wait to be sent.
const WAITING: usize = 4096;

/// Entries in one request; with the longest names they stay well under a frame.
const BATCH: usize = 64;

/// How long the Job Controller may take to answer a greeting.
const GREETING: Duration = Duration::from_secs(5);

/// How long to wait after a failed connection before the next is tried.
const PAUSE: Duration = Duration::from_secs(1);

/// Under load, how long hints are collected before they go out together.
const GATHER: Duration = Duration::from_millis(2);

/// Hints that follow one another within this time are load.
const BUSY: Duration = Duration::from_millis(10);

/// Where hints are put.
#[derive(Debug, Clone)]
pub(super) struct Hints {
    waiting: SyncSender<Note>,
    /// Somebody could not leave a hint: the Job Controller is to look for itself.
    lost: Arc<AtomicBool>,
}

/// What the sending thread is given.
enum Note {
    /// A file to tell of.
    Placed(Entry),
    /// To be answered once everything before it is out.
    Flush(SyncSender<()>),
}

impl Hints {
    /// Starts the thread that sends. Without a thread (the system refuses one) hints go nowhere,
    /// and the Job Controller finds the files by itself.
    pub(super) fn start(config_dir: PathBuf, program: &str) -> Self {
        let (waiting, arriving) = sync_channel(WAITING);
        let program = program.to_owned();
        let lost = Arc::new(AtomicBool::new(false));
        let sender = Sender::new(config_dir, program.clone(), Arc::clone(&lost));
        let started = std::thread::Builder::new()
            .name(format!("{program} hints"))
            .stack_size(256 * 1024)
            .spawn(move || sender.run(&arriving));
        // Without its thread the receiving end is gone and every hint is dropped.
        drop(started);
        Self { waiting, lost }
    }

    /// Leaves a hint; if too many wait already, the queue will be scanned instead.
    pub(super) fn leave(&self, entry: Entry) {
        if self.waiting.try_send(Note::Placed(entry)).is_err() {
            self.lost.store(true, Ordering::Release);
        }
    }

    /// Waits until everything left so far is sent or dropped, or `within` has passed. For
    /// programs that are about to end.
    pub(super) fn flush(&self, within: Duration) {
        let (done, wait) = sync_channel(1);
        if self.waiting.send(Note::Flush(done)).is_ok() {
            // Not in time, or not at all: a hint that is lost costs time, never mail.
            wait.recv_timeout(within).unwrap_or(());
        }
    }
}

struct Sender {
    config_dir: PathBuf,
    program: String,
    client: Option<Client<Request, Reply>>,
    failed: Option<Instant>,
    /// What could not be told yet, oldest first, up to [`WAITING`].
    untold: Vec<Entry>,
    /// More than that could not be told: the next Job Controller is asked to look for itself.
    lost: Arc<AtomicBool>,
}

impl Sender {
    const fn new(config_dir: PathBuf, program: String, lost: Arc<AtomicBool>) -> Self {
        Self {
            config_dir,
            program,
            client: None,
            failed: None,
            untold: Vec::new(),
            lost,
        }
    }

    fn run(mut self, arriving: &Receiver<Note>) {
        let mut sent: Option<Instant> = None;
        while let Some(first) = self.next(arriving) {
            // One hint at a time would cost two context switches for each message.
            if sent.is_some_and(|sent| sent.elapsed() < BUSY) {
                std::thread::sleep(GATHER);
            }
            let mut flushed = Vec::new();
            let mut next = first;
            let mut taken = 0;
            while let Some(note) = next.take() {
                match note {
                    Note::Placed(entry) => self.keep(entry),
                    Note::Flush(done) => flushed.push(done),
                }
                taken += 1;
                if taken < BATCH {
                    next = arriving.try_recv().ok();
                }
            }
            self.tell();
            sent = Some(Instant::now());
            for done in flushed {
                // Whoever asked may have given up waiting.
                done.try_send(()).unwrap_or(());
            }
        }
    }

    /// The next note; `Some(None)` when it is time to try again with what is untold; nothing when
    /// nobody is left to send any.
    fn next(&self, arriving: &Receiver<Note>) -> Option<Option<Note>> {
        if self.untold.is_empty() && !self.lost.load(Ordering::Acquire) {
            return arriving.recv().ok().map(Some);
        }
        match arriving.recv_timeout(PAUSE) {
            Ok(note) => Some(Some(note)),
            Err(RecvTimeoutError::Timeout) => Some(None),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    fn keep(&mut self, entry: Entry) {
        if self.untold.len() < WAITING {
            self.untold.push(entry);
        } else {
            self.lost.store(true, Ordering::Release);
        }
    }

    /// Tells what is untold. What a Job Controller that is away cannot be told is kept until it
    /// is back: it may have looked at the queue before the file was there.
    fn tell(&mut self) {
        // Taken back first: what is lost from here on needs another scan.
        if self.lost.swap(false, Ordering::AcqRel) && !self.send(&Request::Sync) {
            self.lost.store(true, Ordering::Release);
        }
        while !self.untold.is_empty() {
            let batch = self.untold[..self.untold.len().min(BATCH)].to_vec();
            let count = batch.len();
            if !self.send(&Request::Enqueued(batch)) {
                return;
            }
            self.untold.drain(..count);
        }
    }

    /// Sends, on a new connection if the old one has ended meanwhile. Tells whether it is sent.
    fn send(&mut self, request: &Request) -> bool {
        for _ in 0..2 {
            let Some(client) = self.client() else {
                return false;
            };
            if client.tell(request).is_ok() {
                return true;
            }
            self.client = None;
        }
        false
    }

    fn client(&mut self) -> Option<&Client<Request, Reply>> {
        if self.client.as_ref().is_some_and(Client::is_closed) {
            self.client = None;
        }
        if self.client.is_none() {
            if self.failed.is_some_and(|when| when.elapsed() < PAUSE) {
                return None;
            }
            self.client = Client::connect(&self.config_dir, DAEMON, &self.program, GREETING).ok();
            self.failed = self.client.is_none().then(Instant::now);
        }
        self.client.as_ref()
    }
}

/// The entry for a file that has just been placed; `host` only where the channel sorts by it.
pub(super) fn entry(placed: &Placed, sorts_by_host: bool) -> Entry {
    let envelope = &placed.envelope;
    let host = match envelope.recipients.first() {
        Some(recipient) if sorts_by_host => recipient.sort_host(),
        Some(_) | None => String::new(),
    };
    Entry {
        channel: placed.channel.clone(),
        place: placed.place.clone(),
        priority: envelope.priority,
        host,
        size: placed.size,
        recipients: u32::try_from(envelope.recipients.len()).unwrap_or(u32::MAX),
        arrived: envelope.arrived,
        not_before: envelope.deferred_until,
    }
}
