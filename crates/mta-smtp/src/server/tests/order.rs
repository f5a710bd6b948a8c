//! Which command may follow which.

use super::super::Policy;
use super::policy::TestPolicy;
use super::{play, play_with};
use crate::extension::Offers;

#[test]
fn a_plain_session() {
    play(
        r#"
        S: 220 mx ESMTP
        C: HELO client
        S: 250 mx OK, [192.0.2.1].
        P: hello client
        C: MAIL FROM:<a@b>
        S: 250 2.5.0 Address Ok.
        C: RCPT TO:<c@d>
        S: 250 2.1.5 c@d OK.
        C: RCPT TO:<e@f> NOTIFY=NEVER ORCPT=rfc822;e@f
        S: 250 2.1.5 e@f and options OK.
        C: DATA
        S: 354 Enter mail, end with a single ".".
        C: Subject: x
        C:
        C: ..dot
        C: .
        S: 250 2.5.0 Ok, envelope id ID@mx
        P: stored a@b > c@d e@f: Subject: x\n\n.dot\n (20 octets)
        C: NOOP whatever
        S: 250 2.5.0 Ok.
        C: QUIT
        S: 221 2.3.0 Bye received. Goodbye.
        S: <closed>
        P: closed: Quit
        "#,
    );
}

#[test]
fn everything_at_once_is_answered_in_order() {
    play(
        r#"
        S: 220 mx ESMTP
        C: EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<unknown@d>\r\nRCPT TO:<c@d>\r\nDATA\r\nbody\r\n.\r\nMAIL FROM:<>\r\nQUIT
        S: 250-mx
        S: 250-8BITMIME
        S: 250-PIPELINING
        S: 250-CHUNKING
        S: 250-DSN
        S: 250-ENHANCEDSTATUSCODES
        S: 250-HELP
        S: 250-STARTTLS
        S: 250-NO-SOLICITING
        S: 250 SIZE 0
        S: 250 2.5.0 Address Ok.
        S: 550 5.1.1 unknown or illegal user: it
        S: 250 2.1.5 c@d OK.
        S: 354 Enter mail, end with a single ".".
        S: 250 2.5.0 Ok, envelope id ID@mx
        S: 250 2.5.0 Address Ok.
        S: 221 2.3.0 Bye received. Goodbye.
        S: <closed>
        P: hello x
        P: stored a@b > c@d: body\n (6 octets)
        P: closed: Quit
        "#,
    );
}

/// Every command in every state: what it is answered there, and that the state is what it was.
#[test]
fn every_command_in_every_state() {
    let no_mail = "503 5.5.0 No MAIL FROM command has been given.";
    let no_rcpt = "503 5.5.0 No recipients have been specified.";
    let twice = "503 5.5.0 MAIL FROM already given.";
    let mail = "250 2.5.0 Address Ok.";
    let rcpt = "250 2.1.5 c@d OK.";
    let data = "354 Enter mail, end with a single \".\".";
    let ok = "250 2.5.0 Ok.";
    let stored = "250 2.5.0 Ok, envelope id ID@mx";
    let busy = "503 5.5.0 BDAT in progress; only BDAT or RSET may follow.";
    let spoilt = "503 5.5.0 BDAT failed; RSET must follow.";
    // Commands: MAIL, RCPT, DATA, BDAT 2, BDAT 2 LAST, RSET, VRFY.
    let after = [
        ("", [mail, no_mail, no_mail, no_mail, no_mail, ok]),
        ("MAIL", [twice, rcpt, no_rcpt, no_rcpt, no_rcpt, ok]),
        ("MAIL badRCPT", [twice, rcpt, no_rcpt, no_rcpt, no_rcpt, ok]),
        ("MAIL RCPT", [twice, rcpt, data, ok, stored, ok]),
        ("MAIL RCPT BDAT", [busy, busy, busy, ok, stored, ok]),
        (
            "MAIL RCPT badBDAT",
            [spoilt, spoilt, spoilt, spoilt, spoilt, ok],
        ),
        ("MAIL BDAT", [spoilt, spoilt, spoilt, spoilt, spoilt, ok]),
        (
            "MAIL RCPT BDAT RSET",
            [mail, no_mail, no_mail, no_mail, no_mail, ok],
        ),
        (
            "MAIL RCPT BDAT EHLO",
            [mail, no_mail, no_mail, no_mail, no_mail, ok],
        ),
        (
            "MAIL RCPT badBDAT HELO",
            [mail, no_mail, no_mail, no_mail, no_mail, ok],
        ),
        (
            "MAIL RCPT LAST",
            [mail, no_mail, no_mail, no_mail, no_mail, ok],
        ),
        (
            "MAIL RCPT badLAST",
            [mail, no_mail, no_mail, no_mail, no_mail, ok],
        ),
        (
            "MAIL RCPT message",
            [mail, no_mail, no_mail, no_mail, no_mail, ok],
        ),
        (
            "MAIL RCPT badmessage",
            [mail, no_mail, no_mail, no_mail, no_mail, ok],
        ),
        (
            "MAIL FULL message",
            [mail, no_mail, no_mail, no_mail, no_mail, ok],
        ),
        (
            "MAIL RCPT RSET",
            [mail, no_mail, no_mail, no_mail, no_mail, ok],
        ),
        (
            "MAIL RCPT HELO",
            [mail, no_mail, no_mail, no_mail, no_mail, ok],
        ),
        ("badMAIL", [mail, no_mail, no_mail, no_mail, no_mail, ok]),
        (
            "MAIL NODATA DATA",
            [
                twice,
                rcpt,
                "451 4.4.5 no data now",
                "451 4.4.5 no data now",
                "451 4.4.5 no data now",
                ok,
            ],
        ),
    ];
    let commands = [
        "MAIL FROM:<a@b>\r\n",
        "RCPT TO:<c@d>\r\n",
        "DATA\r\n",
        "BDAT 3\r\na\r\n",
        "BDAT 3 LAST\r\na\r\n",
        "RSET\r\n",
    ];
    for (path, answers) in after {
        for (command, answer) in commands.iter().zip(answers) {
            let mut policy = TestPolicy::new();
            let mut session = super::Session::new(policy.limits.clone());
            let mut input = super::Input::default();
            for word in path.split_whitespace() {
                input.push(step_of(word));
            }
            input.push(b"VRFY x\r\n");
            input.push(command.as_bytes());
            let mut output = Vec::new();
            while !matches!(session.step(&mut input, &mut policy), super::Step::Read(_)) {}
            output.extend(session.take_output());
            let text = String::from_utf8(output).unwrap();
            let last = text.lines().last();
            assert_eq!(last, Some(answer), "{path} then {command:?}\n{text}");
            let vrfy = "252 2.5.0 Possible local address <x>";
            assert!(text.lines().any(|line| line == vrfy), "VRFY after {path}");
        }
    }
}

