//! Configurations of both forms, as an administrator brings and changes them.

use crate::support::root::Root;
use crate::support::wait_for;
use crate::support::wire::Wire;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Output;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/legacy");

pub(crate) fn told(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// A legacy root with the configuration of the corpus, on free ports.
fn legacy() -> Root {
    let root = Root::bare();
    for file in fs::read_dir(CORPUS).unwrap() {
        let file = file.unwrap();
        let mut text = fs::read_to_string(file.path()).unwrap();
        if file.file_name() == "dispatcher.cnf" {
            let ports = [
                ("PORT=25\n", root.smtp),
                ("PORT=587\n", root.submit),
                ("TLS_PORT=465\n", root.smtps),
            ];
            for (line, address) in ports {
                let name = line.split('=').next().unwrap();
                text = text.replace(line, &format!("{name}={}\n", address.port()));
            }
        }
        fs::write(root.path().join("config").join(file.file_name()), text).unwrap();
    }
    root
}

/// Addresses of every kind that the configuration of the corpus knows.
fn thousand_addresses() -> Vec<String> {
    let hosts = [
        "mailhost.example.com",
        "example.com",
        "oldhost.example.com",
        "alias.example.com",
        "lists.example.com",
        "a.lists.example.com",
        "cal.example.com",
        "eng.dept.example.com",
        "a.b.lab.example.com",
        "dept.example.com",
        "host.example.com",
        "example.org",
        "host1.example.org",
        "a.b.example.org",
        "sales.example.net",
        "support.example.net",
        "gw.example.net",
        "gw2.example.net",
        "closed.example.net",
        "late.example.net",
        "upper.example.net",
        "plus.example.net",
        "detail.example.net",
        "mapped.example.net",
        "value.example.net",
        "hdr.example.net",
        "back.example.net",
        "[192.0.2.25]",
        "[198.51.100.17]",
        "[203.0.113.9]",
        "[IPv6:2001:db8::1]",
        "relay",
        "uucp-host",
        "pct-host",
        "at-host",
        "hold-daemon",
        "x.reprocess-daemon",
        "ims-ms-daemon",
        "bitbucket-daemon",
        "partner1.example",
        "h.partner1.example",
        "partner2.example",
        "partner3.example",
        "nowhere.example",
        "internal.example.com",
        "gw2.example.net.",
    ];
    let locals = [
        "jdoe",
        "J.Doe",
        "root",
        "postmaster",
        "three",
        "list",
        "hidden",
        "loop1",
        "user+detail",
        "\"quoted local\"",
        "a%example.org",
        "b!c",
        "a%%b",
        "old",
    ];
    let mut addresses = Vec::new();
    for host in hosts {
        for local in locals {
            addresses.push(format!("{local}@{host}"));
        }
        addresses.push(format!("@relay:jdoe@{host}"));
        addresses.push(format!("jdoe%{host}@mailhost.example.com"));
        addresses.push(format!("jdoe%{host}"));
        addresses.push(format!("{host}!jdoe"));
        addresses.push(format!("@a.example,@relay:jdoe@{host}"));
        addresses.push(format!("x%y%{host}@relay"));
        addresses.push(format!("JDOE@{}", host.to_uppercase()));
        addresses.push(format!("jdoe@sub.{host}"));
    }
    assert!(addresses.len() >= 1000, "{}", addresses.len());
    addresses
}

/// What `test -rewrite -json` says of all addresses, without the lines on which rules stand.
fn answers(root: &Root, addresses: &[String], channel: &str) -> Vec<Value> {
    let file = root.path().join("addresses");
    fs::write(&file, addresses.join("\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let input = format!("-input={}", file.display());
    let source = format!("-source_channel={channel}");
    let output = root.try_run(
        "imsimta",
        &["test", "-rewrite", "-noimage", "-json", &input, &source],
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut views: Vec<Value> =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {}", told(&output)));
    for view in &mut views {
        without_lines(view);
    }
    views
}

fn without_lines(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("line");
            fields.values_mut().for_each(without_lines);
        }
        Value::Array(list) => list.iter_mut().for_each(without_lines),
        _ => {}
    }
}

#[test]
fn a_legacy_configuration_means_the_same_when_it_is_converted() {
    let root = legacy();
    let addresses = thousand_addresses();
    let before: Vec<Vec<Value>> = ["tcp_local", "tcp_intranet"]
        .map(|channel| answers(&root, &addresses, channel))
        .into();
    assert_eq!(before[0].len(), addresses.len());
    let report = root.run("configtoxml", &[]);
    assert!(report.contains("rewrite rules"), "{report}");
    assert!(root.path().join("config/config.xml").exists());
    for (channel, before) in ["tcp_local", "tcp_intranet"].into_iter().zip(before) {
        let after = answers(&root, &addresses, channel);
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before, after, "{channel}");
        }
    }
    // Editing each part without a change changes nothing.
    let config = root.path().join("config/config.xml");
    let written = fs::read(&config).unwrap();
    for part in [
        "rewrites",
        "channels",
        "mappings",
        "aliases",
        "conversions",
        "options",
    ] {
        let text = root.run("msconfig", &["export", part]);
        assert!(!text.is_empty(), "{part}");
        let output = root.run_with_input("msconfig", &["import", part, "-"], &text);
        assert!(output.status.success(), "{part}: {}", told(&output));
        assert_eq!(root.run("msconfig", &["export", part]), text);
    }
    assert!(fs::read(&config).unwrap() == written);
}

