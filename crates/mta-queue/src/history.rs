//! History lines: what happened to a message since it came into the queue.
//!
//! They stand behind the end record, where appending changes nothing that is covered by the
//! checksum. A line cut by a crash is skipped by the reader.

/// One attempt for one recipient, or an event of the whole file.
///
/// As a line: `ISO8601-time TAB recipient TAB status TAB text`. Three events have a recipient of
/// `-`: `HELD` (the text is the reason), `DONE` (the text is the number, from 0, of a recipient
/// in the envelope who is dealt with; readers of the file leave him out, and the line as well)
/// and `WARNED` made by [`Attempt::warned`], which is the line `W <value>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Seconds since 1970; 0 if the line carries none.
    pub time: u64,
    /// The recipient's current address.
    pub recipient: String,
    /// Enhanced status code, or the word of an event.
    pub status: String,
    /// What was said.
    pub text: String,
}

/// The status of a hold.
pub const HELD: &str = "HELD";

/// The status of a recipient who is dealt with while the file could not be rewritten.
pub(crate) const DONE: &str = "DONE";

/// The status of a warning that was sent.
pub const WARNED: &str = "W";

impl Attempt {
    /// The message was set aside for `reason`.
    #[must_use]
    pub fn held(time: u64, reason: &str) -> Self {
        Self {
            time,
            recipient: "-".to_owned(),
            status: HELD.to_owned(),
            text: reason.to_owned(),
        }
    }

    /// The recipient with this number in the file is dealt with.
    pub(crate) fn done(time: u64, index: usize) -> Self {
        Self {
            time,
            recipient: "-".to_owned(),
            status: DONE.to_owned(),
            text: index.to_string(),
        }
    }

    /// The number of a recipient who is dealt with.
    pub(crate) fn done_index(&self) -> Option<usize> {
        (self.recipient == "-" && self.status == DONE)
            .then(|| self.text.parse().ok())
            .flatten()
    }

    /// The warning of the `notices` value `value` was sent.
    #[must_use]
    pub fn warned(value: u32) -> Self {
        Self {
            time: 0,
            recipient: "-".to_owned(),
            status: WARNED.to_owned(),
            text: value.to_string(),
        }
    }

    /// The `notices` value of a warning.
    #[must_use]
    pub fn warning(&self) -> Option<u32> {
        (self.status == WARNED)
            .then(|| self.text.parse().ok())
            .flatten()
    }

    pub(crate) fn print(&self, out: &mut Vec<u8>) {
        if self.status == WARNED {
            out.extend_from_slice(format!("W {}\n", clean(&self.text)).as_bytes());
            return;
        }
        let seconds = i64::try_from(self.time).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
        let line = format!(
            "{time:.0}\t{}\t{}\t{}\n",
            clean(&self.recipient),
            clean(&self.status),
            clean(&self.text)
        );
        out.extend_from_slice(line.as_bytes());
    }

    fn parse(line: &str) -> Option<Self> {
        if let Some(value) = line.strip_prefix("W ") {
            return value.parse().ok().map(Self::warned);
        }
        let mut parts = line.splitn(4, '\t');
        let time: jiff::Timestamp = parts.next()?.parse().ok()?;
        Some(Self {
            time: u64::try_from(time.as_second()).ok()?,
            recipient: parts.next()?.to_owned(),
            status: parts.next()?.to_owned(),
            text: parts.next()?.to_owned(),
        })
    }
}

/// All lines of `tail` that are complete; others are left out.
pub(crate) fn parse(tail: &[u8]) -> Vec<Attempt> {
    let whole = tail
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |end| end + 1);
    tail[..whole]
        .split(|b| *b == b'\n')
        .filter_map(|line| Attempt::parse(std::str::from_utf8(line).ok()?))
        .collect()
}

/// Control characters would tear the line; each becomes a blank.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(attempts: &[Attempt]) -> Vec<u8> {
        let mut out = Vec::new();
        for attempt in attempts {
            attempt.print(&mut out);
        }
        out
    }

    #[test]
    fn lines_print_and_parse() {
        let history = vec![
            Attempt {
                time: 1_790_000_000,
                recipient: "a@b".into(),
                status: "4.4.1".into(),
                text: "Connection refused".into(),
            },
            Attempt::warned(3),
            Attempt::held(1_790_000_001, "looping"),
        ];
        let bytes = printed(&history);
        assert!(bytes.starts_with(b"2026-09-21T14:13:20Z\ta@b\t4.4.1\tConnection refused\nW 3\n"));
        assert_eq!(parse(&bytes), history);
    }

    #[test]
    fn a_line_cut_by_a_crash_is_skipped() {
        let mut bytes = printed(&[Attempt::warned(1), Attempt::held(5, "x")]);
        bytes.truncate(bytes.len() - 2);
        assert_eq!(parse(&bytes), [Attempt::warned(1)]);
        bytes.extend_from_slice(b"\nW 2\n");
        assert_eq!(parse(&bytes).last(), Some(&Attempt::warned(2)));
    }

    #[test]
    fn a_remote_cannot_write_lines_of_its_own() {
        let mut attempt = Attempt::held(5, "x");
        attempt.text = "550 no\nW 9\t\r".into();
        let bytes = printed(&[attempt]);
        assert_eq!(bytes.iter().filter(|b| **b == b'\n').count(), 1);
        assert_eq!(parse(&bytes)[0].text, "550 no W 9  ");
    }
}
