//! Mail comes in over SMTP: what a peer sees, and what becomes of what it sent.

use crate::support::messages::split;
use crate::support::root::Root;
use crate::support::wire::Wire;
use crate::support::{wait_for, wait_within};
use std::time::Duration;

const MESSAGE: &[u8] = b"From: eve@example.com\nTo: bob@example.com\nSubject: hello\n\
    Date: Mon, 06 Oct 2025 14:20:29 +0200\nMessage-id: <1@example.com>\n\nA body.\n.a dot\n";

#[test]
fn a_message_is_delivered_with_its_body_unchanged() {
    let root = Root::staging().start();
    let mut wire = Wire::hello(root.smtp);
    let reply = wire.message("eve@example.com", &["bob@example.com"], MESSAGE);
    assert!(reply.starts_with("250 2.5.0 Ok, envelope id 0"), "{reply}");
    wire.quit();
    let found = root.wait_for_delivered("bob@example.com", 1);
    let (header, body) = split(&found[0]);
    assert_eq!(body, b"A body.\n.a dot\n");
    let header = String::from_utf8(header.to_vec()).unwrap();
    assert!(
        header.starts_with("Return-path: <eve@example.com>\nOriginal-recipient: rfc822;bob@example.com\nReceived: from client.example.org"),
        "{header}"
    );
    assert!(header.contains("\nSubject: hello\n"), "{header}");
    root.wait_for_record(&[" ims-ms ", " EE 1 eve@example.com rfc822;bob@example.com "]);
    root.wait_for_record(&["ims-ms ", " D 1 eve@example.com rfc822;bob@example.com "]);
    wait_for("an empty queue", || {
        root.all_queued().is_empty().then_some(())
    });
}

#[test]
fn the_greeting_lists_what_is_offered_in_the_documented_order() {
    let root = Root::staging().start();
    let mut wire = Wire::connect(root.smtp);
    let reply = wire.say("EHLO client.example.org", "250");
    let lines: Vec<&str> = reply.lines().map(|line| &line[4..]).collect();
    let documented = [
        "8BITMIME",
        "PIPELINING",
        "CHUNKING",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "EXPN",
        "HELP",
        "STARTTLS",
        "AUTH",
        "AUTH=",
        "ETRN",
        "NO-SOLICITING",
        "SIZE",
    ];
    let rank = |line: &str| {
        let word = line.split([' ']).next().unwrap();
        let word = if line.starts_with("AUTH=") {
            "AUTH="
        } else {
            word
        };
        documented
            .iter()
            .position(|known| *known == word)
            .unwrap_or_else(|| panic!("{line}"))
    };
    let ranks: Vec<usize> = lines[1..].iter().map(|line| rank(line)).collect();
    assert!(ranks.is_sorted(), "{lines:?}");
    assert_eq!(lines.last(), Some(&"SIZE 0"));
    for always in [
        "8BITMIME",
        "PIPELINING",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "HELP",
        "NO-SOLICITING",
    ] {
        assert!(lines.contains(&always), "{always} in {lines:?}");
    }
}

#[test]
fn unknown_users_and_foreign_hosts_are_refused_at_rcpt() {
    let root = Root::staging().start();
    let mut wire = Wire::hello(root.smtp);
    wire.say("MAIL FROM:<eve@example.com>", "250 2.5.0 Address Ok.");
    let reply = wire.say("RCPT TO:<nobody@example.com>", "550 5.1.1");
    assert!(reply.contains("unknown or illegal"), "{reply}");
    wire.say("RCPT TO:<bob@example.com>", "250 2.1.5 bob@example.com OK.");
    wire.say("RSET", "250");
    wire.quit();
    root.wait_for_record(&[
        " JE 0 eve@example.com rfc822;nobody@example.com nobody@example.com 550 5.1.1",
    ]);
}

