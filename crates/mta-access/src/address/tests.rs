//! Probes and answers: the examples of the reference, and as many by hand.

use super::*;
use mta_config::value::Value;
use mta_mapping::{Entry, NoCallouts, Silent};

/// One table with these entries.
fn tables(table: AccessTable, entries: &[(&str, &str)]) -> Tables {
    let mut tables = Tables::default();
    let entries: Vec<Entry<'_>> = entries.iter().map(|(p, t)| Entry::new(p, t)).collect();
    tables.insert(table.name(), &entries).unwrap();
    tables
}

const PROBE: AddressProbe<'_> = AddressProbe {
    port_info: "TCP|192.0.2.1|25|198.51.100.7|40123",
    app_info: "SMTP/client.example.org",
    source_channel: "tcp_local",
    from: "joe@example.org",
    given_from: "",
    canonical_from: "",
    auth_from: "",
    destination_channel: "ims-ms",
    to: "jane@example.com",
    orcpt: "rfc822;Jane@example.com",
    counts: (2, 5),
    sasl: false,
    tls: false,
    esmtp: true,
    lmtp: false,
    receipts: (false, false, false),
};

fn with(options: &[(MtaOption, i64)]) -> MtaOptions {
    let mut mta = MtaOptions::default();
    for (option, value) in options {
        mta.set(*option, Value::Integer(*value));
    }
    mta
}

/// What a table of one entry for everything decides.
fn decide(table: AccessTable, template: &str) -> AccessDecision {
    let tables = tables(table, &[("*", template)]);
    let mta = MtaOptions::default();
    ask_tables(&mta, &tables, table, &PROBE, &NoCallouts, &mut Silent)
}

fn refused(template: &str) -> (String, String) {
    let refusal = decide(AccessTable::OrigSend, template).refused.unwrap();
    (refusal.status.to_string(), refusal.text)
}

fn pair(status: &str, text: &str) -> (String, String) {
    (status.to_owned(), text.to_owned())
}

#[test]
fn the_form_of_the_envelope_from_follows_the_options() {
    use MtaOption::{AccessAuth, UseAuthReturn, UseCanonicalReturn, UseOrigReturn};
    let known = AddressProbe {
        given_from: "joe",
        canonical_from: "Joe.Doe@example.org",
        auth_from: "jd@example.org",
        ..PROBE
    };
    let send = |from: &str| format!("tcp_local|{from}|ims-ms|jane@example.com");
    for (options, expected) in [
        (&[(UseOrigReturn, 1)][..], send("joe")),
        (&[(UseCanonicalReturn, 4)], send("Joe.Doe@example.org")),
        (&[(UseAuthReturn, 1)], send("jd@example.org")),
        (&[(UseAuthReturn, 2)], send("joe@example.org")),
        (
            &[(UseOrigReturn, 1), (UseAuthReturn, 1)],
            send("jd@example.org"),
        ),
        (
            &[(AccessAuth, 1)],
            send("joe@example.org") + "|jd@example.org",
        ),
    ] {
        let text = probe_text(&with(options), AccessTable::Send, &known);
        assert_eq!(text, expected, "{options:?}");
    }
    let from = probe_text(&with(&[(UseOrigReturn, 32)]), AccessTable::From, &known);
    assert!(from.ends_with("|tcp_local|joe|jd@example.org"), "{from}");
    // Who is not known by another name keeps his own.
    let all = with(&[
        (UseOrigReturn, 1),
        (UseAuthReturn, 1),
        (UseCanonicalReturn, 1),
    ]);
    let text = probe_text(&all, AccessTable::Send, &PROBE);
    assert_eq!(text, send("joe@example.org"));
}

#[test]
fn probes_have_their_documented_fields() {
    let none = MtaOptions::default();
    for (table, expected) in [
        (
            AccessTable::From,
            "TCP|192.0.2.1|25|198.51.100.7|40123|SMTP/client.example.org|MAIL|tcp_local|joe@example.org|",
        ),
        (
            AccessTable::OrigSend,
            "tcp_local|joe@example.org|ims-ms|jane@example.com",
        ),
        (
            AccessTable::Send,
            "tcp_local|joe@example.org|ims-ms|jane@example.com",
        ),
        (
            AccessTable::Mail,
            "TCP|192.0.2.1|25|198.51.100.7|40123|SMTP/client.example.org|MAIL|tcp_local|joe@example.org|ims-ms|jane@example.com",
        ),
    ] {
        assert_eq!(probe_text(&none, table, &PROBE), expected);
    }
    let local = AddressProbe {
        port_info: "",
        app_info: "",
        source_channel: "l",
        from: "",
        auth_from: "ada@example.com",
        ..PROBE
    };
    assert_eq!(
        probe_text(&none, AccessTable::OrigMail, &local),
        "||MAIL|l||ims-ms|jane@example.com"
    );
    assert_eq!(
        probe_text(&none, AccessTable::From, &local),
        "||MAIL|l||ada@example.com"
    );
}

