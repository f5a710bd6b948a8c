//! What is asked, and the two kinds of answer.

use mta_envelope::names::ChannelName;
use mta_envelope::status::Status;
use serde::{Deserialize, Serialize};

/// Which part of a message the address stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// Sender or recipient of the envelope (`$E`).
    Envelope,
    /// A header line, or the body (`$B`).
    Header,
}

/// Where the address points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// To a recipient (`$F`): To, Cc, Bcc and their Resent forms, envelope To.
    Forward,
    /// To an originator (`$R`): From, Sender, Reply-To, Return-Path, envelope From and so on.
    Backward,
}

/// One address to be rewritten.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The address without angle brackets, as it was given.
    pub address: &'a str,
    /// Envelope or header.
    pub part: Part,
    /// Forward or backward.
    pub direction: Direction,
    /// The channel doing the rewriting.
    pub source_channel: &'a ChannelName,
    /// The channel the message is sent to, as far as it is known. `$Q` and `$C` are ignored
    /// without it, and always for the envelope To: address.
    pub destination_channel: Option<&'a ChannelName>,
}

impl<'a> Question<'a> {
    /// An envelope To: address that came in by `source_channel`.
    #[must_use]
    pub const fn envelope_to(address: &'a str, source_channel: &'a ChannelName) -> Self {
        Self {
            address,
            part: Part::Envelope,
            direction: Direction::Forward,
            source_channel,
            destination_channel: None,
        }
    }

    /// An envelope From: address of a message that goes to `destination_channel`.
    #[must_use]
    pub const fn envelope_from(
        address: &'a str,
        source_channel: &'a ChannelName,
        destination_channel: Option<&'a ChannelName>,
    ) -> Self {
        Self {
            address,
            part: Part::Envelope,
            direction: Direction::Backward,
            source_channel,
            destination_channel,
        }
    }

    /// A header address of a message that goes to `destination_channel`.
    #[must_use]
    pub const fn header(
        address: &'a str,
        direction: Direction,
        source_channel: &'a ChannelName,
        destination_channel: Option<&'a ChannelName>,
    ) -> Self {
        Self {
            address,
            part: Part::Header,
            direction,
            source_channel,
            destination_channel,
        }
    }
}

/// An address that found its channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewritten {
    /// The new address. Its form is not checked: a template may produce anything.
    pub address: String,
    /// The first host of the new address: where the channel is to bring it.
    pub host: String,
    /// The routing system that the template named, and by which the channel was found.
    pub tag: String,
    /// The channel.
    pub channel: ChannelName,
    /// The channel's official host name.
    pub official_host: String,
    /// What replaces the tag in an envelope To: address when it is queued, if the tag is an
    /// extra host line of the channel.
    pub proper_name: Option<String>,
    /// The channel is `l`.
    pub is_local: bool,
}

/// An address that found no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct RewriteError {
    /// Reply code for the SMTP client: 550 or 450.
    pub code: u16,
    /// The enhanced code.
    pub status: Status,
    /// The text, without the address.
    pub text: String,
}

impl RewriteError {
    pub(crate) fn new(status: Status, text: &str) -> Self {
        Self {
            code: if status.is_temporary() { 450 } else { 550 },
            status,
            text: text.to_owned(),
        }
    }

    /// Whether a later attempt may succeed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.status.is_temporary()
    }
}
