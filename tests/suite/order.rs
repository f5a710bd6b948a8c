//! The order on disk, seen by `strace`: a message is durable before its 250, a new state before
//! the next attempt. Killing programs cannot show that, since the page cache survives them.

mod judge;
mod trace;

use crate::support::broken::broken;
use crate::support::root::Root;
use crate::support::sink::{Odd, Sink};
use crate::support::strace::{DISK_AND_WIRE, Tracer};
use crate::support::wait_for;
use crate::support::wire::Wire;
use judge::{Areas, Verdict, judge};
use mta_envelope::names::FileName;
use std::path::Path;

const LOCAL: &[&str] = &["bob@example.com"];
const BOTH: &[&str] = &["bob@example.com", "zoe@[127.0.0.2]"];
const SESSIONS: usize = 8;
const EACH: usize = 6;

/// One server process, so that it can be found and watched; nothing is delivered meanwhile.
fn staged(program: Option<&Path>) -> Root {
    let root = Root::staging()
        .set(&["dispatcher.service:SMTP.max_procs", "1"])
        .build();
    if let Some(program) = program {
        root.replace_program("tcp_smtp_server", program);
    }
    root.start();
    for channel in ["ims-ms", "tcp_local"] {
        root.imsimta(&["qm", "stop", channel]);
    }
    root
}

fn verdict(root: &Root, trace: &str) -> Verdict {
    let path = root.path().canonicalize().unwrap();
    let area = |name: &str| path.join(name).to_string_lossy().into_owned();
    let areas = Areas {
        queue: area("data/queue"),
        store: area("data/store"),
    };
    judge(&trace::parse(trace), &areas)
}

fn text(number: usize, size: usize) -> Vec<u8> {
    let line = "a line of text that is there to make it long\n";
    format!(
        "Subject: {number}\n\n{}",
        line.repeat(1 + size / line.len())
    )
    .into_bytes()
}

fn by_data(wire: &mut Wire, to: &[&str], size: usize) {
    let reply = wire.message("eve@example.com", to, &text(1, size));
    assert!(reply.starts_with("250 2.5.0 Ok, envelope"), "{reply}");
}

fn by_bdat(wire: &mut Wire, to: &[&str], size: usize) {
    wire.say("MAIL FROM:<eve@example.com>", "250");
    for recipient in to {
        wire.say(&format!("RCPT TO:<{recipient}>"), "250");
    }
    let message = crate::support::messages::to_crlf(&text(2, size));
    let (first, last) = message.split_at(message.len() / 2);
    for (chunk, mark) in [(first, ""), (last, " LAST")] {
        wire.send(format!("BDAT {}{mark}\r\n", chunk.len()).as_bytes());
        wire.send(chunk);
        let reply = wire.reply();
        assert!(reply.starts_with("250"), "{reply}");
    }
}

/// Sends one message of each kind on one session; gives how many files each has.
fn one_after_the_other(wire: &mut Wire) -> Vec<usize> {
    by_data(wire, LOCAL, 1000);
    by_data(wire, BOTH, 1000);
    by_data(wire, LOCAL, 400_000);
    by_data(wire, BOTH, 400_000);
    by_bdat(wire, LOCAL, 1000);
    by_bdat(wire, BOTH, 1000);
    by_bdat(wire, BOTH, 400_000);
    // By its answer the last 250 has been written down as well.
    wire.say("NOOP", "250");
    vec![1, 2, 1, 2, 1, 2, 2]
}

/// Several sessions at once, so that the committer has a batch.
fn all_at_once(root: &Root) {
    std::thread::scope(|scope| {
        for session in 0..SESSIONS {
            scope.spawn(move || {
                let mut wire = Wire::hello(root.smtp);
                for number in 0..EACH {
                    let to = if session % 4 == 0 { BOTH } else { LOCAL };
                    by_data(&mut wire, to, 500 * number);
                }
                wire.quit();
            });
        }
    });
}

