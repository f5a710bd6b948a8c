//! `kill -9` at random instants while mail flows: nothing that got its 250 is ever lost.

use crate::support::client::Client;
use crate::support::dice::Dice;
use crate::support::dns::Zone;
use crate::support::root::Root;
use crate::support::sink::Sink;
use crate::support::{end, wait_for, wait_within};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MESSAGES: usize = 2000;
const KILLS: usize = 50;
const CLIENTS: usize = 8;
const VICTIMS: [&str; 10] = [
    "tcp_smtp_server",
    "tcp_smtp_server",
    "tcp_smtp_server",
    "tcp_smtp_server",
    "ims_master",
    "ims_master",
    "tcp_smtp_client",
    "tcp_smtp_client",
    "job_controller",
    "dispatcher",
];

#[derive(Default)]
struct Ledger {
    /// Message number and recipients, for each that got its final 250.
    acknowledged: Mutex<BTreeMap<usize, Vec<&'static str>>>,
    next: AtomicUsize,
    in_transaction: AtomicUsize,
    over: AtomicBool,
}

#[test]
fn nothing_acknowledged_is_lost_over_fifty_kills() {
    let mut dice = Dice::seeded();
    let dns = Zone::default()
        .mx("example.org", 10, "mx.example.org")
        .a("mx.example.org", [127, 0, 0, 2])
        .serve();
    let root = Root::staging()
        .nameserver(dns.address)
        .set(&["channel:tcp_local.backoff", "PT1S"])
        .set(&["channel:ims-ms.backoff", "PT1S"])
        .start();
    let sink = Sink::listen(2, root.client_port());
    let ledger = Arc::new(Ledger::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (ledger, address) = (Arc::clone(&ledger), root.smtp);
            std::thread::spawn(move || load(&ledger, address))
        })
        .collect();
    let mut inside = 0;
    for round in 0..KILLS {
        let enough = acknowledged(&ledger) + 10;
        wait_for("progress", || {
            (acknowledged(&ledger) >= enough).then_some(())
        });
        inside += usize::from(strike(&root, &ledger, &mut dice, round));
    }
    wait_for("two thousand messages", || {
        (acknowledged(&ledger) >= MESSAGES).then_some(())
    });
    ledger.over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    println!("{inside} of {KILLS} victims were inside a transaction or a delivery");
    wait_within(Duration::from_secs(20), || {
        TcpStream::connect(root.smtp).ok()
    });
    judge(&root, &sink, &ledger);
    assert!(
        inside >= 30,
        "only {inside} victims were at work; the test proves too little"
    );
}

/// Kills one program, or everything; tells whether the victim was at work.
fn strike(root: &Root, ledger: &Ledger, dice: &mut Dice, round: usize) -> bool {
    if dice.roll(10) == 0 {
        wait_within(Duration::from_secs(3), || {
            (transactions(ledger) > 0).then_some(())
        });
        let open = transactions(ledger);
        println!("round {round}: everything, {open} transactions open");
        for (pid, _) in root.processes() {
            end(pid);
        }
        wait_for("the end of everything", || {
            root.processes().is_empty().then_some(())
        });
        root.start();
        return open > 0;
    }
    let wanted = VICTIMS[dice.roll(VICTIMS.len())];
    let instant = Duration::from_micros(u64::try_from(dice.roll(2000)).unwrap());
    // A server is at work while transactions are open, a channel program while it has a file open.
    let delivers = ["ims_master", "tcp_smtp_client"].contains(&wanted);
    let victim = wait_within(Duration::from_secs(10), || {
        let pids = root.pids(wanted);
        if delivers {
            return pids.into_iter().find(|pid| root.has_message_in_hand(*pid));
        }
        let ready = wanted != "tcp_smtp_server" || transactions(ledger) > 0;
        pids.first().copied().filter(|_| ready)
    });
    let Some(pid) = victim else {
        println!("round {round}: no {wanted} at work");
        return false;
    };
    std::thread::sleep(instant);
    let (holding, open) = (root.has_message_in_hand(pid), transactions(ledger));
    end(pid);
    println!(
        "round {round}: {wanted} {pid}, message file open: {holding}, transactions open: {open}"
    );
    // What a channel program had in hand when it was chosen it may have settled since.
    holding || delivers || (wanted == "tcp_smtp_server" && open > 0)
}

fn acknowledged(ledger: &Ledger) -> usize {
    ledger.acknowledged.lock().unwrap().len()
}

fn transactions(ledger: &Ledger) -> usize {
    ledger.in_transaction.load(Ordering::Relaxed)
}

fn load(ledger: &Ledger, address: SocketAddr) {
    loop {
        if ledger.over.load(Ordering::Relaxed) {
            return;
        }
        let number = ledger.next.fetch_add(1, Ordering::Relaxed);
        let recipients: Vec<&'static str> = match number % 3 {
            0 => vec!["bob@example.com"],
            1 => vec!["zoe@example.org"],
            _ => vec!["bob@example.com", "zoe@example.org"],
        };
        // A failed attempt is not acknowledged; the next message gets another connection.
        if send(ledger, address, number, &recipients).is_ok() {
            let mut acknowledged = ledger.acknowledged.lock().unwrap();
            acknowledged.insert(number, recipients);
        }
        // The load is to last as long as the kills do, not to be over before them.
        std::thread::sleep(Duration::from_millis(25));
    }
}

