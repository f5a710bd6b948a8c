//! PORT_ACCESS and INTERNAL_IP: may this client connect, and is it one of ours?

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

use crate::arguments::{Dealt, Taker, any, is_incomplete, one, refusing};
use mta_config::config::Config;
use mta_mapping::{
    Callouts, Flags, Input, Mapped, NoCallouts, Silent, Tables, TemporaryFailure, Trace,
};
use std::cell::Cell;

/// The text of a refusal that brings none of its own.
pub const DENIED: &str = "500 5.7.1 access denied";

/// A connection, as PORT_ACCESS is asked about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortProbe {
    /// Our end.
    pub local: SocketAddr,
    /// The client's end.
    pub peer: SocketAddr,
}

impl PortProbe {
    /// `TCP|server-address|server-port|client-address|client-port`; mapped IPv4 is folded.
    #[must_use]
    pub fn text(&self) -> String {
        let (local, peer) = (
            self.local.ip().to_canonical(),
            self.peer.ip().to_canonical(),
        );
        format!(
            "TCP|{local}|{}|{peer}|{}",
            self.local.port(),
            self.peer.port()
        )
    }
}

/// What PORT_ACCESS says of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortDecision {
    /// Let it in.
    Accept {
        /// Text left after flags: the SASL rule set for this connection, e.g. `EXTERNAL`.
        rule_set: String,
        /// `$D`: banner purge delay in hundredths of a second.
        purge_delay: Option<u32>,
        /// `$V`: the private verbs are allowed.
        private_verbs: bool,
        /// `$U`: debug level for this connection.
        debug: Option<u32>,
        /// Whether an entry matched; DNS lists are asked only if none did.
        matched: bool,
        /// What is to be told to the operator and to the log.
        notes: Notes,
    },
    /// Send the text and close.
    Refuse {
        /// What the client is told; `~` separates reply lines.
        text: String,
        /// What is to be told to the operator and to the log.
        notes: Notes,
    },
}

/// What PORT_ACCESS wants told about a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// `$<`, and `$>` if refused: text for syslog.
    pub syslog: Vec<String>,
    /// `$T` together with a refusal: text of a "T" connection record, if bit 1 of
    /// `log_connection` is set.
    pub refusal_record: Option<String>,
    /// What stands behind `||` at the end: site text of "C" connection records, if bit 4 of
    /// `log_connection` is set.
    pub close_record: Option<String>,
}

/// Asks PORT_ACCESS for the Dispatcher (input flag `A`), which waits for nobody: nothing if an
/// entry calls out to a database, the directory, a sequence file or chance. The server process
/// asks then.
#[must_use]
pub fn port_access_at_once(config: &Config, probe: &PortProbe) -> Option<PortDecision> {
    at_once(&config.mappings, probe)
}

fn at_once(tables: &Tables, probe: &PortProbe) -> Option<PortDecision> {
    let later = Later(Cell::new(false));
    let decision = ask_tables(tables, probe, true, &later, &mut Silent);
    (!later.0.get()).then_some(decision)
}

/// Answers nothing, and remembers that it was asked.
struct Later(Cell<bool>);

impl Later {
    fn not_now(&self) -> Result<Option<String>, TemporaryFailure> {
        self.0.set(true);
        Err(TemporaryFailure)
    }
}

impl Callouts for Later {
    fn database(&self, _: &str) -> Result<Option<String>, TemporaryFailure> {
        self.not_now()
    }

    fn domain_attribute(&self, _: &str, _: &str) -> Result<Option<String>, TemporaryFailure> {
        self.not_now()
    }

    fn url(&self, _: &str) -> Result<Option<String>, TemporaryFailure> {
        self.not_now()
    }

    fn routine(&self, _: &str, _: &str, _: &str) -> Result<Option<String>, TemporaryFailure> {
        self.not_now()
    }

    fn sequence(&self, _: &str) -> Option<u64> {
        self.0.set(true);
        None
    }

    fn chance(&self, _: f64) -> bool {
        self.0.set(true);
        false
    }
}

/// Asks PORT_ACCESS; `by_dispatcher` sets the input flag `A`.
pub fn ask_port(
    config: &Config,
    probe: &PortProbe,
    by_dispatcher: bool,
    callouts: &dyn Callouts,
    trace: &mut dyn Trace,
) -> PortDecision {
    ask_tables(&config.mappings, probe, by_dispatcher, callouts, trace)
}

