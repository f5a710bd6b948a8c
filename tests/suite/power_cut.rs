//! Power cuts under load: queue, store and logs lie on a disk of their own, which dies at a
//! random moment with everything that was not synced. What got its 250 is there afterwards.
//!
//! `kill -9` cannot show that, since the page cache survives it. That the rig can is shown by
//! servers with one deliberate mistake, which it must catch. One such server it cannot: without
//! syncs of directories (`broken-no-dir-sync`) nothing was ever lost. The queue renames before it
//! syncs the file, and the sync of a file commits the journal of ext4, as of XFS, up to that
//! file's last change, its new name and the directories above included. What a file system that
//! promises less would lose only `order` sees, in the calls themselves.

use crate::support::broken::broken;
use crate::support::client::Client;
use crate::support::dice::Dice;
use crate::support::disk::{Disk, FileSystem};
use crate::support::root::Root;
use crate::support::sink::{Odd, Sink};
use crate::support::{PATIENCE, wait_for, wait_within};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const CLIENTS: usize = 6;
/// The smallest that XFS takes.
const MEGABYTES: u64 = 300;

/// Rounds in which a broken server must have lost something.
const ROUNDS_FOR_MISTAKES: usize = 4;

const BOB: &str = "bob@example.com";
const ZOE: &str = "zoe@[127.0.0.2]";
const AMY: &str = "amy@[127.0.0.2]";
const RECIPIENTS: [&[&str]; 5] = [&[BOB], &[ZOE], &[BOB, ZOE], &[ZOE, AMY], &[ZOE, BOB]];
const SIZES: [usize; 8] = [1_000, 1_000, 5_000, 30_000, 1_000, 120_000, 10_000, 400_000];

/// How long before the cut a message may have been accepted by its host and still be delivered
/// again: it was in flight, its removal from the queue not yet durable.
const IN_FLIGHT: Duration = Duration::from_secs(3);

/// How long a server may take to get over a power cut.
const RECOVERY: Duration = Duration::from_secs(30);

#[test]
fn nothing_acknowledged_is_lost_over_six_power_cuts() {
    nothing_is_lost(FileSystem::Ext4, 6);
}

#[test]
fn nothing_acknowledged_is_lost_over_three_power_cuts_on_xfs() {
    nothing_is_lost(FileSystem::Xfs, 3);
}

fn nothing_is_lost(system: FileSystem, rounds: usize) {
    let mut dice = Dice::seeded();
    let rig = Rig::new(None, system);
    for round in 0..rounds {
        rig.round(&mut dice);
        let found = rig.judge();
        println!("round {round}: {found}");
        assert!(found.lost.is_empty(), "{:?}", found.lost);
        assert_eq!(found.stored_twice, 0, "the store knows what it has");
        assert!(found.late.is_empty(), "not in flight: {:?}", found.late);
        assert!(found.bounced == 0, "nothing of this may be returned");
    }
    rig.works_and_can_be_cleaned();
}

#[test]
fn the_cut_catches_broken_servers() {
    for mistake in ["broken-no-file-sync", "broken-early-250"] {
        let mut dice = Dice::seeded();
        let rig = Rig::new(Some(&broken(mistake)), FileSystem::Ext4);
        let caught = (0..ROUNDS_FOR_MISTAKES).any(|round| {
            rig.round(&mut dice);
            let found = rig.judge();
            println!("{mistake}, round {round}: {found}");
            !found.lost.is_empty()
        });
        assert!(caught, "{mistake}: nothing was lost, the rig is blind");
    }
}

/// A server whose data lie on a disk of their own, its remote host, and what it was told.
struct Rig {
    root: Root,
    disk: Disk,
    sink: Sink,
    ledger: Ledger,
}

/// What the clients know, outside of the disk.
#[derive(Default)]
struct Ledger {
    sent: Mutex<BTreeMap<usize, Sent>>,
    /// Set before the cut: from then on a client's failure is no wonder.
    over: AtomicBool,
    /// When the disk died, and when all programs were dead.
    cuts: Mutex<Vec<(Instant, Instant)>>,
}

struct Sent {
    to: &'static [&'static str],
    acknowledged: bool,
}

impl Ledger {
    fn acknowledged(&self) -> usize {
        let sent = self.sent.lock().unwrap();
        sent.values().filter(|sent| sent.acknowledged).count()
    }

