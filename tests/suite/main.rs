//! The system as an operator meets it: real executables in a fresh server root, real sockets, a
//! real DNS server, peers of our own that misbehave on purpose.
//!
//! One module per behaviour; `support` does the staging. Nothing here sleeps in order to wait:
//! every wait is for an observable fact, with a deadline, and a failure prints the server's logs.

#[cfg(test)]
mod support;

#[cfg(test)]
mod ageing;
#[cfg(test)]
mod bad_luck;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod configurations;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod destinations;
#[cfg(test)]
mod layout;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod options;
#[cfg(test)]
mod order;
#[cfg(test)]
mod ownership;
#[cfg(test)]
mod power_cut;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod smtp_in;
#[cfg(test)]
mod smtp_out;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod worked;

/// Every file of this directory is a module above; a forgotten one would never run.
#[test]
fn no_file_is_left_out() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite");
    let listed = include_str!("main.rs");
    for entry in std::fs::read_dir(here).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let stem = name.trim_end_matches(".rs");
        if !["main", "support", "snapshots"].contains(&stem) {
            assert!(
                listed.contains(&format!("mod {stem};")),
                "{name} is not in main.rs"
            );
        }
    }
}
