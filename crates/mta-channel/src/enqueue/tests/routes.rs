//! Where recipients go, and why they are refused.

use super::world::{CHANNELS, RULES, World, alias, channels, network, rules};
use crate::enqueue::{MailParams, Question, RcptParams, Silent, Source, Step};
use mta_config::Aliases;
use mta_config::value::Value;
use mta_config::{Config, MtaOption};
use mta_envelope::address::Address;
use mta_envelope::names::ChannelName;
use mta_mapping::Entry;
use std::fmt::Write as _;

fn check(world: &World, table: &[(&str, &str, &[&str])]) {
    for (source, recipient, expected) in table {
        assert_eq!(
            world.route(source, recipient),
            *expected,
            "{source} {recipient}"
        );
    }
}

#[test]
fn local_users_and_strangers() {
    check(
        &World::new(),
        &[
            (
                "tcp_local",
                "ada@example.com",
                &["ims-ms ada@ims-ms-daemon"],
            ),
            (
                "tcp_local",
                "ADA@Example.COM",
                &["ims-ms ada@ims-ms-daemon"],
            ),
            (
                "tcp_local",
                "lovelace@example.com",
                &["ims-ms ada@ims-ms-daemon"],
            ),
            (
                "tcp_local",
                "ada+Work@example.com",
                &["ims-ms ada+Work@ims-ms-daemon"],
            ),
            (
                "tcp_local",
                "ada@mail.example.com",
                &["ims-ms ada@ims-ms-daemon"],
            ),
            (
                "tcp_local",
                "eve@hosted.example",
                &["ims-ms Eve%hosted.example@ims-ms-daemon"],
            ),
            (
                "tcp_local",
                "\"ada\"@example.com",
                &["ims-ms ada@ims-ms-daemon"],
            ),
            (
                "tcp_local",
                "\"a\\da+Work\"@example.com",
                &["ims-ms ada+Work@ims-ms-daemon"],
            ),
            ("tcp_local", "postmaster", &["ims-ms ada@ims-ms-daemon"]),
            (
                "tcp_local",
                "nobody@example.com",
                &["550 5.1.1 unknown or illegal alias: nobody@example.com"],
            ),
        ],
    );
}

#[test]
fn outsiders_do_not_relay_and_insiders_do() {
    check(
        &World::new(),
        &[
            (
                "tcp_local",
                "x@elsewhere.example",
                &["550 5.7.1 Relaying not allowed: x@elsewhere.example"],
            ),
            (
                "tcp_intranet",
                "x@elsewhere.example",
                &["tcp_local x@elsewhere.example"],
            ),
            (
                "tcp_local",
                "x%elsewhere.example@mail.example.com",
                &["550 5.7.1 Relaying not allowed: x%elsewhere.example@mail.example.com"],
            ),
            (
                "tcp_local",
                "@mail.example.com:x@elsewhere.example",
                &["550 5.7.1 Relaying not allowed: @mail.example.com:x@elsewhere.example"],
            ),
            (
                "tcp_local",
                "ada@ims-ms-daemon",
                &["550 5.7.1 unknown host or domain: ada@ims-ms-daemon"],
            ),
            (
                "tcp_local",
                "a@slow.example",
                &["452 4.2.1 Host temporarily blocked: a@slow.example"],
            ),
            ("tcp_local", "bob", &["550 5.7.1 Relaying not allowed: bob"]),
        ],
    );
}

#[test]
fn a_sender_too_long_for_the_tables_relays_nothing() {
    let world = World::new();
    let long = format!("{}@o.example", "a".repeat(1000));
    let mut transaction = world.begin("tcp_local", &long);
    for recipient in ["x@elsewhere.example", "ada@example.com"] {
        let refusal = transaction.recipient(recipient, &RcptParams::default());
        assert_eq!(
            refusal.unwrap_err().to_string(),
            format!("550 5.7.1 address too long for an access check: {recipient}")
        );
    }
}

/// Groups of `width` members in `depth` levels, each with all groups of the next as members; the
/// last ones have members on other hosts.
fn lists_of_lists(width: usize, depth: usize, sender: bool) -> String {
    let mut text = String::new();
    for level in 0..depth {
        for n in 0..width {
            writeln!(text, "\ndn: cn=g{level}-{n},o=example.com").unwrap();
            writeln!(text, "objectClass: inetMailGroup").unwrap();
            writeln!(text, "mail: g{level}-{n}@example.com").unwrap();
            if sender {
                writeln!(text, "mgrpErrorsTo: o{level}-{n}@example.com").unwrap();
            }
            for m in 0..width {
                let member = match level + 1 == depth {
                    true => format!("m{n}-{m}@elsewhere.example"),
                    false => format!("g{}-{m}@example.com", level + 1),
                };
                writeln!(text, "mgrpRFC822MailMember: {member}").unwrap();
            }
        }
    }
    text
}

