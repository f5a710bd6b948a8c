//! What becomes of addresses on their way: header rewriting, REVERSE, FORWARD, AUTH_REWRITE.

use super::world::{CHANNELS, RULES, World, alias, channels, network, now, rules};
use crate::enqueue::{MailParams, Question, RcptParams, Refusal, Silent};
use mta_config::aliases::{AliasEntry, Aliases};
use mta_config::database::Kind;
use mta_config::value::Value;
use mta_config::{Config, MtaOption};
use mta_envelope::address::Address;
use mta_mapping::Entry;
use std::sync::Arc;

fn table(config: &mut Config, name: &str, entries: &[(&str, &str)]) {
    let entries: Vec<Entry<'_>> = entries.iter().map(|(p, t)| Entry::new(p, t)).collect();
    config.mappings.insert(name, &entries).unwrap();
}

fn option(config: &mut Config, option: MtaOption, value: i64) {
    config.mta.set(option, Value::Integer(value));
}

/// Sends a message from the inside and gives back the fields of its files, one text for each
/// channel, without what we add.
fn sent(world: &World, recipients: &[&str], header: &str, channel: &str) -> String {
    let mut transaction = world.begin("tcp_intranet", "sender@inside.example.com");
    for recipient in recipients {
        transaction
            .recipient(recipient, &RcptParams::default())
            .unwrap();
    }
    let mut writer = transaction.message().unwrap();
    writer.write(format!("{header}\nbody\n").as_bytes());
    writer.finish().unwrap();
    let files = world.files(channel);
    assert_eq!(files.len(), 1, "{files:?}");
    let content = &files[0].1;
    let begin = content.find("\nReceived:").unwrap();
    let header = content[begin + 1..].split("\n\n").next().unwrap();
    let ours = ["Received:", "Date", "Message-id:", "MIME-version:"];
    let mut lines: Vec<&str> = Vec::new();
    let mut skipping = false;
    for line in header.lines() {
        if line.starts_with([' ', '\t']) {
            if !skipping {
                lines.push(line);
            }
            continue;
        }
        skipping = ours.iter().any(|name| line.starts_with(name));
        if !skipping {
            lines.push(line);
        }
    }
    lines.join("\n")
}

#[test]
fn header_addresses_are_rewritten_and_nothing_around_them() {
    let with_rules = |config: &mut Config| {
        let mut all = vec![
            ("old.example.com", "$B$U%new.example.com@mail.example.com"),
            (
                "back.example.com",
                "$B$R$U%shown.example.com@mail.example.com",
            ),
            ("gone.example.com", "$U%$D@nosuch-daemon"),
        ];
        all.extend(RULES);
        config.rules = rules(&all);
    };
    let world = World::with(with_rules);
    let header = "From: \"Ada, L.\"  <ada@back.example.com> (home)\n\
                  To: ada@old.example.com,\n\tBob <bob@gone.example.com>\n\
                  Cc: postmaster, team: ada@back.example.com;\n\
                  Subject: ada@old.example.com\n";
    assert_eq!(
        sent(&world, &["x@elsewhere.example"], header, "tcp_local"),
        "From: \"Ada, L.\"  <ada@shown.example.com> (home)\n\
         To: ada@new.example.com,\n\tBob <bob@gone.example.com>\n\
         Cc: postmaster@mail.example.com, team: ada@back.example.com;\n\
         Subject: ada@old.example.com"
    );
}

#[test]
fn each_channel_has_a_header_of_its_own_when_rules_say_so() {
    let world = World::with(|config| {
        let mut all = vec![(
            "secret.example.com",
            "$B$Qtcp_local$U%public.example.com@mail.example.com",
        )];
        all.extend(RULES);
        config.rules = rules(&all);
    });
    let header = "From: ada@secret.example.com\nTo: both\n";
    let recipients = ["x@elsewhere.example", "ada@example.com"];
    let outside = sent(&world, &recipients, header, "tcp_local");
    assert!(
        outside.starts_with("From: ada@public.example.com\n"),
        "{outside}"
    );
    let inside = &world.files("ims-ms")[0].1;
    assert!(
        inside.contains("\nFrom: ada@secret.example.com\n"),
        "{inside}"
    );
}

