//! One writer at a time: whoever changes the configuration holds this lock from reading it to
//! having written it, so that nobody's change is lost.

use mta_config::ServerRoot;
use mta_process::lock::Lock;
use std::io;
use std::time::Duration;

/// How long a command waits for another one to finish.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes the lock; nothing when somebody else holds it for too long.
///
/// # Errors
/// What the system says.
pub fn configuration(root: &ServerRoot) -> io::Result<Option<Lock>> {
    Lock::acquire_within(&root.config().join(".config.lock"), PATIENCE)
}
