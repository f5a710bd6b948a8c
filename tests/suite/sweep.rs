//! Every call on the way of a message, one after the other: the program dies before it, or the
//! call fails. The way in (one server process) and the ways out (store, remote host, remote host
//! that takes one of two recipients) are walked until no call is left to be disturbed.
//!
//! `strace` counts for each thread by itself, from the moment it attaches. So the thread that
//! works on the message meets the n-th call of a kind exactly where the undisturbed run had it.

use crate::support::client::Client;
use crate::support::root::Root;
use crate::support::sink::{Odd, Received, Sink};
use crate::support::strace::Tracer;
use crate::support::{wait_for, wait_within};
use mta_envelope::names::FileName;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is disturbed: everything that makes, fills, names, syncs, removes or gives back a file.
const CALLS: [&str; 18] = [
    "mkdir",
    "mkdirat",
    "open",
    "openat",
    "write",
    "writev",
    "pwrite64",
    "fsync",
    "fdatasync",
    "syncfs",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "close",
];

const CHANNELS: [&str; 2] = ["ims-ms", "tcp_local"];

const BOB: &str = "bob@example.com";
const ZOE: &str = "zoe@[127.0.0.2]";
const AMY: &str = "amy@[127.0.0.2]";

/// What the sink says when it has a message.
const ACCEPTED: &str = "250 2.0.0 stored";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Kill,
    Error(&'static str),
}

const FAULTS: [Fault; 3] = [Fault::Kill, Fault::Error("EIO"), Fault::Error("ENOSPC")];

/// A call that is disturbed, and how.
#[derive(Debug, Clone, Copy)]
struct Point {
    fault: Fault,
    call: &'static str,
    number: usize,
}

impl Point {
    /// Nothing when a process has ended meanwhile.
    fn attach(self, root: &Root, pids: &[i32]) -> Option<Tracer> {
        let Self { call, number, .. } = self;
        let fault = match self.fault {
            Fault::Kill => "signal=SIGKILL".to_owned(),
            Fault::Error(name) => format!("error={name}"),
        };
        let trace = format!("trace={call},recvfrom");
        let inject = format!("inject={call}:{fault}:when={number}");
        Tracer::try_attach(root, pids, &[&trace, &inject])
    }

    /// The line of the trace where it struck, by its number.
    fn struck(self, trace: &str) -> Option<usize> {
        let mark = match self.fault {
            Fault::Kill => "+++ killed by SIGKILL +++",
            Fault::Error(_) => "(INJECTED)",
        };
        trace.lines().position(|line| line.contains(mark))
    }
}

/// Goes through every point that an undisturbed run has; `try_one` says whether it struck.
/// Returns how many did.
fn sweep(calls: &BTreeMap<&'static str, usize>, mut try_one: impl FnMut(Point) -> bool) -> usize {
    let mut struck = 0;
    for (call, fault) in CALLS
        .into_iter()
        .flat_map(|call| FAULTS.map(|fault| (call, fault)))
    {
        // A call that fails in the hands of `strace` was not made. No Linux leaves a file open
        // whose `close` failed; a lock kept for ever would be our own doing.
        let Some(&count) = calls
            .get(call)
            .filter(|_| call != "close" || fault == Fault::Kill)
        else {
            continue;
        };
        // A few more than counted, should a run differ a little.
        let met = (1..count + 10)
            .map(|number| Point {
                fault,
                call,
                number,
            })
            .take_while(|point| try_one(*point))
            .count();
        println!("{fault:?} {call}: {met} of {count}");
        struck += met;
    }
    struck
}

