//! A file system of its own for what a server keeps, whose power can be cut.

use super::wait_for;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`, which have the same numbers with XFS:
/// from its return on every call on the file system fails and nothing more reaches the image, the
/// journal included. What was not synced by then is gone, as after a power cut.
const CUT: &str = "import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print('ready', flush=True)
sys.stdin.readline()
fcntl.ioctl(fd, 0x8004587d, struct.pack('I', 2))
";

/// What a disk is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileSystem {
    Ext4,
    Xfs,
}

impl FileSystem {
    fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }

    /// The program that makes one, and its arguments.
    fn maker(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Ext4 => ("mkfs.ext4", &["-q", "-F", "-b", "4096", "-m", "0"]),
            Self::Xfs => ("mkfs.xfs", &["-q", "-f"]),
        }
    }
}

/// A file system on a loop device. Dropping it unmounts.
pub(crate) struct Disk {
    system: FileSystem,
    image: PathBuf,
    place: PathBuf,
}

impl Disk {
    /// Moves `place` and all that is in it to a disk of its own, which is mounted there.
    ///
    /// # Panics
    /// Without root, loop devices, e2fsprogs and xfsprogs.
    pub(crate) fn below(place: &Path, system: FileSystem, megabytes: u64) -> Self {
        let image = place.with_extension("image");
        let before = place.with_extension("before");
        let file = fs::File::create(&image).unwrap();
        file.set_len(megabytes << 20).unwrap();
        let (maker, arguments) = system.maker();
        run(Command::new(maker).args(arguments).arg(&image));
        fs::rename(place, &before).unwrap();
        fs::create_dir(place).unwrap();
        // As the table of mounts will show it; asking a dead disk would fail.
        let place = place.canonicalize().unwrap();
        let disk = Self {
            system,
            image,
            place,
        };
        disk.mount();
        run(Command::new("cp")
            .arg("-a")
            .args([before.join("."), disk.place.clone()]));
        fs::remove_dir_all(before).unwrap();
        disk.unmount();
        disk.mount();
        disk
    }

    /// Gets the cut ready, so that it comes at the very moment it is asked for.
    pub(crate) fn knife(&self) -> Knife {
        let mut python = Command::new("python3")
            .args(["-c", CUT])
            .arg(&self.place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs python3: {error}"));
        let mut ready = [0; 6];
        let told = python.stdout.as_mut().unwrap().read_exact(&mut ready);
        told.unwrap_or_else(|error| panic!("python3: {error}"));
        Knife(python)
    }

    /// Really unmounts: waits for the last process that has it open, and for the loop device.
    pub(crate) fn unmount(&self) {
        wait_for("the disk to be unmounted", || {
            let done = Command::new("umount")
                .arg(&self.place)
                .stderr(Stdio::null())
                .status()
                .unwrap();
            (done.success() || !self.is_mounted()).then_some(())
        });
        wait_for("the loop device to be free", || {
            let users = Command::new("losetup")
                .arg("-j")
                .arg(&self.image)
                .output()
                .unwrap();
            users.stdout.is_empty().then_some(())
        });
    }

    /// Mounts; the journal of a disk whose power was cut is replayed.
    pub(crate) fn mount(&self) {
        run(Command::new("mount")
            .args(["-t", self.system.name(), "-o", "loop"])
            .args([&self.image, &self.place]));
    }

    /// Whether the image was not unmounted in good order: its journal has to be replayed. With
    /// ext4 that is `needs_recovery` among the incompatible features of the superblock; what XFS
    /// has to do its own tool tells.
    pub(crate) fn needs_recovery(&self) -> bool {
        if self.system == FileSystem::Xfs {
            let told = Command::new("xfs_logprint")
                .arg("-t")
                .arg(&self.image)
                .output()
                .unwrap_or_else(|error| panic!("this test needs xfs_logprint: {error}"));
            return String::from_utf8_lossy(&told.stdout).contains("<DIRTY>");
        }
        let mut file = fs::File::open(&self.image).unwrap();
        let mut features = [0; 4];
        file.seek(SeekFrom::Start(1024 + 0x60)).unwrap();
        file.read_exact(&mut features).unwrap();
        u32::from_le_bytes(features) & 4 != 0
    }

    fn is_mounted(&self) -> bool {
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        mounts
            .lines()
            .any(|line| line.split(' ').nth(1).map(Path::new) == Some(&self.place))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted() {
            // Lazily: a process that is still ending may have it open.
            let lazily = Command::new("umount").arg("-l").arg(&self.place).status();
            drop(lazily);
        }
    }
}

/// A power cut that waits for its moment.
pub(crate) struct Knife(Child);

impl Knife {
    /// Cuts. On return the disk is dead.
    pub(crate) fn cut(mut self) {
        self.0.stdin.take().unwrap().write_all(b"now\n").unwrap();
        let done = self.0.wait().unwrap();
        assert!(done.success(), "this kernel cannot shut an ext4 down");
    }
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}, which needs root, loop devices and e2fsprogs: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