    /// Notes a message before the first octet of it is sent.
    fn begin(&self) -> (usize, &'static [&'static str]) {
        let mut sent = self.sent.lock().unwrap();
        let number = sent.len();
        let to = RECIPIENTS[number % RECIPIENTS.len()];
        let acknowledged = false;
        sent.insert(number, Sent { to, acknowledged });
        (number, to)
    }

    fn acknowledge(&self, number: usize) {
        let mut sent = self.sent.lock().unwrap();
        sent.get_mut(&number).unwrap().acknowledged = true;
    }
}

impl Rig {
    fn new(server: Option<&PathBuf>, system: FileSystem) -> Self {
        let root = Root::staging()
            .set(&["channel:tcp_local.backoff", "PT1S"])
            .set(&["channel:ims-ms.backoff", "PT1S"])
            .build();
        if let Some(server) = server {
            root.replace_program("tcp_smtp_server", server);
        }
        let disk = Disk::below(&root.path().join("data"), system, MEGABYTES);
        let sink = Sink::listen(2, root.client_port());
        root.start();
        Self {
            root,
            disk,
            sink,
            ledger: Ledger::default(),
        }
    }

    /// Load, a power cut in the midst of it, and the recovery.
    fn round(&self, dice: &mut Dice) {
        let enough = self.ledger.acknowledged() + 40 + dice.roll(100);
        self.ledger.over.store(false, Ordering::Relaxed);
        // Some are put off, and some of two recipients are put off for one of them.
        for _ in 0..5 {
            let busy = "451 4.3.0 not yet".to_owned();
            self.sink.once(Odd::Reply("DOT", busy.clone()));
            self.sink.once(Odd::Reply("RCPT TO:<amy", busy));
        }
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| self.load());
            }
            let loaded = wait_within(PATIENCE, || {
                (self.ledger.acknowledged() >= enough).then_some(())
            });
            // First of all the clients must end.
            self.cut(dice);
            assert!(loaded.is_some(), "too few messages before the cut");
        });
        self.sink.relent();
        self.disk.unmount();
        assert!(self.disk.needs_recovery(), "that was no power cut");
        self.disk.mount();
        let begun = Instant::now();
        self.root.start();
        wait_within(RECOVERY, || self.waiting().is_empty().then_some(())).unwrap_or_else(|| {
            panic!("still waiting: {:?}\n{}", self.waiting(), self.root.logs());
        });
        println!("recovered within {:?}", begun.elapsed());
    }

    /// One client: message after message, until the server is gone.
    fn load(&self) {
        let mut session = None;
        while !self.ledger.over.load(Ordering::Relaxed) {
            let (number, to) = self.ledger.begin();
            match send(&self.root, &mut session, number, to) {
                Ok(()) => self.ledger.acknowledge(number),
                Err(error) if self.ledger.over.load(Ordering::Relaxed) => {
                    println!("message {number}, at the cut: {error}");
                    return;
                }
                Err(error) => panic!("message {number}: {error}"),
            }
        }
    }

    /// The disk dies, and a little later everything that runs.
    fn cut(&self, dice: &mut Dice) {
        let mut instant = |most| Duration::from_micros(u64::try_from(dice.roll(most)).unwrap());
        let knife = self.disk.knife();
        std::thread::sleep(instant(20_000));
        self.ledger.over.store(true, Ordering::Relaxed);
        knife.cut();
        let cut = Instant::now();
        // So that programs meet the dead disk and have the time to say what is not true.
        std::thread::sleep(instant(50_000));
        assert!(self.root.kill_all(), "{:?}", self.root.processes());
        let mut cuts = self.ledger.cuts.lock().unwrap();
        cuts.push((cut, Instant::now()));
    }

    /// Messages that wait in the queue. Files of killed writers and torn ones that were set aside
    /// are no messages.
    fn waiting(&self) -> Vec<PathBuf> {
        let mut files = self.root.all_queued();
        files.retain(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            !name.starts_with(".tmp-") && !name.ends_with(".HELD")
        });
        files
    }

    fn judge(&self) -> Found {
        let copies = self.copies();
        let sent = self.ledger.sent.lock().unwrap();
        let mut found = Found {
            bounced: self.root.delivered("eve@example.com").len(),
            ..Found::default()
        };
        for path in self.root.all_queued() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.temporary += usize::from(name.starts_with(".tmp-"));
            found.torn += usize::from(name.ends_with(".HELD"));
        }
        for (number, sent) in &*sent {
            for one in sent.to {
                let copies = copies.get(&(*number, *one)).map_or(&[][..], Vec::as_slice);
                found.acknowledged += usize::from(sent.acknowledged);
                found.delivered += usize::from(!copies.is_empty());
                found.unasked += usize::from(!copies.is_empty() && !sent.acknowledged);
                if copies.is_empty() && sent.acknowledged {
                    found.lost.insert((*number, *one));
                }
                let again = copies.len().saturating_sub(1);
                if *one == BOB {
                    found.stored_twice += again;
                    continue;
                }
                found.relayed_twice += again;
                for pair in copies.windows(2) {
                    if !self.was_in_flight(pair[0]) {
                        found.late.insert((*number, *one));
                    }
                }
            }
        }
        found
    }

    /// Whether a cut came so soon after `accepted` that the message may be delivered once more.
    fn was_in_flight(&self, accepted: Option<Instant>) -> bool {
        let cuts = self.ledger.cuts.lock().unwrap();
        accepted.is_some_and(|accepted| {
            cuts.iter()
                .any(|(cut, dead)| accepted + IN_FLIGHT >= *cut && accepted <= *dead)
        })
    }

    /// Every copy of every message, with the time if it came to the remote host. A torn one fails
    /// the test.
    fn copies(&self) -> BTreeMap<(usize, &'static str), Vec<Option<Instant>>> {
        let mut copies: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for text in self.root.delivered(BOB) {
            let number = number_of(&String::from_utf8_lossy(&text));
            copies.entry((number, BOB)).or_default().push(None);
        }
        for received in self.sink.received() {
            let text = String::from_utf8_lossy(&received.message).replace("\r\n", "\n");
            let number = number_of(&text);
            for one in &received.to {
                let one = [ZOE, AMY].into_iter().find(|known| known == one).unwrap();
                let all = copies.entry((number, one)).or_default();
                all.push(Some(received.at));
            }
        }
        copies
    }

    /// Nothing that was left behind keeps the system from working, nor needs an operator.
    fn works_and_can_be_cleaned(&self) {
        let (number, to) = self.ledger.begin();
        send(&self.root, &mut None, number, to).unwrap();
        self.ledger.acknowledge(number);
        wait_for("one more message", || {
            self.waiting().is_empty().then_some(())
        });
        self.root.return_job("+25h");
        let found = self.judge();
        assert!(found.lost.is_empty(), "{:?}", found.lost);
        assert_eq!(found.temporary, 0, "{:?}", self.root.all_queued());
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The root cannot print them once the disk is unmounted.
            eprintln!("{}", self.root.logs());
        }
        self.root.kill_all();
        if !std::thread::panicking() {
            self.disk.unmount();
        }
    }
}

