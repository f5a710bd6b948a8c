//! Servers with one deliberate mistake: a judge that does not find it proves nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// A `tcp_smtp_server` built with `feature`, once for all tests of this run. The executables get
/// a directory of their own, so that they never get in the way of the good ones; what they are
/// made from is shared.
pub(crate) fn broken(feature: &'static str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<&'static str, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap();
    built
        .entry(feature)
        .or_insert_with(|| build(feature))
        .clone()
}

fn build(feature: &str) -> PathBuf {
    let usual = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let target = usual.join("broken");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--profile",
            "ci",
            "--locked",
            "--offline",
        ])
        .args(["--bin", "tcp_smtp_server", "--features", feature])
        .arg("--target-dir")
        .arg(&target)
        .env("CARGO_BUILD_BUILD_DIR", usual)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{feature}: {said}");
    let built = target.join("ci/tcp_smtp_server");
    let kept = target.join(feature);
    // A server of an earlier run may still have it open.
    drop(std::fs::remove_file(&kept));
    std::fs::copy(&built, &kept).unwrap();
    kept
}
