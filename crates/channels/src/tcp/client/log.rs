//! Connection records of the client: `O`, `C` and `Y`, direction `-`. Whether they are wanted
//! (`log_connection`) is the log's business.

use std::net::SocketAddr;

use jiff::Timestamp;
use mta_channel::dequeue::DebugLog;
use mta_envelope::names::ChannelName;
use mta_log::record::{ConnectionAction, ConnectionRecord, Direction, Modifiers, Record};
use mta_log::writer::Writer;

/// One connection as records name it.
#[derive(Debug, Clone)]
pub(super) struct Ends {
    /// Our end.
    pub(super) local: SocketAddr,
    /// The server's end.
    pub(super) remote: SocketAddr,
    /// `SMTP/wanted-host/connected-host`.
    pub(super) application: String,
}

/// Where connection records of a thread go.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionLog<'a> {
    /// The transaction log.
    pub(super) writer: &'a Writer,
    /// The channel.
    pub(super) channel: &'a ChannelName,
    /// The thread, from 1.
    pub(super) thread: u32,
    /// Where trouble with the log is told.
    pub(super) debug: &'a DebugLog,
}

impl ConnectionLog<'_> {
    /// A connection was made.
    pub(super) fn opened(&self, ends: &Ends) {
        let mut record = self.record(ConnectionAction::Opened, &ends.application);
        (record.local, record.remote) = (Some(ends.local), Some(ends.remote));
        self.write(record);
    }

    /// A connection was not made.
    pub(super) fn failed(&self, to: SocketAddr, application: &str, why: &str) {
        let mut record = self.record(ConnectionAction::Failed, application);
        record.remote = Some(to);
        record.diagnostic = Some(why);
        self.write(record);
    }

    /// A connection has ended.
    pub(super) fn closed(&self, ends: &Ends, spoken: Option<Modifiers>, why: Option<&str>) {
        let mut record = self.record(ConnectionAction::Closed, &ends.application);
        (record.local, record.remote) = (Some(ends.local), Some(ends.remote));
        record.modifiers = spoken.unwrap_or_default();
        record.diagnostic = why;
        self.write(record);
    }

    fn record<'r>(
        &'r self,
        action: ConnectionAction,
        application: &'r str,
    ) -> ConnectionRecord<'r> {
        ConnectionRecord {
            time: Timestamp::now(),
            thread: Some(self.thread),
            channel: self.channel,
            direction: Direction::Outbound,
            action,
            modifiers: Modifiers::default(),
            local: None,
            remote: None,
            application,
            user: None,
            diagnostic: None,
        }
    }

    /// A log that cannot be written must not stop mail.
    fn write(&self, record: ConnectionRecord<'_>) {
        if let Err(error) = self.writer.write(&Record::Connection(record)) {
            self.debug.trouble(&error.to_string());
        }
    }
}
