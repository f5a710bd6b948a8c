//! Real messages, two thousand of them, come out as they went in.

use crate::support::dns::Zone;
use crate::support::messages::{Real, all, split};
use crate::support::root::Root;
use crate::support::sink::Sink;
use crate::support::wire::{Wire, on_the_wire};
use crate::support::{wait_for, wait_within};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const MESSAGES: usize = 2000;

/// Header lines that may be new in a delivered message, and when: trace lines always, the others
/// if the message had none of that name.
const ADDED: [&str; 9] = [
    "return-path",
    "received",
    "original-recipient",
    "date",
    "date-warning",
    "message-id",
    "from",
    "to",
    "mime-version",
];

/// Header lines that may be written anew: dates get their day of the week and a year of four
/// digits (channel options `dayofweek`, `datefour`).
const MENDED: [&str; 2] = ["date", "resent-date"];

/// Header lines whose addresses without a domain get that of the local channel.
const COMPLETED: [&str; 9] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "resent-from",
    "resent-to",
    "resent-sender",
];

const LOCAL: &str = "@example.com";

/// How a message travels: envelope From, recipients, and who drives the server.
struct Envelope {
    from: &'static str,
    to: &'static [&'static str],
    by_python: bool,
}

const ENVELOPES: [Envelope; 5] = [
    Envelope {
        from: "eve@example.com",
        to: &["bob@example.com"],
        by_python: false,
    },
    Envelope {
        from: "",
        to: &["bob@example.com"],
        by_python: false,
    },
    Envelope {
        from: "someone@example.net",
        to: &["zoe@example.org"],
        by_python: true,
    },
    Envelope {
        from: "eve@example.com",
        to: &["bob@example.com", "zoe@example.org"],
        by_python: false,
    },
    Envelope {
        from: "eve@example.com",
        to: &["bob@example.com"],
        by_python: true,
    },
];

#[test]
fn two_thousand_real_messages_come_out_as_they_went_in() {
    let real = all();
    println!("{} distinct message files", real.len());
    assert!(
        real.len() >= 200,
        "only {} message files; is a package missing?",
        real.len()
    );
    let plain: Vec<&Real> = real
        .iter()
        .filter(|message| is_plain(&message.octets))
        .collect();
    println!(
        "{} of them are plain SMTP (no line over 998 octets, no NUL)",
        plain.len()
    );
    let dns = Zone::default()
        .mx("example.org", 10, "mx.example.org")
        .a("mx.example.org", [127, 0, 0, 2])
        .serve();
    let root = Root::staging().nameserver(dns.address).start();
    let sink = Sink::listen(2, root.client_port());
    let directory = tempfile::tempdir().unwrap();
    let mut sent: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut wire = Wire::hello(root.smtp);
    let mut for_python = Vec::new();
    for number in 0..MESSAGES {
        let (which, how) = (number % plain.len(), number % ENVELOPES.len());
        let tag = format!("tag{number}");
        sent.insert(tag.clone(), (which, how));
        let octets = tagged(&plain[which].octets, &tag);
        let envelope = &ENVELOPES[how];
        if envelope.by_python {
            let path = directory.path().join(&tag);
            std::fs::write(&path, &octets).unwrap();
            for_python.push((path, envelope));
        } else {
            send(&mut wire, envelope, &octets, &plain[which].path);
        }
    }
    wire.quit();
    by_smtplib(&root, &for_python);
    let wanted_here = ENVELOPES
        .iter()
        .filter(|envelope| envelope.to.contains(&"bob@example.com"))
        .count()
        * MESSAGES
        / ENVELOPES.len();
    let wanted_there = ENVELOPES
        .iter()
        .filter(|envelope| envelope.to.contains(&"zoe@example.org"))
        .count()
        * MESSAGES
        / ENVELOPES.len();
    let done = wait_within(Duration::from_secs(240), || {
        let here = std::fs::read_dir(root.maildir("bob@example.com").join("new"))
            .map_or(0, Iterator::count);
        (here >= wanted_here && sink.received().len() >= wanted_there).then_some(())
    });
    assert!(
        done.is_some(),
        "not everything arrived\n{}",
        root.imsimta(&["qm", "summarize"])
    );
    let stored = root.delivered("bob@example.com");
    assert_eq!(stored.len(), wanted_here);
    for message in &stored {
        compare(message, &sent, &plain, b"\n");
    }
    let received = sink.received();
    assert_eq!(received.len(), wanted_there);
    for message in &received {
        compare(&message.message, &sent, &plain, b"\r\n");
    }
    wait_for("an empty queue", || {
        root.all_queued().is_empty().then_some(())
    });
}

