//! What every utility works with.

use mta_command::message::Message;
use mta_config::Config;
use mta_config::image::ImageStatus;
use mta_config::paths::ServerRoot;
use mta_envelope::names::ChannelName;
use mta_ipc::{Client, IpcError, dispatcher, job_controller, watcher};
use mta_process::privilege::{self, Identity};
use std::cell::OnceCell;
use std::time::Duration;

/// How long a daemon may take to answer before it counts as unreachable.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

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

/// What a utility gives back.
pub(crate) type Outcome = Result<(), Failure>;

/// The server root and whatever has been asked of it so far.
pub(crate) struct Context {
    pub(crate) root: ServerRoot,
    config: OnceCell<Config>,
}

impl Context {
    /// Finds the server root and takes on the server user's identity.
    ///
    /// # Errors
    /// `IMTA-E-NOROOT` when there is no server root, `IMTA-E-NOPRIV` for any other user than root
    /// and the server user.
    pub(crate) fn open() -> Result<Self, Message> {
        let found = mta_process::start::server_root();
        let path = found.map_err(|error| Message::error("IMTA", "NOROOT", error.to_string()))?;
        let root = ServerRoot::new(path);
        let owner = Identity::of_owner(root.queue().as_path()).map_err(|error| {
            let text = format!(
                "{} is not configured: {error}; run configure first",
                root.root().display()
            );
            Message::error("IMTA", "NOROOT", text)
        })?;
        if privilege::is_root() {
            if owner.uid != 0 {
                privilege::give_up_root(&owner)
                    .map_err(|error| Message::error("IMTA", "NOPRIV", error.to_string()))?;
            }
        } else if Identity::current().uid != owner.uid {
            let text = format!("must be run as root or {}", owner.user);
            return Err(Message::error("IMTA", "NOPRIV", text));
        }
        Ok(Self {
            root,
            config: OnceCell::new(),
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
                eprintln!("{error}");
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
    /// `IMTA-E-NOWATCHER` with exit status 2.
    pub(crate) fn watcher(&self) -> Result<Watcher, Failure> {
        Client::connect(&self.root.config(), watcher::DAEMON, "imsimta", PATIENCE).map_err(
            |error| {
                let text = format!(
                    "unable to contact the watcher: {error}; is the server started (start-msg)?"
                );
                Message::error("IMTA", "NOWATCHER", text).exiting(2).into()
            },
        )
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
