//! The programs that write the configuration: `configure`, which makes the first one,
//! `configtoxml`, which makes it of legacy files, and `msconfig`, which changes it.
//!
//! This crate owns the wording and the rules of these programs. What options there are and how
//! files look is the business of `mta-config`; nothing here parses a file.
//!
//! `configure` goes from arguments to a plan, from the plan to files ([`configure`]).
//! `configtoxml` reads legacy files and writes the option tree that they make ([`configtoxml`]).
//! `msconfig` reads the option tree, changes it as its commands say, and writes it back
//! ([`edit`]).
//!
//! Whoever changes the configuration holds [`lock::configuration`] from reading to having
//! written, so that two at once cannot lose each other's change.

pub mod configtoxml;
pub mod configure;
pub mod edit;
pub mod lock;
mod restricted;

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
