//! A connection to a host of a destination, and the ways in which there may be none.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mta_access::outgoing::{OutgoingDecision, OutgoingProbe, ip_access};
use mta_channel::dequeue::DebugLog;
use mta_config::Config;
use mta_dns::route::Exchange;
use mta_envelope::names::ChannelName;
use mta_envelope::status::{Report, Status};
use mta_mapping::Callouts;
use mta_smtp::client::{AuthUse, EhloUse, Manners, OpeningError, TlsUse};
use mta_smtp::drive::client::{Connection, ConnectionError, Failed, Times};
use mta_smtp::tls::Connector;

use super::log::{ConnectionLog, Ends};
use super::report::{self, Remote};
use super::settings::Settings;

/// How long the system may take to connect.
const CONNECT_TIME: Duration = Duration::from_secs(120);

/// How long all hosts of a destination together may take: one whose owner has many addresses
/// that never answer does not keep a thread, and with it the mail for others.
const ATTEMPT_TIME: Duration = Duration::from_secs(15 * 60);

/// A connection in use.
#[derive(Debug)]
pub(super) struct Session {
    /// The destination it was opened for.
    pub(super) destination: String,
    /// The server.
    pub(super) connection: Connection,
    /// How reports name it.
    pub(super) remote: Remote,
    /// Its two ends.
    pub(super) ends: Ends,
    /// When it was opened.
    pub(super) opened: Instant,
    /// Messages that went over it.
    pub(super) messages: u64,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoSession {
    /// Trying again later may help.
    Temporary(Report),
    /// It will not.
    Permanent(Report),
}

/// What is needed to open connections for a channel.
pub(super) struct Opener<'a> {
    /// What answers the call-outs of IP_ACCESS.
    pub(super) callouts: &'a dyn Callouts,
    /// The whole configuration, for IP_ACCESS.
    pub(super) config: &'a Config,
    /// The channel.
    pub(super) channel: &'a ChannelName,
    /// Its options.
    pub(super) settings: &'a Settings,
    /// TLS.
    pub(super) connector: &'a Connector,
    /// Connection records.
    pub(super) log: ConnectionLog<'a>,
    /// Debugging lines.
    pub(super) debug: &'a DebugLog,
}

