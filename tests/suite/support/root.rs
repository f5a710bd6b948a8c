//! A server root of its own for one test: configured, started, looked at, stopped.

use super::{wait_for, wait_within};
use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const COMMANDS: [(&str, &str); 4] = [
    ("imsimta", env!("CARGO_BIN_EXE_imsimta")),
    ("msconfig", env!("CARGO_BIN_EXE_msconfig")),
    ("configure", env!("CARGO_BIN_EXE_configure")),
    ("configtoxml", env!("CARGO_BIN_EXE_configtoxml")),
];

const PROGRAMS: [(&str, &str); 11] = [
    ("watcher", env!("CARGO_BIN_EXE_watcher")),
    ("dispatcher", env!("CARGO_BIN_EXE_dispatcher")),
    ("job_controller", env!("CARGO_BIN_EXE_job_controller")),
    ("tcp_smtp_server", env!("CARGO_BIN_EXE_tcp_smtp_server")),
    ("tcp_smtp_client", env!("CARGO_BIN_EXE_tcp_smtp_client")),
    ("ims_master", env!("CARGO_BIN_EXE_ims_master")),
    ("conversion", env!("CARGO_BIN_EXE_conversion")),
    ("reprocess", env!("CARGO_BIN_EXE_reprocess")),
    ("bitbucket", env!("CARGO_BIN_EXE_bitbucket")),
    ("return_job", env!("CARGO_BIN_EXE_return_job")),
    ("imsched", env!("CARGO_BIN_EXE_imsched")),
];

/// The host and domain every staged server has.
pub(crate) const HOST: &str = "mail.example.com";
pub(crate) const DOMAIN: &str = "example.com";

/// A staged server. Dropping it stops everything that still runs and removes the directory,
/// unless the test failed: then logs are printed.
pub(crate) struct Root {
    path: PathBuf,
    pub(crate) smtp: SocketAddr,
    pub(crate) submit: SocketAddr,
    pub(crate) smtps: SocketAddr,
    passwords: BTreeMap<String, String>,
    client_port: u16,
}

/// What may differ from the usual staging before `configure` runs.
#[derive(Default)]
pub(crate) struct Staging {
    nameserver: Option<SocketAddr>,
    accounts: Vec<String>,
    flags: Vec<String>,
    settings: Vec<Vec<String>>,
    deep: bool,
    as_user: Option<String>,
}

impl Staging {
    pub(crate) fn nameserver(mut self, address: SocketAddr) -> Self {
        self.nameserver = Some(address);
        self
    }

    pub(crate) fn account(mut self, address: &str) -> Self {
        self.accounts.push(address.to_owned());
        self
    }

    pub(crate) fn flag(mut self, words: &[&str]) -> Self {
        self.flags.extend(words.iter().map(ToString::to_string));
        self
    }

    /// `msconfig set NAME [VALUE]` before the server starts.
    pub(crate) fn set(mut self, words: &[&str]) -> Self {
        self.settings
            .push(words.iter().map(ToString::to_string).collect());
        self
    }

    /// A path so long that no socket address could hold it.
    pub(crate) fn deep(mut self) -> Self {
        self.deep = true;
        self
    }

    pub(crate) fn build(self) -> Root {
        let mut path = unique_directory();
        if self.deep {
            for _ in 0..6 {
                path.push("a-directory-name-of-thirty-four-chars");
            }
        }
        stage_programs(&path);
        let [smtp, submit, smtps, client] = free_ports();
        let mut root = Root {
            path,
            smtp: local(smtp),
            submit: local(submit),
            smtps: local(smtps),
            passwords: BTreeMap::new(),
            client_port: client,
        };
        root.configure(&self);
        for words in &self.settings {
            let mut arguments = vec!["set"];
            arguments.extend(words.iter().map(String::as_str));
            root.run("msconfig", &arguments);
        }
        root.run(
            "msconfig",
            &[
                "set",
                "channel:tcp_local.port",
                &root.client_port.to_string(),
            ],
        );
        root.run("imsimta", &["cnbuild"]);
        root
    }

    pub(crate) fn start(self) -> Root {
        let root = self.build();
        root.start();
        root
    }
}

impl Root {
    /// The usual staging: two accounts, no DNS.
    pub(crate) fn staging() -> Staging {
        Staging::default()
            .account("bob@example.com")
            .account("eve@example.com")
    }

