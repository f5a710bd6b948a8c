//! msconfig: to be described.
