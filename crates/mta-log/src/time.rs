//! Time stamps of log lines: local time, hundredths of seconds, `23-Nov-2026 09:14:02.31`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The moment a line is written. A log is the place where the clock is read.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// [`now`] in seconds since 1970.
#[must_use]
pub fn now_seconds() -> u64 {
    u64::try_from(now().as_second()).unwrap_or(0)
}

/// `when` in the system's time zone.
#[must_use]
pub fn stamp(when: Timestamp) -> String {
    stamp_in(when, &TimeZone::system())
}

/// `when` in the zone given.
#[must_use]
pub fn stamp_in(when: Timestamp, zone: &TimeZone) -> String {
    let local = zone.to_datetime(when);
    let month = usize::try_from(local.month()).unwrap_or(1).clamp(1, 12);
    format!(
        "{:02}-{}-{:04} {:02}:{:02}:{:02}.{:02}",
        local.day(),
        MONTHS[month - 1],
        local.year(),
        local.hour(),
        local.minute(),
        local.second(),
        local.subsec_nanosecond() / 10_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_each_and_an_english_month() {
        let when: Timestamp = "2026-11-03T09:04:02.317Z".parse().unwrap();
        assert_eq!(stamp_in(when, &TimeZone::UTC), "03-Nov-2026 09:04:02.31");
    }
}
