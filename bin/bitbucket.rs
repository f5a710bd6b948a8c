//! # NAME
//!
//! bitbucket - delete the mail of the bitbucket channel
//!
//! # SYNOPSIS
//!
//! `bitbucket [--run] [CHANNEL]`
//!
//! # DESCRIPTION
//!
//! The Job Controller starts this program for the channel `bitbucket`, names the channel in
//! `IMTA_CHANNEL`, and hands it one message after the other over its standard input. Each is
//! removed from the queue, with a `D` record for each recipient.
//!
//! `imsimta run CHANNEL` runs the program by hand, with its output on the terminal.
//!
//! # FILES
//!
//! `data/queue/CHANNEL/NNN/`
//! : message files
//!
//! `data/log/mail.log_current`
//! : the records
//!
//! `data/log/CHANNEL_master.log-UNIQUEID`
//! : trouble, and with `master_debug` or `mm_debug` each step; made with its first line
//!
//! # SIGNALS
//!
//! None is caught. The Job Controller ends the program through its connection, after the message
//! in hand; being killed costs nothing but that attempt.
//!
//! # SECURITY
//!
//! The program runs as the server user; called by root it becomes that user first. It does not
//! look into messages.
//!
//! # DIAGNOSTICS
//!
//! Exit code 1 when it cannot begin, 2 when there is no Job Controller.
//!
//! # BUGS
//!
//! A sender who asked for a notice of success gets one.
//!
//! # SEE ALSO
//!
//! job_controller(8), imsimta(8)

use std::process::ExitCode;

use clap::Parser;

/// Delete the mail of the bitbucket channel.
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
    mta_process::exit(channels::bitbucket::run(&channels::master::Arguments {
        channel,
        run,
    }))
}
