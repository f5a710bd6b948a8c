//! A server root in a temporary directory, the Job Controller as a process of its own, and a
//! channel program that does what the subject of each message says.
//!
//! Both programs are this test executable under another name: called with `--exact` and the name
//! of a "test" that does nothing unless it is called for that purpose.

use mta_config::ServerRoot;
use mta_envelope::address::Address;
use mta_envelope::envelope::{Envelope, Priority, Recipient};
use mta_envelope::names::{ChannelName, Place};
use mta_ipc::Client;
use mta_ipc::job_controller::{DAEMON, Entry, Reply, Request, Settlement, Status, ViewRow, Work};
use mta_process::privilege::Identity;
use mta_queue::{Attempt, Placed, Plan, Queue, TakeError};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// A generous limit for everything that should take moments.
const PATIENCE: Duration = Duration::from_secs(30);

const CONFIG: &str = r#"<configuration version="1">
  <role>
    <group name="base">
      <option name="hostname" type="string">mail.example.com</option>
      <option name="defaultdomain" type="string">example.com</option>
    </group>
    <group name="channel" id="l">
      <option name="official_host_name" type="string">mail.example.com</option>
    </group>
    <group name="channel" id="ims-ms">
      <option name="official_host_name" type="string">ims-ms-daemon</option>
      <option name="maxjobs" type="integer">1</option>
    </group>
    <group name="channel" id="tcp_local">
      <option name="official_host_name" type="string">tcp-daemon</option>
      <option name="subdirs" type="integer">20</option>
    </group>
    <group name="job_controller">
      <group name="job_pool" id="DEFAULT">
        <option name="job_limit" type="integer">2</option>
      </group>
      <group name="channel_class" id="ims-ms*">
        <option name="master_command" type="string">IMTA_BIN:fake_channel --exact fake_channel --nocapture</option>
      </group>
      <group name="channel_class" id="tcp_*">
        <option name="anon_host" type="integer">0</option>
        <option name="master_command" type="string">IMTA_BIN:fake_channel --exact fake_channel --nocapture</option>
      </group>
    </group>
  </role>
</configuration>
"#;