#[test]
fn commands_out_of_order_and_malformed_ones_change_nothing() {
    let root = Root::staging().start();
    let mut wire = Wire::hello(root.smtp);
    let table = [
        ("RCPT TO:<bob@example.com>", "503 5.5.0"),
        ("DATA", "503 5.5.0"),
        ("FOO bar", "500 5.5.1"),
        ("MAIL FROM:", "501 5.5.2"),
        ("MAIL FROM:<a b@example.com>", "501 5.5.2"),
        (
            "MAIL FROM:<eve@example.com> SIZE=99999999999999999999",
            "501",
        ),
        ("MAIL FROM:<eve@example.com> BODY=9BIT", "501"),
        ("MAIL FROM:<eve@example.com> FROB=1", "5"),
        ("MAIL FROM:<eve@example.com>", "250"),
        ("MAIL FROM:<eve@example.com>", "503 5.5.0"),
        ("RCPT TO:<>", "501"),
        ("RCPT TO:<bob@example.com> NOTIFY=MAYBE", "501"),
        ("RCPT TO:<bob@example.com> ORCPT=rfc822;a+0Db", "501"),
        ("DATA", "503 5.5.0"),
        ("NOOP", "250"),
        ("RSET", "250"),
        ("RCPT TO:<bob@example.com>", "503"),
    ];
    for (command, code) in table {
        wire.say(command, code);
    }
    wire.quit();
    assert!(root.all_queued().is_empty());
}

#[test]
fn bare_line_ends_never_smuggle_a_second_message() {
    let root = Root::staging().start();
    for ending in [
        "\n.\n",
        "\r\n.\n",
        "\n.\r\n",
        "\r.\r",
        "\r\n.\r",
        "\r.\r\n",
        "\n.\r\r\n",
        "\r\n.\r\r\n",
    ] {
        let mut wire = Wire::hello(root.smtp);
        wire.say("MAIL FROM:<eve@example.com>", "250");
        wire.say("RCPT TO:<bob@example.com>", "250");
        wire.say("DATA", "354");
        let smuggled = format!(
            "Subject: one\r\n\r\nfirst{ending}MAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@example.com>\r\n\
             DATA\r\nSubject: two\r\n\r\nsecond\r\n.\r\n"
        );
        wire.send(smuggled.as_bytes());
        let reply = wire.reply();
        assert!(reply.starts_with("550 5.6.0"), "{ending:?}: {reply:?}");
    }
    assert!(root.all_queued().is_empty(), "{:?}", root.all_queued());
    assert!(root.delivered("bob@example.com").is_empty());
}

