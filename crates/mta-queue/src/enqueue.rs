//! Putting a message into the queue.
//!
//! A [`Draft`] collects header and body. Up to [`IN_MEMORY`] octets stay in memory; a larger
//! message goes straight to the file of its first plan, and the other files are copied from it
//! at the end. Nothing is visible under a message file's name before [`Draft::commit`], and a
//! draft that is dropped leaves nothing behind.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use mta_envelope::envelope::{Envelope, Priority};
use mta_envelope::names::{ChannelName, FileName, Place};

use crate::Queue;
use crate::commit::Written;
use crate::directory::Directory;
use crate::error::QueueError;
use crate::file::{self, Slice};
use crate::history::Attempt;
use crate::name;
use crate::record::Head;

/// Most octets of a message that a draft keeps in memory.
pub const IN_MEMORY: usize = 128 * 1024;

/// Octets collected before a large message's file is written to.
const CHUNK: usize = 64 * 1024;

/// A file that a message is to have.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The channel in whose queue it goes.
    pub channel: ChannelName,
    /// How many subdirectories that queue has; 0 for none.
    pub subdirs: u16,
    /// Sender and recipients. `size`, `priority` and `message_id` are filled in by the draft.
    pub envelope: Envelope,
    /// Why it is to be set aside at once, if it is.
    pub held: Option<String>,
}

/// A file that is in the queue.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Its channel.
    pub channel: ChannelName,
    /// Its place in the channel's directory.
    pub place: Place,
    /// The same from the root.
    pub path: PathBuf,
    /// Octets of the message.
    pub size: u64,
    /// What was written on the outside.
    pub envelope: Envelope,
}

/// A message on its way into the queue.
#[derive(Debug)]
pub struct Draft {
    queue: Queue,
    plans: Vec<Plan>,
    /// Content that is in no file yet.
    memory: Vec<u8>,
    spill: Option<Spill>,
    size: u64,
    ends_with_newline: bool,
    /// Octets of the header without the empty line, once it is there.
    header: Option<usize>,
    /// Header lines that came when the header was in the file already.
    late: Vec<u8>,
    given_up: bool,
    /// Most octets that are kept in memory.
    in_memory: usize,
}

/// The first plan's file, once the message is too large for memory.
#[derive(Debug)]
struct Spill {
    fresh: Fresh,
    head: Head,
    head_len: u64,
    /// Of the content written so far.
    crc: u32,
    watch: BoundaryWatch,
}

/// A new file that is still being written. Dropping it removes it.
#[derive(Debug)]
struct Fresh {
    written: Written,
    unique: String,
    place: Place,
}

impl Draft {
    pub(crate) const fn new(queue: Queue, plans: Vec<Plan>) -> Self {
        Self {
            queue,
            plans,
            memory: Vec::new(),
            spill: None,
            size: 0,
            ends_with_newline: true,
            header: None,
            late: Vec::new(),
            given_up: false,
            in_memory: IN_MEMORY,
        }
    }

    /// The draft with a part of the memory that one may have: one of `drafts` that together make
    /// one message.
    #[must_use]
    pub fn sharing_memory(self, drafts: usize) -> Self {
        Self {
            in_memory: (IN_MEMORY / drafts.max(1)).max(CHUNK.min(IN_MEMORY)),
            ..self
        }
    }

    /// Takes the whole header: lines that end with LF, the empty line included.
    ///
    /// # Errors
    /// [`QueueError::Order`] unless this is the first content; else as [`Draft::body`].
    pub fn header(
        &mut self,
        header: &[u8],
        message_id: Option<&str>,
        priority: Priority,
    ) -> Result<(), QueueError> {
        self.whole_header(header.to_vec(), message_id, priority)
    }

