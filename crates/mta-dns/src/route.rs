//! The hosts that may take a domain's mail, in the order in which they are tried
//! (RFC 5321 §5.1).

use std::net::IpAddr;

use mta_envelope::domain;
use mta_envelope::status::Status;

use crate::resolver::{Failure, Mx, Resolver};

/// What the channel says about finding a host.
#[derive(Debug, Clone)]
pub struct Options {
    /// Ask for MX records (not `nomx`, `nodns`).
    pub mx: bool,
    /// Shuffle records of equal preference (`randommx`, `defaultmx`).
    pub shuffle: bool,
    /// Our own names: such a host and whatever is no better is left out.
    pub ourselves: Vec<String>,
    /// `lastresort`: a host behind all others.
    pub last_resort: Option<String>,
    /// `MAX_MX_RECORDS`.
    pub max_mx_records: usize,
    /// `MAX_A_RECORDS`.
    pub max_addresses: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mx: true,
            shuffle: true,
            ourselves: Vec::new(),
            last_resort: None,
            max_mx_records: 32,
            max_addresses: 32,
        }
    }
}

/// One host to try, with at least one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Its name, or the literal.
    pub host: String,
    /// Its preference; 0 without MX records, `u16::MAX` for `lastresort`.
    pub preference: u16,
    /// In the order in which they are tried.
    pub addresses: Vec<IpAddr>,
}

/// Why there is no host to try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The domain has neither MX nor address records.
    #[error("unknown host or domain {domain}")]
    NoSuchDomain {
        /// The domain.
        domain: String,
    },
    /// The domain takes no mail (RFC 7505).
    #[error("domain {domain} does not accept mail")]
    NullMx {
        /// The domain.
        domain: String,
    },
    /// There are MX records, and none of their hosts has an address.
    #[error("no mail exchanger of {domain} has an address")]
    NoAddress {
        /// The domain.
        domain: String,
    },
    /// We are the best host of the domain ourselves.
    #[error("mail for {domain} loops back to this system")]
    Loop {
        /// The domain.
        domain: String,
    },
    /// The question could not be answered now.
    #[error("cannot look up {name}: {text}")]
    Temporary {
        /// The name that could not be looked up.
        name: String,
        /// What was wrong.
        text: String,
    },
}

impl RouteError {
    /// The enhanced status code.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::NoSuchDomain { .. } => Status::UNKNOWN_HOST,
            Self::NullMx { .. } => Status::new(5, 1, 10),
            Self::NoAddress { .. } => Status::new(5, 4, 4),
            Self::Loop { .. } => Status::new(5, 4, 6),
            Self::Temporary { .. } => Status::new(4, 4, 3),
        }
    }
}

/// The hosts for `domain`, best first. `random` is asked for numbers when ties are shuffled.
///
/// # Errors
/// [`RouteError`]; an empty route is never returned.
pub fn route(
    domain: &str,
    options: &Options,
    resolver: &dyn Resolver,
    random: &mut dyn FnMut() -> u32,
) -> Result<Vec<Exchange>, RouteError> {
    if let Some(address) = domain::literal_address(domain) {
        return Ok(vec![Exchange {
            host: domain.to_owned(),
            preference: 0,
            addresses: vec![address],
        }]);
    }
    let name = domain.strip_suffix('.').unwrap_or(domain);
    if !domain::is_host_name(name) {
        return Err(no_such_domain(domain));
    }
    let hosts = hosts(name, options, resolver, random)?;
    with_addresses(name, hosts, options, resolver)
}

/// What is known about the hosts before anybody asked for their addresses.
enum Hosts {
    Exchangers(Vec<Mx>),
    /// The domain itself (RFC 5321 §5.1: implicit MX).
    Itself,
}

