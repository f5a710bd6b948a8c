//! The compiled configuration: `config/compiled/config_data`.
//!
//! ```text
//! offset  length
//!      0       8  magic
//!      8       4  format version, big-endian like all numbers here
//!     12      32  digest of the text files it was made from
//!     44      32  SHA-256 of the fixed half
//!     76      32  SHA-256 of the reloadable half
//!    108       8  length of the fixed half
//!    116       8  length of the reloadable half
//!    124       8  length of the table file beside it, 0 if there is none
//!    132      32  SHA-256 of that file
//!    164       8  HASH in its name
//!    172       4  CRC-32C over everything else
//!    176          the two halves, bincode
//! ```
//!
//! That is the core. What is large lies beside it in `config_data.HASH.tables`, a table file (`crate::table`) named
//! by its content that never changes: rules, mapping entries, aliases and text databases, each
//! looked up when it is needed, so that a process starts as fast with a million of them as with
//! ten. Each half of the core holds the digest of its records, so that the digests of the halves
//! stand for all that belongs to them.
//!
//! An image is written aside, synced and renamed, so that a reader sees the old or the new one
//! whole; a configuration with an error never gets this far, and the old image stays. The table
//! file comes first and its predecessor goes last. The checksum of the core is verified at each
//! start, that of a record when it is read, the digests when somebody asks ([`verify`]).
//!
//! | crash while | leaves behind |
//! | --- | --- |
//! | the table file is written | `.config_data.HASH.tables.PID`, read by nobody and removed by the next `cnbuild` |
//! | before the core is renamed | the old image; a table file that no core names, removed by the next `cnbuild` |
//! | after that | the new image; perhaps the table file of the old one |

use crate::aliases::AliasesCore;
use crate::channel::Channels;
use crate::config::{Config, ImageIdentity, Restricted};
use crate::database::{Kind, TextDatabasesCore};
use crate::delivery::Clause;
use crate::option::MtaOptions;
use crate::paths::ServerRoot;
use crate::pool::JobControllerOptions;
use crate::service::DispatcherOptions;
use crate::source::{self, Mark};
use crate::table::TableError;
use crate::task::Task;
use mta_mapping::records::{FEW, Records};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

mod tables;

use tables::{Placed, RecordDigests, Summing};

/// What the file begins with.
const MAGIC: [u8; 8] = *b"IMTAconf";
/// The version of the layout. A test over a golden image fails when the layout changes and this
/// number does not.
pub const FORMAT: u32 = 3;
/// Octets before the two halves.
const HEADER: usize = 176;
/// Where the checksum stands.
const CHECKSUM: usize = 172;
/// Largest image that is read, in octets.
const LARGEST: usize = 1 << 30;

/// Why an image is no use.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// There is none: the text is what counts.
    #[error("no compiled configuration {}", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// Written by another version of these programs: run `imsimta cnbuild`, then restart.
    #[error("Compiled Configuration Version Mismatch")]
    VersionMismatch {
        /// The version found.
        found: u32,
    },
    /// It belongs to somebody who may not decide for this server, or others may write it.
    #[error("compiled configuration {} has the wrong owner or mode", path.display())]
    Ownership {
        /// The file.
        path: PathBuf,
    },
    /// Damaged: cut short, or changed since it was written.
    #[error("compiled configuration {} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// What lies beside the core could not be read or written.
    #[error("compiled configuration {} is incomplete: {why}; imsimta cnbuild makes it anew", path.display())]
    Tables {
        /// The image's core.
        path: PathBuf,
        /// What is wrong with which file, with all its causes.
        why: String,
    },
    /// It was read from an image: only what was read from text can be compiled.
    #[error("compiled configuration {} was not read from text", path.display())]
    NotFromText {
        /// What would have been written.
        path: PathBuf,
    },
    /// It could not be read or written.
    #[error("compiled configuration {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be put into the image's form.
    #[error("cannot encode the configuration")]
    Encode(#[source] bincode::error::EncodeError),
}

