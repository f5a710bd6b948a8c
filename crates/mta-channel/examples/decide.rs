//! Asks the compiled configuration of a server root the same question again and again, for
//! benchmarks that count instructions: the difference between two runs is the cost of the
//! questions alone.
//!
//! ```text
//! decide envelope ROOT COUNT ADDRESS...     channel and address of each recipient in turn
//! decide header ROOT COUNT ADDRESS...       the form of each address in a header
//! decide map ROOT COUNT TABLE TEXT...       each text in turn through a mapping table
//! decide resolve ROOT LIST                  the destinations of every recipient of a file
//! decide start ROOT                         reads the configuration and tells how much memory is used
//! ```

use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;

use mta_channel::enqueue::{self, Context, MailParams, RcptParams, Rewriter, Silent, Source};
use mta_config::database::Databases;
use mta_config::{Config, ServerRoot};
use mta_directory::Directory;
use mta_envelope::names::ChannelName;
use mta_mapping::{Input, NoCallouts};
use mta_rewrite::{Direction, Question};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        [form @ ("envelope" | "header"), root, count, addresses @ ..] if !addresses.is_empty() => {
            rewrite(*form == "header", root, count, addresses)
        }
        ["map", root, count, table, texts @ ..] if !texts.is_empty() => {
            map(root, count, table, texts)
        }
        ["resolve", root, list] => resolve_all(root, list),
        ["start", root] => start(root),
        _ => Err("usage: decide envelope|header|map|resolve|start ROOT ...".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn load(root: &str) -> Fallible<Config> {
    let config = Config::load(&ServerRoot::new(Path::new(root).to_owned()))?;
    if config.identity.from_image {
        Ok(config)
    } else {
        Err("there is no compiled configuration".into())
    }
}

fn rewrite(header: bool, root: &str, count: &str, addresses: &[&str]) -> Fallible<()> {
    let world = World::open(root)?;
    let source = ChannelName::new("tcp_local")?;
    let rewriter = Rewriter::new(world.context(), &source);
    for address in addresses.iter().cycle().take(count.parse()?) {
        if header {
            let question = Question::header(address, Direction::Forward, &source, None);
            black_box(rewriter.ask(&question, &mut Silent)?);
        } else {
            let found = rewriter.forward(address, address, &mut Silent);
            black_box(found.map_err(|refusal| refusal.to_string())?);
        }
    }
    Ok(())
}

fn resolve_all(root: &str, list: &str) -> Fallible<()> {
    let world = World::open(root)?;
    let source = Source::internal(ChannelName::new("tcp_local")?, "");
    let params = RcptParams::default();
    let mut destinations = 0;
    for recipient in std::fs::read_to_string(list)?.lines() {
        let question = enqueue::Question {
            source: &source,
            sender: None,
            recipient,
            params: &params,
            size: MailParams::default().size,
            given_sender: None,
            counts: (0, 0),
        };
        let resolution = enqueue::resolve(world.context(), &question, &mut Silent);
        destinations += resolution.map_or(0, |resolution| resolution.destinations.len());
    }
    println!("{destinations} destinations");
    Ok(())
}

/// What questions are asked of.
struct World {
    config: Config,
    directory: Directory,
    databases: Databases,
}

impl World {
    fn open(root: &str) -> Fallible<Self> {
        let config = load(root)?;
        let root = ServerRoot::new(Path::new(root).to_owned());
        Ok(Self {
            directory: Directory::open(&root.directory(), &config.default_domain, |_, _| ()),
            databases: Databases::of(&root),
            config,
        })
    }

    fn context(&self) -> Context<'_> {
        Context {
            config: &self.config,
            directory: &self.directory,
            databases: &self.databases,
        }
    }
}

fn map(root: &str, count: &str, table: &str, texts: &[&str]) -> Fallible<()> {
    let config = load(root)?;
    let mut matched = 0;
    for text in texts.iter().cycle().take(count.parse()?) {
        let mapped = config.mappings.map(
            table,
            &Input::of(text),
            &NoCallouts,
            &mut mta_mapping::Silent,
        );
        if mapped.unreadable {
            return Err("the table cannot be read".into());
        }
        matched += u64::from(mapped.matched);
    }
    println!("{matched} matched");
    Ok(())
}

fn start(root: &str) -> Fallible<()> {
    let config = load(root)?;
    let status = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let pss = status.lines().find_map(|line| line.strip_prefix("Pss:"));
    println!(
        "{} channels, {} KiB",
        config.channels.len(),
        pss.unwrap_or("?").trim()
    );
    Ok(())
}
