//! Rewrite rules, mapping tables and aliases of a Unified Configuration.

use super::Findings;
use super::sheet::{Group, Item, Sheet};
use crate::aliases::{AliasEntry, AliasValue, Aliases, folded, split_values};
use crate::fault::{FaultKind, WarningKind};
use crate::option::{MtaOption, MtaOptions};
use crate::source::tree::Content;
use mta_mapping::records::{KeyHash, hash};
use mta_mapping::{Entry, MappingError, Tables};
use mta_rewrite::{RuleErrorKind, Rules, SourceRule};
use std::collections::HashSet;

/// Longest left side of an alias.
const LONGEST_ALIAS: usize = 128;
/// Longest address among an alias's values.
const LONGEST_VALUE: usize = 256;

/// The two parts of a rule, wherever they came from.
fn parts(item: &Item) -> (String, String) {
    match &item.content {
        Content::Rule(pattern, template) => (pattern.clone(), template.clone()),
        Content::Text(text) => match text.trim_start().split_once([' ', '\t']) {
            Some((pattern, template)) => (pattern.to_owned(), template.trim_start().to_owned()),
            None => (text.trim().to_owned(), String::new()),
        },
        Content::Novalue => (String::new(), String::new()),
    }
}

/// Compiles the rewrite rules.
pub(super) fn rules(sheet: &Sheet, findings: &mut Findings<'_>) -> Rules {
    let source = |item: &Item| {
        let (pattern, template) = parts(item);
        SourceRule {
            pattern,
            template,
            line: u32::try_from(item.line).unwrap_or(0),
        }
    };
    let source: Vec<SourceRule> = sheet.rules.iter().map(source).collect();
    match Rules::compile(&source) {
        Ok(rules) => {
            for warning in rules.warnings() {
                let item = sheet.rules.get(warning.rule());
                findings.warn(WarningKind::OddRule, &warning.to_string(), item);
            }
            rules
        }
        Err(errors) => {
            for error in errors {
                let item = sheet.rules.get(error.rule);
                let pattern = source
                    .get(error.rule)
                    .map_or("", |rule| rule.pattern.as_str());
                findings.fault(rule_fault(error.kind), pattern, item);
            }
            Rules::default()
        }
    }
}

const fn rule_fault(kind: RuleErrorKind) -> FaultKind {
    match kind {
        RuleErrorKind::WithoutTemplate => FaultKind::RuleWithoutTemplate,
        RuleErrorKind::WhiteSpace => FaultKind::UnquotedSpace,
        RuleErrorKind::TooLong => FaultKind::LineTooLong,
    }
}

/// Compiles the mapping tables.
pub(super) fn mappings(sheet: &Sheet, findings: &mut Findings<'_>) -> Tables {
    let mut tables = Tables::default();
    for group in &sheet.mappings {
        let items: Vec<&Item> = group
            .items
            .iter()
            .filter(|item| item.name == "rule")
            .collect();
        let parts: Vec<(String, String)> = items.iter().map(|item| parts(item)).collect();
        let entries: Vec<Entry<'_>> = parts
            .iter()
            .map(|(pattern, template)| Entry::new(pattern, template))
            .collect();
        match tables.insert(&group.id, &entries) {
            Ok(warnings) => {
                for warning in warnings {
                    let item = items.get(warning.entry).copied();
                    findings.warn(WarningKind::OddMapping, &warning.to_string(), item);
                }
            }
            Err(errors) => {
                for error in errors {
                    let item = error.entry().and_then(|entry| items.get(entry).copied());
                    let item = item.or_else(|| group.anywhere());
                    findings.fault(mapping_fault(&error), &group.id, item);
                }
            }
        }
    }
    tables
}

const fn mapping_fault(error: &MappingError) -> FaultKind {
    match error {
        MappingError::DuplicateName => FaultKind::DuplicateMapping,
        MappingError::NameTooLong => FaultKind::MappingNameTooLong,
        MappingError::InvalidName => FaultKind::BadMappingName,
        MappingError::TooLong { .. } => FaultKind::LineTooLong,
        MappingError::InvalidPattern { .. } => FaultKind::BadMappingPattern,
        MappingError::WhiteSpace { .. } => FaultKind::UnquotedSpace,
    }
}

/// Reads the aliases.
pub(super) fn aliases(sheet: &Sheet, mta: &MtaOptions, findings: &mut Findings<'_>) -> Aliases {
    let mut entries = Vec::with_capacity(sheet.aliases.len());
    let twice = twice(sheet);
    for group in &sheet.aliases {
        let item = group.anywhere();
        if group.id.chars().count() > LONGEST_ALIAS {
            findings.fault(FaultKind::AliasNameTooLong, &group.id, item);
        }
        if twice.contains(group.id.as_str()) {
            findings.fault(FaultKind::DuplicateAlias, &group.id, item);
        }
        entries.push(alias(group, findings));
    }
    Aliases::new(mta.int(MtaOption::AliasDomains), entries)
}

/// Names that stand, in another case, for an alias that was there before.
fn twice(sheet: &Sheet) -> HashSet<&str> {
    // Of a million names nearly none is there twice: their hashes tell, and only then the names.
    let mut hashes: HashSet<u64, KeyHash> = HashSet::default();
    let mut again = false;
    for group in &sheet.aliases {
        again |= !hashes.insert(hash(folded(&group.id).as_bytes()));
    }
    if !again {
        return HashSet::new();
    }
    let mut seen = HashSet::new();
    let names = sheet.aliases.iter().map(|group| group.id.as_str());
    names
        .filter(|name| !seen.insert(name.to_lowercase()))
        .collect()
}

fn alias(group: &Group, findings: &mut Findings<'_>) -> AliasEntry {
    let mut entry = AliasEntry {
        name: group.id.clone(),
        values: Vec::new(),
        options: Vec::new(),
    };
    let mut refused = false;
    for item in &group.items {
        match item.name.strip_prefix("alias_") {
            Some("entry") => refused |= !values(group, item, &mut entry, findings),
            Some(option) => entry.options.push((option.to_owned(), item.text())),
            None => {}
        }
    }
    if entry.values.is_empty() && !refused {
        findings.fault(FaultKind::NoEquivalence, &group.id, group.anywhere());
    }
    entry
}

/// The values of one setting: several with commas, as the alias file writes them. Whether all
/// could be read.
fn values(group: &Group, item: &Item, entry: &mut AliasEntry, findings: &mut Findings<'_>) -> bool {
    let mut all = true;
    let texts = split_values(&item.text());
    entry.values.reserve_exact(texts.len());
    for text in texts {
        match AliasValue::parse(&text) {
            Some(value) if text.chars().count() <= LONGEST_VALUE => entry.values.push(value),
            Some(_) | None => {
                all = false;
                findings.fault(FaultKind::BadEquivalence, &group.id, Some(item));
            }
        }
    }
    all
}
