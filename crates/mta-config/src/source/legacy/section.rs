//! One part of the configuration as legacy text: printed from the option tree, and read back.
//!
//! `msconfig edit`, `import` and `export` live on this. Printing and reading back changes
//! nothing; symbolic names such as `&/IMTA_HOST/` stay as they are. A comment is not part of the
//! tree, and so does not come back.

use super::lines::{ALIASES, CONFIGURATION, Dialect, Line, MAPPINGS, OPTIONS, PLAIN};
use super::{Files, Findings, aliases, configuration, lines, mappings, options};
use crate::channel::ChannelOption;
use crate::config::Restricted;
use crate::fault::{FaultKind, LoadFault, Origin, Warning};
use crate::paths::ServerRoot;
use crate::source::interpret;
use crate::source::name::{Path, Scope, Segment};
use crate::source::schema;
use crate::source::tree::{Content, Entry, Setting, Tree};
use crate::source::{Form, Sources, Text};
use crate::value::Kind;
use std::fmt::Write as _;
use std::path::{Path as FilePath, PathBuf};

/// Column behind which the words of a channel go on in the next line.
const WIDTH: usize = 78;
/// Stands for a secret in a text; reading it back keeps the secret.
const SUPPRESSED: &str = "(suppressed)";

/// A part of the configuration that has a text form of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The rewrite rules: the first half of `imta.cnf`.
    Rewrites,
    /// The channel blocks: the second half of `imta.cnf`.
    Channels,
    /// `mappings`.
    Mappings,
    /// `aliases`.
    Aliases,
    /// `conversions`.
    Conversions,
    /// `option.dat`.
    Options,
}

/// A section as it was read from a text.
#[derive(Debug)]
pub struct Parsed {
    /// Its settings.
    pub tree: Tree,
    /// What the text alone shows to be odd.
    pub warnings: Vec<Warning>,
    sources: Sources,
    name: PathBuf,
}

