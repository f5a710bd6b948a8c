//! Sender, recipients and delivery requests, apart from the header.

use crate::address::Address;
use crate::names::ChannelName;
use crate::status::Status;
use serde::{Deserialize, Serialize};

/// Processing priority, highest first. The number is the one of the queue file's `p;` record.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[repr(u8)]
pub enum Priority {
    /// First.
    Urgent = 0,
    /// What a message without a `Priority:` line has.
    #[default]
    Normal = 1,
    /// Later.
    Nonurgent = 2,
    /// Second class.
    SecondClass = 3,
    /// Third class.
    ThirdClass = 4,
}

impl Priority {
    /// All of them, highest first.
    pub const ALL: [Self; 5] = [
        Self::Urgent,
        Self::Normal,
        Self::Nonurgent,
        Self::SecondClass,
        Self::ThirdClass,
    ];

    /// The priority of a `p;` record.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The word of listings: `urgent`, `normal`, ….
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Normal => "normal",
            Self::Nonurgent => "nonurgent",
            Self::SecondClass => "second-class",
            Self::ThirdClass => "third-class",
        }
    }
}

/// What a recipient wants to be told (NOTIFY of RFC 3461), as bits of the `n;` record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Notify(pub u8);

impl Notify {
    /// NOTIFY=NEVER.
    pub const NEVER: u8 = 1;
    /// NOTIFY=SUCCESS.
    pub const SUCCESS: u8 = 2;
    /// NOTIFY=FAILURE.
    pub const FAILURE: u8 = 4;
    /// NOTIFY=DELAY.
    pub const DELAY: u8 = 8;
    /// The client gave a NOTIFY parameter (otherwise the value is the default).
    pub const EXPLICIT: u8 = 16;

    /// Whether all bits of `bits` are set.
    #[must_use]
    pub const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }

    /// The same, with or without notices of delay; who wants none at all gets none.
    #[must_use]
    pub const fn with_delay(self, wanted: bool) -> Self {
        if self.has(Self::NEVER) {
            return self;
        }
        let bits = self.0 | Self::EXPLICIT;
        Self(if wanted {
            bits | Self::DELAY
        } else {
            bits & !Self::DELAY
        })
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self(Self::FAILURE | Self::DELAY)
    }
}

/// How much of the message a failure notice returns (RET of RFC 3461).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its header.
    Headers,
}

/// What is settled already about a recipient that goes through the enqueue path once more (`w;`).
/// Without it the address was checked as it was given, and what becomes of it was not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Pending {
    /// It could not be resolved when it was given, and nothing was checked.
    Anew,
    /// It could not be resolved when it came out of a list; what it was given as was checked.
    Later,
    /// It passed every check (a final address), or has none to pass (a notice).
    Checked,
    /// It was refused, and nobody asks again.
    Refused {
        /// The reply code.
        code: u16,
        /// The enhanced status.
        status: Status,
        /// The text of the reply.
        text: String,
    },
}

/// One recipient of one message file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Where it goes now (the bare line).
    pub address: Address,
    /// The original recipient: address type (`rfc822`, `utf-8`) and decoded address (`j;`, `f;`).
    pub original: Option<(String, String)>,
    /// What to report (`n;`).
    pub notify: Notify,
    /// Conversion tags (`k;`).
    pub tags: Vec<String>,
    /// Mailbox options for the store: `folder=`, `quota=`, … (`o;`), separated by blanks.
    pub store_options: Option<String>,
    /// Host used for sorting if it is not the address's domain (`d;`).
    pub host: Option<String>,
    /// What the enqueue path is to know when it sees the recipient again (`w;`).
    pub pending: Option<Pending>,
}

impl Recipient {
    /// A recipient without any special wish.
    #[must_use]
    pub const fn new(address: Address) -> Self {
        Self {
            address,
            original: None,
            notify: Notify(Notify::FAILURE | Notify::DELAY),
            tags: Vec::new(),
            store_options: None,
            host: None,
            pending: None,
        }
    }

    /// `rfc822;user@host` for log records and notices: the original if known, else the current.
    #[must_use]
    pub fn original_text(&self) -> String {
        match &self.original {
            Some((kind, address)) => format!("{kind};{address}"),
            None => format!("rfc822;{}", self.address),
        }
    }

    /// The host by which the queue sorts this recipient, in lower case.
    #[must_use]
    pub fn sort_host(&self) -> String {
        let host = self.host.as_deref().or_else(|| self.address.domain());
        host.unwrap_or("").to_ascii_lowercase()
    }
}

/// The envelope of one message file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Envelope id (`i;`): the client's ENVID, else the MTA's own `ID@HOST`. All files of one
    /// message share it.
    pub id: String,
    /// Envelope From (`m;`); `None` is the null sender `<>`.
    pub sender: Option<Address>,
    /// RET (`r;`).
    pub ret: Option<Ret>,
    /// Channel the message came from (`c;`).
    pub source_channel: ChannelName,
    /// Who sent it in, as `helo (rdns [ip])` (`s;`); empty when it was made here.
    pub source_system: String,
    /// User that enqueued it (`u;`).
    pub user: String,
    /// Authenticated sender (`a;`).
    pub authenticated: Option<String>,
    /// Arrival, seconds since 1970 (`t;`).
    pub arrived: u64,
    /// Priority (`p;`).
    pub priority: Priority,
    /// The Message-id line's value with its brackets (`h;`), if there is one.
    pub message_id: Option<String>,
    /// Octets of header and body as stored (`q;`).
    pub size: u64,
    /// Seconds since 1970 before which nothing is tried (`x;`).
    pub deferred_until: Option<u64>,
    /// The recipients of this file, at least one.
    pub recipients: Vec<Recipient>,
}

impl Envelope {
    /// Size in MTA blocks of `block` octets, rounded up; an empty message counts 1.
    #[must_use]
    pub const fn blocks(&self, block: u64) -> u64 {
        let blocks = self.size.div_ceil(block);
        if blocks == 0 { 1 } else { blocks }
    }

    /// The sender as text; empty for the null sender.
    #[must_use]
    pub fn sender_text(&self) -> &str {
        self.sender.as_ref().map_or("", Address::as_str)
    }
}
