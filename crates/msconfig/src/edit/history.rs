//! Earlier configurations: listed, compared, taken back.

use super::{Error, show};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mta_config::ServerRoot;
use mta_config::source::save::{self, Saved};
use mta_config::source::tree::Tree;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// One saved configuration, as it is listed.
#[derive(Debug, Serialize)]
struct Row {
    id: u64,
    date: String,
    user: String,
    remark: String,
}

/// What `history` prints.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct View {
    rows: Vec<Row>,
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.iter().try_for_each(|row| {
            let line = format!("{:>4}  {}  {}  {}", row.id, row.date, row.user, row.remark);
            writeln!(f, "{}", mta_command::output::visible(line.trim_end()))
        })
    }
}

/// The saved configurations, oldest first.
pub(super) fn saved(root: &ServerRoot) -> Result<View, Error> {
    let row = |saved: Saved| Row {
        id: saved.number,
        date: date(saved.time),
        user: saved.user,
        remark: saved.remark,
    };
    let rows = save::history(root)?.into_iter().map(row).collect();
    Ok(View { rows })
}

/// `dd-Mon-yyyy hh:mm:ss`, local time.
fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds)
        .ok()
        .and_then(|at| Timestamp::from_second(at).ok());
    let time = time
        .unwrap_or_default()
        .to_zoned_datetime(TimeZone::system());
    time.strftime("%d-%b-%Y %H:%M:%S").to_string()
}

/// The tree of a saved configuration.
pub(super) fn tree(root: &ServerRoot, id: &str) -> Result<Tree, Error> {
    let none = || Error::NoSaved(id.to_owned());
    let number = id.parse().map_err(|_| none())?;
    save::old_tree(root, number)?.ok_or_else(none)
}

/// Compares: two saved configurations, one with what is current, or what is current with what
/// was written last; without changes, the last two that were written.
pub(super) fn differences(
    root: &ServerRoot,
    current: &Tree,
    changed: bool,
    ids: &[String],
) -> Result<String, Error> {
    let (old, new) = match ids {
        [old, new, ..] => (tree(root, old)?, tree(root, new)?),
        [old] => (tree(root, old)?, current.clone()),
        [] => {
            let history = save::history(root)?;
            let nth = |from_end: usize| {
                let saved = history.iter().rev().nth(from_end);
                saved.map_or_else(
                    || Ok(Tree::default()),
                    |s| tree(root, &s.number.to_string()),
                )
            };
            (nth(usize::from(!changed))?, current.clone())
        }
    };
    Ok(lines(&show::rows(&old), &show::rows(&new)))
}

/// `-` for what is gone, `+` for what is new; by name, so that a change is a pair.
fn lines(old: &[String], new: &[String]) -> String {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for row in new {
        *counts.entry(row).or_default() += 1;
    }
    for row in old {
        *counts.entry(row).or_default() -= 1;
    }
    let name = |row: &&str| row.split(" = ").next().unwrap_or_default().to_owned();
    let mut changed: Vec<(&str, i64)> = counts
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .collect();
    changed.sort_by_key(|(row, count)| (name(row), *count));
    let mut text = String::new();
    for (row, count) in changed {
        let sign = if count > 0 { '+' } else { '-' };
        for _ in 0..count.abs() {
            text.push_str(&format!("{sign} {row}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_a_pair() {
        let old = ["a = 1", "b = 1", "c (novalue)", "r = x", "r = x"].map(str::to_owned);
        let new = ["a = 1", "b = 2", "d = 1", "r = x"].map(str::to_owned);
        assert_eq!(
            lines(&old, &new),
            "- b = 1\n+ b = 2\n- c (novalue)\n+ d = 1\n- r = x\n"
        );
    }

    #[test]
    fn dates_have_the_form_of_listings() {
        assert_eq!(date(0).len(), "06-Oct-2025 10:01:44".len());
    }
}
