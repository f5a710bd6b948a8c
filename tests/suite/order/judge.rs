//! The order on disk: what must be durable before a word is given or the next step is taken.
//!
//! A pure function over the calls of a trace. It follows every file of the areas it is told of
//! from its creation through its renames, and knows for its contents and for its name when they
//! last changed and whether a sync has begun after that and ended well. Threads are told apart:
//! a session writes and answers on a thread of its own, whoever syncs for it.

use super::trace::Call;
use std::collections::{BTreeSet, HashMap};

/// What the final positive answer to a message begins with.
const ANSWER: &str = "250 2.5.0 Ok, envelope";

/// The areas of a server root, as absolute paths without links.
pub(crate) struct Areas {
    pub(crate) queue: String,
    pub(crate) store: String,
}

/// What a trace shows.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// For each positive answer, the files it vouched for.
    pub(crate) answers: Vec<Vec<String>>,
    /// Openings of message files whose state had been changed before.
    pub(crate) attempts: usize,
    /// Removals of message files after something had been delivered.
    pub(crate) removals: usize,
    /// For each sync of the whole file system, of how many threads it made files durable.
    pub(crate) together: Vec<usize>,
    /// What came too early.
    pub(crate) faults: Vec<String>,
}

/// Judges a trace.
pub(crate) fn judge(calls: &[Call], areas: &Areas) -> Verdict {
    let mut moments: Vec<(usize, bool, &Call)> = Vec::new();
    for call in calls {
        moments.push((call.began, false, call));
        if call.ended != usize::MAX {
            moments.push((call.ended, true, call));
        }
    }
    // On one line, the beginning comes before the end.
    moments.sort_by_key(|(at, end, _)| (*at, *end));
    let mut disk = Disk::new(areas);
    for (at, end, call) in moments {
        if end {
            disk.ends(call, at);
        } else {
            disk.begins(call, at);
        }
    }
    disk.verdict
}

/// When something last changed, and whether it has been synced since.
#[derive(Debug, Clone, Copy)]
struct Change {
    at: usize,
    synced: bool,
}

impl Change {
    fn now(at: usize) -> Self {
        Self { at, synced: false }
    }

    /// A sync that began at `began` has ended well.
    fn sync(&mut self, began: usize) -> bool {
        let news = !self.synced && self.at < began;
        self.synced |= news;
        news
    }
}

#[derive(Debug, Clone, Copy)]
struct File {
    data: Change,
    entry: Change,
    thread: u32,
    /// Made in this trace, as opposed to found.
    new: bool,
}

struct Disk<'a> {
    areas: &'a Areas,
    files: HashMap<String, File>,
    directories: HashMap<String, Change>,
    /// Files that a thread has made since it last gave its word for some.
    pending: HashMap<u32, Vec<String>>,
    verdict: Verdict,
}

impl<'a> Disk<'a> {
    fn new(areas: &'a Areas) -> Self {
        Self {
            areas,
            files: HashMap::new(),
            directories: HashMap::new(),
            pending: HashMap::new(),
            verdict: Verdict::default(),
        }
    }

    fn begins(&mut self, call: &Call, at: usize) {
        match call.name.as_str() {
            "write" | "writev" | "sendto" | "sendmsg"
                if call.path(0).is_none()
                    && call.arguments.iter().any(|word| word.contains(ANSWER)) =>
            {
                self.answer(call);
            }
            "open" | "openat" if !call.has_flag("O_CREAT") && !call.has_flag("O_DIRECTORY") => {
                self.attempt(call);
            }
            "unlink" | "unlinkat" => self.removal(call),
            _ => self.write(call, at),
        }
    }

    fn ends(&mut self, call: &Call, at: usize) {
        self.write(call, at);
        if !call.succeeded {
            return;
        }
        match call.name.as_str() {
            "open" | "openat" if call.has_flag("O_CREAT") => self.create(call, at),
            "mkdir" | "mkdirat" => {
                if let Some(path) = target(call).filter(|path| self.is_ours(path)) {
                    self.directories.insert(path, Change::now(at));
                }
            }
            "rename" | "renameat" | "renameat2" | "link" | "linkat" => self.rename(call, at),
            "unlink" | "unlinkat" => {
                if let Some(path) = target(call) {
                    self.files.remove(&path);
                }
            }
            "fsync" | "fdatasync" => self.sync(call),
            "syncfs" => self.sync_all(call.began),
            _ => {}
        }
    }

