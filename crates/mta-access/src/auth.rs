//! AUTH_ACCESS: may this client try to prove who it is?

use std::net::IpAddr;

use crate::arguments::{any, is_incomplete};
use mta_mapping::{Callouts, Flags, Input, Tables, Trace};

/// An AUTH command, before any exchange.
#[derive(Debug, Clone, Copy)]
pub struct AuthProbe<'a> {
    /// The mechanism, in upper case.
    pub mechanism: &'a str,
    /// The client.
    pub client: IpAddr,
    /// The name that an initial response carries, or empty.
    pub user: &'a str,
    /// TLS is on.
    pub tls: bool,
}

impl AuthProbe<'_> {
    /// `mechanism|client-ip|user`; mapped IPv4 is folded.
    #[must_use]
    pub fn text(&self) -> String {
        let client = self.client.to_canonical();
        format!("{}|{client}|{}", self.mechanism, self.user)
    }
}

/// Asks AUTH_ACCESS. A refusal is its text, empty where it has none of its own; the exchange
/// takes place without the table, and when nothing matches. A probe that is too long for a
/// mapping is refused.
pub fn auth_access(
    mappings: &Tables,
    probe: &AuthProbe<'_>,
    callouts: &dyn Callouts,
    trace: &mut dyn Trace,
) -> Result<(), String> {
    const TABLE: &str = "AUTH_ACCESS";
    if mappings.get(TABLE).is_none() {
        return Ok(());
    }
    let text = probe.text();
    let input = Input {
        flags: Flags::of(if probe.tls { "T" } else { "" }),
        ..Input::of(&text)
    };
    let mapped = mappings.map(TABLE, &input, callouts, trace);
    if is_incomplete(&mapped) {
        Err(String::new())
    } else if any(mapped.flags, "NF") {
        Err(mapped.output)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_mapping::{Entry, NoCallouts, Silent};

    #[test]
    fn flags_decide() {
        let mut tables = Tables::default();
        let entries = [
            Entry::new("PLAIN|*|*", "$C$;Tonly$ under$ TLS$N$E"),
            Entry::new("*|198.51.100.*|*", "$N"),
            Entry::new("*|*|root", "$Fnot$ you"),
        ];
        tables.insert("AUTH_ACCESS", &entries).unwrap();
        let ask = |mechanism, client: &str, user, tls| {
            let probe = AuthProbe {
                mechanism,
                client: client.parse().unwrap(),
                user,
                tls,
            };
            auth_access(&tables, &probe, &NoCallouts, &mut Silent)
        };
        let refused = |text: &str| Err(text.to_owned());
        assert_eq!(ask("PLAIN", "192.0.2.1", "ada", true), Ok(()));
        assert_eq!(
            ask("PLAIN", "192.0.2.1", "ada", false),
            refused("only under TLS")
        );
        assert_eq!(ask("LOGIN", "::ffff:198.51.100.7", "", true), refused(""));
        assert_eq!(ask("LOGIN", "192.0.2.1", "root", true), refused("not you"));
        let long = "x".repeat(1100);
        assert_eq!(ask("LOGIN", "192.0.2.1", &long, true), refused(""));
        let none = Tables::default();
        let probe = AuthProbe {
            mechanism: "PLAIN",
            client: [192, 0, 2, 1].into(),
            user: "",
            tls: false,
        };
        assert_eq!(auth_access(&none, &probe, &NoCallouts, &mut Silent), Ok(()));
    }
}
