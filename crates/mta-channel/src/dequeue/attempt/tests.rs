use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::enqueue::Refusal;
use crate::notify::{Addressee, Copies, Notice, Portion};
use mta_config::channel::{ChannelBuilder, ChannelOption, Defaults};
use mta_config::value::Value;
use mta_envelope::address::Address;
use mta_envelope::envelope::{Priority, Recipient};
use mta_envelope::names::{ChannelName, FileName};
use mta_ipc::job_controller::WorkId;
use mta_log::layout::Options;
use mta_log::program::ProgramLog;
use mta_log::writer::Writer;
use mta_queue::enqueue::Plan;

/// A queue, a log and a channel.
struct Bench {
    dir: tempfile::TempDir,
    queue: Queue,
    channel: Channel,
    policy: Policy,
    writer: Writer,
    debug: DebugLog,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let queue_dir = dir.path().join("queue");
        std::fs::create_dir(&queue_dir).unwrap();
        let mut builder =
            ChannelBuilder::new(ChannelName::new("tcp_local").unwrap(), &Defaults::default());
        builder.official_host("tcp-daemon");
        builder.set(ChannelOption::Logging, Value::Present);
        Self {
            queue: Queue::open(&queue_dir).unwrap(),
            channel: builder.finish(None),
            policy: Policy {
                failures: Copies::Never,
                warnings: Copies::Never,
                copies_head_only: true,
                return_limit: None,
                lines_to_return: 20,
                include_final: true,
                postmaster: Address::parse("postmaster@mail.example.com").unwrap(),
                personal: "Internet Mail Delivery".into(),
            },
            writer: Writer::new(dir.path(), Options::default()),
            debug: DebugLog::off(),
            dir,
        }
    }

    fn enqueue(&self, sender: &str, recipients: &[&str]) -> Work {
        let envelope = Envelope {
            id: "ID@mail.example.com".into(),
            sender: Address::parse(sender).ok(),
            ret: None,
            source_channel: ChannelName::new("tcp_submit").unwrap(),
            source_system: String::new(),
            user: String::new(),
            authenticated: None,
            arrived: 1_790_000_000,
            priority: Priority::Normal,
            message_id: None,
            size: 0,
            deferred_until: None,
            recipients: recipients
                .iter()
                .map(|text| Recipient::new(Address::parse(text).unwrap()))
                .collect(),
        };
        let mut draft = self.queue.draft(vec![Plan {
            channel: self.channel.name().clone(),
            subdirs: 20,
            envelope,
            held: None,
        }]);
        draft
            .header(b"Subject: x\n\n", None, Priority::Normal)
            .unwrap();
        draft.body(b"body\n").unwrap();
        let placed = draft.commit().unwrap();
        Work {
            id: WorkId(1),
            place: placed[0].place.clone(),
            host: "example.net".into(),
            deaths: 0,
            first: true,
        }
    }

    fn work(&self, work: &Work, notices: &dyn NoticeSender, deliver: Deliver) -> Settlement {
        self.work_behind(None, work, notices, deliver)
    }

    fn work_behind(
        &self,
        gate: Option<Gate<'_>>,
        work: &Work,
        notices: &dyn NoticeSender,
        deliver: Deliver,
    ) -> Settlement {
        let make = || -> Box<dyn Deliverer> { Box::new(Scripted(deliver)) };
        let workplace = Workplace {
            queue: &self.queue,
            channel: &self.channel,
            policy: &self.policy,
            records: Records {
                writer: &self.writer,
                channel: &self.channel,
                debug: &self.debug,
                block_size: 1024,
                thread: None,
            },
            notices,
            debug: &self.debug,
            gate,
        };
        workplace.work(work, &mut Slot::new(&make))
    }

    /// The log without its times.
    fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.path().join("mail.log_current"));
        let text = text.unwrap_or_default();
        text.lines().map(|line| line[24..].to_owned()).collect()
    }

    fn files(&self) -> Vec<String> {
        let found = self.queue.scan(self.channel.name());
        found.map(|found| found.place.file.to_string()).collect()
    }
}

