//! `imsimta run` and `imsimta submit`.

use crate::context::{self, Context, Failure, Outcome};
use mta_command::message::Message;
use mta_command::switches::{Switch, Verb};
use mta_ipc::job_controller::Request;
use mta_queue::hold_list::HoldList;
use std::process::{Command, Stdio};

pub(crate) const RUN: &[Verb] = &[Verb {
    name: "run",
    about: "run a channel's program here, its output on the terminal, without regard to retry times",
    parameters: "channel",
    least: 1,
    most: 1,
    switches: &[],
}];
pub(crate) const SUBMIT: &[Verb] = &[Verb {
    name: "submit",
    about: "ask the Job Controller to run a channel now (the local channel if none is named)",
    parameters: "[channel] [poll]",
    least: 0,
    most: 2,
    switches: &[Switch::flag(
        "poll",
        "run the program even if nothing is queued",
    )],
}];

pub(crate) fn run(context: &Context, typed: &[String]) -> Outcome {
    let words = RUN[0].parse(typed)?;
    let channel = context.channel("RUN", words.parameter(0).unwrap_or_default())?;
    let stopped = HoldList::open(&context.root.db())
        .list()
        .unwrap_or_default();
    if stopped.contains(&channel) {
        let text = format!(
            "channel is stopped; run by hand all the same (imsimta qm start {channel} starts it)"
        );
        Message::info("RUN", "STOPPED", text).emit();
    }
    // Asked first, so that its absence is told in one clear line before anything is started.
    drop(context.controller("RUN")?);
    let class = context.config()?.job_controller.class_for(&channel);
    let Some(program) = class.and_then(|class| class.master_command.clone()) else {
        let text = format!("channel {channel} has no program that could be run");
        return Err(Message::error("RUN", "NOPROGRAM", text).into());
    };
    let program = context.root.resolve(&program);
    let status = Command::new(&program)
        .arg("--run")
        .env("SERVERROOT", context.root.root())
        .env("IMTA_CHANNEL", channel.as_str())
        .stdin(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => match status.code() {
            Some(code) => Err(Failure::Silent(u8::try_from(code).unwrap_or(1))),
            None => Err(
                Message::error("RUN", "DIED", format!("{}: {status}", program.display())).into(),
            ),
        },
        Err(error) => Err(Message::error(
            "RUN",
            "NOPROGRAM",
            format!("{}: {error}", program.display()),
        )
        .into()),
    }
}

pub(crate) fn submit(context: &Context, typed: &[String]) -> Outcome {
    let words = SUBMIT[0].parse(typed)?;
    let poll = words.is_on("poll", false)
        || words
            .parameters()
            .iter()
            .skip(1)
            .any(|word| word.eq_ignore_ascii_case("poll"));
    let channel = context.channel("SUBMIT", words.parameter(0).unwrap_or("l"))?;
    let controller = context.controller("SUBMIT")?;
    context::tell(&controller, "SUBMIT", &Request::Submit { channel, poll })
}
