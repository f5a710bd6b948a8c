//! The channel programs: what brings mail in from the network and what takes it out of queues.
//!
//! One module per program. This crate owns the conversation with the world outside: sockets,
//! mailboxes, the decision whom to ask in which order. It does not know how a message gets into
//! a queue or out of it: that is `mta_channel`, whose loop calls a deliverer here for each
//! message, and whose enqueue path is handed each message that comes in.
//!
//! | module | channels | what a death in the middle leaves |
//! |---|---|---|
//! | [`ims`] | `ims-ms*` | a file in `tmp`, overwritten by the next attempt; or the message in `new`, recognised by it |
//! | [`reprocess`] | `reprocess*`, `process*`, `hold` | the old file; behind the enqueue a second copy of the message |
//! | [`bitbucket`] | `bitbucket` | the file |
//! | [`tcp::client`] | `tcp_*` | the file; behind the final dot, before the answer was read, a second copy at the remote |
//! | [`returns`] | all | the message; behind the enqueue of its notice a second notice |
//!
//! [`master`] holds the first steps of every program that takes mail out.

pub mod bitbucket;
pub mod ims;
pub mod master;
pub mod reprocess;
pub mod returns;
pub mod tcp;

#[cfg(test)]
mod world;
