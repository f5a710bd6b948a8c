//! housekeeping: to be described.
