//! Dates as header lines carry them.

use jiff::ZonedDateTime;
use jiff::tz::TimeZone;

/// `Tue, 13 Oct 2009 17:28:52 -0700 (PDT)`: RFC 5322 §3.3 with a two-digit day, and the name of
/// the zone as a comment if it has one.
#[must_use]
pub fn rfc5322(time: &ZonedDateTime) -> String {
    let date = time.strftime("%a, %d %b %Y %H:%M:%S %z");
    let name = time.strftime("%Z").to_string();
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphabetic()) {
        date.to_string()
    } else {
        format!("{date} ({name})")
    }
}

/// The same for seconds since 1970 in a zone; times beyond the calendar stand for its end.
#[must_use]
pub fn in_zone(seconds: u64, zone: &TimeZone) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    rfc5322(&time.to_zoned_datetime(zone.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_a_numeric_zone_and_its_name() {
        let pacific = TimeZone::posix("PST8PDT,M3.2.0,M11.1.0").unwrap();
        assert_eq!(
            in_zone(1_255_480_132, &pacific),
            "Tue, 13 Oct 2009 17:28:52 -0700 (PDT)"
        );
        assert_eq!(
            in_zone(1_230_768_000, &pacific),
            "Wed, 31 Dec 2008 16:00:00 -0800 (PST)"
        );
        assert_eq!(
            in_zone(0, &TimeZone::UTC),
            "Thu, 01 Jan 1970 00:00:00 +0000 (UTC)"
        );
    }

    #[test]
    fn a_zone_without_a_name_is_a_number_alone() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(in_zone(0, &zone), "Thu, 01 Jan 1970 02:00:00 +0200");
    }

    #[test]
    fn no_number_of_seconds_is_too_large() {
        assert!(in_zone(u64::MAX, &TimeZone::UTC).contains(" 9999 "));
    }
}
