//! # NAME
//!
//! ims_master - deliver the mail of ims-ms channels into the message store
//!
//! # SYNOPSIS
//!
//! `ims_master [--run] [CHANNEL]`
//!
//! # DESCRIPTION
//!
//! The Job Controller starts this program for a channel of the message store, names the channel
//! in `IMTA_CHANNEL`, and hands it one message after the other over its standard input. Each
//! recipient's copy goes into a Maildir++ below `data/store/user/DOMAIN/LOCALPART`: written to
//! `tmp`, synced, renamed into `new`, and `new` synced, before the message file is settled. The
//! name is made from the queue file's unique part and the recipient, so that a delivery that is
//! repeated after a crash is recognised.
//!
//! A subaddress (`user+Work`) or the store options of a recipient name a folder, `.Work`; it is
//! made if need be. `Return-path:` and, if known, `Original-recipient:` lines are added. If the
//! directory entry has a quota (`mailQuota`, `mailMsgQuota`) it is kept in `maildirsize`; mail
//! for a full mailbox stays in the queue (4.2.2) until there is room or its `notices` end.
//!
//! `imsimta run CHANNEL` runs the program by hand, with its output on the terminal.
//!
//! # FILES
//!
//! `data/queue/CHANNEL/NNN/`
//! : message files
//!
//! `data/store/user/DOMAIN/LOCALPART/`
//! : mailboxes; names in lower case, unusual characters as `%xx`
//!
//! `data/log/CHANNEL_master.log-UNIQUEID`
//! : trouble, and with `master_debug` or `mm_debug` each step; made with its first line
//!
//! `data/log/mail.log_current`
//! : records `D`, `Q`, `Z`, `R`, `K`
//!
//! # SIGNALS
//!
//! None is caught. The Job Controller ends the program through its connection, after the message
//! in hand; being killed costs nothing but that attempt.
//!
//! # SECURITY
//!
//! The program runs as the server user; called by root it becomes that user first. It trusts the
//! configuration and the Job Controller. Addresses come from outside: no octet of them becomes a
//! path unless it is a letter, a digit or one of a few marks, and a mailbox has at most a thousand
//! folders.
//!
//! # DIAGNOSTICS
//!
//! Exit code 1 when it cannot begin, 2 when there is no Job Controller. What happens to single
//! messages stands in the log.
//!
//! # BUGS
//!
//! The grace period of quotas is not observed: over quota is over quota at once.
//!
//! # SEE ALSO
//!
//! job_controller(8), return_job(8), imsimta(8)

use std::process::ExitCode;

use clap::Parser;

/// Deliver the mail of ims-ms channels into the message store.
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
    mta_process::exit(channels::ims::run(&channels::master::Arguments {
        channel,
        run,
    }))
}