/// Lines SMTP allows, no NUL, and a header that is one.
fn is_plain(octets: &[u8]) -> bool {
    let (header, _) = split(octets);
    let lines = header
        .split(|&b| b == b'\n')
        .filter(|line| !line.is_empty() && *line != b"\r");
    let header_lines = lines.enumerate().all(|(number, line)| {
        let name = line.iter().position(|&b| b == b':').unwrap_or(0);
        (number > 0 && [b' ', b'\t'].contains(&line[0]))
            || (name > 0 && line[..name].iter().all(u8::is_ascii_graphic))
    });
    header_lines
        && octets.windows(4).any(|window| window == b"\r\n\r\n")
        && !octets.contains(&0)
        && octets.split(|&b| b == b'\n').all(|line| line.len() <= 998)
}

fn tagged(octets: &[u8], tag: &str) -> Vec<u8> {
    let mut message = format!("X-Tag: {tag}\r\n").into_bytes();
    message.extend_from_slice(octets);
    message
}

fn send(wire: &mut Wire, envelope: &Envelope, octets: &[u8], path: &Path) {
    wire.say(
        &format!(
            "MAIL FROM:<{}> BODY=8BITMIME SIZE={}",
            envelope.from,
            octets.len()
        ),
        "250",
    );
    for to in envelope.to {
        wire.say(&format!("RCPT TO:<{to}>"), "250");
    }
    wire.say("DATA", "354");
    wire.send(&on_the_wire(octets));
    let reply = wire.reply();
    assert!(reply.starts_with("250"), "{}: {reply}", path.display());
}

