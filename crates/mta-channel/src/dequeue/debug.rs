//! The debug log of a master program: `CHANNEL_master.log-UNIQUEID`, or the terminal.

use std::io::Write as _;
use std::sync::Arc;

use mta_log::escape;
use mta_log::program::ProgramLog;

/// Where the lines of one channel's master program go; cheap to clone.
///
/// Two kinds: debugging lines, for which `master_debug` has to be on, and trouble, which is
/// always written. The file appears with its first line.
#[derive(Debug, Clone, Default)]
pub struct DebugLog {
    file: Option<Arc<ProgramLog>>,
    terminal: bool,
    debugging: bool,
}

impl DebugLog {
    /// A log that drops everything.
    #[must_use]
    pub const fn off() -> Self {
        Self {
            file: None,
            terminal: false,
            debugging: false,
        }
    }

    /// A log into a file; debugging lines go there if `debugging` is on.
    #[must_use]
    pub const fn to_file(log: Arc<ProgramLog>, debugging: bool) -> Self {
        Self {
            file: Some(log),
            terminal: false,
            debugging,
        }
    }

    /// A log onto standard output, as for a channel that is run by hand. Debugging lines go to
    /// the file `log` as well if there is one.
    #[must_use]
    pub const fn to_terminal(log: Option<Arc<ProgramLog>>) -> Self {
        Self {
            file: log,
            terminal: true,
            debugging: true,
        }
    }

    /// Whether anybody reads debugging lines.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.debugging
    }

    /// Writes a debugging line, if anybody reads it; only then is the text made.
    pub fn line(&self, text: impl FnOnce() -> String) {
        if self.debugging {
            self.write(&text());
        }
    }

    /// Writes what the operator has to know, debugging or not.
    pub fn trouble(&self, text: &str) {
        self.write(text);
    }

    fn write(&self, text: &str) {
        if let Some(file) = &self.file {
            file.write(text);
        }
        if self.terminal {
            print(text);
        }
    }
}

/// A terminal that is gone must not stop a delivery: what cannot be shown is not shown.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    for line in text.lines() {
        drop(writeln!(out, "{}", escape::text(line)));
    }
    drop(out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_log_makes_no_text() {
        DebugLog::off().line(|| panic!("made a text for nobody"));
    }

    #[test]
    fn trouble_makes_the_file_that_debugging_did_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = Arc::new(ProgramLog::on_demand(dir.path(), "ims-ms_master"));
        let path = file.path().to_owned();
        let log = DebugLog::to_file(file, false);
        log.line(|| "delivered".to_owned());
        assert!(!path.exists());
        log.trouble("torn file");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.ends_with(": torn file\n"), "{text}");
    }
}
