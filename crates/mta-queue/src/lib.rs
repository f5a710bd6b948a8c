//! mta-queue: to be described.
