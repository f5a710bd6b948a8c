//! What becomes of whole messages: files, headers, records.

use super::world::{CHANNELS, World, channels, network, now};
use crate::enqueue::{MailParams, RcptParams, Refusal, Source};
use crate::store::StoreOptions;
use mta_config::MtaOption;
use mta_config::value::Value;
use mta_envelope::address::Address;
use mta_mapping::Entry;

fn send(world: &World, source: &str, recipients: &[&str], text: &[u8]) -> Result<String, Refusal> {
    let mut transaction = world.begin(source, "sender@elsewhere.example");
    for recipient in recipients {
        transaction.recipient(recipient, &RcptParams::default())?;
    }
    let mut writer = transaction.message()?;
    for piece in text.chunks(7) {
        writer.write(piece);
    }
    writer.finish().map(|enqueued| enqueued.envelope_id)
}

#[test]
fn one_message_one_file_one_record() {
    let world = World::new();
    let text = b"Date: Mon, 23 Nov 2026 09:14:00 +0000\nFrom: a@b\nTo: ada@example.com\n\
                 Message-ID: <x@y>\n\nHello\n";
    let id = send(&world, "tcp_local", &["ada@example.com"], text).unwrap();
    let files = world.files("ims-ms");
    assert_eq!(files.len(), 1);
    let (name, content) = &files[0];
    assert!(name.starts_with("ZZ") && name.ends_with(".00"), "{name}");
    for line in [
        &format!("\ni;{id}\n"),
        "\nc;tcp_local\n",
        "\ns;client.example (c7.client.example [198.51.100.7])\n",
        "\nh;<x@y>",
        "\nm;sender@elsewhere.example\n",
        "\nf;ada@example.com\n",
        "\no;quota=1000000\n",
        "\nada@ims-ms-daemon\n",
        "\nReceived: from client.example (c7.client.example [198.51.100.7])\n by mail.example.com",
        " with ESMTP\n",
        " for ada@example.com;\n",
        "\nMessage-ID: <x@y>\n\nHello\n",
    ] {
        assert!(content.contains(line), "{line:?} not in\n{content}");
    }
    let log = world.log();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(
        log.contains(
            " tcp_local    ims-ms       EE 1 sender@elsewhere.example rfc822;ada@example.com \
             ada@ims-ms-daemon"
        ),
        "{log}"
    );
}

#[test]
fn what_the_sender_left_out_is_added_behind() {
    let world = World::new();
    let id = send(
        &world,
        "tcp_local",
        &["ada@example.com"],
        b"Subject: x\nContent-Type: text/plain\n\nHello\n",
    )
    .unwrap();
    let content = &world.files("ims-ms")[0].1;
    let header = content.split("\n\n").next().unwrap();
    let at = |line: &str| {
        header
            .find(line)
            .unwrap_or_else(|| panic!("{line} not in\n{header}"))
    };
    let order = [
        at("\nReceived: "),
        at("\nSubject: x\n"),
        at("\nDate: "),
        at("\nDate-warning: Date header was inserted by mail.example.com\n"),
        at("\nFrom: sender@elsewhere.example\n"),
        at(&format!("\nMessage-id: <{id}>")),
        at("\nMIME-version: 1.0"),
    ];
    assert!(order.is_sorted(), "{header}");
}

#[test]
fn recipients_of_one_host_share_a_file_and_others_do_not() {
    let world = World::new();
    send(
        &world,
        "tcp_intranet",
        &[
            "a@one.example",
            "b@one.example",
            "c@two.example",
            "a@one.example",
        ],
        b"Subject: x\n\n",
    )
    .unwrap();
    let files = world.files("tcp_local");
    assert_eq!(files.len(), 2);
    let shared = files
        .iter()
        .find(|(_, content)| content.contains("\na@one.example\n"))
        .unwrap();
    assert!(shared.1.contains("\nb@one.example\n"));
    assert_eq!(shared.1.matches("\na@one.example\n").count(), 1);
    assert_eq!(world.log().lines().count(), 3);
}

