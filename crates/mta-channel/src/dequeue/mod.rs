//! The way out of a queue: the loop of every master program.
//!
//! ```text
//! run         connects to the Job Controller, starts the threads
//!  └ controller   asks for the next message, tells what became of the last
//!  └ attempt      takes it, delivers it, settles it
//!     ├ deliverer   what the channel program brings: a try for each recipient
//!     ├ notices     what has to be told to sender and postmaster, through the enqueue path
//!     ├ records     what is told to the log
//!     └ settle      what the outcomes mean for the file
//! ```
//!
//! A program brings a [`Deliverer`] and calls [`run_master`]. Whoever settles mail outside of
//! a channel program (the return job, `imsimta return`) uses the same notices and records.

mod attempt;
mod controller;
mod debug;
mod deliverer;
mod error;
mod gate;
mod language;
mod notices;
mod outbox;
mod records;
mod returning;
mod run;
mod settle;

pub use debug::DebugLog;
pub use deliverer::{Content, Deliverer, Dialect, Message};
pub use error::MasterError;
pub use notices::{About, NoticeSender};
pub use outbox::Outbox;
pub use returning::{Decision, ReturnError, Returned, Returner};
pub use run::{JobThread, MasterSetup, run_master};

#[cfg(test)]
mod tests;
