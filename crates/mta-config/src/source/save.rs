//! Writing the configuration: aside, synced, renamed, under a lock, the old version kept.

use super::name::Path as OptionPath;
use super::tree::{File, Tree};
use super::{schema, xml};
use crate::paths::ServerRoot;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Old versions that are kept.
const KEPT: usize = 100;

/// Makes a directory below `config`, with the same owner, mode 0700 if it is new.
///
/// # Errors
/// What the system says.
pub fn directory(config: &Path, path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    own_like(config, path)
}

/// Makes what is missing of the directories of a server root, and gives them to `owner` (user and
/// group) if one is named: `data` and all below 0700, `config` open for looking in.
///
/// # Errors
/// The directory, and what the system says.
pub fn lay_out(root: &ServerRoot, owner: Option<(u32, u32)>) -> Result<(), (PathBuf, io::Error)> {
    let private = [
        root.data(),
        root.queue(),
        root.log(),
        root.tmp(),
        root.store(),
        root.db(),
        root.config().join("compiled"),
        root.old_configs(),
    ];
    let give = |path: &Path| match owner {
        Some((user, group)) => std::os::unix::fs::lchown(path, Some(user), Some(group)),
        None => Ok(()),
    };
    let make = |path: &Path, mode: u32| {
        match fs::DirBuilder::new().mode(mode).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        give(path)
    };
    make(&root.config(), 0o755).map_err(|error| (root.config(), error))?;
    for path in private {
        make(&path, 0o700).map_err(|error| (path.clone(), error))?;
    }
    // `ROOT/log` leads to the logs.
    let link = root.root().join("log");
    let linked = || {
        if fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink("data/log", &link)?;
            give(&link)?;
        }
        Ok(())
    };
    linked().map_err(|error| (link.clone(), error))
}

/// Makes the directories of a legacy root that has none yet: nobody runs `configure` there.
///
/// # Errors
/// As [`lay_out`].
pub fn prepare_legacy(
    root: &ServerRoot,
    owner: Option<(u32, u32)>,
) -> Result<(), (PathBuf, io::Error)> {
    if super::Form::of(root) == super::Form::Legacy && !root.data().exists() {
        lay_out(root, owner)?;
    }
    Ok(())
}

/// Writes a file aside, syncs and renames it, and syncs the directory. It gets mode 0600 and the
/// owner of `config`.
///
/// # Errors
/// What the system says; the old file is still there.
pub fn file(path: &Path, content: &[u8], config: &Path) -> io::Result<()> {
    file_of(path, content, config, None)
}

/// As [`file()`], with another time of last modification than now.
///
/// # Errors
/// As [`file()`].
pub fn file_of(
    path: &Path,
    content: &[u8],
    config: &Path,
    modified: Option<SystemTime>,
) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written =
        write_aside(&aside, content, config, modified).and_then(|()| fs::rename(&aside, path));
    if let Err(error) = written {
        // Nothing is lost with a copy that never became the file.
        drop(fs::remove_file(&aside));
        return Err(error);
    }
    fs::File::open(path.parent().unwrap_or(path))?.sync_all()
}

fn write_aside(
    aside: &Path,
    content: &[u8],
    config: &Path,
    modified: Option<SystemTime>,
) -> io::Result<()> {
    // A leftover of a process that died and had the same number.
    match fs::remove_file(aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(aside)?;
    own_like(config, aside)?;
    file.write_all(content)?;
    if let Some(modified) = modified {
        file.set_modified(modified)?;
    }
    file.sync_all()
}

/// Gives `path` the owner of `model` when we may: no command run as root leaves a file of root.
pub(crate) fn own_like(model: &Path, path: &Path) -> io::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(model)?;
    std::os::unix::fs::lchown(path, Some(owner.uid()), Some(owner.gid()))
}

/// One saved version, as the history lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Its number.
    pub number: u64,
    /// Seconds since 1970.
    pub time: u64,
    /// Who wrote it.
    pub user: String,
    /// What was said about it.
    pub remark: String,
}

/// What to remember about a version that is written.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// Seconds since 1970.
    pub time: u64,
    /// Who writes it.
    pub user: &'a str,
    /// What is said about it.
    pub remark: &'a str,
}

/// The text of `config.xml` and of `xpass.xml` for a tree.
///
/// # Errors
/// Never for a tree in memory; the writer's type asks for a result.
pub fn texts(tree: &Tree) -> io::Result<(String, String)> {
    let kind = |path: &OptionPath| schema::spec(path).map_or("string", |spec| spec.kind.word());
    let config = xml::write(tree, |path| !schema::is_secret(path), kind)?;
    let pass = xml::write(tree, schema::is_secret, kind)?;
    Ok((config, pass))
}