    /// As [`Draft::header`], without a second copy.
    ///
    /// # Errors
    /// As [`Draft::header`].
    pub fn whole_header(
        &mut self,
        header: Vec<u8>,
        message_id: Option<&str>,
        priority: Priority,
    ) -> Result<(), QueueError> {
        if self.header.is_some() || self.size > 0 {
            return Err(QueueError::Order);
        }
        self.header = Some(header.len().saturating_sub(b"\n".len()));
        for plan in &mut self.plans {
            plan.envelope.priority = priority;
            plan.envelope.message_id = message_id.map(str::to_owned);
        }
        if header.len() > self.in_memory {
            return self.body(&header);
        }
        self.size = header.len() as u64;
        self.ends_with_newline = header.last().is_none_or(|last| *last == b'\n');
        self.memory = header;
        Ok(())
    }

    /// Adds a header line, with its line end, behind the others, however much of the body has
    /// come. A message that has gone to its file already is copied once more for that at the
    /// commit.
    ///
    /// # Errors
    /// [`QueueError::Order`] before the header.
    pub fn late_header(&mut self, line: &[u8]) -> Result<(), QueueError> {
        let Some(end) = self.header else {
            return Err(QueueError::Order);
        };
        if self.spill.is_some() {
            self.late.extend_from_slice(line);
            return Ok(());
        }
        self.memory.splice(end..end, line.iter().copied());
        self.header = Some(end + line.len());
        self.size += line.len() as u64;
        Ok(())
    }

    /// Takes the next part of the body: lines that end with LF, in pieces of any length.
    ///
    /// # Errors
    /// [`QueueError::NoSpace`], [`QueueError::Io`] and the others of [`Draft::commit`] when the
    /// message no longer fits into memory and its file cannot be written. Every later call
    /// fails too.
    pub fn body(&mut self, part: &[u8]) -> Result<(), QueueError> {
        if self.given_up {
            return Err(QueueError::GivenUp);
        }
        self.given_up = true;
        for piece in part.chunks(CHUNK) {
            if self.spill.is_none() && self.memory.len() + piece.len() > self.in_memory {
                self.spill = Some(self.spill()?);
                self.flush()?;
                self.memory.shrink_to(CHUNK);
            }
            self.keep(piece);
            if self.spill.is_some() && self.memory.len() >= CHUNK {
                self.flush()?;
            }
        }
        self.given_up = false;
        Ok(())
    }

    /// Takes a piece into memory, which grows by doubling but never beyond [`IN_MEMORY`] for
    /// a message that fits.
    fn keep(&mut self, piece: &[u8]) {
        let needed = self.memory.len() + piece.len();
        if needed > self.memory.capacity() {
            let doubled = (2 * self.memory.capacity()).min(self.in_memory);
            let capacity = needed.max(doubled);
            self.memory.reserve_exact(capacity - self.memory.len());
        }
        self.memory.extend_from_slice(piece);
        self.size += piece.len() as u64;
        self.ends_with_newline = piece.last() == Some(&b'\n');
    }

    /// Octets taken so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Writes whatever is not yet written, and returns when every file of the message and its
    /// directory entry would survive a power cut. After an error nothing is left behind.
    ///
    /// # Errors
    /// [`QueueError::NoSpace`] when the disk is full, [`QueueError::Io`] when it fails,
    /// [`QueueError::NoRecipients`], [`QueueError::Unwritable`] and [`QueueError::Boundary`]
    /// when the message cannot be written as it is.
    pub fn commit(self) -> Result<Vec<Placed>, QueueError> {
        Self::commit_all(vec![self])
    }

    /// As [`Draft::commit`], for several drafts that together make one message: all of their
    /// files are safe, or none is left behind.
    ///
    /// # Errors
    /// As [`Draft::commit`].
    pub fn commit_all(drafts: Vec<Self>) -> Result<Vec<Placed>, QueueError> {
        let Some(first) = drafts.first() else {
            return Err(QueueError::NoRecipients);
        };
        let queue = first.queue.clone();
        let mut placed = Vec::new();
        let mut written = Vec::new();
        for draft in drafts {
            draft.finish(&mut placed, &mut written)?;
        }
        queue.commit(written)?;
        Ok(placed)
    }

