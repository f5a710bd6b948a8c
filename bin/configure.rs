//! # NAME
//!
//! configure - make the first configuration of a server root
//!
//! # SYNOPSIS
//!
//! `configure --host FQDN --domain DOMAIN[,DOMAIN...] [OPTION...]`
//!
//! # DESCRIPTION
//!
//! Writes a complete Unified Configuration into the server root that this program was installed
//! in: channels, rewrite rules, mapping tables, services, pools and tasks of a fresh
//! installation, a directory with the accounts asked for, and the templates of notices. It makes
//! the directories that a running server needs and gives them to the server user.
//!
//! On a terminal it asks for what is missing; otherwise a missing required value is an error.
//! Everything that was asked for is checked before anything is written, with the rights of the
//! server user: certificate and key must be readable and belong together, and no directory on the
//! way to the server root may be closed.
//!
//! Without `--tls-cert` and `--tls-key` nobody can log in to submit mail, and the port for
//! submission under TLS closes every connection. Without an account and `--postmaster` mail to
//! postmaster is refused. Both are said at the end.
//!
//! With `--force` a configuration that is there is replaced, for the same server user.
//!
//! The password of each account is made at random and printed once, one line for each account:
//! `ADDRESS password: PASSWORD`. Only hashes of it are kept.
//!
//! # FILES
//!
//! `config/config.xml`
//! : the options
//!
//! `config/xpass.xml`
//! : passwords and other secrets
//!
//! `config/restricted.cnf`
//! : the account of the server; belongs to root, or to whoever runs this
//!
//! `config/directory.ldif`
//! : domains and accounts; one that was there before is kept as `directory.ldif.N`
//!
//! `config/return_*.txt`
//! : the templates of notices
//!
//! `config/old-configs`
//! : earlier configurations
//!
//! # SIGNALS
//!
//! None is handled. A run that is interrupted leaves no `config.xml`, unless there was one.
//!
//! # SECURITY
//!
//! Reads nothing but its arguments, the terminal and, as the server user, the files for TLS. As
//! root it makes the directories, writes `restricted.cnf` and then gives up root for good, so that
//! no other file comes to belong to root. A server root of another user is left alone. Passwords
//! appear on standard output and nowhere else in clear.
//!
//! # DIAGNOSTICS
//!
//! Exit status 0 when the configuration is there and loads, 1 otherwise, with one line on
//! standard error; 2 for arguments that cannot be understood.
//!
//! # BUGS
//!
//! There is no LMTP server yet, so `--lmtp-port` is refused.
//!
//! # SEE ALSO
//!
//! msconfig(1), imsimta(1), start-msg(8)

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Make the first configuration of a server root.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Fully qualified name of this host.
    #[arg(long, value_name = "FQDN")]
    host: Option<String>,
    /// Domains with accounts; the first is the default domain.
    #[arg(long = "domain", value_name = "DOMAIN", value_delimiter = ',')]
    domains: Vec<String>,
    /// Address that services bind; all interfaces when not given.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<IpAddr>,
    /// Port of incoming mail.
    #[arg(long, value_name = "N", default_value_t = 25)]
    smtp_port: u16,
    /// Port of submission.
    #[arg(long, value_name = "N", default_value_t = 587)]
    submit_port: u16,
    /// Port of submission with TLS from the first byte; of use with a certificate only.
    #[arg(long, value_name = "N", default_value_t = 465)]
    smtps_port: u16,
    /// Port of the LMTP server; none when not given.
    #[arg(long, value_name = "N")]
    lmtp_port: Option<u16>,
    /// Network whose hosts may relay, any number of times; 127.0.0.1 and ::1 when not given.
    #[arg(long = "internal-network", value_name = "CIDR")]
    internal_networks: Vec<String>,
    /// Name server to ask, any number of times; those of /etc/resolv.conf when not given.
    #[arg(long = "nameserver", value_name = "ADDRESS:PORT")]
    nameservers: Vec<String>,
    /// Account to make, any number of times.
    #[arg(long = "account", value_name = "ADDRESS")]
    accounts: Vec<String>,
    /// The server user; when not given, as root the one that is configured, else mailsrv, and
    /// otherwise whoever runs this.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Certificate chain for TLS, PEM.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Key of that certificate, PEM.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Who gets the postmaster's mail; the first account when not given.
    #[arg(long, value_name = "ADDRESS")]
    postmaster: Option<String>,
    /// Replace an existing configuration.
    #[arg(long)]
    force: bool,
}

impl From<Arguments> for msconfig::configure::Arguments {
    fn from(typed: Arguments) -> Self {
        Self {
            host: typed.host,
            domains: typed.domains,
            listen: typed.listen,
            smtp_port: typed.smtp_port,
            submit_port: typed.submit_port,
            smtps_port: typed.smtps_port,
            lmtp_port: typed.lmtp_port,
            internal_networks: typed.internal_networks,
            nameservers: typed.nameservers,
            accounts: typed.accounts,
            user: typed.user,
            tls_cert: typed.tls_cert,
            tls_key: typed.tls_key,
            postmaster: typed.postmaster,
            force: typed.force,
        }
    }
}

fn main() -> ExitCode {
    mta_process::exit(msconfig::configure::run(Arguments::parse().into()))
}
