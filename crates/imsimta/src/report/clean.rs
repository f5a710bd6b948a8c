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

/// What a search through the queue came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cleaned {
    pub(crate) scanned: usize,
    pub(crate) found: usize,
    pub(crate) held: usize,
    pub(crate) deleted: usize,
    /// Nothing was touched.
    pub(crate) preview: bool,
    /// What is found is deleted and not held.
    pub(crate) delete: bool,
    /// Messages by channel and host; one with recipients on several hosts counts for each.
    pub(crate) places: Vec<Place>,
}

impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scanned, found, .. } = self;
        write!(f, "%QM-I-SCANNED, scanned {scanned} message files; ")?;
        match (self.preview, self.delete) {
            (true, true) => writeln!(f, "would delete {found}")?,
            (true, false) => writeln!(f, "would hold {found}")?,
            (false, true) => writeln!(f, "deleted {}", self.deleted)?,
            (false, false) => writeln!(f, "held {}", self.held)?,
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
            held: 3,
            deleted: 0,
            preview: false,
            delete: false,
            places: vec![place("a.example", 1), place("b.example", 2)],
        };
        let line = "%QM-I-SCANNED, scanned 120 message files; held 3\n";
        assert_eq!(cleaned.to_string(), line);
        cleaned.preview = true;
        cleaned.delete = true;
        let preview = "\
%QM-I-SCANNED, scanned 120 message files; would delete 3
Messages  Channel       Host
       1  tcp_local     a.example
       2  tcp_local     b.example
";
        assert_eq!(cleaned.to_string(), preview);
    }
}
