//! Printing and reading heads.

use super::*;
use proptest::prelude::*;

fn envelope() -> Envelope {
    Envelope {
        id: "0TOY00B049408X00@mail.example.com".into(),
        sender: Some(Address::parse("miranda@example.com").unwrap()),
        ret: Some(Ret::Headers),
        source_channel: ChannelName::new("tcp_local").unwrap(),
        source_system: "there (there.example [127.0.0.1])".into(),
        user: "mailsrv".into(),
        authenticated: None,
        arrived: 1_790_000_000,
        priority: Priority::Normal,
        message_id: Some("<a@b>".into()),
        size: 42,
        deferred_until: None,
        recipients: vec![Recipient::new(
            Address::parse("prospero@island.example").unwrap(),
        )],
    }
}

fn head(envelope: Envelope) -> Head {
    Head::new("aBcDeFgHiJk".into(), envelope, name::boundary().unwrap())
}

#[test]
fn layout_is_the_documented_one() {
    let mut head = head(envelope());
    head.boundary = "Boundary_(ID_bNmDRTvfQNkeUUBbOugFTQ)".into();
    head.envelope.recipients[0].original = Some(("rfc822".into(), "prospero@example.com".into()));
    let text = String::from_utf8(head.print().unwrap()).unwrap();
    assert_eq!(
        text,
        "v;1 aBcDeFgHiJk\nu;mailsrv\nc;tcp_local\ns;there (there.example [127.0.0.1])\n\
         i;0TOY00B049408X00@mail.example.com\nh;<a@b>\nt;1790000000\np;1\nr;HDRS\n\
         q;000000000042\nm;miranda@example.com\n\
         j;rfc822\nf;prospero@example.com\nn;12\nprospero@island.example\n\
         Boundary_(ID_bNmDRTvfQNkeUUBbOugFTQ)\n"
    );
}

#[test]
fn unknown_records_are_kept() {
    let mut head = head(envelope());
    head.others = vec!["y;track 3600".into(), "z;later".into()];
    head.recipient_others[0] = vec!["b;what".into()];
    let printed = head.print().unwrap();
    assert_eq!(Head::parse(&printed).unwrap(), head);
}

#[test]
fn an_address_can_neither_be_a_record_nor_end_the_envelope() {
    for hostile in ["m;x@y", "Boundary_(ID_bNmDRTvfQNkeUUBbOugFTQ)", "z;"] {
        let mut envelope = envelope();
        let address = Address::parse(hostile).unwrap();
        envelope.recipients.insert(0, Recipient::new(address));
        let head = head(envelope);
        let printed = head.print().unwrap();
        assert_eq!(find_end(&printed, 0), Ok(printed.len()), "{hostile}");
        assert_eq!(Head::parse(&printed).unwrap(), head, "{hostile}");
    }
}

#[test]
fn values_cannot_bring_records_along() {
    let mut with_id = envelope();
    with_id.id = "x\nm;other@example.com".into();
    assert_eq!(head(with_id).print(), Err('i'));
    let mut with_original = envelope();
    with_original.recipients[0].original = Some(("rfc822".into(), "a\0b".into()));
    assert_eq!(head(with_original).print(), Err('f'));
    let mut with_helo = envelope();
    with_helo.source_system = "evil\nm;x@y".into();
    let parsed = Head::parse(&head(with_helo).print().unwrap()).unwrap();
    assert_eq!(parsed.envelope.source_system, "evil?m;x@y");
}

#[test]
fn damaged_heads_are_refused_with_their_line() {
    let good = String::from_utf8(head(envelope()).print().unwrap()).unwrap();
    let table = [
        (
            good.replace("v;1 ", "v;2 "),
            "format version 2 is not known",
        ),
        (
            good.replace("v;1 aBcDeFgHiJk\n", ""),
            "line 1: no v; record at the start",
        ),
        (good.replace("t;1790000000", "t;x"), "line 7: not a number"),
        (
            good.replace("c;tcp_local", "c;../x"),
            "line 3: illegal channel name",
        ),
        (
            good.replace("prospero@island.example\n", ""),
            "line 13: records of a recipient without the recipient",
        ),
        (
            good.replace("n;12\nprospero@island.example\n", ""),
            "line 12: no recipient",
        ),
        (
            good.replace("Boundary", "boundary"),
            "the envelope has no end",
        ),
        (String::new(), "the envelope has no end"),
        (good[..good.len() - 4].to_owned(), "the envelope has no end"),
    ];
    for (text, expected) in table {
        let fault = Head::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(fault, expected, "{text}");
    }
}

#[test]
fn holdfor_counts_from_the_arrival() {
    assert_eq!(until("HOLDFOR=60", 100), Ok(160));
    assert_eq!(until("1790000000", 100), Ok(1_790_000_000));
}

fn word() -> impl Strategy<Value = String> {
    "[ -~]{0,40}"
}

fn address() -> impl Strategy<Value = Address> {
    "[a-zA-Z0-9;!#$%&'*+=?^_`{|}~.-]{1,30}(@[a-z0-9.-]{1,30})?"
        .prop_filter_map("an address", |text| Address::parse(&text).ok())
}

fn pending() -> impl Strategy<Value = Pending> {
    prop_oneof![
        Just(Pending::Anew),
        Just(Pending::Later),
        Just(Pending::Checked),
        (400_u16..600, 4_u8..6, 0_u16..1000, "[ -~ö]{0,40}").prop_map(
            |(code, class, detail, text)| Pending::Refused {
                code,
                status: Status::new(class, 7, detail),
                text,
            }
        ),
    ]
}

prop_compose! {
    fn recipients()(
        address in address(),
        original in proptest::option::of(("[a-z0-9-]{1,10}", "[ -~äö]{0,60}")),
        notify in 0_u8..32,
        tags in proptest::collection::vec("[a-z0-9]{1,8}", 0..3),
        store_options in proptest::option::of("[ -~]{0,30}"),
        host in proptest::option::of("[a-z0-9.]{0,20}"),
        pending in proptest::option::of(pending()),
    ) -> Recipient {
        Recipient { address, original, notify: Notify(notify), tags, store_options, host, pending }
    }
}

prop_compose! {
    fn envelopes()(
        id in word(),
        sender in proptest::option::of(address()),
        ret in proptest::sample::select(vec![None, Some(Ret::Full), Some(Ret::Headers)]),
        source_system in word(),
        user in word(),
        authenticated in proptest::option::of(word()),
        arrived in any::<u64>(),
        priority in proptest::sample::select(&Priority::ALL),
        message_id in proptest::option::of("<[!-~]{1,60}>"),
        size in 0_u64..1_000_000_000_000,
        deferred_until in proptest::option::of(any::<u64>()),
        recipients in proptest::collection::vec(recipients(), 1..6),
    ) -> Envelope {
        Envelope {
            id, sender, ret, source_system, user, authenticated, arrived, priority,
            message_id, size, deferred_until, recipients,
            source_channel: ChannelName::new("tcp_local").unwrap(),
        }
    }
}

proptest! {
    #[test]
    fn print_then_parse_is_identity(envelope in envelopes()) {
        let head = head(envelope);
        let printed = head.print().unwrap();
        prop_assert_eq!(find_end(&printed, 0), Ok(printed.len()));
        prop_assert_eq!(Head::parse(&printed).unwrap(), head);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        // Whatever comes out is fine, as long as it comes out.
        drop(Head::parse(&bytes));
        prop_assert!(find_end(&bytes, 0).is_err() || bytes.len() > 30);
    }
}
