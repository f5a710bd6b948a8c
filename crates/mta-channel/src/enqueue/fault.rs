//! The refusals that have a name: code, status and text of each, the text from its
//! `error_text_*` option.

use super::refusal::Refusal;
use mta_config::{Config, MtaOption};
use mta_envelope::status::Status;

/// A named reason for refusing an address or a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// No channel owns the address.
    UnknownHost,
    /// The channel wants an alias and there is none.
    UnknownAlias,
    /// Status `inactive`, user or domain.
    InactiveUser,
    /// Status `inactive`, group.
    InactiveGroup,
    /// Status `overquota`.
    OverQuota,
    /// Status `disabled`, user or domain.
    DisabledUser,
    /// Status `disabled`, group.
    DisabledGroup,
    /// Status `deleted` or `removed`, user or domain.
    DeletedUser,
    /// Status `deleted` or `removed`, group.
    DeletedGroup,
    /// Several entries have the address.
    Ambiguous,
    /// Directory or database cannot answer now.
    AliasTemporary,
    /// A list's file cannot be read.
    AliasFile,
    /// The sender may not post to the list.
    AliasAccess,
    /// The disk is full.
    NoSpace,
}

impl Fault {
    const fn row(self) -> (MtaOption, u16, Status) {
        match self {
            Self::UnknownHost => (MtaOption::ErrorTextUnknownHost, 550, Status::new(5, 1, 2)),
            Self::UnknownAlias => (MtaOption::ErrorTextUnknownAlias, 550, Status::new(5, 1, 1)),
            Self::InactiveUser => (MtaOption::ErrorTextInactiveUser, 452, Status::new(4, 2, 1)),
            Self::InactiveGroup => (MtaOption::ErrorTextInactiveGroup, 452, Status::new(4, 2, 1)),
            Self::OverQuota => (MtaOption::ErrorTextOverQuota, 452, Status::new(4, 2, 2)),
            Self::DisabledUser => (MtaOption::ErrorTextDisabledUser, 550, Status::new(5, 2, 1)),
            Self::DisabledGroup => (MtaOption::ErrorTextDisabledGroup, 550, Status::new(5, 2, 1)),
            Self::DeletedUser => (MtaOption::ErrorTextDeletedUser, 550, Status::new(5, 1, 6)),
            Self::DeletedGroup => (MtaOption::ErrorTextDeletedGroup, 550, Status::new(5, 1, 6)),
            Self::Ambiguous => (
                MtaOption::ErrorTextDuplicateAddrs,
                452,
                Status::new(4, 2, 0),
            ),
            Self::AliasTemporary => (MtaOption::ErrorTextAliasTemp, 452, Status::new(4, 4, 3)),
            Self::AliasFile => (
                MtaOption::ErrorTextAliasFileerror,
                452,
                Status::new(4, 2, 0),
            ),
            Self::AliasAccess => (MtaOption::ErrorTextAliasAuth, 550, Status::new(5, 7, 1)),
            Self::NoSpace => (
                MtaOption::ErrorTextInsufQueueSpace,
                452,
                Status::new(4, 3, 1),
            ),
        }
    }

    /// The refusal of `address`; without an address the text stands alone.
    #[must_use]
    pub(super) fn refuse(self, config: &Config, address: &str) -> Refusal {
        let (option, code, status) = self.row();
        let text = config.mta.text(option).unwrap_or("refused");
        if address.is_empty() {
            Refusal::new(code, status, text)
        } else {
            Refusal::new(code, status, format!("{text}: {address}"))
        }
    }
}

/// Which limit a message is too large for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SizeLimit {
    /// `blocklimit` of a channel.
    Channel,
    /// `mailMsgMaxBlocks` of a user, or `mgrpMsgMaxSize` of a group.
    User,
    /// `mailDomainMsgMaxBlocks` of a domain.
    Domain,
    /// `linelimit` of a channel.
    ChannelLines,
}

impl SizeLimit {
    /// The refusal of `address` because a message is over `limit` kilobytes or lines.
    #[must_use]
    pub(super) fn refuse(self, config: &Config, limit: u64, address: &str) -> Refusal {
        let option = match self {
            Self::Channel => MtaOption::ErrorTextBlockOver,
            Self::User => MtaOption::ErrorTextUserBlockOver,
            Self::Domain => MtaOption::ErrorTextDomainBlockOver,
            Self::ChannelLines => MtaOption::ErrorTextLineOver,
        };
        let text = config.mta.text(option).unwrap_or("message too large");
        let text = text.replacen("%d", &limit.to_string(), 1);
        let address = if address.is_empty() {
            String::new()
        } else {
            format!(": {address}")
        };
        Refusal::new(550, Status::new(5, 2, 3), format!("{text}{address}"))
    }
}

/// The message is larger than the smallest limit of its transaction; sizes in octets.
#[must_use]
pub(super) fn over_transaction_limit(size: u64, limit: u64) -> Refusal {
    let kilobytes = |octets: u64| octets.div_ceil(1024);
    let text = format!(
        "a message size of {} kilobytes exceeds the size limit of {} kilobytes computed for this \
         transaction",
        kilobytes(size),
        kilobytes(limit)
    );
    Refusal::new(552, Status::new(5, 3, 4), text)
}
