//! `msconfig`: shows and changes the options.
//!
//! A command changes an option tree in memory (`change`) or shows it (`show`); the session
//! (`session`) reads that tree and writes it back. On the command line each change is written
//! at once, under a lock from reading to writing; in the dialogue (`dialogue`) changes wait for
//! `write`, which refuses when somebody else wrote in between.

mod change;
mod command;
mod complete;
mod dialogue;
mod history;
mod recipe;
mod resolve;
mod session;
mod show;
mod text;

use mta_config::ServerRoot;
use mta_config::fault::LoadFault;
use mta_config::value::ValueError;
use mta_process::privilege::{Identity, PrivilegeError, give_up_root, is_root};
use mta_process::start::StartError;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Why a command did not do what was asked. The texts are what operators see, and search for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No option has that name.
    #[error("Unknown option: {0}")]
    UnknownOption(String),
    /// Several options have that name.
    #[error("Ambiguous option: {0}")]
    AmbiguousOption(String),
    /// The value is not one of the option's.
    #[error("Invalid value for {name}: {reason}")]
    InvalidValue {
        /// The option as it was written.
        name: String,
        /// What is wrong.
        reason: ValueError,
    },
    /// The option is meant for the vendor.
    #[error("Option {0} is restricted; use set -restricted")]
    Vendor(String),
    /// The option stands in `restricted.cnf`.
    #[error("Option {0} is restricted; must be root")]
    Root(String),
    /// Somebody else wrote since the configuration was read.
    #[error("Configuration was changed by another process; write refused")]
    Changed,
    /// Nothing to show or unset.
    #[error("No options match \"{0}\"")]
    NoMatch(String),
    /// A pattern that would leave nothing.
    #[error("\"{0}\" means the whole configuration; name what is to be unset")]
    Everything(String),
    /// A script ended without saying what becomes of its changes.
    #[error("Changes were not written; end with \"write\" or \"quit\"")]
    Dropped,
    /// No command of that name.
    #[error("Unknown command: {0}")]
    UnknownCommand(String),
    /// A command with the wrong words behind it.
    #[error("Usage: {0}")]
    Usage(&'static str),
    /// No saved configuration of that number.
    #[error("No saved configuration {0}")]
    NoSaved(String),
    /// A text that cannot take the place of a part of the configuration; its faults were printed.
    #[error("{0} error(s); nothing was changed")]
    Text(usize),
    /// The editor failed.
    #[error("{0} failed; nothing was changed")]
    Editor(String),
    /// A file that was named, or is edited.
    #[error("cannot access {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No recipe of that name.
    #[error("No recipe {0}, here or in lib/recipes")]
    NoRecipe(String),
    /// A recipe that cannot be carried out; nothing was changed.
    #[error("{}, {reason}", path.display())]
    Recipe {
        /// The recipe.
        path: PathBuf,
        /// The line and what is wrong there.
        reason: String,
    },
    /// An expression of `exec` that cannot be evaluated.
    #[error("{0}")]
    Expression(String),
    /// The configuration is kept in legacy files.
    #[error("{} is a legacy configuration; edit its files, or convert it with configtoxml", .0.display())]
    Legacy(PathBuf),
    /// The lock is held by somebody for too long.
    #[error("Configuration is being changed by another process")]
    Busy,
    /// The configuration cannot be read.
    #[error(transparent)]
    Load(#[from] LoadFault),
    /// The server root is not known.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Neither root nor the server user asks.
    #[error("%IMTA-E-NOPRIV, must be run as root or {0}")]
    NotPermitted(String),
    /// There is no configuration yet.
    #[error("{} is not configured; run configure first", .0.display())]
    NotConfigured(PathBuf),
    /// Root could not be given up.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
    /// A file could not be read or written.
    #[error("cannot access the configuration: {0}")]
    Io(#[from] io::Error),
}

/// Runs one command, or the dialogue when there is none. Messages appear as they are, without
/// the program's name in front.
#[must_use]
pub fn main(words: &[String]) -> ExitCode {
    mta_process::start::prepare();
    match run(words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Prints an error on standard error.
fn complain(error: &Error) {
    // Nobody is left to be told if standard error is closed.
    drop(io::Write::write_all(
        &mut io::stderr(),
        format!("{error}\n").as_bytes(),
    ));
}

/// Whose the configuration is.
fn owner(root: &ServerRoot) -> Result<Identity, Error> {
    Identity::of_owner(&root.config()).map_err(|error| match error {
        PrivilegeError::Owner { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            Error::NotConfigured(root.root().to_owned())
        }
        other => Error::Privilege(other),
    })
}

fn run(words: &[String]) -> Result<(), Error> {
    let command = match words {
        [] => None,
        words => Some(command::Command::parse(words)?),
    };
    if let Some(command::Command::Help { option }) = &command {
        // Help needs no server root.
        return session::print_help(option.as_deref());
    }
    let root = ServerRoot::new(mta_process::start::server_root()?);
    // All files that are written here belong to the owner of config; only restricted.cnf is
    // root's, and only a change of it keeps root.
    let restricted = command.as_ref().is_some_and(command::Command::is_for_root);
    let owner = owner(&root)?;
    if !is_root() {
        if Identity::current().uid != owner.uid {
            return Err(Error::NotPermitted(owner.user));
        }
    } else if !restricted && owner.uid != 0 {
        give_up_root(&owner)?;
    }
    match command {
        None => dialogue::run(&root),
        Some(command) => session::once(&root, &command),
    }
}
