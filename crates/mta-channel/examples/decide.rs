//! Asks the compiled configuration of a server root the same question again and again, for
//! benchmarks that count instructions: the difference between two runs is the cost of the
//! questions alone.
//!
//! ```text
//! decide rewrite ROOT COUNT ADDRESS...      envelope and header form of each address in turn
//! decide map ROOT COUNT TABLE TEXT...       each text in turn through a mapping table
//! decide start ROOT                         reads the configuration and prints its memory in KiB
//! ```

use std::path::Path;
use std::process::ExitCode;

use mta_channel::enqueue::{Context, Rewriter, Silent};
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
        ["rewrite", root, count, addresses @ ..] if !addresses.is_empty() => {
            rewrite(root, count, addresses)
        }
        ["map", root, count, table, texts @ ..] if !texts.is_empty() => {
            map(root, count, table, texts)
        }
        ["start", root] => start(root),
        _ => Err("usage: decide rewrite ROOT COUNT ADDRESS... | map ROOT COUNT TABLE TEXT... | start ROOT".into()),
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

fn rewrite(root: &str, count: &str, addresses: &[&str]) -> Fallible<()> {
    let config = load(root)?;
    let root = ServerRoot::new(Path::new(root).to_owned());
    let directory = Directory::open(&root.directory(), &config.default_domain, |_, _| ());
    let databases = Databases::none();
    let context = Context {
        config: &config,
        directory: &directory,
        databases: &databases,
    };
    let source = ChannelName::new("tcp_local")?;
    let rewriter = Rewriter::new(context, &source);
    let mut last = None;
    for address in addresses.iter().cycle().take(count.parse()?) {
        let envelope = rewriter.forward(address, address, &mut Silent);
        let envelope = envelope.map_err(|refusal| refusal.to_string())?;
        let header = Question::header(address, Direction::Forward, &source, None);
        let header = rewriter.ask(&header, &mut Silent)?;
        last = Some((envelope, header.address));
    }
    if let Some((envelope, header)) = last {
        println!("{} {} {header}", envelope.channel, envelope.address);
    }
    Ok(())
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
