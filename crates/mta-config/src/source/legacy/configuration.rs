//! `imta.cnf`: rewrite rules up to the first blank line, then channel blocks.

use super::lines::Line;
use super::{Findings, split_entry};
use crate::channel::ChannelOption;
use crate::fault::{FaultKind, WarningKind};
use crate::source::name::{Path, Scope, Segment};
use crate::source::tree::{Content, Setting, Tree};
use crate::value::Kind;
use mta_envelope::names::ChannelName;
use std::collections::HashSet;

/// Characters of a keyword that count.
const SIGNIFICANT: usize = 32;

/// Reads both halves of the file.
pub(super) fn read(lines: &[Line], tree: &mut Tree, findings: &mut Findings) {
    let end = lines.iter().position(Line::is_blank).unwrap_or(lines.len());
    rules(&lines[..end], tree);
    channels(&lines[end..], tree, findings);
}

/// Reads rewrite rules, one on each line.
pub(super) fn rules(lines: &[Line], tree: &mut Tree) {
    let path = Path(vec![Segment::plain("rewrite"), Segment::plain("rule")]);
    for line in lines.iter().filter(|line| !line.is_blank()) {
        let (pattern, template) = split_entry(&line.text);
        let content = Content::Rule(pattern.to_owned(), template.to_owned());
        tree.push(Scope::Role, path.clone(), setting(content, line));
    }
}

fn setting(content: Content, line: &Line) -> Setting {
    Setting {
        content,
        file: line.file,
        line: line.number,
    }
}

/// One word of a block, with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    /// The name in the tree.
    name: String,
    option: Option<ChannelOption>,
    content: Content,
    line: Line,
}

/// A channel block.
struct Block<'l> {
    name: String,
    /// What `defaults` said before it.
    defaults: Vec<Word>,
    words: Vec<Word>,
    hosts: Vec<&'l Line>,
    line: &'l Line,
}

/// Reads channel blocks with blank lines between them.
pub(super) fn channels(lines: &[Line], tree: &mut Tree, findings: &mut Findings) {
    let mut defaults = Vec::new();
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut seen = HashSet::new();
    for lines in lines.split(Line::is_blank) {
        let Some((first, rest)) = lines.split_first() else {
            continue;
        };
        let mut tokens = tokens(&first.text);
        let name = tokens.next_name();
        match name.as_str() {
            "defaults" | "nodefaults" => {
                if name == "nodefaults" {
                    defaults.clear();
                }
                add_words(&mut defaults, words(&mut tokens, first, &name, findings));
                if let Some(line) = rest.first() {
                    findings.warn(WarningKind::SecondLineAfterDefaults, "", line);
                }
            }
            _ => {
                let mut own = Vec::new();
                add_words(&mut own, words(&mut tokens, first, &name, findings));
                if !seen.insert(name.clone()) {
                    findings.fault(FaultKind::DuplicateChannel, &name, first);
                    continue;
                }
                if rest.is_empty() {
                    findings.fault(FaultKind::NoOfficialHost, &name, first);
                }
                blocks.push(Block {
                    name,
                    defaults: defaults.clone(),
                    words: own,
                    hosts: rest.iter().collect(),
                    line: first,
                });
            }
        }
    }
    match (blocks.first(), lines.last()) {
        (Some(first), _) if first.name != "l" => {
            findings.fault(FaultKind::NoLocalChannel, &first.name, first.line);
        }
        (None, Some(last)) => findings.fault(FaultKind::NoLocalChannel, "", last),
        _ => {}
    }
    for block in &blocks {
        if ChannelName::new(&block.name).is_err() {
            let too_long = block.name.len() > 32;
            let kind = if too_long {
                FaultKind::ChannelNameTooLong
            } else {
                FaultKind::BadChannelName
            };
            findings.fault(kind, &block.name, block.line);
        }
    }
    store(blocks, tree, findings);
}

/// Puts the blocks into the tree. What `defaults` say stays with them as long as it is the same
/// for all blocks; where it changes in between, each block says all for itself.
fn store(blocks: Vec<Block<'_>>, tree: &mut Tree, findings: &mut Findings) {
    let shared = blocks
        .windows(2)
        .all(|pair| pair[0].defaults == pair[1].defaults);
    if shared && let Some(first) = blocks.first() {
        put_words(tree, "defaults", first.defaults.clone());
    }
    for block in blocks {
        put_hosts(tree, &block, findings);
        let words = if shared {
            block.words
        } else {
            let mut words = block.defaults;
            add_words(&mut words, block.words);
            words
        };
        put_words(tree, &block.name, words);
    }
}

fn put_words(tree: &mut Tree, channel: &str, words: Vec<Word>) {
    for word in words {
        let path = Path(vec![
            Segment::of("channel", channel),
            Segment::plain(&word.name),
        ]);
        tree.push(Scope::Role, path, setting(word.content, &word.line));
    }
}

