//! What the Dispatcher writes into `dispatcher.log-UNIQUEID`, and the mask that asks for more.

use std::fmt::Arguments;

use mta_log::program::ProgramLog;

/// Environment variable with a hexadecimal mask, used instead of the option `debug`.
const VARIABLE: &str = "IMTA_DISPATCHER_DEBUG";

/// A topic of the debug mask; the product's bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Service, basic: what operators ask for.
    Service = 4,
    /// Service, its processes.
    Processes = 6,
    /// Dispatcher and process talking to each other, basic.
    Talk = 8,
    /// Server process, basic.
    Server = 12,
    /// Server process, hand-overs.
    HandOver = 14,
    /// Refusals by PORT_ACCESS.
    Denials = 24,
}

/// The program log with its mask.
#[derive(Debug)]
pub(crate) struct Log {
    file: ProgramLog,
    mask: u32,
}

impl Log {
    /// Only what is always told goes to `file`, unless the environment asks for more.
    pub(crate) fn new(file: ProgramLog) -> Self {
        Self {
            file,
            mask: from_environment().unwrap_or(0),
        }
    }

    /// Adds what the option `debug` asks for, unless the environment asks for something else.
    pub(crate) fn ask_for(&mut self, option: i64) {
        self.mask = from_environment().unwrap_or_else(|| from_option(option));
    }

    /// Tells something that an operator wants to know in any case.
    pub(crate) fn tell(&self, text: Arguments<'_>) {
        self.file.write(&text.to_string());
    }

    /// Tells something if its topic is asked for.
    pub(crate) fn debug(&self, topic: Topic, text: Arguments<'_>) {
        if self.mask & (1 << topic as u32) != 0 {
            self.file.write(&text.to_string());
        }
    }
}

fn from_environment() -> Option<u32> {
    parse_mask(&std::env::var(VARIABLE).ok()?)
}

/// -1 is all; bits beyond the 32nd have no meaning.
fn from_option(option: i64) -> u32 {
    u32::try_from(option & 0xffff_ffff).unwrap_or(u32::MAX)
}

fn parse_mask(text: &str) -> Option<u32> {
    let text = text.trim();
    if text == "-1" {
        return Some(u32::MAX);
    }
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .unwrap_or(text);
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_hexadecimal_or_all() {
        for (text, mask) in [
            ("-1", Some(u32::MAX)),
            ("FFFFFFFF", Some(u32::MAX)),
            ("0x10", Some(16)),
            ("1000000", Some(1 << Topic::Denials as u32)),
            ("none", None),
        ] {
            assert_eq!(parse_mask(text), mask, "{text}");
        }
        assert_eq!(from_option(-1), u32::MAX);
        assert_eq!(from_option(4096), 1 << Topic::Server as u32);
    }
}