/// How the image stands to the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageStatus {
    /// There is no image: processes read the text.
    Missing,
    /// It was made from the text as it is now.
    Current,
    /// The text was changed since.
    Stale,
    /// It cannot be used.
    Unreadable,
}

/// The half that needs a new process to change.
#[derive(Serialize)]
struct FixedRef<'a> {
    mta: &'a MtaOptions,
    channels: &'a Channels,
    rules: mta_rewrite::RulesCore,
    records: Option<[u8; 32]>,
    delivery: &'a [Clause],
    dispatcher: &'a DispatcherOptions,
    job_controller: &'a JobControllerOptions,
    tasks: &'a [Task],
    restricted: &'a Restricted,
    hostname: &'a str,
    default_domain: &'a str,
}

/// [`FixedRef`] as it is read.
#[derive(Deserialize)]
struct Fixed {
    mta: MtaOptions,
    channels: Channels,
    rules: mta_rewrite::RulesCore,
    /// Over the records of the rules, if there are any.
    records: Option<[u8; 32]>,
    delivery: Vec<Clause>,
    dispatcher: DispatcherOptions,
    job_controller: JobControllerOptions,
    tasks: Vec<Task>,
    restricted: Restricted,
    hostname: String,
    default_domain: String,
}

/// The half that a running process can swap.
#[derive(Serialize)]
struct ReloadableRef {
    mappings: mta_mapping::TablesCore,
    aliases: AliasesCore,
    texts: TextDatabasesCore,
    records: Option<[u8; 32]>,
}

/// [`ReloadableRef`] as it is read.
#[derive(Deserialize)]
struct Reloadable {
    mappings: mta_mapping::TablesCore,
    aliases: AliasesCore,
    texts: TextDatabasesCore,
    /// Over the records of all three, if there are any.
    records: Option<[u8; 32]>,
}

fn settings() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<LARGEST>()
}

fn encode<T: Serialize>(part: &T) -> Result<Vec<u8>, ImageError> {
    bincode::serde::encode_to_vec(part, settings()).map_err(ImageError::Encode)
}

/// A configuration in the image's form without its records: the two halves of the core, encoded.
struct Composed {
    fixed: Vec<u8>,
    reloadable: Vec<u8>,
    digests: RecordDigests,
}

impl Composed {
    fn identity(&self, from_image: bool) -> ImageIdentity {
        ImageIdentity {
            fixed: short(&Sha256::digest(&self.fixed)),
            reloadable: short(&Sha256::digest(&self.reloadable)),
            from_image,
        }
    }
}

/// Takes a configuration apart; `put` is given every record, in the order of the keys.
fn divide(config: &Config, put: &mut dyn FnMut(&[u8], &[u8])) -> Result<Composed, ImageError> {
    let mut summing = Summing::default();
    let mut put = |key: Vec<u8>, record: Vec<u8>| {
        summing.record(&key, &record);
        put(&key, &record);
    };
    // In the order of the letters that the keys begin with.
    let aliases = config.aliases.divide(&mut put);
    let mappings = config.mappings.divide(&mut put);
    let rules = config.rules.divide(&mut put);
    let texts = config.texts.divide(&mut put);
    let digests = summing.done();
    let fixed = encode(&FixedRef {
        mta: &config.mta,
        channels: &config.channels,
        rules,
        records: digests.fixed,
        delivery: &config.delivery,
        dispatcher: &config.dispatcher,
        job_controller: &config.job_controller,
        tasks: &config.tasks,
        restricted: &config.restricted,
        hostname: &config.hostname,
        default_domain: &config.default_domain,
    })?;
    let reloadable = encode(&ReloadableRef {
        mappings,
        aliases,
        texts,
        records: digests.reloadable,
    })?;
    Ok(Composed {
        fixed,
        reloadable,
        digests,
    })
}

/// The hashes by which a configuration that was read from text is known: those its image would
/// have.
#[must_use]
pub fn identity(config: &Config) -> ImageIdentity {
    divide(config, &mut |_, _| ()).map_or_else(
        |_| ImageIdentity::default(),
        |composed| composed.identity(false),
    )
}

