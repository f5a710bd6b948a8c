//! What is written on the outside of a message.
//!
//! This crate owns the words that every other crate speaks: addresses, domains, envelopes,
//! status codes, and the checked names of channels, pools, services and queue files. It is
//! pure: it knows no files, sockets, clock or environment; whoever needs the time or a process
//! number hands it over.
//!
//! Data enters through the parsers ([`address::Address::parse`], [`names::ChannelName::new`],
//! [`names::FileName::parse`]) and is carried by type from then on, so that nothing further in
//! has to ask again whether a text is a legal address or may become a path.
//!
//! ```
//! use mta_envelope::address::Address;
//! let address = Address::parse("Ada.Lovelace@Example.ORG").unwrap();
//! assert_eq!(address.local(), "Ada.Lovelace");
//! assert_eq!(address.domain(), Some("Example.ORG"));
//! ```

pub mod address;
pub mod domain;
pub mod envelope;
pub mod names;
pub mod status;
pub mod unique;
