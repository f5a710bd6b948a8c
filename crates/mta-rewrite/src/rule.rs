//! Rules: their two sides, compiled, and found by pattern.
//!
//! Rules of a text are in memory; of those of a compiled configuration, if they are many, the core
//! has a filter over their patterns, and the rules of each pattern are a record beside it. Of the
//! patterns that a host name is looked up by, few have rules: the filter tells most of the others
//! without a look-up.

use mta_mapping::Unreadable;
use mta_mapping::records::{FEW, Filter, MOST_OF_A_KEY, Records, encode, fetch, hash};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::MAX_LINE;
use crate::template::{Piece, Template};

/// A rule as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRule {
    /// The left side, perhaps with a tag in front.
    pub pattern: String,
    /// The right side.
    pub template: String,
    /// Its line in the file, 0 if it has none; shown by traces.
    pub line: u32,
}

impl SourceRule {
    /// A rule of these two sides that has no line.
    #[must_use]
    pub fn new(pattern: &str, template: &str) -> Self {
        Self {
            pattern: pattern.to_owned(),
            template: template.to_owned(),
            line: 0,
        }
    }
}

/// A fault of a rule; the configuration that holds it is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct RuleError {
    /// The rule, counted from 0 in the list that was given.
    pub rule: usize,
    /// Its line in the file, 0 if it has none.
    pub line: u32,
    /// What is wrong.
    pub kind: RuleErrorKind,
}

/// What is wrong with a rule, in the words of the load error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RuleErrorKind {
    /// A pattern and nothing behind it.
    #[error("rewrite rule without template")]
    WithoutTemplate,
    /// Bare white space followed by more text.
    #[error("unquoted white space in template")]
    WhiteSpace,
    /// Over [`MAX_LINE`] characters.
    #[error("line too long")]
    TooLong,
}

/// Something legal that is probably not what was meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleWarning {
    /// A `$` with a character that means nothing there.
    #[error("{sequence} means nothing in a rewrite template and stands for itself")]
    Literal {
        /// The rule, counted from 0.
        rule: usize,
        /// The characters in question.
        sequence: String,
    },
    /// `$[…]`: site routines are not supported, the rule always fails.
    #[error("site routines are not supported, the rewrite rule always fails")]
    SiteRoutine {
        /// The rule, counted from 0.
        rule: usize,
    },
    /// The template can give no address: its `%` and `@` stand in no known order.
    #[error("template is of no known form, the rewrite rule always fails")]
    Shape {
        /// The rule, counted from 0.
        rule: usize,
    },
}

impl RuleWarning {
    /// The rule, counted from 0.
    #[must_use]
    pub fn rule(&self) -> usize {
        match self {
            Self::Literal { rule, .. } | Self::SiteRoutine { rule } | Self::Shape { rule } => *rule,
        }
    }
}

/// One compiled rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pattern: String,
    pub(crate) template: Template,
    line: u32,
}

impl Rule {
    /// The pattern as written.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The template as written.
    #[must_use]
    pub fn template(&self) -> &str {
        self.template.source()
    }

    /// Its line in the file, 0 if it has none.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The routing system it names, if that is fixed text: for the check that a channel owns it.
    #[must_use]
    pub fn fixed_tag(&self) -> Option<&str> {
        self.template.fixed_tag()
    }

    /// Names of the mapping tables it calls.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.template.tables()
    }
}

/// A rule at its place in the list, from 0.
pub(crate) type Placed = (u32, Rule);

/// Longest pattern that is the key of a record, in octets.
const LONGEST_KEY: usize = 400;

/// All rewrite rules of a configuration.
#[derive(Debug, Clone)]
pub struct Rules {
    size: usize,
    warnings: Vec<RuleWarning>,
    /// Whether any pattern replaces components by asterisks.
    has_stars: bool,
    /// Whether any rule is tried before all others, whatever the host is.
    has_first: bool,
    /// Over all folded patterns.
    filter: Filter,
    /// Rules by folded pattern: all of a text, of a compiled configuration those in the core.
    in_memory: BTreeMap<Box<str>, Vec<Placed>>,
    /// Where the others are.
    beside: Option<Beside>,
}

/// Rules beside the core, and those of them that were asked for last.
#[derive(Debug, Clone)]
struct Beside {
    records: Arc<dyn Records>,
    read: Arc<OnceLock<Box<[Place]>>>,
}

