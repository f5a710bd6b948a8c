//! Hostile lines.

use super::policy::TestPolicy;
use super::{play, play_with};

/// Each line alone, and its answer.
fn each(table: &[(&str, &str)]) {
    for (line, answer) in table {
        play(&format!(
            "S: 220 mx ESMTP\nC: {line}\nS: {answer}\nC: NOOP\nS: 250 2.5.0 Ok.\n"
        ));
    }
}

/// The same within a transaction.
fn each_rcpt(table: &[(&str, &str)]) {
    for (line, answer) in table {
        play(&format!(
            "S: 220 mx ESMTP\nC: MAIL FROM:<a@b>\nS: 250 2.5.0 Address Ok.\nC: {line}\nS: {answer}\n"
        ));
    }
}

const MAIL: &str = "501 5.5.2 Syntax error in MAIL FROM command.";
const RCPT: &str = "501 5.5.2 Syntax error in RCPT TO command.";
const OK: &str = "250 2.5.0 Address Ok.";

#[test]
fn a_path_has_its_own_limit() {
    let mut policy = TestPolicy::new();
    policy.limits.command_line = 1000;
    let local = "a".repeat(499);
    play_with(
        policy,
        &format!(
            "S: 220 mx ESMTP
            C: MAIL FROM:<{local}@b>
            S: 501 5.5.2 Syntax error in MAIL FROM command: path is longer than 500 octets."
        ),
    );
}

#[test]
fn senders() {
    let long = format!("MAIL FROM:<{}@b>", "a".repeat(480));
    each(&[
        ("MAIL FROM:<>", OK),
        ("mail from:<a@b>", OK),
        ("MAIL FROM: <a@b>  ", OK),
        ("MAIL FROM:<user>", OK),
        ("MAIL FROM:<@c,@d:a@b>", OK),
        ("MAIL FROM:<\"a@c\"@b.example>", OK),
        ("MAIL FROM:<\"a > b\"@c>", OK),
        ("MAIL FROM:<a@[192.0.2.1]>", OK),
        ("MAIL FROM:<a@[IPv6:2001:db8::1]>", OK),
        ("MAIL FROM:<a..b@c>", OK),
        (&long, OK),
        ("MAIL FROM:a@b", MAIL),
        ("MAIL FROM:<a@b", MAIL),
        ("MAIL FROM:<a@b>x", MAIL),
        ("MAIL FROM:<a@b>>", MAIL),
        ("MAIL FROM:<<a@b>", MAIL),
        ("MAIL FROM <a@b>", MAIL),
        ("MAIL TO:<a@b>", MAIL),
        ("MAIL", MAIL),
        ("MAIL FROM:<@b>", MAIL),
        ("MAIL FROM:<a@>", MAIL),
        ("MAIL FROM:<a@b@c>", MAIL),
        ("MAIL FROM:<;sleep 66;>", MAIL),
        ("MAIL FROM:<a b@c>", MAIL),
        ("MAIL FROM:<a@b c>", MAIL),
        ("MAIL FROM:<a@b\\0c>", MAIL),
        ("MAIL FROM:<\"a\\x01\"@c>", MAIL),
        ("MAIL FROM:<a(x)@c>", MAIL),
        ("MAIL FROM:<\"a@c>", MAIL),
        ("MAIL FROM:<a@b\\x1b[2J>", MAIL),
        ("MAIL FROM:<a@-->", OK),
        ("MAIL FROM:<a@b..c>", MAIL),
        (
            "MAIL FROM:<a@\\xc3\\xa4.example>",
            "553 5.6.7 non-ASCII addresses not permitted",
        ),
        ("MAIL FROM:<b\\xc3\\xb6tes@b>", OK),
    ]);
}

#[test]
fn sender_parameters() {
    let envid = format!("MAIL FROM:<a@b> ENVID={}", "x".repeat(101));
    each(&[
        (
            "MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=QQ+2B1 AUTH=<> SOLICIT=org.example:ADV",
            OK,
        ),
        ("MAIL FROM:<a@b> body=7bit", OK),
        ("MAIL FROM:<a@b> SIZE=18446744073709551615", OK),
        (
            "MAIL FROM:<a@b> SIZE=18446744073709551616",
            "501 5.5.2 Syntax error in SIZE parameter.",
        ),
        (
            "MAIL FROM:<a@b> SIZE=-1",
            "501 5.5.2 Syntax error in SIZE parameter.",
        ),
        (
            "MAIL FROM:<a@b> SIZE=+1",
            "501 5.5.2 Syntax error in SIZE parameter.",
        ),
        ("MAIL FROM:<a@b> SIZE=", MAIL),
        ("MAIL FROM:<a@b> SIZE=1 SIZE=2", MAIL),
        (
            "MAIL FROM:<a@b> BODY=BINARYMIME",
            "501 5.5.2 Syntax error in BODY parameter.",
        ),
        (
            "MAIL FROM:<a@b> RET=ALL",
            "501 5.5.2 Syntax error in RET parameter.",
        ),
        (
            "MAIL FROM:<a@b> ENVID=a+00b",
            "501 5.5.2 Syntax error in ENVID parameter.",
        ),
        (
            "MAIL FROM:<a@b> ENVID=a+0Ab",
            "501 5.5.2 Syntax error in ENVID parameter.",
        ),
        (
            "MAIL FROM:<a@b> ENVID=a+2",
            "501 5.5.2 Syntax error in ENVID parameter.",
        ),
        (&envid, "501 5.5.2 Syntax error in ENVID parameter."),
        (
            "MAIL FROM:<a@b> AUTH=x+0Ay",
            "501 5.5.2 Syntax error in AUTH parameter.",
        ),
        (
            "MAIL FROM:<a@b> SMTPUTF8",
            "555 5.5.4 Parameter \"SMTPUTF8\" is not supported.",
        ),
        (
            "MAIL FROM:<a@b> NOTIFY=NEVER",
            "555 5.5.4 Parameter \"NOTIFY\" is not supported.",
        ),
        (
            "MAIL FROM:<a@b> RET",
            "555 5.5.4 Parameter \"RET\" is not supported.",
        ),
        ("MAIL FROM:<a@b> =x", MAIL),
        ("MAIL FROM:<a@b> X=\\x80", MAIL),
    ]);
}