/// The most calls of each kind that one thread made.
fn counted(trace: &str) -> BTreeMap<&'static str, usize> {
    let mut each: BTreeMap<(&str, &'static str), usize> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let name = rest.trim_start().split('(').next().unwrap_or("");
        if let Some(call) = CALLS.into_iter().find(|call| *call == name) {
            *each.entry((thread, call)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, call), count) in each {
        let known = most.entry(call).or_insert(0);
        *known = count.max(*known);
    }
    most
}

fn watch_all(root: &Root, pids: &[i32]) -> Tracer {
    Tracer::attach(root, pids, &[&format!("trace={}", CALLS.join(","))])
}

fn staged() -> Root {
    Root::staging()
        .set(&["dispatcher.service:SMTP.max_procs", "1"])
        // What is put off waits until it is asked for.
        .set(&["channel:tcp_local.backoff", "PT1H"])
        .set(&["channel:ims-ms.backoff", "PT1H"])
        .start()
}

fn message(number: usize) -> String {
    format!(
        "From: <eve@example.com>\nX-Number: {number}\n\n{}",
        body(number)
    )
}

fn body(number: usize) -> String {
    format!("message {number} and so on\n").repeat(50)
}

/// Which message that is; all of it must be there.
fn number_of(text: &str) -> usize {
    let (header, content) = text.split_once("\n\n").unwrap_or((text, ""));
    let number = header
        .lines()
        .find_map(|line| line.strip_prefix("X-Number: ")?.parse().ok())
        .unwrap_or_else(|| panic!("no number in {text:.300}"));
    assert!(content == body(number), "message {number} is damaged");
    number
}

/// How often each message lies in bob's mailbox.
fn stored(root: &Root) -> BTreeMap<usize, usize> {
    let mut copies = BTreeMap::new();
    for text in root.delivered(BOB) {
        let number = number_of(&String::from_utf8_lossy(&text));
        *copies.entry(number).or_default() += 1;
    }
    copies
}

/// How often each message came to `recipient` at the remote host.
fn relayed(received: &[Received], recipient: &str) -> BTreeMap<usize, usize> {
    let mut copies = BTreeMap::new();
    for one in received {
        if one.to.iter().any(|to| to == recipient) {
            let text = String::from_utf8_lossy(&one.message).replace("\r\n", "\n");
            *copies.entry(number_of(&text)).or_default() += 1;
        }
    }
    copies
}

fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(".tmp-")
}

/// What waits in the queue, temporary files of killed programs left out.
fn waiting(root: &Root) -> Vec<PathBuf> {
    let mut files = root.all_queued();
    files.retain(|path| !is_temporary(path));
    files
}

fn nothing_is_left_but_stale_files(root: &Root) {
    root.return_job("+25h");
    assert!(root.all_queued().is_empty(), "{:?}", root.all_queued());
    let unfinished = fs::read_dir(root.maildir(BOB).join("tmp"));
    let unfinished: Vec<_> = unfinished.into_iter().flatten().flatten().collect();
    assert!(unfinished.is_empty(), "{unfinished:?}");
    let notices = root.delivered("eve@example.com").len();
    assert_eq!(notices, 0, "nothing of this may be returned");
}

#[test]
fn on_the_way_in_a_250_is_the_truth_whatever_fails() {
    let root = staged();
    let sink = Sink::listen(2, root.client_port());
    for channel in CHANNELS {
        root.imsimta(&["qm", "stop", channel]);
    }
    let mut way = WayIn {
        root: &root,
        sent: 0,
        acknowledged: BTreeSet::new(),
    };
    let calls = way.undisturbed();
    println!("{calls:?}");
    let struck = sweep(&calls, |point| way.try_one(point));
    println!("{struck} points, {} acknowledged", way.acknowledged.len());
    assert!(struck >= 50, "{struck} points prove too little");

    way.put_back();
    root.imsimta(&["cache", "-sync"]);
    for channel in CHANNELS {
        root.imsimta(&["qm", "start", channel]);
    }
    wait_for("an empty queue", || waiting(&root).is_empty().then_some(()));
    for copies in [stored(&root), relayed(&sink.received(), ZOE)] {
        let missing: Vec<_> = way
            .acknowledged
            .iter()
            .filter(|number| !copies.contains_key(number))
            .collect();
        assert!(missing.is_empty(), "{missing:?}\n{}", root.logs());
        assert!(copies.values().all(|count| *count == 1), "{copies:?}");
    }
    nothing_is_left_but_stale_files(&root);
}

/// Messages that come in while nothing is delivered.
struct WayIn<'a> {
    root: &'a Root,
    sent: usize,
    acknowledged: BTreeSet<usize>,
}

