//! Daemons that do nothing but be there: they hold their lock, greet on their control socket,
//! and end when they are told to. The Dispatcher accepts connections and closes them.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use mta_ipc::control::{ControlSocket, Slot};
use mta_ipc::dispatcher::{Reply, Request};
use mta_ipc::endpoint::Listener;
use mta_ipc::listeners;
use mta_process::lock::{self, Lock};
use mta_process::poll::{Interest, Poll};
use mta_process::signal::{Signal, Signals};

#[derive(Clone, Copy)]
enum Source {
    Signals,
    Control(Slot),
    Listener(usize),
}

pub(crate) fn play(program: &str) {
    if Path::new(&format!("{program}-cannot-start")).exists() {
        std::process::exit(3);
    }
    let name = if program == "imsched" {
        "sched"
    } else {
        program
    };
    let mut signals = Signals::listen(&[Signal::Terminate, Signal::User1]).unwrap();
    let config = mta_process::start::server_root().unwrap().join("config");
    let lock = lock::daemon_path(&config, name);
    let _lock = Lock::acquire_within(&lock, Duration::from_secs(5))
        .unwrap()
        .unwrap();
    let (listeners, _watcher) = if name == "dispatcher" {
        let (listeners, watcher) = listeners::take_over().unwrap();
        (listeners, Some(watcher))
    } else {
        (Vec::new(), None)
    };
    let listener = Listener::bind(&config, name).unwrap();
    let mut control: ControlSocket<Request, Reply> = ControlSocket::new(listener, name);
    loop {
        let mut poll = Poll::new();
        poll.watch(signals.as_fd(), Interest::Read, Source::Signals);
        for (slot, descriptor, writing) in control.watched() {
            poll.watch(
                descriptor,
                Interest::reading_and(writing),
                Source::Control(slot),
            );
        }
        for (number, listener) in listeners.iter().enumerate() {
            poll.watch(
                listener.socket.as_fd(),
                Interest::Read,
                Source::Listener(number),
            );
        }
        for (source, _) in poll.wait(None).unwrap() {
            match source {
                Source::Signals => {
                    if !signals.take().is_empty() {
                        return;
                    }
                }
                Source::Control(slot) => {
                    for asked in control.serve(slot).unwrap() {
                        control.reply(asked.from, &Reply::Ok).unwrap();
                    }
                }
                Source::Listener(number) => drop(listeners[number].socket.accept()),
            }
        }
    }
}
