//! The example lines of the product's manual, letter for letter.

use super::*;
use jiff::Timestamp;
use mta_envelope::names::ChannelName;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    format!("{text}Z").parse().unwrap()
}

fn line(options: Options, record: &Record<'_>) -> String {
    let mut text = String::new();
    Layout::new(options, TimeZone::UTC, 0x7b3a).push(&mut text, record);
    text
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

#[test]
fn enqueued_from_the_internet_for_the_store() {
    let (source, destination) = (channel("tcp_local"), channel("ims-ms"));
    let record = MessageRecord {
        destination: Some(&destination),
        modifiers: Modifiers {
            esmtp: true,
            tls: true,
            ..Modifiers::default()
        },
        blocks: 3,
        sender: "ada@example.org",
        original: "rfc822;bob@example.com",
        current: "bob@ims-ms-daemon",
        ..MessageRecord::new(at("2026-11-23T09:14:02.31"), &source, Action::Enqueued)
    };
    assert_eq!(
        line(Options::default(), &Record::Message(record)),
        "23-Nov-2026 09:14:02.31 tcp_local    ims-ms       EES 3 ada@example.org \
         rfc822;bob@example.com bob@ims-ms-daemon\n"
    );
}

#[test]
fn a_dequeue_has_twelve_blanks_for_its_destination() {
    let source = channel("ims-ms");
    let record = MessageRecord {
        blocks: 3,
        sender: "ada@example.org",
        original: "rfc822;bob@example.com",
        current: "bob@ims-ms-daemon",
        ..MessageRecord::new(at("2026-11-23T09:14:02.58"), &source, Action::Dequeued)
    };
    assert_eq!(
        line(Options::default(), &Record::Message(record)),
        "23-Nov-2026 09:14:02.58 ims-ms                    D 3 ada@example.org \
         rfc822;bob@example.com bob@ims-ms-daemon\n"
    );
}

#[test]
fn submitted_with_authentication_and_its_optional_fields_in_order() {
    let (source, destination) = (channel("tcp_submit"), channel("tcp_local"));
    let record = MessageRecord {
        destination: Some(&destination),
        modifiers: Modifiers {
            esmtp: true,
            tls: true,
            auth: true,
            ..Modifiers::default()
        },
        blocks: 2,
        sender: "bob@example.com",
        original: "rfc822;eve@example.net",
        current: "eve@example.net",
        file: Some("/q/tcp_local/007/ZZh3k9Q0aTz_1.00"),
        message_id: Some("<0TOY00A0179N7A00@mail.example.com>"),
        source_system: "laptop (dyn-7.example.com [192.0.2.77])",
        ..MessageRecord::new(at("2026-11-23T09:20:11.07"), &source, Action::Enqueued)
    };
    let options = Options {
        filename: true,
        message_id: true,
        connection: 1,
        ..Options::default()
    };
    assert_eq!(
        line(options, &Record::Message(record)),
        "23-Nov-2026 09:20:11.07 tcp_submit   tcp_local    EESA 2 bob@example.com \
         rfc822;eve@example.net eve@example.net /q/tcp_local/007/ZZh3k9Q0aTz_1.00 \
         <0TOY00A0179N7A00@mail.example.com> laptop (dyn-7.example.com [192.0.2.77])\n"
    );
}

#[test]
fn a_refused_recipient_shows_the_reply() {
    let source = channel("tcp_local");
    let record = MessageRecord {
        modifiers: Modifiers {
            esmtp: true,
            ..Modifiers::default()
        },
        sender: "spam@example.biz",
        original: "rfc822;victim@example.info",
        current: "victim@example.info",
        diagnostic: Some("550 5.7.1 Relaying not allowed: victim@example.info"),
        ..MessageRecord::new(at("2026-11-23T11:15:30.42"), &source, Action::Rejected)
    };
    assert_eq!(
        line(Options::default(), &Record::Message(record)),
        "23-Nov-2026 11:15:30.42 tcp_local                 JE 0 spam@example.biz \
         rfc822;victim@example.info victim@example.info 550 5.7.1 Relaying not allowed: \
         victim@example.info\n"
    );
}

#[test]
fn delivered_by_the_client_with_the_remote_system_in_its_diagnostic() {
    let source = channel("tcp_local");
    let record = MessageRecord {
        modifiers: Modifiers {
            esmtp: true,
            tls: true,
            ..Modifiers::default()
        },
        blocks: 2,
        sender: "bob@example.com",
        original: "rfc822;eve@example.net",
        current: "eve@example.net",
        remote: Some(
            "mx.example.net dns;mx.example.net (TCP|192.0.2.10|40112|198.51.100.25|25) \
             (mx.example.net ESMTP ready)",
        ),
        diagnostic: Some("smtp;250 2.1.5 <eve@example.net>... Recipient ok"),
        ..MessageRecord::new(at("2026-11-23T09:20:12.44"), &source, Action::Dequeued)
    };
    assert_eq!(
        line(Options::default(), &Record::Message(record)),
        "23-Nov-2026 09:20:12.44 tcp_local                 DES 2 bob@example.com \
         rfc822;eve@example.net eve@example.net mx.example.net dns;mx.example.net \
         (TCP|192.0.2.10|40112|198.51.100.25|25) (mx.example.net ESMTP ready) \
         smtp;250 2.1.5 <eve@example.net>... Recipient ok\n"
    );
}

#[test]
fn empty_senders_in_the_three_formats() {
    let (source, destination) = (channel("process"), channel("ims-ms"));
    let record = Record::Message(MessageRecord {
        destination: Some(&destination),
        blocks: 4,
        original: "rfc822;bob@example.com",
        current: "bob@ims-ms-daemon",
        ..MessageRecord::new(at("2026-11-24T00:30:05.20"), &source, Action::Enqueued)
    });
    for (format, tail) in [
        (1, "E 4  rfc822;bob@example.com bob@ims-ms-daemon\n"),
        (2, "E 4 <> rfc822;bob@example.com bob@ims-ms-daemon\n"),
        (3, "E 4 0: 22:rfc822;bob@example.com 17:bob@ims-ms-daemon\n"),
    ] {
        let options = Options {
            format,
            ..Options::default()
        };
        assert_eq!(
            line(options, &record),
            format!("24-Nov-2026 00:30:05.20 process      ims-ms       {tail}")
        );
    }
}

#[test]
fn connections_open_and_close() {
    let channel = channel("tcp_local");
    let mut record = ConnectionRecord {
        time: at("2026-11-23T09:14:01.88"),
        thread: Some(4),
        channel: &channel,
        direction: Direction::Inbound,
        action: ConnectionAction::Opened,
        modifiers: Modifiers::default(),
        local: Some("192.0.2.10:25".parse().unwrap()),
        remote: Some("[::ffff:198.51.100.7]:51544".parse().unwrap()),
        application: "SMTP",
        user: None,
        diagnostic: None,
    };
    let options = Options {
        connection: 3,
        process: true,
        ..Options::default()
    };
    assert_eq!(
        line(options.clone(), &Record::Connection(record.clone())),
        "23-Nov-2026 09:14:01.88 7b3a.4.1 tcp_local    +            O \
         TCP|192.0.2.10|25|198.51.100.7|51544 SMTP\n"
    );
    record.action = ConnectionAction::Closed;
    record.application = "SMTP/bulk.example.biz";
    record.diagnostic = Some("Session disconnected: too many rejected recipients");
    assert_eq!(
        line(options, &Record::Connection(record.clone())),
        "23-Nov-2026 09:14:01.88 7b3a.4.1 tcp_local    +            C \
         TCP|192.0.2.10|25|198.51.100.7|51544 SMTP/bulk.example.biz Session disconnected: too \
         many rejected recipients\n"
    );
    assert_eq!(line(Options::default(), &Record::Connection(record)), "");
}

#[test]
fn nothing_from_outside_makes_a_second_line() {
    let source = channel("tcp_local");
    let evil = "a\r\n23-Nov-2026 00:00:00.00 tcp_local D 1 x";
    let record = Record::Message(MessageRecord {
        sender: evil,
        original: evil,
        current: evil,
        diagnostic: Some(evil),
        ..MessageRecord::new(at("2026-11-23T11:15:30.42"), &source, Action::Rejected)
    });
    let text = line(Options::default(), &record);
    assert_eq!(text.matches('\n').count(), 1);
    assert!(!text.contains('\r'));
}

#[test]
fn endless_fields_are_cut() {
    let source = channel("tcp_local");
    let long = "\u{1}".repeat(100_000);
    let record = Record::Message(MessageRecord {
        sender: &long,
        original: &long,
        current: &long,
        file: Some(&long),
        envelope_id: &long,
        message_id: Some(&long),
        user: &long,
        source_system: &long,
        diagnostic: Some(&long),
        ..MessageRecord::new(at("2026-11-23T11:15:30.42"), &source, Action::Rejected)
    });
    let options = Options {
        filename: true,
        envelope_id: true,
        message_id: true,
        username: true,
        connection: 0xff,
        ..Options::default()
    };
    assert!(line(options, &record).len() <= MAX_LINE);
}

proptest! {
    #[test]
    fn every_record_is_one_printable_line_that_fits(
        texts in proptest::collection::vec(any::<String>(), 9),
        format in 1_i64..4,
        connection in 0_i64..256,
    ) {
        let source = channel("tcp_local");
        let record = Record::Message(MessageRecord {
            sender: &texts[0],
            original: &texts[1],
            current: &texts[2],
            file: Some(&texts[3]),
            envelope_id: &texts[4],
            message_id: Some(&texts[5]),
            user: &texts[6],
            source_system: &texts[7],
            diagnostic: Some(&texts[8]),
            ..MessageRecord::new(at("2026-11-23T11:15:30.42"), &source, Action::Rejected)
        });
        let options = Options {
            format,
            connection,
            filename: true,
            envelope_id: true,
            message_id: true,
            username: true,
            ..Options::default()
        };
        let text = line(options, &record);
        prop_assert!(text.len() <= MAX_LINE);
        let body = text.strip_suffix('\n').unwrap();
        prop_assert!(!body.chars().any(char::is_control));
    }
}

#[test]
fn probes_of_log_action_have_the_fields_that_are_on_in_the_order_of_the_log() {
    let (source, destination) = (channel("tcp_local"), channel("ims-ms"));
    let record = MessageRecord {
        destination: Some(&destination),
        modifiers: Modifiers {
            esmtp: true,
            ..Modifiers::default()
        },
        blocks: 3,
        sender: "ada@example.org",
        original: "rfc822;bob@example.com",
        current: "bob@ims-ms-daemon",
        file: Some("/q/ZZ.00"),
        envelope_id: "0T@x",
        message_id: Some("<m@x>"),
        reason: Some("not\nhere"),
        diagnostic: Some("550 no"),
        transport: Some("TCP|a|25|b|1"),
        queue_time: Some(7),
        ..MessageRecord::new(at("2026-11-23T09:14:02.31"), &source, Action::Enqueued)
    };
    let always = "tcp_local|ims-ms|EE|3|ada@example.org|rfc822;bob@example.com|bob@ims-ms-daemon|";
    let none = Options::default();
    assert_eq!(action_probe(&record, &none), always);
    let some = Options {
        message_id: true,
        filename: true,
        ..Options::default()
    };
    let probe = format!("{always}/q/ZZ.00|<m@x>|");
    assert_eq!(action_probe(&record, &some), probe);
    let all = Options {
        notary: true,
        connection: 1 | 32 | 64,
        priority: true,
        username: true,
        envelope_id: true,
        queue_time: true,
        in_probes: InProbes {
            reason: true,
            diagnostics: true,
            remote_mta: true,
        },
        ..some
    };
    let probe = format!("{always}0|/q/ZZ.00|0T@x|<m@x>|||3|nothere|550 no||TCP|a|25|b|1||7|");
    assert_eq!(action_probe(&record, &all), probe);
    let bits = |value: i64| {
        let mut config = mta_config::MtaOptions::default();
        config.set(
            MtaOption::LogReason,
            mta_config::value::Value::Integer(value),
        );
        config.int(MtaOption::LogReason) & 2 != 0
    };
    assert!(bits(2) && bits(3) && !bits(1));
}
