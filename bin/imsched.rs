//! # NAME
//!
//! imsched - run the periodic tasks
//!
//! # SYNOPSIS
//!
//! `imsched [-f SERVER-ROOT]`
//!
//! # DESCRIPTION
//!
//! imsched runs each `schedule.task` of the configuration at the minutes its crontab names:
//! minute, hour, day of month, month, day of week (0 is Sunday), each `*`, a number, a range
//! `a-b`, a list `a,b`, or a step `/n`. The day of the month and the day of the week must both
//! match. A relative command is taken from the server root.
//!
//! A task that is still running when its next time comes is left out that time. Minutes that were
//! missed because the machine slept are made up for up to five minutes back.
//!
//! Initially there are two tasks: `return_job`, which returns messages past their time and rolls
//! the transaction log over, and `purge`, which removes old log files.
//!
//! # FILES
//!
//! `config/compiled/config_data`, else `config/config.xml`
//! : the tasks
//!
//! `config/.sched.lock`
//! : held for as long as imsched runs
//!
//! `data/log/sched.log-UNIQUEID`
//! : which task ran when, how it ended, and what it printed
//!
//! # SIGNALS
//!
//! `HUP`
//! : read the tasks again
//!
//! `TERM`, `INT`
//! : end; running tasks go on
//!
//! # SECURITY
//!
//! imsched never runs as root. Whoever can write the configuration decides what it runs.
//!
//! # DIAGNOSTICS
//!
//! It ends with status 1 when it cannot start; the reason stands in its log.
//!
//! # BUGS
//!
//! When clocks go forward, tasks of the hour that is left out do not run; when they go back, tasks
//! of the repeated hour run twice.
//!
//! # SEE ALSO
//!
//! start-msg(8), watcher(8), return_job(8), imsimta(8)

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Run the periodic tasks.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The server root, if it is neither in SERVERROOT nor above this program.
    #[arg(short = 'f', value_name = "SERVER-ROOT")]
    server_root: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments { server_root } = Arguments::parse();
    mta_process::exit(housekeeping::run(housekeeping::Arguments { server_root }))
}
