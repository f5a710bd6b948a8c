//! `imsimta test -rewrite`: the answer of the server's own functions, and how they came to it.

use super::addresses::{Mailbox, mailboxes};
use super::{configuration, mapping};
use crate::context::{Context, Failure, Outcome};
use crate::report::clock;
use crate::report::rewriting::{Channel, Recipient, Unreachable, View, filters};
use mta_channel::enqueue::{
    self, MailParams, Question, RcptParams, Resolution, Rewriter, Source, Step,
};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::Words;
use mta_config::Config;
use mta_config::database::{Databases, Kind};
use mta_directory::Directory;
use mta_envelope::address::Address;
use mta_envelope::envelope::Notify;
use mta_envelope::names::ChannelName;
use mta_rewrite::Direction;

/// What every address of one command line shares.
struct Setting<'a> {
    config: &'a Config,
    directory: &'a Directory,
    databases: &'a Databases,
    source: Source,
    sender: Option<Address>,
    destination: Option<ChannelName>,
    params: RcptParams,
    words: &'a Words,
}

pub(super) fn run(context: &Context, words: &Words) -> Outcome {
    let mut other = None;
    let config = configuration(context, words, &mut other)?;
    let path = context.root.directory();
    let directory = Directory::open(&path, &config.default_domain, |fault, _| {
        Message::warning("TEST", "DIRECTORY", fault.to_string()).emit();
    });
    let sender = match (words.on("from"), words.value("from")) {
        (None, _) => Some(config.postmaster()),
        (Some(_), None | Some("" | "<>")) => None,
        (Some(_), Some(given)) => Some(Address::parse(given.trim_matches(['<', '>'])).map_err(
            |error| Message::error("TEST", "IVVALU", format!("-from={given}: {error}")),
        )?),
    };
    let channel = named(config, words.value("source_channel").unwrap_or("l"))?;
    let mut source = Source::internal(channel, "");
    source.authenticated = words.value("sender").map(str::to_owned);
    let destination = words
        .value("destination_channel")
        .map(|name| named(config, name))
        .transpose()?;
    let databases = Databases::of(&context.root).peeking();
    let databases = databases.without(disabled(words)?);
    let params = RcptParams {
        notify: words
            .is_on("delivery_receipt", false)
            .then(|| Notify(Notify::SUCCESS | Notify::default().0 | Notify::EXPLICIT)),
        ..RcptParams::default()
    };
    let setting = Setting {
        config,
        directory: &directory,
        databases: &databases,
        source,
        sender,
        destination,
        params,
        words,
    };
    if words.is_on("filter", false) {
        Message::warning("TEST", "NOFILTER", "filters are not evaluated").emit();
    }
    if let Some(file) = words.value("output") {
        redirect(file)?;
    }
    let mut typed = words.parameters().to_vec();
    if let Some(file) = words.value("input") {
        typed.extend(lines(file)?);
    } else if typed.is_empty() {
        while let Some(line) = mapping::ask("Address: ") {
            if !line.trim().is_empty() {
                setting.explain(&mailboxes(&line));
            }
        }
        return Ok(());
    }
    let all: Vec<Mailbox> = typed.iter().flat_map(|word| mailboxes(word)).collect();
    if setting.explain(&all) {
        Ok(())
    } else {
        Err(Failure::Silent(1))
    }
}

/// The databases that `-database` switches off.
fn disabled(words: &Words) -> Result<Vec<Kind>, Failure> {
    let mut off = Vec::new();
    let list = words.value("database").unwrap_or_default();
    for word in list.split([',', ' ']).filter(|word| !word.is_empty()) {
        let folded = word.trim_matches(['(', ')']).to_ascii_lowercase();
        let (name, is_on) = match folded.strip_prefix("no") {
            Some(name) => (name, false),
            None => (folded.as_str(), true),
        };
        let kind = match name {
            "alias" => Kind::Alias,
            "domain" => Kind::Domain,
            "forward" => Kind::Forward,
            "general" => Kind::General,
            "reverse" => Kind::Reverse,
            _ => {
                let text = format!(
                    "-database={word}: alias, domain, forward, general, reverse, each perhaps with no before it"
                );
                return Err(Message::error("TEST", "IVVALU", text).into());
            }
        };
        off.retain(|known| *known != kind);
        if !is_on {
            off.push(kind);
        }
    }
    Ok(off)
}

