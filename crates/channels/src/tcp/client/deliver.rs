//! One thread's deliveries.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mta_channel::dequeue::{DebugLog, Deliverer, Dialect, Message};
use mta_channel::enqueue::Enqueuer;
use mta_envelope::address::Address;
use mta_envelope::envelope::Recipient;
use mta_envelope::status::{Outcome, Report, Status};
use mta_envelope::unique;
use mta_log::record::Modifiers;
use mta_mapping::{Callouts, NoCallouts};
use mta_smtp::client::{Letter, LetterRecipient};
use mta_smtp::drive::client::{Times, Transferred};

use super::Shared;
use super::content::{Content, Shape};
use super::log::ConnectionLog;
use super::report;
use super::session::{NoSession, Opener, Session};

/// How long a server may take to answer QUIT.
const QUIT_TIME: Duration = Duration::from_secs(5);

/// The deliverer of one thread, with the connection it has open.
pub(super) struct TcpClient {
    shared: Arc<Shared>,
    /// The thread's number, from 1, for records.
    number: u32,
    debug: DebugLog,
    session: Option<Session>,
    /// Who answers the call-outs of IP_ACCESS, if there is somebody.
    enqueuer: Option<Enqueuer>,
}

/// Recipients of one message that go to one destination.
struct Group {
    destination: String,
    indexes: Vec<usize>,
}

impl Deliverer for TcpClient {
    fn deliver(&mut self, message: &mut Message<'_>) -> Vec<Outcome> {
        let recipients = message.envelope().recipients.len();
        let mut outcomes: Vec<Option<Outcome>> = vec![None; recipients];
        let mut dialect = Dialect::default();
        for group in self.groups(&message.envelope().recipients) {
            let decided = self.deliver_group(message, &group, &mut dialect);
            for (index, outcome) in group.indexes.iter().zip(decided) {
                outcomes[*index] = Some(outcome);
            }
        }
        message.spoken(dialect);
        let missing = || Outcome::Deferred(Report::local(Status::new(4, 3, 0), "not tried"));
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(missing))
            .collect()
    }

    fn finished_host(&mut self) {
        self.hang_up(None);
    }
}

impl TcpClient {
    /// A deliverer without a connection.
    pub(super) const fn new(shared: Arc<Shared>, number: u32, debug: DebugLog) -> Self {
        Self {
            shared,
            number,
            debug,
            session: None,
            enqueuer: None,
        }
    }

    /// The same, with somebody who answers the call-outs of IP_ACCESS.
    pub(super) fn asking(mut self, enqueuer: Enqueuer) -> Self {
        self.enqueuer = Some(enqueuer);
        self
    }

    /// Our own XLOOP value.
    #[cfg(test)]
    pub(super) fn own_xloop(&self) -> &str {
        &self.shared.own_xloop
    }

