//! A server root with the watcher and daemons of this executable in `lib`.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mta_process::lock;
use mta_process::privilege::{self, Identity};
use mta_process::signal::Signal;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Stage {
    directory: tempfile::TempDir,
    pub(crate) port: u16,
}

/// What an operator's command said.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) success: bool,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let stage = Self {
            directory,
            port: free.local_addr().unwrap().port(),
        };
        drop(free);
        let user = if privilege::is_root() {
            Identity::lookup("nobody", None).unwrap()
        } else {
            Identity::current()
        };
        for name in ["", "config", "data", "data/log", "lib"] {
            let path = stage.path(name);
            fs::create_dir_all(&path).unwrap();
            chown(&path, Some(user.uid), Some(user.gid)).unwrap();
        }
        for name in ["watcher", "imsched", "dispatcher", "job_controller"] {
            let program = std::env::current_exe().unwrap();
            std::os::unix::fs::symlink(program, stage.path("lib").join(name)).unwrap();
        }
        for (name, text) in [
            ("config/restricted.cnf", format!("user={}\n", user.user)),
            ("config/config.xml", configuration(stage.port)),
        ] {
            fs::write(stage.path(name), text).unwrap();
            chown(stage.path(name), Some(user.uid), Some(user.gid)).unwrap();
        }
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.path("lib/watcher"));
        command
            .env("SERVERROOT", self.directory.path())
            .stdin(Stdio::null());
        command
    }

    fn told(&self, words: &[&str]) -> Told {
        let output = self.command().args(words).output().unwrap();
        Told {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            success: output.status.success(),
        }
    }

    pub(crate) fn start(&self, words: &[&str]) -> Told {
        self.told(&[&["start"], words].concat())
    }

    pub(crate) fn stop(&self, words: &[&str]) -> Told {
        self.told(&[&["stop"], words].concat())
    }

    /// The process of a daemon, or of the watcher, by its lock.
    pub(crate) fn holder(&self, name: &str) -> Option<u32> {
        lock::holder(&lock::daemon_path(&self.path("config"), name)).unwrap()
    }

    pub(crate) fn until(&self, what: &str, mut fact: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !fact() {
            assert!(begun.elapsed() < PATIENCE, "{what}: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("data/log/watcher")).unwrap_or_default()
    }

    pub(crate) fn mark(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
    }

    pub(crate) fn unmark(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Numbers of processes become `PID`, and the dots of a wait three.
    pub(crate) fn masked(text: &str) -> String {
        let mut masked = String::new();
        for line in text.lines() {
            let words: Vec<&str> = line
                .split(' ')
                .map(|word| match word {
                    word if word.len() > 3 && word.bytes().all(|b| b == b'.') => "...",
                    word if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) => "PID",
                    word => word,
                })
                .collect();
            masked.push_str(&words.join(" "));
            masked.push('\n');
        }
        masked
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for name in ["watcher", "sched", "dispatcher", "job_controller"] {
            if let Ok(Some(pid)) = lock::holder(&lock::daemon_path(&self.path("config"), name)) {
                drop(Signal::Kill.send(pid));
            }
        }
    }
}

/// A child that is killed with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub(crate) fn owners_of_everything_below(path: &Path) -> Vec<(PathBuf, u32)> {
    use std::os::unix::fs::MetadataExt;
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap().flatten() {
        let metadata = entry.path().symlink_metadata().unwrap();
        found.push((entry.path(), metadata.uid()));
        if metadata.is_dir() {
            found.extend(owners_of_everything_below(&entry.path()));
        }
    }
    found
}

fn configuration(port: u16) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<configuration version="1">
<role>
<group name="base">
<option name="hostname" type="string">mail.example.com</option>
<option name="defaultdomain" type="string">example.com</option>
</group>
<group name="channel" id="l">
<option name="official_host_name" type="string">mail.example.com</option>
</group>
<group name="dispatcher">
<group name="service" id="SMTP">
<option name="tcp_ports" type="list">{port}</option>
<option name="interface_address" type="string">127.0.0.1</option>
<option name="image" type="string">IMTA_BIN:none</option>
</group>
</group>
<group name="schedule"><group name="task" id="return_job">
<option name="crontab" type="string">30 0 * * * lib/return_job</option>
</group></group>
</role>
</configuration>
"#
    )
}