    /// Contents change while a writing call lasts.
    fn write(&mut self, call: &Call, at: usize) {
        let index = match call.name.as_str() {
            "write" | "writev" | "pwrite64" | "pwritev" | "sendfile" | "ftruncate" => 0,
            "copy_file_range" | "splice" => 2,
            _ => return,
        };
        let Some(path) = call.path(index).filter(|path| self.is_ours(path)) else {
            return;
        };
        let thread = call.thread;
        let file = self.files.entry(path.to_owned()).or_insert(File {
            data: Change::now(at),
            entry: Change { at, synced: true },
            thread,
            new: false,
        });
        file.data = Change::now(at);
    }

    fn create(&mut self, call: &Call, at: usize) {
        let Some(path) = target(call).filter(|path| self.is_ours(path)) else {
            return;
        };
        if self.files.contains_key(&path) && !call.has_flag("O_EXCL") {
            return;
        }
        let file = File {
            data: Change::now(at),
            entry: Change::now(at),
            thread: call.thread,
            new: true,
        };
        self.files.insert(path.clone(), file);
        self.pending.entry(call.thread).or_default().push(path);
    }

    fn rename(&mut self, call: &Call, at: usize) {
        let (from, to) = match call.name.as_str() {
            "rename" | "link" => (
                call.name_at(0).map(str::to_owned),
                call.name_at(1).map(str::to_owned),
            ),
            _ => (call.path_at(0), call.path_at(2)),
        };
        let (Some(from), Some(to)) = (from, to) else {
            return;
        };
        if !self.is_ours(&to) {
            return;
        }
        let found = File {
            data: Change { at, synced: true },
            entry: Change::now(at),
            thread: call.thread,
            new: false,
        };
        let mut file = self.files.remove(&from).unwrap_or(found);
        file.entry = Change::now(at);
        self.files.insert(to.clone(), file);
        for name in self.pending.values_mut().flatten() {
            if *name == from {
                name.clone_from(&to);
            }
        }
    }

    fn sync(&mut self, call: &Call) {
        let Some(path) = call.path(0) else { return };
        if let Some(file) = self.files.get_mut(path) {
            file.data.sync(call.began);
            return;
        }
        for (name, file) in &mut self.files {
            if parent(name) == path {
                file.entry.sync(call.began);
            }
        }
        for (name, entry) in &mut self.directories {
            if parent(name) == path {
                entry.sync(call.began);
            }
        }
    }

    fn sync_all(&mut self, began: usize) {
        let mut threads = BTreeSet::new();
        for file in self.files.values_mut() {
            if file.data.sync(began) | file.entry.sync(began) {
                threads.insert(file.thread);
            }
        }
        for entry in self.directories.values_mut() {
            entry.sync(began);
        }
        self.verdict.together.push(threads.len());
    }

    fn answer(&mut self, call: &Call) {
        let mut files = self.pending.remove(&call.thread).unwrap_or_default();
        files.retain(|path| path.starts_with(&self.areas.queue) && self.files.contains_key(path));
        if files.is_empty() {
            self.fault(call, "a 250 with no file that it vouches for");
        }
        for path in &files {
            if !is_message(path) {
                self.fault(call, &format!("a 250 while the file is still {path}"));
            }
            self.want_durable(call, path, "a 250");
        }
        self.verdict.answers.push(files);
    }

    /// Somebody takes a message file: its state must have been durable by then.
    fn attempt(&mut self, call: &Call) {
        let Some(path) = target(call).filter(|path| self.is_message_of_queue(path)) else {
            return;
        };
        if self.files.contains_key(&path) {
            self.verdict.attempts += 1;
            self.want_durable(call, &path, "the next attempt");
        }
    }

    /// A message file goes: what its thread delivered must be durable by then.
    fn removal(&mut self, call: &Call) {
        let Some(path) = target(call).filter(|path| self.is_message_of_queue(path)) else {
            return;
        };
        let mut delivered = self.pending.remove(&call.thread).unwrap_or_default();
        delivered.retain(|file| parent(file).ends_with("/new") && self.files.contains_key(file));
        for file in &delivered {
            self.want_durable(call, file, &format!("the removal of {path}"));
        }
        self.verdict.removals += usize::from(!delivered.is_empty());
    }

