//! What a channel program has to bring: the delivery of one message to its recipients.

use std::fmt;
use std::io::{self, BufRead};
use std::time::Duration;

use mta_envelope::envelope::Envelope;
use mta_envelope::status::Outcome;
use mta_log::record::Modifiers;

use super::debug::DebugLog;

/// One thread's way of delivering. It lives as long as the thread, so that it may keep a
/// connection open from one message to the next.
///
/// A deliverer settles nothing: it says how each recipient's attempt ended, and the loop of
/// [`super::run_master`] sees to file, log and notices. If it panics, the message stays.
pub trait Deliverer {
    /// Tries every recipient of `message` once. The answer holds one outcome for each recipient,
    /// in the order of the envelope; one that is missing counts as deferred.
    fn deliver(&mut self, message: &mut Message<'_>) -> Vec<Outcome>;

    /// Called when the next message is for another host than the last one, when the thread has
    /// waited a moment without work, and before it ends: the time to close a connection.
    fn finished_host(&mut self) {}
}

/// Where the octets of a message come from; lines end in LF.
pub trait Content {
    /// The header as stored, with the empty line that ends it.
    ///
    /// # Errors
    /// What the system said when the file could not be read.
    fn header(&mut self) -> io::Result<Vec<u8>>;

    /// A reader over the body, from its beginning.
    ///
    /// # Errors
    /// What the system said when the file could not be read.
    fn body(&mut self) -> io::Result<Box<dyn BufRead + '_>>;
}

/// What a deliverer tells about the dialect it spoke; goes into the records of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dialect {
    /// The letters behind the action.
    pub modifiers: Modifiers,
    /// `TCP|local-ip|local-port|remote-ip|remote-port`.
    pub transport: Option<String>,
    /// `SMTP/name`.
    pub application: Option<String>,
    /// The message's data went out, whatever the answer was; a `Q` record shows the size only then.
    pub data_sent: bool,
}

/// One message in the hands of a [`Deliverer`].
pub struct Message<'a> {
    envelope: &'a Envelope,
    content: &'a mut dyn Content,
    name: &'a str,
    host: &'a str,
    deaths: u8,
    first: bool,
    debug: &'a DebugLog,
    dialect: Dialect,
    retry_in: Option<Duration>,
}

impl<'a> Message<'a> {
    /// A message with its envelope and octets. `name` is its queue file's place, for logs; `host`
    /// the destination by which the queue sorts it, or empty.
    #[must_use]
    pub fn new(
        envelope: &'a Envelope,
        content: &'a mut dyn Content,
        name: &'a str,
        host: &'a str,
        debug: &'a DebugLog,
    ) -> Self {
        Self {
            envelope,
            content,
            name,
            host,
            deaths: 0,
            first: false,
            debug,
            dialect: Dialect::default(),
            retry_in: None,
        }
    }

    /// Says how many jobs in a row have died with this message in hand.
    #[must_use]
    pub const fn after_deaths(mut self, deaths: u8) -> Self {
        self.deaths = deaths;
        self
    }

    /// Says whether nobody can have tried to deliver this message before.
    #[must_use]
    pub const fn for_the_first_time(mut self, first: bool) -> Self {
        self.first = first;
        self
    }

    /// Sender, recipients and delivery requests.
    #[must_use]
    pub const fn envelope(&self) -> &'a Envelope {
        self.envelope
    }

    /// The queue file's place in its channel's directory: `007/ZZ….00`.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The host that this message is for, in lower case; empty if the channel does not sort.
    #[must_use]
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// How many jobs in a row have died with this message in hand; more care may be due.
    #[must_use]
    pub const fn deaths(&self) -> u8 {
        self.deaths
    }

    /// Whether nobody can have tried to deliver this message before; false if it is not known.
    #[must_use]
    pub const fn is_first_attempt(&self) -> bool {
        self.first
    }

    /// The header as stored, lines ending in LF, with the empty line that ends it.
    ///
    /// # Errors
    /// What the system said when the file could not be read.
    pub fn header(&mut self) -> io::Result<Vec<u8>> {
        self.content.header()
    }

    /// A reader over the body, from its beginning; lines end in LF. May be asked for again.
    ///
    /// # Errors
    /// What the system said when the file could not be read.
    pub fn body(&mut self) -> io::Result<Box<dyn BufRead + '_>> {
        self.content.body()
    }

    /// Writes a line to the channel's debug log, if there is one, with the message's name in
    /// front. The text is made only then.
    pub fn debug(&self, text: impl FnOnce() -> String) {
        self.debug.line(|| format!("{}: {}", self.name, text()));
    }

    /// Tells the operator of trouble that is ours, not the message's; written even if debugging
    /// is off.
    pub fn trouble(&self, text: &str) {
        self.debug.trouble(&format!("{}: {text}", self.name));
    }

    /// Says which dialect carried the message, for the records in the log.
    pub fn spoken(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// Asks that a deferred message be tried again after `wait` instead of the `backoff` time.
    pub const fn retry_in(&mut self, wait: Duration) {
        self.retry_in = Some(wait);
    }

    /// What the deliverer said beside the outcomes.
    #[must_use]
    pub(super) fn into_remarks(self) -> (Dialect, Option<Duration>) {
        (self.dialect, self.retry_in)
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("name", &self.name)
            .field("host", &self.host)
            .field("deaths", &self.deaths)
            .finish_non_exhaustive()
    }
}
