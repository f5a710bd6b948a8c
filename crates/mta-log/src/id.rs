//! Ids that carry their own age: envelope ids, supplied Message-ids, names of log files.

use mta_envelope::unique;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// One counter for the whole process, so that two sources never give the same id.
static SEQUENCE: OnceLock<AtomicU32> = OnceLock::new();

/// Where this process takes its ids from.
#[derive(Debug, Clone, Copy, Default)]
pub struct IdSource;

impl IdSource {
    /// The source of this process; all of them share one counter.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }

    /// The next id at `now`, in seconds since 1970.
    #[must_use]
    pub fn next(self, now: u64) -> String {
        let pid = std::process::id();
        let counter = SEQUENCE.get_or_init(|| AtomicU32::new(first(pid)));
        unique::id(now, pid, counter.fetch_add(1, Ordering::Relaxed))
    }
}

/// Where the counter begins. An id holds the process number modulo 36³ only; two processes that
/// agree in that begin at different places, and so does one that got the number of a dead one.
fn first(pid: u32) -> u32 {
    let moment = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    (moment / 1_000).wrapping_add((pid / 46_656).wrapping_mul(104_729)) % 1_679_616
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_second_differ_and_carry_it() {
        let ids: std::collections::HashSet<_> = (0..1_000)
            .map(|_| IdSource::new().next(1_790_000_000))
            .collect();
        assert_eq!(ids.len(), 1_000);
        for id in ids {
            assert_eq!(unique::id_time(&id), Some(1_790_000_000));
        }
    }
}
