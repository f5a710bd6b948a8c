//! What mapping tables say of a message on its way out: DEQUEUE_ACCESS before an attempt,
//! MESSAGE-SAVE-COPY before the file goes.

use super::attempt::full;
use super::debug::DebugLog;
use mta_access::dequeue::{DequeueDecision, DequeueProbe, dequeue_access, save_copy};
use mta_config::{Channel, Config};
use mta_envelope::envelope::Envelope;
use mta_mapping::Callouts;
use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Asks the tables of a configuration.
#[derive(Clone, Copy)]
pub(super) struct Gate<'a> {
    pub(super) config: &'a Config,
    pub(super) callouts: &'a dyn Callouts,
}

impl Gate<'_> {
    /// Whether the message may be tried, at `now` in seconds since 1970.
    pub(super) fn decide(
        self,
        channel: &Channel,
        file: &Path,
        envelope: &Envelope,
        retries: u16,
        now: u64,
    ) -> DequeueDecision {
        let tables = &self.config.mappings;
        let mut tags: Vec<String> = Vec::new();
        for tag in envelope.recipients.iter().flat_map(|one| &one.tags) {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        let first = envelope.recipients.first();
        let probe = DequeueProbe {
            channel: channel.name().as_str(),
            file: &file.to_string_lossy(),
            queued: now.checked_sub(envelope.arrived),
            from: envelope.sender_text(),
            auth: envelope.authenticated.as_deref().unwrap_or(""),
            authenticated: &envelope.user,
            mt_priority: "",
            domain: first.and_then(|one| one.address.domain()).unwrap_or(""),
            tags: &tags,
            retries: u32::from(retries),
        };
        dequeue_access(&self.config.mta, tables, &probe, self.callouts)
    }

    /// Keeps a copy of a message file that is about to go, if one is wanted. That it cannot be
    /// kept is told and stops nothing: the message has been dealt with.
    pub(super) fn save(self, channel: &Channel, file: &Path, debug: &DebugLog) {
        let name = file.to_string_lossy();
        let tables = &self.config.mappings;
        let Some(copy) = save_copy(tables, channel.name().as_str(), &name, self.callouts) else {
            return;
        };
        if let Err(error) = keep(file, Path::new(&copy)) {
            let error = full(&error);
            debug.trouble(&format!("{name}: no copy is kept as {copy}: {error}"));
        }
    }
}

/// A second name for the file, or on another file system a copy. What is there stays.
fn keep(file: &Path, copy: &Path) -> io::Result<()> {
    if !copy.is_absolute() {
        let text = "not the full name of a file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    match fs::hard_link(file, copy) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let mut new = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(copy)?;
            let copied = fs::File::open(file).and_then(|mut file| io::copy(&mut file, &mut new));
            // Half a message is no copy.
            copied
                .and_then(|_| new.sync_all())
                .inspect_err(|_| drop(fs::remove_file(copy)))
        }
        linked => linked,
    }
}
