//! # NAME
//!
//! watcher - bind the ports, start the daemons, keep them running
//!
//! # SYNOPSIS
//!
//! `watcher run [--ha] [--start]`
//!
//! `watcher start [-h | ha | COMPONENT...]`
//!
//! `watcher stop [-h | ha | [-f] COMPONENT...]`
//!
//! # DESCRIPTION
//!
//! `watcher run` binds the listening sockets of all services, starts the daemons as the server
//! user, restarts one that dies, with a pause that grows while it dies at once, and hands the
//! listening sockets to each new Dispatcher. So a Dispatcher can be restarted without a refused
//! connection. With `--start` it starts every enabled component at once and tells the service
//! manager (`NOTIFY_SOCKET`) when all are up; with `--ha` it gives up and ends when a daemon has
//! failed three times within ten minutes, so that a cluster fails over. A port that cannot be
//! bound is told of and does not keep the others from being served; it is tried again with the
//! next Dispatcher. A Dispatcher or Job Controller that does not answer on its control socket for
//! three minutes is killed, and so restarted.
//!
//! `watcher start` and `watcher stop` are what start-msg and stop-msg run: they launch the watcher
//! if need be, and ask it over its control socket. Components are `watcher`, `sched`,
//! `dispatcher`, `job_controller`, and `mta` for the last two. `stop` without a component, or with
//! `watcher`, stops everything and ends the watcher; when the watcher has died, it ends whoever
//! holds a daemon's lock.
//!
//! # FILES
//!
//! `config/restricted.cnf`
//! : the server user
//!
//! `config/compiled/config_data`, else `config/config.xml`
//! : services, their ports and addresses
//!
//! `config/.PATH.watcher.socket`, `config/.watcher.lock`
//! : control socket, and the lock by which a running watcher is known
//!
//! `data/log/watcher`
//! : starts, stops and failures, and what daemons write to standard error
//!
//! # SIGNALS
//!
//! `TERM`, `INT`
//! : stop every daemon, then end
//!
//! # SECURITY
//!
//! The watcher is the only program that stays root, and only to bind low ports and to start
//! programs as the server user; everything else, reading the configuration included, it does as
//! the server user. It reads nothing that comes from the network. On its control socket it
//! answers root and the server user. It refuses to work for a server user who is root.
//!
//! # DIAGNOSTICS
//!
//! Status 1: something could not be started or stopped, and standard error says what and which
//! log to read. Status 2: the watcher does not answer.
//!
//! # BUGS
//!
//! When the watcher is killed, the daemons go on without it; the next start-msg ends and replaces
//! them, and the moment in between refuses connections.
//!
//! # SEE ALSO
//!
//! start-msg(8), stop-msg(8), dispatcher(8), job_controller(8), imsched(8)

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use watcher::Task;

/// Bind the ports, start the daemons, keep them running.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The server root, if it is neither in SERVERROOT nor above this program.
    #[arg(long, value_name = "DIRECTORY")]
    server_root: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Be the watcher.
    Run {
        /// Give up, and end, when a daemon fails too often.
        #[arg(long)]
        ha: bool,
        /// Start every enabled component at once.
        #[arg(long)]
        start: bool,
    },
    /// What start-msg does.
    #[command(disable_help_flag = true)]
    Start {
        /// `-h`, `ha`, or components.
        #[arg(allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// What stop-msg does.
    #[command(disable_help_flag = true)]
    Stop {
        /// `-h`, `ha`, `-f`, or components.
        #[arg(allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

impl From<Verb> for Task {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Run { ha, start } => Self::Run { ha, start },
            Verb::Start { words } => Self::Start { words },
            Verb::Stop { words } => Self::Stop { words },
        }
    }
}

fn main() -> ExitCode {
    let Arguments { server_root, verb } = Arguments::parse();
    let task = verb.into();
    mta_process::exit(watcher::run(watcher::Arguments { server_root, task }))
}
