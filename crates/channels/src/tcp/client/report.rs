//! What a remote server's words, or its silence, mean for a recipient.

use std::net::SocketAddr;

use mta_envelope::status::{Outcome, Report, Status};
use mta_smtp::client::{Fate, OpeningError, Stage, Verdict};
use mta_smtp::drive::client::ConnectionError;
use mta_smtp::reply::Reply;

/// The server as reports name it.
#[derive(Debug, Clone, Default)]
pub(super) struct Remote {
    /// The host that was connected to.
    pub(super) host: String,
    /// `TCP|local-ip|local-port|remote-ip|remote-port`.
    pub(super) transport: Option<String>,
    /// Text of the banner.
    pub(super) banner: String,
    /// It takes over the duty to send success notices.
    pub(super) dsn: bool,
}

impl Remote {
    /// `dns;HOST (TRANSPORT) (BANNER)`.
    fn text(&self) -> String {
        let mut text = format!("dns;{}", self.host);
        if let Some(transport) = &self.transport {
            text += &format!(" ({transport})");
        }
        if !self.banner.is_empty() {
            text += &format!(" ({})", self.banner);
        }
        text
    }
}

/// `TCP|local-ip|local-port|remote-ip|remote-port`; mapped IPv4 addresses appear as IPv4.
pub(super) fn transport(local: SocketAddr, remote: SocketAddr) -> String {
    let ip = |address: SocketAddr| address.ip().to_canonical();
    format!(
        "TCP|{}|{}|{}|{}",
        ip(local),
        local.port(),
        ip(remote),
        remote.port()
    )
}

/// What becomes of a recipient. `error` is why the connection ended, for a recipient without
/// an answer.
pub(super) fn outcome(
    verdict: &Verdict,
    remote: &Remote,
    error: Option<&ConnectionError>,
) -> Outcome {
    let report = report(verdict, remote, error);
    match verdict.fate {
        Fate::Accepted => Outcome::Relayed {
            report,
            dsn: remote.dsn,
        },
        Fate::Temporary => Outcome::Deferred(report),
        Fate::Permanent => Outcome::Failed(report),
    }
}

fn report(verdict: &Verdict, remote: &Remote, error: Option<&ConnectionError>) -> Report {
    let (reason, local_status) = reason(verdict);
    let Some(reply) = &verdict.reply else {
        let told = error.map(ToString::to_string);
        return Report {
            status: local_status,
            reason: told.unwrap_or(reason),
            diagnostic: None,
            remote: Some(remote.text()),
        };
    };
    Report {
        status: status_of(reply, verdict.fate),
        reason,
        diagnostic: Some(format!("smtp;{}", reply.one_line())),
        remote: Some(remote.text()),
    }
}

/// The remote's status in the class of what we make of it (552 to RCPT is temporary for us).
fn status_of(reply: &Reply, fate: Fate) -> Status {
    let class = match fate {
        Fate::Accepted => 2,
        Fate::Temporary => 4,
        Fate::Permanent => 5,
    };
    reply.status_or_class().with_class(class)
}

/// The sentence for people, and the status where the remote gave none.
fn reason(verdict: &Verdict) -> (String, Status) {
    let part = match verdict.stage {
        Stage::Size => {
            let text = "message is larger than the remote SMTP server accepts";
            return (text.to_owned(), Status::new(5, 3, 4));
        }
        Stage::Address => {
            let text = "address is not ASCII and SMTPUTF8 is not supported";
            return (text.to_owned(), Status::new(5, 6, 7));
        }
        Stage::Reset => "session",
        Stage::Mail => "sender",
        Stage::Rcpt => "address",
        Stage::Data | Stage::Content => "message",
    };
    let verb = match verdict.fate {
        Fate::Accepted => "accepted",
        Fate::Temporary => "deferred",
        Fate::Permanent => "rejected",
    };
    let text = format!("Remote SMTP server has {verb} {part}");
    (text, Status::new(4, 4, 2))
}

