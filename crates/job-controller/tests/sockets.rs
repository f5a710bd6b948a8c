//! The Job Controller as a process, over its sockets, with a channel program that delivers,
//! defers, waits or dies as each message says.

#[cfg(test)]
mod support;

use mta_ipc::job_controller::{DAEMON, Reply, Request, RowState};
use mta_queue::hold_list::HoldList;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, SystemTime};
use support::{Server, channel, wait_for};

/// Not a test: the Job Controller, when this executable is started as that.
#[test]
fn job_controller_process() {
    if std::env::var("IMTA_TEST_ROLE").is_ok_and(|role| role == "job_controller")
        && std::env::var("IMTA_CHANNEL").is_err()
    {
        let ended = job_controller::run(&job_controller::Arguments::default());
        std::process::exit(i32::from(ended.is_err()));
    }
}

/// Not a test: a channel program, when the Job Controller starts this executable as that.
#[test]
fn fake_channel() {
    if std::env::var("IMTA_CHANNEL").is_ok() {
        support::play_channel();
    }
}

#[test]
fn mail_that_lay_there_and_mail_that_comes_are_delivered() {
    let mut server = Server::new();
    let before = server.write("tcp_local", "a.example", "deliver");
    server.start();
    let after = server.enqueue("ims-ms", "b.example", "deliver");
    assert_eq!(server.delivered(&before), 1);
    assert_eq!(server.delivered(&after), 1);
    wait_for("an empty cache", || {
        (server.status().messages == 0).then_some(())
    });
    let status = server.status();
    assert_eq!(status.jobs, 2, "they idle");
    assert!(
        status
            .children
            .iter()
            .all(|child| child.program == "fake_channel")
    );
}

#[test]
fn a_deadly_message_is_counted_and_spares_the_others() {
    let mut server = Server::new();
    server.start();
    let deadly = server.enqueue("ims-ms", "a.example", "die");
    let others: Vec<_> = (0..5)
        .map(|_| server.enqueue("ims-ms", "a.example", "deliver"))
        .collect();
    for other in &others {
        assert_eq!(server.delivered(other), 1);
    }
    let place = wait_for("the attempt to be counted", || {
        server
            .find(&deadly)
            .filter(|place| place.file.attempts() == 1)
    });
    let row = wait_for("its wait", || {
        let row = server.view().into_iter().next()?;
        matches!(row.state, RowState::Waiting { .. }).then_some(row)
    });
    assert_eq!(row.place, place);
    let log = server.log();
    assert!(
        log.contains("(3 in a row)") && log.contains("signal 6"),
        "{log}"
    );
}

#[test]
fn a_killed_controller_loses_no_schedule() {
    let mut server = Server::new();
    server.start();
    let deferred = server.enqueue("tcp_local", "a.example", "defer");
    let until = |server: &Server| {
        wait_for("the wait", || match server.view().first()?.state {
            RowState::Waiting { until } => Some(until),
            RowState::Ready | RowState::Active { .. } => None,
        })
    };
    let before = until(&server);
    assert!(before > support::now() + 3_000, "normal mail waits an hour");
    server.kill();
    // As if the attempt had been a while ago.
    let age = Duration::from_secs(1_000);
    let path = server.path_of(&deferred);
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
    server.start();
    let after = until(&server);
    assert!(
        (before - after).abs_diff(age.as_secs()) <= 60,
        "{before} {after}"
    );
    let place = server.find(&deferred).unwrap();
    assert_eq!(place.file.attempts(), 1);
}

