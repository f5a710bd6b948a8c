//! mta-rewrite: to be described.
