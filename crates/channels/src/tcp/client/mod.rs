//! The SMTP client: the master program of the `tcp_*` channels.
//!
//! ```text
//! settings   what the channel's options mean, once
//! route      which hosts take mail for a destination
//! cache      which destinations have just failed
//! session    a connection to one of the hosts
//! content    the message in the form the peer can take; spool holds what was encoded
//! report     what the peer's words mean for a recipient
//! log        connection records
//! ```
//!
//! Each thread keeps at most one connection, to the destination of its last message; the Job
//! Controller hands out messages host by host, so that most go over a connection that is open
//! already. A message may crash us or the network may at any instant: the recipient then counts
//! as not tried, and the duplicate that a lost final reply can cause is the price of never
//! losing mail.

mod cache;
mod content;
mod deliver;
mod log;
mod report;
mod route;
mod session;
mod settings;
mod spool;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use mta_channel::dequeue::{Deliverer, JobThread, MasterError, run_master};
use mta_config::channel::Channel;
use mta_config::{Config, ServerRoot};
use mta_envelope::names::ChannelName;
use mta_log::writer::Writer;
use mta_smtp::tls::{Connector, TlsError};

use self::cache::HostCache;
use self::deliver::TcpClient;
use self::route::Router;
use self::settings::Settings;
use super::identity::loop_digits;
use crate::master::{self, Arguments};

/// The client could not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// As every master program.
    #[error(transparent)]
    Master(#[from] master::Error),
    /// The TLS library cannot be used.
    #[error("cannot initialise TLS")]
    Tls(#[from] TlsError),
}

impl mta_process::Failure for Error {
    fn code(&self) -> u8 {
        match self {
            Self::Master(error) => error.code(),
            Self::Tls(_) => 1,
        }
    }
}

/// What the threads of a program share.
pub(crate) struct Shared {
    config: Arc<Config>,
    channel: ChannelName,
    settings: Settings,
    router: Router,
    connector: Connector,
    cache: HostCache,
    /// For connection records; those of messages are written by the loop.
    writer: Writer,
    /// For what is too large for memory while it is encoded.
    folder: PathBuf,
    /// What XLOOP shows if the remote system is this one.
    own_xloop: String,
}

impl Shared {
    fn new(root: &ServerRoot, config: &Arc<Config>, channel: &Channel) -> Result<Self, TlsError> {
        let settings = Settings::of(config, channel);
        Ok(Self {
            config: Arc::clone(config),
            channel: channel.name().clone(),
            router: Router::new(config, channel, &settings),
            settings,
            connector: Connector::opportunistic()?,
            cache: HostCache::default(),
            writer: Writer::new(&root.log(), mta_log::layout::Options::of(config)),
            folder: root.tmp(),
            own_xloop: loop_digits(config, root),
        })
    }
}

/// Runs the channel program.
///
/// # Errors
/// [`Error`] when it cannot begin.
pub fn run(arguments: &Arguments) -> Result<(), Error> {
    let mut setup = master::prepare("tcp_smtp_client", arguments)?;
    let channel = setup.config.channel(&setup.channel);
    let channel = channel.ok_or_else(|| MasterError::NoSuchChannel {
        channel: setup.channel.clone(),
    });
    let channel = channel.map_err(master::Error::from)?;
    let shared = Arc::new(Shared::new(&setup.root, &setup.config, channel)?);
    setup.threads = shared.settings.threads;
    let make = |thread: &JobThread| -> Box<dyn Deliverer> {
        let number = u32::from(thread.number) + 1;
        let client = TcpClient::new(Arc::clone(&shared), number, thread.debug.clone());
        Box::new(client.asking(thread.enqueuer.clone()))
    };
    run_master(&setup, &make).map_err(master::Error::from)?;
    Ok(())
}
