//! The way out against a whole configuration, a queue and a Job Controller played by the test.

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use mta_config::aliases::Aliases;
use mta_config::channel::{ChannelBuilder, Defaults};
use mta_config::pool::{JobControllerOptions, PriorityWindows, Stress};
use mta_config::service::DispatcherOptions;
use mta_config::value::Value;
use mta_config::window::SynchTime;
use mta_config::{
    Channel, ChannelOption, Channels, Config, ImageIdentity, MtaOption, MtaOptions, Restricted,
    ServerRoot,
};
use mta_envelope::address::Address;
use mta_envelope::envelope::{Envelope, Notify, Priority, Recipient};
use mta_envelope::names::{ChannelName, Place};
use mta_envelope::status::{Outcome, Report, Status};
use mta_ipc::endpoint::{Connection, Listener};
use mta_ipc::frame;
use mta_ipc::job_controller::{DAEMON, JobId, Reply, Request, Settlement, Work, WorkId};
use mta_mapping::Tables;
use mta_message::template::Kind;
use mta_queue::enqueue::Plan;
use mta_rewrite::{Rules, SourceRule};

use super::*;
use crate::enqueue::Enqueuer;

const CHANNELS: [(&str, &str); 6] = [
    ("l", "mail.example.com"),
    ("ims-ms", "ims-ms-daemon"),
    ("tcp_local", "tcp-daemon"),
    ("process", "process-daemon"),
    ("reprocess", "reprocess-daemon"),
    ("filter_discard", "filter_discard-daemon"),
];

const DIRECTORY: &str = "\
dn: o=example.com
objectClass: mailDomain
sunPreferredDomain: example.com

dn: uid=ada,o=example.com
objectClass: inetMailUser
uid: ada
mail: ada@example.com

dn: uid=ida,o=example.com
objectClass: inetMailUser
uid: ida
mail: ida@example.com
mailUserStatus: inactive
";

/// When everything in these tests arrived, and a day.
const ARRIVED: u64 = 1_790_000_000;
const DAY: u64 = 86_400;

struct World {
    dir: tempfile::TempDir,
    root: ServerRoot,
    config: Arc<Config>,
    enqueuer: Enqueuer,
}

impl World {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for sub in ["config", "data/queue", "data/log"] {
            std::fs::create_dir_all(dir.path().join(sub)).unwrap();
        }
        std::fs::write(dir.path().join("config/directory.ldif"), DIRECTORY).unwrap();
        let root = ServerRoot::new(dir.path().to_owned());
        let mut config = config();
        change(&mut config);
        let config = Arc::new(config);
        let enqueuer = Enqueuer::new(Arc::clone(&config), &root, "return_job").unwrap();
        Self {
            dir,
            root,
            config,
            enqueuer,
        }
    }

    fn returner(&self) -> Returner {
        Returner::new(
            self.enqueuer.clone(),
            &self.root,
            "return_job",
            DebugLog::off(),
        )
    }

    fn channel(&self, name: &str) -> &Channel {
        self.config
            .channel(&ChannelName::new(name).unwrap())
            .unwrap()
    }

    fn enqueue(&self, channel: &str, sender: &str, recipients: Vec<Recipient>) -> Place {
        self.enqueue_with("Subject: lunch\n\n", channel, sender, recipients)
    }

    fn enqueue_with(
        &self,
        header: &str,
        channel: &str,
        sender: &str,
        recipients: Vec<Recipient>,
    ) -> Place {
        let envelope = Envelope {
            id: "ENVID@mail.example.com".into(),
            sender: Address::parse(sender).ok(),
            ret: None,
            source_channel: ChannelName::new("tcp_local").unwrap(),
            source_system: String::new(),
            user: String::new(),
            authenticated: None,
            arrived: ARRIVED,
            priority: Priority::Normal,
            message_id: None,
            size: 0,
            deferred_until: None,
            recipients,
        };
        let mut draft = self.enqueuer.queue().draft(vec![Plan {
            channel: ChannelName::new(channel).unwrap(),
            subdirs: 0,
            envelope,
            held: None,
        }]);
        draft
            .header(header.as_bytes(), None, Priority::Normal)
            .unwrap();
        draft.body(b"at noon\n").unwrap();
        draft.commit().unwrap().remove(0).place
    }

    /// Contents of the message files of a channel.
    fn files(&self, channel: &str) -> Vec<String> {
        let name = ChannelName::new(channel).unwrap();
        let found = self.enqueuer.queue().scan(&name);
        let directory = self.root.queue().join(channel);
        found
            .map(|found| std::fs::read_to_string(directory.join(found.place.to_string())).unwrap())
            .collect()
    }

    /// Action, source and addresses of each record: the line without its time.
    fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.path().join("data/log/mail.log_current"));
        let squeeze = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().skip(2).collect();
            words.join(" ")
        };
        text.unwrap_or_default().lines().map(squeeze).collect()
    }
}