fn step_of(word: &str) -> &'static [u8] {
    match word {
        "MAIL" => b"MAIL FROM:<a@b>\r\n",
        "badMAIL" => b"MAIL FROM:<unknown@b>\r\n",
        "RCPT" => b"RCPT TO:<c@d>\r\n",
        "badRCPT" => b"RCPT TO:<unknown@d>\r\n",
        "NODATA" => b"RCPT TO:<nodata@x>\r\n",
        "FULL" => b"RCPT TO:<full@x>\r\n",
        "DATA" => b"DATA\r\n",
        "BDAT" => b"BDAT 3\r\na\r\n",
        "badBDAT" => b"BDAT 2\r\na\n",
        "LAST" => b"BDAT 3 LAST\r\na\r\n",
        "badLAST" => b"BDAT 2 LAST\r\na\n",
        "message" => b"DATA\r\na\r\n.\r\n",
        "badmessage" => b"DATA\r\na\n.\r\n\r\n.\r\n",
        "RSET" => b"RSET\r\n",
        "EHLO" => b"EHLO x\r\n",
        "HELO" => b"HELO x\r\n",
        other => panic!("{other}"),
    }
}

#[test]
fn switched_off_commands_say_so() {
    play(
        r#"
        S: 220 mx ESMTP
        C: EXPN list
        S: 550 5.7.2 EXPN command has been disabled
        C: XADR a@b
        S: 550 5.7.0 XADR command has been disabled.
        C: XGEN
        S: 550 5.7.0 XGEN command has been disabled.
        C: SAML FROM:<a@b>
        S: 550 5.7.2 SEND/SAML/SOML commands have been disabled.
        C: ETRN host
        S: 550 5.7.1 ETRN command has been disabled.
        C: HELP
        S: 214-2.3.0 Commands:
        S: 214-2.3.0 HELO EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT HELP
        S: 214-2.3.0 VRFY EXPN ETRN STARTTLS AUTH
        S: 214 2.3.0 End of HELP
        "#,
    );
}

#[test]
fn the_ehlo_list_is_in_the_products_order() {
    let mut policy = TestPolicy::new();
    policy.offers = Offers {
        expn: true,
        private: crate::command::PrivateVerb::ALL.to_vec(),
        xloop: Some("1ACD1B852A0296B6927366303314E0F3".into()),
        etrn: true,
        size: 20_971_520,
        ..policy.offers()
    };
    play_with(
        policy,
        "
        S: 220 mx ESMTP
        C: EHLO x
        S: 250-mx
        S: 250-8BITMIME
        S: 250-PIPELINING
        S: 250-CHUNKING
        S: 250-DSN
        S: 250-ENHANCEDSTATUSCODES
        S: 250-EXPN
        S: 250-HELP
        S: 250-XADR
        S: 250-XSTA
        S: 250-XCIR
        S: 250-XGEN
        S: 250-XLOOP 1ACD1B852A0296B6927366303314E0F3
        S: 250-STARTTLS
        S: 250-ETRN
        S: 250-NO-SOLICITING
        S: 250 SIZE 20971520
        P: hello x
        C: XGEN
        S: 250 XGEN 
        C: EXPN list
        S: 250 2.1.5 list
        ",
    );
}

#[test]
fn a_refusal_that_closes_ends_the_session() {
    play(
        r"
        S: 220 mx ESMTP
        C: MAIL FROM:<a@b>
        S: 250 2.5.0 Address Ok.
        C: RCPT TO:<bye@x>\r\nRCPT TO:<c@d>\r\nDATA
        S: 450 4.7.0 limit; disconnecting
        S: <closed>
        P: closed: refused 450
        ",
    );
}

#[test]
fn too_many_bad_commands_end_the_session() {
    let mut policy = TestPolicy::new();
    policy.bad_commands_left = 1;
    play_with(
        policy,
        r#"
        S: 220 mx ESMTP
        C: FOO
        S: 500 5.5.1 Unknown command "FOO" specified.
        C: DATA
        S: 450 4.7.0 Session bad command limit reached; disconnecting
        S: <closed>
        P: closed: refused 450
        "#,
    );
}
