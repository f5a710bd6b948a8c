//! Periodic tasks: what `imsched` runs, and when.

use serde::{Deserialize, Serialize};

/// A command that runs by the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// The five fields: minute, hour, day of month, month, day of week.
    pub crontab: String,
    /// Program and arguments; a relative program counts from the server root.
    pub command: String,
    /// Whether it runs at all.
    pub enabled: bool,
}

impl Task {
    /// The five fields, read; nothing when they are no schedule.
    #[must_use]
    pub fn schedule(&self) -> Option<Schedule> {
        Schedule::parse(&self.crontab)
    }
}

/// A minute of the calendar, as a schedule asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute {
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 1 to 31.
    pub day: u8,
    /// 1 to 12.
    pub month: u8,
    /// 0 (Sunday) to 6.
    pub weekday: u8,
}

/// The minutes at which a task runs. All five fields must match, the two days as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// One bit per value of each field.
    fields: [u64; 5],
}

/// Range of each field.
const RANGES: [(u8, u8); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];

impl Schedule {
    /// Reads five fields of `*`, numbers, ranges `a-b`, lists `a,b` and steps `/n`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = [0_u64; 5];
        let mut words = text.split_whitespace();
        for (field, (low, high)) in fields.iter_mut().zip(RANGES) {
            for part in words.next()?.split(',') {
                *field |= bits(part, low, high)?;
            }
        }
        // 7 is Sunday, too.
        fields[4] = (fields[4] | (fields[4] >> 7)) & 0x7f;
        words.next().is_none().then_some(Self { fields })
    }

    /// Whether a task runs at that minute.
    #[must_use]
    pub fn matches(&self, at: &Minute) -> bool {
        let values = [at.minute, at.hour, at.day, at.month, at.weekday];
        self.fields
            .iter()
            .zip(values)
            .all(|(field, value)| field >> value & 1 == 1)
    }
}

fn bits(part: &str, low: u8, high: u8) -> Option<u64> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
        None => (part, 1),
    };
    let (from, to) = match range.split_once('-') {
        _ if range == "*" => (low, high),
        Some((from, to)) => (from.parse().ok()?, to.parse().ok()?),
        None => {
            let value = range.parse().ok()?;
            (value, value)
        }
    };
    let legal = low <= from && from <= to && to <= high;
    legal.then(|| {
        (from..=to)
            .step_by(step)
            .fold(0, |bits, value| bits | 1 << value)
    })
}

/// Splits `minute hour day month weekday command…` into the five fields and the command.
#[must_use]
pub fn split_crontab(text: &str) -> Option<(String, String)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (fields, command) = words.split_at_checked(5)?;
    let crontab = fields.join(" ");
    let legal = !command.is_empty() && Schedule::parse(&crontab).is_some();
    legal.then(|| (crontab, command.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_days_must_match() {
        let schedule = Schedule::parse("30 0 1-7 * 1").unwrap();
        let mut at = Minute {
            minute: 30,
            hour: 0,
            day: 3,
            month: 5,
            weekday: 1,
        };
        assert!(schedule.matches(&at));
        at.weekday = 2;
        assert!(!schedule.matches(&at));
        at.weekday = 1;
        at.day = 8;
        assert!(!schedule.matches(&at));
    }

    #[test]
    fn lists_ranges_and_steps() {
        let at = |hour| Minute {
            minute: 0,
            hour,
            day: 1,
            month: 1,
            weekday: 0,
        };
        let schedule = Schedule::parse("0 0,4,8-10,12-20/4 * * 7").unwrap();
        let hours: Vec<u8> = (0..24)
            .filter(|hour| schedule.matches(&at(*hour)))
            .collect();
        assert_eq!(hours, [0, 4, 8, 9, 10, 12, 16, 20]);
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "* * 0 * *",
            "a * * * *",
            "5-1 * * * *",
            "*/0 * * * *",
        ] {
            assert_eq!(Schedule::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_crontab_ends_in_its_command() {
        assert_eq!(
            split_crontab("30 0 * * * lib/return_job"),
            Some(("30 0 * * *".into(), "lib/return_job".into()))
        );
        assert_eq!(split_crontab("30 0 * * *"), None);
    }
}
