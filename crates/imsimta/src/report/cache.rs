//! `cache -view`: what the Job Controller remembers.

use super::clock;
use mta_ipc::job_controller::{RowState, ViewRow};
use serde::Serialize;
use std::fmt;

/// One cached message.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) channel: String,
    pub(crate) host: String,
    pub(crate) place: String,
    pub(crate) priority: &'static str,
    /// `ready`, `active` or `waiting`.
    pub(crate) state: &'static str,
    /// Next attempt, seconds since 1970, while it waits.
    pub(crate) next_attempt: Option<u64>,
    /// Process of the job that has it, while it is active.
    pub(crate) job: Option<u32>,
    pub(crate) enqueued: u64,
    /// Octets of the message, without what its file says around it.
    pub(crate) bytes: u64,
    pub(crate) recipients: u32,
}

/// The cache, or the part of one channel.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cache {
    pub(crate) messages: Vec<Row>,
    /// The channel asked for, so that an empty answer can name it.
    #[serde(skip)]
    pub(crate) asked: Option<String>,
}

impl From<ViewRow> for Row {
    fn from(told: ViewRow) -> Self {
        let (state, next_attempt, job) = match told.state {
            RowState::Ready => ("ready", None, None),
            RowState::Active { job_pid } => ("active", None, Some(job_pid)),
            RowState::Waiting { until } => ("waiting", Some(until), None),
        };
        Self {
            channel: told.channel.to_string(),
            host: told.host,
            place: told.place.to_string(),
            priority: told.priority.word(),
            state,
            next_attempt,
            job,
            enqueued: told.arrived,
            bytes: told.size,
            recipients: told.recipients,
        }
    }
}

impl fmt::Display for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rows in self.messages.chunk_by(|a, b| a.channel == b.channel) {
            writeln!(f, "Channel: {}", rows[0].channel)?;
            for rows in rows.chunk_by(|a, b| a.host == b.host) {
                write_host(f, rows)?;
            }
            write_count(f, rows.len(), &rows[0].channel)?;
        }
        match &self.asked {
            Some(channel) if self.messages.is_empty() => write_count(f, 0, channel),
            _ => Ok(()),
        }
    }
}

fn write_count(f: &mut fmt::Formatter<'_>, count: usize, channel: &str) -> fmt::Result {
    writeln!(
        f,
        "{count} {} in the queue cache for channel {channel}",
        messages(count)
    )
}

fn messages(count: usize) -> &'static str {
    if count == 1 { "message" } else { "messages" }
}

fn write_host(f: &mut fmt::Formatter<'_>, rows: &[Row]) -> fmt::Result {
    let host = mta_command::output::visible(&rows[0].host);
    if !host.is_empty() {
        writeln!(
            f,
            "  Host: {host:<40} {} {}",
            rows.len(),
            messages(rows.len())
        )?;
    }
    for row in rows {
        let state = match row.next_attempt {
            Some(until) => format!("{}  ", clock::cell(i64::try_from(until).unwrap_or(0))),
            None => format!("{:<12}", row.state),
        };
        let enqueued = clock::cell(i64::try_from(row.enqueued).unwrap_or(0));
        writeln!(
            f,
            "    {:<25} {:<9} {state}{enqueued}",
            row.place, row.priority
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(host: &str, place: &str, next_attempt: Option<u64>) -> Row {
        Row {
            channel: "tcp_local".into(),
            host: host.into(),
            place: place.into(),
            priority: "normal",
            state: if next_attempt.is_some() {
                "waiting"
            } else {
                "ready"
            },
            next_attempt,
            job: None,
            enqueued: 0,
            bytes: 10,
            recipients: 1,
        }
    }

    #[test]
    fn columns_stand_as_documented() {
        let cache = Cache {
            messages: vec![
                row("mx.example.com", "001/ZZ0T4K00A01C2R70.00", None),
                row("mx.example.com", "003/ZY0T4K00A01B9QX1.00", Some(0)),
                row("example.org", "002/ZZ0T4K00B07A11P2.00", None),
            ],
            asked: None,
        };
        let date = clock::cell(0);
        let expected = format!(
            "Channel: tcp_local\n  \
             Host: mx.example.com                           2 messages\n    \
             001/ZZ0T4K00A01C2R70.00   normal    ready       {date}\n    \
             003/ZY0T4K00A01B9QX1.00   normal    {date}  {date}\n  \
             Host: example.org                              1 message\n    \
             002/ZZ0T4K00B07A11P2.00   normal    ready       {date}\n\
             3 messages in the queue cache for channel tcp_local\n"
        );
        assert_eq!(cache.to_string(), expected);
    }
}