type Deliver = fn(&mut Message<'_>) -> Vec<Outcome>;

struct Scripted(Deliver);

impl Deliverer for Scripted {
    fn deliver(&mut self, message: &mut Message<'_>) -> Vec<Outcome> {
        (self.0)(message)
    }
}

/// Remembers what it was asked to send, and answers as told.
#[derive(Default)]
struct Recorder {
    answer: Option<Refusal>,
    /// The answer is for this addressee alone.
    only: Option<Addressee>,
    /// The answer is for notices that hold more than a header.
    whole: bool,
    sent: Mutex<Vec<String>>,
}

impl NoticeSender for Recorder {
    fn send(&self, _: &About<'_>, notice: &Notice) -> Result<(), Refusal> {
        if let Some(refusal) = &self.answer
            && self.only.is_none_or(|only| only == notice.to)
            && !(self.whole && notice.portion == Portion::Header)
        {
            return Err(refusal.clone());
        }
        let to = match notice.to {
            Addressee::Sender => "sender",
            Addressee::Postmaster => "postmaster",
        };
        let text = format!(
            "{} to {to} about {:?}",
            notice.kind.word(),
            notice.recipients
        );
        self.sent.lock().unwrap().push(text);
        Ok(())
    }
}

fn ok() -> Outcome {
    Outcome::Delivered(Report::local(Status::OK, ""))
}

fn later() -> Outcome {
    Outcome::Deferred(Report::local(
        Status::new(4, 4, 1),
        "TCP active open: Connection refused",
    ))
}

fn never() -> Outcome {
    Outcome::Failed(Report::local(Status::UNKNOWN_USER, "no such user"))
}

#[test]
fn delivered_mail_is_logged_and_removed() {
    let bench = Bench::new();
    let work = bench.enqueue("a@b", &["x@example.net"]);
    let settlement = bench.work(&work, &Recorder::default(), |message| {
        assert_eq!(message.header().unwrap(), b"Subject: x\n\n");
        let mut body = Vec::new();
        io::Read::read_to_end(&mut message.body().unwrap(), &mut body).unwrap();
        assert_eq!(body, b"body\n");
        vec![ok()]
    });
    assert_eq!(settlement, Settlement::Removed);
    assert!(bench.files().is_empty());
    assert_eq!(
        bench.log(),
        ["tcp_local                 D 1 a@b rfc822;x@example.net x@example.net"]
    );
}

#[test]
fn a_temporary_failure_counts_an_attempt_and_is_remembered() {
    let bench = Bench::new();
    let work = bench.enqueue("a@b", &["x@example.net"]);
    let settlement = bench.work(&work, &Recorder::default(), |message| {
        message.retry_in(Duration::from_secs(120));
        vec![later()]
    });
    let Settlement::Deferred { place, retry_in } = settlement else {
        panic!("{settlement:?}");
    };
    assert_eq!(place.file.attempts(), 1);
    assert_eq!(retry_in, Some(120));
    let message = bench.queue.take(bench.channel.name(), &place).unwrap();
    assert_eq!(message.history().len(), 1);
    assert_eq!(message.history()[0].status, "4.4.1");
    assert_eq!(
        bench.log(),
        [
            "tcp_local                 Q 0 a@b rfc822;x@example.net x@example.net \
          TCP active open: Connection refused"
        ]
    );
}

#[test]
fn partial_success_leaves_a_file_for_the_rest() {
    let bench = Bench::new();
    let work = bench.enqueue("a@b", &["x@example.net", "y@example.net"]);
    let settlement = bench.work(&work, &Recorder::default(), |_| vec![ok(), later()]);
    let Settlement::Split { entry } = settlement else {
        panic!("{settlement:?}");
    };
    assert_eq!((entry.host.as_str(), entry.recipients), ("example.net", 1));
    let rest = bench
        .queue
        .take(bench.channel.name(), &entry.place)
        .unwrap();
    let addresses: Vec<&str> = rest
        .envelope()
        .recipients
        .iter()
        .map(|recipient| recipient.address.as_str())
        .collect();
    assert_eq!(addresses, ["y@example.net"]);
    let letters: String = bench.log().iter().map(|line| &line[26..27]).collect();
    assert_eq!(letters, "DZE");
}

#[test]
fn a_failure_is_returned_before_the_file_goes() {
    let bench = Bench::new();
    let work = bench.enqueue("a@b", &["x@example.net"]);
    let recorder = Recorder::default();
    let settlement = bench.work(&work, &recorder, |_| vec![never()]);
    assert_eq!(settlement, Settlement::Removed);
    assert_eq!(
        *recorder.sent.lock().unwrap(),
        ["failed to sender about [0]"]
    );
    assert_eq!(
        bench.log(),
        ["tcp_local                 R 1 a@b rfc822;x@example.net x@example.net no such user"]
    );
}

#[test]
fn a_failed_notice_makes_no_notice() {
    let bench = Bench::new();
    let work = bench.enqueue("", &["x@example.net"]);
    let recorder = Recorder::default();
    let settlement = bench.work(&work, &recorder, |_| vec![never()]);
    assert_eq!(settlement, Settlement::Removed);
    assert!(recorder.sent.lock().unwrap().is_empty());
    assert_eq!(&bench.log()[0][26..27], "K");
}

#[test]
fn the_original_stays_while_its_notice_cannot_be_enqueued() {
    let bench = Bench::new();
    let work = bench.enqueue("a@b", &["x@example.net", "y@example.net"]);
    let recorder = Recorder {
        answer: Some(Refusal::new(452, Status::new(4, 3, 1), "disk full")),
        ..Recorder::default()
    };
    let settlement = bench.work(&work, &recorder, |_| vec![ok(), never()]);
    let Settlement::Split { entry } = settlement else {
        panic!("{settlement:?}");
    };
    let rest = bench
        .queue
        .take(bench.channel.name(), &entry.place)
        .unwrap();
    assert_eq!(
        rest.envelope().recipients[0].address.as_str(),
        "y@example.net"
    );
}

#[test]
fn a_copy_for_the_postmaster_does_not_stand_for_the_senders_notice() {
    for only in [Some(Addressee::Sender), None] {
        let mut bench = Bench::new();
        bench.policy.failures = Copies::UnlessNull;
        let work = bench.enqueue("a@b", &["x@example.net"]);
        let recorder = Recorder {
            answer: Some(Refusal::new(452, Status::new(4, 2, 1), "inactive")),
            only,
            ..Recorder::default()
        };
        let settlement = bench.work(&work, &recorder, |_| vec![never()]);
        assert!(matches!(settlement, Settlement::Deferred { .. }));
        // Not even sent, or it would be sent again with each attempt.
        assert!(recorder.sent.lock().unwrap().is_empty());
    }
}

#[test]
fn the_senders_notice_does_not_wait_for_a_copy() {
    let mut bench = Bench::new();
    bench.policy.failures = Copies::UnlessNull;
    let work = bench.enqueue("a@b", &["x@example.net"]);
    let recorder = Recorder {
        answer: Some(Refusal::new(452, Status::new(4, 2, 1), "inactive")),
        only: Some(Addressee::Postmaster),
        ..Recorder::default()
    };
    let settlement = bench.work(&work, &recorder, |_| vec![never()]);
    assert_eq!(settlement, Settlement::Removed);
    assert_eq!(recorder.sent.lock().unwrap().len(), 1);
}

#[test]
fn a_notice_that_is_too_large_goes_with_the_header_only() {
    let bench = Bench::new();
    let work = bench.enqueue("a@b", &["x@example.net"]);
    let recorder = Recorder {
        answer: Some(Refusal::new(552, Status::new(5, 3, 4), "42 kilobytes")),
        whole: true,
        ..Recorder::default()
    };
    let settlement = bench.work(&work, &recorder, |_| vec![never()]);
    assert_eq!(settlement, Settlement::Removed);
    assert_eq!(recorder.sent.lock().unwrap().len(), 1);
    assert_eq!(&bench.log()[0][26..27], "R");
}

#[test]
fn a_sender_nobody_accepts_mail_for_costs_the_notice_only() {
    let bench = Bench::new();
    let work = bench.enqueue("a@b", &["x@example.net"]);
    let recorder = Recorder {
        answer: Some(Refusal::new(550, Status::UNKNOWN_HOST, "unknown host")),
        ..Recorder::default()
    };
    let settlement = bench.work(&work, &recorder, |_| vec![never()]);
    assert_eq!(settlement, Settlement::Removed);
    assert_eq!(&bench.log()[0][26..27], "K");
}

#[test]
fn a_panic_keeps_the_message_and_replaces_the_deliverer() {
    let bench = Bench::new();
    let work = bench.enqueue("a@b", &["x@example.net"]);
    let made = RefCell::new(0);
    let make = || -> Box<dyn Deliverer> {
        *made.borrow_mut() += 1;
        Box::new(Scripted(|_| panic!("a fault for the test")))
    };
    let recorder = Recorder::default();
    let workplace = Workplace {
        queue: &bench.queue,
        channel: &bench.channel,
        policy: &bench.policy,
        records: Records {
            writer: &bench.writer,
            channel: &bench.channel,
            debug: &bench.debug,
            block_size: 1024,
            thread: None,
        },
        notices: &recorder,
        debug: &bench.debug,
        gate: None,
    };
    let mut slot = Slot::new(&make);
    let first = workplace.work(&work, &mut slot);
    let Settlement::Deferred { place, .. } = first else {
        panic!("{first:?}");
    };
    let second = workplace.work(&Work { place, ..work }, &mut slot);
    assert!(matches!(second, Settlement::Deferred { .. }));
    assert_eq!(*made.borrow(), 2);
    assert_eq!(bench.files().len(), 1);
}

/// A notice that cannot be built for a reason nobody thought of.
struct Broken;

impl NoticeSender for Broken {
    fn send(&self, _: &About<'_>, _: &Notice) -> Result<(), Refusal> {
        panic!("a fault for the test")
    }
}

#[test]
fn a_panic_outside_the_delivery_counts_as_a_death_and_gives_the_message_back() {
    let bench = Bench::new();
    let work = bench.enqueue("a@b", &["x@example.net"]);
    let settlement = bench.work(&work, &Broken, |_| vec![never()]);
    assert_eq!(settlement, Settlement::Died);
    let free = bench.queue.take(bench.channel.name(), &work.place);
    free.unwrap().keep();
}

#[test]
fn a_file_that_cannot_be_read_is_set_aside_and_reported() {
    let mut bench = Bench::new();
    let work = bench.enqueue("a@b", &["x@example.net"]);
    let path: PathBuf = bench
        .queue
        .path()
        .join("tcp_local")
        .join(work.place.to_string());
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let log = ProgramLog::on_demand(bench.dir.path(), "tcp_local_master");
    let log = std::sync::Arc::new(log);
    let log_path = log.path().to_owned();
    bench.debug = DebugLog::to_file(log, false);
    let settlement = bench.work(&work, &Recorder::default(), |_| vec![ok()]);
    assert!(
        matches!(settlement, Settlement::Held { .. }),
        "{settlement:?}"
    );
    assert!(bench.files()[0].ends_with(".HELD"));
    let told = std::fs::read_to_string(log_path).unwrap();
    assert!(told.contains("set aside as"), "{told}");
}

#[test]
fn files_that_are_gone_or_in_use_are_no_trouble() {
    let bench = Bench::new();
    let work = bench.enqueue("a@b", &["x@example.net"]);
    let taken = bench.queue.take(bench.channel.name(), &work.place).unwrap();
    let deliver: Deliver = |_| panic!("not to be delivered");
    let recorder = Recorder::default();
    assert_eq!(bench.work(&work, &recorder, deliver), Settlement::Busy);
    drop(taken);
    let place = work.place.renamed(FileName::first("zzzzzzzzzzz").unwrap());
    let gone = Work { place, ..work };
    assert_eq!(bench.work(&gone, &recorder, deliver), Settlement::Gone);
}

/// A configuration with these tables beside the usual ones.
fn with_tables(tables: &[(&str, &str, &str)]) -> mta_config::Config {
    let mut config = crate::enqueue::test_config();
    for (name, pattern, template) in tables {
        let entries = [mta_mapping::Entry::new(pattern, template)];
        config.mappings.insert(name, &entries).unwrap();
    }
    config
}

#[test]
fn dequeue_access_leaves_a_message_without_an_attempt() {
    let bench = Bench::new();
    let config = with_tables(&[(
        "DEQUEUE_ACCESS",
        "tcp_local|*|*|a@b|*|*|*|example.net",
        "$N$S600",
    )]);
    let gate = Gate {
        config: &config,
        callouts: &mta_mapping::NoCallouts,
    };
    let recorder = Recorder::default();
    let left = bench.enqueue("a@b", &["x@example.net", "y@example.net"]);
    let settlement = bench.work_behind(Some(gate), &left, &recorder, |_| panic!("tried"));
    let expected = Settlement::Deferred {
        place: left.place.clone(),
        retry_in: Some(600),
    };
    assert_eq!(settlement, expected);
    assert_eq!(bench.files(), [left.place.file.to_string()]);
    assert_eq!(bench.log(), [""; 0]);
    let tried = bench.enqueue("c@d", &["x@example.net"]);
    let settlement = bench.work_behind(Some(gate), &tried, &recorder, |_| vec![ok()]);
    assert_eq!(settlement, Settlement::Removed);
}

#[test]
fn a_copy_is_kept_of_what_goes_and_never_in_the_place_of_a_file() {
    let bench = Bench::new();
    let keep = bench.dir.path().join("keep");
    std::fs::create_dir(&keep).unwrap();
    let template = format!("$Y{}/$1", keep.display());
    let config = with_tables(&[("MESSAGE-SAVE-COPY", "D|tcp_local|*/*", &template)]);
    let gate = Gate {
        config: &config,
        callouts: &mta_mapping::NoCallouts,
    };
    let recorder = Recorder::default();
    for taken in [false, true] {
        let work = bench.enqueue("a@b", &["x@example.net"]);
        let copy = keep.join(work.place.file.to_string());
        if taken {
            std::fs::write(&copy, "mine").unwrap();
        }
        let settlement = bench.work_behind(Some(gate), &work, &recorder, |_| vec![ok()]);
        assert_eq!(settlement, Settlement::Removed);
        let kept = std::fs::read_to_string(&copy).unwrap();
        assert_eq!(kept.contains("Subject: x"), !taken, "{kept}");
    }
    assert_eq!(bench.files(), [""; 0]);
}