fn config() -> Config {
    let channels: Vec<Channel> = CHANNELS
        .iter()
        .map(|(name, host)| {
            let name = ChannelName::new(name).unwrap();
            let mut builder = ChannelBuilder::new(name, &Defaults::default());
            builder.official_host(host);
            builder.set(ChannelOption::Logging, Value::Present);
            if *host == "mail.example.com" {
                builder.set(ChannelOption::Viaaliasrequired, Value::Present);
            }
            builder.set(ChannelOption::Notices, Value::Numbers(vec![1, 2, 4]));
            builder.finish(None)
        })
        .collect();
    let rules = [
        ("$*", "$A$E$F$U%$H$V$H@mail.example.com"),
        ("mail.example.com", "$U%$D@mail.example.com"),
        ("ims-ms-daemon", "$U%$H@ims-ms-daemon"),
        (".", "$U%$H@tcp-daemon"),
    ];
    let rules: Vec<SourceRule> = rules
        .iter()
        .map(|(pattern, template)| SourceRule::new(pattern, template))
        .collect();
    Config {
        texts: mta_config::database::TextDatabases::default(),
        identity: ImageIdentity::default(),
        mta: MtaOptions::default(),
        channels: Channels::from(channels),
        rules: Rules::compile(&rules).unwrap(),
        mappings: Tables::default(),
        aliases: Aliases::new(1, Vec::new()),
        delivery: mta_config::delivery::parse(MtaOption::DeliveryOptions.row().default).0,
        dispatcher: DispatcherOptions::default(),
        job_controller: JobControllerOptions {
            default_pool: "DEFAULT".into(),
            first_class_counts: false,
            debug: 0,
            max_cache_messages: 100_000,
            synch_time: SynchTime::DEFAULT,
            rebuild_parallel_channel: 1,
            stress: Stress {
                blackout: 60,
                factor: 1,
                jobs: 1,
                time: 60,
                unfactor: 1,
                unjobs: 1,
                untime: 60,
            },
            windows: PriorityWindows::default(),
            pools: Vec::new(),
            classes: Vec::new(),
        },
        tasks: Vec::new(),
        restricted: Restricted::default(),
        hostname: "mail.example.com".into(),
        default_domain: "example.com".into(),
    }
}

fn to(address: &str) -> Recipient {
    Recipient::new(Address::parse(address).unwrap())
}

fn after(seconds: u64) -> Timestamp {
    Timestamp::from_second(i64::try_from(ARRIVED + seconds).unwrap()).unwrap()
}

#[test]
fn a_message_past_its_last_notice_is_returned_to_its_sender() {
    let world = World::new();
    let place = world.enqueue("tcp_local", "ada@example.com", vec![to("zoe@example.edu")]);
    let (returner, channel, now) = (world.returner(), world.channel("tcp_local"), after(4 * DAY));
    let decision = returner.decide(channel, &place, now).unwrap();
    assert_eq!(decision, Decision::Return);
    returner.apply(channel, &place, decision, now).unwrap();
    assert!(world.files("tcp_local").is_empty());
    let notices = world.files("ims-ms");
    assert_eq!(notices.len(), 1);
    for part in [
        "\nm;\n",
        "\nc;process\n",
        "multipart/report",
        "Subject: Delivery Notification: Delivery has timed out and failed\n",
        "after 4 Days and has been returned",
        "Final-recipient: rfc822;zoe@example.edu\n",
        "Action: failed\n",
        "Original-envelope-id: ENVID@mail.example.com\n",
        "Subject: lunch\n",
        "at noon\n",
    ] {
        assert!(notices[0].contains(part), "{part:?} in\n{}", notices[0]);
    }
    let log = world.log();
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(log[0].starts_with("process ims-ms E "), "{log:?}");
    assert!(
        log[1].starts_with("tcp_local R 1 ada@example.com rfc822;zoe@example.edu zoe@example.edu"),
        "{log:?}"
    );
}

