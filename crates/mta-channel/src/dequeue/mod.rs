//! The way out of a queue: the loop of every master program.
//!
//! A channel program brings a [`Deliverer`] and calls `run_master`.

mod debug;
mod deliverer;

pub use debug::DebugLog;
pub use deliverer::{Content, Deliverer, Dialect, Message};