#[test]
fn folders_travel_as_store_options() {
    let world = World::new();
    let mut transaction = world.begin("tcp_local", "a@b.example");
    transaction
        .recipient("ada+My folder@example.com", &RcptParams::default())
        .unwrap_err();
    transaction
        .recipient("ada+Work@example.com", &RcptParams::default())
        .unwrap();
    let enqueued = {
        let mut writer = transaction.message().unwrap();
        writer.write(b"Subject: x\n\n");
        writer.finish().unwrap()
    };
    let options = enqueued.files[0].envelope.recipients[0]
        .store_options
        .clone();
    let options = StoreOptions::parse(&options.unwrap());
    assert_eq!(options.folder.as_deref(), Some("Work"));
    assert_eq!(options.quota, Some(1_000_000));
}

#[test]
fn lists_with_errors_to_send_under_their_own_name() {
    let world = World::new();
    send(
        &world,
        "tcp_local",
        &["team@example.com"],
        b"Subject: x\n\n",
    )
    .unwrap();
    for (_, content) in world.files("ims-ms") {
        assert!(content.contains("\nm;owner@example.com\n"), "{content}");
    }
}

#[test]
fn an_eleventh_local_hop_is_held() {
    let world = World::new();
    let hop = "Received: from x by mail.example.com; Mon, 23 Nov 2026 09:14:00 +0000\n";
    let ten = format!("{}Subject: x\n\n", hop.repeat(10));
    send(&world, "tcp_local", &["ada@example.com"], ten.as_bytes()).unwrap();
    assert!(world.files("ims-ms")[0].0.ends_with(".00"));
    let world = World::new();
    let eleven = format!("{}Subject: x\n\n", hop.repeat(11));
    send(&world, "tcp_local", &["ada@example.com"], eleven.as_bytes()).unwrap();
    let files = world.files("ims-ms");
    assert!(files[0].0.ends_with(".HELD"), "{}", files[0].0);
}

#[test]
fn users_on_hold_are_held_on_the_hold_channel() {
    let world = World::new();
    send(
        &world,
        "tcp_local",
        &["held@example.com"],
        b"Subject: x\n\n",
    )
    .unwrap();
    let files = world.files("hold");
    assert_eq!(files.len(), 1);
    assert!(files[0].0.ends_with(".HELD"), "{}", files[0].0);
}

#[test]
fn a_message_over_its_limit_leaves_nothing_behind() {
    let world = World::with(|config| {
        config.mta.set(MtaOption::BlockLimit, Value::Integer(300));
    });
    let mut text = b"Subject: x\n\n".to_vec();
    text.extend(
        b"0123456789012345678901234567890123456789012345678901234567890123\n".repeat(10_000),
    );
    let refusal = send(&world, "tcp_local", &["ada@example.com"], &text).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.status.to_string().as_str()),
        (552, "5.3.4")
    );
    assert!(world.files("ims-ms").is_empty());
    assert!(world.log().contains(" J"), "{}", world.log());
}

#[test]
fn a_header_bomb_is_refused() {
    let world = World::new();
    let text = b"X-Bomb: 0123456789012345678901234567890123456789\n".repeat(10_000);
    let refusal = send(&world, "tcp_local", &["ada@example.com"], &text).unwrap_err();
    assert_eq!(refusal.code, 552);
    assert!(world.files("ims-ms").is_empty());
}

#[test]
fn messages_without_recipient_header_follow_the_policy() {
    for (policy, line) in [
        ("2", "\nTo: ada@example.com\n"),
        ("3", "\nBcc: ada@example.com\n"),
        ("4", "\nTo: Recipients not specified: ;\n"),
        ("5", "\nBcc: \n"),
    ] {
        let words = format!("logging missingrecipientpolicy {policy}");
        let world = with_intranet(&words);
        send(
            &world,
            "tcp_intranet",
            &["ada@example.com"],
            b"Subject: x\n\n",
        )
        .unwrap();
        let content = &world.files("ims-ms")[0].1;
        assert!(content.contains(line), "{policy}\n{content}");
    }
    let world = with_intranet("logging missingrecipientpolicy 6");
    let refusal = send(
        &world,
        "tcp_intranet",
        &["ada@example.com"],
        b"Subject: x\n\n",
    );
    assert_eq!(refusal.unwrap_err().code, 550);
}

fn with_intranet(words: &str) -> World {
    World::with(|config| {
        let table: Vec<_> = CHANNELS
            .iter()
            .map(|(name, host, usual)| match *name {
                "tcp_intranet" => (*name, *host, words),
                _ => (*name, *host, *usual),
            })
            .collect();
        config.channels = channels(&table);
    })
}

