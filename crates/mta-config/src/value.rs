//! Kinds and values of options: what a row of a table allows, and what was found.

use crate::period::Period;
use crate::window::{SynchTime, Windows};
use serde::{Deserialize, Serialize};

/// What values an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No value: the option is there or it is not.
    Flag,
    /// 0 or 1.
    Switch,
    /// A whole number in a range, also written `b%v` in base b.
    Integer(i64, i64),
    /// A whole number in a range, or nothing.
    MaybeInteger(i64, i64),
    /// A number that is not negative.
    Real,
    /// Any text.
    Text,
    /// A password or key: kept in `xpass.xml`, never shown.
    Secret,
    /// From so many to so many words.
    Texts(usize, usize),
    /// Up to so many increasing positive whole numbers.
    Numbers(usize),
    /// One to eight ISO 8601 periods.
    Periods,
    /// Delivery windows, `hh:mm-hh:mm`, several with commas.
    Windows,
    /// When the Job Controller scans the queue, `hh:mm`, `/hh:mm` or `HH:MM/hh:mm`.
    SynchTime,
    /// TCP ports, several with commas.
    Ports,
    /// A list of `address:port`.
    Endpoints,
    /// One IP address, or `ALL`, `ANY`, `LOCALHOST`.
    Interface,
    /// Minute, hour, day of month, month, day of week, command.
    Crontab,
    /// Pattern and template, in this order.
    Rule,
}

/// The value of an option that is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// Set, without a value.
    Present,
    /// A number.
    Integer(i64),
    /// A text, or something that is parsed where it is used.
    Text(String),
    /// Several words.
    List(Vec<String>),
    /// Several numbers; periods in seconds.
    Numbers(Vec<u32>),
}

/// Why a text is no value of a kind. Displays as the reason behind `Invalid value for X: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A flag was given a value.
    #[error("takes no value")]
    NoValue,
    /// Nothing was given.
    #[error("expected a value")]
    Missing,
    /// Not a whole number.
    #[error("expected integer")]
    Integer,
    /// A whole number out of range.
    #[error("expected integer from {0} to {1}")]
    Range(i64, i64),
    /// Neither 0 nor 1.
    #[error("expected 0 or 1")]
    Switch,
    /// Not a number.
    #[error("expected number")]
    Real,
    /// Too few or too many words.
    #[error("expected {0} to {1} words")]
    Words(usize, usize),
    /// Not increasing positive numbers, or too many.
    #[error("expected up to {0} increasing positive integers")]
    Numbers(usize),
    /// Not periods, or too many.
    #[error("expected one to eight ISO 8601 periods such as PT30M")]
    Periods,
    /// Not windows.
    #[error("expected hh:mm-hh:mm or a comma list of such spans")]
    Windows,
    /// Not a scan schedule.
    #[error("expected hh:mm, /hh:mm or HH:MM/hh:mm with an interval over 00:30")]
    SynchTime,
    /// Not ports.
    #[error("expected a comma list of ports from 1 to 65535")]
    Ports,
    /// Not a list of address and port.
    #[error("expected a list of address:port")]
    Endpoints,
    /// Not an address of this machine.
    #[error("expected an IP address, ALL, ANY or LOCALHOST")]
    Interface,
    /// Not a schedule with a command.
    #[error("expected minute, hour, day of month, month, day of week and a command")]
    Crontab,
    /// Not two parts.
    #[error("expected pattern and template")]
    Rule,
    /// A control character.
    #[error("control character in value")]
    Control,
}

/// Whether a table's mark says that code uses the option.
macro_rules! is_used {
    (used) => {
        true
    };
    (unused) => {
        false
    };
}
pub(crate) use is_used;

