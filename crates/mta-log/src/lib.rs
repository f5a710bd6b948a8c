//! What the MTA tells its operator.
//!
//! Two kinds of text, never mixed: `mail.log_current` holds *records* (one line, fixed fields,
//! one per recipient and event), a program's own `NAME.log-UNIQUEID` holds *prose* for whoever
//! is looking for a fault. This crate owns both forms and the ids that tie them together.
//!
//! It knows nothing of queues, sessions or addresses beyond their text: callers hand over
//! finished facts, and every field that may come from outside passes [`escape`] on its way.
//!
//! The path of a record: a caller fills a [`record::Record`], [`layout::Layout`] turns it into a
//! line as the `log_*` options ask, and [`writer::Writer`] appends it with a single `write`, so
//! that many processes may share the file. After a crash there is at most one line that is cut
//! short, and the next writer begins a new one.
//!
//! ```
//! use mta_log::escape;
//! assert_eq!(escape::text("EHLO x\u{1b}[2J"), "EHLO x\\x1b[2J");
//! ```

pub mod escape;
pub mod id;
pub mod layout;
pub mod program;
pub mod read;
pub mod record;
pub mod rollover;
pub mod syslog;
pub mod time;
pub mod writer;
