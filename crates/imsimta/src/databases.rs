//! `imsimta crdb`, `dumpdb` and `renamedb`: from text to the databases that rules and tables ask,
//! and back.

use crate::context::{Context, Failure, Outcome};
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Verb, Words};
use mta_config::database::{self, Kind};
use mta_config::table::{MAX_KEY, Table, TableBuilder, TableError};
use mta_process::exit::with_causes;
use mta_process::lock::Lock;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest key and value of ordinary records, in characters.
const SHORT: (usize, usize) = (32, 80);
/// The same with `-long_records`.
const LONG: (usize, usize) = (80, 256);
/// The same with `-huge_records`.
const HUGE: (usize, usize) = (252, 1024);
/// Lines between two reports of progress.
const STEP: usize = 100;
/// How long somebody else may take to build the same database.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const CRDB: &[Verb] = &[Verb {
    name: "crdb",
    about: "make a database of a text file; with -dump the text of a database",
    parameters: "input-file output-database",
    least: 1,
    most: 2,
    switches: &[
        Switch::flag("append", "add to the database that is there"),
        Switch::flag("count", "report progress after every 100 lines (default)"),
        Switch::flag("duplicates", "keep all values of a key, in their order"),
        Switch::flag(
            "long_records",
            "keys up to 80 and values up to 256 characters",
        ),
        Switch::flag(
            "huge_records",
            "keys up to 252 and values up to 1024 characters",
        ),
        Switch::flag(
            "quoted",
            "keys may stand in double quotes, with blanks inside",
        ),
        Switch::flag("remove", "with -append, take the keys away"),
        Switch::flag("statistics", "report at the end (default)"),
        Switch::flag("strip_colons", "drop a colon at the end of each key"),
        Switch::flag(
            "dump",
            "print the database given first, or write it to a file",
        ),
    ],
}];

pub(crate) const DUMPDB: &[Verb] = &[Verb {
    name: "dumpdb",
    about: "print a database as text, or write it to a file",
    parameters: "database [output-file]",
    least: 1,
    most: 2,
    switches: &[],
}];

pub(crate) const RENAMEDB: &[Verb] = &[Verb {
    name: "renamedb",
    about: "put a database in the place of another",
    parameters: "old-database new-database",
    least: 2,
    most: 2,
    switches: &[],
}];

fn failed(ident: &'static str, text: impl Into<String>) -> Failure {
    Message::error("CRDB", ident, text.into()).into()
}

fn of_table(error: &TableError) -> Failure {
    failed("DATABASE", with_causes(error))
}

