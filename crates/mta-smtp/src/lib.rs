//! SMTP, both sides, without a socket.
//!
//! This crate owns the protocol of RFC 5321 and its extensions: where a line ends, what a
//! command means, how a reply is written and read, when a transaction begins and what makes it
//! end. It does not know configuration, queue, directory or DNS: the server's decisions are
//! asked of a [`server::Policy`], the client is handed the host to talk to. Only [`drive`] and
//! [`tls`] touch a stream; everything else is bytes in, bytes and events out, and is tested as
//! transcripts.

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
