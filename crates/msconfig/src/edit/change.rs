//! Setting and unsetting: what becomes of the option tree.

use super::Error;
use super::resolve::{self, Found};
use mta_config::channel::ChannelOption;
use mta_config::source::name::{Path, Scope, Segment};
use mta_config::source::schema::{Access, default_scope};
use mta_config::source::tree::{Content, Entry, Tree};
use mta_config::value::{Kind, ValueError, split_rule};

/// Sets an option.
pub(super) fn set(
    tree: &mut Tree,
    typed: &str,
    values: &[String],
    restricted: bool,
) -> Result<(), Error> {
    let found = resolve::option(typed)?;
    allowed(typed, &found, restricted)?;
    let content = content(typed, &found, values)?;
    let scope = found.scope.unwrap_or_else(|| scope_of(tree, &found.path));
    if found
        .path
        .segments()
        .last()
        .is_some_and(|last| last.id.is_some())
    {
        // A group that has options is there already.
        let inside = |entry: &Entry| entry.path.starts_with(&found.path);
        if !tree.entries().iter().any(inside) {
            tree.append(scope, found.path, Content::Novalue.into());
        }
        return Ok(());
    }
    drop_contradictions(tree, &found.path);
    drop_bare_groups(tree, &found.path);
    if found.spec.repeats {
        tree.append(scope, found.path, content.into());
    } else {
        tree.replace(scope, &found.path, vec![content.into()]);
    }
    Ok(())
}

/// Unsets an option, a group, or whatever a pattern means; of an option with several values only
/// those that are named, if any is.
pub(super) fn unset(
    tree: &mut Tree,
    typed: &str,
    values: &[String],
    restricted: bool,
) -> Result<(), Error> {
    let wild = typed.contains(['*', '?']);
    let found = resolve::option(typed);
    let exact = found
        .as_ref()
        .ok()
        .map(|found| (found.scope, found.path.clone()));
    let meant = |entry: &Entry| match &exact {
        Some((scope, path)) => {
            scope.is_none_or(|scope| scope == entry.scope) && entry.path.starts_with(path)
        }
        None => resolve::means(typed, entry.scope, &entry.path),
    };
    let chosen: Vec<(Scope, Path)> = tree
        .entries()
        .iter()
        .filter(|entry| meant(entry))
        .map(|entry| (entry.scope, entry.path.clone()))
        .collect();
    if chosen.is_empty() {
        return match found {
            // Not set, and so unset already.
            Ok(found) => allowed(typed, &found, restricted),
            Err(_) if wild => Err(Error::NoMatch(typed.to_owned())),
            Err(error) => Err(error),
        };
    }
    for (_, path) in &chosen {
        let access = mta_config::source::schema::spec(path).map(|spec| spec.access);
        if access == Ok(Access::Vendor) && !restricted {
            return Err(Error::Vendor(path.to_string()));
        }
    }
    // A pattern that means everything was meant for something else.
    if exact.is_none() && chosen.len() == tree.entries().len() && chosen.len() > 1 {
        return Err(Error::Everything(typed.to_owned()));
    }
    let line = values.join(" ");
    let line = line.trim();
    let has = |(scope, path): &(Scope, Path)| {
        let entry = tree.get(*scope, path);
        entry.is_some_and(|entry| {
            let mut settings = entry.settings.iter();
            settings.any(|setting| setting.content.line().trim() == line)
        })
    };
    if !values.is_empty() && !chosen.iter().any(has) {
        return Err(Error::NoMatch(format!("{typed} {line}")));
    }
    for (scope, path) in chosen {
        if values.is_empty() {
            tree.remove(scope, &path);
        } else {
            let entry = tree.get(scope, &path);
            let kept = entry.map(|entry| {
                let settings = entry.settings.iter();
                settings
                    .filter(|setting| setting.content.line().trim() != line)
                    .cloned()
                    .collect()
            });
            tree.replace(scope, &path, kept.unwrap_or_default());
        }
    }
    Ok(())
}