impl Section {
    /// All of them, in the order of listings.
    pub const ALL: [Self; 6] = [
        Self::Rewrites,
        Self::Channels,
        Self::Mappings,
        Self::Aliases,
        Self::Conversions,
        Self::Options,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rewrites => "rewrites",
            Self::Channels => "channels",
            Self::Mappings => "mappings",
            Self::Aliases => "aliases",
            Self::Conversions => "conversions",
            Self::Options => "options",
        }
    }

    /// The section of a name or of the beginning of one, at least three letters: `mapping` and
    /// `rewrite` are usual.
    #[must_use]
    pub fn by_name(typed: &str) -> Option<Self> {
        let typed = typed.to_ascii_lowercase();
        let mut all = Self::ALL.into_iter();
        all.find(|section| typed.len() >= 3 && section.name().starts_with(&typed))
    }

    const fn dialect(self) -> Dialect {
        match self {
            Self::Rewrites | Self::Channels => CONFIGURATION,
            Self::Mappings => MAPPINGS,
            Self::Aliases => ALIASES,
            Self::Conversions => PLAIN,
            Self::Options => OPTIONS,
        }
    }

    /// Whether a setting belongs to the section.
    #[must_use]
    pub fn holds(self, path: &Path) -> bool {
        let group = path.segments().first().map(|group| &*group.name);
        let inside_channel =
            matches!(path.segments(), [_, options, ..] if options.name == "options");
        match self {
            Self::Rewrites => group == Some("rewrite"),
            // An option file is a file of its own.
            Self::Channels => group == Some("channel") && !inside_channel,
            Self::Mappings => group == Some("mapping"),
            Self::Aliases => group == Some("alias"),
            Self::Conversions => group == Some("conversions"),
            Self::Options => group == Some("mta"),
        }
    }

    /// The section as text.
    #[must_use]
    pub fn print(self, tree: &Tree) -> String {
        let entries = self.entries(tree);
        match self {
            Self::Rewrites => rewrites(&entries),
            Self::Channels => channels(&entries),
            Self::Mappings => print_mappings(&entries),
            Self::Aliases => print_aliases(&entries),
            Self::Conversions => entries
                .iter()
                .flat_map(|entry| &entry.settings)
                .map(|setting| setting.content.line())
                .map(|line| format!("{line}{}", line_end(&line)))
                .collect(),
            Self::Options => print_options(&entries),
        }
    }

    /// The settings of the section that count: of an option in both scopes, the instance's.
    fn entries(self, tree: &Tree) -> Vec<&Entry> {
        let entries = tree.entries().iter();
        entries
            .filter(|entry| self.holds(&entry.path))
            .filter(|entry| {
                entry.scope == Scope::Instance || tree.get(Scope::Instance, &entry.path).is_none()
            })
            .collect()
    }

    /// Reads a text as the section. `name` stands for the file in what is said of it.
    ///
    /// # Errors
    /// All faults that the text alone shows; others, such as an address that is none, show when
    /// the whole is read.
    pub fn parse(
        self,
        text: &str,
        name: &FilePath,
        root: &ServerRoot,
    ) -> Result<Parsed, Vec<LoadFault>> {
        let mut files = Files {
            root,
            texts: Vec::new(),
        };
        let mut findings = Findings::default();
        let text = Text {
            path: name.to_owned(),
            content: text.to_owned(),
        };
        let lines = lines::lines(text, self.dialect(), &mut files, &mut findings);
        let mut tree = Tree::default();
        match self {
            Self::Rewrites => configuration::rules(&lines, &mut tree),
            Self::Channels => configuration::channels(&lines, &mut tree, &mut findings),
            Self::Mappings => mappings::read(&lines, &mut tree, &mut findings),
            Self::Aliases => aliases::read(&lines, &mut tree, &mut findings),
            Self::Conversions => conversions(&lines, &mut tree),
            Self::Options => {
                let mta = [Segment::plain("mta")];
                options::flat(&lines, &mta, &mut tree, &mut findings);
            }
        }
        let sources = Sources {
            legacy: files.texts,
            ..Sources::default()
        };
        let (faults, warnings) = findings.told(&sources);
        if faults.is_empty() {
            Ok(Parsed {
                tree,
                sources,
                warnings,
                name: name.to_owned(),
            })
        } else {
            Err(faults)
        }
    }

    /// What the text means in the place of what `current` says: what is odd about it.
    ///
    /// # Errors
    /// All faults of the text; those of the other sections count for nothing here.
    pub fn check(self, parsed: &Parsed, current: &Tree) -> Result<Vec<Warning>, Vec<LoadFault>> {
        let mut whole = current.clone();
        whole.retain(|entry| !self.holds(&entry.path));
        let mut faults = Vec::new();
        for entry in parsed.tree.entries() {
            for setting in &entry.settings {
                whole.push(entry.scope, entry.path.clone(), setting.clone());
            }
            if schema::spec(&entry.path).is_err() {
                faults.extend(entry.settings.iter().map(|setting| LoadFault {
                    kind: FaultKind::UnknownOption,
                    name: entry.path.to_string(),
                    origin: parsed.sources.origin(setting.file, setting.line),
                }));
            }
        }
        let of_text = |origin: &Origin| origin.file == parsed.name && origin.line.is_some();
        let sources = &parsed.sources;
        let accounts = Restricted::default();
        let (more, mut warnings) =
            match interpret::interpret(whole, sources, accounts, Vec::new(), Form::Unified) {
                Ok((_, warnings)) => (Vec::new(), warnings),
                Err(faults) => (faults, Vec::new()),
            };
        let known: Vec<Origin> = faults.iter().map(|fault| fault.origin.clone()).collect();
        let more = more.into_iter().filter(|fault| of_text(&fault.origin));
        faults.extend(more.filter(|fault| !known.contains(&fault.origin)));
        warnings.retain(|warning| of_text(&warning.origin));
        warnings.splice(0..0, parsed.warnings.iter().cloned());
        if faults.is_empty() {
            Ok(warnings)
        } else {
            Err(faults)
        }
    }

    /// Puts what was read in the place of what the tree says; an option that the instance has
    /// stays there. Whether anything changed.
    pub fn replace(self, tree: &mut Tree, read: &Tree) -> bool {
        let mut changed = false;
        let gone: Vec<(Scope, Path)> = tree
            .entries()
            .iter()
            .filter(|entry| self.holds(&entry.path) && read.get(Scope::Role, &entry.path).is_none())
            .map(|entry| (entry.scope, entry.path.clone()))
            .collect();
        for (scope, path) in gone {
            changed |= tree.remove(scope, &path);
        }
        for entry in read.entries() {
            let scope = if tree.get(Scope::Instance, &entry.path).is_some() {
                Scope::Instance
            } else {
                Scope::Role
            };
            let old = tree.get(scope, &entry.path);
            if old.is_none() && is_default_host(&entry.path, &entry.settings) {
                continue;
            }
            let kept = old.is_some_and(|old| same(&entry.path, &old.settings, &entry.settings));
            if !kept {
                let settings = entry.settings.iter();
                let fresh = settings.map(|setting| Setting::from(setting.content.clone()));
                tree.replace(scope, &entry.path, fresh.collect());
                changed = true;
            }
        }
        changed
    }
}

