//! What will be configured: the arguments, checked.

use super::Arguments;
use mta_config::value::Kind;
use mta_envelope::address::Address;
use mta_envelope::domain::{fold, is_host_name};
use mta_process::privilege::{Identity, PrivilegeError, is_root};
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
    /// Only one of the two TLS files.
    #[error("--tls-cert and --tls-key belong together")]
    HalfTls,
    /// A TLS file that is not there.
    #[error("cannot read {}", path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
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
    /// Checks the arguments, and finds the server user.
    pub(super) fn of(arguments: &Arguments) -> Result<Self, PlanError> {
        Self::for_user(arguments, user(arguments.user.as_deref())?)
    }

    /// Checks all arguments but the user.
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
        let domains = domains?;
        if domains.is_empty() {
            return Err(PlanError::Missing("--domain"));
        }
        let accounts: Result<Vec<PlannedAccount>, PlanError> = arguments
            .accounts
            .iter()
            .map(|account| planned(account, &domains))
            .collect();
        let accounts = accounts?;
        let postmaster = match &arguments.postmaster {
            Some(address) => Some(postmaster(address)?),
            None => accounts
                .first()
                .map(|first| format!("{}@{}", first.local, first.domain)),
        };
        Ok(Self {
            listen: arguments.listen,
            ports: ports(arguments)?,
            internal: internal(&arguments.internal_networks)?,
            nameservers: nameservers(&arguments.nameservers)?,
            tls: tls(arguments)?,
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

fn postmaster(address: &str) -> Result<String, PlanError> {
    let wrong = || bad("--postmaster", address, "mail address with a domain");
    let parsed = Address::parse(address).map_err(|_| wrong())?;
    if parsed.domain().is_none() {
        return Err(wrong());
    }
    Ok(parsed.as_str().to_owned())
}

fn tls(arguments: &Arguments) -> Result<Option<(PathBuf, PathBuf)>, PlanError> {
    match (&arguments.tls_cert, &arguments.tls_key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => Ok(Some((readable(cert)?, readable(key)?))),
        (Some(_), None) | (None, Some(_)) => Err(PlanError::HalfTls),
    }
}

/// The full name of a file that can be read now.
fn readable(path: &Path) -> Result<PathBuf, PlanError> {
    let failed = |source| PlanError::TlsFile {
        path: path.to_owned(),
        source,
    };
    let full = path.canonicalize().map_err(failed)?;
    std::fs::File::open(&full).map_err(failed)?;
    Ok(full)
}

fn user(given: Option<&str>) -> Result<Identity, PlanError> {
    let user = if is_root() {
        Identity::lookup(given.unwrap_or(DEFAULT_USER), None)?
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
    Ok(user)
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
        let table: [(Change, &str); 8] = [
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
        ];
        for (change, text) in table {
            let mut arguments = arguments();
            change(&mut arguments);
            let error = Plan::for_user(&arguments, Identity::current()).expect_err(text);
            assert_eq!(error.to_string(), text);
        }
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