/// Why a server could not be used at all.
pub(super) fn unusable(error: &ConnectionError, remote: &Remote) -> Report {
    let reply = match error {
        ConnectionError::Opening(opening) => match opening {
            OpeningError::Banner(reply)
            | OpeningError::Hello(reply)
            | OpeningError::TlsRefused(reply)
            | OpeningError::AuthRefused(reply) => Some(reply),
            OpeningError::NoTls | OpeningError::NoAuth | OpeningError::AuthNeedsTls => None,
        },
        ConnectionError::Wire { .. }
        | ConnectionError::Reply(_)
        | ConnectionError::Handshake(_)
        | ConnectionError::Content(_)
        | ConnectionError::OutOfStep => None,
    };
    let status = match error {
        ConnectionError::Opening(
            OpeningError::NoTls | OpeningError::NoAuth | OpeningError::AuthNeedsTls,
        ) => Status::new(4, 7, 0),
        ConnectionError::Handshake(_) => Status::new(4, 7, 5),
        _ => reply.map_or(Status::new(4, 4, 2), |reply| {
            reply.status_or_class().with_class(4)
        }),
    };
    Report {
        status,
        reason: error.to_string(),
        diagnostic: reply.map(|reply| format!("smtp;{}", reply.one_line())),
        remote: Some(remote.text()),
    }
}

/// A connection that was never made.
pub(super) fn unconnected(host: &str, address: SocketAddr, error: &std::io::Error) -> Report {
    let text = match error.raw_os_error() {
        Some(errno) => nix::errno::Errno::from_raw(errno).desc().to_owned(),
        None if error.kind() == std::io::ErrorKind::TimedOut => "Connection timed out".to_owned(),
        None => error.to_string(),
    };
    let ip = mapped(address);
    Report {
        status: Status::new(4, 4, 1),
        reason: format!("TCP active open: Failed connect() {ip}  Error: {text}"),
        diagnostic: None,
        remote: Some(format!("dns;{host}")),
    }
}

/// `IP:PORT`, mapped IPv4 as IPv4.
fn mapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use mta_smtp::drive::WireError;

    use super::*;

    fn verdict(fate: Fate, stage: Stage, reply: Option<Reply>) -> Verdict {
        Verdict { fate, stage, reply }
    }

    fn remote() -> Remote {
        Remote {
            host: "mx.example.jp".into(),
            transport: Some("TCP|192.0.2.1|47323|192.0.2.225|25".into()),
            banner: "mx.example.jp ESMTP".into(),
            dsn: false,
        }
    }

    #[test]
    fn a_refused_address_is_reported_in_the_remotes_words() {
        let reply = Reply::new(550, (5, 1, 1), "<kijitora@example.jp>... User Unknown");
        let refused = verdict(Fate::Permanent, Stage::Rcpt, Some(reply));
        let Outcome::Failed(report) = outcome(&refused, &remote(), None) else {
            panic!("failed");
        };
        assert_eq!(report.status, Status::UNKNOWN_USER);
        assert_eq!(report.reason, "Remote SMTP server has rejected address");
        assert_eq!(
            report.diagnostic.as_deref(),
            Some("smtp;550 5.1.1 <kijitora@example.jp>... User Unknown")
        );
        assert_eq!(
            report.remote.as_deref(),
            Some("dns;mx.example.jp (TCP|192.0.2.1|47323|192.0.2.225|25) (mx.example.jp ESMTP)")
        );
    }

    #[test]
    fn a_full_mailbox_is_temporary_in_its_status_too() {
        let reply = Reply::new(552, (5, 2, 2), "over quota");
        let full = verdict(Fate::Temporary, Stage::Rcpt, Some(reply));
        let Outcome::Deferred(report) = outcome(&full, &remote(), None) else {
            panic!("deferred");
        };
        assert_eq!(report.status, Status::new(4, 2, 2));
        assert_eq!(
            report.diagnostic.as_deref(),
            Some("smtp;552 5.2.2 over quota")
        );
    }

    #[test]
    fn a_lost_connection_is_the_network_layers_fault() {
        let lost = verdict(Fate::Temporary, Stage::Content, None);
        let error = ConnectionError::Wire {
            doing: "os_smtp_read",
            source: WireError::Closed,
        };
        let Outcome::Deferred(report) = outcome(&lost, &remote(), Some(&error)) else {
            panic!("deferred");
        };
        assert_eq!(report.reason, "os_smtp_read: connection closed by peer");
        assert_eq!(report.status, Status::new(4, 4, 2));
    }

    #[test]
    fn a_refused_connection_has_the_products_text() {
        let address = "192.0.2.1:25".parse().unwrap();
        let error = std::io::Error::from_raw_os_error(nix::libc::ECONNREFUSED);
        let report = unconnected("mx", address, &error);
        assert_eq!(
            report.reason,
            "TCP active open: Failed connect() 192.0.2.1:25  Error: Connection refused"
        );
    }
}
