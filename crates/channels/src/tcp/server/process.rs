//! The server process: takes connections from the Dispatcher, gives each a thread, and ends when
//! it is told to and the last session is over.

use super::certificate::Certificate;
use super::conversation::Conversation;
use super::debug::DebugLogs;
use super::names;
use mta_channel::enqueue::{EnqueueError, Enqueuer, OPEN_FILES};
use mta_config::service::Service;
use mta_config::{Config, LoadError, ServerRoot};
use mta_dns::hickory::Dns;
use mta_envelope::names::ChannelName;
use mta_ipc::IpcError;
use mta_ipc::handover::{Arrival, Order, SERVICE_VARIABLE, ServerEnd};
use mta_log::program::ProgramLog;
use mta_process::exit::with_causes;
use mta_process::poll::{Interest, Poll};
use mta_process::privilege::PrivilegeError;
use mta_process::start::{self, StartError};
use mta_smtp::drive::server::{Connection, serve};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the process is called.
const PROGRAM: &str = "tcp_smtp_server";

/// How long sessions may take to say goodbye at a shutdown.
const GOODBYE: Duration = Duration::from_secs(30);

/// How long the last hints may take to reach the Job Controller.
const HINTS: Duration = Duration::from_secs(2);

/// What the program was called with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// The service, unless the environment names it.
    pub service: Option<String>,
}

/// The server could not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server root could not be found.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Root's rights could not be given up.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
    /// There is no configuration.
    #[error("cannot load the configuration")]
    Configuration(#[from] LoadError),
    /// Nobody said which service this process is to serve.
    #[error("no service named: this program is started by the Dispatcher, see {SERVICE_VARIABLE}")]
    NoService,
    /// The service is in no configuration.
    #[error("there is no service {0} in the configuration")]
    UnknownService(String),
    /// The service names a channel that does not exist, or none.
    #[error("service {service} names no channel that exists (PARAMETER CHANNEL=name)")]
    NoChannel {
        /// The service.
        service: String,
    },
    /// Mail could not be put into the queue.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The Dispatcher is not there.
    #[error("cannot talk to the Dispatcher")]
    Dispatcher(#[from] IpcError),
    /// The system refuses something basic.
    #[error("cannot prepare the server")]
    System(#[from] io::Error),
}

impl mta_process::Failure for Error {}

/// What all sessions of the process share.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) root: ServerRoot,
    pub(super) program: String,
    pub(super) enqueuer: Enqueuer,
    /// The channel on which sessions begin.
    pub(super) channel: ChannelName,
    pub(super) dns: Dns,
    pub(super) certificate: Certificate,
    pub(super) debug: DebugLogs,
    end: ServerEnd,
    /// Sessions under way.
    active: AtomicUsize,
    /// Its other end is dropped to wake every session at a shutdown.
    wake: UnixStream,
    waker: Mutex<Option<UnixStream>>,
    /// Written to when a session has ended.
    ended: UnixStream,
    stack: usize,
}

/// Serves connections until the Dispatcher says that it is enough.
///
/// # Errors
/// [`Error`] when the process cannot begin; sessions never end it.
pub fn run(arguments: Arguments) -> Result<(), Error> {
    start::prepare();
    let root = ServerRoot::new(start::server_root()?);
    crate::master::become_server_user(&root)?;
    // Until the service is known there is no other log than the program's own.
    let mut log = Arc::new(ProgramLog::on_demand(&root.log(), PROGRAM));
    let outcome = serve_service(root, arguments, &mut log);
    if let Err(error) = &outcome {
        // Standard error of a server process is nobody's to read.
        log.write(&format!("%IMTA-F-NOSTART, {}", with_causes(error)));
    }
    outcome
}

fn serve_service(
    root: ServerRoot,
    arguments: Arguments,
    own_log: &mut Arc<ProgramLog>,
) -> Result<(), Error> {
    let named = arguments
        .service
        .or_else(|| std::env::var(SERVICE_VARIABLE).ok());
    let service = named.ok_or(Error::NoService)?;
    let config = Config::load(&root)?;
    let service = config
        .dispatcher
        .service(&service)
        .cloned()
        .ok_or(Error::UnknownService(service))?;
    let log = Arc::new(ProgramLog::on_demand(&root.log(), &log_name(&service)));
    own_log.clone_from(&log);
    write_panics_down(&log);
    let end = ServerEnd::from_stdin()?;
    let (server, ended) = Server::new(root, config, &service, &log, end)?;
    let server = Arc::new(server);
    announce(&server)?;
    serve_all(&server, &ended)?;
    server.enqueuer.flush_hints(HINTS);
    Ok(())
}

/// `IMTA_LOG:tcp_submit_server.log` is the log `tcp_submit_server`.
fn log_name(service: &Service) -> String {
    let name = service.logfilename.as_deref().unwrap_or(PROGRAM);
    let name = name.rsplit_once(':').map_or(name, |(_, name)| name);
    let name = Path::new(name).file_name().and_then(|name| name.to_str());
    let name = name.unwrap_or(PROGRAM);
    name.strip_suffix(".log").unwrap_or(name).to_owned()
}

fn announce(server: &Server) -> Result<(), IpcError> {
    let identity = server.enqueuer.config().identity.clone();
    server.end.ready(&identity.fixed, &identity.reloadable)
}

/// A panic ends its session only; the place where it happened goes to the log.
fn write_panics_down(log: &Arc<ProgramLog>) {
    let log = Arc::clone(log);
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed");
        log.write(&format!("%IMTA-F-PANIC, {name}: {panic}"));
    }));
}

