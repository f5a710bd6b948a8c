//! What stands on the wire must not change without [`crate::PROTOCOL_VERSION`]: old daemons and
//! new programs meet whenever an installation is renewed while it runs.

use std::fmt::Write as _;

use mta_envelope::envelope::Priority;
use mta_envelope::names::{ChannelName, Place, ServiceName};
use proptest::prelude::*;
use serde::Serialize;

use crate::handover::{FromServer, ToServer};
use crate::job_controller::{
    Change, ChannelJobs, Entry, HostCount, JobId, JobView, Reply, Request, RowState, Settlement,
    Status, ViewRow, Work, WorkId,
};
use crate::{PROTOCOL_VERSION, ProcessImage, dispatcher, frame, watcher};

fn channel() -> ChannelName {
    ChannelName::new("tcp_local").unwrap()
}

fn place() -> Place {
    Place::parse("001/ZZabc.00").unwrap()
}

fn entry() -> Entry {
    Entry {
        channel: channel(),
        place: place(),
        priority: Priority::Normal,
        host: "example.com".to_owned(),
        size: 300,
        recipients: 2,
        arrived: 1_795_000_000,
        not_before: Some(7),
    }
}

fn settlements() -> Vec<(WorkId, Settlement)> {
    let place = place();
    [
        Settlement::Removed,
        Settlement::Deferred {
            place: place.clone(),
            retry_in: Some(120),
        },
        Settlement::Split { entry: entry() },
        Settlement::Held { place },
        Settlement::Gone,
        Settlement::Busy,
        Settlement::Kept,
        Settlement::Died,
    ]
    .into_iter()
    .map(|settlement| (WorkId(9), settlement))
    .collect()
}

fn job_controller_requests() -> Vec<Request> {
    let job = JobId(3);
    vec![
        Request::Enqueued(vec![entry()]),
        Request::Job {
            channel: channel(),
            pid: 4,
            threads: 10,
            run: true,
        },
        Request::Next {
            job,
            thread: 1,
            host: None,
            done: settlements(),
        },
        Request::Settled {
            job,
            done: settlements(),
        },
        Request::Sync,
        Request::Walk { debug: 5 },
        Request::Change(Change::Debug(1)),
        Request::Change(Change::MaxMessages(1)),
        Request::Change(Change::ParallelRebuild(1)),
        Request::Change(Change::InorderRebuild(true)),
        Request::Change(Change::MasterCommand {
            class: "tcp_*".to_owned(),
            command: "x".to_owned(),
        }),
        Request::Change(Change::ThreadDepth {
            channel: channel(),
            n: 1,
        }),
        Request::Change(Change::JobLimit {
            channel: channel(),
            n: 1,
        }),
        Request::View {
            channel: None,
            cursor: 6,
        },
        Request::Jobs { channel: None },
        Request::Messages { channel: channel() },
        Request::Submit {
            channel: channel(),
            poll: false,
        },
        Request::StopChannel(channel()),
        Request::StartChannel(channel()),
        Request::Released(entry()),
        Request::Forgotten {
            channel: channel(),
            place: place(),
        },
        Request::Status,
        Request::Reload,
    ]
}

fn image() -> ProcessImage {
    ProcessImage {
        pid: 1,
        program: "p".to_owned(),
        fixed: "f".to_owned(),
        reloadable: "r".to_owned(),
    }
}

fn job_controller_replies() -> Vec<Reply> {
    let row = |state| ViewRow {
        channel: channel(),
        place: place(),
        host: String::new(),
        priority: Priority::Normal,
        state,
        arrived: 1,
        size: 2,
        recipients: 3,
    };
    vec![
        Reply::Ok,
        Reply::Job(JobId(1)),
        Reply::Work(Work {
            id: WorkId(1),
            place: place(),
            host: String::new(),
            deaths: 2,
            first: true,
        }),
        Reply::Exit,
        Reply::View {
            rows: vec![
                row(RowState::Ready),
                row(RowState::Active { job_pid: 1 }),
                row(RowState::Waiting { until: 1 }),
            ],
            next: Some(4),
        },
        Reply::Jobs(vec![ChannelJobs {
            channel: channel(),
            stopped: false,
            jobs: vec![JobView {
                pid: 1,
                hosts: vec!["h".to_owned()],
                messages: vec![place()],
                processed: 1,
                failed: 2,
                age: 3,
            }],
            ready: 1,
            waiting: 2,
            delivered: 3,
            requeued: 4,
            limit: "job_limit".to_owned(),
        }]),
        Reply::Messages(vec![HostCount {
            host: "h".to_owned(),
            active: 1,
            delayed: 2,
        }]),
        Reply::Status(Status {
            pid: 1,
            fixed: "f".to_owned(),
            reloadable: "r".to_owned(),
            from_image: true,
            uptime: 2,
            messages: 3,
            jobs: 4,
            built: true,
            children: vec![image()],
        }),
        Reply::Refused("no".to_owned()),
    ]
}

fn dispatcher_requests() -> Vec<dispatcher::Request> {
    use dispatcher::Request;
    let service = ServiceName::new("SMTP").unwrap();
    vec![
        Request::Status,
        Request::Ready,
        Request::Statistics {
            service: Some(service.clone()),
        },
        Request::StopService(service.clone()),
        Request::RestartService(service.clone()),
        Request::StartService(service),
        Request::Reload,
    ]
}

