//! The client's half of a session: replies in, lines out.
//!
//! [`Opening`] leads from the banner to a peer that is ready for mail; [`Transfer`] carries one
//! message and says how each recipient fared, in the remote's own words. Neither knows a
//! socket: [`crate::drive::client`] runs them over one.

mod opening;
#[cfg(test)]
mod tests;
mod transfer;

pub use opening::{AuthUse, EhloUse, Manners, Opening, OpeningError, OpeningStep, Peer, TlsUse};
pub use transfer::{Fate, Letter, LetterRecipient, Stage, Transfer, TransferStep, Verdict};
