//! mta-log: to be described.