#[test]
fn recipients_beyond_expandlimit_share_a_file_on_reprocess() {
    let world = with_intranet("logging expandlimit 1");
    let all = ["ada@example.com", "bob@example.com", "eve@hosted.example"];
    send(&world, "tcp_intranet", &all, b"Subject: x\n\n").unwrap();
    assert_eq!(world.files("ims-ms").len(), 1);
    let files = world.files("reprocess");
    assert_eq!(files.len(), 1);
    assert!(files[0].1.contains("\nbob@example.com\n"));
    assert!(files[0].1.contains("\neve@hosted.example\n"));
}

#[test]
fn more_recipients_than_holdlimit_are_held() {
    let world = with_intranet("logging holdlimit 1");
    let all = ["ada@example.com", "eve@hosted.example"];
    send(&world, "tcp_intranet", &all, b"Subject: x\n\n").unwrap();
    let files = world.files("reprocess");
    assert_eq!(files.len(), 1);
    assert!(files[0].0.ends_with(".HELD"));
    let released = Source {
        reprocessing: true,
        ..network("tcp_intranet")
    };
    let params = MailParams::default();
    let begun = world
        .enqueuer
        .begin(&std::sync::Arc::new(released), None, params, now());
    let mut transaction = begun.unwrap();
    for recipient in all {
        transaction
            .recipient(recipient, &RcptParams::default())
            .unwrap();
    }
    let mut writer = transaction.message().unwrap();
    writer.write(b"Subject: x\n\n");
    let files = writer.finish().unwrap().files;
    assert!(files.iter().all(|file| !file.place.file.is_held()));
}

#[test]
fn a_message_put_back_keeps_its_envelope_id_and_arrival() {
    let world = World::new();
    let params = MailParams {
        envelope_id: Some("OLD@mail.example.com".into()),
        arrived: Some(1_700_000_000),
        ..MailParams::default()
    };
    let mut transaction = world.try_begin("reprocess", "a@b.example", params).unwrap();
    transaction
        .recipient("ada@example.com", &RcptParams::default())
        .unwrap();
    let mut writer = transaction.message().unwrap();
    writer.write(b"Subject: x\n\nbody without a line end");
    let enqueued = writer.finish().unwrap();
    let envelope = &enqueued.files[0].envelope;
    assert_eq!(envelope.id, "OLD@mail.example.com");
    assert_eq!(envelope.arrived, 1_700_000_000);
    assert_eq!(envelope.sender, Address::parse("a@b.example").ok());
}

#[test]
fn a_warning_still_finds_its_way_into_the_header() {
    let world = World::new();
    let mut transaction = world.begin("tcp_local", "a@b.example");
    transaction
        .recipient("ada@example.com", &RcptParams::default())
        .unwrap();
    let mut writer = transaction.message().unwrap();
    writer.write(b"Subject: x\n\nbody\n");
    writer.add_header("X-Warning: late");
    writer.write(b"more\n");
    writer.finish().unwrap();
    let content = &world.files("ims-ms")[0].1;
    assert!(
        content.contains("\nX-Warning: late\n\nbody\nmore\n"),
        "{content}"
    );
}

#[test]
fn a_long_line_far_behind_is_told_in_the_header_all_the_same() {
    for lines in [2000, 10_000] {
        let world = World::new();
        let mut transaction = world.begin("tcp_intranet", "a@b.example");
        for recipient in ["ada@example.com", "a@one.example"] {
            transaction
                .recipient(recipient, &RcptParams::default())
                .unwrap();
        }
        let mut writer = transaction.message().unwrap();
        writer.write(b"Subject: x\n\n");
        for _ in 0..lines {
            writer.write(b"0123456789012345678901234567890123456789\n");
        }
        writer.add_header("X-Warning: late");
        writer.add_header("X-Warning: late");
        writer.add_header("X-Other: later");
        writer.write(b"more\n");
        let enqueued = writer.finish().unwrap();
        assert_eq!(enqueued.files.len(), 2);
        for file in &enqueued.files {
            let queue = world.enqueuer.queue();
            let message = queue.take(&file.channel, &file.place).unwrap();
            let mut content = String::new();
            std::io::Read::read_to_string(&mut message.content(), &mut content).unwrap();
            message.keep();
            assert_eq!(content.len() as u64, file.size);
            let (header, body) = content.split_once("\n\n").unwrap();
            assert!(
                header.ends_with("\nX-Warning: late\nX-Other: later"),
                "{header}"
            );
            assert_eq!(body.lines().count(), lines + 1);
            assert!(body.ends_with("\nmore\n"));
        }
    }
}

