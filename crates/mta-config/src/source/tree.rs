//! The option tree: every setting of a Unified Configuration, in order.

use super::name::{Path, Scope};
use hashbrown::HashTable;

/// What a setting says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing: it is there.
    Novalue,
    /// A text.
    Text(String),
    /// Pattern and template.
    Rule(String, String),
}

impl Content {
    /// The content as one line: pattern and template with a blank between them.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Novalue => String::new(),
            Self::Text(text) => text.clone(),
            Self::Rule(pattern, template) => format!("{pattern} {template}"),
        }
    }
}

/// From which of the two files a setting came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum File {
    /// `config.xml`, or nowhere yet.
    #[default]
    Config,
    /// `xpass.xml`.
    Pass,
    /// A file of a legacy configuration, by its number among those that were read.
    Legacy(u32),
}

/// One value of an option, and where it stood.
#[derive(Debug, Clone)]
pub struct Setting {
    /// What it says.
    pub content: Content,
    /// The file it was read from.
    pub file: File,
    /// Its line there; 0 for a value that was set since.
    pub line: usize,
}

impl From<Content> for Setting {
    fn from(content: Content) -> Self {
        Self {
            content,
            file: File::default(),
            line: 0,
        }
    }
}

/// All values of one option in one scope.
#[derive(Debug, Clone)]
pub struct Entry {
    /// For whom they hold.
    pub scope: Scope,
    /// The option; of a group without any option, the group.
    pub path: Path,
    /// The values in their order, at least one.
    pub settings: Vec<Setting>,
}

/// A place as the index keeps it: no file that is read has so many options.
fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Every setting, in order.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    entries: Vec<Entry>,
    /// Hashes of scope and path, and places: there may be a million of them, and a copy of each
    /// path would be half of all memory.
    index: HashTable<(u32, u32)>,
}

/// Half of a hash, which is enough, and half the memory.
#[expect(clippy::cast_possible_truncation, reason = "half is meant")]
pub(in crate::source) const fn half(hash: u64) -> u32 {
    hash as u32
}

