//! What only the whole can show: the same host twice, pools and hosts that are not there, tables
//! that nobody asks.

use super::Findings;
use super::sheet::{Group, Sheet};
use crate::channel::Channel;
use crate::config::Config;
use crate::conversions::channel_of;
use crate::fault::{FaultKind, WarningKind};
use crate::source::tree::Content;
use mta_envelope::domain::fold;
use mta_envelope::names::ChannelName;
use std::collections::{HashMap, HashSet};

/// Mapping tables that the programs ask by name.
const ASKED: [&str; 20] = [
    "PORT_ACCESS",
    "IP_ACCESS",
    "INTERNAL_IP",
    "ORIG_SEND_ACCESS",
    "SEND_ACCESS",
    "ORIG_MAIL_ACCESS",
    "MAIL_ACCESS",
    "FROM_ACCESS",
    "ETRN_ACCESS",
    "DEQUEUE_ACCESS",
    "AUTH_ACCESS",
    "AUTH_REWRITE",
    "REVERSE",
    "FORWARD",
    "COMMENT_STRINGS",
    "PERSONAL_NAMES",
    "CONVERSIONS",
    "NOTIFICATION_LANGUAGE",
    "LOG_ACTION",
    "MESSAGE-SAVE-COPY",
];

/// Checks the whole.
pub(super) fn check(config: &Config, sheet: &Sheet, findings: &mut Findings<'_>) {
    local_channel(config, sheet, findings);
    hosts(sheet, findings);
    pools(config, sheet, findings);
    routes(config, sheet, findings);
    conversions(config, sheet, findings);
    unused_tables(config, sheet, findings);
}

/// The group of a channel, to say where it stands.
fn group_of<'s>(sheet: &'s Sheet, channel: &Channel) -> Option<&'s Group> {
    sheet.channels.get(channel.name().as_str())
}

fn local_channel(config: &Config, sheet: &Sheet, findings: &mut Findings<'_>) {
    let first = config.channels.iter().next();
    // In a legacy file what stands first counts, and its reader knows that.
    if findings.sources.is_legacy() {
        return;
    }
    if first.is_none_or(|first| first.name().as_str() != "l") {
        let name = first.map_or("", |first| first.name().as_str());
        let item = first.and_then(|first| group_of(sheet, first)?.anywhere());
        findings.fault(FaultKind::NoLocalChannel, name, item);
    }
}

/// Over all blocks, also those whose name is none: a blank line among the rewrite rules makes
/// channels of them, and equal hosts show it.
fn hosts(sheet: &Sheet, findings: &mut Findings<'_>) {
    let mut seen = HashSet::new();
    let mut groups: Vec<&Group> = sheet.channels.iter().collect();
    groups.retain(|group| group.id != "defaults");
    for group in groups {
        let official = group.item("official_host_name");
        let host = official.map_or_else(
            || format!("{}.{}", group.id, sheet.hostname),
            |item| item.text().trim().to_owned(),
        );
        if !host.is_empty() && !seen.insert(fold(&host)) {
            findings.fault(
                FaultKind::DuplicateHost,
                &host,
                official.or(group.anywhere()),
            );
        }
        let extra = group.items.iter();
        for item in extra.filter(|item| item.name == "additional_host_names") {
            let text = item.text();
            let host = text.split_whitespace().next().unwrap_or_default();
            if !seen.insert(fold(host)) {
                findings.fault(FaultKind::DuplicateHost, host, Some(item));
            }
        }
    }
}

/// Only a channel that some class gives a program needs its pool.
fn pools(config: &Config, sheet: &Sheet, findings: &mut Findings<'_>) {
    for channel in config.channels.iter() {
        let jobs = &config.job_controller;
        let class = jobs.class_for(channel.name());
        let is_run = class.is_some_and(|class| class.master_command.is_some());
        if is_run && jobs.pool_of(channel).is_none() {
            let group = group_of(sheet, channel);
            let item = group.and_then(|group| group.item("pool"));
            let name = format!("{} {}", channel.name(), jobs.pool_name(channel));
            findings.warn(WarningKind::UnknownPool, &name, item);
        }
    }
}

/// A template that names its channel by a host without substitutions must name one that is there.
fn routes(config: &Config, sheet: &Sheet, findings: &mut Findings<'_>) {
    let mut known: HashMap<String, bool> = HashMap::new();
    for (rule, item) in config.rules.in_memory().into_iter().zip(&sheet.rules) {
        let Some(host) = rule.fixed_tag() else {
            continue;
        };
        let owned = *known
            .entry(fold(host))
            .or_insert_with(|| config.channels.by_host(host).is_some());
        if !owned {
            findings.warn(WarningKind::UnknownRoute, host, Some(item));
        }
    }
}

/// The channels that CONVERSIONS names as they stand there.
fn conversions(config: &Config, sheet: &Sheet, findings: &mut Findings<'_>) {
    let tables = sheet.mappings.iter();
    let entries = tables
        .filter(|group| group.id.eq_ignore_ascii_case("CONVERSIONS"))
        .flat_map(|group| &group.items);
    for item in entries {
        let Content::Rule(_, template) = &item.content else {
            continue;
        };
        let Some(name) = channel_of(template) else {
            continue;
        };
        // What a substitution gives is known when mail comes.
        let known = ChannelName::new(name).is_ok_and(|name| config.channel(&name).is_some());
        if !known && !name.contains('$') {
            findings.warn(WarningKind::NoConversionChannel, name, Some(item));
        }
    }
}

/// Tables that neither a program nor another table nor a rule nor an option names.
fn unused_tables(config: &Config, sheet: &Sheet, findings: &mut Findings<'_>) {
    let mut asked: HashSet<String> = ASKED.iter().map(|name| (*name).to_owned()).collect();
    asked.extend(config.mappings.called().map(str::to_ascii_uppercase));
    for rule in config.rules.in_memory() {
        asked.extend(rule.tables().map(str::to_ascii_uppercase));
    }
    for entry in config.aliases.in_memory() {
        let mappings = entry
            .options
            .iter()
            .filter(|(option, _)| option.ends_with("mapping"));
        asked.extend(mappings.map(|(_, name)| name.to_ascii_uppercase()));
    }
    for group in &sheet.mappings {
        if !asked.contains(&group.id.to_ascii_uppercase()) {
            findings.warn(WarningKind::UnusedMapping, &group.id, group.anywhere());
        }
    }
}
