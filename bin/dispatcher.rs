//! # NAME
//!
//! dispatcher - accept connections and hand them to server processes
//!
//! # SYNOPSIS
//!
//! `dispatcher [-f SERVER-ROOT]`
//!
//! # DESCRIPTION
//!
//! The Dispatcher is started by the watcher, which binds the ports of all services and hands the
//! listening sockets over on standard input. For each connection it asks the mapping table
//! PORT_ACCESS, chooses the server process of that service with the fewest connections, and
//! gives the connection to it. It keeps between `min_procs` and `max_procs` server processes per
//! service, starts another when all have `min_conns` connections, and retires a process after
//! `max_life_time` seconds, `max_life_conns` connections, or, if it is one too many,
//! `max_idle_time` seconds without a connection. A process that retires finishes its sessions.
//!
//! A server process that dies takes only its own sessions with it. It is replaced, after a delay
//! that grows if it dies at once; a connection that it had not taken goes to another. One that
//! leaves a connection untaken for ten seconds gets no more; after half a minute, or five minutes
//! if it has sessions, it is killed.
//!
//! When nobody can take a connection it waits in the listen queue.
//!
//! # FILES
//!
//! `config/compiled/config_data`, else `config/config.xml`
//! : services and limits, and PORT_ACCESS
//!
//! `config/.PATH.dispatcher.socket`
//! : control socket; made by the Dispatcher, and made anew if somebody removes it
//!
//! `config/.dispatcher.lock`
//! : held for as long as the Dispatcher runs
//!
//! `data/log/dispatcher.log-UNIQUEID`
//! : its log, one file for each start; `debug` and the environment variable
//! `IMTA_DISPATCHER_DEBUG` (a hexadecimal mask) ask for more
//!
//! # SIGNALS
//!
//! `TERM`, `INT`
//! : accept nothing more and end when all sessions have ended; after 60 seconds, or at a second
//! signal, sessions get a 421
//!
//! `USR1`
//! : make room for a successor: complete the hand-overs under way and end; sessions go on
//!
//! `HUP`
//! : load the reloadable part of the configuration again
//!
//! # SECURITY
//!
//! The Dispatcher never runs as root and reads nothing that a client sends. It trusts the
//! configuration, and on the control socket processes of its own user and of root.
//!
//! # DIAGNOSTICS
//!
//! It ends with status 1 when it cannot start: another Dispatcher runs, the configuration cannot
//! be loaded, or the control socket cannot be made because another user's file stands in its
//! place. The reason stands in its log.
//!
//! # BUGS
//!
//! Entries of PORT_ACCESS that call out, DNS lists and IDENT are left to the server process.
//!
//! # SEE ALSO
//!
//! start-msg(8), stop-msg(8), watcher(8), tcp_smtp_server(8), imsimta(8)

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Accept connections and hand them to server processes.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The server root, if it is neither in SERVERROOT nor above this program.
    #[arg(short = 'f', value_name = "SERVER-ROOT")]
    server_root: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments { server_root } = Arguments::parse();
    mta_process::exit(dispatcher::run(dispatcher::Arguments { server_root }))
}
