//! Message data, by DATA and by BDAT.

use super::policy::TestPolicy;
use super::{play, play_with};
use crate::data::LongLines;

const BEGIN: &str = r#"
    S: 220 mx ESMTP
    C: MAIL FROM:<a@b>\r\nRCPT TO:<c@d>
    S: 250 2.5.0 Address Ok.
    S: 250 2.1.5 c@d OK.
"#;

const DATA: &str = r#"
    C: DATA
    S: 354 Enter mail, end with a single ".".
"#;

#[test]
fn smuggled_endings_are_read_over_and_refused() {
    for (ending, fault) in [
        ("\\n.\\n", "LF"),
        ("\\n.\\r\\n", "LF"),
        ("\\r.\\r", "CR"),
        ("\\r.\\r\\n", "CR"),
        ("\\r\\n.\\n", "LF"),
        ("\\r\\n.\\r", "CR"),
        ("\\n\\n.\\r\\n", "LF"),
        ("\\r\\n.\\r\\r\\n", "CR"),
        ("\\r\\r\\n.\\r\\r\\n", "CR"),
        ("\\r\\n\\0.\\r\\n\\r", "CR"),
    ] {
        play(&format!(
            "{BEGIN}{DATA}
            C+ hello{ending}MAIL FROM:<evil@b>\\r\\nRCPT TO:<e@f>\\r\\nDATA\\r\\nx\\r\\n.\\r\\n
            S: 550 5.6.0 bare {fault} found in message data; lines must end in CRLF
            P: refused: bare {fault} in message data
            C: RCPT TO:<c@d>
            S: 503 5.5.0 No MAIL FROM command has been given.
            "
        ));
    }
}

#[test]
fn nul_and_eight_bit_pass_unchanged() {
    play(&format!(
        "{BEGIN}{DATA}
        C: a\\0b\\xc3\\xb6
        C: .
        S: 250 2.5.0 Ok, envelope id ID@mx
        P: stored a@b > c@d: a\\0bö\\n (7 octets)
        "
    ));
}

#[test]
fn long_lines_are_treated_as_the_channel_says() {
    let line = "x".repeat(1200);
    let head = format!("{BEGIN}{DATA}\nC: \nC: {line}\nC: .\n");
    for (mode, tail) in [
        (
            LongLines::Truncate,
            format!(
                "P: long line: Truncate\nP: stored a@b > c@d: \\n{}\\n (1204 octets)",
                "x".repeat(998)
            ),
        ),
        (
            LongLines::Wrap,
            format!(
                "P: long line: Wrap\nP: stored a@b > c@d: \\n{}\\n{}\\n (1204 octets)",
                "x".repeat(998),
                "x".repeat(202)
            ),
        ),
    ] {
        let mut policy = TestPolicy::new();
        policy.limits.long_lines = mode;
        play_with(
            policy,
            &format!("{head}S: 250 2.5.0 Ok, envelope id ID@mx\n{tail}\n"),
        );
    }
    let mut policy = TestPolicy::new();
    policy.limits.long_lines = LongLines::Reject;
    play_with(
        policy,
        &format!(
            "{head}S: 550 5.6.0 lines longer than SMTP allows encountered; message rejected
            P: refused: line too long in message data"
        ),
    );
}

#[test]
fn a_refused_message_is_not_drained_for_ever() {
    let junk = "x".repeat(120_000);
    play(&format!(
        "{BEGIN}{DATA}
        C+ a\\nb
        C+ {junk}
        S: 421 4.7.0 Too much input refused; closing connection.
        S: <closed>
        P: closed: Flood
        "
    ));
}

#[test]
fn a_message_that_the_policy_has_refused_is_not_read_for_ever() {
    let junk = "x\\r\\n".repeat(40_000);
    for (command, answer) in [
        (
            "DATA",
            "        S: 354 Enter mail, end with a single \".\".\n",
        ),
        ("BDAT 1000000", ""),
    ] {
        let mut policy = TestPolicy::new();
        policy.room = 1000;
        play_with(
            policy,
            &format!(
                "{BEGIN}
        C: {command}
{answer}        C+ {junk}
        S: 421 4.7.0 Too much input refused; closing connection.
        S: <closed>
        P: closed: Flood
        "
            ),
        );
    }
}

