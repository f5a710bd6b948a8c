//! What holds for whatever a client sends.

use proptest::prelude::*;

use super::super::{Session, Step};
use super::policy::{self, TestPolicy};
use crate::line::Input;

/// Pieces that random sessions are made of: commands, endings, and plain junk.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"EHLO x\r\n",
        b"HELO \xff\r\n",
        b"MAIL FROM:<a@b>\r\n",
        b"MAIL FROM:<unknown@b>\r\n",
        b"MAIL FROM:<\"a\\",
        b"RCPT TO:<c@d>\r\n",
        b"RCPT TO:<full@x>\r\n",
        b"RCPT TO:<nodata@x>\r\n",
        b"DATA\r\n",
        b"BDAT 5\r\n",
        b"BDAT 3 LAST\r\n",
        b"BDAT 0 LAST\r\n",
        b"RSET\r\n",
        b"STARTTLS\r\n",
        b"AUTH PLAIN\r\n",
        b"AUTH LOGIN YWRh\r\n",
        b"AGFkYQBzZWNyZXQ=\r\n",
        b"*\r\n",
        b"VRFY x\r\n",
        b"\r\n.\r\n",
        b".\r\n",
        b"\r",
        b"\n",
        b".",
        b"\0",
        b"text\r\n",
    ];
    prop_oneof![
        8 => prop::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => (400_usize..1300).prop_map(|length| vec![b'x'; length]),
    ]
}

/// Plays `bytes` in segments of the given lengths; what was said and what the policy was told.
fn play(bytes: &[u8], segments: &[usize]) -> (Vec<u8>, Vec<String>) {
    let mut policy = TestPolicy::new();
    let mut session = Session::new(policy.limits.clone());
    let mut input = Input::default();
    let mut said = Vec::new();
    let mut rest = bytes;
    let mut lengths = segments.iter().cycle();
    loop {
        let step = session.step(&mut input, &mut policy);
        said.extend(session.take_output());
        match step {
            Step::Write | Step::Pause(_) => {}
            Step::StartTls(_) => session.tls_started(&policy::negotiated(), &mut policy),
            Step::Close => break,
            Step::Read(_) if rest.is_empty() => break,
            Step::Read(_) => {
                let length = lengths
                    .next()
                    .map_or(1, |length| (*length).clamp(1, rest.len()));
                input.push(&rest[..length]);
                rest = &rest[length..];
            }
        }
    }
    (said, policy.told.into())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Where the network cuts a stream into segments changes nothing. (Without STARTTLS, which
    /// by design drops what came in the same segment: this policy has no certificate.)
    #[test]
    fn segments_change_nothing(
        pieces in prop::collection::vec(piece(), 0..40),
        segments in prop::collection::vec(1_usize..200, 1..8),
    ) {
        let bytes = pieces.concat();
        let whole = play(&bytes, &[bytes.len().max(1)]);
        prop_assert_eq!(&play(&bytes, &segments), &whole);
        prop_assert_eq!(&play(&bytes, &[1]), &whole);
    }

    /// Every line said is a reply: three digits, a blank or hyphen, no control character, at
    /// most 512 octets with its end.
    #[test]
    fn whatever_comes_the_answers_are_replies(
        pieces in prop::collection::vec(piece(), 0..40),
    ) {
        let bytes = pieces.concat();
        let (said, _) = play(&bytes, &[64]);
        prop_assert!(said.is_empty() || said.ends_with(b"\r\n"));
        let text: String = said.iter().map(|&octet| char::from(octet)).collect();
        for line in text.split_terminator("\r\n") {
            prop_assert!(line.len() <= 510, "{line:?}");
            prop_assert!(line.as_bytes()[..3].iter().all(u8::is_ascii_digit), "{line:?}");
            prop_assert!(matches!(line.as_bytes().get(3), Some(b' ' | b'-')), "{line:?}");
            prop_assert!(!line.contains(|c: char| c.is_ascii_control()), "{line:?}");
        }
    }
}
