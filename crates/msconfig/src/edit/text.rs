//! Parts of the configuration as text: `edit`, `import`, `export`.

use super::{Error, complain};
use mta_command::output;
use mta_command::prompt::{Answer, confirm, is_interactive};
use mta_config::ServerRoot;
use mta_config::fault::LoadFault;
use mta_config::source::legacy::Section;
use mta_config::source::schema::{self, Access};
use mta_config::source::tree::{Content, Tree};
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Prints a part, or writes it to a file.
pub(super) fn export(tree: &Tree, section: Section, file: Option<&Path>) -> Result<(), Error> {
    let text = section.print(tree);
    match file {
        None => output::block(&text),
        Some(path) => std::fs::write(path, text).map_err(|source| Error::File {
            path: path.to_owned(),
            source,
        })?,
    }
    Ok(())
}

/// Takes a part from a file, or from standard input for `-`; whether anything changed.
pub(super) fn import(
    tree: &mut Tree,
    root: &ServerRoot,
    section: Section,
    file: &Path,
    restricted: bool,
) -> Result<bool, Error> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    read.map_err(|source| Error::File {
        path: file.to_owned(),
        source,
    })?;
    let text = String::from_utf8(bytes).map_err(|_| Error::File {
        path: file.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"),
    })?;
    take(tree, root, section, &text, file, restricted).map_err(|refused| match refused {
        Refused::Faults(faults) => {
            faults.iter().for_each(complain_of);
            Error::Text(faults.len())
        }
        Refused::Error(error) => error,
    })
}

fn complain_of(fault: &LoadFault) {
    output::complain(&fault.to_string());
}

/// Why a text was not taken.
enum Refused {
    Faults(Vec<LoadFault>),
    Error(Error),
}

/// Puts a text in the place of a part; whether anything changed.
fn take(
    tree: &mut Tree,
    root: &ServerRoot,
    section: Section,
    text: &str,
    name: &Path,
    restricted: bool,
) -> Result<bool, Refused> {
    let parsed = section.parse(text, name, root).map_err(Refused::Faults)?;
    let warnings = section.check(&parsed, tree).map_err(Refused::Faults)?;
    let mut edited = tree.clone();
    if !section.replace(&mut edited, &parsed.tree) {
        return Ok(false);
    }
    if !restricted && let Some(name) = vendor_change(tree, &edited) {
        return Err(Refused::Error(Error::Vendor(name)));
    }
    for warning in warnings {
        output::complain(&warning.to_string());
    }
    *tree = edited;
    Ok(true)
}

/// An option meant for the vendor that has another value now.
fn vendor_change(old: &Tree, new: &Tree) -> Option<String> {
    let values = |tree: &Tree| -> Vec<(String, Vec<Content>)> {
        let entries = tree.entries().iter().filter(|entry| {
            schema::spec(&entry.path).is_ok_and(|spec| spec.access == Access::Vendor)
        });
        let values = entries.map(|entry| {
            let contents = entry.settings.iter().map(|setting| setting.content.clone());
            (entry.path.to_string(), contents.collect())
        });
        values.collect()
    };
    let (old, new) = (values(old), values(new));
    let mut changed = old.iter().filter(|value| !new.contains(value));
    let mut added = new.iter().filter(|value| !old.contains(value));
    let first = changed.next().or_else(|| added.next())?;
    Some(first.0.clone())
}

/// Lets the user edit a part in `$EDITOR` until it can be read, or is given up; whether anything
/// changed.
pub(super) fn edit(
    tree: &mut Tree,
    root: &ServerRoot,
    section: Section,
    restricted: bool,
) -> Result<bool, Error> {
    let file = Buffer::new(root, section)?;
    file.write(&section.print(tree))?;
    loop {
        file.visit()?;
        let text = file.read()?;
        match take(tree, root, section, &text, &file.path, restricted) {
            Ok(changed) => return Ok(changed),
            Err(Refused::Faults(faults)) => {
                faults.iter().for_each(complain_of);
                if !is_interactive() {
                    return Err(Error::Text(faults.len()));
                }
            }
            Err(Refused::Error(error)) if is_interactive() => complain(&error),
            Err(Refused::Error(error)) => return Err(error),
        }
        match confirm("Edit again? [y/n] ") {
            Answer::Yes => {}
            Answer::No | Answer::Stop => return Ok(false),
        }
    }
}

