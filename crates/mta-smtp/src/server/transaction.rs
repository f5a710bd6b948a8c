//! Where a mail transaction stands, and which commands it forbids.

use crate::command::Verb;
use crate::data::DataDecoder;
use crate::reply::Reply;

/// State of the transaction. Whatever ends it, well or badly, leads back to `None`; only a
/// failed BDAT leaves it `Spoilt`, until the client has shown by RSET, HELO or EHLO that it has
/// noticed (RFC 3030 §2).
#[derive(Debug)]
pub(super) enum Transaction {
    /// No MAIL FROM.
    None,
    /// MAIL FROM was accepted, and so many recipients.
    Mail {
        /// Accepted recipients.
        recipients: u32,
    },
    /// At least one BDAT was accepted, the last is still to come.
    Chunks(Box<DataDecoder>),
    /// A BDAT failed.
    Spoilt,
}

impl Transaction {
    /// The reply to `verb` if it may not come now.
    pub(super) fn out_of_order(&self, verb: Verb) -> Option<Reply> {
        let text = match (self, verb) {
            (Self::None, Verb::Rcpt | Verb::Data | Verb::Bdat) => {
                "No MAIL FROM command has been given."
            }
            (Self::Mail { .. }, Verb::Mail) => "MAIL FROM already given.",
            (Self::Mail { recipients: 0 }, Verb::Data | Verb::Bdat) => {
                "No recipients have been specified."
            }
            (Self::Mail { .. } | Self::Chunks(_) | Self::Spoilt, Verb::Auth) => {
                "AUTH not permitted during a mail transaction."
            }
            (Self::Chunks(_), Verb::Mail | Verb::Rcpt | Verb::Data) => {
                "BDAT in progress; only BDAT or RSET may follow."
            }
            (Self::Spoilt, Verb::Mail | Verb::Rcpt | Verb::Data | Verb::Bdat) => {
                "BDAT failed; RSET must follow."
            }
            (Self::None | Self::Mail { .. } | Self::Chunks(_) | Self::Spoilt, _) => return None,
        };
        Some(Reply::new(503, (5, 5, 0), text))
    }
}
