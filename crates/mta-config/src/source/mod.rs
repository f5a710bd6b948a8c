//! From text files to a configuration: one reader per file kind, every fault with file and line.
//!
//! `config.xml` and `xpass.xml` make one option tree ([`tree`], [`xml`]), whose names ([`name`])
//! are those of the schema ([`schema`]); `restricted.cnf` names the accounts. Where there is no
//! `config.xml`, the files of a legacy configuration make the same tree ([`legacy`]). `interpret`
//! turns the tree into a [`Config`]; [`save`] writes a changed tree back.

pub mod fields;
mod interpret;
pub mod legacy;
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
use crate::database::Kind;
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
    restricted_or_tailor(root).map(|(accounts, _)| accounts)
}

/// Largest file that is read.
const LARGEST: u64 = 256 << 20;

/// The text files as they were read; they lend faults the offending line.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    config: Text,
    pass: Text,
    restricted: Text,
    /// The text databases that are in use.
    databases: Vec<Database>,
    /// The files of a legacy configuration.
    legacy: Vec<Text>,
    /// How many of these, from the first, go into an image.
    in_image: usize,
    /// When reading them began.
    begun: Option<SystemTime>,
}

/// A text database as it was read.
#[derive(Debug, Clone)]
struct Database {
    kind: Kind,
    path: PathBuf,
    text: Text,
    /// Why it could not be read; told if it is in use.
    fault: Option<LoadFault>,
}

/// In which form a configuration is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `config.xml` and the files beside it.
    Unified,
    /// `imta.cnf` and the files beside it.
    Legacy,
}

impl Form {
    /// The form of the configuration of `root`: legacy files count where there is no `config.xml`.
    #[must_use]
    pub fn of(root: &ServerRoot) -> Self {
        if !root.config_xml().exists() && (root.imta_cnf().exists() || root.tailor().exists()) {
            Self::Legacy
        } else {
            Self::Unified
        }
    }
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
            File::Legacy(number) => match self.legacy.get(number as usize) {
                Some(text) => text.origin(line),
                None => Origin::default(),
            },
        }
    }

    /// Whether they are those of a legacy configuration.
    const fn is_legacy(&self) -> bool {
        !self.legacy.is_empty()
    }

    /// A place for what no file says: the main file.
    fn somewhere(&self) -> Origin {
        match self.legacy.first() {
            Some(text) => text.origin(0),
            None => self.config.origin(0),
        }
    }

    /// What an image of the configuration that they make remembers of them.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let mut digest = FileDigest::default();
        if self.is_legacy() {
            for text in self.legacy.iter().take(self.in_image) {
                digest.named(&text.path, &text.content);
            }
        } else {
            digest.add(self.config.content.as_bytes());
            digest.add(self.pass.content.as_bytes());
        }
        digest.add(self.restricted.content.as_bytes());
        for database in &self.databases {
            digest.named(&database.path, &database.text.content);
        }
        let digest = digest.finish();
        Mark {
            digest,
            begun: self.begun.unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }
}

/// A digest over the text files of `root` as they are now; missing ones count as empty.
#[must_use]
pub fn digest_of(root: &ServerRoot) -> [u8; 32] {
    let read = |path: PathBuf| std::fs::read(path).unwrap_or_default();
    let mut digest = FileDigest::default();
    match Form::of(root) {
        Form::Legacy => {
            for (path, text) in legacy::image_texts(root) {
                digest.named(&path, &text);
            }
        }
        Form::Unified => {
            digest.add(&read(root.config_xml()));
            digest.add(&read(root.xpass_xml()));
        }
    }
    digest.add(&read(root.restricted()));
    // Whether they are in use stands in the options: all that are there are in the digest.
    for (_, path) in database_files(root) {
        let text = read_file(&path).unwrap_or_default();
        digest.named(&path, &text.content);
    }
    digest.finish()
}

/// A digest over files, each with its length.
#[derive(Default)]
struct FileDigest(sha2::Sha256);

impl FileDigest {
    fn add(&mut self, file: &[u8]) {
        use sha2::Digest;
        let length = u64::try_from(file.len()).unwrap_or(u64::MAX);
        self.0.update(length.to_be_bytes());
        self.0.update(file);
    }

    /// A file that may be one of several: its name counts, since another one may say the same.
    fn named(&mut self, path: &FilePath, text: &str) {
        self.add(path.as_os_str().as_encoded_bytes());
        self.add(text.as_bytes());
    }

    fn finish(self) -> [u8; 32] {
        use sha2::Digest;
        self.0.finalize().into()
    }
}