fn dispatcher_replies() -> Vec<dispatcher::Reply> {
    use dispatcher::{Reply, ServerStatistics, ServiceStatistics, Status};
    vec![
        Reply::Ok,
        Reply::Status(Status {
            pid: 1,
            fixed: "f".to_owned(),
            reloadable: "r".to_owned(),
            from_image: false,
            uptime: 2,
            children: vec![image()],
        }),
        Reply::Statistics(vec![ServiceStatistics {
            service: ServiceName::new("SMTP").unwrap(),
            ports: vec![25],
            workers: 1,
            active: 2,
            retiring: 3,
            accepted: 4,
            rejected: 5,
            closed_recently: 6,
            stopped: true,
            servers: vec![ServerStatistics {
                pid: 1,
                started: 2,
                active: 3,
                total: 4,
                state: "serving".to_owned(),
            }],
        }]),
        Reply::Refused("no".to_owned()),
    ]
}

fn watcher_words() -> (Vec<watcher::Request>, Vec<watcher::Reply>) {
    use watcher::{Component, Reply, Request, Status};
    let component = || "dispatcher".to_owned();
    let requests = vec![
        Request::Start {
            component: component(),
        },
        Request::Stop {
            component: component(),
            force: true,
        },
        Request::Restart {
            component: component(),
        },
        Request::Finish { force: false },
        Request::Status,
    ];
    let replies = vec![
        Reply::Text("t".to_owned()),
        Reply::Complaint("c".to_owned()),
        Reply::Done { success: true },
        Reply::Status(Status {
            pid: 1,
            components: vec![Component {
                name: component(),
                pid: Some(2),
                wanted: true,
                failures: 3,
            }],
        }),
        Reply::Refused("no".to_owned()),
    ];
    (requests, replies)
}

fn handover_words() -> (Vec<ToServer>, Vec<FromServer>) {
    let to = vec![
        ToServer::Connection {
            id: 1,
            service: ServiceName::new("SMTP").unwrap(),
            local: "192.0.2.1:25".parse().unwrap(),
            peer: "[2001:db8::1]:40000".parse().unwrap(),
            tls: true,
            accepted: 1_795_000_000_000,
        },
        ToServer::Retire,
        ToServer::Shutdown,
        ToServer::Reload,
    ];
    let from = vec![
        FromServer::Ready {
            fixed: "f".to_owned(),
            reloadable: "r".to_owned(),
        },
        FromServer::Taken { id: 1 },
        FromServer::Closed { id: 1 },
    ];
    (to, from)
}

/// FNV-1a over the bytes of each word.
fn digest<T: Serialize>(words: &[T]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in words.iter().flat_map(|word| frame::frame(word).unwrap()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

#[test]
fn words_change_only_with_the_protocol_version() {
    let (to_watcher, from_watcher) = watcher_words();
    let (to_server, from_server) = handover_words();
    let mut found = format!("version {PROTOCOL_VERSION}\n");
    for (name, digest) in [
        (
            "job_controller requests",
            digest(&job_controller_requests()),
        ),
        ("job_controller replies", digest(&job_controller_replies())),
        ("dispatcher requests", digest(&dispatcher_requests())),
        ("dispatcher replies", digest(&dispatcher_replies())),
        ("watcher requests", digest(&to_watcher)),
        ("watcher replies", digest(&from_watcher)),
        ("to a server process", digest(&to_server)),
        ("from a server process", digest(&from_server)),
    ] {
        writeln!(found, "{name} {digest}").unwrap();
    }
    let golden = include_str!("golden.txt");
    assert_eq!(
        found, golden,
        "the vocabulary has changed: raise PROTOCOL_VERSION and put this into golden.txt"
    );
}

#[test]
fn every_word_is_read_as_it_was_written() {
    for word in job_controller_requests() {
        assert_eq!(
            frame::parse::<Request>(&frame::body(&word).unwrap()).unwrap(),
            word
        );
    }
    for word in job_controller_replies() {
        assert_eq!(
            frame::parse::<Reply>(&frame::body(&word).unwrap()).unwrap(),
            word
        );
    }
    for word in dispatcher_replies() {
        let body = frame::body(&word).unwrap();
        assert_eq!(frame::parse::<dispatcher::Reply>(&body).unwrap(), word);
    }
    for word in handover_words().0 {
        assert_eq!(
            frame::parse::<ToServer>(&frame::body(&word).unwrap()).unwrap(),
            word
        );
    }
}

proptest! {
    /// Nothing that arrives can do more than be refused.
    #[test]
    fn any_bytes_are_a_word_or_malformed(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        drop(frame::parse::<Request>(&bytes));
        drop(frame::parse::<dispatcher::Request>(&bytes));
        drop(frame::parse::<watcher::Request>(&bytes));
        drop(frame::parse::<ToServer>(&bytes));
        let mut stream = bytes.as_slice();
        drop(frame::read::<(u32, Request)>(&mut stream));
    }

    #[test]
    fn texts_and_numbers_survive_the_wire(id in any::<u32>(), text in ".{0,200}", n in any::<u64>()) {
        let word = (id, Reply::Refused(text), WorkId(n));
        let bytes = frame::frame(&word).unwrap();
        let mut stream = bytes.as_slice();
        prop_assert_eq!(frame::read::<(u32, Reply, WorkId)>(&mut stream).unwrap(), word);
    }
}
