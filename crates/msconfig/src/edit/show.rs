//! Showing options: one view, printed as lines or as JSON.

use super::Error;
use super::resolve;
use mta_config::Restricted;
use mta_config::source::name::{Path, Scope};
use mta_config::source::schema::{self, Access};
use mta_config::source::tree::{Content, Tree};
use serde::Serialize;
use std::fmt;

/// One value of one option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    /// The full name.
    name: String,
    /// The value; nothing for an option or group without one.
    value: Option<String>,
    /// Whether it is meant for the vendor.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restricted: bool,
}

/// What `show` prints.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct View {
    rows: Vec<Row>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.value {
            Some(value) => write!(f, " = {}", mta_command::output::visible(value))?,
            None => f.write_str(" (novalue)")?,
        }
        if self.restricted {
            f.write_str(" (restricted)")?;
        }
        Ok(())
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

/// The settings that the patterns mean, all when there is none; sorted by name, several values
/// of one option in their own order.
pub(super) fn view(
    tree: &Tree,
    accounts: Option<&Restricted>,
    patterns: &[String],
) -> Result<View, Error> {
    let wanted = |scope, path: &Path| {
        patterns.is_empty()
            || patterns
                .iter()
                .any(|pattern| resolve::means(pattern, scope, path))
    };
    let mut rows = Vec::new();
    for entry in tree
        .entries()
        .iter()
        .filter(|entry| wanted(entry.scope, &entry.path))
    {
        let contents = entry.settings.iter().map(|setting| &setting.content);
        rows.extend(contents.map(|content| row(entry.scope, &entry.path, content)));
    }
    for (path, value) in accounts.into_iter().flat_map(account_options) {
        if wanted(Scope::Instance, &path) {
            rows.push(row(Scope::Instance, &path, &Content::Text(value)));
        }
    }
    if rows.is_empty() && !patterns.is_empty() {
        return Err(Error::NoMatch(patterns.join(" ")));
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(View { rows })
}

/// All rows of a tree, for comparing two.
pub(super) fn rows(tree: &Tree) -> Vec<String> {
    let mut rows = view(tree, None, &[])
        .map(|view| view.rows)
        .unwrap_or_default();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows.iter().map(ToString::to_string).collect()
}

fn account_options(accounts: &Restricted) -> Vec<(Path, String)> {
    let options = [
        ("user", Some(&accounts.user)),
        ("group", accounts.group.as_ref()),
        ("noprivuser", accounts.noprivuser.as_ref()),
    ];
    let set = options
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?.clone())));
    let path = |name| Path::parse(&format!("base.{name}"));
    set.filter_map(|(name, value)| Some((path(name)?, value)))
        .collect()
}

fn row(scope: Scope, path: &Path, content: &Content) -> Row {
    let value = match content {
        Content::Novalue => None,
        Content::Text(_) if schema::is_secret(path) => Some("(suppressed)".to_owned()),
        Content::Text(_) | Content::Rule(..) => Some(content.line().trim_end().to_owned()),
    };
    let access = schema::spec(path).map(|spec| spec.access);
    Row {
        name: format!("{}.{path}", scope.word()),
        value,
        restricted: access == Ok(Access::Vendor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        let commands = [
            ("job_pool:SMTP_example.job_limit", vec!["10"], false),
            ("job_pool:SMTP_POOL.job_limit", vec!["10"], false),
            ("job_pool:DEFAULT.job_limit", vec!["10"], false),
            ("channel_class:filter_discard", vec![], false),
            ("channel:l.slave_debug", vec![], false),
            ("mapping:T.rule", vec!["z", "$Y"], false),
            ("mapping:T.rule", vec!["a", "$N"], false),
            ("ldap_password", vec!["hidden"], false),
            ("alias_magic", vec!["4"], true),
        ];
        for (name, values, restricted) in commands {
            let values: Vec<String> = values.into_iter().map(str::to_owned).collect();
            super::super::change::set(&mut tree, name, &values, restricted).unwrap();
        }
        tree
    }

    fn shown(pattern: &str) -> String {
        let accounts = Restricted {
            user: "mailsrv".into(),
            ..Restricted::default()
        };
        match view(&tree(), Some(&accounts), &[pattern.to_owned()]) {
            Ok(view) => view.to_string().trim_end().to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn options_are_shown_sorted_by_name() {
        assert_eq!(
            shown("job_controller.job_pool"),
            "role.job_controller.job_pool:DEFAULT.job_limit = 10\n\
             role.job_controller.job_pool:SMTP_POOL.job_limit = 10\n\
             role.job_controller.job_pool:SMTP_example.job_limit = 10"
        );
    }

    #[test]
    fn each_kind_of_value_has_its_form() {
        let table = [
            (
                "channel_class:*",
                "role.job_controller.channel_class:filter_discard (novalue)",
            ),
            ("*slave_debug*", "role.channel:l.slave_debug (novalue)"),
            (
                "mapping",
                "role.mapping:T.rule = z $Y\nrole.mapping:T.rule = a $N",
            ),
            ("ldap_password", "role.mta.ldap_password = (suppressed)"),
            ("alias_magic", "role.mta.alias_magic = 4 (restricted)"),
            ("base.*", "instance.base.user = mailsrv"),
            ("nosuch", "No options match \"nosuch\""),
        ];
        for (pattern, text) in table {
            assert_eq!(shown(pattern), text, "{pattern}");
        }
    }

    #[test]
    fn json_has_the_same_rows() {
        let view = view(&tree(), None, &["job_pool:DEFAULT".to_owned()]).unwrap();
        assert_eq!(
            serde_json::to_string(&view).unwrap(),
            r#"[{"name":"role.job_controller.job_pool:DEFAULT.job_limit","value":"10"}]"#
        );
    }
}