#[test]
fn recipients_and_their_parameters() {
    let orcpt = format!("RCPT TO:<c@d> ORCPT=rfc822;{}", "x".repeat(500));
    each_rcpt(&[
        ("RCPT TO:<c@d>", "250 2.1.5 c@d OK."),
        ("RCPT TO:<@x,@y:c@d>", "250 2.1.5 c@d OK."),
        (
            "RCPT TO:<\"a@c\"@b.example>",
            "250 2.1.5 \"a@c\"@b.example OK.",
        ),
        ("RCPT TO:<b\\xf6tes@d>", "250 2.1.5 b*tes@d OK."),
        (
            "RCPT TO:<c@d\\xf6>",
            "553 5.6.7 non-ASCII addresses not permitted",
        ),
        ("RCPT TO:<postmaster>", "250 2.1.5 postmaster OK."),
        ("RCPT TO:<>", RCPT),
        (
            "RCPT TO:<c@d> NOTIFY=SUCCESS,FAILURE,DELAY",
            "250 2.1.5 c@d and options OK.",
        ),
        (
            "RCPT TO:<c@d> NOTIFY=NEVER,DELAY",
            "501 5.5.2 Syntax error in NOTIFY parameter.",
        ),
        (
            "RCPT TO:<c@d> NOTIFY=MAYBE",
            "501 5.5.2 Syntax error in NOTIFY parameter.",
        ),
        (
            "RCPT TO:<c@d> ORCPT=rfc822;c+2Bx@d",
            "250 2.1.5 c@d and options OK.",
        ),
        (
            "RCPT TO:<c@d> ORCPT=rfc822;x+00y",
            "501 5.5.2 Syntax error in ORCPT parameter.",
        ),
        (
            "RCPT TO:<c@d> ORCPT=rfc822;x+0D+0Ay",
            "501 5.5.2 Syntax error in ORCPT parameter.",
        ),
        (
            "RCPT TO:<c@d> ORCPT=c@d",
            "501 5.5.2 Syntax error in ORCPT parameter.",
        ),
        (&orcpt, "500 5.5.2 Command line is too long."),
        (
            "RCPT TO:<c@d> SIZE=1",
            "555 5.5.4 Parameter \"SIZE\" is not supported.",
        ),
    ]);
}

#[test]
fn line_ends() {
    let bare = "500 5.5.2 Bare CR or LF in command; lines must end in CRLF.";
    each(&[
        ("MAIL FROM:<a@b>\\n", bare),
        ("MAIL FROM:<a@b>\\r", bare),
        ("NOOP\\nRSET", bare),
        ("NOOP\\nMAIL FROM:<a@b>\\nRCPT TO:<c@d>", bare),
        ("RCPT TO:<a@b.example\\rX>", bare),
    ]);
}

#[test]
fn a_bare_line_feed_is_told_at_once() {
    play(
        r"
        S: 220 mx ESMTP
        C+ EHLO x\n
        S: 500 5.5.2 Bare CR or LF in command; lines must end in CRLF.
        C+ QUIT\n
        C+ \r\nNOOP\r\n
        S: 250 2.5.0 Ok.
        ",
    );
}

#[test]
fn odd_verbs_and_arguments() {
    let long = "x".repeat(513);
    each(
        &[
            ("", "500 5.5.1 Unknown command \"\" specified."),
            ("\\0", "500 5.5.1 Unknown command \"?\" specified."),
            (
                "\\xff\\xfe x",
                "500 5.5.1 Unknown command \"??\" specified.",
            ),
            (
                "GET / HTTP/1.1",
                "500 5.5.1 Unknown command \"GET\" specified.",
            ),
            (&long, "500 5.5.2 Command line is too long."),
            (
                "DATA now",
                "501 5.5.2 Syntax error in DATA command: it has no parameters.",
            ),
            (
                "QUIT now",
                "501 5.5.2 Syntax error in QUIT command: it has no parameters.",
            ),
            ("EHLO", "501 5.5.2 Syntax error in EHLO command."),
            ("HELO \\x1b[2J", "501 5.5.2 Syntax error in HELO command."),
            ("VRFY", "501 5.5.2 Syntax error in VRFY command."),
            ("VRFY \\xc3\\xb6", "252 2.5.0 Possible local address <**>"),
            ("RSET ", "250 2.5.0 Ok."),
        ]
        .map(|(line, answer)| match line {
            "DATA now" => (line, "503 5.5.0 No MAIL FROM command has been given."),
            line => (line, answer),
        }),
    );
}

#[test]
fn eight_bit_names_become_asterisks() {
    play(
        r"
        S: 220 mx ESMTP
        C: HELO b\xf6se.example
        S: 250 mx OK, [192.0.2.1].
        P: hello b*se.example
        ",
    );
}
