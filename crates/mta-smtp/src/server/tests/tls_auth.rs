//! STARTTLS and AUTH.

use super::policy::TestPolicy;
use super::{play, play_with};
use crate::tls::Acceptor;

fn with_tls() -> TestPolicy {
    let mut policy = TestPolicy::new();
    policy.acceptor = Some(acceptor());
    policy
}

pub(crate) fn acceptor() -> Acceptor {
    let made = rcgen::generate_simple_self_signed(vec!["mx.example".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("c"), folder.path().join("k"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    Acceptor::load(&certificate, &key).unwrap()
}

#[test]
fn starttls_drops_what_came_with_it_and_forgets_the_transaction() {
    play_with(
        with_tls(),
        r#"
        S: 220 mx ESMTP
        C: EHLO x\r\nMAIL FROM:<evil@b>\r\nRCPT TO:<c@d>\r\nSTARTTLS\r\nRSET\r\nMAIL FROM:<injected@b>
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
        S: 250 2.1.5 c@d OK.
        S: 220 2.5.0 Go ahead with TLS negotiation.
        P: hello x
        P: tls
        C: DATA
        S: 503 5.5.0 No MAIL FROM command has been given.
        C: STARTTLS
        S: 503 5.5.0 TLS already active.
        C: EHLO y
        S: 250-mx
        S: 250-8BITMIME
        S: 250-PIPELINING
        S: 250-CHUNKING
        S: 250-DSN
        S: 250-ENHANCEDSTATUSCODES
        S: 250-HELP
        S: 250-AUTH PLAIN LOGIN
        S: 250-AUTH=LOGIN PLAIN
        S: 250-NO-SOLICITING
        S: 250 SIZE 0
        P: hello y
        "#,
    );
}

#[test]
fn no_password_is_told_with_a_bad_command() {
    let mut policy = TestPolicy::new();
    policy.tells_bad_commands = true;
    play_with(
        policy,
        r#"
        S: 220 mx ESMTP
        C: AUTH PLAIN AGJvYgBzZWNyZXQ=
        S: 538 5.7.11 Encryption required for requested authentication mechanism.
        P: bad: AUTH PLAIN ***
        C: auth	plain	AGJvYgBzZWNyZXQ= x
        S: 501 5.5.2 Syntax error in AUTH command.
        P: bad: auth plain ***
        C: MAIL FROM:<a@b>
        S: 250 2.5.0 Address Ok.
        C: AUTH PLAIN AGJvYgBzZWNyZXQ=
        S: 503 5.5.0 AUTH not permitted during a mail transaction.
        P: bad: AUTH PLAIN ***
        C: AUTH LOGIN
        S: 503 5.5.0 AUTH not permitted during a mail transaction.
        P: bad: AUTH LOGIN
        C: DATA x
        S: 503 5.5.0 No recipients have been specified.
        P: bad: DATA x
        "#,
    );
}

#[test]
fn a_certificate_that_cannot_be_used_leaves_the_session_in_clear() {
    play(
        r#"
        S: 220 mx ESMTP
        C: MAIL FROM:<a@b>
        S: 250 2.5.0 Address Ok.
        C: STARTTLS
        S: 454 4.7.1 TLS library initialization failure
        C: RCPT TO:<c@d>
        S: 250 2.1.5 c@d OK.
        "#,
    );
    let mut policy = TestPolicy::new();
    policy.offers.starttls = false;
    play_with(
        policy,
        "S: 220 mx ESMTP\nC: STARTTLS\nS: 502 5.5.1 STARTTLS command is not available.\n",
    );
}

const TLS: &str = "
    S: 220 mx ESMTP
    C: STARTTLS
    S: 220 2.5.0 Go ahead with TLS negotiation.
    P: tls
";

#[test]
fn auth_needs_tls() {
    play(
        "
        S: 220 mx ESMTP
        C: AUTH PLAIN AGFkYQBzZWNyZXQ=
        S: 538 5.7.11 Encryption required for requested authentication mechanism.
        ",
    );
}

#[test]
fn plain_with_and_without_initial_response() {
    for exchange in [
        "C: AUTH PLAIN AGFkYQBzZWNyZXQ=\n",
        "C: auth plain\nS: 334 \nC: AGFkYQBzZWNyZXQ=\n",
        "C: AUTH PLAIN\nS: 334 \nC: *\nS: 501 5.7.0 Authentication cancelled.\nC: AUTH PLAIN AGFkYQBzZWNyZXQ=\n",
        "C: AUTH PLAIN AGFkYQB3cm9uZw==\nS: 535 5.7.8 Bad username or password (Authentication failed).\nC: AUTH PLAIN AGFkYQBzZWNyZXQ=\n",
        "C: AUTH PLAIN ====\nS: 501 5.5.2 Syntax error in AUTH exchange.\nC: AUTH PLAIN AGFkYQBzZWNyZXQ=\n",
        "C: AUTH\nS: 501 5.5.2 Syntax error in AUTH command.\nC: AUTH PLAIN AGFkYQBzZWNyZXQ=\n",
        "C: AUTH CRAM-MD5\nS: 504 5.5.4 Unrecognized authentication mechanism.\nC: AUTH PLAIN AGFkYQBzZWNyZXQ=\n",
    ] {
        play_with(
            with_tls(),
            &format!(
                "{TLS}{exchange}S: 235 2.7.0 PLAIN authentication successful.
                P: user ada
                C: AUTH PLAIN AGFkYQBzZWNyZXQ=
                S: 503 5.5.0 Already authenticated.
                "
            ),
        );
    }
}

#[test]
fn login() {
    play_with(
        with_tls(),
        &format!(
            "{TLS}C: AUTH LOGIN
            S: 334 VXNlcm5hbWU6
            C: YWRh
            S: 334 UGFzc3dvcmQ6
            C: c2VjcmV0
            S: 235 2.7.0 LOGIN authentication successful.
            P: user ada
            "
        ),
    );
}

#[test]
fn auth_is_no_part_of_a_transaction_and_its_lines_are_bounded() {
    let long = "A".repeat(12_289);
    play_with(
        with_tls(),
        &format!(
            "{TLS}C: AUTH PLAIN
            S: 334 
            C: {long}
            S: 500 5.5.6 Authentication exchange line is too long.
            C: MAIL FROM:<a@b>
            S: 250 2.5.0 Address Ok.
            C: AUTH PLAIN AGFkYQBzZWNyZXQ=
            S: 503 5.5.0 AUTH not permitted during a mail transaction.
            "
        ),
    );
    let fits = "A".repeat(12_200);
    play_with(
        with_tls(),
        &format!("{TLS}C: AUTH PLAIN {fits}\nS: 501 5.5.2 Syntax error in AUTH exchange.\n"),
    );
}
