//! Watching and disturbing the system calls of running programs with `strace`.

use super::root::Root;
use super::{wait_for, wait_within};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The calls that put data and names on the disk, or words on the wire.
pub(crate) const DISK_AND_WIRE: &str = "trace=open,openat,write,writev,pwrite64,pwritev,sendto,\
    sendmsg,sendfile,copy_file_range,splice,ftruncate,fsync,fdatasync,syncfs,rename,renameat,\
    renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat";

/// An `strace` that is attached to running processes, their threads and their children. When it
/// is dropped it lets go of them, and whatever it injected ends.
pub(crate) struct Tracer {
    strace: Child,
    output: PathBuf,
}

impl Tracer {
    /// Attaches to all of `pids`; `expressions` are the arguments of `-e`. Returns when every
    /// thread that they have now is traced.
    ///
    /// # Panics
    /// When one of them ends meanwhile.
    pub(crate) fn attach(root: &Root, pids: &[i32], expressions: &[&str]) -> Self {
        let attached = Self::try_attach(root, pids, expressions);
        attached.unwrap_or_else(|| panic!("{pids:?} are gone\n{}", root.logs()))
    }

    /// The same, but gives nothing when one of them ends meanwhile.
    pub(crate) fn try_attach(root: &Root, pids: &[i32], expressions: &[&str]) -> Option<Self> {
        assert!(!pids.is_empty(), "nothing to attach to\n{}", root.logs());
        let output = unused_name(root);
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-q", "-s", "96", "-o"]);
        command.arg(&output);
        for expression in expressions {
            command.args(["-e", expression]);
        }
        for pid in pids {
            command.args(["-p", &pid.to_string()]);
        }
        let strace = command
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs strace: {error}"));
        let tracer = Self { strace, output };
        let lives = wait_for("strace to attach", || {
            if pids.iter().any(|pid| is_gone(*pid)) {
                return Some(false);
            }
            pids.iter().all(|pid| is_traced(*pid)).then_some(true)
        });
        lives.then_some(tracer)
    }

    /// Lets go, and gives what was written down.
    pub(crate) fn finish(mut self) -> String {
        self.let_go();
        let text = fs::read(&self.output).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// What was written down so far.
    pub(crate) fn so_far(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    fn let_go(&mut self) {
        // One that is told to let go of a process whose threads are just dying waits for ever;
        // when all of them are dead it ends by itself.
        if self.so_far().contains("+++ killed by") && self.ends_within(Duration::from_secs(1)) {
            return;
        }
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.strace.id()).unwrap());
        // One that has lost all its processes has ended by itself.
        let _gone = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).is_err();
        if !self.ends_within(Duration::from_secs(5)) {
            drop(self.strace.kill());
            drop(self.strace.wait());
        }
    }

    fn ends_within(&mut self, limit: Duration) -> bool {
        wait_within(limit, || self.strace.try_wait().ok().flatten()).is_some()
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Puts a script in place of `lib/PROGRAM` that runs the real one under `strace`, which stays in
/// the background: the program has the process number, parent and standard input it would have
/// had. `arguments` are those of `strace`.
pub(crate) fn wrap(root: &Root, program: &str, arguments: &[&str]) {
    use std::os::unix::fs::PermissionsExt as _;
    let script = root.path().join("lib").join(program);
    let real = script.with_extension("real");
    fs::rename(&script, &real).unwrap();
    let quoted: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
    let text = format!(
        "#!/bin/sh\nexec strace -D -f -q -o /dev/null {} '{}' \"$@\"\n",
        quoted.join(" "),
        real.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Whether every thread of a process has a tracer.
fn is_traced(pid: i32) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    tasks.flatten().all(|task| {
        fs::read_to_string(task.path().join("status"))
            .is_ok_and(|status| !status.contains("\nTracerPid:\t0\n"))
    })
}

/// Whether a process has ended, even if nobody has taken note of it yet.
fn is_gone(pid: i32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else {
        return true;
    };
    status.contains("\nState:\tZ") || status.contains("\nState:\tX")
}

fn unused_name(root: &Root) -> PathBuf {
    let taken = |number: &u32| trace_file(root.path(), *number).exists();
    let number = (0..).find(|number| !taken(number)).unwrap();
    let path = trace_file(root.path(), number);
    fs::write(&path, "").unwrap();
    path
}

fn trace_file(root: &Path, number: u32) -> PathBuf {
    root.join(OsStr::new(&format!("strace-{number}")))
}
