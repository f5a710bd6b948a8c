//! How a program ends: the last line on standard error, and the exit code.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

/// An error with which a program can end.
pub trait Failure: Error {
    /// The exit code it stands for.
    fn code(&self) -> u8 {
        1
    }

    /// Whether the user has been told already, so that nothing more is to be printed.
    fn is_told(&self) -> bool {
        false
    }
}

impl Failure for std::convert::Infallible {}

/// Ends a program: prints an error with all its causes on one line of standard error, behind the
/// program's name unless it is a status message of the form `%FACILITY-S-IDENT, text`.
pub fn exit<E: Failure>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = with_causes(&error);
            if !text.starts_with('%') {
                text = format!("{}: {text}", program_name());
            }
            if !error.is_told() {
                // Nobody is left to be told if standard error is closed.
                drop(writeln!(std::io::stderr(), "{text}"));
            }
            ExitCode::from(error.code())
        }
    }
}

/// The name by which this program was called, without its directory.
#[must_use]
pub fn program_name() -> String {
    std::env::args_os()
        .next()
        .as_deref()
        .map(std::path::Path::new)
        .and_then(std::path::Path::file_name)
        .map_or_else(
            || "imta".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        )
}

/// An error and its causes, separated by colons. A cause that the text before it already ends
/// with is not repeated.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the list")]
    struct Outer(#[source] std::io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the list: {0}")]
    struct Repeating(#[source] std::io::Error);

    #[test]
    fn causes_are_told_once() {
        let inner = || std::io::Error::other("no such thing");
        assert_eq!(
            with_causes(&Outer(inner())),
            "cannot read the list: no such thing"
        );
        assert_eq!(
            with_causes(&Repeating(inner())),
            "cannot read the list: no such thing"
        );
    }
}
