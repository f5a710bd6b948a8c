//! The life of one server process, as the Dispatcher sees it.
//!
//! | it dies | what is left |
//! |---|---|
//! | before `Ready` | nothing was given to it; a successor starts after a delay |
//! | with a connection sent, not taken | our copy of the connection goes to another server |
//! | it hangs with a connection sent, not taken | it gets no more; after a while it is killed, see above |
//! | with a connection taken | that session ends with it, as the client sees |
//! | the Dispatcher dies | the server reads the end of the stream, finishes its sessions, ends |

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::process::Stdio;
use std::time::{Duration, Instant};

use mta_config::paths::ServerRoot;
use mta_config::service::Service;
use mta_envelope::names::ServiceName;
use mta_ipc::IpcError;
use mta_ipc::handover::{DispatcherEnd, FromServer, Heard, SERVICE_VARIABLE, ToServer};
use mta_process::child::Children;
use mta_process::privilege;

use crate::balance::{Phase, ServerView};

/// A connection that is not taken after this long marks its server as stalled.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// One that is not taken after this long shows that its server hangs ...
const HANGS_AFTER: Duration = Duration::from_secs(30);

/// ... and after this long, even if it has sessions that would end with it.
const HANGS_WITH_SESSIONS_AFTER: Duration = Duration::from_secs(300);

/// An accepted connection of which we still hold a copy.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// Never used twice.
    pub(crate) id: u64,
    /// The connection.
    pub(crate) stream: TcpStream,
    /// Our end.
    pub(crate) local: SocketAddr,
    /// The client's end.
    pub(crate) peer: SocketAddr,
    /// TLS from the first byte.
    pub(crate) tls: bool,
    /// When it was accepted, milliseconds since 1970.
    pub(crate) accepted: u64,
}

/// One server process.
#[derive(Debug)]
pub(crate) struct Server {
    /// Never used twice, unlike process numbers.
    pub(crate) key: u64,
    /// Its process.
    pub(crate) pid: u32,
    /// When it was started, seconds since 1970.
    pub(crate) started_at: u64,
    /// Connections it was ever given.
    pub(crate) total: u64,
    /// Hashes of its image, once it has told them.
    pub(crate) image: Option<(String, String)>,
    /// The `TERM` that ends it has been sent.
    pub(crate) terminated: bool,
    stalled: bool,
    service: ServiceName,
    end: DispatcherEnd,
    ended: bool,
    /// It was told to end.
    asked: bool,
    phase: Phase,
    started: Instant,
    idle_since: Option<Instant>,
    untaken: BTreeMap<u64, (Accepted, Instant)>,
    active: HashSet<u64>,
}

/// What news of a server process means for its service.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// It has become ready.
    pub(crate) ready: bool,
    /// So many sessions have ended.
    pub(crate) closed: u32,
    /// It has closed its end of the socket.
    pub(crate) ended: bool,
}

impl Server {
    /// Starts one for `service`.
    ///
    /// # Errors
    /// What the system says when it cannot start the program.
    pub(crate) fn start(
        key: u64,
        root: &ServerRoot,
        service: &Service,
        children: &mut Children,
        (now, wall_clock): (Instant, u64),
    ) -> io::Result<Self> {
        let (end, theirs) = DispatcherEnd::pair()?;
        let mut command = privilege::command(&root.resolve(&service.image), None);
        command
            .env("SERVERROOT", root.root())
            .env(SERVICE_VARIABLE, service.name.as_str())
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .current_dir(root.root());
        let pid = children.spawn(&mut command)?;
        Ok(Self {
            key,
            pid,
            started_at: wall_clock,
            total: 0,
            image: None,
            terminated: false,
            stalled: false,
            service: service.name.clone(),
            end,
            ended: false,
            asked: false,
            phase: Phase::Starting,
            started: now,
            idle_since: None,
            untaken: BTreeMap::new(),
            active: HashSet::new(),
        })
    }

    /// What [`crate::balance`] has to know.
    pub(crate) fn view(&self, now: Instant) -> ServerView {
        ServerView {
            key: self.key,
            phase: self.phase,
            active: self.connections(),
            untaken: u32::try_from(self.untaken.len()).unwrap_or(u32::MAX),
            stalled: self.is_stalled(now),
            total: self.total,
            started: self.started,
            idle_since: self.idle_since,
        }
    }

    /// When its oldest untaken connection makes it stalled.
    pub(crate) fn stalls_at(&self) -> Option<Instant> {
        let oldest = self.untaken.values().map(|&(_, since)| since).min()?;
        Some(oldest + STALLED_AFTER)
    }

