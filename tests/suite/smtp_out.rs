//! Mail goes out over SMTP: where to, in which order, and what each answer means.

use crate::support::dns::{Dns, Zone};
use crate::support::messages::split;
use crate::support::root::Root;
use crate::support::sink::{Odd, Sink};
use crate::support::wait_for;
use crate::support::wire::Wire;

const MESSAGE: &[u8] = b"From: eve@example.com\nTo: zoe@example.org\nSubject: out\n\
    Date: Mon, 06 Oct 2025 14:20:29 +0200\nMessage-id: <2@example.com>\n\nA body.\n.dot\n";

fn zone() -> Zone {
    Zone::default()
        .mx("example.org", 10, "mx.example.org")
        .a("mx.example.org", [127, 0, 0, 2])
}

fn staged(dns: &Dns) -> Root {
    Root::staging().nameserver(dns.address).start()
}

fn send(root: &Root, to: &[&str]) {
    let mut wire = Wire::hello(root.smtp);
    let reply = wire.message("eve@example.com", to, MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
    wire.quit();
}

/// Waits until the Job Controller knows of a message that waits: the record of a failed attempt
/// is written a moment before the attempt is settled.
fn wait_until_waiting(root: &Root) {
    wait_for("a waiting message in the cache", || {
        let view = root.imsimta(&["cache", "-view", "tcp_local", "-json"]);
        view.contains("\"state\": \"waiting\"").then_some(())
    });
}

fn notice(root: &Root) -> String {
    let found = root.wait_for_delivered("eve@example.com", 1);
    String::from_utf8_lossy(&found[0]).into_owned()
}

#[test]
fn a_message_reaches_the_best_exchange_unchanged() {
    let dns = zone().serve();
    let root = staged(&dns);
    let sink = Sink::listen(2, root.client_port());
    send(&root, &["zoe@example.org"]);
    let found = sink.wait_for(1);
    assert_eq!(
        (found[0].from.as_str(), found[0].to.as_slice()),
        ("eve@example.com", &["zoe@example.org".to_owned()][..])
    );
    assert_eq!(split(&found[0].message).1, b"A body.\r\n.dot\r\n");
    let record = root.wait_for_record(&[
        "tcp_local ",
        " eve@example.com rfc822;zoe@example.org zoe@example.org ",
    ]);
    let record = if record.contains(" E") && !record.contains("smtp;") {
        root.wait_for_record(&["zoe@example.org", "smtp;250 2.1.5 Recipient ok"])
    } else {
        record
    };
    assert!(
        record.contains("dns;mx.example.org (TCP|127.0.0.1|"),
        "{record}"
    );
    assert!(record.contains("|127.0.0.2|"), "{record}");
    assert!(
        record.contains("(sink.example.org ESMTP ready) smtp;250 2.1.5 Recipient ok"),
        "{record}"
    );
    wait_for("an empty queue", || {
        root.all_queued().is_empty().then_some(())
    });
}

#[test]
fn a_dead_exchange_is_passed_over_for_the_next() {
    let dns = zone()
        .mx("example.org", 5, "dead.example.org")
        .a("dead.example.org", [127, 0, 0, 3])
        .serve();
    let root = staged(&dns);
    let sink = Sink::listen(2, root.client_port());
    send(&root, &["zoe@example.org"]);
    sink.wait_for(1);
}

#[test]
fn a_domain_without_exchange_is_reached_by_its_address() {
    let dns = Zone::default()
        .a("plain.example.org", [127, 0, 0, 2])
        .serve();
    let root = staged(&dns);
    let sink = Sink::listen(2, root.client_port());
    send(&root, &["zoe@plain.example.org"]);
    sink.wait_for(1);
    send(&root, &["zoe@[127.0.0.2]"]);
    sink.wait_for(2);
}

#[test]
fn an_unknown_domain_and_a_null_mx_are_returned_at_once() {
    for (domain, status) in [
        ("nowhere.example.net", "5.1.2"),
        ("null.example.net", "5.1.10"),
    ] {
        let dns = zone().mx("null.example.net", 0, "").serve();
        let root = staged(&dns);
        send(&root, &[&format!("zoe@{domain}")]);
        let text = notice(&root);
        assert!(
            text.contains("Subject: Delivery Notification: Delivery has failed\n"),
            "{text}"
        );
        assert!(
            text.contains(&format!(
                "\nFinal-recipient: rfc822;zoe@{domain}\nAction: failed\nStatus: {status}"
            )),
            "{text}"
        );
        assert!(
            text.contains("\nReporting-MTA: dns;mail.example.com"),
            "{text}"
        );
        root.wait_for_record(&["tcp_local ", " R", &format!("rfc822;zoe@{domain}")]);
    }
}

#[test]
fn a_name_server_in_trouble_means_later() {
    for domain in ["servfail.test", "silent.test"] {
        let dns = zone().serve();
        let root = staged(&dns);
        send(&root, &[&format!("zoe@{domain}")]);
        root.wait_for_record(&["tcp_local ", " Q", &format!("rfc822;zoe@{domain}")]);
        let queued = wait_for("a file that was tried once", || {
            root.queued("tcp_local").into_iter().find(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with("ZY"))
            })
        });
        assert!(queued.exists());
        assert!(root.delivered("eve@example.com").is_empty());
    }
}

