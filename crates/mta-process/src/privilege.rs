//! Users: who the server user is, and how root is given up.
//!
//! One program, the watcher, is ever root. It lowers its effective user at once ([`Rights`]) and
//! raises it again only for the moment in which a child is started that has to become the server
//! user; so no file that it makes can belong to root by mistake. Everything else that an operator
//! starts as root calls [`give_up_root`] before it touches a file.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, getegid, geteuid, getuid, setegid, seteuid, setgid, setgroups, setuid,
};

/// A user could not be found or become.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// There is no such user.
    #[error("there is no user {0:?}")]
    NoSuchUser(String),
    /// There is no such group.
    #[error("there is no group {0:?}")]
    NoSuchGroup(String),
    /// The server user may not be root.
    #[error("the server user must not be root")]
    Root,
    /// A file whose owner was wanted could not be looked at.
    #[error("cannot see who owns {}", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The system refused.
    #[error("{doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        source: Errno,
    },
    /// Root was given up, and could be had back: nothing may go on.
    #[error("root could not be given up for good")]
    NotForGood,
}

fn system(doing: &'static str) -> impl FnOnce(Errno) -> PrivilegeError {
    move |source| PrivilegeError::System { doing, source }
}

/// A user and the group that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's name, or the number if it has none.
    pub user: String,
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

impl Identity {
    /// A user by name, with its own group unless another is named.
    ///
    /// # Errors
    /// [`PrivilegeError::NoSuchUser`], [`PrivilegeError::NoSuchGroup`], [`PrivilegeError::System`].
    pub fn lookup(user: &str, group: Option<&str>) -> Result<Self, PrivilegeError> {
        let found = User::from_name(user)
            .map_err(system("looking up the server user"))?
            .ok_or_else(|| PrivilegeError::NoSuchUser(user.to_owned()))?;
        let gid = match group {
            None => found.gid,
            Some(group) => {
                Group::from_name(group)
                    .map_err(system("looking up the server group"))?
                    .ok_or_else(|| PrivilegeError::NoSuchGroup(group.to_owned()))?
                    .gid
            }
        };
        Ok(Self {
            user: found.name,
            uid: found.uid.as_raw(),
            gid: gid.as_raw(),
        })
    }

    /// Whoever owns a file.
    ///
    /// # Errors
    /// [`PrivilegeError::Owner`].
    pub fn of_owner(path: &Path) -> Result<Self, PrivilegeError> {
        let found = fs::metadata(path).map_err(|source| PrivilegeError::Owner {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            user: name_of(found.uid()),
            uid: found.uid(),
            gid: found.gid(),
        })
    }

    /// Whoever this process is now.
    #[must_use]
    pub fn current() -> Self {
        let uid = geteuid().as_raw();
        Self {
            user: name_of(uid),
            uid,
            gid: getegid().as_raw(),
        }
    }
}

fn name_of(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => uid.to_string(),
    }
}

/// Whether this process can do what root can.
#[must_use]
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Becomes `to` for good. Does nothing if this process is that user already and not root.
///
/// # Errors
/// [`PrivilegeError::Root`] if `to` is root; [`PrivilegeError::System`];
/// [`PrivilegeError::NotForGood`] if root could still be had back.
pub fn give_up_root(to: &Identity) -> Result<(), PrivilegeError> {
    if to.uid == 0 {
        return Err(PrivilegeError::Root);
    }
    if !is_root() && !getuid().is_root() && to.uid == geteuid().as_raw() {
        return Ok(());
    }
    let gid = Gid::from_raw(to.gid);
    setgroups(&[gid]).map_err(system("giving up root's groups"))?;
    setgid(gid).map_err(system("giving up root's group"))?;
    setuid(Uid::from_raw(to.uid)).map_err(system("giving up root"))?;
    if setuid(Uid::from_raw(0)).is_ok() || getuid().is_root() || geteuid().is_root() {
        return Err(PrivilegeError::NotForGood);
    }
    Ok(())
}