pub(crate) fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Waits for a fact.
pub(crate) fn wait_for<T>(what: &str, mut fact: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = fact() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One server.
pub(crate) struct Server {
    directory: TempDir,
    queue: Queue,
    process: Option<Child>,
}

impl Server {
    /// A root with a configuration, and nothing running.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for part in [
            "config",
            "data/queue",
            "data/log",
            "data/tmp",
            "data/db",
            "lib",
        ] {
            fs::create_dir_all(root.join(part)).unwrap();
        }
        fs::write(root.join("config/config.xml"), CONFIG).unwrap();
        let user = if is_root() {
            "nobody".to_owned()
        } else {
            own_name()
        };
        let restricted = root.join("config/restricted.cnf");
        fs::write(&restricted, format!("user={user}\n")).unwrap();
        fs::set_permissions(&restricted, fs::Permissions::from_mode(0o644)).unwrap();
        let program = std::env::current_exe().unwrap();
        // Another process copies: a thread that forks meanwhile would keep the new file open for
        // writing, and it could not be executed.
        let copied = Command::new("cp")
            .arg(program)
            .arg(root.join("lib/job_controller"))
            .status()
            .unwrap();
        assert!(copied.success());
        fs::hard_link(
            root.join("lib/job_controller"),
            root.join("lib/fake_channel"),
        )
        .unwrap();
        let queue = Queue::open(&root.join("data/queue")).unwrap();
        Self {
            directory,
            queue,
            process: None,
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Starts the Job Controller and waits until it answers.
    pub(crate) fn start(&mut self) {
        self.give_away();
        let child = Command::new(self.root().join("lib/job_controller"))
            .args(["--exact", "job_controller_process", "--nocapture"])
            .env("IMTA_TEST_ROLE", "job_controller")
            .env("SERVERROOT", self.root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(child);
        wait_for("the Job Controller", || {
            let ended = self.process.as_mut()?.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", self.log());
            self.try_connect()?;
            self.status().built.then_some(())
        });
    }

    /// Without root the files are ours already; as root they go to the server user.
    pub(crate) fn give_away(&self) {
        if is_root() {
            let user = Identity::lookup("nobody", None).unwrap();
            give_all(self.root(), &user).unwrap();
        }
    }

    fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Kills the Job Controller without a warning.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Asks the Job Controller to end.
    pub(crate) fn terminate(&self) {
        mta_process::signal::Signal::Terminate
            .send(self.pid())
            .unwrap();
    }

    /// Waits for its end; whether it was a good one.
    pub(crate) fn ended(&mut self) -> bool {
        let mut process = self.process.take().unwrap();
        let status = wait_for("its end", || process.try_wait().unwrap());
        status.success()
    }

    fn try_connect(&self) -> Option<Client<Request, Reply>> {
        let config = ServerRoot::new(self.root().to_owned()).config();
        Client::connect(&config, DAEMON, "test", PATIENCE).ok()
    }

    pub(crate) fn connect(&self) -> Client<Request, Reply> {
        self.try_connect().unwrap()
    }

    pub(crate) fn ask(&self, request: &Request) -> Reply {
        self.connect().call(request, PATIENCE).unwrap()
    }

    pub(crate) fn status(&self) -> Status {
        match self.ask(&Request::Status) {
            Reply::Status(status) => status,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn view(&self) -> Vec<ViewRow> {
        let request = Request::View {
            channel: None,
            cursor: 0,
        };
        match self.ask(&request) {
            Reply::View { rows, next: None } => rows,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn log(&self) -> String {
        let logs = fs::read_dir(self.root().join("data/log")).unwrap();
        logs.map(|log| fs::read_to_string(log.unwrap().path()).unwrap())
            .collect()
    }

    /// Puts a message into a queue that asks its channel program for `deed`; tells nobody.
    pub(crate) fn write(&self, name: &str, host: &str, deed: &str) -> Placed {
        let to = Address::parse(&format!("ada@{host}")).unwrap();
        let envelope = Envelope {
            id: "0TOY00B049408X00@mail.example.com".to_owned(),
            sender: None,
            ret: None,
            source_channel: channel("l"),
            source_system: String::new(),
            user: String::new(),
            authenticated: None,
            arrived: now(),
            priority: Priority::Normal,
            message_id: None,
            size: 0,
            deferred_until: None,
            recipients: vec![Recipient::new(to)],
        };
        let plan = Plan {
            channel: channel(name),
            subdirs: 4,
            envelope,
            held: None,
        };
        let mut draft = self.queue.draft(vec![plan]);
        let header = format!("Subject: {deed}\n\n");
        draft
            .header(header.as_bytes(), None, Priority::Normal)
            .unwrap();
        let placed = draft.commit().unwrap().remove(0);
        self.give_away();
        placed
    }

    /// As [`Server::write`], and tells the Job Controller.
    pub(crate) fn enqueue(&self, name: &str, host: &str, deed: &str) -> Placed {
        let placed = self.write(name, host, deed);
        let reply = self.ask(&Request::Enqueued(vec![entry(&placed)]));
        assert_eq!(reply, Reply::Ok);
        placed
    }

    /// Waits until a message has been delivered, and says how often.
    pub(crate) fn delivered(&self, placed: &Placed) -> usize {
        wait_for("a delivery", || {
            let text = fs::read_to_string(self.root().join("data/tmp/delivered")).ok()?;
            let unique = placed.place.file.unique();
            let count = text.lines().filter(|line| *line == unique).count();
            (count > 0).then_some(count)
        })
    }

    /// The file of a message, wherever it lies now.
    pub(crate) fn path_of(&self, placed: &Placed) -> PathBuf {
        let place = self.find(placed).unwrap();
        let channel = self.root().join("data/queue").join(placed.channel.as_str());
        channel.join(place.to_string())
    }

    /// Where a message lies now, by its unique part.
    pub(crate) fn find(&self, placed: &Placed) -> Option<Place> {
        let unique = placed.place.file.unique();
        self.queue
            .scan(&placed.channel)
            .map(|found| found.place)
            .find(|place| place.file.unique() == unique)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("log of the Job Controller:\n{}", self.log());
        }
        if let Some(process) = &mut self.process {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

pub(crate) fn entry(placed: &Placed) -> Entry {
    Entry {
        channel: placed.channel.clone(),
        place: placed.place.clone(),
        priority: Priority::Normal,
        host: placed.envelope.recipients[0].sort_host(),
        size: placed.size,
        recipients: 1,
        arrived: placed.envelope.arrived,
        not_before: None,
    }
}

/// What jobs remove meanwhile need not be given.
fn give_all(path: &Path, user: &Identity) -> std::io::Result<()> {
    use std::io::ErrorKind::NotFound;
    let unless_gone = |error: std::io::Error| match error.kind() {
        NotFound => Ok(()),
        _ => Err(error),
    };
    if let Err(error) = std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid)) {
        return unless_gone(error);
    }
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            give_all(&entry?.path(), user)?;
        }
    }
    Ok(())
}

fn is_root() -> bool {
    mta_process::privilege::is_root()
}

fn own_name() -> String {
    Identity::current().user
}

/// The channel program: two threads that do what subjects say.
pub(crate) fn play_channel() {
    let name = channel(&std::env::var("IMTA_CHANNEL").unwrap());
    let root = std::env::var("SERVERROOT").unwrap();
    let queue = Queue::open(&Path::new(&root).join("data/queue")).unwrap();
    let client: Client<Request, Reply> = Client::inherited("fake_channel", PATIENCE).unwrap();
    let request = Request::Job {
        channel: name.clone(),
        pid: std::process::id(),
        threads: 2,
        run: false,
    };
    let Reply::Job(job) = client.call(&request, PATIENCE).unwrap() else {
        panic!("not welcome");
    };
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (client, queue, name, root) = (&client, &queue, &name, &root);
            scope.spawn(move || {
                let mut done = Vec::new();
                loop {
                    let request = Request::Next {
                        job,
                        thread,
                        host: None,
                        done: std::mem::take(&mut done),
                    };
                    match client.call(&request, Duration::MAX) {
                        Ok(Reply::Work(work)) => {
                            let settlement = work_on(queue, name, Path::new(root), &work);
                            done.push((work.id, settlement));
                        }
                        _ => return,
                    }
                }
            });
        }
    });
}

/// Does what the subject says.
pub(crate) fn work_on(queue: &Queue, name: &ChannelName, root: &Path, work: &Work) -> Settlement {
    let taken = match queue.take(name, &work.place) {
        Ok(taken) => taken,
        Err(TakeError::Busy) => return Settlement::Busy,
        Err(_) => return Settlement::Gone,
    };
    let header = String::from_utf8(taken.header().unwrap()).unwrap();
    let deed = header.trim().strip_prefix("Subject: ").unwrap().to_owned();
    match deed.as_str() {
        "die" => std::process::abort(),
        "defer" => {
            let attempt = Attempt {
                time: now(),
                recipient: "ada@example.com".to_owned(),
                status: "4.4.1".to_owned(),
                text: "not today".to_owned(),
            };
            let place = taken.defer(&[attempt]).unwrap();
            return Settlement::Deferred {
                place,
                retry_in: None,
            };
        }
        "wait" => {
            fs::write(root.join("data/tmp/waiting"), "").unwrap();
            wait_for("the word to go", || {
                root.join("data/tmp/go").exists().then_some(())
            });
        }
        _ => {}
    }
    let mut delivered = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(root.join("data/tmp/delivered"))
        .unwrap();
    // In one write: two threads that deliver at once must not mix their lines.
    let line = format!("{}\n", work.place.file.unique());
    delivered.write_all(line.as_bytes()).unwrap();
    taken.remove().unwrap();
    Settlement::Removed
}
