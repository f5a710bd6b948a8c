//! Names that nobody else uses: unique parts of message files, and the random line that ends a
//! message.
//!
//! The one place of this crate that reads the clock and the random source; both only serve to
//! make names that cannot be guessed or met twice.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// What every end marker begins with.
pub(crate) const BOUNDARY_START: &str = "Boundary_(ID_";

/// Octets of an end marker.
pub(crate) const BOUNDARY_LEN: usize = BOUNDARY_START.len() + 22 + 1;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// The unique part of a new message file's name.
pub(crate) fn unique() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
    // Thirty bits: fifteen of the process, fifteen of a counter shared by its threads. Should
    // two names still meet, the rename without replacement notices.
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let mix = (u64::from(std::process::id()) & 0x7fff) << 15 | (count & 0x7fff);
    mta_envelope::unique::file_part(micros, mix)
}

/// A fresh end marker.
pub(crate) fn boundary() -> io::Result<String> {
    let mut random = [0_u8; 22];
    getrandom::fill(&mut random).map_err(|error| {
        error
            .raw_os_error()
            .map_or_else(no_source, io::Error::from_raw_os_error)
    })?;
    let mut text = String::with_capacity(BOUNDARY_LEN);
    text.push_str(BOUNDARY_START);
    text.extend(random.map(|byte| char::from(BASE64[usize::from(byte & 63)])));
    text.push(')');
    Ok(text)
}

fn no_source() -> io::Error {
    io::ErrorKind::Unsupported.into()
}

/// Whether a line has the form of an end marker.
pub(crate) fn is_boundary(line: &[u8]) -> bool {
    line.len() == BOUNDARY_LEN
        && line.starts_with(BOUNDARY_START.as_bytes())
        && line[BOUNDARY_LEN - 1] == b')'
        && line[BOUNDARY_START.len()..BOUNDARY_LEN - 1]
            .iter()
            .all(|byte| BASE64.contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_parts_do_not_repeat() {
        let names: std::collections::HashSet<String> = (0..5000).map(|_| unique()).collect();
        assert_eq!(names.len(), 5000);
    }

    #[test]
    fn a_boundary_is_recognised_and_nothing_else() {
        let boundary = boundary().unwrap();
        assert!(is_boundary(boundary.as_bytes()), "{boundary}");
        assert!(!is_boundary(b"Boundary_(ID_short)"));
        assert!(!is_boundary(&boundary.as_bytes()[..BOUNDARY_LEN - 1]));
        assert!(!is_boundary(boundary.to_lowercase().as_bytes()));
    }
}
