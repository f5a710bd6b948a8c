//! How we call ourselves in banners and trace lines.

use mta_config::{Config, MtaOption};

/// The product's name and version, without the day it was built.
pub const NAME: &str = concat!("imta Messaging Server ", env!("CARGO_PKG_VERSION"));

/// The version text of banners and `Received:` lines: `received_version`, else ours.
#[must_use]
pub fn text(config: &Config) -> String {
    match (
        config.mta.text(MtaOption::ReceivedVersion),
        option_env!("IMTA_BUILT"),
    ) {
        (Some(text), _) => text.to_owned(),
        (None, Some(day)) => format!("{NAME} (built {day})"),
        (None, None) => NAME.to_owned(),
    }
}
