//! Restarts under load: no session is dropped, no connection is refused.

use crate::support::root::Root;
use crate::support::wait_for;
use crate::support::wire::Wire;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const MESSAGE: &[u8] = b"Subject: over a restart\n\nbody\n";

#[test]
fn a_restart_of_the_dispatcher_drops_no_session_and_refuses_no_connection() {
    let root = Root::staging().start();
    let mut sessions: Vec<Wire> = (0..20).map(|_| Wire::hello(root.smtp)).collect();
    for wire in &mut sessions {
        wire.say("MAIL FROM:<eve@example.com>", "250");
    }
    let old = root.pids("tcp_smtp_server");
    let (stop, banners) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let knocking = {
        let (stop, banners, address) = (Arc::clone(&stop), Arc::clone(&banners), root.smtp);
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let mut wire = Wire::open(address);
                wire.expect("220");
                banners.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
        })
    };
    root.run("msconfig", &["set", "log_message_id", "1"]);
    root.imsimta(&["cnbuild"]);
    root.imsimta(&["restart", "dispatcher"]);
    let enough = banners.load(Ordering::Relaxed) + 50;
    wait_for("fifty more banners", || {
        (banners.load(Ordering::Relaxed) >= enough || knocking.is_finished()).then_some(())
    });
    stop.store(true, Ordering::Relaxed);
    knocking.join().expect("every connection got a banner");
    for wire in &mut sessions {
        wire.say("RCPT TO:<bob@example.com>", "250");
        wire.say("DATA", "354");
        wire.send(&crate::support::wire::on_the_wire(MESSAGE));
        wire.expect("250");
    }
    drop(sessions);
    root.wait_for_delivered("bob@example.com", 20);
    wait_for("the old servers' end", || {
        root.pids("tcp_smtp_server")
            .iter()
            .all(|pid| !old.contains(pid))
            .then_some(())
    });
    let mut wire = Wire::hello(root.smtp);
    wire.message(
        "eve@example.com",
        &["bob@example.com"],
        b"Message-id: <new-image@example.com>\n\nbody\n",
    );
    root.wait_for_record(&[" EE 1 ", "<new-image@example.com>"]);
}

/// Adds a rule in front of a mapping table of the configuration's text, and compiles it.
fn add_mapping(root: &Root, table: &str, pattern: &str, template: &str) {
    let path = root.path().join("config/config.xml");
    let text = std::fs::read_to_string(&path).unwrap();
    let head = format!("<group name=\"mapping\" id=\"{table}\">");
    let rule = format!(
        "{head}<option name=\"rule\" type=\"rule\"><pattern>{pattern}</pattern>\
         <template>{template}</template></option>"
    );
    assert_eq!(text.matches(&head).count(), 1, "{text}");
    std::fs::write(&path, text.replacen(&head, &rule, 1)).unwrap();
    root.imsimta(&["cnbuild"]);
}

