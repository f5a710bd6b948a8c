//! `imsimta qm`: the queue manager, one-shot and interactive.
//!
//! In a session the numbers of the last `directory` or `held` listing name messages for `hold`,
//! `release`, `return`, `delete`, `read` and `history`. A single command has made no listing, and
//! between two commands the queue changes, so there messages are named by their files.

mod act;
mod clean;
pub(crate) mod files;
pub(crate) mod listing;
mod look;
mod reading;
mod session;
mod summarize;
mod top;

pub(crate) use act::{forgotten, refused};
pub(crate) use clean::{QCLEAN, qclean};
pub(crate) use top::{QTOP, qtop};

use crate::context::{self, Context, Failure, Outcome};
use crate::front::{not_yet, verb_help};
use crate::report::jobs::{Channel, Host, Hosts, Jobs, Parts};
use crate::report::{clock, directory::Row};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Verb, Words, keyword};
use mta_envelope::names::ChannelName;
use mta_ipc::job_controller::{Reply, Request};
use mta_queue::hold_list::HoldList;
use std::collections::BTreeSet;

const JSON: Switch = Switch::flag("json", "as JSON");
const ENVELOPE: Switch = Switch::flag(
    "envelope",
    "also show envelope From and To (opens every file)",
);
const FILE_INFO: Switch = Switch::flag(
    "file_info",
    "look at each file for its size and date (default)",
);
const TOTAL: Switch = Switch::flag("total", "a line with the grand total");
const FROM: Switch = Switch::with(
    "from",
    "address",
    "only messages with this envelope From; <> is the empty one",
);
const TO: Switch = Switch::with("to", "address", "only messages with this envelope To");
const MATCH: Switch = Switch::with("match", "AND|OR", "how -from and -to combine (OR)");
const TREE: Switch = Switch::flag("directory_tree", "look at the disk");
const DATABASE: Switch = Switch::flag("database", "ask the Job Controller");

/// The switches that select messages of the last listing.
const SELECT: &[Switch] = &[
    Switch::with("channel", "name", "only messages of this channel"),
    Switch::flag("all", "every message of the listing"),
    Switch::flag(
        "confirm",
        "ask before each (default when messages are not named by number)",
    ),
    Switch::flag("log", "a line for each message (default)"),
];

/// The same for what cannot be taken back.
const SELECT_OR_PREVIEW: &[Switch] = &[
    SELECT[0],
    SELECT[1],
    SELECT[2],
    SELECT[3],
    Switch::flag(
        "preview",
        "only count what would be touched, by channel and host",
    ),
    Switch::flag("json", "-preview as JSON"),
];

/// What `read` and `history` understand alike.
const LOOK: [Switch; 4] = [
    Switch::with("channel", "name", "only messages of this channel"),
    Switch::flag("all", "every message of the listing"),
    Switch::flag("confirm", "ask before each"),
    JSON,
];

/// How messages are named.
const WHICH: &str = "[id...|file...]";

const fn verb(
    name: &'static str,
    about: &'static str,
    parameters: &'static str,
    most: usize,
    switches: &'static [Switch],
) -> Verb {
    Verb {
        name,
        about,
        parameters,
        least: 0,
        most,
        switches,
    }
}

const fn one(name: &'static str, about: &'static str, switches: &'static [Switch]) -> Verb {
    Verb {
        name,
        about,
        parameters: "channel",
        least: 1,
        most: 1,
        switches,
    }
}