/// What became of all messages so far; recipients are counted, not messages.
#[derive(Debug, Default)]
struct Found {
    acknowledged: usize,
    delivered: usize,
    /// Delivered though the client never read its 250: it would have sent it again.
    unasked: usize,
    lost: BTreeSet<(usize, &'static str)>,
    stored_twice: usize,
    relayed_twice: usize,
    /// Delivered twice without the excuse of a cut.
    late: BTreeSet<(usize, &'static str)>,
    bounced: usize,
    torn: usize,
    temporary: usize,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "acknowledged {}, delivered {} ({} without a 250), lost {}, duplicates {} in the store \
             and {} at the host ({} not in flight); torn and set aside {}, temporary files {}",
            self.acknowledged,
            self.delivered,
            self.unasked,
            self.lost.len(),
            self.stored_twice,
            self.relayed_twice,
            self.late.len(),
            self.torn,
            self.temporary
        )
    }
}

/// Sends a message on the session that is open, or on a new one.
fn send(
    root: &Root,
    session: &mut Option<Client>,
    number: usize,
    to: &[&str],
) -> std::io::Result<()> {
    let mut client = match session.take() {
        Some(client) => client,
        None => Client::hello(root.smtp)?,
    };
    let text = format!(
        "From: <eve@example.com>\nX-Number: {number}\n\n{}",
        body(number)
    );
    client.envelope("eve@example.com", to)?;
    if number.is_multiple_of(3) {
        client.bdat(text.as_bytes())?;
    } else {
        client.data(text.as_bytes())?;
    }
    *session = Some(client);
    Ok(())
}

/// The body of a message, to the octet.
fn body(number: usize) -> String {
    let size = SIZES[number % SIZES.len()];
    let mut text = String::with_capacity(size + 80);
    while text.len() < size {
        let at = text.len();
        text.push_str(&format!("message {number} octet {at} and so on\n"));
    }
    text
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