#[test]
fn a_message_over_its_limit_is_told_its_whole_size() {
    let world = World::with(|config| {
        config.mta.set(MtaOption::BlockLimit, Value::Integer(10));
    });
    let mut transaction = world.begin("tcp_local", "a@b.example");
    transaction
        .recipient("ada@example.com", &RcptParams::default())
        .unwrap();
    let mut writer = transaction.message().unwrap();
    assert!(writer.write(b"Subject: x\n\n"));
    let mut wanted = true;
    for _ in 0..100 {
        wanted = writer.write(&[b'x'; 1024]);
    }
    assert!(!wanted);
    let refusal = writer.finish().unwrap_err();
    assert!(
        refusal.text.starts_with("a message size of 101 kilobytes"),
        "{refusal}"
    );
}

#[test]
fn what_a_client_says_of_its_authentication_proves_nothing() {
    let params = MailParams {
        authenticated: Some("boss@example.com".into()),
        ..MailParams::default()
    };
    let world = World::new();
    let internal = Source::internal(network("process").channel, "");
    let proven = Source {
        authenticated: Some("ada@example.com".into()),
        ..network("tcp_local")
    };
    for (source, expected) in [
        (network("tcp_local"), None),
        (proven, Some("ada@example.com")),
        (internal, Some("boss@example.com")),
    ] {
        let source = std::sync::Arc::new(source);
        let mut transaction = world
            .enqueuer
            .begin(&source, None, params.clone(), now())
            .unwrap();
        transaction
            .recipient("ada@example.com", &RcptParams::default())
            .unwrap();
        let mut writer = transaction.message().unwrap();
        writer.write(b"Subject: x\n\n");
        let enqueued = writer.finish().unwrap();
        let envelope = &enqueued.files[0].envelope;
        assert_eq!(envelope.authenticated.as_deref(), expected);
    }
}

#[test]
fn a_member_that_is_refused_is_returned_and_not_forgotten() {
    let world = World::with(|config| {
        let entries = [Entry::new("*|*|tcp_local|*@small.example", "$NNot$ there")];
        config.mappings.insert("SEND_ACCESS", &entries).unwrap();
    });
    let list = ["mixed@example.com"];
    send(&world, "tcp_local", &list, b"Subject: x\n\n").unwrap();
    assert_eq!(world.files("ims-ms").len(), 1);
    assert!(world.files("tcp_local").is_empty());
    let files = world.files("reprocess");
    let record = "\nw;550 5.7.1 Not there: mixed@example.com\nfar@small.example\n";
    assert!(files[0].1.contains(record), "{}", files[0].1);
    assert!(
        files[0].1.contains("\nm;owner@example.com\n"),
        "{}",
        files[0].1
    );
}

#[test]
fn what_is_accepted_all_the_same_takes_its_refusal_along() {
    let lenient = CHANNELS.iter().map(|(name, host, words)| match *name {
        "tcp_local" => (*name, *host, "acceptalladdresses single_sys logging"),
        _ => (*name, *host, *words),
    });
    let lenient: Vec<_> = lenient.collect();
    let world = World::with(|config| config.channels = channels(&lenient));
    let all = [
        "x@elsewhere.example",
        "x@slow.example",
        "zoe@asleep.example",
        "nobody@example.com",
    ];
    send(&world, "tcp_local", &all, b"Subject: x\n\n").unwrap();
    let files = world.files("reprocess");
    for record in [
        "\nw;550 5.7.1 Relaying not allowed: x@elsewhere.example\nx@elsewhere.example\n",
        "\nw;452 4.2.1 Host temporarily blocked: x@slow.example\nx@slow.example\n",
        "\nw;anew\nzoe@asleep.example\n",
        "\nw;550 5.1.1 unknown or illegal alias: nobody@example.com\nnobody@example.com\n",
    ] {
        assert!(
            files[0].1.contains(record),
            "{record} not in {}",
            files[0].1
        );
    }
    let source = Source {
        reprocessing: true,
        ..network("tcp_local")
    };
    let mut again = world
        .enqueuer
        .begin(
            &std::sync::Arc::new(source),
            None,
            MailParams::default(),
            now(),
        )
        .unwrap();
    let refusal = again.recipient("nobody@example.com", &RcptParams::default());
    assert_eq!(refusal.unwrap_err().code, 550);
}