    /// Writes whatever is not yet written; nothing is in place.
    fn finish(
        mut self,
        placed: &mut Vec<Placed>,
        written: &mut Vec<Written>,
    ) -> Result<(), QueueError> {
        if self.given_up {
            return Err(QueueError::GivenUp);
        }
        if self.plans.is_empty() {
            return Err(QueueError::NoRecipients);
        }
        if !self.ends_with_newline {
            self.body(b"\n")?;
        }
        let files = match self.spill.take() {
            None => self.write_from_memory()?,
            Some(spill) => self.write_from_spill(spill)?,
        };
        placed.reserve(files.len());
        written.reserve(files.len());
        for (plan, fresh) in self.plans.into_iter().zip(files) {
            placed.push(Placed {
                path: fresh
                    .written
                    .directory()
                    .path()
                    .join(fresh.place.file.as_str()),
                channel: plan.channel,
                place: fresh.place,
                size: plan.envelope.size,
                envelope: plan.envelope,
            });
            written.push(fresh.written);
        }
        Ok(())
    }

    fn write_from_memory(&mut self) -> Result<Vec<Fresh>, QueueError> {
        let boundary = boundary_not_in(&self.memory)?;
        let mut files = Vec::with_capacity(self.plans.len());
        for plan in &mut self.plans {
            plan.envelope.size = self.size;
            let fresh = Fresh::create(&self.queue, plan)?;
            let head = Head::new(
                fresh.unique.clone(),
                plan.envelope.clone(),
                boundary.clone(),
            );
            let mut bytes = print(&head)?;
            // Read once more for each file: combining checksums costs more than a small message.
            let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes), &self.memory);
            let tail = tail(end_behind(crc, &head), plan);
            if bytes.len() + self.memory.len() <= CHUNK {
                bytes.extend_from_slice(&self.memory);
                bytes.extend_from_slice(&tail);
                fresh.write(&bytes)?;
            } else {
                fresh.write(&bytes)?;
                fresh.write(&self.memory)?;
                fresh.write(&tail)?;
            }
            files.push(fresh);
        }
        Ok(files)
    }

    fn spill(&self) -> Result<Spill, QueueError> {
        let plan = self.plans.first().ok_or(QueueError::NoRecipients)?;
        let fresh = Fresh::create(&self.queue, plan)?;
        let boundary = boundary_not_in(&self.memory)?;
        let head = Head::new(fresh.unique.clone(), plan.envelope.clone(), boundary);
        let bytes = print(&head)?;
        fresh.write(&bytes)?;
        Ok(Spill {
            watch: BoundaryWatch::new(&head.boundary),
            fresh,
            head,
            head_len: bytes.len() as u64,
            crc: 0,
        })
    }

    fn flush(&mut self) -> Result<(), QueueError> {
        let Some(spill) = &mut self.spill else {
            return Ok(());
        };
        if spill.watch.sees(&self.memory) {
            return Err(QueueError::Boundary);
        }
        spill.crc = crc32c::crc32c_append(spill.crc, &self.memory);
        spill.fresh.write(&self.memory)?;
        self.memory.clear();
        Ok(())
    }

    fn write_from_spill(&mut self, spill: Spill) -> Result<Vec<Fresh>, QueueError> {
        self.spill = Some(spill);
        self.flush()?;
        let Some(mut spill) = self.spill.take() else {
            return Err(QueueError::GivenUp);
        };
        let content = self.size;
        self.size += self.late.len() as u64;
        for plan in &mut self.plans {
            plan.envelope.size = self.size;
        }
        let Some(plan) = self.plans.first() else {
            return Err(QueueError::NoRecipients);
        };
        let head = if self.late.is_empty() {
            // The head again, now with its size; it is as long as before.
            spill.head.envelope.size = self.size;
            let head = print(&spill.head)?;
            debug_assert_eq!(
                head.len() as u64,
                spill.head_len,
                "the size has a fixed width"
            );
            spill.fresh.write_back(&head)?;
            head
        } else {
            let (whole, head) = self.with_late_headers(&spill, plan, content)?;
            spill = whole;
            head
        };
        let tail_bytes = tail(end(&head, spill.crc, &spill.head), plan);
        spill.fresh.write(&tail_bytes)?;
        let mut files = Vec::with_capacity(self.plans.len());
        for plan in &self.plans[1..] {
            files.push(self.copy(&spill, plan)?);
        }
        files.insert(0, spill.fresh);
        Ok(files)
    }

    /// Head and content of the first file, of `len` octets, once more, with the late header
    /// lines in their place. The head is returned as it was written.
    fn with_late_headers(
        &self,
        old: &Spill,
        plan: &Plan,
        len: u64,
    ) -> Result<(Spill, Vec<u8>), QueueError> {
        let fresh = Fresh::create(&self.queue, plan)?;
        let head = Head::new(
            fresh.unique.clone(),
            plan.envelope.clone(),
            old.head.boundary.clone(),
        );
        let bytes = print(&head)?;
        fresh.write(&bytes)?;
        let header = self.header.unwrap_or(0) as u64;
        let file = old.fresh.written.file();
        let content = Slice::new(file, old.head_len, header)
            .chain(self.late.as_slice())
            .chain(Slice::new(file, old.head_len + header, len - header));
        let mut to = Summed {
            file: fresh.written.file(),
            crc: 0,
        };
        copy_all(content, &mut to).map_err(|error| fresh.error(error))?;
        let spill = Spill {
            crc: to.crc,
            head_len: bytes.len() as u64,
            watch: BoundaryWatch::new(&head.boundary),
            fresh,
            head,
        };
        Ok((spill, bytes))
    }

    fn copy(&self, spill: &Spill, plan: &Plan) -> Result<Fresh, QueueError> {
        let fresh = Fresh::create(&self.queue, plan)?;
        let head = Head::new(
            fresh.unique.clone(),
            plan.envelope.clone(),
            spill.head.boundary.clone(),
        );
        let bytes = print(&head)?;
        fresh.write(&bytes)?;
        let content = Slice::new(spill.fresh.written.file(), spill.head_len, self.size);
        copy_all(content, fresh.written.file()).map_err(|error| fresh.error(error))?;
        fresh.write(&tail(end(&bytes, spill.crc, &head), plan))?;
        Ok(fresh)
    }
}

