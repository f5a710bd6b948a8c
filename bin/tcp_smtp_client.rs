//! # NAME
//!
//! tcp_smtp_client - send the mail of TCP channels to other systems
//!
//! # SYNOPSIS
//!
//! `tcp_smtp_client [--run] [CHANNEL]`
//!
//! # DESCRIPTION
//!
//! The Job Controller starts this program for a channel that speaks SMTP, names the channel in
//! `IMTA_CHANNEL`, and hands it messages over its standard input, sorted by destination host.
//! Up to MAX_CLIENT_THREADS threads each keep one connection, to the host of their last message,
//! and use it for the next one.
//!
//! A destination is the host of the recipient's address, or the channel's `daemon`. Its hosts
//! are those of its MX records in order of preference (`mx`, `randommx`, `defaultmx`), else its
//! own addresses; a literal such as `[192.0.2.1]` is taken as it is. A null MX, a name that does
//! not exist and a route that leads back here return the message at once; a name server that
//! does not answer leaves it in the queue. IP_ACCESS is asked about each address; `lastresort`
//! is tried when all others have failed.
//!
//! EHLO, TLS and AUTH are used as the channel says (`ehlo`, `maytlsclient`, `maysaslclient` and
//! their kin). With `maytlsclient` certificates are not verified, and a handshake that fails is
//! followed by a fresh connection in clear; with `musttlsclient` the message waits. PIPELINING,
//! SIZE, 8BITMIME, DSN and CHUNKING are used where the remote system offers them; for one
//! without 8BITMIME, 8-bit parts are encoded. Each recipient is settled by the answer it got.
//!
//! After a failed connection the next messages for that destination are deferred without being
//! tried, first one, then three times as many after each further failure.
//!
//! `imsimta run CHANNEL` runs the program by hand, with the conversation on the terminal.
//!
//! # FILES
//!
//! `data/queue/CHANNEL/NNN/`
//! : message files
//!
//! `data/log/CHANNEL_master.log-UNIQUEID`
//! : trouble, and with `master_debug` or `mm_debug` the whole conversation
//!
//! `data/log/mail.log_current`
//! : records `D`, `Q`, `Z`, `R`, `K`; with `log_connection` also `O`, `C`, `Y`
//!
//! # SIGNALS
//!
//! None is caught. The Job Controller ends the program through its connection, after the message
//! in hand; being killed costs nothing but that attempt.
//!
//! # SECURITY
//!
//! The program runs as the server user; called by root it becomes that user first. It trusts the
//! configuration and the Job Controller, and nothing that a remote system says: replies are
//! bounded in length, number of lines and time, and control characters are taken out before a
//! reply reaches a log, a queue file or a notice. What was received before TLS is forgotten when
//! TLS begins. No bare CR is ever sent.
//!
//! # DIAGNOSTICS
//!
//! Exit code 1 when it cannot begin, 2 when there is no Job Controller. What happens to single
//! messages stands in the log: `TCP active open: Failed connect() IP:PORT  Error: …` for a
//! system that cannot be reached, `os_smtp_read` and `os_smtp_write` for a connection that broke,
//! `smtp;` and the remote system's own words otherwise.
//!
//! # BUGS
//!
//! A connection lost between the final dot and the answer to it leads to a second copy at the
//! remote system. DANE and MTA-STS are not consulted.
//!
//! # SEE ALSO
//!
//! job_controller(8), tcp_smtp_server(8), imsimta(8)

use std::process::ExitCode;

use clap::Parser;

/// Send the mail of TCP channels to other systems.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Run by hand: call the Job Controller at its control socket and talk to the terminal.
    #[arg(long)]
    run: bool,
    /// The channel, unless IMTA_CHANNEL names it; implies --run.
    #[arg(value_name = "CHANNEL")]
    channel: Option<String>,
}

fn main() -> ExitCode {
    let Arguments { run, channel } = Arguments::parse();
    mta_process::exit(channels::tcp::client::run(&channels::master::Arguments {
        channel,
        run,
    }))
}
