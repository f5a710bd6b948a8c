//! Transcripts of openings and transfers: `C:` what we must send, `S:` what the server answers,
//! `=` what comes of it.

use mta_envelope::address::Address;
use mta_envelope::envelope::{Notify, Ret};

use super::{
    AuthUse, EhloUse, Letter, LetterRecipient, Manners, Opening, OpeningStep, TlsUse, Transfer,
    TransferStep,
};
use crate::extension::Extensions;
use crate::line::Input;
use crate::reply::{Reply, ReplyReader};

fn reply_of(lines: &str) -> Reply {
    let (mut input, mut reader) = (Input::default(), ReplyReader::default());
    input.push(lines.replace('|', "\r\n").as_bytes());
    input.push(b"\r\n");
    reader.next(&mut input).unwrap().expect("a whole reply")
}

/// Plays an opening; a reply of several lines is written with `|` between them.
fn open(manners: &Manners, script: &str) {
    let mut opening = Opening::new(manners);
    let mut said = String::new();
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        if let Some(reply) = line.strip_prefix("S: ") {
            said = match opening.reply(reply_of(reply)) {
                Ok(OpeningStep::Send(text)) => format!("C: {}", text.trim_end()),
                Ok(OpeningStep::StartTls) => {
                    let OpeningStep::Send(text) = opening.tls_started() else {
                        panic!("EHLO after the handshake");
                    };
                    format!("TLS, C: {}", text.trim_end())
                }
                Ok(OpeningStep::Ready) => "= ready".to_owned(),
                Err(error) => format!("= {error}"),
            };
        } else {
            assert_eq!(said, line, "in {script}");
        }
    }
}

fn manners() -> Manners {
    Manners {
        name: "mx.example".into(),
        ..Manners::default()
    }
}

#[test]
fn ehlo_then_helo_if_it_is_refused() {
    open(
        &manners(),
        "S: 220 there ESMTP\nC: EHLO mx.example\nS: 500 what?\nC: HELO mx.example\nS: 250 hi\n= ready",
    );
    open(
        &manners(),
        "S: 220 x\nC: EHLO mx.example\nS: 421 4.3.2 busy\n= HELO refused: 421 4.3.2 busy",
    );
}

#[test]
fn the_banner_decides_about_ehlo() {
    let table = [
        (EhloUse::UnlessFireAway, "220 x fire away", "HELO"),
        (EhloUse::UnlessFireAway, "220 x", "EHLO"),
        (EhloUse::IfEsmtp, "220 x", "HELO"),
        (EhloUse::IfEsmtp, "220 x ESMTP", "EHLO"),
        (EhloUse::Never, "220 x ESMTP", "HELO"),
        (EhloUse::Always, "220 x fire away", "EHLO"),
    ];
    for (ehlo, banner, verb) in table {
        let manners = Manners { ehlo, ..manners() };
        open(&manners, &format!("S: {banner}\nC: {verb} mx.example"));
    }
    open(
        &manners(),
        "S: 554 go away\n= greeting refused: 554 go away",
    );
}

#[test]
fn tls_is_used_as_told() {
    let offered = "S: 220 x\nC: EHLO mx.example\nS: 250-x|250 STARTTLS\n";
    let bare = "S: 220 x\nC: EHLO mx.example\nS: 250 x\n";
    let with = |tls| Manners { tls, ..manners() };
    open(&with(TlsUse::Never), &format!("{offered}= ready"));
    open(&with(TlsUse::May), &format!("{bare}= ready"));
    open(
        &with(TlsUse::Must),
        &format!("{bare}= remote server does not offer TLS, which is required"),
    );
    for tls in [TlsUse::May, TlsUse::Must] {
        open(
            &with(tls),
            &format!(
                "{offered}C: STARTTLS\nS: 220 go\nTLS, C: EHLO mx.example\nS: 250-x|250 STARTTLS\n= ready"
            ),
        );
    }
    open(
        &with(TlsUse::May),
        &format!("{offered}C: STARTTLS\nS: 454 no\n= ready"),
    );
    open(
        &with(TlsUse::Must),
        &format!("{offered}C: STARTTLS\nS: 454 no\n= STARTTLS refused: 454 no"),
    );
}

