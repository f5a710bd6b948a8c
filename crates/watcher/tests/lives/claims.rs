//! What must hold of the watcher, one function each.

use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};

use mta_ipc::Client;
use mta_ipc::watcher::{Reply, Request};
use mta_process::privilege;
use mta_process::signal::Signal;

use crate::stage::{self, PATIENCE, Running, Stage};

pub(super) fn start_and_stop_say_what_they_do() {
    let stage = Stage::new();
    let told = stage.start(&[]);
    assert_eq!(
        Stage::masked(&told.out),
        "Connecting to watcher ...\n\
         Launching watcher ... PID\n\
         Starting sched server ... PID\n\
         Starting dispatcher server ... PID\n\
         Starting job_controller server ... PID\n",
        "{told:?}"
    );
    assert!(told.success);
    let again = stage.start(&["dispatcher"]);
    assert_eq!(
        again.out,
        "Connecting to watcher ...\ndispatcher server is already running\n"
    );
    assert!(again.success);
    assert!(TcpStream::connect(stage.address()).is_ok());
    let stopped = stage.stop(&["dispatcher"]);
    assert_eq!(
        Stage::masked(&stopped.out),
        "Connecting to watcher ...\nStopping dispatcher server PID ... done\n"
    );
    assert!(TcpStream::connect(stage.address()).is_err());
    assert!(stage.start(&["mta"]).success);
    assert!(TcpStream::connect(stage.address()).is_ok());
    if privilege::is_root() {
        for (path, owner) in stage::owners_of_everything_below(&stage.path("config"))
            .into_iter()
            .chain(stage::owners_of_everything_below(&stage.path("data")))
        {
            assert_ne!(owner, 0, "{}", path.display());
        }
    }
    let ended = stage.stop(&[]);
    assert_eq!(
        Stage::masked(&ended.out),
        "Connecting to watcher ...\n\
         Stopping job_controller server PID ... done\n\
         Stopping dispatcher server PID ... done\n\
         Stopping sched server PID ... done\n\
         Stopping watcher ... done\n"
    );
    assert_eq!(stage.holder("watcher"), None);
    let idle = stage.stop(&["dispatcher"]);
    assert!(idle.success && idle.out.contains("dispatcher server is not running"));
    assert!(!stage.start(&["imap"]).success);
}

pub(super) fn a_daemon_that_dies_is_replaced() {
    let stage = Stage::new();
    assert!(stage.start(&[]).success);
    for name in ["sched", "dispatcher", "job_controller"] {
        let first = stage.holder(name).unwrap();
        Signal::Kill.send(first).unwrap();
        stage.until("a successor", || {
            stage.holder(name).is_some_and(|pid| pid != first)
        });
    }
    assert!(TcpStream::connect(stage.address()).is_ok());
    assert!(stage.stop(&[]).success);
}

pub(super) fn a_restart_refuses_nobody() {
    let stage = Stage::new();
    assert!(stage.start(&[]).success);
    let first = stage.holder("dispatcher").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let knocking = scope.spawn(|| {
            let mut refused = 0;
            while !done.load(Ordering::SeqCst) {
                refused += u32::from(TcpStream::connect(stage.address()).is_err());
            }
            refused
        });
        let client: Client<Request, Reply> =
            Client::connect(&stage.path("config"), "watcher", "test", PATIENCE).unwrap();
        let component = "dispatcher".to_owned();
        let mut text = String::new();
        let success = client.converse(
            &Request::Restart { component },
            |reply| match reply {
                Reply::Text(part) => {
                    text.push_str(&part);
                    None
                }
                Reply::Done { success } => Some(success),
                other => panic!("{other:?}"),
            },
            PATIENCE,
        );
        done.store(true, Ordering::SeqCst);
        assert!(success.unwrap());
        assert_eq!(
            Stage::masked(&text),
            "Stopping dispatcher server PID ... done\nStarting dispatcher server ... PID\n"
        );
        assert_eq!(knocking.join().unwrap(), 0);
    });
    assert_ne!(stage.holder("dispatcher").unwrap(), first);
    assert!(stage.stop(&[]).success);
}

