//! What an operator's commands must never do: destroy unasked, name another message than the one
//! that was meant, say that all is well when nobody could look.

use crate::support::root::Root;
use crate::support::wait_for;
use crate::support::wire::Wire;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const MESSAGE: &[u8] =
    b"From: eve@example.com\nTo: bob@example.com\nSubject: folded\n\tover a tab\n\nbody\n";

/// A server whose store is stopped and has `count` messages queued, and their names as a single
/// command takes them, in the order of a listing.
fn with_queued(count: usize) -> (Root, Vec<String>) {
    let root = Root::staging().start();
    root.imsimta(&["qm", "stop", "ims-ms"]);
    let mut wire = Wire::hello(root.smtp);
    for _ in 0..count {
        let reply = wire.message("eve@example.com", &["bob@example.com"], MESSAGE);
        assert!(reply.starts_with("250"), "{reply}");
    }
    wire.quit();
    wait_for("the queue files", || {
        (root.queued("ims-ms").len() == count).then_some(())
    });
    let listing = root.imsimta(&["qm", "directory", "ims-ms", "-json"]);
    let listing: serde_json::Value = serde_json::from_str(&listing).unwrap();
    let messages = listing["messages"].as_array().unwrap();
    let names = messages
        .iter()
        .map(|row| format!("ims-ms/{}", row["place"].as_str().unwrap()));
    (root, names.collect())
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command as another user.
fn run_as(root: &Root, (uid, gid): (u32, u32), program: &Path, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .env("SERVERROOT", root.path())
        .uid(uid)
        .gid(gid)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

const NOBODY: (u32, u32) = (65_534, 65_534);

/// The server user with a group that is not the daemons'.
fn other_group() -> (u32, u32) {
    let user = nix::unistd::User::from_name("mailsrv").unwrap().unwrap();
    (user.uid.as_raw(), NOBODY.1)
}

#[test]
fn nothing_is_destroyed_unasked() {
    let (root, names) = with_queued(2);
    for verb in ["delete", "return", "hold"] {
        let output = root.try_run("imsimta", &["qm", verb, "-all", "-channel=ims-ms"]);
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(
            complaint(&output).contains("%QM-E-NOTCONFIRMED, "),
            "{}",
            complaint(&output)
        );
        assert_eq!(root.queued("ims-ms").len(), 2, "{verb}");
    }
    let input = "dir ims-ms\ndelete -all\nn\ny\nexit\n";
    let output = root.run_with_input("imsimta", &["qm"], input);
    let text = told(&output);
    assert!(
        text.contains(&format!("Delete message 1, {}? [N] ", names[0])),
        "{text}"
    );
    assert_eq!(text.matches("%QM-I-DELETED, ").count(), 1, "{text}");
    let left = root.imsimta(&["qm", "directory", "ims-ms", "-json"]);
    assert!(
        left.contains(names[0].strip_prefix("ims-ms/").unwrap()),
        "{left}"
    );
    root.imsimta(&["qm", "delete", "-all", "-channel=ims-ms", "-noconfirm"]);
    assert!(root.queued("ims-ms").is_empty());
}

#[test]
fn a_single_command_names_messages_by_their_files() {
    let (root, names) = with_queued(3);
    for verb in ["hold", "delete", "return", "read", "history", "release"] {
        let output = root.try_run("imsimta", &["qm", verb, "1"]);
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(
            complaint(&output).starts_with("%QM-E-NOLIST, "),
            "{}",
            complaint(&output)
        );
    }
    assert_eq!(root.queued("ims-ms").len(), 3);
    let file = names[1].rsplit_once('/').unwrap().1;
    let held = root.imsimta(&["qm", "hold", file]);
    assert!(held.starts_with("%QM-I-HELD, "), "{held}");
    let held = names[1].replace(".00", ".HELD");
    root.imsimta(&["qm", "release", &held]);
    let read = root.imsimta(&["qm", "read", &names[0]]);
    assert!(read.contains("Subject: folded\n\tover a tab\n"), "{read}");
    root.imsimta(&["qm", "delete", &names[0], &names[1]]);
    let gone = root.try_run("imsimta", &["qm", "read", &names[0]]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(
        complaint(&gone).starts_with("%QM-E-NOSUCHMSG, "),
        "{}",
        complaint(&gone)
    );
    let left = &names[2];
    let input = format!("dir ims-ms\nread 1\ndelete {left}\nread 1\n");
    let mut input = input.into_bytes();
    input.splice(..0, *b"\xff\n");
    let output = root.run_with_input("imsimta", &["qm"], &input);
    let complaints = complaint(&output);
    assert!(complaints.starts_with("%QM-E-IVCHAR, "), "{complaints}");
    assert!(told(&output).contains("%QM-I-DELETED, "), "{complaints}");
    assert!(complaints.contains("%QM-E-FILEGONE, "), "{complaints}");
}

#[test]
fn a_file_of_commands_is_carried_out_up_to_its_first_error() {
    let (root, names) = with_queued(2);
    let file = root.path().join("data/tmp/commands");
    let typed = file.to_str().unwrap();
    fs::write(&file, "! a comment\n\ndir ims-ms\nhold 1\nhold 7\nhold 2\n").unwrap();
    chown(&file, Some(other_group().0), None).unwrap();
    let output = root.try_run("imsimta", &["qm", "run", typed]);
    assert_eq!(output.status.code(), Some(1), "{}", complaint(&output));
    assert!(
        told(&output).starts_with("dir ims-ms\n"),
        "{}",
        told(&output)
    );
    assert!(
        complaint(&output).starts_with("%QM-E-NOSUCHMSG, "),
        "{}",
        complaint(&output)
    );
    let held = || root.imsimta(&["qm", "held", "-json"]);
    let stem = |name: &str| name.rsplit_once('.').unwrap().0.replace("ims-ms/", "");
    assert!(held().contains(&stem(&names[0])) && !held().contains(&stem(&names[1])));
    fs::write(&file, "dir ims-ms\nhold 7\nhold 1\n").unwrap();
    let text = root.imsimta(&["qm", "run", "-ignore", "-nolog", typed]);
    assert!(!text.contains("hold"), "{text}");
    assert!(held().contains(&stem(&names[1])));
    let top = root.imsimta(&["qm", "top", "-held", "-domain_to", "-threads=2", "ims-ms"]);
    assert_eq!(
        top,
        "Top domain_to fields\n  Count  Value\n      2  ims-ms-daemon\n"
    );
}

#[test]
fn what_cannot_be_read_is_not_called_empty() {
    let (root, names) = with_queued(1);
    let directory = root.queued("ims-ms")[0].parent().unwrap().to_owned();
    chown(&directory, Some(0), Some(0)).unwrap();
    for command in [["qm", "directory"], ["qm", "held"], ["qm", "summarize"]] {
        let output = root.try_run("imsimta", &command);
        let complaints = complaint(&output);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {complaints}");
        let expected = format!("%QM-W-UNREADABLE, cannot read {}: ", directory.display());
        assert!(
            complaints.starts_with(&expected),
            "{command:?}: {complaints}"
        );
        assert!(
            !told(&output).contains("No messages queued"),
            "{}",
            told(&output)
        );
    }
    let (uid, _) = other_group();
    chown(&directory, Some(uid), None).unwrap();
    let file = root.queued("ims-ms").remove(0);
    chown(&file, Some(0), Some(0)).unwrap();
    let output = root.try_run("imsimta", &["qm", "read", &names[0]]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        complaint(&output).starts_with("%QM-E-UNREADABLE, "),
        "{}",
        complaint(&output)
    );
    chown(&file, Some(uid), None).unwrap();
}

#[test]
fn strangers_are_told_who_may() {
    let root = Root::staging().build();
    let imsimta = root.path().join("bin/imsimta");
    for command in [&["qm", "summarize"][..], &["process"], &["cnbuild"]] {
        let output = run_as(&root, NOBODY, &imsimta, command);
        let complaints = complaint(&output);
        assert_eq!(output.status.code(), Some(1), "{complaints}");
        let expected = "%IMTA-E-NOPRIV, must be run as root or mailsrv\n";
        assert_eq!(complaints, expected, "{command:?}");
    }
    let version = run_as(&root, NOBODY, &imsimta, &["version"]);
    let text = told(&version);
    assert!(version.status.success(), "{}", complaint(&version));
    assert_eq!(text.lines().count(), 4, "{text}");
    assert_eq!(text.matches("(built ").count(), 2, "{text}");
    let restricted = root.path().join("config/restricted.cnf");
    fs::rename(&restricted, root.path().join("config/away")).unwrap();
    let output = root.try_run("imsimta", &["process"]);
    assert!(
        complaint(&output).starts_with("%IMTA-E-NOROOT, "),
        "{}",
        complaint(&output)
    );
}

#[test]
fn another_group_sees_the_processes_and_purges_nothing_in_use() {
    let root = Root::staging().start();
    let mut wire = Wire::hello(root.smtp);
    let imsimta = root.path().join("bin/imsimta");
    let listed = told(&run_as(&root, other_group(), &imsimta, &["process"]));
    for program in [
        "watcher",
        "imsched",
        "dispatcher",
        "job_controller",
        "tcp_smtp_server",
    ] {
        assert!(
            listed.contains(&format!("/lib/{program}\n")),
            "{program} in {listed}"
        );
    }
    let log = root.path().join("data/log");
    // A log of long ago: of the same name, so that it may go.
    let old = log.join("dispatcher.log-0KRH00A3QAO42T10");
    fs::write(&old, "").unwrap();
    let (uid, _) = other_group();
    chown(&old, Some(uid), None).unwrap();
    let logs = || {
        let names = fs::read_dir(&log).unwrap().flatten();
        let mut names: Vec<_> = names.map(|entry| entry.path()).collect();
        names.sort();
        names
    };
    let before = logs();
    let purged = run_as(&root, other_group(), &imsimta, &["purge", "-num=0"]);
    assert!(purged.status.success(), "{}", complaint(&purged));
    let mut expected = before;
    expected.retain(|path| *path != old);
    assert_eq!(logs(), expected);
    wire.say("NOOP", "250");
    // With the daemons' own group it is seen that nobody has a log of this life open.
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let used = logs()
        .into_iter()
        .find(|path| name(path).starts_with("dispatcher.log-"));
    let used = used.unwrap();
    let idle = log.join(name(&used).replace("dispatcher", "idle"));
    fs::copy(&used, &idle).unwrap();
    root.imsimta(&["purge", "-num=0"]);
    assert!(used.exists() && !idle.exists());
}

#[test]
fn a_job_controller_that_does_not_listen_is_named() {
    let root = Root::staging().start();
    let pid = nix::unistd::Pid::from_raw(root.pids("job_controller")[0]);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    let output = root.try_run("imsimta", &["qm", "stop", "ims-ms", "-log"]);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
    let complaints = complaint(&output);
    assert!(complaints.starts_with("%QM-W-NOTTOLD, "), "{complaints}");
    assert!(!told(&output).contains("QM-I-STOPPED"), "{}", told(&output));
    let summary = root.imsimta(&["qm", "summarize"]);
    assert!(
        summary.ends_with("\nStopped channels: ims-ms\n"),
        "{summary}"
    );
    let told = root.imsimta(&["qm", "stop", "ims-ms", "-log"]);
    assert_eq!(told, "%QM-I-STOPPED, channel ims-ms stopped\n");
    let submitted = root.try_run("imsimta", &["submit", "ims-ms"]);
    assert!(
        complaint(&submitted).starts_with("%SUBMIT-E-STOPPED, "),
        "{}",
        complaint(&submitted)
    );
}

#[test]
fn a_run_says_what_came_of_it() {
    let (root, _) = with_queued(2);
    let output = root.try_run("imsimta", &["run", "ims-ms"]);
    assert!(
        complaint(&output).starts_with("%RUN-W-STOPPED, "),
        "{}",
        complaint(&output)
    );
    let expected = "%RUN-I-DONE, 2 messages tried, 2 delivered, 0 deferred\n";
    assert!(told(&output).ends_with(expected), "{}", told(&output));
    let told = root.imsimta(&["run", "ims-ms"]);
    let expected = "%RUN-I-NOTHING, nothing is queued for channel ims-ms\n";
    assert!(told.ends_with(expected), "{told}");
}

#[test]
fn tests_read_what_they_are_told_to_read() {
    let root = Root::staging().build();
    for form in [
        &[
            "test",
            "-rewrite",
            "-image_file=/nonexistent",
            "bob@example.com",
        ][..],
        &[
            "test",
            "-mapping",
            "-image_file=/nonexistent",
            "-table=X",
            "y",
        ],
    ] {
        let output = root.try_run("imsimta", form);
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(
            complaint(&output).starts_with("%TEST-E-OPENIN, "),
            "{}",
            complaint(&output)
        );
    }
    let typed = [
        "test",
        "-rewrite",
        "\"Bob\" <bob@example.com>",
        "-nochannel",
    ];
    let text = root.imsimta(&typed);
    assert!(text.contains("\nname                   = Bob\n"), "{text}");
    assert!(text.contains("\nmbox                   = bob\n"), "{text}");
    let text = root.imsimta(&[
        "test",
        "-rewrite",
        "-json",
        "bob@example.com, eve@example.com",
    ]);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document.as_array().unwrap().len(), 2, "{text}");
    let output = root.try_run(
        "imsimta",
        &["test", "-rewrite", "-debug", "-filter", "bob@example.com"],
    );
    assert!(output.status.success(), "{}", complaint(&output));
    assert!(
        complaint(&output).contains("%TEST-W-NOFILTER, "),
        "{}",
        complaint(&output)
    );
}

#[test]
fn services_are_restarted_aloud_and_a_closed_stderr_is_no_crash() {
    let root = Root::staging().start();
    assert_eq!(
        root.imsimta(&["restart", "smtp"]),
        "Restarting service SMTP ... done\n"
    );
    let output = root.try_run("imsimta", &["restart", "lmtp"]);
    assert_eq!(told(&output), "Restarting service LMTPSS ... failed\n");
    assert!(
        complaint(&output).starts_with("%IMTA-E-REFUSED, lmtp: "),
        "{}",
        complaint(&output)
    );
    let link = root.path().join("data/tmp/stop-msg");
    std::os::unix::fs::symlink(root.path().join("bin/stop-msg"), &link).unwrap();
    let stopped = Command::new(&link)
        .env_remove("SERVERROOT")
        .output()
        .unwrap();
    assert!(stopped.status.success(), "{}", complaint(&stopped));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = Command::new(root.path().join("bin/imsimta"))
        .args(["qm", "nonsense"])
        .env("SERVERROOT", root.path())
        .stderr(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}