    /// Recipients by destination, in the order of their first occurrence.
    fn groups(&self, recipients: &[Recipient]) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (index, recipient) in recipients.iter().enumerate() {
            let daemon = self.shared.settings.daemon.clone();
            let destination = daemon.unwrap_or_else(|| recipient.sort_host());
            match groups
                .iter_mut()
                .find(|group| group.destination == destination)
            {
                Some(group) => group.indexes.push(index),
                None => groups.push(Group {
                    destination,
                    indexes: vec![index],
                }),
            }
        }
        groups
    }

    fn deliver_group(
        &mut self,
        message: &mut Message<'_>,
        group: &Group,
        dialect: &mut Dialect,
    ) -> Vec<Outcome> {
        let count = group.indexes.len();
        if let Some(report) = self.shared.cache.skip(&group.destination, Instant::now()) {
            message.debug(|| format!("{} has just failed, not tried", group.destination));
            return vec![Outcome::Deferred(report); count];
        }
        loop {
            let reused = match self.reach(&group.destination) {
                Ok(reused) => reused,
                Err(NoSession::Temporary(report)) => return vec![Outcome::Deferred(report); count],
                Err(NoSession::Permanent(report)) => return vec![Outcome::Failed(report); count],
            };
            let Some(mut session) = self.session.take() else {
                continue;
            };
            if session.is_ourselves(&self.shared.own_xloop) {
                let report = Report::local(Status::new(5, 4, 6), "the remote system is this one");
                self.session = Some(session);
                return vec![Outcome::Failed(report); count];
            }
            let sent = match self.send(&mut session, message, group) {
                Ok(sent) => sent,
                Err(error) => {
                    self.session = Some(session);
                    let text = format!("cannot read the message: {error}");
                    let report = Report::local(Status::new(4, 3, 0), &text);
                    return vec![Outcome::Deferred(report); count];
                }
            };
            session.messages += 1;
            let unanswered = sent.verdicts.iter().all(|verdict| verdict.reply.is_none());
            let stale = reused && !sent.data_sent && sent.error.is_some() && unanswered;
            *dialect = session.dialect(&sent);
            let outcomes = outcomes(&sent, &session);
            self.keep_or_close(session, &sent);
            if !stale {
                return outcomes;
            }
            message.debug(|| "the connection had been closed; trying a fresh one".to_owned());
        }
    }

    /// Sees to it that a connection to `destination` is open; true if it was open before.
    fn reach(&mut self, destination: &str) -> Result<bool, NoSession> {
        if let Some(session) = &mut self.session {
            if session.destination == destination && session.connection.is_usable() {
                return Ok(true);
            }
            self.hang_up(None);
        }
        let shared = Arc::clone(&self.shared);
        let as_host = shared.settings.daemon.is_some();
        let hosts = shared
            .router
            .hosts(destination, as_host)
            .map_err(|report| {
                if report.status.is_temporary() {
                    NoSession::Temporary(report)
                } else {
                    NoSession::Permanent(report)
                }
            })?;
        let began = Instant::now();
        let lookups = self.enqueuer.as_ref();
        let lookups = lookups.map(|enqueuer| enqueuer.lookups(&shared.config));
        let callouts: &dyn Callouts = match &lookups {
            Some(lookups) => lookups,
            None => &NoCallouts,
        };
        match self.opener(callouts).open(destination, &hosts) {
            Ok(session) => {
                shared.cache.succeeded(destination);
                self.session = Some(session);
                Ok(false)
            }
            Err(none) => {
                if let NoSession::Temporary(report) = &none
                    && shared.settings.cache_failures
                {
                    let multiplier = shared.settings.skip_multiplier;
                    let times = (began, Instant::now());
                    shared.cache.failed(destination, report, multiplier, times);
                }
                Err(none)
            }
        }
    }

    fn send(
        &self,
        session: &mut Session,
        message: &mut Message<'_>,
        group: &Group,
    ) -> io::Result<Transferred> {
        let settings = &self.shared.settings;
        let eight_bit_peer = session.connection.peer().extensions.eight_bit_mime;
        let content = Content::of(message, settings, eight_bit_peer, &self.shared.folder)?;
        let letter = letter(message, group, &self.shared, content.shape());
        let blocks = letter.size.div_ceil(settings.block_size.max(1));
        let content_status = settings.patience.of(letter.recipients.len() as u64, blocks);
        let times = Times {
            content_status,
            message: whole(&settings.times, &letter) + content_status,
            ..settings.times.clone()
        };
        let mut reader = content.open(message)?;
        let sent = session.connection.transfer(&letter, &mut reader, &times);
        drop(reader);
        for line in session.connection.take_transcript() {
            message.debug(|| line);
        }
        Ok(sent)
    }

    /// Keeps the connection for the next message, or ends it.
    fn keep_or_close(&mut self, mut session: Session, sent: &Transferred) {
        let settings = &self.shared.settings;
        let limit = settings.messages_per_session;
        let spent = limit > 0 && session.messages >= limit;
        let old = settings
            .session_time
            .is_some_and(|most| session.opened.elapsed() >= most);
        let usable = session.connection.is_usable();
        self.session = Some(session);
        if spent || old || !usable {
            let why = sent.error.as_ref().map(ToString::to_string);
            self.hang_up(why.as_deref());
        }
    }

    fn hang_up(&mut self, why: Option<&str>) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        let spoken = session.modifiers(false);
        let transcript = session.connection.take_transcript();
        session.connection.quit(QUIT_TIME);
        let opener = self.opener(&NoCallouts);
        opener.tell(transcript);
        opener.log.closed(&session.ends, Some(spoken), why);
    }

    fn opener<'a>(&'a self, callouts: &'a dyn Callouts) -> Opener<'a> {
        Opener {
            callouts,
            config: &self.shared.config,
            channel: &self.shared.channel,
            settings: &self.shared.settings,
            connector: &self.shared.connector,
            log: ConnectionLog {
                writer: &self.shared.writer,
                channel: &self.shared.channel,
                thread: self.number,
                debug: &self.debug,
            },
            debug: &self.debug,
        }
    }
}

