//! What will be configured: the arguments, checked.

use super::Arguments;
use mta_config::ServerRoot;
use mta_config::value::Kind;
use mta_envelope::address::Address;
use mta_envelope::domain::{fold, is_host_name};
use mta_process::privilege::{Identity, PrivilegeError, is_root};
use mta_smtp::tls::{Acceptor, CertificateError};
use std::collections::HashSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The user whose server it is when root says no other.
const DEFAULT_USER: &str = "mailsrv";
/// Hosts that may relay when no network is named.
const LOOPBACK: [&str; 2] = ["127.0.0.1", "::1"];

/// What is wrong with the arguments.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A required value is missing and there is nobody to ask.
    #[error("{0} is required")]
    Missing(&'static str),
    /// A value that is none.
    #[error("{option}: {value:?} is no {expected}")]
    Bad {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Two services on one port.
    #[error("port {0} is given twice")]
    SamePort(u16),
    /// An account outside the domains.
    #[error("--account {account}: {domain} is none of the domains")]
    ForeignAccount {
        /// The account.
        account: String,
        /// Its domain.
        domain: String,
    },
    /// The same account again, whatever the case of its letters.
    #[error("--account {0} is given twice")]
    SameAccount(String),
    /// The postmaster would be one of our accounts, and there is none of that name.
    #[error("--postmaster {0}: there is no such --account")]
    NoPostmaster(String),
    /// Only one of the two TLS files.
    #[error("--tls-cert and --tls-key belong together")]
    HalfTls,
    /// A TLS file that the server user cannot read.
    #[error("{user} cannot read {}", path.display())]
    TlsFile {
        /// The server user.
        user: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// TLS files with which no connection could be served.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A directory on the way to the server root is closed to the server user.
    #[error("{user} cannot pass through {} to the server root", path.display())]
    Unreachable {
        /// The server user.
        user: String,
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The server root is somebody else's.
    #[error("{} belongs to {owner}; use --user {owner}", path.display())]
    Foreign {
        /// The configuration directory.
        path: PathBuf,
        /// Its owner.
        owner: String,
    },
    /// Only root or the owner of a server root may configure it.
    #[error("must be run as root or {0}")]
    NotPermitted(String),
    /// No LMTP server is part of this version.
    #[error("--lmtp-port: this version has no LMTP server")]
    NoLmtp,
    /// The server user cannot be used.
    #[error("--user")]
    User(#[from] PrivilegeError),
    /// Nobody but root can make files of others.
    #[error("--user {0}: only root can set up a server for another user")]
    OtherUser(String),
    /// Mail servers do not run as root.
    #[error("--user root: the server user must not be root")]
    Root,
}

/// The three places where clients connect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) smtp: u16,
    pub(super) submit: u16,
    pub(super) smtps: u16,
}

/// An account, split into its parts.
#[derive(Debug, Clone)]
pub(super) struct PlannedAccount {
    pub(super) local: String,
    pub(super) domain: String,
}

impl PlannedAccount {
    /// The address as it was given.
    pub(super) fn address(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// The address as the directory compares it.
    fn folded(&self) -> String {
        self.address().to_lowercase()
    }
}

/// What will be configured.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) host: String,
    pub(super) domains: Vec<String>,
    pub(super) listen: Option<IpAddr>,
    pub(super) ports: Ports,
    /// Patterns of INTERNAL_IP.
    pub(super) internal: Vec<String>,
    pub(super) nameservers: Option<String>,
    pub(super) accounts: Vec<PlannedAccount>,
    pub(super) tls: Option<(PathBuf, PathBuf)>,
    pub(super) postmaster: Option<String>,
    pub(super) user: Identity,
}

impl Plan {
    /// Checks all arguments but the user. To be asked with the user's own rights, as whether a
    /// file can be read depends on them.
    pub(super) fn for_user(arguments: &Arguments, user: Identity) -> Result<Self, PlanError> {
        if arguments.lmtp_port.is_some() {
            return Err(PlanError::NoLmtp);
        }
        let host = arguments
            .host
            .as_deref()
            .ok_or(PlanError::Missing("--host"))?;
        let host = host_name("--host", host)?;
        if !host.contains('.') {
            return Err(bad("--host", &host, "fully qualified host name"));
        }
        let domains: Result<Vec<String>, PlanError> = arguments
            .domains
            .iter()
            .map(|domain| host_name("--domain", domain))
            .collect();
        let mut domains = domains?;
        let mut seen = HashSet::new();
        domains.retain(|domain| seen.insert(domain.clone()));
        if domains.is_empty() {
            return Err(PlanError::Missing("--domain"));
        }
        let accounts: Result<Vec<PlannedAccount>, PlanError> = arguments
            .accounts
            .iter()
            .map(|account| planned(account, &domains))
            .collect();
        let accounts = accounts?;
        let mut seen = HashSet::new();
        if let Some(twice) = accounts
            .iter()
            .find(|account| !seen.insert(account.folded()))
        {
            return Err(PlanError::SameAccount(twice.address()));
        }
        let postmaster = match &arguments.postmaster {
            Some(address) => Some(postmaster(address, &domains, &accounts)?),
            None => accounts.first().map(PlannedAccount::address),
        };
        Ok(Self {
            listen: arguments.listen,
            ports: ports(arguments)?,
            internal: internal(&arguments.internal_networks)?,
            nameservers: nameservers(&arguments.nameservers)?,
            tls: tls(arguments, &user)?,
            user,
            host,
            domains,
            accounts,
            postmaster,
        })
    }
}

fn bad(option: &'static str, value: &str, expected: &'static str) -> PlanError {
    PlanError::Bad {
        option,
        value: value.to_owned(),
        expected,
    }
}

fn host_name(option: &'static str, name: &str) -> Result<String, PlanError> {
    let name = fold(name.trim().trim_end_matches('.'));
    if is_host_name(&name) && name.len() <= 128 {
        Ok(name)
    } else {
        Err(bad(option, &name, "host name"))
    }
}

fn ports(arguments: &Arguments) -> Result<Ports, PlanError> {
    let ports = Ports {
        smtp: arguments.smtp_port,
        submit: arguments.submit_port,
        smtps: arguments.smtps_port,
    };
    let all = [
        ("--smtp-port", ports.smtp),
        ("--submit-port", ports.submit),
        ("--smtps-port", ports.smtps),
    ];
    for (at, (option, port)) in all.iter().enumerate() {
        if *port == 0 {
            return Err(bad(option, "0", "port"));
        }
        if all[..at].iter().any(|(_, other)| other == port) {
            return Err(PlanError::SamePort(*port));
        }
    }
    Ok(ports)
}

/// The patterns that INTERNAL_IP has for these networks.
fn internal(networks: &[String]) -> Result<Vec<String>, PlanError> {
    let loopback = || {
        LOOPBACK
            .iter()
            .map(|address| (*address).to_owned())
            .collect()
    };
    let networks = if networks.is_empty() {
        loopback()
    } else {
        networks.to_vec()
    };
    let mut patterns = Vec::new();
    for network in networks.iter().flat_map(|list| list.split(',')) {
        let network = network.trim();
        let expected = "IP address or network such as 192.0.2.0/24";
        let (address, bits) = match network.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (network, None),
        };
        let parsed: IpAddr = address
            .parse()
            .map_err(|_| bad("--internal-network", network, expected))?;
        let longest = if parsed.is_ipv4() { 32 } else { 128 };
        let bits: Option<u8> = match bits {
            None => None,
            Some(bits) => {
                let bits = bits.parse().ok().filter(|bits| *bits <= longest);
                Some(bits.ok_or_else(|| bad("--internal-network", network, expected))?)
            }
        };
        patterns.push(match (parsed, bits) {
            (IpAddr::V4(address), None) => address.to_string(),
            (IpAddr::V4(address), Some(bits)) => format!("$({address}/{bits})"),
            (IpAddr::V6(address), None) => format!("${{{address}}}"),
            (IpAddr::V6(address), Some(bits)) => format!("${{{address}/{bits}}}"),
        });
    }
    Ok(patterns)
}

fn nameservers(given: &[String]) -> Result<Option<String>, PlanError> {
    if given.is_empty() {
        return Ok(None);
    }
    let text = given.join(" ");
    match Kind::Endpoints.read(&text) {
        Ok(mta_config::value::Value::List(servers)) => Ok(Some(servers.join(" "))),
        Ok(_) | Err(_) => Err(bad("--nameserver", &text, "address:port")),
    }
}

fn planned(account: &str, domains: &[String]) -> Result<PlannedAccount, PlanError> {
    let expected = "address of an account: letters, digits, '.', '_', '-' before the domain";
    let address = Address::parse(account).map_err(|_| bad("--account", account, expected))?;
    let local = address.local();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let legal = local.chars().all(plain)
        && local.starts_with(|c: char| c.is_ascii_alphanumeric())
        && local.len() <= 64
        && address.route().is_none();
    let domain = fold(address.domain().unwrap_or_default());
    if !legal || domain.is_empty() {
        return Err(bad("--account", account, expected));
    }
    if !domains.contains(&domain) {
        let account = account.to_owned();
        return Err(PlanError::ForeignAccount { account, domain });
    }
    Ok(PlannedAccount {
        local: local.to_owned(),
        domain,
    })
}

fn postmaster(
    address: &str,
    domains: &[String],
    accounts: &[PlannedAccount],
) -> Result<String, PlanError> {
    let wrong = || bad("--postmaster", address, "mail address with a domain");
    let parsed = Address::parse(address).map_err(|_| wrong())?;
    let domain = fold(parsed.domain().ok_or_else(wrong)?);
    let folded = format!("{}@{domain}", parsed.local()).to_lowercase();
    let known = accounts.iter().any(|account| account.folded() == folded);
    if domains.contains(&domain) && !known {
        return Err(PlanError::NoPostmaster(parsed.as_str().to_owned()));
    }
    Ok(parsed.as_str().to_owned())
}

/// The TLS files, if connections can be served with them. Their names are kept as they are,
/// links included: renewing a certificate often means to turn a link.
fn tls(arguments: &Arguments, user: &Identity) -> Result<Option<(PathBuf, PathBuf)>, PlanError> {
    let (cert, key) = match (&arguments.tls_cert, &arguments.tls_key) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (readable(cert, user)?, readable(key, user)?),
        (Some(_), None) | (None, Some(_)) => return Err(PlanError::HalfTls),
    };
    Acceptor::load(&cert, &key)?;
    Ok(Some((cert, key)))
}

/// The absolute name of a file that can be read now.
fn readable(path: &Path, user: &Identity) -> Result<PathBuf, PlanError> {
    let failed = |source| PlanError::TlsFile {
        user: user.user.clone(),
        path: path.to_owned(),
        source,
    };
    let full = std::path::absolute(path).map_err(failed)?;
    std::fs::File::open(&full).map_err(failed)?;
    Ok(full)
}

/// The server user: the one asked for; else, as root, that of the root if it is configured
/// already.
pub(super) fn user(root: &ServerRoot, given: Option<&str>) -> Result<Identity, PlanError> {
    let user = if is_root() {
        let known = mta_config::source::read_restricted(root).ok();
        let known = known.map(|accounts| accounts.user);
        let name = given.or(known.as_deref()).unwrap_or(DEFAULT_USER);
        Identity::lookup(name, None)?
    } else {
        let current = Identity::current();
        if let Some(other) = given.filter(|user| *user != current.user) {
            return Err(PlanError::OtherUser(other.to_owned()));
        }
        current
    };
    if user.uid == 0 {
        return Err(PlanError::Root);
    }
    owned_by(root, &user)?;
    Ok(user)
}

/// Whether the server root is that user's, if it is anybody's. One that was left half made by
/// root is free.
fn owned_by(root: &ServerRoot, user: &Identity) -> Result<(), PlanError> {
    let path = root.config();
    let Ok(owner) = Identity::of_owner(&path) else {
        return Ok(());
    };
    match (owner.uid == user.uid, is_root()) {
        (true, _) => Ok(()),
        (false, true) if owner.uid == 0 => Ok(()),
        (false, true) => Err(PlanError::Foreign {
            path,
            owner: owner.user,
        }),
        (false, false) => Err(PlanError::NotPermitted(owner.user)),
    }
}

/// Whether the server root can be reached by whoever this process is now.
pub(super) fn reachable(root: &ServerRoot, user: &Identity) -> Result<(), PlanError> {
    let mut way: Vec<&Path> = root.root().ancestors().collect();
    way.reverse();
    for path in way {
        // The dot makes the system look through the directory, not just at it.
        std::fs::metadata(path.join(".")).map_err(|source| PlanError::Unreachable {
            user: user.user.clone(),
            path: path.to_owned(),
            source,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> Arguments {
        Arguments {
            host: Some("Mail.Example.com".into()),
            domains: vec!["example.com".into(), "example.org".into()],
            smtp_port: 2525,
            submit_port: 2587,
            smtps_port: 2465,
            ..Arguments::default()
        }
    }

    #[test]
    fn networks_become_patterns() {
        let patterns = |networks: &[&str]| {
            let networks: Vec<String> = networks.iter().map(|n| (*n).to_owned()).collect();
            internal(&networks).map_err(|error| error.to_string())
        };
        assert_eq!(patterns(&[]).unwrap(), ["127.0.0.1", "${::1}"]);
        assert_eq!(
            patterns(&["192.0.2.0/24", "2001:db8::/32,10.0.0.1"]).unwrap(),
            ["$(192.0.2.0/24)", "${2001:db8::/32}", "10.0.0.1"]
        );
        for text in ["192.0.2.0/33", "example.com", "", "::/129", "1.2.3"] {
            assert!(patterns(&[text]).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        type Change = fn(&mut Arguments);
        let table: [(Change, &str); 11] = [
            (|a| a.host = None, "--host is required"),
            (
                |a| a.host = Some("mail".into()),
                "--host: \"mail\" is no fully qualified host name",
            ),
            (|a| a.domains.clear(), "--domain is required"),
            (|a| a.submit_port = 2525, "port 2525 is given twice"),
            (
                |a| a.accounts = vec!["ada@example.net".into()],
                "--account ada@example.net: example.net is none of the domains",
            ),
            (
                |a| a.lmtp_port = Some(24),
                "--lmtp-port: this version has no LMTP server",
            ),
            (
                |a| a.tls_cert = Some("x".into()),
                "--tls-cert and --tls-key belong together",
            ),
            (
                |a| a.postmaster = Some("ada".into()),
                "--postmaster: \"ada\" is no mail address with a domain",
            ),
            (
                |a| a.accounts = vec!["ada@example.com".into(), "ADA@Example.com".into()],
                "--account ADA@example.com is given twice",
            ),
            (
                |a| a.postmaster = Some("postmaster@Example.com".into()),
                "--postmaster postmaster@Example.com: there is no such --account",
            ),
            (
                |a| {
                    a.tls_cert = Some("/etc/passwd".into());
                    a.tls_key = Some("/etc/group".into());
                },
                "no certificate in /etc/passwd",
            ),
        ];
        for (change, text) in table {
            let mut arguments = arguments();
            change(&mut arguments);
            let error = Plan::for_user(&arguments, Identity::current()).expect_err(text);
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn a_domain_given_twice_is_one() {
        let mut arguments = arguments();
        arguments.domains.push("EXAMPLE.com".into());
        arguments.accounts = vec!["ada@example.org".into()];
        arguments.postmaster = Some("ADA@example.org".into());
        let plan = Plan::for_user(&arguments, Identity::current()).unwrap();
        assert_eq!(plan.domains, ["example.com", "example.org"]);
        assert_eq!(plan.postmaster.as_deref(), Some("ADA@example.org"));
    }

    #[test]
    fn accounts_become_paths_and_names_so_they_are_plain() {
        let domains = ["example.com".to_owned()];
        assert!(planned("a.d-a_1@Example.com", &domains).is_ok());
        for account in [
            "../x@example.com",
            "a+b@example.com",
            "a,b@example.com",
            ".a@example.com",
            "a@",
            "ada",
        ] {
            assert!(planned(account, &domains).is_err(), "{account}");
        }
    }
}
