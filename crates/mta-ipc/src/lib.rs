//! What processes may say to each other.
//!
//! This crate owns the frames on our Unix sockets ([`frame`]), the names and permissions of the
//! sockets ([`endpoint`]), the asking side ([`client`]) and the answering side ([`peer`], [`control`]), the
//! handing over of descriptors ([`descriptor`], [`handover`], [`listeners`]), and one module per
//! listener that is nothing but its vocabulary ([`watcher`], [`dispatcher`], [`job_controller`]).
//! It does not know what any request means: no queue, no configuration, no policy.
//!
//! A request takes this way: [`client::Client::call`] numbers and encodes it, [`frame`] puts the
//! length in front, the daemon's [`peer::Peer`] collects bytes until a frame is whole, checks its
//! length before anything is allocated, decodes it and hands out `(id, Request)`; the reply goes
//! back under the same id, whenever it is ready.
//!
//! Whatever arrives is distrusted: a frame that is too long, does not decode, or comes before the
//! greeting costs its sender the connection, and nobody else anything. If a process dies in the
//! middle of a frame, the other side sees the end of the stream and drops the partial frame.
//!
//! ```
//! let path = mta_ipc::endpoint::socket_path("/opt/imta/config".as_ref(), "dispatcher");
//! assert!(path.ends_with(".opt_imta_config.dispatcher.socket"));
//! ```

use serde::{Deserialize, Serialize};

pub mod client;
pub mod control;
pub mod descriptor;
pub mod dispatcher;
pub mod endpoint;
mod error;
pub mod frame;
#[cfg(test)]
mod golden;
pub mod handover;
pub mod job_controller;
pub mod listeners;
pub mod peer;
pub mod watcher;

pub use client::Client;
pub use error::IpcError;
pub use peer::Peer;

/// Raised whenever a vocabulary or the form of a frame changes; both sides must have the same.
pub const PROTOCOL_VERSION: u32 = 2;

/// A process and the configuration it runs with, for `imsimta process -image`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessImage {
    /// The process.
    pub pid: u32,
    /// The program's name.
    pub program: String,
    /// Hash of the fixed part of its image, empty if it has not told yet.
    pub fixed: String,
    /// Hash of the reloadable part of its image, empty if it has not told yet.
    pub reloadable: String,
}
