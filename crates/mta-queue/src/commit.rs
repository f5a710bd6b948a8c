//! Making written files durable, several messages at a time.
//!
//! Sessions hand over files that are completely written under temporary names. At any moment
//! at most one commit runs in a process; what arrives meanwhile waits and is made durable
//! together by the next one. The session whose files wait alone commits at once, on its own
//! thread; when it is done it passes the duty to one of those that came meanwhile. So there is
//! no helper thread to start, to wake or to lose, and an idle process has none.
//!
//! ```text
//! one file      rename        fsync(file)     fsync(directory)
//! more          rename all    syncfs(queue)                    if the file system is known
//! otherwise     rename all    fsync each      fsync each directory
//! ```
//!
//! Renaming before syncing is safe because an end record tells a file that is not complete,
//! and nobody was told of it yet; it saves a commit of the file system's journal, for the sync
//! of the file brings its new name along. Every file stays locked until its fate is known, so
//! no reader acts on a name that may still be taken back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::directory::{Directory, Root};
use crate::error::QueueError;
use crate::sync;

/// A complete file under its temporary name. Dropping it removes it, unless it became durable.
#[derive(Debug)]
pub(crate) struct Written {
    file: File,
    directory: Arc<Directory>,
    temporary: String,
    last: String,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Temporary,
    Placed,
    Durable,
}

impl Written {
    /// `file` is `directory`'s `temporary` and is to be called `last`.
    pub(crate) const fn new(
        file: File,
        directory: Arc<Directory>,
        temporary: String,
        last: String,
    ) -> Self {
        Self {
            file,
            directory,
            temporary,
            last,
            state: State::Temporary,
        }
    }

    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Makes the file durable and puts it over the file that has its last name. The caller
    /// syncs the directory.
    pub(crate) fn replace(mut self) -> io::Result<File> {
        sync::file(&self.file)?;
        self.directory.replace(&self.temporary, &self.last)?;
        self.state = State::Durable;
        self.file.try_clone()
    }

    fn place(&mut self) -> io::Result<()> {
        self.directory.rename(&self.temporary, &self.last)?;
        self.state = State::Placed;
        Ok(())
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let name = match self.state {
            State::Temporary => &self.temporary,
            State::Placed => &self.last,
            State::Durable => return,
        };
        // If even this fails, the file was never acknowledged: a stale temporary is cleaned up
        // later, and a file under its last name is at worst a duplicate.
        drop(self.directory.unlink(name));
    }
}

/// The files of one message, and where its session waits.
struct Ticket {
    files: Vec<Written>,
    answer: Sender<Word>,
}

enum Word {
    /// Commit what waits now, your own files among it.
    Lead,
    Done(Result<(), Failure>),
}

/// A failed step, told to every session of the batch.
#[derive(Debug, Clone)]
struct Failure {
    action: &'static str,
    path: std::path::PathBuf,
    kind: io::ErrorKind,
    errno: Option<i32>,
}

impl Failure {
    fn new(action: &'static str, path: &std::path::Path, error: &io::Error) -> Self {
        Self {
            action,
            path: path.to_owned(),
            kind: error.kind(),
            errno: error.raw_os_error(),
        }
    }

    fn into_error(self) -> QueueError {
        let source = self
            .errno
            .map_or_else(|| self.kind.into(), io::Error::from_raw_os_error);
        QueueError::io(self.action, self.path, source)
    }
}

/// The one place of a process where files become durable.
pub(crate) struct Committer {
    waiting: Mutex<Waiting>,
    together: bool,
}

#[derive(Default)]
struct Waiting {
    tickets: Vec<Ticket>,
    led: bool,
}

impl Committer {
    pub(crate) fn new(root: &Root) -> Self {
        Self {
            waiting: Mutex::default(),
            together: sync::file_system_covers_files(root),
        }
    }

    /// Makes the files of one message durable under their last names, all or none.
    pub(crate) fn commit(&self, root: &Root, files: Vec<Written>) -> Result<(), QueueError> {
        let (answer, word) = channel();
        let lead = {
            let mut waiting = self.lock();
            waiting.tickets.push(Ticket { files, answer });
            !std::mem::replace(&mut waiting.led, true)
        };
        if lead {
            self.lead(root);
        }
        self.wait(root, &word)
    }

    fn wait(&self, root: &Root, word: &Receiver<Word>) -> Result<(), QueueError> {
        loop {
            match word.recv() {
                Ok(Word::Lead) => self.lead(root),
                Ok(Word::Done(result)) => return result.map_err(Failure::into_error),
                // The leader panicked; our files went with its batch.
                Err(_) => return Err(QueueError::GivenUp),
            }
        }
    }

    fn lead(&self, root: &Root) {
        // Passes the duty on whatever happens below.
        let _next = Next(self);
        let tickets = std::mem::take(&mut self.lock().tickets);
        for (ticket, result) in make_durable(root, tickets, self.together) {
            // Files that failed are removed before anybody hears of it.
            drop(ticket.files);
            // A session that is gone needs no answer; its message is in the queue or not.
            drop(ticket.answer.send(Word::Done(result)));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Next<'a>(&'a Committer);

impl Drop for Next<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        let passed = waiting
            .tickets
            .iter()
            .any(|ticket| ticket.answer.send(Word::Lead).is_ok());
        waiting.led = passed;
    }
}

type Settled = Vec<(Ticket, Result<(), Failure>)>;

fn make_durable(root: &Root, tickets: Vec<Ticket>, together: bool) -> Settled {
    let files: usize = tickets.iter().map(|ticket| ticket.files.len()).sum();
    let (placed, mut settled) = place_all(tickets);
    let result = if together && files > 1 {
        sync::file_system(root).map_err(|error| Failure::new("sync the queue", root.path(), &error))
    } else {
        sync_files(&placed).and_then(|()| sync_directories(&placed))
    };
    settled.extend(finish(placed, &result));
    settled
}

/// Renames all files; a message of which one cannot be renamed is settled by that.
fn place_all(tickets: Vec<Ticket>) -> (Vec<Ticket>, Settled) {
    let (mut placed, mut settled) = (Vec::with_capacity(tickets.len()), Vec::new());
    for mut ticket in tickets {
        let result = ticket.files.iter_mut().try_for_each(|written| {
            written.place().map_err(|error| {
                Failure::new("rename a message file", written.directory.path(), &error)
            })
        });
        match result {
            Ok(()) => placed.push(ticket),
            Err(failure) => settled.push((ticket, Err(failure))),
        }
    }
    (placed, settled)
}

fn sync_files(tickets: &[Ticket]) -> Result<(), Failure> {
    for written in tickets.iter().flat_map(|ticket| &ticket.files) {
        sync::file(&written.file).map_err(|error| {
            Failure::new("sync a message file", written.directory.path(), &error)
        })?;
    }
    Ok(())
}

fn sync_directories(tickets: &[Ticket]) -> Result<(), Failure> {
    let mut directories = BTreeMap::new();
    for written in tickets.iter().flat_map(|ticket| &ticket.files) {
        directories.insert(written.directory.id(), &written.directory);
    }
    for directory in directories.values() {
        sync::directory(directory.as_fd())
            .map_err(|error| Failure::new("sync a directory", directory.path(), &error))?;
    }
    Ok(())
}

fn finish(tickets: Vec<Ticket>, result: &Result<(), Failure>) -> Settled {
    tickets
        .into_iter()
        .map(|mut ticket| {
            if result.is_ok() {
                for written in &mut ticket.files {
                    written.state = State::Durable;
                }
            }
            (ticket, result.clone())
        })
        .collect()
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
