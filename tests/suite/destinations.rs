//! Where mail would go: `test -rewrite -compare`, and the lists of the alias file.

use crate::configurations::{edit, told};
use crate::support::root::Root;
use crate::support::wait_for;
use crate::support::wire::Wire;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Channel and address of each destination, or the refusal, as `test -rewrite -json` has it.
fn outcome(view: &Value) -> String {
    match view["refused"].as_str() {
        None => {
            let list = view["submitted"].as_array().unwrap();
            let mut places: Vec<String> = list
                .iter()
                .map(|to| {
                    format!(
                        "{} {}",
                        to["channel"].as_str().unwrap(),
                        to["address"].as_str().unwrap()
                    )
                })
                .collect();
            places.sort();
            places.join(", ")
        }
        Some(refused) => refused.to_owned(),
    }
}

/// Who goes where, under the image or the text.
fn routes(root: &Root, addresses: &Path, text: bool) -> BTreeMap<String, String> {
    let input = format!("-input={}", addresses.display());
    let mut words = vec![
        "test",
        "-rewrite",
        "-json",
        "-from=eve@example.com",
        &input,
        "-source_channel=tcp_intranet",
    ];
    if text {
        words.push("-noimage");
    }
    let output = root.try_run("imsimta", &words);
    let views: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let pair = |view: &Value| (view["address"].as_str().unwrap().to_owned(), outcome(view));
    views.iter().map(pair).collect()
}

fn compared(root: &Root, from: &str) -> BTreeMap<String, (String, String)> {
    let output = root.try_run(
        "imsimta",
        &[
            "test",
            "-rewrite",
            "-compare",
            "-json",
            "-from=eve@example.com",
            "-source_channel=tcp_intranet",
            from,
        ],
    );
    assert!(output.status.success(), "{}", told(&output));
    let view: Value = serde_json::from_slice(&output.stdout).unwrap();
    let side = |answer: &Value| {
        let refused = answer["refused"].as_str();
        if let Some(refused) = refused {
            // `test -rewrite` tells the enhanced code and the text without the reply code.
            return refused
                .split_once(' ')
                .map_or(refused, |(_, text)| text)
                .to_owned();
        }
        let places = answer["destinations"].as_array().unwrap().iter().map(|to| {
            format!(
                "{} {}",
                to["channel"].as_str().unwrap(),
                to["address"].as_str().unwrap()
            )
        });
        places.collect::<Vec<_>>().join(", ")
    };
    let changes = view["changes"].as_array().unwrap().iter();
    changes
        .map(|change| {
            let recipient = change["recipient"].as_str().unwrap().to_owned();
            (recipient, (side(&change["now"]), side(&change["then"])))
        })
        .collect()
}

/// A root with something that each kind of edit can change.
fn comparable() -> Root {
    let root = Root::staging().build();
    root.run(
        "msconfig",
        &["set", "alias:sales0.alias_entry", "bob@example.com"],
    );
    root.run(
        "msconfig",
        &["set", "channel:tcp_away.official_host_name", "away-daemon"],
    );
    root.run("msconfig", &["set", "channel:tcp_away.smtp"]);
    let rules = root.run("msconfig", &["export", "rewrites"]);
    let rules = format!("h1.example.net $U%$D@away-daemon\n{rules}");
    assert!(edit(&root, "rewrites", &rules).status.success());
    root.imsimta(&["cnbuild"]);
    root
}

/// One edit of each kind.
type Edits<'r> = [(&'static str, Box<dyn Fn() + 'r>); 5];

