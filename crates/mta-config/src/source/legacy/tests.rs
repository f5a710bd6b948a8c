//! What each kind of mistake in a legacy file is told as, whole messages.

use super::*;
use crate::config::Config;

/// The least that is a configuration.
const CHANNELS: &str = "\nl\nmail.example.com\n\ntcp_local smtp pool SMTP_POOL\ntcp-daemon\n";

fn root(files: &[(&str, &str)]) -> (tempfile::TempDir, ServerRoot) {
    let directory = tempfile::tempdir().unwrap();
    let root = ServerRoot::new(directory.path().to_owned());
    std::fs::create_dir(root.config()).unwrap();
    for (name, text) in files {
        std::fs::write(root.config().join(name), text).unwrap();
    }
    (directory, root)
}

/// All that is said when the files are loaded: faults, else warnings. The root is left out.
fn told(files: &[(&str, &str)]) -> String {
    let (_directory, root) = root(files);
    let lines: Vec<String> = match Config::from_text(&root) {
        Ok((_, warnings)) => warnings.iter().map(ToString::to_string).collect(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    };
    let prefix = format!("{}/", root.root().display());
    lines.join("\n").replace(&prefix, "")
}

fn with_rules(rules: &str) -> String {
    format!("{rules}{CHANNELS}")
}

#[test]
fn a_small_configuration_loads_without_a_word() {
    let files = [("imta.cnf", with_rules(".  $U%$H@tcp-daemon\n"))];
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
    assert_eq!(told(&files), "");
}

#[test]
fn each_fault_is_told_whole() {
    let long_host = "h".repeat(129);
    let long_name = "N".repeat(33);
    let long_alias = "a".repeat(129);
    let long_line = "x".repeat(1025);
    let good = with_rules(".  $U%$H@tcp-daemon\n");
    type Case = (&'static str, Vec<(&'static str, String)>, String);
    let mut table: Vec<Case> = Vec::new();
    let mut case = |what: &'static str, files: &[(&'static str, &str)], message: &str| {
        let files = files.iter().map(|(n, t)| (*n, (*t).to_owned())).collect();
        table.push((what, files, message.to_owned()));
    };
    case(
        "alias, malformed",
        &[("imta.cnf", &good), ("aliases", "joe: \"joe@x\n")],
        "Error in mm_init: bad equivalence for alias: joe - config/aliases, error line #1\n  joe: \"joe@x",
    );
    case(
        "alias without colon",
        &[("imta.cnf", &good), ("aliases", "! one\njoe joe@x\n")],
        "Error in mm_init: bad equivalence for alias: joe - config/aliases, error line #2\n  joe joe@x",
    );
    case(
        "alias include",
        &[("imta.cnf", &good), ("aliases", "a: b@c\n<config/nosuch\n")],
        "Error in mm_init: cannot open alias include file: ROOT/config/nosuch (No such file or directory (os error 2)) - config/aliases, error line #2\n  <config/nosuch",
    );
    case(
        "alias twice",
        &[
            ("imta.cnf", &good),
            ("aliases", "Jane: a@b\n! x\njane: c@d\n"),
        ],
        "Error in mm_init: duplicate aliases found: jane - config/aliases, error line #3\n  jane: c@d",
    );
    case(
        "alias empty",
        &[("imta.cnf", &good), ("aliases", "jane:\n")],
        "Error in mm_init: no equivalence addresses for alias: jane - config/aliases, error line #1\n  jane:",
    );
    case(
        "alias too long",
        &[
            ("imta.cnf", &good),
            ("aliases", &format!("{long_alias}: a@b\n")),
        ],
        &format!(
            "Error in mm_init: alias name is too long: {long_alias} - config/aliases, error line #1\n  {long_alias}: a@b"
        ),
    );
    case(
        "host twice",
        &[(
            "imta.cnf",
            "\nl\nmail.example.com\n\ntcp_local\nTCP-daemon\n\ntcp_x\nx-daemon\ntcp-daemon\n",
        )],
        "Error in mm_init: duplicate host in channel table: tcp-daemon - config/imta.cnf, error line #10\n  tcp-daemon",
    );
    case(
        "blank line among the rules",
        &[(
            "imta.cnf",
            "a.example $U%$D@tcp-daemon\n\nb.example $U%$D@tcp-daemon\nc.example $U%$D@tcp-daemon\nc.example $U%$D@tcp-daemon\n\nl\nmail.example.com\n\ntcp_local\ntcp-daemon\n",
        )],
        "Error in mm_init: first channel is not the local channel: b.example - config/imta.cnf, error line #3\n  b.example $U%$D@tcp-daemon\n\
         Error in mm_init: invalid channel name: b.example - config/imta.cnf, error line #3\n  b.example $U%$D@tcp-daemon\n\
         Error in mm_init: duplicate host in channel table: c.example - config/imta.cnf, error line #5\n  c.example $U%$D@tcp-daemon",
    );
    case(
        "mapping twice",
        &[
            ("imta.cnf", &good),
            ("mappings", "T\n\n  a $Y\n\nt\n\n  b $Y\n"),
        ],
        "Error in mm_init: duplicate mapping name found: t - config/mappings, error line #5\n  t",
    );
    case(
        "mapping name too long",
        &[
            ("imta.cnf", &good),
            ("mappings", &format!("{long_name}\n\n  a $Y\n")),
        ],
        &format!(
            "Error in mm_init: mapping name is too long: {long_name} - config/mappings, error line #1\n  {long_name}"
        ),
    );
    case(
        "entry not indented",
        &[("imta.cnf", &good), ("mappings", "T\n\n  a $Y\nb $Y\n")],
        "Error in mm_init: invalid mapping name: b $Y - config/mappings, error line #4\n  b $Y",
    );
    case(
        "entry outside",
        &[("imta.cnf", &good), ("mappings", "T\n\n  a $Y\n\n  b $Y\n")],
        "Error in mm_init: mapping entry outside of a table: b $Y - config/mappings, error line #5\n    b $Y",
    );
    case(
        "mapping pattern",
        &[("imta.cnf", &good), ("mappings", "T\n\n  a$3*b $Y\n")],
        "Error in mm_init: invalid mapping pattern: T - config/mappings, error line #3\n    a$3*b $Y",
    );
    case(
        "space in a mapping template",
        &[("imta.cnf", &good), ("mappings", "T\n\n  a b c\n")],
        "Error in mm_init: unquoted white space in template: T - config/mappings, error line #3\n    a b c",
    );
    case(
        "extra host too long",
        &[("imta.cnf", &format!("\nl\nmail.example.com {long_host}\n"))],
        &format!(
            "Error in mm_init: local host alias or proper name too long for system: {long_host} - config/imta.cnf, error line #3\n  mail.example.com {long_host}"
        ),
    );
    case(
        "official host too long",
        &[(
            "imta.cnf",
            &format!("\nl\nmail.example.com\n\nx\n{long_host}\n"),
        )],
        &format!(
            "Error in mm_init: official host name is too long: {long_host} - config/imta.cnf, error line #6\n  {long_host}"
        ),
    );
    case(
        "no official host",
        &[(
            "imta.cnf",
            "\nl\nmail.example.com\n\ntcp_x smtp\n\nx-daemon\nyz-daemon\n",
        )],
        "Error in mm_init: no official host name for channel: tcp_x - config/imta.cnf, error line #5\n  tcp_x smtp",
    );
    case(
        "no imta.cnf",
        &[("imta_tailor", "IMTA_USER=mailsrv\n")],
        "Error in mm_init: cannot open configuration file: No such file or directory (os error 2) - config/imta.cnf",
    );
    case(
        "include",
        &[("imta.cnf", &with_rules("<config/nosuch\n"))],
        "Error in mm_init: cannot open configuration file: ROOT/config/nosuch (No such file or directory (os error 2)) - config/imta.cnf, error line #1\n  <config/nosuch",
    );
    case(
        "includes without end",
        &[
            ("imta.cnf", &with_rules("<config/a\n")),
            ("a", "<config/a\n"),
        ],
        "Error in mm_init: include nesting too deep: config/a - config/a, error line #1\n  <config/a",
    );
    case(
        "line too long",
        &[("imta.cnf", &with_rules(&format!("{long_line}\n")))],
        &format!("Error in mm_init: line too long - config/imta.cnf, error line #1\n  {long_line}"),
    );
    case(
        "rule without template",
        &[("imta.cnf", &with_rules("a.example\n"))],
        "Error in mm_init: rewrite rule without template: a.example - config/imta.cnf, error line #1\n  a.example",
    );
    case(
        "space in a rule",
        &[(
            "imta.cnf",
            &with_rules("a.example $U%$D@tcp-daemon and more\n"),
        )],
        "Error in mm_init: unquoted white space in template: a.example - config/imta.cnf, error line #1\n  a.example $U%$D@tcp-daemon and more",
    );
    case(
        "value",
        &[
            ("imta.cnf", &good),
            ("option.dat", "! x\nBLOCK_SIZE=large\n"),
        ],
        "Error in mm_init: invalid value for MTA option: block_size: expected integer - config/option.dat, error line #2\n  BLOCK_SIZE=large",
    );
    case(
        "channel value",
        &[("imta.cnf", "\nl maxjobs many\nmail.example.com\n")],
        "Error in mm_init: invalid value for option: maxjobs: expected integer - config/imta.cnf, error line #2\n  l maxjobs many",
    );
    case(
        "channel name too long",
        &[(
            "imta.cnf",
            &format!("\nl\nmail.example.com\n\n{}\nx\n", "c".repeat(33)),
        )],
        &format!(
            "Error in mm_init: channel name is too long: {0} - config/imta.cnf, error line #5\n  {0}",
            "c".repeat(33)
        ),
    );
    case(
        "channel twice",
        &[("imta.cnf", "\nl\nmail.example.com\n\nx\nx1\n\nX smtp\nx2\n")],
        "Error in mm_init: duplicate channel name: x - config/imta.cnf, error line #8\n  X smtp",
    );
    case(
        "no local channel",
        &[("imta.cnf", "\ntcp_local\ntcp-daemon\n")],
        "Error in mm_init: first channel is not the local channel: tcp_local - config/imta.cnf, error line #2\n  tcp_local",
    );
    case(
        "no option line",
        &[
            ("imta.cnf", &good),
            ("dispatcher.cnf", "[SERVICE=SMTP]\nPORT 25\n"),
        ],
        "Error in mm_init: malformed configuration file: PORT 25 - config/dispatcher.cnf, error line #2\n  PORT 25",
    );
    for (what, files, message) in table {
        let borrowed: Vec<(&str, &str)> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
        let (_directory, root) = root(&borrowed);
        let Err(faults) = Config::from_text(&root) else {
            panic!("{what}: no fault");
        };
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let prefix = format!("{}/", root.root().display());
        let said = lines.join("\n");
        // Names of files stand alone, or in a message, where they are whole.
        let said = said.replace(&format!(" - {prefix}"), " - ");
        let said = said.replace(&prefix, "ROOT/");
        assert_eq!(said, message, "{what}");
    }
}