fn ask_tables(
    tables: &Tables,
    probe: &PortProbe,
    by_dispatcher: bool,
    callouts: &dyn Callouts,
    trace: &mut dyn Trace,
) -> PortDecision {
    let text = probe.text();
    let input = Input {
        flags: Flags::of(if by_dispatcher { "A" } else { "" }),
        ..Input::of(&text)
    };
    let mapped = tables.map("PORT_ACCESS", &input, callouts, trace);
    if is_incomplete(&mapped) {
        return PortDecision::Refuse {
            text: DENIED.to_owned(),
            notes: Notes::default(),
        };
    }
    if mapped.matched {
        return decision(mapped);
    }
    PortDecision::Accept {
        rule_set: String::new(),
        purge_delay: None,
        private_verbs: false,
        debug: None,
        matched: false,
        notes: Notes::default(),
    }
}

/// What the output and the flags of an entry that matched mean.
fn decision(mut mapped: Mapped) -> PortDecision {
    // Behind `||` stands a site text for connection records, which is no argument.
    let close_record = mapped.output.find("||").map(|at| {
        let text = mapped.output.split_off(at);
        text[2..].to_owned()
    });
    let order: Vec<Taker> = ['U', '<', '>', 'D']
        .map(one)
        .into_iter()
        .chain([refusing(mapped.flags), one('T')])
        .collect();
    let dealt = Dealt::deal(&mapped, &order);
    let owned = |flag| dealt.get(flag).map(str::to_owned);
    let refuses = any(mapped.flags, "NF");
    let mut notes = Notes {
        syslog: owned('<').into_iter().collect(),
        refusal_record: None,
        close_record,
    };
    if refuses {
        notes.syslog.extend(owned('>'));
        notes.refusal_record = owned('T');
        let told = dealt.get(refusing(mapped.flags).flag).unwrap_or_default();
        let text = if told.trim().is_empty() { DENIED } else { told };
        return PortDecision::Refuse {
            text: text.to_owned(),
            notes,
        };
    }
    PortDecision::Accept {
        rule_set: dealt.rest().to_owned(),
        purge_delay: dealt
            .number('D')
            .and_then(|delay| u32::try_from(delay).ok()),
        private_verbs: mapped.flags.contains('V'),
        debug: dealt
            .number('U')
            .and_then(|level| u32::try_from(level).ok()),
        matched: true,
        notes,
    }
}

/// Asks INTERNAL_IP about an address; mapped IPv4 is folded. Without the table nobody is internal.
#[must_use]
pub fn is_internal(config: &Config, address: IpAddr) -> bool {
    internal(&config.mappings, address)
}

