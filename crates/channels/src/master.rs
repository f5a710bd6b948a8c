//! The first steps of every master program: which channel, which configuration, started by whom.
//!
//! The Job Controller starts a program without arguments, with the channel's name in
//! `IMTA_CHANNEL` and its own connection as standard input. Run by hand (`--run`, or the channel
//! as the argument) the program connects to the control socket and talks to the terminal.

use std::sync::Arc;

use mta_channel::dequeue::{MasterError, MasterSetup};
use mta_config::{Config, LoadError, ServerRoot};
use mta_envelope::names::{ChannelName, NameError};
use mta_ipc::IpcError;
use mta_process::privilege::{self, Identity, PrivilegeError};
use mta_process::start::{self, StartError};

/// The variable by which the Job Controller names the channel.
pub const CHANNEL_VARIABLE: &str = "IMTA_CHANNEL";

/// What a master program was called with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// The channel, unless the variable names it. Whoever names it runs the program by hand.
    pub channel: Option<String>,
    /// Run by hand.
    pub run: bool,
}

/// A master program could not begin, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server root could not be found.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Root's rights could not be given up.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
    /// There is no configuration.
    #[error("cannot load the configuration")]
    Configuration(#[from] LoadError),
    /// Neither argument nor variable names a channel.
    #[error("no channel named: give one as the argument, or set {CHANNEL_VARIABLE}")]
    NoChannel,
    /// What names the channel cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The loop did not begin.
    #[error(transparent)]
    Master(#[from] MasterError),
}

impl mta_process::Failure for Error {
    fn code(&self) -> u8 {
        match self {
            Self::Master(MasterError::Controller(
                IpcError::NotRunning { .. } | IpcError::TimedOut | IpcError::Closed,
            )) => 2,
            Self::Start(_)
            | Self::Privilege(_)
            | Self::Configuration(_)
            | Self::NoChannel
            | Self::Name(_)
            | Self::Master(_) => 1,
        }
    }
}

/// Finds root, channel and configuration. The set-up says one thread; a program that can do
/// more changes that.
///
/// # Errors
/// All of [`Error`] but [`Error::Master`].
pub fn prepare(program: &'static str, arguments: &Arguments) -> Result<MasterSetup, Error> {
    start::prepare();
    let root = ServerRoot::new(start::server_root()?);
    become_server_user(&root)?;
    let by_hand = arguments.run || arguments.channel.is_some();
    let name = match &arguments.channel {
        Some(name) => name.clone(),
        None => std::env::var(CHANNEL_VARIABLE).map_err(|_| Error::NoChannel)?,
    };
    let channel = ChannelName::new(&name)?;
    let config = Arc::new(Config::load(&root)?);
    Ok(MasterSetup {
        root,
        config,
        channel,
        program,
        threads: 1,
        by_hand,
    })
}

/// Becomes the server user, who owns the queue, if this is root: nothing of ours may belong to
/// root, and mail is never read as root.
///
/// # Errors
/// [`PrivilegeError`] when there is no queue, or no way to become its owner.
pub fn become_server_user(root: &ServerRoot) -> Result<(), PrivilegeError> {
    if !privilege::is_root() {
        return Ok(());
    }
    let owner = Identity::of_owner(&root.queue())?;
    if owner.uid == 0 {
        return Ok(());
    }
    privilege::give_up_root(&owner)
}
