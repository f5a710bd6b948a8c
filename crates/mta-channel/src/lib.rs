//! Both halves of a channel program: how mail gets into queues, and how it gets out.
//!
//! This crate owns the decisions between a connection and a queue file. [`enqueue`] is the only
//! way by which a message gets into a queue: the SMTP server, the reprocess channel and everybody
//! who writes notices use it and nothing else. [`dequeue`] is the loop of every master program:
//! it asks the Job Controller for work, has each message delivered, and settles it. Between them
//! stand [`session`], the counting half of the SMTP server's policy, [`notify`], which says who
//! deserves which notice, and [`store`], what an address on the store's channel means.
//!
//! It does not know sockets, SMTP replies on the wire, DNS, or how anything is delivered.
//!
//! The way of a message: [`enqueue::Enqueuer::begin`] takes the sender,
//! [`enqueue::Transaction::recipient`] each recipient (rewriting, access tables, aliases and
//! directory, as one pure function with a trace), [`enqueue::MessageWriter`] the octets; header
//! fix-ups and the trace line are added, and the queue files are durable when
//! [`enqueue::MessageWriter::finish`] returns. The Job Controller gets a hint, and a master
//! program runs [`dequeue::run_master`], which hands the message to a [`dequeue::Deliverer`].
//!
//! | the process dies | what is left |
//! |---|---|
//! | before the final answer | at most temporary files, which the next scan removes |
//! | after the files are in place, before the answer was read | the message; its client sends it again, so it may come twice |
//! | before the `E` record or the hint | the message; the next scan of the queue finds it |
//! | during a delivery | the message, to be tried again; what a delivery leaves is its deliverer's |
//! | between a delivery and its settlement | the message; this is the window in which it can be delivered twice |
//!
//! ```
//! use mta_channel::store::Mailbox;
//! use mta_envelope::address::Address;
//! let address = Address::parse("ada%example.org+Work@ims-ms-daemon").unwrap();
//! let mailbox = Mailbox::of(&address);
//! assert_eq!(mailbox.uid, "ada");
//! assert_eq!(mailbox.folder.as_deref(), Some("Work"));
//! ```

pub mod dequeue;
pub mod enqueue;
mod headers;
pub mod lookups;
pub mod notify;
pub mod product;
pub mod session;
pub mod store;
