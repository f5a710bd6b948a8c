use crate::records::{Records, Unreadable};
use crate::table::{Table, compile};
use crate::template::AddressLetters;
use crate::{Entry, Input, NoCallouts, Silent, Tables, TablesCore};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Records in memory, as they would lie beside a core.
#[derive(Debug, Default)]
pub(crate) struct Kept(BTreeMap<Vec<u8>, Vec<u8>>);

impl Records for Kept {
    fn read(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, Unreadable> {
        let record = self.0.get(key);
        record.into_iter().for_each(|record| visit(record));
        Ok(record.is_some())
    }
}

/// The tables as a process has them that has read them from a compiled configuration.
pub(crate) fn through_records(tables: &Tables) -> Tables {
    let mut kept = Kept::default();
    let core = tables.divide(&mut |key, record| {
        assert_eq!(kept.0.insert(key, record), None);
    });
    let octets = crate::records::encode(&core);
    let (core, used): (TablesCore, usize) =
        bincode::serde::decode_from_slice(&octets, bincode::config::standard()).unwrap();
    assert_eq!(used, octets.len());
    let records: Arc<dyn Records> = Arc::new(kept);
    core.attach(&records)
}

/// A table of these patterns that files its entries from `few` on.
fn table(patterns: &[String], few: usize) -> Table {
    let entries = patterns.iter().enumerate().map(|(number, pattern)| {
        let entry = Entry::new(pattern, "$Y");
        compile(
            number,
            &entry,
            AddressLetters::of_table("T"),
            &mut Vec::new(),
        )
        .unwrap()
    });
    Table::new("T", entries.collect(), few)
}

/// Places of all entries that match, in the order in which they are found.
fn found(table: &Table, text: &str) -> Vec<usize> {
    let mut places = Vec::new();
    let mut next = 0;
    loop {
        let mut matcher = crate::matching::Matcher::new(text);
        let first = table.first(text, next, |entry| matcher.matches(&entry.pattern));
        let Some((place, _)) = first.unwrap() else {
            return places;
        };
        places.push(place);
        next = place + 1;
    }
}

/// Pieces of patterns that share much with each other and with the texts.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "*",
        "%",
        "$_*",
        "$D*",
        "$A%",
        "$[a-c.]*",
        "a",
        "B",
        "|",
        ".",
        "@",
        "@d1.example",
        "d12",
        "example.ORG",
        "TCP|",
        "|25|",
        "10.1.2.3",
        "10.1.2.",
        "::1",
        "ä",
        "1",
        "$(10.1.0.0/16)",
        "$(10.1.2.3)",
        "$<10.1.2.0/3>",
        "${2001:db8::/32}",
        "${::/0}",
        "$(0.0.0.0/0)",
    ];
    proptest::sample::select(pieces.map(str::to_owned).to_vec())
}

fn text_piece() -> impl Strategy<Value = String> {
    let pieces = [
        "a",
        "b",
        "|",
        ".",
        "@",
        "@D1.example",
        "d12",
        "Example.org",
        "tcp|",
        "|25|",
        "10.1.2.3",
        "10.1.77.5",
        "::1",
        "::ffff:10.1.2.3",
        "2001:db8::7",
        "1",
        "ä",
        "E",
        "f00",
    ];
    proptest::sample::select(pieces.map(str::to_owned).to_vec())
}

fn some(piece: impl Strategy<Value = String>, most: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn entries_are_found_as_by_a_plain_scan(
        patterns in proptest::collection::vec(some(piece(), 6), 1..90),
        texts in proptest::collection::vec(some(text_piece(), 8), 1..12),
    ) {
        let plain = table(&patterns, usize::MAX);
        let filed = Tables::of(vec![table(&patterns, 0)]);
        let stored = through_records(&filed);
        for text in &texts {
            let expected = found(&plain, text);
            prop_assert_eq!(&found(filed.at(0), text), &expected, "{} in memory", text);
            prop_assert_eq!(&found(stored.at(0), text), &expected, "{} in records", text);
        }
    }
}

#[test]
fn the_shapes_of_the_seed_are_told_by_their_keys() {
    let domains: Vec<String> = (0..1_000)
        .map(|n| format!("*|*@d{n}.example|*|*"))
        .collect();
    let hosts: Vec<String> = (0..1_000)
        .map(|n| match n % 10 {
            0 => format!("TCP|*|25|$(10.{}.{}.0/24)|*", n % 7, n / 7),
            _ => format!("TCP|*|25|10.{}.{}.{}|*", n % 7, n % 13, n / 91),
        })
        .collect();
    for (patterns, text, place) in [
        (&domains, "tcp_local|ada@d77.example|l|joe@host", 77),
        (&hosts, "TCP|192.0.2.1|25|10.0.10.9|4711", 70),
        (&hosts, "TCP|192.0.2.1|25|10.5.12.10|4711", 922),
    ] {
        let table = table(patterns, 0);
        assert!(table.common_entries() == 0, "{text}");
        assert!(table.tried(text) <= 3, "{} tried", table.tried(text));
        assert_eq!(found(&table, text).first(), Some(&place), "{text}");
    }
}

#[test]
fn what_all_entries_share_is_no_key() {
    let patterns: Vec<String> = (0..100).map(|_| "*|*".to_owned()).collect();
    let filed = table(&patterns, 0);
    assert_eq!(filed.common_entries(), 100);
    assert_eq!(found(&filed, "a|b").len(), 100);
}

#[test]
fn a_record_that_cannot_be_read_is_no_answer() {
    #[derive(Debug)]
    struct Broken;
    impl Records for Broken {
        fn read(&self, _: &[u8], _: &mut dyn FnMut(&[u8])) -> Result<bool, Unreadable> {
            Err(Unreadable("gone".to_owned()))
        }
    }
    let entries: Vec<String> = (0..100).map(|n| format!("d{n}.example")).collect();
    let entries: Vec<Entry<'_>> = entries.iter().map(|e| Entry::new(e, "$Yx")).collect();
    let mut tables = Tables::default();
    tables.insert("T", &entries).unwrap();
    tables
        .insert("OUTER", &[Entry::new("*", "$|T;$0|$Y")])
        .unwrap();
    let records: Arc<dyn Records> = Arc::new(Broken);
    let broken = tables.divide(&mut |_, _| ()).attach(&records);
    for (table, text, unreadable) in [
        ("T", "d7.example", true),
        ("T", "nothing like it", false),
        ("OUTER", "d7.example", true),
    ] {
        let mapped = broken.map(table, &Input::of(text), &NoCallouts, &mut Silent);
        assert_eq!(mapped.unreadable, unreadable, "{table} {text}");
        assert!(!unreadable || mapped.output == text, "{mapped:?}");
    }
}
