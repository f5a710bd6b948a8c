//! Where mail for a destination is brought: the hosts in the order in which they are tried.

use std::net::IpAddr;
use std::path::Path;

use mta_config::channel::{Channel, ChannelOption};
use mta_config::value::endpoint;
use mta_config::{Config, MtaOption};
use mta_dns::hickory::{Dns, Settings as DnsSettings};
use mta_dns::resolver::{Resolver, Table};
use mta_dns::route::{Exchange, Options, RouteError, route, system_random};
use mta_envelope::status::Report;

use super::settings::{Lookup, Settings};

/// The system's own table of hosts, which `nodns` asks instead of the DNS.
const HOST_TABLE: &str = "/etc/hosts";
/// More of the host table is not read.
const MAX_HOST_TABLE: u64 = 16 << 20;

/// Finds the hosts for destinations; one for all threads of a program.
pub(super) struct Router {
    resolver: Box<dyn Resolver + Send + Sync>,
    options: Options,
}

impl Router {
    /// A router for a channel. Nothing is asked before the first destination.
    pub(super) fn new(config: &Config, channel: &Channel, settings: &Settings) -> Self {
        let resolver: Box<dyn Resolver + Send + Sync> = match settings.lookup {
            Lookup::HostTable => Box::new(host_table(Path::new(HOST_TABLE))),
            Lookup::Exchanges { .. } | Lookup::Addresses => Box::new(dns(config, channel)),
        };
        let ourselves = [config.local_host(), config.hostname.as_str()];
        Self::with_resolver(resolver, settings, ourselves.map(str::to_owned).to_vec())
    }

    /// A router that asks `resolver`; `ourselves` are the names of this system.
    pub(super) fn with_resolver(
        resolver: Box<dyn Resolver + Send + Sync>,
        settings: &Settings,
        ourselves: Vec<String>,
    ) -> Self {
        let options = Options {
            mx: matches!(settings.lookup, Lookup::Exchanges { .. }),
            shuffle: settings.lookup == Lookup::Exchanges { shuffled: true },
            ourselves,
            last_resort: settings.last_resort.clone(),
            max_mx_records: settings.max_exchanges,
            max_addresses: settings.max_addresses,
        };
        Self { resolver, options }
    }

    /// The hosts for `destination`, best first. `as_host` for the `daemon` option: a host, whose
    /// MX records say nothing about where we want to go.
    ///
    /// # Errors
    /// A report whose status says whether asking later may help.
    pub(super) fn hosts(&self, destination: &str, as_host: bool) -> Result<Vec<Exchange>, Report> {
        let mut options = self.options.clone();
        options.mx = options.mx && !as_host;
        let hosts = route(destination, &options, &*self.resolver, &mut system_random);
        hosts.map_err(|error| report(&error))
    }
}

fn report(error: &RouteError) -> Report {
    let reason = match error {
        // The product's words for it, as operators know them from notices.
        RouteError::NoSuchDomain { domain } => format!("Illegal host/domain name found: {domain}"),
        RouteError::NullMx { .. }
        | RouteError::NoAddress { .. }
        | RouteError::Loop { .. }
        | RouteError::Temporary { .. } => error.to_string(),
    };
    Report::local(error.status(), &reason)
}

/// The DNS: the channel's `nameservers`, else `dns_nameservers`, else the system's.
fn dns(config: &Config, channel: &Channel) -> Dns {
    let own = channel.list(ChannelOption::Nameservers);
    let general = config.mta.list(MtaOption::DnsNameservers);
    let names = if own.is_empty() { general } else { own };
    Dns::new(DnsSettings {
        nameservers: names.iter().filter_map(|name| endpoint(name)).collect(),
        ..DnsSettings::default()
    })
}

/// Reads a table of hosts. One that cannot be read is empty: its names are unknown then, as they
/// would be if they were missing from it.
fn host_table(path: &Path) -> Table {
    use std::io::Read as _;

    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(MAX_HOST_TABLE).read_to_string(&mut text));
    drop(read);
    let mut table = Table::default();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else {
            continue;
        };
        for name in words {
            table.add_address(name, address);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_tables_are_read_without_their_comments() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "# x\n192.0.2.1 one.example uno # two.example\nnonsense\n::1 six.example\n";
        std::fs::write(file.path(), text).unwrap();
        let table = host_table(file.path());
        let one: IpAddr = [192, 0, 2, 1].into();
        assert_eq!(table.addresses("uno"), Ok(vec![one]));
        assert!(table.addresses("two.example").is_err());
        assert!(table.addresses("six.example").is_ok());
        assert!(host_table(Path::new("/nowhere")).addresses("uno").is_err());
    }
}