/// The text databases that are there.
fn database_files(root: &ServerRoot) -> Vec<(Kind, PathBuf)> {
    let kinds = Kind::ALL.into_iter();
    kinds
        .filter_map(|kind| Some((kind, root.config().join(kind.text()?.0))))
        .filter(|(_, path)| path.exists())
        .collect()
}

/// The text files of which an image of `root` is made.
#[must_use]
pub fn files(root: &ServerRoot) -> Vec<PathBuf> {
    let mut files = match Form::of(root) {
        Form::Unified => vec![root.config_xml(), root.xpass_xml()],
        Form::Legacy => {
            let texts = legacy::image_texts(root).into_iter();
            texts.map(|(path, _)| path).collect()
        }
    };
    files.extend(database_files(root).into_iter().map(|(_, path)| path));
    // The accounts of a legacy root may stand in imta_tailor, which is among its files.
    let restricted = root.restricted();
    if Form::of(root) == Form::Unified || restricted.exists() {
        files.push(restricted);
    }
    files
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
    let mut read = read_any(root)?;
    let accounts = match restricted_or_tailor(root) {
        Ok((accounts, text)) => {
            read.sources.restricted = text;
            accounts
        }
        Err(fault) => {
            read.faults.push(fault);
            Restricted::default()
        }
    };
    let mut sources = read.sources;
    for (kind, path) in database_files(root) {
        let (text, fault) = match read_file(&path) {
            Ok(text) => (text, None),
            Err(fault) => (Text::default(), Some(fault)),
        };
        sources.databases.push(Database {
            kind,
            path,
            text,
            fault,
        });
    }
    let form = Form::of(root);
    let (config, more) = interpret::interpret(read.tree, &sources, accounts, read.faults, form)?;
    read.warnings.extend(more);
    Ok((config, read.warnings, sources))
}

/// An option tree with all that is to be said of the files it was read from.
struct Read {
    tree: Tree,
    sources: Sources,
    faults: Vec<LoadFault>,
    warnings: Vec<Warning>,
}

fn read_any(root: &ServerRoot) -> Result<Read, Vec<LoadFault>> {
    let begun = Some(SystemTime::now());
    if Form::of(root) == Form::Legacy {
        let legacy = legacy::read(root);
        return Ok(Read {
            tree: legacy.tree,
            sources: Sources {
                begun,
                ..legacy.sources
            },
            faults: legacy.faults,
            warnings: legacy.warnings,
        });
    }
    let (tree, sources) = read_tree(root)?;
    Ok(Read {
        tree,
        sources,
        faults: Vec::new(),
        warnings: Vec::new(),
    })
}

/// The accounts: `restricted.cnf` decides; a legacy root without it has them in `imta_tailor`.
fn restricted_or_tailor(root: &ServerRoot) -> Result<(Restricted, Text), LoadFault> {
    if Form::of(root) == Form::Legacy && !root.restricted().exists() {
        return Ok((legacy::accounts(root), Text::default()));
    }
    restricted::read(root)
}

/// What a legacy configuration says beside its image: services, pools, classes, tasks and the
/// option files of channels, which every process reads for itself.
///
/// # Errors
/// All faults found, at least one.
pub fn overlay(root: &ServerRoot, config: Config) -> Result<Config, Vec<LoadFault>> {
    if Form::of(root) != Form::Legacy {
        return Ok(config);
    }
    let channels: Vec<String> = config
        .channels
        .iter()
        .map(|channel| channel.name().to_string())
        .collect();
    let read = legacy::read_processes(root, &channels);
    interpret::overlay(config, read.tree, &read.sources, read.faults)
}

/// Reads the option tree of either form, without asking whether its options make sense together.
///
/// # Errors
/// A file that cannot be read, or is none of its kind.
pub fn read_options(root: &ServerRoot) -> Result<(Tree, Sources, Vec<Warning>), Vec<LoadFault>> {
    let read = read_any(root)?;
    if read.faults.is_empty() {
        Ok((read.tree, read.sources, read.warnings))
    } else {
        Err(read.faults)
    }
}

/// Reads the option tree of a Unified Configuration, as [`read_options`].
///
/// # Errors
/// A file that cannot be read, or is no option tree.
pub fn read_tree(root: &ServerRoot) -> Result<(Tree, Sources), Vec<LoadFault>> {
    let begun = Some(SystemTime::now());
    let config = read_file(&root.config_xml()).map_err(|fault| vec![fault])?;
    // As many options as so much text usually has.
    let mut tree = Tree::with_room_for(config.content.len() / 128);
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
        begun,
        ..Sources::default()
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
