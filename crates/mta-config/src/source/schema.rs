//! Which options there are, in which groups, and what values they take.

use super::fields::{self, Field};
use super::name::{Path, Scope, Segment};
use crate::channel::ChannelOption;
use crate::option::MtaOption;
use crate::value::Kind;
use mta_mapping::records::KeyHash;
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Who may set an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody who may change the configuration.
    Open,
    /// Only with `-restricted`: meant for the vendor.
    Vendor,
    /// Only by hand in `restricted.cnf`.
    Root,
}

/// What is known about one option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// What values it takes.
    pub kind: Kind,
    /// Whether it may have several values.
    pub repeats: bool,
    /// Who may set it.
    pub access: Access,
    /// Whether any code uses it.
    pub in_use: bool,
    /// What holds when it is not set; empty for nothing.
    pub default: &'static str,
    /// What it means.
    pub sentence: &'static str,
}

/// Why a name is no option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownName {
    /// No group of that name, or an option where a group belongs.
    #[error("no such group")]
    Group,
    /// A group that needs a name of its own, or must not have one.
    #[error("group needs a name, or has none")]
    GroupName,
    /// The group has no such option.
    #[error("no such option")]
    Option,
}

/// Groups into which an unqualified name is looked up.
pub const GROUPS: [&str; 6] = [
    "mta",
    "base",
    "dispatcher",
    "job_controller",
    "schedule",
    "watcher",
];

/// What is known about the option of that name.
///
/// # Errors
/// [`UnknownName`] when there is none.
pub fn spec(path: &Path) -> Result<Spec, UnknownName> {
    let segments = path.segments();
    let Some((last, groups)) = segments.split_last() else {
        return Err(UnknownName::Group);
    };
    if last.id.is_some() {
        return bare_group(segments);
    }
    let named: Vec<(&str, bool)> = groups
        .iter()
        .map(|group| (&*group.name, group.id.is_some()))
        .collect();
    let option = &*last.name;
    match named.as_slice() {
        [("mta", false)] => mta(option),
        [("base", false)] => base(option),
        [("channel", true)] => channel(option),
        [("channel", true), ("options", false)] => Ok(FREE),
        [("rewrite", false)] if option == "rule" => Ok(RULES),
        [("mapping", true)] if option == "rule" => Ok(RULES),
        [("alias", true)] => alias(option),
        [("conversions", false)] if option == "entry" => Ok(CONVERSIONS),
        [("dispatcher", false)] => {
            field(fields::DISPATCHER, option).or_else(|_| field(fields::SERVICE, option))
        }
        [("dispatcher", false), ("service", true)] => field(fields::SERVICE, option),
        [("job_controller", false)] => field(fields::JOB_CONTROLLER, option),
        [("job_controller", false), ("job_pool", true)] => field(fields::POOL, option),
        [("job_controller", false), ("channel_class", true)] => field(fields::CLASS, option),
        [("schedule", false)] => field(fields::SCHEDULE, option),
        [("schedule", false), ("task", true)] => field(fields::TASK, option),
        [("watcher", false)] => field(fields::WATCHER, option),
        _ if is_group(&named) => Err(UnknownName::Option),
        _ if groups
            .iter()
            .any(|group| needs_name(&group.name) != group.id.is_some()) =>
        {
            Err(UnknownName::GroupName)
        }
        _ => Err(UnknownName::Group),
    }
}

/// The scope in which an option is set when none is said: what belongs to one host is of the
/// instance, everything else of the role.
#[must_use]
pub fn default_scope(path: &Path) -> Scope {
    let own = ["hostname", "listenaddr", "user", "group", "noprivuser"];
    match path.segments() {
        [group, option] if group.name == "base" && own.contains(&&*option.name) => Scope::Instance,
        _ => Scope::Role,
    }
}

/// Whether the option's values are secrets, and so live in `xpass.xml`. Passwords among the
/// options of a channel's option file are known by their names.
#[must_use]
pub fn is_secret(path: &Path) -> bool {
    let by_name = match path.segments() {
        [_, options, option] if options.name == "options" => {
            let name = option.name.to_ascii_uppercase();
            name.ends_with("PASSWORD") || name.ends_with("SECRET")
        }
        _ => false,
    };
    by_name || spec(path).is_ok_and(|spec| spec.kind == Kind::Secret)
}

