//! Routes as tables over a small world.

use super::*;
use crate::resolver::Table;

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn world() -> Table {
    let mut table = Table::default();
    for (host, last) in [
        ("a.mx", 1),
        ("b.mx", 2),
        ("c.mx", 3),
        ("us.example", 9),
        ("last.example", 8),
    ] {
        table.add_address(host, address(last));
    }
    table.add_mx("two.example", 20, "b.mx");
    table.add_mx("two.example", 10, "a.mx");
    table.add_mx("tie.example", 10, "a.mx");
    table.add_mx("tie.example", 10, "b.mx");
    table.add_mx("tie.example", 10, "c.mx");
    table.add_mx("null.example", 0, ".");
    table.add_mx("backup.example", 10, "a.mx");
    table.add_mx("backup.example", 20, "us.example");
    table.add_mx("backup.example", 20, "b.mx");
    table.add_mx("backup.example", 30, "c.mx");
    table.add_mx("best.example", 10, "US.example.");
    table.add_mx("best.example", 20, "b.mx");
    table.add_mx("dead.example", 10, "nowhere.mx");
    table.add_mx("half.example", 10, "silent.mx");
    table.add_mx("half.example", 20, "b.mx");
    table.add_mx("unsure.example", 10, "silent.mx");
    table.add_mx("unsure.example", 20, "nowhere.mx");
    table.add_address("host.example", address(4));
    table.add_name("empty.example");
    table.add_trouble("silent.mx", "timed out");
    table.add_trouble("broken.example", "SERVFAIL");
    table
}

fn options() -> Options {
    Options {
        ourselves: vec!["us.example".into()],
        shuffle: false,
        ..Options::default()
    }
}

fn hosts(domain: &str, options: &Options) -> Result<Vec<String>, String> {
    let route = route(domain, options, &world(), &mut || 0);
    match route {
        Ok(route) => Ok(route.into_iter().map(|exchange| exchange.host).collect()),
        Err(error) => Err(error.status().to_string()),
    }
}

#[test]
fn every_kind_of_domain_has_its_route() {
    let table: [(&str, Result<&[&str], &str>); 16] = [
        ("two.example", Ok(&["a.mx", "b.mx"])),
        ("TWO.example.", Ok(&["a.mx", "b.mx"])),
        ("tie.example", Ok(&["a.mx", "b.mx", "c.mx"])),
        ("host.example", Ok(&["host.example"])),
        ("[192.0.2.7]", Ok(&["[192.0.2.7]"])),
        ("[IPv6:2001:db8::1]", Ok(&["[IPv6:2001:db8::1]"])),
        ("backup.example", Ok(&["a.mx"])),
        ("half.example", Ok(&["b.mx"])),
        ("null.example", Err("5.1.10")),
        ("best.example", Err("5.4.6")),
        ("dead.example", Err("5.4.4")),
        ("unsure.example", Err("4.4.3")),
        ("empty.example", Err("5.1.2")),
        ("missing.example", Err("5.1.2")),
        ("broken.example", Err("4.4.3")),
        ("no_[name", Err("5.1.2")),
    ];
    for (domain, expected) in table {
        let expected = expected
            .map(|hosts| hosts.iter().map(|host| (*host).to_owned()).collect())
            .map_err(str::to_owned);
        assert_eq!(hosts(domain, &options()), expected, "{domain}");
    }
}

#[test]
fn nomx_asks_for_addresses_alone() {
    let options = Options {
        mx: false,
        ..options()
    };
    assert_eq!(
        hosts("host.example", &options),
        Ok(vec!["host.example".into()])
    );
    assert_eq!(hosts("two.example", &options), Err("5.1.2".into()));
}

#[test]
fn the_last_resort_stands_behind_all_others() {
    let options = Options {
        last_resort: Some("last.example".into()),
        ..options()
    };
    let last = || "last.example".to_owned();
    assert_eq!(
        hosts("host.example", &options),
        Ok(vec!["host.example".into(), last()])
    );
    assert_eq!(hosts("dead.example", &options), Ok(vec![last()]));
    assert_eq!(hosts("missing.example", &options), Err("5.1.2".into()));
    assert_eq!(hosts("broken.example", &options), Err("4.4.3".into()));
}

#[test]
fn ties_are_shuffled_within_their_preference() {
    let options = Options {
        shuffle: true,
        ..options()
    };
    let mut numbers = 0..;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let mut random = || numbers.next().unwrap_or(0);
        let route = route("tie.example", &options, &world(), &mut random).unwrap();
        seen.insert(
            route
                .into_iter()
                .map(|exchange| exchange.host)
                .collect::<Vec<_>>(),
        );
    }
    assert!(seen.len() > 2, "{seen:?}");
    assert_eq!(
        hosts("two.example", &options),
        Ok(vec!["a.mx".into(), "b.mx".into()])
    );
}

#[test]
fn limits_cut_records_and_addresses() {
    let mut table = Table::default();
    for number in 0..50 {
        table.add_mx("big.example", number, &format!("h{number}.mx"));
        for last in 0..40 {
            table.add_address(&format!("h{number}.mx"), address(last));
        }
    }
    let route = route("big.example", &options(), &table, &mut || 0).unwrap();
    assert_eq!(route.len(), 32);
    assert!(route.iter().all(|exchange| exchange.addresses.len() == 32));
}