#[test]
fn each_warning_is_told_whole() {
    let good = with_rules(".  $U%$H@tcp-daemon\n");
    let table = [
        (
            vec![("imta.cnf", with_rules("a.example $U%$D@nosuch\n"))],
            "Warning in mm_init: rewrite rule routes to unknown host: nosuch - config/imta.cnf, error line #1\n  a.example $U%$D@nosuch",
        ),
        (
            vec![
                ("imta.cnf", good.clone()),
                ("option.dat", "NO_SUCH=1\n".into()),
            ],
            "Warning in mm_init: unknown MTA option: no_such - config/option.dat, error line #1\n  NO_SUCH=1",
        ),
        (
            vec![("imta.cnf", "\nl loging\nmail.example.com\n".into())],
            "Warning in mm_init: unknown keyword on channel taken as group id: l loging - config/imta.cnf, error line #2\n  l loging",
        ),
        (
            vec![(
                "imta.cnf",
                "\ndefaults logging\nwhat.is.this\n\nl\nmail.example.com\n".into(),
            )],
            "Warning in mm_init: second line ignored after defaults - config/imta.cnf, error line #3\n  what.is.this",
        ),
        (
            vec![
                ("imta.cnf", good.clone()),
                ("mappings", "PORT_ACCESS\n  *  $Y\n".into()),
            ],
            "Warning in mm_init: no blank line after mapping name: PORT_ACCESS - config/mappings, error line #2\n    *  $Y",
        ),
        (
            vec![
                ("imta.cnf", good.clone()),
                ("mappings", "SITE\n\n  *  $Y\n".into()),
            ],
            "Warning in mm_init: mapping table not referenced: SITE - config/mappings, error line #3\n    *  $Y",
        ),
        (
            vec![
                ("imta.cnf", good.clone()),
                (
                    "job_controller.cnf",
                    "[CHANNEL=tcp_*]\nmaster_command=x\n".into(),
                ),
            ],
            "Warning in mm_init: pool not defined for channel: tcp_local SMTP_POOL - config/imta.cnf, error line #6\n  tcp_local smtp pool SMTP_POOL",
        ),
        (
            vec![
                ("imta.cnf", good.clone()),
                ("aliases", "a: [NOSUCH] x, b@c\n".into()),
            ],
            "Warning in mm_init: unknown alias option: a [NOSUCH] - config/aliases, error line #1\n  a: [NOSUCH] x, b@c",
        ),
        (
            vec![
                ("imta.cnf", good.clone()),
                ("dispatcher.cnf", "[SERVICE=SMTP]\nCOLOUR=blue\n".into()),
            ],
            "Warning in mm_init: unknown option ignored: dispatcher.service:SMTP.colour - config/dispatcher.cnf, error line #2\n  COLOUR=blue",
        ),
        (
            vec![
                ("imta.cnf", good),
                (
                    "job_controller.cnf",
                    "[PERIODIC_JOB=x]\ncommand=y\ntime=/00:07\n".into(),
                ),
            ],
            "Warning in mm_init: periodic job ignored, make it a task of the scheduler: x - config/job_controller.cnf, error line #1\n  [PERIODIC_JOB=x]",
        ),
    ];
    for (files, message) in table {
        let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
        assert_eq!(told(&files), message);
    }
}

