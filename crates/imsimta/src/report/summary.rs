//! `qm summarize`: one line per channel.

use super::clock;
use serde::Serialize;
use std::fmt;

/// One channel.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) channel: String,
    pub(crate) queued: u64,
    pub(crate) held: Option<u64>,
    pub(crate) bytes: u64,
    pub(crate) oldest: Option<i64>,
    pub(crate) stopped: bool,
}

/// All channels.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    pub(crate) source: &'static str,
    pub(crate) channels: Vec<Line>,
    /// Whether everything could be read.
    pub(crate) complete: bool,
    #[serde(skip)]
    pub(crate) heading: bool,
    #[serde(skip)]
    pub(crate) trailing: bool,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.channels.iter().any(|line| line.held.is_some());
        let rule = |f: &mut fmt::Formatter<'_>| {
            let more = if held { " --------" } else { "" };
            writeln!(
                f,
                "{} --------{more} ---------- -----------------",
                "-".repeat(32)
            )
        };
        if self.heading {
            writeln!(f, "{:38}Messages", "")?;
            let more = if held { "     Held" } else { "" };
            writeln!(f, "{:<32}   Queued{more}  Size (Kb)   Oldest", "Channel")?;
            rule(f)?;
        }
        for line in &self.channels {
            let oldest = line.oldest.map_or_else(String::new, clock::short);
            write_line(
                f,
                &line.channel,
                line.queued,
                line.held,
                line.bytes,
                &oldest,
            )?;
        }
        if self.trailing {
            rule(f)?;
            let queued = self.channels.iter().map(|line| line.queued).sum();
            let bytes = self.channels.iter().map(|line| line.bytes).sum();
            let all_held = held.then(|| self.channels.iter().filter_map(|line| line.held).sum());
            write_line(f, "Totals", queued, all_held, bytes, "")?;
            let stopped = self.channels.iter().filter(|line| line.stopped);
            let stopped: Vec<&str> = stopped.map(|line| line.channel.as_str()).collect();
            if !stopped.is_empty() {
                writeln!(f, "\nStopped channels: {}", stopped.join(", "))?;
            }
        }
        Ok(())
    }
}

fn write_line(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    queued: u64,
    held: Option<u64>,
    bytes: u64,
    oldest: &str,
) -> fmt::Result {
    let held = held.map_or_else(String::new, |held| format!(" {held:>8}"));
    // Hundredths of a kilobyte, rounded to the nearest, without floating point.
    let hundredths = (bytes * 100 + 512) / 1024;
    let size = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    let line = format!("{name:<32} {queued:>8}{held} {size:>10} {oldest}");
    writeln!(f, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(channel: &str, queued: u64, bytes: u64, oldest: Option<i64>) -> Line {
        Line {
            channel: channel.into(),
            queued,
            held: None,
            bytes,
            oldest,
            stopped: false,
        }
    }

    #[test]
    fn columns_stand_as_documented() {
        let summary = Summary {
            source: "tree",
            channels: vec![
                line("conversion", 0, 0, None),
                line("ims-ms", 3, 12_800, Some(0)),
            ],
            complete: true,
            heading: true,
            trailing: true,
        };
        let oldest = clock::short(0);
        let expected = format!(
            "                                      Messages\n\
             Channel                            Queued  Size (Kb)   Oldest\n\
             -------------------------------- -------- ---------- -----------------\n\
             conversion                              0       0.00\n\
             ims-ms                                  3      12.50 {oldest}\n\
             -------------------------------- -------- ---------- -----------------\n\
             Totals                                  3      12.50\n"
        );
        assert_eq!(summary.to_string(), expected);
    }

    #[test]
    fn stopped_channels_are_named_behind_the_totals() {
        let mut summary = Summary {
            source: "tree",
            channels: ["ims-ms", "l", "tcp_local"]
                .map(|name| line(name, 0, 0, None))
                .into(),
            complete: true,
            heading: true,
            trailing: true,
        };
        assert!(!summary.to_string().contains("Stopped"));
        (summary.channels[0].stopped, summary.channels[2].stopped) = (true, true);
        let totals = "Totals                                  0       0.00\n";
        let text = summary.to_string();
        let end = format!("{totals}\nStopped channels: ims-ms, tcp_local\n");
        assert!(text.ends_with(&end), "{text}");
        summary.trailing = false;
        assert!(!summary.to_string().contains("Stopped"));
    }

    #[test]
    fn held_messages_have_a_column_of_their_own() {
        let mut held = line("tcp_local", 1, 1024, None);
        held.held = Some(2);
        let summary = Summary {
            source: "tree",
            channels: vec![held],
            complete: true,
            heading: true,
            trailing: false,
        };
        let text = summary.to_string();
        assert!(
            text.contains(
                "Channel                            Queued     Held  Size (Kb)   Oldest\n"
            )
        );
        assert!(text.contains("tcp_local                               1        2       1.00\n"));
    }
}