#[test]
fn a_legacy_root_runs_as_it_is() {
    let root = legacy();
    root.imsimta(&["cnbuild"]);
    root.start();
    let mut wire = Wire::hello(root.smtp);
    let reply = wire.message(
        "a@example.net",
        &["jdoe@example.org"],
        b"Subject: x\n\nbody\n",
    );
    assert!(reply.starts_with("250"), "{reply}");
    wire.quit();
    wait_for("the message in its channel", || {
        (root.queued("tcp_example").len() == 1).then_some(())
    });
    // Options files and the Dispatcher's file are no part of the image.
    let banner = "BANNER_HOST=other.example.com\n";
    fs::write(root.path().join("config/tcp_local_option"), banner).unwrap();
    root.imsimta(&["restart", "dispatcher"]);
    wait_for("the new banner", || {
        let greeting = Wire::open(root.smtp).reply();
        greeting.contains("other.example.com").then_some(())
    });
    let output = root.try_run("imsimta", &["process", "-image"]);
    assert!(!told(&output).contains("STALE"), "{}", told(&output));
    fs::write(root.path().join("config/aliases"), "new: bob@example.org\n").unwrap();
    let output = root.try_run("imsimta", &["test", "-rewrite", "x@example.org"]);
    assert!(told(&output).contains("%IMTA-W-STALE"), "{}", told(&output));
    root.imsimta(&["cnbuild"]);
    let output = root.try_run("msconfig", &["show"]);
    assert!(told(&output).contains("configtoxml"), "{}", told(&output));
}

/// An editor that replaces the text by that of a file.
fn editor(root: &Root, text: &str) -> PathBuf {
    let file = root.path().join("edited");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    file
}

pub(crate) fn edit(root: &Root, part: &str, text: &str) -> Output {
    let file = editor(root, text);
    let command = format!("cp {}", file.display());
    root.try_run_with("msconfig", &["edit", part], &[("EDITOR", &command)])
}

