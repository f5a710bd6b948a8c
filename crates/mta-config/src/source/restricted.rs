//! `restricted.cnf`: the accounts. Edited by hand, and by nobody but its owner: root, or whoever
//! owns the server root.

use super::{Text, read_file};
use crate::config::Restricted;
use crate::fault::{FaultKind, LoadFault, Origin};
use crate::paths::ServerRoot;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;

/// Reads the accounts alone.
///
/// # Errors
/// The first fault of the file.
pub fn read_restricted(root: &ServerRoot) -> Result<Restricted, LoadFault> {
    read(root).map(|(accounts, _)| accounts)
}

/// Reads the accounts, and the file as it was read.
pub(super) fn read(root: &ServerRoot) -> Result<(Restricted, Text), LoadFault> {
    let path = root.restricted();
    let text = read_file(&path)?;
    let fault = |kind, name: String, line| LoadFault {
        kind,
        name,
        origin: match line {
            0 => Origin {
                file: path.clone(),
                ..Origin::default()
            },
            line => text.origin(line),
        },
    };
    let cannot = |error: std::io::Error| fault(FaultKind::CannotOpen, error.to_string(), 0);
    let file = std::fs::metadata(&path).map_err(cannot)?;
    let owner = std::fs::metadata(root.root()).map_err(cannot)?.uid();
    if file.uid() != 0 && file.uid() != owner {
        let name = format!("owner {}", file.uid());
        return Err(fault(FaultKind::Ownership, name, 0));
    }
    if file.mode() & 0o022 != 0 {
        let name = format!("mode {:04o}", file.mode() & 0o7777);
        return Err(fault(FaultKind::Ownership, name, 0));
    }
    let mut accounts = Restricted::default();
    for (at, line) in text.content.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['!', '#']) {
            continue;
        }
        let (name, value) = trimmed.split_once('=').unwrap_or((trimmed, ""));
        let (name, value) = (name.trim(), value.trim());
        let legal = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == ':');
        match name {
            "user" | "group" | "noprivuser" if !legal => {
                return Err(fault(FaultKind::BadValue, name.to_owned(), at + 1));
            }
            "user" => value.clone_into(&mut accounts.user),
            "group" => accounts.group = Some(value.to_owned()),
            "noprivuser" => accounts.noprivuser = Some(value.to_owned()),
            _ => return Err(fault(FaultKind::UnknownOption, name.to_owned(), at + 1)),
        }
    }
    if accounts.user.is_empty() {
        return Err(fault(FaultKind::NoUser, String::new(), 0));
    }
    Ok((accounts, text))
}

/// The text of a `restricted.cnf` with these accounts.
#[must_use]
pub fn write_restricted(accounts: &Restricted) -> String {
    let mut text = String::from(
        "! Accounts of this server. Must belong to root or to the owner of the server root.\n",
    );
    let optional = [
        ("group", accounts.group.as_ref()),
        ("noprivuser", accounts.noprivuser.as_ref()),
    ];
    let fields = [("user", Some(&accounts.user))].into_iter().chain(optional);
    for (name, value) in fields {
        if let Some(value) = value {
            writeln!(text, "{name}={value}").expect("a string takes everything");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn read_text(text: &str, mode: u32) -> Result<Restricted, String> {
        let directory = tempfile::tempdir().unwrap();
        let root = ServerRoot::new(directory.path().to_owned());
        std::fs::create_dir(root.config()).unwrap();
        std::fs::write(root.restricted(), text).unwrap();
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(root.restricted(), permissions).unwrap();
        let result = read(&root).map(|(accounts, _)| accounts);
        result.map_err(|fault| format!("{} {:?}", fault.kind, fault.origin.line))
    }

    #[test]
    fn accounts_are_read_as_they_are_written() {
        let accounts = Restricted {
            user: "mailsrv".into(),
            group: Some("mail".into()),
            noprivuser: None,
        };
        assert_eq!(read_text(&write_restricted(&accounts), 0o644), Ok(accounts));
    }

    #[test]
    fn faults_name_their_line() {
        let table = [
            ("user=a\nshell=x\n", 0o600, "unknown option Some(2)"),
            ("user=\n", 0o600, "invalid value for option Some(1)"),
            ("! nothing\n", 0o600, "no server user None"),
            (
                "user=a\n",
                0o666,
                "configuration file has the wrong owner or mode None",
            ),
        ];
        for (text, mode, error) in table {
            assert_eq!(read_text(text, mode), Err(error.to_owned()), "{text}");
        }
    }
}
