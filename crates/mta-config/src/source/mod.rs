//! From text files to a configuration: one reader per file kind, every fault with file and line.
//!
//! `config.xml` and `xpass.xml` make one option tree ([`tree`], [`xml`]), whose names ([`name`])
//! are those of the schema ([`schema`]); `restricted.cnf` names the accounts. `interpret`
//! turns the tree into a [`Config`]; [`save`] writes a changed tree back.

pub mod fields;
mod interpret;
pub mod name;
mod restricted;
pub mod save;
pub mod schema;
pub mod tree;
mod unused;
pub mod xml;

pub use restricted::{read_restricted, write_restricted};
pub use unused::unused;

use crate::config::{Config, Restricted};
use crate::fault::{FaultKind, LoadFault, Origin, Warning};
use crate::paths::ServerRoot;
use std::path::{Path as FilePath, PathBuf};
use std::time::SystemTime;
use tree::{File, Tree};

/// The accounts alone: what a program needs before it reads anything else, since it must not do
/// that as root.
///
/// # Errors
/// The first fault of `restricted.cnf`.
pub fn accounts(root: &ServerRoot) -> Result<Restricted, LoadFault> {
    restricted::read(root).map(|(accounts, _)| accounts)
}

/// Largest file that is read.
const LARGEST: u64 = 256 << 20;

/// The text files as they were read; they lend faults the offending line.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    config: Text,
    pass: Text,
    restricted: Text,
    /// When reading them began.
    begun: Option<SystemTime>,
}

/// Which text a configuration was made from: what its image remembers.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// A digest over the files as they were read; another one means that the image is stale.
    pub digest: [u8; 32],
    /// When reading began: a file that was last changed before is as it was read.
    pub begun: SystemTime,
}

impl Mark {
    /// The mark of the text files of `root` as they are now.
    #[must_use]
    pub fn now(root: &ServerRoot) -> Self {
        Self {
            begun: SystemTime::now(),
            digest: digest_of(root),
        }
    }
}

/// One file as it was read.
#[derive(Debug, Clone, Default)]
struct Text {
    path: PathBuf,
    content: String,
}

impl Text {
    fn origin(&self, line: usize) -> Origin {
        // What is missing at the end of a file is missing behind its last line.
        let lines = self.content.lines().enumerate().take(line);
        let found = lines.last();
        Origin {
            file: self.path.clone(),
            line: found.map(|(at, _)| at + 1),
            text: found.map(|(_, text)| text.to_owned()),
        }
    }
}

impl Sources {
    /// Where a setting stood.
    #[must_use]
    pub fn origin(&self, file: File, line: usize) -> Origin {
        match file {
            File::Config => self.config.origin(line),
            File::Pass => self.pass.origin(line),
        }
    }

    /// What an image of the configuration that they make remembers of them.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let files = [&self.config, &self.pass, &self.restricted];
        Mark {
            digest: digest(files.map(|text| text.content.as_bytes())),
            begun: self.begun.unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }
}

/// A digest over the text files of `root` as they are now; missing ones count as empty.
#[must_use]
pub fn digest_of(root: &ServerRoot) -> [u8; 32] {
    let read = |path: PathBuf| std::fs::read(path).unwrap_or_default();
    let [config, pass, restricted] = files(root).map(read);
    digest([&config, &pass, &restricted])
}

fn digest(files: [&[u8]; 3]) -> [u8; 32] {
    use sha2::Digest;
    let mut digest = sha2::Sha256::new();
    for file in files {
        digest.update(u64::try_from(file.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(file);
    }
    digest.finalize().into()
}

/// The text files of a Unified Configuration.
#[must_use]
pub fn files(root: &ServerRoot) -> [PathBuf; 3] {
    [root.config_xml(), root.xpass_xml(), root.restricted()]
}

/// Reads all text files.
///
/// # Errors
/// All faults found, at least one.
pub fn load(root: &ServerRoot) -> Result<(Config, Vec<Warning>), Vec<LoadFault>> {
    let (config, warnings, _) = load_with_sources(root)?;
    Ok((config, warnings))
}

/// As [`load`], with the files as they were read.
///
/// # Errors
/// All faults found, at least one.
pub fn load_with_sources(
    root: &ServerRoot,
) -> Result<(Config, Vec<Warning>, Sources), Vec<LoadFault>> {
    let (tree, mut sources) = read_tree(root)?;
    let mut faults = Vec::new();
    let accounts = match restricted::read(root) {
        Ok((accounts, text)) => {
            sources.restricted = text;
            accounts
        }
        Err(fault) => {
            faults.push(fault);
            Restricted::default()
        }
    };
    interpret::interpret(&tree, &sources, accounts, faults)
        .map(|(config, warnings)| (config, warnings, sources))
}

/// Reads the option tree alone, without asking whether its options make sense together.
///
/// # Errors
/// A file that cannot be read, or is no option tree.
pub fn read_tree(root: &ServerRoot) -> Result<(Tree, Sources), Vec<LoadFault>> {
    let begun = Some(SystemTime::now());
    let mut tree = Tree::default();
    let config = read_file(&root.config_xml()).map_err(|fault| vec![fault])?;
    parse(&config, File::Config, &mut tree)?;
    let path = root.xpass_xml();
    let pass = if path.exists() {
        let pass = read_file(&path).map_err(|fault| vec![fault])?;
        parse(&pass, File::Pass, &mut tree)?;
        pass
    } else {
        Text {
            path,
            content: String::new(),
        }
    };
    let sources = Sources {
        config,
        pass,
        restricted: Text::default(),
        begun,
    };
    Ok((tree, sources))
}

fn parse(text: &Text, file: File, tree: &mut Tree) -> Result<(), Vec<LoadFault>> {
    xml::read(&text.content, file, tree).map_err(|error| {
        let fault = match &error.kind {
            xml::XmlErrorKind::Value { .. } => FaultKind::BadValue,
            _ => FaultKind::Malformed,
        };
        vec![LoadFault {
            kind: fault,
            name: error.kind.to_string(),
            origin: text.origin(error.line),
        }]
    })
}

fn read_file(path: &FilePath) -> Result<Text, LoadFault> {
    let fault = |kind, name: String| LoadFault {
        kind,
        name,
        origin: Origin {
            file: path.to_owned(),
            ..Origin::default()
        },
    };
    let cannot = |error: std::io::Error| fault(FaultKind::CannotOpen, error.to_string());
    let length = std::fs::metadata(path).map_err(cannot)?.len();
    if length > LARGEST {
        return Err(fault(
            FaultKind::CannotOpen,
            format!("over {LARGEST} bytes"),
        ));
    }
    let bytes = std::fs::read(path).map_err(cannot)?;
    match String::from_utf8(bytes) {
        Ok(content) => Ok(Text {
            path: path.to_owned(),
            content,
        }),
        Err(error) => {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            let mut fault = fault(FaultKind::Malformed, "not UTF-8".to_owned());
            fault.origin.line = Some(line);
            Err(fault)
        }
    }
}