#[test]
fn auth_is_used_as_told() {
    let offered = "S: 220 x\nC: EHLO mx.example\nS: 250-x|250 AUTH LOGIN PLAIN\n";
    let both = "S: 220 x\nC: EHLO mx.example\nS: 250-x|250-STARTTLS|250 AUTH PLAIN\n";
    let (user, password) = ("ada".to_owned(), "secret".to_owned());
    let may = Manners {
        auth: AuthUse::May {
            user: user.clone(),
            password: password.clone(),
        },
        ..manners()
    };
    let must = Manners {
        auth: AuthUse::Must { user, password },
        ..manners()
    };
    let begun = format!("{offered}C: AUTH PLAIN AGFkYQBzZWNyZXQ=\n");
    for manners in [&may, &must] {
        open(manners, &format!("{begun}S: 235 ok\n= ready"));
    }
    // Where TLS is wanted, whoever spoils it does not get the password instead.
    let (mut may_both, mut must_both) = (may.clone(), must.clone());
    may_both.tls = TlsUse::May;
    must_both.tls = TlsUse::May;
    let refused = "C: STARTTLS\nS: 454 no\n";
    let needed = "= AUTH PLAIN is required, and not sent without TLS";
    for begun in [offered.to_owned(), format!("{both}{refused}")] {
        open(&may_both, &format!("{begun}= ready"));
        open(&must_both, &format!("{begun}{needed}"));
    }
    open(
        &must_both,
        &format!(
            "{both}C: STARTTLS\nS: 220 go\nTLS, C: EHLO mx.example\nS: 250-x|250 AUTH PLAIN\nC: AUTH PLAIN AGFkYQBzZWNyZXQ=\nS: 235 ok\n= ready"
        ),
    );
    open(&may, &format!("{begun}S: 535 no\n= ready"));
    open(&must, &format!("{begun}S: 535 no\n= AUTH refused: 535 no"));
    open(
        &must,
        "S: 220 x\nC: EHLO mx.example\nS: 250 x\n= remote server does not offer AUTH PLAIN, which is required",
    );
}

fn letter(recipients: &[&str]) -> Letter {
    let recipient = |text: &&str| LetterRecipient {
        address: Address::parse(text).unwrap(),
        notify: Notify::default(),
        original: None,
    };
    Letter {
        sender: Some(Address::parse("a@b").unwrap()),
        size: 100,
        recipients: recipients.iter().map(recipient).collect(),
        ..Letter::default()
    }
}

fn with(words: &str) -> Extensions {
    let lines = words.split(' ').map(str::to_owned);
    Extensions::from_ehlo(&Reply {
        code: 250,
        status: None,
        lines: std::iter::once("x".to_owned()).chain(lines).collect(),
    })
}

/// Plays a transfer. `C:` lines are one group each, its commands separated by `|`.
fn transfer(letter: &Letter, extensions: &Extensions, reset: bool, script: &str) {
    let mut transfer = Transfer::new(letter, extensions, reset);
    let mut verdicts = Vec::new();
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        if let Some(reply) = line.strip_prefix("S: ") {
            let step = transfer.step();
            assert!(
                matches!(step, TransferStep::Receive(_)),
                "{step:?} before {line}"
            );
            transfer.reply(reply_of(reply));
            continue;
        }
        if line.starts_with('=') {
            verdicts.push(line);
            continue;
        }
        let step = match transfer.step() {
            TransferStep::Send(bytes) => {
                let text = String::from_utf8(bytes).unwrap();
                format!("C: {}", text.trim_end().replace("\r\n", "|"))
            }
            TransferStep::SendContent => {
                transfer.content_sent();
                "content".to_owned()
            }
            TransferStep::SendChunks => format!("C: {}", transfer.chunk(100, true).trim_end()),
            TransferStep::Abort => "abort".to_owned(),
            TransferStep::Done => "done".to_owned(),
            TransferStep::Receive(stage) => format!("receive {stage:?}"),
        };
        assert_eq!(step, line, "in {script}");
    }
    let said: Vec<String> = transfer
        .verdicts()
        .iter()
        .map(|verdict| {
            let reply = verdict
                .reply
                .as_ref()
                .map_or("-".to_owned(), Reply::one_line);
            format!("= {:?} at {:?}: {reply}", verdict.fate, verdict.stage)
        })
        .collect();
    assert_eq!(said, verdicts, "in {script}");
}

#[test]
fn one_command_at_a_time_without_pipelining() {
    transfer(
        &letter(&["c@d", "e@f", "g@h"]),
        &with("HELP"),
        false,
        "
        C: MAIL FROM:<a@b>
        S: 250 ok
        C: RCPT TO:<c@d>
        S: 250 2.1.5 c ok
        C: RCPT TO:<e@f>
        S: 550 5.1.1 who?
        C: RCPT TO:<g@h>
        S: 451 4.2.0 later
        C: DATA
        S: 354 go
        content
        S: 250 taken
        done
        = Accepted at Rcpt: 250 2.1.5 c ok
        = Permanent at Rcpt: 550 5.1.1 who?
        = Temporary at Rcpt: 451 4.2.0 later
        ",
    );
}

