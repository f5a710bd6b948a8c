//! Message data: from the wire to lines ended by LF, and back.
//!
//! Only CRLF ends a line and only CRLF.CRLF ends DATA; a CR or LF anywhere else spoils the
//! message, which is read to its true end and then refused (design, promise 7). Memory is
//! constant, whatever the length of a line.

mod decoder;
mod encoder;

pub use decoder::{DataDecoder, Decoded};
pub use encoder::DotEncoder;

use mta_envelope::status::Status;

use crate::reply::Refusal;

/// Longest line of message data without its CRLF (RFC 5321 §4.5.3.1.6).
pub const MAX_DATA_LINE: usize = 998;

/// What happens to longer lines; chosen by the initial channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LongLines {
    /// The rest of the line is dropped (`truncatesmtplonglines`, the default).
    #[default]
    Truncate,
    /// The line is broken before its last blank, else hard (`wrapsmtplonglines`).
    Wrap,
    /// The message is refused (`rejectsmtplonglines`).
    Reject,
}

impl LongLines {
    /// The header line, without line end, that says what was done.
    #[must_use]
    pub const fn warning(self) -> Option<&'static str> {
        match self {
            Self::Truncate => Some(
                "Sun-Java-System-SMTP-Warning: Lines longer than SMTP allows found and truncated.",
            ),
            Self::Wrap => Some(
                "Sun-Java-System-SMTP-Warning: Lines longer than SMTP allows found and wrapped.",
            ),
            Self::Reject => None,
        }
    }
}

/// Why complete message data cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DataFault {
    /// A CR that is not followed by LF.
    #[error("bare CR in message data")]
    BareCr,
    /// An LF that does not follow CR.
    #[error("bare LF in message data")]
    BareLf,
    /// A line over [`MAX_DATA_LINE`] under [`LongLines::Reject`].
    #[error("line too long in message data")]
    LongLine,
}

impl DataFault {
    /// The default answer.
    #[must_use]
    pub fn refusal(self) -> Refusal {
        let text = match self {
            Self::BareCr => "bare CR found in message data; lines must end in CRLF",
            Self::BareLf => "bare LF found in message data; lines must end in CRLF",
            Self::LongLine => "lines longer than SMTP allows encountered; message rejected",
        };
        Refusal::new(550, Status::new(5, 6, 0), text)
    }
}

/// What was seen while a message came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DataSummary {
    /// Octets on the wire, with CRLF, without stuffed and final dots: what SIZE counts.
    pub octets: u64,
    /// Lines.
    pub lines: u64,
    /// An octet over 127 occurred.
    pub eight_bit: bool,
    /// A NUL occurred.
    pub nul: bool,
    /// Lines that were cut or broken.
    pub long_lines: u64,
    /// It came by BDAT.
    pub chunked: bool,
}
