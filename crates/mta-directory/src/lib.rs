//! mta-directory: to be described.
