//! `qm directory` and `qm held`.

use super::clock;
use serde::Serialize;
use std::fmt;

/// One message file of a listing.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// The number by which later commands name it.
    pub(crate) number: usize,
    pub(crate) channel: String,
    pub(crate) file: String,
    /// Subdirectory and name below the channel's directory.
    pub(crate) place: String,
    pub(crate) path: String,
    /// MTA blocks, if the file was looked at.
    pub(crate) size: Option<u64>,
    /// Seconds since 1970, if the file was looked at.
    pub(crate) queued_since: Option<i64>,
    pub(crate) envelope: Option<Outside>,
}

/// Envelope addresses, with `-envelope`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outside {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
}

/// A whole listing.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Directory {
    pub(crate) date: i64,
    /// `tree` or `cache`.
    pub(crate) source: &'static str,
    pub(crate) messages: Vec<Row>,
    pub(crate) total_size: u64,
    #[serde(skip)]
    pub(crate) with_total: bool,
}

const RULE: &str = "--------------------------------------------------------------";

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", clock::heading(self.date))?;
        let source = if self.source == "tree" {
            "queue directory tree"
        } else {
            "queue cache database"
        };
        writeln!(f, "Data gathered from the {source}\n")?;
        if self.messages.is_empty() {
            return writeln!(f, "No messages queued");
        }
        for rows in self.messages.chunk_by(|a, b| a.channel == b.channel) {
            writeln!(
                f,
                "{:<34}Size Queued since",
                format!("Channel: {}", rows[0].channel)
            )?;
            writeln!(f, "{RULE}")?;
            for row in rows {
                write_row(f, row)?;
            }
            writeln!(f, "{RULE}")?;
            let sum: u64 = rows.iter().filter_map(|row| row.size).sum();
            writeln!(f, "Total size:{sum:>27}\n")?;
        }
        if self.with_total {
            writeln!(f, "Grand total size:{:>21}\n", self.total_size)?;
        }
        Ok(())
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    let size = row.size.map_or_else(String::new, |size| size.to_string());
    let date = row.queued_since.map_or_else(String::new, clock::cell);
    let name = format!("{:>5} {}", row.number, row.file);
    let line = format!("{name:<32} {size:>5} {date}");
    writeln!(f, "{}", line.trim_end())?;
    if let Some(outside) = &row.envelope {
        writeln!(
            f,
            "      From: {}",
            mta_command::output::visible(&outside.from)
        )?;
        for to in &outside.to {
            writeln!(f, "      To: {}", mta_command::output::visible(to))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: usize, file: &str, size: u64) -> Row {
        Row {
            number,
            channel: "tcp_local".into(),
            file: file.into(),
            place: format!("001/{file}"),
            path: String::new(),
            size: Some(size),
            queued_since: Some(0),
            envelope: None,
        }
    }

    #[test]
    fn columns_stand_as_documented() {
        let listing = Directory {
            date: 0,
            source: "tree",
            messages: vec![
                row(1, "ZZ0T4K00A01C2R70.00", 4),
                row(2, "ZY0T4K00A01B9QX1.00", 11),
            ],
            total_size: 15,
            with_total: true,
        };
        let date = clock::cell(0);
        let expected = format!(
            "{}\nData gathered from the queue directory tree\n\n\
             Channel: tcp_local                Size Queued since\n{RULE}\n\
             {s4}1 ZZ0T4K00A01C2R70.00            4 {date}\n\
             {s4}2 ZY0T4K00A01B9QX1.00           11 {date}\n{RULE}\n\
             Total size:                         15\n\n\
             Grand total size:                   15\n\n",
            clock::heading(0),
            s4 = "    "
        );
        assert_eq!(listing.to_string(), expected);
    }

    #[test]
    fn an_empty_queue_says_so() {
        let listing = Directory {
            date: 0,
            source: "cache",
            messages: Vec::new(),
            total_size: 0,
            with_total: true,
        };
        let text = listing.to_string();
        assert!(
            text.contains("Data gathered from the queue cache database\n\nNo messages queued\n")
        );
    }
}
