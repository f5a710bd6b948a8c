//! The `ims-ms` channel: final delivery into the message store, a Maildir++ for each mailbox.
//!
//! ```text
//! place     whose directory, which folder: names that cannot escape
//! quota     whether there is room (maildirsize)
//! maildir   written aside, synced, renamed, synced
//! ```
//!
//! Each recipient is settled on its own. A mailbox is made when its first message comes: that
//! the user exists was decided when the message was taken in.

mod maildir;
mod place;
mod quota;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mta_channel::dequeue::{Deliverer, JobThread, Message, run_master};
use mta_channel::enqueue::Enqueuer;
use mta_channel::store::{Mailbox, StoreOptions};
use mta_config::{Config, MtaOption};
use mta_envelope::envelope::{Envelope, Recipient};
use mta_envelope::names::Place;
use mta_envelope::status::{Outcome, Report, Status};

use crate::master::{self, Arguments, Error};
use maildir::{Known, Maildir, Stored};
use quota::Quota;

/// Threads when the channel's option `MAX_CLIENT_THREADS` is not set.
const THREADS: i64 = 10;

/// Most folders of a mailbox; mail for further ones goes to the inbox.
const MOST_FOLDERS: usize = 1000;

/// The bit of `deliveryflags` that delivers over quota.
const OVER_QUOTA: u32 = 2;

/// Runs the channel program.
///
/// # Errors
/// [`Error`] when it cannot begin.
pub fn run(arguments: &Arguments) -> Result<(), Error> {
    let mut setup = master::prepare("ims_master", arguments)?;
    let threads = setup
        .config
        .channel(&setup.channel)
        .map_or(THREADS, |channel| {
            channel.option_int("MAX_CLIENT_THREADS", THREADS)
        });
    setup.threads = u16::try_from(threads.clamp(1, 100)).unwrap_or(1);
    let known = Arc::new(Known::default());
    let started = mta_log::time::now_seconds();
    run_master(&setup, &|thread: &JobThread| {
        let users = thread.root.store().join("user");
        let store = Store::new(&thread.config, users, Arc::clone(&known), started);
        Box::new(Store {
            accounts: Some(thread.enqueuer.clone()),
            ..store
        })
    })?;
    Ok(())
}

/// The message store as one thread sees it.
#[derive(Debug)]
struct Store {
    users: PathBuf,
    default_domain: String,
    hostname: String,
    over_quota: String,
    /// Who knows the accounts.
    accounts: Option<Enqueuer>,
    known: Arc<Known>,
    started: u64,
}

/// What is the same for all recipients of a message.
struct Letter<'a> {
    envelope: &'a Envelope,
    header: &'a [u8],
    unique: &'a str,
    /// No earlier attempt can have delivered it.
    fresh: bool,
}

impl Deliverer for Store {
    fn deliver(&mut self, message: &mut Message<'_>) -> Vec<Outcome> {
        let envelope = message.envelope();
        let header = match message.header() {
            Ok(header) => without_return_path(&header),
            Err(error) => {
                message.trouble(&format!("cannot read the header: {error}"));
                return vec![unavailable(&error); envelope.recipients.len()];
            }
        };
        let place = Place::parse(message.name()).ok();
        let attempts = place.as_ref().map_or(1, |place| place.file.attempts());
        let letter = Letter {
            envelope,
            header: &header,
            unique: place.as_ref().map_or("", |place| place.file.unique()),
            // The clock alone would not do: it may have been set back.
            fresh: message.is_first_attempt() && attempts == 0 && envelope.arrived > self.started,
        };
        let recipients = envelope.recipients.iter();
        recipients
            .map(|recipient| {
                self.deliver_to(message, &letter, recipient)
                    .unwrap_or_else(|error| {
                        message.trouble(&format!("{}: {error}", recipient.address));
                        unavailable(&error)
                    })
            })
            .collect()
    }
}

impl Store {
    fn new(config: &Config, users: PathBuf, known: Arc<Known>, started: u64) -> Self {
        let over_quota = config.mta.text(MtaOption::ErrorTextOverQuota);
        let hostname: String = config
            .local_host()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '-' || c == '.' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        Self {
            users,
            default_domain: config.default_domain.clone(),
            hostname,
            over_quota: over_quota.unwrap_or("user over quota").to_owned(),
            accounts: None,
            known,
            started,
        }
    }

