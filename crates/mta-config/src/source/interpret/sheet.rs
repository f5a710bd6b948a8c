//! The settings that count, sorted by the part of the configuration they belong to.

use super::Findings;
use crate::fault::FaultKind;
use crate::source::name::{Path, Scope, Segment};
use crate::source::schema;
use crate::source::tree::{Content, Entry, File, Tree};

/// One value of one option, symbolic names expanded.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The option's name within its group.
    pub(super) name: String,
    /// What it says.
    pub(super) content: Content,
    /// Where it stood.
    pub(super) file: File,
    /// Its line there.
    pub(super) line: usize,
}

impl Item {
    /// The value as one text.
    pub(super) fn text(&self) -> String {
        self.content.line()
    }
}

/// One of several groups of the same kind.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Its name.
    pub(super) id: String,
    /// Its settings; a group that is only there has one without a name.
    pub(super) items: Vec<Item>,
    /// For a channel, what stands in its option file.
    pub(super) options: Vec<Item>,
}

impl Group {
    /// The last setting of that name.
    pub(super) fn item(&self, name: &str) -> Option<&Item> {
        self.items.iter().rev().find(|item| item.name == name)
    }

    /// Any setting, to say where the group stands.
    pub(super) fn anywhere(&self) -> Option<&Item> {
        self.items.first().or_else(|| self.options.first())
    }
}

/// All settings, sorted.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) hostname: String,
    pub(super) default_domain: String,
    pub(super) base: Vec<Item>,
    pub(super) mta: Vec<Item>,
    pub(super) channels: Vec<Group>,
    pub(super) rules: Vec<Item>,
    pub(super) mappings: Vec<Group>,
    pub(super) aliases: Vec<Group>,
    pub(super) dispatcher: Vec<Item>,
    pub(super) services: Vec<Group>,
    pub(super) job_controller: Vec<Item>,
    pub(super) pools: Vec<Group>,
    pub(super) classes: Vec<Group>,
    pub(super) tasks: Vec<Group>,
}

impl Sheet {
    /// Sorts the settings of a tree: the role's, each unless the instance has its own, then the
    /// instance's.
    pub(super) fn of(tree: &Tree, findings: &mut Findings<'_>) -> Self {
        let text = |name| match tree.value(&base(name)) {
            Some(Content::Text(text)) => text.trim().to_owned(),
            _ => String::new(),
        };
        let mut sheet = Self {
            hostname: text("hostname"),
            default_domain: text("defaultdomain"),
            ..Self::default()
        };
        for scope in Scope::ALL {
            let entries = tree.entries().iter().filter(|entry| entry.scope == scope);
            for entry in entries {
                let hidden =
                    scope == Scope::Role && tree.get(Scope::Instance, &entry.path).is_some();
                if !hidden {
                    sheet.sort(entry, findings);
                }
            }
        }
        sheet
    }

    fn sort(&mut self, entry: &Entry, findings: &mut Findings<'_>) {
        let known = schema::spec(&entry.path);
        for setting in &entry.settings {
            let item = Item {
                name: option_name(&entry.path),
                content: self.expand(&setting.content),
                file: setting.file,
                line: setting.line,
            };
            // An unknown MTA option is only odd; elsewhere a wrong name is a damaged file.
            let group = entry.path.segments().first().map(|group| group.name.as_str());
            if known.is_err() && group != Some("mta") {
                let name = entry.path.to_string();
                findings.fault(FaultKind::UnknownOption, &name, Some(&item));
                continue;
            }
            if let Some(place) = self.place(&entry.path) {
                place.push(item);
            }
        }
    }

    fn place(&mut self, path: &Path) -> Option<&mut Vec<Item>> {
        let names: Vec<(&str, Option<&str>)> = path
            .segments()
            .iter()
            .map(|segment| (segment.name.as_str(), segment.id.as_deref()))
            .collect();
        let place = match names.as_slice() {
            [("mta", None), _] => &mut self.mta,
            [("base", None), _] => &mut self.base,
            [("rewrite", None), _] => &mut self.rules,
            [("channel", Some(id)), ("options", None), _] => {
                &mut group(&mut self.channels, id).options
            }
            [("channel", Some(id)), ..] => &mut group(&mut self.channels, id).items,
            [("mapping", Some(id)), ..] => &mut group(&mut self.mappings, id).items,
            [("alias", Some(id)), ..] => &mut group(&mut self.aliases, id).items,
            [("dispatcher", None), ("service", Some(id)), ..] => {
                &mut group(&mut self.services, id).items
            }
            [("dispatcher", None), _] => &mut self.dispatcher,
            [("job_controller", None), ("job_pool", Some(id)), ..] => {
                &mut group(&mut self.pools, id).items
            }
            [("job_controller", None), ("channel_class", Some(id)), ..] => {
                &mut group(&mut self.classes, id).items
            }
            [("job_controller", None), _] => &mut self.job_controller,
            [("schedule", None), ("task", Some(id)), ..] => &mut group(&mut self.tasks, id).items,
            // schedule.enable and watcher.enable are asked for by nobody's Config.
            _ => return None,
        };
        Some(place)
    }

    fn expand(&self, content: &Content) -> Content {
        match content {
            Content::Novalue => Content::Novalue,
            Content::Text(text) => Content::Text(self.expand_text(text)),
            Content::Rule(pattern, template) => {
                Content::Rule(self.expand_text(pattern), self.expand_text(template))
            }
        }
    }

    /// Replaces `&/IMTA_HOST/` and `&/IMTA_DEFAULTDOMAIN/`.
    fn expand_text(&self, text: &str) -> String {
        if !text.contains("&/") {
            return text.to_owned();
        }
        text.replace("&/IMTA_HOST/", &self.hostname)
            .replace("&/IMTA_DEFAULTDOMAIN/", &self.default_domain)
    }
}

fn base(name: &str) -> Path {
    Path(vec![Segment::plain("base"), Segment::plain(name)])
}

fn option_name(path: &Path) -> String {
    let last = path.segments().last().filter(|last| last.id.is_none());
    last.map_or_else(String::new, |last| last.name.clone())
}

fn group<'g>(groups: &'g mut Vec<Group>, id: &str) -> &'g mut Group {
    // Settings of one group mostly stand together: the last group is the usual answer.
    let at = groups.iter().rposition(|group| group.id == id);
    let at = at.unwrap_or_else(|| {
        groups.push(Group {
            id: id.to_owned(),
            items: Vec::new(),
            options: Vec::new(),
        });
        groups.len() - 1
    });
    &mut groups[at]
}