/// Every sub-command, in alphabetical order.
pub(crate) const VERBS: &[Verb] = &[
    verb(
        "clean",
        "hold or delete messages that hold given substrings",
        "[channel]",
        1,
        clean::SWITCHES,
    ),
    verb("date", "current date and time", "", 0, &[]),
    verb(
        "delete",
        "remove messages, irrevocably",
        WHICH,
        1000,
        SELECT_OR_PREVIEW,
    ),
    verb(
        "directory",
        "list queued messages",
        "[channel]",
        1,
        &[
            Switch::flag("held", "list held messages"),
            ENVELOPE,
            FILE_INFO,
            TOTAL,
            FROM,
            TO,
            MATCH,
            Switch::with("owner", "user", "not available in this version"),
            TREE,
            DATABASE,
            JSON,
        ],
    ),
    verb("exit", "leave the session", "", 0, &[]),
    verb(
        "held",
        "list held messages",
        "[channel]",
        1,
        &[ENVELOPE, FILE_INFO, TOTAL, FROM, TO, MATCH, JSON],
    ),
    verb(
        "help",
        "this list, or what one sub-command understands",
        "[topic]",
        1,
        &[],
    ),
    verb(
        "history",
        "delivery attempts recorded in a message file",
        WHICH,
        1000,
        &LOOK,
    ),
    verb(
        "hold",
        "set messages aside as .HELD",
        WHICH,
        1000,
        SELECT_OR_PREVIEW,
    ),
    verb(
        "jobs",
        "jobs, hosts and messages being processed now",
        "[channel]",
        1,
        &[
            Switch::flag("hosts", "show hosts (default)"),
            Switch::flag("jobs", "show jobs (default)"),
            Switch::flag("messages", "show messages (default)"),
            JSON,
        ],
    ),
    one(
        "messages",
        "active and delayed messages by destination host",
        &[JSON],
    ),
    verb("quit", "leave the session", "", 0, &[]),
    verb(
        "read",
        "envelope and header of messages",
        WHICH,
        1000,
        &[
            LOOK[0],
            LOOK[1],
            LOOK[2],
            Switch::flag("content", "also the body"),
            JSON,
        ],
    ),
    verb(
        "release",
        "un-hold messages and process them first",
        WHICH,
        1000,
        SELECT,
    ),
    verb(
        "return",
        "bounce messages to their senders",
        WHICH,
        1000,
        SELECT_OR_PREVIEW,
    ),
    Verb {
        name: "run",
        about: "carry out a file of sub-commands, one a line; ! begins a comment",
        parameters: "file",
        least: 1,
        most: 1,
        switches: &[
            Switch::flag("ignore", "go on behind an error"),
            Switch::flag("log", "show each line first (default)"),
        ],
    },
    one(
        "start",
        "let a channel run again",
        &[Switch::flag("log", "say so")],
    ),
    one(
        "stop",
        "keep a channel from running, over restarts too",
        &[Switch::flag("log", "say so")],
    ),
    verb(
        "summarize",
        "one line for each channel",
        "",
        0,
        &[
            TREE,
            DATABASE,
            Switch::flag("heading", "the lines above (default)"),
            Switch::flag("held", "also count held messages"),
            Switch::flag("trailing", "the line with the totals (default)"),
            JSON,
        ],
    ),
    verb(
        "top",
        "the most frequent fields of queued messages",
        "[channel]",
        1,
        top::SWITCHES,
    ),
    verb(
        "view",
        "where later listings look",
        "",
        0,
        &[TREE, DATABASE],
    ),
];

/// Sub-commands of the product that this version does not have.
const NOT_YET: [&str; 1] = ["counters"];

/// Where listings look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Tree,
    Cache,
}

/// What a session remembers between sub-commands.
pub(crate) struct State {
    source: Source,
    listing: Option<Vec<Row>>,
    interactive: bool,
    /// How many files of sub-commands are being carried out, one within the other.
    depth: u32,
}

pub(crate) fn run(context: &Context, typed: &[String]) -> Outcome {
    let typed = match typed.split_first() {
        Some((first, rest)) if is_maintenance(first) => rest,
        _ => typed,
    };
    let mut state = State {
        source: Source::Tree,
        listing: None,
        interactive: typed.is_empty(),
        depth: 0,
    };
    if typed.is_empty() {
        session::run(context, &mut state);
        return Ok(());
    }
    execute(context, &mut state, typed).map(drop)
}

fn is_maintenance(word: &str) -> bool {
    word.len() > 1 && "-maintenance".starts_with(&word.to_ascii_lowercase())
}

/// Whether a session goes on after a sub-command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Continue,
    Leave,
}

fn execute(context: &Context, state: &mut State, typed: &[String]) -> Result<Then, Failure> {
    let Some((word, rest)) = typed.split_first() else {
        return Ok(Then::Continue);
    };
    let names: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
    let found = keyword(word, &names);
    let index = found.map_err(|unknown| not_yet(word, &NOT_YET).unwrap_or(unknown))?;
    let verb = &VERBS[index];
    let words = verb.parse(rest)?;
    match verb.name {
        "exit" | "quit" => return Ok(Then::Leave),
        "date" => output::line(&clock::heading(clock::now())),
        "help" => help(&words),
        "view" => state.source = source(&words, state.source)?,
        "directory" => listing::directory(context, state, &words)?,
        "held" => listing::held(context, state, &words)?,
        "summarize" => summarize::run(context, state, &words)?,
        "jobs" => jobs(context, &words)?,
        "messages" => messages(context, &words)?,
        "run" => session::run_file(context, state, &words)?,
        "clean" => clean::run(context, state.source, &words)?,
        "top" => top::run(context, state.source, &words)?,
        "start" => start(context, &words)?,
        "stop" => stop(context, &words)?,
        "read" => look::read(context, state, &words)?,
        "history" => look::history(context, state, &words)?,
        "hold" => act::hold(context, state, &words)?,
        "release" => act::release(context, state, &words)?,
        "return" => act::give_back(context, state, &words)?,
        "delete" => act::delete(context, state, &words)?,
        other => unreachable!("{other} stands in the table above and not here"),
    }
    Ok(Then::Continue)
}

