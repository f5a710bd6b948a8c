//! A negative answer to one step of an enqueue.

use mta_envelope::envelope::Pending;
use mta_envelope::status::Status;
use std::fmt;

/// Why a sender, a recipient or a message is not taken: what the peer is told.
///
/// What the operator should know beyond that goes along as [`Refusal::cause`], or into the `J`
/// record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// The reply code, 4yz or 5yz.
    pub code: u16,
    /// The enhanced status; its class need not be the code's (`550 4.2.3` exists).
    pub status: Status,
    /// One sentence, with the address behind its colon where there is one.
    pub text: String,
    /// The session ends with this answer.
    pub close: bool,
    /// An access table said so, by what it knew of the connection. Nobody who knows less may ask
    /// again in the hope of a better answer.
    pub by_table: bool,
    /// What access tables want told to the system's log with it.
    pub notes: Vec<String>,
    /// What is wrong here, for the operator alone: it goes to the program's log.
    pub cause: Option<String>,
}

impl Refusal {
    /// A refusal with its three parts.
    #[must_use]
    pub fn new(code: u16, status: Status, text: impl Into<String>) -> Self {
        Self {
            code,
            status,
            text: text.into(),
            close: false,
            by_table: false,
            notes: Vec::new(),
            cause: None,
        }
    }

    /// Same refusal, from an access table.
    #[must_use]
    pub(super) const fn by_table(mut self) -> Self {
        self.by_table = true;
        self
    }

    /// Same refusal, with what the operator has to mend.
    #[must_use]
    pub(super) fn because(mut self, cause: String) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Same refusal, with what is to be told.
    #[must_use]
    pub(super) fn telling(mut self, notes: Vec<String>) -> Self {
        self.notes = notes;
        self
    }

    /// Same refusal, and the session ends.
    #[must_use]
    pub fn and_close(mut self) -> Self {
        self.close = true;
        self
    }

    /// A permanent refusal of `address`: `550 X.Y.Z text: address`.
    #[must_use]
    pub fn permanent(status: Status, text: &str, address: &str) -> Self {
        Self::new(550, status, format!("{text}: {address}"))
    }

    /// A temporary refusal of `address`: `452 X.Y.Z text: address`.
    #[must_use]
    pub fn temporary(status: Status, text: &str, address: &str) -> Self {
        Self::new(452, status, format!("{text}: {address}"))
    }

    /// What a recipient that is accepted all the same takes along: the refusal, if it stands.
    #[must_use]
    pub(super) fn lasting(&self) -> Option<Pending> {
        let stands = self.by_table || !self.is_temporary();
        stands.then(|| Pending::Refused {
            code: self.code,
            status: self.status,
            text: self.text.clone(),
        })
    }

    /// Whether less of the same message might be taken.
    #[must_use]
    pub fn is_about_size(&self) -> bool {
        let over = [Status::new(5, 3, 4), Status::new(5, 2, 3)];
        over.contains(&self.status.with_class(5))
    }

    /// Whether a later attempt may succeed.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        self.code < 500
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.status, self.text)
    }
}
