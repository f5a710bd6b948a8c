//! Rewrite rules: an address goes in, an address and a channel come out.
//!
//! This crate owns the extraction of a host from an address, the order in which forms of that
//! host are looked up, the template language of the right sides, and the rounds that follow from
//! restarts and from routes through this machine. It is pure. It knows no files, clock or
//! environment; channels, mapping tables, databases and the directory are asked through the
//! trait [`Surroundings`]. It knows nothing of aliases, access checks or queues.
//!
//! Data takes this path: [`Rules::compile`] turns the list of rules into a form that is part of
//! the compiled configuration, found by pattern in one look; [`rewrite`] answers a [`Question`]
//! with a [`Rewritten`] or a [`RewriteError`]; a [`Trace`] that listens is told each step as an
//! [`Event`]. The modules in the order an address meets them: `extract`, `search`, `apply`,
//! `rounds`.
//!
//! Bounded: the length of an address at each round, restarts, call-outs and nesting of one
//! template, so that neither a rule nor an address can keep a session busy.
//!
//! ```
//! use mta_envelope::names::ChannelName;
//! use mta_mapping::{Callouts, Tables};
//! use mta_rewrite::{Owner, Question, Rules, Silent, SourceRule, Surroundings, rewrite};
//!
//! struct World { tables: Tables, local: ChannelName, away: ChannelName }
//! impl Callouts for World {}
//! impl Surroundings for World {
//!     fn tables(&self) -> &Tables { &self.tables }
//!     fn local_host(&self) -> &str { "mail.example.com" }
//!     fn channel_owning(&self, host: &str) -> Option<Owner<'_>> {
//!         match host {
//!             "mail.example.com" => Some(Owner::local(&self.local, "mail.example.com")),
//!             "away" => Some(Owner::of(&self.away, "away")),
//!             _ => None,
//!         }
//!     }
//! }
//! let world = World {
//!     tables: Tables::default(),
//!     local: ChannelName::new("l").unwrap(),
//!     away: ChannelName::new("tcp_local").unwrap(),
//! };
//! let rules = Rules::compile(&[
//!     SourceRule::new("example.com", "$U%$D@mail.example.com"),
//!     SourceRule::new(".", "$U%$H@away"),
//! ]).unwrap();
//! let question = Question::envelope_to("ada@example.org", &world.local);
//! let rewritten = rewrite(&rules, &question, &world, &mut Silent).unwrap();
//! assert_eq!(rewritten.address, "ada@example.org");
//! assert_eq!(rewritten.channel.as_str(), "tcp_local");
//! ```

mod apply;
mod call;
mod explain;
mod extract;
mod output;
mod parts;
mod question;
mod rounds;
mod rule;
mod search;
mod surroundings;
mod template;

#[cfg(test)]
mod tests;

pub use explain::{Event, Place, Silent, Trace};
pub use question::{Direction, Part, Question, RewriteError, Rewritten};
pub use rounds::rewrite;
pub use rule::{Rule, RuleError, RuleErrorKind, RuleWarning, Rules, RulesCore, SourceRule};
pub use surroundings::{ChannelTraits, Owner, Surroundings};

/// Restarts (`A%B`) of one rewrite that are honoured.
pub const MAX_RESTARTS: u32 = 20;
/// Longest pattern and template together, in characters.
pub const MAX_LINE: usize = 1024;