fn same(path: &Path, old: &[Setting], new: &[Setting]) -> bool {
    let hidden = |setting: &Setting| {
        schema::is_secret(path) && setting.content == Content::Text(SUPPRESSED.to_owned())
    };
    old.len() == new.len()
        && old
            .iter()
            .zip(new)
            .all(|(old, new)| hidden(new) || old.content.line().trim() == new.content.line().trim())
}

/// A channel without an official host name is printed with the one that it has by default.
fn is_default_host(path: &Path, settings: &[Setting]) -> bool {
    let [channel, option] = path.segments() else {
        return false;
    };
    option.name == "official_host_name"
        && channel.id.as_deref().is_some_and(|id| {
            settings.first().map(|setting| setting.content.line()) == Some(default_host(id))
        })
}

fn default_host(channel: &str) -> String {
    format!("{channel}.&/IMTA_HOST/")
}

fn rewrites(entries: &[&Entry]) -> String {
    let settings = entries.iter().flat_map(|entry| &entry.settings);
    let rules: Vec<(String, String)> = settings.map(|setting| sides(&setting.content)).collect();
    columns(&rules, "")
}

/// Two columns, the second behind the widest pattern that is not out of proportion.
fn columns(rules: &[(String, String)], indent: &str) -> String {
    let widths = rules.iter().map(|(pattern, _)| pattern.chars().count());
    let width = widths.filter(|width| *width <= 40).max().unwrap_or(0);
    let mut text = String::new();
    for (pattern, template) in rules {
        // In the first column these begin a comment and an include.
        let indent = if indent.is_empty() && pattern.starts_with(['!', '<']) {
            " "
        } else {
            indent
        };
        let mut line = format!("{indent}{pattern:width$}  {template}");
        if line.chars().count() > CONFIGURATION.longest {
            // As it may have been written: it was not too long then.
            line = format!("{indent}{pattern} {template}");
        }
        // A blank at the end may be quoted, and then it is part of the template.
        let line = if template.is_empty() {
            line.trim_end()
        } else {
            &line
        };
        text.push_str(line);
        text.push_str(line_end(line));
    }
    text
}

/// The end of a line: a backslash at the very end would join it with the next.
fn line_end(line: &str) -> &'static str {
    if line.ends_with('\\') { " \n" } else { "\n" }
}

fn sides(content: &Content) -> (String, String) {
    match content {
        Content::Rule(pattern, template) => (pattern.clone(), template.clone()),
        Content::Text(text) => {
            let (pattern, template) = super::split_entry(text);
            (pattern.to_owned(), template.to_owned())
        }
        Content::Novalue => (String::new(), String::new()),
    }
}

/// The groups of one kind with their settings, in the order in which they come.
fn groups<'e>(entries: &[&'e Entry]) -> Vec<(&'e str, Vec<(&'e str, &'e Setting)>)> {
    let mut groups: Vec<(&str, Vec<(&str, &Setting)>)> = Vec::new();
    let mut places: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for entry in entries {
        let [group, rest @ ..] = entry.path.segments() else {
            continue;
        };
        let Some(id) = group.id.as_deref() else {
            continue;
        };
        let place = *places.entry(id).or_insert_with(|| {
            groups.push((id, Vec::new()));
            groups.len() - 1
        });
        let name = rest.first().map_or("", |option| &*option.name);
        let settings = entry.settings.iter().map(|setting| (name, setting));
        groups[place].1.extend(settings);
    }
    groups
}

fn channels(entries: &[&Entry]) -> String {
    let mut blocks = groups(entries);
    blocks.sort_by_key(|(id, _)| match *id {
        "defaults" => 0,
        "l" => 1,
        _ => 2,
    });
    let mut text = String::new();
    for (id, settings) in blocks {
        if !text.is_empty() {
            text.push('\n');
        }
        let mut words = vec![id.to_owned()];
        let (mut official, mut alias, mut more) = (None, None, Vec::new());
        for (name, setting) in settings {
            let value = setting.content.line();
            match name {
                "" => {}
                "official_host_name" => official = Some(value),
                "local_host_alias" => alias = Some(value),
                "additional_host_names" => more.push(value),
                "group_ids" => words.push(value),
                name => words.extend(keyword(name, &setting.content)),
            }
        }
        wrapped(&mut text, &words);
        if id == "defaults" {
            continue;
        }
        let official = official.unwrap_or_else(|| default_host(id));
        match alias {
            Some(alias) => writeln!(text, "{official} {alias}"),
            None => writeln!(text, "{official}"),
        }
        .expect("a string takes everything");
        for line in more {
            writeln!(text, "{line}").expect("a string takes everything");
        }
    }
    text
}