pub(super) fn a_daemon_that_cannot_start_is_told() {
    let stage = Stage::new();
    stage.mark("job_controller-cannot-start");
    let told = stage.start(&[]);
    assert!(!told.success);
    assert!(
        told.out
            .contains("Starting job_controller server ... failed\n"),
        "{told:?}"
    );
    assert!(told.err.contains("ended with exit code 3"), "{told:?}");
    assert!(
        told.err.contains("data/log/job_controller.log-*"),
        "{told:?}"
    );
    stage.unmark("job_controller-cannot-start");
    assert!(stage.start(&[]).success);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let path = stage.path("config/config.xml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace(&stage.port.to_string(), &port.to_string());
    std::fs::write(&path, text).unwrap();
    assert!(stage.stop(&["dispatcher"]).success);
    let told = stage.start(&["dispatcher"]);
    assert!(
        told.err.contains(&format!("port {port} for service SMTP")),
        "{told:?}"
    );
    drop(taken);
    assert!(stage.start(&["dispatcher"]).success);
    assert!(stage.stop(&["-f"]).success);
}

pub(super) fn a_new_watcher_takes_over() {
    let stage = Stage::new();
    assert!(stage.start(&[]).success);
    let watcher = stage.holder("watcher").unwrap();
    let dispatcher = stage.holder("dispatcher").unwrap();
    Signal::Kill.send(watcher).unwrap();
    stage.until("its death", || stage.holder("watcher").is_none());
    assert!(TcpStream::connect(stage.address()).is_ok(), "mail goes on");
    assert!(stage.start(&[]).success);
    assert_ne!(stage.holder("watcher").unwrap(), watcher);
    assert_ne!(stage.holder("dispatcher").unwrap(), dispatcher);
    assert!(stage.stop(&[]).success);
}

pub(super) fn orphans_are_stopped_without_a_watcher() {
    let stage = Stage::new();
    assert!(stage.start(&[]).success);
    Signal::Kill.send(stage.holder("watcher").unwrap()).unwrap();
    stage.until("its death", || stage.holder("watcher").is_none());
    let told = stage.stop(&[]);
    assert!(told.success);
    assert!(told.out.contains("Stopping dispatcher server"), "{told:?}");
    for name in ["sched", "dispatcher", "job_controller"] {
        assert_eq!(stage.holder(name), None);
    }
}

pub(super) fn a_service_manager_is_told() {
    let stage = Stage::new();
    let manager = UnixDatagram::bind(stage.path("notify")).unwrap();
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(stage.path("notify"), everybody).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = stage.command();
    command
        .args(["run", "--start"])
        .env("NOTIFY_SOCKET", stage.path("notify"));
    let mut running = Running(command.spawn().unwrap());
    let mut word = [0; 32];
    let length = manager.recv(&mut word).unwrap();
    assert_eq!(&word[..length], b"READY=1");
    assert!(TcpStream::connect(stage.address()).is_ok());
    Signal::Terminate.send(running.0.id()).unwrap();
    assert!(running.0.wait().unwrap().success());
    assert_eq!(stage.holder("dispatcher"), None);
}

pub(super) fn ha_gives_up() {
    let stage = Stage::new();
    let mut command = stage.command();
    command.args(["run", "--start", "--ha"]);
    let mut running = Running(command.spawn().unwrap());
    let mut last = None;
    for _ in 0..3 {
        stage.until("a scheduler", || {
            stage.holder("sched").is_some_and(|pid| Some(pid) != last)
        });
        last = stage.holder("sched");
        Signal::Kill.send(last.unwrap()).unwrap();
    }
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    assert!(stage.log().contains("gave up on sched"), "{}", stage.log());
    assert_eq!(stage.holder("job_controller"), None);
}