/// The first sixteen hexadecimal digits of a digest.
fn short(digest: &[u8]) -> String {
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The core of an image made from text with this digest, with that table file beside it.
fn compose(composed: &Composed, text: [u8; 32], beside: &Placed) -> Vec<u8> {
    let Composed {
        fixed, reloadable, ..
    } = composed;
    let length = |half: &[u8]| u64::try_from(half.len()).unwrap_or(u64::MAX).to_be_bytes();
    let mut image = Vec::with_capacity(HEADER + fixed.len() + reloadable.len());
    image.extend(MAGIC);
    image.extend(FORMAT.to_be_bytes());
    image.extend(text);
    image.extend(Sha256::digest(fixed));
    image.extend(Sha256::digest(reloadable));
    image.extend(length(fixed));
    image.extend(length(reloadable));
    image.extend(beside.length.to_be_bytes());
    image.extend(beside.digest);
    image.extend(composed.digests.hash().unwrap_or_default());
    image.extend([0; 4]);
    image.extend(fixed);
    image.extend(reloadable);
    let checksum = checksum(&image).to_be_bytes();
    image[CHECKSUM..HEADER].copy_from_slice(&checksum);
    image
}

/// The checksum over an image without the four octets that hold it.
fn checksum(image: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&image[..CHECKSUM]), &image[HEADER..])
}

/// What stands in an image's header, and its halves.
struct Parts<'a> {
    text: [u8; 32],
    digests: [&'a [u8]; 2],
    beside: Placed,
    /// HASH in the name of the table file.
    hash: [u8; 8],
    fixed: &'a [u8],
    reloadable: &'a [u8],
}

/// Why octets are no image.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Version(u32),
    Damaged,
}

/// Takes an image apart. The version is looked at first: another one may have another layout.
fn take_apart(image: &[u8]) -> Result<Parts<'_>, Refused> {
    if image.get(..8) != Some(&MAGIC) {
        return Err(Refused::Damaged);
    }
    let version: [u8; 4] = field(image, 8).ok_or(Refused::Damaged)?;
    if u32::from_be_bytes(version) != FORMAT {
        return Err(Refused::Version(u32::from_be_bytes(version)));
    }
    let whole =
        image.len() >= HEADER && field(image, CHECKSUM) == Some(checksum(image).to_be_bytes());
    if !whole {
        return Err(Refused::Damaged);
    }
    let length = |at| {
        let length = field(image, at).map(u64::from_be_bytes);
        length
            .and_then(|length| usize::try_from(length).ok())
            .ok_or(Refused::Damaged)
    };
    let (fixed, reloadable) = (length(108)?, length(116)?);
    let body = &image[HEADER..];
    if fixed.checked_add(reloadable) != Some(body.len()) {
        return Err(Refused::Damaged);
    }
    let (fixed, reloadable) = body.split_at(fixed);
    Ok(Parts {
        text: field(image, 12).ok_or(Refused::Damaged)?,
        digests: [&image[44..76], &image[76..108]],
        beside: Placed {
            length: field(image, 124).map_or(0, u64::from_be_bytes),
            digest: field(image, 132).ok_or(Refused::Damaged)?,
        },
        hash: field(image, 164).ok_or(Refused::Damaged)?,
        fixed,
        reloadable,
    })
}

fn field<const N: usize>(image: &[u8], at: usize) -> Option<[u8; N]> {
    image.get(at..at + N)?.try_into().ok()
}

fn decode<'a, T: Deserialize<'a>>(half: &'a [u8]) -> Option<T> {
    let (part, used) = bincode::serde::borrow_decode_from_slice(half, settings()).ok()?;
    (used == half.len()).then_some(part)
}

/// The halves of an image, decoded, before they have their records.
struct Halves {
    identity: ImageIdentity,
    fixed: Fixed,
    reloadable: Reloadable,
}

