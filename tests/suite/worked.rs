//! The worked examples of rewriting and mappings, asked through a compiled configuration that the
//! real command has written. The tables are `tests/tables/*.txt`, which say how they are to be read.

use crate::support::root::Root;
use mta_channel::enqueue::{Context, Rewriter, Step};
use mta_config::database::Databases;
use mta_config::{ServerRoot, image};
use mta_directory::Directory;
use mta_envelope::names::ChannelName;
use mta_rewrite::{Event, Question};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

const REWRITING: &str = include_str!("../tables/rewriting.txt");
const MAPPINGS: &str = include_str!("../tables/mappings.txt");

/// The lines of a part of a table, up to the next part or the end; comments only left in a part
/// that is a file by itself.
fn part<'t>(table: &'t str, name: &str) -> Vec<&'t str> {
    let mut lines = table.lines().skip_while(|line| *line != name);
    assert_eq!(lines.next(), Some(name));
    let heads = ["RULES", "CHANNELS", "TABLES", "QUESTIONS", "ALONE"];
    lines
        .take_while(|line| !heads.contains(line))
        .filter(|line| !line.starts_with('#'))
        .collect()
}

/// Each question of a part with the line below it.
fn questions<'t>(table: &'t str, name: &str) -> Vec<(&'t str, &'t str)> {
    let lines = part(table, name);
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    let (pairs, rest) = lines.as_chunks::<2>();
    assert!(rest.is_empty(), "{rest:?}");
    let pairs = pairs.iter().map(|[question, answer]| {
        let answer = answer.strip_prefix("  ");
        (*question, answer.unwrap_or_else(|| panic!("{question}")))
    });
    pairs.collect()
}

/// A root with these rules, channels and tables, compiled.
fn compiled(rules: &str, channels: &str, mappings: &str) -> Root {
    let root = Root::bare();
    let config = root.path().join("config");
    fs::write(config.join("imta.cnf"), format!("{rules}\n{channels}")).unwrap();
    fs::write(config.join("mappings"), mappings).unwrap();
    for name in ["aliases", "option.dat"] {
        fs::write(config.join(name), "").unwrap();
    }
    fs::write(config.join("restricted.cnf"), "user=mailsrv\n").unwrap();
    root.imsimta(&["cnbuild"]);
    let verified = root.imsimta(&["test", "-image"]);
    assert!(verified.contains(".tables: good,"), "{verified}");
    root
}

fn documents(text: &str) -> Vec<Value> {
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    documents
        .map(|document| document.unwrap_or_else(|error| panic!("{error}: {text}")))
        .collect()
}

/// The channels of the table, and as many rules about other hosts behind `rules` as make the image
/// keep rules beside its core.
fn with_rules(rules: &str) -> Root {
    let mut rules = rules.trim_end().to_owned();
    for number in 0..100 {
        write!(rules, "\nfiller{number}.invalid   $U%$D@tcp_local-daemon").unwrap();
    }
    let mut channels = String::new();
    for channel in part(REWRITING, "CHANNELS") {
        if let Some((name, host)) = channel.split_once(' ') {
            let words = if name == "l" { "" } else { "smtp" };
            write!(channels, "\n{name} {words}\n{host}\n").unwrap();
        }
    }
    compiled(&format!("{rules}\n"), &channels, "")
}

#[test]
fn rewriting_through_the_image() {
    let root = with_rules(&part(REWRITING, "RULES").join("\n"));
    let questions = questions(REWRITING, "QUESTIONS");
    assert!(questions.len() >= 40);
    ask(&root, &questions);
}

#[test]
fn hosts_and_their_forms_through_the_image() {
    let root = with_rules(".   $U%$H@tcp_local-daemon");
    let questions = questions(REWRITING, "ALONE");
    assert!(questions.len() >= 19);
    ask(&root, &questions);
}

fn ask(root: &Root, questions: &[(&str, &str)]) {
    let server = ServerRoot::new(root.path().to_owned());
    let config = image::read(&server).unwrap();
    let databases = Databases::none();
    let directory = Directory::open(&server.directory(), &config.default_domain, |_, _| ());
    let context = Context {
        config: &config,
        directory: &directory,
        databases: &databases,
    };
    for (question, expected) in questions {
        let (source, rest) = question.split_once(' ').unwrap();
        let (address, probes) = rest.split_once(" : ").unwrap();
        let source = ChannelName::new(source).unwrap();
        let mut steps: Vec<Step> = Vec::new();
        let asked = Question::envelope_to(address, &source);
        let found = Rewriter::new(context, &source).ask(&asked, &mut steps);
        let found = match found {
            Ok(found) => format!("{} {}", found.address, found.channel),
            Err(error) => format!("refused {} {}: {address}", error.status, error.text),
        };
        assert_eq!(found, *expected, "{address}");
        assert_eq!(looked_up(&steps), probes, "{address}");
    }
}

/// The patterns that were looked up.
fn looked_up(steps: &[Step]) -> String {
    let patterns = steps.iter().filter_map(|step| match step {
        Step::Rewrite {
            event: Event::Probed { pattern, .. },
        } if !pattern.ends_with("$*") => Some(pattern.as_str()),
        _ => None,
    });
    patterns.collect::<Vec<_>>().join(" ")
}

#[test]
fn mappings_through_the_image() {
    let mut tables = part(MAPPINGS, "TABLES").join("\n");
    tables.push_str("\nLARGE\n\n");
    for number in 0..100 {
        writeln!(tables, "  host$ {number}|*   {number}:$0$Y").unwrap();
    }
    tables.push_str("  *|*   none\n");
    let root = compiled(
        ".   $U%$H@tcp_local-daemon\n",
        "\nl \nmailhost.example.com\n\ntcp_local smtp\ntcp_local-daemon\n",
        &tables,
    );
    let questions = questions(MAPPINGS, "QUESTIONS");
    assert!(questions.len() >= 25);
    for (question, answer) in questions {
        let (table, text) = question.split_once(' ').unwrap();
        let (table, flags) = table.split_once('/').unwrap_or((table, ""));
        let (table, flags) = (format!("-table={table}"), format!("-flags={flags}"));
        let mut words = vec!["test", "-mapping", "-json", &table];
        if flags != "-flags=" {
            words.push(&flags);
        }
        // At the prompt, so that no shell and no switch has to be quoted.
        let mut child = Command::new(root.path().join("bin/imsimta"))
            .args(&words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{text}").unwrap();
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let from = printed
            .find('{')
            .unwrap_or_else(|| panic!("{question}: {printed}"));
        let view = documents(&printed[from..]).remove(0);
        let flags: String = view["flags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|flag| flag.as_str().unwrap())
            .collect();
        let flags = if flags.is_empty() { "-" } else { &flags };
        let found = format!("{} {flags}", view["output"].as_str().unwrap());
        assert_eq!(found, answer, "{question}");
    }
}
