//! What may be said to the Dispatcher on its control socket, and what it answers.

use mta_envelope::names::ServiceName;
use serde::{Deserialize, Serialize};

use crate::ProcessImage;

/// The name under which the Dispatcher listens; see [`crate::endpoint::socket_path`].
pub const DAEMON: &str = "dispatcher";

/// What may be asked of the Dispatcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// How it is. From the watcher (readiness), `imsimta process -image` and probes; answered by
    /// [`Reply::Status`]; may be repeated.
    Status,
    /// Tell when every service that always has server processes has one that is ready. From the
    /// watcher; answered by [`Reply::Ok`] then, or by [`Reply::Refused`] when one could not be
    /// started; may be repeated.
    Ready,
    /// Connections and server processes (`imsimta dispatcher -statistics`). Answered by
    /// [`Reply::Statistics`]; may be repeated.
    Statistics {
        /// Only this service.
        service: Option<ServiceName>,
    },
    /// Stop serving one service until the Dispatcher is restarted (`imsimta shutdown smtp`).
    /// Answered by [`Reply::Ok`] when its server processes are told to retire; may be repeated.
    StopService(ServiceName),
    /// Replace the server processes of one service; no session is dropped
    /// (`imsimta restart smtp`). Answered by [`Reply::Ok`], or by [`Reply::Refused`] if the
    /// service is stopped; may be repeated.
    RestartService(ServiceName),
    /// Start one service. Always [`Reply::Refused`], with the product's answer: a service that
    /// was shut down comes back with the Dispatcher.
    StartService(ServiceName),
    /// Load the reloadable part of a new image, and tell the server processes
    /// (`imsimta reload`). Answered by [`Reply::Ok`] or [`Reply::Refused`]; may be repeated.
    Reload,
}

/// What the Dispatcher answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Understood and begun.
    Ok,
    /// How it is.
    Status(Status),
    /// Connections and server processes.
    Statistics(Vec<ServiceStatistics>),
    /// Not done, and why: one sentence for the operator.
    Refused(String),
}

/// How the Dispatcher is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// Hash of the part of the image that needs a new process.
    pub fixed: String,
    /// Hash of the part that can be reloaded.
    pub reloadable: String,
    /// Whether the configuration came from an image.
    pub from_image: bool,
    /// Seconds since it started.
    pub uptime: u64,
    /// Process and image of each server process.
    pub children: Vec<ProcessImage>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatistics {
    /// Its name.
    pub service: ServiceName,
    /// The ports it listens on.
    pub ports: Vec<u16>,
    /// Server processes that take connections.
    pub workers: u32,
    /// Connections being served.
    pub active: u32,
    /// Server processes that finish what they have.
    pub retiring: u32,
    /// Connections accepted since the Dispatcher started.
    pub accepted: u64,
    /// Connections refused since the Dispatcher started.
    pub rejected: u64,
    /// Connections closed within `historical_time`.
    pub closed_recently: u64,
    /// Whether it takes connections at all.
    pub stopped: bool,
    /// Its server processes, and those that ended within `historical_time`.
    pub servers: Vec<ServerStatistics>,
}

/// One server process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatistics {
    /// Its process.
    pub pid: u32,
    /// When it was started, seconds since 1970.
    pub started: u64,
    /// Connections it serves.
    pub active: u32,
    /// Connections it was given so far.
    pub total: u64,
    /// `starting`, `serving`, `retiring` or `ended`.
    pub state: String,
}