impl Halves {
    fn of(parts: &Parts<'_>) -> Option<Self> {
        let fixed: Fixed = decode(parts.fixed)?;
        let reloadable: Reloadable = decode(parts.reloadable)?;
        let beside = [
            reloadable.mappings.has_records(),
            reloadable.aliases.has_records(),
            reloadable.texts.has_records(),
        ];
        let complete = fixed.rules.has_records() <= fixed.records.is_some()
            && beside.contains(&true) <= reloadable.records.is_some();
        complete.then(|| Self {
            identity: ImageIdentity {
                fixed: short(parts.digests[0]),
                reloadable: short(parts.digests[1]),
                from_image: true,
            },
            fixed,
            reloadable,
        })
    }

    const fn digests(&self) -> RecordDigests {
        RecordDigests {
            fixed: self.fixed.records,
            reloadable: self.reloadable.records,
        }
    }

    fn attach(self, records: &Arc<dyn Records>) -> Config {
        let Self {
            identity,
            fixed,
            reloadable,
        } = self;
        Config {
            identity,
            mta: fixed.mta,
            channels: fixed.channels,
            rules: fixed.rules.attach(records),
            mappings: reloadable.mappings.attach(records),
            aliases: reloadable.aliases.attach(records),
            texts: reloadable.texts.attach(records),
            delivery: fixed.delivery,
            dispatcher: fixed.dispatcher,
            job_controller: fixed.job_controller,
            tasks: fixed.tasks,
            restricted: fixed.restricted,
            hostname: fixed.hostname,
            default_domain: fixed.default_domain,
        }
    }
}

/// Reads the image of `root`.
///
/// # Errors
/// [`ImageError`]; `Missing` means that the text is what counts.
pub fn read(root: &ServerRoot) -> Result<Config, ImageError> {
    read_file(&root.image(), root)
}

/// Reads an image from any file.
///
/// # Errors
/// As [`read`].
pub fn read_file(path: &Path, root: &ServerRoot) -> Result<Config, ImageError> {
    let mut tried = None;
    loop {
        let image = octets(path, root)?;
        let parts = parts_of(&image, path)?;
        let halves = Halves::of(&parts).ok_or_else(|| damaged(path))?;
        let file = halves.digests().file(path);
        if parts.hash != halves.digests().hash().unwrap_or_default() {
            return Err(damaged(path));
        }
        let records = match &file {
            None => Ok(tables::none()),
            Some(file) => tables::open(file, parts.beside, |metadata| is_trusted(metadata, root)),
        };
        match records {
            Ok(records) => return Ok(halves.attach(&records)),
            // The image was replaced between the two: the new core names another file.
            Err(error) if error.is_missing() && tried != file => tried = file,
            Err(source) => {
                return Err(incomplete(path, &source));
            }
        }
    }
}

/// What a complete verification has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The file beside the core and how many records it has, if there is one.
    pub tables: Option<(PathBuf, u64)>,
}

/// Verifies all that a start leaves out: the digests of the halves, and every record beside the
/// core.
///
/// # Errors
/// As [`read`].
pub fn verify(root: &ServerRoot) -> Result<Verified, ImageError> {
    let path = root.image();
    let image = octets(&path, root)?;
    let parts = parts_of(&image, &path)?;
    let halves = [parts.fixed, parts.reloadable];
    let good = halves
        .iter()
        .zip(parts.digests)
        .all(|(half, digest)| Sha256::digest(half).as_slice() == digest);
    let halves = Halves::of(&parts)
        .filter(|halves| good && halves.fixed.channels.are_sound())
        .ok_or_else(|| damaged(&path))?;
    let digests = halves.digests();
    let Some(file) = digests.file(&path) else {
        return Ok(Verified { tables: None });
    };
    let failed = |source: TableError| incomplete(&path, &source);
    let (found, count) =
        tables::digests(&file, parts.beside, |metadata| is_trusted(metadata, root))
            .map_err(failed)?;
    if found != digests {
        return Err(damaged(&file));
    }
    Ok(Verified {
        tables: Some((file, count)),
    })
}

fn incomplete(path: &Path, error: &TableError) -> ImageError {
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        why = format!("{why}: {error}");
        cause = error.source();
    }
    ImageError::Tables {
        path: path.to_owned(),
        why,
    }
}

