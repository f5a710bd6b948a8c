//! Times of the day: delivery windows and the Job Controller's scan schedule.

use serde::{Deserialize, Serialize};

/// Minutes in a day.
const DAY: u16 = 24 * 60;

/// Reads `hh:mm` as minutes; 24:00 is the end of the day.
fn clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let digits = |part: &str| {
        ((1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse::<u16>().ok())?
    };
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= DAY).then_some(total)
}

/// Spans of the day in which delivery is tried: `hh:mm-hh:mm`, several with commas; a span
/// whose end lies before its start goes over midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows(Vec<(u16, u16)>);

impl Windows {
    /// Reads windows; nothing when the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let spans: Option<Vec<_>> = text
            .split(',')
            .map(|span| {
                let (from, to) = span.split_once('-')?;
                Some((clock(from)?, clock(to)?))
            })
            .collect();
        spans.map(Self)
    }

    /// Whether `minute` of the day (0 to 1439) lies inside.
    #[must_use]
    pub fn contains(&self, minute: u16) -> bool {
        self.0.iter().any(|(from, to)| {
            if from <= to {
                (*from..*to).contains(&minute)
            } else {
                minute >= *from || minute < *to
            }
        })
    }

    /// Minutes from `minute` of the day until a window is open; 0 when one is.
    #[must_use]
    pub fn opens_in(&self, minute: u16) -> Option<u16> {
        (0..DAY).find(|ahead| self.contains((minute + ahead) % DAY))
    }
}

/// When the Job Controller scans the queue directories by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SynchTime {
    /// Minute of the day of the first scan; nothing for one interval after the start.
    pub first: Option<u16>,
    /// Minutes between scans, more than 30.
    pub interval: u16,
}

impl SynchTime {
    /// Every four hours, the first four hours after the start.
    pub const DEFAULT: Self = Self {
        first: None,
        interval: 240,
    };

    /// Reads `hh:mm` and `/hh:mm` (the interval) or `HH:MM/hh:mm` (first time, interval).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (first, interval) = match text.trim().split_once('/') {
            None => (None, clock(text)?),
            Some(("", interval)) => (None, clock(interval)?),
            Some((first, interval)) => (Some(clock(first)? % DAY), clock(interval)?),
        };
        (interval > 30).then_some(Self { first, interval })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_open_and_close() {
        let day = Windows::parse("08:00-20:00").unwrap();
        assert!(day.contains(8 * 60) && !day.contains(20 * 60));
        assert_eq!(day.opens_in(20 * 60), Some(12 * 60));
        let night = Windows::parse("22:00-06:00,12:00-13:00").unwrap();
        assert!(night.contains(0) && night.contains(12 * 60) && !night.contains(7 * 60));
        for text in ["help", "", "8-20", "08:00", "25:00-26:00", "08:61-09:00"] {
            assert_eq!(Windows::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_lone_time_is_the_scan_interval() {
        let two_hours = SynchTime {
            first: None,
            interval: 120,
        };
        assert_eq!(SynchTime::parse("02:00"), Some(two_hours));
        assert_eq!(SynchTime::parse("/02:00"), Some(two_hours));
        assert_eq!(
            SynchTime::parse("01:00/02:00").and_then(|time| time.first),
            Some(60)
        );
        for text in ["00:30", "/00:29", "x", ""] {
            assert_eq!(SynchTime::parse(text), None, "{text}");
        }
    }
}
