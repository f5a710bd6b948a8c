//! What a configuration says and no code hears: `cnbuild -unused`.

use super::name::Path;
use super::schema;
use super::tree::Tree;
use crate::channel::FILE_OPTIONS;
use std::collections::BTreeSet;

/// Full names of the options that are set and that no code uses, sorted. Options of a channel's
/// option file that nobody knows are among them.
#[must_use]
pub fn unused(tree: &Tree) -> Vec<String> {
    let entries = tree.entries().iter().filter(|entry| !is_used(&entry.path));
    let names: BTreeSet<String> = entries
        .map(|entry| format!("{}.{}", entry.scope.word(), entry.path))
        .collect();
    names.into_iter().collect()
}

fn is_used(path: &Path) -> bool {
    match path.segments() {
        [_, options, option] if options.name == "options" => FILE_OPTIONS
            .iter()
            .any(|known| known.in_use && known.name.eq_ignore_ascii_case(&option.name)),
        _ => schema::spec(path).is_ok_and(|spec| spec.in_use),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::name::Scope;
    use crate::source::tree::Content;

    #[test]
    fn what_nobody_uses_is_listed_by_name() {
        let mut tree = Tree::default();
        for name in [
            "mta.block_size",
            "mta.dequeue_map",
            "mta.nosuch",
            "channel:x.options.BANNER_HOST",
            "channel:x.options.NOSUCH",
            "channel:x.immnonurgent",
            "job_controller.secret",
        ] {
            tree.push(
                Scope::Role,
                Path::parse(name).unwrap(),
                Content::Novalue.into(),
            );
        }
        assert_eq!(
            unused(&tree),
            [
                "role.channel:x.immnonurgent",
                "role.channel:x.options.NOSUCH",
                "role.job_controller.secret",
                "role.mta.dequeue_map",
                "role.mta.nosuch",
            ]
        );
    }

    /// Every option of the reference, set: what is listed is what the tables mark, no more, no less.
    #[test]
    fn of_all_options_those_are_listed_that_no_code_uses() {
        let mut tree = Tree::default();
        let mut marked = BTreeSet::new();
        let channel = crate::channel::ROWS.iter();
        let file = FILE_OPTIONS.iter();
        let mta = crate::option::ROWS.iter();
        let all = mta
            .map(|row| (format!("mta.{}", row.name), row.in_use))
            .chain(channel.map(|row| (format!("channel:x.{}", row.name), row.in_use)))
            .chain(file.map(|row| (format!("channel:x.options.{}", row.name), row.in_use)));
        for (name, in_use) in all {
            let path = Path::parse(&name).unwrap();
            if !in_use {
                marked.insert(format!("role.{path}"));
            }
            tree.push(Scope::Role, path, Content::Novalue.into());
        }
        let listed = unused(&tree);
        assert_eq!(listed, marked.into_iter().collect::<Vec<_>>());
    }
}