/// The bits of half a hash spread over those that a table looks at.
pub(in crate::source) const fn spread(half: u32) -> u64 {
    (half as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn hash(scope: Scope, path: &Path) -> u32 {
    let octets = |text: &str| mta_mapping::records::hash(text.as_bytes());
    let mut hash = u64::from(scope == Scope::Role);
    for segment in path.segments() {
        let id = segment.id.as_deref().map_or(1, octets);
        hash = hash.rotate_left(9) ^ octets(&segment.name);
        hash = hash.rotate_left(9) ^ id;
    }
    half(hash)
}

impl Tree {
    /// A tree with room for so many options.
    #[must_use]
    pub fn with_room_for(options: usize) -> Self {
        Self {
            entries: Vec::with_capacity(options),
            index: HashTable::with_capacity(options),
        }
    }

    /// The entries in their order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries in their order, without what finds them.
    #[must_use]
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The entry of an option in a scope.
    #[must_use]
    pub fn get(&self, scope: Scope, path: &Path) -> Option<&Entry> {
        self.place(scope, path).ok().map(|at| &self.entries[at])
    }

    /// The place of an option among the entries, or its hash for [`Tree::note`].
    fn place(&self, scope: Scope, path: &Path) -> Result<usize, u32> {
        let hash = hash(scope, path);
        let is_it = |known: &(u32, u32)| {
            let entry = &self.entries[known.1 as usize];
            known.0 == hash && entry.scope == scope && entry.path == *path
        };
        let found = self.index.find(spread(hash), is_it);
        found.map(|(_, at)| *at as usize).ok_or(hash)
    }

    /// Remembers the place of an option that has none.
    fn note(&mut self, hash: u32, place: usize) {
        let new = (hash, number(place));
        self.index
            .insert_unique(spread(hash), new, |known| spread(known.0));
    }

    /// The value that counts: the first of the instance's, else of the role's.
    #[must_use]
    pub fn value(&self, path: &Path) -> Option<&Content> {
        let entry = self
            .get(Scope::Instance, path)
            .or_else(|| self.get(Scope::Role, path))?;
        entry.settings.first().map(|setting| &setting.content)
    }

    /// Adds a value behind those that the option has. A new option goes behind the last one of
    /// its group, a new group to the end.
    pub fn append(&mut self, scope: Scope, path: Path, setting: Setting) {
        let hash = match self.place(scope, &path) {
            Ok(at) => {
                self.entries[at].settings.push(setting);
                return;
            }
            Err(hash) => hash,
        };
        let place = self.place_of(scope, &path);
        let entry = Entry {
            scope,
            path,
            settings: vec![setting],
        };
        if place == self.entries.len() {
            self.note(hash, place);
            self.entries.push(entry);
        } else {
            self.entries.insert(place, entry);
            self.reindex();
        }
    }

    /// Adds a value as [`Tree::append`] does, but a new option to the end: for readers, which meet
    /// the options in the order in which they were written.
    pub fn push(&mut self, scope: Scope, path: Path, setting: Setting) {
        match self.place(scope, &path) {
            Ok(at) => self.entries[at].settings.push(setting),
            Err(hash) => {
                self.note(hash, self.entries.len());
                self.entries.push(Entry {
                    scope,
                    path,
                    settings: vec![setting],
                });
            }
        }
    }

    /// Replaces all values of an option.
    pub fn replace(&mut self, scope: Scope, path: &Path, settings: Vec<Setting>) {
        match self.place(scope, path) {
            Ok(at) if !settings.is_empty() => self.entries[at].settings = settings,
            Ok(_) => {
                self.remove(scope, path);
            }
            Err(_) => {
                for setting in settings {
                    self.append(scope, path.clone(), setting);
                }
            }
        }
    }

    /// Removes an option; says whether it was there.
    pub fn remove(&mut self, scope: Scope, path: &Path) -> bool {
        let before = self.entries.len();
        self.retain(|entry| entry.scope != scope || entry.path != *path);
        self.entries.len() != before
    }

    /// Keeps only the entries that `keep` wants.
    pub fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.entries.retain(keep);
        self.reindex();
    }

    fn reindex(&mut self) {
        self.index.clear();
        for at in 0..self.entries.len() {
            let entry = &self.entries[at];
            if let Err(hash) = self.place(entry.scope, &entry.path) {
                self.note(hash, at);
            }
        }
    }

    /// Where a new entry goes: behind the last one that shares most of its groups.
    fn place_of(&self, scope: Scope, path: &Path) -> usize {
        let groups = path.0.len().saturating_sub(1);
        for shared in (1..=groups).rev() {
            let head = &path.0[..shared];
            let last = self
                .entries
                .iter()
                .rposition(|entry| entry.scope == scope && entry.path.0.starts_with(head));
            if let Some(last) = last {
                return last + 1;
            }
        }
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tree: &Tree) -> Vec<String> {
        tree.entries()
            .iter()
            .map(|entry| entry.path.to_string())
            .collect()
    }

    fn set(tree: &mut Tree, name: &str, text: &str) {
        let content = Content::Text(text.to_owned());
        tree.append(Scope::Role, Path::parse(name).unwrap(), content.into());
    }

    #[test]
    fn a_new_option_goes_to_its_group() {
        let mut tree = Tree::default();
        for name in [
            "mta.a",
            "channel:l.x",
            "channel:m.x",
            "mta.b",
            "channel:l.y",
        ] {
            set(&mut tree, name, "1");
        }
        assert_eq!(
            names(&tree),
            [
                "mta.a",
                "mta.b",
                "channel:l.x",
                "channel:l.y",
                "channel:m.x"
            ]
        );
        set(&mut tree, "mta.b", "2");
        let entry = tree
            .get(Scope::Role, &Path::parse("mta.b").unwrap())
            .unwrap();
        assert_eq!(entry.settings.len(), 2);
    }

    #[test]
    fn the_instance_wins() {
        let mut tree = Tree::default();
        set(&mut tree, "mta.a", "1");
        let path = Path::parse("mta.a").unwrap();
        tree.append(
            Scope::Instance,
            path.clone(),
            Content::Text("2".into()).into(),
        );
        assert_eq!(tree.value(&path), Some(&Content::Text("2".into())));
        assert!(tree.remove(Scope::Instance, &path));
        assert!(!tree.remove(Scope::Instance, &path));
        assert_eq!(tree.value(&path), Some(&Content::Text("1".into())));
    }
}