#[test]
fn everything_at_once_with_pipelining() {
    transfer(
        &letter(&["c@d", "e@f"]),
        &with("PIPELINING SIZE"),
        true,
        "
        C: RSET|MAIL FROM:<a@b> SIZE=100|RCPT TO:<c@d>|RCPT TO:<e@f>|DATA
        S: 250 reset
        S: 250 ok
        S: 550 no
        S: 250 ok
        S: 354 go
        content
        S: 250 taken
        done
        = Permanent at Rcpt: 550 no
        = Accepted at Rcpt: 250 ok
        ",
    );
}

#[test]
fn a_refused_sender_is_everybodys_fate() {
    for (reply, fate) in [
        ("550 5.7.1 no", "Permanent"),
        ("451 4.7.1 grey", "Temporary"),
        ("354 what", "Temporary"),
    ] {
        transfer(
            &letter(&["c@d", "e@f"]),
            &with("HELP"),
            false,
            &format!(
                "C: MAIL FROM:<a@b>\nS: {reply}\ndone
                = {fate} at Mail: {reply}
                = {fate} at Mail: {reply}"
            ),
        );
    }
}

#[test]
fn a_reset_is_owed_until_it_is_granted() {
    let extensions = Extensions {
        size: Some(5000),
        ..with("HELP")
    };
    let mut large = letter(&["c@d"]);
    large.size = 5001;
    for (letter, owed) in [(&large, true), (&large, false)] {
        let mut transfer = Transfer::new(letter, &extensions, owed);
        assert_eq!(transfer.step(), TransferStep::Done);
        assert_eq!(transfer.needs_reset(), owed);
    }
    let small = letter(&["c@d"]);
    for (answers, owed) in [
        (&["250 reset"][..], false),
        (&["250 reset", "550 no"], false),
        (&["250 reset", "250 ok"], true),
        (&["451 no"], true),
    ] {
        let mut transfer = Transfer::new(&small, &extensions, true);
        for answer in answers {
            assert!(matches!(transfer.step(), TransferStep::Send(_)));
            transfer.reply(reply_of(answer));
        }
        assert_eq!(transfer.needs_reset(), owed, "{answers:?}");
    }
}

#[test]
fn a_server_that_is_out_of_step_is_left_and_nobody_returned() {
    let table = [
        (true, "C: RSET\nS: 451 no\nabort", "Reset: 451 no"),
        (true, "C: RSET\nS: 502 no\nabort", "Reset: 502 no"),
        (
            false,
            "C: MAIL FROM:<a@b>\nS: 503 5.5.1 nested MAIL\nabort",
            "Mail: 503 5.5.1 nested MAIL",
        ),
        (
            false,
            "C: MAIL FROM:<a@b>\nS: 250 ok\nC: RCPT TO:<c@d>\nS: 250 ok\nC: DATA\nS: 503 RCPT first\nabort",
            "Data: 503 RCPT first",
        ),
    ];
    for (reset, script, end) in table {
        let script = format!("{script}\n= Temporary at {end}");
        transfer(&letter(&["c@d"]), &with("HELP"), reset, &script);
    }
    transfer(
        &letter(&["c@d"]),
        &with("PIPELINING"),
        true,
        "C: RSET|MAIL FROM:<a@b>|RCPT TO:<c@d>|DATA\nS: 451 no\nabort\n= Temporary at Reset: 451 no",
    );
}

#[test]
fn nobody_accepted_means_no_data() {
    transfer(
        &letter(&["c@d"]),
        &with("HELP"),
        false,
        "C: MAIL FROM:<a@b>\nS: 250 ok\nC: RCPT TO:<c@d>\nS: 552 full\ndone\n= Temporary at Rcpt: 552 full",
    );
    transfer(
        &letter(&["c@d"]),
        &with("PIPELINING"),
        false,
        "C: MAIL FROM:<a@b>|RCPT TO:<c@d>|DATA\nS: 250 ok\nS: 550 no\nS: 354 go\nabort\n= Permanent at Rcpt: 550 no",
    );
    transfer(
        &letter(&["c@d"]),
        &with("PIPELINING"),
        false,
        "C: MAIL FROM:<a@b>|RCPT TO:<c@d>|DATA\nS: 250 ok\nS: 550 no\nS: 503 no\ndone\n= Permanent at Rcpt: 550 no",
    );
}

#[test]
fn a_listed_552_is_permanent() {
    let mut letter = letter(&["c@d"]);
    letter.permanent_552 = vec!["5.2.2 over quota".into()];
    transfer(
        &letter,
        &with("HELP"),
        false,
        "C: MAIL FROM:<a@b>\nS: 250 ok\nC: RCPT TO:<c@d>\nS: 552 5.2.2 Over quota\ndone\n= Permanent at Rcpt: 552 5.2.2 Over quota",
    );
}