/// Lets everything that is printed from now on go into a file.
pub(crate) fn redirect(name: &str) -> Outcome {
    let refused = |why: String| Message::error("TEST", "OPENOUT", format!("{name}: {why}"));
    let file = std::fs::File::create(name).map_err(|error| refused(error.to_string()))?;
    nix::unistd::dup2_stdout(&file).map_err(|error| refused(error.to_string()))?;
    Ok(())
}

/// The lines of a file that hold something.
pub(crate) fn lines(name: &str) -> Result<Vec<String>, Failure> {
    match std::fs::read(name) {
        Ok(content) => {
            let text = String::from_utf8_lossy(&content);
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            Ok(lines.map(str::to_owned).collect())
        }
        Err(error) => Err(Message::error("TEST", "OPENIN", format!("{name}: {error}")).into()),
    }
}

fn named(config: &Config, typed: &str) -> Result<ChannelName, Failure> {
    let unknown = || Message::error("TEST", "NOSUCHCHAN", format!("no such channel: {typed}"));
    let name = ChannelName::new(&typed.to_ascii_lowercase()).map_err(|_| unknown())?;
    config
        .channel(&name)
        .map(|_| name)
        .ok_or_else(|| unknown().into())
}

fn print_steps(steps: &[Step]) {
    for step in steps {
        let indent = "  ".repeat(step.indent());
        let text = step.to_string();
        output::line(&format!("{}{indent}{}", stamp(), output::visible(&text)));
    }
}

/// `hh:mm:ss.cc: `, in front of every line of an explanation.
pub(super) fn stamp() -> String {
    format!("{}: ", clock::hundredths())
}