/// A session that is open already: its server process can be watched from its first message on.
fn watched_session(root: &Root) -> (Wire, Tracer) {
    let wire = Wire::hello(root.smtp);
    let servers = root.pids("tcp_smtp_server");
    let tracer = Tracer::attach(root, &servers, &[DISK_AND_WIRE]);
    (wire, tracer)
}

#[test]
fn a_message_is_durable_before_its_answer() {
    let root = staged(None);
    let (mut wire, tracer) = watched_session(&root);
    let files = one_after_the_other(&mut wire);
    let trace = tracer.finish();
    let found = verdict(&root, &trace);
    assert!(found.faults.is_empty(), "{:#?}\n{trace}", found.faults);
    let vouched: Vec<usize> = found.answers.iter().map(Vec::len).collect();
    assert_eq!(vouched, files, "files of each message");
    let shared = !found.together.is_empty();

    // Whether sessions meet in the committer is up to the machine: a few rounds at most.
    let mut most = 0;
    for round in 0..5 {
        let (_wire, tracer) = watched_session(&root);
        all_at_once(&root);
        let trace = tracer.finish();
        let found = verdict(&root, &trace);
        assert!(found.faults.is_empty(), "{:#?}\n{trace}", found.faults);
        assert_eq!(found.answers.len(), SESSIONS * EACH);
        most = found.together.iter().copied().fold(most, usize::max);
        println!(
            "round {round}: {} syncs of the file system, at most {most} sessions in one",
            found.together.len()
        );
        if most > 1 || !shared {
            break;
        }
    }
    assert!(most > 1 || !shared, "no batch was seen");
}

#[test]
fn a_sync_that_fails_is_answered_with_451_and_leaves_nothing_behind() {
    let root = staged(None);
    // Small and large, in one file and in two: every way to the disk has its own calls.
    let messages = [
        (LOCAL, 1000),
        (BOTH, 1000),
        (LOCAL, 400_000),
        (BOTH, 400_000),
    ];
    for (calls, error, code) in [
        ("fsync,fdatasync,syncfs", "EIO", "451 4.3.0"),
        ("fsync,fdatasync,syncfs", "ENOSPC", "452 4.3.1"),
        ("rename,renameat,renameat2", "EIO", "451 4.3.0"),
    ] {
        let mut wire = Wire::hello(root.smtp);
        let servers = root.pids("tcp_smtp_server");
        let trace = format!("trace={calls}");
        let inject = format!("inject={calls}:error={error}");
        let tracer = Tracer::attach(&root, &servers, &[&trace, &inject]);
        for (to, size) in messages {
            let reply = wire.message("eve@example.com", to, &text(3, size));
            assert!(reply.starts_with(code), "{calls} {error}: {reply}");
            assert!(root.all_queued().is_empty(), "{:?}", root.all_queued());
        }
        let seen = tracer.finish();
        assert!(
            seen.matches("(INJECTED)").count() >= messages.len(),
            "{seen}"
        );
        for (to, size) in messages {
            by_data(&mut wire, to, size);
        }
        let files = root.all_queued();
        assert_eq!(files.len(), 6, "{files:?}");
        for file in files {
            std::fs::remove_file(file).unwrap();
        }
        wire.quit();
    }
}

#[test]
fn the_judge_finds_the_broken_builds() {
    for (feature, expected) in [
        ("broken-no-file-sync", "before the data of"),
        ("broken-no-dir-sync", "before the entry of"),
        ("broken-early-250", "a 250 "),
    ] {
        let root = staged(Some(&broken(feature)));
        let (mut wire, tracer) = watched_session(&root);
        let files = one_after_the_other(&mut wire);
        let found = verdict(&root, &tracer.finish());
        println!("{feature}: {} faults", found.faults.len());
        assert_eq!(found.answers.len(), files.len());
        assert!(found.faults.len() >= files.len(), "{feature}: {found:#?}");
        assert!(
            found.faults.iter().all(|fault| fault.contains(expected)),
            "{feature}: {found:#?}"
        );
    }
}