#[test]
fn options_append_fields_and_quote_bars() {
    let bar = AddressProbe {
        from: "a|b@example.org",
        to: "c|d@example.com",
        ..PROBE
    };
    for (options, table, expected) in [
        (
            &[(MtaOption::AccessCounts, 2)][..],
            AccessTable::OrigSend,
            "tcp_local|a|b@example.org|ims-ms|c|d@example.com|2/5/",
        ),
        (
            &[(MtaOption::AccessCounts, 2)],
            AccessTable::Send,
            "tcp_local|a|b@example.org|ims-ms|c|d@example.com",
        ),
        (
            &[(MtaOption::AccessCounts, 1), (MtaOption::AccessOrcpt, 4)],
            AccessTable::Send,
            "tcp_local|a|b@example.org|ims-ms|c|d@example.com|rfc822;Jane@example.com|2/5/",
        ),
        (
            &[(MtaOption::MappingParanoia, 95)],
            AccessTable::Send,
            "tcp_local|a_b@example.org|ims-ms|c_d@example.com",
        ),
    ] {
        assert_eq!(probe_text(&with(options), table, &bar), expected);
    }
}

#[test]
fn refusals_of_the_reference() {
    for (template, expected) in [
        (
            "$X4.2.1|$NHost$ temporarily$ blocked",
            pair("4.2.1", "Host temporarily blocked"),
        ),
        (
            "$NRelaying$ not$ allowed",
            pair("5.7.1", "Relaying not allowed"),
        ),
        (
            "$FRelaying$ not$ allowed",
            pair("5.7.1", "Relaying not allowed"),
        ),
        ("$N", pair("5.7.1", "unknown host or domain")),
        ("$X4.7.1|$NTry$ later", pair("4.7.1", "Try later")),
        ("$Nno$X5.1.1", pair("5.7.1", "unknown host or domain")),
        ("$N$X5.1.1|no", pair("5.1.1", "no")),
        ("$N$X2.0.0|no", pair("5.7.1", "no")),
        ("$N$F$X5.1.1|no|yes", pair("5.1.1", "no|yes")),
    ] {
        assert_eq!(refused(template), expected, "{template}");
    }
}

#[test]
fn order_of_flags_in_the_template_does_not_matter() {
    for template in [
        "$N$D30|Relaying$ not$ allowed",
        "30|Relaying$ not$ allowed$D$N",
        "$N30|Relaying$ not$ allowed$D",
    ] {
        let decision = decide(AccessTable::Mail, template);
        assert_eq!(decision.delay, Some(30), "{template}");
        assert_eq!(decision.refused.unwrap().text, "Relaying not allowed");
    }
}

#[test]
fn a_refusal_without_text_has_the_text_of_the_option() {
    let tables = tables(AccessTable::Send, &[("*", "$N")]);
    let mta = with(&[(MtaOption::AccessErrors, 1)]);
    let decision = ask_tables(
        &mta,
        &tables,
        AccessTable::Send,
        &PROBE,
        &NoCallouts,
        &mut Silent,
    );
    assert_eq!(
        decision.refused.unwrap().text,
        "you are not allowed to use this address"
    );
}

#[test]
fn flags_without_argument_decide() {
    let allowed = decide(AccessTable::Send, "$Y");
    assert_eq!(
        allowed,
        AccessDecision {
            matched: true,
            ..AccessDecision::default()
        }
    );
    assert!(decide(AccessTable::Send, "$H").hold);
    assert_eq!(
        decide(AccessTable::Send, "$B").discard,
        Some(Discard::Recipient)
    );
    for template in ["$V", "$Z", "$B$Z"] {
        assert_eq!(
            decide(AccessTable::Send, template).discard,
            Some(Discard::Everybody)
        );
    }
    assert!(decide(AccessTable::From, "$!").no_vacation);
    assert!(!decide(AccessTable::Mail, "$!").no_vacation);
}

