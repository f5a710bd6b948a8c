//! Which server process takes a connection, when one is started, and when one retires.
//!
//! Pure: the servers of one service as they are now go in, a decision comes out. Nothing here
//! starts or tells anybody anything.

use std::time::{Duration, Instant};

/// The limits of one service, as its options set them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Processes that are always there.
    pub min_procs: u32,
    /// Most processes that take connections.
    pub max_procs: u32,
    /// Connections at which a process counts as busy enough to start another.
    pub min_conns: u32,
    /// Most connections in one process.
    pub max_conns: u32,
    /// Connections after which a process retires.
    pub max_life_conns: u64,
    /// Age at which a process retires.
    pub max_life_time: Duration,
    /// Idleness at which a process beyond `min_procs` retires.
    pub max_idle_time: Duration,
    /// Most processes that retire at the same time.
    pub max_shutdown: u32,
    /// Most hand-overs that may wait for their `Taken`.
    pub max_handoffs: u32,
}

/// Where a server process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Started, not ready yet.
    Starting,
    /// Takes connections.
    Serving,
    /// Finishes what it has.
    Retiring,
}

/// What there is to know about one server process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerView {
    /// By this the caller knows it.
    pub key: u64,
    /// Where it is in its life.
    pub phase: Phase,
    /// Connections it has, those not taken yet included.
    pub active: u32,
    /// Connections it was given and has not taken yet.
    pub untaken: u32,
    /// It has left a connection untaken for too long, and gets no other until it takes that.
    pub stalled: bool,
    /// Connections it was ever given.
    pub total: u64,
    /// When it was started.
    pub started: Instant,
    /// Since when it has had no connection, if it has none.
    pub idle_since: Option<Instant>,
}

/// Where the next connection of a service goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// To this server process.
    Give(u64),
    /// Nowhere for now: it waits in the backlog.
    Wait,
}

/// The server process with the fewest connections among those that can take one more; of equals
/// the oldest, so that young ones can go idle again.
#[must_use]
pub fn choose(servers: &[ServerView], limits: &Limits) -> Choice {
    let under_way: u32 = servers
        .iter()
        .filter(|server| !server.stalled)
        .map(|server| server.untaken)
        .sum();
    if under_way >= limits.max_handoffs.max(1) {
        return Choice::Wait;
    }
    servers
        .iter()
        .filter(|server| {
            server.phase == Phase::Serving && !server.stalled && server.active < limits.max_conns
        })
        .min_by_key(|server| (server.active, server.started, server.key))
        .map_or(Choice::Wait, |server| Choice::Give(server.key))
}

/// How many server processes to start now. `waiting`: a connection is there and [`choose`] finds
/// nobody for it.
#[must_use]
pub fn to_start(servers: &[ServerView], limits: &Limits, waiting: bool) -> u32 {
    let working = || servers.iter().filter(|s| s.phase != Phase::Retiring);
    let all = u32::try_from(working().count()).unwrap_or(u32::MAX);
    // One that is stalled serves nobody new. It is either back soon or ended soon, and until then
    // another may stand in for it.
    let serving = working().filter(|s| !s.stalled).count();
    let count = u32::try_from(serving).unwrap_or(u32::MAX);
    if all >= limits.max_procs.saturating_mul(2) {
        return 0;
    }
    if count < limits.min_procs.min(limits.max_procs) {
        return limits.min_procs.min(limits.max_procs) - count;
    }
    // One that starts is help on its way: nothing more is started until it is ready.
    if count >= limits.max_procs || working().any(|s| s.phase == Phase::Starting) {
        return 0;
    }
    let all_busy = working().all(|s| s.stalled || s.active >= limits.min_conns);
    u32::from(waiting || (count > 0 && all_busy))
}