/// Groups that have names of their own.
const NAMED: [&str; 7] = [
    "channel",
    "mapping",
    "alias",
    "service",
    "job_pool",
    "channel_class",
    "task",
];

/// Whether groups of that name have names of their own.
#[must_use]
pub fn needs_name(group: &str) -> bool {
    NAMED.contains(&group)
}

/// The name of a group or an option, lent if it is one of those that there are: a tree may have a
/// million options of the same name.
#[must_use]
pub fn known(name: &str) -> Cow<'static, str> {
    static NAMES: LazyLock<HashSet<&'static str, KeyHash>> = LazyLock::new(|| {
        let fields = [
            fields::BASE,
            fields::CHANNEL,
            fields::ALIAS,
            fields::DISPATCHER,
            fields::SERVICE,
            fields::JOB_CONTROLLER,
            fields::POOL,
            fields::CLASS,
            fields::SCHEDULE,
            fields::TASK,
            fields::WATCHER,
        ];
        let fields = fields.into_iter().flatten().map(|field| field.name);
        let rows = crate::option::ROWS.iter().map(|row| row.name);
        let options = crate::channel::ROWS.iter().map(|row| row.name);
        let others = ["rewrite", "rule", "conversions", "entry", "options"];
        let groups = GROUPS.into_iter().chain(NAMED).chain(others);
        groups.chain(fields).chain(rows).chain(options).collect()
    });
    match NAMES.get(name) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(name.to_owned()),
    }
}

/// The names of the options that a group may hold, for listings.
pub fn options_of(group: &Path) -> Vec<&'static str> {
    let names = |fields: &'static [Field]| fields.iter().map(|field| field.name).collect();
    let groups: Vec<&str> = group
        .segments()
        .iter()
        .map(|segment| &*segment.name)
        .collect();
    match groups.as_slice() {
        ["mta"] => crate::option::ROWS.iter().map(|row| row.name).collect(),
        ["base"] => names(fields::BASE),
        ["channel"] => {
            let options = crate::channel::ROWS.iter().map(|row| row.name);
            options
                .chain(fields::CHANNEL.iter().map(|field| field.name))
                .collect()
        }
        ["alias"] => names(fields::ALIAS),
        ["dispatcher"] => names(fields::DISPATCHER),
        ["dispatcher", "service"] => names(fields::SERVICE),
        ["job_controller"] => names(fields::JOB_CONTROLLER),
        ["job_controller", "job_pool"] => names(fields::POOL),
        ["job_controller", "channel_class"] => names(fields::CLASS),
        ["schedule", "task"] => names(fields::TASK),
        _ => Vec::new(),
    }
}

const RULES: Spec = Spec {
    kind: Kind::Rule,
    repeats: true,
    access: Access::Open,
    in_use: true,
    default: "",
    sentence: "Pattern and template.",
};

const CONVERSIONS: Spec = Spec {
    kind: Kind::Text,
    repeats: true,
    access: Access::Open,
    in_use: false,
    default: "",
    sentence: "A line of the conversions file; repeats.",
};

const FREE: Spec = Spec {
    kind: Kind::Text,
    repeats: false,
    access: Access::Open,
    in_use: true,
    default: "",
    sentence: "An option of the channel's option file.",
};

const GROUP: Spec = Spec {
    kind: Kind::Flag,
    repeats: false,
    access: Access::Open,
    in_use: true,
    default: "",
    sentence: "A group without any option.",
};

fn bare_group(segments: &[Segment]) -> Result<Spec, UnknownName> {
    let names: Vec<&str> = segments.iter().map(|segment| &*segment.name).collect();
    let known = matches!(
        names.as_slice(),
        ["channel" | "mapping" | "alias"]
            | ["dispatcher", "service"]
            | ["job_controller", "job_pool" | "channel_class"]
            | ["schedule", "task"]
    );
    if known {
        Ok(GROUP)
    } else {
        Err(UnknownName::Group)
    }
}

