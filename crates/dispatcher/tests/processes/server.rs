//! A server process for these tests: greets with its process number and the word in the file
//! `generation`, and echoes lines. Files in the server root make it misbehave.

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mta_ipc::handover::{Arrival, Order, ServerEnd};
use mta_process::poll::{Interest, Poll};

type Sessions = Arc<Mutex<Vec<std::net::TcpStream>>>;

pub(crate) fn serve() {
    if Path::new("die-at-start").exists() {
        std::process::exit(3);
    }
    if Path::new("close-at-start").exists() {
        drop(ServerEnd::from_stdin().unwrap());
        // The Dispatcher hears of the closed end before it hears of the death.
        std::thread::sleep(Duration::from_millis(50));
        std::process::exit(3);
    }
    let generation = std::fs::read_to_string("generation").unwrap_or_default();
    let end = Arc::new(ServerEnd::from_stdin().unwrap());
    end.ready("fixed", "reloadable").unwrap();
    let active = Arc::new(AtomicUsize::new(0));
    let sessions: Sessions = Arc::default();
    let mut leaving = false;
    loop {
        if leaving && active.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut poll = Poll::new();
        poll.watch(end.as_fd(), Interest::Read, ());
        let soon = Instant::now() + Duration::from_millis(20);
        if poll.wait(Some(soon)).unwrap().is_empty() {
            continue;
        }
        match end.receive() {
            Ok(Order::Serve(arrival)) => {
                if std::fs::remove_file("die-before-taken").is_ok() {
                    std::process::abort();
                }
                if std::fs::remove_file("hang-before-taken").is_ok() {
                    loop {
                        std::thread::park();
                    }
                }
                while Path::new("slow").exists() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                end.taken(arrival.id).unwrap();
                active.fetch_add(1, Ordering::SeqCst);
                if Path::new("brief").exists() {
                    greet(&arrival.stream, &generation);
                    end.closed(arrival.id).unwrap();
                    active.fetch_sub(1, Ordering::SeqCst);
                    continue;
                }
                let copy = arrival.stream.try_clone().unwrap();
                sessions.lock().unwrap().push(copy);
                let (end, active, generation) =
                    (Arc::clone(&end), Arc::clone(&active), generation.clone());
                std::thread::spawn(move || {
                    let id = arrival.id;
                    session(arrival, &generation);
                    // The Dispatcher may be gone.
                    drop(end.closed(id));
                    active.fetch_sub(1, Ordering::SeqCst);
                });
            }
            Ok(Order::Retire) => leaving = true,
            Ok(Order::Shutdown) => {
                leaving = true;
                for mut stream in sessions.lock().unwrap().drain(..) {
                    drop(stream.write_all(b"421 closing\r\n"));
                    drop(stream.shutdown(Shutdown::Both));
                }
            }
            Ok(Order::Reload) => end.ready("fixed", "reloaded").unwrap(),
            Ok(Order::Orphaned) | Err(_) => {
                while active.load(Ordering::SeqCst) > 0 {
                    std::thread::park_timeout(Duration::from_millis(5));
                }
                return;
            }
        }
    }
}

fn greet(mut stream: &std::net::TcpStream, generation: &str) {
    // A client that has gone is not greeted.
    drop(write!(
        stream,
        "220 {} {generation}\r\n",
        std::process::id()
    ));
}

fn session(arrival: Arrival, generation: &str) {
    let mut stream = arrival.stream;
    greet(&stream, generation);
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|count| count > 0) {
        if stream.write_all(line.as_bytes()).is_err() {
            return;
        }
        line.clear();
    }
    drop(stream.shutdown(Shutdown::Both));
}