fn put_hosts(tree: &mut Tree, block: &Block<'_>, findings: &mut Findings) {
    let mut put = |name: &str, text: String, line: &Line| {
        let path = Path(vec![
            Segment::of("channel", &block.name),
            Segment::plain(name),
        ]);
        tree.push(Scope::Role, path, setting(Content::Text(text), line));
    };
    for (at, line) in block.hosts.iter().enumerate() {
        let mut words = line.text.split_whitespace();
        let host = words.next().unwrap_or_default();
        match (at, words.next()) {
            (0, alias) => {
                put("official_host_name", host.to_owned(), line);
                if let Some(alias) = alias {
                    put("local_host_alias", alias.to_owned(), line);
                }
            }
            (_, None) => put("additional_host_names", host.to_owned(), line),
            (_, Some(proper)) => put("additional_host_names", format!("{host} {proper}"), line),
        }
        if let Some(word) = words.next() {
            findings.warn(WarningKind::MoreHostWords, word, line);
        }
    }
}

/// Adds words behind those that are there; the later of two contradicting ones stays.
fn add_words(words: &mut Vec<Word>, more: Vec<Word>) {
    for word in more {
        if let Some(option) = word.option {
            words.retain(|earlier| {
                !earlier
                    .option
                    .is_some_and(|earlier| option.overrides(earlier))
            });
        } else if word.name != "group_ids" {
            words.retain(|earlier| earlier.name != word.name);
        }
        words.push(word);
    }
}

/// The words behind the name of a block.
fn words(tokens: &mut Tokens, line: &Line, channel: &str, findings: &mut Findings) -> Vec<Word> {
    let mut words = Vec::new();
    while let Some(token) = tokens.next() {
        let typed: String = token.text.to_ascii_lowercase();
        let typed: String = typed.chars().take(SIGNIFICANT).collect();
        let option = ChannelOption::by_name(&typed).filter(|_| !token.quoted);
        let (name, content) = match option {
            Some(option) => {
                let content = tokens.values(option.row().kind);
                (option.name().to_owned(), content)
            }
            None => {
                if channel == "defaults" || channel == "nodefaults" {
                    findings.warn(
                        WarningKind::GroupWord,
                        &format!("{channel} {}", token.text),
                        line,
                    );
                    continue;
                }
                ("group_ids".to_owned(), Content::Text(token.text))
            }
        };
        words.push(Word {
            name,
            option,
            content,
            line: line.clone(),
        });
    }
    words
}

/// A word of a line, without its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    text: String,
    quoted: bool,
}

/// The words of a line.
#[derive(Debug)]
struct Tokens {
    list: std::vec::IntoIter<Token>,
}

impl Tokens {
    fn next(&mut self) -> Option<Token> {
        self.list.next()
    }

    fn next_name(&mut self) -> String {
        let name = self.next().map(|token| token.text).unwrap_or_default();
        name.to_ascii_lowercase()
    }

    fn peek(&self) -> Option<&Token> {
        self.list.as_slice().first()
    }

    /// The values that an option of this kind takes from the words behind it.
    fn values(&mut self, kind: Kind) -> Content {
        let most = match kind {
            Kind::Flag => return Content::Novalue,
            Kind::MaybeInteger(..) => {
                if !self.peek().is_some_and(|token| is_number(&token.text)) {
                    return Content::Novalue;
                }
                1
            }
            Kind::Numbers(_) => self.count(|token| is_number(&token.text)),
            Kind::Periods => {
                self.count(|token| token.quoted || Kind::Periods.read(&token.text).is_ok())
            }
            Kind::Texts(fewest, most) => {
                let mut words = self.list.as_slice().iter();
                let more = words
                    .by_ref()
                    .skip(fewest)
                    .take(most - fewest)
                    .take_while(|token| token.quoted || !is_keyword(&token.text));
                fewest + more.count()
            }
            _ => 1,
        };
        let values: Vec<String> = (0..most.max(1))
            .filter_map(|_| self.next())
            .map(|token| token.text)
            .collect();
        Content::Text(values.join(" "))
    }

    fn count(&self, fits: impl Fn(&Token) -> bool) -> usize {
        self.list
            .as_slice()
            .iter()
            .take_while(|token| fits(token))
            .count()
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '%')
}

fn is_keyword(text: &str) -> bool {
    ChannelOption::by_name(text).is_some()
}

/// Splits a line into words; quotes keep blanks inside together.
fn tokens(line: &str) -> Tokens {
    let mut list = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (text, quoted, behind) = match rest.strip_prefix('"') {
            Some(inside) => {
                let (text, behind) = inside_quotes(inside);
                (text, true, behind)
            }
            None => {
                let end = rest.find([' ', '\t']).unwrap_or(rest.len());
                (rest[..end].to_owned(), false, &rest[end..])
            }
        };
        list.push(Token { text, quoted });
        rest = behind.trim_start();
    }
    Tokens {
        list: list.into_iter(),
    }
}

/// A text up to the quote that ends it, and what follows. A backslash quotes a quote or itself.
fn inside_quotes(inside: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = inside.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, &inside[at + 1..]),
            '\\' if matches!(chars.peek(), Some((_, '"' | '\\'))) => {
                text.extend(chars.next().map(|(_, c)| c));
            }
            c => text.push(c),
        }
    }
    (text, "")
}
