//! How long a message waits after an unsuccessful attempt.
//!
//! The intervals come from the channel options `backoff`, `urgentbackoff`, `normalbackoff` and
//! `nonurgentbackoff`; the last one repeats for ever. Retrying never returns a message: only
//! `notices` ends it. All numbers are seconds.

/// What a channel without any interval uses: one hour.
const LAST_RESORT: u32 = 3_600;

/// The wait after the `attempts`-th unsuccessful attempt (0 counts as 1).
#[must_use]
pub fn wait(intervals: &[u32], attempts: u16) -> u32 {
    let index = usize::from(attempts.saturating_sub(1));
    intervals
        .get(index)
        .or_else(|| intervals.last())
        .copied()
        .unwrap_or(LAST_RESORT)
}

/// How much of `wait` is left for a file whose last attempt was at `tried`, both in seconds since
/// 1970.
///
/// A time stamp in the future (the clock was set back, or the file was copied here) counts as
/// now, so that nothing ever waits longer than its interval.
#[must_use]
pub fn remaining(wait: u32, tried: u64, now: u64) -> u32 {
    let passed = u32::try_from(now.saturating_sub(tried)).unwrap_or(u32::MAX);
    wait.saturating_sub(passed)
}

/// The pause before a program that failed `failures` times in a row at its start is started
/// again, in milliseconds: 1 s doubling up to 5 minutes.
#[must_use]
pub fn start_delay(failures: u32) -> u64 {
    match failures {
        0 => 0,
        n => 1_000_u64.saturating_mul(1 << (n - 1).min(20)).min(300_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_interval_repeats() {
        let normal = [3_600, 7_200, 7_200, 14_400];
        let table = [
            (0, 3_600),
            (1, 3_600),
            (2, 7_200),
            (4, 14_400),
            (5, 14_400),
            (1295, 14_400),
        ];
        for (attempts, seconds) in table {
            assert_eq!(wait(&normal, attempts), seconds, "after {attempts}");
        }
        assert_eq!(wait(&[], 3), LAST_RESORT);
    }

    #[test]
    fn restart_neither_shortens_nor_lengthens_a_wait() {
        let table = [
            (600, 1_000, 1_000, 600),
            (600, 1_000, 1_400, 200),
            (600, 1_000, 9_000, 0),
            (600, 9_000, 1_000, 600),
            (600, 0, u64::MAX, 0),
        ];
        for (wait, tried, now, left) in table {
            assert_eq!(remaining(wait, tried, now), left, "{tried} {now}");
        }
    }

    #[test]
    fn start_delay_grows_to_five_minutes() {
        let delays: Vec<_> = [0, 1, 2, 3, 9, 10, u32::MAX]
            .map(start_delay)
            .into_iter()
            .collect();
        assert_eq!(delays, [0, 1_000, 2_000, 4_000, 256_000, 300_000, 300_000]);
    }
}
