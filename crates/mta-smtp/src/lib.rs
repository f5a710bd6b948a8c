//! SMTP, both sides, without a socket.
//!
//! This crate owns the protocol of RFC 5321 and its extensions: where a line ends, what a
//! command means, how a reply is written and read, when a transaction begins and what makes it
//! end. It does not know configuration, queue, directory or DNS: the server's decisions are
//! asked of a [`server::Policy`], the client is handed the host to talk to. Only [`drive`] and
//! [`tls`] touch a stream; everything else is bytes in, bytes and events out, and is tested as
//! transcripts.
//!
//! ```text
//! server   drive::server → line → command → server::Session ⇄ Policy
//!                        ← reply ←          data (LF lines) → Policy
//! client   Opening, Transfer → lines → drive::client → replies → Opening, Transfer → verdicts
//! ```
//!
//! Data enters through [`mod@line`] and [`data`], which know only CRLF, and [`command`] and
//! [`reply`], which turn it into values in which nothing is left to interpret.
//!
//! ```
//! use mta_smtp::command::{self, Command};
//! let (verb, arguments) = command::split("RCPT TO:<\"a@c\"@b.example> NOTIFY=NEVER").unwrap();
//! let Command::Rcpt(rcpt) = command::parse(verb, arguments).unwrap() else { unreachable!() };
//! assert_eq!(rcpt.address.local(), "\"a@c\"");
//! assert!(rcpt.has_options());
//! ```
//!
//! What a session leaves behind when its process dies: nothing. A message is the policy's from
//! its first octet; a client that has not read `250` must send it again.

pub mod client;
pub mod command;
pub mod data;
pub mod drive;
pub mod extension;
pub mod line;
pub mod reply;
pub mod sasl;
pub mod server;
pub mod tls;