/// "To Create a New Channel", with the words of the chapter.
#[test]
fn a_new_channel_takes_the_mail_of_one_domain() {
    let root = Root::staging().start();
    let channels = root.run("msconfig", &["export", "channels"]);
    let channels = format!(
        "{channels}\ntcp_example smtp nomx single_sys remotehost inner allowswitchchannel \\\n\
         identnonenumeric subdirs 20 maxjobs 7 pool SMTP_example maytlsserver \\\n\
         maysaslserver saslswitchchannel tcp_auth missingrecipientpolicy 0 \\\n\
         \x20port {}\ntcp_example-daemon\n",
        root.client_port()
    );
    let output = edit(&root, "channels", &channels);
    assert!(output.status.success(), "{}", told(&output));
    let rules = root.run("msconfig", &["export", "rewrite"]);
    let rules = format!(
        "example.org $U%$D@tcp_example-daemon\n.example.org $U%$H$D@tcp_example-daemon\n{rules}"
    );
    let output = edit(&root, "rewrite", &rules);
    assert!(output.status.success(), "{}", told(&output));
    root.run(
        "msconfig",
        &[
            "set",
            "job_controller.job_pool:SMTP_example.job_limit",
            "10",
        ],
    );
    let shown = root.run("msconfig", &["show", "job_controller.job_pool"]);
    assert!(
        shown.ends_with("role.job_controller.job_pool:SMTP_example.job_limit = 10\n"),
        "{shown}"
    );
    root.imsimta(&["cnbuild"]);
    root.imsimta(&["restart"]);
    root.imsimta(&["qm", "stop", "tcp_example"]);
    root.imsimta(&["qm", "stop", "tcp_local"]);
    let mut wire = Wire::hello(root.smtp);
    let recipients = [
        "user@example.org",
        "user@host1.example.org",
        "user@elsewhere.example",
        "bob@example.com",
    ];
    for recipient in recipients {
        let reply = wire.message("eve@example.com", &[recipient], b"Subject: x\n\nbody\n");
        assert!(reply.starts_with("250"), "{recipient}: {reply}");
    }
    wire.quit();
    root.wait_for_delivered("bob@example.com", 1);
    wait_for("the queues", || {
        let counts = ["tcp_example", "tcp_local"].map(|channel| root.queued(channel).len());
        (counts == [2, 1]).then_some(())
    });
    let history = root.run("msconfig", &["history"]);
    assert!(
        history.contains("edit channels") && history.contains("edit rewrites"),
        "{history}"
    );
}

#[test]
fn a_text_with_a_mistake_is_told_and_not_taken() {
    let root = Root::staging().build();
    let before = root.run("msconfig", &["export", "channels"]);
    let output = edit(
        &root,
        "channels",
        "l\nmail.example.com\n\ntcp_x maxjobs many\nx\n",
    );
    assert!(!output.status.success());
    assert!(
        told(&output)
            .contains("error line #4\n  tcp_x maxjobs many\n1 error(s); nothing was changed"),
        "{}",
        told(&output)
    );
    assert_eq!(root.run("msconfig", &["export", "channels"]), before);
    let output = root.try_run_with("msconfig", &["edit", "channels"], &[("EDITOR", "false")]);
    assert!(
        told(&output).contains("false failed; nothing was changed"),
        "{}",
        told(&output)
    );
}

#[test]
fn recipes_change_all_or_nothing() {
    let root = Root::staging().build();
    let recipes = root.path().join("lib/recipes");
    fs::create_dir_all(&recipes).unwrap();
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/etc/recipes")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), recipes.join(file.file_name())).unwrap();
    }
    root.run("msconfig", &["run", "LogTrail"]);
    assert_eq!(
        root.run("msconfig", &["show", "log_message_id"]),
        "role.mta.log_message_id = 1\n"
    );
    let input = "slow\nslow.example other.example\n3\n";
    let output = root.run_with_input("msconfig", &["run", "NewChannel"], input);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(
        root.run("msconfig", &["show", "job_pool:SMTP_slow"]),
        "role.job_controller.job_pool:SMTP_slow.job_limit = 3\n"
    );
    root.imsimta(&["cnbuild"]);
    let found = root.imsimta(&["test", "-rewrite", "-nochannel", "x@a.slow.example"]);
    assert!(
        found.contains("Submitted address list:\n  tcp_slow\n"),
        "{found}"
    );
    let output = root.run_with_input("msconfig", &["run", "StopInbound"], "\n");
    assert!(output.status.success(), "{}", told(&output));
    let rules = root.run("msconfig", &["show", "mapping:ORIG_SEND_ACCESS.rule"]);
    assert!(
        rules.starts_with(
            "role.mapping:ORIG_SEND_ACCESS.rule = tcp_local|*|*|* $X4.2.1|$NMail$ service"
        ),
        "{rules}"
    );
    root.run("msconfig", &["run", "ResumeInbound"]);
    let rules = root.run("msconfig", &["show", "mapping:ORIG_SEND_ACCESS.rule"]);
    assert!(!rules.contains("tcp_local|*|*|*"), "{rules}");
    // Twenty-three wrong words: nothing of the first half stays.
    fs::write(
        recipes.join("Bad.rcp"),
        "set_option(\"mm_debug\", 9);\nnosuch();\n",
    )
    .unwrap();
    let output = root.try_run("msconfig", &["run", "Bad"]);
    assert!(
        told(&output).contains("Bad.rcp, line 2: there is no function nosuch"),
        "{}",
        told(&output)
    );
    assert!(
        !root
            .try_run("msconfig", &["show", "mm_debug"])
            .status
            .success()
    );
    assert_eq!(
        root.run("msconfig", &["exec", "get_path", "\"config\""]),
        format!("{}\n", root.path().join("config").display())
    );
}

