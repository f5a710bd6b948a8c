//! Damaged files, full disks, sockets of others, images and configurations that cannot be used.

use crate::support::root::Root;
use crate::support::strace::wrap;
use crate::support::wait_for;
use crate::support::wire::{Wire, on_the_wire};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

const MESSAGE: &[u8] = b"From: eve@example.com\nSubject: bad luck\n\nbody\n";

fn queued_while_stopped(root: &Root, count: usize) -> Vec<PathBuf> {
    root.imsimta(&["qm", "stop", "ims-ms"]);
    let mut wire = Wire::hello(root.smtp);
    for _ in 0..count {
        let reply = wire.message("eve@example.com", &["bob@example.com"], MESSAGE);
        assert!(reply.starts_with("250"), "{reply}");
    }
    wait_for("queue files", || {
        Some(root.queued("ims-ms")).filter(|files| files.len() == count)
    })
}

fn log_of(root: &Root, name: &str) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(root.path().join("data/log"))
        .unwrap()
        .flatten()
    {
        if entry.file_name().to_string_lossy().starts_with(name) {
            text.push_str(&String::from_utf8_lossy(&fs::read(entry.path()).unwrap()));
        }
    }
    text
}

#[test]
fn a_cut_message_file_is_set_aside_and_reported_and_the_others_go_on() {
    let root = Root::staging().start();
    let files = queued_while_stopped(&root, 3);
    let whole = fs::read(&files[0]).unwrap();
    fs::write(&files[0], &whole[..whole.len() / 2]).unwrap();
    root.imsimta(&["qm", "start", "ims-ms"]);
    root.wait_for_delivered("bob@example.com", 2);
    let held = wait_for("the cut file to be set aside", || {
        root.queued("ims-ms")
            .into_iter()
            .find(|path| path.extension().is_some_and(|end| end == "HELD"))
    });
    assert_eq!(
        fs::read(&held).unwrap(),
        &whole[..whole.len() / 2],
        "what was there is kept"
    );
    assert_eq!(root.delivered("bob@example.com").len(), 2);
    let listing = root.imsimta(&["qm", "held", "ims-ms"]);
    assert!(listing.contains(".HELD"), "{listing}");
}

#[test]
fn foreign_files_in_the_queue_are_left_alone() {
    let root = Root::staging().start();
    let files = queued_while_stopped(&root, 1);
    let directory = files[0].parent().unwrap();
    let copy = files[0].with_extension("KEEP1");
    fs::copy(&files[0], &copy).unwrap();
    fs::write(directory.join("core"), b"not a message").unwrap();
    fs::create_dir(root.path().join("data/queue/lost+found")).unwrap();
    // Under a name of a message file, but written for another name: never delivered by itself.
    let stolen = directory.join("ZZaaaaaaaaaaa.00");
    fs::copy(&files[0], &stolen).unwrap();
    let owner = fs::metadata(&files[0]).unwrap();
    std::os::unix::fs::chown(&stolen, Some(owner.uid()), Some(owner.gid())).unwrap();
    root.imsimta(&["cache", "-sync"]);
    root.imsimta(&["qm", "start", "ims-ms"]);
    root.wait_for_delivered("bob@example.com", 1);
    wait_for("the copy to be set aside", || {
        directory.join("ZZaaaaaaaaaaa.HELD").exists().then_some(())
    });
    assert!(copy.exists() && directory.join("core").exists());
    assert_eq!(root.delivered("bob@example.com").len(), 1);
}

