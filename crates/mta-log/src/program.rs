//! A program's own log: `NAME.log-UNIQUEID`, one file per run.
//!
//! A line that cannot be written is counted, and the next one that can be says how many were
//! lost: a full disk must not stop a daemon that could still answer its clients.

use crate::escape;
use crate::id::IdSource;
use crate::time;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Longest line, time stamp and line end included.
const MAX_LINE: usize = 16 * 1024;

/// The log of one run of one program, or of one channel within it.
#[derive(Debug)]
pub struct ProgramLog {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: Option<File>,
    lost: u64,
}

impl ProgramLog {
    /// Creates `NAME.log-UNIQUEID` in `log_dir`, and the directory if need be.
    ///
    /// # Errors
    /// Whatever the system said when the file could not be created.
    pub fn open(log_dir: &Path, name: &str) -> io::Result<Self> {
        let log = Self::on_demand(log_dir, name);
        let file = create(&log.path)?;
        log.lock().file = Some(file);
        Ok(log)
    }

    /// As [`ProgramLog::open`], but the file appears with its first line only.
    #[must_use]
    pub fn on_demand(log_dir: &Path, name: &str) -> Self {
        let id = IdSource::new().next(time::now_seconds());
        Self {
            path: log_dir.join(format!("{name}.log-{id}")),
            state: Mutex::new(State {
                file: None,
                lost: 0,
            }),
        }
    }

    /// Where the lines go.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `text`, each of its lines with the time in front and control characters escaped.
    pub fn write(&self, text: &str) {
        let stamp = time::stamp(time::now());
        let mut state = self.lock();
        if state.file.is_none() {
            state.file = create(&self.path).ok();
        }
        let mut lines = String::with_capacity(text.len() + 40);
        if state.lost > 0 {
            push_line(
                &mut lines,
                &stamp,
                &format!("({} lines could not be written here)", state.lost),
            );
        }
        let mut count = 0;
        for line in text.trim_end_matches('\n').split('\n') {
            push_line(&mut lines, &stamp, line);
            count += 1;
        }
        let written = match &mut state.file {
            Some(file) => file.write_all(lines.as_bytes()).is_ok(),
            None => false,
        };
        if written {
            state.lost = 0;
        } else {
            state.lost += count;
        }
    }

    /// As [`ProgramLog::write`], for what a mapping table wants told: the system's log is told too.
    pub fn notice(&self, text: &str) {
        self.write(text);
        crate::syslog::notice(text);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic between two statements leaves nothing half done here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push_line(lines: &mut String, stamp: &str, line: &str) {
    let start = lines.len();
    lines.push_str(stamp);
    lines.push_str(": ");
    escape::push(lines, line);
    if lines.len() - start > MAX_LINE {
        let mut end = start + MAX_LINE - 4;
        while !lines.is_char_boundary(end) {
            end -= 1;
        }
        lines.truncate(end);
        lines.push_str("...");
    }
    lines.push('\n');
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .or_else(|error| match error.kind() {
            // Ours, from an earlier call whose write failed.
            io::ErrorKind::AlreadyExists => OpenOptions::new().append(true).open(path),
            _ => Err(error),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_stamped_and_escaped() {
        let dir = tempfile::tempdir().unwrap();
        let log = ProgramLog::open(&dir.path().join("log"), "dispatcher").unwrap();
        log.write("one\ntwo \u{1b}[2J");
        log.write("three\n");
        let text = std::fs::read_to_string(log.path()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].ends_with(": one"), "{}", lines[0]);
        assert!(lines[1].ends_with(": two \\x1b[2J"), "{}", lines[1]);
        let name = log.path().file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("dispatcher.log-0"), "{name}");
    }

    #[test]
    fn a_log_on_demand_needs_a_line_to_exist() {
        let dir = tempfile::tempdir().unwrap();
        let log = ProgramLog::on_demand(dir.path(), "tcp_local_slave");
        assert!(!log.path().exists());
        log.write("now");
        assert!(log.path().exists());
    }

    #[test]
    fn endless_lines_are_cut() {
        let dir = tempfile::tempdir().unwrap();
        let log = ProgramLog::open(dir.path(), "x").unwrap();
        log.write(&"ü".repeat(40_000));
        let text = std::fs::read_to_string(log.path()).unwrap();
        assert!(text.len() <= MAX_LINE);
        assert!(text.ends_with("...\n"));
    }
}
