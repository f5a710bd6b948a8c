//! The access tables: which question each is asked, and what its answer means.
//!
//! This crate owns the probe strings of PORT_ACCESS ([`port`]), INTERNAL_IP
//! ([`port::is_internal`]), AUTH_ACCESS ([`auth`]), ETRN_ACCESS ([`etrn`]), IP_ACCESS ([`outgoing`]),
//! DEQUEUE_ACCESS and MESSAGE-SAVE-COPY ([`dequeue`]), CONVERSIONS ([`conversions`]) and the
//! address tables FROM_ACCESS, ORIG_SEND_ACCESS, SEND_ACCESS, ORIG_MAIL_ACCESS and MAIL_ACCESS
//! ([`address`]), the order in which flags take their arguments, and the words of a refusal. It is
//! pure over the compiled configuration: the Dispatcher, the enqueue path and `imsimta test` ask
//! the same functions. It does not know who asks, and it does nothing about an
//! answer: delays, debugging, syslog lines and header lines are handed back as data.
//!
//! A question becomes a probe, `mta-mapping` runs the table, and [`arguments`] deals the fields of
//! the output to the flags that were set.

pub mod address;
pub mod arguments;
pub mod auth;
pub mod conversions;
pub mod dequeue;
pub mod etrn;
pub mod outgoing;
pub mod port;
