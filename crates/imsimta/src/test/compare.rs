//! `imsimta test -rewrite -compare`: who would be affected by the edited text.
//!
//! Each recipient is resolved twice by the server's own function: under the configuration that
//! runs (the image), and under the text as it is now. What differs is told, with the rule that
//! made it so; nothing is changed, and nothing is asked of any daemon.

use crate::context::{Context, Failure, Outcome};
use crate::qm::explained;
use mta_channel::enqueue::{self, MailParams, Question, RcptParams, Source, Step};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::Words;
use mta_config::database::Databases;
use mta_config::image::{self, ImageError};
use mta_config::{Config, ServerRoot};
use mta_directory::Directory;
use mta_envelope::address::Address;
use mta_envelope::names::ChannelName;
use mta_log::read::{self, Line};
use mta_queue::Queue;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// One question, asked of both configurations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    recipient: String,
    source: String,
    sender: String,
}

/// Where a recipient's mail goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Answer {
    /// Channel and address of each destination, and whether it is held; sorted.
    destinations: Vec<Destination>,
    /// The refusal, if it is refused.
    refused: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Destination {
    channel: String,
    address: String,
    held: bool,
}

/// A recipient whose mail would go elsewhere.
#[derive(Debug, Clone, Serialize)]
struct Change {
    recipient: String,
    source: String,
    sender: String,
    /// How often it was met in the queue or the log.
    times: u64,
    now: Answer,
    then: Answer,
    /// What decided, where rewriting decided: the rule, and its line in the text.
    rule_now: Option<String>,
    rule_then: Option<String>,
}

/// From where to where, and how many.
#[derive(Debug, Clone, Serialize)]
struct Movement {
    from: String,
    to: String,
    recipients: u64,
}

/// What `-compare` prints.
#[derive(Debug, Serialize)]
struct View {
    compared: usize,
    changed: usize,
    movements: Vec<Movement>,
    changes: Vec<Change>,
    /// Lines of a log that could not be read as records.
    foreign_lines: u64,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(refused) = &self.refused {
            return write!(f, "refused, {}", output::visible(refused));
        }
        for (at, destination) in self.destinations.iter().enumerate() {
            if at > 0 {
                f.write_str("\n          ")?;
            }
            let held = if destination.held { " (held)" } else { "" };
            let address = output::visible(&destination.address);
            write!(f, "{:<12} {address}{held}", destination.channel)?;
        }
        if self.destinations.is_empty() {
            f.write_str("nowhere")?;
        }
        Ok(())
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            let recipient = output::visible(&change.recipient);
            write!(f, "{recipient} (from channel {}", change.source)?;
            if change.times > 1 {
                write!(f, ", {} times", change.times)?;
            }
            writeln!(f, ")")?;
            writeln!(f, "    now   {}", change.now)?;
            if let Some(rule) = &change.rule_now {
                writeln!(f, "          by {}", output::visible(rule))?;
            }
            writeln!(f, "    then  {}", change.then)?;
            if let Some(rule) = &change.rule_then {
                writeln!(f, "          by {}", output::visible(rule))?;
            }
        }
        if !self.changes.is_empty() {
            writeln!(f)?;
        }
        for movement in &self.movements {
            let Movement {
                from,
                to,
                recipients,
            } = movement;
            writeln!(f, "{recipients:>8}  {from} -> {to}")?;
        }
        let (compared, changed) = (self.compared, self.changed);
        writeln!(f, "{changed} of {compared} recipients would go elsewhere.")?;
        if self.foreign_lines > 0 {
            let lines = self.foreign_lines;
            writeln!(
                f,
                "{lines} lines of the log are not in log_format 1 or 2 and were left out."
            )?;
        }
        Ok(())
    }
}

pub(super) fn run(context: &Context, words: &Words) -> Outcome {
    let running = match words.value("image_file") {
        Some(file) => image::read_file(Path::new(file), &context.root),
        None => image::read(&context.root),
    };
    let running = running.map_err(|error| {
        let text = match &error {
            ImageError::Missing { path } => format!(
                "there is no compiled configuration {} to compare the text with",
                path.display()
            ),
            _ => explained(&error),
        };
        Message::error("TEST", "NOIMAGE", text)
    })?;
    let (edited, warnings) = Config::from_text(&context.root)?;
    for warning in warnings {
        output::complain(&warning.to_string());
    }
    let mut gathered = gather(context, words, &running)?;
    let directory = |config: &Config| {
        Directory::open(
            &context.root.directory(),
            &config.default_domain,
            |fault, _| {
                Message::warning("TEST", "DIRECTORY", fault.to_string()).emit();
            },
        )
    };
    let databases = Databases::of(&context.root).peeking();
    let (before, after) = (directory(&running), directory(&edited));
    let sides = Sides {
        now: enqueue::Context {
            config: &running,
            directory: &before,
            databases: &databases,
        },
        then: enqueue::Context {
            config: &edited,
            directory: &after,
            databases: &databases,
        },
    };
    let asked = std::mem::take(&mut gathered.asked);
    let view = compare(&sides, asked, gathered.foreign);
    output::show(&view, words.is_on("json", false));
    Ok(())
}

