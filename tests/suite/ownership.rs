//! Started as root, only the watcher is root, and nothing it or a command leaves belongs to root.

use crate::support::root::Root;
use crate::support::wire::Wire;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

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
