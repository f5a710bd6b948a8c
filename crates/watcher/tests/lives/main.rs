//! The watcher with real processes: this executable plays the watcher and its operators (with the
//! crate's `run`) and, under their names, daemons that do nothing.
//!
//! Roles need whole processes, so there is no test harness; each claim is a function, run in turn
//! (or only those whose name contains the first argument).

#[cfg(test)]
mod claims;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod stage;

use std::process::ExitCode;
use std::time::Instant;

use watcher::{Arguments, Task};

macro_rules! claims {
    ($($name:ident),* $(,)?) => {
        [$((stringify!($name), claims::$name as fn())),*]
    };
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let name = mta_process::exit::program_name();
    match name.as_str() {
        "imsched" | "dispatcher" | "job_controller" => {
            daemon::play(&name);
            return ExitCode::SUCCESS;
        }
        "watcher" => {
            let rest = words[1..].to_vec();
            let has = |word: &str| rest.iter().any(|given| given == word);
            let task = match words[0].as_str() {
                "run" => Task::Run {
                    ha: has("--ha"),
                    start: has("--start"),
                },
                "start" => Task::Start { words: rest },
                _ => Task::Stop { words: rest },
            };
            let server_root = None;
            return mta_process::exit(watcher::run(Arguments { server_root, task }));
        }
        _ => {}
    }
    let claims = claims![
        start_and_stop_say_what_they_do,
        a_daemon_that_dies_is_replaced,
        a_restart_refuses_nobody,
        a_daemon_that_cannot_start_is_told,
        a_new_watcher_takes_over,
        orphans_are_stopped_without_a_watcher,
        a_service_manager_is_told,
        ha_gives_up,
    ];
    for (name, claim) in claims {
        let word = words.first().map(String::as_str);
        if word.is_none_or(|word| word.starts_with('-') || name.contains(word)) {
            let begun = Instant::now();
            claim();
            println!("test {name} ... ok ({} ms)", begun.elapsed().as_millis());
        }
    }
    ExitCode::SUCCESS
}