fn by_smtplib(root: &Root, messages: &[(std::path::PathBuf, &Envelope)]) {
    let mut script = format!(
        "import smtplib\ns = smtplib.SMTP('127.0.0.1', {})\n\
         def send(path, sender, to):\n    s.sendmail(sender, to, open(path, 'rb').read(), mail_options=['BODY=8BITMIME'])\n",
        root.smtp.port()
    );
    for (path, envelope) in messages {
        script.push_str(&format!(
            "send({:?}, {:?}, {:?})\n",
            path.to_str().unwrap(),
            envelope.from,
            envelope.to
        ));
    }
    script.push_str("s.quit()\n");
    let file = messages[0].0.with_file_name("driver.py");
    std::fs::write(&file, script).unwrap();
    let output = std::process::Command::new("python3")
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The delivered message must be the one that was sent, but for the header lines of [`ADDED`].
fn compare(
    delivered: &[u8],
    sent: &BTreeMap<String, (usize, usize)>,
    plain: &[&Real],
    line_end: &[u8],
) {
    let (header, body) = split(delivered);
    let lines = unfolded(header);
    let tag = lines.iter().find_map(|line| {
        std::str::from_utf8(line)
            .ok()?
            .strip_prefix("X-Tag: ")
            .map(str::to_owned)
    });
    let tag = tag.expect("every message has its tag");
    let original = &plain[sent[tag.trim()].0];
    let (old_header, old_body) = split(&original.octets);
    let place = original.path.display();
    assert!(
        same_lines(body, old_body, line_end),
        "{place}: the body has changed"
    );
    let mut old = unfolded(old_header);
    old.insert(0, format!("X-Tag: {}", tag.trim()).into_bytes());
    let mut old = old.into_iter().peekable();
    let stored = line_end == b"\n";
    for line in lines {
        // The store has a Return-path of its own (RFC 5321 §4.4): an older one goes.
        let is_path =
            |line: &Vec<u8>| line.len() > 12 && line[..12].eq_ignore_ascii_case(b"return-path:");
        while stored && old.peek().is_some_and(is_path) {
            old.next();
        }
        if old.peek().is_some_and(|expected| *expected == line) {
            old.next();
            continue;
        }
        let name = name_of(&line);
        if MENDED.contains(&name.as_str()) && old.peek().is_some_and(|old| name_of(old) == name) {
            old.next();
            continue;
        }
        let completed = |old: &Vec<u8>| name_of(old) == name && is_completed(&line, old);
        if COMPLETED.contains(&name.as_str()) && old.peek().is_some_and(completed) {
            old.next();
            continue;
        }
        assert!(
            ADDED.contains(&name.as_str()),
            "{place}: {:?} is new or has changed; {:?} was to come",
            String::from_utf8_lossy(&line),
            old.peek().map(|line| String::from_utf8_lossy(line))
        );
    }
    assert!(old.next().is_none(), "{place}: a header line is missing");
}

/// Whether `line` is `old` but for the domain of the local channel behind some of its addresses.
fn is_completed(line: &[u8], old: &[u8]) -> bool {
    let plain = |field: &[u8]| String::from_utf8_lossy(field).replace(LOCAL, "");
    line.len() > old.len() && plain(line) == plain(old)
}

fn name_of(field: &[u8]) -> String {
    String::from_utf8_lossy(field.split(|&b| b == b':').next().unwrap()).to_lowercase()
}

/// Header fields, continuation lines attached with their folding, line ends as LF.
fn unfolded(header: &[u8]) -> Vec<Vec<u8>> {
    let mut fields: Vec<Vec<u8>> = Vec::new();
    for line in header.split(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        match fields.last_mut() {
            Some(field) if [b' ', b'\t'].contains(&line[0]) => {
                field.push(b'\n');
                field.extend_from_slice(line);
            }
            _ => fields.push(line.to_vec()),
        }
    }
    fields
}

/// Same octets, one with `line_end`, the other with CRLF.
fn same_lines(found: &[u8], crlf: &[u8], line_end: &[u8]) -> bool {
    if line_end == b"\r\n" {
        return found == crlf;
    }
    let mut expected = Vec::with_capacity(crlf.len());
    let mut octets = crlf.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        if octet != b'\r' || octets.peek() != Some(&b'\n') {
            expected.push(octet);
        }
    }
    found == expected
}

#[test]
fn what_is_not_plain_smtp_is_treated_as_documented() {
    let root = Root::staging().start();
    let long = format!("Subject: long\r\n\r\n{}\r\nshort\r\n", "x".repeat(2000));
    let mut wire = Wire::hello(root.smtp);
    let reply = wire.message("eve@example.com", &["bob@example.com"], long.as_bytes());
    assert!(reply.starts_with("250"), "{reply}");
    let found = root.wait_for_delivered("bob@example.com", 1);
    let text = String::from_utf8(found[0].clone()).unwrap();
    assert!(
        text.replace("\n ", " ")
            .contains("Lines longer than SMTP allows found and truncated."),
        "{text:.600}"
    );
    assert!(
        text.lines().all(|line| line.len() <= 998),
        "a long line got through"
    );
    assert!(
        text.ends_with("\nshort\n"),
        "what follows the long line is gone"
    );
    // Octets above 127 that nobody announced pass unchanged (eightnegotiate).
    let reply = wire.message(
        "eve@example.com",
        &["bob@example.com"],
        b"Subject: eight\n\nB\xf6tes\n",
    );
    assert!(reply.starts_with("250"), "{reply}");
    let found = root.wait_for_delivered("bob@example.com", 2);
    assert!(
        found
            .iter()
            .any(|message| message.ends_with(b"\n\nB\xf6tes\n"))
    );
}