impl Drop for TcpClient {
    /// A thread that ends, after a panic as well, says goodbye.
    fn drop(&mut self) {
        self.hang_up(None);
    }
}

impl Session {
    /// XLOOP shows our own value: we are talking to ourselves.
    fn is_ourselves(&self, own: &str) -> bool {
        let shown = self.connection.peer().extensions.xloop.as_deref();
        shown.is_some_and(|shown| shown.eq_ignore_ascii_case(own))
    }

    fn modifiers(&self, chunking: bool) -> Modifiers {
        let peer = self.connection.peer();
        Modifiers {
            esmtp: peer.extensions.extended,
            lmtp: false,
            chunking,
            tls: peer.tls,
            auth: peer.authenticated,
        }
    }

    fn dialect(&self, sent: &Transferred) -> Dialect {
        Dialect {
            modifiers: self.modifiers(sent.chunked),
            transport: self.remote.transport.clone(),
            application: Some(self.ends.application.clone()),
            data_sent: sent.data_sent,
        }
    }
}

fn outcomes(sent: &Transferred, session: &Session) -> Vec<Outcome> {
    let outcome = |verdict| report::outcome(verdict, &session.remote, sent.error.as_ref());
    sent.verdicts.iter().map(outcome).collect()
}

fn letter(message: &Message<'_>, group: &Group, shared: &Shared, shape: Shape) -> Letter {
    let envelope = message.envelope();
    let settings = &shared.settings;
    let recipient = |index: &usize| {
        let recipient = &envelope.recipients[*index];
        LetterRecipient {
            address: sendable(&recipient.address, settings.remove_route),
            notify: recipient.notify,
            original: recipient.original.clone(),
        }
    };
    Letter {
        sender: envelope.sender.clone(),
        size: shape.size,
        eight_bit: shape.eight_bit,
        ret: envelope.ret,
        envid: envid(&envelope.id),
        auth: envelope
            .authenticated
            .clone()
            .filter(|_| settings.pass_auth),
        recipients: group.indexes.iter().map(recipient).collect(),
        permanent_552: settings.permanent_552.clone(),
        chunking: settings.chunking,
    }
}

/// How long all of a message may take but the answer to it: what a very slow line needs, and no
/// longer, since a server that is patient enough could hold a thread for days.
fn whole(times: &Times, letter: &Letter) -> Duration {
    let answers = times.mail_status + times.status;
    let recipients = Duration::from_secs(10).saturating_mul(letter.recipients.len() as u32);
    let octets = Duration::from_secs(letter.size / 2048);
    Duration::from_secs(10 * 60) + answers + recipients + octets
}

/// The envelope id, if it is the sender's ENVID; one that an MTA made itself must not go on as
/// such (RFC 3461 §5.2.1).
fn envid(id: &str) -> Option<String> {
    let own = id
        .split('@')
        .next()
        .is_some_and(|id| unique::id_time(id).is_some());
    Some(id.to_owned()).filter(|id| !id.is_empty() && !own)
}

/// The address without its source route, if the channel takes routes off.
fn sendable(address: &Address, remove_route: bool) -> Address {
    let bare = remove_route.then(|| Address::parse(address.without_route()));
    bare.and_then(Result::ok).unwrap_or_else(|| address.clone())
}
