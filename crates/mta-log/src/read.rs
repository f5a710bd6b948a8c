//! Reading records back, for those who want to know what was asked of the server: recipients with
//! the channel and the sender that they came with.

/// A recipient that was enqueued.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Logged {
    /// The channel that brought the message.
    pub source: String,
    /// Envelope From; empty for the null sender.
    pub sender: String,
    /// The recipient as it was given.
    pub recipient: String,
}

/// What kind of line it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A recipient was enqueued.
    Enqueued(Logged),
    /// Another record.
    Other,
    /// Nothing that `log_format` 1 or 2 writes.
    Foreign,
}

/// Reads a line of `mail.log`, as `log_format` 1 and 2 write it.
#[must_use]
pub fn line(text: &str) -> Line {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_date = |word: &str| word.len() == 11 && word.split('-').count() == 3;
    if !words.first().is_some_and(|word| is_date(word)) || words.len() < 4 {
        return Line::Foreign;
    }
    let is_original = |word: &&str| {
        let kind = word.get(..7);
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("rfc822;"))
    };
    let Some(at) = words.iter().position(is_original) else {
        return Line::Other;
    };
    // Size and action stand before the sender, which may be empty and leave no word.
    let is_size = |at: Option<usize>| {
        let word = at.and_then(|at| words.get(at));
        word.is_some_and(|word| word.parse::<u64>().is_ok())
    };
    let (size, sender) = if is_size(at.checked_sub(2)) {
        (at - 2, words[at - 1])
    } else if is_size(at.checked_sub(1)) {
        (at - 1, "")
    } else {
        return Line::Foreign;
    };
    let (Some(action), Some(source)) = (size.checked_sub(1), size.checked_sub(3)) else {
        return Line::Foreign;
    };
    if !words[action].starts_with('E') {
        return Line::Other;
    }
    Line::Enqueued(Logged {
        source: words[source].to_owned(),
        sender: sender.trim_matches(['<', '>']).to_owned(),
        recipient: words[at][7..].to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_read_back() {
        let logged = |source: &str, sender: &str, recipient: &str| {
            Line::Enqueued(Logged {
                source: source.into(),
                sender: sender.into(),
                recipient: recipient.into(),
            })
        };
        let table = [
            (
                "26-Nov-2026 18:51:02.74 7392.7.15 tcp_intranet ims-ms       EE 1 a@b.example rfc822;root@example.com jane@ims-ms-daemon /q/x.00 <x@y>",
                logged("tcp_intranet", "a@b.example", "root@example.com"),
            ),
            (
                "26-Nov-2026 18:51:02.74 process      tcp_local    E 1  rfc822;root@example.com root@example.com",
                logged("process", "", "root@example.com"),
            ),
            (
                "26-Nov-2026 18:51:02.74 process      tcp_local    E 1 <> rfc822;root@example.com root@example.com",
                logged("process", "", "root@example.com"),
            ),
            (
                "26-Nov-2026 18:51:02.74 ims-ms                    D 1 a@b.example rfc822;root@example.com jane@ims-ms-daemon",
                Line::Other,
            ),
            (
                "26-Nov-2026 18:51:02.70 7392.6.13 tcp_intranet +            CE TCP|127.0.0.1|2525|127.0.0.1|58870 SMTP/vm",
                Line::Other,
            ),
            ("{\"ts\":1}", Line::Foreign),
            ("", Line::Foreign),
        ];
        for (text, expected) in table {
            assert_eq!(line(text), expected, "{text}");
        }
    }
}
