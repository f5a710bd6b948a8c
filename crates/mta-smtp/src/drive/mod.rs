//! The machines over real sockets: the only part of this crate that waits.
//!
//! A socket is read and written without blocking, and waited for by `poll` together with a
//! wake-up descriptor, so that a shutdown reaches an idle session at once. Every wait has a
//! deadline: one for a whole command, however its octets trickle in, and a budget for data
//! that only a minimum rate can refill. While nothing happens, no buffer is kept.

pub mod client;
mod connect;
pub mod server;
#[cfg(test)]
mod tests;
mod wire;

pub use connect::connect;
pub use wire::{Wire, WireError};

/// Stack of a thread that runs a session. A thousand idle sessions must cost little, and
/// nothing in a session recurses.
pub const STACK: usize = 256 << 10;

/// A thread for one session, named `name`, with a small stack.
pub fn thread(name: &str) -> std::thread::Builder {
    std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK)
}