fn hosts(
    name: &str,
    options: &Options,
    resolver: &dyn Resolver,
    random: &mut dyn FnMut() -> u32,
) -> Result<Hosts, RouteError> {
    if !options.mx {
        return Ok(Hosts::Itself);
    }
    let mut records = match resolver.mx(name) {
        Ok(records) => records,
        Err(Failure::NoRecords) => return Ok(Hosts::Itself),
        Err(Failure::NoSuchName) => return Err(no_such_domain(name)),
        Err(Failure::Temporary(text)) => return Err(temporary(name, text)),
    };
    let domain = name.to_owned();
    if records.iter().all(|mx| is_root(&mx.host)) {
        return Err(RouteError::NullMx { domain });
    }
    records.retain(|mx| !is_root(&mx.host));
    if options.shuffle {
        shuffle(&mut records, random);
    }
    // Stable: equal preferences stay in the order received, or shuffled.
    records.sort_by_key(|mx| mx.preference);
    let ours = |mx: &&Mx| {
        options
            .ourselves
            .iter()
            .any(|us| domain::same(us, &mx.host))
    };
    if let Some(own) = records.iter().find(ours).map(|mx| mx.preference) {
        records.retain(|mx| mx.preference < own);
    }
    if records.is_empty() {
        return Err(RouteError::Loop { domain });
    }
    records.truncate(options.max_mx_records.max(1));
    Ok(Hosts::Exchangers(records))
}

fn with_addresses(
    name: &str,
    hosts: Hosts,
    options: &Options,
    resolver: &dyn Resolver,
) -> Result<Vec<Exchange>, RouteError> {
    let implicit = matches!(hosts, Hosts::Itself);
    let hosts = match hosts {
        Hosts::Itself => vec![Mx {
            preference: 0,
            host: name.to_owned(),
        }],
        Hosts::Exchangers(records) => records,
    };
    let mut exchanges = Vec::with_capacity(hosts.len());
    let mut trouble = None;
    for mx in hosts {
        match exchange(&mx.host, mx.preference, options, resolver) {
            Ok(exchange) => exchanges.push(exchange),
            Err(Failure::Temporary(text)) => trouble = Some(temporary(&mx.host, text)),
            Err(Failure::NoSuchName | Failure::NoRecords) => {}
        }
    }
    let known = trouble.is_none() && exchanges.is_empty();
    if known && implicit {
        return Err(no_such_domain(name));
    }
    // The last resort takes mail of domains that exist and cannot be reached.
    if let Some(host) = &options.last_resort {
        exchanges.extend(exchange(host, u16::MAX, options, resolver));
    }
    if exchanges.is_empty() {
        let domain = name.to_owned();
        return Err(trouble.unwrap_or(RouteError::NoAddress { domain }));
    }
    Ok(exchanges)
}

fn exchange(
    host: &str,
    preference: u16,
    options: &Options,
    resolver: &dyn Resolver,
) -> Result<Exchange, Failure> {
    let mut addresses = match domain::literal_address(host) {
        Some(address) => vec![address],
        None => resolver.addresses(host)?,
    };
    addresses.truncate(options.max_addresses.max(1));
    Ok(Exchange {
        host: host.to_owned(),
        preference,
        addresses,
    })
}

fn is_root(host: &str) -> bool {
    host.is_empty() || host == "."
}

/// Fisher and Yates. The bias of the remainder is nothing for 32 records.
fn shuffle(records: &mut [Mx], random: &mut dyn FnMut() -> u32) {
    for last in (1..records.len()).rev() {
        let choice = random() as usize % (last + 1);
        records.swap(last, choice);
    }
}

fn no_such_domain(domain: &str) -> RouteError {
    RouteError::NoSuchDomain {
        domain: domain.to_owned(),
    }
}

fn temporary(name: &str, text: String) -> RouteError {
    RouteError::Temporary {
        name: name.to_owned(),
        text,
    }
}

/// A random number from the system, for [`route`]'s last argument. Without a source of random
/// numbers ties stay in a fixed order.
#[must_use]
pub fn system_random() -> u32 {
    getrandom::u32().unwrap_or_default()
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
