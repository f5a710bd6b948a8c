//! The daily turn of a transaction log: `_yesterday` is appended to the cumulative file,
//! `_current` becomes `_yesterday`, a new `_current` begins.
//!
//! The one who turns holds a lock against his likes. Writers need none: they notice within a
//! second that their file has another name.
//!
//! | on disk | after a crash |
//! | --- | --- |
//! | `_yesterday` | as it was |
//! | `_merging.N`, cumulative file longer than N | cut back to N, appended again |
//! | `_merging.N` gone | appended; `_current` is turned by the next run |

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

/// A writer may go on for a second in a file that was renamed.
const SETTLED: Duration = Duration::from_secs(2);

/// The families that are turned.
pub const FAMILIES: [&str; 2] = ["mail.log", "connection.log"];

/// Turns `family` (`mail.log`) in `log_dir`. Returns whether there was a `_current` to turn.
///
/// # Errors
/// What the system said. Nothing is lost then; the next run goes on where this one stopped.
pub fn turn(log_dir: &Path, family: &str) -> io::Result<bool> {
    let cumulative = log_dir.join(family);
    let yesterday = log_dir.join(format!("{family}_yesterday"));
    let current = log_dir.join(format!("{family}_current"));
    if let Some((merging, length)) = find_merging(log_dir, family)? {
        merge(&merging, &cumulative, length)?;
    }
    if !current.exists() {
        return Ok(false);
    }
    if yesterday.exists() {
        wait_until_settled(&yesterday)?;
        let length = fs::metadata(&cumulative).map_or(0, |meta| meta.len());
        let merging = log_dir.join(format!("{family}_merging.{length}"));
        fs::rename(&yesterday, &merging)?;
        merge(&merging, &cumulative, length)?;
    }
    fs::rename(&current, &yesterday)?;
    match private(OpenOptions::new().append(true).create_new(true)).open(&current) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(true),
    }
}

/// What a run that died has left, and the length of the cumulative file before it began.
fn find_merging(log_dir: &Path, family: &str) -> io::Result<Option<(PathBuf, u64)>> {
    let start = format!("{family}_merging.");
    let entries = match fs::read_dir(log_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let length = name
            .to_str()
            .and_then(|name| name.strip_prefix(&start))
            .and_then(|length| length.parse().ok());
        if let Some(length) = length {
            return Ok(Some((entry.path(), length)));
        }
    }
    Ok(None)
}

fn merge(merging: &Path, cumulative: &Path, length: u64) -> io::Result<()> {
    let mut to = private(OpenOptions::new().append(true).create(true)).open(cumulative)?;
    if to.metadata()?.len() > length {
        to.set_len(length)?;
    }
    io::copy(&mut File::open(merging)?, &mut to)?;
    to.sync_all()?;
    fs::remove_file(merging)
}

/// A second turn right after the first must not take a file that somebody still writes to.
fn wait_until_settled(yesterday: &Path) -> io::Result<()> {
    let changed = fs::metadata(yesterday)?.modified()?;
    let age = SystemTime::now()
        .duration_since(changed)
        .unwrap_or_default();
    if let Some(rest) = SETTLED.checked_sub(age) {
        thread::sleep(rest);
    }
    Ok(())
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Logs(tempfile::TempDir);

    impl Logs {
        fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let before = SystemTime::now() - Duration::from_secs(60);
            for (name, text) in files {
                let path = dir.path().join(name);
                fs::write(&path, text).unwrap();
                let file = OpenOptions::new().append(true).open(&path).unwrap();
                file.set_modified(before).unwrap();
            }
            Self(dir)
        }

        fn turn(&self) -> bool {
            turn(self.0.path(), "mail.log").unwrap()
        }

        /// All files with their texts, by name.
        fn files(&self) -> Vec<(String, String)> {
            let entries = fs::read_dir(self.0.path()).unwrap();
            let mut files: Vec<(String, String)> = entries
                .map(|entry| {
                    let entry = entry.unwrap();
                    let text = fs::read_to_string(entry.path()).unwrap();
                    (entry.file_name().into_string().unwrap(), text)
                })
                .collect();
            files.sort();
            files
        }
    }

    fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let pair = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        files.iter().map(pair).collect()
    }

    #[test]
    fn each_file_moves_on_by_one() {
        let logs = Logs::new(&[
            ("mail.log", "old\n"),
            ("mail.log_current", "today\n"),
            ("mail.log_yesterday", "day before\n"),
        ]);
        assert!(logs.turn());
        assert_eq!(
            logs.files(),
            owned(&[
                ("mail.log", "old\nday before\n"),
                ("mail.log_current", ""),
                ("mail.log_yesterday", "today\n"),
            ])
        );
    }

    #[test]
    fn the_first_turn_has_nothing_to_append() {
        let logs = Logs::new(&[("mail.log_current", "today\n")]);
        assert!(logs.turn());
        assert_eq!(
            logs.files(),
            owned(&[("mail.log_current", ""), ("mail.log_yesterday", "today\n")])
        );
    }

    #[test]
    fn without_a_current_file_nothing_turns() {
        let logs = Logs::new(&[("mail.log_yesterday", "day before\n")]);
        assert!(!logs.turn());
        assert_eq!(
            logs.files(),
            owned(&[("mail.log_yesterday", "day before\n")])
        );
    }

    #[test]
    fn a_turn_that_died_is_finished_without_doubles() {
        for cumulative in ["old\n", "old\nday b", "old\nday before\n"] {
            let logs = Logs::new(&[
                ("mail.log", cumulative),
                ("mail.log_merging.4", "day before\n"),
                ("mail.log_current", "today\n"),
            ]);
            assert!(logs.turn(), "{cumulative:?}");
            assert_eq!(
                logs.files(),
                owned(&[
                    ("mail.log", "old\nday before\n"),
                    ("mail.log_current", ""),
                    ("mail.log_yesterday", "today\n"),
                ])
            );
        }
    }
}
