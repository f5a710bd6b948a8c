//! The system's log: what mapping tables want told there (`$<`, `$>`).

use crate::escape;
use nix::syslog::{Facility, Priority, Severity, syslog};

/// Longest text, in octets: a line that every daemon of the system takes.
const MOST: usize = 1024;

/// Sends one line to the system's log as `user.notice`, control characters escaped. Where no
/// daemon listens, nobody is told.
pub fn notice(text: &str) {
    let mut line = escape::text(text).into_owned();
    while line.len() > MOST {
        line.pop();
    }
    let priority = Priority::new(Severity::LOG_NOTICE, Facility::LOG_USER);
    // It fails only for a NUL in the text, and none is left.
    syslog(priority, &*line).unwrap_or_default();
}
