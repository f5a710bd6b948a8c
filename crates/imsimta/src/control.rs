//! `imsimta restart`, `reload`, `stop`, `shutdown`, `start`, `refresh` and
//! `dispatcher -statistics`.
//!
//! Daemons are started and stopped by the watcher, services by the Dispatcher; this module only
//! asks, and prints what they say.

use crate::context::{Context, Failure, Outcome, PATIENCE, tell};
use crate::report::clock;
use crate::{cnbuild, process};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Verb, keyword};
use mta_envelope::names::ServiceName;
use mta_ipc::dispatcher::{self, ServiceStatistics};
use mta_ipc::{IpcError, job_controller, watcher};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

const fn verb(name: &'static str, about: &'static str, parameters: &'static str) -> Verb {
    Verb {
        name,
        about,
        parameters,
        least: 0,
        most: 1,
        switches: &[],
    }
}

/// Everything that can be stopped and restarted.
const ANY: &str = "[dispatcher|job_controller|sched|smtp|smtp_submit|lmtp]";

const STOPS: &str = "stop a daemon or a service";

pub(crate) const RESTART: &[Verb] = &[verb(
    "restart",
    "restart a daemon or a service; no session is dropped",
    ANY,
)];
pub(crate) const STOP: &[Verb] = &[verb("stop", STOPS, ANY)];
pub(crate) const SHUTDOWN: &[Verb] = &[verb("shutdown", STOPS, ANY)];
pub(crate) const START: &[Verb] = &[verb(
    "start",
    "start a daemon (start-msg does the same)",
    "[dispatcher|job_controller|sched]",
)];
pub(crate) const REFRESH: &[Verb] = &[verb(
    "refresh",
    "cnbuild, then restart",
    "[dispatcher|job_controller|sched]",
)];
pub(crate) const RELOAD: &[Verb] = &[Verb {
    name: "reload",
    about: "take up the mapping tables and aliases of the compiled configuration; sessions and \
            messages under way keep the old ones",
    parameters: "",
    least: 0,
    most: 0,
    switches: &[],
}];
pub(crate) const STATISTICS: &[Verb] = &[Verb {
    name: "dispatcher",
    about: "show connections and server processes",
    parameters: "[service]",
    least: 0,
    most: 1,
    switches: &[
        Switch::flag("statistics", "what is shown (the only form)"),
        Switch::flag("json", "as JSON"),
    ],
}];

/// A restart waits for running sessions to be handed over; it is given this long.
const LONG: Duration = Duration::from_secs(180);

