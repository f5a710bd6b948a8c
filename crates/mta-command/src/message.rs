//! Status lines of the form `%FACILITY-S-IDENT, text`.

use std::fmt;

/// How bad it is. Decides where the line goes and what it means for the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Done as asked.
    Success,
    /// Worth knowing.
    Information,
    /// Done, but look here.
    Warning,
    /// Not done.
    Error,
}

/// One status line. The ident is stable and searchable; the text starts in lower case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Message {
    /// The utility that speaks: `QM`, `CACHE`, `IMTA`.
    pub facility: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The stable code.
    pub ident: &'static str,
    /// One sentence without a final dot.
    pub text: String,
    /// A second line that shows the offending word between backslashes.
    pub word: Option<String>,
    /// Exit status of a one-shot command that ends with this line.
    pub exit: u8,
}

impl Message {
    /// An information line.
    #[must_use]
    pub fn info(facility: &'static str, ident: &'static str, text: impl Into<String>) -> Self {
        Self::new(facility, Severity::Information, ident, text, 0)
    }

    /// A warning.
    #[must_use]
    pub fn warning(facility: &'static str, ident: &'static str, text: impl Into<String>) -> Self {
        Self::new(facility, Severity::Warning, ident, text, 0)
    }

    /// An error; exit status 1.
    #[must_use]
    pub fn error(facility: &'static str, ident: &'static str, text: impl Into<String>) -> Self {
        Self::new(facility, Severity::Error, ident, text, 1)
    }

    /// Same line with another exit status (2: a daemon could not be reached).
    #[must_use]
    pub const fn exiting(mut self, status: u8) -> Self {
        self.exit = status;
        self
    }

    /// Prints the line: warnings and errors on standard error, the others on standard output.
    pub fn emit(&self) {
        match self.severity {
            Severity::Success | Severity::Information => crate::output::line(&self.to_string()),
            Severity::Warning | Severity::Error => crate::output::complain(&self.to_string()),
        }
    }

    fn new(
        facility: &'static str,
        severity: Severity,
        ident: &'static str,
        text: impl Into<String>,
        exit: u8,
    ) -> Self {
        Self {
            facility,
            severity,
            ident,
            text: text.into(),
            word: None,
            exit,
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.severity {
            Severity::Success => 'S',
            Severity::Information => 'I',
            Severity::Warning => 'W',
            Severity::Error => 'E',
        };
        let text = crate::output::visible(&self.text);
        write!(f, "%{}-{letter}-{}, {text}", self.facility, self.ident)?;
        if let Some(word) = &self.word {
            write!(f, "\n \\{}\\", crate::output::visible(word))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_documented_form() {
        let held = Message::info("QM", "HELD", "held the message file /q/ZZa.HELD");
        assert_eq!(
            held.to_string(),
            "%QM-I-HELD, held the message file /q/ZZa.HELD"
        );
        let error = Message::error("QM", "NOSUCHCHAN", "no such channel \u{1b}[2J");
        assert_eq!(
            error.to_string(),
            "%QM-E-NOSUCHCHAN, no such channel \\x1b[2J"
        );
        assert_eq!((error.exit, held.exit), (1, 0));
    }
}