fn send(
    ledger: &Ledger,
    address: SocketAddr,
    number: usize,
    recipients: &[&str],
) -> std::io::Result<()> {
    let mut client = Client::hello(address)?;
    let _open = Open::new(ledger);
    client.envelope("eve@example.com", recipients)?;
    let size = [200, 5_000, 20_000, 400_000][[0, 1, 1, 2, 1, 1, 0, 3][number % 8]];
    client.data(message(number, size).as_bytes())
}

/// Counts a transaction while it lives.
struct Open<'a>(&'a Ledger);

impl<'a> Open<'a> {
    fn new(ledger: &'a Ledger) -> Self {
        ledger.in_transaction.fetch_add(1, Ordering::Relaxed);
        Self(ledger)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.in_transaction.fetch_sub(1, Ordering::Relaxed);
    }
}

fn message(number: usize, size: usize) -> String {
    let mut text = format!("Subject: message {number}\nX-Number: {number}\n\nnumber {number}\n");
    while text.len() < size {
        text.push_str("the quick brown fox jumps over the lazy dog, again and again\n");
    }
    text.push_str(&format!("end of {number}\n"));
    text
}

fn judge(root: &Root, sink: &Sink, ledger: &Ledger) {
    let acknowledged = ledger.acknowledged.lock().unwrap().clone();
    let done = |stored: &BTreeMap<usize, usize>, relayed: &BTreeMap<usize, usize>| {
        acknowledged.iter().all(|(number, to)| {
            to.iter().all(|one| {
                if one.starts_with("bob") {
                    stored
                } else {
                    relayed
                }
                .contains_key(number)
            })
        })
    };
    let settled = wait_within(Duration::from_secs(90), || {
        let (stored, relayed) = (in_store(root), at_sink(sink));
        (messages_queued(root).is_empty() && done(&stored, &relayed)).then_some(())
    });
    let (stored, relayed) = (in_store(root), at_sink(sink));
    let queued = messages_queued(root);
    let mut lost = BTreeSet::new();
    for (number, to) in &acknowledged {
        for one in to {
            let found = if one.starts_with("bob") {
                &stored
            } else {
                &relayed
            };
            if !found.contains_key(number) {
                lost.insert((*number, *one));
            }
        }
    }
    let duplicates: usize = stored
        .values()
        .chain(relayed.values())
        .map(|count| count - 1)
        .sum();
    println!(
        "acknowledged {}, in the store {}, at the sink {}, duplicates {duplicates}, still queued {}, missing {}",
        acknowledged.len(),
        stored.len(),
        relayed.len(),
        queued.len(),
        lost.len()
    );
    let waiting: Vec<String> = queued
        .iter()
        .map(|path| {
            fs::read(path)
                .map(|text| String::from_utf8_lossy(&text).into_owned())
                .unwrap_or_default()
        })
        .collect();
    for (number, to) in &lost {
        let held = waiting
            .iter()
            .any(|text| text.contains(&format!("\nX-Number: {number}\n")));
        assert!(
            held,
            "message {number} for {to} was acknowledged and is gone\n{}",
            root.logs()
        );
    }
    assert!(
        settled.is_some(),
        "not everything was delivered in time: {queued:?}\n{}",
        root.imsimta(&["qm", "jobs"])
    );
}

/// What waits in the queue. Temporary files of killed writers are no messages: nobody was told
/// that they are in, and the return job removes them.
fn messages_queued(root: &Root) -> Vec<std::path::PathBuf> {
    let all = root.all_queued().into_iter();
    all.filter(|path| {
        path.file_name()
            .is_some_and(|name| !name.to_string_lossy().starts_with(".tmp-"))
    })
    .collect()
}

/// How often each number lies in bob's mailbox; a damaged message fails the test.
fn in_store(root: &Root) -> BTreeMap<usize, usize> {
    let mut found = BTreeMap::new();
    for text in root.delivered("bob@example.com") {
        *found
            .entry(number_of(&String::from_utf8_lossy(&text)))
            .or_default() += 1;
    }
    found
}

fn at_sink(sink: &Sink) -> BTreeMap<usize, usize> {
    let mut found = BTreeMap::new();
    for received in sink.received() {
        let text = String::from_utf8_lossy(&received.message).replace("\r\n", "\n");
        *found.entry(number_of(&text)).or_default() += 1;
    }
    found
}

fn number_of(text: &str) -> usize {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("X-Number: "));
    let number = line
        .and_then(|line| line.parse().ok())
        .unwrap_or_else(|| panic!("no number in {text:.200}"));
    assert!(
        text.ends_with(&format!("end of {number}\n")),
        "message {number} is damaged"
    );
    number
}
