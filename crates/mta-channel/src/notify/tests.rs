use super::*;
use mta_envelope::envelope::{Priority, Recipient};
use mta_envelope::names::ChannelName;
use mta_envelope::status::{Report, Status};

const FAILURE: u8 = Notify::FAILURE;
const SUCCESS: u8 = Notify::SUCCESS;
const DELAY: u8 = Notify::DELAY;

fn envelope(sender: &str, notify: &[u8]) -> Envelope {
    let recipients = notify.iter().enumerate().map(|(at, bits)| Recipient {
        notify: Notify(*bits),
        ..Recipient::new(Address::parse(&format!("r{at}@example.net")).unwrap())
    });
    Envelope {
        id: "ID@mail.example.com".into(),
        sender: Address::parse(sender).ok(),
        ret: None,
        source_channel: ChannelName::new("tcp_local").unwrap(),
        source_system: String::new(),
        user: String::new(),
        authenticated: None,
        arrived: 1_790_000_000,
        priority: Priority::Normal,
        message_id: None,
        size: 5_000,
        deferred_until: None,
        recipients: recipients.collect(),
    }
}

fn policy(failures: Copies) -> Policy {
    Policy {
        failures,
        warnings: failures,
        copies_head_only: true,
        return_limit: None,
        lines_to_return: 20,
        include_final: true,
        postmaster: Address::parse("postmaster@mail.example.com").unwrap(),
        personal: "Internet Mail Delivery".into(),
    }
}

fn failed() -> Outcome {
    Outcome::Failed(Report::local(Status::UNKNOWN_USER, "no such user"))
}

fn delivered() -> Outcome {
    Outcome::Delivered(Report::local(Status::OK, ""))
}

fn relayed(dsn: bool) -> Outcome {
    Outcome::Relayed {
        report: Report::local(Status::OK, ""),
        dsn,
    }
}

/// `S` or `P` for the addressee, the kind's word, and the recipients.
fn shown(notices: &[Notice]) -> String {
    let words: Vec<String> = notices
        .iter()
        .map(|notice| {
            let to = match notice.to {
                Addressee::Sender => 'S',
                Addressee::Postmaster => 'P',
            };
            format!("{to}:{}{:?}", notice.kind.word(), notice.recipients)
        })
        .collect();
    words.join(" ")
}

#[test]
fn failures_are_reported_as_notify_asks() {
    let table = [
        ("a@b", FAILURE, Copies::Never, "S:failed[0]"),
        (
            "a@b",
            FAILURE,
            Copies::UnlessNull,
            "S:failed[0] P:failed[0]",
        ),
        ("a@b", FAILURE, Copies::Always, "S:failed[0] P:failed[0]"),
        ("a@b", FAILURE, Copies::WhenUntold, "S:failed[0]"),
        ("a@b", Notify::NEVER, Copies::UnlessNull, ""),
        ("a@b", Notify::NEVER | FAILURE, Copies::UnlessNull, ""),
        ("a@b", Notify::NEVER, Copies::Always, "P:failed[0]"),
        ("a@b", SUCCESS, Copies::UnlessNull, ""),
        ("", FAILURE, Copies::UnlessNull, ""),
        ("", FAILURE, Copies::Never, ""),
        ("", FAILURE, Copies::WhenUntold, "P:failed[0]"),
        ("", FAILURE, Copies::Always, "P:failed[0]"),
    ];
    for (sender, notify, copies, wanted) in table {
        let envelope = envelope(sender, &[notify]);
        let notices = due(&envelope, &[failed()], Kind::Failed, &policy(copies));
        assert_eq!(shown(&notices), wanted, "{sender:?} {notify} {copies:?}");
    }
}

#[test]
fn each_outcome_has_its_own_notice() {
    let all = FAILURE | SUCCESS | DELAY;
    let envelope = envelope("a@b", &[all, all, all, all, all, all, SUCCESS]);
    let outcomes = [
        delivered(),
        relayed(true),
        relayed(false),
        Outcome::Requeued,
        Outcome::Deferred(Report::local(Status::new(4, 2, 2), "full")),
        failed(),
        failed(),
    ];
    let notices = due(&envelope, &outcomes, Kind::Failed, &policy(Copies::Never));
    assert_eq!(shown(&notices), "S:failed[5] S:delivered[0] S:forwarded[2]");
}

#[test]
fn success_is_not_reported_to_anybody_who_did_not_ask() {
    let envelope = envelope("a@b", &[FAILURE | DELAY]);
    let notices = due(
        &envelope,
        &[delivered()],
        Kind::Failed,
        &policy(Copies::Always),
    );
    assert_eq!(shown(&notices), "");
}

#[test]
fn warnings_need_the_delay_bit_and_a_sender() {
    let mut policy = policy(Copies::Never);
    policy.warnings = Copies::UnlessNull;
    let table = [
        ("a@b", FAILURE | DELAY, "S:delayed[0] P:delayed[0]"),
        ("a@b", FAILURE, ""),
        ("", FAILURE | DELAY, ""),
    ];
    for (sender, notify, wanted) in table {
        let notices = warnings(&envelope(sender, &[notify]), &policy);
        assert_eq!(shown(&notices), wanted);
    }
}

#[test]
fn a_return_by_hand_always_reaches_somebody() {
    let notices = due(
        &envelope("", &[FAILURE]),
        &[failed()],
        Kind::Bounced,
        &policy(Copies::Never),
    );
    assert_eq!(shown(&notices), "P:bounced[0]");
}

#[test]
fn the_postmaster_gets_no_notice_about_a_notice_to_the_postmaster() {
    let mut envelope = envelope("", &[FAILURE]);
    envelope.recipients[0].address = Address::parse("postmaster@MAIL.example.com").unwrap();
    let notices = due(
        &envelope,
        &[failed()],
        Kind::Failed,
        &policy(Copies::Always),
    );
    assert_eq!(shown(&notices), "");
}

#[test]
fn how_much_goes_back() {
    let full = envelope("a@b", &[FAILURE]);
    let mut headers = full.clone();
    headers.ret = Some(Ret::Headers);
    let mut limited = policy(Copies::UnlessNull);
    limited.return_limit = Some(4_999);
    let mut with_body = policy(Copies::UnlessNull);
    with_body.copies_head_only = false;
    let plain = policy(Copies::UnlessNull);
    let table = [
        (&full, &plain, Portion::Whole, Portion::Header),
        (&full, &with_body, Portion::Whole, Portion::Whole),
        (&full, &limited, Portion::Header, Portion::Header),
        (&headers, &plain, Portion::Header, Portion::Header),
        (&headers, &with_body, Portion::Header, Portion::Whole),
    ];
    for (envelope, policy, sender, postmaster) in table {
        let notices = due(envelope, &[failed()], Kind::TimedOut, policy);
        let portions: Vec<Portion> = notices.iter().map(|notice| notice.portion).collect();
        assert_eq!(portions, [sender, postmaster]);
    }
}

#[test]
fn an_unreachable_sender_is_replaced_only_when_the_options_say_so() {
    let envelope = envelope("a@b", &[FAILURE]);
    for (copies, replaced) in [
        (Copies::WhenUntold, true),
        (Copies::UnlessNull, false),
        (Copies::Never, false),
    ] {
        let policy = policy(copies);
        let notices = due(&envelope, &[failed()], Kind::Failed, &policy);
        let instead = instead_of(&notices[0], &policy);
        assert_eq!(instead.is_some(), replaced, "{copies:?}");
        if let Some(instead) = instead {
            assert_eq!(instead.to, Addressee::Postmaster);
            assert_eq!(instead_of(&instead, &policy), None);
        }
    }
}
