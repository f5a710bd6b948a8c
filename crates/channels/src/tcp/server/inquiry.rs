//! Questions that move no mail: AUTH, VRFY, EXPN, ETRN.

use super::process::Server;
use super::wording::said;
use mta_access::etrn::{EtrnDecision, etrn_access};
use mta_channel::enqueue::{
    Context, Enqueuer, Question, RcptParams, Resolution, Rewriter, Silent, Source,
};
use mta_config::{Channel, ChannelOption};
use mta_directory::{Account, AuthError, Directory};
use mta_envelope::names::ChannelName;
use mta_envelope::status::Status;
use mta_ipc::Client;
use mta_ipc::job_controller::{DAEMON, Reply as JobReply, Request};
use mta_smtp::reply::{Refusal, Reply};
use mta_smtp::sasl::Credentials;
use std::time::Duration;

/// How long the Job Controller may take to answer an ETRN.
const PATIENCE: Duration = Duration::from_secs(10);

/// Members shown by EXPN.
const MAX_SHOWN: usize = 100;

/// Checks name and password.
pub(super) fn authenticate(
    directory: &Directory,
    credentials: &Credentials,
) -> Result<Account, Refusal> {
    match directory.authenticate(&credentials.user, credentials.password.as_bytes()) {
        Ok(Some(account)) => match &credentials.authorization {
            Some(other) if !is_same(&account, &credentials.user, other) => {
                Err(Refusal::bad_credentials())
            }
            Some(_) | None => Ok(account),
        },
        Ok(None) => Err(Refusal::bad_credentials()),
        Err(AuthError::Busy | AuthError::Directory(_)) => {
            let text = "Temporary authentication failure";
            Err(Refusal::new(454, Status::new(4, 7, 0), text))
        }
    }
}

/// Nobody may act as somebody else.
fn is_same(account: &Account, user: &str, other: &str) -> bool {
    [account.uid.as_str(), account.address.as_str(), user]
        .iter()
        .any(|own| own.eq_ignore_ascii_case(other))
}

fn resolve(enqueuer: &Enqueuer, source: &Source, address: &str) -> Result<Resolution, Refusal> {
    let address = address.trim().trim_matches(['<', '>']);
    let params = RcptParams::default();
    let question = Question {
        source,
        sender: None,
        recipient: address,
        params: &params,
        size: None,
        given_sender: None,
        counts: (0, 0),
    };
    enqueuer.resolve(&question, &mut Silent).map_err(said)
}

/// VRFY.
pub(super) fn verify(enqueuer: &Enqueuer, source: &Source, address: &str, hidden: bool) -> Reply {
    let bare = address.trim().trim_matches(['<', '>']);
    let answer = resolve(enqueuer, source, address);
    match answer {
        Ok(resolution) if resolution.channel.as_str() != "l" => {
            Reply::new(252, (2, 5, 0), "Possible remote address not checked")
        }
        _ if hidden => Reply::new(252, (2, 5, 0), format!("Possible local address <{bare}>")),
        Ok(_) => Reply::new(250, (2, 1, 5), format!("<{bare}> OK.")),
        Err(refusal) => refusal.reply,
    }
}

/// EXPN: the addresses that the members of a list have on their channels.
pub(super) fn expand(enqueuer: &Enqueuer, source: &Source, list: &str) -> Reply {
    let bare = list.trim().trim_matches(['<', '>']);
    let entry = enqueuer.directory().find(bare).ok().flatten();
    let shown = entry.is_none_or(|entry| {
        let word = entry.first("expandable");
        word.is_none_or(|word| !matches!(word.to_lowercase().as_str(), "false" | "no" | "n"))
    });
    let not_shown = || Reply::new(252, (2, 5, 0), format!("Members of <{bare}> are not shown"));
    if !shown {
        return not_shown();
    }
    let resolution = match resolve(enqueuer, source, list) {
        Ok(resolution) => resolution,
        Err(refusal) => return refusal.reply,
    };
    if resolution.hidden {
        return not_shown();
    }
    let mut members: Vec<String> = resolution
        .destinations
        .iter()
        .map(|destination| format!("<{}>", destination.intermediate))
        .collect();
    members.sort();
    members.dedup();
    members.truncate(MAX_SHOWN);
    if members.is_empty() {
        members.push(format!("<{bare}>"));
    }
    Reply {
        code: 250,
        status: Some(Status::new(2, 1, 5)),
        lines: members,
    }
}

/// ETRN: `host`, `@host` or `#channel`.
pub(super) fn etrn(context: Context<'_>, server: &Server, source: &Source, target: &str) -> Reply {
    let Some(current) = context.config.channel(&source.channel) else {
        return refused();
    };
    let mappings = &context.config.mappings;
    let decision = source.peer.as_ref().map(|peer| {
        let client = peer.remote.ip();
        etrn_access(mappings, client, target, &context.lookups())
    });
    let target = match decision {
        None => target,
        Some(EtrnDecision::Honour(ref target)) => target,
        Some(EtrnDecision::Refuse(text)) if text.is_empty() => return refused(),
        Some(EtrnDecision::Refuse(text)) => return Reply::new(550, (5, 7, 1), text),
    };
    let domain_only = current.is(ChannelOption::Domainetrn);
    let channel = match target.strip_prefix('#') {
        Some(_) | None if domain_only && !target.starts_with('@') => return refused(),
        Some(name) => named(context, name),
        None => routed(context, source, target.trim_start_matches('@')),
    };
    let Some(channel) = channel.filter(|channel| !channel.is(ChannelOption::Blocketrn)) else {
        return refused();
    };
    if !submit(server, channel.name()) {
        return Reply::new(458, (4, 3, 0), "Unable to start queue processing now");
    }
    if current.is(ChannelOption::Allowetrn) {
        let text = format!("Queue processing started for {}", channel.name());
        Reply::new(250, (2, 0, 0), text)
    } else {
        Reply::new(250, (2, 0, 0), "Queue processing started")
    }
}

fn refused() -> Reply {
    Reply::new(550, (5, 7, 1), "ETRN command has been disabled.")
}

fn named<'c>(context: Context<'c>, name: &str) -> Option<&'c Channel> {
    let name = ChannelName::new(&name.to_lowercase()).ok()?;
    context.config.channel(&name)
}

fn routed<'c>(context: Context<'c>, source: &Source, host: &str) -> Option<&'c Channel> {
    let address = format!("x@{host}");
    let routed = Rewriter::new(context, &source.channel)
        .forward(&address, &address, &mut Silent)
        .ok()?;
    context.config.channel(&routed.channel)
}

fn submit(server: &Server, channel: &ChannelName) -> bool {
    let config_dir = server.root.config();
    let request = Request::Submit {
        channel: channel.clone(),
        poll: false,
    };
    Client::<Request, JobReply>::connect(&config_dir, DAEMON, &server.program, PATIENCE)
        .and_then(|client| client.call(&request, PATIENCE))
        .is_ok_and(|reply| matches!(reply, JobReply::Ok))
}