/// A keyword with its values, each a word of its own.
fn keyword(name: &str, content: &Content) -> Vec<String> {
    let mut words = vec![name.to_owned()];
    let option = ChannelOption::by_name(name);
    let kind = option.map_or(Kind::Text, |option| option.row().kind);
    let text = content.line();
    match (kind, content) {
        (Kind::Flag, _) | (_, Content::Novalue) => {}
        (Kind::Secret, _) => words.push(quoted(SUPPRESSED)),
        (Kind::Periods, _) => words.extend(
            text.split_whitespace()
                .map(|word| format!("\"{}\"", word.trim_matches('"'))),
        ),
        (Kind::Numbers(_) | Kind::Texts(..), _) => {
            words.extend(text.split_whitespace().map(str::to_owned));
        }
        _ => words.push(quoted(&text)),
    }
    words
}

/// A value as one word: in quotes where it would not be one without.
fn quoted(text: &str) -> String {
    let plain = !text.is_empty()
        && !text.starts_with('"')
        && !text.ends_with('\\')
        && !text.contains([' ', '\t']);
    if plain {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// Words on as many lines as they need, each but the last ending in a backslash.
fn wrapped(text: &mut String, words: &[String]) {
    let mut width = 0;
    for (at, word) in words.iter().enumerate() {
        let length = word.chars().count();
        if at > 0 && width + length + 3 > WIDTH {
            text.push_str(" \\\n  ");
            width = 2;
        } else if at > 0 {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += length;
    }
    text.push('\n');
}

fn print_mappings(entries: &[&Entry]) -> String {
    let tables = groups(entries).into_iter().map(|(name, settings)| {
        let rules: Vec<(String, String)> = settings
            .iter()
            .filter(|(option, _)| *option == "rule")
            .map(|(_, setting)| sides(&setting.content))
            .collect();
        format!("{name}\n\n{}", columns(&rules, "  "))
    });
    tables.collect::<Vec<_>>().join("\n")
}

fn print_aliases(entries: &[&Entry]) -> String {
    let mut text = String::new();
    for (name, settings) in groups(entries) {
        let mut values = Vec::new();
        for (option, setting) in &settings {
            let value = setting.content.line();
            match option.strip_prefix("alias_") {
                None | Some("entry") => {}
                Some(parameter) => {
                    let parameter = parameter.to_ascii_uppercase();
                    let value = aliases::quoted(value);
                    values.push(format!("[{parameter}] {value}").trim_end().to_owned());
                }
            }
        }
        let members = settings
            .iter()
            .filter(|(option, _)| *option == "alias_entry");
        values.extend(members.map(|(_, setting)| setting.content.line()));
        let mut width = name.chars().count() + 2;
        text.push_str(name);
        text.push(':');
        for (at, value) in values.iter().enumerate() {
            let length = value.chars().count();
            if at > 0 {
                text.push(',');
            }
            if at > 0 && width + length + 3 > WIDTH {
                text.push_str(" \\\n  ");
                width = 2;
            } else {
                text.push(' ');
            }
            text.push_str(value);
            width += length + 2;
        }
        text.push('\n');
    }
    text
}

fn print_options(entries: &[&Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let name = entry.path.segments().last().map_or("", |last| &last.name);
        let secret = schema::is_secret(&entry.path);
        for setting in &entry.settings {
            let value = if secret {
                SUPPRESSED.to_owned()
            } else {
                setting.content.line()
            };
            let name = name.to_ascii_uppercase();
            let end = line_end(&value);
            write!(text, "{name}={value}{end}").expect("a string takes everything");
        }
    }
    text
}

/// Reads the entries of `conversions` as they stand.
pub(super) fn conversions(lines: &[Line], tree: &mut Tree) {
    let path = Path(vec![Segment::plain("conversions"), Segment::plain("entry")]);
    for line in lines.iter().filter(|line| !line.is_blank()) {
        let setting = Setting {
            content: Content::Text(line.text.trim_end().to_owned()),
            file: line.file,
            line: line.number,
        };
        tree.push(Scope::Role, path.clone(), setting);
    }
}