#[test]
fn lists_of_lists_of_lists_have_a_bound() {
    let world = World::with_more(&lists_of_lists(8, 8, false), |_| {});
    let found = world.route("tcp_local", "g0-0@example.com");
    assert_eq!(found.len(), 64, "{}", found[0]);
    // Under a name of its own a list is another one for each that it is reached from.
    let world = World::with_more(&lists_of_lists(8, 8, true), |_| {});
    let found = world.route("tcp_local", "g0-0@example.com");
    assert_eq!(found.len(), 8 * 64, "{}", found[0]);
}

#[test]
fn a_list_with_too_many_members_is_refused_and_not_cut() {
    let world = World::with_more(&lists_of_lists(142, 2, false), |_| {});
    assert_eq!(
        world.route("tcp_local", "g0-0@example.com"),
        ["452 4.5.3 too many addresses in this list: g0-0@example.com"]
    );
}

#[test]
fn statuses_of_users_and_domains() {
    check(
        &World::new(),
        &[
            (
                "tcp_local",
                "off@example.com",
                &["550 5.2.1 user disabled; cannot receive new mail: off@example.com"],
            ),
            (
                "tcp_local",
                "full@example.com",
                &["452 4.2.2 user over quota; cannot receive new mail: full@example.com"],
            ),
            (
                "tcp_local",
                "zoe@asleep.example",
                &["452 4.2.1 mailbox temporarily disabled: zoe@asleep.example"],
            ),
            (
                "tcp_local",
                "held@example.com",
                &["hold held@example.com held"],
            ),
        ],
    );
}

#[test]
fn groups_and_forwarding() {
    check(
        &World::new(),
        &[
            (
                "tcp_local",
                "bob@example.com",
                &[
                    "ims-ms bob@ims-ms-daemon",
                    "tcp_local bob@elsewhere.example",
                ],
            ),
            (
                "tcp_local",
                "team@example.com",
                &[
                    "ims-ms ada@ims-ms-daemon",
                    "tcp_local friend@elsewhere.example",
                    "ims-ms bob@ims-ms-daemon",
                    "tcp_local bob@elsewhere.example",
                ],
            ),
            (
                "tcp_local",
                "half@example.com",
                &["ims-ms ada@ims-ms-daemon", "reprocess nobody@example.com"],
            ),
            (
                "tcp_local",
                "closed@example.com",
                &["550 5.7.1 you are not allowed to use this list: closed@example.com"],
            ),
            (
                "tcp_local",
                "loop@example.com",
                &["550 5.4.6 alias stands for nothing but itself: loop@example.com"],
            ),
        ],
    );
}

#[test]
fn aliases_that_refer_to_each_other_end() {
    let chain: Vec<_> = (0..12)
        .map(|n| alias(&format!("a{n}"), &[&format!("a{}", n + 1)]))
        .chain([
            alias("x", &["y"]),
            alias("y", &["x"]),
            alias("both", &["ada@example.com", "both"]),
        ])
        .collect();
    let world = World::with(move |config| config.aliases = Aliases::new(1, chain));
    check(
        &world,
        &[
            (
                "tcp_intranet",
                "a0@mail.example.com",
                &["550 5.4.6 too many levels of alias: a0@mail.example.com"],
            ),
            (
                "tcp_intranet",
                "both@mail.example.com",
                &["ims-ms ada@ims-ms-daemon", "l both@mail.example.com"],
            ),
            (
                "tcp_intranet",
                "x@mail.example.com",
                &["l x@mail.example.com"],
            ),
        ],
    );
}

#[test]
fn without_a_directory_the_alias_file_decides() {
    let world = World::with(|config| {
        config.aliases = Aliases::new(1, vec![alias("ada", &["ada@ims-ms-daemon"])]);
        config.rules = rules(&RULES[1..]);
    });
    std::fs::remove_file(world.dir.path().join("config/directory.ldif")).unwrap();
    let world = World {
        enqueuer: crate::enqueue::Enqueuer::new(
            world.enqueuer.config(),
            &mta_config::ServerRoot::new(world.dir.path().to_owned()),
            "x",
        )
        .unwrap(),
        dir: world.dir,
    };
    check(
        &world,
        &[
            (
                "tcp_intranet",
                "ada@mail.example.com",
                &["ims-ms ada@ims-ms-daemon"],
            ),
            (
                "tcp_intranet",
                "bob@mail.example.com",
                &["550 5.1.1 unknown or illegal alias: bob@mail.example.com"],
            ),
        ],
    );
}

#[test]
fn a_directory_that_cannot_be_read_is_a_temporary_refusal() {
    let world = World::new();
    std::fs::write(world.dir.path().join("config/directory.ldif"), "junk\n").unwrap();
    let root = mta_config::ServerRoot::new(world.dir.path().to_owned());
    let world = World {
        enqueuer: crate::enqueue::Enqueuer::new(world.enqueuer.config(), &root, "x").unwrap(),
        dir: world.dir,
    };
    // `$V` cannot tell, and its failure sends the message round by reprocess, once.
    let answers = world.route("tcp_intranet", "ada@example.com");
    assert_eq!(answers, ["reprocess ada@example.com"]);
    let source = Source {
        reprocessing: true,
        ..network("tcp_intranet")
    };
    let params = RcptParams::default();
    let question = Question {
        source: &source,
        sender: None,
        recipient: "ada@example.com",
        params: &params,
        size: None,
        given_sender: None,
        counts: (0, 0),
    };
    let refusal = world.enqueuer.resolve(&question, &mut Silent);
    assert!(refusal.unwrap_err().is_temporary());
}

