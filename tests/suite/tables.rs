//! Mapping tables that steer mail on its way through several programs.

use crate::support::root::Root;
use crate::support::wait_for;
use crate::support::wire::Wire;

fn send(root: &Root, recipients: &[&str]) {
    let mut wire = Wire::hello(root.smtp);
    let message = b"From: Eve <eve@example.com>\nSubject: x\n\nbody\n";
    let reply = wire.message("eve@example.com", recipients, message);
    assert!(reply.starts_with("250"), "{reply}");
    wire.quit();
}

/// The path of the chapter "Identify the Channels in the Message Path": a conversion channel
/// between the one that brings a message and the one that takes it, stopped and started.
#[test]
fn mail_goes_through_the_conversion_channel_where_the_table_says_so() {
    let pattern = "IN-CHAN=tcp_*;OUT-CHAN=ims-ms;CONVERT";
    let root = Root::staging()
        .account("ada@example.com")
        .set(&["mapping:CONVERSIONS.rule", pattern, "Yes"])
        .set(&["log_message_id", "1"])
        .start();
    root.imsimta(&["qm", "stop", "conversion"]);
    send(&root, &["ada@example.com", "bob@example.com"]);
    wait_for("the queue of the conversion channel", || {
        (root.queued("conversion").len() == 1).then_some(())
    });
    assert!(root.queued("ims-ms").is_empty());
    root.imsimta(&["qm", "start", "conversion"]);
    for account in ["ada@example.com", "bob@example.com"] {
        let message = root.wait_for_delivered(account, 1).remove(0);
        let text = String::from_utf8(message).unwrap();
        let passed = "Received: from conversion-daemon.mail.example.com";
        assert!(text.contains(passed), "{text}");
    }
    for record in [
        [" tcp_intranet conversion ", " E"],
        [" conversion   ims-ms ", " E"],
        [" conversion ", " D "],
        [" ims-ms ", " D "],
    ] {
        root.wait_for_record(&record);
    }
    let output = root.imsimta(&["test", "-rewrite", "-debug", "bob@example.com"]);
    assert!(!output.contains("CONVERSIONS sends"), "{output}");
    let words = [
        "test",
        "-rewrite",
        "-debug",
        "-source_channel=tcp_local",
        "bob@example.com",
    ];
    let output = root.imsimta(&words);
    let told = "CONVERSIONS sends what is for ims-ms through conversion";
    assert!(output.contains(told), "{output}");
}

#[test]
fn a_conversion_channel_that_is_missing_loses_nothing() {
    let root = Root::staging()
        .set(&["mapping:CONVERSIONS.rule", "IN-CHAN=*", "Yes,Channel=scan"])
        .start();
    let mut wire = Wire::hello(root.smtp);
    wire.say("MAIL FROM:<eve@example.com>", "250");
    let reply = wire.say("RCPT TO:<bob@example.com>", "452");
    assert!(reply.contains("4.3.5"), "{reply}");
}

/// A message that DEQUEUE_ACCESS leaves is where it was, under its first name; once the table has
/// changed it goes.
#[test]
fn a_message_waits_while_dequeue_access_says_so() {
    let root = Root::staging()
        .set(&["mapping:DEQUEUE_ACCESS.rule", "ims-ms|*", "1$N$S"])
        .set(&["channel:ims-ms.master_debug", ""])
        .start();
    send(&root, &["bob@example.com"]);
    wait_for("two looks at the table", || {
        let left = root.logs().matches("DEQUEUE_ACCESS leaves it").count();
        (left >= 2).then_some(())
    });
    let queued = root.queued("ims-ms");
    assert_eq!(queued.len(), 1);
    let name = queued[0]
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    assert!(name.starts_with("ZZ") && name.ends_with(".00"), "{name}");
    root.run("msconfig", &["unset", "mapping:DEQUEUE_ACCESS.rule"]);
    root.imsimta(&["cnbuild"]);
    root.imsimta(&["restart", "job_controller"]);
    root.wait_for_delivered("bob@example.com", 1);
}
