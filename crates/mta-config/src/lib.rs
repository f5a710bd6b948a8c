//! From files on disk to one immutable configuration.
//!
//! This crate owns every configuration file: it alone reads and writes `config.xml`,
//! `xpass.xml`, `restricted.cnf` and the compiled configuration. It knows which options exist
//! (tables, one row each), what values they take and what holds when they are not set. It does
//! not know what any of them does: the rewrite rules and mapping tables it compiles are run by
//! `mta-rewrite` and `mta-mapping`, the aliases and delivery clauses it reads are used by
//! `mta-channel`.
//!
//! The path of the data: [`source`] reads the text files into an option tree and makes a
//! [`Config`] of it, with every fault by file and line ([`fault`]); [`image`] puts that `Config`
//! into `config/compiled/config_data` and takes it out again. [`Config::load`] is what programs
//! call: the image if there is one, else the text. On the way the tree's settings become
//! [`option`]s of the whole MTA, [`channel`]s, [`service`]s of the Dispatcher, [`pool`]s and
//! classes of the Job Controller, [`task`]s of the scheduler and [`aliases`].
//!
//! | crash while | leaves behind |
//! | --- | --- |
//! | an image or a text file is written aside | `.NAME.PID`, read by nobody; the old file counts |
//! | `msconfig` writes, before `config.xml` is renamed | new old-versions, the old configuration; perhaps new secrets |
//! | `msconfig` writes, after that | the new configuration; perhaps no line in the history |
//!
//! ```
//! use mta_config::{MtaOption, MtaOptions};
//!
//! let options = MtaOptions::default();
//! assert_eq!(options.int(MtaOption::BlockSize), 1024);
//! assert_eq!(options.text(MtaOption::ErrorTextUnknownUser), Some("unknown or illegal user"));
//! ```

pub mod aliases;
pub mod channel;
pub mod charset;
pub mod config;
pub mod conversions;
pub mod database;
pub mod delivery;
pub mod fault;
pub mod image;
pub mod option;
pub mod paths;
pub mod period;
pub mod pool;
pub mod service;
pub mod source;
pub mod table;
pub mod task;
pub mod value;
pub mod window;

pub use aliases::Aliases;
pub use channel::{Channel, ChannelOption, Channels};
pub use config::{Config, ImageIdentity, LoadError, Restricted};
pub use option::{MtaOption, MtaOptions};
pub use paths::ServerRoot;