    fn want_durable(&mut self, call: &Call, path: &str, what: &str) {
        let file = self.files[path];
        if !file.data.synced {
            self.fault(
                call,
                &format!("{what} before the data of {path} are synced"),
            );
        }
        if !file.entry.synced {
            self.fault(
                call,
                &format!("{what} before the entry of {path} is synced"),
            );
        }
        if !file.new {
            return;
        }
        let mut unsynced = Vec::new();
        let mut above = parent(path);
        while self.is_ours(above) {
            if self
                .directories
                .get(above)
                .is_some_and(|entry| !entry.synced)
            {
                unsynced.push(above);
            }
            above = parent(above);
        }
        for directory in unsynced {
            self.fault(
                call,
                &format!("{what} before the entry of the new directory {directory} is synced"),
            );
        }
    }

    fn fault(&mut self, call: &Call, text: &str) {
        let (line, thread) = (call.began + 1, call.thread);
        let text = format!("line {line}, thread {thread}: {text}");
        self.verdict.faults.push(text);
    }

    fn is_ours(&self, path: &str) -> bool {
        let below = |area: &str| {
            path.strip_prefix(area)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        below(&self.areas.queue) || below(&self.areas.store)
    }

    fn is_message_of_queue(&self, path: &str) -> bool {
        path.starts_with(&self.areas.queue) && is_message(path)
    }
}

fn target(call: &Call) -> Option<String> {
    match call.name.as_str() {
        "open" | "mkdir" | "unlink" => call.name_at(0).map(str::to_owned),
        _ => call.path_at(0),
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn is_message(path: &str) -> bool {
    path.rsplit('/')
        .next()
        .is_some_and(|name| !name.starts_with('.') && name.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::super::trace::parse;
    use super::*;

    const OPEN: &str =
        r#"7 openat(9</q/l>, ".tmp-a", O_RDWR|O_CREAT|O_EXCL, 0600) = 12</q/l/.tmp-a>"#;
    const WRITE: &str = r#"7 write(12</q/l/.tmp-a>, "text"..., 900) = 900"#;
    const RENAME: &str = r#"7 renameat2(9</q/l>, ".tmp-a", 9</q/l>, "ZZa.00", 0x1) = 0"#;
    const FILE: &str = "7 fsync(12</q/l/ZZa.00>) = 0";
    const DIRECTORY: &str = "7 fsync(9</q/l>) = 0";
    const ALL: &str = "8 syncfs(4</q>) = 0";
    const WORD: &str =
        r#"7 sendto(5<socket:[1]>, "250 2.5.0 Ok, envelope x\r\n", 9, 0, NULL, 0) = 9"#;

    fn verdict(lines: &[&str]) -> Verdict {
        let areas = Areas {
            queue: "/q".into(),
            store: "/s".into(),
        };
        judge(&parse(&lines.join("\n")), &areas)
    }

    #[test]
    fn synced_before_the_word_is_right() {
        for lines in [
            &[OPEN, WRITE, RENAME, FILE, DIRECTORY, WORD][..],
            &[
                OPEN,
                WRITE,
                "7 fsync(12</q/l/.tmp-a>) = 0",
                RENAME,
                DIRECTORY,
                WORD,
            ],
            &[OPEN, WRITE, RENAME, ALL, WORD],
        ] {
            let verdict = verdict(lines);
            assert!(verdict.faults.is_empty(), "{lines:?}: {:?}", verdict.faults);
            assert_eq!(verdict.answers, [["/q/l/ZZa.00"]]);
        }
    }

    #[test]
    fn whatever_is_missing_or_late_is_a_fault() {
        let failed = "7 fsync(12</q/l/ZZa.00>) = -1 EIO (Input/output error)";
        let begun = "8 syncfs(4</q> <unfinished ...>";
        let ended = "8 <... syncfs resumed>) = 0";
        for (lines, count) in [
            (&[OPEN, WRITE, RENAME, WORD][..], 2),
            (&[OPEN, WRITE, RENAME, FILE, WORD], 1),
            (&[OPEN, WRITE, RENAME, DIRECTORY, WORD], 1),
            (&[OPEN, WRITE, RENAME, failed, DIRECTORY, WORD], 1),
            (&[OPEN, WRITE, DIRECTORY, RENAME, FILE, WORD], 1),
            (&[OPEN, WRITE, RENAME, FILE, WORD, DIRECTORY], 1),
            (&[OPEN, FILE, WRITE, RENAME, DIRECTORY, WORD], 1),
            (&[OPEN, WRITE, ALL, RENAME, WORD], 1),
            (&[OPEN, WRITE, begun, RENAME, ended, WORD], 1),
            (&[OPEN, WRITE, RENAME, begun, WORD, ended], 2),
            (&[OPEN, begun, WRITE, RENAME, ended, WORD], 2),
            (&[WORD], 1),
            (&[OPEN, WRITE, WORD], 3),
        ] {
            let faults = verdict(lines).faults;
            assert_eq!(faults.len(), count, "{lines:?}: {faults:?}");
        }
    }

    #[test]
    fn a_new_directory_needs_a_sync_of_its_parent() {
        let make = r#"7 mkdirat(4</q>, "l", 0700) = 0"#;
        let whole = [make, OPEN, WRITE, RENAME, FILE, DIRECTORY, WORD];
        assert_eq!(verdict(&whole).faults.len(), 1);
        let above = "7 fsync(4</q>) = 0";
        let whole = [make, above, OPEN, WRITE, RENAME, FILE, DIRECTORY, WORD];
        assert!(verdict(&whole).faults.is_empty());
    }

    #[test]
    fn a_word_vouches_for_its_own_thread_s_files() {
        let other = WORD.replacen('7', "8", 1);
        let lines = [OPEN, WRITE, RENAME, ALL, &other];
        assert_eq!(verdict(&lines).faults.len(), 1, "thread 8 wrote nothing");
        let lines = [OPEN, WRITE, RENAME, ALL, WORD, WORD];
        assert_eq!(verdict(&lines).faults.len(), 1, "the second has no file");
    }

    #[test]
    fn a_sync_of_all_counts_the_threads_it_serves() {
        let second: Vec<String> = [OPEN, WRITE, RENAME]
            .iter()
            .map(|line| {
                line.replacen('7', "8", 1)
                    .replace("-a", "-b")
                    .replace("ZZa", "ZZb")
            })
            .collect();
        let lines = [
            OPEN, WRITE, RENAME, &second[0], &second[1], &second[2], ALL, WORD,
        ];
        assert_eq!(verdict(&lines).together, [2]);
    }

    #[test]
    fn a_changed_state_is_synced_before_the_next_attempt() {
        let note = r#"7 pwrite64(12</q/l/ZZa.00>, "line", 4, 900) = 4"#;
        let count = r#"7 renameat2(9</q/l>, "ZZa.00", 9</q/l>, "ZZa.01", 0x1) = 0"#;
        let take = r#"8 openat(9</q/l>, "ZZa.01", O_RDWR|O_NOFOLLOW) = 5</q/l/ZZa.01>"#;
        let right = verdict(&[note, FILE, count, DIRECTORY, take]);
        assert!(right.faults.is_empty() && right.attempts == 1, "{right:?}");
        assert_eq!(verdict(&[note, FILE, count, take]).faults.len(), 1);
        assert_eq!(verdict(&[note, count, DIRECTORY, take]).faults.len(), 1);
    }

    #[test]
    fn a_delivery_is_synced_before_its_message_is_removed() {
        let open = r#"7 openat(AT_FDCWD</>, "/s/u/tmp/a", O_WRONLY|O_CREAT, 0600) = 3</s/u/tmp/a>"#;
        let write = r#"7 write(3</s/u/tmp/a>, "text", 4) = 4"#;
        let data = "7 fsync(3</s/u/tmp/a>) = 0";
        let rename = r#"7 rename("/s/u/tmp/a", "/s/u/new/a,S=4") = 0"#;
        let entry = "7 fsync(3</s/u/new>) = 0";
        let gone = r#"7 unlinkat(9</q/l>, "ZZa.00", 0) = 0"#;
        let right = verdict(&[open, write, data, rename, entry, gone]);
        assert!(right.faults.is_empty() && right.removals == 1, "{right:?}");
        assert_eq!(verdict(&[open, write, data, rename, gone]).faults.len(), 1);
        assert_eq!(verdict(&[open, write, rename, entry, gone]).faults.len(), 1);
    }
}
