//! mta-config: being written.

pub mod aliases;
pub mod channel;
pub mod config;
pub mod delivery;
pub mod fault;
pub mod image;
pub mod option;
pub mod paths;
pub mod period;
pub mod pool;
pub mod service;
pub mod source;
pub mod task;
pub mod value;
pub mod window;

pub use aliases::Aliases;
pub use channel::{Channel, ChannelOption, Channels};
pub use config::{Config, ImageIdentity, LoadError, Restricted};
pub use option::{MtaOption, MtaOptions};
pub use paths::ServerRoot;