#[test]
fn addresses_are_reversed() {
    let world = World::with(|config| {
        option(config, MtaOption::UseTextDatabases, 2);
        let texts = &mut config.texts;
        texts.insert(
            Kind::Reverse,
            "j.smith@example.com",
            "John.Smith@example.com",
        );
        texts.insert(Kind::Reverse, "ada@example.com", "Countess@example.com");
        table(
            config,
            "REVERSE",
            &[
                ("*@*.example.com", "$0@example.com$Y$D"),
                ("envelope@*", "$C$:Ealready@changed.example$Y$E"),
            ],
        );
        let mut all = CHANNELS.to_vec();
        all.push(("tcp_asis", "asis-daemon", "smtp noreverse"));
        config.channels = channels(&all);
        let mut some = vec![("asis.example", "$U%$D@asis-daemon")];
        some.extend(RULES);
        config.rules = rules(&some);
    });
    let header = "From: J.Smith@example.com\nTo: ada@host.example.com, z@z.example\n";
    let reversed = sent(&world, &["x@elsewhere.example"], header, "tcp_local");
    assert_eq!(
        reversed,
        "From: John.Smith@example.com\nTo: Countess@example.com, z@z.example"
    );
    let file = &world.files("tcp_local")[0].1;
    assert!(file.contains("\nm;sender@example.com\n"), "{file}");
    assert_eq!(
        sent(&world, &["x@asis.example"], header, "tcp_asis"),
        header.trim_end()
    );
}

#[test]
fn only_backward_addresses_are_reversed_unless_asked() {
    let world = World::with(|config| {
        option(config, MtaOption::UseReverseDatabase, 1);
        option(config, MtaOption::ReverseEnvelope, 0);
        table(
            config,
            "REVERSE",
            &[("*@*.example.com", "$0@example.com$Y")],
        );
    });
    let header = "From: a@h.example.com\nTo: b@h.example.com\n";
    assert_eq!(
        sent(&world, &["x@elsewhere.example"], header, "tcp_local"),
        "From: a@example.com\nTo: b@h.example.com"
    );
    let file = &world.files("tcp_local")[0].1;
    assert!(file.contains("\nm;sender@inside.example.com\n"), "{file}");
}

#[test]
fn probes_of_reverse_hold_the_channels_when_asked() {
    let world = World::with(|config| {
        option(config, MtaOption::UseReverseDatabase, 13);
        table(
            config,
            "REVERSE",
            &[("tcp_intranet|tcp_local|*@*.example.com", "$0@example.com$Y")],
        );
    });
    let header = "From: a@h.example.com\nTo: b@h.example.com\n";
    assert_eq!(
        sent(&world, &["x@elsewhere.example"], header, "tcp_local"),
        "From: a@example.com\nTo: b@example.com"
    );
}

#[test]
fn recipients_are_forwarded() {
    let forward = [
        ("old@elsewhere.example", "new@far.example$Y"),
        ("anew@elsewhere.example", "ada@example.com$Y$D"),
        ("round@elsewhere.example", "round@elsewhere.example$Y$D"),
        ("once@elsewhere.example", "old@elsewhere.example$Y$D$H"),
        ("held@elsewhere.example", "held@elsewhere.example$Y$I"),
        ("kept@elsewhere.example", "$N"),
        ("via@elsewhere.example", "key$Y$G"),
    ];
    let world = World::with(|config| {
        option(config, MtaOption::UseForwardDatabase, 1);
        option(config, MtaOption::UseTextDatabases, 4);
        table(config, "FORWARD", &forward);
        config
            .texts
            .insert(Kind::Forward, "key", "lovelace@example.com");
        config
            .texts
            .insert(Kind::Forward, "gone@elsewhere.example", "bob2@example.com");
    });
    let table = [
        ("old@elsewhere.example", "tcp_local new@far.example"),
        ("anew@elsewhere.example", "ims-ms ada@ims-ms-daemon"),
        (
            "round@elsewhere.example",
            "550 5.4.6 too many levels of alias: round@elsewhere.example",
        ),
        ("once@elsewhere.example", "tcp_local old@elsewhere.example"),
        (
            "held@elsewhere.example",
            "tcp_local held@elsewhere.example held",
        ),
        ("kept@elsewhere.example", "tcp_local kept@elsewhere.example"),
        ("via@elsewhere.example", "ims-ms ada@ims-ms-daemon"),
        (
            "gone@elsewhere.example",
            "550 5.1.1 unknown or illegal alias: gone@elsewhere.example",
        ),
        ("else@elsewhere.example", "tcp_local else@elsewhere.example"),
    ];
    for (recipient, destination) in table {
        assert_eq!(
            world.route("tcp_intranet", recipient),
            [destination],
            "{recipient}"
        );
    }
}