#[test]
fn size_limits_are_told_at_rcpt() {
    let world = World::with(|config| {
        let small: Vec<_> = CHANNELS
            .iter()
            .map(|(name, host, words)| match *name {
                "ims-ms" => (*name, *host, "blocklimit 10 logging"),
                _ => (*name, *host, *words),
            })
            .collect();
        config.channels = channels(&small);
    });
    let params = MailParams {
        size: Some(20_000),
        ..MailParams::default()
    };
    let mut transaction = world.try_begin("tcp_local", "a@b.example", params).unwrap();
    let refusal = transaction
        .recipient("ada@example.com", &RcptParams::default())
        .unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "550 5.2.3 channel limit of 10 kilobytes on message size exceeded: ada@example.com"
    );
}

#[test]
fn size_over_the_limit_of_all_is_told_at_mail() {
    let world = World::with(|config| {
        config.mta.set(MtaOption::BlockLimit, Value::Integer(10));
    });
    let params = MailParams {
        size: Some(20_000),
        ..MailParams::default()
    };
    let refusal = world
        .try_begin("tcp_local", "a@b.example", params)
        .unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "552 5.3.4 a message size of 20 kilobytes exceeds the size limit of 10 kilobytes \
         computed for this transaction"
    );
}

#[test]
fn every_step_can_be_asked_for() {
    let world = World::new();
    let mut steps: Vec<Step> = Vec::new();
    let source = Source::internal(ChannelName::new("l").unwrap(), "");
    let params = RcptParams::default();
    let question = Question {
        source: &source,
        sender: None,
        recipient: "bob@example.com",
        params: &params,
        size: None,
        given_sender: None,
        counts: (0, 0),
    };
    world.enqueuer.resolve(&question, &mut steps).unwrap();
    let text: Vec<String> = steps.iter().map(ToString::to_string).collect();
    for line in [
        "Recipient address: bob@example.com",
        "Rewritten to bob@example.com, channel l (host mail.example.com)",
        "Alias lookup of bob@example.com in directory: uid=bob,o=example.com",
        "Delivery option mailbox: bob@ims-ms-daemon",
        "Delivery option forward: forwarding addresses",
        "Expands to bob@elsewhere.example",
        "Destination: bob@ims-ms-daemon on channel ims-ms",
    ] {
        assert!(text.iter().any(|step| step == line), "{line}\n{text:#?}");
    }
}

#[test]
fn accepted_all_the_same_goes_to_reprocess() {
    let world = World::with(|config: &mut Config| {
        let lenient: Vec<_> = CHANNELS
            .iter()
            .map(|(name, host, words)| match *name {
                "tcp_intranet" => (*name, *host, "acceptalladdresses logging"),
                _ => (*name, *host, *words),
            })
            .collect();
        config.channels = channels(&lenient);
    });
    let mut transaction = world.begin("tcp_intranet", "a@b.example");
    let accepted = transaction
        .recipient("nobody@example.com", &RcptParams::default())
        .unwrap();
    assert_eq!(accepted.destinations, 1);
    let mut writer = transaction.message().unwrap();
    writer.write(b"Subject: x\n\n");
    let enqueued = writer.finish().unwrap();
    assert_eq!(enqueued.files[0].channel.as_str(), "reprocess");
    let recipient = &enqueued.files[0].envelope.recipients[0];
    assert_eq!(
        recipient.address,
        Address::parse("nobody@example.com").unwrap()
    );
}

#[test]
fn what_is_set_aside_does_not_pass_the_conversion_channel() {
    let world = World::with(|config| {
        let mut all = CHANNELS.to_vec();
        all.push(("conversion", "conversion-daemon", "logging"));
        config.channels = channels(&all);
        let entries = [Entry::new("IN-CHAN=*;OUT-CHAN=*;CONVERT", "Yes")];
        config.mappings.insert("CONVERSIONS", &entries).unwrap();
    });
    let channel_of = |recipient: &str| {
        let resolution = world.enqueuer.resolve(
            &Question {
                source: &network("tcp_intranet"),
                sender: None,
                recipient,
                params: &RcptParams::default(),
                size: None,
                given_sender: None,
                counts: (0, 0),
            },
            &mut Silent,
        );
        resolution.unwrap().destinations[0].channel.to_string()
    };
    assert_eq!(channel_of("ada@example.com"), "conversion");
    assert_eq!(channel_of("x@elsewhere.example"), "conversion");
    assert_eq!(channel_of("held@example.com"), "hold");
}