#[test]
fn the_answer_to_the_dot_is_for_all_accepted() {
    for (reply, fate) in [
        ("554 spam", "Permanent"),
        ("452 full", "Temporary"),
        ("354 eh", "Temporary"),
    ] {
        transfer(
            &letter(&["c@d", "e@f"]),
            &with("PIPELINING"),
            false,
            &format!(
                "C: MAIL FROM:<a@b>|RCPT TO:<c@d>|RCPT TO:<e@f>|DATA
                S: 250 ok\nS: 250 ok\nS: 550 no\nS: 354 go\ncontent\nS: {reply}\ndone
                = {fate} at Content: {reply}
                = Permanent at Rcpt: 550 no"
            ),
        );
    }
}

#[test]
fn a_421_ends_it_wherever_it_comes() {
    transfer(
        &letter(&["c@d", "e@f", "g@h"]),
        &with("HELP"),
        false,
        "
        C: MAIL FROM:<a@b>
        S: 250 ok
        C: RCPT TO:<c@d>
        S: 550 no
        C: RCPT TO:<e@f>
        S: 421 4.3.2 going down
        abort
        = Permanent at Rcpt: 550 no
        = Temporary at Rcpt: 421 4.3.2 going down
        = Temporary at Rcpt: 421 4.3.2 going down
        ",
    );
}

#[test]
fn dsn_parameters_go_only_where_they_are_offered() {
    let mut letter = letter(&["c@d"]);
    letter.eight_bit = true;
    letter.ret = Some(Ret::Headers);
    letter.envid = Some("a+b c".into());
    letter.recipients[0].notify = Notify(Notify::SUCCESS | Notify::FAILURE | Notify::EXPLICIT);
    letter.recipients[0].original = Some(("rfc822".into(), "x=y@z".into()));
    transfer(
        &letter,
        &with("PIPELINING DSN 8BITMIME"),
        false,
        "C: MAIL FROM:<a@b> BODY=8BITMIME RET=HDRS ENVID=a+2Bb+20c|RCPT TO:<c@d> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x+3Dy@z|DATA
        = Temporary at Rcpt: -",
    );
    transfer(
        &letter,
        &with("PIPELINING"),
        false,
        "C: MAIL FROM:<a@b>|RCPT TO:<c@d>|DATA\n= Temporary at Rcpt: -",
    );
}

#[test]
fn a_message_over_the_limit_is_never_offered() {
    let mut letter = letter(&["c@d"]);
    letter.size = 5001;
    let limit = Extensions {
        size: Some(5000),
        ..with("HELP")
    };
    transfer(&letter, &limit, false, "done\n= Permanent at Size: -");
    letter.size = 5000;
    transfer(
        &letter,
        &limit,
        false,
        "C: MAIL FROM:<a@b> SIZE=5000\n= Temporary at Rcpt: -",
    );
    let unknown = Extensions {
        size: Some(0),
        ..with("HELP")
    };
    transfer(
        &letter,
        &unknown,
        false,
        "C: MAIL FROM:<a@b> SIZE=5000\n= Temporary at Rcpt: -",
    );
}

#[test]
fn chunks_need_no_permission() {
    let mut letter = letter(&["c@d"]);
    letter.chunking = true;
    transfer(
        &letter,
        &with("PIPELINING CHUNKING"),
        false,
        "C: MAIL FROM:<a@b>|RCPT TO:<c@d>\nS: 250 ok\nS: 250 ok\nC: BDAT 100 LAST\nS: 250 taken\ndone\n= Accepted at Rcpt: 250 ok",
    );
    transfer(
        &letter,
        &with("PIPELINING CHUNKING"),
        false,
        "C: MAIL FROM:<a@b>|RCPT TO:<c@d>\nS: 250 ok\nS: 550 no\ndone\n= Permanent at Rcpt: 550 no",
    );
}

#[test]
fn many_recipients_go_in_groups() {
    let names: Vec<String> = (0..250).map(|n| format!("u{n}@d")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let letter = letter(&names);
    let extensions = with("PIPELINING");
    let mut transfer = Transfer::new(&letter, &extensions, false);
    let mut groups = Vec::new();
    loop {
        match transfer.step() {
            TransferStep::Send(bytes) => groups.push(bytes.iter().filter(|&&b| b == b'\n').count()),
            TransferStep::Receive(_) => transfer.reply(reply_of("250 ok")),
            step => {
                assert_eq!(
                    step,
                    TransferStep::Done,
                    "DATA was answered 250, which is nonsense"
                );
                break;
            }
        }
    }
    assert_eq!(groups, [100, 100, 52]);
}
