//! `imsimta test -rewrite`: the answer of the server's own functions, and how they came to it.

use super::{configuration, mapping};
use crate::context::{Context, Failure, Outcome};
use crate::report::clock;
use crate::report::rewriting::{Channel, Recipient, View};
use mta_channel::enqueue::{
    self, MailParams, Question, RcptParams, Resolution, Rewriter, Source, Step,
};
use mta_command::message::Message;
use mta_command::output;
use mta_command::prompt::is_interactive;
use mta_command::switches::Words;
use mta_config::Config;
use mta_directory::Directory;
use mta_envelope::address::Address;
use mta_envelope::envelope::Notify;
use mta_envelope::names::ChannelName;
use mta_rewrite::Direction;

/// What every address of one command line shares.
struct Setting<'a> {
    config: &'a Config,
    directory: &'a Directory,
    source: Source,
    sender: Option<Address>,
    destination: Option<ChannelName>,
    words: &'a Words,
}

pub(super) fn run(context: &Context, words: &Words) -> Outcome {
    let mut text = None;
    let config = configuration(context, words.on("image_file"), &mut text)?;
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
    let setting = Setting {
        config,
        directory: &directory,
        source,
        sender,
        destination,
        words,
    };
    if words.parameters().is_empty() {
        while let Some(address) = mapping::ask("Address: ") {
            if !address.trim().is_empty() {
                setting.explain(address.trim());
            }
        }
        if is_interactive() {
            output::line("");
        }
        return Ok(());
    }
    let mut failed = false;
    for address in words.parameters() {
        failed |= !setting.explain(address);
    }
    if failed {
        Err(Failure::Silent(1))
    } else {
        Ok(())
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

/// `hh:mm:ss.cc: `, in front of every line of an explanation.
pub(super) fn stamp() -> String {
    format!("{}: ", clock::hundredths())
}

impl Setting<'_> {
    /// Prints everything about one address; tells whether it could be delivered.
    fn explain(&self, typed: &str) -> bool {
        let explained = self.words.is_on("debug", false) || self.words.is_on("json", false);
        let mut steps: Vec<Step> = Vec::new();
        let address = typed.trim_matches(['<', '>']);
        let found = if explained {
            self.resolve(address, &mut steps)
        } else {
            self.resolve(address, &mut enqueue::Silent)
        };
        let answered = found.is_ok();
        if self.words.is_on("debug", false) && !self.words.is_on("json", false) {
            for step in &steps {
                let indent = "  ".repeat(step.indent());
                output::line(&format!(
                    "{}{indent}{}",
                    stamp(),
                    output::visible(&step.to_string())
                ));
            }
        }
        let view = self.view(address, found, steps);
        output::show(&view, self.words.is_on("json", false));
        answered
    }

    fn context(&self) -> enqueue::Context<'_> {
        enqueue::Context {
            config: self.config,
            directory: self.directory,
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
            params: &RcptParams::default(),
            size: MailParams::default().size,
            counts: (0, 0),
        };
        enqueue::resolve(self.context(), &question, trace)
    }

    fn view(
        &self,
        address: &str,
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
            .map_or_else(|| address.to_owned(), |rewritten| rewritten.address)
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
        View {
            address: address.to_owned(),
            channel: channel.filter(|_| with_channel).map(Channel::of),
            backward_channel: backward.as_ref().map(|from| from.channel.to_string()),
            header_to: header(Direction::Forward),
            header_from: header(Direction::Backward),
            envelope_to: forward
                .as_ref()
                .map_or_else(|| address.to_owned(), |to| to.address.clone()),
            route: forward
                .as_ref()
                .map(|to| [to.tag.clone(), to.official_host.clone()]),
            host: forward.as_ref().map(|to| to.host.clone()),
            envelope_from: backward.map_or_else(|| address.to_owned(), |from| from.address),
            mailbox: Address::parse(address)
                .map_or_else(|_| address.to_owned(), |parsed| parsed.local().to_owned()),
            submitted: found
                .map(|resolution| recipients(&resolution))
                .map_err(|refusal| refusal_text(&refusal)),
            with_channel,
            steps,
        }
    }
}

/// `5.1.1 unknown or illegal alias: a@b`, as the product prints it behind `Address list error - `.
fn refusal_text(refusal: &enqueue::Refusal) -> String {
    format!("{} {}", refusal.status, refusal.text)
}

fn recipients(resolution: &Resolution) -> Vec<Recipient> {
    let notify = Notify::default();
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
            notify_failures: notify.has(Notify::FAILURE),
            notify_delays: notify.has(Notify::DELAY),
        })
        .collect()
}
