//! A fuzzer for the stable toolchain: inputs are mutated from a corpus by a generator with a fixed
//! seed, so that a run is the same everywhere.
//!
//! ```text
//! imta-fuzz [-runs=N] [-seed=N] [TARGET...]     all targets unless some are named
//! imta-fuzz -input=FILE TARGET                  one input once more
//! ```
//!
//! An input that makes a target panic, or that takes longer than any should, is written to
//! `crash-TARGET` and ends the run; a crash that was found becomes a unit test where it belongs.

mod mutate;
mod targets;

use mutate::Mutator;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use targets::Target;

/// No input needs so long, on the slowest machine: what does is a loop.
const LONGEST: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let mut runs = 20_000;
    let mut seed = 1;
    let mut input = None;
    let mut names = Vec::new();
    for word in std::env::args().skip(1) {
        let known = if let Some(number) = word.strip_prefix("-runs=") {
            number.parse().map(|number| runs = number).is_ok()
        } else if let Some(number) = word.strip_prefix("-seed=") {
            number.parse().map(|number| seed = number).is_ok()
        } else if let Some(file) = word.strip_prefix("-input=") {
            input = Some(file.to_owned());
            true
        } else {
            let known = targets::ALL.iter().any(|target| target.name == word);
            names.push(word.clone());
            known
        };
        if !known {
            let all: Vec<&str> = targets::ALL.iter().map(|target| target.name).collect();
            eprintln!(
                "{word}: -runs=N, -seed=N, -input=FILE, or one of {}",
                all.join(" ")
            );
            return ExitCode::FAILURE;
        }
    }
    let chosen = targets::ALL
        .iter()
        .filter(|target| names.is_empty() || names.iter().any(|name| name == target.name));
    for target in chosen {
        let sound = match &input {
            Some(file) => once(target, file),
            None => many(target, runs, seed),
        };
        if !sound {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn once(target: &Target, file: &str) -> bool {
    match std::fs::read(file) {
        Ok(octets) => {
            (target.prepare)()(&octets);
            true
        }
        Err(error) => {
            eprintln!("{file}: {error}");
            false
        }
    }
}

fn many(target: &Target, runs: u64, seed: u64) -> bool {
    let mut run = (target.prepare)();
    let mut mutator = Mutator::new(seed, (target.corpus)());
    let watch = watch(target.name);
    for number in 0..runs {
        let octets = mutator.next(number);
        let (done, wait) = channel();
        let watched = watch.send((octets.clone(), wait));
        assert!(watched.is_ok(), "nobody watches");
        let ran = catch_unwind(AssertUnwindSafe(|| run(&octets)));
        drop(done);
        if ran.is_err() {
            keep(target.name, &octets, &format!("panic at input {number}"));
            return false;
        }
    }
    println!("{}: {runs} inputs", target.name);
    true
}

/// An input, and what tells by its end that the input is done with.
type Watched = (Vec<u8>, Receiver<()>);

/// Ends the process when an input is not done with in time.
fn watch(name: &'static str) -> Sender<Watched> {
    let (send, receive) = channel::<Watched>();
    std::thread::spawn(move || {
        for (octets, done) in receive {
            if done.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
                keep(name, &octets, "does not end");
                std::process::exit(1);
            }
        }
    });
    send
}

fn keep(name: &str, octets: &[u8], why: &str) {
    let file = format!("crash-{name}");
    let kept = std::fs::write(&file, octets);
    eprintln!(
        "{name}: {why}; the input is in {file}{}",
        match kept {
            Ok(()) => String::new(),
            Err(error) => format!(", or would be: {error}"),
        }
    );
}
