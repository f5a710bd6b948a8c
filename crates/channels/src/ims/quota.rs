//! The `maildirsize` file of Maildir++: how full a mailbox is.
//!
//! First line `<bytes>S,<messages>C` (the quota), then one line `<bytes> <messages>` for each
//! change, which anybody may append. The sum is a good guess: it is counted anew from the
//! directories when the quota has changed, when the file has grown long, and before anybody is
//! told that the mailbox is full. Deliveries at the same moment may pass the limit together.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::libc::O_NOFOLLOW;

/// The file is written anew when it is longer.
const LONGEST: u64 = 5_120;

/// What a mailbox may hold; nothing stands for no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Quota {
    /// `mailQuota`, in octets.
    pub(super) bytes: Option<u64>,
    /// `mailMsgQuota`.
    pub(super) messages: Option<u64>,
}

impl Quota {
    /// From the attributes: negative numbers stand for no limit of this system.
    #[must_use]
    pub(super) fn of(bytes: Option<i64>, messages: Option<i64>) -> Self {
        let limit = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        Self {
            bytes: limit(bytes),
            messages: limit(messages),
        }
    }

    /// Whether there is no limit at all.
    #[must_use]
    pub(super) const fn is_unlimited(self) -> bool {
        self.bytes.is_none() && self.messages.is_none()
    }

    /// Whether a message of `size` octets fits beside what is there.
    #[must_use]
    pub(super) fn admits(self, used: Used, size: u64) -> bool {
        self.bytes
            .is_none_or(|limit| used.bytes.saturating_add(size) <= limit)
            && self
                .messages
                .is_none_or(|limit| used.messages.saturating_add(1) <= limit)
    }

    /// The first line of the file.
    fn line(self) -> String {
        let mut parts = Vec::new();
        if let Some(bytes) = self.bytes {
            parts.push(format!("{bytes}S"));
        }
        if let Some(messages) = self.messages {
            parts.push(format!("{messages}C"));
        }
        parts.join(",")
    }
}

/// What a mailbox holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    /// Octets.
    pub(super) bytes: u64,
    /// Messages.
    pub(super) messages: u64,
}

/// Whether a message of `size` octets may be delivered to the mailbox.
///
/// `tell` is told if the file cannot be written anew, which costs the next one another count and
/// nothing else.
///
/// # Errors
/// What the system said when the mailbox could not be counted.
pub(super) fn has_room(
    mailbox: &Path,
    quota: Quota,
    size: u64,
    tell: impl FnOnce(&io::Error),
) -> io::Result<bool> {
    if quota.is_unlimited() {
        return Ok(true);
    }
    let guess = fs::metadata(mailbox.join("maildirsize"))
        .ok()
        .filter(|meta| meta.len() <= LONGEST)
        .and_then(|_| fs::read_to_string(mailbox.join("maildirsize")).ok())
        .and_then(|text| sum(&text, quota));
    match guess {
        Some(used) if quota.admits(used, size) => Ok(true),
        Some(_) | None => {
            let used = count(mailbox)?;
            if let Err(error) = write_anew(mailbox, quota, used) {
                tell(&error);
            }
            Ok(quota.admits(used, size))
        }
    }
}

/// Notes a delivery of `size` octets.
///
/// # Errors
/// What the system said; the mailbox is then counted anew some day.
pub(super) fn add(mailbox: &Path, quota: Quota, size: u64) -> io::Result<()> {
    if quota.is_unlimited() {
        return Ok(());
    }
    let mut file = OpenOptions::new()
        .append(true)
        .custom_flags(O_NOFOLLOW)
        .open(mailbox.join("maildirsize"))?;
    file.write_all(format!("{size} 1\n").as_bytes())
}

/// The sum of a file that was written for `quota`; nothing if it cannot be used.
fn sum(text: &str, quota: Quota) -> Option<Used> {
    let mut lines = text.lines();
    if lines.next()? != quota.line() {
        return None;
    }
    let (mut bytes, mut messages) = (0_i64, 0_i64);
    for line in lines {
        let mut numbers = line.split_ascii_whitespace();
        bytes = bytes.checked_add(numbers.next()?.parse().ok()?)?;
        messages = messages.checked_add(numbers.next()?.parse().ok()?)?;
    }
    Some(Used {
        bytes: u64::try_from(bytes).ok()?,
        messages: u64::try_from(messages).ok()?,
    })
}

/// Counts the inbox and all folders.
fn count(mailbox: &Path) -> io::Result<Used> {
    let mut used = Used::default();
    count_maildir(mailbox, &mut used)?;
    for entry in fs::read_dir(mailbox)? {
        let entry = entry?;
        let folder = entry.file_name().as_encoded_bytes().starts_with(b".");
        if folder && entry.file_type()?.is_dir() {
            count_maildir(&entry.path(), &mut used)?;
        }
    }
    Ok(used)
}

