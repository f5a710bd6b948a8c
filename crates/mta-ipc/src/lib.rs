//! mta-ipc: to be described.
