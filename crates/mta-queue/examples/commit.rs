//! What a durable message costs on this disk, by several ways of making it durable.
//!
//! ```text
//! cargo run --release -p mta-queue --example commit -- DIRECTORY [MESSAGES]
//! ```
//!
//! `DIRECTORY` is made and removed again. Every way writes the same messages of 5 KiB into
//! twenty subdirectories, in batches of 1, 10 and 50; the crate itself is measured with as
//! many threads as the batch is large. Printed: milliseconds of time and of CPU per message.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::PosixFadviseAdvice;

use mta_envelope::address::Address;
use mta_envelope::envelope::{Envelope, Priority, Recipient};
use mta_envelope::names::ChannelName;
use mta_queue::enqueue::Plan;
use mta_queue::{Queue, QueueError};

const SUBDIRS: u16 = 20;
const SIZE: usize = 5 * 1024;
const BATCHES: [usize; 3] = [1, 10, 50];

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A way of making written files durable.
type Way = fn(&Area, &[Pending]) -> Outcome;

const WAYS: [(&str, Way); 6] = [
    ("fsync each, rename, fsync directories", plain),
    ("rename, fsync each, fsync directories", rename_first),
    ("write-back for all, then as the first", write_back),
    ("rename all, one syncfs", one_syncfs),
    ("a thread each, as the first", thread_each),
    ("reused files: overwrite, fdatasync, rename", reuse),
];

struct Area {
    root: PathBuf,
    directories: Vec<File>,
}

/// A written file under its temporary name.
struct Pending {
    file: File,
    subdir: usize,
    temporary: PathBuf,
    last: PathBuf,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(root) = arguments.next() else {
        eprintln!("usage: commit DIRECTORY [MESSAGES]");
        return ExitCode::FAILURE;
    };
    let messages = arguments.next().and_then(|text| text.parse().ok());
    let result = measure_all(Path::new(&root), messages.unwrap_or(2000));
    if let Err(error) = std::fs::remove_dir_all(&root) {
        eprintln!("cannot remove {root}: {error}");
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure_all(root: &Path, messages: usize) -> Outcome {
    println!("{messages} messages of {SIZE} octets; time ms/message, CPU ms/message");
    for batch in BATCHES {
        println!("batches of {batch}");
        // One file at a time is slow: fewer messages tell as much.
        let count = if batch == 1 { messages / 4 } else { messages };
        for (name, way) in WAYS {
            let area = Area::make(&root.join("floor"))?;
            let took = area.measure(way, count, batch)?;
            report(name, took, count);
            std::fs::remove_dir_all(&area.root)?;
        }
        let took = through_the_crate(&root.join("queue"), count, batch)?;
        report("this crate, that many sessions", took, count);
    }
    Ok(())
}

fn report(name: &str, (time, cpu): (Duration, Duration), count: usize) {
    let each = |took: Duration| took.as_secs_f64() * 1000.0 / count as f64;
    println!("  {name:44} {:8.3} {:8.3}", each(time), each(cpu));
}

impl Area {
    fn make(root: &Path) -> Result<Self, std::io::Error> {
        let mut directories = Vec::new();
        for number in 0..SUBDIRS {
            let path = root.join(format!("{number:03}"));
            std::fs::create_dir_all(&path)?;
            directories.push(File::open(path)?);
        }
        Ok(Self {
            root: root.to_owned(),
            directories,
        })
    }

    fn measure(
        &self,
        way: Way,
        count: usize,
        batch: usize,
    ) -> Result<(Duration, Duration), Box<dyn std::error::Error>> {
        let content = vec![b'x'; SIZE];
        let mut time = Duration::ZERO;
        let cpu = cpu_time();
        for round in 0..count / batch {
            let prepared = self.prepare(way, round, batch)?;
            let start = Instant::now();
            let mut pending = Vec::with_capacity(batch);
            for mut one in prepared {
                if one.temporary.exists() {
                    one.file.write_all(&content)?;
                } else {
                    one.file = File::create_new(&one.temporary)?;
                    one.file.write_all(&content)?;
                }
                pending.push(one);
            }
            way(self, &pending)?;
            time += start.elapsed();
            for one in &pending {
                std::fs::remove_file(&one.last)?;
            }
        }
        Ok((time, cpu_time() - cpu))
    }

    /// Names for a batch; for reused files, the files as an earlier message has left them.
    fn prepare(
        &self,
        way: Way,
        round: usize,
        batch: usize,
    ) -> Result<Vec<Pending>, std::io::Error> {
        let reused = std::ptr::fn_addr_eq(way, reuse as Way);
        let one = |at: usize| {
            let number = round * batch + at;
            let subdir = number % usize::from(SUBDIRS);
            let directory = self.root.join(format!("{subdir:03}"));
            let temporary = directory.join(format!(".tmp-{number}"));
            let mut file = self.directories[subdir].try_clone()?;
            if reused {
                std::fs::write(&temporary, vec![b'o'; SIZE])?;
                file = File::options().write(true).open(&temporary)?;
                file.sync_all()?;
            }
            Ok(Pending {
                file,
                subdir,
                temporary,
                last: directory.join(format!("ZZ{number}.00")),
            })
        };
        (0..batch).map(one).collect()
    }

    fn sync_directories(&self, pending: &[Pending]) -> Outcome {
        let mut used: Vec<usize> = pending.iter().map(|one| one.subdir).collect();
        used.sort_unstable();
        used.dedup();
        for subdir in used {
            nix::unistd::fsync(&self.directories[subdir])?;
        }
        Ok(())
    }
}

fn rename(pending: &[Pending]) -> Outcome {
    for one in pending {
        std::fs::rename(&one.temporary, &one.last)?;
    }
    Ok(())
}

fn sync_files(pending: &[Pending]) -> Outcome {
    for one in pending {
        nix::unistd::fsync(&one.file)?;
    }
    Ok(())
}

fn plain(area: &Area, pending: &[Pending]) -> Outcome {
    sync_files(pending)?;
    rename(pending)?;
    area.sync_directories(pending)
}

fn rename_first(area: &Area, pending: &[Pending]) -> Outcome {
    rename(pending)?;
    sync_files(pending)?;
    area.sync_directories(pending)
}

fn write_back(area: &Area, pending: &[Pending]) -> Outcome {
    for one in pending {
        // Starts write-back of the file and does not wait.
        let advice = PosixFadviseAdvice::POSIX_FADV_DONTNEED;
        nix::fcntl::posix_fadvise(&one.file, 0, 0, advice)?;
    }
    plain(area, pending)
}

fn one_syncfs(area: &Area, pending: &[Pending]) -> Outcome {
    rename(pending)?;
    Ok(nix::unistd::syncfs(area.directories[0].as_fd())?)
}

fn thread_each(area: &Area, pending: &[Pending]) -> Outcome {
    thread::scope(|scope| {
        for one in pending {
            scope.spawn(move || {
                plain(area, std::slice::from_ref(one)).map_err(|error| error.to_string())
            });
        }
    });
    Ok(())
}

fn reuse(area: &Area, pending: &[Pending]) -> Outcome {
    for one in pending {
        nix::unistd::fdatasync(&one.file)?;
    }
    rename(pending)?;
    area.sync_directories(pending)
}

fn through_the_crate(
    root: &Path,
    count: usize,
    sessions: usize,
) -> Result<(Duration, Duration), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(root)?;
    let queue = Queue::open(root)?;
    let body = "x".repeat(63) + "\n";
    let body = body.repeat(SIZE / 64);
    // Directories are made, and made durable, by the first messages of a process.
    enqueue(&queue, &body, 100)?;
    let (start, cpu) = (Instant::now(), cpu_time());
    thread::scope(|scope| {
        let one = |_| scope.spawn(|| enqueue(&queue, &body, count / sessions));
        let handles: Vec<_> = (0..sessions).map(one).collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or(Err(QueueError::GivenUp)))
            .collect::<Result<Vec<()>, QueueError>>()
    })?;
    let took = (start.elapsed(), cpu_time() - cpu);
    std::fs::remove_dir_all(root)?;
    Ok(took)
}