fn count_maildir(maildir: &Path, used: &mut Used) -> io::Result<()> {
    for part in ["new", "cur"] {
        let entries = match fs::read_dir(maildir.join(part)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let size = match size_in_name(&entry.file_name().to_string_lossy()) {
                Some(size) => size,
                None => match entry.metadata() {
                    Ok(meta) => meta.len(),
                    // A reader has moved it meanwhile.
                    Err(_) => continue,
                },
            };
            used.bytes = used.bytes.saturating_add(size);
            used.messages += 1;
        }
    }
    Ok(())
}

/// The `,S=` part of a message's name.
fn size_in_name(name: &str) -> Option<u64> {
    let (_, rest) = name.split_once(",S=")?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Writes the file aside and renames it: readers see the old one or the new one. Each writer has
/// a name of its own, since threads of one program may be at it together.
fn write_anew(mailbox: &Path, quota: Quota, used: Used) -> io::Result<()> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let name = format!("maildirsize.{}.{number}", std::process::id());
    let temporary = mailbox.join("tmp").join(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(O_NOFOLLOW)
        .open(&temporary)?;
    let text = format!("{}\n{} {}\n", quota.line(), used.bytes, used.messages);
    file.write_all(text.as_bytes())?;
    fs::rename(&temporary, mailbox.join("maildirsize"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for part in ["tmp", "new", "cur", ".Work", ".Work/new", ".Work/cur"] {
            fs::create_dir(dir.path().join(part)).unwrap();
        }
        fs::write(dir.path().join("new/1.a,S=100"), "x").unwrap();
        fs::write(dir.path().join("cur/2.b,S=200:2,S"), "x").unwrap();
        fs::write(dir.path().join(".Work/cur/3.c:2,"), "0123456789").unwrap();
        dir
    }

    const QUOTA: Quota = Quota {
        bytes: Some(1_000),
        messages: Some(5),
    };

    fn room(mailbox: &Path, quota: Quota, size: u64) -> bool {
        has_room(mailbox, quota, size, |error| panic!("{error}")).unwrap()
    }

    #[test]
    fn many_at_once_disturb_nobody() {
        let dir = mailbox();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        fs::remove_file(dir.path().join("maildirsize")).ok();
                        assert!(room(dir.path(), QUOTA, 1));
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_and_costs_nobody_a_delivery() {
        let dir = mailbox();
        fs::remove_dir(dir.path().join("tmp")).unwrap();
        let mut told = 0;
        assert!(has_room(dir.path(), QUOTA, 1, |_| told += 1).unwrap());
        assert_eq!(told, 1);
    }

    #[test]
    fn attributes_become_limits() {
        let table = [
            (None, None, Quota::default()),
            (Some(-1), Some(-2), Quota::default()),
            (
                Some(0),
                None,
                Quota {
                    bytes: Some(0),
                    messages: None,
                },
            ),
        ];
        for (bytes, messages, quota) in table {
            assert_eq!(Quota::of(bytes, messages), quota);
        }
    }

    #[test]
    fn the_first_look_counts_all_folders() {
        let dir = mailbox();
        assert!(room(dir.path(), QUOTA, 690));
        let text = fs::read_to_string(dir.path().join("maildirsize")).unwrap();
        assert_eq!(text, "1000S,5C\n310 3\n");
        assert!(!room(dir.path(), QUOTA, 691));
    }

    #[test]
    fn deliveries_are_added_up() {
        let dir = mailbox();
        assert!(room(dir.path(), QUOTA, 1));
        add(dir.path(), QUOTA, 90).unwrap();
        let text = fs::read_to_string(dir.path().join("maildirsize")).unwrap();
        assert_eq!(
            sum(&text, QUOTA),
            Some(Used {
                bytes: 400,
                messages: 4
            })
        );
    }

    #[test]
    fn nobody_is_refused_before_a_fresh_count() {
        let dir = mailbox();
        fs::write(dir.path().join("maildirsize"), "1000S,5C\n99999 4\n").unwrap();
        assert!(room(dir.path(), QUOTA, 500));
    }

    #[test]
    fn a_file_for_another_quota_or_with_nonsense_is_replaced() {
        for text in ["500S\n1 1\n", "1000S,5C\nx\n", "1000S,5C\n-9 -9\n", ""] {
            let dir = mailbox();
            fs::write(dir.path().join("maildirsize"), text).unwrap();
            assert!(room(dir.path(), QUOTA, 1));
            let text = fs::read_to_string(dir.path().join("maildirsize")).unwrap();
            assert_eq!(text, "1000S,5C\n310 3\n");
        }
    }

    #[test]
    fn no_limit_needs_no_file() {
        let dir = mailbox();
        assert!(room(dir.path(), Quota::default(), u64::MAX));
        add(dir.path(), Quota::default(), 5).unwrap();
        assert!(!dir.path().join("maildirsize").exists());
    }

    #[test]
    fn a_quota_of_nothing_admits_nothing() {
        let quota = Quota::of(Some(0), None);
        assert!(!quota.admits(Used::default(), 1));
    }
}
