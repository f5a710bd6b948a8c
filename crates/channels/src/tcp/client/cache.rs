//! The memory of hosts that could not be reached.
//!
//! A host that does not answer costs each message a time-out of minutes. After a failure the
//! next messages for that host are not tried: first one, after each further failure three times
//! as many (CACHE_SKIP_MULTIPLIER). They are deferred as if they had been tried. The memory is
//! that of one run of the program, and fades: a failure that cost nothing, such as a refused
//! connection, is soon worth another try, above all when an operator has asked for it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mta_envelope::status::Report;

/// Most hosts remembered; beyond, nothing new is learned.
const MAX_HOSTS: usize = 10_000;

#[derive(Debug)]
struct Unreachable {
    /// Messages skipped after the last failure.
    skip: u64,
    /// Messages still to be skipped.
    left: u64,
    /// Nothing is skipped after this.
    until: Instant,
    /// What the last failure was.
    report: Report,
}

/// How long a failure is remembered that took so long to show.
fn memory(cost: Duration) -> Duration {
    (cost * 4).clamp(Duration::from_secs(1), Duration::from_secs(60))
}

/// Hosts that failed, shared by the threads of a program.
#[derive(Debug, Default)]
pub(super) struct HostCache(Mutex<HashMap<String, Unreachable>>);

impl HostCache {
    /// The failure to report if the next message for `host` shall not be tried.
    pub(super) fn skip(&self, host: &str, now: Instant) -> Option<Report> {
        let mut hosts = self.hosts();
        let known = hosts.get_mut(host).filter(|known| now <= known.until)?;
        known.left = known.left.checked_sub(1)?;
        Some(known.report.clone())
    }

    /// `host` could not be reached, as an attempt from `began` to `now` has shown.
    pub(super) fn failed(
        &self,
        host: &str,
        report: &Report,
        multiplier: f64,
        (began, now): (Instant, Instant),
    ) {
        let mut hosts = self.hosts();
        if hosts.len() >= MAX_HOSTS && !hosts.contains_key(host) {
            return;
        }
        let skip = hosts
            .get(host)
            .map_or(1.0, |known| (known.skip as f64 * multiplier).ceil());
        let skip = skip.min(1e9) as u64;
        let known = Unreachable {
            skip,
            left: skip,
            until: now + memory(now.saturating_duration_since(began)),
            report: report.clone(),
        };
        hosts.insert(host.to_owned(), known);
    }

    /// `host` was reached.
    pub(super) fn succeeded(&self, host: &str) {
        self.hosts().remove(host);
    }

    /// A thread that panicked in here can have left at worst a host with an old count.
    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Unreachable>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use mta_envelope::status::Status;

    use super::*;

    fn report() -> Report {
        Report::local(Status::new(4, 4, 1), "refused")
    }

    #[test]
    fn skips_grow_with_each_failure_and_end_with_a_success() {
        let cache = HostCache::default();
        let now = Instant::now();
        let skipped = || std::iter::from_fn(|| cache.skip("a", now)).count();
        assert_eq!(skipped(), 0);
        for expected in [1, 3, 9, 27] {
            cache.failed("a", &report(), 3.0, (now, now));
            assert_eq!(skipped(), expected);
            assert!(cache.skip("b", now).is_none());
        }
        cache.succeeded("a");
        cache.failed("a", &report(), 2.5, (now, now));
        assert_eq!(skipped(), 1);
        cache.failed("a", &report(), 2.5, (now, now));
        assert_eq!(skipped(), 3);
    }

    #[test]
    fn a_failure_is_remembered_the_longer_the_more_it_cost() {
        let began = Instant::now();
        let second = Duration::from_secs(1);
        for (cost, memory) in [
            (Duration::ZERO, second),
            (second * 5, second * 20),
            (second * 120, second * 60),
        ] {
            let cache = HostCache::default();
            let now = began + cost;
            cache.failed("a", &report(), 3.0, (began, now));
            assert!(cache.skip("a", now + memory + second).is_none());
            assert!(cache.skip("a", now + memory).is_some());
        }
    }
}