#[test]
fn databases_are_made_dumped_renamed_and_asked() {
    let root = Root::staging().build();
    let file = |name: &str, text: &str| {
        let path = root.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path.display().to_string()
    };
    let mut text = String::from("! rules by key\nA.Example\t$U%b.example@tcp_intranet-daemon\n");
    for number in 0..150 {
        text.push_str(&format!("key{number} value{number}\n"));
    }
    text.push_str("key7 again\n");
    text.push_str(&format!("{} x\n", "k".repeat(40)));
    let source = file("general", &text);
    let fresh = root.path().join("data/db/fresh").display().to_string();
    assert_eq!(
        root.imsimta(&["crdb", &source, &fresh]),
        "100 lines processed\n151 entries converted, 1 exceptions, 1 too long\n"
    );
    root.imsimta(&["renamedb", &fresh, "IMTA_GENERAL_DATABASE"]);
    let dumped = root.imsimta(&["dumpdb", "IMTA_GENERAL_DATABASE"]);
    let mut lines = dumped.lines();
    assert_eq!(
        lines.next(),
        Some("! imsimta crdb FILE IMTA_GENERAL_DATABASE")
    );
    assert_eq!(
        lines.next(),
        Some("a.example\t$U%b.example@tcp_intranet-daemon")
    );
    assert_eq!(lines.count(), 150);
    let output = root.try_run("imsimta", &["renamedb", &fresh, "IMTA_GENERAL_DATABASE"]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let bad = file("bad", "alone\n");
    let output = root.try_run("imsimta", &["crdb", &bad, &fresh]);
    assert!(
        told(&output).contains("line 1: no right side"),
        "{}",
        told(&output)
    );
    // Where it cannot be written, the message names the database and not the file beside it.
    let output = root.try_run("imsimta", &["crdb", &source, "/nosuch/place"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told(&output).contains("%CRDB-E-OPENOUT, /nosuch/place: No such file"),
        "{}",
        told(&output)
    );
    // Keys that no database can hold: none at all, and one of more octets than characters.
    let bad = file("bad", "\"\" value\n");
    let output = root.try_run("imsimta", &["crdb", "-quoted", &bad, &fresh]);
    assert!(
        told(&output).contains("line 1: no left side"),
        "{}",
        told(&output)
    );
    let bad = file("bad", &format!("good x\n{} x\n", "\u{e4}".repeat(251)));
    assert_eq!(
        root.imsimta(&["crdb", "-huge_records", &bad, &fresh]),
        "1 entries converted, 0 exceptions, 1 too long\n"
    );
    fs::remove_file(&fresh).unwrap();
    // A rule asks it.
    let rules = root.run("msconfig", &["export", "rewrites"]);
    let output = edit(&root, "rewrites", &format!("a.example $($D)\n{rules}"));
    assert!(output.status.success(), "{}", told(&output));
    root.imsimta(&["cnbuild"]);
    let found = root.imsimta(&["test", "-rewrite", "-nochannel", "x@a.example"]);
    assert!(
        found.contains("  tcp_intranet\n    x@b.example "),
        "{found}"
    );
    let verified = root.imsimta(&["test", "-image"]);
    assert!(
        verified.contains("generaldb: good, 151 records"),
        "{verified}"
    );
    let path = root.path().join("data/db/generaldb");
    let mut octets = fs::read(&path).unwrap();
    let needle = b"value149";
    let at = octets
        .windows(needle.len())
        .position(|window| window == needle)
        .unwrap();
    octets[at] ^= 1;
    fs::write(&path, octets).unwrap();
    let output = root.try_run("imsimta", &["test", "-image"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told(&output).contains("is damaged at the key \"key149\""),
        "{}",
        told(&output)
    );
}

#[test]
fn the_forms_of_test_and_calc_answer_as_documented() {
    let root = Root::staging().build();
    let with_input = |words: &[&str], input: &str| {
        let output = root.run_with_input("imsimta", words, input);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let matched = root.imsimta(&[
        "test",
        "-match",
        "$[ax1]*@*.example.org",
        "xx11a@sys1.example.org",
    ]);
    assert!(
        matched.starts_with(
            "[ 1S] cglob [1ax]\n[ 2] \"@\"\n[ 3S] glob, req 103, reps 1\n[ 4] \".\"\n"
        ),
        "{matched}"
    );
    assert!(
        matched.ends_with("Match.\n0 - xx11a\n1 - sys1\n"),
        "{matched}"
    );
    assert_eq!(root.imsimta(&["calc", "3 * (4 + 5)"]), "27\n");
    assert_eq!(
        with_input(&["calc"], "s = \"abc\"\ns . \"def\"\n"),
        "\"abc\"\n\"abcdef\"\n"
    );
    assert_eq!(
        root.imsimta(&["calc", "-symbols", "a = 1; b = [a]"]),
        "[1]\na = 1\nb = [1]\n"
    );
    assert_eq!(
        with_input(&["test", "-exp", "-debug"], "1 + 2\n"),
        "Expression: 1 + 2\nDump: (1 + 2)\nResult: 3\n"
    );
    let output = root.try_run("imsimta", &["calc", "1 +"]);
    assert_eq!(output.status.code(), Some(1));
    let output = root.try_run("imsimta", &["test", "-exp", "-mm"]);
    assert!(
        told(&output).contains("%TEST-E-NOTYET, "),
        "{}",
        told(&output)
    );
    let listing = with_input(
        &["test", "-domain_map"],
        "enumerate\nshow\nlocate domain example.com\nshow\nquery objectclass\nverify\nexit\n",
    );
    assert!(
        listing.starts_with(
            "example.com\nno entry selected\nentry located\nDomain name: example.com\n"
        ),
        "{listing}"
    );
    assert!(listing.contains("Attribute value(s):\n"), "{listing}");
    let found = root.imsimta(&["test", "-url", "ldap:///?mail?sub?(mail=bob@*)"]);
    assert!(
        found.ends_with("mail: bob@example.com\n\n1 entry returned\n"),
        "{found}"
    );
    let output = root.try_run("imsimta", &["test", "-url", "ldap://host/x"]);
    assert!(
        told(&output).starts_with("%TEST-E-LDAP, "),
        "{}",
        told(&output)
    );
    assert!(
        root.imsimta(&["test", "-time", "2025-10-06T14:20:29Z"])
            .starts_with("1759760429\n")
    );
    assert!(
        root.imsimta(&["test", "-image"])
            .ends_with("config_data: good\n")
    );
    root.imsimta(&["chbuild"]);
    fs::write(
        root.path().join("config/charset_data"),
        "of another version",
    )
    .unwrap();
    let output = root.try_run("imsimta", &["test", "-rewrite", "x@example.com"]);
    assert!(
        told(&output).starts_with(
            "Error in mm_init: error initializing ch_facility compiled character set version mismatch"
        ),
        "{}",
        told(&output)
    );
    root.imsimta(&["chbuild"]);
    root.imsimta(&["test", "-rewrite", "bob@example.com"]);
}
