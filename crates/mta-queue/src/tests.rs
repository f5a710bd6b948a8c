//! A queue area of its own for each test, and what tests put into it.

use std::path::PathBuf;

use mta_envelope::address::Address;
use mta_envelope::envelope::{Envelope, Priority, Recipient};
use mta_envelope::names::{ChannelName, Place};

use super::*;

pub(crate) struct Area {
    pub(crate) queue: Queue,
    pub(crate) directory: tempfile::TempDir,
}

pub(crate) const HEADER: &[u8] = b"Subject: hello\nTo: you\n\n";
pub(crate) const BODY: &[u8] = b"first\n\nBoundary_(ID_bNmDRTvfQNkeUUBbOugFTQ)\n.\nlast\n";

impl Area {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let queue = Queue::open(directory.path()).unwrap();
        Self { queue, directory }
    }

    /// Enqueues a small message for two recipients.
    pub(crate) fn enqueue(&self) -> Place {
        self.put(plan("tcp_local", 0), BODY).remove(0).place
    }

    pub(crate) fn put(&self, plan: Plan, body: &[u8]) -> Vec<Placed> {
        let mut draft = self.queue.draft(vec![plan]);
        draft
            .header(HEADER, Some("<1@x>"), Priority::Urgent)
            .unwrap();
        draft.body(body).unwrap();
        draft.commit().unwrap()
    }

    pub(crate) fn path(&self, place: &Place) -> PathBuf {
        let channel = self.directory.path().join("tcp_local");
        match place.subdir {
            Some(number) => channel.join(format!("{number:03}/{}", place.file)),
            None => channel.join(place.file.as_str()),
        }
    }

    /// All files below the area, by their paths from it.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut todo = vec![self.directory.path().to_owned()];
        let mut files = Vec::new();
        while let Some(directory) = todo.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    todo.push(path);
                } else {
                    let name = path.strip_prefix(self.directory.path()).unwrap();
                    files.push(name.to_str().unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }
}

pub(crate) fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

pub(crate) fn plan(name: &str, subdirs: u16) -> Plan {
    let recipients = ["a@one.example", "b@two.example", "c@three.example"];
    Plan {
        channel: channel(name),
        subdirs,
        envelope: Envelope {
            id: "0TOY00B049408X00@mail.example.com".into(),
            sender: Some(Address::parse("s@example.com").unwrap()),
            ret: None,
            source_channel: channel("tcp_intranet"),
            source_system: "x".into(),
            user: String::new(),
            authenticated: None,
            arrived: 1_790_000_000,
            priority: Priority::Normal,
            message_id: None,
            size: 0,
            deferred_until: None,
            recipients: recipients
                .map(|text| Recipient::new(Address::parse(text).unwrap()))
                .into(),
        },
        held: None,
    }
}

pub(crate) fn read(mut reader: impl io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    bytes
}

pub(crate) fn attempt(text: &str) -> Attempt {
    Attempt {
        time: 1_790_000_100,
        recipient: "a@one.example".into(),
        status: "4.4.1".into(),
        text: text.into(),
    }
}

#[test]
fn what_goes_in_comes_out() {
    let area = Area::new();
    let placed = area.put(plan("tcp_local", 20), BODY).remove(0);
    assert_eq!(placed.path, area.path(&placed.place));
    let message = area.queue.take(&placed.channel, &placed.place).unwrap();
    assert_eq!(message.header().unwrap(), HEADER);
    assert_eq!(read(message.body().unwrap()), BODY);
    assert_eq!(read(message.body().unwrap()), BODY, "twice");
    assert_eq!(message.envelope(), &placed.envelope);
    assert_eq!(message.envelope().size, (HEADER.len() + BODY.len()) as u64);
    assert_eq!(message.envelope().priority, Priority::Urgent);
    assert_eq!(message.envelope().message_id.as_deref(), Some("<1@x>"));
    message.remove().unwrap();
    assert!(area.files().is_empty());
}