#[test]
fn a_very_long_line_is_drained_and_costs_only_its_sender() {
    let root = Root::staging().start();
    let mut wire = Wire::hello(root.smtp);
    let junk = vec![b'x'; 20 * 1024 * 1024];
    wire.send(&junk);
    wire.send(b"\r\n");
    let reply = wire.reply();
    assert!(reply.starts_with("500"), "{reply}");
    let mut other = Wire::hello(root.smtp);
    let reply = other.message("eve@example.com", &["bob@example.com"], MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
    root.wait_for_delivered("bob@example.com", 1);
}

#[test]
fn ten_thousand_recipients_are_answered_one_by_one() {
    let root = Root::staging().start();
    let mut wire = Wire::hello(root.smtp);
    wire.say("MAIL FROM:<eve@example.com>", "250");
    let (mut taken, mut later) = (0, 0);
    for block in 0..100 {
        let lines: String = (0..100).map(|_| "RCPT TO:<bob@example.com>\r\n").collect();
        wire.send(lines.as_bytes());
        for _ in 0..100 {
            match wire.reply() {
                reply if reply.starts_with("250") => taken += 1,
                reply if reply.starts_with("452 4.5.3") => later += 1,
                reply => panic!("block {block}: {reply}"),
            }
        }
    }
    assert_eq!((taken, later), (128, 9872));
    wire.say("DATA", "354");
    wire.send(b"Subject: x\r\n\r\nx\r\n.\r\n");
    wire.expect("250");
    root.wait_for_delivered("bob@example.com", 1);
}

#[test]
fn what_is_sent_before_starttls_is_forgotten() {
    let cert = crate::support::tls::certificate();
    let root = Root::staging()
        .flag(&["--tls-cert", cert.certificate(), "--tls-key", cert.key()])
        .start();
    let mut wire = Wire::hello(root.smtp);
    wire.send(b"STARTTLS\r\nMAIL FROM:<evil@example.com>\r\n");
    wire.expect("220");
    let mut tls = crate::support::tls::client(wire);
    tls.say("RCPT TO:<bob@example.com>", "503");
    let reply = tls.say("EHLO again.example.org", "250");
    assert!(!reply.contains("STARTTLS"), "{reply}");
}

#[test]
fn passwords_are_taken_over_tls_only_and_open_the_relay_for_their_owner() {
    let cert = crate::support::tls::certificate();
    let root = Root::staging()
        .flag(&["--tls-cert", cert.certificate(), "--tls-key", cert.key()])
        .start();
    let mut clear = Wire::hello(root.submit);
    clear.say("MAIL FROM:<bob@example.com>", "530 5.7.0");
    clear.say("AUTH PLAIN AGJvYgBi", "5");
    clear.say("STARTTLS", "220");
    let mut tls = crate::support::tls::client(clear);
    tls.say("EHLO laptop", "250");
    tls.say(
        "MAIL FROM:<bob@example.com>",
        "530 5.7.0 No AUTH command has been given.",
    );
    tls.say(
        &format!("AUTH PLAIN {}", plain("bob@example.com", "wrong")),
        "535 5.7.8",
    );
    let password = root.password("bob@example.com").to_owned();
    let reply = tls.say(
        &format!("AUTH PLAIN {}", plain("bob@example.com", &password)),
        "235 2.7.0",
    );
    assert_eq!(reply, "235 2.7.0 PLAIN authentication successful.");
    tls.say("MAIL FROM:<bob@example.com>", "250");
    tls.say("RCPT TO:<somebody@example.org>", "250 2.1.5");
    tls.say("RSET", "250");
    tls.say("AUTH PLAIN AGJvYgBi", "503");
    let mut implicit = crate::support::tls::connect(root.smtps);
    implicit.expect("220");
    implicit.say("EHLO laptop", "250");
    implicit.say("AUTH LOGIN", "334 VXNlcm5hbWU6");
    implicit.say(
        &crate::support::tls::base64("bob@example.com"),
        "334 UGFzc3dvcmQ6",
    );
    implicit.say(&crate::support::tls::base64(&password), "235 2.7.0 LOGIN");
}

fn plain(user: &str, password: &str) -> String {
    crate::support::tls::base64(&format!("\0{user}\0{password}"))
}

#[test]
fn strangers_cannot_relay() {
    let root = Root::staging()
        .flag(&["--internal-network", "10.255.255.0/24"])
        .start();
    let mut wire = Wire::hello(root.smtp);
    wire.say("MAIL FROM:<someone@example.net>", "250");
    wire.say(
        "RCPT TO:<other@example.org>",
        "550 5.7.1 Relaying not allowed: other@example.org",
    );
    wire.say("RCPT TO:<other%example.org@example.com>", "5");
    wire.say("RCPT TO:<@example.com:other@example.org>", "5");
    wire.say("RCPT TO:<bob@example.com>", "250");
}

#[test]
fn no_channel_is_reached_from_outside_by_its_own_name() {
    let root = Root::staging()
        .flag(&["--internal-network", "10.255.255.0/24"])
        .start();
    let mut wire = Wire::hello(root.smtp);
    wire.say("MAIL FROM:<someone@example.net>", "250");
    for channel in [
        "ims-ms",
        "tcp",
        "tcp_local",
        "tcp_intranet",
        "tcp_submit",
        "tcp_auth",
        "process",
        "reprocess",
        "hold",
        "bitbucket",
    ] {
        for recipient in [
            format!("bob@{channel}-daemon"),
            format!("x@example.net.{channel}-daemon"),
            format!("x%example.net@{channel}-daemon"),
            format!("x%example.net%{channel}-daemon@mail.example.com"),
            format!("x%example.net.{channel}-daemon@example.com"),
            format!("@{channel}-daemon:x@example.net"),
            format!("@mail.example.com:x@example.net.{channel}-daemon"),
            format!("\"x@example.net\"@{channel}-daemon"),
            format!("example.net!x@{channel}-daemon"),
        ] {
            wire.say(&format!("RCPT TO:<{recipient}>"), "5");
        }
    }
    wire.say("RCPT TO:<bob@example.com>", "250");
}

#[test]
fn a_client_that_stops_talking_is_let_go() {
    let root = Root::staging()
        .set(&["channel:tcp_local.options.COMMAND_RECEIVE_TIME", "1"])
        .set(&["channel:tcp_local.options.TIMEOUT_MULTIPLIER", "1"])
        .start();
    let mut wire = Wire::hello(root.smtp);
    let reply = wire.reply();
    assert!(reply.starts_with("421 4.4.2"), "{reply}");
    assert!(wire.is_closed());
    // One octet now and then does not keep a session alive either.
    let mut slow = Wire::hello(root.smtp);
    let closed = wait_within(Duration::from_secs(20), || {
        slow.try_send(b"N").is_err().then_some(())
    });
    assert!(closed.is_some(), "a trickle kept the session open");
}

#[test]
fn a_nul_and_eight_bit_octets_pass_unchanged() {
    let root = Root::staging().start();
    let mut wire = Wire::hello(root.smtp);
    let body: Vec<u8> = (0..=255u8)
        .filter(|b| ![b'\r', b'\n'].contains(b))
        .collect();
    let mut message = b"Subject: octets\n\n".to_vec();
    message.extend_from_slice(&body);
    message.push(b'\n');
    let reply = wire.message("eve@example.com", &["bob@example.com"], &message);
    assert!(reply.starts_with("250"), "{reply}");
    let found = root.wait_for_delivered("bob@example.com", 1);
    let stored = split(&found[0]).1;
    assert_eq!(&stored[..body.len()], &body[..]);
}

#[test]
fn a_header_bomb_is_refused_or_kept_within_bounds() {
    let root = Root::staging().start();
    let mut wire = Wire::hello(root.smtp);
    wire.say("MAIL FROM:<eve@example.com>", "250");
    wire.say("RCPT TO:<bob@example.com>", "250");
    wire.say("DATA", "354");
    let block: String = (0..1000)
        .map(|i| format!("X-Header-{i}: {}\r\n", "y".repeat(80)))
        .collect();
    for _ in 0..100 {
        if wire.try_send(block.as_bytes()).is_err() {
            break;
        }
    }
    wire.send(b"\r\nbody\r\n.\r\n");
    let reply = wire.reply();
    assert!(
        reply.starts_with('5') || reply.starts_with("250"),
        "{reply}"
    );
    for pid in root.pids("tcp_smtp_server") {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        let kilobytes: u64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap();
        assert!(kilobytes < 64 * 1024, "server grew to {kilobytes} kB");
    }
}

#[test]
fn swaks_and_smtplib_find_an_ordinary_server() {
    let root = Root::staging().start();
    let port = root.smtp.port().to_string();
    let output = std::process::Command::new("swaks")
        .args([
            "--server",
            "127.0.0.1",
            "--port",
            &port,
            "--from",
            "eve@example.com",
        ])
        .args(["--to", "bob@example.com", "--header", "Subject: from swaks"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let script = format!(
        "import smtplib\ns = smtplib.SMTP('127.0.0.1', {port})\ns.ehlo('py.example.org')\n\
         assert s.has_extn('size') and s.has_extn('dsn')\n\
         s.sendmail('eve@example.com', ['bob@example.com'], 'Subject: from smtplib\\r\\n\\r\\nbody\\r\\n', \
         mail_options=['ret=hdrs'], rcpt_options=['notify=never'])\ns.quit()\n"
    );
    let output = std::process::Command::new("python3")
        .args(["-c", &script])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    root.wait_for_delivered("bob@example.com", 2);
}

#[test]
fn commands_pipelined_behind_the_dot_are_obeyed_and_never_stored() {
    let root = Root::staging().start();
    let mut wire = Wire::hello(root.smtp);
    wire.send(b"MAIL FROM:<eve@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n");
    wire.expect("250");
    wire.expect("250");
    wire.expect("354");
    wire.send(b"Subject: one\r\n\r\none\r\n.\r\nMAIL FROM:<eve@example.com>\r\nRCPT TO:<bob@example.com>\r\nRSET\r\nQUIT\r\n");
    for code in ["250 2.5.0 Ok, envelope id", "250", "250", "250", "221"] {
        wire.expect(code);
    }
    assert!(wire.is_closed());
    let found = root.wait_for_delivered("bob@example.com", 1);
    assert!(found[0].ends_with(b"\n\none\n"));
}

#[test]
fn chunks_are_joined_and_a_spoiled_message_leaves_nothing() {
    let root = Root::staging().start();
    let mut wire = Wire::hello(root.smtp);
    wire.send(b"MAIL FROM:<eve@example.com>\r\nRCPT TO:<bob@example.com>\r\n");
    wire.expect("250");
    wire.expect("250");
    wire.send(b"BDAT 16\r\nSubject: one\r\n\r\nBDAT 5 LAST\r\none\r\n");
    wire.expect("250");
    wire.expect("250 2.5.0 Ok, envelope id");
    // After a BDAT without recipients nothing of it is kept, and DATA has nothing to go on.
    wire.say("MAIL FROM:<eve@example.com>", "250");
    wire.send(b"BDAT 3\r\nabc");
    wire.expect("503");
    wire.say("DATA", "503");
    wire.say("RSET", "250");
    wire.quit();
    let found = root.wait_for_delivered("bob@example.com", 1);
    assert!(found[0].ends_with(b"\n\none\n"));
    wait_for("an empty queue", || {
        root.all_queued().is_empty().then_some(())
    });
}
