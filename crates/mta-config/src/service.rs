//! What the Dispatcher serves: its services, each with its ports and limits.

use mta_envelope::names::{ChannelName, ServiceName};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The Dispatcher's options.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatcherOptions {
    /// Debug mask; -1 for all.
    pub debug: i64,
    /// Seconds for which closed connections and ended processes stay in the statistics.
    pub historical_time: u64,
    /// The services, by name.
    pub services: Vec<Service>,
}

impl DispatcherOptions {
    /// The service of that name, in any case.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        let mut services = self.services.iter();
        services.find(|service| service.name.as_str().eq_ignore_ascii_case(name))
    }
}

/// One service: where it listens, which program serves it, and how many of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name, for example `SMTP`.
    pub name: ServiceName,
    /// Whether it is started.
    pub enable: bool,
    /// Ports that begin in clear.
    pub tcp_ports: Vec<u16>,
    /// Ports that begin with TLS.
    pub ssl_ports: Vec<u16>,
    /// Address to bind; all when unset.
    pub interface_address: Option<IpAddr>,
    /// The program, as configured; `ServerRoot::resolve` makes a path of it.
    pub image: String,
    /// The server processes' log, as configured; a unique id is appended.
    pub logfilename: Option<String>,
    /// A string for the program, for example `CHANNEL=tcp_submit`.
    pub parameter: Option<String>,
    /// Processes that are always there.
    pub min_procs: u32,
    /// Most processes.
    pub max_procs: u32,
    /// Connections at which a process counts as busy enough to start another.
    pub min_conns: u32,
    /// Most connections in one process.
    pub max_conns: u32,
    /// Seconds after which a process gets no new connections.
    pub max_life_time: u64,
    /// Connections after which a process gets no new ones.
    pub max_life_conns: u64,
    /// Seconds without a connection after which a process that is one too many ends.
    pub max_idle_time: u64,
    /// Most processes that retire at the same time.
    pub max_shutdown: u32,
    /// Hand-overs that may be under way at once.
    pub max_handoffs: u32,
    /// Length of the listen queue.
    pub backlog: u32,
    /// Whether the peer's user name is asked for (RFC 1413).
    pub ident: bool,
    /// DNS lists that are asked about the client's address.
    pub dns_verify_domain: Vec<String>,
    /// Stack of one connection's thread, in bytes; the program's own choice when unset.
    pub stacksize: Option<u64>,
    /// Debug mask; -1 for all.
    pub debug: i64,
}

impl Service {
    /// The channel that the parameter names (`CHANNEL=tcp_submit`); `tcp_local` when it names
    /// none, nothing when what it names cannot be a channel.
    #[must_use]
    pub fn channel(&self) -> Option<ChannelName> {
        let parameter = self.parameter.as_deref().unwrap_or_default();
        let named = parameter.split([',', ' ']).find_map(|word| {
            let (name, value) = word.split_once('=')?;
            let is_channel = name.trim().eq_ignore_ascii_case("CHANNEL");
            is_channel.then(|| value.trim().to_ascii_lowercase())
        });
        ChannelName::new(named.as_deref().unwrap_or("tcp_local")).ok()
    }
}
