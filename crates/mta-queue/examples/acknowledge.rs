//! Writes messages and tells of each as soon as it is durable, or checks those it was told of.
//!
//! ```text
//! acknowledge write DIRECTORY SESSIONS COUNT    prints CHANNEL/PLACE for each message
//! acknowledge check DIRECTORY < LIST            fails if one of them is not whole
//! ```
//!
//! For tests that cut the power of the disk under it: what was printed must be there.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mta_envelope::address::Address;
use mta_envelope::envelope::{Envelope, Priority, Recipient};
use mta_envelope::names::{ChannelName, Place};
use mta_queue::enqueue::Plan;
use mta_queue::{Queue, QueueError};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["write", directory, sessions, count] => write(directory, sessions, count),
        ["check", directory] => check(directory),
        _ => Err("usage: acknowledge write DIRECTORY SESSIONS COUNT | check DIRECTORY".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &str, sessions: &str, count: &str) -> Fallible<()> {
    let queue = Queue::open(Path::new(directory))?;
    let (sessions, count): (usize, usize) = (sessions.parse()?, count.parse()?);
    let plans = plans()?;
    let left = AtomicUsize::new(count);
    let results: Vec<Result<(), QueueError>> = thread::scope(|scope| {
        let session = |_| scope.spawn(|| session(&queue, &plans, &left));
        let handles: Vec<_> = (0..sessions).map(session).collect();
        let join = |handle: thread::ScopedJoinHandle<'_, _>| {
            handle.join().unwrap_or(Err(QueueError::GivenUp))
        };
        handles.into_iter().map(join).collect()
    });
    for result in results {
        result?;
    }
    Ok(())
}

fn session(queue: &Queue, plans: &[Plan], left: &AtomicUsize) -> Result<(), QueueError> {
    let counted = |left: usize| left.checked_sub(1);
    while let Ok(number) = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted) {
        // Every third message has two files.
        let files = if number % 3 == 0 { 2 } else { 1 };
        let mut draft = queue.draft(plans[..files].to_vec());
        draft.header(b"Subject: crash\n\n", None, Priority::Normal)?;
        draft.body(format!("{number}\n").repeat(500).as_bytes())?;
        for placed in draft.commit()? {
            let line = format!("{}/{}\n", placed.channel, placed.place);
            let told = io::stdout().lock().write_all(line.as_bytes());
            told.map_err(|source| QueueError::Io {
                action: "tell",
                path: placed.path,
                source,
            })?;
        }
    }
    Ok(())
}

fn plans() -> Fallible<Vec<Plan>> {
    let recipients = vec![Recipient::new(Address::parse("ada@example.com")?)];
    let envelope = Envelope {
        id: "0TOY00B049408X00@mail.example.com".into(),
        sender: None,
        ret: None,
        source_channel: ChannelName::new("tcp_local")?,
        source_system: String::new(),
        user: String::new(),
        authenticated: None,
        arrived: 1_790_000_000,
        priority: Priority::Normal,
        message_id: None,
        size: 0,
        deferred_until: None,
        recipients,
    };
    let plan = |name: &str| -> Fallible<Plan> {
        Ok(Plan {
            channel: ChannelName::new(name)?,
            subdirs: 20,
            envelope: envelope.clone(),
            held: None,
        })
    };
    Ok(vec![plan("tcp_local")?, plan("ims-ms")?])
}

fn check(directory: &str) -> Fallible<()> {
    let queue = Queue::open(Path::new(directory))?;
    let (mut told, mut lost) = (0, 0);
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (channel, place) = line.split_once('/').ok_or("no place in a line")?;
        let (channel, place) = (ChannelName::new(channel)?, Place::parse(place)?);
        told += 1;
        if let Err(error) = queue.read_message(&channel, &place, true) {
            lost += 1;
            eprintln!("{line}: {error}");
        }
    }
    let (mut there, mut torn) = (0, 0);
    for channel in queue.channels()? {
        for found in queue.scan(&channel) {
            there += 1;
            let read = queue.read_message(&channel, &found.place, true);
            torn += usize::from(read.is_err());
        }
    }
    println!("acknowledged {told}, lost {lost}, there {there}, torn {torn}");
    if lost > 0 {
        return Err("acknowledged messages are lost".into());
    }
    Ok(())
}
