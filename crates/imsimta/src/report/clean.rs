//! `qm clean`: what was looked at, found and done.

use mta_command::output::visible;
use serde::Serialize;
use std::fmt;

/// Messages found for one host in one channel.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Place {
    pub(crate) channel: String,
    pub(crate) host: String,
    pub(crate) messages: usize,
}

/// What is done to messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Deed {
    Hold,
    Delete,
    Return,
}

impl Deed {
    /// As a command, and as what has happened.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Hold => ("hold", "held"),
            Self::Delete => ("delete", "deleted"),
            Self::Return => ("return", "returned"),
        }
    }
}

/// What a search through the queue came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cleaned {
    pub(crate) scanned: usize,
    pub(crate) found: usize,
    /// What is done to them.
    pub(crate) deed: Deed,
    /// To how many it was done.
    pub(crate) done: usize,
    /// Nothing was touched.
    pub(crate) preview: bool,
    /// Messages by channel and host; one with recipients on several hosts counts for each.
    pub(crate) places: Vec<Place>,
}

impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scanned, found, .. } = self;
        write!(f, "%QM-I-SCANNED, scanned {scanned} message files; ")?;
        let (would, did) = self.deed.words();
        if self.preview {
            writeln!(f, "would {would} {found}")?;
        } else {
            writeln!(f, "{did} {}", self.done)?;
        }
        if !self.preview || self.places.is_empty() {
            return Ok(());
        }
        writeln!(f, "Messages  Channel       Host")?;
        for Place {
            channel,
            host,
            messages,
        } in &self.places
        {
            writeln!(f, "{messages:>8}  {channel:<12}  {}", visible(host))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_one_line_and_a_preview_counts() {
        let place = |host: &str, messages| Place {
            channel: "tcp_local".into(),
            host: host.into(),
            messages,
        };
        let mut cleaned = Cleaned {
            scanned: 120,
            found: 3,
            deed: Deed::Hold,
            done: 3,
            preview: false,
            places: vec![place("a.example", 1), place("b.example", 2)],
        };
        let line = "%QM-I-SCANNED, scanned 120 message files; held 3\n";
        assert_eq!(cleaned.to_string(), line);
        cleaned.preview = true;
        cleaned.deed = Deed::Delete;
        let preview = "\
%QM-I-SCANNED, scanned 120 message files; would delete 3
Messages  Channel       Host
       1  tcp_local     a.example
       2  tcp_local     b.example
";
        assert_eq!(cleaned.to_string(), preview);
    }
}
