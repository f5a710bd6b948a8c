//! Starting channel programs, and listening to what they say on standard error.

use mta_config::ServerRoot;
use mta_envelope::names::ChannelName;
use mta_process::child::Children;
use mta_process::privilege;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Longest line that is kept of what a program says.
const LONGEST_LINE: usize = 2_000;

/// Most octets read from one program in one turn.
const A_TURN: usize = 16 * 1024;

/// What a program says on standard error.
#[derive(Debug)]
pub(super) struct Complaints {
    stream: UnixStream,
    pub(super) pid: u32,
    pub(super) channel: ChannelName,
    line: Vec<u8>,
}

/// Starts `command` for `channel` with `connection` as its standard input.
///
/// It gets a process group of its own, so that a signal from a terminal that reaches us does not
/// cut it off in the middle of a message.
pub(super) fn start(
    children: &mut Children,
    root: &ServerRoot,
    channel: &ChannelName,
    command: &str,
    connection: OwnedFd,
) -> io::Result<Complaints> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let (path, arguments) = words(root, command);
    let mut child: Command = privilege::command(&path, None);
    child
        .args(arguments)
        .env("SERVERROOT", root.root())
        .env("IMTA_CHANNEL", channel.as_str())
        .current_dir(root.root())
        .process_group(0)
        .stdin(Stdio::from(connection))
        .stdout(Stdio::null())
        .stderr(Stdio::from(OwnedFd::from(theirs)));
    let pid = children.spawn(&mut child)?;
    Ok(Complaints {
        stream: ours,
        pid,
        channel: channel.clone(),
        line: Vec::new(),
    })
}

/// The program and its arguments. A file whose name has blanks is found before they are taken
/// for separators.
fn words(root: &ServerRoot, command: &str) -> (PathBuf, Vec<String>) {
    let whole = root.resolve(command.trim());
    let mut words = command.split_whitespace();
    match words.next() {
        Some(first) if !whole.exists() => (root.resolve(first), words.map(str::to_owned).collect()),
        _ => (whole, Vec::new()),
    }
}

impl Complaints {
    /// The lines that have come, and whether the program has closed its standard error.
    pub(super) fn read(&mut self) -> (Vec<String>, bool) {
        let mut lines = Vec::new();
        let mut bytes = [0; 4_096];
        let mut ended = false;
        for _ in 0..A_TURN / bytes.len() {
            match (&self.stream).read(&mut bytes) {
                Ok(0) => ended = true,
                Ok(count) => {
                    self.take(&bytes[..count], &mut lines);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => ended = error.kind() != io::ErrorKind::WouldBlock,
            }
            break;
        }
        if ended && !self.line.is_empty() {
            lines.push(text(&std::mem::take(&mut self.line)));
        }
        (lines, ended)
    }

    fn take(&mut self, bytes: &[u8], lines: &mut Vec<String>) {
        for &byte in bytes {
            if byte == b'\n' {
                lines.push(text(&std::mem::take(&mut self.line)));
            } else if self.line.len() < LONGEST_LINE {
                self.line.push(byte);
            }
        }
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

impl AsFd for Complaints {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_may_have_arguments_or_blanks_in_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let root = ServerRoot::new(dir.path().to_owned());
        std::fs::create_dir(root.lib()).unwrap();
        std::fs::write(root.lib().join("my program"), "").unwrap();
        let (path, arguments) = words(&root, "IMTA_BIN:reprocess -x 1");
        assert_eq!(path, root.lib().join("reprocess"));
        assert_eq!(arguments, ["-x", "1"]);
        let (path, arguments) = words(&root, "IMTA_BIN:my program");
        assert_eq!(path, root.lib().join("my program"));
        assert!(arguments.is_empty());
    }

    #[test]
    fn complaints_come_in_lines_of_bounded_length() {
        use std::io::Write;
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut complaints = Complaints {
            stream: ours,
            pid: 1,
            channel: ChannelName::new("l").unwrap(),
            line: Vec::new(),
        };
        theirs.write_all(b"one\ntw").unwrap();
        assert_eq!(complaints.read(), (vec!["one".to_owned()], false));
        theirs.write_all(&[b'x'; 5_000]).unwrap();
        drop(theirs);
        let (lines, ended) = complaints.read();
        assert!(ended);
        assert_eq!(lines[0].len(), LONGEST_LINE);
    }
}
