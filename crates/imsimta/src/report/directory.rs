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
    pub(crate) size_blocks: Option<u64>,
    /// Octets, if the file was looked at.
    pub(crate) bytes: Option<u64>,
    /// Seconds since 1970, if the file was looked at.
    pub(crate) queued_since: Option<i64>,
    pub(crate) envelope: Option<Outside>,
}

impl Row {
    /// Takes in the size of the file; a block that is begun counts as one.
    pub(crate) fn set_size(&mut self, bytes: u64, block: u64) {
        self.bytes = Some(bytes);
        self.size_blocks = Some(bytes.div_ceil(block).max(1));
    }
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
    pub(crate) total_blocks: u64,
    pub(crate) total_bytes: u64,
    /// Whether everything could be read.
    pub(crate) complete: bool,
    /// Whether sizes were asked for; without them there is nothing to sum up.
    #[serde(skip)]
    pub(crate) with_sizes: bool,
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
            return writeln!(
                f,
                "{}",
                if self.complete {
                    "No messages queued"
                } else {
                    "No messages found, but not everything could be read"
                }
            );
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
            let sum = rows.iter().filter_map(|row| row.size_blocks).sum();
            write_total(f, "Total size:", self.with_sizes.then_some(sum))?;
        }
        if self.with_total {
            let sum = self.with_sizes.then_some(self.total_blocks);
            write_total(f, "Grand total size:", sum)?;
        }
        Ok(())
    }
}

/// A sum, right-aligned under Size; without sizes its place stays empty.
fn write_total(f: &mut fmt::Formatter<'_>, label: &str, sum: Option<u64>) -> fmt::Result {
    match sum {
        Some(sum) => writeln!(f, "{label}{sum:>0$}\n", 38 - label.len()),
        None => writeln!(f, "{label}\n"),
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    let size = row
        .size_blocks
        .map_or_else(String::new, |size| size.to_string());
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
            size_blocks: Some(size),
            bytes: Some(size * 1024),
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
            total_blocks: 15,
            total_bytes: 15 * 1024,
            complete: true,
            with_sizes: true,
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
            total_blocks: 0,
            total_bytes: 0,
            complete: true,
            with_sizes: true,
            with_total: true,
        };
        let text = listing.to_string();
        assert!(
            text.contains("Data gathered from the queue cache database\n\nNo messages queued\n")
        );
    }

    #[test]
    fn what_was_not_looked_at_is_not_summed_up() {
        let mut bare = row(1, "ZZ0T4K00A01C2R70.00", 4);
        (bare.size_blocks, bare.bytes, bare.queued_since) = (None, None, None);
        let listing = Directory {
            date: 0,
            source: "tree",
            messages: vec![bare],
            total_blocks: 0,
            total_bytes: 0,
            complete: true,
            with_sizes: false,
            with_total: true,
        };
        let text = listing.to_string();
        let end = "    1 ZZ0T4K00A01C2R70.00\n";
        assert!(
            text.ends_with(&format!(
                "{end}{RULE}\nTotal size:\n\nGrand total size:\n\n"
            )),
            "{text}"
        );
    }

    #[test]
    fn a_queue_that_cannot_be_read_is_not_called_empty() {
        let listing = Directory {
            date: 0,
            source: "tree",
            messages: Vec::new(),
            total_blocks: 0,
            total_bytes: 0,
            complete: false,
            with_sizes: true,
            with_total: true,
        };
        assert!(!listing.to_string().contains("No messages queued"));
    }
}
