//! What `start-msg` and `stop-msg` do: find or launch the watcher, ask it, print what it says.

use std::fs;
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use mta_config::config::Config;
use mta_config::paths::ServerRoot;
use mta_ipc::IpcError;
use mta_ipc::endpoint::{self, Connection};
use mta_ipc::watcher::{DAEMON, Reply, Request};
use mta_process::lock;
use mta_process::privilege::{self, Identity, Rights};
use mta_process::signal::Signal;

use crate::component::{KINDS, Kind};
use crate::log::{self, Log};
use crate::{Error, daemon, system};

const USAGE_START: &str = "\
usage: start-msg [-h | ha | component...]
components, in starting order: watcher sched dispatcher job_controller
mta stands for dispatcher and job_controller; without a word everything enabled is started
";

const USAGE_STOP: &str = "\
usage: stop-msg [-h | ha | [-f] component...]
components: watcher sched dispatcher job_controller; mta stands for the last two
-f kills instead of asking; without a component everything is stopped, the watcher last
";

/// Longest silence of a watcher at work: it says something every half second.
const SILENCE: Duration = Duration::from_secs(20);

/// How long a new watcher gets to answer.
const LAUNCH: Duration = Duration::from_secs(20);

/// How long a daemon without a watcher gets to end before it is killed.
const ORPHANED: Duration = Duration::from_secs(90);

const PAUSE: Duration = Duration::from_millis(50);

/// What the words of a command line ask for.
#[derive(Debug, PartialEq, Eq)]
struct Wishes {
    help: bool,
    ha: bool,
    force: bool,
    watcher: bool,
    components: Vec<&'static str>,
}

impl Wishes {
    fn parse(words: &[String]) -> Result<Self, Error> {
        let mut wishes = Self {
            help: false,
            ha: false,
            force: false,
            watcher: false,
            components: Vec::new(),
        };
        for word in words {
            match word.to_ascii_lowercase().as_str() {
                "-h" => wishes.help = true,
                "-f" => wishes.force = true,
                "ha" => wishes.ha = true,
                "watcher" => wishes.watcher = true,
                "mta" | "smtp" | "imta" => {
                    wishes.components.extend(["dispatcher", "job_controller"]);
                }
                name => match KINDS.iter().find(|kind| kind.name == name) {
                    Some(kind) => wishes.components.push(kind.name),
                    None => return Err(Error::UnknownComponent { word: word.clone() }),
                },
            }
        }
        let order = |name: &&str| KINDS.iter().position(|kind| kind.name == *name);
        wishes.components.sort_by_key(order);
        wishes.components.dedup();
        Ok(wishes)
    }

    fn is_everything(&self) -> bool {
        !self.watcher && self.components.is_empty()
    }
}

/// `start-msg`.
///
/// # Errors
/// [`Error`]; [`Error::NotDone`] when a component did not start, which has been told.
pub(crate) fn start(root: &ServerRoot, words: &[String]) -> Result<(), Error> {
    let wishes = Wishes::parse(words)?;
    if wishes.force {
        let word = "-f".to_owned();
        return Err(Error::UnknownComponent { word });
    }
    if wishes.help {
        say(USAGE_START);
        return Ok(());
    }
    let rights = permitted(root)?;
    if mta_config::image::status(root) == mta_config::image::ImageStatus::Stale {
        complain("%IMTA-W-STALE, the configuration has been changed since the last cnbuild");
    }
    // Before anything is launched: without a configuration nothing could run.
    let config = Config::load(root)?;
    say("Connecting to watcher ...\n");
    let watcher = match connect(root) {
        Ok(watcher) => watcher,
        Err(error) if error.is_absence() => launch(root, &rights, wishes.ha)?,
        Err(error) => return Err(unanswered(root)(error)),
    };
    let components = if wishes.is_everything() {
        let enabled = KINDS.iter().filter(|kind| kind.is_enabled(&config));
        enabled.map(|kind| kind.name).collect()
    } else {
        wishes.components
    };
    let mut success = true;
    for (id, name) in (1..).zip(components) {
        let component = name.to_owned();
        success &= ask(root, &watcher, id, &Request::Start { component })?;
    }
    if success { Ok(()) } else { Err(Error::NotDone) }
}

