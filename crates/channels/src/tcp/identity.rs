//! How this MTA is recognised by itself (`loopcheck`).

use std::fmt::Write as _;

use mta_config::{Config, ServerRoot};
use sha2::{Digest as _, Sha256};

/// The 32 hexadecimal digits behind XLOOP: a hash of the local host's name and of the server
/// root, the same for all processes of this instance and for all of its life.
pub(crate) fn loop_digits(config: &Config, root: &ServerRoot) -> String {
    let mut hash = Sha256::new();
    hash.update(config.local_host().to_ascii_lowercase());
    hash.update([0]);
    hash.update(root.root().as_os_str().as_encoded_bytes());
    let mut digits = String::with_capacity(32);
    for octet in &hash.finalize()[..16] {
        write!(digits, "{octet:02X}").expect("writing to a String cannot fail");
    }
    digits
}
