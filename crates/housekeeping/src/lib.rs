//! What keeps the house in order while mail flows: `imsched`, which runs the periodic tasks.
//!
//! It owns the clock side of tasks: which minutes have come ([`minutes`], pure), and that no task
//! runs twice at the same time ([`sched`]). It does not know what a task does: `return_job` and
//! `purge` are programs like any other, named by the configuration.
//!
//! | imsched dies | what is left |
//! |---|---|
//! | at any time | running tasks go on; the minute of its death is not made up for |

pub mod minutes;
pub mod sched;

pub use sched::{Arguments, Error, run};
