//! `configure`: makes the first configuration of a server root.
//!
//! Everything is decided before anything is written (`plan`); then the directories are made,
//! root is given up, and the files are written (`place`). `config.xml` comes last, so that a
//! run that was interrupted leaves no root that looks configured.

mod accounts;
mod ask;
mod initial;
mod notices;
mod place;
mod plan;
mod scram;

pub use accounts::AccountError;
pub use plan::PlanError;

use mta_config::ServerRoot;
use mta_process::privilege::PrivilegeError;
use mta_process::start::StartError;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

/// What the user asks for.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    /// Name of this host.
    pub host: Option<String>,
    /// Domains with accounts; the first is the default domain.
    pub domains: Vec<String>,
    /// Address that services bind; all when unset.
    pub listen: Option<IpAddr>,
    /// Port of incoming mail.
    pub smtp_port: u16,
    /// Port of submission.
    pub submit_port: u16,
    /// Port of submission that begins with TLS.
    pub smtps_port: u16,
    /// Port of the LMTP server, if one is wanted.
    pub lmtp_port: Option<u16>,
    /// Networks whose hosts may relay; the loopback addresses when empty.
    pub internal_networks: Vec<String>,
    /// Name servers to ask; the system's when empty.
    pub nameservers: Vec<String>,
    /// Accounts to make.
    pub accounts: Vec<String>,
    /// The server user.
    pub user: Option<String>,
    /// Certificate chain for TLS.
    pub tls_cert: Option<PathBuf>,
    /// Key of that certificate.
    pub tls_key: Option<PathBuf>,
    /// Who gets the postmaster's mail.
    pub postmaster: Option<String>,
    /// Whether an existing configuration may be replaced.
    pub force: bool,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server root is not known.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is a configuration already.
    #[error("{} is there already; --force replaces it", path.display())]
    Configured {
        /// Its file.
        path: PathBuf,
    },
    /// Something that was asked for makes no sense, or something is missing.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An account could not be made.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The server user cannot be used.
    #[error(transparent)]
    User(#[from] PrivilegeError),
    /// A file or directory could not be made.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What was written does not load: an error of ours.
    #[error("the new configuration does not load: {0}")]
    Unusable(#[source] mta_config::fault::LoadFault),
    /// Another program is changing the configuration.
    #[error("the configuration is being changed by another process")]
    Busy,
}

impl mta_process::Failure for Error {}

/// Makes the configuration.
///
/// # Errors
/// [`Error`]; nothing is written unless all that was asked for makes sense.
pub fn run(mut arguments: Arguments) -> Result<(), Error> {
    mta_process::start::prepare();
    let root = ServerRoot::new(mta_process::start::server_root()?);
    let path = root.config_xml();
    if path.exists() && !arguments.force {
        return Err(Error::Configured { path });
    }
    if mta_command::prompt::is_interactive() {
        ask::complete(&mut arguments);
    }
    let plan = plan::Plan::of(&arguments)?;
    let accounts = accounts::make(&plan)?;
    place::place(&root, &plan, &accounts)?;
    for account in &accounts {
        mta_command::output::line(&format!(
            "{} password: {}",
            account.address, account.password
        ));
    }
    let bin = root.bin();
    mta_command::output::line(&format!(
        "Configured {}. Next: {}, then {}",
        root.root().display(),
        bin.join("imsimta cnbuild").display(),
        bin.join("start-msg").display()
    ));
    Ok(())
}
