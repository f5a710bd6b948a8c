//! The operator's procedures: stop a channel, look, run it by hand, start it again; hold,
//! release, return, delete.

use crate::support::root::Root;
use crate::support::wait_for;
use crate::support::wire::Wire;

const MESSAGE: &[u8] = b"From: eve@example.com\nTo: bob@example.com\nSubject: look at me\n\nbody\n";

fn send(root: &Root, count: usize) {
    let mut wire = Wire::hello(root.smtp);
    for _ in 0..count {
        let reply = wire.message("eve@example.com", &["bob@example.com"], MESSAGE);
        assert!(reply.starts_with("250"), "{reply}");
    }
    wire.quit();
}

#[test]
fn a_stopped_channel_keeps_its_mail_until_it_is_run_or_started() {
    let root = Root::staging().start();
    root.imsimta(&["qm", "stop", "ims-ms"]);
    send(&root, 2);
    let files = wait_for("two queue files", || {
        Some(root.queued("ims-ms")).filter(|files| files.len() == 2)
    });
    assert!(
        files.iter().all(|file| file
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("ZZ")),
        "{files:?}"
    );
    let listing = root.imsimta(&["qm", "directory", "ims-ms"]);
    assert!(
        listing.contains("Channel: ims-ms                   Size Queued since"),
        "{listing}"
    );
    assert!(
        listing.contains("Data gathered from the queue directory tree"),
        "{listing}"
    );
    for file in &files {
        assert!(
            listing.contains(&*file.file_name().unwrap().to_string_lossy()),
            "{listing}"
        );
    }
    let summary = root.imsimta(&["qm", "summary"]);
    assert!(
        summary
            .lines()
            .any(|line| line.starts_with("ims-ms") && line.split_whitespace().nth(1) == Some("2")),
        "{summary}"
    );
    assert!(root.delivered("bob@example.com").is_empty());
    let told = root.imsimta(&["run", "ims-ms"]);
    assert!(told.contains("bob@ims-ms-daemon"), "{told}");
    assert_eq!(root.delivered("bob@example.com").len(), 2);
    send(&root, 1);
    wait_for("a queue file", || {
        (root.queued("ims-ms").len() == 1).then_some(())
    });
    root.imsimta(&["qm", "start", "ims-ms"]);
    root.wait_for_delivered("bob@example.com", 3);
}

#[test]
fn the_stop_survives_a_restart_of_everything() {
    let root = Root::staging().start();
    root.imsimta(&["qm", "stop", "ims-ms"]);
    root.stop();
    root.start();
    send(&root, 1);
    let jobs = root.imsimta(&["qm", "jobs"]);
    assert!(jobs.contains("channel is stopped"), "{jobs}");
    assert!(root.delivered("bob@example.com").is_empty());
    root.imsimta(&["qm", "start", "ims-ms"]);
    root.wait_for_delivered("bob@example.com", 1);
}

#[test]
fn a_channel_run_by_hand_tells_the_terminal_what_it_does() {
    let root = Root::staging().start();
    let quiet = root.imsimta(&["run", "tcp_local"]);
    assert!(!quiet.contains("%RUN-E"), "{quiet}");
    let unknown = root.try_run("imsimta", &["run", "nosuch"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&unknown.stderr).contains("%RUN-E-NOSUCHCHAN, no such channel")
    );
    root.stop();
    let without = root.try_run("imsimta", &["run", "tcp_local"]);
    assert_eq!(
        without.status.code(),
        Some(2),
        "the Job Controller must be running"
    );
}

