//! What DNS says of clients and senders.

use mta_channel::enqueue::{Refusal, ReverseName};
use mta_config::{Channel, ChannelOption, Config, MtaOption};
use mta_dns::hickory::{Dns, Settings};
use mta_dns::resolver::{Failure, Resolver};
use mta_envelope::address::Address;
use mta_envelope::domain;
use mta_envelope::status::Status;
use std::net::IpAddr;
use std::time::Duration;

/// How long a reverse look-up may delay a banner.
const PATIENCE: Duration = Duration::from_secs(5);

/// The resolver of this process; it starts with its first question.
pub(super) fn resolver(config: &Config) -> Dns {
    let servers = config.mta.list(MtaOption::DnsNameservers);
    Dns::new(Settings {
        nameservers: servers
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect(),
        ..Settings::default()
    })
}

/// The client's name by reverse DNS, if the channel's `ident` word wants it.
pub(super) fn of_client(dns: &Dns, initial: &Channel, address: IpAddr) -> ReverseName {
    if initial.is(ChannelOption::Identnonenumeric) {
        return ReverseName::NotAsked;
    }
    match dns.names_within(address, PATIENCE) {
        Ok(names) => names
            .into_iter()
            .next()
            .map_or(ReverseName::Unknown, |name| {
                confirmed(dns, initial, address, name)
            }),
        Err(_) => ReverseName::Unknown,
    }
}

/// `forwardcheckdelete`: a name that does not lead back to the address is none.
fn confirmed(dns: &Dns, initial: &Channel, address: IpAddr, name: String) -> ReverseName {
    if !initial.is(ChannelOption::Forwardcheckdelete) {
        return ReverseName::Known(name);
    }
    match dns.addresses(&name) {
        Ok(found) if found.contains(&address.to_canonical()) => ReverseName::Known(name),
        Ok(_) | Err(_) => ReverseName::Unknown,
    }
}

/// `mailfromdnsverify`: the sender's domain must be known to the DNS.
pub(super) fn verify_sender(dns: &Dns, config: &Config, sender: &Address) -> Result<(), Refusal> {
    let Some(name) = sender.domain() else {
        return Ok(());
    };
    if domain::literal(name).is_some() {
        return Ok(());
    }
    let known = match dns.mx(name) {
        Err(Failure::NoSuchName | Failure::NoRecords) => dns.addresses(name).map(drop),
        other => other.map(drop),
    };
    match known {
        Ok(()) => Ok(()),
        Err(Failure::NoSuchName | Failure::NoRecords) => {
            let text = config.mta.text(MtaOption::ErrorTextMailfromdnsverify);
            let text = text.unwrap_or("invalid/host-not-in-DNS return address not allowed");
            Err(Refusal::permanent(
                Status::new(5, 1, 8),
                text,
                sender.as_str(),
            ))
        }
        Err(Failure::Temporary(_)) => {
            let text = "the DNS cannot tell now whether the return address exists";
            Err(Refusal::temporary(
                Status::new(4, 1, 8),
                text,
                sender.as_str(),
            ))
        }
    }
}