fn damaged(path: &Path) -> ImageError {
    ImageError::Damaged {
        path: path.to_owned(),
    }
}

/// Only root, the owner of `config`, or we ourselves may have written what belongs to an image:
/// whoever could change it could make our programs run anything.
fn is_trusted(metadata: &std::fs::Metadata, root: &ServerRoot) -> bool {
    let Ok(config) = std::fs::metadata(root.config()) else {
        return false;
    };
    let trusted = [0, config.uid(), nix::unistd::geteuid().as_raw()];
    metadata.is_file() && trusted.contains(&metadata.uid()) && metadata.mode() & 0o022 == 0
}

fn parts_of<'a>(image: &'a [u8], path: &Path) -> Result<Parts<'a>, ImageError> {
    take_apart(image).map_err(|refused| match refused {
        Refused::Version(found) => ImageError::VersionMismatch { found },
        Refused::Damaged => damaged(path),
    })
}

/// The octets of an image's core.
fn octets(path: &Path, root: &ServerRoot) -> Result<Vec<u8>, ImageError> {
    use std::io::Read;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ImageError::Missing {
            path: path.to_owned(),
        },
        _ => ImageError::Io {
            path: path.to_owned(),
            source,
        },
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let legal = is_trusted(&metadata, root) && metadata.len() <= LARGEST as u64;
    if !legal {
        return Err(ImageError::Ownership {
            path: path.to_owned(),
        });
    }
    let mut image = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(LARGEST as u64)
        .read_to_end(&mut image)
        .map_err(failed)?;
    Ok(image)
}

/// Writes the image of `root`, made from the text of `mark`: aside, synced, renamed. It belongs to
/// the owner of `config`. Gives the hashes by which it is known.
///
/// # Errors
/// [`ImageError::Io`] or [`ImageError::Encode`]; the old image is still there.
pub fn write(root: &ServerRoot, config: &Config, mark: Mark) -> Result<ImageIdentity, ImageError> {
    write_file(&root.image(), root, config, mark)
}

/// Writes an image to any file. Its time of last modification is the one when reading the text
/// began, so that a change while it was compiled shows (`older_text`).
///
/// # Errors
/// As [`write()`].
pub fn write_file(
    path: &Path,
    root: &ServerRoot,
    config: &Config,
    mark: Mark,
) -> Result<ImageIdentity, ImageError> {
    if config.identity.from_image {
        return Err(ImageError::NotFromText {
            path: path.to_owned(),
        });
    }
    let failed = |source| ImageError::Io {
        path: path.to_owned(),
        source,
    };
    let directory = path.parent().unwrap_or(path);
    source::save::directory(&root.config(), directory).map_err(failed)?;
    // Who writes an image removes the table files that it does not name: one at a time.
    let lock = std::fs::File::open(directory).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let (composed, file) = write_tables(path, root, config)?;
    let beside = match &file {
        Some(file) => Placed::of(file).map_err(failed)?,
        None => Placed::NONE,
    };
    let image = compose(&composed, mark.digest, &beside);
    source::save::file_of(path, &image, &root.config(), Some(mark.begun)).map_err(failed)?;
    tables::remove_others(path, file.as_deref()).map_err(failed)?;
    Ok(composed.identity(true))
}

/// Writes what lies beside the core, if there is anything; nothing names it yet.
fn write_tables(
    path: &Path,
    root: &ServerRoot,
    config: &Config,
) -> Result<(Composed, Option<PathBuf>), ImageError> {
    let sizes = sizes(config);
    if sizes.iter().all(|size| *size < FEW) {
        return Ok((divide(config, &mut |_, _| ())?, None));
    }
    let composed = RefCell::new(None);
    let file = tables::aside(path);
    let file = crate::table::place_in_order(
        &file,
        sizes.iter().sum::<usize>() * 400,
        &mut |put| *composed.borrow_mut() = Some(divide(config, put)),
        || match &*composed.borrow() {
            Some(Ok(composed)) => composed.digests.file(path),
            _ => None,
        },
        &|aside| source::save::own_like(&root.config(), aside),
    );
    let file = file.map_err(|source| incomplete(path, &source))?;
    let composed = composed.into_inner();
    let composed = composed.unwrap_or_else(|| divide(config, &mut |_, _| ()))?;
    Ok((composed, file))
}

