//! Being a Unix process.
//!
//! This crate owns what every program of ours does as a process rather than as a mail program:
//! finding the server root and setting the umask ([`start`]), giving up root and starting others
//! without it ([`privilege`]), holding the lock by which a daemon is known ([`lock`]), signals as
//! ordinary events ([`signal`]), a readiness loop with timers ([`poll`]), children ([`child`]),
//! and the last line on standard error with its exit code ([`mod@exit`]). It knows nothing of mail,
//! configuration or sockets of ours.
//!
//! A daemon goes through it in this order: [`start::prepare`], [`start::server_root`],
//! [`lock::Lock`], [`signal::Signals`], its own set-up, [`start::notify_ready`], then a loop over
//! [`poll::Poll`] until a signal or a request ends it, and [`exit::exit()`] in `main`.
//!
//! ```
//! use mta_process::poll::Timers;
//! use std::time::{Duration, Instant};
//! let now = Instant::now();
//! let mut timers = Timers::default();
//! timers.set("retire", now + Duration::from_secs(5));
//! assert!(timers.take_due(now).is_empty());
//! assert_eq!(timers.take_due(now + Duration::from_secs(5)), ["retire"]);
//! ```

pub mod child;
pub mod exit;
pub mod lock;
pub mod poll;
pub mod privilege;
pub mod signal;
pub mod start;

pub use exit::{Failure, exit};
