//! Notices, compared with the layout written down before.

use super::*;
use mta_envelope::status::Status;

fn original() -> Header {
    Header::parse(
        b"Received: from x by y; z\nFrom: sender@example.com\nTo: kijitora@mail.example.jp\n\
          Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\nDate: Mon, 23 Nov 2026 09:00:00 +0000\n\
          Message-id: <1@example.com>\n",
    )
}

fn rejected() -> Report {
    Report {
        status: Status::UNKNOWN_USER,
        reason: "Remote SMTP server has rejected address".into(),
        diagnostic: Some("smtp;550 5.1.1 <kijitora@example.jp>... User Unknown".into()),
        remote: Some(
            "dns;mx.example.jp (TCP|192.0.2.1|47323|192.0.2.225|25) (mx.example.jp ESMTP)".into(),
        ),
    }
}

fn written(kind: Kind, templates: &Templates, returned: Returned, report: &Report) -> String {
    written_as(kind, templates, returned, report, false)
}

fn written_as(
    kind: Kind,
    templates: &Templates,
    returned: Returned,
    report: &Report,
    eight_bit: bool,
) -> String {
    let header = original();
    let recipients = [Reported {
        address: "kijitora@example.jp",
        original: Some(("rfc822", "kijitora@mail.example.jp")),
        report,
        history: Vec::new(),
    }];
    let notice = Notice {
        kind,
        templates,
        personal: "Internet Mail Delivery",
        from: "postmaster@mail.example.com",
        to: "sender@example.com",
        date: "Mon, 23 Nov 2026 10:00:00 +0000 (GMT)",
        message_id: "0TOY00B049408X00@mail.example.com",
        boundary: "Boundary_(ID_PGS2F2a+z+/jL7hupKgRhA)",
        host: "mail.example.com",
        channel_host: "tcp-daemon",
        envelope_id: "0NFC009FLKOUVMA0@mail.example.com",
        arrival: "Thu, 29 Apr 2014 23:34:45 +0000 (GMT)",
        header: &header,
        recipients: &recipients,
        units: Units {
            queued: 1,
            left: 3,
            total: 4,
            hours: false,
        },
        returned,
        eight_bit,
    };
    let mut out = Vec::new();
    notice
        .write("one\ntwo\nthree\n".as_bytes(), &mut out)
        .unwrap();
    String::from_utf8(out).unwrap()
}

const FAILED: &str = "\
Date: Mon, 23 Nov 2026 10:00:00 +0000 (GMT)
From: Internet Mail Delivery <postmaster@mail.example.com>
Subject: Delivery Notification: Delivery has failed
To: sender@example.com
Message-id: <0TOY00B049408X00@mail.example.com>
MIME-version: 1.0
Content-type: multipart/report;
 boundary=\"Boundary_(ID_PGS2F2a+z+/jL7hupKgRhA)\"; report-type=delivery-status

--Boundary_(ID_PGS2F2a+z+/jL7hupKgRhA)
Content-type: text/plain; charset=us-ascii
Content-language: EN-US

This report relates to a message you sent with the following header fields:

  Message-id: <1@example.com>
  Date: Mon, 23 Nov 2026 09:00:00 +0000
  From: sender@example.com
  To: kijitora@mail.example.jp
  Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=

Your message cannot be delivered to the following recipients:

  Recipient address: kijitora@example.jp
  Original address: kijitora@mail.example.jp
  Reason: Remote SMTP server has rejected address
  Diagnostic code: smtp;550 5.1.1 <kijitora@example.jp>... User Unknown
  Remote system: dns;mx.example.jp (TCP|192.0.2.1|47323|192.0.2.225|25) (mx.example.jp ESMTP)


--Boundary_(ID_PGS2F2a+z+/jL7hupKgRhA)
Content-type: message/delivery-status

Original-envelope-id: 0NFC009FLKOUVMA0@mail.example.com
Reporting-MTA: dns;mail.example.com (tcp-daemon)
Arrival-date: Thu, 29 Apr 2014 23:34:45 +0000 (GMT)

Original-recipient: rfc822;kijitora@mail.example.jp
Final-recipient: rfc822;kijitora@example.jp
Action: failed
Status: 5.1.1 (Remote SMTP server has rejected address)
Remote-MTA: dns;mx.example.jp (TCP|192.0.2.1|47323|192.0.2.225|25)
 (mx.example.jp ESMTP)