fn edits(root: &Root) -> Edits<'_> {
    let set = |words: &[&str]| {
        root.run("msconfig", &[&["set"], words].concat());
    };
    [
        (
            "a new rule",
            Box::new(move || {
                let rules = root.run("msconfig", &["export", "rewrites"]);
                let rules = format!(".example.org $U%$H$D@away-daemon\n{rules}");
                assert!(edit(root, "rewrites", &rules).status.success());
            }),
        ),
        (
            "a changed alias",
            Box::new(move || {
                root.run("msconfig", &["unset", "alias:sales0"]);
                set(&["alias:sales0.alias_entry", "eve@example.com"]);
                set(&["alias:sales1.alias_entry", "far@elsewhere.example"]);
            }),
        ),
        (
            "a mapping entry",
            Box::new(move || {
                let pattern = "*|*|*|*@elsewhere1.example";
                set(&["mapping:SEND_ACCESS.rule", pattern, "$NNot$ there"]);
            }),
        ),
        (
            "an option",
            Box::new(move || {
                set(&["error_text_unknown_alias", "who is that"]);
                // The directory alone: no alias of the file is known.
                set(&["-restricted", "alias_magic", "8"]);
            }),
        ),
        (
            "a removed channel",
            Box::new(move || {
                root.run("msconfig", &["unset", "channel:tcp_away"]);
            }),
        ),
    ]
}

/// What rewriting each of the addresses under both configurations gives, where it differs.
fn expected(root: &Root, file: &Path) -> BTreeMap<String, (String, String)> {
    let (now, then) = (routes(root, file, false), routes(root, file, true));
    let changed = now.into_iter();
    changed
        .filter(|(address, place)| then[address] != *place)
        .map(|(address, place)| {
            let after = then[&address].clone();
            (address, (place, after))
        })
        .collect()
}