#[test]
fn chunks_are_one_message() {
    play(&format!(
        "{BEGIN}
        C+ BDAT 5\\r\\na\\r\\nb\\r
        S: 250 2.5.0 Ok.
        C+ BDAT 0\\r\\nBDAT 3\\r\\n\\n.\\r
        S: 250 2.5.0 Ok.
        S: 250 2.5.0 Ok.
        C+ BDAT 6 LAST\\r\\n\\n..c\\r\\nNOOP\\r\\n
        S: 250 2.5.0 Ok, envelope id ID@mx
        S: 250 2.5.0 Ok.
        P: stored a@b > c@d: a\\nb\\n.\\n..c\\n (14 octets)
        "
    ));
}

#[test]
fn a_chunk_may_hold_anything_that_looks_like_commands() {
    play(&format!(
        "{BEGIN}
        C+ BDAT 15 LAST\\r\\nQUIT\\r\\n.\\r\\nRSET\\r\\n
        S: 250 2.5.0 Ok, envelope id ID@mx
        P: stored a@b > c@d: QUIT\\n.\\nRSET\\n (15 octets)
        "
    ));
}

#[test]
fn bare_line_ends_in_a_chunk_refuse_it_and_all_behind_it() {
    play(&format!(
        "{BEGIN}
        C+ BDAT 3\\r\\na\\nbBDAT 3\\r\\nccc
        S: 550 5.6.0 bare LF found in message data; lines must end in CRLF
        S: 503 5.5.0 BDAT failed; RSET must follow.
        P: refused: bare LF in message data
        C: BDAT 0 LAST
        S: 503 5.5.0 BDAT failed; RSET must follow.
        C: DATA
        S: 503 5.5.0 BDAT failed; RSET must follow.
        C: RSET
        S: 250 2.5.0 Ok.
        C: DATA
        S: 503 5.5.0 No MAIL FROM command has been given.
        "
    ));
}

#[test]
fn a_chunk_before_its_time_is_skipped() {
    play(
        r"
        S: 220 mx ESMTP
        C+ BDAT 6\r\nQUIT\r\nNOOP\r\n
        S: 503 5.5.0 No MAIL FROM command has been given.
        S: 250 2.5.0 Ok.
        C: MAIL FROM:<a@b>
        S: 250 2.5.0 Address Ok.
        C+ BDAT 6 LAST\r\nQUIT\r\n
        S: 503 5.5.0 No recipients have been specified.
        C: RCPT TO:<c@d>
        S: 503 5.5.0 BDAT failed; RSET must follow.
        C: DATA
        S: 503 5.5.0 BDAT failed; RSET must follow.
        ",
    );
}

#[test]
fn a_chunk_of_unknown_size_ends_the_session() {
    for size in [
        "18446744073709551616",
        "-1",
        "x",
        "",
        "5 FIRST",
        "5 LAST LAST",
        "+5",
    ] {
        play(&format!(
            "{BEGIN}
            C: BDAT {size}
            S: 501 5.5.2 Syntax error in BDAT command.
            S: <closed>
            P: closed: refused 501
            "
        ));
    }
}

#[test]
fn an_unwanted_chunk_is_not_skipped_for_ever() {
    let junk = "x".repeat(120_000);
    play(&format!(
        "S: 220 mx ESMTP
        C+ BDAT 18446744073709551615\\r\\n{junk}
        S: 421 4.7.0 Too much input refused; closing connection.
        S: <closed>
        P: closed: Flood
        "
    ));
}

#[test]
fn without_chunking_a_chunk_is_refused() {
    let mut policy = TestPolicy::new();
    policy.offers.chunking = false;
    play_with(
        policy,
        &format!(
            "{BEGIN}
            C+ BDAT 6 LAST\\r\\nQUIT\\r\\n
            S: 502 5.5.1 BDAT command is not available.
            "
        ),
    );
}

#[test]
fn floods_of_tiny_chunks_keep_no_memory() {
    let mut policy = TestPolicy::new();
    policy.limits.command_line = 4096;
    let flood = "BDAT 1\\r\\nx".repeat(900);
    let answers = "S: 250 2.5.0 Ok.\n".repeat(900);
    play_with(
        policy,
        &format!("{BEGIN}C+ {flood}\n{answers}C: RSET\nS: 250 2.5.0 Ok.\n"),
    );
}

#[test]
fn disk_trouble_at_the_end_forgets_the_transaction() {
    play(
        r#"
        S: 220 mx ESMTP
        C: MAIL FROM:<a@b>\r\nRCPT TO:<full@x>\r\nDATA
        S: 250 2.5.0 Address Ok.
        S: 250 2.1.5 full@x OK.
        S: 354 Enter mail, end with a single ".".
        C: .
        S: 452 4.3.1 disk full
        C: DATA
        S: 503 5.5.0 No MAIL FROM command has been given.
        "#,
    );
}
