//! The settings that count, sorted by the part of the configuration they belong to.

use super::Findings;
use crate::fault::FaultKind;
use crate::source::name::{Path, Scope, Segment};
use crate::source::schema;
use crate::source::tree::{Content, Entry, File, Tree, half, spread};
use hashbrown::HashTable;
use mta_mapping::records::{KeyHash, hash};
use std::borrow::Cow;
use std::collections::HashSet;

/// One value of one option, symbolic names expanded.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The option's name within its group.
    pub(super) name: Cow<'static, str>,
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
    pub(super) channels: Groups,
    pub(super) rules: Vec<Item>,
    pub(super) mappings: Groups,
    pub(super) aliases: Groups,
    pub(super) dispatcher: Vec<Item>,
    pub(super) services: Groups,
    pub(super) job_controller: Vec<Item>,
    pub(super) pools: Groups,
    pub(super) classes: Groups,
    pub(super) schedule: Vec<Item>,
    pub(super) tasks: Groups,
}

impl Sheet {
    /// Sorts the settings of a tree: the role's, each unless the instance has its own, then the
    /// instance's.
    ///
    /// The tree goes as the sheet comes: there may be a million aliases.
    pub(super) fn of(tree: Tree, findings: &mut Findings<'_>) -> Self {
        let text = |name| match tree.value(&base(name)) {
            Some(Content::Text(text)) => text.trim().to_owned(),
            _ => String::new(),
        };
        let mut sheet = Self {
            hostname: text("hostname"),
            default_domain: text("defaultdomain"),
            ..Self::default()
        };
        let instance = tree.entries().iter();
        let instance = instance.filter(|entry| entry.scope == Scope::Instance);
        let own: HashSet<Path, KeyHash> = instance.map(|entry| entry.path.clone()).collect();
        // Looking for a million aliases in a set without any would take time.
        let groups: HashSet<&str> = own.iter().filter_map(top).collect();
        let has_own = |path: &Path| {
            top(path).is_some_and(|group| groups.contains(group)) && own.contains(path)
        };
        let mut later = Vec::new();
        for entry in tree.into_entries() {
            if entry.scope == Scope::Instance {
                later.push(entry);
            } else if !has_own(&entry.path) {
                sheet.sort(entry, findings);
            }
        }
        for entry in later {
            sheet.sort(entry, findings);
        }
        sheet
    }

    fn sort(&mut self, entry: Entry, findings: &mut Findings<'_>) {
        let Entry { path, settings, .. } = entry;
        // An unknown MTA option is only odd; elsewhere a wrong name is a damaged file.
        let group = path.segments().first().map(|group| &*group.name);
        let is_foreign = schema::spec(&path).is_err() && group != Some("mta");
        for setting in settings {
            let item = Item {
                name: option_name(&path),
                content: self.expand(setting.content),
                file: setting.file,
                line: setting.line,
            };
            if is_foreign {
                findings.fault(FaultKind::UnknownOption, &path.to_string(), Some(&item));
            } else if let Some(place) = self.place(&path) {
                if place.is_empty() {
                    // Most of a million groups have one option.
                    place.reserve_exact(1);
                }
                place.push(item);
            }
        }
    }

    fn place(&mut self, path: &Path) -> Option<&mut Vec<Item>> {
        let names: Vec<(&str, Option<&str>)> = path
            .segments()
            .iter()
            .map(|segment| (&*segment.name, segment.id.as_deref()))
            .collect();
        let place = match names.as_slice() {
            [("mta", None), _] => &mut self.mta,
            [("base", None), _] => &mut self.base,
            [("rewrite", None), _] => &mut self.rules,
            [("channel", Some(id)), ("options", None), _] => &mut self.channels.of(id).options,
            [("channel", Some(id)), ..] => &mut self.channels.of(id).items,
            [("mapping", Some(id)), ..] => &mut self.mappings.of(id).items,
            [("alias", Some(id)), ..] => &mut self.aliases.of(id).items,
            [("dispatcher", None), ("service", Some(id)), ..] => &mut self.services.of(id).items,
            [("dispatcher", None), _] => &mut self.dispatcher,
            [("job_controller", None), ("job_pool", Some(id)), ..] => &mut self.pools.of(id).items,
            [("job_controller", None), ("channel_class", Some(id)), ..] => {
                &mut self.classes.of(id).items
            }
            [("job_controller", None), _] => &mut self.job_controller,
            [("schedule", None), ("task", Some(id)), ..] => &mut self.tasks.of(id).items,
            [("schedule", None), _] => &mut self.schedule,
            // watcher.enable is part of nobody's Config.
            _ => return None,
        };
        Some(place)
    }

    fn expand(&self, content: Content) -> Content {
        match content {
            Content::Novalue => Content::Novalue,
            Content::Text(text) => Content::Text(self.expand_text(text)),
            Content::Rule(pattern, template) => {
                Content::Rule(self.expand_text(pattern), self.expand_text(template))
            }
        }
    }

    /// Replaces `&/IMTA_HOST/` and `&/IMTA_DEFAULTDOMAIN/`.
    fn expand_text(&self, text: String) -> String {
        if !text.contains("&/") {
            return text;
        }
        text.replace("&/IMTA_HOST/", &self.hostname)
            .replace("&/IMTA_DEFAULTDOMAIN/", &self.default_domain)
    }
}

/// The group at the top of a name.
fn top(path: &Path) -> Option<&str> {
    path.segments().first().map(|group| &*group.name)
}

fn base(name: &str) -> Path {
    Path(vec![Segment::plain("base"), Segment::plain(name)])
}

fn option_name(path: &Path) -> Cow<'static, str> {
    let last = path.segments().last().filter(|last| last.id.is_none());
    last.map_or(Cow::Borrowed(""), |last| last.name.clone())
}

/// Groups of one kind in the order in which they were met, found by name.
#[derive(Debug, Default)]
pub(super) struct Groups {
    list: Vec<Group>,
    /// Hashes of the names, and places.
    index: HashTable<(u32, u32)>,
}

impl Groups {
    /// The groups in their order.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Group> {
        self.list.iter()
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.list.len()
    }

    /// The group of that name.
    pub(super) fn get(&self, id: &str) -> Option<&Group> {
        self.find(id).ok().map(|at| &self.list[at])
    }

    fn find(&self, id: &str) -> Result<usize, u32> {
        let hash = half(hash(id.as_bytes()));
        let is_it = |known: &(u32, u32)| known.0 == hash && self.list[known.1 as usize].id == id;
        let found = self.index.find(spread(hash), is_it);
        found.map(|(_, at)| *at as usize).ok_or(hash)
    }

    /// The group of that name, made if it was not there.
    fn of(&mut self, id: &str) -> &mut Group {
        let at = self.find(id).unwrap_or_else(|hash| {
            self.list.push(Group {
                id: id.to_owned(),
                items: Vec::new(),
                options: Vec::new(),
            });
            let at = self.list.len() - 1;
            let new = (hash, u32::try_from(at).unwrap_or(u32::MAX));
            let rehash = |known: &(u32, u32)| spread(known.0);
            self.index.insert_unique(spread(hash), new, rehash);
            at
        });
        &mut self.list[at]
    }
}

impl<'g> IntoIterator for &'g Groups {
    type Item = &'g Group;
    type IntoIter = std::slice::Iter<'g, Group>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
