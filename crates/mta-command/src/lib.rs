//! How our commands speak: the switch dialect of `imsimta`, `%FACILITY-S-IDENT` lines, prompts,
//! and one way to print a listing for people or as JSON.
//!
//! What it owns: the reading of `-[no]word[=value]` with abbreviations ([`switches`]), the form
//! of status lines ([`message`]), output that survives a closed pipe and never sends a control
//! character to a terminal ([`output`]), and the reading of command lines typed or piped in
//! ([`prompt`]). What it does not know: queues, configuration, daemons; a command that uses it
//! brings its own tables and views.
//!
//! ```
//! use mta_command::switches::{Switch, Value, Verb};
//! const DIRECTORY: Verb = Verb {
//!     name: "directory",
//!     about: "list queued messages",
//!     parameters: "[channel]",
//!     least: 0,
//!     most: 1,
//!     switches: &[Switch::flag("held", "list held messages")],
//! };
//! let words = DIRECTORY.parse(&["-noheld".into(), "tcp_local".into()]).unwrap();
//! assert_eq!(words.on("held"), Some(false));
//! assert_eq!(words.parameter(0), Some("tcp_local"));
//! # let _ = Value::None;
//! ```

#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod message;
pub mod output;
pub mod prompt;
pub mod switches;
