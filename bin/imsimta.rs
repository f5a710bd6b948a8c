//! # NAME
//! imsimta - the operator's commands of the MTA
//!
//! # SYNOPSIS
//! `imsimta UTILITY [-switches] [parameters]`
//!
//! # DESCRIPTION
//! One command with many utilities: compile the configuration (`cnbuild`), look at processes
//! (`process`), the queue cache (`cache`) and the queues (`qm`), run channels by hand (`run`,
//! `submit`), let daemons take up a new configuration (`reload`, `restart`), explain where an address goes (`test -rewrite`), and
//! more. `imsimta help UTILITY` shows what one of them understands.
//!
//! Keywords may be cut to any unambiguous beginning and are not case sensitive. A switch is
//! negated by `no` behind its dash; a value is attached with `=`. Of two contradictory switches
//! the last one wins. Every listing takes `-json`. Warnings and errors go to standard error in
//! the form `%FACILITY-S-IDENT, text`.
//!
//! `imsimta qm` without a sub-command is a session with the prompt `qm.maint>`; on a terminal with
//! editing, history and completion, from a pipe without a prompt. There messages are named by the
//! numbers of the last `directory` or `held`. A single command such as `imsimta qm hold` has no
//! listing of its own and names files, as `CHANNEL/NNN/FILE`, `CHANNEL/FILE` or `FILE`; with `-all`
//! it asks about each message, and does nothing if nobody can answer, unless `-noconfirm` says
//! that nothing is to be asked.
//!
//! `imsimta crdb` makes a database of a text file, one record a line: key, blanks, value. Where a
//! database is named, `IMTA_GENERAL_DATABASE`, `IMTA_REVERSE_DATABASE`, `IMTA_FORWARD_DATABASE`,
//! `IMTA_ALIAS_DATABASE` and `IMTA_DOMAIN_DATABASE` mean those that rules, tables and aliases ask,
//! in `data/db`. A new one takes the place of the old whole, and every program asks it from then
//! on. `imsimta calc` evaluates expressions in the language of recipes (msconfig(1)).
//!
//! # FILES
//! `ROOT/config/compiled/config_data` is the compiled configuration, `ROOT/data/queue` holds the
//! message files, `ROOT/data/log` the logs, `ROOT/data/db/hold_list` the stopped channels. ROOT is
//! SERVERROOT from the environment, else the directory above the one this program lies in.
//!
//! # SECURITY
//! For root and the server user only, but `version` and `help`. Started as root it becomes the
//! server user before it opens anything, so that no file it makes belongs to root. What it prints
//! of messages, addresses and logs has its control characters made visible, and the marks that
//! turn the direction of writing.
//!
//! # DIAGNOSTICS
//! Exit status 0: done, or nothing to do. 1: a mistake in the command, no privilege, an unusable
//! configuration, or any error line. 2: a daemon that is needed cannot be reached.
//!
//! # BUGS
//! The utilities `counters`, `decode`, `kill` and `program`, and of `qm` the sub-command
//! `counters`, are not there yet (`%IMTA-E-NOTYET`); `test -rewrite -filter` names
//! filters and does not evaluate them; `calc` and `test -expression` do without the functions of
//! filters. Databases are dumped with their keys in lower case, in which they are compared.
//!
//! # SEE ALSO
//! msconfig(1), configure(1), start-msg(8), stop-msg(8), watcher(8), dispatcher(8), job_controller(8)

use std::process::ExitCode;

/// `cnbuild` of a large configuration makes and gives back millions of small texts. With the
/// system's allocator that costs half as much again in time (`scripts/bench compile`), and the
/// memory grows faster than the text. Programs that keep mail stay with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let typed: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    imsimta::run(&typed)
}