/// The rules of a pattern.
type Read = (Box<str>, Arc<[Placed]>);

/// Where the rules of a pattern are remembered.
type Place = Mutex<Option<Read>>;

/// How many patterns are remembered with their rules, at most one for each remainder of its hash.
const REMEMBERED: usize = 1024;

impl Beside {
    fn new(records: &Arc<dyn Records>) -> Self {
        Self {
            records: Arc::clone(records),
            read: Arc::default(),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "only the remainder is wanted"
    )]
    fn rules(&self, pattern: &str, hash: u64) -> Result<Arc<[Placed]>, Unreadable> {
        let places = self.read.get_or_init(|| {
            let empty = std::iter::repeat_with(|| Mutex::new(None));
            empty.take(REMEMBERED).collect()
        });
        let place = &places[hash as usize % REMEMBERED];
        let lock = || place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, rules)) = &*lock()
            && **known == *pattern
        {
            return Ok(Arc::clone(rules));
        }
        let rules: Option<Vec<Placed>> = fetch(&*self.records, &record_key(pattern))?;
        let rules: Arc<[Placed]> = rules.unwrap_or_default().into();
        // What the filter errs about is not worth a place.
        if !rules.is_empty() {
            *lock() = Some((pattern.into(), Arc::clone(&rules)));
        }
        Ok(rules)
    }
}

/// The rules of a pattern, in order.
#[derive(Debug)]
pub(crate) enum Found<'r> {
    InMemory(&'r [Placed]),
    Beside(Arc<[Placed]>),
}

impl Deref for Found<'_> {
    type Target = [Placed];

    fn deref(&self) -> &[Placed] {
        match self {
            Self::InMemory(rules) => rules,
            Self::Beside(rules) => rules,
        }
    }
}

/// What a process reads of the rules at its start; the rest are records.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RulesCore {
    size: usize,
    has_stars: bool,
    has_first: bool,
    filter: Option<Filter>,
    rules: Vec<Placed>,
}

impl RulesCore {
    /// Whether some of the rules are records beside the core.
    #[must_use]
    pub const fn has_records(&self) -> bool {
        self.filter.is_some()
    }

    /// The rules, which find in `records` what [`Rules::divide`] gave away.
    #[must_use]
    pub fn attach(self, records: &Arc<dyn Records>) -> Rules {
        let in_memory = by_pattern(self.rules);
        Rules {
            size: self.size,
            warnings: Vec::new(),
            has_stars: self.has_stars,
            has_first: self.has_first,
            beside: self.filter.as_ref().map(|_| Beside::new(records)),
            filter: self.filter.unwrap_or_else(|| filter_over(&in_memory)),
            in_memory,
        }
    }
}

fn by_pattern(rules: Vec<Placed>) -> BTreeMap<Box<str>, Vec<Placed>> {
    let mut by_pattern: BTreeMap<Box<str>, Vec<Placed>> = BTreeMap::new();
    for placed in rules {
        let folded = placed.1.pattern.to_ascii_lowercase().into_boxed_str();
        by_pattern.entry(folded).or_default().push(placed);
    }
    by_pattern
}

fn filter_over(rules: &BTreeMap<Box<str>, Vec<Placed>>) -> Filter {
    Filter::over(rules.keys().map(|pattern| hash(pattern.as_bytes())))
}

fn record_key(pattern: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + pattern.len());
    key.push(b'r');
    key.extend(pattern.as_bytes());
    key
}