#[test]
fn what_tables_ask_for_is_not_lost_on_the_detour() {
    let world = World::with(|config| {
        let words = "logging expandlimit 0";
        let table: Vec<_> = CHANNELS
            .iter()
            .map(|(name, host, usual)| match *name {
                "tcp_intranet" => (*name, *host, words),
                _ => (*name, *host, *usual),
            })
            .collect();
        config.channels = channels(&table);
        let entries = [
            Entry::new("*|*|*|ada@*", "$G$Ytag1,tag2"),
            Entry::new("*|*|*|eve@*", "$H$Y"),
            Entry::new("*|*|*|bob@*", "$B$Y"),
        ];
        config
            .mappings
            .insert("ORIG_MAIL_ACCESS", &entries)
            .unwrap();
    });
    let all = ["ada@example.com", "eve@hosted.example", "bob@example.com"];
    send(&world, "tcp_intranet", &all, b"Subject: x\n\n").unwrap();
    let files = world.files("reprocess");
    assert_eq!(files.len(), 2);
    let of = |address: &str| {
        let found = files.iter().find(|(_, text)| text.contains(address));
        found.unwrap()
    };
    assert!(of("\nada@example.com\n").1.contains("\nk;tag1,tag2\n"));
    assert!(of("\neve@hosted.example\n").0.ends_with(".HELD"));
    assert_eq!(world.files("bitbucket").len(), 1);
}

#[test]
fn a_queue_that_cannot_be_written_is_a_temporary_refusal() {
    let world = World::new();
    let queue = world.dir.path().join("data/queue");
    std::fs::write(queue.join("ims-ms"), b"no directory").unwrap();
    let refusal = send(&world, "tcp_local", &["ada@example.com"], b"Subject: x\n\n").unwrap_err();
    assert_eq!(
        (refusal.code, refusal.status.to_string().as_str()),
        (451, "4.3.0")
    );
}

#[test]
fn what_tables_want_told_is_told_with_a_refusal_too() {
    let world = World::with(|config| {
        let table = |config: &mut mta_config::Config, name: &str, entries: &[(&str, &str)]| {
            let entries: Vec<Entry<'_>> = entries.iter().map(|(p, t)| Entry::new(p, t)).collect();
            config.mappings.insert(name, &entries).unwrap();
        };
        let from = [(
            "*|bad@elsewhere.example|*",
            "$<$>$Nseen$ bad|refused$ bad|go$ away",
        )];
        table(config, "FROM_ACCESS", &from);
        let mail = [
            ("*|ada@example.com", "$<$Yto$ ada"),
            ("*|eve@hosted.example", "$<$>$Nto$ eve|not$ eve|go$ away"),
        ];
        table(config, "ORIG_MAIL_ACCESS", &mail);
        let actions = [
            ("tcp_local|ims-ms|$_*|$_*|$_*|$_*|*", "$<in$ for$ $3"),
            ("tcp_local|*|J*", "$<turned$ away"),
        ];
        table(config, "LOG_ACTION", &actions);
    });
    let source = std::sync::Arc::new(network("tcp_local"));
    let sender = Address::parse("bad@elsewhere.example").unwrap();
    let begun = world
        .enqueuer
        .begin(&source, Some(&sender), MailParams::default(), now());
    assert_eq!(begun.unwrap_err().text, "go away: bad@elsewhere.example");
    let mut transaction = world.begin("tcp_local", "x@elsewhere.example");
    let refused = transaction.recipient("eve@hosted.example", &RcptParams::default());
    let refused = refused.unwrap_err();
    assert_eq!(refused.text, "go away: eve@hosted.example");
    transaction.record_rejection("eve@hosted.example", &RcptParams::default(), &refused);
    transaction
        .recipient("ada@example.com", &RcptParams::default())
        .unwrap();
    let mut writer = transaction.message().unwrap();
    writer.write(b"Subject: x\n\n");
    writer.finish().unwrap();
    let log = std::fs::read_to_string(world.enqueuer.program_log().path()).unwrap();
    let told: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split(": ").nth(1))
        .collect();
    assert_eq!(
        told,
        [
            "seen bad",
            "refused bad",
            "to eve",
            "not eve",
            "turned away",
            "to ada",
            "in for rfc822;ada@example.com"
        ]
    );
}