#[test]
fn messages_are_held_released_returned_and_deleted_in_a_session() {
    let root = Root::staging().start();
    root.imsimta(&["qm", "stop", "ims-ms"]);
    send(&root, 4);
    wait_for("four queue files", || {
        (root.queued("ims-ms").len() == 4).then_some(())
    });
    let output = root.run_with_input(
        "imsimta",
        &["qm"],
        "directory ims-ms\nhold 1\ndelete 2\nreturn 3\nheld\nrelease 1\nhold 99\nexit\n",
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}{complaints}");
    for part in [
        "%QM-I-HELD, held the message file ",
        "%QM-I-DELETED, deleted the message file ",
        "%QM-I-RETURNED, returned the message file ",
        "%QM-I-RELEASED, released the message file ",
    ] {
        assert!(text.contains(part), "{part} in {text}{complaints}");
    }
    assert!(complaints.contains("%QM-E-NOSUCHMSG"), "{complaints}");
    root.imsimta(&["qm", "start", "ims-ms"]);
    root.wait_for_delivered("bob@example.com", 2);
    let notice =
        String::from_utf8_lossy(&root.wait_for_delivered("eve@example.com", 1)[0]).into_owned();
    assert!(
        notice.contains("Subject: Delivery Notification: Delivery has been manually aborted"),
        "{notice}"
    );
    root.wait_for_record(&["ims-ms ", " K 1 eve@example.com rfc822;bob@example.com"]);
    root.wait_for_record(&["ims-ms ", " R 1 eve@example.com rfc822;bob@example.com"]);
}

#[test]
fn listings_are_json_on_request() {
    let root = Root::staging().start();
    root.imsimta(&["qm", "stop", "ims-ms"]);
    send(&root, 1);
    wait_for("a queue file", || {
        (root.queued("ims-ms").len() == 1).then_some(())
    });
    let commands: [&[&str]; 7] = [
        &["qm", "directory", "-json"],
        &["qm", "summarize", "-json"],
        &["qm", "jobs", "-json"],
        &["qm", "messages", "ims-ms", "-json"],
        &["qm", "held", "-json"],
        &["cache", "-view", "-json"],
        &["process", "-image", "-json"],
    ];
    for command in commands {
        let text = root.imsimta(command);
        let value: serde_json::Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{command:?}: {error}\n{text}"));
        assert!(value.is_object(), "{command:?}: {text}");
    }
}

#[test]
fn mistakes_are_named() {
    let root = Root::staging().build();
    let table: [(&[&str], &str, i32); 6] = [
        (
            &["frobnicate"],
            "%IMTA-E-IVKEYW, unrecognized keyword - check validity and spelling\n \\frobnicate\\",
            1,
        ),
        (&["re"], "%IMTA-E-ABKEYW", 1),
        (&["qm", "directory", "-hedders"], "\\-hedders\\", 1),
        (&["cache"], "%CACHE-E-CONFLICT", 1),
        (
            &["cache", "-sync"],
            "%CACHE-E-NOJBC, unable to contact the job controller",
            2,
        ),
        (&["qm", "jobs"], "%QM-E-NOJBC", 2),
    ];
    for (command, complaint, status) in table {
        let output = root.try_run("imsimta", command);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(complaint), "{command:?}: {text}");
        assert_eq!(output.status.code(), Some(status), "{command:?}: {text}");
    }
}

/// A queue of five messages in which three are cheap offers, two of them with a word in the body.
fn offers(root: &Root) {
    root.imsimta(&["qm", "stop", "ims-ms"]);
    let mut wire = Wire::hello(root.smtp);
    for (subject, body) in [
        ("Cheap offers!", "visit SHOP.example today"),
        ("Re: cheap Offers", "visit shop.example tomorrow"),
        ("cheap offers", "nothing"),
        ("lunch", "visit shop.example for lunch"),
        ("lunch", "at noon"),
    ] {
        let text = format!("From: eve@example.com\nSubject: {subject}\n\n{body}\n");
        let reply = wire.message("eve@example.com", &["bob@example.com"], text.as_bytes());
        assert!(reply.starts_with("250"), "{reply}");
    }
    wire.quit();
    wait_for("five queue files", || {
        (root.queued("ims-ms").len() == 5).then_some(())
    });
}