impl Rules {
    /// Compiles a list of rules.
    ///
    /// # Errors
    /// Every fault of every rule.
    pub fn compile(source: &[SourceRule]) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut warnings = Vec::new();
        let mut rules = Vec::with_capacity(source.len());
        for (number, rule) in source.iter().enumerate() {
            match compile(number, rule, &mut warnings) {
                Ok(rule) => rules.push(rule),
                Err(kind) => errors.push(RuleError {
                    rule: number,
                    line: rule.line,
                    kind,
                }),
            }
        }
        if errors.is_empty() {
            Ok(Self {
                warnings,
                ..Self::of(rules)
            })
        } else {
            Err(errors)
        }
    }

    /// What looked doubtful when the rules were compiled; empty for rules from an image.
    #[must_use]
    pub fn warnings(&self) -> &[RuleWarning] {
        &self.warnings
    }

    /// The rules in order; of a compiled configuration only those that are in its core.
    #[must_use]
    pub fn in_memory(&self) -> Vec<&Rule> {
        let mut all: Vec<&Placed> = self.in_memory.values().flatten().collect();
        all.sort_unstable_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, rule)| rule).collect()
    }

    /// Number of rules.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.size
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// What a process reads at its start; `put` is given the keys and the records of the rest, in
    /// the order of the keys. Only what was compiled from text can be divided.
    pub fn divide(&self, put: &mut dyn FnMut(Vec<u8>, Vec<u8>)) -> RulesCore {
        self.divide_from(FEW, put)
    }

    /// Rules that are `few` or more are divided.
    pub(crate) fn divide_from(
        &self,
        few: usize,
        put: &mut dyn FnMut(Vec<u8>, Vec<u8>),
    ) -> RulesCore {
        let many = self.size >= few;
        let stays = |pattern: &str, rules: &[Placed]| {
            !many || pattern.len() > LONGEST_KEY || rules.len() > MOST_OF_A_KEY
        };
        let mut core = Vec::new();
        for (pattern, rules) in &self.in_memory {
            if stays(pattern, rules) {
                core.extend(rules.iter().cloned());
            } else {
                put(record_key(pattern), encode(rules));
            }
        }
        core.sort_unstable_by_key(|(place, _)| *place);
        RulesCore {
            size: self.size,
            has_stars: self.has_stars,
            has_first: self.has_first,
            filter: many.then(|| self.filter.clone()),
            rules: core,
        }
    }

    /// The rules with a pattern, which must be folded, in order.
    pub(crate) fn with_pattern(&self, folded: &str) -> Result<Found<'_>, Unreadable> {
        let hash = hash(folded.as_bytes());
        if !self.filter.may_hold(hash) {
            return Ok(Found::InMemory(&[]));
        }
        if let Some(rules) = self.in_memory.get(folded) {
            return Ok(Found::InMemory(rules));
        }
        match &self.beside {
            None => Ok(Found::InMemory(&[])),
            Some(beside) => beside.rules(folded, hash).map(Found::Beside),
        }
    }

    pub(crate) const fn has_first(&self) -> bool {
        self.has_first
    }

    pub(crate) const fn has_stars(&self) -> bool {
        self.has_stars
    }

    fn of(rules: Vec<Rule>) -> Self {
        let has_stars = rules
            .iter()
            .any(|rule| rule.pattern.replace("$*", "").contains('*'));
        let has_first = rules.iter().any(|rule| rule.pattern.ends_with("$*"));
        let size = rules.len();
        let in_memory = by_pattern((0..).zip(rules).collect());
        Self {
            size,
            warnings: Vec::new(),
            has_stars,
            has_first,
            filter: filter_over(&in_memory),
            in_memory,
            beside: None,
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

fn compile(
    number: usize,
    source: &SourceRule,
    warnings: &mut Vec<RuleWarning>,
) -> Result<Rule, RuleErrorKind> {
    let pattern = source.pattern.trim_start_matches([' ', '\t']);
    if pattern.chars().count() + source.template.chars().count() >= MAX_LINE {
        return Err(RuleErrorKind::TooLong);
    }
    if source.template.is_empty() {
        return Err(RuleErrorKind::WithoutTemplate);
    }
    let is_text = Template::is_error_text(&source.template);
    if pattern.contains([' ', '\t']) || (!is_text && has_bare_space(&source.template)) {
        return Err(RuleErrorKind::WhiteSpace);
    }
    let (template, doubtful) = Template::compile_rule(&source.template);
    warnings.extend(doubtful.into_iter().map(|sequence| RuleWarning::Literal {
        rule: number,
        sequence,
    }));
    if template.calls_routine() {
        warnings.push(RuleWarning::SiteRoutine { rule: number });
    } else if !template.may_have_form() {
        warnings.push(RuleWarning::Shape { rule: number });
    }
    Ok(Rule {
        pattern: pattern.to_owned(),
        template,
        line: source.line,
    })
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

/// Whether a list of pieces holds a call-out, so that its form is not known before it runs.
pub(crate) fn is_open(pieces: &[Piece]) -> bool {
    pieces.iter().any(|piece| matches!(piece, Piece::Call(_)))
}

#[cfg(test)]
pub(crate) mod tests;