#[test]
fn forward_probes_hold_the_source_when_asked() {
    let world = World::with(|config| {
        option(config, MtaOption::UseForwardDatabase, 16);
        let entries = [(
            "tcp_intranet|sender@*|*@elsewhere.example",
            "$1@far.example$Y",
        )];
        table(config, "FORWARD", &entries);
    });
    assert_eq!(
        world.route("tcp_intranet", "a@elsewhere.example"),
        ["tcp_local a@far.example"]
    );
}

#[test]
fn rules_ask_the_general_and_the_domain_database() {
    let world = World::with(|config| {
        option(config, MtaOption::UseTextDatabases, 1);
        config.texts.insert(
            Kind::General,
            "a.example",
            "$U%b.example@tcp_intranet-daemon",
        );
        let mut all = vec![("a.example", "$($D)")];
        all.extend(RULES);
        config.rules = rules(&all);
    });
    assert_eq!(
        world.route("tcp_intranet", "x@A.Example"),
        ["tcp_intranet x@b.example"]
    );
    let mut builder = mta_config::table::TableBuilder::default();
    builder.add(b".dom.example", b"$Mtcp_local$U%$H$D@tcp-daemon");
    builder.add(b".dom.example", b"$U%$H$D@tcp_intranet-daemon");
    let root = mta_config::ServerRoot::new(world.dir.path().to_owned());
    std::fs::create_dir_all(root.db()).unwrap();
    builder.place(&Kind::Domain.path(&root)).unwrap();
    assert_eq!(
        world.route("tcp_intranet", "x@h.dom.example"),
        ["tcp_intranet x@h.dom.example"]
    );
    assert_eq!(
        world.route("reprocess", "x@h.dom.example"),
        ["tcp_intranet x@h.dom.example"]
    );
}

#[test]
fn a_damaged_domain_database_sends_nobody_elsewhere() {
    let world = World::with(|_| {});
    let root = mta_config::ServerRoot::new(world.dir.path().to_owned());
    std::fs::create_dir_all(root.db()).unwrap();
    std::fs::write(Kind::Domain.path(&root), "no database").unwrap();
    // The rule `.` would take the address; the database might have said otherwise.
    let mut transaction = world.begin("tcp_intranet", "a@b.example");
    let refusal = transaction
        .recipient("x@h.dom.example", &RcptParams::default())
        .unwrap_err();
    assert!(refusal.is_temporary(), "{refusal}");
}

#[test]
fn aliases_come_from_the_database_before_the_file() {
    let world = World::with(|_| {});
    let mut builder = mta_config::table::TableBuilder::default();
    builder.add(b"sales", b"ada@example.com, far@elsewhere.example");
    let root = mta_config::ServerRoot::new(world.dir.path().to_owned());
    std::fs::create_dir_all(root.db()).unwrap();
    builder.place(&Kind::Alias.path(&root)).unwrap();
    assert_eq!(
        world.route("tcp_intranet", "sales@example.com"),
        [
            "ims-ms ada@ims-ms-daemon",
            "tcp_local far@elsewhere.example"
        ]
    );
}

fn authenticated(bits: i64, entries: &[(&str, &str)], header: &str) -> Result<String, Refusal> {
    authenticated_by(&[("*", "$Y")], bits, entries, header)
}

