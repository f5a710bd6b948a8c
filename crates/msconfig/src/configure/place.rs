//! Putting the files of a configuration in place.
//!
//! As root, the directories are made and given to the server user, `restricted.cnf` is written,
//! and root is given up before anything else is done: no other file can come to belong to root.

use super::accounts::{Account, ldif};
use super::plan::Plan;
use super::{Error, initial};
use crate::{lock, restricted};
use mta_config::source::save;
use mta_config::{Config, Restricted, ServerRoot};
use mta_process::lock::Lock;
use mta_process::privilege::{Identity, Rights, give_up_root, is_root};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Makes the directories and writes the files.
pub(super) fn place(
    root: &ServerRoot,
    plan: &Plan,
    accounts: &[Account],
    rights: &Rights,
) -> Result<(), Error> {
    // Whoever changes the configuration that is there finishes first.
    let ours = |owner: Identity| owner.uid == plan.user.uid;
    let held = if Identity::of_owner(&root.config()).is_ok_and(ours) {
        Some(locked(root)?)
    } else {
        None
    };
    rights.raised(|| roots_part(root, plan))??;
    let _held = match held {
        Some(held) => held,
        None => locked(root)?,
    };
    for (name, text) in mta_message::template::default_files() {
        write(root, &root.config().join(name), text.as_bytes())?;
    }
    keep_directory(root)?;
    write(root, &root.directory(), ldif(plan, accounts).as_bytes())?;
    // An image of what was there before would go on to count.
    remove(&root.image())?;
    let note = save::Note {
        time: crate::now(),
        user: &plan.user.user,
        remark: "initial",
    };
    save::save(root, &initial::tree(plan), note).map_err(|source| Error::Write {
        path: root.config_xml(),
        source,
    })?;
    match Config::from_text(root) {
        Ok(_) => Ok(()),
        Err(faults) => {
            let first = faults
                .into_iter()
                .next()
                .expect("a failed load has a fault");
            Err(Error::Unusable(first))
        }
    }
}

fn locked(root: &ServerRoot) -> Result<Lock, Error> {
    let lock = lock::configuration(root).map_err(|source| Error::Write {
        path: root.config(),
        source,
    })?;
    lock.ok_or(Error::Busy)
}

/// What only root can do for another user; then root is given up for good.
fn roots_part(root: &ServerRoot, plan: &Plan) -> Result<(), Error> {
    directories(root, plan)?;
    let accounts_of_server = Restricted {
        user: plan.user.user.clone(),
        group: None,
        noprivuser: None,
    };
    let path = root.restricted();
    let text = mta_config::source::write_restricted(&accounts_of_server);
    restricted::write(root, text.as_bytes()).map_err(|source| Error::Write { path, source })?;
    if is_root() {
        give_up_root(&plan.user)?;
    }
    Ok(())
}

fn write(root: &ServerRoot, path: &Path, content: &[u8]) -> Result<(), Error> {
    save::file(path, content, &root.config()).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

/// Makes what is missing, and gives everything to the server user.
fn directories(root: &ServerRoot, plan: &Plan) -> Result<(), Error> {
    let owner = is_root().then_some((plan.user.uid, plan.user.gid));
    save::lay_out(root, owner).map_err(|(path, source)| Error::Write { path, source })
}

/// A directory that is there already is kept beside the new one.
fn keep_directory(root: &ServerRoot) -> Result<(), Error> {
    let path = root.directory();
    if !path.exists() {
        return Ok(());
    }
    let kept = free_name(&path);
    fs::rename(&path, &kept).map_err(|source| Error::Write { path: kept, source })
}

fn free_name(path: &Path) -> PathBuf {
    let numbered = (1_u32..).map(|number| path.with_extension(format!("ldif.{number}")));
    let mut free = numbered.filter(|path| !path.exists());
    free.next().expect("there are more numbers than files")
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Write {
            path: path.to_owned(),
            source,
        }),
        Ok(()) | Err(_) => Ok(()),
    }
}