/// `stop-msg`.
///
/// # Errors
/// [`Error`]; [`Error::NotDone`] when a component did not stop.
pub(crate) fn stop(root: &ServerRoot, words: &[String]) -> Result<(), Error> {
    let wishes = Wishes::parse(words)?;
    let force = wishes.force;
    if wishes.help {
        say(USAGE_STOP);
        return Ok(());
    }
    permitted(root)?;
    say("Connecting to watcher ...\n");
    let everything = wishes.is_everything() || wishes.watcher;
    let watcher = match connect(root) {
        Ok(watcher) => watcher,
        Err(error) if error.is_absence() => {
            let all: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            let names = if everything { all } else { wishes.components };
            return stop_orphans(root, &names, force);
        }
        Err(error) => return Err(unanswered(root)(error)),
    };
    let mut success = true;
    if everything {
        success = ask(root, &watcher, 1, &Request::Finish { force })?;
        wait_for_the_end(root)?;
    } else {
        for (id, name) in (1..).zip(wishes.components.iter().rev()) {
            let component = (*name).to_owned();
            success &= ask(root, &watcher, id, &Request::Stop { component, force })?;
        }
    }
    if success { Ok(()) } else { Err(Error::NotDone) }
}

/// Puts root aside, and refuses anybody but root and the server user.
fn permitted(root: &ServerRoot) -> Result<Rights, Error> {
    let rights = daemon::rights(root)?;
    let accounts = mta_config::source::accounts(root)?;
    let server = Identity::lookup(&accounts.user, accounts.group.as_deref())?;
    if rights.identity().uid == server.uid {
        Ok(rights)
    } else {
        Err(Error::NoPrivilege { user: server.user })
    }
}

fn connect(root: &ServerRoot) -> Result<Connection, IpcError> {
    endpoint::connect(&root.config(), DAEMON, "start-msg", Duration::from_secs(5))
}

/// What comes of a watcher that does not answer.
fn unanswered(root: &ServerRoot) -> impl Fn(IpcError) -> Error {
    let path = lock::daemon_path(&root.config(), DAEMON);
    // Whose process it is only helps; without it there is still the complaint.
    move |source| Error::NoAnswer {
        pid: lock::holder(&path).ok().flatten(),
        source,
    }
}

/// Starts a watcher that outlives us, and waits until it answers.
fn launch(root: &ServerRoot, rights: &Rights, ha: bool) -> Result<Connection, Error> {
    let log = Log::open(root).map_err(system("opening data/log/watcher"))?;
    let stderr = log
        .for_child()
        .map_err(system("opening data/log/watcher"))?;
    let mut command = privilege::command(&root.lib().join(DAEMON), None);
    command
        .arg("run")
        .args(ha.then_some("--ha"))
        .env("SERVERROOT", root.root())
        .current_dir("/")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(stderr);
    say("Launching watcher ...");
    let mut child = rights
        .raised(|| command.spawn())?
        .map_err(system("starting the watcher"))?;
    let begun = Instant::now();
    let mut dots = Dots::default();
    loop {
        if let Ok(watcher) = connect(root) {
            say(&format!(" {}\n", child.id()));
            return Ok(watcher);
        }
        let ended = child.try_wait().map_err(system("starting the watcher"))?;
        if ended.is_some() || begun.elapsed() > LAUNCH {
            say(" failed\n");
            let path = log::path(root);
            let text = fs::read_to_string(&path).unwrap_or_default();
            complain(&format!(
                "ERROR: {}; see {}",
                text.lines().last().unwrap_or("the watcher does not answer"),
                path.display()
            ));
            return Err(Error::NotDone);
        }
        thread::sleep(PAUSE);
        dots.show();
    }
}