/// What a child may see of our environment: enough to find its files, its time zone and its
/// language; nothing that a user of root's shell could have set to lead it astray.
const PASSED_ON: [&str; 6] = [
    "PATH",
    "TZ",
    "LANG",
    "SERVERROOT",
    "RUST_BACKTRACE",
    "LLVM_PROFILE_FILE",
];

/// A command for `program` with a clean environment, to run as `as_user` if that is given. It can
/// be started as another user by root only; the child has no way back.
#[must_use]
pub fn command(program: &Path, as_user: Option<&Identity>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for (name, value) in std::env::vars_os() {
        let known = name
            .to_str()
            .is_some_and(|name| PASSED_ON.contains(&name) || name.starts_with("IMTA_"));
        if known {
            command.env(name, value);
        }
    }
    if let Some(identity) = as_user.filter(|identity| identity.uid != geteuid().as_raw()) {
        // With a user given, supplementary groups are emptied before the switch.
        command.uid(identity.uid).gid(identity.gid);
    }
    command
}

/// Root's rights, put aside. Made once, early, in a process of one thread.
#[derive(Debug)]
pub struct Rights {
    identity: Identity,
    root: bool,
}

impl Rights {
    /// Lowers the effective user and group to `identity`. Without root there is nothing to lower.
    ///
    /// # Errors
    /// [`PrivilegeError::Root`]; [`PrivilegeError::System`].
    pub fn lower(identity: Identity) -> Result<Self, PrivilegeError> {
        let root = is_root();
        if root && identity.uid == 0 {
            return Err(PrivilegeError::Root);
        }
        let this = Self { identity, root };
        if root {
            setgroups(&[Gid::from_raw(this.identity.gid)])
                .map_err(system("putting root's groups aside"))?;
            this.down()?;
        }
        Ok(this)
    }

    /// The user whom we act as, and whom children become.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Does one thing as root, if we were root in the beginning.
    ///
    /// # Errors
    /// [`PrivilegeError::System`] if rights could not be raised, or (much worse, and nothing may
    /// go on then) not be lowered again.
    pub fn raised<T>(&self, act: impl FnOnce() -> T) -> Result<T, PrivilegeError> {
        if !self.root {
            return Ok(act());
        }
        seteuid(Uid::from_raw(0)).map_err(system("taking root's rights up"))?;
        let result = act();
        self.down()?;
        Ok(result)
    }

    /// A command that runs as the server user; to be spawned within [`Rights::raised`].
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = command(program, None);
        if self.root {
            command.uid(self.identity.uid).gid(self.identity.gid);
        }
        command
    }

    fn down(&self) -> Result<(), PrivilegeError> {
        setegid(Gid::from_raw(self.identity.gid)).map_err(system("putting root's group aside"))?;
        seteuid(Uid::from_raw(self.identity.uid)).map_err(system("putting root's rights aside"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_by_file() {
        let root = Identity::lookup("root", None).unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(Identity::of_owner(Path::new("/")).unwrap().user, "root");
        assert!(matches!(
            Identity::lookup("no such user", None),
            Err(PrivilegeError::NoSuchUser(_))
        ));
        assert!(matches!(
            Identity::lookup("root", Some("no such group")),
            Err(PrivilegeError::NoSuchGroup(_))
        ));
    }

    #[test]
    fn root_is_no_server_user() {
        let root = Identity::lookup("root", None).unwrap();
        assert!(matches!(give_up_root(&root), Err(PrivilegeError::Root)));
    }

    #[test]
    fn children_see_little_of_our_environment() {
        let seen = command(Path::new("env"), None);
        assert!(seen.get_envs().all(|(name, value)| {
            let name = name.to_string_lossy();
            value.is_some() && (PASSED_ON.contains(&&*name) || name.starts_with("IMTA_"))
        }));
    }
}
