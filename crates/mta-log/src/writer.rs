//! Appends records to `mail.log_current` (and `connection.log_current`).
//!
//! Many processes write to the same file: it is opened for appending, and each call makes one
//! `write` of whole lines. The return job renames the file from time to time; a writer looks at
//! most once a second whether its file still has the name, and opens the new one if not.

use crate::layout::{Layout, MAX_LINE, Options};
use crate::record::{MessageRecord, Record};
use jiff::tz::TimeZone;
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the file's name is looked at.
const CHECK: Duration = Duration::from_secs(1);

/// The transaction log could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub struct LogError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Somebody who is shown every record about a message that goes into the log.
pub trait Observer: fmt::Debug + Send + Sync {
    /// Looks at a record.
    fn observe(&self, record: &MessageRecord<'_>, options: &Options);
}

/// The transaction log of one process; shared by its threads.
#[derive(Debug)]
pub struct Writer {
    layout: Layout,
    observer: Option<Box<dyn Observer>>,
    messages: Mutex<Appender>,
    connections: Option<Mutex<Appender>>,
}

impl Writer {
    /// A writer for the logs in `log_dir`. Nothing is opened before the first record.
    #[must_use]
    pub fn new(log_dir: &Path, options: Options) -> Self {
        let connections = options
            .separate_connections
            .then(|| Mutex::new(Appender::new(log_dir.join("connection.log_current"))));
        Self {
            layout: Layout::new(options, TimeZone::system(), std::process::id()),
            messages: Mutex::new(Appender::new(log_dir.join("mail.log_current"))),
            connections,
            observer: None,
        }
    }

    /// The same, with somebody who looks at the records about messages.
    #[must_use]
    pub fn observed(mut self, observer: Box<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The options it follows.
    #[must_use]
    pub const fn options(&self) -> &Options {
        self.layout.options()
    }

    /// Appends one record.
    ///
    /// # Errors
    /// [`LogError`] when the line could not be written as a whole.
    pub fn write(&self, record: &Record<'_>) -> Result<(), LogError> {
        self.write_all(std::slice::from_ref(record))
    }

    /// Appends several records of one kind, such as those of one message's recipients; as many
    /// lines go into one `write` as fit in 64 KiB.
    ///
    /// # Errors
    /// [`LogError`] when a line could not be written as a whole.
    pub fn write_all(&self, records: &[Record<'_>]) -> Result<(), LogError> {
        if let Some(observer) = &self.observer {
            for record in records {
                if let Record::Message(record) = record {
                    observer.observe(record, self.options());
                }
            }
        }
        let mut lines = String::with_capacity(256 * records.len().min(64));
        for (at, record) in records.iter().enumerate() {
            let start = lines.len();
            self.layout.push(&mut lines, record);
            if lines.len() > MAX_LINE && start > 0 {
                let line = lines.split_off(start);
                self.append(&records[at - 1], &lines)?;
                lines = line;
            }
        }
        match records.last() {
            Some(record) if !lines.is_empty() => self.append(record, &lines),
            Some(_) | None => Ok(()),
        }
    }

    fn append(&self, kind: &Record<'_>, lines: &str) -> Result<(), LogError> {
        let appender = match (kind, &self.connections) {
            (Record::Connection(_), Some(connections)) => connections,
            (Record::Connection(_), None) | (Record::Message(_), _) => &self.messages,
        };
        // A panic between two statements leaves an appender that still works.
        let mut appender = appender.lock().unwrap_or_else(PoisonError::into_inner);
        appender.append(lines).map_err(|source| LogError {
            path: appender.path.clone(),
            source,
        })
    }
}

#[derive(Debug)]
struct Appender {
    path: PathBuf,
    file: Option<Open>,
    /// A write ended in the middle of a line.
    torn: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    checked: Instant,
}

impl Appender {
    const fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            torn: false,
        }
    }