#[test]
fn a_new_state_is_durable_before_the_next_attempt() {
    let root = Root::staging()
        .set(&["channel:tcp_local.backoff", "PT1S"])
        .set(&["channel:ims-ms.backoff", "PT1S"])
        .start();
    // The channel programs are children of the Job Controller, and so are watched too.
    let tracer = Tracer::attach(&root, &root.pids("job_controller"), &[DISK_AND_WIRE]);
    let sink = Sink::listen(2, root.client_port());
    sink.once(Odd::Reply("DOT", "451 4.3.0 not yet".into()));
    sink.once(Odd::Reply("DOT", "451 4.3.0 not yet".into()));
    // What stands where the mailbox should be: its messages cannot be stored for now.
    let mailbox = root.maildir("bob@example.com");
    let domain = mailbox.parent().unwrap();
    let mut wire = Wire::hello(root.smtp);
    by_data(&mut wire, &["eve@example.com"], 100);
    root.wait_for_delivered("eve@example.com", 1);
    assert!(domain.is_dir());
    std::fs::write(&mailbox, "").unwrap();
    by_data(&mut wire, BOTH, 1000);
    // One of two recipients is deferred: the file is rewritten for the rest.
    by_data(&mut wire, &["eve@example.com", "bob@example.com"], 1000);
    wait_for("two attempts of each", || {
        let files = root.queued("ims-ms");
        (files.len() == 2 && files.iter().all(|path| attempts(path) >= 2)).then_some(())
    });
    std::fs::remove_file(&mailbox).unwrap();
    root.wait_for_delivered("bob@example.com", 2);
    sink.wait_for(1);
    wait_for("an empty queue", || {
        root.all_queued().is_empty().then_some(())
    });
    let trace = tracer.finish();
    let found = verdict(&root, &trace);
    assert!(found.faults.is_empty(), "{:#?}\n{trace}", found.faults);
    println!("{} attempts, {} removals", found.attempts, found.removals);
    assert!(found.attempts >= 6, "{found:#?}");
    assert!(found.removals >= 3, "{found:#?}");
}

/// How many attempts the name of a message file counts.
fn attempts(path: &Path) -> u32 {
    let name = path.file_name().unwrap().to_str().unwrap();
    FileName::parse(name).map_or(0, |name| u32::from(name.attempts()))
}

#[test]
fn what_a_dead_program_delivered_is_synced_before_its_message_is_removed() {
    let root = Root::staging().start();
    let mut wire = Wire::hello(root.smtp);
    let empty = || root.all_queued().is_empty().then_some(());
    by_data(&mut wire, LOCAL, 100);
    root.wait_for_delivered("bob@example.com", 1);
    wait_for("the first message to be gone", empty);
    // The second sync of a delivery is that of `new`: dead before it, but after the rename.
    let dies = ["trace=fsync", "inject=fsync:signal=SIGKILL:when=2"];
    let killer = Tracer::attach(&root, &root.pids("ims_master"), &dies);
    // The successor will be a child of the Job Controller.
    let tracer = Tracer::attach(&root, &root.pids("job_controller"), &[DISK_AND_WIRE]);
    by_data(&mut wire, LOCAL, 100);
    wait_for("the second message to be gone", empty);
    let (killed, trace) = (killer.finish(), tracer.finish());
    assert!(killed.contains("killed by SIGKILL"), "{killed}");
    assert_eq!(root.delivered("bob@example.com").len(), 2);
    let calls = trace::parse(&trace);
    let removal = calls
        .iter()
        .find(|call| {
            call.name == "unlinkat" && call.path(0).is_some_and(|at| at.contains("/queue/"))
        })
        .unwrap_or_else(|| panic!("no removal\n{trace}"));
    let new = root.maildir("bob@example.com").join("new");
    let new = new.canonicalize().unwrap();
    let synced = calls.iter().any(|call| {
        call.name == "fsync"
            && call.path(0).map(Path::new) == Some(&new)
            && call.succeeded
            && call.ended < removal.began
    });
    assert!(
        synced,
        "removed before {} was synced\n{trace}",
        new.display()
    );
}
