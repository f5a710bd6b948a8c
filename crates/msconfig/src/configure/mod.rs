//! `configure`: makes the first configuration of a server root.
//!
//! Everything is decided before anything is written (`plan`), with the rights of the server user,
//! who will have to read and reach what was named; then the directories are made as root, root is
//! given up, and the files are written (`place`). `config.xml` comes last, so that a run that was
//! interrupted leaves no root that looks configured.

mod accounts;
mod ask;
mod initial;
mod place;
mod plan;
mod scram;

pub use accounts::AccountError;
pub use plan::PlanError;

use mta_config::ServerRoot;
use mta_process::privilege::{PrivilegeError, Rights};
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
    let user = plan::user(&root, arguments.user.as_deref())?;
    let rights = Rights::lower(user.clone())?;
    plan::reachable(&root, &user)?;
    let plan = plan::Plan::for_user(&arguments, user)?;
    let accounts = accounts::make(&plan)?;
    place::place(&root, &plan, &accounts, &rights)?;
    for account in &accounts {
        mta_command::output::line(&format!(
            "{} password: {}",
            account.address, account.password
        ));
    }
    for line in shortcomings(&plan) {
        mta_command::output::line(&line);
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

/// What the new server will not do, and what would make it.
fn shortcomings(plan: &plan::Plan) -> Vec<String> {
    let mut lines = Vec::new();
    if plan.tls.is_none() {
        lines.push(format!(
            "No certificate: nobody can log in to submit mail on port {}, and port {} closes \
             every connection, until tls_certificate and tls_key are set (msconfig set)",
            plan.ports.submit, plan.ports.smtps
        ));
    }
    if plan.postmaster.is_none() {
        lines.push(
            "No account and no --postmaster: mail to postmaster is refused, and copies of notices \
             reach nobody, until alias:postmaster.alias_entry is set (msconfig set)"
                .to_owned(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_process::privilege::Identity;

    #[test]
    fn what_a_server_cannot_do_is_said() {
        let mut arguments = Arguments {
            host: Some("mail.example.com".into()),
            domains: vec!["example.com".into()],
            smtp_port: 25,
            submit_port: 587,
            smtps_port: 465,
            ..Arguments::default()
        };
        let said = |arguments: &Arguments| {
            shortcomings(&plan::Plan::for_user(arguments, Identity::current()).unwrap())
        };
        let lines = said(&arguments);
        assert!(lines[0].contains("port 587, and port 465 closes"));
        assert!(lines[1].contains("mail to postmaster is refused"));
        arguments.postmaster = Some("ops@example.net".into());
        assert_eq!(said(&arguments).len(), 1);
    }
}
