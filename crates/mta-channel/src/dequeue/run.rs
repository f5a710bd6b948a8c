//! The loop of every master program: threads that ask, deliver and settle until they are told
//! to end.
//!
//! A thread ends only between two messages. It ends when the Job Controller says so (nothing to
//! do, channel stopped, life limits reached) and when the Job Controller is gone.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mta_config::{Channel, ChannelOption, Config, MtaOption, ServerRoot};
use mta_envelope::names::ChannelName;
use mta_log::program::ProgramLog;

use super::MasterError;
use super::attempt::{Slot, Workplace};
use super::controller::{Controller, Order};
use super::debug::DebugLog;
use super::deliverer::Deliverer;
use super::gate::Gate;
use super::outbox::Outbox;
use super::records::Records;
use crate::enqueue::Enqueuer;
use crate::notify::Policy;

/// Virtual memory for a thread's stack; what is not used costs nothing.
const STACK: usize = 1024 * 1024;

/// How long the end waits for the Job Controller to hear of what was enqueued.
const FLUSH: Duration = Duration::from_secs(5);

/// Which channel a master program serves, and how it was started.
#[derive(Debug, Clone)]
pub struct MasterSetup {
    /// Where everything lies.
    pub root: ServerRoot,
    /// The configuration for the whole run.
    pub config: Arc<Config>,
    /// The channel.
    pub channel: ChannelName,
    /// The program's name.
    pub program: &'static str,
    /// How many messages it can have in hand at once.
    pub threads: u16,
    /// Whether it was started by an operator: the Job Controller is called at its control
    /// socket, and what happens is told to the terminal.
    pub by_hand: bool,
}

/// What a deliverer may use of the thread it lives in.
#[derive(Debug, Clone)]
pub struct JobThread {
    /// Its number, from 0.
    pub number: u16,
    /// Where everything lies.
    pub root: ServerRoot,
    /// The configuration for the whole run.
    pub config: Arc<Config>,
    /// The channel it serves.
    pub channel: ChannelName,
    /// Where debugging lines go.
    pub debug: DebugLog,
    /// Queue, directory, transaction log, and the way in for mail that goes on.
    pub enqueuer: Enqueuer,
}

/// Serves a channel until the Job Controller has nothing more to do for this process. `make`
/// gives each thread its deliverer, and a new one after a panic.
///
/// # Errors
/// [`MasterError`] when the work cannot begin. What happens to single messages is no error.
pub fn run_master(
    setup: &MasterSetup,
    make: &(dyn Fn(&JobThread) -> Box<dyn Deliverer> + Sync),
) -> Result<(), MasterError> {
    let channel =
        setup
            .config
            .channel(&setup.channel)
            .ok_or_else(|| MasterError::NoSuchChannel {
                channel: setup.channel.clone(),
            })?;
    let (debug, log) = logs(setup, channel);
    let config = Arc::clone(&setup.config);
    let enqueuer = Enqueuer::with_log(config, &setup.root, setup.program, log)?;
    let threads = setup.threads.max(1);
    let controller = Controller::connect(
        &setup.root,
        setup.program,
        &setup.channel,
        threads,
        setup.by_hand,
    )?;
    let outbox = Outbox::new(enqueuer.clone(), &setup.root);
    let policy = Policy::of(&setup.config, channel);
    let job = Job {
        controller: &controller,
        channel,
        policy: &policy,
        outbox: &outbox,
        make,
    };
    debug.line(|| {
        format!(
            "{} serves {} with {threads} threads, process {}",
            setup.program,
            setup.channel,
            std::process::id()
        )
    });
    let ended = thread::scope(|scope| {
        for number in 0..threads {
            let thread = JobThread {
                number,
                root: setup.root.clone(),
                config: Arc::clone(&setup.config),
                channel: setup.channel.clone(),
                debug: debug.clone(),
                enqueuer: enqueuer.clone(),
            };
            let job = &job;
            thread::Builder::new()
                .name(format!("{} {number}", setup.channel))
                .stack_size(STACK)
                .spawn_scoped(scope, move || job.serve(&thread))
                .map(drop)
                .or_else(|error| {
                    if number == 0 {
                        Err(MasterError::Thread(error))
                    } else {
                        Ok(())
                    }
                })?;
        }
        Ok(())
    });
    enqueuer.flush_hints(FLUSH);
    ended
}

/// `CHANNEL_master.log-UNIQUEID`, or the terminal as well.
fn logs(setup: &MasterSetup, channel: &Channel) -> (DebugLog, Arc<ProgramLog>) {
    let name = format!("{}_master", setup.channel);
    let log = Arc::new(ProgramLog::on_demand(&setup.root.log(), &name));
    let wanted =
        channel.is(ChannelOption::MasterDebug) || setup.config.mta.int(MtaOption::MmDebug) > 0;
    let debug = match (setup.by_hand, wanted) {
        (true, true) => DebugLog::to_terminal(Some(Arc::clone(&log))),
        (true, false) => DebugLog::to_terminal(None),
        (false, wanted) => DebugLog::to_file(Arc::clone(&log), wanted),
    };
    (debug, log)
}

/// What all threads of a job share.
struct Job<'a> {
    controller: &'a Controller,
    channel: &'a Channel,
    policy: &'a Policy,
    outbox: &'a Outbox,
    make: &'a (dyn Fn(&JobThread) -> Box<dyn Deliverer> + Sync),
}

impl Job<'_> {
    fn serve(&self, thread: &JobThread) {
        let make = || (self.make)(thread);
        let mut slot = Slot::new(&make);
        let lookups = thread.enqueuer.lookups(&thread.config);
        let workplace = Workplace {
            queue: thread.enqueuer.queue(),
            channel: self.channel,
            policy: self.policy,
            records: Records {
                writer: thread.enqueuer.log(),
                channel: self.channel,
                debug: &thread.debug,
                block_size: thread.config.block_size(),
                thread: Some(u32::from(thread.number) + 1),
            },
            notices: self.outbox,
            debug: &thread.debug,
            gate: Some(Gate {
                config: &thread.config,
                callouts: &lookups,
            }),
        };
        let mut done = Vec::new();
        let mut host: Option<String> = None;
        loop {
            let settled = std::mem::take(&mut done);
            let idle = || slot.finish_host();
            let order = self
                .controller
                .next(thread.number, host.clone(), settled, idle);
            let work = match order {
                Ok(Order::Deliver(work)) => work,
                Ok(Order::Exit) => break,
                Err(error) => {
                    thread
                        .debug
                        .line(|| format!("the Job Controller is gone: {error}"));
                    break;
                }
            };
            if host.as_ref().is_some_and(|last| *last != work.host) {
                slot.finish_host();
            }
            host = Some(work.host.clone()).filter(|host| !host.is_empty());
            let settlement = workplace.work(&work, &mut slot);
            done.push((work.id, settlement));
        }
        slot.finish_host();
    }
}