impl Kind {
    /// Reads `text` as a value of this kind.
    ///
    /// # Errors
    /// [`ValueError`] with the reason.
    pub fn read(self, text: &str) -> Result<Value, ValueError> {
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(ValueError::Control);
        }
        let trimmed = text.trim();
        match self {
            Self::Flag if trimmed.is_empty() => Ok(Value::Present),
            Self::Flag => Err(ValueError::NoValue),
            Self::MaybeInteger(..) if trimmed.is_empty() => Ok(Value::Present),
            Self::Text | Self::Secret => Ok(Value::Text(text.to_owned())),
            _ if trimmed.is_empty() => Err(ValueError::Missing),
            Self::Switch => read_switch(trimmed),
            Self::Integer(low, high) | Self::MaybeInteger(low, high) => {
                read_integer(trimmed, low, high)
            }
            Self::Real => read_real(trimmed),
            Self::Texts(fewest, most) => read_words(trimmed, fewest, most),
            Self::Numbers(most) => read_numbers(trimmed, most),
            Self::Periods => read_periods(trimmed),
            Self::Windows => match Windows::parse(trimmed) {
                Some(_) => Ok(Value::Text(trimmed.to_owned())),
                None => Err(ValueError::Windows),
            },
            Self::SynchTime => match SynchTime::parse(trimmed) {
                Some(_) => Ok(Value::Text(trimmed.to_owned())),
                None => Err(ValueError::SynchTime),
            },
            Self::Ports => read_ports(trimmed),
            Self::Endpoints => read_endpoints(trimmed),
            Self::Interface => read_interface(trimmed),
            Self::Crontab => match crate::task::split_crontab(trimmed) {
                Some(_) => Ok(Value::Text(trimmed.to_owned())),
                None => Err(ValueError::Crontab),
            },
            Self::Rule => match split_rule(trimmed) {
                Some((pattern, template)) => {
                    Ok(Value::List(vec![pattern.to_owned(), template.to_owned()]))
                }
                None => Err(ValueError::Rule),
            },
        }
    }

    /// The word for this kind in the XML form and in help texts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Flag => "novalue",
            Self::Switch | Self::Integer(..) | Self::MaybeInteger(..) => "integer",
            Self::Real => "real",
            Self::Secret => "password",
            Self::Rule => "rule",
            Self::Texts(..) | Self::Numbers(_) | Self::Periods | Self::Ports | Self::Endpoints => {
                "list"
            }
            Self::Text | Self::Windows | Self::SynchTime | Self::Interface | Self::Crontab => {
                "string"
            }
        }
    }
}

/// Splits a rule into its two parts at the first white space; a lone pattern has none.
#[must_use]
pub fn split_rule(text: &str) -> Option<(&str, &str)> {
    let (pattern, template) = text.split_once([' ', '\t'])?;
    let template = template.trim_start();
    (!pattern.is_empty() && !template.is_empty()).then_some((pattern, template))
}

/// Splits a text into words at blanks; `"…"` keeps blanks together, a backslash quotes inside.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if quoted => word
                .get_or_insert_default()
                .push(chars.next().unwrap_or('\\')),
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Reads a whole number, decimal or `b%v` in base b from 2 to 36.
#[must_use]
pub fn integer(text: &str) -> Option<i64> {
    match text.split_once('%') {
        None => text.parse().ok(),
        Some((base, digits)) => {
            let base = base.parse().ok().filter(|base| (2..=36).contains(base))?;
            i64::from_str_radix(digits, base).ok()
        }
    }
}

fn read_switch(text: &str) -> Result<Value, ValueError> {
    match text.to_ascii_lowercase().as_str() {
        "0" | "false" | "no" | "off" => Ok(Value::Integer(0)),
        "1" | "true" | "yes" | "on" => Ok(Value::Integer(1)),
        _ => Err(ValueError::Switch),
    }
}

fn read_integer(text: &str, low: i64, high: i64) -> Result<Value, ValueError> {
    let number = integer(text).ok_or(ValueError::Integer)?;
    if (low..=high).contains(&number) {
        Ok(Value::Integer(number))
    } else {
        Err(ValueError::Range(low, high))
    }
}

fn read_real(text: &str) -> Result<Value, ValueError> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(Value::Text(text.to_owned())),
        Ok(_) | Err(_) => Err(ValueError::Real),
    }
}

fn read_words(text: &str, fewest: usize, most: usize) -> Result<Value, ValueError> {
    let words = words(text);
    if (fewest..=most).contains(&words.len()) {
        Ok(Value::List(words))
    } else {
        Err(ValueError::Words(fewest, most))
    }
}

/// The pieces of a list that is written with blanks, commas or both.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', ','])
        .map(|piece| piece.trim_matches('"'))
        .filter(|piece| !piece.is_empty())
}

fn read_numbers(text: &str, most: usize) -> Result<Value, ValueError> {
    let numbers: Option<Vec<u32>> = pieces(text)
        .map(|piece| piece.parse().ok().filter(|number| *number > 0))
        .collect();
    match numbers {
        Some(numbers)
            if (1..=most).contains(&numbers.len())
                && numbers.windows(2).all(|pair| pair[0] < pair[1]) =>
        {
            Ok(Value::Numbers(numbers))
        }
        Some(_) | None => Err(ValueError::Numbers(most)),
    }
}