impl Fresh {
    fn create(queue: &Queue, plan: &Plan) -> Result<Self, QueueError> {
        if plan.envelope.recipients.is_empty() {
            return Err(QueueError::NoRecipients);
        }
        let unique = name::unique();
        let subdir = subdir_of(&unique, plan.subdirs);
        let directory = queue
            .root()
            .made(&plan.channel, subdir)
            .map_err(|error| QueueError::io("make the directory", queue.path(), error))?;
        let path = directory.path().to_owned();
        let io = |error| QueueError::io("create a message file", path.clone(), error);
        let file = FileName::first(&unique).map_err(|error| io(io::Error::other(error)))?;
        let file = if plan.held.is_some() {
            file.held()
        } else {
            file
        };
        let written = create_locked(directory, &unique, file.as_str()).map_err(io)?;
        Ok(Self {
            written,
            unique,
            place: Place { subdir, file },
        })
    }

    fn write(&self, bytes: &[u8]) -> Result<(), QueueError> {
        let mut file: &File = self.written.file();
        file.write_all(bytes).map_err(|error| self.error(error))
    }

    fn write_back(&self, head: &[u8]) -> Result<(), QueueError> {
        self.written
            .file()
            .write_all_at(head, 0)
            .map_err(|error| self.error(error))
    }

    fn error(&self, error: io::Error) -> QueueError {
        QueueError::io(
            "write a message file",
            self.written.directory().path(),
            error,
        )
    }
}

