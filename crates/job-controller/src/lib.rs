//! job-controller: to be described.
