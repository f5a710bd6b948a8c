//! Where a domain's mail goes, as a blocking call.
//!
//! This crate owns the questions that a mail system asks of the DNS and the order in which the
//! answers are tried. [`route`](mod@route) decides, purely over the answers of a
//! [`resolver::Resolver`]; [`hickory`] gives real answers and owns the one asynchronous runtime
//! of a process. It knows nothing of SMTP, channels or queues.
//!
//! The difference between "no such name" and "could not ask" is kept all the way: the first
//! returns mail to its sender, the second keeps it in the queue.
//!
//! ```
//! use mta_dns::resolver::Table;
//! use mta_dns::route::{Options, route};
//! let mut table = Table::default();
//! table.add_mx("example.com", 10, "mx.example.com");
//! table.add_address("mx.example.com", [192, 0, 2, 1].into());
//! let route = route("example.com", &Options::default(), &table, &mut || 0).unwrap();
//! assert_eq!(route[0].host, "mx.example.com");
//! ```

pub mod hickory;
pub mod resolver;
pub mod route;
