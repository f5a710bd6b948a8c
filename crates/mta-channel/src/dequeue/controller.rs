//! A master program's conversation with the Job Controller.
//!
//! All threads share one connection; each has its own `Next` outstanding. If the connection ends,
//! nothing is lost: what was settled is settled on disk, and what was in hand stays in the queue.

use std::time::Duration;

use mta_config::ServerRoot;
use mta_envelope::names::ChannelName;
use mta_ipc::job_controller::{DAEMON, JobId, Reply, Request, Settlement, Work, WorkId};
use mta_ipc::{Client, IpcError};

use super::MasterError;

/// How long the Job Controller may take to answer what it can answer at once.
const PROMPTLY: Duration = Duration::from_secs(60);

/// How long a thread waits for work before it lets its connection go.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a thread is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// Deliver this.
    Deliver(Work),
    /// End.
    Exit,
}

/// The job that this process is.
#[derive(Debug)]
pub(super) struct Controller {
    client: Client<Request, Reply>,
    job: JobId,
}

impl Controller {
    /// Announces this process: over standard input, or over the control socket when the channel
    /// is run by hand.
    pub(super) fn connect(
        root: &ServerRoot,
        program: &str,
        channel: &ChannelName,
        threads: u16,
        by_hand: bool,
    ) -> Result<Self, MasterError> {
        let client = if by_hand {
            Client::connect(&root.config(), DAEMON, program, PROMPTLY)?
        } else {
            Client::inherited(program, PROMPTLY)?
        };
        Self::announce(client, channel, threads, by_hand)
    }

    fn announce(
        client: Client<Request, Reply>,
        channel: &ChannelName,
        threads: u16,
        by_hand: bool,
    ) -> Result<Self, MasterError> {
        let request = Request::Job {
            channel: channel.clone(),
            pid: std::process::id(),
            threads,
            run: by_hand,
        };
        match client.call(&request, PROMPTLY)? {
            Reply::Job(job) => Ok(Self { client, job }),
            Reply::Refused(reason) => Err(MasterError::Refused { reason }),
            other => Err(unexpected(&other).into()),
        }
    }

    /// Settles what is `done` and waits for the next order of `thread`, preferably for `host`.
    /// `idle` is called once if there is nothing to do for a while.
    pub(super) fn next(
        &self,
        thread: u16,
        host: Option<String>,
        done: Vec<(WorkId, Settlement)>,
        idle: impl FnOnce(),
    ) -> Result<Order, IpcError> {
        let asked = self.client.ask(&Request::Next {
            job: self.job,
            thread,
            host,
            done,
        })?;
        let reply = match asked.wait(PATIENCE) {
            Err(IpcError::TimedOut) => {
                idle();
                asked.wait(Duration::MAX)?
            }
            other => other?,
        };
        match reply {
            Reply::Work(work) => Ok(Order::Deliver(work)),
            // A second `Next` of this thread, or a job that is not known any more.
            Reply::Exit | Reply::Refused(_) => Ok(Order::Exit),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(reply: &Reply) -> IpcError {
    IpcError::Malformed {
        reason: format!("unexpected answer {reply:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_envelope::names::{FileName, Place};
    use mta_ipc::endpoint::Connection;
    use mta_ipc::frame;
    use std::cell::Cell;
    use std::os::unix::net::UnixStream;
    use std::thread;

    /// Plays the Job Controller: answers each request with the next of `answers`, and returns
    /// what it was asked.
    fn play(stream: UnixStream, answers: Vec<Reply>) -> Vec<Request> {
        let kept = stream.try_clone().unwrap();
        Connection::greet(stream, DAEMON, PROMPTLY).unwrap();
        let mut asked = Vec::new();
        for answer in answers {
            let (id, request): (u32, Request) = frame::read(&mut &kept).unwrap();
            asked.push(request);
            frame::write(&mut &kept, &(id, answer)).unwrap();
        }
        asked
    }

    fn with_controller<T>(
        answers: Vec<Reply>,
        test: impl FnOnce(Result<Controller, MasterError>) -> T,
    ) -> (T, Vec<Request>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let daemon = thread::spawn(move || play(theirs, answers));
        let client = Client::over(Connection::greet(ours, "ims_master", PROMPTLY).unwrap());
        let channel = ChannelName::new("ims-ms").unwrap();
        let result = test(Controller::announce(client.unwrap(), &channel, 2, false));
        (result, daemon.join().unwrap())
    }

    fn work() -> Work {
        Work {
            id: WorkId(7),
            place: Place {
                subdir: Some(1),
                file: FileName::first("abcdefghijk").unwrap(),
            },
            host: String::new(),
            deaths: 0,
            first: true,
        }
    }

    #[test]
    fn a_job_asks_until_it_is_told_to_exit() {
        let answers = vec![Reply::Job(JobId(3)), Reply::Work(work()), Reply::Exit];
        let ((), asked) = with_controller(answers, |controller| {
            let controller = controller.unwrap();
            let idle = Cell::new(0);
            let count = || idle.set(idle.get() + 1);
            let order = controller.next(0, None, Vec::new(), count).unwrap();
            assert_eq!(order, Order::Deliver(work()));
            let done = vec![(WorkId(7), Settlement::Removed)];
            let order = controller.next(0, None, done, count).unwrap();
            assert_eq!(order, Order::Exit);
            assert_eq!(idle.get(), 0);
        });
        assert!(matches!(
            &asked[2],
            Request::Next { job: JobId(3), done, .. } if done.len() == 1
        ));
    }

    #[test]
    fn a_refused_job_says_why() {
        let answers = vec![Reply::Refused("no such channel".into())];
        with_controller(answers, |controller| {
            assert!(matches!(
                controller,
                Err(MasterError::Refused { reason }) if reason == "no such channel"
            ));
        });
    }

    #[test]
    fn a_dead_controller_ends_the_wait() {
        with_controller(vec![Reply::Job(JobId(3))], |controller| {
            let order = controller.unwrap().next(0, None, Vec::new(), || ());
            assert!(matches!(order, Err(IpcError::Closed)));
        });
    }
}
