//! What every utility works with.

use crate::qm;
use mta_command::message::Message;
use mta_command::output;
use mta_config::fault::LoadFault;
use mta_config::image::{ImageError, ImageStatus};
use mta_config::paths::ServerRoot;
use mta_config::source::{Form, save};
use mta_config::{Config, LoadError};
use mta_envelope::names::ChannelName;
use mta_ipc::{Client, IpcError, dispatcher, job_controller, watcher};
use mta_process::lock;
use mta_process::privilege::{self, Identity};
use std::cell::{Cell, OnceCell};
use std::time::{Duration, Instant};

/// How long a daemon may take to answer before it counts as unreachable.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long a daemon may take to take in a hint.
const PROMPTLY: Duration = Duration::from_secs(5);

/// How long one that did not is left alone.
const DEAF: Duration = Duration::from_secs(30);

/// A connection to the Job Controller.
pub(crate) type Controller = Client<job_controller::Request, job_controller::Reply>;
/// A connection to the Dispatcher.
pub(crate) type Dispatcher = Client<dispatcher::Request, dispatcher::Reply>;
/// A connection to the watcher.
pub(crate) type Watcher = Client<watcher::Request, watcher::Reply>;

/// Why a utility ended without success. What it had to say is said by whoever catches this.
#[derive(Debug)]
pub(crate) enum Failure {
    /// One status line, with its exit status.
    Said(Message),
    /// Everything is printed already; only the exit status is left.
    Silent(u8),
}

impl From<Message> for Failure {
    fn from(message: Message) -> Self {
        Self::Said(message)
    }
}

impl From<Vec<LoadFault>> for Failure {
    /// Prints every load error in its two-line form.
    fn from(faults: Vec<LoadFault>) -> Self {
        for fault in faults {
            output::complain(&fault.to_string());
        }
        Self::Silent(1)
    }
}

/// What a utility gives back.
pub(crate) type Outcome = Result<(), Failure>;

/// The server root and whatever has been asked of it so far.
pub(crate) struct Context {
    pub(crate) root: ServerRoot,
    config: OnceCell<Config>,
    /// When the Job Controller did not answer a hint.
    deaf: Cell<Option<Instant>>,
}

impl Context {
    /// Finds the server root and takes on the server user's identity.
    ///
    /// # Errors
    /// `IMTA-E-NOROOT` when there is no configured server root, `IMTA-E-NOPRIV` for any other
    /// user than root and the server user, `IMTA-E-ACCOUNTS` when nobody can say who that is.
    pub(crate) fn open() -> Result<Self, Message> {
        let root = server_root()?;
        let server = server_user(&root)?;
        let owner = privilege::is_root().then_some((server.uid, server.gid));
        save::prepare_legacy(&root, owner).map_err(|(path, error)| {
            let text = format!("cannot make {}: {error}", path.display());
            Message::error("IMTA", "NOROOT", text)
        })?;
        if privilege::is_root() {
            if server.uid != 0 {
                privilege::give_up_root(&server)
                    .map_err(|error| Message::error("IMTA", "NOPRIV", qm::explained(&error)))?;
            }
        } else if Identity::current().uid != server.uid {
            let text = format!("must be run as root or {}", server.user);
            return Err(Message::error("IMTA", "NOPRIV", text));
        }
        Ok(Self {
            root,
            config: OnceCell::new(),
            deaf: Cell::new(None),
        })
    }