/// Asks one thing and prints what is said about it.
fn ask(root: &ServerRoot, watcher: &Connection, id: u32, request: &Request) -> Result<bool, Error> {
    watcher.send(id, request).map_err(unanswered(root))?;
    loop {
        match watcher.receive(SILENCE).map_err(unanswered(root))? {
            (_, Reply::Text(text)) => say(&text),
            (_, Reply::Complaint(line)) => complain(&line),
            (_, Reply::Done { success }) => return Ok(success),
            (_, Reply::Status(_)) => {}
            (_, Reply::Refused(reason)) => {
                complain(&format!("ERROR: {reason}"));
                return Ok(false);
            }
        }
    }
}

/// The watcher has said that it ends; its lock shows when it has.
fn wait_for_the_end(root: &ServerRoot) -> Result<(), Error> {
    let path = lock::daemon_path(&root.config(), DAEMON);
    say("Stopping watcher ...");
    let begun = Instant::now();
    let mut dots = Dots::default();
    while lock::is_held(&path).map_err(system("looking at config/.watcher.lock"))? {
        if begun.elapsed() > LAUNCH {
            say(" failed\n");
            return Err(Error::NotDone);
        }
        thread::sleep(PAUSE);
        dots.show();
    }
    say(" done\n");
    Ok(())
}

/// Stops daemons that have lost their watcher: whoever holds a daemon's lock is that daemon.
fn stop_orphans(root: &ServerRoot, names: &[&str], force: bool) -> Result<(), Error> {
    for kind in KINDS.iter().rev().filter(|kind| names.contains(&kind.name)) {
        stop_orphan(root, kind, force)?;
    }
    say("watcher is not running\n");
    Ok(())
}

fn stop_orphan(root: &ServerRoot, kind: &Kind, force: bool) -> Result<(), Error> {
    let path = lock::daemon_path(&root.config(), kind.name);
    let holder = || lock::holder(&path).map_err(system("looking for the holder of a lock"));
    let Some(pid) = holder()? else {
        say(&format!("{} server is not running\n", kind.name));
        return Ok(());
    };
    say(&format!("Stopping {} server {pid} ...", kind.name));
    let send = |signal: Signal| signal.send(pid).map_err(system("stopping a daemon"));
    send(if force {
        Signal::Kill
    } else {
        Signal::Terminate
    })?;
    let begun = Instant::now();
    let mut dots = Dots::default();
    while holder()? == Some(pid) {
        if begun.elapsed() > ORPHANED {
            send(Signal::Kill)?;
        }
        thread::sleep(PAUSE);
        dots.show();
    }
    say(" done\n");
    Ok(())
}

/// Dots that grow with the wait.
#[derive(Debug, Default)]
struct Dots {
    pauses: u32,
}

impl Dots {
    fn show(&mut self) {
        self.pauses += 1;
        if self.pauses.is_multiple_of(10) {
            say(".");
        }
    }
}

/// Prints as it is. A reader that has gone away does not stop what was begun.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

fn complain(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Wishes, Error> {
        Wishes::parse(
            &words
                .iter()
                .map(|&word| word.to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn components_come_in_starting_order_and_once() {
        for (words, components) in [
            (vec![], vec![]),
            (vec!["mta"], vec!["dispatcher", "job_controller"]),
            (
                vec!["job_controller", "sched"],
                vec!["sched", "job_controller"],
            ),
            (
                vec!["smtp", "dispatcher"],
                vec!["dispatcher", "job_controller"],
            ),
        ] {
            assert_eq!(parse(&words).unwrap().components, components, "{words:?}");
        }
        assert!(parse(&[]).unwrap().is_everything());
        assert!(!parse(&["watcher"]).unwrap().is_everything());
        assert!(matches!(
            parse(&["imap"]),
            Err(Error::UnknownComponent { .. })
        ));
    }
}
