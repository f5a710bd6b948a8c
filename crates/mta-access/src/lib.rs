//! mta-access: to be described.
