//! The marks of the option tables tell the truth: an option marked as used is named somewhere in
//! the sources, and one that is named is marked. `cnbuild -unused` depends on them.

use mta_config::channel::{self, ChannelOption};
use mta_config::option;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Words that are accepted and have no effect of their own, although code names them; the
/// address forms are shown by `imsimta test -rewrite` and change nothing yet.
const WITHOUT_EFFECT: [ChannelOption; 9] = [
    ChannelOption::SmtpCr,
    ChannelOption::SmtpLf,
    ChannelOption::SmtpCrorlf,
    ChannelOption::Sourceroute,
    ChannelOption::Percents,
    ChannelOption::Bangstyle,
    ChannelOption::Header822,
    ChannelOption::Header733,
    ChannelOption::HeaderUucp,
];

/// Names of the options in the sources, without tests and without the tables themselves.
#[derive(Default)]
struct Named {
    mta: BTreeSet<String>,
    channel: BTreeSet<String>,
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the sources lie there") {
        let path = entry.expect("a directory can be read").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if name != "tests" && name != "target" {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "table.rs" {
            found.push(path);
        }
    }
}

/// The identifiers behind `TYPE::` or inside `TYPE::{…}`, also under a name given with `as`.
fn identifiers(text: &str, of: &str) -> BTreeSet<String> {
    let mut names = vec![of.to_owned()];
    for renamed in text.split(&format!("{of} as ")).skip(1) {
        names.push(word(renamed).to_owned());
    }
    let mut found = BTreeSet::new();
    for name in names {
        for behind in text.split(&format!("{name}::")).skip(1) {
            let list = match behind.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap_or_default(),
                None => word(behind),
            };
            let words = list.split(|c: char| !c.is_alphanumeric());
            found.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        }
    }
    found
}

fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
        .unwrap_or_default()
}

fn named() -> Named {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    sources(&crates, &mut files);
    let mut named = Named::default();
    for file in files {
        let text = fs::read_to_string(&file).expect("sources are text");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        // The list of options with a dependent default is no use of them.
        if !file.ends_with("mta-config/src/option/mod.rs") {
            named.mta.extend(identifiers(text, "MtaOption"));
        }
        named.channel.extend(identifiers(text, "ChannelOption"));
    }
    named
}

#[test]
fn marks_of_mta_options_are_true() {
    let named = named().mta;
    let wrong: Vec<String> = option::ROWS
        .iter()
        .filter(|row| named.contains(&format!("{:?}", row.option)) != row.in_use)
        .map(|row| format!("{}: in_use is {}", row.name, row.in_use))
        .collect();
    assert_eq!(
        wrong,
        Vec::<String>::new(),
        "set the marks in option/table.rs right"
    );
}

#[test]
fn marks_of_channel_options_are_true() {
    let named = named().channel;
    let is_named = |option: ChannelOption| {
        named.contains(&format!("{option:?}")) && !WITHOUT_EFFECT.contains(&option)
    };
    let mut wrong = Vec::new();
    for row in channel::ROWS {
        let group = channel::ROWS
            .iter()
            .filter(|other| other.group == row.group);
        let group: Vec<ChannelOption> = group.map(|other| other.option).collect();
        // Whoever asks for one of two words, or for others than the default, has asked for it.
        let by_group = !row.group.is_empty()
            && (row.group_default || group.len() == 2)
            && group.iter().any(|member| is_named(*member));
        let by_members = row.short_for.iter().any(|member| is_named(*member));
        let expected = is_named(row.option) || by_group || by_members;
        if expected != row.in_use {
            wrong.push(format!("{}: in_use is {}", row.name, row.in_use));
        }
    }
    assert_eq!(
        wrong,
        Vec::<String>::new(),
        "set the marks in channel/table.rs right"
    );
}