pub(crate) fn crdb(context: &Context, typed: &[String]) -> Outcome {
    let words = CRDB[0].parse(typed)?;
    if words.is_on("dump", false) {
        return dump_to(context, &words);
    }
    let (Some(input), Some(output)) = (words.parameter(0), words.parameter(1)) else {
        return Err(Message::error("IMTA", "INSFPRM", "missing command parameters").into());
    };
    let path = Kind::resolve(&context.root, output);
    let _held = lock(&path)?;
    let mut builder = TableBuilder::default();
    if words.is_on("append", false) && path.exists() {
        let table = Table::open(&path).map_err(|error| of_table(&error))?;
        table
            .for_each(|key, values| {
                values.iter().for_each(|value| builder.add(key, value));
                Ok::<_, TableError>(())
            })
            .map_err(|error| of_table(&error))?;
    }
    let counts = convert(Path::new(input), &words, &mut builder)?;
    builder.place(&path).map_err(|error| of_table(&error))?;
    if words.is_on("statistics", true) {
        let Counts {
            converted,
            exceptions,
            too_long,
        } = counts;
        output::line(&format!(
            "{converted} entries converted, {exceptions} exceptions, {too_long} too long"
        ));
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Counts {
    converted: usize,
    exceptions: usize,
    too_long: usize,
}

fn convert(input: &Path, words: &Words, builder: &mut TableBuilder) -> Result<Counts, Failure> {
    let unreadable =
        |error: std::io::Error| failed("OPENIN", format!("{}: {error}", input.display()));
    let limits = if words.is_on("huge_records", false) {
        HUGE
    } else if words.is_on("long_records", false) {
        LONG
    } else {
        SHORT
    };
    let on = |name| words.is_on(name, false);
    let removes = on("remove") && on("append");
    let file = std::fs::File::open(input).map_err(unreadable)?;
    let mut counts = Counts::default();
    for (at, line) in BufReader::new(file).split(b'\n').enumerate() {
        let line = line.map_err(unreadable)?;
        let line = String::from_utf8_lossy(&line);
        if words.is_on("count", true) && at > 0 && at % STEP == 0 {
            output::line(&format!("{at} lines processed"));
        }
        let line = line.trim_end_matches('\r');
        if line.starts_with('!') || line.trim().is_empty() {
            continue;
        }
        let split = if on("quoted") {
            database::split(line)
        } else {
            let line = line.trim_start_matches([' ', '\t']);
            let (key, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let value = value.trim_matches([' ', '\t']);
            Some((key.to_owned(), value))
        };
        let Some((key, value)) = split.filter(|(_, value)| removes || !value.is_empty()) else {
            let text = format!("{}, line {}: no right side", input.display(), at + 1);
            return Err(failed("NORIGHT", text));
        };
        let key = match key.strip_suffix(':') {
            Some(bare) if on("strip_colons") => bare.to_owned(),
            _ => key,
        };
        if key.is_empty() {
            let text = format!("{}, line {}: no left side", input.display(), at + 1);
            return Err(failed("NOLEFT", text));
        }
        let folded = database::fold(&key);
        if removes {
            if builder.remove(folded.as_bytes()) {
                counts.converted += 1;
            } else {
                counts.exceptions += 1;
            }
        } else if key.chars().count() > limits.0
            || value.chars().count() > limits.1
            || folded.len() > MAX_KEY
        {
            counts.too_long += 1;
        } else if builder.has(folded.as_bytes()) && !on("duplicates") {
            counts.exceptions += 1;
        } else {
            builder.add(folded.as_bytes(), value.as_bytes());
            counts.converted += 1;
        }
    }
    Ok(counts)
}

/// Keeps others from building the same database meanwhile.
fn lock(path: &Path) -> Result<Lock, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let place = path.with_file_name(format!(".{name}.lock"));
    let lock = Lock::acquire_within(&place, PATIENCE)
        .map_err(|error| failed("OPENOUT", format!("{}: {error}", path.display())))?;
    lock.ok_or_else(|| {
        failed(
            "LOCK",
            format!("{} is being built by another process", path.display()),
        )
    })
}

fn dump_to(context: &Context, words: &Words) -> Outcome {
    let name = words.parameter(0).unwrap_or_default();
    let path = Kind::resolve(&context.root, name);
    dump(&path, name, words.parameter(1).map(Path::new))
}

pub(crate) fn dumpdb(context: &Context, typed: &[String]) -> Outcome {
    dump_to(context, &DUMPDB[0].parse(typed)?)
}

fn dump(path: &Path, name: &str, to: Option<&Path>) -> Outcome {
    let table = Table::open(path).map_err(|error| of_table(&error))?;
    let mut lines = Vec::new();
    let mut several = false;
    let mut quoted = false;
    let mut longest = (0, 0);
    table
        .for_each(|key, values| {
            let key = String::from_utf8_lossy(key).into_owned();
            several |= values.len() > 1;
            let blank = key.contains([' ', '\t']);
            quoted |= blank;
            for value in values {
                let value = String::from_utf8_lossy(&value).into_owned();
                longest.0 = longest.0.max(key.chars().count());
                longest.1 = longest.1.max(value.chars().count());
                let key = if blank {
                    format!("\"{key}\"")
                } else {
                    key.clone()
                };
                lines.push(format!("{key}\t{value}"));
            }
            Ok::<_, TableError>(())
        })
        .map_err(|error| of_table(&error))?;
    let over = |limits: (usize, usize)| longest.0 > limits.0 || longest.1 > limits.1;
    let mut switches = String::new();
    for (wanted, word) in [
        (several, " -duplicates"),
        (over(LONG), " -huge_records"),
        (over(SHORT) && !over(LONG), " -long_records"),
        (quoted, " -quoted"),
    ] {
        if wanted {
            switches.push_str(word);
        }
    }
    let file = to.map_or("FILE".into(), Path::to_string_lossy);
    lines.insert(0, format!("! imsimta crdb{switches} {file} {name}"));
    let text = lines.join("\n") + "\n";
    match to {
        None => output::block(&text),
        Some(file) => {
            let written = std::fs::File::create(file)
                .and_then(|mut out| out.write_all(text.as_bytes()).and_then(|()| out.sync_all()));
            written.map_err(|error| failed("OPENOUT", format!("{}: {error}", file.display())))?;
        }
    }
    Ok(())
}

pub(crate) fn renamedb(context: &Context, typed: &[String]) -> Outcome {
    let words = RENAMEDB[0].parse(typed)?;
    let path =
        |at| -> PathBuf { Kind::resolve(&context.root, words.parameter(at).unwrap_or_default()) };
    let (old, new) = (path(0), path(1));
    let _held = lock(&new)?;
    // What is no database must not take the place of one.
    drop(Table::open(&old).map_err(|error| of_table(&error))?);
    let renamed = std::fs::rename(&old, &new).and_then(|()| {
        let directory = new.parent().unwrap_or(&new);
        std::fs::File::open(directory)?.sync_all()
    });
    renamed.map_err(|error| {
        let text = format!("{} to {}: {error}", old.display(), new.display());
        Message::error("RENAMEDB", "RENAME", text).into()
    })
}
