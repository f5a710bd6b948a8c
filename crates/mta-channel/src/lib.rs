//! mta-channel: to be described.
