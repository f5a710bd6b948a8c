//! From text files to a configuration.

use crate::config::Config;
use crate::fault::{FaultKind, LoadFault, Origin, Warning};
use crate::paths::ServerRoot;

/// Reads all text files.
///
/// # Errors
/// All faults found.
pub fn load(root: &ServerRoot) -> Result<(Config, Vec<Warning>), Vec<LoadFault>> {
    Err(vec![LoadFault {
        kind: FaultKind::CannotOpen,
        name: root.config_xml().display().to_string(),
        origin: Origin::default(),
    }])
}
