//! Message files: the one crate that names, opens, writes, locks, renames and removes what lies
//! in the queue.
//!
//! It owns the file format ([`file`](mod@file) describes it), the directories below `data/queue` and the
//! hold list. It knows nothing of rewriting, scheduling, logs or other processes: whoever
//! enqueues says which channels get a file and what stands on its outside.
//!
//! A message comes in as a [`enqueue::Draft`], which is written aside and handed to the
//! process's one committer; it goes out as a [`dequeue::Dequeued`], which holds the file's lock
//! and must be settled: removed, deferred, split or held.
//!
//! # States of a file, and what a crash leaves
//!
//! | step | on disk | after `kill -9` | after a power cut | who cleans up |
//! | --- | --- | --- | --- | --- |
//! | draft in memory | nothing | nothing | nothing | nobody has to |
//! | draft being written | `.tmp-U`, locked | `.tmp-U`, unlocked | the same, torn or whole, or nothing | [`Queue::clean`], after a day |
//! | renamed, not synced | `ZZU.00`, locked | `ZZU.00`, whole: it is delivered | whole, or torn, or nothing | a torn one is set aside as `.HELD` when it is taken |
//! | sync failed | nothing | nothing | nothing, or as above | as above |
//! | **committed** (250) | `ZZU.00` | whole | whole | its channel program |
//! | being delivered | `ZZU.00`, locked | unlocked, unchanged: tried again | unchanged | the next job |
//! | history appended | `ZZU.00` | perhaps a cut last line, which is skipped | the same | nobody has to |
//! | deferred | `ZYU.00` | `ZYU.00` | `ZZU.00` or `ZYU.00`, never both | nobody has to |
//! | rewritten for the rest | `ZZU.00`, the old or the new one | the same, and perhaps `.tmp-V` | the same | [`Queue::clean`] |
//! | no room to rewrite it | `ZZU.00`, then `ZYU.00`, with notes of who is done | perhaps without the last notes | the same | the next split |
//! | split | `ZYU.01` | `ZYU.01` | the new one as `ZZU.00` or `ZYU.01` | nobody has to |
//! | held | `ZZU.HELD` | `ZZU.HELD` | `ZZU.00` or `ZZU.HELD` | an operator |
//! | removed | nothing | nothing | nothing, or `ZZU.00`: delivered twice | the next job |
//!
//! Only the last row can double a message, and only "renamed, not synced" can leave a file of
//! which nobody was told.
//!
//! ```
//! use mta_envelope::{address::Address, envelope::{Envelope, Priority, Recipient}, names::ChannelName};
//! use mta_queue::{Queue, enqueue::Plan};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let area = tempfile::tempdir()?;
//! let queue = Queue::open(area.path())?;
//! let channel = ChannelName::new("tcp_local")?;
//! let envelope = Envelope {
//!     id: "0TOY00B049408X00@mail.example.com".into(), sender: None, ret: None,
//!     source_channel: channel.clone(), source_system: String::new(), user: String::new(),
//!     authenticated: None, arrived: 1_790_000_000, priority: Priority::Normal,
//!     message_id: None, size: 0, deferred_until: None,
//!     recipients: vec![Recipient::new(Address::parse("ada@example.com")?)],
//! };
//! let plan = Plan { channel: channel.clone(), subdirs: 20, envelope, held: None };
//! let mut draft = queue.draft(vec![plan]);
//! draft.header(b"Subject: hello\n\n", None, Priority::Normal)?;
//! draft.body(b"world\n")?;
//! let placed = draft.commit()?;
//!
//! let message = queue.take(&channel, &placed[0].place)?;
//! assert_eq!(message.header()?, b"Subject: hello\n\n");
//! message.remove()?;
//! # Ok(())
//! # }
//! ```

mod commit;
pub mod dequeue;
mod directory;
pub mod enqueue;
pub mod error;
pub mod file;
mod held;
pub mod history;
pub mod hold_list;
pub mod message;
mod name;
mod record;
pub mod scan;
mod sync;

use std::io;
use std::path::Path;
use std::sync::Arc;

use commit::{Committer, Written};
pub use dequeue::Dequeued;
use directory::Root;
pub use enqueue::{Draft, Placed, Plan};
pub use error::{QueueError, SettleError, TakeError};
pub use history::Attempt;

/// The queue area of one server. Cheap to open and to clone; a process opens it once, so that
/// all of it shares one committer.
#[derive(Clone)]
pub struct Queue {
    inner: Arc<Inner>,
}

struct Inner {
    root: Root,
    committer: Committer,
}

impl Queue {
    /// Opens `data/queue`.
    ///
    /// # Errors
    /// Those of opening the directory, which must exist.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let root = Root::open(directory)?;
        let committer = Committer::new(&root);
        Ok(Self {
            inner: Arc::new(Inner { root, committer }),
        })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.inner.root.path()
    }

    /// Begins a message that gets one file per plan. Nothing is on disk yet.
    #[must_use]
    pub fn draft(&self, plans: Vec<Plan>) -> Draft {
        Draft::new(self.clone(), plans)
    }

    fn root(&self) -> &Root {
        &self.inner.root
    }

    fn commit(&self, files: Vec<Written>) -> Result<(), QueueError> {
        self.inner.committer.commit(&self.inner.root, files)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