#[test]
fn each_recipient_is_settled_on_its_own() {
    let dns = zone().serve();
    let root = staged(&dns);
    let sink = Sink::listen(2, root.client_port());
    sink.always(Odd::Reply(
        "RCPT TO:<never@",
        "550 5.1.1 no such user here".into(),
    ));
    sink.always(Odd::Reply(
        "RCPT TO:<later@",
        "450 4.2.1 come back later".into(),
    ));
    send(
        &root,
        &["yes@example.org", "never@example.org", "later@example.org"],
    );
    let found = sink.wait_for(1);
    assert_eq!(found[0].to, ["yes@example.org"]);
    let text = notice(&root);
    assert!(
        text.contains("Final-recipient: rfc822;never@example.org"),
        "{text}"
    );
    assert!(!text.contains("later@example.org\nAction"), "{text}");
    assert!(
        text.contains("Diagnostic-code: smtp;550 5.1.1 no such user here"),
        "{text}"
    );
    root.wait_for_record(&["tcp_local ", " Z", "rfc822;later@example.org"]);
    // The one that is left is tried again at once, by itself, and then waits.
    root.wait_for_record(&["tcp_local ", " Q", "rfc822;later@example.org"]);
    wait_until_waiting(&root);
    sink.relent();
    root.imsimta(&["submit", "tcp_local"]);
    let found = sink.wait_for(2);
    assert_eq!(found[1].to, ["later@example.org"]);
}

#[test]
fn a_remote_that_misbehaves_costs_a_delay_and_no_mail() {
    let oddities = [
        Odd::Reply("BANNER", "421 4.3.2 too busy".into()),
        Odd::Close("BANNER"),
        Odd::Close("MAIL"),
        Odd::Reply("MAIL", "421 4.3.2 closing".into()),
        Odd::Reply("RCPT", "hello there".into()),
        Odd::Reply("RCPT", "552 5.2.2 mailbox full".into()),
        Odd::Close("DATA"),
        Odd::Close("DOT"),
        Odd::Reply("DOT", "451 4.3.0 try again".into()),
        Odd::Reply("DOT", "421 4.3.2 closing".into()),
    ];
    let dns = zone().serve();
    let root = staged(&dns);
    let sink = Sink::listen(2, root.client_port());
    for (number, odd) in oddities.into_iter().enumerate() {
        let what = format!("{odd:?}");
        sink.relent();
        // Ends the job that may still have a connection open, so that the next one sees a banner.
        root.imsimta(&["submit", "tcp_local"]);
        wait_for("the client's end", || {
            root.pids("tcp_smtp_client").is_empty().then_some(())
        });
        sink.always(odd);
        let before = root
            .mail_log()
            .iter()
            .filter(|line| line.contains(" Q"))
            .count();
        send(&root, &[&format!("zoe{number}@example.org")]);
        wait_for(&what, || {
            let now = root
                .mail_log()
                .iter()
                .filter(|line| line.contains(" Q"))
                .count();
            (now > before).then_some(())
        });
        wait_until_waiting(&root);
        sink.relent();
        root.imsimta(&["submit", "tcp_local"]);
        wait_for(&format!("delivery after {what}"), || {
            let to = format!("zoe{number}@example.org");
            sink.received()
                .iter()
                .any(|message| message.to.contains(&to))
                .then_some(())
        });
    }
    assert!(
        root.delivered("eve@example.com").is_empty(),
        "nothing was to be returned"
    );
}

