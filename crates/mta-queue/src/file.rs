//! A message file as a whole: head, content, end marker, end record, history.
//!
//! ```text
//! v;1 aBcDeFgHiJk               head: envelope records ...
//! ...
//! Boundary_(ID_...)             ... up to the end marker's first appearance
//! Received: ...                 content: `q;` octets, lines end with LF
//! Boundary_(ID_...)
//! e;5120 1a2b3c4d               octets of the content, CRC-32C of everything before this line
//! 2026-11-24T...                history, appended later
//! ```
//!
//! The content is found by its size and not by looking for its end, so reading does not depend
//! on what a sender wrote.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use mta_envelope::names::FileName;

use crate::error::Fault;
use crate::history::{self, Attempt};
use crate::record::{self, Head};

/// Largest envelope part that is read: some ten thousand recipients with everything they may have.
const MAX_HEAD: usize = 32 * 1024 * 1024;

/// Most octets of history that are read, from the end.
const MAX_HISTORY: u64 = 1024 * 1024;

/// Octets per read while checking.
const CHUNK: usize = 64 * 1024;

/// Why a file could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    Fault(Fault),
    Io(io::Error),
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What stands in a file, and where.
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    /// As it stands in the file, but without the recipients whom the history calls done.
    pub(crate) head: Head,
    pub(crate) history: Vec<Attempt>,
    /// Where the content starts.
    pub(crate) start: u64,
    /// The numbers in the file of the recipients that are left, in their order.
    pub(crate) left: Vec<usize>,
}

impl Contents {
    /// Reads head and history and checks that the end record stands where it must; its checksum
    /// only if `verify`. The file must carry the name it was written for.
    pub(crate) fn read(file: &File, name: &FileName, verify: bool) -> Result<Self, ReadError> {
        let (contents, end) = Self::read_any_name(file)?;
        if verify {
            contents.verify(file, &end)?;
        }
        if contents.head.unique != name.unique() {
            let unique = contents.head.unique;
            return Err(Fault::OtherName { unique }.into());
        }
        Ok(contents)
    }

    /// The same for a file under any name, always with its checksum.
    pub(crate) fn read_foreign(file: &File) -> Result<Self, ReadError> {
        let (contents, end) = Self::read_any_name(file)?;
        contents.verify(file, &end)?;
        Ok(contents)
    }

    fn read_any_name(file: &File) -> Result<(Self, End), ReadError> {
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(Fault::NotRegular.into());
        }
        let (mut head, start) = read_head(file, meta.len())?;
        let end = End::read(file, &head, start, meta.len())?;
        let mut history = read_history(file, end.history, meta.len())?;
        let done: HashSet<usize> = history.iter().filter_map(Attempt::done_index).collect();
        history.retain(|attempt| attempt.done_index().is_none());
        let all = 0..head.envelope.recipients.len();
        let left: Vec<usize> = all.filter(|at| !done.contains(at)).collect();
        if !done.is_empty() {
            head.keep(&left);
        }
        let contents = Self {
            head,
            history,
            start,
            left,
        };
        Ok((contents, end))
    }

    /// Octets of the content.
    pub(crate) const fn len(&self) -> u64 {
        self.head.envelope.size
    }

    fn verify(&self, file: &File, end: &End) -> Result<(), ReadError> {
        let mut crc = 0;
        let mut at = 0;
        let mut buffer = vec![0; CHUNK];
        while at < end.covered {
            let want = usize::try_from(end.covered - at).map_or(CHUNK, |left| left.min(CHUNK));
            let got = file.read_at(&mut buffer[..want], at)?;
            if got == 0 {
                return Err(Fault::NoEnd.into());
            }
            crc = crc32c::crc32c_append(crc, &buffer[..got]);
            at += got as u64;
        }
        if crc == end.crc {
            Ok(())
        } else {
            Err(Fault::Checksum.into())
        }
    }
}

/// The end record.
#[derive(Debug)]
struct End {
    crc: u32,
    /// Octets before it, which the checksum covers.
    covered: u64,
    /// Where the history starts.
    history: u64,
}

impl End {
    fn read(file: &File, head: &Head, start: u64, len: u64) -> Result<Self, ReadError> {
        let size = head.envelope.size;
        let marker = head.boundary.len() as u64 + 1;
        let marker_at = start.checked_add(size).ok_or(Fault::Size)?;
        let covered = marker_at.checked_add(marker).ok_or(Fault::Size)?;
        if covered >= len {
            return Err(Fault::NoEnd.into());
        }
        let mut buffer = Vec::new();
        Slice::new(file, marker_at, marker + 40).read_to_end(&mut buffer)?;
        let rest = buffer
            .strip_prefix(head.boundary.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"\n"))
            .ok_or(Fault::NoEnd)?;
        let line = rest.split(|b| *b == b'\n').next().unwrap_or_default();
        if line.len() == rest.len() {
            return Err(Fault::NoEnd.into());
        }
        let (named, crc) = parse_end(line).ok_or(Fault::NoEnd)?;
        if named != size {
            return Err(Fault::Size.into());
        }
        Ok(Self {
            crc,
            covered,
            history: covered + line.len() as u64 + 1,
        })
    }
}

/// The end record as it is written.
pub(crate) fn end_line(size: u64, crc: u32) -> String {
    format!("e;{size} {crc:08x}\n")
}

fn parse_end(line: &[u8]) -> Option<(u64, u32)> {
    let line = std::str::from_utf8(line).ok()?;
    let (size, crc) = line.strip_prefix("e;")?.split_once(' ')?;
    let (size, crc) = (size.parse().ok()?, u32::from_str_radix(crc, 16).ok()?);
    // Exactly as it would be written: one flipped bit is no other spelling of the same.
    (end_line(size, crc).trim_end() == line).then_some((size, crc))
}

fn read_head(file: &File, len: u64) -> Result<(Head, u64), ReadError> {
    let mut bytes = Vec::new();
    let mut looked = 0;
    let mut step = 4096;
    loop {
        let at = bytes.len();
        let want = Slice::new(file, at as u64, step);
        let got = want.take(step).read_to_end(&mut bytes)?;
        match record::find_end(&bytes, looked) {
            Ok(end) => return Ok((Head::parse(&bytes[..end])?, end as u64)),
            Err(_) if got == 0 || bytes.len() as u64 >= len => return Err(Fault::NoBoundary.into()),
            Err(at) if bytes.len() - at > record::MAX_LINE || bytes.len() > MAX_HEAD => {
                return Err(Fault::NoBoundary.into());
            }
            Err(at) => looked = at,
        }
        step = CHUNK as u64;
    }
}

fn read_history(file: &File, start: u64, len: u64) -> io::Result<Vec<Attempt>> {
    let start = start.max(len.saturating_sub(MAX_HISTORY));
    if start >= len {
        return Ok(Vec::new());
    }
    let mut tail = Vec::new();
    Slice::new(file, start, len - start).read_to_end(&mut tail)?;
    Ok(history::parse(&tail))
}

/// Part of a file as a reader with a position of its own.
#[derive(Debug)]
pub struct Slice<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl<'a> Slice<'a> {
    pub(crate) const fn new(file: &'a File, at: u64, len: u64) -> Self {
        Self {
            file,
            at,
            end: at.saturating_add(len),
        }
    }
}

impl Read for Slice<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let want = buffer.len().min(left);
        let got = self.file.read_at(&mut buffer[..want], self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
