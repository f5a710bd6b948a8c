//! The Job Controller: the queue cache, and the jobs that empty the queues.
//!
//! This crate decides which message is tried when, by which run of a channel program, and starts
//! and ends those programs. It never opens a message to deliver it, and it knows nothing of
//! addresses, SMTP or DNS: a message is a channel, a file name, a priority and a destination
//! host. The queue on disk is the truth; everything here can be lost at any moment and is built
//! again from the names and time stamps of the files.
//!
//! A message takes this way: whoever wrote its file sends a hint, or a scan finds it ([`mod@run`]);
//! `cache` takes it in; [`schedule`] gives it to a thread of a job that asks, or has a job
//! started for it within the limits of its channel and its pool; the job settles it, and it
//! leaves the cache or waits as [`backoff`] says.
//!
//! | what dies | what happens |
//! | --- | --- |
//! | a channel program | its messages are tried again at once, each alone; a message's third death in a row counts as an attempt, its tenth gets it held |
//! | a channel program at its start | it is started again after a growing delay |
//! | the Job Controller | jobs finish the message in hand and end; the next one scans the queues, and finds attempts and last tries in names and time stamps; a message that is still in somebody's hands is locked, answered with `Busy`, and tried again shortly |
//! | an enqueuer, before its hint | the next scan finds the file |
//! | the machine | as the Job Controller |
//!
//! ```
//! // The wait after a restart is what is left of the wait that `backoff` gives.
//! let wait = job_controller::backoff::wait(&[3_600, 7_200], 1);
//! assert_eq!(job_controller::backoff::remaining(wait, 10_000, 10_600), 3_000);
//! ```

pub mod backoff;
mod cache;
mod job;
pub mod run;
pub mod schedule;
pub mod settings;

pub use run::{Arguments, Error, run};
