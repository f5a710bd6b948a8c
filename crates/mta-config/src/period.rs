//! Periods as ISO 8601 writes them, `P[nY][nM][nW][nD][T[nH][nM][nS]]`, in either case.

use std::fmt;

/// Longest period accepted: ten years.
const LONGEST: u64 = 10 * 365 * 86_400;

/// A length of time in seconds; a month counts 30 days, a year 365.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(u32);

impl Period {
    /// A period of so many seconds.
    #[must_use]
    pub const fn of_seconds(seconds: u32) -> Self {
        Self(seconds)
    }

    /// Its length in seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0
    }

    /// Reads a period; designators must come in their order, each at most once.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let upper = text.to_ascii_uppercase();
        let rest = upper.strip_prefix('P')?;
        let (days, time) = match rest.split_once('T') {
            Some((_, "")) => return None,
            Some((days, time)) => (days, time),
            None => (rest, ""),
        };
        let date = [
            ('Y', 365 * 86_400),
            ('M', 30 * 86_400),
            ('W', 7 * 86_400),
            ('D', 86_400),
        ];
        let clock = [('H', 3_600), ('M', 60), ('S', 1)];
        if days.is_empty() && time.is_empty() {
            return None;
        }
        let seconds = sum(days, &date)?.checked_add(sum(time, &clock)?)?;
        (1..=LONGEST)
            .contains(&seconds)
            .then(|| u32::try_from(seconds).ok().map(Self))?
    }
}

fn sum(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total = 0_u64;
    let mut units = units.iter();
    while !text.is_empty() {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = text[..digits].parse().ok()?;
        let designator = text[digits..].chars().next()?;
        let (_, seconds) = units.find(|(unit, _)| *unit == designator)?;
        total = total.checked_add(number.checked_mul(*seconds)?)?;
        text = &text[digits + designator.len_utf8()..];
    }
    Some(total)
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P")?;
        let (days, rest) = (self.0 / 86_400, self.0 % 86_400);
        if days > 0 {
            write!(f, "{days}D")?;
        }
        if rest > 0 || days == 0 {
            f.write_str("T")?;
            for (unit, seconds, cycle) in [('H', 3_600, 24), ('M', 60, 60), ('S', 1, 60)] {
                let number = rest / seconds % cycle;
                if number > 0 || (unit == 'S' && self.0 == 0) {
                    write!(f, "{number}{unit}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_of_both_cases_are_read() {
        let table = [
            ("pt5m", 300),
            ("PT1H30M", 5_400),
            ("P1D", 86_400),
            ("P1M", 2_592_000),
            ("PT1M", 60),
            ("P1W2DT3H4M5S", 788_645),
        ];
        for (text, seconds) in table {
            assert_eq!(Period::parse(text).map(Period::seconds), Some(seconds));
        }
        for text in [
            "", "P", "PT", "5m", "PT5", "PT5M5H", "P1H", "PT5MM", "PT0S", "P99Y",
        ] {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }

    #[test]
    fn printed_periods_are_upper_case_and_read_back() {
        for (seconds, text) in [(300, "PT5M"), (86_400, "P1D"), (90_061, "P1DT1H1M1S")] {
            let period = Period::of_seconds(seconds);
            assert_eq!(period.to_string(), text);
            assert_eq!(Period::parse(text), Some(period));
        }
    }
}