    /// The configuration in force: the image if there is one, else the text.
    ///
    /// # Errors
    /// The load error, printed in its two-line form, as [`Failure::Silent`].
    pub(crate) fn config(&self) -> Result<&Config, Failure> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        match Config::load(&self.root) {
            Ok(config) => Ok(self.config.get_or_init(|| config)),
            Err(error) => {
                output::complain(&error.to_string());
                if let LoadError::Image(ImageError::VersionMismatch { .. }) = error {
                    output::complain("  run imsimta cnbuild; imsimta restart");
                }
                Err(Failure::Silent(1))
            }
        }
    }

    /// A channel of the configuration, by the name that was typed.
    ///
    /// # Errors
    /// `FACILITY-E-NOSUCHCHAN`.
    pub(crate) fn channel(
        &self,
        facility: &'static str,
        typed: &str,
    ) -> Result<ChannelName, Failure> {
        let unknown =
            || Message::error(facility, "NOSUCHCHAN", format!("no such channel: {typed}"));
        let name = ChannelName::new(&typed.to_ascii_lowercase()).map_err(|_| unknown())?;
        match self.config()?.channel(&name) {
            Some(_) => Ok(name),
            None => Err(unknown().into()),
        }
    }

    /// A connection to the Job Controller.
    ///
    /// # Errors
    /// `FACILITY-E-NOJBC` with exit status 2.
    pub(crate) fn controller(&self, facility: &'static str) -> Result<Controller, Failure> {
        Client::connect(
            &self.root.config(),
            job_controller::DAEMON,
            "imsimta",
            PATIENCE,
        )
        .map_err(|error| no_controller(facility, &error).into())
    }

    /// Tells a running Job Controller something that it need not know; one that does not run is
    /// told by the disk, at its start. One that has just not answered is not waited for again.
    ///
    /// # Errors
    /// Why a running one could not be told.
    pub(crate) fn hint(&self, request: &job_controller::Request) -> Result<(), String> {
        if self.deaf.get().is_some_and(|since| since.elapsed() < DEAF) {
            return Err("it did not answer".to_owned());
        }
        let connected = Client::<_, job_controller::Reply>::connect(
            &self.root.config(),
            job_controller::DAEMON,
            "imsimta",
            PROMPTLY,
        );
        let replied = match connected {
            Ok(controller) => controller.call(request, PROMPTLY),
            Err(error) if error.is_absence() => return Ok(()),
            Err(error) => Err(error),
        };
        match replied {
            Ok(job_controller::Reply::Refused(reason)) => Err(reason),
            Ok(_) => Ok(()),
            Err(error) => {
                self.deaf.set(Some(Instant::now()));
                Err(error.to_string())
            }
        }
    }

    /// A connection to the Dispatcher.
    ///
    /// # Errors
    /// `IMTA-E-NODISP` with exit status 2.
    pub(crate) fn dispatcher(&self) -> Result<Dispatcher, Failure> {
        Client::connect(&self.root.config(), dispatcher::DAEMON, "imsimta", PATIENCE).map_err(
            |error| {
                let text = format!("unable to contact the dispatcher: {error}");
                Message::error("IMTA", "NODISP", text).exiting(2).into()
            },
        )
    }

    /// A connection to the watcher.
    ///
    /// # Errors
    /// `IMTA-E-NOWATCHER` with exit status 2; of one that hangs, how to get rid of it.
    pub(crate) fn watcher(&self) -> Result<Watcher, Failure> {
        let config = self.root.config();
        Client::connect(&config, watcher::DAEMON, "imsimta", PATIENCE).map_err(|error| {
            let text = format!(
                "unable to contact the watcher: {error}; {}",
                self.watcher_cure(&error)
            );
            Message::error("IMTA", "NOWATCHER", text).exiting(2).into()
        })
    }

    /// What to do about a watcher that does not do as it is asked.
    pub(crate) fn watcher_cure(&self, error: &IpcError) -> String {
        let path = lock::daemon_path(&self.root.config(), watcher::DAEMON);
        match lock::holder(&path).ok().flatten() {
            Some(pid) if !error.is_absence() => {
                format!("if it hangs, kill -9 {pid}, then start-msg")
            }
            Some(_) | None => "is the server started (start-msg)?".to_owned(),
        }
    }

    /// Warns when the text is newer than the image that every process loads.
    pub(crate) fn warn_if_stale(&self) {
        if mta_config::image::status(&self.root) == ImageStatus::Stale {
            let text =
                "the configuration text is newer than the compiled image; run imsimta cnbuild";
            Message::warning("IMTA", "STALE", text).emit();
        }
    }
}

/// The server root that this command belongs to.
///
/// # Errors
/// `IMTA-E-NOROOT`.
pub(crate) fn server_root() -> Result<ServerRoot, Message> {
    mta_process::start::server_root()
        .map(ServerRoot::new)
        .map_err(|error| Message::error("IMTA", "NOROOT", qm::explained(&error)))
}

/// Who serves here, by a file that everybody may read: an ordinary user cannot look at the queue,
/// and is to be told whose it is.
fn server_user(root: &ServerRoot) -> Result<Identity, Message> {
    let missing = std::fs::metadata(root.restricted())
        .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
    if missing && Form::of(root) == Form::Unified {
        let text = format!(
            "{} is not configured; run configure first",
            root.root().display()
        );
        return Err(Message::error("IMTA", "NOROOT", text));
    }
    let unknown = |why: String| Message::error("IMTA", "ACCOUNTS", why);
    let accounts = mta_config::source::accounts(root).map_err(|fault| {
        // Its second line is the offending text.
        unknown(fault.to_string().replace("\n  ", ": "))
    })?;
    Identity::lookup(&accounts.user, accounts.group.as_deref())
        .map_err(|error| unknown(qm::explained(&error)))
}

/// The line for a Job Controller that cannot be asked.
pub(crate) fn no_controller(facility: &'static str, error: &IpcError) -> Message {
    let text = if error.is_absence() {
        "unable to contact the job controller".to_owned()
    } else {
        format!("unable to contact the job controller: {error}")
    };
    Message::error(facility, "NOJBC", text).exiting(2)
}

/// Asks the Job Controller for something that it answers with `Ok`.
pub(crate) fn tell(
    controller: &Controller,
    facility: &'static str,
    request: &job_controller::Request,
) -> Outcome {
    match ask(controller, facility, request)? {
        job_controller::Reply::Ok => Ok(()),
        other => Err(unexpected(facility, &other)),
    }
}

/// Asks the Job Controller; a refusal is an error line.
pub(crate) fn ask(
    controller: &Controller,
    facility: &'static str,
    request: &job_controller::Request,
) -> Result<job_controller::Reply, Failure> {
    match controller.call(request, PATIENCE) {
        Ok(job_controller::Reply::Refused(reason)) => {
            Err(Message::error(facility, "REFUSED", reason).into())
        }
        Ok(reply) => Ok(reply),
        Err(error) => Err(no_controller(facility, &error).into()),
    }
}

/// The line for an answer that no version of the protocol gives to this question.
pub(crate) fn unexpected(facility: &'static str, reply: &job_controller::Reply) -> Failure {
    let text = format!("unexpected answer from the job controller: {reply:.80?}");
    Message::error(facility, "PROTOCOL", text).exiting(2).into()
}
