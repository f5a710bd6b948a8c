//! # NAME
//!
//! conversion - pass on the mail of conversion channels
//!
//! # SYNOPSIS
//!
//! `conversion [--run] [CHANNEL]`
//!
//! # DESCRIPTION
//!
//! The mapping table `CONVERSIONS` sends mail through a channel of this kind, with the probe
//! `IN-CHAN=source;OUT-CHAN=destination;CONVERT` and the answer `Yes`, or `Yes,Channel=name` for
//! another channel than `conversion`. The Job Controller starts this program for the channels
//! `conversion` and `conversion_*`, names the channel in `IMTA_CHANNEL`, and hands it one message
//! after the other over its standard input. Each recipient is rewritten to find the channel that it
//! was meant for, and the message is enqueued there, as coming from the conversion channel. Neither
//! access tables nor aliases nor FORWARD are asked again, and not CONVERSIONS for the same channel.
//! Its envelope id and time of arrival stay. Each pass adds a `Received:` line, so that a loop ends
//! as `.HELD`.
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
//! Messages pass as they are: the entries of the file `conversions` are not carried out. A crash
//! between the new files and the removal of the old one makes a second copy.
//!
//! # SEE ALSO
//!
//! mappings(5), reprocess(8), job_controller(8), imsimta(8)

use std::process::ExitCode;

use clap::Parser;

/// Pass on the mail of a conversion channel.
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
        channels::reprocess::CONVERSION,
        &channels::master::Arguments { channel, run },
    ))
}