fn enqueue(queue: &Queue, body: &str, count: usize) -> Result<(), QueueError> {
    let Ok(channel) = ChannelName::new("tcp_local") else {
        return Err(QueueError::NoRecipients);
    };
    let recipients = Address::parse("ada@example.com").map(Recipient::new);
    let envelope = Envelope {
        id: "0TOY00B049408X00@mail.example.com".into(),
        sender: None,
        ret: None,
        source_channel: channel.clone(),
        source_system: String::new(),
        user: String::new(),
        authenticated: None,
        arrived: 1_790_000_000,
        priority: Priority::Normal,
        message_id: None,
        size: 0,
        deferred_until: None,
        recipients: recipients.into_iter().collect(),
    };
    for _ in 0..count {
        let mut draft = queue.draft(vec![Plan {
            channel: channel.clone(),
            subdirs: SUBDIRS,
            envelope: envelope.clone(),
            held: None,
        }]);
        draft.header(b"Subject: measure\n\n", None, Priority::Normal)?;
        draft.body(body.as_bytes())?;
        for placed in draft.commit()? {
            // As the other ways do, so that nobody works on a directory that grows.
            let removed = std::fs::remove_file(&placed.path);
            removed.map_err(|source| QueueError::Io {
                action: "remove",
                path: placed.path,
                source,
            })?;
        }
    }
    Ok(())
}

/// CPU time of this process so far, user and system.
fn cpu_time() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    let of = |time: nix::sys::time::TimeVal| {
        let micros = u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec());
        Duration::from_micros(micros.unwrap_or_default())
    };
    of(usage.user_time()) + of(usage.system_time())
}
