//! # NAME
//!
//! tcp_smtp_server - bring mail in from the network by SMTP
//!
//! # SYNOPSIS
//!
//! `tcp_smtp_server [--service NAME]`
//!
//! # DESCRIPTION
//!
//! The Dispatcher starts this program for each service whose image it is, keeps between
//! `min_procs` and `max_procs` of them, and hands each accepted connection to one. Every
//! connection is a session of its own, on a thread of its own.
//!
//! A session begins on the channel that the service's parameter names (`CHANNEL=tcp_local`). With
//! `switchchannel` the client's address may move it to another one, STARTTLS and AUTH may do the
//! same. Recipients are checked while they are named: rewriting, access tables, aliases, the
//! directory. The final answer to a message is given when its queue files are safe on disk.
//!
//! When the configuration is reloaded, new sessions have the new mapping tables and aliases;
//! sessions under way keep what they began with. When it retires, the process takes no new
//! sessions and ends with the last one.
//!
//! # FILES
//!
//! `data/queue/CHANNEL/NNN/`
//! : message files
//!
//! `data/log/mail.log_current`
//! : the records, as the `log_*` options ask
//!
//! `data/log/tcp_smtp_server.log-UNIQUEID`
//! : trouble, in the file that the service's `logfilename` names; made with its first line
//!
//! `data/log/CHANNEL_slave.log-UNIQUEID`
//! : the dialogue, with `slave_debug` on the channels concerned or with `mm_debug`
//!
//! `config/directory.ldif`
//! : accounts and domains, read again a second after it was last changed
//!
//! # SIGNALS
//!
//! None is caught. The Dispatcher tells the process when to retire, to reload and to end; being
//! killed costs the sessions under way, and no message that was answered with 250.
//!
//! # SECURITY
//!
//! The program runs as the server user; called by root it becomes that user first. Everything a
//! client sends is distrusted: lines, data, recipients and time are bounded, only CRLF ends a
//! line, and what was said before STARTTLS is forgotten. AUTH is offered under TLS only.
//! What a client says of itself never decides from which channel its mail comes.
//!
//! # DIAGNOSTICS
//!
//! Exit code 1 when the process cannot begin: no configuration, no such service, a service
//! without channel, or no Dispatcher. A session that panics is ended with 421 and written to the
//! log as `%IMTA-F-PANIC`.
//!
//! # BUGS
//!
//! A warning about long lines that were cut is not added to the header if the first of them
//! comes behind the first 64 KiB of the body. The private verbs XADR, XCIR, XGEN and XSTA are
//! always refused.
//!
//! # SEE ALSO
//!
//! dispatcher(8), job_controller(8), tcp_smtp_client(8), imsimta(8)

use std::process::ExitCode;

use clap::Parser;

/// Bring mail in from the network by SMTP.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The service to serve, unless IMTA_SERVICE names it.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

fn main() -> ExitCode {
    let Arguments { service } = Arguments::parse();
    mta_process::exit(channels::tcp::server::run(
        channels::tcp::server::Arguments { service },
    ))
}
