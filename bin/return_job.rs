//! # NAME
//!
//! return_job - warn about and return old mail, turn the transaction logs
//!
//! # SYNOPSIS
//!
//! `return_job [--turn]`
//!
//! # DESCRIPTION
//!
//! The scheduler runs this program every night at half past midnight, or every hour if the MTA
//! option `return_units` is 1; it may be run by hand. In this order:
//!
//! 1. Each message of each channel is measured by its full days (hours) since it arrived against
//!    the channel's `notices` for its priority. At each value but the last its sender is warned,
//!    once (`W` records); at the last it is returned (`R` records, or `K` if nobody is to be
//!    told). A message that is being delivered is left for the next run. Held messages do not age.
//!    Mail in `filter_discard` is deleted at its last value without a notice.
//! 2. Temporary files in the queue whose writer is gone are removed after a day.
//! 3. Every `return_split_period` runs the transaction logs turn: `mail.log_yesterday` is
//!    appended to `mail.log`, `mail.log_current` becomes `mail.log_yesterday`. Likewise
//!    `connection.log`.
//!
//! # FILES
//!
//! `data/queue/CHANNEL/NNN/`
//! : message files
//!
//! `config/locale/C/LC_MESSAGES/return_*.txt`, `config/return_*.txt`
//! : texts of the notices
//!
//! `data/log/mail.log*`, `data/log/connection.log*`
//! : transaction logs
//!
//! `data/log/return.log-UNIQUEID`
//! : trouble, and with `return_debug` each step; made with its first line
//!
//! `data/db/return_job.count`
//! : runs since the logs turned, if not every run turns them
//!
//! `config/.return_job.lock`
//! : held while it runs
//!
//! # SIGNALS
//!
//! None is caught. Killed at any moment the program leaves each message either returned or in the
//! queue; a log that was turned half is finished by the next run.
//!
//! # SECURITY
//!
//! The program runs as the server user; called by root it becomes that user first. Notices have
//! an empty sender, and mail with an empty sender gets none.
//!
//! # DIAGNOSTICS
//!
//! Exit code 1 when it cannot begin, when another return job runs, or when some messages could
//! not be dealt with; the log tells which.
//!
//! # BUGS
//!
//! A crash between a notice and the removal of its message makes a second notice.
//!
//! # SEE ALSO
//!
//! imsched(8), imsimta(8)

use std::process::ExitCode;

use clap::Parser;

/// Warn about and return old mail, turn the transaction logs.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Turn the transaction logs whatever return_split_period says.
    #[arg(long)]
    turn: bool,
}

fn main() -> ExitCode {
    let Arguments { turn } = Arguments::parse();
    mta_process::exit(channels::returns::run(&channels::returns::Arguments {
        turn,
    }))
}
