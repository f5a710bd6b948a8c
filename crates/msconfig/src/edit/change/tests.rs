use super::*;

fn lines(tree: &Tree) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in tree.entries() {
        for setting in &entry.settings {
            let text = setting.content.line();
            lines.push(format!("{}.{} {text}", entry.scope.word(), entry.path));
        }
    }
    lines
}

fn run(tree: &mut Tree, line: &str) -> Result<(), String> {
    let words = mta_command::prompt::split(line).unwrap();
    let (verb, words) = words.split_first().unwrap();
    let restricted = words.first().is_some_and(|word| word == "-restricted");
    let words = &words[usize::from(restricted)..];
    let change = if verb == "set" { set } else { unset };
    change(tree, &words[0], &words[1..], restricted).map_err(|error| error.to_string())
}

fn done(commands: &[&str]) -> Vec<String> {
    let mut tree = Tree::default();
    for line in commands {
        run(&mut tree, line).unwrap();
    }
    lines(&tree)
}

#[test]
fn set_replaces_or_appends() {
    assert_eq!(
        done(&[
            "set mm_debug 5",
            "set mm_debug 6",
            "set alias:x.alias_entry a@b",
            "set alias:x.alias_entry c@d",
            "set mapping:T.rule \"a b\" ",
            "set mapping:T.rule c $Y",
            "set mapping:T.rule d",
        ]),
        [
            "role.mta.mm_debug 6",
            "role.alias:x.alias_entry a@b",
            "role.alias:x.alias_entry c@d",
            "role.mapping:T.rule a b",
            "role.mapping:T.rule c $Y",
            "role.mapping:T.rule d ",
        ]
    );
}

#[test]
fn an_option_is_set_where_it_is() {
    assert_eq!(
        done(&[
            "set instance.mm_debug 5",
            "set mm_debug 6",
            "set hostname a.example"
        ]),
        [
            "instance.mta.mm_debug 6",
            "instance.base.hostname a.example"
        ]
    );
}

#[test]
fn contradicting_words_of_a_channel_go() {
    assert_eq!(
        done(&[
            "set channel:x.noswitchchannel",
            "set channel:y.noswitchchannel",
            "set channel:x.switchchannel",
            "set channel:x.maytlsserver",
            "set channel:x.notls",
        ]),
        [
            "role.channel:y.noswitchchannel ",
            "role.channel:x.switchchannel ",
            "role.channel:x.notls ",
        ]
    );
}

#[test]
fn a_group_without_options_can_be_set() {
    assert_eq!(
        done(&["set channel_class:filter_discard"]),
        ["role.job_controller.channel_class:filter_discard "]
    );
    assert_eq!(
        done(&[
            "set channel_class:x",
            "set channel_class:x.max_life_time 5",
            "set channel_class:x"
        ]),
        ["role.job_controller.channel_class:x.max_life_time 5"]
    );
}

#[test]
fn unset_takes_names_groups_patterns_and_values() {
    let all = [
        "set mm_debug 5",
        "set alias:x.alias_entry a@b",
        "set alias:x.alias_entry c@d",
        "set channel:x.maxjobs 5",
        "set channel:x.subdirs 5",
    ];
    let after = |line: &str| {
        let mut commands = all.to_vec();
        commands.push(line);
        done(&commands).len()
    };
    for (line, left) in [
        ("unset mm_debug", 4),
        ("unset mta.log_message_id", 5),
        ("unset channel:x", 3),
        ("unset *debug*", 4),
        ("unset alias:x.alias_entry", 3),
        ("unset alias:x.alias_entry c@d", 4),
        ("unset instance.mm_debug", 5),
    ] {
        assert_eq!(after(line), left, "{line}");
    }
}

#[test]
fn what_is_not_there_and_what_is_everything_is_not_unset() {
    let mut tree = Tree::default();
    run(&mut tree, "set rewrite.rule \"a.example $U@a  \"").unwrap();
    run(&mut tree, "set mm_debug 5").unwrap();
    let before = lines(&tree);
    for (line, text) in [
        (
            "unset rewrite.rule nosuch",
            "No options match \"rewrite.rule nosuch\"",
        ),
        (
            "unset *",
            "\"*\" means the whole configuration; name what is to be unset",
        ),
        (
            "unset role",
            "\"role\" means the whole configuration; name what is to be unset",
        ),
    ] {
        assert_eq!(run(&mut tree, line), Err(text.to_owned()), "{line}");
        assert_eq!(lines(&tree), before, "{line}");
    }
    // What is shown can be unset as it is shown.
    let shown = tree.get(Scope::Role, &Path::parse("rewrite.rule").unwrap());
    let shown = shown.unwrap().settings[0].content.line();
    assert_eq!(shown, "a.example $U@a");
    run(&mut tree, &format!("unset rewrite.rule \"{shown}\"")).unwrap();
}

#[test]
fn refusals_have_their_texts() {
    let mut tree = Tree::default();
    run(&mut tree, "set -restricted alias_magic 8764").unwrap();
    let table = [
        ("set nosuch 1", "Unknown option: nosuch"),
        ("set debug 1", "Ambiguous option: debug"),
        (
            "set mm_debug five",
            "Invalid value for mm_debug: expected integer",
        ),
        (
            "set mm_debug",
            "Invalid value for mm_debug: expected a value",
        ),
        (
            "set mta.log_format 7",
            "Invalid value for mta.log_format: expected integer from 1 to 6",
        ),
        (
            "set channel:x.slave_debug 1",
            "Invalid value for channel:x.slave_debug: takes no value",
        ),
        (
            "set job_pool:P.urgent_delivery help",
            "Invalid value for job_pool:P.urgent_delivery: expected hh:mm-hh:mm or a comma list of such spans",
        ),
        (
            "set rewrite.rule a",
            "Invalid value for rewrite.rule: expected pattern and template",
        ),
        (
            "set alias_magic 1",
            "Option alias_magic is restricted; use set -restricted",
        ),
        (
            "unset alias_magic",
            "Option mta.alias_magic is restricted; use set -restricted",
        ),
        (
            "set base.user x",
            "Option base.user is restricted; must be root",
        ),
        ("unset *nosuch*", "No options match \"*nosuch*\""),
        ("unset nosuch", "Unknown option: nosuch"),
    ];
    let before = lines(&tree);
    for (line, text) in table {
        assert_eq!(run(&mut tree, line), Err(text.to_owned()), "{line}");
        assert_eq!(lines(&tree), before, "{line}");
    }
}
