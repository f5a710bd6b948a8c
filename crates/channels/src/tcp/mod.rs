//! SMTP over TCP, in both directions.

pub mod client;
mod identity;
pub mod server;
