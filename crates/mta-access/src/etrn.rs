//! ETRN_ACCESS: may this client have a queue processed, and which?

use std::net::IpAddr;

use crate::arguments::{any, is_incomplete};
use mta_mapping::{Callouts, Input, Silent, Tables};

/// What ETRN_ACCESS says of an ETRN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EtrnDecision {
    /// It is honoured, with this argument.
    Honour(String),
    /// It is refused; the text is empty where the table has none of its own.
    Refuse(String),
}

/// Asks ETRN_ACCESS with `client-ip|argument`; mapped IPv4 is folded. Without the table, and when
/// nothing matches, the argument is honoured as it was given.
#[must_use]
pub fn etrn_access(
    mappings: &Tables,
    client: IpAddr,
    argument: &str,
    callouts: &dyn Callouts,
) -> EtrnDecision {
    const TABLE: &str = "ETRN_ACCESS";
    if mappings.get(TABLE).is_none() {
        return EtrnDecision::Honour(argument.to_owned());
    }
    let text = format!("{}|{argument}", client.to_canonical());
    let mapped = mappings.map(TABLE, &Input::of(&text), callouts, &mut Silent);
    if is_incomplete(&mapped) {
        return EtrnDecision::Refuse(String::new());
    }
    if any(mapped.flags, "NF") {
        return EtrnDecision::Refuse(mapped.output.trim().to_owned());
    }
    let instead = mapped.output.trim();
    if mapped.matched && mapped.flags.contains('Y') && !instead.is_empty() {
        return EtrnDecision::Honour(instead.to_owned());
    }
    EtrnDecision::Honour(argument.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_mapping::{Entry, NoCallouts};

    #[test]
    fn flags_decide() {
        let mut tables = Tables::default();
        let entries = [
            Entry::new("192.0.2.1|*", "$Y"),
            Entry::new("192.0.2.2|*", "$Y#tcp_local"),
            Entry::new("192.0.2.3|*", "$NNot$ for$ you"),
            Entry::new("192.0.2.4|#*", "$F"),
            Entry::new("192.0.2.5|*", "ignored"),
        ];
        tables.insert("ETRN_ACCESS", &entries).unwrap();
        let ask = |client: &str, argument: &str| {
            let client = client.parse().unwrap();
            etrn_access(&tables, client, argument, &NoCallouts)
        };
        let honour = |argument: &str| EtrnDecision::Honour(argument.to_owned());
        let refuse = |text: &str| EtrnDecision::Refuse(text.to_owned());
        for (client, argument, expected) in [
            ("192.0.2.1", "a.example", honour("a.example")),
            ("::ffff:192.0.2.2", "a.example", honour("#tcp_local")),
            ("192.0.2.3", "a.example", refuse("Not for you")),
            ("192.0.2.4", "#tcp_local", refuse("")),
            ("192.0.2.4", "a.example", honour("a.example")),
            ("192.0.2.5", "a.example", honour("a.example")),
            ("192.0.2.9", "@a.example", honour("@a.example")),
            ("192.0.2.1", &"x".repeat(1100), refuse("")),
        ] {
            assert_eq!(ask(client, argument), expected, "{client} {argument}");
        }
        let none = Tables::default();
        let answer = etrn_access(&none, [192, 0, 2, 3].into(), "x", &NoCallouts);
        assert_eq!(answer, honour("x"));
    }
}
