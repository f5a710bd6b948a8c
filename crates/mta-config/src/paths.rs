//! Where things stand below the server root.

use std::path::{Path, PathBuf};

/// The directory that holds `bin`, `lib`, `config` and `data` of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRoot(PathBuf);

/// Symbolic prefixes of file names and what they stand for below the root.
const PREFIXES: [(&str, &str); 9] = [
    ("IMTA_BIN:", "lib"),
    ("IMTA_EXE:", "lib"),
    ("IMTA_LIB:", "lib"),
    ("IMTA_TABLE:", "config"),
    ("IMTA_LOG:", "data/log"),
    ("IMTA_QUEUE:", "data/queue"),
    ("IMTA_LANG:", "config/locale/C/LC_MESSAGES"),
    ("IMTA_COM:", "bin"),
    ("IMTA_ROOT:", ""),
];

impl ServerRoot {
    /// Takes `root` as it is; the caller has made it absolute.
    #[must_use]
    pub const fn new(root: PathBuf) -> Self {
        Self(root)
    }

    /// The root itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Operator's commands.
    #[must_use]
    pub fn bin(&self) -> PathBuf {
        self.0.join("bin")
    }

    /// Daemons and channel programs.
    #[must_use]
    pub fn lib(&self) -> PathBuf {
        self.0.join("lib")
    }

    /// Configuration and control sockets.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("config")
    }

    /// Everything that changes while mail flows.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Message files, one directory per channel.
    #[must_use]
    pub fn queue(&self) -> PathBuf {
        self.0.join("data/queue")
    }

    /// Logs.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("data/log")
    }

    /// Scratch files.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.0.join("data/tmp")
    }

    /// Databases and the hold list.
    #[must_use]
    pub fn db(&self) -> PathBuf {
        self.0.join("data/db")
    }

    /// The embedded message store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.0.join("data/store")
    }

    /// The options.
    #[must_use]
    pub fn config_xml(&self) -> PathBuf {
        self.0.join("config/config.xml")
    }

    /// Passwords and other secrets.
    #[must_use]
    pub fn xpass_xml(&self) -> PathBuf {
        self.0.join("config/xpass.xml")
    }

    /// Rewrite rules and channels of a legacy configuration.
    #[must_use]
    pub fn imta_cnf(&self) -> PathBuf {
        self.0.join("config/imta.cnf")
    }

    /// Where the files of a legacy configuration are.
    #[must_use]
    pub fn tailor(&self) -> PathBuf {
        self.0.join("config/imta_tailor")
    }

    /// The compiled character set tables.
    #[must_use]
    pub fn charset_data(&self) -> PathBuf {
        self.0.join("config/charset_data")
    }

    /// Accounts; edited by hand.
    #[must_use]
    pub fn restricted(&self) -> PathBuf {
        self.0.join("config/restricted.cnf")
    }

    /// The embedded directory.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.0.join("config/directory.ldif")
    }

    /// The compiled configuration.
    #[must_use]
    pub fn image(&self) -> PathBuf {
        self.0.join("config/compiled/config_data")
    }

    /// Earlier configurations.
    #[must_use]
    pub fn old_configs(&self) -> PathBuf {
        self.0.join("config/old-configs")
    }

    /// The file that a configuration names as `name`: symbolic prefixes such as `IMTA_BIN:` are
    /// resolved, a relative name counts from the root.
    #[must_use]
    pub fn resolve(&self, name: &str) -> PathBuf {
        for (prefix, directory) in PREFIXES {
            let head = name.get(..prefix.len());
            if head.is_some_and(|head| head.eq_ignore_ascii_case(prefix)) {
                let rest = name[prefix.len()..].trim_start_matches('/');
                return self.0.join(directory).join(rest);
            }
        }
        self.0.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbolic_prefixes_resolve_below_the_root() {
        let root = ServerRoot::new("/opt/msg".into());
        let table = [
            ("IMTA_BIN:ims_master", "/opt/msg/lib/ims_master"),
            ("imta_table:aliases", "/opt/msg/config/aliases"),
            ("IMTA_ROOT:bin/x", "/opt/msg/bin/x"),
            ("lib/return_job", "/opt/msg/lib/return_job"),
            ("/etc/cert.pem", "/etc/cert.pem"),
        ];
        for (name, path) in table {
            assert_eq!(root.resolve(name), Path::new(path), "{name}");
        }
    }
}
