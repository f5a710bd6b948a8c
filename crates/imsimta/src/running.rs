//! `imsimta run` and `imsimta submit`.

use crate::context::{self, Context, Controller, Failure, Outcome};
use crate::qm;
use mta_command::message::Message;
use mta_command::switches::{Switch, Verb, keyword};
use mta_envelope::names::ChannelName;
use mta_ipc::job_controller::{ChannelJobs, JobView, Reply, Request};
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
    if is_stopped(context, "RUN", &channel) {
        let text = format!(
            "channel is stopped; run by hand all the same (imsimta qm start {channel} starts it)"
        );
        Message::warning("RUN", "STOPPED", text).emit();
    }
    // Asked first, so that its absence is told in one clear line before anything is started.
    let controller = context.controller("RUN")?;
    let before = jobs(&controller, &channel)?;
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
        Ok(status) if status.success() => {
            let after = jobs(&controller, &channel)?;
            outcome(&channel, before.as_ref(), after.as_ref()).emit();
            Ok(())
        }
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

/// How the channel is, as the Job Controller sees it.
fn jobs(controller: &Controller, channel: &ChannelName) -> Result<Option<ChannelJobs>, Failure> {
    let request = Request::Jobs {
        channel: Some(channel.clone()),
    };
    match context::ask(controller, "RUN", &request)? {
        Reply::Jobs(told) => Ok(told.into_iter().next()),
        other => Err(context::unexpected("RUN", &other)),
    }
}

/// What came of a run: what was settled while it lasted, or why there was nothing to do.
fn outcome(
    channel: &ChannelName,
    before: Option<&ChannelJobs>,
    after: Option<&ChannelJobs>,
) -> Message {
    let Some(after) = after else {
        let text = format!("the job controller knows nothing of channel {channel}");
        return Message::warning("RUN", "NOTHING", text);
    };
    let counts = |jobs: &ChannelJobs| (jobs.delivered, jobs.requeued);
    let (delivered, deferred) = before.map_or((0, 0), counts);
    let delivered = after.delivered.saturating_sub(delivered);
    let deferred = after.requeued.saturating_sub(deferred);
    if delivered + deferred > 0 {
        let tried = delivered + deferred;
        let text = format!("{tried} messages tried, {delivered} delivered, {deferred} deferred");
        return Message::info("RUN", "DONE", text);
    }
    // One that has just ended may still be listed, with nothing in hand.
    let holds = |job: &&JobView| !job.messages.is_empty();
    let busy: Vec<String> = after.jobs.iter().filter(holds).map(with_job).collect();
    if busy.is_empty() && after.ready + after.waiting == 0 {
        let text = format!("nothing is queued for channel {channel}");
        return Message::info("RUN", "NOTHING", text);
    }
    let mut text = format!(
        "no message could be tried: {} ready, {} waiting",
        after.ready, after.waiting
    );
    for job in busy {
        text.push_str("; ");
        text.push_str(&job);
    }
    if !after.limit.is_empty() && !after.stopped {
        text.push_str(&format!(" ({})", after.limit));
    }
    Message::warning("RUN", "NOTHING", text)
}

/// What another job has: a host belongs to one job at a time.
fn with_job(job: &JobView) -> String {
    let hosts: Vec<&str> = job.hosts.iter().map(String::as_str).collect();
    let hosts = match hosts[..] {
        [] => String::new(),
        _ => format!(" and all for {}", hosts.join(", ")),
    };
    let messages = job.messages.len();
    format!("{messages} in hand{hosts} are with job {}", job.pid)
}

fn is_stopped(context: &Context, facility: &'static str, channel: &ChannelName) -> bool {
    qm::stopped_channels(context, facility).is_some_and(|stopped| stopped.contains(channel))
}

pub(crate) fn submit(context: &Context, typed: &[String]) -> Outcome {
    let words = SUBMIT[0].parse(typed)?;
    let (channel, polled) = match words.parameters() {
        [] => (None, false),
        [only] if is_poll(only) && context.channel("SUBMIT", only).is_err() => (None, true),
        [channel] => (Some(channel.as_str()), false),
        [channel, poll, ..] => {
            keyword(poll, &[POLL])?;
            (Some(channel.as_str()), true)
        }
    };
    let poll = polled || words.is_on("poll", false);
    let channel = context.channel("SUBMIT", channel.unwrap_or("l"))?;
    if is_stopped(context, "SUBMIT", &channel) {
        let text = format!("channel is stopped (imsimta qm start {channel} starts it)");
        return Err(Message::error("SUBMIT", "STOPPED", text).into());
    }
    let controller = context.controller("SUBMIT")?;
    context::tell(&controller, "SUBMIT", &Request::Submit { channel, poll })
}

const POLL: &str = "poll";

fn is_poll(word: &str) -> bool {
    keyword(word, &[POLL]).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_envelope::names::Place;

    fn jobs(ready: u64, waiting: u64, delivered: u64, requeued: u64) -> ChannelJobs {
        ChannelJobs {
            channel: channel(),
            stopped: false,
            jobs: Vec::new(),
            ready,
            waiting,
            delivered,
            requeued,
            limit: String::new(),
        }
    }

    fn channel() -> ChannelName {
        ChannelName::new("tcp_local").unwrap()
    }

    fn told(before: &ChannelJobs, after: &ChannelJobs) -> String {
        outcome(&channel(), Some(before), Some(after)).to_string()
    }

    #[test]
    fn a_run_says_what_it_did() {
        let (before, after) = (jobs(3, 0, 7, 1), jobs(0, 1, 9, 2));
        let expected = "%RUN-I-DONE, 3 messages tried, 2 delivered, 1 deferred";
        assert_eq!(told(&before, &after), expected);
        let mut empty = jobs(0, 0, 7, 1);
        empty.jobs.push(JobView {
            pid: 15479,
            hosts: Vec::new(),
            messages: Vec::new(),
            processed: 2,
            failed: 1,
            age: 1,
        });
        let expected = "%RUN-I-NOTHING, nothing is queued for channel tcp_local";
        assert_eq!(told(&empty, &empty), expected);
    }

    #[test]
    fn a_run_that_could_do_nothing_says_why() {
        let mut stuck = jobs(2, 0, 0, 0);
        stuck.jobs.push(JobView {
            pid: 15478,
            hosts: vec!["remote2.example".into()],
            messages: vec![Place::parse("001/ZZ0T4K00A01C2R70.00").unwrap()],
            processed: 0,
            failed: 0,
            age: 9,
        });
        let expected = "%RUN-W-NOTHING, no message could be tried: 2 ready, 0 waiting; \
                        1 in hand and all for remote2.example are with job 15478";
        assert_eq!(told(&stuck, &stuck), expected);
    }

    #[test]
    fn poll_can_be_cut() {
        assert!(is_poll("pol") && is_poll("POLL") && !is_poll("bogus"));
    }
}
