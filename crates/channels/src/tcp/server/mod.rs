//! `tcp_smtp_server`: brings mail in from the network.
//!
//! ```text
//! process    the process: connections from the Dispatcher, a thread for each, the end
//!  └ conversation   one session, and policy: what mta_smtp's machine is answered
//!     ├ switching   from which channel its mail comes
//!     ├ names       what DNS says of clients and senders
//!     ├ inquiry     VRFY, EXPN, ETRN
//!     ├ records     connection and bad-command records
//!     └ wording     replies and reasons in words
//! certificate  TLS certificate and key, read again when the files change
//! debug        the dialogue, for slave_debug
//! ```
//!
//! The Dispatcher has asked PORT_ACCESS and keeps the number of connections within bounds; it
//! hands each accepted one over with its descriptor. A session that panics costs its client a
//! 421 and nobody else anything. If the process dies, messages that were answered with 250 are
//! in the queue, and nothing of the others is but temporary files.

mod certificate;
mod conversation;
mod debug;
mod inquiry;
mod names;
mod policy;
mod process;
mod records;
mod switching;
#[cfg(test)]
mod tests;
mod wording;

pub use process::{Arguments, Error, run};
