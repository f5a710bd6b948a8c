//! From a name as it is typed to the option that is meant.

use super::Error;
use mta_config::channel::ChannelOption;
use mta_config::source::name::{Path, Scope, Segment, split_scope};
use mta_config::source::schema::{self, Spec, known};
use std::borrow::Cow;

/// An option that was named.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The scope, if one was named.
    pub(super) scope: Option<Scope>,
    /// The option's full name.
    pub(super) path: Path,
    /// What is known about it.
    pub(super) spec: Spec,
}

/// Finds the option of that name. Scope and leading groups may be left out as long as only one
/// option remains.
pub(super) fn option(typed: &str) -> Result<Found, Error> {
    let unknown = || Error::UnknownOption(typed.to_owned());
    let (scope, rest) = split_scope(typed);
    let path = canonical(Path::parse(rest).ok_or_else(unknown)?);
    let mut found = std::iter::once(path.clone())
        .chain(schema::GROUPS.into_iter().map(|group| below(group, &path)))
        .filter_map(|path| schema::spec(&path).ok().map(|spec| (path, spec)));
    match (found.next(), found.next()) {
        (Some((path, spec)), None) => Ok(Found {
            scope,
            path: canonical(path),
            spec,
        }),
        (Some(_), Some(_)) => Err(Error::AmbiguousOption(typed.to_owned())),
        (None, _) => Err(unknown()),
    }
}

/// Options of that name in groups of any kind, each with `NAME` for the name of its group.
pub(super) fn everywhere(typed: &str) -> Vec<(Path, Spec)> {
    let (_, rest) = split_scope(typed);
    let Some(path) = Path::parse(rest) else {
        return Vec::new();
    };
    let named = |group| Segment::of(group, "NAME");
    let plain = Segment::plain;
    let groups = [
        vec![plain("mta")],
        vec![plain("base")],
        vec![named("channel")],
        vec![named("alias")],
        vec![named("mapping")],
        vec![plain("rewrite")],
        vec![plain("dispatcher")],
        vec![plain("dispatcher"), named("service")],
        vec![plain("job_controller")],
        vec![plain("job_controller"), named("job_pool")],
        vec![plain("job_controller"), named("channel_class")],
        vec![plain("schedule")],
        vec![plain("schedule"), named("task")],
        vec![plain("watcher")],
    ];
    let whole = |mut group: Vec<Segment>| {
        group.extend(path.segments().iter().cloned());
        let path = canonical(Path(group));
        schema::spec(&path).ok().map(|spec| (path, spec))
    };
    groups.into_iter().filter_map(whole).collect()
}

fn below(group: &str, path: &Path) -> Path {
    let mut segments = vec![Segment::plain(group)];
    segments.extend(path.segments().iter().cloned());
    Path(segments)
}

/// The one spelling under which an option is stored: groups and options in lower case, options
/// of an option file in upper case, a channel option under its first name.
fn canonical(mut path: Path) -> Path {
    for segment in &mut path.0 {
        segment.name = known(&segment.name.to_ascii_lowercase());
    }
    match path.0.as_mut_slice() {
        [channel, options, option] if channel.name == "channel" && options.name == "options" => {
            option.name = known(&option.name.to_ascii_uppercase());
        }
        [channel, option] if channel.name == "channel" && option.id.is_none() => {
            if let Some(known) = ChannelOption::by_name(&option.name) {
                option.name = Cow::Borrowed(known.name());
            }
        }
        _ => {}
    }
    path
}

/// Matches a pattern in which `*` stands for any text and `?` for any character.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let mut pattern_left = pattern;
    let mut text_left = text;
    let mut retry: Option<(&str, &str)> = None;
    loop {
        let (p, t) = (pattern_left.chars().next(), text_left.chars().next());
        match (p, t) {
            (Some('*'), _) => {
                pattern_left = &pattern_left[1..];
                retry = Some((pattern_left, text_left));
            }
            (Some(p), Some(t)) if p == '?' || p == t => {
                pattern_left = &pattern_left[p.len_utf8()..];
                text_left = &text_left[t.len_utf8()..];
            }
            (None, None) => return true,
            _ => match retry {
                Some((after_star, from)) if !from.is_empty() => {
                    let step = from.chars().next().map_or(1, char::len_utf8);
                    retry = Some((after_star, &from[step..]));
                    pattern_left = after_star;
                    text_left = &from[step..];
                }
                Some(_) | None => return false,
            },
        }
    }
}

