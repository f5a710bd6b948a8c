//! What must hold of the Dispatcher, one function each.

use std::io::Write;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use mta_ipc::dispatcher::{Reply, Request};
use mta_process::signal::Signal;

use crate::support::{self, Client, Stage};

pub(super) fn connections_are_served_and_counted() {
    let stage = Stage::new("");
    let dispatcher = stage.start();
    let clients: Vec<Client> = (0..7).map(|_| stage.connect()).collect();
    // Busy enough at five connections: a second process was started ahead of need.
    stage.until("two workers", || stage.statistics().workers == 2);
    assert_eq!(stage.statistics().active, 7);
    assert_eq!(stage.statistics().accepted, 7);
    drop(clients);
    stage.until("all closed", || stage.statistics().active == 0);
    assert_eq!(stage.statistics().closed_recently, 7);
    let Reply::Status(status) = stage.ask(&Request::Status) else {
        panic!("no status");
    };
    assert_eq!(status.pid, dispatcher.pid());
    assert!(status.children.iter().all(|child| child.fixed == "fixed"));
}

pub(super) fn a_dead_server_takes_only_its_own_sessions() {
    let stage = Stage::new(r#"<option name="min_conns" type="integer">1</option>"#);
    let _dispatcher = stage.start();
    let mut first = stage.connect();
    stage.until("another worker", || {
        let servers = stage.statistics().servers;
        servers
            .iter()
            .filter(|server| server.state == "serving")
            .count()
            >= 2
    });
    let mut second = stage.connect();
    assert_ne!(first.server, second.server);
    Signal::Kill.send(first.server).unwrap();
    assert!(first.is_closed());
    second.echo("still here");
    let mut third = stage.connect();
    third.echo("hello");
    stage.until("the dead is told", || stage.log().contains("signal 9"));
}

pub(super) fn an_untaken_connection_goes_to_another() {
    let stage = Stage::new("");
    let _dispatcher = stage.start();
    let victim = stage.connect().server;
    stage.mark("die-before-taken");
    let mut client = stage.connect();
    assert_ne!(client.server, victim);
    client.echo("hello");
    assert!(stage.log().contains("1 connections go to others"));
}

pub(super) fn a_server_that_hangs_is_ended_and_its_connection_goes_to_another() {
    let stage = Stage::new("");
    let _dispatcher = stage.start();
    stage.mark("hang-before-taken");
    let mut waiting = stage.knock();
    waiting.set_patience(support::PATIENCE * 4);
    waiting.greeting();
    waiting.echo("hello");
    let log = stage.log();
    assert!(log.contains("it gets no more until it does"), "{log}");
    assert!(log.contains("it is ended"), "{log}");
    assert!(log.contains("1 connections go to others"), "{log}");
}

pub(super) fn a_server_that_cannot_start_is_tried_later() {
    let stage = Stage::new("");
    stage.mark("die-at-start");
    let dispatcher = stage.start_without_waiting();
    let Reply::Refused(reason) = stage.ask(&Request::Ready) else {
        panic!("it cannot be ready");
    };
    assert!(reason.contains("exit code 3"), "{reason}");
    let mut waiting = stage.knock();
    stage.unmark("die-at-start");
    assert!(waiting.greeting().starts_with("220 "));
    dispatcher.end(&stage);
}

pub(super) fn a_server_that_closes_its_end_and_dies_is_no_reason_for_a_storm() {
    let stage = Stage::new("");
    stage.mark("close-at-start");
    let dispatcher = stage.start_without_waiting();
    let mut waiting = stage.knock();
    stage.until("longer and longer pauses", || {
        stage.log().contains("next start in 2 s")
    });
    stage.unmark("close-at-start");
    waiting.set_patience(support::PATIENCE * 4);
    assert!(waiting.greeting().starts_with("220 "));
    dispatcher.end(&stage);
}

pub(super) fn port_access_refuses_with_its_text() {
    let stage = Stage::new("");
    let _dispatcher = stage.start();
    let mut refused = stage.connect_from("127.0.0.2");
    assert_eq!(refused.everything(), "400 can't connect now\r\n");
    stage.connect().echo("welcome");
    stage.until("the record", || stage.mail_log().contains(" X "));
    assert!(stage.mail_log().contains("400 can't connect now"));
    stage.until("the T record", || stage.mail_log().contains(" T "));
    assert!(stage.mail_log().contains("unwanted"));
    assert_eq!(stage.statistics().rejected, 1);
}

pub(super) fn a_restart_drops_nobody_and_refuses_nobody() {
    let stage = Stage::new("");
    let first = stage.start();
    let mut sessions: Vec<Client> = (0..20).map(|_| stage.connect()).collect();
    let old: Vec<u32> = sessions.iter().map(|session| session.server).collect();
    stage.write("generation", "second");
    std::thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let knocking = scope.spawn(|| {
            let told = told;
            let mut greetings = Vec::new();
            while told.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout) {
                greetings.push(stage.connect().generation);
            }
            greetings
        });
        Signal::User1.send(first.pid()).unwrap();
        first.wait();
        let second = stage.start();
        stage.until("the new generation serves", || {
            stage.connect().generation == "second"
        });
        drop(tell);
        let greetings = knocking.join().unwrap();
        assert!(greetings.iter().all(|generation| !generation.is_empty()));
        for (session, server) in sessions.iter_mut().zip(&old) {
            session.echo("still the same");
            assert_eq!(session.server, *server);
        }
        drop(sessions);
        for server in old {
            stage.until("old servers end", || !support::is_alive(server));
        }
        second.end(&stage);
    });
}