/// The addresses as a file that the server user can read.
fn listed(root: &Root, addresses: &[String]) -> PathBuf {
    let file = root.path().join("addresses");
    fs::write(&file, addresses.join("\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    file
}

#[test]
fn compare_shows_what_rewriting_under_both_gives() {
    let root = comparable();
    let addresses: Vec<String> = (0..10_000)
        .map(|number| match number % 5 {
            0 => format!("user{number}@d{}.example.org", number % 50),
            1 => "bob@example.com".replace(
                "bob",
                ["bob", "eve", "nobody", "postmaster"][number / 5 % 4],
            ),
            2 => format!("sales{}@example.com", number % 3),
            3 => format!("u@h{}.example.net", number % 7),
            _ => format!("user{number}@elsewhere{}.example", number % 11),
        })
        .collect();
    let file = listed(&root, &addresses);
    let from = format!("-input={}", file.display());
    assert!(compared(&root, &from).is_empty());
    for (what, edit) in edits(&root) {
        edit();
        let expected = expected(&root, &file);
        assert!(!expected.is_empty(), "{what}");
        assert_eq!(compared(&root, &from), expected, "{what}");
        root.imsimta(&["cnbuild"]);
    }
}

#[test]
fn compare_agrees_for_a_queue_and_a_log_of_ten_thousand() {
    let root = comparable();
    root.start();
    for channel in ["tcp_local", "tcp_away", "ims-ms"] {
        root.imsimta(&["qm", "stop", channel]);
    }
    // Whom the server accepts mail for.
    let addresses: Vec<String> = (0..10_000)
        .map(|number| match number % 4 {
            0 => format!("user{number}@d{}.example.org", number % 50),
            1 => format!("u{number}@h{}.example.net", number % 7),
            2 if number % 50 == 2 => "sales0@example.com".to_owned(),
            _ => format!("user{number}@elsewhere{}.example", number % 11),
        })
        .collect();
    let mut wire = Wire::hello(root.smtp);
    for recipients in addresses.chunks(100) {
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        let reply = wire.message("eve@example.com", &recipients, b"Subject: x\n\nbody\n");
        assert!(reply.starts_with("250"), "{reply}");
    }
    wire.quit();
    let file = listed(&root, &addresses);
    assert!(compared(&root, "-queue").is_empty());
    let mut met = BTreeMap::new();
    for (what, edit) in edits(&root) {
        edit();
        let expected = expected(&root, &file);
        assert_eq!(compared(&root, "-queue"), expected, "{what}, queue");
        assert_eq!(compared(&root, "-log"), expected, "{what}, log");
        met.insert(what, expected.len());
        root.imsimta(&["cnbuild"]);
    }
    assert!(met.values().all(|count| *count > 0), "{met:?}");
    root.stop();
}

#[test]
fn compare_takes_recipients_from_the_queue_and_the_log() {
    let root = Root::staging().start();
    root.imsimta(&["qm", "stop", "tcp_local"]);
    let mut wire = Wire::hello(root.smtp);
    for recipient in ["a@one.example", "b@two.example", "bob@example.com"] {
        let reply = wire.message("eve@example.com", &[recipient], b"Subject: x\n\nbody\n");
        assert!(reply.starts_with("250"), "{reply}");
    }
    wire.quit();
    root.wait_for_delivered("bob@example.com", 1);
    wait_for("the queue", || {
        (root.queued("tcp_local").len() == 2).then_some(())
    });
    root.run(
        "msconfig",
        &["set", "channel:tcp_one.official_host_name", "one-daemon"],
    );
    let rules = root.run("msconfig", &["export", "rewrites"]);
    assert!(
        edit(
            &root,
            "rewrites",
            &format!("one.example $U%$D@one-daemon\n{rules}")
        )
        .status
        .success()
    );
    let text = root.imsimta(&["test", "-rewrite", "-compare", "-queue"]);
    assert_eq!(
        text.replace(|c: char| c.is_ascii_digit(), "#"),
        "a@one.example (from channel tcp_intranet)\n\
         \x20   now   tcp_local    a@one.example\n\
         \x20         by rule ##, line ###: . $U%$H@tcp-daemon\n\
         \x20   then  tcp_one      a@one.example\n\
         \x20         by rule #, line ###: one.example $U%$D@one-daemon\n\
         \n\
         \x20      #  tcp_local -> tcp_one\n\
         # of # recipients would go elsewhere.\n"
    );
    let text = root.imsimta(&["test", "-rewrite", "-compare", "-log"]);
    assert!(
        text.ends_with("1 of 3 recipients would go elsewhere.\n"),
        "{text}"
    );
    let output = root.try_run("imsimta", &["test", "-rewrite", "-compare"]);
    assert!(
        told(&output).contains("%IMTA-E-INSFPRM, "),
        "{}",
        told(&output)
    );
}

/// Mailing lists of the alias file, asked as a posting would be.
#[test]
fn lists_read_their_members_and_check_who_posts() {
    let root = Root::bare();
    let config = root.path().join("config");
    fs::write(
        config.join("imta.cnf"),
        "mail.example.com   $U%$D@mail.example.com\n\
         .   $U%$H@tcp-daemon\n\n\
         l \nmail.example.com\n\n\
         tcp_local smtp\ntcp-daemon\n\n\
         reprocess \nreprocess-daemon\n",
    )
    .unwrap();
    fs::write(
        config.join("aliases"),
        "plain: <IMTA_TABLE:members.txt\n\
         mixed: x@far.example, <IMTA_TABLE:members.txt\n\
         gone: x@far.example, <IMTA_TABLE:nosuch.txt\n\
         round: <IMTA_TABLE:round.txt\n\
         closed: [AUTH_LIST] IMTA_TABLE:posters.txt, [ERROR_TEXT] members only, x@far.example\n\
         open: [CANT_LIST] IMTA_TABLE:posters.txt, x@far.example\n\
         mapped: [AUTH_MAPPING] POSTERS, x@far.example\n\
         chosen: [AUTH_CHANNEL] tcp_*, x@far.example\n\
         named: [AUTH_USERNAME] ada*, x@far.example\n\
         secure: [SASL_AUTH_LIST] IMTA_TABLE:posters.txt, x@far.example\n\
         both: [AUTH_LIST] IMTA_TABLE:posters.txt, [AUTH_USERNAME] ada*, x@far.example\n\
         either: [OR], [AUTH_LIST] IMTA_TABLE:posters.txt, [AUTH_USERNAME] ada*, x@far.example\n\
         moderated: [MODERATOR_ADDRESS] chair@far.example, [MODERATOR_LIST] IMTA_TABLE:posters.txt, x@far.example\n\
         nochair: [MODERATOR_LIST] IMTA_TABLE:posters.txt, x@far.example\n\
         notmapped: [CANT_MAPPING] POSTERS, x@far.example\n\
         held: [HOLD_LIST] IMTA_TABLE:posters.txt, x@far.example\n\
         nolist: [AUTH_LIST] IMTA_TABLE:nosuch.txt, x@far.example\n",
    )
    .unwrap();
    fs::write(
        config.join("mappings"),
        "POSTERS\n\n  *@good.example|mapped@*  $Y\n  *  $N\n",
    )
    .unwrap();
    fs::write(config.join("option.dat"), "").unwrap();
    fs::write(config.join("restricted.cnf"), "user=mailsrv\n").unwrap();
    for (name, text) in [
        (
            "members.txt",
            "! members\na@far.example (Ada)\n\n<IMTA_TABLE:more.txt\n",
        ),
        ("more.txt", "b@far.example\n"),
        ("round.txt", "a@far.example\n<IMTA_TABLE:round.txt\n"),
        ("posters.txt", "Eve@good.example\n*@staff.example\n"),
    ] {
        fs::write(config.join(name), text).unwrap();
        fs::set_permissions(config.join(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    root.imsimta(&["cnbuild"]);
    let passes = "tcp_local x@far.example";
    let refused =
        |list: &str| format!("5.7.1 you are not allowed to use this list: {list}@mail.example.com");
    let broken = |list: &str| {
        format!("4.2.0 error opening file/URL referenced by alias: {list}@mail.example.com")
    };
    let (eve, mallory, staff) = ("eve@GOOD.example", "mallory@bad.example", "s@staff.example");
    // With the list behind it this is more than a mapping takes.
    let long = format!("{}@bad.example", "m".repeat(1005));
    let only = "5.7.1 members only: closed@mail.example.com".to_owned();
    let table: [(&str, &str, &[&str], String); 28] = [
        (
            "plain",
            mallory,
            &[],
            "tcp_local a@far.example, tcp_local b@far.example".into(),
        ),
        (
            "mixed",
            mallory,
            &[],
            format!("tcp_local a@far.example, tcp_local b@far.example, {passes}"),
        ),
        ("gone", mallory, &[], broken("gone")),
        ("round", mallory, &[], broken("round")),
        ("closed", eve, &[], passes.into()),
        ("closed", staff, &[], passes.into()),
        ("closed", mallory, &[], only),
        ("open", eve, &[], refused("open")),
        ("open", mallory, &[], passes.into()),
        ("mapped", eve, &[], passes.into()),
        ("mapped", mallory, &[], refused("mapped")),
        ("chosen", eve, &[], refused("chosen")),
        ("chosen", eve, &["-source_channel=tcp_local"], passes.into()),
        ("named", eve, &[], refused("named")),
        (
            "named",
            mallory,
            &["-sender=ada@example.com"],
            passes.into(),
        ),
        ("secure", eve, &[], refused("secure")),
        ("secure", eve, &["-sender=x"], passes.into()),
        ("both", eve, &[], refused("both")),
        ("both", eve, &["-sender=ada"], passes.into()),
        ("either", eve, &[], passes.into()),
        ("either", mallory, &[], refused("either")),
        ("moderated", eve, &[], passes.into()),
        (
            "moderated",
            mallory,
            &[],
            "tcp_local chair@far.example".into(),
        ),
        ("nochair", eve, &[], passes.into()),
        ("nochair", mallory, &[], refused("nochair")),
        ("notmapped", &long, &[], refused("notmapped")),
        ("held", mallory, &[], passes.into()),
        ("nolist", eve, &[], broken("nolist")),
    ];
    for (list, from, more, expected) in table {
        let (from, address) = (format!("-from={from}"), format!("{list}@mail.example.com"));
        let words = [&["test", "-rewrite", "-json", &from], more, &[&address]].concat();
        let output = root.try_run("imsimta", &words);
        let view: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(outcome(&view), expected, "{list} {from}");
    }
    let output = root.imsimta(&[
        "test",
        "-rewrite",
        "-from=eve@good.example",
        "held@mail.example.com",
    ]);
    assert!(
        output.contains("*HELD* (held by the list held)"),
        "{output}"
    );
    // The refusal does not say which file it is; the command does.
    let output = root.try_run("imsimta", &["test", "-rewrite", "gone@mail.example.com"]);
    assert!(
        told(&output).contains("IMTA_TABLE:nosuch.txt: No such file or directory"),
        "{}",
        told(&output)
    );
}
