//! Rules: their two sides, compiled, and found by pattern.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

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

type Index = HashMap<Box<str>, Vec<u32>, BuildHasherDefault<DefaultHasher>>;

/// All rewrite rules of a configuration.
///
/// What is stored in the compiled configuration is the list alone, so that the same rules give
/// the same bytes; the index is built when it is read.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    warnings: Vec<RuleWarning>,
    /// Folded pattern to the places of its rules, in order.
    index: Index,
    /// Whether any pattern replaces components by asterisks.
    has_stars: bool,
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

    /// The rules in order.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Number of rules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Places of the rules with a pattern, which must be folded, in order.
    pub(crate) fn with_pattern(&self, folded: &str) -> &[u32] {
        self.index.get(folded).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn at(&self, place: u32) -> &Rule {
        &self.rules[place as usize]
    }

    pub(crate) fn has_stars(&self) -> bool {
        self.has_stars
    }

    fn of(rules: Vec<Rule>) -> Self {
        let mut index = Index::with_capacity_and_hasher(rules.len(), BuildHasherDefault::default());
        for (place, rule) in (0..).zip(&rules) {
            let folded = rule.pattern.to_ascii_lowercase().into_boxed_str();
            index.entry(folded).or_default().push(place);
        }
        let has_stars = rules
            .iter()
            .any(|rule| rule.pattern.replace("$*", "").contains('*'));
        Self {
            rules,
            warnings: Vec::new(),
            index,
            has_stars,
        }
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

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

impl Serialize for Rules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.rules.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::of)
    }
}

/// Whether a list of pieces holds a call-out, so that its form is not known before it runs.
pub(crate) fn is_open(pieces: &[Piece]) -> bool {
    pieces.iter().any(|piece| matches!(piece, Piece::Call(_)))
}