impl WayIn<'_> {
    /// A server process that has done nothing yet, so that every run is like the first, and a
    /// session with it. The Dispatcher is a new one too: it does not remember deaths.
    fn session(&self) -> Client {
        self.root.imsimta(&["restart", "dispatcher"]);
        wait_for("a session", || Client::hello(self.root.smtp).ok())
    }

    fn send(&mut self, client: &mut Client) -> std::io::Result<()> {
        self.sent += 1;
        client.envelope("eve@example.com", &[BOB, ZOE])?;
        client.data(message(self.sent).as_bytes())?;
        self.acknowledged.insert(self.sent);
        Ok(())
    }

    fn undisturbed(&mut self) -> BTreeMap<&'static str, usize> {
        let mut client = self.session();
        let tracer = watch_all(self.root, &self.root.pids("tcp_smtp_server"));
        self.send(&mut client).unwrap();
        let calls = counted(&tracer.finish());
        self.set_aside();
        calls
    }

    fn try_one(&mut self, point: Point) -> bool {
        let mut client = self.session();
        let servers = self.root.pids("tcp_smtp_server");
        let tracer = point.attach(self.root, &servers).expect("it has a session");
        let result = self.send(&mut client);
        if point.fault == Fault::Kill && result.is_err() {
            wait_within(Duration::from_secs(2), || {
                point.struck(&tracer.so_far()).map(drop)
            });
        }
        let trace = tracer.finish();
        let struck = point.struck(&trace);
        let files = self.root.all_queued();
        let about = || format!("{point:?}: {result:?}, {files:?}\n{trace}");
        match &result {
            Ok(()) => {
                assert!(!self.is_about_the_message(point, &trace), "{}", about());
                let whole = files.iter().filter(|path| !is_temporary(path)).count();
                assert_eq!((whole, files.len()), (2, 2), "{}", about());
            }
            Err(error) => {
                let said = error.to_string();
                let killed = point.fault == Fault::Kill;
                assert!(struck.is_some(), "{}", about());
                assert!(killed || said.starts_with('4'), "{}", about());
                // A killed server leaves what it was at, and what was already in place.
                assert!(killed || files.is_empty(), "{}", about());
                assert!(files.len() <= 2, "{}", about());
            }
        }
        self.set_aside();
        struck.is_some()
    }

    /// Takes the channels' directories away, so that the next message has to make them again.
    fn set_aside(&self) {
        let place = self.root.path().join(format!("aside/{}", self.sent));
        fs::create_dir_all(&place).unwrap();
        for channel in CHANNELS {
            let directory = self.root.path().join("data/queue").join(channel);
            if directory.exists() {
                fs::rename(directory, place.join(channel)).unwrap();
            }
        }
    }

    fn put_back(&self) {
        for number in 1..=self.sent {
            let place = self.root.path().join(format!("aside/{number}"));
            merge(&place, &self.root.path().join("data/queue"));
        }
    }

    /// Whether the call that failed was one that the message cannot do without.
    fn is_about_the_message(&self, point: Point, trace: &str) -> bool {
        let queue = self.root.path().canonicalize().unwrap().join("data/queue");
        let queue = queue.to_string_lossy();
        let line = point.struck(trace).and_then(|at| trace.lines().nth(at));
        point.call != "close" && line.is_some_and(|line| line.contains(&*queue))
    }
}

