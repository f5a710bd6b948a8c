//! dispatcher: to be described.