/// What can be named behind these commands.
enum Target {
    Daemon(&'static str),
    /// The word that was typed, and the service that it means.
    Service(&'static str, ServiceName),
}

fn target(typed: &str) -> Result<Target, Failure> {
    let names = [
        "dispatcher",
        "job_controller",
        "smtp",
        "smtp_submit",
        "lmtp",
        "sched",
    ];
    let name = names[keyword(typed, &names)?];
    Ok(match name {
        "dispatcher" | "job_controller" | "sched" => Target::Daemon(name),
        name => {
            let service = if name == "lmtp" {
                "LMTPSS".to_owned()
            } else {
                name.to_ascii_uppercase()
            };
            let service = ServiceName::new(&service)
                .map_err(|error| Message::error("IMTA", "IVVALU", error.to_string()))?;
            Target::Service(name, service)
        }
    })
}

fn targets(verb: &Verb, typed: &[String]) -> Result<Vec<Target>, Failure> {
    let words = verb.parse(typed)?;
    match words.parameter(0) {
        Some(word) => Ok(vec![target(word)?]),
        None => Ok(vec![
            Target::Daemon("dispatcher"),
            Target::Daemon("job_controller"),
        ]),
    }
}

pub(crate) fn restart(context: &Context, typed: &[String]) -> Outcome {
    context.warn_if_stale();
    each(targets(&RESTART[0], typed)?, |target| {
        again(context, target)
    })
}

pub(crate) fn stop(context: &Context, typed: &[String]) -> Outcome {
    each(targets(&STOP[0], typed)?, |target| match target {
        Target::Daemon(name) => watch(
            context,
            &watcher::Request::Stop {
                component: name.to_owned(),
                force: false,
            },
        ),
        Target::Service(word, name) => {
            let request = dispatcher::Request::StopService(name.clone());
            service(context, ("Stopping", word), &name, &request)
        }
    })
}

pub(crate) fn start(context: &Context, typed: &[String]) -> Outcome {
    context.warn_if_stale();
    each(targets(&START[0], typed)?, |target| match target {
        Target::Daemon(name) => watch(
            context,
            &watcher::Request::Start {
                component: name.to_owned(),
            },
        ),
        Target::Service(..) => {
            let text = "this command is obsolete for services; restart the dispatcher instead";
            Message::warning("IMTA", "OBSOLETE", text).emit();
            Ok(())
        }
    })
}

pub(crate) fn refresh(context: &Context, typed: &[String]) -> Outcome {
    let targets = targets(&REFRESH[0], typed)?;
    cnbuild::run(context, &[])?;
    each(targets, |target| again(context, target))
}

fn again(context: &Context, target: Target) -> Outcome {
    match target {
        Target::Daemon(name) => watch(
            context,
            &watcher::Request::Restart {
                component: name.to_owned(),
            },
        ),
        Target::Service(word, name) => {
            let request = dispatcher::Request::RestartService(name.clone());
            service(context, ("Restarting", word), &name, &request)
        }
    }
}

/// Both daemons are asked, whatever the first one says.
pub(crate) fn reload(context: &Context, typed: &[String]) -> Outcome {
    RELOAD[0].parse(typed)?;
    context.warn_if_stale();
    // A bad image is told once, in full, before anybody is asked to load it.
    let new = context.config()?.identity.clone();
    type Ask = fn(&Context) -> Outcome;
    let daemons: [Ask; 2] = [
        |context| {
            let answer = context
                .dispatcher()?
                .call(&dispatcher::Request::Reload, PATIENCE);
            dispatcher_did(answer, "")
        },
        |context| {
            let controller = context.controller("IMTA")?;
            tell(&controller, "IMTA", &job_controller::Request::Reload)
        },
    ];
    each(daemons, |ask| ask(context))?;
    let running = process::images(context);
    if running
        .values()
        .any(|image| !image.fixed.is_empty() && image.fixed != new.fixed)
    {
        let text = "channels, rewrite rules or options have changed as well; \
                    imsimta restart makes them take effect";
        Message::warning("IMTA", "RESTART", text).emit();
    }
    Ok(())
}

/// Does something to each target; one that fails does not keep the next from its turn. Gives the
/// first failure.
fn each<T>(targets: impl IntoIterator<Item = T>, act: impl Fn(T) -> Outcome) -> Outcome {
    let mut outcome = Ok(());
    for target in targets {
        let failure = match (act(target), &outcome) {
            (Ok(()), _) => continue,
            (Err(failure), Ok(())) => failure,
            (Err(Failure::Said(message)), Err(_)) => {
                message.emit();
                continue;
            }
            (Err(Failure::Silent(_)), Err(_)) => continue,
        };
        // Said at once, in front of what the next one says.
        outcome = Err(match failure {
            Failure::Said(message) => {
                message.emit();
                Failure::Silent(message.exit)
            }
            silent => silent,
        });
    }
    outcome
}

/// Asks the watcher and prints what it says as it happens.
fn watch(context: &Context, request: &watcher::Request) -> Outcome {
    let watcher = context.watcher()?;
    let listen = |reply| match reply {
        watcher::Reply::Text(text) => {
            output::block(&text);
            None
        }
        watcher::Reply::Complaint(line) => {
            output::complain(&line);
            None
        }
        watcher::Reply::Done { success: true } => Some(Ok(())),
        watcher::Reply::Done { success: false } => Some(Err(Failure::Silent(1))),
        watcher::Reply::Refused(reason) => {
            Some(Err(Message::error("IMTA", "REFUSED", reason).into()))
        }
        watcher::Reply::Status(_) => {
            let text = "unexpected answer from the watcher";
            Some(Err(Message::error("IMTA", "PROTOCOL", text).into()))
        }
    };
    let ended = watcher.converse(request, listen, LONG);
    match ended {
        Ok(outcome) => outcome,
        Err(error) => {
            let cure = context.watcher_cure(&error);
            let text = format!("the watcher did not finish: {error}; {cure}");
            Err(Message::error("IMTA", "NOWATCHER", text).exiting(2).into())
        }
    }
}

/// Asks the Dispatcher to do something to a service, and says so as `start-msg` does.
fn service(
    context: &Context,
    (doing, word): (&str, &str),
    name: &ServiceName,
    request: &dispatcher::Request,
) -> Outcome {
    let dispatcher = context.dispatcher()?;
    output::block(&format!("{doing} service {name} ..."));
    let answer = dispatcher.call(request, PATIENCE);
    let done = matches!(answer, Ok(dispatcher::Reply::Ok));
    output::line(if done { " done" } else { " failed" });
    dispatcher_did(answer, &format!("{word}: "))
}

/// What the Dispatcher answered to something that it was to do; `what` stands before a refusal.
fn dispatcher_did(answer: Result<dispatcher::Reply, IpcError>, what: &str) -> Outcome {
    match answer {
        Ok(dispatcher::Reply::Ok) => Ok(()),
        Ok(dispatcher::Reply::Refused(reason)) => {
            Err(Message::error("IMTA", "REFUSED", format!("{what}{reason}")).into())
        }
        Ok(_) => {
            Err(Message::error("IMTA", "PROTOCOL", "unexpected answer from the dispatcher").into())
        }
        Err(error) => Err(Message::error("IMTA", "NODISP", error.to_string())
            .exiting(2)
            .into()),
    }
}

/// The Dispatcher's figures.
#[derive(Debug, Serialize)]
struct Statistics {
    services: Vec<Service>,
}

#[derive(Debug, Serialize)]
struct Service {
    service: String,
    ports: Vec<u16>,
    stopped: bool,
    workers: u32,
    active: u32,
    retiring: u32,
    accepted: u64,
    rejected: u64,
    closed_recently: u64,
    servers: Vec<Server>,
}

#[derive(Debug, Serialize)]
struct Server {
    pid: u32,
    started: u64,
    active: u32,
    total: u64,
    state: String,
}

impl From<ServiceStatistics> for Service {
    fn from(told: ServiceStatistics) -> Self {
        let server = |told: dispatcher::ServerStatistics| Server {
            pid: told.pid,
            started: told.started,
            active: told.active,
            total: told.total,
            state: told.state,
        };
        Self {
            service: told.service.to_string(),
            ports: told.ports,
            stopped: told.stopped,
            workers: told.workers,
            active: told.active,
            retiring: told.retiring,
            accepted: told.accepted,
            rejected: told.rejected,
            closed_recently: told.closed_recently,
            servers: told.servers.into_iter().map(server).collect(),
        }
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Service         Port          Workers   Active Retiring   Accepted   Rejected"
        )?;
        for service in &self.services {
            let ports: Vec<String> = service.ports.iter().map(ToString::to_string).collect();
            let mark = if service.stopped { "  (stopped)" } else { "" };
            writeln!(
                f,
                "{:<15} {:<12} {:>8} {:>8} {:>8} {:>10} {:>10}{mark}",
                service.service,
                ports.join(","),
                service.workers,
                service.active,
                service.retiring,
                service.accepted,
                service.rejected
            )?;
        }
        writeln!(f, "\n    PID Started               Active      Total State")?;
        for server in self.services.iter().flat_map(|service| &service.servers) {
            let started = clock::cell(i64::try_from(server.started).unwrap_or(0));
            writeln!(
                f,
                "{:>7} {started} {:>7} {:>10} {}",
                server.pid, server.active, server.total, server.state
            )?;
        }
        Ok(())
    }
}

pub(crate) fn statistics(context: &Context, typed: &[String]) -> Outcome {
    let words = STATISTICS[0].parse(typed)?;
    let service = match words.parameter(0) {
        Some(name) => Some(
            ServiceName::new(&name.to_ascii_uppercase())
                .map_err(|error| Message::error("IMTA", "IVVALU", error.to_string()))?,
        ),
        None => None,
    };
    match context
        .dispatcher()?
        .call(&dispatcher::Request::Statistics { service }, PATIENCE)
    {
        Ok(dispatcher::Reply::Statistics(told)) => {
            let services = told.into_iter().map(Service::from).collect();
            output::show(&Statistics { services }, words.is_on("json", false));
            Ok(())
        }
        Ok(dispatcher::Reply::Refused(reason)) => {
            Err(Message::error("IMTA", "REFUSED", reason).into())
        }
        Ok(_) => {
            Err(Message::error("IMTA", "PROTOCOL", "unexpected answer from the dispatcher").into())
        }
        Err(error) => Err(Message::error("IMTA", "NODISP", error.to_string())
            .exiting(2)
            .into()),
    }
}