impl Setting<'_> {
    /// Prints everything about the addresses, as one document if as JSON; tells whether all of
    /// them could be delivered to.
    fn explain(&self, typed: &[Mailbox]) -> bool {
        let json = self.words.is_on("json", false);
        let mut answered = true;
        let mut views = Vec::new();
        for mailbox in typed {
            let view = self.answer(mailbox);
            answered &= view.submitted.is_ok() && view.unreachable.is_empty();
            if json {
                views.push(view);
                continue;
            }
            if self.words.is_on("debug", false) {
                print_steps(&view.steps);
            }
            output::block(&view.to_string());
        }
        match views.as_slice() {
            [] => {}
            [only] => output::json(only),
            several => output::json(&several),
        }
        answered
    }

    fn answer(&self, mailbox: &Mailbox) -> View {
        let mut steps: Vec<Step> = Vec::new();
        let explained = ["debug", "json"]
            .iter()
            .any(|name| self.words.is_on(name, false));
        let checked = self.words.is_on("check_expansions", false);
        let found = self.resolve(&mailbox.address, &mut steps);
        let unreachable = match &found {
            Ok(_) if checked => unreachable(&steps),
            _ => Vec::new(),
        };
        if !explained {
            // Which list, and what is wrong with its file: the refusal itself does not say.
            for step in steps.drain(..) {
                if let (Step::Note { text }, Err(_)) = (step, &found) {
                    output::complain(&output::visible(&text));
                }
            }
        }
        View {
            unreachable,
            ..self.view(mailbox, found, steps)
        }
    }

    fn context(&self) -> enqueue::Context<'_> {
        enqueue::Context {
            config: self.config,
            directory: self.directory,
            databases: self.databases,
        }
    }

    fn resolve(
        &self,
        address: &str,
        trace: &mut dyn enqueue::Trace,
    ) -> Result<Resolution, enqueue::Refusal> {
        let question = Question {
            source: &self.source,
            sender: self.sender.as_ref(),
            recipient: address,
            params: &self.params,
            size: MailParams::default().size,
            given_sender: None,
            counts: (0, 0),
        };
        enqueue::resolve(self.context(), &question, trace)
    }

    fn view(
        &self,
        Mailbox { name, address }: &Mailbox,
        found: Result<Resolution, enqueue::Refusal>,
        steps: Vec<Step>,
    ) -> View {
        let rewriter = Rewriter::new(self.context(), &self.source.channel);
        let forward = rewriter
            .ask(
                &mta_rewrite::Question::envelope_to(address, &self.source.channel),
                &mut enqueue::Silent,
            )
            .ok();
        let to = self
            .destination
            .clone()
            .or_else(|| forward.as_ref().map(|to| to.channel.clone()));
        let to = to.or_else(|| ChannelName::new("l").ok());
        let ask = |question: &mta_rewrite::Question<'_>| {
            rewriter.ask(question, &mut enqueue::Silent).ok()
        };
        let header = |direction| {
            ask(&mta_rewrite::Question::header(
                address,
                direction,
                &self.source.channel,
                to.as_ref(),
            ))
            .map_or_else(|| address.clone(), |rewritten| rewritten.address)
        };
        let backward = ask(&mta_rewrite::Question::envelope_from(
            address,
            &self.source.channel,
            to.as_ref(),
        ));
        let channel = forward
            .as_ref()
            .and_then(|to| self.config.channel(&to.channel));
        let with_channel = self.words.is_on("channel", true);
        let filters = channel.map(filters).unwrap_or_default();
        View {
            address: address.clone(),
            channel: channel
                .filter(|_| with_channel)
                .map(|channel| Channel::of(channel, &self.config.job_controller)),
            filters,
            backward_channel: backward.as_ref().map(|from| from.channel.to_string()),
            header_to: header(Direction::Forward),
            header_from: header(Direction::Backward),
            envelope_to: forward
                .as_ref()
                .map_or_else(|| address.clone(), |to| to.address.clone()),
            route: forward
                .as_ref()
                .map(|to| [to.tag.clone(), to.official_host.clone()]),
            host: forward.as_ref().map(|to| to.host.clone()),
            envelope_from: backward.map_or_else(|| address.clone(), |from| from.address),
            name: name.clone(),
            mailbox: Address::parse(address)
                .map_or_else(|_| address.clone(), |parsed| parsed.local().to_owned()),
            submitted: found
                .map(|resolution| recipients(&resolution, &self.params))
                .map_err(|refusal| refusal_text(&refusal)),
            unreachable: Vec::new(),
            with_channel,
            with_filters: self.words.is_on("filter", false),
            steps,
        }
    }
}

/// `5.1.1 unknown or illegal alias: a@b`, as the product prints it behind `Address list error - `.
fn refusal_text(refusal: &enqueue::Refusal) -> String {
    format!("{} {}", refusal.status, refusal.text)
}

/// The addresses that were refused on the way, each once.
fn unreachable(steps: &[Step]) -> Vec<Unreachable> {
    let mut found: Vec<Unreachable> = Vec::new();
    for step in steps {
        if let Step::Refused { address, refusal } = step
            && found.iter().all(|known| known.address != *address)
        {
            // Behind the reply code.
            let text = refusal.split_once(' ').map_or("", |(_, text)| text);
            found.push(Unreachable {
                address: address.clone(),
                refusal: text.to_owned(),
            });
        }
    }
    found
}

fn recipients(resolution: &Resolution, params: &RcptParams) -> Vec<Recipient> {
    let notify = params.notify.unwrap_or_default();
    resolution
        .destinations
        .iter()
        .map(|destination| Recipient {
            channel: destination.channel.to_string(),
            address: destination.address.to_string(),
            original: resolution.original.to_string(),
            intermediate: destination.intermediate.to_string(),
            host: destination
                .address
                .domain()
                .unwrap_or(&destination.host)
                .to_owned(),
            held: destination.held.clone(),
            notify_success: notify.has(Notify::SUCCESS),
            notify_failures: notify.has(Notify::FAILURE),
            notify_delays: notify.has(Notify::DELAY),
        })
        .collect()
}