fn allowed(typed: &str, found: &Found, restricted: bool) -> Result<(), Error> {
    match found.spec.access {
        Access::Vendor if !restricted => Err(Error::Vendor(typed.to_owned())),
        Access::Root => Err(Error::Root(typed.to_owned())),
        Access::Open | Access::Vendor => Ok(()),
    }
}

/// The value, checked.
fn content(typed: &str, found: &Found, values: &[String]) -> Result<Content, Error> {
    let invalid = |reason| Error::InvalidValue {
        name: typed.to_owned(),
        reason,
    };
    if found.spec.kind == Kind::Rule {
        return rule(found, values).map_err(invalid);
    }
    let text = values.join(" ");
    let may_be_bare = matches!(found.spec.kind, Kind::Flag | Kind::MaybeInteger(..));
    if values.is_empty() && !may_be_bare {
        return Err(invalid(ValueError::Missing));
    }
    found.spec.kind.read(&text).map_err(invalid)?;
    if may_be_bare && text.trim().is_empty() {
        Ok(Content::Novalue)
    } else {
        Ok(Content::Text(text))
    }
}

fn rule(found: &Found, values: &[String]) -> Result<Content, ValueError> {
    let (pattern, template) = match values {
        [both] => match split_rule(both) {
            Some(parts) => parts,
            // A mapping entry may do without a template, a rewrite rule may not.
            None if found.path.segments()[0].name == "mapping" => (both.as_str(), ""),
            None => return Err(ValueError::Rule),
        },
        [pattern, template] => (pattern.as_str(), template.as_str()),
        _ => return Err(ValueError::Rule),
    };
    // Blanks at the end would not show, and mean nothing.
    let template = template.trim_end();
    let odd = |text: &str| text.chars().any(char::is_control);
    if pattern.is_empty() {
        return Err(ValueError::Rule);
    }
    if odd(pattern) || odd(template) {
        return Err(ValueError::Control);
    }
    Ok(Content::Rule(pattern.to_owned(), template.to_owned()))
}

/// Where an option is set when no scope is named: where it is, else where it belongs.
fn scope_of(tree: &Tree, path: &Path) -> Scope {
    let scopes = [Scope::Instance, Scope::Role];
    let mut present = scopes
        .into_iter()
        .filter(|scope| tree.get(*scope, path).is_some());
    present.next().unwrap_or_else(|| default_scope(path))
}

/// Words of the same channel that contradict the new one go: of an exclusive group, and for a
/// short word of the groups of its members.
fn drop_contradictions(tree: &mut Tree, path: &Path) {
    let [channel, option] = path.segments() else {
        return;
    };
    let known = ChannelOption::by_name(&option.name).filter(|_| channel.name == "channel");
    let Some(option) = known else {
        return;
    };
    let members = option.row().short_for.iter().chain([&option]);
    let groups: Vec<&str> = members
        .map(|member| member.row().group)
        .filter(|group| !group.is_empty())
        .collect();
    let channel: Segment = channel.clone();
    tree.retain(|entry| match entry.path.segments() {
        [of, other] if *of == channel => {
            let other = ChannelOption::by_name(&other.name).filter(|other| *other != option);
            let group = other.map_or("", |other| other.row().group);
            // Another short word for the same members contradicts as well.
            let shared = other.is_some_and(|other| {
                let mut members = other.row().short_for.iter();
                members.any(|member| option.row().short_for.contains(member))
            });
            !groups.contains(&group) && !shared
        }
        _ => true,
    });
}

/// A group that gets an option is no longer one without any.
fn drop_bare_groups(tree: &mut Tree, path: &Path) {
    for length in 1..path.segments().len() {
        let group = Path(path.segments()[..length].to_vec());
        for scope in Scope::ALL {
            tree.remove(scope, &group);
        }
    }
}

#[cfg(test)]
mod tests;
