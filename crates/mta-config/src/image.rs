//! The compiled configuration.

use crate::config::Config;
use crate::paths::ServerRoot;
use std::path::PathBuf;

/// Why an image is no use.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// There is none.
    #[error("no compiled configuration at {}", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
}

/// Reads the image.
///
/// # Errors
/// [`ImageError`] when there is none or it is no use.
pub fn read(root: &ServerRoot) -> Result<Config, ImageError> {
    Err(ImageError::Missing { path: root.image() })
}