#[test]
fn a_reload_takes_up_mapping_tables_and_disturbs_nobody() {
    let root = Root::staging().start();
    let mut before = Wire::hello(root.smtp);
    let image = |root: &Root, pid: i32| {
        let told: serde_json::Value =
            serde_json::from_str(&root.imsimta(&["process", "-image", "-json"])).unwrap();
        let processes = told["processes"].as_array().unwrap();
        let found = processes.iter().find(|process| process["pid"] == pid);
        found.unwrap()["image"].clone()
    };
    root.imsimta(&["submit", "-poll", "ims-ms"]);
    let job = wait_for("a channel program", || {
        root.pids("ims_master").first().copied()
    });
    let servers = root.pids("tcp_smtp_server");
    let was = image(&root, servers[0]);
    add_mapping(
        &root,
        "ORIG_SEND_ACCESS",
        "*|eve@example.com|*|*",
        "$NNot$ today",
    );
    let output = root.try_run("imsimta", &["reload"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!((output.stdout, output.stderr), (Vec::new(), Vec::new()));
    let mut after = Wire::hello(root.smtp);
    after.say("MAIL FROM:<eve@example.com>", "250");
    assert!(
        after
            .say("RCPT TO:<bob@example.com>", "5")
            .contains("Not today")
    );
    before.say("MAIL FROM:<eve@example.com>", "250");
    before.say("RCPT TO:<bob@example.com>", "250");
    assert_eq!(root.pids("tcp_smtp_server"), servers, "no new process");
    wait_for(
        "the channel program that has read the old image to end",
        || (!root.pids("ims_master").contains(&job)).then_some(()),
    );
    wait_for("the server to tell its image", || {
        let is = image(&root, servers[0]);
        (is["fixed"] == was["fixed"] && is["reloadable"] != was["reloadable"]).then_some(())
    });
}

#[test]
fn a_reload_says_what_it_cannot_take_up() {
    let root = Root::staging().start();
    root.run("msconfig", &["set", "log_message_id", "1"]);
    root.imsimta(&["cnbuild"]);
    let output = root.try_run("imsimta", &["reload"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "%IMTA-W-RESTART, channels, rewrite rules or options have changed as well; imsimta \
         restart makes them take effect\n"
    );
    std::fs::write(root.path().join("config/compiled/config_data"), "no image").unwrap();
    let output = root.try_run("imsimta", &["reload"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!output.stderr.is_empty());
    Wire::hello(root.smtp).quit();
    root.imsimta(&["cnbuild"]);
    root.imsimta(&["stop", "job_controller"]);
    let output = root.try_run("imsimta", &["reload"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with("%IMTA-E-NOJBC, "), "{said}");
}

#[test]
fn a_daemon_is_not_stopped_for_one_that_could_not_start() {
    let root = Root::staging().start();
    let session = Wire::hello(root.smtp);
    let image = root.path().join("config/compiled/config_data");
    std::fs::write(&image, "no image").unwrap();
    for program in ["dispatcher", "job_controller"] {
        let old = root.pids(program);
        let output = root.try_run("imsimta", &["restart", program]);
        assert!(!output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains(&format!("{program} is not restarted")),
            "{said}"
        );
        assert_eq!(root.pids(program), old);
    }
    Wire::hello(root.smtp).quit();
    session.quit();
    root.imsimta(&["cnbuild"]);
    root.imsimta(&["restart", "dispatcher"]);
}

#[test]
fn a_dead_daemon_is_replaced() {
    let root = Root::staging().start();
    for program in ["dispatcher", "job_controller", "tcp_smtp_server"] {
        let mut wire = Wire::hello(root.smtp);
        for pid in root.pids(program) {
            nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGKILL,
            )
            .unwrap();
        }
        drop(wire.try_send(b"QUIT\r\n"));
        wait_for(
            &format!("a message to pass after the death of {program}"),
            || {
                let mut wire = Wire::open(root.smtp);
                wire.stream()
                    .set_read_timeout(Some(Duration::from_secs(5)))
                    .ok()?;
                wire.reply().starts_with("220").then_some(())?;
                drop(wire.try_send(b"EHLO a\r\n"));
                wire.reply().starts_with("250").then_some(())?;
                Some(())
            },
        );
        let before = root.delivered("bob@example.com").len();
        let mut wire = Wire::hello(root.smtp);
        let reply = wire.message("eve@example.com", &["bob@example.com"], MESSAGE);
        assert!(reply.starts_with("250"), "{reply}");
        root.wait_for_delivered("bob@example.com", before + 1);
    }
}

#[test]
fn smtp_is_back_after_its_service_and_then_the_dispatcher_were_stopped() {
    let root = Root::staging().start();
    root.imsimta(&["stop", "smtp"]);
    root.imsimta(&["stop", "dispatcher"]);
    assert!(TcpStream::connect(root.smtp).is_err());
    root.imsimta(&["start", "dispatcher"]);
    let mut wire = Wire::hello(root.smtp);
    let reply = wire.message("eve@example.com", &["bob@example.com"], MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
    root.wait_for_delivered("bob@example.com", 1);
}

#[test]
fn stopping_and_starting_says_what_happens() {
    let root = Root::staging().build();
    let started = root.run("start-msg", &[]);
    for line in [
        "Connecting to watcher ...",
        "Launching watcher ... ",
        "Starting sched server ",
        "Starting dispatcher server ",
        "Starting job_controller server ",
    ] {
        assert!(started.contains(line), "{line} in {started}");
    }
    assert!(
        root.run("start-msg", &["dispatcher"])
            .contains("dispatcher server is already running")
    );
    let stopped = root.run("stop-msg", &["dispatcher"]);
    assert!(
        stopped.contains("Stopping dispatcher server ") && stopped.contains("done"),
        "{stopped}"
    );
    assert!(root.pids("dispatcher").is_empty());
    assert!(!root.pids("job_controller").is_empty());
    root.run("start-msg", &["mta"]);
    assert_eq!(root.pids("dispatcher").len(), 1);
    root.run("stop-msg", &[]);
    wait_for("nothing to run", || {
        root.processes().is_empty().then_some(())
    });
    assert!(TcpStream::connect(root.smtp).is_err());
    let again = root.run("stop-msg", &[]);
    assert!(!again.is_empty());
}
