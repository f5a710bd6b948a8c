//! `imsimta test -time`: any way of writing a time that the MTA understands.

use super::ask;
use crate::context::{Failure, Outcome};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, ZonedDateTime, civil};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::Words;
use serde::Serialize;
use std::fmt;

/// A time in three forms.
#[derive(Debug, Serialize)]
struct View {
    seconds: i64,
    local: String,
    utc: String,
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.seconds, self.local, self.utc)
    }
}

pub(super) fn run(words: &Words) -> Outcome {
    let now = ZonedDateTime::now();
    let answer = |text: &str| -> Result<(), Message> {
        let time = parse(text, &now).ok_or_else(|| {
            Message::error(
                "TEST",
                "TIME",
                format!("no time: {}", output::visible(text)),
            )
        })?;
        let form = |zone| {
            time.to_zoned_datetime(zone)
                .strftime("%a, %d %b %Y %H:%M:%S %z")
                .to_string()
        };
        let view = View {
            seconds: time.as_second(),
            local: form(TimeZone::system()),
            utc: form(TimeZone::UTC),
        };
        output::show(&view, words.is_on("json", false));
        Ok(())
    };
    if !words.parameters().is_empty() {
        return answer(&words.parameters().join(" ")).map_err(Failure::Said);
    }
    while let Some(line) = ask("Time: ") {
        if let Err(message) = answer(line.trim()) {
            message.emit();
        }
    }
    Ok(())
}

/// RFC 5322, an ISO 8601 time or duration from now, `dd-Mon-yyyy hh:mm[:ss]`, `+[d ]hh:mm`.
fn parse(text: &str, now: &ZonedDateTime) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(delay) = text.strip_prefix('+') {
        let (days, time) = delay.rsplit_once(' ').unwrap_or(("0", delay));
        let (hours, minutes) = time.split_once(':')?;
        let (days, hours, minutes): (i64, i64, i64) = (
            days.trim().parse().ok()?,
            hours.parse().ok()?,
            minutes.parse().ok()?,
        );
        let minutes = days
            .checked_mul(1440)?
            .checked_add(hours.checked_mul(60)?)?
            .checked_add(minutes)?;
        let later = now
            .timestamp()
            .checked_add(SignedDuration::from_mins(minutes));
        return later.ok();
    }
    if text.starts_with(['P', 'p']) {
        let span: Span = text.parse().ok()?;
        return now.checked_add(span).ok().map(|time| time.timestamp());
    }
    if let Ok(time) = jiff::fmt::rfc2822::parse(text) {
        return Some(time.timestamp());
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let zone = now.time_zone().clone();
    for form in ["%d-%b-%Y %H:%M:%S", "%d-%b-%Y %H:%M"] {
        if let Ok(time) = civil::DateTime::strptime(form, text) {
            return time
                .to_zoned_datetime(zone)
                .ok()
                .map(|time| time.timestamp());
        }
    }
    let date = civil::Date::strptime("%d-%b-%Y", text).ok()?;
    date.to_zoned_datetime(zone)
        .ok()
        .map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood() {
        let now: ZonedDateTime = "2025-10-06T14:20:29+00:00[UTC]".parse().unwrap();
        let base = now.timestamp().as_second();
        let table = [
            ("Mon, 06 Oct 2025 14:20:29 +0000", Some(base)),
            ("2025-10-06T14:20:29Z", Some(base)),
            ("06-Oct-2025 14:20:29", Some(base)),
            ("06-Oct-2025 14:20", Some(base - 29)),
            ("06-Oct-2025", Some(base - 14 * 3600 - 20 * 60 - 29)),
            ("+1 02:30", Some(base + 86_400 + 9_000)),
            ("+00:05", Some(base + 300)),
            ("pt5m", Some(base + 300)),
            ("P1D", Some(base + 86_400)),
            ("yesterday", None),
            ("", None),
        ];
        for (text, seconds) in table {
            let found = parse(text, &now).map(Timestamp::as_second);
            assert_eq!(found, seconds, "{text}");
        }
    }
}
