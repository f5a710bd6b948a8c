//! What a channel's options mean for its client, worked out once for a program.

use std::net::IpAddr;
use std::time::Duration;

use mta_config::Config;
use mta_config::channel::{Channel, ChannelOption};
use mta_smtp::client::{AuthUse, EhloUse, Manners, TlsUse};
use mta_smtp::drive::client::Times;

/// How the hosts for a destination are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// MX records; equal preferences shuffled or not.
    Exchanges {
        /// `randommx`, `defaultmx`.
        shuffled: bool,
    },
    /// Address records only (`nomx`, and `defaultmx` on another port than 25).
    Addresses,
    /// No DNS at all (`nodns`): the system's host table.
    HostTable,
}

/// What happens to octets over 127.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EightBit {
    /// They are sent (`eightbit`).
    Pass,
    /// They are sent if the peer offers 8BITMIME, else encoded.
    Negotiate,
    /// They are always encoded (`sevenbit`).
    Encode,
}

/// One channel's client.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// `port`.
    pub(super) port: u16,
    /// `interfaceaddress`.
    pub(super) interface: Option<IpAddr>,
    /// `daemon`, with `router` already replaced by the official host.
    pub(super) daemon: Option<String>,
    /// `lastresort`.
    pub(super) last_resort: Option<String>,
    /// `mx` and its kin.
    pub(super) lookup: Lookup,
    /// `eightbit` and its kin.
    pub(super) eight_bit: EightBit,
    /// `charset8`.
    pub(super) charset: Option<String>,
    /// `linelength`.
    pub(super) line_length: Option<usize>,
    /// `chunkingclient`.
    pub(super) chunking: bool,
    /// Names, EHLO, TLS, AUTH.
    pub(super) manners: Manners,
    /// Waits, but for the answer to the message.
    pub(super) times: Times,
    /// Waits for the answer to the message.
    pub(super) patience: Patience,
    /// `522_PERMANENT_ERROR_STRING`.
    pub(super) permanent_552: Vec<String>,
    /// ATTEMPT_TRANSACTIONS_PER_SESSION.
    pub(super) messages_per_session: u64,
    /// SESSION_TIME.
    pub(super) session_time: Option<Duration>,
    /// MAX_MX_RECORDS.
    pub(super) max_exchanges: usize,
    /// MAX_A_RECORDS.
    pub(super) max_addresses: usize,
    /// `saslpassauth`.
    pub(super) pass_auth: bool,
    /// `dequeue_removeroute`.
    pub(super) remove_route: bool,
    /// Failed connections are remembered.
    pub(super) cache_failures: bool,
    /// CACHE_SKIP_MULTIPLIER.
    pub(super) skip_multiplier: f64,
    /// MAX_CLIENT_THREADS.
    pub(super) threads: u16,
    /// Octets in a block.
    pub(super) block_size: u64,
}

/// How long the answer to a message may take (STATUS_DATA_RECEIVE_TIME and its additions).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Patience {
    base: Duration,
    per_recipient: Duration,
    per_block: Duration,
    per_recipient_and_block: Duration,
}

impl Patience {
    /// The time for a message of so many recipients and blocks, at most a day.
    pub(super) fn of(&self, recipients: u64, blocks: u64) -> Duration {
        let times = |unit: Duration, count: u64| {
            let seconds = unit.as_secs_f64() * count as f64;
            Duration::from_secs_f64(seconds.min(86_400.0))
        };
        let sum = self.base
            + times(self.per_recipient, recipients)
            + times(self.per_block, blocks)
            + times(
                self.per_recipient_and_block,
                recipients.saturating_mul(blocks),
            );
        sum.min(Duration::from_secs(86_400))
    }
}

impl Settings {
    /// Reads the options of `channel`.
    pub(super) fn of(config: &Config, channel: &Channel) -> Self {
        let is = |option| channel.is(option);
        let port = channel.number(ChannelOption::Port);
        let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(25);
        let count = |name, default| usize::try_from(channel.option_int(name, default)).unwrap_or(0);
        let interface = channel.text(ChannelOption::Interfaceaddress);
        Self {
            port,
            interface: interface.and_then(|text| text.trim_matches(['[', ']']).parse().ok()),
            daemon: daemon(channel),
            last_resort: channel.text(ChannelOption::Lastresort).map(str::to_owned),
            lookup: lookup(channel, port),
            eight_bit: eight_bit(channel),
            charset: channel.text(ChannelOption::Charset8).map(str::to_owned),
            line_length: channel
                .number(ChannelOption::Linelength)
                .and_then(|length| usize::try_from(length).ok()),
            chunking: is(ChannelOption::Chunkingclient),
            manners: manners(config, channel),
            times: times(channel),
            patience: patience(channel),
            permanent_552: permanent_552(channel),
            messages_per_session: u64::try_from(
                channel.option_int("ATTEMPT_TRANSACTIONS_PER_SESSION", 0),
            )
            .unwrap_or(0),
            session_time: channel
                .option("SESSION_TIME")
                .map(|_| channel.option_time("SESSION_TIME", 0.0)),
            max_exchanges: count("MAX_MX_RECORDS", 32).clamp(1, 1000),
            max_addresses: count("MAX_A_RECORDS", 32).clamp(1, 1000),
            pass_auth: is(ChannelOption::Saslpassauth),
            remove_route: is(ChannelOption::DequeueRemoveroute),
            cache_failures: is(ChannelOption::Cacheeverything) || is(ChannelOption::Cachefailures),
            skip_multiplier: channel
                .option_real("CACHE_SKIP_MULTIPLIER", 3.0)
                .clamp(1.0, 1000.0),
            threads: u16::try_from(channel.option_int("MAX_CLIENT_THREADS", 10).clamp(1, 1000))
                .unwrap_or(10),
            block_size: config.block_size(),
        }
    }
}

