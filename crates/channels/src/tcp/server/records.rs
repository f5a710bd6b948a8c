//! Records about a connection, and about commands that are none.

use mta_channel::enqueue::{Enqueuer, Source};
use mta_log::record::{
    Action, ConnectionAction, ConnectionRecord, Direction, MessageRecord, Record,
};
use mta_smtp::reply::Reply;

/// The application field: `SMTP`, with the claimed name once there is one.
fn application(source: &Source) -> String {
    let helo = source.peer.as_ref().and_then(|peer| peer.helo.as_ref());
    helo.map_or_else(|| "SMTP".to_owned(), |helo| format!("SMTP/{helo}"))
}

/// Writes a connection record, if `log_connection` asks for its kind.
pub(super) fn connection(
    enqueuer: &Enqueuer,
    source: &Source,
    action: ConnectionAction,
    user: Option<&str>,
    diagnostic: Option<&str>,
) {
    if !enqueuer.log().options().wants(action) {
        return;
    }
    let record = ConnectionRecord {
        time: mta_log::time::now(),
        thread: source.thread,
        channel: &source.channel,
        direction: Direction::Inbound,
        action,
        modifiers: source.protocol.modifiers,
        local: source.peer.as_ref().map(|peer| peer.local),
        remote: source.peer.as_ref().map(|peer| peer.remote),
        application: &application(source),
        user,
        diagnostic,
    };
    enqueuer.record(&source.channel, &[Record::Connection(record)]);
}

/// Writes the `B` record of a bad command.
pub(super) fn bad_command(enqueuer: &Enqueuer, source: &Source, line: &str, reply: &Reply) {
    let system = source.system();
    let diagnostic = reply.one_line();
    let mut record = MessageRecord::new(mta_log::time::now(), &source.channel, Action::BadCommand);
    record.thread = source.thread;
    record.modifiers = source.protocol.modifiers;
    record.original = "rfc822;";
    record.current = line;
    record.user = &source.user;
    record.source_system = &system;
    record.diagnostic = Some(&diagnostic);
    enqueuer.record(&source.channel, &[Record::Message(record)]);
}