/// Two configurations side by side.
struct Sides<'a> {
    now: enqueue::Context<'a>,
    then: enqueue::Context<'a>,
}

fn compare(sides: &Sides<'_>, asked: BTreeMap<Asked, u64>, foreign_lines: u64) -> View {
    let mut progress = Progress::new(asked.len());
    let compared = asked.len();
    let mut changes = Vec::new();
    let mut movements: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (asked, times) in asked {
        progress.step();
        let (now, then) = (answer(sides.now, &asked), answer(sides.then, &asked));
        if now == then {
            continue;
        }
        *movements.entry((place(&now), place(&then))).or_default() += 1;
        changes.push(Change {
            rule_now: rule(sides.now, &asked),
            rule_then: rule(sides.then, &asked),
            recipient: asked.recipient,
            source: asked.source,
            sender: asked.sender,
            times,
            now,
            then,
        });
    }
    progress.end();
    let movements = movements.into_iter();
    View {
        compared,
        changed: changes.len(),
        movements: movements
            .map(|((from, to), recipients)| Movement {
                from,
                to,
                recipients,
            })
            .collect(),
        changes,
        foreign_lines,
    }
}

/// The channels of an answer, for the summary.
fn place(answer: &Answer) -> String {
    if answer.refused.is_some() {
        return "refused".to_owned();
    }
    let mut channels: Vec<&str> = answer
        .destinations
        .iter()
        .map(|destination| destination.channel.as_str())
        .collect();
    channels.dedup();
    channels.join(", ")
}