    /// Puts another build in place of `lib/PROGRAM`. The usual one is a hard link, so it is
    /// removed, never written to.
    pub(crate) fn replace_program(&self, program: &str, built: &Path) {
        let target = self.path.join("lib").join(program);
        fs::remove_file(&target).unwrap();
        fs::copy(built, &target).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The port on which remote hosts of the test are expected to listen.
    pub(crate) fn client_port(&self) -> u16 {
        self.client_port
    }

    pub(crate) fn password(&self, account: &str) -> &str {
        &self.passwords[account]
    }

    /// Programs and an empty `config`: where a legacy configuration is put.
    pub(crate) fn bare() -> Self {
        let path = unique_directory();
        stage_programs(&path);
        fs::create_dir_all(path.join("config")).unwrap();
        let [smtp, submit, smtps, client_port] = free_ports();
        Self {
            path,
            smtp: local(smtp),
            submit: local(submit),
            smtps: local(smtps),
            passwords: BTreeMap::new(),
            client_port,
        }
    }

    /// As [`Root::try_run`], with more in the environment.
    pub(crate) fn try_run_with(
        &self,
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Output {
        Command::new(self.path.join("bin").join(program))
            .args(arguments)
            .env("SERVERROOT", &self.path)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"))
    }

    /// Runs `ROOT/bin/PROGRAM`, wants exit status 0, gives standard output.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.try_run(program, arguments);
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}\n{}{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            self.logs()
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs `ROOT/bin/PROGRAM` whatever comes of it.
    pub(crate) fn try_run(&self, program: &str, arguments: &[&str]) -> Output {
        Command::new(self.path.join("bin").join(program))
            .args(arguments)
            .env("SERVERROOT", &self.path)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"))
    }

    /// Runs `imsimta qm` and the like with a text on standard input.
    pub(crate) fn run_with_input(
        &self,
        program: &str,
        arguments: &[&str],
        input: impl AsRef<[u8]>,
    ) -> Output {
        use std::io::Write as _;
        let mut child = Command::new(self.path.join("bin").join(program))
            .args(arguments)
            .env("SERVERROOT", &self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_ref())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    pub(crate) fn imsimta(&self, arguments: &[&str]) -> String {
        self.run("imsimta", arguments)
    }

    pub(crate) fn start(&self) {
        self.run("start-msg", &[]);
        wait_for("a banner on the SMTP port", || {
            std::net::TcpStream::connect_timeout(&self.smtp, Duration::from_secs(1)).ok()
        });
    }

    pub(crate) fn stop(&self) {
        self.run("stop-msg", &[]);
    }

    /// Everything logged, for a failure's report.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        let mut files: Vec<_> = fs::read_dir(self.path.join("data/log"))
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        files.sort();
        for file in files {
            let content = fs::read(&file).unwrap_or_default();
            let tail = &content[content.len().saturating_sub(6000)..];
            text.push_str(&format!(
                "--- {}\n{}\n",
                file.display(),
                String::from_utf8_lossy(tail)
            ));
        }
        text
    }

    /// The records of `mail.log_current`.
    pub(crate) fn mail_log(&self) -> Vec<String> {
        let text = fs::read(self.path.join("data/log/mail.log_current")).unwrap_or_default();
        String::from_utf8_lossy(&text)
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Waits for a record that holds all of `parts`.
    pub(crate) fn wait_for_record(&self, parts: &[&str]) -> String {
        wait_within(super::PATIENCE, || {
            self.mail_log()
                .into_iter()
                .find(|line| parts.iter().all(|part| line.contains(part)))
        })
        .unwrap_or_else(|| panic!("no record with {parts:?}\n{}", self.logs()))
    }

    /// Message files (any name) below the queue directory of `channel`.
    pub(crate) fn queued(&self, channel: &str) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect(&self.path.join("data/queue").join(channel), &mut files);
        files.sort();
        files
    }

    /// All files below the queue area.
    pub(crate) fn all_queued(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect(&self.path.join("data/queue"), &mut files);
        files.sort();
        files
    }

    /// The Maildir of an account.
    pub(crate) fn maildir(&self, account: &str) -> PathBuf {
        let (local, domain) = account.split_once('@').unwrap();
        self.path.join("data/store/user").join(domain).join(local)
    }

    /// Delivered messages of an account, with LF line ends, as stored.
    pub(crate) fn delivered(&self, account: &str) -> Vec<Vec<u8>> {
        let mut files: Vec<_> = fs::read_dir(self.maildir(account).join("new"))
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        files.sort();
        files
            .into_iter()
            .filter_map(|file| fs::read(file).ok())
            .collect()
    }

    /// Waits until an account has at least `count` messages.
    pub(crate) fn wait_for_delivered(&self, account: &str, count: usize) -> Vec<Vec<u8>> {
        wait_within(super::PATIENCE, || {
            Some(self.delivered(account)).filter(|found| found.len() >= count)
        })
        .unwrap_or_else(|| {
            let found = self.delivered(account).len();
            panic!(
                "{found} of {count} messages for {account}\n{:?}\n{}",
                self.all_queued(),
                self.logs()
            )
        })
    }

    /// Process numbers of all programs that run from this root, with their names.
    pub(crate) fn processes(&self) -> Vec<(i32, String)> {
        let lib = self.path.join("lib");
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            if let Ok(program) = fs::read_link(entry.path().join("exe"))
                && program.starts_with(&lib)
                && let Some(name) = program.file_name()
            {
                found.push((pid, name.to_string_lossy().replace(" (deleted)", "")));
            }
        }
        found.sort();
        found
    }

    /// The process numbers of one program.
    pub(crate) fn pids(&self, program: &str) -> Vec<i32> {
        let all = self.processes().into_iter();
        all.filter(|(_, name)| name == program)
            .map(|(pid, _)| pid)
            .collect()
    }

    /// Whether a process has a message file of the queue open.
    pub(crate) fn has_message_in_hand(&self, pid: i32) -> bool {
        let queue = self.path.join("data/queue");
        let files = fs::read_dir(format!("/proc/{pid}/fd"));
        files.into_iter().flatten().flatten().any(|entry| {
            fs::read_link(entry.path())
                .is_ok_and(|target| target.starts_with(&queue) && target.extension().is_some())
        })
    }

    /// Kills everything that runs from this root, also what is started meanwhile. Says whether
    /// all of it is gone.
    pub(crate) fn kill_all(&self) -> bool {
        let gone = wait_within(Duration::from_secs(5), || {
            let running = self.processes();
            for (pid, _) in &running {
                super::end(*pid);
            }
            running.is_empty().then_some(())
        });
        gone.is_some()
    }

    /// Runs the return job with a clock that is `ahead` (as `+25h`).
    pub(crate) fn return_job(&self, ahead: &str) {
        let output = Command::new("faketime")
            .args(["-f", ahead])
            .arg(self.path.join("lib/return_job"))
            .env("SERVERROOT", &self.path)
            // The times of files are as they are: it is they that have grown old.
            .env("NO_FAKE_STAT", "1")
            .output()
            .unwrap_or_else(|error| panic!("this test needs faketime: {error}"));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}\n{}", self.logs());
    }

