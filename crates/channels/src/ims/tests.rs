use super::*;
use crate::world::World;
use mta_channel::dequeue::{Content, DebugLog};
use mta_envelope::address::Address;
use mta_envelope::envelope::Priority;
use mta_envelope::names::ChannelName;
use std::fs;
use std::io::BufRead;

struct Text {
    header: &'static str,
    body: &'static str,
}

impl Content for Text {
    fn header(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.header.into())
    }

    fn body(&mut self) -> io::Result<Box<dyn BufRead + '_>> {
        Ok(Box::new(self.body.as_bytes()))
    }
}

const LETTER: Text = Text {
    header: "Return-Path: <old@x>\n\t(comment)\nSubject: x\n\n",
    body: "body\n",
};

fn store(dir: &Path) -> Store {
    Store {
        users: dir.join("user"),
        default_domain: "example.com".into(),
        hostname: "mail.example.com".into(),
        over_quota: "user over quota".into(),
        accounts: None,
        known: Arc::default(),
        started: 2_000_000_000,
    }
}

fn recipient(address: &str, options: &str) -> Recipient {
    Recipient {
        store_options: Some(options.to_owned()),
        ..Recipient::new(Address::parse(address).unwrap())
    }
}

fn deliver(store: &mut Store, recipients: Vec<Recipient>) -> Vec<Outcome> {
    let envelope = Envelope {
        id: String::new(),
        sender: Address::parse("bob@example.org").ok(),
        ret: None,
        source_channel: ChannelName::new("tcp_local").unwrap(),
        source_system: String::new(),
        user: String::new(),
        authenticated: None,
        arrived: 1_790_000_000,
        priority: Priority::Normal,
        message_id: None,
        size: 20,
        deferred_until: None,
        recipients,
    };
    let debug = DebugLog::off();
    let mut content = LETTER;
    let name = "007/ZZabcdefghijk.00";
    let mut message = Message::new(&envelope, &mut content, name, "", &debug);
    store.deliver(&mut message)
}

/// Contents of all files in a directory.
fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn mail_lands_in_the_inbox_with_its_trace() {
    let dir = tempfile::tempdir().unwrap();
    let mut ada = recipient("ada@ims-ms-daemon", "");
    ada.original = Some(("rfc822".into(), "Ada@Example.com".into()));
    let outcomes = deliver(&mut store(dir.path()), vec![ada]);
    assert_eq!(outcomes, [delivered()]);
    let found = files(&dir.path().join("user/example.com/ada/new"));
    assert_eq!(
        found,
        [
            "Return-path: <bob@example.org>\nOriginal-recipient: rfc822;Ada@Example.com\n\
          Subject: x\n\nbody\n"
        ]
    );
}

#[test]
fn a_clock_that_was_set_back_does_not_make_an_old_message_new() {
    let dir = tempfile::tempdir().unwrap();
    let mut early = store(dir.path());
    early.started = 0;
    deliver(&mut early, vec![recipient("ada@ims-ms-daemon", "")]);
    let ada = dir.path().join("user/example.com/ada");
    for entry in fs::read_dir(ada.join("new")).unwrap() {
        let entry = entry.unwrap();
        let seen = format!("{}:2,S", entry.file_name().to_str().unwrap());
        fs::rename(entry.path(), ada.join("cur").join(seen)).unwrap();
    }
    // After a power cut the file is back in the queue, and found by a scan.
    deliver(&mut early, vec![recipient("ada@ims-ms-daemon", "")]);
    assert!(files(&ada.join("new")).is_empty());
}

