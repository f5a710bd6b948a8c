//! The two clocks, read here and nowhere else.

use crate::schedule::Now;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::time::{ClockId, clock_gettime};
use std::io;
use std::time::Duration;

/// Reads the moment of an event.
#[derive(Debug)]
pub(super) struct Clock {
    began: Duration,
    zone: TimeZone,
    /// The last minute since 1970 for which the minute of the local day was worked out, and that.
    minute: (u64, u16),
}

impl Clock {
    /// Begins to count.
    pub(super) fn start() -> io::Result<Self> {
        Ok(Self {
            began: boot_time()?,
            zone: TimeZone::system(),
            minute: (u64::MAX, 0),
        })
    }

    /// This moment.
    pub(super) fn now(&mut self) -> Now {
        // It could be read at the start, so it can be read now.
        let elapsed = boot_time().unwrap_or(self.began).saturating_sub(self.began);
        let wall = Timestamp::now();
        let seconds = u64::try_from(wall.as_second()).unwrap_or(0);
        if self.minute.0 != seconds / 60 {
            let local = self.zone.to_datetime(wall);
            let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
            self.minute = (seconds / 60, u16::try_from(minute).unwrap_or(0));
        }
        Now {
            elapsed: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            wall: seconds,
            minute: self.minute.1,
        }
    }
}

/// Time since the system started, including sleep: mail that became due while a machine slept
/// is due when it wakes.
fn boot_time() -> io::Result<Duration> {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    Ok(Duration::from(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steady_clock_begins_near_zero_and_never_goes_back() {
        let mut clock = Clock::start().unwrap();
        let first = clock.now();
        let second = clock.now();
        assert!(first.elapsed < 60_000 && first.elapsed <= second.elapsed);
        assert!(first.minute < 1_440 && first.wall > 1_700_000_000);
    }
}
