//! Mapping tables: a string goes in, a string and flags come out.
//!
//! This crate owns the pattern language, the template language and the evaluation of a table:
//! order of entries, iteration, the loop guard, calls from one table to another. It is pure. It
//! knows no files, clock, environment or randomness: whatever a template asks of the world goes
//! through the trait [`Callouts`], and nobody answering is an ordinary answer.
//!
//! Data takes this path: [`Tables::insert`] compiles each entry ([`Pattern`], [`Template`]) into
//! a form that is part of the compiled configuration; [`Tables::map`] runs an [`Input`] through
//! one table and gives a [`Mapped`]; a [`Trace`] that listens is told each step as an [`Event`].
//!
//! A large table is not scanned: each entry is filed under the rarest literal or network that it
//! asks for, and only entries under keys of the text are tried, in the order of the table. In a
//! compiled configuration those entries are records beside the core ([`records`]), read when a key
//! of theirs comes up; where they cannot be read, [`Mapped::unreadable`] says so, and nobody may
//! take that for "nothing matches".
//!
//! Bounded: pattern, template, input and output lengths, the depth and number of calls, the
//! number of restarts, and the work of one match, so that neither a table nor an input can take
//! exponential time.
//!
//! ```
//! use mta_mapping::{Entry, Input, NoCallouts, Silent, Tables};
//!
//! let mut tables = Tables::default();
//! tables.insert("T", &[Entry::new("*@*", "$1$Y")]).unwrap();
//! let mapped = tables.map("T", &Input::of("ada@example.org"), &NoCallouts, &mut Silent);
//! assert_eq!(mapped.output, "example.org");
//! assert!(mapped.flags.contains('Y'));
//! ```

mod callout;
mod compile_error;
mod describe;
mod evaluate;
mod expand;
mod explain;
mod flags;
mod index;
mod matching;
mod network;
mod pattern;
pub mod records;
mod table;
mod template;

#[cfg(test)]
mod tests;

pub use callout::{Callouts, NoCallouts, TemporaryFailure};
pub use compile_error::{MappingError, Warning, WarningKind};
pub use expand::ldap_quoted;
pub use explain::{Event, Silent, Trace};
pub use flags::Flags;
pub use matching::match_fields;
pub use pattern::Pattern;
pub use records::Unreadable;
pub use table::{Entry, Input, Mapped, Table, Tables, TablesCore};
pub use template::Template;

/// Longest pattern, in characters.
pub const MAX_PATTERN: usize = 256;
/// Longest template, in characters.
pub const MAX_TEMPLATE: usize = 1024;
/// Longest input that can match, and longest output, in characters.
pub const MAX_TEXT: usize = 1024;
/// Longest table name, in characters.
pub const MAX_NAME: usize = 32;
/// Deepest call from table to table, and deepest nesting of calls within one template.
pub const MAX_DEPTH: u32 = 10;