#[test]
fn a_delivery_repeated_after_a_crash_is_not_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let all = || {
        vec![
            recipient("ada@ims-ms-daemon", ""),
            recipient("bob%example.net@ims-ms-daemon", ""),
        ]
    };
    deliver(&mut store(dir.path()), all());
    let ada = dir.path().join("user/example.com/ada");
    for entry in fs::read_dir(ada.join("new")).unwrap() {
        let entry = entry.unwrap();
        let seen = format!("{}:2,S", entry.file_name().to_str().unwrap());
        fs::rename(entry.path(), ada.join("cur").join(seen)).unwrap();
    }
    let again = deliver(&mut store(dir.path()), all());
    assert_eq!(again, [delivered(), delivered()]);
    assert!(files(&ada.join("new")).is_empty());
    assert_eq!(files(&ada.join("cur")).len(), 1);
    assert_eq!(files(&dir.path().join("user/example.net/bob/new")).len(), 1);
}

#[test]
fn folders_come_from_the_subaddress_or_the_store_options() {
    let dir = tempfile::tempdir().unwrap();
    deliver(
        &mut store(dir.path()),
        vec![
            recipient("ada+Work@ims-ms-daemon", ""),
            recipient("ada@ims-ms-daemon", "folder=Lists/rust"),
        ],
    );
    let ada = dir.path().join("user/example.com/ada");
    for folder in [".Work", ".Lists.rust"] {
        assert_eq!(files(&ada.join(folder).join("new")).len(), 1, "{folder}");
        assert!(ada.join(folder).join("maildirfolder").exists());
    }
    assert!(files(&ada.join("new")).is_empty());
}

#[test]
fn over_quota_stays_in_the_queue_unless_the_flags_say_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let outcomes = deliver(
        &mut store(dir.path()),
        vec![
            recipient("full@ims-ms-daemon", "quota=10"),
            recipient("boss@ims-ms-daemon", "quota=10 flags=2"),
            recipient("none@ims-ms-daemon", "msgquota=0"),
            recipient("room@ims-ms-daemon", "quota=10000 msgquota=5"),
        ],
    );
    let words: Vec<String> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Deferred(report) => report.status.to_string(),
            Outcome::Delivered(_) => "ok".into(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(words, ["4.2.2", "ok", "4.2.2", "ok"]);
    let size = fs::read_to_string(dir.path().join("user/example.com/room/maildirsize")).unwrap();
    assert_eq!(size, "10000S,5C\n0 0\n48 1\n");
}

#[test]
fn a_quota_that_was_raised_helps_mail_that_waits() {
    let world = World::new();
    let mut store = Store {
        accounts: Some(world.enqueuer.clone()),
        ..store(world.root.root())
    };
    let waiting = || {
        vec![
            recipient("ada@ims-ms-daemon", "quota=10"),
            recipient("nobody@ims-ms-daemon", "quota=10"),
        ]
    };
    let outcomes = deliver(&mut store, waiting());
    assert_eq!(outcomes[0], delivered(), "the entry has no quota now");
    assert!(matches!(outcomes[1], Outcome::Deferred(_)));
}

#[test]
fn a_name_that_cannot_be_a_directory_fails_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let long = format!("{}@ims-ms-daemon", "!".repeat(200));
    let outcomes = deliver(&mut store(dir.path()), vec![recipient(&long, "")]);
    assert!(matches!(&outcomes[0], Outcome::Failed(report) if report.status.class == 5));
}

#[test]
fn a_store_that_fails_keeps_the_mail_in_the_queue() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("user"), "no directory").unwrap();
    let ada = recipient("ada@ims-ms-daemon", "");
    let outcomes = deliver(&mut store(dir.path()), vec![ada]);
    assert!(matches!(&outcomes[0], Outcome::Deferred(report)
        if report.status == Status::new(4, 3, 0)));
}

#[test]
fn only_return_path_lines_leave_the_header() {
    let table: [(&str, &str); 3] = [
        ("A: b\n c\n\n", "A: b\n c\n\n"),
        ("return-path:<x>\n y\nA: b\n\n", "A: b\n\n"),
        (
            "X-Return-path: a\nReturn-pathology: b\n\n",
            "X-Return-path: a\nReturn-pathology: b\n\n",
        ),
    ];
    for (header, kept) in table {
        assert_eq!(without_return_path(header.as_bytes()), kept.as_bytes());
    }
}
