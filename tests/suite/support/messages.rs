//! Real messages: the files that installed packages carry, read where they lie.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One message file, line ends normalised to CRLF.
pub(crate) struct Real {
    pub(crate) path: PathBuf,
    pub(crate) octets: Vec<u8>,
}

/// Every distinct message found in CPython's tests, in the sources of mail-parser and mail-auth
/// and in Debian's packages.
pub(crate) fn all() -> Vec<Real> {
    let mut files = Vec::new();
    for directory in directories() {
        gather(&directory, &mut files);
    }
    files.sort();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for path in files {
        let Ok(raw) = std::fs::read(&path) else {
            continue;
        };
        let octets = to_crlf(&raw);
        if looks_like_a_message(&octets) && seen.insert(octets.clone()) {
            found.push(Real { path, octets });
        }
    }
    found
}

fn directories() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for python in ["python3", "/usr/bin/python3"] {
        let script = "import test.test_email as t, os; print(os.path.join(os.path.dirname(t.__file__), 'data'))";
        if let Ok(output) = Command::new(python).args(["-c", script]).output() {
            found.push(PathBuf::from(
                String::from_utf8_lossy(&output.stdout).trim(),
            ));
        }
    }
    let home = std::env::var_os("CARGO_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo"),
        PathBuf::from,
    );
    for registry in std::fs::read_dir(home.join("registry/src"))
        .into_iter()
        .flatten()
        .flatten()
    {
        for package in std::fs::read_dir(registry.path())
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = package.file_name().to_string_lossy().into_owned();
            if name.starts_with("mail-parser-") || name.starts_with("mail-auth-") {
                found.push(package.path());
            }
        }
    }
    found.push(PathBuf::from("/usr/share/doc"));
    found.push(PathBuf::from("/usr/share/perl5"));
    found
}

fn gather(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            gather(&path, files);
        } else if kind.is_file() {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let in_tests = directory.ends_with("test_email/data") && name.starts_with("msg_");
            let sample = name.starts_with("sample-") && name.ends_with(".txt");
            let is_message = [".eml", ".msg", ".mbox-message"]
                .iter()
                .any(|end| name.ends_with(end));
            if in_tests || sample || is_message {
                files.push(path);
            }
        }
    }
}

fn looks_like_a_message(octets: &[u8]) -> bool {
    let first = octets.split(|&b| b == b'\n').next().unwrap_or_default();
    !octets.is_empty() && octets.len() < 10_000_000 && first.contains(&b':')
}

/// CRLF line ends whatever they were (bare CR, bare LF, CRLF).
pub(crate) fn to_crlf(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + 100);
    let mut octets = raw.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\r' => {
                octets.next_if_eq(&b'\n');
                out.extend_from_slice(b"\r\n");
            }
            b'\n' => out.extend_from_slice(b"\r\n"),
            other => out.push(other),
        }
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Header and body of a message with either kind of line end.
pub(crate) fn split(message: &[u8]) -> (&[u8], &[u8]) {
    for (mark, skip) in [(&b"\r\n\r\n"[..], 4), (&b"\n\n"[..], 2)] {
        if let Some(at) = message
            .windows(mark.len())
            .position(|window| window == mark)
        {
            return (&message[..at + skip / 2], &message[at + skip..]);
        }
    }
    (message, &[])
}
