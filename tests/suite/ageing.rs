//! The return job: warnings and returns by age, seen with a clock that runs ahead.

use crate::support::root::Root;
use crate::support::wait_for;
use crate::support::wire::Wire;

const MESSAGE: &[u8] =
    b"From: eve@example.com\nTo: bob@example.com\nSubject: growing old\n\nbody\n";

fn notices(root: &Root, count: usize) -> Vec<String> {
    let found = root.wait_for_delivered("eve@example.com", count);
    found
        .iter()
        .map(|notice| String::from_utf8_lossy(notice).into_owned())
        .collect()
}

#[test]
fn a_message_that_waits_is_warned_of_and_returned_in_the_end() {
    let root = Root::staging()
        .set(&["channel:ims-ms.notices", "1 3 5"])
        .set(&["channel:ims-ms.nowarnpost"])
        .set(&["channel:ims-ms.nosendpost"])
        .start();
    root.imsimta(&["qm", "stop", "ims-ms"]);
    let mut wire = Wire::hello(root.smtp);
    wire.say("MAIL FROM:<eve@example.com> ENVID=old+2Done", "250");
    wire.say(
        "RCPT TO:<bob@example.com> ORCPT=rfc822;bob@example.com",
        "250",
    );
    wire.say("DATA", "354");
    wire.send(&crate::support::wire::on_the_wire(MESSAGE));
    wire.expect("250");
    wire.quit();
    let files = wait_for("the message", || {
        Some(root.queued("ims-ms")).filter(|files| files.len() == 1)
    });
    root.return_job("+12h");
    assert_eq!(root.queued("ims-ms"), files, "half a day is no day");
    root.return_job("+25h");
    root.return_job("+26h");
    let waiting = wait_for("one warning", || {
        Some(root.queued("ims-ms")).filter(|files| files.len() == 2)
    });
    assert!(waiting.contains(&files[0]), "the message itself stays");
    let warned: Vec<String> = root
        .mail_log()
        .into_iter()
        .filter(|line| line.contains(" W 1 "))
        .collect();
    root.return_job("+5d");
    wait_for("warning and notice, but no message", || {
        let now = root.queued("ims-ms");
        (now.len() == 2 && !now.contains(&files[0])).then_some(())
    });
    root.imsimta(&["qm", "start", "ims-ms"]);
    let notices = notices(&root, 2);
    let find = |subject: &str| {
        notices
            .iter()
            .find(|notice| notice.contains(subject))
            .unwrap_or_else(|| panic!("{subject}: {notices:?}"))
    };
    let delayed = find("Subject: Delivery Notification: Delivery has been delayed\n");
    assert!(
        delayed.contains("enqueued and undeliverable for 1 Day")
            && delayed.contains("Action: delayed"),
        "{delayed}"
    );
    let returned = find("Subject: Delivery Notification: Delivery has timed out and failed\n");
    assert!(
        returned.contains("Action: failed\nStatus: 4.4.7") || returned.contains("Status: 5.4.7"),
        "{returned}"
    );
    assert!(
        returned.contains("Original-envelope-id: old-one"),
        "{returned}"
    );
    assert!(warned.len() <= 1, "warned once for each value: {warned:?}");
    assert!(root.delivered("bob@example.com").is_empty());
}

#[test]
fn notices_never_beget_notices() {
    let root = Root::staging()
        .set(&["channel:ims-ms.notices", "1 2"])
        .start();
    root.imsimta(&["qm", "stop", "ims-ms"]);
    let mut wire = Wire::hello(root.smtp);
    let reply = wire.message("", &["bob@example.com"], MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
    wire.quit();
    wait_for("the message", || {
        (root.queued("ims-ms").len() == 1).then_some(())
    });
    root.return_job("+3d");
    wait_for("an empty queue", || {
        root.all_queued().is_empty().then_some(())
    });
    // The night turned the log.
    let mut text = String::new();
    for name in ["mail.log_current", "mail.log_yesterday", "mail.log"] {
        text.push_str(
            &std::fs::read_to_string(root.path().join("data/log").join(name)).unwrap_or_default(),
        );
    }
    assert!(
        text.lines()
            .any(|line| line.contains("ims-ms ") && line.contains(" K 1 ")),
        "{text}"
    );
}
