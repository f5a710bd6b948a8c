//! Channels of a Unified Configuration.

use super::Findings;
use super::sheet::{Group, Item, Sheet};
use crate::channel::{Channel, ChannelBuilder, ChannelOption, Channels, Defaults};
use crate::fault::{FaultKind, WarningKind};
use crate::value::Value;
use mta_envelope::names::ChannelName;

/// Longest official host name, alias, extra host name and proper name, in octets.
const LONGEST_HOST: usize = 128;

/// Reads the channels. `l` comes first wherever it stands; a Unified Configuration has no order
/// of channels.
pub(super) fn channels(sheet: &Sheet, findings: &mut Findings<'_>) -> Channels {
    let mut defaults = Defaults::default();
    for group in sheet.channels.iter().filter(|group| group.id == "defaults") {
        for (option, value) in words(group, findings) {
            defaults.set(option, value);
        }
    }
    let mut groups: Vec<&Group> = sheet
        .channels
        .iter()
        .filter(|group| group.id != "defaults")
        .collect();
    groups.sort_by_key(|group| group.id != "l");
    let mut lent = None;
    let mut channels: Vec<Channel> = Vec::new();
    for group in groups {
        if let Some(builder) = channel(group, &defaults, sheet, findings) {
            if group.id == "l" {
                lent = builder.notices();
            }
            channels.push(builder.finish(lent.as_deref()));
        }
    }
    channels.into()
}

fn channel(
    group: &Group,
    defaults: &Defaults,
    sheet: &Sheet,
    findings: &mut Findings<'_>,
) -> Option<ChannelBuilder> {
    let Ok(name) = ChannelName::new(&group.id) else {
        let kind = if group.id.len() > 32 {
            FaultKind::ChannelNameTooLong
        } else {
            FaultKind::BadChannelName
        };
        // The reader of legacy files knows the line of the name, and has told.
        if !findings.sources.is_legacy() {
            findings.fault(kind, &group.id, group.anywhere());
        }
        return None;
    };
    let mut builder = ChannelBuilder::new(name, defaults);
    for (option, value) in words(group, findings) {
        builder.set(option, value);
    }
    for item in &group.options {
        builder.option(&item.name, &item.text());
    }
    names(group, &mut builder, sheet, findings);
    Some(builder)
}

/// The options of a channel. A list for all priorities counts as said before the special ones,
/// wherever it stands.
fn words(group: &Group, findings: &mut Findings<'_>) -> Vec<(ChannelOption, Value)> {
    let mut words = Vec::new();
    for item in &group.items {
        let Some(option) = ChannelOption::by_name(&item.name) else {
            continue;
        };
        if let Some(value) = findings.value(item, option.row().kind, FaultKind::BadValue) {
            words.push((option, value));
        }
    }
    words.sort_by_key(|(option, _)| {
        !matches!(option, ChannelOption::Backoff | ChannelOption::Notices)
            && option.row().short_for.is_empty()
    });
    words
}

fn names(group: &Group, builder: &mut ChannelBuilder, sheet: &Sheet, findings: &mut Findings<'_>) {
    let mut check = |host: &str, kind, item: Option<&Item>| {
        if host.len() > LONGEST_HOST {
            findings.fault(kind, host, item);
        }
    };
    match group.item("official_host_name") {
        Some(item) => {
            let host = item.text();
            check(host.trim(), FaultKind::OfficialHostTooLong, Some(item));
            builder.official_host(host.trim());
        }
        None => builder.official_host(&format!("{}.{}", group.id, sheet.hostname)),
    }
    if let Some(item) = group.item("local_host_alias") {
        let host = item.text();
        check(host.trim(), FaultKind::HostAliasTooLong, Some(item));
        builder.local_host_alias(host.trim());
    }
    for item in &group.items {
        let text = item.text();
        let mut parts = text.split_whitespace();
        match &*item.name {
            "additional_host_names" => {
                let (host, proper) = (parts.next().unwrap_or_default(), parts.next());
                for name in [Some(host), proper].into_iter().flatten() {
                    check(name, FaultKind::HostAliasTooLong, Some(item));
                }
                builder.host(host, proper);
            }
            "group_ids" => parts.for_each(|word| builder.group_word(word)),
            _ => {}
        }
    }
    let official = group.item("official_host_name").map(Item::text);
    if official.is_some_and(|host| host.trim().is_empty()) {
        let item = group.item("official_host_name");
        findings.fault(FaultKind::NoOfficialHost, &group.id, item);
    }
    for item in group.items.iter().filter(|item| item.name == "group_ids") {
        findings.warn(
            WarningKind::GroupWord,
            &format!("{} {}", group.id, item.text()),
            Some(item),
        );
    }
}
