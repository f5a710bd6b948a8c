//! Started as root, only the watcher is root, and nothing it or a command leaves belongs to root.

use crate::support::root::Root;
use crate::support::wire::Wire;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

#[test]
fn only_the_watcher_is_root_and_no_file_is_roots() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "this test is about what root does"
    );
    let root = Root::staging().start();
    let mut wire = Wire::hello(root.smtp);
    wire.message(
        "eve@example.com",
        &["bob@example.com"],
        b"Subject: x\n\nx\n",
    );
    wire.quit();
    root.wait_for_delivered("bob@example.com", 1);
    let commands: [&[&str]; 12] = [
        &["cnbuild"],
        &["process"],
        &["cache", "-view"],
        &["cache", "-sync"],
        &["qm", "directory"],
        &["qm", "summarize"],
        &["qm", "stop", "tcp_local"],
        &["qm", "start", "tcp_local"],
        &["submit", "tcp_local"],
        &["run", "tcp_local"],
        &["test", "-rewrite", "bob@example.com"],
        &["purge"],
    ];
    for command in commands {
        root.imsimta(command);
    }
    let listed = root.imsimta(&["process"]);
    for program in ["watcher", "imsched", "dispatcher", "job_controller"] {
        assert!(listed.contains(&format!("/lib/{program}")), "{listed}");
    }
    root.run("msconfig", &["set", "log_message_id", "1"]);
    root.run("msconfig", &["unset", "log_message_id"]);
    for (pid, name) in root.processes() {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .unwrap();
        let uids: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(name == "watcher", uids[0] == "0", "{name}: {uids:?}");
        if name != "watcher" {
            assert!(!uids.contains(&"0"), "{name}: {uids:?}");
            let groups = status
                .lines()
                .find_map(|line| line.strip_prefix("Groups:"))
                .unwrap();
            assert!(
                !groups.split_whitespace().any(|group| group == "0"),
                "{name}: groups {groups}"
            );
        }
    }
    let installed = ["bin", "lib", "man"];
    for entry in fs::read_dir(root.path()).unwrap().flatten() {
        if !installed.contains(&&*entry.file_name().to_string_lossy()) {
            check(&entry.path());
        }
    }
    for directory in ["data/queue", "data/log", "data/tmp"] {
        modes(&root.path().join(directory));
    }
    root.stop();
}

#[test]
fn others_are_told_whose_the_server_is() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "this test is about what root and others may do"
    );
    let root = Root::staging().build();
    let by_nobody = |program: &str, words: &[&str]| {
        let program = root.path().join("bin").join(program);
        let output = Command::new("setpriv")
            .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"])
            .arg(program)
            .args(words)
            .env("SERVERROOT", root.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let told = "must be run as root or mailsrv\n";
    for words in [&["show"][..], &["set", "log_message_id", "1"], &[]] {
        let said = by_nobody("msconfig", words);
        assert_eq!(said, format!("%IMTA-E-NOPRIV, {told}"));
    }
    let configure = [
        "--host",
        "mail.example.com",
        "--domain",
        "example.com",
        "--force",
    ];
    let said = by_nobody("configure", &configure);
    assert!(said.ends_with(told), "{said}");
}

#[test]
fn configuring_for_another_user_changes_nothing() {
    let root = Root::staging().build();
    let config = root.path().join("config");
    let before = fs::metadata(&config).unwrap().uid();
    let again = [
        "--host",
        "mail.example.com",
        "--domain",
        "example.com",
        "--force",
    ];
    let other = root.try_run("configure", &[&again[..], &["--user", "nobody"]].concat());
    let said = String::from_utf8(other.stderr).unwrap();
    assert!(said.contains("use --user mailsrv"), "{said}");
    assert_eq!(fs::metadata(&config).unwrap().uid(), before);
    let accounts = fs::read_to_string(config.join("restricted.cnf")).unwrap();
    assert!(accounts.contains("mailsrv"), "{accounts}");
    // Without --user it is the one that is there.
    root.run("configure", &again);
    root.imsimta(&["cnbuild"]);
}

#[test]
fn what_the_server_user_cannot_reach_is_named_and_nothing_is_written() {
    let programs = Root::staging().build();
    let closed = tempfile::tempdir().unwrap();
    let open = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(closed.path(), 0o700);
    mode(open.path(), 0o755);
    let certificate = crate::support::tls::certificate();
    let key = open.path().join("key.pem");
    fs::copy(certificate.key(), &key).unwrap();
    mode(&key, 0o600);
    let configure = |place: &Path, key: &str| {
        let root = place.join("imta");
        fs::create_dir(&root).unwrap();
        mode(&root, 0o755);
        let output = Command::new(programs.path().join("bin/configure"))
            .args(["--host", "mail.example.com", "--domain", "example.com"])
            .args(["--user", "mailsrv"])
            .args(["--tls-cert", certificate.certificate(), "--tls-key", key])
            .env("SERVERROOT", &root)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
        String::from_utf8(output.stderr).unwrap()
    };
    let said = configure(closed.path(), certificate.key());
    let place = closed.path().display();
    assert!(
        said.contains(&format!("mailsrv cannot pass through {place} ")),
        "{said}"
    );
    let said = configure(open.path(), key.to_str().unwrap());
    let key = key.display();
    assert!(
        said.contains(&format!("mailsrv cannot read {key}")),
        "{said}"
    );
}

fn check(path: &Path) {
    let metadata = fs::symlink_metadata(path).unwrap();
    if metadata.uid() == 0 && !metadata.file_type().is_symlink() {
        assert_eq!(
            path.file_name().unwrap(),
            "restricted.cnf",
            "{} belongs to root",
            path.display()
        );
    }
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap().flatten() {
            check(&entry.path());
        }
    }
}

fn modes(path: &Path) {
    let metadata = fs::symlink_metadata(path).unwrap();
    let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(
        metadata.mode() & 0o777,
        wanted,
        "mode of {}",
        path.display()
    );
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap().flatten() {
            modes(&entry.path());
        }
    }
}