fn help(words: &Words) {
    let names: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
    match words.parameter(0) {
        None => {
            let lines: Vec<String> = VERBS
                .iter()
                .map(|verb| format!("  {:<10} {}\n", verb.name, verb.about))
                .collect();
            output::block(&lines.concat());
        }
        Some(topic) => match keyword(topic, &names) {
            Ok(index) => output::block(&verb_help("qm", &VERBS[index])),
            Err(_) => output::line(&format!("No help on {}", output::visible(topic))),
        },
    }
}

/// The source that the switches ask for, else `usual`.
fn source(words: &Words, usual: Source) -> Result<Source, Failure> {
    match (
        words.is_on("directory_tree", false),
        words.is_on("database", false),
    ) {
        (true, true) => Err(crate::front::conflict("QM", "-directory_tree, -database")),
        (true, false) => Ok(Source::Tree),
        (false, true) => Ok(Source::Cache),
        (false, false) => Ok(usual),
    }
}

fn jobs(context: &Context, words: &Words) -> Outcome {
    let channel = match words.parameter(0) {
        Some(typed) => Some(context.channel("QM", typed)?),
        None => None,
    };
    let controller = context.controller("QM")?;
    match context::ask(&controller, "QM", &Request::Jobs { channel })? {
        Reply::Jobs(told) => {
            let parts = Parts {
                hosts: words.is_on("hosts", true),
                jobs: words.is_on("jobs", true),
                messages: words.is_on("messages", true),
            };
            let view = Jobs {
                channels: told
                    .into_iter()
                    .map(|told| Channel::of(told, parts))
                    .collect(),
            };
            output::show(&view, words.is_on("json", false));
            Ok(())
        }
        other => Err(context::unexpected("QM", &other)),
    }
}

fn messages(context: &Context, words: &Words) -> Outcome {
    let channel = context.channel("QM", words.parameter(0).unwrap_or_default())?;
    let controller = context.controller("QM")?;
    match context::ask(
        &controller,
        "QM",
        &Request::Messages {
            channel: channel.clone(),
        },
    )? {
        Reply::Messages(told) => {
            let of = |told| Host::of(told, &channel);
            let mut hosts: Vec<Host> = told.into_iter().map(of).collect();
            hosts.sort_by(|a, b| {
                (b.active + b.delayed, &a.host).cmp(&(a.active + a.delayed, &b.host))
            });
            let view = Hosts {
                channel: channel.to_string(),
                hosts,
            };
            output::show(&view, words.is_on("json", false));
            Ok(())
        }
        other => Err(context::unexpected("QM", &other)),
    }
}

fn start(context: &Context, words: &Words) -> Outcome {
    let channel = context.channel("QM", words.parameter(0).unwrap_or_default())?;
    HoldList::open(&context.root.db())
        .start(&channel)
        .map_err(|error| Message::error("QM", "NOTSTARTED", explained(&error)))?;
    let told = announce(context, CHANGED, &Request::StartChannel(channel.clone()));
    if told && words.is_on("log", false) {
        Message::info("QM", "STARTED", format!("channel {channel} started")).emit();
    }
    Ok(())
}

fn stop(context: &Context, words: &Words) -> Outcome {
    let channel = context.channel("QM", words.parameter(0).unwrap_or_default())?;
    HoldList::open(&context.root.db())
        .stop(&channel)
        .map_err(|error| Message::error("QM", "NOTSTOPPED", explained(&error)))?;
    let told = announce(context, CHANGED, &Request::StopChannel(channel.clone()));
    if told && words.is_on("log", false) {
        Message::info("QM", "STOPPED", format!("channel {channel} stopped")).emit();
    }
    Ok(())
}

/// What `start` and `stop` have done, whoever could be told of it.
const CHANGED: &str = "the list of stopped channels is changed";

/// An error and, in brackets, what lies behind it.
pub(crate) fn explained(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), |source| format!("{error} ({source})"))
}

/// Tells a running Job Controller of what is `done`. Without one nothing is lost: the disk is the
/// truth, and it is read at the next start. One that runs and does not take it in goes on as
/// before, and the operator has to know. Says whether nothing is left to be told.
pub(crate) fn announce(context: &Context, done: &str, request: &Request) -> bool {
    let Err(why) = context.hint(request) else {
        return true;
    };
    let text = format!("{done}, but the job controller could not be told: {why}");
    Message::warning("QM", "NOTTOLD", text).emit();
    false
}

/// The stopped channels. A list that cannot be read is told, and then nothing is known of it.
pub(crate) fn stopped_channels(
    context: &Context,
    facility: &'static str,
) -> Option<BTreeSet<ChannelName>> {
    match HoldList::open(&context.root.db()).list() {
        Ok(stopped) => Some(stopped),
        Err(error) => {
            Message::warning(facility, error.ident(), explained(&error)).emit();
            None
        }
    }
}