#[test]
fn every_argument_finds_its_flag() {
    let fields = "7|new@example.org|sender@example.org|ada|staff|seen|refused|-20|pre|X-A:$ b|t1|9,2|5.1.1|+3|text|more";
    let decision = decide(
        AccessTable::From,
        &format!("{fields}$N$,$X$S$G$A$T$D$>$<$I$K$J$U"),
    );
    let refusal = AccessRefusal {
        status: Status::UNKNOWN_USER,
        text: "text|more".to_owned(),
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        decision,
        AccessDecision {
            refused: Some(refusal),
            discard: None,
            hold: false,
            no_vacation: false,
            debug: Some(7),
            new_from: some("new@example.org"),
            new_sender: some("sender@example.org"),
            group: some("ada|staff"),
            syslog: vec!["seen".to_owned(), "refused".to_owned()],
            delay: Some(-20),
            header: some("X-A: b"),
            tags: some("t1"),
            limits: some("9,2"),
            spam_adjust: some("+3"),
            matched: true,
        }
    );
    // J and K are no argument flags where recipients are checked, and > only counts if refused.
    let decision = decide(AccessTable::Mail, "seen|later|5$J$K$<$>$D$Y");
    assert_eq!(decision.syslog, ["seen"]);
    assert_eq!(decision.delay, Some(5));
    assert_eq!(decision.new_from, None);
}

#[test]
fn input_flags_tell_how_the_mail_came() {
    let entries = &[
        ("*", "$C$:A$:TA$ and$ T$Y$E"),
        ("*", "$C$:E$:SE$ and$ S$Y$E"),
        ("*", "$N"),
    ];
    let ask = |table, probe: &AddressProbe<'_>| {
        let mta = MtaOptions::default();
        mapped(
            &mta,
            &tables(table, entries),
            table,
            probe,
            &NoCallouts,
            &mut Silent,
        )
        .output
    };
    let secure = AddressProbe {
        sasl: true,
        tls: true,
        ..PROBE
    };
    let receipts = AddressProbe {
        receipts: (true, false, false),
        ..PROBE
    };
    assert_eq!(ask(AccessTable::From, &secure), "A and T");
    assert_eq!(ask(AccessTable::Mail, &receipts), "E and S");
    assert_eq!(ask(AccessTable::From, &receipts), "");
    assert_eq!(ask(AccessTable::Mail, &PROBE), "");
}

#[test]
fn what_is_too_long_for_a_mapping_is_refused() {
    let sender = format!("{}@example.org", "a".repeat(1000));
    let probe = AddressProbe {
        from: &sender,
        ..PROBE
    };
    let mta = MtaOptions::default();
    for table in [
        AccessTable::From,
        AccessTable::OrigSend,
        AccessTable::OrigMail,
        AccessTable::Send,
        AccessTable::Mail,
    ] {
        let ask = |tables: &Tables, probe: &AddressProbe<'_>| {
            ask_tables(&mta, tables, table, probe, &NoCallouts, &mut Silent)
        };
        let refusal = ask(&tables(table, &[("*|nobody", "$Y")]), &probe).refused;
        let refusal = refusal.unwrap();
        assert_eq!(refusal.status, Status::new(5, 7, 1), "{}", table.name());
        assert_eq!(refusal.text, TOO_LONG);
        let cut = tables(table, &[("*", &("$0".repeat(200) + "$Y"))]);
        assert!(ask(&cut, &PROBE).refused.is_some(), "{}", table.name());
        // Where nobody asks, nobody needs to read it.
        assert_eq!(ask(&Tables::default(), &probe), AccessDecision::default());
    }
}

#[test]
fn generated_relay_blocking_holds() {
    let tables = tables(
        AccessTable::OrigSend,
        &[
            ("tcp_local|*|native|*", "$N"),
            ("tcp_local|*|hold|*", "$N"),
            ("tcp_local|*|pipe|*", "$N"),
            ("tcp_local|*|ims-ms|*", "$N"),
            ("tcp_local|*|tcp_local|*", "$NRelaying$ not$ allowed"),
        ],
    );
    let mta = MtaOptions::default();
    let ask = |source: &'static str, destination: &'static str| {
        let probe = AddressProbe {
            source_channel: source,
            destination_channel: destination,
            ..PROBE
        };
        let table = AccessTable::OrigSend;
        ask_tables(&mta, &tables, table, &probe, &NoCallouts, &mut Silent)
            .refused
            .map(|refusal| refusal.text)
    };
    assert_eq!(
        ask("tcp_local", "tcp_local").as_deref(),
        Some("Relaying not allowed")
    );
    assert_eq!(
        ask("tcp_local", "ims-ms").as_deref(),
        Some("unknown host or domain")
    );
    assert_eq!(ask("tcp_local", "l"), None);
    assert_eq!(ask("tcp_intranet", "tcp_local"), None);
    assert_eq!(ask("tcp_auth", "tcp_local"), None);
}