    fn deliver_to(
        &self,
        message: &mut Message<'_>,
        letter: &Letter<'_>,
        recipient: &Recipient,
    ) -> io::Result<Outcome> {
        let mailbox = Mailbox::of(&recipient.address);
        let domain = mailbox.domain.as_deref().unwrap_or(&self.default_domain);
        let directory = match place::mailbox(Path::new(""), &mailbox.uid, domain) {
            Ok(directory) => directory,
            Err(fault) => {
                let status = Status::new(5, 1, 3);
                return Ok(Outcome::Failed(Report::local(status, &fault.to_string())));
            }
        };
        let options = StoreOptions::parse(recipient.store_options.as_deref().unwrap_or(""));
        let inbox = Maildir::open(&self.users, &directory, &self.known)?;
        let asked = options.folder.or(mailbox.folder);
        let target = self.target(&inbox, &directory, asked.as_deref())?;
        let name = self.name(letter, recipient);
        if !letter.fresh && target.holds(&name)? {
            message.debug(|| format!("{}: was delivered before", recipient.address));
            return Ok(delivered());
        }
        let mut quota = if options.flags & OVER_QUOTA == 0 {
            Quota::of(options.quota, options.message_quota)
        } else {
            Quota::default()
        };
        let size = letter.envelope.size;
        let tell = |error: &io::Error| {
            message.trouble(&format!("cannot write maildirsize: {error}"));
        };
        if !quota::has_room(inbox.path(), quota, size, tell)? {
            // The limits are those of the time when the message came in; the operator may have
            // raised them since.
            quota = self
                .present_quota(&mailbox.uid, domain, recipient)
                .unwrap_or(quota);
            if !quota::has_room(inbox.path(), quota, size, tell)? {
                let report = Report::local(Status::new(4, 2, 2), &self.over_quota);
                return Ok(Outcome::Deferred(report));
            }
        }
        let stored = target.store(&name, |out| {
            write_trace(out, letter.envelope, recipient)?;
            out.write_all(letter.header)?;
            io::copy(&mut message.body()?, out)?;
            Ok(())
        })?;
        message.debug(|| {
            let place = target.path().display();
            format!("{}: {name} in {place}, {stored:?}", recipient.address)
        });
        if let Stored::New { size } = stored
            && let Err(error) = quota::add(inbox.path(), quota, size)
        {
            // The next count of the directories makes it good.
            message.trouble(&format!("{}: maildirsize: {error}", recipient.address));
        }
        Ok(delivered())
    }

    /// The limits in the user's entry as it is now, if it can be found by an address.
    fn present_quota(&self, uid: &str, domain: &str, recipient: &Recipient) -> Option<Quota> {
        let directory = self.accounts.as_ref()?.directory();
        let usual = format!("{uid}@{domain}");
        let original = recipient
            .original
            .as_ref()
            .map(|(_, address)| address.as_str());
        let entry = [Some(usual.as_str()), original]
            .into_iter()
            .flatten()
            .filter_map(|address| directory.find(address).ok().flatten())
            .find(|entry| {
                entry
                    .uid()
                    .is_some_and(|found| found.eq_ignore_ascii_case(uid))
            })?;
        let number = |name| entry.first(name).and_then(|text| text.trim().parse().ok());
        Some(Quota::of(number("mailquota"), number("mailmsgquota")))
    }

    /// The folder that was asked for, or the inbox.
    fn target(
        &self,
        inbox: &Maildir,
        directory: &Path,
        folder: Option<&str>,
    ) -> io::Result<Maildir> {
        let Some(folder) = folder.and_then(place::folder) else {
            return Ok(inbox.clone());
        };
        if !inbox.path().join(&folder).is_dir() && folders(inbox.path())? >= MOST_FOLDERS {
            return Ok(inbox.clone());
        }
        Maildir::open(&self.users, &directory.join(folder), &self.known)
    }

    /// The same for each attempt of the same message to the same recipient, and for no other.
    fn name(&self, letter: &Letter<'_>, recipient: &Recipient) -> String {
        format!(
            "{}.Q{}R{:016x}.{}",
            letter.envelope.arrived,
            letter.unique,
            fold(recipient.address.as_str().as_bytes()),
            self.hostname
        )
    }
}

/// FNV-1a, 64 bits. It tells the recipients of one message apart; whoever makes two addresses
/// of one mailbox collide keeps his own second copy from himself.
fn fold(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn folders(mailbox: &Path) -> io::Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(mailbox)? {
        count += usize::from(entry?.file_name().as_encoded_bytes().starts_with(b"."));
    }
    Ok(count)
}

/// The lines that final delivery adds (RFC 5321 §4.4, RFC 3798 §2.3).
fn write_trace(out: &mut dyn Write, envelope: &Envelope, recipient: &Recipient) -> io::Result<()> {
    writeln!(out, "Return-path: <{}>", envelope.sender_text())?;
    if let Some((kind, address)) = &recipient.original {
        let plain = |text: &str| -> String { text.chars().filter(|c| !c.is_control()).collect() };
        writeln!(
            out,
            "Original-recipient: {};{}",
            plain(kind),
            plain(address)
        )?;
    }
    Ok(())
}

/// The header without the Return-path lines of earlier deliveries; nothing else changes.
fn without_return_path(header: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(header.len());
    let mut skipping = false;
    for line in header.split_inclusive(|byte| *byte == b'\n') {
        let continues = line.starts_with(b" ") || line.starts_with(b"\t");
        if !continues {
            let name = b"return-path:";
            skipping = line
                .get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name));
        }
        if !skipping {
            kept.extend_from_slice(line);
        }
    }
    kept
}

fn delivered() -> Outcome {
    Outcome::Delivered(Report::local(Status::OK, ""))
}

/// What a failure of the disk means for a recipient. The sender learns no more than that.
fn unavailable(error: &io::Error) -> Outcome {
    let full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    Outcome::Deferred(if full {
        Report::local(Status::new(4, 3, 1), "the message store is full")
    } else {
        Report::local(Status::new(4, 3, 0), "the message store is not available")
    })
}

#[cfg(test)]
mod tests;
