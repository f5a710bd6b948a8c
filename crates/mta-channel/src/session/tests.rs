//! Sessions as scripts of commands and the answers they deserve.

use super::*;
use mta_config::channel::{ChannelBuilder, Defaults};
use mta_config::value::{Kind, Value};
use mta_envelope::names::ChannelName;

fn channel(words: &str, options: &[(&str, &str)]) -> Channel {
    let name = ChannelName::new("tcp_local").unwrap();
    let mut builder = ChannelBuilder::new(name, &Defaults::default());
    builder.official_host("tcp-daemon");
    let mut words = words.split_whitespace();
    while let Some(word) = words.next() {
        let option = ChannelOption::by_name(word).unwrap();
        let value = match option.row().kind {
            Kind::Flag => Value::Present,
            kind => kind.read(words.next().unwrap()).unwrap(),
        };
        builder.set(option, value);
    }
    for (name, value) in options {
        builder.option(name, value);
    }
    builder.finish(None)
}

fn counts(channel: &Channel) -> Counts {
    let config = crate::enqueue::test_config();
    Counts::new(Limits::new(&config, channel, channel))
}

fn text(result: Result<(), Refusal>) -> String {
    result.map_or_else(|refusal| refusal.to_string(), |()| "ok".to_owned())
}

#[test]
fn the_129th_recipient_is_one_too_many() {
    let mut counts = counts(&channel("", &[]));
    counts.begin();
    for _ in 0..128 {
        assert_eq!(text(counts.recipient()), "ok");
        counts.recipient_accepted();
    }
    assert_eq!(
        text(counts.recipient()),
        "452 4.5.3 Too many recipients specified"
    );
    assert_eq!(text(counts.data()), "ok");
    counts.begin();
    assert_eq!(text(counts.recipient()), "ok");
}

#[test]
fn verified_addresses_count_but_are_no_recipients() {
    let channel = channel(
        "recipientcutoff 2",
        &[
            ("ALLOW_RECIPIENTS_PER_TRANSACTION", "4"),
            ("ALLOW_REJECTIONS_BEFORE_DEFERRAL", "3"),
        ],
    );
    let mut counts = counts(&channel);
    counts.begin();
    for _ in 0..3 {
        assert_eq!(text(counts.verify()), "ok");
    }
    assert_eq!(text(counts.recipient()), "ok");
    counts.recipient_accepted();
    for asked in [counts.verify(), counts.recipient()] {
        assert_eq!(text(asked), "452 4.5.3 Too many recipients specified");
    }
    assert_eq!(text(counts.data()), "ok");
    counts.begin();
    for _ in 0..3 {
        assert_eq!(text(counts.verify()), "ok");
        counts.recipient_refused();
    }
    assert!(text(counts.verify()).starts_with("452 4.2.1 Too many rejected"));
}

#[test]
fn authentication_and_tls_come_before_mail() {
    let must = channel("mustsaslserver musttlsserver", &[]);
    let mut counts = counts(&must);
    let mut security = Security::default();
    assert_eq!(
        text(counts.mail(&must, security)),
        "530 5.7.0 Must issue a STARTTLS command first"
    );
    security.tls = true;
    assert_eq!(
        text(counts.mail(&must, security)),
        "530 5.7.0 No AUTH command has been given."
    );
    security.authenticated = true;
    assert_eq!(text(counts.mail(&must, security)), "ok");
}

#[test]
fn too_many_offered_recipients_refuse_the_message() {
    let strict = channel("recipientcutoff 2", &[]);
    let mut counts = counts(&strict);
    counts.begin();
    for _ in 0..3 {
        assert_eq!(text(counts.recipient()), "ok");
        counts.recipient_refused();
    }
    assert_eq!(
        text(counts.data()),
        "451 4.4.5 Error ending envelope - Too many recipients specified"
    );
}

#[test]
fn transactions_end_at_their_limits() {
    let few = channel("", &[("ALLOW_TRANSACTIONS_PER_SESSION", "1")]);
    let mut of_option = counts(&few);
    assert_eq!(text(of_option.mail(&few, Security::default())), "ok");
    of_option.begin();
    assert_eq!(
        text(of_option.mail(&few, Security::default())),
        "451 4.5.3 No more transactions allowed"
    );
    let few = channel("transactionlimit 1", &[]);
    let mut of_word = counts(&few);
    of_word.begin();
    assert_eq!(
        text(of_word.mail(&few, Security::default())),
        "450 4.5.3 number of transactions exceeds allowed maximum"
    );
    let at_rcpt = channel(
        "",
        &[
            ("ALLOW_TRANSACTIONS_PER_SESSION", "1"),
            ("TRANSACTION_LIMIT_RCPT_TO", "1"),
        ],
    );
    let mut later = counts(&at_rcpt);
    later.begin();
    assert_eq!(text(later.recipient()), "ok");
    assert_eq!(text(later.mail(&at_rcpt, Security::default())), "ok");
    later.begin();
    assert_eq!(
        text(later.recipient()),
        "451 4.5.3 No more transactions allowed"
    );
}

#[test]
fn sessions_end_at_their_disconnect_limits() {
    let strict = channel("disconnectrejectlimit 1 disconnectbadcommandlimit 1", &[]);
    let mut counts = counts(&strict);
    counts.begin();
    counts.recipient_refused();
    assert_eq!(text(counts.rset()), "ok");
    counts.recipient_refused();
    let refusal = counts.rset().unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "450 4.7.0 Session rejection limit reached; disconnecting"
    );
    assert!(refusal.close);
    assert_eq!(counts.bad_command(), None);
    assert!(counts.bad_command().is_some_and(|refusal| refusal.close));
    assert_eq!(
        [counts.bad_auth(), counts.bad_auth(), counts.bad_auth()],
        [false, false, true]
    );
}

#[test]
fn rejections_put_the_others_off() {
    let strict = channel("deferralrejectlimit 1", &[]);
    let mut counts = counts(&strict);
    counts.begin();
    assert_eq!(text(counts.recipient()), "ok");
    counts.recipient_refused();
    assert!(text(counts.recipient()).starts_with("452 4.2.1 "));
}

#[test]
fn banners_have_the_products_shape() {
    let config = crate::enqueue::test_config();
    let line = |options: &[(&str, &str)]| banner(&config, &channel("", options));
    assert_eq!(
        line(&[("CUSTOM_VERSION_STRING", "(x)")]),
        ["mail.example.com -- Server ESMTP (x)"]
    );
    assert!(line(&[])[0].starts_with("mail.example.com -- Server ESMTP (imta "));
    assert_eq!(
        line(&[
            ("BANNER_HOST", "mx.example.com"),
            ("CUSTOM_VERSION_STRING", "(x)"),
            ("BANNER_ADDITION", "hello|no spam"),
        ]),
        ["mx.example.com -- Server ESMTP (x)", "hello", "no spam"]
    );
    assert_eq!(
        line(&[
            ("CUSTOM_VERSION_STRING", "(x)"),
            ("BANNER_ADDITION", "hello")
        ]),
        ["mail.example.com -- Server ESMTP (x) hello"]
    );
}
