//! mta-mapping: to be described.
