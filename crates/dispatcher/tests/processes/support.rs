//! The stage of a test: a server root, a listener, a Dispatcher started as the watcher would.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mta_envelope::names::ServiceName;
use mta_ipc::Client as Asking;
use mta_ipc::descriptor;
use mta_ipc::dispatcher::{DAEMON, Reply, Request, ServiceStatistics};
use mta_ipc::listeners::{self, ServiceListener};
use mta_process::privilege::{self, Identity};
use mta_process::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Stage {
    directory: tempfile::TempDir,
    listener: ServiceListener,
    user: Option<Identity>,
}

/// A Dispatcher; killed with the test if it still runs.
pub(crate) struct Running {
    child: Mutex<Option<Child>>,
    pid: u32,
    _link: std::os::fd::OwnedFd,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for its end; tells whether it was in order.
    pub(crate) fn wait(&self) -> bool {
        let mut child = self.child.lock().unwrap().take().unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.success();
            }
            assert!(begun.elapsed() < PATIENCE, "the dispatcher does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it without the grace that sessions have.
    pub(crate) fn end(&self, stage: &Stage) {
        Signal::Terminate.send(self.pid).unwrap();
        stage.until("it stops", || stage.log().contains(": stopping"));
        Signal::Terminate.send(self.pid).unwrap();
        self.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Stage {
    /// `options` go into the service's group.
    pub(crate) fn new(options: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let user = privilege::is_root().then(|| Identity::lookup("nobody", None).unwrap());
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let stage = Self {
            listener: ServiceListener {
                service: ServiceName::new("SMTP").unwrap(),
                tls: false,
                socket,
            },
            directory,
            user,
        };
        for name in ["", "config", "data", "data/log", "lib"] {
            let path = stage.directory.path().join(name);
            fs::create_dir_all(&path).unwrap();
            stage.own(&path);
        }
        let name = stage
            .user
            .as_ref()
            .map_or_else(|| Identity::current().user, |u| u.user.clone());
        stage.write("config/restricted.cnf", &format!("user={name}\n"));
        stage.write("config/config.xml", &configuration(options));
        stage.write("generation", "first");
        // A directory that others may look into, down to this executable.
        std::os::unix::fs::symlink(
            std::env::current_exe().unwrap(),
            stage.path("lib/test_server"),
        )
        .unwrap();
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn config_dir(&self) -> PathBuf {
        self.path("config").canonicalize().unwrap()
    }

    pub(crate) fn own(&self, path: &Path) {
        if let Some(user) = &self.user {
            chown(path, Some(user.uid), Some(user.gid)).unwrap();
        }
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        self.own(&self.path(name));
    }

    pub(crate) fn mark(&self, name: &str) {
        self.write(name, "");
    }

    pub(crate) fn unmark(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    pub(crate) fn start(&self) -> Running {
        let running = self.start_without_waiting();
        assert_eq!(self.ask(&Request::Ready), Reply::Ok, "{}", self.log());
        running
    }

    pub(crate) fn start_without_waiting(&self) -> Running {
        let program = std::env::current_exe().unwrap();
        let mut command = privilege::command(&program, self.user.as_ref());
        command.arg("dispatcher");
        self.spawn(command)
    }

    pub(crate) fn start_with_limit(&self, descriptors: u32) -> Running {
        let mut command = privilege::command(Path::new("/bin/sh"), self.user.as_ref());
        let program = std::env::current_exe().unwrap();
        let line = format!(
            "ulimit -n {descriptors}; exec {} dispatcher",
            program.display()
        );
        command.args(["-c", &line]);
        let running = self.spawn(command);
        assert_eq!(self.ask(&Request::Ready), Reply::Ok, "{}", self.log());
        running
    }

    fn spawn(&self, mut command: Command) -> Running {
        let (ours, theirs) = descriptor::pair().unwrap();
        listeners::hand_over(ours.as_fd(), [&self.listener]).unwrap();
        let errors = fs::File::create(self.path("data/errors")).unwrap();
        let child = command
            .env("SERVERROOT", self.directory.path())
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .unwrap();
        Running {
            pid: child.id(),
            child: Mutex::new(Some(child)),
            _link: ours,
        }
    }

    /// Asks on the control socket, which may not be there yet.
    pub(crate) fn ask(&self, request: &Request) -> Reply {
        let begun = Instant::now();
        loop {
            let asked =
                Asking::<Request, Reply>::connect(&self.config_dir(), DAEMON, "test", PATIENCE)
                    .and_then(|client| client.call(request, PATIENCE));
            match asked {
                Ok(reply) => return reply,
                Err(error) if begun.elapsed() > PATIENCE => panic!("{error}: {}", self.log()),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    pub(crate) fn statistics(&self) -> ServiceStatistics {
        match self.ask(&Request::Statistics { service: None }) {
            Reply::Statistics(mut services) => services.remove(0),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn until(&self, what: &str, mut fact: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !fact() {
            assert!(begun.elapsed() < PATIENCE, "{what}: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A connection, its greeting not read.
    pub(crate) fn knock(&self) -> Client {
        Client::over(TcpStream::connect(self.address()).unwrap())
    }

    /// Nobody takes connections from the backlog.
    pub(crate) fn knock_is_unanswered(&self) -> bool {
        let client = self.knock();
        client.set_patience(Duration::from_millis(50));
        let mut byte = [0];
        !matches!((&client.stream).read(&mut byte), Ok(1))
    }

    pub(crate) fn connect(&self) -> Client {
        let mut client = self.knock();
        client.greeting();
        client
    }

    pub(crate) fn connect_from(&self, address: &str) -> Client {
        let from = SocketAddr::new(address.parse::<IpAddr>().unwrap(), 0);
        let socket = socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::empty(),
            None,
        )
        .unwrap();
        let raw = std::os::fd::AsRawFd::as_raw_fd(&socket);
        bind(raw, &SockaddrStorage::from(from)).unwrap();
        connect(raw, &SockaddrStorage::from(self.address())).unwrap();
        Client::over(TcpStream::from(socket))
    }

    fn address(&self) -> SocketAddr {
        self.listener.socket.local_addr().unwrap()
    }

    pub(crate) fn mail_log(&self) -> String {
        fs::read_to_string(self.path("data/log/mail.log_current")).unwrap_or_default()
    }

    pub(crate) fn log(&self) -> String {
        let mut text = fs::read_to_string(self.path("data/errors")).unwrap_or_default();
        for entry in fs::read_dir(self.path("data/log")).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("dispatcher.log-") {
                let content = fs::read_to_string(entry.path()).unwrap_or_default();
                write!(text, "{content}").unwrap();
            }
        }
        text
    }
}

/// A client that was greeted with `220 PID GENERATION`.
pub(crate) struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    pub(crate) server: u32,
    pub(crate) generation: String,
}

impl Client {
    fn over(stream: TcpStream) -> Self {
        let client = Self {
            reader: BufReader::new(stream.try_clone().unwrap()),
            stream,
            server: 0,
            generation: String::new(),
        };
        client.set_patience(PATIENCE);
        client
    }

    pub(crate) fn set_patience(&self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).unwrap();
    }

    pub(crate) fn greeting(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        let mut words = line.split_whitespace().skip(1);
        self.server = words
            .next()
            .and_then(|pid| pid.parse().ok())
            .expect("a greeting");
        self.generation = words.next().unwrap_or_default().to_owned();
        line
    }

    pub(crate) fn echo(&mut self, text: &str) {
        self.stream
            .write_all(format!("{text}\r\n").as_bytes())
            .unwrap();
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), text);
    }

    pub(crate) fn is_closed(&mut self) -> bool {
        let mut line = String::new();
        !matches!(self.reader.read_line(&mut line), Ok(count) if count > 0)
    }

    pub(crate) fn everything(&mut self) -> String {
        let mut text = String::new();
        // The end may come as a reset.
        drop(self.reader.read_to_string(&mut text));
        text
    }
}

pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

pub(crate) fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn configuration(options: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<configuration version="1">
<role>
<group name="base">
<option name="hostname" type="string">mail.example.com</option>
<option name="defaultdomain" type="string">example.com</option>
</group>
<group name="mta"><option name="log_connection" type="integer">2</option></group>
<group name="channel" id="l">
<option name="official_host_name" type="string">mail.example.com</option>
</group>
<group name="channel" id="tcp_local">
<option name="official_host_name" type="string">tcp-daemon</option>
</group>
<group name="mapping" id="PORT_ACCESS">
<option name="rule" type="rule"><pattern>TCP|*|*|127.0.0.2|*</pattern><template>$N$T400$ can't$ connect$ now|unwanted</template></option>
</group>
<group name="dispatcher">
<option name="debug" type="integer">-1</option>
<group name="service" id="SMTP">
<option name="tcp_ports" type="list">2525</option>
<option name="image" type="string">IMTA_BIN:test_server</option>
<option name="parameter" type="string">CHANNEL=tcp_local</option>
<option name="min_procs" type="integer">1</option>
{options}
</group>
</group>
</role>
</configuration>
"#
    )
}
