//! A recording SMTP peer that answers as told: the remote host of a test.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A message as it arrived, dots unstuffed, CRLF line ends kept.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) message: Vec<u8>,
    /// When it was accepted.
    pub(crate) at: Instant,
}

/// What the peer does at one step instead of saying yes.
#[derive(Debug, Clone)]
pub(crate) enum Odd {
    /// This reply (without CRLF) to a command that begins so; `DOT` is the end of data.
    Reply(&'static str, String),
    /// Close the connection there.
    Close(&'static str),
    /// Say nothing there and keep the connection.
    Hang(&'static str),
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    commands: Vec<String>,
    odd: Vec<Odd>,
    once: VecDeque<Odd>,
    extensions: Vec<String>,
    connections: usize,
}

/// The peer. It listens until it is dropped.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<std::sync::atomic::AtomicBool>,
}

impl Sink {
    /// Listens on `127.0.0.HOST:PORT`.
    pub(crate) fn listen(host: u8, port: u16) -> Self {
        let address = SocketAddr::from(([127, 0, 0, host], port));
        let listener = TcpListener::bind(address).unwrap_or_else(|e| panic!("{address}: {e}"));
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            extensions: vec![
                "8BITMIME".into(),
                "PIPELINING".into(),
                "SIZE 0".into(),
                "DSN".into(),
            ],
            ..State::default()
        }));
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (shared, ending) = (Arc::clone(&state), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ending.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        Self {
            address,
            state,
            stop,
        }
    }

    /// Does `odd` each time from now on.
    pub(crate) fn always(&self, odd: Odd) -> &Self {
        self.state.lock().unwrap().odd.push(odd);
        self
    }

    /// Does `odd` once.
    pub(crate) fn once(&self, odd: Odd) -> &Self {
        self.state.lock().unwrap().once.push_back(odd);
        self
    }

    /// Answers everything with yes again.
    pub(crate) fn relent(&self) {
        let mut state = self.state.lock().unwrap();
        state.odd.clear();
        state.once.clear();
    }

    /// Offers exactly these extensions.
    pub(crate) fn offer(&self, extensions: &[&str]) -> &Self {
        self.state.lock().unwrap().extensions =
            extensions.iter().map(ToString::to_string).collect();
        self
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.state.lock().unwrap().commands.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// Waits for at least `count` messages.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Received> {
        super::wait_for(&format!("{count} messages at {}", self.address), || {
            Some(self.received()).filter(|found| found.len() >= count)
        })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        // Wakes the listener, which then ends; if nobody listens any more that is as well.
        drop(TcpStream::connect_timeout(
            &self.address,
            Duration::from_secs(1),
        ));
    }
}

enum Next {
    Say(String),
    Close,
    Hang,
}

fn answer(state: &Mutex<State>, step: &str, usual: &str) -> Next {
    let mut state = state.lock().unwrap();
    let is_here = |odd: &Odd| {
        let (Odd::Reply(at, _) | Odd::Close(at) | Odd::Hang(at)) = odd;
        step.to_ascii_uppercase()
            .starts_with(&at.to_ascii_uppercase())
    };
    let odd = match state.once.iter().position(is_here) {
        Some(index) => state.once.remove(index),
        None => state.odd.iter().find(|odd| is_here(odd)).cloned(),
    };
    match odd {
        None => Next::Say(usual.to_owned()),
        Some(Odd::Reply(_, text)) => Next::Say(text),
        Some(Odd::Close(_)) => Next::Close,
        Some(Odd::Hang(_)) => Next::Hang,
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    state.lock().unwrap().connections += 1;
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut out = stream.try_clone().unwrap();
    let mut speak = |step: &str, usual: &str| -> Option<bool> {
        match answer(state, step, usual) {
            Next::Say(text) => {
                out.write_all(format!("{text}\r\n").as_bytes()).ok()?;
                Some(text.starts_with(['2', '3']))
            }
            Next::Close => None,
            Next::Hang => {
                std::thread::park_timeout(Duration::from_secs(120));
                None
            }
        }
    };
    let mut current = Received {
        from: String::new(),
        to: Vec::new(),
        message: Vec::new(),
        at: Instant::now(),
    };
    if speak("BANNER", "220 sink.example.org ESMTP ready").is_none() {
        return;
    }
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
            return;
        }
        let command = String::from_utf8_lossy(&line).trim_end().to_owned();
        state.lock().unwrap().commands.push(command.clone());
        let verb = command
            .split([' ', ':'])
            .next()
            .unwrap_or("")
            .to_ascii_uppercase();
        let done = match verb.as_str() {
            "EHLO" => {
                let mut lines = vec!["sink.example.org".to_owned()];
                lines.extend(state.lock().unwrap().extensions.iter().cloned());
                let last = lines.len() - 1;
                let text: Vec<String> = lines
                    .iter()
                    .enumerate()
                    .map(|(i, l)| format!("250{}{l}", if i == last { ' ' } else { '-' }))
                    .collect();
                speak(&command, &text.join("\r\n"))
            }
            "MAIL" => {
                let said = speak(&command, "250 2.1.0 Ok");
                current = Received {
                    from: path(&command),
                    to: Vec::new(),
                    message: Vec::new(),
                    at: Instant::now(),
                };
                said
            }
            "RCPT" => {
                let said = speak(&command, "250 2.1.5 Recipient ok");
                if said == Some(true) {
                    current.to.push(path(&command));
                }
                said
            }
            "DATA" => match speak(&command, "354 go ahead") {
                Some(true) => {
                    let Some(message) = read_data(&mut reader) else {
                        return;
                    };
                    current.message = message;
                    current.at = Instant::now();
                    let said = speak("DOT", "250 2.0.0 stored");
                    if said == Some(true) {
                        state.lock().unwrap().received.push(current.clone());
                    }
                    said
                }
                other => other,
            },
            "QUIT" => {
                let _last_word = speak(&command, "221 2.0.0 bye");
                return;
            }
            "RSET" | "NOOP" | "HELO" => speak(&command, "250 2.0.0 Ok"),
            _ => speak(&command, "500 5.5.1 what?"),
        };
        if done.is_none() {
            return;
        }
    }
}

fn read_data(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        if line == b".\r\n" {
            return Some(message);
        }
        message.extend_from_slice(if line.first() == Some(&b'.') {
            &line[1..]
        } else {
            &line
        });
    }
}

fn path(command: &str) -> String {
    let inside = command
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or_else(String::new, |(path, _)| path.to_owned())
}
