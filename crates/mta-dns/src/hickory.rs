//! Answers from real name servers, through hickory-resolver.
//!
//! Callers block; behind them runs the one asynchronous runtime of the process, started by the
//! first question. Each question has a deadline of its own, so a silent name server costs its
//! caller a bounded time.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::runtime::Runtime;

use mta_envelope::domain;

use crate::resolver::{Failure, Mx, Resolver};

/// Most records of one answer that are looked at.
const MAX_RECORDS: usize = 1000;

/// Whom to ask and for how long.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `dns_nameservers`; empty for those of `/etc/resolv.conf`.
    pub nameservers: Vec<SocketAddr>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Attempts per name server.
    pub attempts: usize,
    /// How long one question may take in all.
    pub deadline: Duration,
    /// Records kept in memory.
    pub cache_size: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            nameservers: Vec::new(),
            timeout: Duration::from_secs(3),
            attempts: 2,
            deadline: Duration::from_secs(20),
            cache_size: 1024,
        }
    }
}

/// The resolver could not be set up.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// The system's configuration cannot be read.
    #[error("cannot read the system's resolver configuration: {text}")]
    System {
        /// What is wrong.
        text: String,
    },
    /// No runtime or no resolver could be made.
    #[error("cannot start the resolver: {text}")]
    Start {
        /// What is wrong.
        text: String,
    },
}

/// The resolver of a process. Nothing is read or started before the first question.
#[derive(Debug)]
pub struct Dns {
    settings: Settings,
    /// Once they could be set up. Trouble is not remembered: descriptors come back, and a file
    /// that is being rewritten is whole again at the next question.
    parts: Mutex<Option<Arc<Parts>>>,
}

#[derive(Debug)]
struct Parts {
    runtime: Runtime,
    resolver: TokioResolver,
}

impl Dns {
    /// A resolver with these settings.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            parts: Mutex::new(None),
        }
    }

    /// Starts what the first question would start.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self) -> Result<(), OpenError> {
        self.parts().map(drop)
    }

    /// Runs an asynchronous library's work on this process's runtime, until `deadline` at the
    /// latest.
    ///
    /// # Errors
    /// [`Failure::Temporary`] when the time is over or there is no runtime.
    pub fn block_on_until<F: Future>(
        &self,
        deadline: Instant,
        future: F,
    ) -> Result<F::Output, Failure> {
        let parts = self.parts().map_err(|error| temporary(&error))?;
        let deadline = tokio::time::Instant::from_std(deadline);
        parts
            .runtime
            .block_on(async { tokio::time::timeout_at(deadline, future).await })
            .map_err(|_| Failure::Temporary("no answer in time".to_owned()))
    }

    /// The names of an address, asked for at most `within`.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn names_within(&self, address: IpAddr, within: Duration) -> Result<Vec<String>, Failure> {
        let question = Name::from(address.to_canonical());
        let found = self.ask(question, RecordType::PTR, within)?;
        records(&found, |data| match data {
            RData::PTR(name) => Some(plain(&name.0)).filter(|name| domain::is_host_name(name)),
            _ => None,
        })
    }

    fn ask(&self, name: Name, kind: RecordType, within: Duration) -> Result<Lookup, Failure> {
        let parts = self.parts().map_err(|error| temporary(&error))?;
        let resolver = &parts.resolver;
        let deadline = Instant::now() + within;
        self.block_on_until(deadline, resolver.lookup(name, kind))?
            .map_err(|error| failure(&error))
    }

    fn parts(&self) -> Result<Arc<Parts>, OpenError> {
        self.parts_from(Parts::start)
    }

    fn parts_from(
        &self,
        start: impl FnOnce(&Settings) -> Result<Parts, OpenError>,
    ) -> Result<Arc<Parts>, OpenError> {
        // Whoever panicked in here has left nothing half done.
        let mut known = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parts) = &*known {
            return Ok(Arc::clone(parts));
        }
        let parts = Arc::new(start(&self.settings)?);
        *known = Some(Arc::clone(&parts));
        Ok(parts)
    }
}

impl Parts {
    fn start(settings: &Settings) -> Result<Self, OpenError> {
        let start = |text: String| OpenError::Start { text };
        let (config, mut options) = configuration(&settings.nameservers)?;
        options.timeout = settings.timeout;
        options.attempts = settings.attempts;
        options.cache_size = settings.cache_size;
        // Mail is routed by the DNS alone.
        options.use_hosts_file = ResolveHosts::Never;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("dns")
            .enable_all()
            .build()
            .map_err(|error| start(error.to_string()))?;
        let provider = TokioRuntimeProvider::default();
        let resolver = {
            let _inside = runtime.enter();
            TokioResolver::builder_with_config(config, provider)
                .with_options(options)
                .build()
                .map_err(|error| start(error.to_string()))?
        };
        Ok(Self { runtime, resolver })
    }
}

