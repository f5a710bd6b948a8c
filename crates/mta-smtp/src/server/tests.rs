//! Transcripts of sessions: `C:` what the client sends, `S:` what it must get, `P:` what the
//! policy must have been told since. After each `C:` line everything that the server said must
//! have been listed before the next one.
//!
//! In `C:` lines `\r`, `\n`, `\0` and `\xNN` stand for octets; CRLF is added unless the line
//! begins with `C+`.

mod content;
mod order;
pub(crate) mod policy;
mod properties;
mod syntax;
pub(crate) mod tls_auth;

use std::collections::VecDeque;

use super::{Session, Step};
use crate::line::Input;
use policy::TestPolicy;

/// Plays `script` with the policy of [`TestPolicy::new`].
fn play(script: &str) {
    play_with(TestPolicy::new(), script);
}

fn play_with(mut policy: TestPolicy, script: &str) {
    let limits = policy.limits.clone();
    let mut player = Player {
        session: Session::new(limits),
        input: Input::default(),
        said: VecDeque::new(),
        closed: false,
    };
    player.run(&mut policy);
    for (number, line) in script.lines().enumerate() {
        let line = line.trim_start();
        let context = format!("script line {}: {line}", number + 1);
        if let Some(sent) = line
            .strip_prefix("C: ")
            .or(Some("").filter(|_| line == "C:"))
        {
            player.quiet(&context);
            player.send(&[unescape(sent), b"\r\n".to_vec()].concat(), &mut policy);
        } else if let Some(sent) = line.strip_prefix("C+ ") {
            player.quiet(&context);
            player.send(&unescape(sent), &mut policy);
        } else if let Some(expected) = line.strip_prefix("S: ") {
            let said = player.said.pop_front();
            assert_eq!(said.as_deref(), Some(expected), "{context}");
        } else if let Some(expected) = line.strip_prefix("P: ") {
            let told = policy.told.pop_front();
            assert_eq!(told.as_deref(), Some(expected), "{context}");
        } else {
            assert_eq!(line, "", "{context}");
        }
    }
    player.quiet("end of script");
    assert_eq!(policy.told, Vec::<String>::new(), "events not listed");
}

struct Player {
    session: Session,
    input: Input,
    said: VecDeque<String>,
    closed: bool,
}

impl Player {
    fn quiet(&self, context: &str) {
        assert_eq!(self.said, Vec::<String>::new(), "before {context}");
    }

    fn send(&mut self, bytes: &[u8], policy: &mut TestPolicy) {
        assert!(!self.closed, "the session is closed");
        self.input.push(bytes);
        self.run(policy);
    }

    fn run(&mut self, policy: &mut TestPolicy) {
        loop {
            let step = self.session.step(&mut self.input, policy);
            let output = self.session.take_output();
            let text: String = output.iter().map(|&b| char::from(b)).collect();
            assert!(text.is_empty() || text.ends_with("\r\n"), "{text:?}");
            self.said
                .extend(text.split_terminator("\r\n").map(str::to_owned));
            match step {
                Step::Write => {}
                Step::Read(_) => return,
                Step::Pause(_) => self.input.clear(),
                Step::StartTls(_) => {
                    self.input.clear();
                    self.session.tls_started(&policy::negotiated(), policy);
                }
                Step::Close => {
                    self.said.push_back("<closed>".to_owned());
                    self.closed = true;
                    return;
                }
            }
        }
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let escaped = (byte == b'\\').then(|| rest.next());
        bytes.push(match escaped {
            None => byte,
            Some(Some(b'r')) => b'\r',
            Some(Some(b'n')) => b'\n',
            Some(Some(b'0')) => 0,
            Some(Some(b'\\')) => b'\\',
            Some(Some(b'x')) => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => panic!("escape {other:?}"),
        });
    }
    bytes
}