#[test]
fn a_message_that_kills_its_channel_program_each_time_is_held_and_the_others_go_on() {
    let root = Root::staging()
        .set(&["channel:ims-ms.backoff", "PT1S"])
        .build();
    // Whoever makes eve's mailbox dies of it.
    let deadly = root.maildir("eve@example.com");
    let path = deadly.to_str().unwrap();
    let calls = "mkdir,mkdirat";
    let trace = format!("trace={calls}");
    let inject = format!("inject={calls}:signal=SIGKILL");
    wrap(
        &root,
        "ims_master",
        &["-e", &trace, "-P", path, "-e", &inject],
    );
    root.start();
    let mut wire = Wire::hello(root.smtp);
    let reply = wire.message("bob@example.com", &["eve@example.com"], MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
    for _ in 0..3 {
        let reply = wire.message("eve@example.com", &["bob@example.com"], MESSAGE);
        assert!(reply.starts_with("250"), "{reply}");
    }
    root.wait_for_delivered("bob@example.com", 3);
    let held = wait_for("the deadly message to be held", || {
        let mut files = root.queued("ims-ms").into_iter();
        files.find(|path| path.extension().is_some_and(|end| end == "HELD"))
    });
    assert!(!deadly.exists());
    let text = String::from_utf8_lossy(&fs::read(&held).unwrap()).into_owned();
    assert!(text.contains("channel program died"), "{text}");
    let name = held.file_name().unwrap().to_string_lossy().into_owned();
    assert!(
        name.starts_with("ZS"),
        "the third to ninth death are attempts: {name}"
    );
    let log = wait_for("the log to tell", || {
        // The file has its name before the log has its line.
        let log = log_of(&root, "job_controller.log-");
        log.contains("died 10 times in a row").then_some(log)
    });
    assert!(log.contains("(3 in a row)"), "{log}");
    assert_eq!(root.queued("ims-ms"), [held], "nothing else is left");
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing_behind() {
    let root = Root::staging().build();
    let queue = root.path().join("data/queue");
    let owner = fs::metadata(&queue).unwrap();
    let options = format!("size=1m,mode=0700,uid={},gid={}", owner.uid(), owner.gid());
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
        .arg(&queue)
        .status()
        .unwrap();
    assert!(
        mounted.success(),
        "this test mounts a small file system and needs root"
    );
    let _unmount = Unmount(queue.clone());
    root.start();
    root.imsimta(&["qm", "stop", "ims-ms"]);
    let mut wire = Wire::hello(root.smtp);
    let big = format!(
        "Subject: big\n\n{}",
        "0123456789 and so on\n".repeat(150_000)
    );
    for _ in 0..3 {
        wire.say("MAIL FROM:<eve@example.com>", "250");
        wire.say("RCPT TO:<bob@example.com>", "250");
        wire.say("DATA", "354");
        wire.send(&on_the_wire(big.as_bytes()));
        let reply = wire.reply();
        assert!(reply.starts_with("452 4.3.1"), "{reply}");
    }
    wait_for("nothing to be left behind", || {
        root.all_queued().is_empty().then_some(())
    });
    let reply = wire.message("eve@example.com", &["bob@example.com"], MESSAGE);
    assert!(
        reply.starts_with("250"),
        "a small message still fits: {reply}"
    );
    drop(wire);
    root.imsimta(&["qm", "start", "ims-ms"]);
    root.wait_for_delivered("bob@example.com", 1);
    root.stop();
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        // Lazily: a process that is still ending may have it open.
        drop(
            std::process::Command::new("umount")
                .arg("-l")
                .arg(&self.0)
                .status(),
        );
    }
}

#[test]
fn a_socket_that_is_left_over_is_replaced_and_one_of_another_user_is_named_in_the_log() {
    let root = Root::staging().start();
    let socket = wait_for("the Dispatcher's socket", || {
        fs::read_dir(root.path().join("config"))
            .unwrap()
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().ends_with(".dispatcher.socket"))
    });
    for pid in root
        .pids("watcher")
        .into_iter()
        .chain(root.pids("dispatcher"))
    {
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGKILL,
        )
        .unwrap();
    }
    for (pid, _) in root.processes() {
        crate::support::end(pid);
    }
    wait_for("everything to end", || {
        root.processes().is_empty().then_some(())
    });
    assert!(socket.exists(), "a killed Dispatcher leaves its socket");
    root.start();
    root.stop();
    assert!(
        nix::unistd::geteuid().is_root(),
        "the rest of this test gives a file to another user"
    );
    // What is there after an orderly stop, if anything, makes way for a stranger's file.
    drop(fs::remove_file(&socket));
    fs::write(&socket, b"").unwrap();
    let stranger = if fs::metadata(root.path().join("data/queue")).unwrap().uid() == 0 {
        65_534
    } else {
        0
    };
    std::os::unix::fs::chown(&socket, Some(stranger), Some(stranger)).unwrap();
    let output = root.try_run("start-msg", &["dispatcher"]);
    assert!(!output.status.success());
    let log = log_of(&root, "dispatcher.log-");
    assert!(
        log.contains(&*socket.file_name().unwrap().to_string_lossy()),
        "{log}"
    );
    fs::remove_file(&socket).unwrap();
    root.run("start-msg", &["dispatcher"]);
}