#[test]
fn a_remote_that_is_down_is_tried_again_by_backoff() {
    let dns = zone().serve();
    let root = Root::staging()
        .nameserver(dns.address)
        .set(&["channel:tcp_local.backoff", "PT2S"])
        .set(&["channel:tcp_intranet.backoff", "PT2S"])
        .start();
    send(&root, &["zoe@example.org"]);
    let record = root.wait_for_record(&["tcp_local ", " Q 0 ", "rfc822;zoe@example.org"]);
    let down = format!(
        "TCP active open: Failed connect() 127.0.0.2:{}  Error: Connection refused",
        root.client_port()
    );
    assert!(
        record.to_lowercase().contains(&down.to_lowercase()),
        "{record}"
    );
    let view = root.imsimta(&["cache", "-view", "tcp_local"]);
    assert!(
        view.contains("Host: ") && view.contains("normal    "),
        "{view}"
    );
    let sink = Sink::listen(2, root.client_port());
    sink.wait_for(1);
    wait_for("an empty queue", || {
        root.all_queued().is_empty().then_some(())
    });
}

#[test]
fn submit_tries_at_once() {
    let dns = zone().serve();
    let root = staged(&dns);
    send(&root, &["zoe@example.org"]);
    root.wait_for_record(&["tcp_local ", " Q 0 ", "rfc822;zoe@example.org"]);
    let sink = Sink::listen(2, root.client_port());
    wait_until_waiting(&root);
    root.imsimta(&["submit", "tcp_local"]);
    sink.wait_for(1);
}

#[test]
fn one_connection_serves_several_messages() {
    let dns = zone().serve();
    let root = staged(&dns);
    let sink = Sink::listen(2, root.client_port());
    root.imsimta(&["qm", "stop", "tcp_local"]);
    for _ in 0..5 {
        send(&root, &["zoe@example.org"]);
    }
    root.imsimta(&["qm", "start", "tcp_local"]);
    sink.wait_for(5);
    assert!(sink.connections() < 5, "{} connections", sink.connections());
}

#[test]
fn eight_bits_are_encoded_for_a_remote_that_cannot_take_them() {
    let dns = zone().serve();
    let root = staged(&dns);
    let sink = Sink::listen(2, root.client_port());
    sink.offer(&["PIPELINING"]);
    let mut wire = Wire::hello(root.smtp);
    let message =
        b"Subject: latin\nMIME-version: 1.0\nContent-type: text/plain; charset=iso-8859-1\n\
        Content-transfer-encoding: 8bit\n\nBo\xf6tes\n";
    wire.say("MAIL FROM:<eve@example.com> BODY=8BITMIME", "250");
    wire.say("RCPT TO:<zoe@example.org>", "250");
    wire.say("DATA", "354");
    wire.send(&crate::support::wire::on_the_wire(message));
    wire.expect("250");
    let found = sink.wait_for(1);
    let text = String::from_utf8(found[0].message.clone()).expect("seven bits");
    assert!(
        text.to_lowercase()
            .contains("content-transfer-encoding: quoted-printable"),
        "{text}"
    );
    assert!(text.contains("Bo=F6tes"), "{text}");
    assert!(
        !sink
            .commands()
            .iter()
            .any(|command| command.contains("BODY=8BITMIME"))
    );
}

#[test]
fn a_remote_that_hangs_is_given_up_and_tried_again() {
    let dns = zone().serve();
    let root = Root::staging()
        .nameserver(dns.address)
        .set(&["channel:tcp_local.options.TIMEOUT_MULTIPLIER", "1"])
        .set(&["channel:tcp_local.options.STATUS_RECEIVE_TIME", "1"])
        .set(&["channel:tcp_local.options.STATUS_MAIL_RECEIVE_TIME", "1"])
        .start();
    let sink = Sink::listen(2, root.client_port());
    sink.once(Odd::Hang("MAIL"));
    send(&root, &["zoe@example.org"]);
    root.wait_for_record(&["tcp_local ", " Q", "rfc822;zoe@example.org"]);
    assert!(sink.received().is_empty());
    wait_until_waiting(&root);
    root.imsimta(&["submit", "tcp_local"]);
    sink.wait_for(1);
}

#[test]
fn tls_is_used_where_it_is_offered_and_done_without_where_it_fails() {
    let dns = zone().serve();
    let root = Root::staging()
        .nameserver(dns.address)
        .set(&["channel:tcp_local.maytlsclient"])
        .start();
    let sink = Sink::listen(2, root.client_port());
    // Offered, and then broken: a fresh connection in clear.
    sink.offer(&["STARTTLS", "8BITMIME"]);
    send(&root, &["zoe@example.org"]);
    let found = sink.wait_for(1);
    assert_eq!(found[0].to, ["zoe@example.org"]);
    assert!(
        sink.commands().iter().any(|command| command == "STARTTLS"),
        "{:?}",
        sink.commands()
    );
}
