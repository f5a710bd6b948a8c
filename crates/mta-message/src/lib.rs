//! The inside of a message.
//!
//! This crate owns what stands in headers and bodies: lines as they were received
//! ([`header`]), trace lines and loop counting ([`received`]), dates ([`date`]), reports about
//! other messages ([`dsn`], from the texts of [`template`]), and making 8-bit messages fit for
//! a 7-bit peer ([`mime`]). It does not know why a line is added or a report is due, nor where
//! messages lie; it has no clock and no source of random numbers, both are arguments.
//!
//! Messages are octets with lines that end with LF, in both directions. A header is kept in
//! memory and is bounded when it is collected; bodies pass through as streams.
//!
//! ```
//! use mta_message::header::{Field, Header};
//! let mut header = Header::parse(b"Subject: a\n b\nX-Odd:c\n");
//! header.prepend(Field::new("Received", "from there by here"));
//! assert_eq!(header.get("subject").unwrap().value(), "a b");
//! assert_eq!(header.to_bytes(), b"Received: from there by here\nSubject: a\n b\nX-Odd:c\n");
//! ```

pub mod addresses;
pub mod date;
pub mod dsn;
pub mod header;
pub mod mime;
pub mod received;
pub mod template;