#[test]
fn a_warning_is_sent_once_for_each_value() {
    let world = World::new();
    let place = world.enqueue("tcp_local", "ada@example.com", vec![to("zoe@example.edu")]);
    let (returner, channel) = (world.returner(), world.channel("tcp_local"));
    let mut decisions = Vec::new();
    for hours in [23, 24, 25, 48, 60] {
        let now = after(hours * 3_600);
        let decision = returner.decide(channel, &place, now).unwrap();
        returner.apply(channel, &place, decision, now).unwrap();
        decisions.push(decision);
    }
    assert_eq!(
        decisions,
        [
            Decision::Keep,
            Decision::Warn(1),
            Decision::Keep,
            Decision::Warn(2),
            Decision::Keep
        ]
    );
    let notices = world.files("ims-ms");
    assert_eq!(notices.len(), 2);
    assert!(notices[0].contains("Action: delayed\n"), "{}", notices[0]);
    assert_eq!(world.files("tcp_local").len(), 1);
    let warned = world
        .log()
        .iter()
        .filter(|line| line.contains(" W "))
        .count();
    assert_eq!(warned, 2);
}

#[test]
fn nobody_is_told_of_a_notice_that_timed_out() {
    let world = World::new();
    let place = world.enqueue("tcp_local", "", vec![to("zoe@example.edu")]);
    let returned = world
        .returner()
        .give_back(
            world.channel("tcp_local"),
            &place,
            Kind::TimedOut,
            after(9 * DAY),
        )
        .unwrap();
    assert!(!returned.reported);
    assert!(world.files("ims-ms").is_empty());
    assert!(world.log()[0].starts_with("tcp_local K 1 rfc822;zoe@example.edu"));
}

#[test]
fn an_operator_returns_even_held_mail() {
    let world = World::new();
    let place = world.enqueue("tcp_local", "ada@example.com", vec![to("zoe@example.edu")]);
    let channel = world.channel("tcp_local");
    let held = world
        .enqueuer
        .queue()
        .hold(channel.name(), &place, "loop")
        .unwrap();
    let returned = world
        .returner()
        .give_back(channel, &held, Kind::Bounced, after(60))
        .unwrap();
    assert!(returned.reported);
    assert!(world.files("tcp_local").is_empty());
    assert!(world.files("ims-ms")[0].contains("forced to return by the postmaster"));
}

#[test]
fn discarded_mail_vanishes_at_its_last_notice_without_a_word() {
    let world = World::new();
    let place = world.enqueue(
        "filter_discard",
        "ada@example.com",
        vec![to("bob@example.com")],
    );
    let (returner, channel) = (world.returner(), world.channel("filter_discard"));
    assert_eq!(
        returner.decide(channel, &place, after(2 * DAY)).unwrap(),
        Decision::Keep
    );
    let now = after(4 * DAY);
    let decision = returner.decide(channel, &place, now).unwrap();
    returner.apply(channel, &place, decision, now).unwrap();
    assert!(world.files("filter_discard").is_empty());
    assert!(world.files("ims-ms").is_empty());
    assert!(world.log()[0].starts_with("filter_discard K "));
}

#[test]
fn a_sender_that_does_not_exist_costs_the_notice_only() {
    let world = World::new();
    let place = world.enqueue(
        "tcp_local",
        "nobody@example.com",
        vec![to("zoe@example.edu")],
    );
    let returned = world
        .returner()
        .give_back(
            world.channel("tcp_local"),
            &place,
            Kind::TimedOut,
            after(9 * DAY),
        )
        .unwrap();
    assert!(!returned.reported);
    assert!(
        world.log()[0].starts_with("tcp_local K "),
        "{:?}",
        world.log()
    );
}