/// A name or pattern as patterns are compared: the names of groups and options are the same in
/// either case, those of instances (`channel:NAME`) are not.
fn folded(name: &str) -> String {
    let mut in_instance = false;
    let mut escaped = false;
    let fold = |letter: char| {
        match letter {
            '.' if !escaped => in_instance = false,
            ':' => in_instance = true,
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
        if in_instance {
            letter
        } else {
            letter.to_ascii_lowercase()
        }
    };
    name.chars().map(fold).collect()
}

/// Whether a pattern means the option `path` of `scope`: its whole name, the name from any of
/// its groups on, or a group that it lies in; with or without the names of the groups.
pub(super) fn means(pattern: &str, scope: Scope, path: &Path) -> bool {
    let pattern = &*folded(pattern);
    let below = format!("{pattern}.*");
    let full: Vec<String> = path.segments().iter().map(ToString::to_string).collect();
    let bare: Vec<String> = path
        .segments()
        .iter()
        .map(|segment| segment.name.to_string())
        .collect();
    [full, bare].into_iter().any(|segments| {
        let with_scope = std::iter::once(scope.word().to_owned()).chain(segments);
        let names: Vec<String> = with_scope.collect();
        (0..names.len()).any(|from| {
            let name = folded(&names[from..].join("."));
            matches(pattern, &name) || matches(&below, &name)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(typed: &str) -> Result<String, String> {
        option(typed)
            .map(|found| found.path.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn groups_may_be_left_out() {
        let table = [
            ("mm_debug", "mta.mm_debug"),
            ("MM_DEBUG", "mta.mm_debug"),
            ("mta.mm_debug", "mta.mm_debug"),
            ("role.mta.mm_debug", "mta.mm_debug"),
            ("hostname", "base.hostname"),
            (
                "job_pool:X.job_limit",
                "job_controller.job_pool:X.job_limit",
            ),
            (
                "service:SMTP.max_conns",
                "dispatcher.service:SMTP.max_conns",
            ),
            ("task:purge.crontab", "schedule.task:purge.crontab"),
            ("channel:x.822", "channel:x.sourceroute"),
            (
                "channel:x.options.banner_host",
                "channel:x.options.BANNER_HOST",
            ),
            (
                "channel_class:filter_discard",
                "job_controller.channel_class:filter_discard",
            ),
            ("alias:a@b\\.c.alias_entry", "alias:a@b\\.c.alias_entry"),
        ];
        for (typed, full) in table {
            assert_eq!(resolved(typed).as_deref(), Ok(full), "{typed}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        let table = [
            ("nosuch", "Unknown option: nosuch"),
            ("debug", "Ambiguous option: debug"),
            ("enable", "Ambiguous option: enable"),
            ("channel.maxjobs", "Unknown option: channel.maxjobs"),
            ("", "Unknown option: "),
        ];
        for (typed, text) in table {
            assert_eq!(resolved(typed), Err(text.to_owned()), "{typed}");
        }
    }

    #[test]
    fn patterns_mean_names_and_groups() {
        let path = Path::parse("job_controller.job_pool:SMTP_POOL.job_limit").unwrap();
        for (pattern, meant) in [
            ("role.job_controller.job_pool:SMTP_POOL.job_limit", true),
            ("job_controller.job_pool", true),
            ("job_pool:SMTP*", true),
            ("job_controller.*", true),
            ("*limit*", true),
            ("job_limi?", true),
            ("JOB_Limit", true),
            ("Job_Pool:SMTP_POOL.JOB_LIMIT", true),
            ("job_pool:smtp_pool", false),
            ("job_lim", false),
            ("instance.*", false),
            ("mta.*", false),
        ] {
            assert_eq!(means(pattern, Scope::Role, &path), meant, "{pattern}");
        }
    }
}