Diagnostic-code: smtp;550 5.1.1 <kijitora@example.jp>... User Unknown

--Boundary_(ID_PGS2F2a+z+/jL7hupKgRhA)
Content-type: message/rfc822

Received: from x by y; z
From: sender@example.com
To: kijitora@mail.example.jp
Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=
Date: Mon, 23 Nov 2026 09:00:00 +0000
Message-id: <1@example.com>

one
two
three

--Boundary_(ID_PGS2F2a+z+/jL7hupKgRhA)--
";

#[test]
fn a_failure_is_laid_out_as_documented() {
    let text = written(
        Kind::Failed,
        &Templates::default(),
        Returned::Full,
        &rejected(),
    );
    assert_eq!(text, FAILED);
}

#[test]
fn a_warning_counts_the_time_and_returns_the_first_lines() {
    let templates = Templates::default();
    let text = written(
        Kind::Delayed,
        &templates,
        Returned::FirstLines(2),
        &rejected(),
    );
    assert!(
        text.contains("undeliverable for 1 Day\nto the following"),
        "{text}"
    );
    assert!(text.contains("for an additional 3 Days.\n"), "{text}");
    assert!(text.contains("\nAction: delayed\n"), "{text}");
    assert!(text.contains("\n\none\ntwo\n\n--Boundary"), "{text}");
}

#[test]
fn headers_alone_have_a_type_of_their_own() {
    let templates = Templates::default();
    let text = written(Kind::Delivered, &templates, Returned::Headers, &rejected());
    assert!(
        text.contains("Content-type: text/rfc822-headers\n\nReceived:"),
        "{text}"
    );
    assert!(
        text.contains("Message-id: <1@example.com>\n\n--Boundary"),
        "{text}"
    );
    assert!(text.contains("\nAction: delivered\n"), "{text}");
}

#[test]
fn a_remote_cannot_write_fields_or_8_bit_into_a_report() {
    let mut report = rejected();
    report.diagnostic = Some("smtp;550 no\nAction: delivered\r\u{fc}".into());
    let templates = Templates::default();
    let text = written(Kind::Failed, &templates, Returned::Headers, &report);
    assert!(!text.contains("\nAction: delivered"), "{text}");
    assert!(
        text.contains("Diagnostic-code: smtp;550 no Action: delivered *\n"),
        "{text}"
    );
    assert!(text.is_ascii());
}

#[test]
fn options_change_words_and_add_explanations() {
    let directory = tempfile::tempdir().unwrap();
    let options =
        "REASON=Grund\nSUBJECT=Unzustellbar\nRETURN_PERSONAL=Post, Amt\n5.1.1=Bitte pr\u{fc}fen\n";
    std::fs::write(directory.path().join("return_option.opt"), options).unwrap();
    let prefix = "Content-type: text/plain; charset=utf-8\n\nBericht:%H\n";
    std::fs::write(directory.path().join("return_prefix.txt"), prefix).unwrap();
    let templates = Templates::load(&[directory.path().to_owned()]).unwrap();
    let text = written(Kind::Failed, &templates, Returned::Headers, &rejected());
    assert!(text.contains("From: \"Post, Amt\" <postmaster@"), "{text}");
    assert!(text.contains("\nSubject: Unzustellbar\n"), "{text}");
    assert!(text.contains("\n  Grund: Remote SMTP"), "{text}");
    assert!(text.contains("\n  Bitte pr\u{fc}fen\n"), "{text}");
    assert!(text.contains("\n  Subject: Gr\u{fc}\u{df}e\n"), "{text}");
}

#[test]
fn octets_over_127_are_announced_outside_and_inside() {
    let templates = Templates::default();
    let full = Returned::Full;
    let count = |eight_bit| {
        let text = written_as(Kind::Failed, &templates, full, &rejected(), eight_bit);
        let field = "\nContent-transfer-encoding: 8bit\n";
        let (outer, rest) = text.split_once("\n\n").unwrap();
        let returned = rest.split_once("\nContent-type: message/rfc822").unwrap().1;
        let part = returned.split_once("\n\n").unwrap().0;
        (
            format!("{outer}\n").contains(field),
            format!("{part}\n").contains(field),
        )
    };
    assert_eq!(count(true), (true, true));
    assert_eq!(count(false), (false, false));
}