/// Writes a tree as the configuration of `root`, and keeps it among the old versions as well.
/// The caller holds the lock of the configuration.
///
/// The secrets go first: with new options and old secrets a server might ask in vain, with the
/// new secrets and old options it does not ask at all.
///
/// # Errors
/// What the system says; what was there before still is.
pub fn save(root: &ServerRoot, tree: &Tree, note: Note<'_>) -> io::Result<u64> {
    let (config, pass) = texts(tree)?;
    let directory_of_old = root.old_configs();
    directory(&root.config(), &directory_of_old)?;
    let mut saved = history(root)?;
    let number = saved.iter().map(|saved| saved.number).max().unwrap_or(0) + 1;
    let old = |name: &str, number| directory_of_old.join(format!("{name}-{number}.xml"));
    file(&old("xpass", number), pass.as_bytes(), &root.config())?;
    file(&old("config", number), config.as_bytes(), &root.config())?;
    file(&root.xpass_xml(), pass.as_bytes(), &root.config())?;
    file(&root.config_xml(), config.as_bytes(), &root.config())?;
    saved.push(Saved {
        number,
        time: note.time,
        user: one_line(note.user),
        remark: one_line(note.remark),
    });
    let expired = saved.len().saturating_sub(KEPT);
    for saved in saved.drain(..expired) {
        for name in ["config", "xpass"] {
            // An old version that is gone already is no loss.
            drop(fs::remove_file(old(name, saved.number)));
        }
    }
    let lines = saved.iter().map(|saved| {
        format!(
            "{}\t{}\t{}\t{}\n",
            saved.number, saved.time, saved.user, saved.remark
        )
    });
    let index: String = lines.collect();
    file(&index_path(root), index.as_bytes(), &root.config())?;
    Ok(number)
}

/// The versions that are kept, oldest first.
///
/// # Errors
/// What the system says, but for an index that is not there.
pub fn history(root: &ServerRoot) -> io::Result<Vec<Saved>> {
    let text = match fs::read_to_string(index_path(root)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let saved = text.lines().filter_map(|line| {
        let mut fields = line.splitn(4, '\t');
        Some(Saved {
            number: fields.next()?.parse().ok()?,
            time: fields.next()?.parse().ok()?,
            user: fields.next()?.to_owned(),
            remark: fields.next().unwrap_or_default().to_owned(),
        })
    });
    Ok(saved.collect())
}

/// The tree of a version that is kept; nothing when there is none of that number.
///
/// # Errors
/// What the system says, or that the file is no option tree.
pub fn old_tree(root: &ServerRoot, number: u64) -> io::Result<Option<Tree>> {
    let mut tree = Tree::default();
    for (name, kind) in [("config", File::Config), ("xpass", File::Pass)] {
        let path = root.old_configs().join(format!("{name}-{number}.xml"));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        xml::read(&text, kind, &mut tree)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    }
    Ok(Some(tree))
}

fn index_path(root: &ServerRoot) -> PathBuf {
    root.old_configs().join("index")
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::name::Scope;
    use crate::source::tree::Content;

    fn root() -> (tempfile::TempDir, ServerRoot) {
        let directory = tempfile::tempdir().unwrap();
        let root = ServerRoot::new(directory.path().to_owned());
        fs::create_dir(root.config()).unwrap();
        (directory, root)
    }

    fn tree(pairs: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (name, text) in pairs {
            let path = OptionPath::parse(name).unwrap();
            tree.append(Scope::Role, path, Content::Text((*text).to_owned()).into());
        }
        tree
    }

    const NOTE: Note<'static> = Note {
        time: 1_700_000_000,
        user: "mailsrv",
        remark: "a\tb",
    };

    #[test]
    fn secrets_stand_in_their_own_file() {
        let (_directory, root) = root();
        let tree = tree(&[("mta.ldap_password", "hidden"), ("mta.mm_debug", "5")]);
        save(&root, &tree, NOTE).unwrap();
        let config = fs::read_to_string(root.config_xml()).unwrap();
        let pass = fs::read_to_string(root.xpass_xml()).unwrap();
        assert!(
            config.contains("mm_debug") && !config.contains("hidden"),
            "{config}"
        );
        assert!(
            pass.contains("hidden") && !pass.contains("mm_debug"),
            "{pass}"
        );
        let mode = fs::metadata(root.config_xml()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (read, _) = super::super::read_tree(&root).unwrap();
        assert_eq!(read.entries().len(), 2);
    }

    #[test]
    fn a_hundred_old_versions_are_kept() {
        let (_directory, root) = root();
        for _ in 0..KEPT + 2 {
            save(&root, &tree(&[("mta.mm_debug", "5")]), NOTE).unwrap();
        }
        let history = history(&root).unwrap();
        assert_eq!(history.len(), KEPT);
        assert_eq!((history[0].number, history[0].remark.as_str()), (3, "a b"));
        assert!(old_tree(&root, 2).unwrap().is_none());
        assert!(old_tree(&root, 3).unwrap().is_some());
        let files = fs::read_dir(root.old_configs()).unwrap().count();
        assert_eq!(files, 2 * KEPT + 1);
    }
}