/// The file that is edited: readable by nobody else, gone when the work is done.
struct Buffer {
    path: PathBuf,
}

impl Buffer {
    fn new(root: &ServerRoot, section: Section) -> Result<Self, Error> {
        let directory = if root.tmp().is_dir() {
            root.tmp()
        } else {
            std::env::temp_dir()
        };
        let name = format!("{}.{}.txt", section.name(), std::process::id());
        let path = directory.join(name);
        // A leftover of a process that died and had the same number.
        drop(std::fs::remove_file(&path));
        let mut options = OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(&path);
        match made {
            Ok(_) => Ok(Self { path }),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::File {
            path: self.path.clone(),
            source,
        }
    }

    fn write(&self, text: &str) -> Result<(), Error> {
        let mut options = OpenOptions::new();
        let file = options.write(true).truncate(true).open(&self.path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| self.failed(source))
    }

    fn read(&self) -> Result<String, Error> {
        std::fs::read_to_string(&self.path).map_err(|source| self.failed(source))
    }

    /// Runs the editor; the shell splits what `$EDITOR` says, as users expect.
    fn visit(&self) -> Result<(), Error> {
        let editor = std::env::var("EDITOR")
            .ok()
            .filter(|text| !text.trim().is_empty());
        let editor = editor.unwrap_or_else(|| "vi".to_owned());
        let status = Command::new("/bin/sh")
            .args(["-c", &format!("{editor} \"$@\""), "edit"])
            .arg(&self.path)
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::Editor(editor))
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // It may be gone already.
        drop(std::fs::remove_file(&self.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Tree {
        let root = ServerRoot::new("/nowhere".into());
        let parsed = Section::Channels.parse(text, Path::new("channels"), &root);
        parsed.unwrap().tree
    }

    fn taken(section: Section, tree: &mut Tree, text: &str) -> Result<bool, String> {
        let root = ServerRoot::new("/nowhere".into());
        take(tree, &root, section, text, Path::new("buffer"), false).map_err(
            |refused| match refused {
                Refused::Faults(faults) => {
                    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
                    lines.join("\n")
                }
                Refused::Error(error) => error.to_string(),
            },
        )
    }

    const CHANNELS: &str = "l\nmail.example.com\n\ntcp_local maxjobs 3\ntcp-daemon\n";

    #[test]
    fn an_edited_part_takes_the_place_of_the_old_one() {
        let mut tree = tree(CHANNELS);
        let edited = CHANNELS.replace("maxjobs 3", "single slave_debug");
        assert_eq!(taken(Section::Channels, &mut tree, &edited), Ok(true));
        let printed = Section::Channels.print(&tree);
        assert_eq!(printed, edited);
        assert_eq!(taken(Section::Channels, &mut tree, &edited), Ok(false));
        let rules = "a.example  $U%$D@tcp-daemon\n.          $U%$H@tcp-daemon\n";
        assert_eq!(taken(Section::Rewrites, &mut tree, rules), Ok(true));
        assert_eq!(Section::Rewrites.print(&tree), rules);
        assert_eq!(Section::Channels.print(&tree), edited);
    }

    #[test]
    fn a_text_with_faults_changes_nothing() {
        let before = tree(CHANNELS);
        let table = [
            (
                Section::Channels,
                "l\nmail.example.com\n\ntcp_x maxjobs many\nx\n",
                "Error in mm_init: invalid value for option: maxjobs: expected integer - buffer, error line #4\n  tcp_x maxjobs many",
            ),
            (
                Section::Mappings,
                "T\n\n  a b c\n",
                "Error in mm_init: unquoted white space in template: T - buffer, error line #3\n    a b c",
            ),
            (
                Section::Options,
                "NOSUCH=1\n",
                "Error in mm_init: unknown option: mta.nosuch - buffer, error line #1\n  NOSUCH=1",
            ),
            (
                Section::Options,
                "ALIAS_MAGIC=4\n",
                "Option mta.alias_magic is restricted; use set -restricted",
            ),
            (
                Section::Aliases,
                "a: b@c\na: d@e\n",
                "Error in mm_init: duplicate aliases found: a - buffer, error line #2\n  a: d@e",
            ),
        ];
        for (section, text, told) in table {
            let mut tree = before.clone();
            assert_eq!(taken(section, &mut tree, text), Err(told.to_owned()));
            assert_eq!(tree.entries().len(), before.entries().len());
        }
    }
}
