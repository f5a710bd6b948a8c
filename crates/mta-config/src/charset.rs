//! The compiled character set tables (`IMTA_CHARSET_DATA`): a mark of their version.
//!
//! The conversions are a library's and part of every program. A program that finds the mark of
//! another version stops with the error of the product, since it would read text in another way
//! than the programs that were there before; without a file there is nothing to check.

use crate::fault::{FaultKind, LoadFault, Origin};
use crate::paths::ServerRoot;
use std::io;
use std::path::Path;

/// What the file begins with.
const MAGIC: &str = "IMTAchst";
/// The version of the tables.
const VERSION: u32 = 1;

/// The character sets that are converted.
pub const NAMES: [&str; 40] = [
    "us-ascii",
    "utf-8",
    "utf-16be",
    "utf-16le",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-3",
    "iso-8859-4",
    "iso-8859-5",
    "iso-8859-6",
    "iso-8859-7",
    "iso-8859-8",
    "iso-8859-8-i",
    "iso-8859-10",
    "iso-8859-13",
    "iso-8859-14",
    "iso-8859-15",
    "iso-8859-16",
    "windows-874",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "koi8-r",
    "koi8-u",
    "ibm866",
    "macintosh",
    "x-mac-cyrillic",
    "gbk",
    "gb18030",
    "big5",
    "euc-jp",
    "iso-2022-jp",
    "shift_jis",
    "euc-kr",
];

fn text() -> String {
    format!("{MAGIC} {VERSION}\n{}\n", NAMES.join("\n"))
}

/// Writes the file.
///
/// # Errors
/// What the system says.
pub fn write(path: &Path, root: &ServerRoot) -> io::Result<()> {
    crate::source::save::file(path, text().as_bytes(), &root.config())
}

/// Checks the file of a server root, if there is one.
///
/// # Errors
/// The load error when it is of another version.
pub fn check(root: &ServerRoot) -> Result<(), LoadFault> {
    let path = root.charset_data();
    let found = match std::fs::read_to_string(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => String::new(),
    };
    if found == text() {
        return Ok(());
    }
    Err(LoadFault {
        kind: FaultKind::CharsetVersion,
        name: String::new(),
        origin: Origin {
            file: path,
            ..Origin::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_the_error_of_the_product() {
        let directory = tempfile::tempdir().unwrap();
        let root = ServerRoot::new(directory.path().to_owned());
        std::fs::create_dir(root.config()).unwrap();
        assert_eq!(check(&root), Ok(()));
        write(&root.charset_data(), &root).unwrap();
        assert_eq!(check(&root), Ok(()));
        std::fs::write(root.charset_data(), "IMTAchst 0\n").unwrap();
        let told = check(&root).unwrap_err().to_string();
        let path = root.charset_data().display().to_string();
        assert_eq!(
            told,
            format!(
                "Error in mm_init: error initializing ch_facility compiled character set version \
                 mismatch - {path}"
            )
        );
    }
}
