//! mta-process: to be described.