    fn append(&mut self, lines: &str) -> io::Result<()> {
        let torn = std::mem::take(&mut self.torn);
        let open = self.current()?;
        let text;
        let lines = if torn {
            text = format!("\n{lines}");
            &text
        } else {
            lines
        };
        let written = match open.file.write(lines.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                open.file.write(lines.as_bytes())
            }
            other => other,
        };
        match written {
            Ok(length) if length == lines.len() => Ok(()),
            Ok(length) => {
                let rest = open.file.write_all(&lines.as_bytes()[length..]);
                self.torn = rest.is_err();
                rest
            }
            Err(error) => {
                self.torn = torn;
                Err(error)
            }
        }
    }

    /// The file that bears the name now.
    fn current(&mut self) -> io::Result<&mut Open> {
        let stale = match &mut self.file {
            None => true,
            Some(open) if open.checked.elapsed() < CHECK => false,
            Some(open) => {
                open.checked = Instant::now();
                std::fs::metadata(&self.path)
                    .map_or(true, |meta| (meta.dev(), meta.ino()) != open.identity)
            }
        };
        if stale {
            self.file = None;
        }
        match &mut self.file {
            Some(open) => Ok(open),
            none => Ok(none.insert(Open::new(&self.path)?)),
        }
    }
}

impl Open {
    fn new(path: &Path) -> io::Result<Self> {
        let file = match Self::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(dir) = path.parent() {
                    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
                }
                Self::open(path)?
            }
            other => other?,
        };
        let meta = file.metadata()?;
        Ok(Self {
            file,
            identity: (meta.dev(), meta.ino()),
            checked: Instant::now(),
        })
    }

    fn open(path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Action, MessageRecord};
    use mta_envelope::names::ChannelName;

    fn record(channel: &ChannelName) -> Record<'_> {
        let when = "2026-11-23T09:14:02.31Z".parse().unwrap();
        Record::Message(MessageRecord::new(when, channel, Action::Dequeued))
    }

    #[test]
    fn lines_of_all_writers_stay_whole() {
        let dir = tempfile::tempdir().unwrap();
        let channel = ChannelName::new("tcp_local").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let writer = Writer::new(dir.path(), Options::default());
                    for _ in 0..100 {
                        writer
                            .write_all(&[record(&channel), record(&channel)])
                            .unwrap();
                    }
                });
            }
        });
        let text = std::fs::read_to_string(dir.path().join("mail.log_current")).unwrap();
        assert_eq!(text.lines().count(), 800);
        let first = text.lines().next().unwrap();
        assert!(text.lines().all(|line| line == first));
    }

    #[test]
    fn a_renamed_file_is_left_behind_at_the_next_look() {
        let dir = tempfile::tempdir().unwrap();
        let mut appender = Appender::new(dir.path().join("mail.log_current"));
        appender.append("one\n").unwrap();
        std::fs::rename(&appender.path, dir.path().join("mail.log_yesterday")).unwrap();
        let open = appender.file.as_mut().unwrap();
        open.checked = open.checked.checked_sub(CHECK).unwrap();
        appender.append("two\n").unwrap();
        let text = std::fs::read_to_string(dir.path().join("mail.log_current")).unwrap();
        assert_eq!(text, "two\n");
    }

    #[test]
    fn a_torn_line_is_ended_before_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let mut appender = Appender::new(dir.path().join("mail.log_current"));
        appender.append("half").unwrap();
        appender.torn = true;
        appender.append("whole\n").unwrap();
        let text = std::fs::read_to_string(&appender.path).unwrap();
        assert_eq!(text, "half\nwhole\n");
    }

    #[test]
    fn many_records_go_out_in_pieces_of_64_kib() {
        let dir = tempfile::tempdir().unwrap();
        let channel = ChannelName::new("tcp_local").unwrap();
        let long = "x".repeat(2_000);
        let records: Vec<_> = (0..100)
            .map(|_| match record(&channel) {
                Record::Message(message) => Record::Message(MessageRecord {
                    current: &long,
                    ..message
                }),
                other @ Record::Connection(_) => other,
            })
            .collect();
        let writer = Writer::new(dir.path(), Options::default());
        writer.write_all(&records).unwrap();
        let text = std::fs::read_to_string(dir.path().join("mail.log_current")).unwrap();
        assert_eq!(text.lines().count(), 100);
    }
}
