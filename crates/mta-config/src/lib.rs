//! mta-config: to be described.