/// How many entries each part of a configuration has that may lie beside the core.
fn sizes(config: &Config) -> Vec<usize> {
    let texts = Kind::ALL.map(|kind| config.texts.len(kind));
    let mappings = config.mappings.iter().map(mta_mapping::Table::len);
    mappings
        .chain(texts)
        .chain([config.rules.len(), config.aliases.len()])
        .collect()
}

/// Removes the image of `root` with what lies beside it; without one that is no error.
///
/// # Errors
/// What the system says.
pub fn remove(root: &ServerRoot) -> io::Result<()> {
    let path = root.image();
    let lock = match std::fs::File::open(path.parent().unwrap_or(&path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        lock => lock?,
    };
    // What somebody is writing now must not go with what is there.
    lock.lock()?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        // The core goes first: it must not name what is not there.
        Ok(()) => tables::remove_others(&path, None),
    }
}

/// How the image of `root` stands to the text.
#[must_use]
pub fn status(root: &ServerRoot) -> ImageStatus {
    let path = root.image();
    let image = match octets(&path, root) {
        Ok(image) => image,
        Err(ImageError::Missing { .. }) => return ImageStatus::Missing,
        Err(_) => return ImageStatus::Unreadable,
    };
    match take_apart(&image) {
        Ok(parts) if !has_its_tables(&parts, &path) => ImageStatus::Unreadable,
        Ok(parts) if older_text(root, &path) || parts.text == source::digest_of(root) => {
            ImageStatus::Current
        }
        Ok(_) => ImageStatus::Stale,
        Err(_) => ImageStatus::Unreadable,
    }
}

/// Whether the file beside an image is there, as long as it was written. Nothing is decoded.
fn has_its_tables(parts: &Parts<'_>, path: &Path) -> bool {
    let length = |file: PathBuf| std::fs::metadata(file).map(|file| file.len());
    parts.beside == Placed::NONE
        || length(tables::file(path, parts.hash)).is_ok_and(|length| length == parts.beside.length)
}

/// By how much the clock of file systems may lag behind the one that a program reads.
const COARSE: Duration = Duration::from_millis(20);

/// Waits until a change of the text that was made just now can be told from one that is made later:
/// otherwise every look at the image would have to read all of the text again.
pub fn settle(root: &ServerRoot) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or_default();
    let ages = source::files(root).into_iter().filter_map(|path| {
        let file = std::fs::metadata(path).ok()?;
        let seconds = u64::try_from(file.ctime()).ok()?;
        let nanoseconds = u32::try_from(file.ctime_nsec()).ok()?;
        now.checked_sub(Duration::new(seconds, nanoseconds))
    });
    if let Some(wait) = ages.min().and_then(|age| (2 * COARSE).checked_sub(age)) {
        std::thread::sleep(wait);
    }
}

/// Whether every text file was changed before reading it for the image began, so that there is no
/// need to read them. What counts is the time of the last change of the file itself, which a copy
/// with an old date cannot pretend; equal times prove nothing, as clocks are coarse.
fn older_text(root: &ServerRoot, image: &Path) -> bool {
    let begun = std::fs::metadata(image).and_then(|file| file.modified());
    let Some(begun) = begun.ok().and_then(|begun| begun.checked_sub(COARSE)) else {
        return false;
    };
    let begun = begun.duration_since(SystemTime::UNIX_EPOCH);
    source::files(root).iter().all(|path| {
        let (Ok(begun), Ok(file)) = (begun.as_ref(), std::fs::metadata(path)) else {
            return false;
        };
        let nanoseconds = i128::from(file.ctime()) * 1_000_000_000 + i128::from(file.ctime_nsec());
        i128::try_from(begun.as_nanos()).is_ok_and(|begun| nanoseconds < begun)
    })
}

#[cfg(test)]
mod tests;
