//! channels: to be described.
