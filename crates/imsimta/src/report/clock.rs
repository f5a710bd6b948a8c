//! Dates as listings show them, in the local time zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `Mon, 06 Oct 2025 14:20:29 +0200 (CEST)`, the first line of a listing.
pub(crate) fn heading(seconds: i64) -> String {
    zoned(seconds, "%a, %d %b %Y %H:%M:%S %z (%Z)")
}

/// `06-Oct-2025 11:52:29`, a cell.
pub(crate) fn cell(seconds: i64) -> String {
    zoned(seconds, "%d-%b-%Y %H:%M:%S")
}

/// `06 Oct, 11:52:29`, the oldest message of a channel.
pub(crate) fn short(seconds: i64) -> String {
    zoned(seconds, "%d %b, %H:%M:%S")
}

/// When a process started: `23:05:00`, or `Feb_17` if that is more than a day ago.
pub(crate) fn start(seconds: i64, now: i64) -> String {
    let form = if now - seconds < 86_400 {
        "%H:%M:%S"
    } else {
        "%b_%d"
    };
    zoned(seconds, form)
}

/// `14:02:11.05`, now.
pub(crate) fn hundredths() -> String {
    let now = Timestamp::now().to_zoned_datetime(TimeZone::system());
    format!(
        "{}.{:02}",
        now.strftime("%H:%M:%S"),
        now.subsec_nanosecond() / 10_000_000
    )
}

/// The day and the time of a build, in UTC: `Jan  1 2018` and `12:00:00`.
pub(crate) fn built(seconds: i64) -> (String, String) {
    let moment = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    let form = |form: &str| moment.strftime(form).to_string();
    (form("%b %e %Y"), form("%H:%M:%S"))
}

fn zoned(seconds: i64, form: &str) -> String {
    let moment = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    moment
        .to_zoned_datetime(TimeZone::system())
        .strftime(form)
        .to_string()
}

/// Seconds since 1970, now.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_have_their_fixed_width() {
        assert_eq!(cell(1_759_751_549).len(), 20);
        assert_eq!(short(1_759_751_549).len(), 16);
        assert_eq!(start(0, 100).len(), 8);
        assert_eq!(start(0, 100_000).len(), 6);
        assert!(heading(0).ends_with(')'));
    }
}
