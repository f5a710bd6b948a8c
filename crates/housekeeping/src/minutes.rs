//! Which minutes of the calendar have come since somebody last looked.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mta_config::task::Minute;

/// Minutes that were missed, by a suspended machine or a clock that was set, are made up for only
/// as far back as this; further back nobody wants last night's tasks in the morning.
const MOST_MISSED: i64 = 5;

const MINUTE: i64 = 60;

/// The minutes that have begun after `last` and not after `now`, oldest first, at most
/// five. A clock that went back makes none.
#[must_use]
pub fn begun(last: Timestamp, now: Timestamp, zone: &TimeZone) -> Vec<Minute> {
    let (last, now) = (number(last), number(now));
    (last.max(now - MOST_MISSED) + 1..=now)
        .filter_map(|number| Timestamp::from_second(number * MINUTE).ok())
        .map(|at| in_calendar(at, zone))
        .collect()
}

/// How long it is until the next minute begins.
#[must_use]
pub fn until_next(now: Timestamp) -> SignedDuration {
    let next = Timestamp::from_second((number(now) + 1) * MINUTE);
    next.map_or(SignedDuration::from_secs(MINUTE), |next| {
        next.duration_since(now)
    })
}

/// Minutes since 1970. Zones whose offset is no whole number of minutes went out of use long ago.
fn number(at: Timestamp) -> i64 {
    at.as_second().div_euclid(MINUTE)
}

fn in_calendar(at: Timestamp, zone: &TimeZone) -> Minute {
    let local = zone.to_datetime(at);
    let part = |value: i8| u8::try_from(value).unwrap_or(0);
    Minute {
        minute: part(local.minute()),
        hour: part(local.hour()),
        day: part(local.day()),
        month: part(local.month()),
        weekday: part(local.weekday().to_sunday_zero_offset()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn each_minute_comes_once() {
        for (last, now, minutes) in [
            ("2026-11-24T00:29:10Z", "2026-11-24T00:29:50Z", vec![]),
            ("2026-11-24T00:29:59Z", "2026-11-24T00:30:00Z", vec![30]),
            ("2026-11-24T00:29:10Z", "2026-11-24T00:31:59Z", vec![30, 31]),
            (
                "2026-11-24T00:29:10Z",
                "2026-11-24T08:02:00Z",
                vec![58, 59, 0, 1, 2],
            ),
            ("2026-11-24T08:02:00Z", "2026-11-24T00:29:10Z", vec![]),
        ] {
            let begun = begun(at(last), at(now), &TimeZone::UTC);
            let found: Vec<u8> = begun.iter().map(|minute| minute.minute).collect();
            assert_eq!(found, minutes, "{last} {now}");
        }
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let minutes = begun(
            at("2026-11-28T22:29:00Z"),
            at("2026-11-28T22:30:00Z"),
            &zone,
        );
        assert_eq!(
            minutes,
            [Minute {
                minute: 30,
                hour: 0,
                day: 29,
                month: 11,
                weekday: 0
            }]
        );
    }

    #[test]
    fn the_next_minute_is_never_now() {
        for (now, seconds) in [("2026-11-24T00:29:00Z", 60), ("2026-11-24T00:29:59Z", 1)] {
            assert_eq!(until_next(at(now)), SignedDuration::from_secs(seconds));
        }
    }
}