fn configuration(servers: &[SocketAddr]) -> Result<(ResolverConfig, ResolverOpts), OpenError> {
    if servers.is_empty() {
        return hickory_resolver::system_conf::read_system_conf().map_err(|error| {
            OpenError::System {
                text: error.to_string(),
            }
        });
    }
    let config = |server: &SocketAddr| {
        let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
        for connection in &mut connections {
            connection.port = server.port();
        }
        NameServerConfig::new(server.ip(), true, connections)
    };
    let servers = servers.iter().map(config).collect();
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    Ok((config, ResolverOpts::default()))
}

impl Resolver for Dns {
    fn mx(&self, name: &str) -> Result<Vec<Mx>, Failure> {
        let found = self.ask(absolute(name)?, RecordType::MX, self.settings.deadline)?;
        records(&found, |data| match data {
            RData::MX(mx) => Some(Mx {
                preference: mx.preference,
                host: plain(&mx.exchange),
            }),
            _ => None,
        })
    }

    fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Failure> {
        let name = absolute(host)?;
        let parts = self.parts().map_err(|error| temporary(&error))?;
        let resolver = parts.resolver.clone();
        let question = name.clone();
        // Both questions are on their way at the same time.
        let other = parts
            .runtime
            .spawn(async move { resolver.lookup(question, RecordType::AAAA).await });
        let v4 = self
            .ask(name, RecordType::A, self.settings.deadline)
            .and_then(|found| {
                records(&found, |data| match data {
                    RData::A(a) => Some(IpAddr::V4(a.0)),
                    _ => None,
                })
            });
        if v4 == Err(Failure::NoSuchName) {
            other.abort();
            return v4;
        }
        let deadline = Instant::now() + self.settings.timeout;
        let v6 = self.block_on_until(deadline, other).and_then(|joined| {
            let found = joined.map_err(|error| temporary(&error))?;
            let found = found.map_err(|error| failure(&error))?;
            records(&found, |data| match data {
                RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
                _ => None,
            })
        });
        both(v4, v6)
    }

    fn names(&self, address: IpAddr) -> Result<Vec<String>, Failure> {
        self.names_within(address, self.settings.deadline)
    }
}

/// One kind of address is enough; otherwise trouble with either leaves the question open.
fn both(
    v4: Result<Vec<IpAddr>, Failure>,
    v6: Result<Vec<IpAddr>, Failure>,
) -> Result<Vec<IpAddr>, Failure> {
    match (v4, v6) {
        (Ok(mut v4), Ok(v6)) => {
            v4.extend(v6);
            Ok(v4)
        }
        (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
        (Err(trouble @ Failure::Temporary(_)), Err(_))
        | (Err(_), Err(trouble @ Failure::Temporary(_))) => Err(trouble),
        (Err(nothing), Err(_)) => Err(nothing),
    }
}

/// The name as it is, without the search list. A text that can be no name does not exist.
fn absolute(name: &str) -> Result<Name, Failure> {
    let parsed = if name.is_ascii() {
        Name::from_ascii(name)
    } else {
        Name::from_utf8(name)
    };
    let mut parsed = parsed.map_err(|_| Failure::NoSuchName)?;
    parsed.set_fqdn(true);
    Ok(parsed)
}

/// Without the final dot, unless there is nothing else.
fn plain(name: &Name) -> String {
    let text = name.to_ascii();
    match text.strip_suffix('.') {
        Some("") | None => text,
        Some(rest) => rest.to_owned(),
    }
}

fn records<T>(found: &Lookup, pick: impl Fn(&RData) -> Option<T>) -> Result<Vec<T>, Failure> {
    let answers = found.answers().iter().take(MAX_RECORDS);
    let picked: Vec<T> = answers.filter_map(|record| pick(&record.data)).collect();
    if picked.is_empty() {
        return Err(Failure::NoRecords);
    }
    Ok(picked)
}

fn failure(error: &NetError) -> Failure {
    if error.is_nx_domain() {
        Failure::NoSuchName
    } else if error.is_no_records_found() {
        Failure::NoRecords
    } else {
        temporary(error)
    }
}

/// The text goes into logs and histories: one line of bounded length.
fn temporary(error: &dyn std::fmt::Display) -> Failure {
    let text = error.to_string();
    let clean = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect();
    Failure::Temporary(clean)
}

#[cfg(test)]
#[path = "hickory_tests.rs"]
mod tests;