/// The server processes that are to retire now, at most as many as `max_shutdown` leaves room for.
#[must_use]
pub fn to_retire(servers: &[ServerView], limits: &Limits, now: Instant) -> Vec<u64> {
    let retiring = servers
        .iter()
        .filter(|s| s.phase == Phase::Retiring)
        .count();
    let room = usize::try_from(limits.max_shutdown.max(1))
        .unwrap_or(usize::MAX)
        .saturating_sub(retiring);
    let serving: Vec<&ServerView> = servers
        .iter()
        .filter(|s| s.phase == Phase::Serving)
        .collect();
    let mut old: Vec<&ServerView> = serving
        .iter()
        .copied()
        .filter(|s| is_worn_out(s, limits, now))
        .collect();
    old.sort_unstable_by_key(|s| s.started);
    let mut leaving: Vec<u64> = old.iter().map(|s| s.key).take(room).collect();

    let needed = usize::try_from(limits.min_procs).unwrap_or(usize::MAX);
    let mut left = serving.len() - leaving.len();
    let mut idle: Vec<&ServerView> = serving
        .into_iter()
        .filter(|s| !leaving.contains(&s.key) && is_idle(s, limits, now))
        .collect();
    idle.sort_unstable_by_key(|s| std::cmp::Reverse(s.started));
    for server in idle {
        if left <= needed || leaving.len() >= room {
            break;
        }
        leaving.push(server.key);
        left -= 1;
    }
    leaving
}

fn is_worn_out(server: &ServerView, limits: &Limits, now: Instant) -> bool {
    server.total >= limits.max_life_conns.max(1)
        || now.saturating_duration_since(server.started) >= limits.max_life_time
}

fn is_idle(server: &ServerView, limits: &Limits, now: Instant) -> bool {
    server
        .idle_since
        .is_some_and(|since| now.saturating_duration_since(since) >= limits.max_idle_time)
}

/// When [`to_retire`] is to be asked again even if nothing happens before that.
#[must_use]
pub fn next_look(servers: &[ServerView], limits: &Limits, now: Instant) -> Option<Instant> {
    servers
        .iter()
        .filter(|s| s.phase == Phase::Serving)
        .flat_map(|s| {
            [
                s.started.checked_add(limits.max_life_time),
                s.idle_since
                    .and_then(|since| since.checked_add(limits.max_idle_time)),
            ]
        })
        .flatten()
        .filter(|&at| at > now)
        .min()
}