#[test]
fn a_missing_socket_is_told_of_and_a_restart_brings_it_back() {
    let root = Root::staging().start();
    let sockets: Vec<PathBuf> = ["dispatcher", "job_controller"]
        .iter()
        .map(|daemon| {
            let end = format!(".{daemon}.socket");
            let mut files = fs::read_dir(root.path().join("config")).unwrap().flatten();
            let found = files.find(|file| file.file_name().to_string_lossy().ends_with(&end));
            found.expect("a control socket").path()
        })
        .collect();
    for socket in &sockets {
        fs::remove_file(socket).unwrap();
    }
    let missing = sockets[0].file_name().unwrap().to_string_lossy();
    for (words, told) in [
        (&["dispatcher", "-statistics"][..], &*missing),
        (&["cache", "-view"], "unable to contact the job controller"),
    ] {
        let output = root.try_run("imsimta", words);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{words:?}");
        assert!(text.contains(told), "{words:?}: {text}");
    }
    // Nobody can be asked, and yet mail comes in.
    let mut wire = Wire::hello(root.smtp);
    let reply = wire.message("eve@example.com", &["bob@example.com"], MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
    root.imsimta(&["restart", "dispatcher"]);
    root.imsimta(&["restart", "job_controller"]);
    root.imsimta(&["dispatcher", "-statistics"]);
    root.imsimta(&["cache", "-view"]);
    root.wait_for_delivered("bob@example.com", 1);
}

#[test]
fn an_image_that_cannot_be_used_stops_everything_with_its_reason() {
    let root = Root::staging().build();
    let image = root.path().join("config/compiled/config_data");
    let good = fs::read(&image).unwrap();
    let mut other_version = good.clone();
    other_version[11] = other_version[11].wrapping_add(1);
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let cases: [(&[u8], &str); 3] = [
        (&other_version, "Compiled Configuration Version Mismatch"),
        (&flipped, "is damaged"),
        (&good[..good.len() / 2], "config_data"),
    ];
    for (octets, reason) in cases {
        let owner = fs::metadata(&image).unwrap();
        fs::write(&image, octets).unwrap();
        std::os::unix::fs::chown(&image, Some(owner.uid()), Some(owner.gid())).unwrap();
        let output = root.try_run("imsimta", &["test", "-rewrite", "bob@example.com"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(reason), "{reason}: {text}");
        let output = root.try_run("start-msg", &[]);
        assert!(
            !output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        root.try_run("stop-msg", &[]);
    }
    root.imsimta(&["cnbuild"]);
    root.start();
}

#[test]
fn an_error_in_the_text_names_its_line_and_leaves_the_image_alone() {
    let root = Root::staging().build();
    let image = root.path().join("config/compiled/config_data");
    let before = fs::read(&image).unwrap();
    let config = root.path().join("config/config.xml");
    let good = fs::read_to_string(&config).unwrap();
    let line = good
        .lines()
        .position(|line| line.contains("maxjobs"))
        .expect("a maxjobs option")
        + 1;
    let bad = good.replacen("maxjobs", "maxjbos<", 1);
    fs::write(&config, bad).unwrap();
    let output = root.try_run("imsimta", &["cnbuild"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("Error in mm_init: "), "{text}");
    assert!(text.contains("config.xml, error line #"), "{text}");
    assert!(text.contains(&format!("#{line}")), "line {line}: {text}");
    assert_eq!(fs::read(&image).unwrap(), before);
    fs::write(&config, good).unwrap();
    root.imsimta(&["cnbuild"]);
}

#[test]
fn an_unreadable_directory_turns_no_mail_away_and_opens_no_relay() {
    let root = Root::staging()
        .flag(&["--internal-network", "10.255.255.0/24"])
        .set(&["channel:reprocess.backoff", "PT1S"])
        .build();
    let directory = root.path().join("config/directory.ldif");
    let good = fs::read(&directory).unwrap();
    fs::write(&directory, "this is no LDIF\n").unwrap();
    root.start();
    let mut wire = Wire::hello(root.smtp);
    for recipient in [
        "bob@example.com",
        "nobody@example.com",
        "other@[127.0.0.2]",
        "relayed@example.net",
        "relayed%example.net@example.com",
    ] {
        // Nobody can tell now which of them are ours.
        wire.say("MAIL FROM:<>", "250");
        wire.say(&format!("RCPT TO:<{recipient}>"), "250");
        wire.say("DATA", "354");
        wire.send(&on_the_wire(MESSAGE));
        wire.expect("250");
    }
    fs::write(&directory, good).unwrap();
    root.wait_for_delivered("bob@example.com", 1);
    wait_for("an empty queue", || {
        root.all_queued().is_empty().then_some(())
    });
    for line in root.mail_log() {
        let destination = line.split_whitespace().nth(3);
        assert_ne!(destination, Some("tcp_local"), "relayed: {line}");
    }
}

#[test]
fn a_root_of_any_depth_works() {
    let root = Root::staging().deep().start();
    let mut wire = Wire::hello(root.smtp);
    wire.message("eve@example.com", &["bob@example.com"], MESSAGE);
    root.wait_for_delivered("bob@example.com", 1);
    let processes = root.imsimta(&["process"]);
    assert!(
        processes.contains("/lib/dispatcher") && processes.contains("/lib/job_controller"),
        "{processes}"
    );
}
