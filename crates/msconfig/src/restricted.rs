//! Writing `restricted.cnf`, the one file that belongs to root.

use mta_config::ServerRoot;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;

/// Writes `restricted.cnf`, which everybody may read and only its owner may change: root when we
/// are root, else whoever we are.
///
/// # Errors
/// What the system says; the old file is still there.
pub(crate) fn write(root: &ServerRoot, content: &[u8]) -> io::Result<()> {
    let path = root.restricted();
    let aside = root.config().join(".restricted.cnf.new");
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&aside)?;
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.sync_all()?;
    fs::rename(&aside, &path)?;
    fs::File::open(root.config())?.sync_all()
}