/// Longest pause before a server process is started again.
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// How long to wait before the next start, after `failures` server processes in a row have died
/// soon after their start.
#[must_use]
pub fn delay_after(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        n => Duration::from_secs(1 << (n - 1).min(6)).min(LONGEST_DELAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        min_procs: 1,
        max_procs: 3,
        min_conns: 2,
        max_conns: 4,
        max_life_conns: 100,
        max_life_time: Duration::from_secs(1000),
        max_idle_time: Duration::from_secs(10),
        max_shutdown: 1,
        max_handoffs: 3,
    };

    struct At(Instant);

    impl At {
        fn server(&self, key: u64, phase: Phase, active: u32) -> ServerView {
            ServerView {
                key,
                phase,
                active,
                untaken: 0,
                stalled: false,
                total: u64::from(active),
                started: self.0,
                idle_since: (active == 0).then_some(self.0),
            }
        }
    }

    #[test]
    fn connections_go_where_there_is_most_room() {
        use Phase::{Retiring, Serving, Starting};
        let at = At(Instant::now());
        let s = |key, phase, active| at.server(key, phase, active);
        for (servers, expected) in [
            (vec![], Choice::Wait),
            (vec![s(1, Starting, 0)], Choice::Wait),
            (vec![s(1, Serving, 0)], Choice::Give(1)),
            (vec![s(1, Serving, 3), s(2, Serving, 1)], Choice::Give(2)),
            (vec![s(1, Serving, 1), s(2, Serving, 1)], Choice::Give(1)),
            (vec![s(1, Serving, 4), s(2, Retiring, 0)], Choice::Wait),
        ] {
            assert_eq!(choose(&servers, &LIMITS), expected, "{servers:?}");
        }
    }

    #[test]
    fn hand_overs_under_way_are_limited() {
        let at = At(Instant::now());
        let mut servers = vec![
            at.server(1, Phase::Serving, 3),
            at.server(2, Phase::Serving, 0),
        ];
        servers[0].untaken = 3;
        assert_eq!(choose(&servers, &LIMITS), Choice::Wait);
        servers[0].untaken = 2;
        assert_eq!(choose(&servers, &LIMITS), Choice::Give(2));
    }

    #[test]
    fn a_stalled_server_neither_gets_nor_hinders() {
        let at = At(Instant::now());
        let mut servers = vec![
            at.server(1, Phase::Serving, 0),
            at.server(2, Phase::Serving, 2),
        ];
        servers[0].stalled = true;
        servers[0].untaken = 3;
        assert_eq!(choose(&servers, &LIMITS), Choice::Give(2));
    }

    #[test]
    fn processes_are_started_for_the_minimum_for_load_and_for_who_waits() {
        use Phase::{Retiring, Serving, Starting};
        let at = At(Instant::now());
        let s = |key, phase, active| at.server(key, phase, active);
        let none = Limits {
            min_procs: 0,
            ..LIMITS
        };
        for (limits, servers, waiting, expected) in [
            (LIMITS, vec![], false, 1),
            (none, vec![], false, 0),
            (none, vec![], true, 1),
            (none, vec![s(1, Starting, 0)], true, 0),
            (LIMITS, vec![s(1, Serving, 1)], false, 0),
            (LIMITS, vec![s(1, Serving, 2)], false, 1),
            (LIMITS, vec![s(1, Serving, 2), s(2, Starting, 0)], true, 0),
            (LIMITS, vec![s(1, Retiring, 2)], false, 1),
            (
                LIMITS,
                vec![s(1, Serving, 4), s(2, Serving, 4), s(3, Serving, 4)],
                true,
                0,
            ),
        ] {
            assert_eq!(
                to_start(&servers, &limits, waiting),
                expected,
                "{servers:?} {waiting}"
            );
        }
    }

    #[test]
    fn stalled_servers_are_stood_in_for_within_reason() {
        let at = At(Instant::now());
        let stalled = |key| ServerView {
            stalled: true,
            ..at.server(key, Phase::Serving, 1)
        };
        let mut servers: Vec<ServerView> = (1..=3).map(stalled).collect();
        assert_eq!(to_start(&servers, &LIMITS, false), 1);
        servers.push(at.server(4, Phase::Serving, 4));
        assert_eq!(to_start(&servers, &LIMITS, true), 1);
        servers.extend([5, 6].map(stalled));
        assert_eq!(to_start(&servers, &LIMITS, true), 0);
    }

    #[test]
    fn worn_out_servers_retire_one_after_the_other() {
        let at = At(Instant::now());
        let mut servers = vec![
            at.server(1, Phase::Serving, 1),
            at.server(2, Phase::Serving, 1),
        ];
        servers[0].total = 100;
        servers[1].total = 100;
        assert_eq!(to_retire(&servers, &LIMITS, at.0), [1]);
        servers[0].phase = Phase::Retiring;
        assert!(to_retire(&servers, &LIMITS, at.0).is_empty());
        servers.remove(0);
        assert_eq!(to_retire(&servers, &LIMITS, at.0), [2]);
    }

    #[test]
    fn idle_servers_beyond_the_minimum_retire() {
        let at = At(Instant::now());
        let servers = vec![
            at.server(1, Phase::Serving, 0),
            at.server(2, Phase::Serving, 0),
        ];
        let soon = at.0 + Duration::from_secs(9);
        let later = at.0 + Duration::from_secs(10);
        assert!(to_retire(&servers, &LIMITS, soon).is_empty());
        assert_eq!(next_look(&servers, &LIMITS, soon), Some(later));
        assert_eq!(to_retire(&servers, &LIMITS, later).len(), 1);
        assert!(to_retire(&servers[..1], &LIMITS, later).is_empty());
    }

    #[test]
    fn age_retires_even_the_last() {
        let at = At(Instant::now());
        let servers = [at.server(1, Phase::Serving, 3)];
        let old = at.0 + LIMITS.max_life_time;
        assert_eq!(to_retire(&servers, &LIMITS, old), [1]);
    }

    #[test]
    fn delays_grow_and_end_growing() {
        let delays: Vec<u64> = (0..9).map(|n| delay_after(n).as_secs()).collect();
        assert_eq!(delays, [0, 1, 2, 4, 8, 10, 10, 10, 10]);
    }
}
