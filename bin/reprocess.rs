//! # NAME
//!
//! reprocess - put the mail of reprocess, process and hold channels through the MTA again
//!
//! # SYNOPSIS
//!
//! `reprocess [--run] [CHANNEL]`
//!
//! # DESCRIPTION
//!
//! The Job Controller starts this program for the channels `reprocess`, `process` and `hold` and
//! their kin, names the channel in `IMTA_CHANNEL`, and hands it one message after the other over
//! its standard input. Each recipient is rewritten and expanded as if the message had just come
//! in, and the message is enqueued for wherever that leads. Its envelope id and time of arrival
//! stay.
//!
//! What passes `process` comes from `process` afterwards. What passes `reprocess` or `hold` still
//! comes from the channel it came from first. Each pass adds a `Received:` line, so that a loop
//! ends as `.HELD`.
//!
//! `imsimta run CHANNEL` runs the program by hand, with its output on the terminal.
//!
//! # FILES
//!
//! `data/queue/CHANNEL/NNN/`
//! : message files
//!
//! `data/log/CHANNEL_master.log-UNIQUEID`
//! : trouble, and with `master_debug` or `mm_debug` each step; made with its first line
//!
//! `data/log/mail.log_current`
//! : records `E` of the new files, then `D`, `Q`, `Z`, `R`, `K`
//!
//! # SIGNALS
//!
//! None is caught. The Job Controller ends the program through its connection, after the message
//! in hand; being killed costs nothing but that attempt.
//!
//! # SECURITY
//!
//! The program runs as the server user; called by root it becomes that user first. Recipients were
//! checked when the message came in and are not checked against the access tables again.
//!
//! # DIAGNOSTICS
//!
//! Exit code 1 when it cannot begin, 2 when there is no Job Controller. What happens to single
//! messages stands in the log.
//!
//! # BUGS
//!
//! A crash between the new files and the removal of the old one makes a second copy.
//!
//! # SEE ALSO
//!
//! conversion(8), job_controller(8), imsimta(8)

use std::process::ExitCode;

use clap::Parser;

/// Put the mail of a channel through the MTA again.
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
    mta_process::exit(channels::reprocess::run(
        "reprocess",
        &channels::master::Arguments { channel, run },
    ))
}
