use super::*;

/// Records in memory, as they would lie beside a core.
#[derive(Debug, Default)]
struct Kept(BTreeMap<Vec<u8>, Vec<u8>>);

impl Records for Kept {
    fn read(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, Unreadable> {
        let record = self.0.get(key);
        record.into_iter().for_each(|record| visit(record));
        Ok(record.is_some())
    }
}

/// The rules as a process has them that has read the compiled configuration; those that are `few`
/// or more lie beside its core.
pub(crate) fn through_records(rules: &Rules, few: usize) -> Rules {
    let mut kept = Kept::default();
    let core = rules.divide_from(few, &mut |key, record| {
        assert_eq!(kept.0.insert(key, record), None);
    });
    let octets = encode(&core);
    let (core, used): (RulesCore, usize) =
        bincode::serde::decode_from_slice(&octets, bincode::config::standard()).unwrap();
    assert_eq!(used, octets.len());
    let records: Arc<dyn Records> = Arc::new(kept);
    core.attach(&records)
}

#[test]
fn rules_in_the_core_and_beside_it_answer_alike() {
    let source: Vec<SourceRule> = (0..200)
        .map(|n| {
            SourceRule::new(
                &format!("Host{}.example.org", n % 120),
                &format!("$U%x{n}@l"),
            )
        })
        .chain((0..20).map(|_| SourceRule::new("many.example.org", "$U%y@l")))
        .chain([SourceRule::new(
            &format!("{}.org", "a".repeat(450)),
            "$U%z@l",
        )])
        .collect();
    let rules = Rules::compile(&source).unwrap();
    let forms = [
        through_records(&rules, usize::MAX),
        through_records(&rules, 0),
    ];
    assert_eq!(forms[0].in_memory().len(), source.len());
    assert_eq!(
        forms[1].in_memory().len(),
        21,
        "too long, or too many with one pattern"
    );
    for form in &forms {
        assert_eq!(form.len(), source.len());
        for rule in &source {
            let folded = rule.pattern.to_ascii_lowercase();
            let expected = rules.with_pattern(&folded).unwrap();
            assert!(!expected.is_empty(), "{folded}");
            for _ in 0..2 {
                let found = form.with_pattern(&folded).unwrap();
                assert_eq!(*found, *expected, "{folded}");
            }
        }
        assert!(form.with_pattern("host120.example.org").unwrap().is_empty());
    }
}
