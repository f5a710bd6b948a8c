//! The imta suite.
