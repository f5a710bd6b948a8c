//! What may be said to the watcher, and what it answers.
//!
//! Spoken by `start-msg`, `stop-msg` and `imsimta restart`. One request can take a while; the
//! watcher answers with [`Reply::Text`] as things happen and ends with [`Reply::Done`], all under
//! the request's id. A client that goes away stops nothing: what it asked for is finished.

use serde::{Deserialize, Serialize};

/// The name under which the watcher listens; see [`crate::endpoint::socket_path`].
pub const DAEMON: &str = "watcher";

/// What may be asked of the watcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Start a component. Starting what runs already says so and is no error; may be repeated.
    Start {
        /// `sched`, `dispatcher` or `job_controller`.
        component: String,
    },
    /// Stop a component and wait for its end. Stopping what does not run is no error; may be
    /// repeated.
    Stop {
        /// `sched`, `dispatcher` or `job_controller`.
        component: String,
        /// Kill it at once instead of asking it to finish.
        force: bool,
    },
    /// Stop, then start at once. Listeners stay open, so that no connection is refused. Repeated,
    /// it restarts again.
    Restart {
        /// `sched`, `dispatcher` or `job_controller`.
        component: String,
    },
    /// Stop every component, then end the watcher itself. The end is seen by the lock it gives
    /// up; [`Reply::Done`] comes just before.
    Finish {
        /// Kill instead of asking.
        force: bool,
    },
    /// What runs. Answered by [`Reply::Status`] alone; may be repeated.
    Status,
}

/// What the watcher answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Text for the operator's terminal, to be printed as it is (parts of lines included); more
    /// follows.
    Text(String),
    /// A complaint for the operator's standard error, one line; more follows.
    Complaint(String),
    /// The request is dealt with.
    Done {
        /// Whether it came out as asked.
        success: bool,
    },
    /// What runs.
    Status(Status),
    /// Not understood or not permitted: one sentence.
    Refused(String),
}

/// The watcher and its components.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The watcher's process.
    pub pid: u32,
    /// Every component, running or not, in starting order.
    pub components: Vec<Component>,
}

/// One component under the watcher's care.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// `sched`, `dispatcher` or `job_controller`.
    pub name: String,
    /// Its process, if it runs.
    pub pid: Option<u32>,
    /// Whether it should run.
    pub wanted: bool,
    /// How often it ended without being asked to, since the watcher started.
    pub failures: u32,
}