#[test]
fn a_stopped_channel_is_run_by_hand_and_started_again() {
    let mut server = Server::new();
    server.start();
    let list = HoldList::open(&server.root().join("data/db"));
    let name = channel("tcp_local");
    list.stop(&name).unwrap();
    server.give_away();
    assert_eq!(server.ask(&Request::StopChannel(name.clone())), Reply::Ok);
    let first = server.enqueue("tcp_local", "a.example", "deliver");
    let client = server.connect();
    let call = |request: Request| client.call(&request, Duration::from_secs(30)).unwrap();
    let run = Request::Job {
        channel: name.clone(),
        pid: 0,
        threads: 1,
        run: true,
    };
    let Reply::Job(job) = call(run) else {
        panic!("not welcome");
    };
    let next = |done| Request::Next {
        job,
        thread: 0,
        host: None,
        done,
    };
    let Reply::Work(work) = call(next(Vec::new())) else {
        panic!("no work");
    };
    assert_eq!(
        (&work.place, work.host.as_str()),
        (&first.place, "a.example")
    );
    let queue = mta_queue::Queue::open(&server.root().join("data/queue")).unwrap();
    let settlement = support::work_on(&queue, &name, server.root(), &work);
    assert_eq!(call(next(vec![(work.id, settlement)])), Reply::Exit);
    drop(client);
    let second = server.enqueue("tcp_local", "a.example", "deliver");
    let submit = Request::Submit {
        channel: name.clone(),
        poll: false,
    };
    assert!(matches!(server.ask(&submit), Reply::Refused(_)));
    list.start(&name).unwrap();
    server.give_away();
    assert_eq!(server.ask(&Request::StartChannel(name)), Reply::Ok);
    assert_eq!(server.delivered(&second), 1);
}

#[test]
fn bad_clients_cost_themselves_their_connection_only() {
    let mut server = Server::new();
    server.start();
    let path = mta_ipc::endpoint::socket_path(&server.root().join("config"), DAEMON);
    let mut silent = Vec::new();
    for bytes in [
        b"EHLO example.com\r\n".as_slice(),
        &[0xff; 64],
        &[0, 0, 0, 1, 0],
        &[0; 4_096],
    ] {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(bytes).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        // A greeting, perhaps, and then the end.
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest));
        silent.push(UnixStream::connect(&path).unwrap());
    }
    let message = server.enqueue("ims-ms", "a.example", "deliver");
    assert_eq!(server.delivered(&message), 1);
    let claim = Request::Next {
        job: mta_ipc::job_controller::JobId(1),
        thread: 0,
        host: None,
        done: Vec::new(),
    };
    assert!(
        matches!(server.ask(&claim), Reply::Refused(_)),
        "somebody else's job"
    );
    let program = Request::Job {
        channel: channel("ims-ms"),
        pid: 1,
        threads: 1,
        run: false,
    };
    assert!(
        matches!(server.ask(&program), Reply::Refused(_)),
        "not started by us"
    );
}

#[test]
fn told_to_end_it_lets_jobs_finish_the_message_in_hand() {
    let mut server = Server::new();
    server.start();
    let slow = server.enqueue("ims-ms", "a.example", "wait");
    let waiting = server.root().join("data/tmp/waiting");
    wait_for("the delivery to begin", || waiting.exists().then_some(()));
    server.terminate();
    wait_for("the word", || {
        server.log().contains("told to end").then_some(())
    });
    let late = server.enqueue("ims-ms", "a.example", "deliver");
    fs::write(server.root().join("data/tmp/go"), "").unwrap();
    assert!(server.ended());
    assert_eq!(server.delivered(&slow), 1);
    assert!(server.find(&late).is_some(), "for the next one");
    server.start();
    assert_eq!(server.delivered(&late), 1);
}

#[test]
fn a_message_in_the_hands_of_a_surviving_job_is_not_tried_twice() {
    let mut server = Server::new();
    server.start();
    let slow = server.enqueue("ims-ms", "a.example", "wait");
    let waiting = server.root().join("data/tmp/waiting");
    wait_for("the delivery to begin", || waiting.exists().then_some(()));
    server.kill();
    server.start();
    wait_for("the new job to find it busy", || {
        let row = server.view().into_iter().next()?;
        matches!(row.state, RowState::Waiting { .. }).then_some(())
    });
    fs::write(server.root().join("data/tmp/go"), "").unwrap();
    assert_eq!(server.delivered(&slow), 1);
    wait_for("it to be forgotten", || {
        (server.status().messages == 0).then_some(())
    });
    assert_eq!(server.delivered(&slow), 1);
}

#[test]
fn a_second_controller_does_not_start() {
    let mut server = Server::new();
    server.start();
    let root = server.root().to_owned();
    let lock = mta_process::lock::daemon_path(&root.join("config"), DAEMON);
    assert!(mta_process::lock::is_held(&lock).unwrap());
}