    fn configure(&mut self, staging: &Staging) {
        let mut arguments: Vec<String> = vec![
            "--host".into(),
            HOST.into(),
            "--domain".into(),
            DOMAIN.into(),
            "--listen".into(),
            "127.0.0.1".into(),
            "--smtp-port".into(),
            self.smtp.port().to_string(),
            "--submit-port".into(),
            self.submit.port().to_string(),
            "--smtps-port".into(),
            self.smtps.port().to_string(),
        ];
        if let Some(user) = &staging.as_user {
            arguments.extend(["--user".into(), user.clone()]);
        } else if nix::unistd::geteuid().is_root() {
            arguments.extend(["--user".into(), "mailsrv".into()]);
        }
        if let Some(nameserver) = staging.nameserver {
            arguments.extend(["--nameserver".into(), nameserver.to_string()]);
        }
        for account in &staging.accounts {
            arguments.extend(["--account".into(), account.clone()]);
        }
        arguments.extend(staging.flags.iter().cloned());
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let printed = self.run("configure", &words);
        for account in &staging.accounts {
            let line = printed.lines().find(|line| line.contains(account.as_str()));
            let password = line.and_then(|line| line.split_whitespace().last());
            let password =
                password.unwrap_or_else(|| panic!("no password for {account}: {printed}"));
            self.passwords.insert(account.clone(), password.to_owned());
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        self.kill_all();
        let top = self.path.ancestors().find(|path| {
            path.parent()
                .is_some_and(|parent| parent == Path::new(env!("CARGO_TARGET_TMPDIR")))
        });
        if let Some(top) = top.filter(|_| std::env::var_os("IMTA_KEEP").is_none()) {
            // What cannot be removed is in the target folder's temporary part anyway.
            drop(fs::remove_dir_all(top));
        }
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Ports that were free a moment ago on every loopback address the tests use.
fn free_ports() -> [u16; 4] {
    let held: Vec<TcpListener> = (0..4)
        .map(|_| TcpListener::bind("0.0.0.0:0").unwrap())
        .collect();
    std::array::from_fn(|i| held[i].local_addr().unwrap().port())
}

fn unique_directory() -> PathBuf {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = format!("root-{}-{number}", std::process::id());
    let path = base().join(name);
    // A leftover of an earlier process with the same number.
    drop(fs::remove_dir_all(&path));
    path
}

/// Where roots are made: beside the executables, so that they can be linked instead of copied; in
/// the temporary directory if the server user could not reach them there.
fn base() -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let beside = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let open =
        |path: &Path| fs::metadata(path).is_ok_and(|here| here.permissions().mode() & 0o001 != 0);
    let reachable = beside.ancestors().all(open);
    if reachable || !nix::unistd::geteuid().is_root() {
        beside
    } else {
        std::env::temp_dir()
    }
}

fn stage_programs(path: &Path) {
    for (directory, programs) in [("bin", &COMMANDS[..]), ("lib", &PROGRAMS[..])] {
        let directory = path.join(directory);
        fs::create_dir_all(&directory).unwrap();
        for (name, built) in programs {
            let target = directory.join(name);
            if fs::hard_link(built, &target).is_err() {
                fs::copy(built, &target).unwrap();
            }
        }
    }
    for name in ["start-msg", "stop-msg"] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("scripts")
            .join(name);
        fs::copy(script, path.join("bin").join(name)).unwrap();
    }
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
