//! `imsimta cache`: the Job Controller's queue cache.

use crate::context::{self, Context, Controller, Failure, Outcome};
use crate::front::conflict;
use crate::report::cache::{Cache, Row};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Value, Verb, Words};
use mta_envelope::names::ChannelName;
use mta_ipc::job_controller::{Change, Reply, Request};

pub(crate) const VERBS: &[Verb] = &[Verb {
    name: "cache",
    about: "inspect, synchronise or change the queue cache of the running Job Controller",
    parameters: "[channel]",
    least: 0,
    most: 1,
    switches: &[
        Switch::flag(
            "view",
            "list the cached messages, of one channel if it is named",
        ),
        Switch::flag(
            "synchronize",
            "scan the queue directories for files that the cache lacks",
        ),
        Switch::flag(
            "walk",
            "write the internal state to the Job Controller's log",
        ),
        Switch::flag("change", "change a value until the next start"),
        Switch {
            name: "debug",
            value: Value::Optional("mask"),
            help: "debug mask from now on, for -sync, -walk and -change -global",
        },
        Switch::flag(
            "recipient",
            "-sync: open each file to learn its host (always done)",
        ),
        Switch::flag("global", "-change: of the whole Job Controller"),
        Switch::with("template", "class", "-change: of one channel class"),
        Switch::with(
            "channel_template",
            "class",
            "the same, as older releases spell it",
        ),
        Switch::with("channel", "name", "-change: of one channel"),
        Switch::with(
            "max_messages",
            "n",
            "-change -global: ceiling of cached messages",
        ),
        Switch::with(
            "parallel_rebuild",
            "n",
            "-change -global: channel directories scanned at once",
        ),
        Switch::flag(
            "inorder_rebuild",
            "-change -global: rebuild in order of creation",
        ),
        Switch::with(
            "master_job",
            "command",
            "-change: the class's or channel's master program",
        ),
        Switch::with(
            "slave_job",
            "command",
            "-change: not available in this version",
        ),
        Switch::with(
            "thread_depth",
            "n",
            "-change -channel: messages before a further thread",
        ),
        Switch::with("job_limit", "n", "-change -channel: most jobs at once"),
        Switch::flag("json", "-view as JSON"),
    ],
}];

pub(crate) fn run(context: &Context, typed: &[String]) -> Outcome {
    let words = VERBS[0].parse(typed)?;
    let chosen: Vec<&str> = ["view", "synchronize", "walk", "change"]
        .into_iter()
        .filter(|form| words.is_on(form, false))
        .collect();
    match chosen[..] {
        ["view"] => view(context, &words),
        ["synchronize"] => synchronize(context, &words),
        ["walk"] => {
            let debug = words.number("debug")?.unwrap_or(0);
            let controller = context.controller("CACHE")?;
            context::tell(&controller, "CACHE", &Request::Walk { debug })
        }
        ["change"] => change(context, &words),
        _ => Err(conflict("CACHE", "-view, -sync, -walk, -change")),
    }
}

fn synchronize(context: &Context, words: &Words) -> Outcome {
    if words.on("recipient") == Some(false) {
        let text = "-norecipient has no effect: a file is opened to learn where it goes";
        Message::warning("CACHE", "NOEFFECT", text).emit();
    }
    let debug = match words.on("debug") {
        Some(true) => Some(words.number("debug")?.unwrap_or(1)),
        Some(false) | None => None,
    };
    let controller = context.controller("CACHE")?;
    if let Some(mask) = debug {
        context::tell(&controller, "CACHE", &Request::Change(Change::Debug(mask)))?;
    }
    context::tell(&controller, "CACHE", &Request::Sync)
}

fn view(context: &Context, words: &Words) -> Outcome {
    let channel = match words.parameter(0) {
        Some(typed) => Some(context.channel("CACHE", typed)?),
        None => None,
    };
    let controller = context.controller("CACHE")?;
    let mut messages = rows(&controller, "CACHE", channel.as_ref())?;
    let order: Vec<&str> = context
        .config()?
        .channels
        .iter()
        .map(|channel| channel.name().as_str())
        .collect();
    let rank = |name: &str| {
        order
            .iter()
            .position(|known| *known == name)
            .unwrap_or(usize::MAX)
    };
    messages.sort_by(|a, b| {
        let key = |row: &Row| {
            (
                rank(&row.channel),
                row.channel.clone(),
                row.host.clone(),
                row.enqueued,
            )
        };
        key(a).cmp(&key(b))
    });
    let asked = channel.map(|channel| channel.to_string());
    output::show(&Cache { messages, asked }, words.is_on("json", false));
    Ok(())
}

/// All cached messages, gathered part by part.
pub(crate) fn rows(
    controller: &Controller,
    facility: &'static str,
    channel: Option<&ChannelName>,
) -> Result<Vec<Row>, Failure> {
    let mut found = Vec::new();
    let mut cursor = 0;
    loop {
        let request = Request::View {
            channel: channel.cloned(),
            cursor,
        };
        match context::ask(controller, facility, &request)? {
            Reply::View { rows, next } => {
                found.extend(rows.into_iter().map(Row::from));
                match next {
                    Some(next) => cursor = next,
                    None => return Ok(found),
                }
            }
            other => return Err(context::unexpected(facility, &other)),
        }
    }
}

fn change(context: &Context, words: &Words) -> Outcome {
    if words.value("slave_job").is_some() {
        let text = "-slave_job is not available: the job controller runs no slave programs";
        return Err(Message::error("CACHE", "NOTYET", text).into());
    }
    let template = words
        .value("template")
        .or_else(|| words.value("channel_template"));
    let changes = match (
        words.is_on("global", false),
        template,
        words.value("channel"),
    ) {
        (true, None, None) => global(words)?,
        (false, Some(class), None) => master(words, class),
        (false, None, Some(typed)) => {
            let channel = context.channel("CACHE", typed)?;
            let mut changes = master(words, channel.as_str());
            if let Some(n) = words.number("thread_depth")? {
                changes.push(Change::ThreadDepth {
                    channel: channel.clone(),
                    n,
                });
            }
            if let Some(n) = words.number("job_limit")? {
                changes.push(Change::JobLimit { channel, n });
            }
            changes
        }
        _ => return Err(conflict("CACHE", "-global, -template, -channel")),
    };
    if changes.is_empty() {
        let text = "nothing to change: name a value that belongs to this scope";
        return Err(Message::error("CACHE", "NOCHANGE", text).into());
    }
    let controller = context.controller("CACHE")?;
    for change in changes {
        context::tell(&controller, "CACHE", &Request::Change(change))?;
    }
    Ok(())
}

fn global(words: &Words) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    if words.on("debug").is_some() {
        changes.push(Change::Debug(words.number("debug")?.unwrap_or(1)));
    }
    changes.extend(words.number("max_messages")?.map(Change::MaxMessages));
    changes.extend(
        words
            .number("parallel_rebuild")?
            .map(Change::ParallelRebuild),
    );
    changes.extend(words.on("inorder_rebuild").map(Change::InorderRebuild));
    Ok(changes)
}

fn master(words: &Words, class: &str) -> Vec<Change> {
    let command = words.value("master_job").map(str::to_owned);
    command
        .map(|command| Change::MasterCommand {
            class: class.to_owned(),
            command,
        })
        .into_iter()
        .collect()
}