/// `daemon`: a name with a dot, or a literal, is the host; any other word, usually `router`,
/// stands for the channel's official host. An address without its brackets is meant as one: no
/// domain has such a name, and mail would be returned.
fn daemon(channel: &Channel) -> Option<String> {
    let daemon = channel.text(ChannelOption::Daemon)?;
    if let Ok(address) = daemon.parse() {
        return Some(mta_envelope::domain::to_literal(address));
    }
    let is_host = daemon.contains('.') || mta_envelope::domain::literal(daemon).is_some();
    Some(
        if is_host {
            daemon
        } else {
            channel.official_host()
        }
        .to_ascii_lowercase(),
    )
}

fn lookup(channel: &Channel, port: u16) -> Lookup {
    if channel.is(ChannelOption::Nodns) {
        Lookup::HostTable
    } else if channel.is(ChannelOption::Nomx) {
        Lookup::Addresses
    } else if channel.is(ChannelOption::Mx) {
        Lookup::Exchanges { shuffled: false }
    } else if channel.is(ChannelOption::Randommx) || port == 25 {
        Lookup::Exchanges { shuffled: true }
    } else {
        Lookup::Addresses
    }
}

fn eight_bit(channel: &Channel) -> EightBit {
    if channel.is(ChannelOption::Sevenbit) {
        EightBit::Encode
    } else if channel.is(ChannelOption::Eightbit) {
        EightBit::Pass
    } else {
        EightBit::Negotiate
    }
}

fn manners(config: &Config, channel: &Channel) -> Manners {
    let name = channel.option("BANNER_HOST").or(channel.local_alias());
    let ehlo = if channel.is(ChannelOption::Ehlo) {
        EhloUse::Always
    } else if channel.is(ChannelOption::Checkehlo) {
        EhloUse::IfEsmtp
    } else if channel.is(ChannelOption::Noehlo) {
        EhloUse::Never
    } else {
        EhloUse::UnlessFireAway
    };
    let tls = if channel.is(ChannelOption::Musttlsclient) {
        TlsUse::Must
    } else if channel.is(ChannelOption::Maytlsclient) {
        TlsUse::May
    } else {
        TlsUse::Never
    };
    Manners {
        name: name.unwrap_or(config.local_host()).to_owned(),
        ehlo,
        tls,
        auth: auth(channel),
        transcript: false,
    }
}

fn auth(channel: &Channel) -> AuthUse {
    let said = |option, name| channel.text(option).or(channel.option(name));
    let user = said(ChannelOption::Authusername, "AUTH_USERNAME").unwrap_or_default();
    let password = said(ChannelOption::Authpassword, "AUTH_PASSWORD").unwrap_or_default();
    let (user, password) = (user.to_owned(), password.to_owned());
    if channel.is(ChannelOption::Mustsaslclient) {
        AuthUse::Must { user, password }
    } else if channel.is(ChannelOption::Maysaslclient) && !user.is_empty() {
        AuthUse::May { user, password }
    } else {
        AuthUse::Never
    }
}

/// How long a server may take until it is ready for mail.
const OPENING: Duration = Duration::from_secs(15 * 60);

fn times(channel: &Channel) -> Times {
    let time = |name, default| channel.option_time(name, default);
    Times {
        status: time("STATUS_RECEIVE_TIME", 10.0),
        mail_status: time("STATUS_MAIL_RECEIVE_TIME", 10.0),
        rcpt_status: time("STATUS_RCPT_RECEIVE_TIME", 10.0),
        content_status: time("STATUS_DATA_RECEIVE_TIME", 10.0),
        transmit: time("COMMAND_TRANSMIT_TIME", 10.0),
        mail_transmit: time("MAIL_TRANSMIT_TIME", 10.0),
        rcpt_transmit: time("RCPT_TRANSMIT_TIME", 10.0),
        data_transmit: time("DATA_TRANSMIT_TIME", 10.0),
        dot_transmit: time("DOT_TRANSMIT_TIME", 10.0),
        handshake: time("STATUS_RECEIVE_TIME", 10.0).min(Duration::from_secs(60)),
        opening: OPENING.max(time("STATUS_RECEIVE_TIME", 10.0)),
        message: Times::default().message,
    }
}

fn patience(channel: &Channel) -> Patience {
    let time = |name, default| channel.option_time(name, default);
    Patience {
        base: time("STATUS_DATA_RECEIVE_TIME", 10.0),
        per_recipient: time("STATUS_DATA_RECV_PER_ADDR_TIME", 0.083_333),
        per_block: time("STATUS_DATA_RECV_PER_BLOCK_TIME", 0.001_666),
        per_recipient_and_block: time("STATUS_DATA_RECV_PER_ADDR_PER_BLOCK_TIME", 0.003_333),
    }
}

fn permanent_552(channel: &Channel) -> Vec<String> {
    let texts = channel
        .option("522_PERMANENT_ERROR_STRING")
        .unwrap_or_default();
    let texts = texts
        .split('|')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    texts.map(str::to_owned).collect()
}