#[test]
fn a_sender_who_cannot_be_told_for_now_does_not_keep_the_message() {
    let world = World::new();
    let place = world.enqueue("tcp_local", "ida@example.com", vec![to("zoe@example.edu")]);
    let channel = world.channel("tcp_local");
    let returner = world.returner();
    returner
        .apply(channel, &place, Decision::Warn(1), after(DAY))
        .unwrap();
    let returned = returner
        .give_back(channel, &place, Kind::TimedOut, after(9 * DAY))
        .unwrap();
    assert!(returned.reported);
    assert!(world.files("tcp_local").is_empty());
    let waiting = world.files("reprocess");
    assert_eq!(waiting.len(), 2, "{:?}", world.log());
    for notice in waiting {
        assert!(notice.contains("ida@example.com") && notice.contains("Subject: lunch\n"));
    }
}

#[test]
fn a_warning_that_is_refused_for_good_is_not_tried_again() {
    let world = World::new();
    let place = world.enqueue(
        "tcp_local",
        "nobody@example.com",
        vec![to("zoe@example.edu")],
    );
    let (returner, channel, now) = (world.returner(), world.channel("tcp_local"), after(DAY));
    let decision = returner.decide(channel, &place, now).unwrap();
    assert_eq!(decision, Decision::Warn(1));
    returner.apply(channel, &place, decision, now).unwrap();
    assert_eq!(
        returner.decide(channel, &place, now).unwrap(),
        Decision::Keep
    );
}

fn accept(listener: &Listener) -> UnixStream {
    let stream = loop {
        match listener.accept().unwrap() {
            Some(stream) => break stream,
            None => thread::yield_now(),
        }
    };
    let kept = stream.try_clone().unwrap();
    Connection::greet(stream, DAEMON, Duration::from_secs(10)).unwrap();
    kept
}

/// Plays the Job Controller for one channel program: hands out `places`, then says to exit.
/// Returns how each was settled.
fn play(stream: &UnixStream, places: Vec<Place>) -> Vec<Settlement> {
    let mut places: VecDeque<Place> = places.into();
    let mut settled = Vec::new();
    let mut stream = stream;
    while let Ok((id, request)) = frame::read::<(u32, Request)>(&mut stream) {
        let reply = match request {
            Request::Job { run, .. } => {
                assert!(run);
                Reply::Job(JobId(1))
            }
            Request::Next { done, .. } => {
                settled.extend(done.into_iter().map(|(_, settlement)| settlement));
                places.pop_front().map_or(Reply::Exit, |place| {
                    Reply::Work(Work {
                        id: WorkId(u64::from(id)),
                        place,
                        host: String::new(),
                        deaths: 0,
                        first: true,
                    })
                })
            }
            Request::Enqueued(_) => Reply::Ok,
            other => panic!("{other:?}"),
        };
        // A program that only left a hint may be gone before it is answered.
        if frame::write(&mut stream, &(id, reply)).is_err() {
            break;
        }
    }
    settled
}

struct Alternating(Arc<AtomicUsize>);

impl Deliverer for Alternating {
    fn deliver(&mut self, message: &mut Message<'_>) -> Vec<Outcome> {
        let outcome = if self.0.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            Outcome::Delivered(Report::local(Status::OK, ""))
        } else {
            Outcome::Failed(Report::local(Status::UNKNOWN_USER, "no such user"))
        };
        vec![outcome; message.envelope().recipients.len()]
    }
}

