//! mta-message: to be described.
