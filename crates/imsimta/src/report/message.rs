//! `qm read` and `qm history`: one message file.

use super::clock;
use mta_command::output::{visible, visible_text};
use serde::Serialize;
use std::fmt;

/// Envelope and header of a message, and with `-content` its body.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Read {
    pub(crate) channel: String,
    pub(crate) place: String,
    pub(crate) path: String,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// Header lines as they stand in the file, folded ones too.
    pub(crate) header: Vec<String>,
    /// For the document only; the text form goes line by line, however long the body is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to: Vec<_> = self.to.iter().map(|to| visible(to)).collect();
        write!(
            f,
            "Filename: {}\n\nTransport layer information:\n----------------------------\n\
             Envelope From: address: {}\nEnvelope To: addresses: {}\n\
             \nMessage header:\n---------------\n",
            visible(&self.path),
            visible(&self.from),
            to.join("\n                        ")
        )?;
        for line in &self.header {
            writeln!(f, "{}", visible_text(line))?;
        }
        Ok(())
    }
}

/// The delivery attempts recorded in a message file.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct History {
    pub(crate) channel: String,
    pub(crate) place: String,
    pub(crate) attempts: Vec<Attempt>,
}

/// One attempt for one recipient.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Attempt {
    /// Seconds since 1970.
    pub(crate) time: u64,
    pub(crate) recipient: String,
    pub(crate) status: String,
    pub(crate) text: String,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}/{}", self.channel, self.place)?;
        if self.attempts.is_empty() {
            return writeln!(f, "No delivery history available");
        }
        for attempt in &self.attempts {
            let when = clock::heading(i64::try_from(attempt.time).unwrap_or(0));
            writeln!(f, "  {when}  {}", visible(&attempt.recipient))?;
            writeln!(f, "    {} {}", attempt.status, visible(&attempt.text))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_as_documented_with_its_tabs() {
        let message = Read {
            channel: "tcp_local".into(),
            place: "001/ZZ0T4K00A01C2R70.00".into(),
            path: "/opt/msg/data/queue/tcp_local/001/ZZ0T4K00A01C2R70.00".into(),
            from: "alice@example.com".into(),
            to: vec!["bob@example.org".into(), "eve@example.org".into()],
            header: vec![
                "Received: from a.example".into(),
                "\tby b.example; Mon".into(),
                "Subject: test\u{1b}[2J".into(),
            ],
            content: None,
        };
        let expected = "\
Filename: /opt/msg/data/queue/tcp_local/001/ZZ0T4K00A01C2R70.00

Transport layer information:
----------------------------
Envelope From: address: alice@example.com
Envelope To: addresses: bob@example.org
                        eve@example.org

Message header:
---------------
Received: from a.example
\tby b.example; Mon
Subject: test\\x1b[2J
";
        assert_eq!(message.to_string(), expected);
    }

    #[test]
    fn a_message_never_tried_has_no_history() {
        let mut history = History {
            channel: "tcp_local".into(),
            place: "001/ZY0T4K00A01B9QX1.00".into(),
            attempts: Vec::new(),
        };
        let name = "tcp_local/001/ZY0T4K00A01B9QX1.00";
        assert_eq!(
            history.to_string(),
            format!("{name}\nNo delivery history available\n")
        );
        history.attempts.push(Attempt {
            time: 0,
            recipient: "bob@example.org".into(),
            status: "4.4.1".into(),
            text: "Connection refused".into(),
        });
        let when = clock::heading(0);
        let expected = format!("{name}\n  {when}  bob@example.org\n    4.4.1 Connection refused\n");
        assert_eq!(history.to_string(), expected);
    }
}
