//! Messages before and after, and the round trip.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

fn seven_bit() -> Limits {
    Limits {
        charset: Some("ISO-8859-1".into()),
        line_length: Some(998),
        ..Limits::default()
    }
}

fn converted(message: &[u8], limits: &Limits) -> Vec<u8> {
    let survey = Survey::of(message, limits).unwrap();
    let mut out = Vec::new();
    convert(message, &survey, limits, &mut out).unwrap();
    out
}

fn text(message: &[u8]) -> String {
    String::from_utf8(converted(message, &seven_bit())).unwrap()
}

#[test]
fn a_message_that_fits_is_left_alone() {
    let message = b"Subject: x\nContent-type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n";
    let survey = Survey::of(message.as_slice(), &seven_bit()).unwrap();
    assert!(survey.fits() && !survey.has_eight_bit());
    assert_eq!(converted(message, &seven_bit()), message);
    let eight = Limits {
        eight_bit: true,
        ..Limits::default()
    };
    let umlaut = "Subject: ä\n\nö\n".as_bytes();
    let survey = Survey::of(umlaut, &eight).unwrap();
    assert!(survey.fits() && survey.has_eight_bit());
    assert_eq!(converted(umlaut, &eight), umlaut);
}

#[test]
fn latin_1_text_is_labelled_and_quoted() {
    assert_eq!(
        text(b"Subject: x\n\nB\xf6tes\0 \nend"),
        "Subject: x\nMIME-version: 1.0\nContent-type: TEXT/PLAIN; CHARSET=ISO-8859-1\n\
         Content-transfer-encoding: QUOTED-PRINTABLE\n\nB=F6tes=00=20\nend=\n"
    );
}

#[test]
fn only_the_leaves_that_need_it_are_encoded() {
    let message = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"a b\"\n\
        Content-Transfer-Encoding: 8bit\n\npre\xe4mble\n--a b\n\nplain\n--a b\n\
        Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\xc3\xa4\n\
        --a b\nContent-Type: image/x\n\n\xff\n\n--a b--\nepi\n";
    assert_eq!(
        text(message),
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"a b\"\n\
         Content-transfer-encoding: 7BIT\n\npre?mble\n--a b\n\nplain\n--a b\n\
         Content-Type: text/plain; charset=utf-8\nContent-transfer-encoding: QUOTED-PRINTABLE\n\n\
         =C3=A4\n--a b\nContent-Type: image/x\nContent-transfer-encoding: BASE64\n\n/w0K\n\
         --a b--\nepi\n"
    );
}

#[test]
fn a_body_without_an_empty_line_before_it_is_one() {
    let message = b"Content-type: multipart/mixed; boundary=b\n\n--b\n\
        Content-type: text/plain\nH\xc3\xa4: x\n--b\nplain\n--b\nContent-type: message/rfc822\n\n\
        plain: no more\nthan that\n--b--\n";
    assert_eq!(
        text(message),
        "Content-type: multipart/mixed; boundary=b\n\n--b\n\
         Content-type: text/plain\nContent-transfer-encoding: QUOTED-PRINTABLE\n\n\
         H=C3=A4: x\n--b\nplain\n--b\nContent-type: message/rfc822\n\n\
         plain: no more\nthan that\n--b--\n"
    );
    let digest = b"Content-type: multipart/digest; boundary=b\n\n--b\nno header\n--b--\n";
    assert_eq!(converted(digest, &seven_bit()), digest);
    let line = "QUJD".repeat(19) + "\n";
    let large = format!(
        "Content-type: multipart/mixed; boundary=b\n\n--b\nContent-transfer-encoding: base64\n\
         {}--b--\n",
        line.repeat(70_000)
    );
    assert!(Survey::of(large.as_bytes(), &seven_bit()).unwrap().fits());
}

#[test]
fn a_message_within_is_descended_into() {
    let message = b"Content-type: message/rfc822\n\nSubject: \xc3\xa4\n\n\xc3\xb6\n";
    assert_eq!(
        text(message),
        "Content-type: message/rfc822\n\nSubject: =?UTF-8?Q?=C3=A4?=\n\
         Content-type: TEXT/PLAIN; CHARSET=ISO-8859-1\n\
         Content-transfer-encoding: QUOTED-PRINTABLE\n\n=C3=B6\n"
    );
}

#[test]
fn inner_separators_do_not_end_outer_parts_but_outer_ones_end_inner() {
    let message = b"Content-type: multipart/mixed; boundary=out\n\n--out\n\
        Content-type: multipart/alternative; boundary=in\n\n--in\n\n\xe4\n--out\n\n\xf6\n--in\n--out--\n";
    let result = text(message);
    assert!(result.contains("\n\n=E4\n--out\n"), "{result}");
    assert!(result.contains("\n\n=F6\n--in\n--out--\n"), "{result}");
}