#[test]
fn a_channel_run_by_hand_empties_its_queue_and_ends() {
    let world = World::new();
    let places: Vec<Place> = (0..6)
        .map(|at| {
            let mut recipient = to(&format!("r{at}@example.edu"));
            recipient.notify = Notify(Notify::FAILURE | Notify::SUCCESS);
            world.enqueue("tcp_local", "ada@example.com", vec![recipient])
        })
        .collect();
    let listener = Listener::bind(&world.root.config(), DAEMON).unwrap();
    let settled = thread::scope(|scope| {
        let controller = scope.spawn(|| {
            let job = accept(&listener);
            // The hints about the notices come over a connection of their own.
            thread::scope(|scope| {
                scope.spawn(|| play(&accept(&listener), Vec::new()));
                play(&job, places)
            })
        });
        let setup = MasterSetup {
            root: world.root.clone(),
            config: Arc::clone(&world.config),
            channel: ChannelName::new("tcp_local").unwrap(),
            program: "test_master",
            threads: 2,
            by_hand: true,
        };
        let count = Arc::new(AtomicUsize::new(0));
        run_master(&setup, &|thread| {
            assert!(thread.number < 2);
            Box::new(Alternating(Arc::clone(&count)))
        })
        .unwrap();
        controller.join().unwrap()
    });
    assert_eq!(settled, vec![Settlement::Removed; 6]);
    assert!(world.files("tcp_local").is_empty());
    let notices = world.files("ims-ms");
    let of = |subject: &str| notices.iter().filter(|text| text.contains(subject)).count();
    assert_eq!(notices.len(), 6);
    assert_eq!(of("Delivery has failed"), 3);
    assert_eq!(of("Delivery has been successful"), 3);
    let letter = |letter: &str| {
        let wanted = format!("tcp_local {letter} ");
        world
            .log()
            .iter()
            .filter(|line| line.starts_with(&wanted))
            .count()
    };
    assert_eq!((letter("D"), letter("R")), (3, 3));
}

#[test]
fn a_channel_that_does_not_exist_is_told() {
    let world = World::new();
    let setup = MasterSetup {
        root: world.root.clone(),
        config: Arc::clone(&world.config),
        channel: ChannelName::new("nowhere").unwrap(),
        program: "test_master",
        threads: 1,
        by_hand: true,
    };
    let result = run_master(&setup, &|_| panic!("nobody asked for a deliverer"));
    assert!(matches!(result, Err(MasterError::NoSuchChannel { .. })));
}

#[test]
fn a_notice_is_written_in_the_language_that_the_table_chooses() {
    let world = World::with(|config| {
        let entries = [
            mta_mapping::Entry::new(
                "timedout|tcp_local|fr|ada@example.com|*@example.edu",
                "$I$SIMTA_TABLE/french/|Pas$ livré",
            ),
            mta_mapping::Entry::new("timedout|*|*|*|*@broken.example", "$IIMTA_TABLE:broken"),
        ];
        let tables = &mut config.mappings;
        tables.insert("NOTIFICATION_LANGUAGE", &entries).unwrap();
    });
    let at = |name: &str| world.dir.path().join("config").join(name);
    for directory in ["french", "broken"] {
        std::fs::create_dir(at(directory)).unwrap();
    }
    std::fs::write(at("french/return_timedout.txt"), "Trop tard pour :%R\n").unwrap();
    std::fs::write(at("broken/return_timedout.txt"), b"\xff\n").unwrap();
    let (returner, channel, now) = (world.returner(), world.channel("tcp_local"), after(4 * DAY));
    for (recipient, language, subject, text) in [
        (
            "zoe@example.edu",
            "fr",
            "=?utf-8?B?UGFzIGxpdnLDqQ==?=",
            "Trop tard pour :",
        ),
        (
            "zoe@example.edu",
            "en",
            "Delivery Notification: ",
            "after 4 Days and has been",
        ),
        (
            "zoe@broken.example",
            "fr",
            "Delivery Notification: ",
            "after 4 Days and has been",
        ),
    ] {
        let header = format!("Subject: lunch\nAccept-Language: {language}\n\n");
        let sender = "ada@example.com";
        let place = world.enqueue_with(&header, "tcp_local", sender, vec![to(recipient)]);
        let before = world.files("ims-ms");
        let decision = returner.decide(channel, &place, now).unwrap();
        returner.apply(channel, &place, decision, now).unwrap();
        let mut notices = world.files("ims-ms");
        notices.retain(|notice| !before.contains(notice));
        assert_eq!(notices.len(), 1);
        for part in [&format!("\nSubject: {subject}"), text] {
            assert!(notices[0].contains(part), "{part}: {}", notices[0]);
        }
    }
}