/// Moves what lies in `from` to `to`; directories that both have are merged.
fn merge(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if target.is_dir() {
            merge(&entry.path(), &target);
        } else {
            fs::rename(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn on_the_way_to_the_store_nothing_is_lost_or_doubled() {
    let way = WayOut::new(&[BOB], "ims-ms", "ims_master", false);
    assert!(way.walk() >= 40, "that proves too little");
    let copies = stored(&way.root);
    assert!(copies.values().all(|count| *count == 1), "{copies:?}");
}

#[test]
fn on_the_way_to_a_host_nothing_is_lost_and_doubled_only_once_accepted() {
    let way = WayOut::new(&[ZOE], "tcp_local", "tcp_smtp_client", false);
    assert!(way.walk() >= 12, "that proves too little");
}

#[test]
fn when_one_of_two_recipients_is_put_off_nothing_is_lost_and_doubled_only_once_accepted() {
    let way = WayOut::new(&[ZOE, AMY], "tcp_local", "tcp_smtp_client", true);
    assert!(way.walk() >= 40, "that proves too little");
}

/// Messages that are delivered one by one by a program that is running already. What is put off
/// waits for the end of the sweep.
struct WayOut {
    root: Root,
    sink: Sink,
    to: &'static [&'static str],
    channel: &'static str,
    program: &'static str,
    /// The remote host has no time for amy at first.
    put_off: bool,
}

impl WayOut {
    fn new(
        to: &'static [&'static str],
        channel: &'static str,
        program: &'static str,
        put_off: bool,
    ) -> Self {
        let root = staged();
        let sink = Sink::listen(2, root.client_port());
        Self {
            root,
            sink,
            to,
            channel,
            program,
            put_off,
        }
    }

    /// Returns how many points there were.
    fn walk(&self) -> usize {
        let mut sent = 1;
        // The first one is there to have the program started.
        self.send(sent);
        wait_for("the first message", || self.was_tried(&BTreeSet::new()));
        let tracer = watch_all(&self.root, &self.root.pids(self.program));
        let parked = self.parked();
        sent += 1;
        self.send(sent);
        wait_for("the second message", || self.was_tried(&parked));
        let calls = counted(&tracer.finish());
        println!("{}: {calls:?}", self.program);
        let mut excused = BTreeSet::new();
        let struck = sweep(&calls, |point| {
            sent += 1;
            let (struck, accepted) = self.try_one(point, sent);
            if struck && accepted {
                excused.insert(sent);
            }
            struck
        });
        println!("{struck} points, {} behind the acceptance", excused.len());
        self.deliver_the_rest();
        for one in self.to {
            let copies = self.delivered(one);
            for number in 1..=sent {
                let found = copies.get(&number).copied().unwrap_or(0);
                // The rest of a split message is tried at once, so it can be what was struck at.
                let most = 1 + usize::from(excused.contains(&number) && *one != BOB);
                assert!(
                    (1..=most).contains(&found),
                    "{one} has {found} of message {number}, {excused:?}\n{}",
                    self.root.logs()
                );
            }
        }
        nothing_is_left_but_stale_files(&self.root);
        struck
    }

    fn send(&self, number: usize) {
        if self.put_off {
            self.sink
                .once(Odd::Reply("RCPT TO:<amy", "451 4.3.0 not yet".into()));
        }
        let mut client = Client::hello(self.root.smtp).unwrap();
        client.envelope("eve@example.com", self.to).unwrap();
        client.data(message(number).as_bytes()).unwrap();
    }

    /// Whether the point was met, and whether the remote host had the message by then.
    fn try_one(&self, point: Point, number: usize) -> (bool, bool) {
        let tracer = wait_for("a program that waits for work", || {
            let pids = Some(self.root.pids(self.program)).filter(|pids| !pids.is_empty())?;
            point.attach(&self.root, &pids)
        });
        let parked = self.parked();
        self.send(number);
        wait_for("an attempt", || {
            let struck = point.struck(&tracer.so_far()).map(drop);
            struck.or_else(|| self.was_tried(&parked))
        });
        let trace = tracer.finish();
        if point.fault == Fault::Kill {
            // The Job Controller has it tried again at once.
            wait_for("another attempt", || self.was_tried(&parked));
        }
        let struck = point.struck(&trace);
        let accepted = trace.lines().position(|line| line.contains(ACCEPTED));
        (struck.is_some(), accepted.is_some() && accepted < struck)
    }

    /// Whether all but the `parked` messages are gone or were put off, and none is in work.
    fn was_tried(&self, parked: &BTreeSet<String>) -> Option<()> {
        let mut files: Vec<FileName> = waiting(&self.root)
            .iter()
            .map(|path| name_of(path))
            .collect();
        files.retain(|name| !parked.contains(name.unique()));
        let untried = files.iter().any(|name| name.attempts() == 0);
        let mut pids = self.root.pids(self.program).into_iter();
        let in_work = pids.any(|pid| self.root.has_message_in_hand(pid));
        let done = !untried && !in_work && !files.iter().any(|name| self.is_next(name));
        done.then_some(())
    }

    /// Whether a message is about to be tried: what was left of one that was split is tried at
    /// once, although its name counts an attempt.
    fn is_next(&self, name: &FileName) -> bool {
        let told = self.root.imsimta(&["cache", "-view", "-json"]);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let mut known = told["messages"].as_array().unwrap().iter();
        known.any(|message| {
            let place = message["place"].as_str().unwrap();
            place.contains(name.unique()) && message["state"] != "waiting"
        })
    }

    /// The messages that wait for the end.
    fn parked(&self) -> BTreeSet<String> {
        let files = waiting(&self.root).into_iter();
        files
            .map(|path| name_of(&path).unique().to_owned())
            .collect()
    }

    fn deliver_the_rest(&self) {
        self.sink.relent();
        let mut asked = Instant::now();
        self.root.imsimta(&["submit", self.channel]);
        wait_for("an empty queue", || {
            // Something may have been put off once more, by what is in work yet.
            if asked.elapsed() > Duration::from_secs(2) {
                asked = Instant::now();
                self.root.imsimta(&["submit", self.channel]);
            }
            waiting(&self.root).is_empty().then_some(())
        });
    }

    fn delivered(&self, recipient: &str) -> BTreeMap<usize, usize> {
        match recipient {
            BOB => stored(&self.root),
            other => relayed(&self.sink.received(), other),
        }
    }
}

fn name_of(path: &Path) -> FileName {
    FileName::parse(&path.file_name().unwrap_or_default().to_string_lossy()).unwrap()
}
