//! The Dispatcher with real processes: this executable plays the watcher, the Dispatcher (with
//! the crate's `run`), and the server processes, by its first argument or its environment.
//!
//! Roles need whole processes, so there is no test harness; each claim is a function, run in turn
//! (or only those whose name contains the first argument).

#[cfg(test)]
mod claims;
#[cfg(test)]
mod server;
#[cfg(test)]
mod support;

use std::time::Instant;

macro_rules! claims {
    ($($name:ident),* $(,)?) => {
        [$((stringify!($name), claims::$name as fn())),*]
    };
}

fn main() {
    let word = std::env::args().nth(1);
    if word.as_deref() == Some("dispatcher") {
        let ended = dispatcher::run(dispatcher::Arguments::default());
        std::process::exit(i32::from(ended.is_err()));
    }
    if std::env::var_os(mta_ipc::handover::SERVICE_VARIABLE).is_some() {
        server::serve();
        return;
    }
    let claims = claims![
        connections_are_served_and_counted,
        a_dead_server_takes_only_its_own_sessions,
        an_untaken_connection_goes_to_another,
        a_server_that_hangs_is_ended_and_its_connection_goes_to_another,
        a_server_that_cannot_start_is_tried_later,
        a_server_that_closes_its_end_and_dies_is_no_reason_for_a_storm,
        port_access_refuses_with_its_text,
        a_restart_drops_nobody_and_refuses_nobody,
        worn_out_servers_are_replaced,
        a_stop_ends_sessions_with_421,
        too_few_descriptors_only_delay,
        what_stands_in_the_way_is_told,
    ];
    let wanted = |name: &str| {
        let word = word.as_deref();
        word.is_none_or(|word| word.starts_with('-') || name.contains(word))
    };
    for (name, claim) in claims {
        if wanted(name) {
            let begun = Instant::now();
            claim();
            println!("test {name} ... ok ({} ms)", begun.elapsed().as_millis());
        }
    }
}