pub(super) fn worn_out_servers_are_replaced() {
    let stage = Stage::new(
        r#"<option name="max_life_conns" type="integer">3</option>
        <option name="max_procs" type="integer">1</option>"#,
    );
    let _dispatcher = stage.start();
    let mut first: Vec<Client> = (0..3).map(|_| stage.connect()).collect();
    let mut later = stage.connect();
    assert_ne!(later.server, first[0].server);
    for client in &mut first {
        client.echo("finish in peace");
    }
    later.echo("hello");
}

pub(super) fn a_stop_ends_sessions_with_421() {
    let stage = Stage::new("");
    let dispatcher = stage.start();
    let mut client = stage.connect();
    Signal::Terminate.send(dispatcher.pid()).unwrap();
    stage.until("it stops", || stage.log().contains(": stopping"));
    assert!(stage.knock_is_unanswered());
    client.echo("a grace");
    Signal::Terminate.send(dispatcher.pid()).unwrap();
    assert!(client.everything().contains("421"));
    dispatcher.wait();
}

pub(super) fn too_few_descriptors_only_delay() {
    let stage = Stage::new(
        r#"<option name="max_handoffs" type="integer">500</option>
        <option name="max_conns" type="integer">500</option>"#,
    );
    stage.mark("slow");
    stage.mark("brief");
    let dispatcher = stage.start_with_limit(40);
    let mut clients: Vec<Client> = (0..80).map(|_| stage.knock()).collect();
    stage.until("the listener rests", || {
        stage.log().contains("the listener rests")
    });
    let busy = support::cpu_ticks(dispatcher.pid());
    let begun = Instant::now();
    stage.until("some time goes by", || {
        begun.elapsed() > Duration::from_millis(700)
    });
    assert!(support::cpu_ticks(dispatcher.pid()) - busy < 20, "it spins");
    stage.unmark("slow");
    for client in &mut clients {
        assert!(client.greeting().starts_with("220 "));
    }
}

pub(super) fn what_stands_in_the_way_is_told() {
    let stage = Stage::new("");
    let socket = mta_ipc::endpoint::socket_path(&stage.config_dir(), "dispatcher");
    std::fs::File::create(&socket)
        .and_then(|mut file| file.write_all(b"no socket"))
        .unwrap();
    stage.own(&socket);
    assert!(!stage.start_without_waiting().wait());
    assert!(
        stage.log().contains("it is not a socket"),
        "{}",
        stage.log()
    );
    std::fs::remove_file(&socket).unwrap();
    if mta_process::privilege::is_root() {
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        assert!(!stage.start_without_waiting().wait());
        assert!(
            stage.log().contains("belongs to user number 0"),
            "{}",
            stage.log()
        );
        std::fs::remove_file(&socket).unwrap();
    }
    // A leftover of its own is replaced.
    let dispatcher = stage.start();
    Signal::Kill.send(dispatcher.pid()).unwrap();
    dispatcher.wait();
    assert!(socket.exists());
    let _dispatcher = stage.start();
    stage.connect().echo("hello");
}