/// Makes `.tmp-UNIQUE`, locked so that nobody takes it for a dead writer's, nor works on it
/// before its commit is through.
pub(crate) fn create_locked(
    directory: Arc<Directory>,
    unique: &str,
    last: &str,
) -> io::Result<Written> {
    let temporary = format!("{TEMPORARY}{unique}");
    let file = directory.create(&temporary)?;
    let written = Written::new(file, directory, temporary, last.to_owned());
    fs2::FileExt::try_lock_exclusive(written.file())?;
    Ok(written)
}

/// What temporary names begin with.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// Which of a channel's `subdirs` a file lies in.
fn subdir_of(unique: &str, subdirs: u16) -> Option<u16> {
    let subdirs = u32::from(subdirs.min(1000));
    (subdirs > 0)
        .then(|| u16::try_from(crc32c::crc32c(unique.as_bytes()) % subdirs).unwrap_or_default())
}

fn print(head: &Head) -> Result<Vec<u8>, QueueError> {
    head.print()
        .map_err(|record| QueueError::Unwritable { record })
}

/// The end of a file, and the reason of a hold.
fn tail(mut tail: Vec<u8>, plan: &Plan) -> Vec<u8> {
    if let Some(reason) = &plan.held {
        Attempt::held(name::now(), reason).print(&mut tail);
    }
    tail
}

/// End marker and end record of a file with this head and a content of this checksum.
pub(crate) fn end(head_bytes: &[u8], content_crc: u32, head: &Head) -> Vec<u8> {
    let content_len = usize::try_from(head.envelope.size).unwrap_or(usize::MAX);
    let crc = crc32c::crc32c_combine(crc32c::crc32c(head_bytes), content_crc, content_len);
    end_behind(crc, head)
}

/// End marker and end record behind head and content of this checksum.
fn end_behind(crc: u32, head: &Head) -> Vec<u8> {
    let marker = format!("{}\n", head.boundary);
    let crc = crc32c::crc32c_append(crc, marker.as_bytes());
    let mut bytes = marker.into_bytes();
    bytes.extend_from_slice(file::end_line(head.envelope.size, crc).as_bytes());
    bytes
}

/// A file that is written to, and the checksum of what was written.
struct Summed<'a> {
    file: &'a File,
    crc: u32,
}

impl Write for Summed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.crc = crc32c::crc32c_append(self.crc, &bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

pub(crate) fn copy_all(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let got = from.read(&mut buffer)?;
        if got == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..got])?;
    }
}

fn boundary_not_in(content: &[u8]) -> Result<String, QueueError> {
    for _ in 0..10 {
        let boundary = name::boundary()
            .map_err(|error| QueueError::io("draw a random number", PathBuf::new(), error))?;
        if !BoundaryWatch::new(&boundary).sees(content) {
            return Ok(boundary);
        }
    }
    Err(QueueError::Boundary)
}

/// Looks for a line in content that comes in pieces.
#[derive(Debug)]
struct BoundaryWatch {
    line: Vec<u8>,
    /// How many octets of the current line agree so far; `None` when it is another line.
    matched: Option<usize>,
}

impl BoundaryWatch {
    fn new(boundary: &str) -> Self {
        Self {
            line: format!("{boundary}\n").into_bytes(),
            matched: Some(0),
        }
    }

    fn sees(&mut self, mut piece: &[u8]) -> bool {
        while !piece.is_empty() {
            let end = piece.iter().position(|b| *b == b'\n').map(|at| at + 1);
            let (part, rest) = piece.split_at(end.unwrap_or(piece.len()));
            self.matched = self.matched.and_then(|at| {
                let agrees = self.line.get(at..at + part.len()) == Some(part);
                agrees.then_some(at + part.len())
            });
            if end.is_some() {
                if self.matched == Some(self.line.len()) {
                    return true;
                }
                self.matched = Some(0);
            }
            piece = rest;
        }
        false
    }
}

#[cfg(test)]
#[path = "enqueue_tests.rs"]
mod tests;