    /// When its oldest untaken connection shows that it hangs for good. Its connections cannot be
    /// given to others while it lives, since it may have taken one without saying so.
    pub(crate) fn hangs_at(&self) -> Option<Instant> {
        let oldest = self.untaken.values().map(|&(_, since)| since).min()?;
        Some(if self.active.is_empty() {
            oldest + HANGS_AFTER
        } else {
            oldest + HANGS_WITH_SESSIONS_AFTER
        })
    }

    fn is_stalled(&self, now: Instant) -> bool {
        self.stalls_at().is_some_and(|at| now >= at)
    }

    /// Whether it has stalled since it was last asked.
    pub(crate) fn begins_to_stall(&mut self, now: Instant) -> bool {
        let stalled = self.is_stalled(now);
        let before = std::mem::replace(&mut self.stalled, stalled);
        self.stalled && !before
    }

    /// Connections it has, those not taken yet included.
    pub(crate) fn connections(&self) -> u32 {
        u32::try_from(self.active.len() + self.untaken.len()).unwrap_or(u32::MAX)
    }

    /// How long it has lived.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// Where it is in its life.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether a hand-over waits for its `Taken`.
    pub(crate) fn is_handing_over(&self) -> bool {
        !self.untaken.is_empty()
    }

    /// Whether its socket is still worth watching.
    pub(crate) fn is_connected(&self) -> bool {
        !self.ended
    }

    /// Gives it a connection.
    ///
    /// # Errors
    /// The connection back, if the socket takes nothing more or the process is gone.
    pub(crate) fn give(&mut self, accepted: Accepted, now: Instant) -> Result<(), Accepted> {
        let message = ToServer::Connection {
            id: accepted.id,
            service: self.service.clone(),
            local: accepted.local,
            peer: accepted.peer,
            tls: accepted.tls,
            accepted: accepted.accepted,
        };
        match self.end.say(&message, Some(accepted.stream.as_fd())) {
            Ok(()) => {
                self.total += 1;
                self.idle_since = None;
                self.untaken.insert(accepted.id, (accepted, now));
                Ok(())
            }
            Err(_) => Err(accepted),
        }
    }

    /// Listens to what it has said.
    ///
    /// # Errors
    /// [`IpcError`] if it talks nonsense; it is to be ended then.
    pub(crate) fn hear(&mut self, now: Instant) -> Result<News, IpcError> {
        let mut news = News::default();
        while !self.ended {
            match self.end.hear()? {
                Heard::Said(said) => self.note(said, &mut news, now),
                Heard::Nothing => break,
                Heard::End => self.ended = true,
            }
        }
        news.ended = self.ended;
        Ok(news)
    }

    fn note(&mut self, said: FromServer, news: &mut News, now: Instant) {
        match said {
            FromServer::Ready { fixed, reloadable } => {
                self.image = Some((fixed, reloadable));
                if self.phase == Phase::Starting {
                    self.phase = Phase::Serving;
                    self.idle_since = Some(now);
                    news.ready = true;
                }
            }
            FromServer::Taken { id } => {
                // Our copy of the connection is closed here.
                if self.untaken.remove(&id).is_some() {
                    self.active.insert(id);
                }
            }
            FromServer::Closed { id } => {
                if self.active.remove(&id) | self.untaken.remove(&id).is_some() {
                    news.closed += 1;
                }
                if self.connections() == 0 {
                    self.idle_since = Some(now);
                }
            }
        }
    }

    /// Tells it to finish what it has.
    pub(crate) fn retire(&mut self) {
        self.asked = true;
        self.give_up();
    }

    /// Gives it nothing more: it has closed its end, or said what nobody understands. Its end is
    /// not one that was asked for.
    pub(crate) fn give_up(&mut self) {
        if self.phase != Phase::Retiring {
            self.phase = Phase::Retiring;
            self.tell(&ToServer::Retire);
        }
    }

    /// Whether it was told to end.
    pub(crate) const fn was_asked(&self) -> bool {
        self.asked
    }

    /// Tells it to end its sessions at their next command.
    pub(crate) fn shut_down(&mut self) {
        self.asked = true;
        self.phase = Phase::Retiring;
        self.tell(&ToServer::Shutdown);
    }

    /// Tells it to load the reloadable part of the new image.
    pub(crate) fn reload(&self) {
        self.tell(&ToServer::Reload);
    }

    fn tell(&self, message: &ToServer) {
        // A process that cannot be told is dying or hangs; the one is seen by its end, the other
        // is ended by a signal when its time is over.
        drop(self.end.say(message, None));
    }

    /// Its connections that nobody has taken, when it is dead.
    pub(crate) fn into_untaken(self) -> Vec<Accepted> {
        self.untaken
            .into_values()
            .map(|(accepted, _)| accepted)
            .collect()
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.end.as_fd()
    }
}