#[test]
fn sides_of_an_entry_are_split_at_white_space_that_nothing_quotes() {
    let table = [
        ("  a b", ("a", "b")),
        ("a$ b\t c$ d", ("a$ b", "c$ d")),
        ("a$$ b", ("a$$", "b")),
        ("a b$ ", ("a", "b$ ")),
        ("a b$$ ", ("a", "b$$")),
        ("a b$   ", ("a", "b$ ")),
        ("alone", ("alone", "")),
        ("", ("", "")),
    ];
    for (line, sides) in table {
        assert_eq!(split_entry(line), sides, "{line:?}");
    }
}

fn lines_of(text: &str, dialect: Dialect) -> Vec<(String, usize)> {
    let root = ServerRoot::new("/nowhere".into());
    let mut files = Files {
        root: &root,
        texts: Vec::new(),
    };
    let text = Text {
        path: "x".into(),
        content: text.to_owned(),
    };
    let lines = lines::lines(text, dialect, &mut files, &mut Findings::default());
    let lines = lines.into_iter();
    lines.map(|line| (line.text, line.number)).collect()
}

#[test]
fn lines_go_on_behind_a_backslash() {
    type Case = (&'static str, Dialect, &'static [(&'static str, usize)]);
    let table: [Case; 6] = [
        ("a \\\nb\nc\n", CONFIGURATION, &[("a b", 1), ("c", 3)]),
        ("a\\\n   b\n", CONFIGURATION, &[("a b", 1)]),
        ("a\\\n! no\nb\n", CONFIGURATION, &[("ab", 1)]),
        ("a\\\n\nb\n", CONFIGURATION, &[("a", 1), ("", 2), ("b", 3)]),
        ("a\\", CONFIGURATION, &[("a", 1)]),
        ("A=1\\\n#x\n2\n", OPTIONS, &[("A=12", 1)]),
    ];
    for (text, dialect, expected) in table {
        let found = lines_of(text, dialect);
        let found: Vec<(&str, usize)> = found.iter().map(|(t, n)| (t.as_str(), *n)).collect();
        assert_eq!(found, expected, "{text:?}");
    }
}

/// The settings of a channel as `name=value`, in the order of the tree.
fn words(text: &str, channel: &str) -> Vec<String> {
    let root = ServerRoot::new("/nowhere".into());
    let parsed = Section::Channels
        .parse(text, FilePath::new("x"), &root)
        .unwrap();
    let group = Path(vec![Segment::of("channel", channel)]);
    let entries = parsed.tree.entries().iter();
    entries
        .filter(|entry| entry.path.starts_with(&group))
        .flat_map(|entry| {
            let name = entry.path.segments().last().unwrap().name.clone();
            entry
                .settings
                .iter()
                .map(move |setting| format!("{name}={}", setting.content.line()))
        })
        .collect()
}

#[test]
fn the_later_of_contradicting_words_stays() {
    let block = |words: &str| format!("l {words}\nmail.example.com\n");
    let table: [(&str, &[&str]); 8] = [
        ("single multiple", &["multiple="]),
        ("maxjobs 5 maxjobs 6", &["maxjobs=6"]),
        ("urgentnotices 1 notices 2 4", &["notices=2 4"]),
        (
            "notices 2 4 urgentnotices 1",
            &["notices=2 4", "urgentnotices=1"],
        ),
        ("musttlsserver maytls", &["maytls="]),
        ("maytls musttlsserver", &["maytls=", "musttlsserver="]),
        (
            "backoff \"pt5m\" \"pt1h\" subdirs 5",
            &["backoff=pt5m pt1h", "subdirs=5"],
        ),
        (
            "wheel MASTER_DEBUG staff",
            &["group_ids=wheel", "group_ids=staff", "master_debug="],
        ),
    ];
    for (typed, expected) in table {
        let mut expected: Vec<String> = expected.iter().map(|w| (*w).to_owned()).collect();
        expected.insert(0, "official_host_name=mail.example.com".into());
        let mut found = words(&block(typed), "l");
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{typed}");
    }
}

#[test]
fn defaults_hold_for_what_follows() {
    let text = "defaults maxjobs 3\n\nl\na\n\nnodefaults\n\ntcp_x maxjobs 4\nb\n\n\
                defaults logging\ndefaults single\n\ntcp_y\nc\n";
    assert_eq!(words(text, "l"), ["official_host_name=a", "maxjobs=3"]);
    assert_eq!(words(text, "tcp_x"), ["official_host_name=b", "maxjobs=4"]);
    assert_eq!(words(text, "tcp_y"), ["official_host_name=c", "logging="]);
    assert_eq!(words(text, "defaults"), [""; 0]);
    let text = "defaults maxjobs 3\n\nl\na\n\ntcp_x maxjobs 4\nb\n";
    assert_eq!(words(text, "defaults"), ["maxjobs=3"]);
    assert_eq!(words(text, "l"), ["official_host_name=a"]);
}

/// Found by feeding damaged text: each is printed so that it is read as the same again.
#[test]
fn odd_texts_of_sections_come_out_as_they_went_in() {
    use super::Section;
    let directory = tempfile::tempdir().unwrap();
    let root = ServerRoot::new(directory.path().to_owned());
    let name = std::path::Path::new("section");
    for (section, text) in [
        (Section::Rewrites, " <group  $U%$D@x\n"),
        (Section::Rewrites, " !bang  $U%$D@x\n"),
        (Section::Rewrites, "a  b$\\ \n"),
        (Section::Options, "  ; iM=1\nMM_DEBUG=5\n"),
        (Section::Options, "RETURN_PERSONAL=a \\ \nMM_DEBUG=5\n"),
        (
            Section::Aliases,
            "list: [COMMENTS] \"a (b, \\\"c\\\" [d\", ann@x\n",
        ),
        (Section::Conversions, "in-channel=x; \\ \nout-channel=y\n"),
    ] {
        let tree = |text: &str| {
            let parsed = section.parse(text, name, &root);
            parsed
                .unwrap_or_else(|faults| panic!("{text}: {}", faults[0]))
                .tree
        };
        let lines = |tree: &Tree| -> Vec<String> {
            let settings = tree.entries().iter().flat_map(|entry| {
                let path = entry.path.to_string();
                entry
                    .settings
                    .iter()
                    .map(move |setting| format!("{path} {}", setting.content.line()))
            });
            settings.collect()
        };
        let first = tree(text);
        assert!(!first.entries().is_empty(), "{text}");
        let printed = section.print(&first);
        assert_eq!(lines(&tree(&printed)), lines(&first), "{text} as {printed}");
    }
}
