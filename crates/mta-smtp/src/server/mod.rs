//! The server's half of a session: bytes in, bytes and events out.
//!
//! [`Session`] is the machine; it owns the order of commands and what is forgotten when. A
//! [`Policy`] gives the answers that depend on configuration, directory and disk. Neither knows
//! a socket: [`crate::drive::server`] runs both over one, and a transcript test over none.

mod commands;
mod content;
mod policy;
mod session;
#[cfg(test)]
pub(crate) mod tests;
mod transaction;

pub use policy::{BadCommand, Closed, Greeting, Policy, Stored, Welcome};
pub use session::{Limits, Session, Step, Wait};