/// Why one address was of no use.
#[derive(Debug)]
struct Fault {
    report: Report,
    /// This host refuses us for good.
    permanent: bool,
    /// Its other addresses are no use either.
    whole_host: bool,
    /// Nothing else need be tried: the message is refused.
    stop: bool,
    /// What may work better with the same address.
    milder: Option<Milder>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Milder {
    /// Without TLS.
    InClear,
    /// HELO instead of EHLO.
    Helo,
}

impl Fault {
    const fn passing(report: Report) -> Self {
        Self {
            report,
            permanent: false,
            whole_host: false,
            stop: false,
            milder: None,
        }
    }
}

impl Opener<'_> {
    /// Tries the hosts in turn until one is ready for mail. Permanent only if every host that
    /// was tried said so.
    pub(super) fn open(&self, destination: &str, hosts: &[Exchange]) -> Result<Session, NoSession> {
        let count = hosts.iter().map(|host| host.addresses.len()).sum();
        let mut current = 0;
        let mut permanent = true;
        let mut last = None;
        let until = Instant::now() + ATTEMPT_TIME.max(self.settings.times.opening);
        'hosts: for host in hosts {
            for address in &host.addresses {
                if Instant::now() >= until {
                    permanent = false;
                    break 'hosts;
                }
                current += 1;
                let probe = OutgoingProbe {
                    channel: self.channel,
                    count,
                    current,
                    address: *address,
                    host: &host.host,
                };
                let fault = match self.address(destination, &probe, until) {
                    Ok(session) => return Ok(session),
                    Err(fault) if fault.stop => return Err(NoSession::Permanent(fault.report)),
                    Err(fault) => fault,
                };
                self.debug
                    .line(|| format!("{}: {}", host.host, fault.report.reason));
                permanent = permanent && fault.permanent;
                last = Some(fault.report);
                if fault.whole_host {
                    break;
                }
            }
        }
        let nothing = "no address of the destination may be connected to";
        let nothing = || Report::local(Status::new(4, 4, 1), nothing);
        Err(match last {
            Some(report) if permanent => NoSession::Permanent(Report {
                status: report.status.with_class(5),
                ..report
            }),
            Some(report) => NoSession::Temporary(report),
            None => NoSession::Temporary(nothing()),
        })
    }

    fn address(
        &self,
        destination: &str,
        probe: &OutgoingProbe<'_>,
        until: Instant,
    ) -> Result<Session, Fault> {
        let address = match ip_access(&self.config.mappings, probe, self.callouts) {
            OutgoingDecision::Connect => probe.address,
            OutgoingDecision::Instead(address) => address,
            OutgoingDecision::Skip => {
                let text = format!("IP_ACCESS does not permit {}", probe.address);
                return Err(Fault::passing(Report::local(Status::new(4, 4, 1), &text)));
            }
            OutgoingDecision::Reject { text } => {
                self.debug
                    .line(|| format!("IP_ACCESS rejects {}: {text}", probe.host));
                let text = format!("Illegal host/domain name found: {}", probe.host);
                return Err(Fault {
                    stop: true,
                    ..Fault::passing(Report::local(Status::UNKNOWN_HOST, &text))
                });
            }
        };
        let to = SocketAddr::new(address, self.settings.port);
        let mut manners = self.settings.manners.clone();
        manners.transcript = self.debug.is_on();
        loop {
            let fault = match self.connect((destination, probe.host), to, &manners, until) {
                Ok(session) => return Ok(session),
                Err(fault) => fault,
            };
            match fault.milder {
                // The password does not go where TLS was wanted and is gone.
                Some(Milder::InClear) => {
                    manners.tls = TlsUse::Never;
                    manners.auth = AuthUse::Never;
                }
                Some(Milder::Helo) => manners.ehlo = EhloUse::Never,
                None => return Err(fault),
            }
            let report = &fault.report.reason;
            self.debug
                .line(|| format!("{}: {report}; trying again: {:?}", probe.host, fault.milder));
        }
    }

    fn connect(
        &self,
        (destination, host): (&str, &str),
        to: SocketAddr,
        manners: &Manners,
        until: Instant,
    ) -> Result<Session, Fault> {
        let application = format!("SMTP/{destination}/{host}");
        self.debug.line(|| format!("connecting to {host} {to}"));
        let left = || until.saturating_duration_since(Instant::now());
        let within = CONNECT_TIME.min(left());
        let connected = mta_smtp::drive::connect(to, self.settings.interface, within)
            .and_then(|socket| Ok((socket.local_addr()?, socket)));
        let (local, socket) = connected.map_err(|error| {
            let report = report::unconnected(host, to, &error);
            self.log.failed(to, &application, &report.reason);
            Fault::passing(report)
        })?;
        let ends = Ends {
            local,
            remote: to,
            application,
        };
        self.log.opened(&ends);
        let mut remote = Remote {
            host: host.to_owned(),
            transport: Some(report::transport(local, to)),
            ..Remote::default()
        };
        let times = Times {
            opening: self.settings.times.opening.min(left()),
            ..self.settings.times.clone()
        };
        match Connection::open(socket, host, manners, self.connector, &times) {
            Ok(mut connection) => {
                self.tell(connection.take_transcript());
                remote.banner = connection.peer().banner.clone();
                remote.dsn = connection.peer().extensions.dsn;
                Ok(Session {
                    destination: destination.to_owned(),
                    connection,
                    remote,
                    ends,
                    opened: Instant::now(),
                    messages: 0,
                })
            }
            Err(failed) => {
                remote.banner = failed.peer.banner.clone();
                let fault = fault_of(*failed, &remote, manners, |lines| self.tell(lines));
                self.log.closed(&ends, None, Some(&fault.report.reason));
                Err(fault)
            }
        }
    }

    /// Writes what was said to the debug log.
    pub(super) fn tell(&self, transcript: Vec<String>) {
        for line in transcript {
            self.debug.line(|| line);
        }
    }
}

fn fault_of(
    failed: Failed,
    remote: &Remote,
    manners: &Manners,
    tell: impl Fn(Vec<String>),
) -> Fault {
    tell(failed.transcript);
    let report = report::unusable(&failed.error, remote);
    let permanent = matches!(
        &failed.error,
        ConnectionError::Opening(OpeningError::Banner(reply)) if reply.is_permanent()
    );
    let greeted = !failed.peer.banner.is_empty() && !failed.peer.tls;
    let milder = match failed.error {
        ConnectionError::Handshake(_)
            if manners.tls == TlsUse::May && !matches!(manners.auth, AuthUse::Must { .. }) =>
        {
            Some(Milder::InClear)
        }
        // A server that drops the connection on EHLO may know HELO.
        ConnectionError::Wire { ref source, .. }
            if greeted
                && source.is_closed()
                && manners.ehlo != EhloUse::Never
                && !failed.peer.extensions.extended =>
        {
            Some(Milder::Helo)
        }
        _ => None,
    };
    Fault {
        report,
        permanent,
        whole_host: permanent,
        stop: false,
        milder,
    }
}
