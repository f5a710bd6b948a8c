//! The house keeps its picture: who may use whom, where asynchronous and unsafe code lives.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Rows of the picture, lowest first. A crate may use crates on lower rows.
const ROWS: [&[&str]; 7] = [
    &["mta-envelope"],
    &["mta-expression", "mta-mapping", "mta-rewrite"],
    &["mta-config"],
    &[
        "mta-process",
        "mta-ipc",
        "mta-queue",
        "mta-message",
        "mta-log",
        "mta-access",
        "mta-directory",
        "mta-dns",
    ],
    &["mta-channel", "mta-smtp", "mta-auth", "mta-command"],
    &[
        "watcher",
        "housekeeping",
        "dispatcher",
        "job-controller",
        "channels",
        "imsimta",
        "msconfig",
    ],
    &["imta"],
];

/// Uses beside, along drawn arrows.
const ARROWS: [(&str, &str); 2] = [("mta-rewrite", "mta-mapping"), ("mta-directory", "mta-dns")];

/// Crates whose contents are pure, and what they may use of ours.
const PURE: [(&str, &[&str]); 4] = [
    ("mta-envelope", &[]),
    ("mta-expression", &[]),
    ("mta-mapping", &[]),
    ("mta-rewrite", &["mta-envelope", "mta-mapping"]),
];

fn packages() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--offline",
            "--no-deps",
            "--format-version",
            "1",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let (mut normal, mut all) = (BTreeSet::new(), BTreeSet::new());
        for dependency in package["dependencies"].as_array().unwrap() {
            let name = dependency["name"].as_str().unwrap().to_owned();
            if dependency["kind"].is_null() {
                normal.insert(name.clone());
            }
            all.insert(name);
        }
        found.insert(package["name"].as_str().unwrap().to_owned(), (normal, all));
    }
    found
}

fn row(name: &str) -> usize {
    ROWS.iter()
        .position(|row| row.contains(&name))
        .unwrap_or_else(|| panic!("{name} has no place in the picture"))
}

#[test]
fn crates_use_only_what_lies_below_them() {
    let packages = packages();
    for (name, (uses, _)) in &packages {
        for used in uses.iter().filter(|used| packages.contains_key(*used)) {
            let beside = ARROWS.contains(&(name.as_str(), used.as_str()));
            assert!(
                row(used) < row(name) || beside,
                "{name} must not use {used}"
            );
        }
    }
}

#[test]
fn words_and_languages_are_pure() {
    let packages = packages();
    for (name, allowed) in PURE {
        for used in packages[name]
            .0
            .iter()
            .filter(|used| packages.contains_key(*used))
        {
            assert!(
                allowed.contains(&used.as_str()),
                "{name} must not use {used}"
            );
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("crates")
            .join(name)
            .join("src");
        each_file(&source, &mut |path, text| {
            let code = text.split("#[cfg(test)]").next().unwrap();
            for word in [
                "std::fs",
                "std::net::Tcp",
                "std::net::Udp",
                "std::env",
                "std::thread",
                "SystemTime",
                "Instant::now",
            ] {
                assert!(!code.contains(word), "{} names {word}", path.display());
            }
        });
    }
}

#[test]
fn only_three_crates_know_of_asynchronous_code() {
    for (name, (uses, _)) in packages() {
        let may = ["mta-dns", "mta-auth", "mta-directory"].contains(&name.as_str());
        assert!(may || !uses.contains("tokio"), "{name} must not name tokio");
    }
}

#[test]
fn unsafe_code_stays_in_its_modules() {
    let allowed = [
        "mta-ipc/src/descriptor.rs",
        "mta-config/src/table.rs",
        "mta-log/src/counters.rs",
    ];
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    each_file(&crates, &mut |path, text| {
        let here = allowed.iter().any(|end| path.ends_with(end));
        let has = text.lines().any(|line| {
            let code = line.split("//").next().unwrap();
            code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe_code")
        });
        assert!(here || !has, "{} has unsafe code", path.display());
    });
}

fn each_file(directory: &Path, look: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_file(&path, look);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            look(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}
