//! Both halves of a channel program.
//!
//! [`enqueue`] is the only way by which a message gets into a queue: the SMTP server, the
//! reprocess channel and everybody who writes notices use it and nothing else.

pub mod dequeue;
pub mod enqueue;
mod headers;
pub mod notify;
pub mod product;
pub mod session;
pub mod store;