fn read_periods(text: &str) -> Result<Value, ValueError> {
    let periods: Option<Vec<u32>> = pieces(text)
        .map(|piece| Period::parse(piece).map(Period::seconds))
        .collect();
    match periods {
        Some(periods) if (1..=8).contains(&periods.len()) => Ok(Value::Numbers(periods)),
        Some(_) | None => Err(ValueError::Periods),
    }
}

fn read_ports(text: &str) -> Result<Value, ValueError> {
    let ports: Option<Vec<u32>> = pieces(text)
        .map(|piece| {
            piece
                .parse()
                .ok()
                .filter(|port| (1..=65_535).contains(port))
        })
        .collect();
    match ports {
        Some(ports) if !ports.is_empty() => Ok(Value::Numbers(ports)),
        Some(_) | None => Err(ValueError::Ports),
    }
}

fn read_endpoints(text: &str) -> Result<Value, ValueError> {
    let endpoints: Option<Vec<String>> = pieces(text)
        .map(|piece| endpoint(piece).map(|endpoint| endpoint.to_string()))
        .collect();
    match endpoints {
        Some(endpoints) if !endpoints.is_empty() => Ok(Value::List(endpoints)),
        Some(_) | None => Err(ValueError::Endpoints),
    }
}

/// Reads `address:port`, `[v6]:port`, or an address alone, which means port 53.
#[must_use]
pub fn endpoint(text: &str) -> Option<std::net::SocketAddr> {
    text.parse().ok().or_else(|| {
        let address: std::net::IpAddr = text.parse().ok()?;
        Some(std::net::SocketAddr::new(address, 53))
    })
}

fn read_interface(text: &str) -> Result<Value, ValueError> {
    let known = ["ALL", "ANY", "LOCALHOST"];
    if known.iter().any(|word| word.eq_ignore_ascii_case(text))
        || text.parse::<std::net::IpAddr>().is_ok()
    {
        Ok(Value::Text(text.to_owned()))
    } else {
        Err(ValueError::Interface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_by_kind() {
        let good = [
            (Kind::Flag, "", Value::Present),
            (Kind::Switch, "yes", Value::Integer(1)),
            (Kind::Integer(0, 255), "16%FF", Value::Integer(255)),
            (Kind::MaybeInteger(0, 9), "", Value::Present),
            (
                Kind::Numbers(5),
                "1 2 4 7",
                Value::Numbers(vec![1, 2, 4, 7]),
            ),
            (
                Kind::Periods,
                "\"pt5m\" PT1H",
                Value::Numbers(vec![300, 3600]),
            ),
            (Kind::Ports, "25, 2525", Value::Numbers(vec![25, 2525])),
            (
                Kind::Texts(1, 2),
                "a \"b c\"",
                Value::List(vec!["a".into(), "b c".into()]),
            ),
            (
                Kind::Endpoints,
                "127.0.0.1:5300 ::1",
                Value::List(vec!["127.0.0.1:5300".into(), "[::1]:53".into()]),
            ),
        ];
        for (kind, text, value) in good {
            assert_eq!(kind.read(text), Ok(value), "{kind:?} {text:?}");
        }
    }

    #[test]
    fn what_is_no_value_says_why() {
        let bad = [
            (Kind::Flag, "x", "takes no value"),
            (Kind::Integer(0, 7), "seven", "expected integer"),
            (Kind::Integer(0, 7), "8", "expected integer from 0 to 7"),
            (Kind::Integer(0, 7), "", "expected a value"),
            (
                Kind::Numbers(5),
                "4 2",
                "expected up to 5 increasing positive integers",
            ),
            (
                Kind::Windows,
                "help",
                "expected hh:mm-hh:mm or a comma list of such spans",
            ),
            (
                Kind::SynchTime,
                "00:30",
                "expected hh:mm, /hh:mm or HH:MM/hh:mm with an interval over 00:30",
            ),
            (Kind::Text, "a\nb", "control character in value"),
        ];
        for (kind, text, reason) in bad {
            let error = kind.read(text).expect_err(text);
            assert_eq!(error.to_string(), reason, "{kind:?} {text:?}");
        }
    }
}