#[test]
fn what_calls_itself_encoded_is_only_mended() {
    let quoted = b"Content-transfer-encoding: quoted-printable\n\na=3D\xe4\n";
    assert_eq!(
        text(quoted),
        "Content-transfer-encoding: quoted-printable\n\na=3D=E4\n"
    );
    let base64 = b"Content-type: image/x\nContent-transfer-encoding: base64\n\n/w\xe40K\n";
    assert_eq!(
        text(base64),
        "Content-type: image/x\nContent-transfer-encoding: base64\n\n/w0K\n"
    );
}

#[test]
fn long_lines_are_encoded_too() {
    let long = "word ".repeat(300) + "\n";
    let message = format!("Subject: x\n\n{long}");
    let limits = Limits {
        eight_bit: true,
        line_length: Some(998),
        charset: None,
    };
    let result = converted(message.as_bytes(), &limits);
    let result = String::from_utf8(result).unwrap();
    assert!(result.contains("QUOTED-PRINTABLE"), "{result}");
    assert!(result.lines().all(|line| line.len() <= 76), "{result}");
}

#[test]
fn bombs_are_walked_through_in_constant_space() {
    let mut nested = Vec::new();
    for number in 0..20_000 {
        let part = format!("Content-type: multipart/mixed; boundary=b{number}\n\n--b{number}\n");
        nested.extend_from_slice(part.as_bytes());
    }
    nested.extend_from_slice(b"\n\xe4\n");
    assert!(converted(&nested, &seven_bit()).is_ascii());
    let messages = [
        b"Content-type: message/rfc822\n\n".repeat(20_000),
        b"\xe4\n".to_vec(),
    ]
    .concat();
    assert!(converted(&messages, &seven_bit()).is_ascii());
    let parts = b"--b\n\n\xe4\n".repeat(5_000);
    let many = [
        b"Content-type: multipart/mixed; boundary=b\n\n".to_vec(),
        parts,
    ]
    .concat();
    assert!(converted(&many, &seven_bit()).is_ascii());
    let endless = [b"x: ".to_vec(), vec![b'x'; 5 * 1024 * 1024]].concat();
    assert!(Survey::of(endless.as_slice(), &seven_bit()).is_err());
    // What is no header line ends the header.
    assert!(Survey::of(&endless[3..], &seven_bit()).is_ok());
}

/// What quoted-printable text stands for.
fn unquoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if text[at] != b'=' {
            out.push(text[at]);
            at += 1;
        } else if text[at + 1] == b'\n' {
            at += 2;
        } else {
            let hex = std::str::from_utf8(&text[at + 1..at + 3]).unwrap();
            out.push(u8::from_str_radix(hex, 16).unwrap());
            at += 3;
        }
    }
    out
}

fn body_of(message: &[u8]) -> &[u8] {
    let at = message.windows(2).position(|two| two == b"\n\n").unwrap();
    &message[at + 2..]
}

proptest! {
    #[test]
    fn quoted_text_decodes_to_what_it_was(body in proptest::collection::vec(any::<u8>(), 0..600)) {
        let body = [body, b"\xff".to_vec()].concat();
        let message = [b"Subject: x\n\n".as_slice(), &body].concat();
        let result = converted(&message, &seven_bit());
        prop_assert!(result.is_ascii());
        prop_assert_eq!(unquoted(body_of(&result)), body);
    }

    #[test]
    fn other_types_decode_to_what_they_were(body in proptest::collection::vec(any::<u8>(), 0..600)) {
        let body = [body, b"\xff".to_vec()].concat();
        let message = [b"Content-type: image/x\n\n".as_slice(), &body].concat();
        let result = converted(&message, &seven_bit());
        let lines: Vec<u8> = body_of(&result).iter().copied().filter(|b| *b != b'\n').collect();
        // Each line becomes groups of its own only at the end, so the whole decodes at once.
        let wire: Vec<u8> = body
            .iter()
            .flat_map(|b| if *b == b'\n' { b"\r\n".to_vec() } else { vec![*b] })
            .collect();
        prop_assert_eq!(STANDARD.decode(lines).unwrap(), wire);
    }

    #[test]
    fn whatever_comes_in_goes_out_in_seven_bits(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                &b"--b\n"[..], b"--b--\n", b"--c\n", b"\n", b"\xe4\n", b"x: \xe4\n", b" \xe4",
                b"Content-type: multipart/mixed; boundary=b\n",
                b"Content-type: multipart/digest; boundary=c\n",
                b"Content-type: message/rfc822\n",
                b"Content-transfer-encoding: base64\n",
            ]),
            0..30,
        )
    ) {
        let result = converted(&parts.concat(), &seven_bit());
        prop_assert!(result.is_ascii());
    }
}