fn authenticated_by(
    from_access: &[(&str, &str)],
    bits: i64,
    entries: &[(&str, &str)],
    header: &str,
) -> Result<String, Refusal> {
    let world = World::with(|config| {
        table(config, "FROM_ACCESS", from_access);
        let words = format!("smtp single_sys logging authrewrite {bits}");
        let all: Vec<(&str, &str, &str)> = CHANNELS
            .iter()
            .map(|(name, host, old)| match *name {
                "tcp_intranet" => (*name, *host, words.as_str()),
                _ => (*name, *host, *old),
            })
            .collect();
        config.channels = channels(&all);
        table(config, "AUTH_REWRITE", entries);
    });
    let mut source = network("tcp_intranet");
    source.authenticated = Some("ada@example.com".into());
    let sender = Address::parse("sender@example.com").unwrap();
    let params = MailParams::default();
    let mut transaction = world
        .enqueuer
        .begin(&Arc::new(source), Some(&sender), params, now())
        .unwrap();
    transaction
        .recipient("x@elsewhere.example", &RcptParams::default())
        .unwrap();
    let mut writer = transaction.message().unwrap();
    writer.write(format!("{header}\nbody\n").as_bytes());
    writer.finish()?;
    let content = world.files("tcp_local")[0].1.clone();
    let wanted = ["m;", "From:", "Sender:", "Resent-sender:"];
    let lines = content
        .lines()
        .filter(|line| wanted.iter().any(|name| line.starts_with(name)));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_header_tells_who_has_authenticated() {
    let header = "From: boss@example.com\nTo: x\n";
    let all = "sender@example.com||boss@example.com|ada@example.com";
    let table = [
        (0, "$N", "m;sender@example.com\nFrom: boss@example.com"),
        (
            2,
            "$N",
            "m;sender@example.com\nFrom: boss@example.com\nSender: ada@example.com",
        ),
        (6, "$N", "m;sender@example.com\nFrom: ada@example.com"),
        (
            4,
            "new@example.com|s@example.com|f@example.com$J$Y$Z",
            "m;new@example.com\nFrom: f@example.com\nSender: s@example.com",
        ),
        (4, "no$ impostors$N", "550 5.7.1 no impostors"),
        (4, "$N", "550 5.7.1 invalid originator address used"),
    ];
    for (bits, template, expected) in table {
        let found = authenticated(bits, &[(all, template)], header);
        let found = found.unwrap_or_else(|refusal| refusal.to_string());
        assert_eq!(found, expected, "{bits} {template}");
    }
    let resent = "Resent-from: x@example.com\nFrom: boss@example.com\nTo: x\n";
    let found = authenticated(1, &[], resent).unwrap();
    assert!(found.contains("Resent-sender: ada@example.com"), "{found}");
    // FROM_ACCESS may name another sender, where `authrewrite` lets it.
    let chosen = ("*|sender@example.com|*", "$K$Ychosen@example.com");
    let seen = ("sender@example.com|chosen@example.com|*", "f@example.com$Z");
    for (bits, expected) in [
        (0, "m;sender@example.com\nFrom: boss@example.com"),
        (
            2,
            "m;sender@example.com\nFrom: boss@example.com\nSender: chosen@example.com",
        ),
        (
            4,
            "m;sender@example.com\nFrom: f@example.com\nSender: chosen@example.com",
        ),
    ] {
        let found = authenticated_by(&[chosen], bits, &[seen], header);
        assert_eq!(found.unwrap(), expected, "{bits}");
    }
}

/// What comments and display names of a header become between two channels with these options.
fn words(source: &'static str, destination: &'static str, header: &str) -> String {
    let world = World::with(move |config: &mut Config| {
        let named = |(name, host, options): &(&'static str, &'static str, &'static str)| {
            let more = match *name {
                "tcp_intranet" => source,
                "tcp_local" => destination,
                _ => "",
            };
            (*name, *host, format!("{options} {more}"))
        };
        let all: Vec<(&str, &str, String)> = CHANNELS.iter().map(named).collect();
        let all: Vec<(&str, &str, &str)> =
            all.iter().map(|(n, h, o)| (*n, *h, o.as_str())).collect();
        config.channels = channels(&all);
        let comments = [
            ("(secret*)|*", "$Y"),
            ("(*)|*@gone.example", "no"),
            ("(*)|*", "($0$ of$ $1)$Y"),
        ];
        table(config, "COMMENT_STRINGS", &comments);
        let names = [("*,$ *|*", "$1$ $0$Y"), ("Bob|*", "$0$Y")];
        table(config, "PERSONAL_NAMES", &names);
    });
    sent(&world, &["x@elsewhere.example"], header, "tcp_local")
}

const WORDS: &str = "From: \"L, Ada\" <ada@a.example> (home)\n\
                     To: Bob <b@b.example> (secret x),\n\tx@gone.example (gone)\n\
                     Subject: a (b) c\n\
                     Content-Type: text/plain (plain)\n";

#[test]
fn comments_and_display_names_become_what_the_channels_want() {
    let kept = WORDS.trim_end();
    let mapped = "From: Ada L <ada@a.example> (home of ada@a.example)\n\
                  To: \"b@b.example\" <b@b.example>,\n\tx@gone.example (gone)\n\
                  Subject: a (b) c\n\
                  Content-Type: text/plain (plain)";
    let dropped = "From: <ada@a.example>\n\
                   To: <b@b.example>,\n\tx@gone.example\n\
                   Subject: a (b) c\n\
                   Content-Type: text/plain (plain)";
    let total = "From: \"L, Ada\" <ada@a.example>\n\
                 To: Bob <b@b.example>,\n\tx@gone.example\n\
                 Subject: a (b) c\n\
                 Content-Type: text/plain";
    let stripped = "From: L Ada <ada@a.example> (home)\n\
                    To: Bob <b@b.example> (secret x),\n\tx@gone.example (gone)\n\
                    Subject: a (b) c\n\
                    Content-Type: text/plain (plain)";
    let table = [
        ("", "", kept),
        ("sourcecommentinc", "personalinc", kept),
        ("sourcecommentmap sourcepersonalmap", "", mapped),
        ("", "commentmap personalmap", mapped),
        ("sourcecommentomit", "personalomit", dropped),
        ("sourcepersonalomit", "commentomit", dropped),
        ("", "commenttotal", total),
        ("sourcecommenttotal", "", total),
        ("", "personalstrip commentstrip", stripped),
        ("sourcepersonalstrip sourcecommentstrip", "", stripped),
    ];
    for (source, destination, expected) in table {
        let got = words(source, destination, WORDS);
        assert_eq!(got, expected, "{source} | {destination}");
    }
}

#[test]
fn each_channel_sees_its_own_words() {
    let world = World::with(|config: &mut Config| {
        let mut all: Vec<_> = CHANNELS.to_vec();
        all[2].2 = "smtp single_sys logging commentomit personalomit";
        config.channels = channels(&all);
    });
    let recipients = ["x@elsewhere.example", "ada@example.com"];
    let header = "From: Ada <ada@a.example> (home)\nTo: x@x.example\n";
    let outside = sent(&world, &recipients, header, "tcp_local");
    assert_eq!(outside, "From: <ada@a.example>\nTo: x@x.example");
    let inside = &world.files("ims-ms")[0].1;
    assert!(
        inside.contains("\nFrom: Ada <ada@a.example> (home)\n"),
        "{inside}"
    );
}

fn list(name: &str, members: &[&str], options: &[(&str, &str)]) -> AliasEntry {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    AliasEntry {
        options: options.iter().map(owned).collect(),
        ..alias(name, members)
    }
}

#[test]
fn members_of_a_list_see_its_header_and_nobody_else_does() {
    let world = World::with(|config: &mut Config| {
        let options = [
            ("envelope_from", "owner@example.com"),
            ("reply_to", "friends@example.com"),
            ("errors_to", "owner@example.com"),
            ("precedence", "list"),
            ("tag", "[friends]"),
            ("header_addition", "IMTA_TABLE:friends.headers"),
            ("nodelay_notifications", ""),
            ("conversion_tag", "lists, small"),
            ("linelimit", "50"),
            ("nonexpandable", ""),
        ];
        let friends = list(
            "friends",
            &["far@elsewhere.example", "near@elsewhere.example"],
            &options,
        );
        config.aliases = Aliases::new(1, vec![friends]);
    });
    let file = world.dir.path().join("config/friends.headers");
    std::fs::write(file, "! ours\nList-Id: Friends\n <friends.example.com>\n").unwrap();
    let header = "From: Ada <ada@example.com>\nReply-To: ada@example.com\nTo: friends@example.com\n\
                  Subject: lunch\n";
    let mut transaction = world.begin("tcp_intranet", "ada@example.com");
    for recipient in [
        "friends@example.com",
        "near@elsewhere.example",
        "x@elsewhere.example",
    ] {
        transaction
            .recipient(recipient, &RcptParams::default())
            .unwrap();
    }
    let mut writer = transaction.message().unwrap();
    writer.write(format!("{header}\nbody\n").as_bytes());
    writer.finish().unwrap();
    let files = world.files("tcp_local");
    assert_eq!(files.len(), 2, "{files:?}");
    let (listed, direct): (Vec<_>, Vec<_>) = files
        .iter()
        .map(|(_, content)| content)
        .partition(|content| content.contains("List-Id:"));
    for part in [
        "\nm;owner@example.com\n",
        "\nfar@elsewhere.example\n",
        "\nReply-To: friends@example.com\n",
        "\nErrors-To: owner@example.com\n",
        "\nPrecedence: list\n",
        "\nSubject: [friends] lunch\n",
        "\nList-Id: Friends <friends.example.com>\n",
        "\nn;20\nk;lists,small\nfar@elsewhere.example\n",
    ] {
        assert!(listed[0].contains(part), "{part:?} in {}", listed[0]);
    }
    assert!(!listed[0].contains("near@"), "{}", listed[0]);
    for part in [
        "\nm;ada@example.com\n",
        "\nnear@elsewhere.example\n",
        "\nx@elsewhere.example\n",
        "\nReply-To: ada@example.com\n",
        "\nSubject: lunch\n",
    ] {
        assert!(direct[0].contains(part), "{part:?} in {}", direct[0]);
    }
    let friends = || {
        let question = Question {
            source: &network("tcp_intranet"),
            sender: None,
            recipient: "friends@example.com",
            params: &RcptParams::default(),
            size: None,
            given_sender: None,
            counts: (0, 0),
        };
        world.enqueuer.resolve(&question, &mut Silent)
    };
    let resolution = friends().unwrap();
    assert!(resolution.hidden);
    assert_eq!(resolution.line_limit, Some(50));
    assert_eq!(resolution.destinations[0].delay_notices, Some(false));
    // Without its file of header lines the list waits.
    std::fs::remove_file(world.dir.path().join("config/friends.headers")).unwrap();
    let refusal = friends().unwrap_err();
    assert!(refusal.is_temporary(), "{refusal}");
    // Which file that is stands in the program's log, and not in the answer.
    let mut transaction = world.begin("tcp_intranet", "ada@example.com");
    let refused = transaction.recipient("friends@example.com", &RcptParams::default());
    assert!(!refused.unwrap_err().text.contains("friends.headers"));
    let log = std::fs::read_to_string(world.enqueuer.program_log().path()).unwrap();
    let told = "friends@example.com: IMTA_TABLE:friends.headers: No such file or directory";
    assert!(log.contains(told), "{log}");
}

#[test]
fn channels_give_conversion_tags_and_probes_carry_extra_headers() {
    let world = World::with(|config: &mut Config| {
        let mut all: Vec<_> = CHANNELS.to_vec();
        all[2].2 = "smtp single_sys logging destinationconversiontag outward";
        all[3].2 = "smtp logging sourceconversiontag inside authrewrite 20";
        config.channels = channels(&all);
        let headers = Value::Text("X-Site, Subject".into());
        config.mta.set(MtaOption::AuthrewriteExtraHeaders, headers);
        let probe = "sender@inside.example.com||a@b.example||here|lunch";
        table(config, "AUTH_REWRITE", &[(probe, "$Zchanged@b.example")]);
    });
    let header = "From: a@b.example\nX-Site: here\nSubject: lunch\n";
    let fields = sent(&world, &["x@elsewhere.example"], header, "tcp_local");
    assert!(fields.contains("From: changed@b.example"), "{fields}");
    let content = &world.files("tcp_local")[0].1;
    assert!(
        content.contains("\nk;outward,inside\n") || content.contains("\nk;inside,outward\n"),
        "{content}"
    );
}
