//! mta-command: to be described.