#[test]
fn messages_are_set_aside_by_what_they_say() {
    let root = Root::staging().start();
    offers(&root);
    let output = root.try_run("imsimta", &["qm", "clean", "-subject=offers"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let short = "%QM-E-TOOSHORT, search string is shorter than 24 characters\n";
    assert_eq!(told, short);
    let before = root.queued("ims-ms");
    let words = [
        "qm",
        "clean",
        "-subject=CHEAP",
        "-content=shop.example",
        "-min_length=5",
        "-preview",
    ];
    assert_eq!(
        root.imsimta(&words),
        "%QM-I-SCANNED, scanned 5 message files; would hold 2\n\
         Messages  Channel       Host\n\
         \x20      2  ims-ms        ims-ms-daemon\n"
    );
    assert_eq!(root.queued("ims-ms"), before);
    let held = root.imsimta(&words[..5]);
    assert_eq!(held, "%QM-I-SCANNED, scanned 5 message files; held 2\n");
    let names: Vec<String> = root
        .queued("ims-ms")
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(
        names.iter().filter(|name| name.ends_with(".HELD")).count(),
        2,
        "{names:?}"
    );
    // What is held is not looked at again; either word will do now, four threads look.
    let either = [
        "qm",
        "clean",
        "-subject=cheap",
        "-content=shop.example",
        "-min_length=5",
        "-match=OR",
        "-delete",
        "-threads=4",
    ];
    let deleted = root.imsimta(&either);
    assert_eq!(
        deleted,
        "%QM-I-SCANNED, scanned 3 message files; deleted 2\n"
    );
    assert_eq!(root.queued("ims-ms").len(), 3);
    root.wait_for_record(&[" ims-ms ", " K "]);
    root.imsimta(&["qm", "start", "ims-ms"]);
    root.wait_for_delivered("bob@example.com", 1);
    root.imsimta(&["qm", "release", "-all", "-noconfirm"]);
    root.wait_for_delivered("bob@example.com", 3);
}

#[test]
fn what_a_command_would_do_is_counted_first() {
    let root = Root::staging().start();
    offers(&root);
    let before = root.queued("ims-ms");
    for (verb, would) in [("delete", "delete"), ("hold", "hold"), ("return", "return")] {
        let told = root.imsimta(&["qm", verb, "-all", "-channel=ims-ms", "-preview"]);
        let expected = format!(
            "%QM-I-SCANNED, scanned 5 message files; would {would} 5\n\
             Messages  Channel       Host\n\
             \x20      5  ims-ms        ims-ms-daemon\n"
        );
        assert_eq!(told, expected);
        assert_eq!(root.queued("ims-ms"), before);
    }
    let file = before[0]
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    let told = root.imsimta(&["qm", "delete", "-preview", "-json", &file]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["found"], &told["deed"]),
        (&1.into(), &"delete".into())
    );
    let output = root.try_run("imsimta", &["qm", "hold", "-json", &file]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(root.queued("ims-ms"), before);
}

#[test]
fn qclean_looks_into_the_cache_and_speaks_json() {
    let root = Root::staging().start();
    offers(&root);
    let words = [
        "qclean",
        "-from=eve@example.com",
        "-min_length=5",
        "-json",
        "-preview",
        "ims*",
    ];
    let told: serde_json::Value = serde_json::from_str(&root.imsimta(&words)).unwrap();
    assert_eq!(
        (&told["scanned"], &told["found"], &told["done"]),
        (&5.into(), &5.into(), &0.into())
    );
    assert_eq!(told["places"][0]["host"], "ims-ms-daemon");
    // Never tried: nothing is left to look at. Nobody has an empty sender.
    let untried = root.imsimta(&[
        "qclean",
        "-from=eve@example.com",
        "-min_length=5",
        "-ignore_zz",
    ]);
    assert_eq!(untried, "%QM-I-SCANNED, scanned 0 message files; held 0\n");
    let empty = root.imsimta(&["qclean", "-from=<>"]);
    assert_eq!(empty, "%QM-I-SCANNED, scanned 5 message files; held 0\n");
    let output = root.try_run(
        "imsimta",
        &["qclean", "-subject=cheap offers from nobody", "nosuch"],
    );
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("nosuch"), "{told}");
}
