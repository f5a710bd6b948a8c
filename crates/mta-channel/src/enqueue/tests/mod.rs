//! The enqueue path against a whole configuration.

mod changes;
mod messages;
mod routes;
mod world;

pub(crate) use world::config;