fn question<T>(asked: &Asked, ask: impl FnOnce(&Question<'_>) -> T) -> T {
    // A channel that is gone from one side rewrites as one without options does.
    let channel = ChannelName::new(&asked.source).or_else(|_| ChannelName::new("l"));
    let channel = channel.expect("l is a channel name");
    let source = Source::internal(channel, "");
    let sender = Address::parse(&asked.sender).ok();
    let params = RcptParams::default();
    ask(&Question {
        source: &source,
        sender: sender.as_ref(),
        recipient: &asked.recipient,
        params: &params,
        size: MailParams::default().size,
        given_sender: None,
        counts: (0, 0),
    })
}

fn answer(context: enqueue::Context<'_>, asked: &Asked) -> Answer {
    let found = question(asked, |question| {
        enqueue::resolve(context, question, &mut enqueue::Silent)
    });
    match found {
        Err(refusal) => Answer {
            destinations: Vec::new(),
            refused: Some(refusal.to_string()),
        },
        Ok(resolution) => {
            let destinations = resolution.destinations.into_iter();
            let mut destinations: Vec<Destination> = destinations
                .map(|destination| Destination {
                    channel: destination.channel.to_string(),
                    address: destination.address.to_string(),
                    held: destination.held.is_some(),
                })
                .collect();
            destinations.sort();
            Answer {
                destinations,
                refused: None,
            }
        }
    }
}

/// The last rule that applied, in the words of the text.
fn rule(context: enqueue::Context<'_>, asked: &Asked) -> Option<String> {
    let mut steps: Vec<Step> = Vec::new();
    drop(question(asked, |question| {
        enqueue::resolve(context, question, &mut steps)
    }));
    let mut tried = None;
    let mut applied = None;
    for step in steps {
        let Step::Rewrite { event } = step else {
            continue;
        };
        match event {
            mta_rewrite::Event::Tried {
                number,
                line,
                pattern,
                template,
            } => {
                let place = match (number, line) {
                    (0, _) => "the domain database".to_owned(),
                    (number, 0) => format!("rule {number}"),
                    (number, line) => format!("rule {number}, line {line}"),
                };
                tried = Some(format!("{place}: {pattern} {template}"));
            }
            mta_rewrite::Event::Applied { .. } => applied = tried.take(),
            _ => {}
        }
    }
    applied
}

/// Whom to ask about.
#[derive(Default)]
struct Gathered {
    asked: BTreeMap<Asked, u64>,
    foreign: u64,
}

impl Gathered {
    fn add(&mut self, recipient: &str, source: &str, sender: &str) {
        let asked = Asked {
            recipient: recipient.to_owned(),
            source: source.to_owned(),
            sender: sender.to_owned(),
        };
        *self.asked.entry(asked).or_default() += 1;
    }
}

fn gather(context: &Context, words: &Words, running: &Config) -> Result<Gathered, Failure> {
    let mut gathered = Gathered::default();
    let source = words.value("source_channel").unwrap_or("l");
    let postmaster = running.postmaster().to_string();
    let sender = match (words.on("from"), words.value("from")) {
        (None, _) => postmaster.as_str(),
        (Some(_), given) => given.unwrap_or("").trim_matches(['<', '>']),
    };
    for recipient in words.parameters() {
        gathered.add(recipient, source, sender);
    }
    if let Some(file) = words.value("input") {
        for line in super::lines(file)? {
            gathered.add(line.trim(), source, sender);
        }
    }
    if words.is_on("queue", false) {
        from_queue(&context.root, &mut gathered)?;
    }
    if words.is_on("log", false) {
        let current = context.root.log().join("mail.log_current");
        let file = words.value("log").map_or(current.as_path(), Path::new);
        from_log(file, &mut gathered)?;
    }
    let nowhere = words.parameters().is_empty()
        && !["input", "queue", "log"]
            .iter()
            .any(|name| words.is_on(name, false));
    if nowhere {
        let text = "name addresses, or -queue, -log or -input";
        return Err(Message::error("IMTA", "INSFPRM", text).into());
    }
    Ok(gathered)
}

/// All recipients that are in the queue now, as they were given.
fn from_queue(root: &ServerRoot, gathered: &mut Gathered) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Message::error("TEST", "QUEUE", error.to_string());
    let queue = Queue::open(&root.queue()).map_err(failed)?;
    for channel in queue.channels().map_err(failed)? {
        let mut scan = queue.scan(&channel);
        for file in scan.by_ref() {
            // A file that has gone meanwhile has nobody in it.
            let Ok((envelope, _)) = queue.read_envelope(&channel, &file.place) else {
                continue;
            };
            let sender = envelope.sender_text();
            for recipient in &envelope.recipients {
                let given = match &recipient.original {
                    Some((kind, address)) if kind.eq_ignore_ascii_case("rfc822") => address,
                    _ => recipient.address.as_str(),
                };
                gathered.add(given, envelope.source_channel.as_str(), sender);
            }
        }
        for fault in scan.faults() {
            let text = format!("{}: {}", fault.path.display(), fault.source);
            Message::warning("TEST", "QUEUE", text).emit();
        }
    }
    Ok(())
}

fn from_log(file: &Path, gathered: &mut Gathered) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Message::error("TEST", "OPENIN", format!("{}: {error}", file.display()))
    };
    let open = std::fs::File::open(file).map_err(failed)?;
    for line in BufReader::new(open).split(b'\n') {
        let line = line.map_err(failed)?;
        match read::line(&String::from_utf8_lossy(&line)) {
            Line::Enqueued(logged) => {
                gathered.add(&logged.recipient, &logged.source, &logged.sender);
            }
            Line::Other => {}
            Line::Foreign => gathered.foreign += 1,
        }
    }
    Ok(())
}

/// Tells on a terminal how far the work is, once it takes long.
struct Progress {
    of: usize,
    done: usize,
    begun: Instant,
    told: Instant,
    shown: bool,
    wanted: bool,
}

impl Progress {
    fn new(of: usize) -> Self {
        let now = Instant::now();
        Self {
            of,
            done: 0,
            begun: now,
            told: now,
            shown: false,
            wanted: std::io::stderr().is_terminal(),
        }
    }

    fn step(&mut self) {
        self.done += 1;
        if !self.wanted || !self.done.is_multiple_of(256) {
            return;
        }
        let due = self.begun.elapsed() > Duration::from_secs(1)
            && self.told.elapsed() > Duration::from_millis(200);
        if due {
            self.told = Instant::now();
            self.shown = true;
            self.show(&format!("{} of {} compared", self.done, self.of));
        }
    }

    fn end(&self) {
        if self.shown {
            self.show("");
        }
    }

    fn show(&self, text: &str) {
        // Progress that cannot be shown is no loss.
        drop(write!(std::io::stderr(), "\r{text:<40}\r"));
    }
}