fn is_group(named: &[(&str, bool)]) -> bool {
    matches!(
        named,
        [("rewrite" | "conversions", false)] | [("mapping", true)]
    )
}

fn mta(name: &str) -> Result<Spec, UnknownName> {
    let row = MtaOption::by_name(name).ok_or(UnknownName::Option)?.row();
    Ok(Spec {
        kind: row.kind,
        repeats: false,
        access: if row.restricted {
            Access::Vendor
        } else {
            Access::Open
        },
        in_use: row.in_use,
        default: row.default,
        sentence: row.sentence,
    })
}

fn base(name: &str) -> Result<Spec, UnknownName> {
    match field(fields::RESTRICTED, name) {
        Ok(spec) => Ok(Spec {
            access: Access::Root,
            ..spec
        }),
        Err(_) => field(fields::BASE, name),
    }
}

fn channel(name: &str) -> Result<Spec, UnknownName> {
    if let Some(option) = ChannelOption::by_name(name) {
        let row = option.row();
        return Ok(Spec {
            kind: row.kind,
            repeats: false,
            access: Access::Open,
            in_use: row.in_use,
            default: "",
            sentence: row.sentence,
        });
    }
    let spec = field(fields::CHANNEL, name)?;
    Ok(Spec {
        repeats: matches!(name, "additional_host_names" | "group_ids"),
        ..spec
    })
}

fn alias(name: &str) -> Result<Spec, UnknownName> {
    let spec = field(fields::ALIAS, name)?;
    Ok(Spec {
        repeats: name == "alias_entry",
        ..spec
    })
}

fn field(fields: &'static [Field], name: &str) -> Result<Spec, UnknownName> {
    let field = fields.iter().find(|field| field.name == name);
    field.ok_or(UnknownName::Option).map(|field| Spec {
        kind: field.kind,
        repeats: false,
        access: Access::Open,
        in_use: field.in_use,
        default: field.default,
        sentence: field.sentence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_in_their_groups() {
        let known = [
            ("mta.log_message_id", true),
            ("base.hostname", true),
            ("base.user", true),
            ("channel:tcp_local.maxjobs", true),
            ("channel:tcp_local.options.ANYTHING", true),
            ("channel:tcp_local.official_host_name", true),
            ("rewrite.rule", true),
            ("mapping:X.rule", true),
            ("alias:x.alias_entry", true),
            ("dispatcher.max_conns", true),
            ("dispatcher.service:SMTP.tcp_ports", true),
            ("job_controller.job_pool:DEFAULT.job_limit", true),
            ("job_controller.channel_class:filter_discard", true),
            ("schedule.task:purge.crontab", true),
            ("mta.nosuch", false),
            ("mta", false),
            ("channel.maxjobs", false),
            ("mta:x.log_message_id", false),
            ("nosuch.x", false),
            ("rewrite.x", false),
            ("job_controller.job_pool.job_limit", false),
        ];
        for (name, found) in known {
            let path = Path::parse(name).unwrap();
            assert_eq!(spec(&path).is_ok(), found, "{name}");
        }
    }

    #[test]
    fn every_default_of_a_field_is_legal() {
        let tables = [
            fields::BASE,
            fields::DISPATCHER,
            fields::SERVICE,
            fields::JOB_CONTROLLER,
            fields::POOL,
            fields::CLASS,
            fields::TASK,
            fields::ALIAS,
        ];
        for field in tables
            .into_iter()
            .flatten()
            .filter(|field| !field.default.is_empty())
        {
            assert!(field.kind.read(field.default).is_ok(), "{}", field.name);
        }
    }

    #[test]
    fn secrets_are_known() {
        for (name, secret) in [
            ("mta.ldap_password", true),
            ("channel:x.authpassword", true),
            ("channel:x.options.AUTH_PASSWORD", true),
            ("channel:x.options.AUTH_USERNAME", false),
            ("mta.ldap_host", false),
        ] {
            assert_eq!(is_secret(&Path::parse(name).unwrap()), secret, "{name}");
        }
    }
}
