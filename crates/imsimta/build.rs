//! Tells the crate when it was built, for `imsimta version`. `SOURCE_DATE_EPOCH` makes the answer,
//! and so the executable, repeatable.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=Cargo.toml");
    let given = std::env::var("SOURCE_DATE_EPOCH").ok();
    let seconds = given
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.map_or(0, |now| now.as_secs())
        });
    println!("cargo:rustc-env=IMTA_BUILT={seconds}");
}
