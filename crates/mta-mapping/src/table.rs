//! Tables and their names.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::evaluate::Evaluation;
use crate::template::AddressLetters;
use crate::{
    Callouts, Flags, MAX_NAME, MAX_PATTERN, MAX_TEMPLATE, MappingError, Pattern, Template, Trace,
    Warning,
};

/// One entry as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The left side.
    pub pattern: &'a str,
    /// The right side; may be empty.
    pub template: &'a str,
}

impl<'a> Entry<'a> {
    /// An entry of these two sides.
    #[must_use]
    pub const fn new(pattern: &'a str, template: &'a str) -> Self {
        Self { pattern, template }
    }
}

/// What is asked of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input<'a> {
    /// The string to be matched.
    pub text: &'a str,
    /// Flags that `$:f` and `$;f` test.
    pub flags: Flags,
    /// The current address (`$A`, `$nA`); may be empty.
    pub address: &'a str,
    /// The current host (`$X`, `$nX`); may be empty.
    pub host: &'a str,
}

impl<'a> Input<'a> {
    /// `text` alone: no flags, no address, no host.
    #[must_use]
    pub const fn of(text: &'a str) -> Self {
        Self {
            text,
            flags: Flags::NONE,
            address: "",
            host: "",
        }
    }
}

/// What came out of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapped {
    /// Whether any entry matched.
    pub matched: bool,
    /// The output string; the input if nothing matched.
    pub output: String,
    /// The output flags of all entries that matched.
    pub flags: Flags,
    /// The input was longer than [`crate::MAX_TEXT`], here or in a called table, and so matched
    /// nothing. Worth a line in the log, once in a process.
    pub input_too_long: bool,
    /// An output was cut at [`crate::MAX_TEXT`]. Worth a line in the log, once in a process.
    pub output_cut: bool,
}

/// One compiled entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CompiledEntry {
    pub(crate) pattern: Pattern,
    pub(crate) template: Template,
}

/// One compiled table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    name: String,
    pub(crate) entries: Vec<CompiledEntry>,
}

impl Table {
    /// The name as written.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries as written, in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries.iter().map(|entry| Entry {
            pattern: entry.pattern.source(),
            template: entry.template.source(),
        })
    }
}

/// All mapping tables of a configuration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tables {
    tables: Vec<Table>,
    /// Folded name to place.
    names: BTreeMap<String, usize>,
}

impl Tables {
    /// Compiles a table and adds it; nothing is added when anything is wrong with it.
    ///
    /// # Errors
    /// Every fault of the name and of the entries.
    pub fn insert(
        &mut self,
        name: &str,
        entries: &[Entry<'_>],
    ) -> Result<Vec<Warning>, Vec<MappingError>> {
        let mut errors = Vec::new();
        let mut warnings = Vec::new();
        if name.chars().count() > MAX_NAME {
            errors.push(MappingError::NameTooLong);
        } else if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || name.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            errors.push(MappingError::InvalidName);
        }
        let folded = name.to_ascii_lowercase();
        if self.names.contains_key(&folded) {
            errors.push(MappingError::DuplicateName);
        }
        let letters = AddressLetters::of_table(name);
        let mut compiled = Vec::with_capacity(entries.len());
        for (number, entry) in entries.iter().enumerate() {
            match compile(number, entry, letters, &mut warnings) {
                Ok(entry) => compiled.push(entry),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        self.names.insert(folded, self.tables.len());
        self.tables.push(Table {
            name: name.to_owned(),
            entries: compiled,
        });
        Ok(warnings)
    }

    /// The table of that name, without regard to case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Table> {
        self.position(name).map(|place| &self.tables[place])
    }

    /// All tables in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter()
    }

    /// Number of tables.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Runs `input` through the table `name`. A table that does not exist matches nothing.
    pub fn map(
        &self,
        name: &str,
        input: &Input<'_>,
        callouts: &dyn Callouts,
        trace: &mut dyn Trace,
    ) -> Mapped {
        Evaluation::new(self, callouts, trace).run(name, input, 0)
    }

    /// Names of tables that the templates of other tables call, as written there.
    pub fn called(&self) -> impl Iterator<Item = &str> {
        self.tables
            .iter()
            .flat_map(|table| &table.entries)
            .flat_map(|entry| entry.template.calls())
    }

    /// Place of a table among all, from 0.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        if let Some(place) = self.names.get(name) {
            return Some(*place);
        }
        self.names.get(&name.to_ascii_lowercase()).copied()
    }

    pub(crate) fn at(&self, place: usize) -> &Table {
        &self.tables[place]
    }
}

fn compile(
    number: usize,
    entry: &Entry<'_>,
    letters: AddressLetters,
    warnings: &mut Vec<Warning>,
) -> Result<CompiledEntry, MappingError> {
    if entry.pattern.chars().count() > MAX_PATTERN || entry.template.chars().count() > MAX_TEMPLATE
    {
        return Err(MappingError::TooLong { entry: number });
    }
    let mut warn = |sequence: String, kind| {
        warnings.push(Warning {
            entry: number,
            sequence,
            kind,
        });
    };
    let pattern = Pattern::compile_with(entry.pattern, &mut warn).map_err(|offending| {
        MappingError::InvalidPattern {
            entry: number,
            offending,
        }
    })?;
    let template = Template::compile_with(entry.template, letters, &mut warn);
    if has_bare_space(entry.pattern) || has_bare_space(entry.template) {
        return Err(MappingError::WhiteSpace { entry: number });
    }
    Ok(CompiledEntry { pattern, template })
}

/// White space that no `$` stands before.
fn has_bare_space(text: &str) -> bool {
    let mut quoted = false;
    text.chars().any(|c| {
        let bare = !quoted && (c == ' ' || c == '\t');
        quoted = !quoted && c == '$';
        bare
    })
}