fn serve_all(server: &Arc<Server>, ended: &UnixStream) -> Result<(), Error> {
    let mut orders = true;
    let mut ending = false;
    let mut deadline = None;
    loop {
        if ending && server.active.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(());
        }
        let mut poll = Poll::new();
        if orders {
            poll.watch(server.end.as_fd(), Interest::Read, Ready::Order);
        }
        poll.watch(ended.as_fd(), Interest::Read, Ready::Ended);
        for (what, _) in poll.wait(deadline)? {
            match what {
                Ready::Ended => drain(ended),
                Ready::Order => match server.end.receive() {
                    Ok(Order::Serve(arrival)) => begin(server, arrival),
                    Ok(Order::Retire) => ending = true,
                    Ok(Order::Shutdown) => {
                        ending = true;
                        deadline = Some(Instant::now() + GOODBYE);
                        server.wake_all();
                    }
                    Ok(Order::Reload) => reload(server)?,
                    Ok(Order::Orphaned) => (orders, ending) = (false, true),
                    Err(error) => {
                        server.complain(&error);
                        (orders, ending) = (false, true);
                    }
                },
            }
        }
    }
}

/// What the loop waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ready {
    Order,
    Ended,
}

/// The reloadable part of a new image, for sessions that begin from now on. A bad one changes
/// nothing.
fn reload(server: &Server) -> Result<(), IpcError> {
    match Config::load(&server.root) {
        Ok(new) => {
            let config = server.enqueuer.config().reloaded(new);
            server.enqueuer.reload(Arc::new(config));
        }
        Err(error) => server.complain(&error),
    }
    announce(server)
}

/// Gives the connection a thread.
fn begin(server: &Arc<Server>, arrival: Arrival) {
    let id = arrival.id;
    let refuge = arrival.stream.try_clone();
    server.active.fetch_add(1, Ordering::AcqRel);
    let session = Session(Arc::clone(server), id);
    let started = std::thread::Builder::new()
        .name(format!("session {id}"))
        .stack_size(server.stack)
        .spawn(move || session.run(arrival));
    if let Err(error) = started {
        // The closure is gone, and the session with it: it has been counted and reported.
        server.complain(&error);
        if let Ok(stream) = refuge {
            turn_away(&stream);
        }
    }
}

/// One counted session. When it is dropped, whatever happened, it is no longer counted.
pub(super) struct Session(pub(super) Arc<Server>, pub(super) u64);

impl Session {
    pub(super) fn run(&self, arrival: Arrival) {
        let server = &self.0;
        if let Err(error) = server.end.taken(self.1) {
            server.complain(&error);
        }
        let Some(mut conversation) = Conversation::new(server, &arrival) else {
            return turn_away(&arrival.stream);
        };
        let connection = Connection {
            socket: arrival.stream,
            tls_first: arrival.tls,
            wake: server.wake.as_fd(),
            limits: conversation.limits(),
        };
        serve(connection, &mut conversation);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let server = &self.0;
        // Without a Dispatcher there is nobody to tell.
        drop(server.end.closed(self.1));
        server.active.fetch_sub(1, Ordering::AcqRel);
        // A full pipe has waked the loop already.
        drop((&server.ended).write(&[0]));
    }
}

impl Server {
    /// A server without sessions, and where the end of each will be heard.
    pub(super) fn new(
        root: ServerRoot,
        config: Config,
        service: &Service,
        log: &Arc<ProgramLog>,
        end: ServerEnd,
    ) -> Result<(Self, UnixStream), Error> {
        let channel = service
            .channel()
            .filter(|name| config.channel(name).is_some())
            .ok_or_else(|| Error::NoChannel {
                service: service.name.to_string(),
            })?;
        let dns = names::resolver(&config);
        let wanted = u64::from(service.max_conns)
            .saturating_mul(4)
            .saturating_add(64)
            .saturating_add(OPEN_FILES as u64);
        if let Err(error) = start::raise_descriptor_limit(wanted) {
            log.write(&format!("cannot raise the limit of open files: {error}"));
        }
        let (wake, waker) = UnixStream::pair()?;
        let (ended, hears) = UnixStream::pair()?;
        ended.set_nonblocking(true)?;
        hears.set_nonblocking(true)?;
        let stack = service
            .stacksize
            .and_then(|size| usize::try_from(size).ok());
        let server = Self {
            debug: DebugLogs::new(root.log()),
            enqueuer: Enqueuer::with_log(Arc::new(config), &root, PROGRAM, Arc::clone(log))?,
            root,
            program: PROGRAM.to_owned(),
            channel,
            dns,
            certificate: Certificate::default(),
            end,
            active: AtomicUsize::new(0),
            wake,
            waker: Mutex::new(Some(waker)),
            ended,
            stack: stack.unwrap_or(0).max(mta_smtp::drive::STACK),
        };
        Ok((server, hears))
    }

    pub(super) fn wake_all(&self) {
        self.waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    fn complain(&self, error: &dyn std::error::Error) {
        self.enqueuer.program_log().write(&with_causes(error));
    }
}

/// Says 421 to a client that nobody can serve.
fn turn_away(mut stream: &TcpStream) {
    // Whether the client hears it or not, the connection ends here.
    drop(stream.write_all(b"421 4.3.2 Service not available now, try again later\r\n"));
}

fn drain(mut ended: &UnixStream) {
    let mut buffer = [0; 256];
    while ended
        .read(&mut buffer)
        .is_ok_and(|count| count == buffer.len())
    {}
}
