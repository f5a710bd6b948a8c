//! MTA options: the table of all of them, and those that are set.

mod table;

pub use table::{MtaOption, ROWS, Row};

use crate::value::Value;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::OnceLock;

/// Options whose default is 1 when `log_format` is 4 or higher.
const RICH_LOG: [MtaOption; 12] = [
    MtaOption::LogAuth,
    MtaOption::LogDeliveryFlags,
    MtaOption::LogFilename,
    MtaOption::LogFilter,
    MtaOption::LogImapFlags,
    MtaOption::LogMessageId,
    MtaOption::LogNotary,
    MtaOption::LogPriority,
    MtaOption::LogProcess,
    MtaOption::LogQueueTime,
    MtaOption::LogReason,
    MtaOption::LogUsername,
];

impl MtaOption {
    /// The option of that name, in any case.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        static INDEX: OnceLock<HashMap<&'static str, MtaOption>> = OnceLock::new();
        let index = INDEX.get_or_init(|| ROWS.iter().map(|row| (row.name, row.option)).collect());
        index.get(name.to_ascii_lowercase().as_str()).copied()
    }

    /// Its row in the table.
    #[must_use]
    pub fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }
}

impl fmt::Display for MtaOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for MtaOption {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for MtaOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::by_name(&name)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown MTA option {name}")))
    }
}

/// The MTA options that are set; every question falls back on the table's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MtaOptions {
    set: BTreeMap<MtaOption, Value>,
}

/// The default of an option as a number, if it is one; asked for with every address.
fn default_number(option: MtaOption) -> Option<i64> {
    static DEFAULTS: OnceLock<Vec<Option<i64>>> = OnceLock::new();
    let defaults = DEFAULTS.get_or_init(|| {
        let numbers = ROWS.iter().map(|row| row.default.parse().ok());
        numbers.collect()
    });
    defaults[option as usize]
}

impl MtaOptions {
    /// Sets an option to a value that its row allows.
    pub fn set(&mut self, option: MtaOption, value: Value) {
        self.set.insert(option, value);
    }

    /// Whether the option is set explicitly.
    #[must_use]
    pub fn is_set(&self, option: MtaOption) -> bool {
        self.set.contains_key(&option)
    }

    /// The options that are set, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (MtaOption, &Value)> {
        self.set.iter().map(|(option, value)| (*option, value))
    }

    /// The number set, or the default; nothing where neither is.
    #[must_use]
    pub fn number(&self, option: MtaOption) -> Option<i64> {
        match self.set.get(&option) {
            Some(Value::Integer(number)) => Some(*number),
            Some(Value::Text(text)) => text.trim().parse().ok(),
            Some(Value::Present) => Some(1),
            Some(Value::List(_) | Value::Numbers(_)) => None,
            None if RICH_LOG.contains(&option) && self.int(MtaOption::LogFormat) >= 4 => Some(1),
            None => default_number(option),
        }
    }

    /// As [`MtaOptions::number`], 0 for nothing.
    #[must_use]
    pub fn int(&self, option: MtaOption) -> i64 {
        self.number(option).unwrap_or(0)
    }

    /// Whether the number is not 0.
    #[must_use]
    pub fn flag(&self, option: MtaOption) -> bool {
        self.int(option) != 0
    }

    /// A limit as a count; nothing for no limit.
    #[must_use]
    pub fn limit(&self, option: MtaOption) -> Option<u64> {
        self.number(option)
            .and_then(|limit| u64::try_from(limit).ok())
    }

    /// A fraction, or the default.
    #[must_use]
    pub fn real(&self, option: MtaOption) -> f64 {
        self.text(option)
            .and_then(|text| text.parse().ok())
            .unwrap_or(0.0)
    }

    /// The text set, or the default; nothing where neither is. Numbers have no text.
    #[must_use]
    pub fn text(&self, option: MtaOption) -> Option<&str> {
        match self.set.get(&option) {
            Some(Value::Text(text)) => Some(text),
            Some(Value::Present | Value::Integer(_) | Value::List(_) | Value::Numbers(_)) => None,
            None => Some(option.row().default).filter(|default| !default.is_empty()),
        }
    }

    /// The words of a list option; none when it is not set.
    #[must_use]
    pub fn list(&self, option: MtaOption) -> &[String] {
        match self.set.get(&option) {
            Some(Value::List(words)) => words,
            _ => &[],
        }
    }

    /// The numbers of a list option, or the default.
    #[must_use]
    pub fn numbers(&self, option: MtaOption) -> Vec<u32> {
        match self.set.get(&option) {
            Some(Value::Numbers(numbers)) => numbers.clone(),
            Some(_) => Vec::new(),
            None => {
                let default = option.row().default.split(',');
                default.filter_map(|number| number.parse().ok()).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_where_their_options_point() {
        for (position, row) in ROWS.iter().enumerate() {
            assert_eq!(row.option as usize, position, "{}", row.name);
            assert_eq!(MtaOption::by_name(row.name), Some(row.option));
            assert!(row.sentence.ends_with('.'), "{}", row.name);
        }
    }

    #[test]
    fn every_default_is_a_legal_value() {
        for row in ROWS.iter().filter(|row| !row.default.is_empty()) {
            let read = row.kind.read(row.default);
            assert!(read.is_ok(), "{} {:?}", row.name, row.default);
        }
    }

    #[test]
    fn unset_options_have_their_defaults() {
        let options = MtaOptions::default();
        assert_eq!(options.int(MtaOption::BlockSize), 1024);
        assert_eq!(options.limit(MtaOption::BlockLimit), None);
        assert_eq!(
            options.text(MtaOption::ErrorTextUnknownUser),
            Some("unknown or illegal user")
        );
        assert!(
            options
                .numbers(MtaOption::CircuitcheckCompletedBins)
                .contains(&3600)
        );
    }

    #[test]
    fn rich_log_formats_turn_fields_on() {
        let mut options = MtaOptions::default();
        assert_eq!(options.int(MtaOption::LogMessageId), 0);
        options.set(MtaOption::LogFormat, Value::Integer(4));
        assert_eq!(options.int(MtaOption::LogMessageId), 1);
        options.set(MtaOption::LogMessageId, Value::Integer(0));
        assert_eq!(options.int(MtaOption::LogMessageId), 0);
    }
}
