//! # NAME
//!
//! job_controller - keep the queue cache and run channel programs
//!
//! # SYNOPSIS
//!
//! `job_controller [-f SERVER-ROOT]`
//!
//! # DESCRIPTION
//!
//! The Job Controller knows which messages lie in the queues and decides which of them is tried
//! when, and by which run of a channel program. It is started by the watcher. At its start it
//! scans the queue directories; new mail is taken in, and messages are handed out, while the
//! scan goes on. From then on whoever writes a message file tells it so; a scan every
//! `synch_time` finds what it was not told.
//!
//! A channel with eligible messages gets jobs: runs of the `master_command` of its channel
//! class, at most `maxjobs` for the channel and `job_limit` for its pool. A job asks for one
//! message at a time, per thread. Messages of a channel whose class has `anon_host` 0 are queued
//! by destination host, and a second thread goes to a host only when more than `threaddepth`
//! messages wait for it. Urgent mail goes first; among equals it goes round by channel and host.
//! A message that could not be delivered waits as the channel's `backoff` says; how often it was
//! tried stands in its file's name, and when, in the file's time stamp, so that a restart changes
//! no schedule.
//!
//! A job is told to end after `max_life_time` seconds, after `max_life_askwork` requests, when it
//! has been idle for two minutes, when its channel is stopped, or when another channel of a full
//! pool needs its place; of several that have come of age one after the other. It always finishes
//! what it has in hand. Its place counts as free ten seconds after it was told, unless there are
//! twice as many processes as `maxjobs` or `job_limit` allow. A job that has had a message in
//! hand for an hour is told of in the log; after twelve it hangs, and is ended.
//!
//! When a job dies, the messages that it had in hand are tried again at once, each alone. The
//! third death in a row with the same message counts as an attempt, after the tenth the message
//! is held. A program that ends before it has asked for work is started again after a growing
//! delay, and so is one that died more than ten times in a row with everything it got.
//!
//! # FILES
//!
//! `config/compiled/config_data`, else `config/config.xml`
//! : pools, channel classes, channels
//!
//! `config/.PATH.job_controller.socket`
//! : control socket; made by the Job Controller, and made anew if somebody removes it
//!
//! `config/.job_controller.lock`
//! : held for as long as the Job Controller runs
//!
//! `data/queue/CHANNEL`
//! : the message files
//!
//! `data/db/hold_list`
//! : the stopped channels, one per line; read at each start, when a channel is stopped or
//! started, and once a minute
//!
//! `data/log/job_controller.log-UNIQUEID`
//! : its log, one file for each start, with what channel programs say on standard error
//!
//! # SIGNALS
//!
//! `TERM`, `INT`
//! : tell all jobs to end after the message in hand, and end when they have, after 30 seconds at
//! the latest or at a second signal; a job that takes longer keeps the lock on its message
//!
//! `HUP`
//! : read the hold list again
//!
//! # SECURITY
//!
//! The Job Controller never runs as root; started as root, it becomes the user of
//! `restricted.cnf` before it reads anything else. It reads the outside of message files, and
//! trusts the configuration. On the control socket it listens to processes of its own user and
//! of root; a client that sends nonsense loses its connection. Channel programs get a clean
//! environment with `IMTA_CHANNEL` and `SERVERROOT`, and their connection to the Job Controller
//! as standard input.
//!
//! # DIAGNOSTICS
//!
//! It ends with status 2 when another Job Controller serves the same root, with 1 when it cannot
//! start otherwise; the reason stands in its log. A line `jbc_channels: chan_execute [1]: fork
//! failed` there means that the system had no room for another process; the messages stay, and
//! the start is tried again.
//!
//! # BUGS
//!
//! Stress reports of channel programs are not understood yet.
//!
//! # SEE ALSO
//!
//! start-msg(8), stop-msg(8), watcher(8), imsimta(8)

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Keep the queue cache and run channel programs.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The server root, if it is neither in SERVERROOT nor above this program.
    #[arg(short = 'f', value_name = "SERVER-ROOT")]
    server_root: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments { server_root } = Arguments::parse();
    mta_process::exit(job_controller::run(&job_controller::Arguments {
        server_root,
    }))
}