fn internal(tables: &Tables, address: IpAddr) -> bool {
    let text = address.to_canonical().to_string();
    let mapped = tables.map("INTERNAL_IP", &Input::of(&text), &NoCallouts, &mut Silent);
    mapped.flags.contains('Y')
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_mapping::Entry;

    fn tables(port_access: &[(&str, &str)]) -> Tables {
        let mut tables = Tables::default();
        let entries: Vec<Entry<'_>> = port_access.iter().map(|(p, t)| Entry::new(p, t)).collect();
        tables.insert("PORT_ACCESS", &entries).unwrap();
        let internal = [
            Entry::new("$(192.0.2.0/24)", "$Y"),
            Entry::new("127.0.0.1", "$Y"),
            Entry::new("${::1/128}", "$Y"),
            Entry::new("*", "$N"),
        ];
        tables.insert("INTERNAL_IP", &internal).unwrap();
        tables
    }

    fn ask(tables: &Tables, peer: &str, by_dispatcher: bool) -> PortDecision {
        let probe = PortProbe {
            local: "[::ffff:198.51.100.1]:25".parse().unwrap(),
            peer: peer.parse().unwrap(),
        };
        ask_tables(tables, &probe, by_dispatcher, &NoCallouts, &mut Silent)
    }

    fn refused(template: &str) -> (String, Notes) {
        match ask(&tables(&[("*", template)]), "192.0.2.9:4711", true) {
            PortDecision::Refuse { text, notes } => (text, notes),
            other => panic!("{template}: {other:?}"),
        }
    }

    #[test]
    fn probe_has_five_fields_and_folds_mapped_addresses() {
        let probe = PortProbe {
            local: "[::ffff:192.0.2.1]:25".parse().unwrap(),
            peer: "198.51.100.7:40123".parse().unwrap(),
        };
        assert_eq!(probe.text(), "TCP|192.0.2.1|25|198.51.100.7|40123");
        let probe = PortProbe {
            local: "[::1]:587".parse().unwrap(),
            peer: "[2001:db8::1]:9".parse().unwrap(),
        };
        assert_eq!(probe.text(), "TCP|::1|587|2001:db8::1|9");
    }

    #[test]
    fn the_dispatcher_leaves_call_outs_to_the_server() {
        let probe = PortProbe {
            local: "192.0.2.1:25".parse().unwrap(),
            peer: "198.51.100.7:40123".parse().unwrap(),
        };
        let refused = |template: &str| {
            let tables = tables(&[(template, "$N500$ no"), ("*", "$Y")]);
            let decision = at_once(&tables, &probe);
            decision.map(|decision| matches!(decision, PortDecision::Refuse { .. }))
        };
        assert_eq!(refused("TCP|*|25|*|*"), Some(true));
        assert_eq!(refused("TCP|*|26|*|*"), Some(false));
        for call in [
            "${$2}",
            "$]ldap:///?x[",
            "$}a,b{",
            "$#/f#",
            "$?50?",
            "$[i,r,a]",
        ] {
            let called = format!("$C{call}$Y$E");
            let tables = tables(&[("*|*|*|*|*", &called), ("*", "$N500$ no")]);
            assert_eq!(at_once(&tables, &probe), None, "{call}");
        }
    }

    #[test]
    fn standard_table_names_the_rule_set() {
        let tables = tables(&[
            ("*|*|*|*|*", "$C$|INTERNAL_IP;$3|$Y$E"),
            ("*", "$YEXTERNAL"),
        ]);
        for (peer, expected) in [
            ("192.0.2.9:1", ""),
            ("[::ffff:192.0.2.9]:1", ""),
            ("[::1]:1", ""),
            ("198.51.100.7:1", "EXTERNAL"),
            ("[2001:db8::1]:1", "EXTERNAL"),
        ] {
            let PortDecision::Accept {
                rule_set, matched, ..
            } = ask(&tables, peer, true)
            else {
                panic!("{peer}")
            };
            assert_eq!((rule_set.as_str(), matched), (expected, true), "{peer}");
        }
    }

    #[test]
    fn refusals_send_their_text() {
        for (template, expected) in [
            ("$N400$ can't$ connect$ now", "400 can't connect now"),
            ("$F554$ a~554$ b", "554 a~554 b"),
            ("$N", DENIED),
            ("$N||site", DENIED),
            ("$N$D30|500$ no", "500 no"),
        ] {
            assert_eq!(refused(template).0, expected, "{template}");
        }
        let (text, notes) = refused("$U$<$>$N$T5|seen|refused|500$ no|record||site");
        assert_eq!(text, "500 no");
        assert_eq!(notes.syslog, ["seen", "refused"]);
        assert_eq!(notes.refusal_record.as_deref(), Some("record"));
        assert_eq!(notes.close_record.as_deref(), Some("site"));
    }

    #[test]
    fn accepting_flags_take_their_arguments() {
        let table = tables(&[("*", "5|seen|later|250$U$<$>$D$V$Y||site")]);
        let PortDecision::Accept {
            rule_set,
            purge_delay,
            private_verbs,
            debug,
            notes,
            ..
        } = ask(&table, "192.0.2.9:1", false)
        else {
            panic!("refused")
        };
        assert_eq!(
            (rule_set.as_str(), purge_delay, private_verbs, debug),
            ("", Some(250), true, Some(5))
        );
        assert_eq!(notes.syslog, ["seen"]);
        assert_eq!(notes.close_record.as_deref(), Some("site"));
    }

    #[test]
    fn an_answer_that_was_cut_is_no_permission() {
        let repeated = "$0".repeat(100) + "$Y";
        assert_eq!(refused(&repeated).0, DENIED);
    }

    #[test]
    fn nothing_matches_or_the_dispatcher_asks() {
        let table = tables(&[("*|*|*|192.0.2.*|*", "$C$:A$N500$ dispatcher$E")]);
        let asked = |peer, by| ask(&table, peer, by);
        assert!(matches!(
            asked("192.0.2.9:1", true),
            PortDecision::Refuse { .. }
        ));
        for (peer, matched_expected) in [("192.0.2.9:1", true), ("198.51.100.1:1", false)] {
            assert!(matches!(
                asked(peer, false),
                PortDecision::Accept { matched, .. } if matched == matched_expected
            ));
        }
    }

    #[test]
    fn internal_addresses_are_the_tables_business() {
        let tables = tables(&[]);
        for (address, expected) in [
            ("192.0.2.255", true),
            ("::ffff:192.0.2.1", true),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("::1", true),
            ("2001:db8::1", false),
        ] {
            assert_eq!(internal(&tables, address.parse().unwrap()), expected);
        }
        assert!(!internal(&Tables::default(), [127, 0, 0, 1].into()));
    }
}
