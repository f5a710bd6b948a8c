//! The operator's command line `imsimta`: one module per utility.
//!
//! It owns the command table ([`front`]), what each utility asks of whom, and the wording and
//! columns of what is printed (`report`). It knows libraries only, never another program's
//! code: it asks daemons over their sockets, reads the queue through `mta-queue`, the
//! configuration through `mta-config`, and starts programs as anybody would. Every decision it
//! explains (`test -rewrite`) is made by the same function that the server calls.
//!
//! A command line goes through [`front::run`], which finds the utility and hands it a
//! `Context`: the server root, the identity to work under, and, when first asked for,
//! the configuration and the connections to the daemons.
//!
//! A crash of a command leaves nothing to repair: whatever changes the queue is one rename or one
//! unlink of `mta-queue`, and the daemons are told afterwards, as a hint.

#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod front;

mod cache;
mod calc;
mod chbuild;
mod cnbuild;
mod context;
mod control;
mod databases;
mod logs;
mod process;
mod qm;
mod report;
mod returning;
mod running;
mod test;
mod version;

pub use front::run;
