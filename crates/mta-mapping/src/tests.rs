//! Tables of questions and answers: the worked examples of the reference, and as many by hand.

use proptest::prelude::*;
use std::cell::Cell;

use super::*;
use crate::index::tests::through_records;
use crate::records::encode;

/// Entries of tables, as a process has them that has read the compiled configuration.
fn tables(text: &[(&str, &[(&str, &str)])]) -> Tables {
    let mut tables = Tables::default();
    for (name, entries) in text {
        let entries: Vec<Entry<'_>> = entries.iter().map(|(p, t)| Entry::new(p, t)).collect();
        tables
            .insert(name, &entries)
            .unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
    }
    through_records(&tables)
}

fn ask(tables: &Tables, name: &str, text: &str) -> (String, String) {
    let mapped = tables.map(name, &Input::of(text), &NoCallouts, &mut Silent);
    (mapped.output, mapped.flags.to_string())
}

/// One entry, asked once.
fn once(pattern: &str, template: &str, text: &str) -> (String, String) {
    ask(&tables(&[("T", &[(pattern, template)])]), "T", text)
}

fn pair(output: &str, flags: &str) -> (String, String) {
    (output.to_owned(), flags.to_owned())
}

fn documented() -> Tables {
    tables(&[
        ("T1", &[("a*z", "$0$C"), ("*", "<$0>$Y")]),
        ("T2", &[("*x*", "$0y$1$R")]),
        ("T3", &[("*/*", "$1-$0$E")]),
        ("T4", &[("%%%*", "$1$0$2|$3$Y")]),
        ("T5", &[("ab*", "$C$|NOSUCH;$0|$E"), ("*", "second:$0$Y")]),
        ("T6", &[("ab*", "$|NOSUCH;$0|$Y"), ("*", "second:$0$Y")]),
        ("T7", &[("$_*.*", "$1")]),
        ("T8", &[("*|$0*", "same$Y"), ("*", "differ")]),
        ("T9", &[("$(192.0.2.0/24)|*", "in$ $1$Y")]),
        ("GROW", &[("*", "a$0$R")]),
    ])
}

#[test]
fn worked_examples() {
    let tables = documented();
    for (name, input, output, flags) in [
        ("T1", "abcz", "<bc>", "Y"),
        ("T2", "axbxc", "aybyc", ""),
        ("T3", "a/b/c", "c-a/b", ""),
        ("T4", "wxyz", "xwy|z", "Y"),
        ("T5", "abq", "second:abq", "Y"),
        ("T6", "abq", "abq", ""),
        ("T7", "a.b.c", "b.c", ""),
        ("T8", "Foo|fOO", "same", "Y"),
        ("T8", "Foo|bar", "differ", ""),
        ("T9", "192.0.2.7|x", "in x", "Y"),
        ("T2", "xx", "yy", ""),
        ("GROW", "-", "aaaaaaaaaaa-", ""),
    ] {
        assert_eq!(
            ask(&tables, name, input),
            pair(output, flags),
            "{name} {input}"
        );
    }
}

#[test]
fn patterns_save_their_fields() {
    let table: [(&str, &str, Option<&[&str]>); 44] = [
        ("*/*", "a/b/c", Some(&["a/b", "c"])),
        ("$_*/*", "a/b/c", Some(&["a", "b/c"])),
        ("PSI$%*::*", "PSI%1234::USER", Some(&["1234", "USER"])),
        ("PSI$%*::*", "PSIABC::DEF", None),
        ("$(192.0.2.0/24)", "192.0.2.77", Some(&["192.0.2.77"])),
        ("$<192.0.2.4/2>", "192.0.2.7", Some(&["192.0.2.7"])),
        ("$<192.0.2.4/2>", "192.0.2.8", None),
        ("${2001:db8::/32}", "2001:DB8::17", Some(&["2001:DB8::17"])),
        (
            "${2001:db8::/32}",
            "2001:0db8:0:0:0:0:0:1",
            Some(&["2001:0db8:0:0:0:0:0:1"]),
        ),
        (
            "$(192.0.2.0/24)",
            "::ffff:192.0.2.9",
            Some(&["::ffff:192.0.2.9"]),
        ),
        ("$(192.0.2.7)*", "192.0.2.77", None),
        ("$@$(192.0.2.0/24)|*", "192.0.2.7|x", Some(&["x"])),
        ("", "", Some(&[])),
        ("", "a", None),
        ("abc", "ABC", Some(&[])),
        ("ABC", "abc", Some(&[])),
        ("ABC", "abcd", None),
        ("*", "", Some(&[""])),
        ("%", "", None),
        ("%%", "ab", Some(&["a", "b"])),
        ("%", "é", Some(&["é"])),
        ("*é", "aéé", Some(&["aé"])),
        ("$D*", "0123", Some(&["0123"])),
        ("$D*", "", Some(&[""])),
        ("$d%", "7", Some(&["7"])),
        ("$D*", "12a", None),
        ("$A*$D*", "abc123", Some(&["abc", "123"])),
        ("$B*", "0102", None),
        ("$O%", "8", None),
        ("$H*|$X*", "fF0|09", Some(&["fF0", "09"])),
        ("$S*", "a_$9", Some(&["a_$9"])),
        ("$T%x", " x", Some(&[" "])),
        ("$[a-c\\]\\-]*", "aC]-b", Some(&["aC]-b"])),
        ("$[a-c]%", "d", None),
        ("$[-x]*", "x-x", Some(&["x-x"])),
        ("$[ß-ü]*", "éü", Some(&["éü"])),
        ("$_$D**", "123", Some(&["", "123"])),
        ("$@**", "ab", Some(&[""])),
        ("$@$^%$@%", "ab", Some(&["a"])),
        ("a$ b$$$*", "a b$*", Some(&[])),
        ("*.*.*", "a.b.c.d", Some(&["a.b", "c", "d"])),
        ("*@$_*.*", "u@a.b.c", Some(&["u", "a", "b.c"])),
        ("%*|$1*", "xab|AB", Some(&["x", "ab"])),
        ("*|*|$1*$0*", "a|b|ba", Some(&["a", "b"])),
    ];
    for (pattern, text, fields) in table {
        let compiled = Pattern::compile(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        let found = compiled.matches(text);
        assert_eq!(found.as_deref(), fields, "{pattern} on {text}");
    }
}

#[test]
fn doubtful_characters_stand_for_themselves() {
    let mut tables = Tables::default();
    let entries = [
        Entry::new("$q$D", "x"),
        Entry::new("$_x", "x$&y"),
        Entry::new("*", "$0A"),
    ];
    let warnings = tables.insert("T", &entries).unwrap();
    let found: Vec<(usize, &str)> = warnings
        .iter()
        .map(|warning| (warning.entry, warning.sequence.as_str()))
        .collect();
    assert_eq!(
        found,
        [(0, "$q"), (0, "$D"), (1, "$_"), (1, "$&"), (2, "$0A")]
    );
    assert_eq!(ask(&tables, "T", "QD"), pair("x", ""));
    assert_eq!(ask(&tables, "T", "_x"), pair("x&y", ""));
}

#[test]
fn faults_are_found_where_they_are() {
    let long_pattern = "a".repeat(MAX_PATTERN + 1);
    let long_template = "a".repeat(MAX_TEMPLATE + 1);
    let entries = [
        Entry::new("$0*", "x"),
        Entry::new("*$1*", "x"),
        Entry::new("$(1.2.3)", "x"),
        Entry::new("$[abc", "x"),
        Entry::new("*", "two words"),
        Entry::new("*", "two$ words"),
        Entry::new(&long_pattern, "x"),
        Entry::new("x", &long_template),
        Entry::new("${2001:db8::/129}", "x"),
    ];
    let errors = Tables::default().insert("T", &entries).unwrap_err();
    let found: Vec<(Option<usize>, String)> = errors
        .iter()
        .map(|error| (error.entry(), error.to_string()))
        .collect();
    let pattern = "invalid mapping pattern";
    let expected = [
        (0, pattern),
        (1, pattern),
        (2, pattern),
        (3, pattern),
        (4, "unquoted white space in template"),
        (6, "line too long"),
        (7, "line too long"),
        (8, pattern),
    ];
    let expected: Vec<(Option<usize>, String)> = expected
        .iter()
        .map(|(entry, text)| (Some(*entry), (*text).to_owned()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn names_are_checked_and_compared_without_case() {
    let mut tables = tables(&[("PORT_ACCESS", &[("*", "$Y")])]);
    assert!(tables.get("port_access").is_some());
    assert_eq!(
        tables.insert("Port_Access", &[]),
        Err(vec![MappingError::DuplicateName])
    );
    assert_eq!(
        tables.insert(&"A".repeat(33), &[]),
        Err(vec![MappingError::NameTooLong])
    );
    for name in ["", "1A", "A B", "*"] {
        assert_eq!(
            tables.insert(name, &[]),
            Err(vec![MappingError::InvalidName])
        );
    }
    assert_eq!(ask(&tables, "port_ACCESS", "x"), pair("", "Y"));
    assert_eq!(ask(&tables, "NONE", "x"), pair("x", ""));
}

#[test]
fn templates_substitute_and_change_case() {
    for (pattern, template, input, output, flags) in [
        ("*|*", "$1$0$2", "a|b", "ba", ""),
        ("*", "$12", "x", "2", ""),
        ("*", "a$ b$$$\tc", "x", "a b$\tc", ""),
        ("*", "$\\A$0$^b$0$_C$0", "xY", "axyBXYCxY", ""),
        ("*", "$=($0)$_($0)", "a*b", "(a\\2ab)(a*b)", ""),
        ("*", "$0E", "x", "xE", ""),
        ("*", "$0a", "x", "xa", ""),
        ("*", "$0$_A", "x", "xA", ""),
        ("*", "$n$y$N", "x", "", "NY"),
        ("*", "$!$,$<$>", "x", "", "!,<>"),
        ("*", "$+1Erest", "x", "", ""),
        ("*", "a$+1e$Yrest", "x", "a", ""),
        ("*", "$?100?$Y", "x", "x", ""),
        ("*", "$|T2", "x", "|T2", ""),
        ("*", "${a", "x", "{a", ""),
        ("*", "", "x", "", ""),
    ] {
        assert_eq!(
            once(pattern, template, input),
            pair(output, flags),
            "{template}"
        );
    }
}

#[test]
fn letters_a_and_x_depend_on_the_table() {
    let entries: &[(&str, &str)] = &[("*", "$A$X$1A$1X")];
    let tables = tables(&[("SITE", entries), ("SEND_ACCESS", entries)]);
    let input = Input {
        address: "joe@a.example",
        host: "a.example",
        ..Input::of("q")
    };
    let site = tables.map("SITE", &input, &NoCallouts, &mut Silent);
    assert_eq!(site.output, "joe@a.examplea.exampleoexample");
    assert!(site.flags.is_empty());
    let access = tables.map("SEND_ACCESS", &input, &NoCallouts, &mut Silent);
    assert_eq!(access.output, "oexample");
    assert_eq!(access.flags, Flags::of("AX"));
}

#[test]
fn input_flags_are_tested() {
    let tables = tables(&[("T", &[("from*", "$C$:Aallowed$Y$E"), ("*", "open$N")])]);
    let ask = |flags: &str| {
        let input = Input {
            flags: Flags::of(flags),
            ..Input::of("from x")
        };
        tables
            .map("T", &input, &NoCallouts, &mut Silent)
            .flags
            .to_string()
    };
    assert_eq!(ask("A"), "Y");
    assert_eq!(ask("a"), "Y");
    assert_eq!(ask("T"), "N");
    let plain = self::tables(&[("T", &[("*", "$C$;Tplain$E"), ("*", "tls")])]);
    let clear = |flags: &str| {
        let input = Input {
            flags: Flags::of(flags),
            ..Input::of("x")
        };
        plain.map("T", &input, &NoCallouts, &mut Silent).output
    };
    assert_eq!(clear(""), "plain");
    assert_eq!(clear("T"), "tls");
}

/// Answers everything once, in a way that shows what was asked.
#[derive(Default)]
struct World {
    number: Cell<u64>,
}

impl Callouts for World {
    fn database(&self, key: &str) -> Result<Option<String>, TemporaryFailure> {
        match key.to_ascii_lowercase().as_str() {
            "joe" => Ok(Some("<$0|$$|$ |$Y|$1>".to_owned())),
            "down" => Err(TemporaryFailure),
            _ => Ok(None),
        }
    }

    fn domain_attribute(
        &self,
        domain: &str,
        attribute: &str,
    ) -> Result<Option<String>, TemporaryFailure> {
        Ok(Some(format!("{attribute} of {domain}")))
    }

    fn url(&self, url: &str) -> Result<Option<String>, TemporaryFailure> {
        if url.contains("down") {
            Err(TemporaryFailure)
        } else {
            Ok(Some(format!("<{url}>")))
        }
    }

    fn routine(&self, a: &str, b: &str, c: &str) -> Result<Option<String>, TemporaryFailure> {
        Ok((a == "lib").then(|| format!("{a}:{b}:{c}")))
    }

    fn sequence(&self, file: &str) -> Option<u64> {
        self.number.set(self.number.get() + 1);
        (file == "/seq").then(|| self.number.get())
    }

    fn chance(&self, percent: f64) -> bool {
        percent > 50.0
    }
}

#[test]
fn call_outs_answer_or_fail_the_entry() {
    for (template, output, flags) in [
        ("${$0}$Y", "<JOE|$| |Y|>", "Y"),
        ("$N${none}$Y", "JOE", "N"),
        ("$N${down}$Y", "JOE", "N"),
        ("$.later.${down}", "later", ""),
        ("$.later.$..${down}x", "JOE", ""),
        ("$}$0,mailHost{", "mailHost of JOE", ""),
        ("$]ldap:///($0)?x[", "<ldap:///(JOE)?x>", ""),
        ("$]ldap:///down[", "JOE", ""),
        ("$]u=$=$0*$_$0[", "<u=JOE*JOE>", ""),
        ("$[lib,run,a,$0]", "lib:run:a,JOE", ""),
        ("$[bad,run,a]", "JOE", ""),
        ("$#/seq|16|4#", "0001", ""),
        ("$#/seq|10||3#$#/seq|10||3#$#/seq#", "123", ""),
        ("$#/none#", "JOE", ""),
        ("$?51?yes", "yes", ""),
        ("$?49.5?yes", "JOE", ""),
        ("$\\${JOE}x", "<joe|$| |y|>x", ""),
        ("$\\${$0}$}$0,A{", "<joe|$| |y|>a of joe", ""),
    ] {
        let tables = tables(&[("T", &[("*", template)])]);
        let mapped = tables.map("T", &Input::of("JOE"), &World::default(), &mut Silent);
        assert_eq!(
            (mapped.output, mapped.flags.to_string()),
            pair(output, flags),
            "{template}"
        );
    }
    // A modulus reduces the third number to nothing.
    let tables = tables(&[("T", &[("*", "$#/seq|10||1#")])]);
    let mapped = tables.map("T", &Input::of("x"), &World::default(), &mut Silent);
    assert_eq!(mapped.output, "0");
}

#[test]
fn tables_call_tables() {
    let tables = tables(&[
        ("A", &[("*", "$C$|B;$0|$Y$E"), ("*", "none")]),
        ("B", &[("x*", "[$0]$Y$N"), ("y*", "[$0]$N")]),
        ("LOOP", &[("*", "$C$|LOOP;a$0|$Y$E"), ("*", "bottom$Y")]),
        ("BAR", &[("*", "$|B;x$|y|")]),
        ("MANY", &[("*", "$C$|MANY;$0|$|MANY;$0|$|MANY;$0|$E")]),
    ]);
    assert_eq!(ask(&tables, "A", "xy"), pair("[y]", "Y"));
    assert_eq!(ask(&tables, "A", "yy"), pair("none", ""));
    assert_eq!(ask(&tables, "A", "zz"), pair("none", ""));
    assert_eq!(ask(&tables, "LOOP", "q"), pair("bottom", "Y"));
    // A bar in an argument is quoted.
    assert_eq!(ask(&tables, "BAR", "q"), pair("[|y]", ""));
    assert_eq!(ask(&tables, "MANY", "q"), pair("q", ""));
    let called: Vec<&str> = tables.called().collect();
    assert_eq!(called, ["B", "LOOP", "B", "MANY", "MANY", "MANY"]);
}

#[test]
fn control_characters_steer_the_order() {
    for (entries, input, output, flags) in [
        (&[("a*", "b$0$L"), ("b*", "c$0")][..], "ax", "cx", ""),
        (&[("b*", "c$0"), ("a*", "b$0$L")], "ax", "cx", ""),
        (
            &[("c*", "d$0$Y"), ("a*", "b$0$L"), ("b*", "c$0$C")],
            "ax",
            "cx",
            "",
        ),
        (
            &[("c*", "d$0$Y"), ("a*", "b$0$L"), ("b*", "c$0$L")],
            "ax",
            "dx",
            "Y",
        ),
        (&[("a*", "$0$N$C"), ("b*", "$0$Y")], "abx", "x", "NY"),
        (&[("a*", "$0$R$C"), ("*", "<$0>")], "aa", "<a>", ""),
        (&[("a*", "$0$C$R"), ("*", "<$0>")], "aa", "<>", ""),
        (&[("a*", "$0$E"), ("*", "<$0>")], "aa", "a", ""),
        (&[("*", "$R$|NONE;x|")], "q", "q", ""),
        (&[("x*", "$0$L")], "xxxx", "", ""),
        (&[("aa", "b$R"), ("b", "aa$R")], "aa", "b", ""),
    ] {
        let tables = tables(&[("T", entries)]);
        let (found, flags_found) = ask(&tables, "T", input);
        if entries.len() == 2 && entries[1].1 == "aa$R" {
            // Shortened and lengthened in turn: ended by the limit on all restarts.
            assert!(found == "aa" || found == "b");
            continue;
        }
        assert_eq!((found, flags_found), pair(output, flags), "{entries:?}");
    }
}

#[test]
fn lengths_are_limited() {
    let tables = tables(&[("T", &[("*", "$0$0$Y")])]);
    let input = "é".repeat(MAX_TEXT);
    let mapped = tables.map("T", &Input::of(&input), &NoCallouts, &mut Silent);
    assert_eq!(mapped.output.chars().count(), MAX_TEXT);
    assert!(mapped.output_cut && !mapped.input_too_long);
    let input = "é".repeat(MAX_TEXT + 1);
    let mapped = tables.map("T", &Input::of(&input), &NoCallouts, &mut Silent);
    assert!(!mapped.matched && mapped.input_too_long);
    assert_eq!(mapped.output, input);
}

#[test]
fn trace_is_the_documented_transcript() {
    let tables = tables(&[
        ("OTHER", &[]),
        (
            "ORIG_MAIL_ACCESS",
            &[(
                "TCP|*|25|*|*|*|MAIL|tcp_local|*|*|*",
                "$X4.7.1|$NTry$ later",
            )],
        ),
    ]);
    let input = "TCP|192.0.2.1|25|198.51.100.7|4021|SMTP/x|MAIL|tcp_local|alice@example.net|l|bob@example.com";
    let mut events = Vec::new();
    let mapped = tables.map(
        "ORIG_MAIL_ACCESS",
        &Input::of(input),
        &NoCallouts,
        &mut events,
    );
    let lines: Vec<String> = events
        .iter()
        .map(|event: &Event| format!("{}{event}", "  ".repeat(event.indent())))
        .collect();
    assert_eq!(
        lines,
        [
            format!("Mapping 2 applied to {input}"),
            "  Entry #1 matched, pattern \"TCP|*|25|*|*|*|MAIL|tcp_local|*|*|*\", template \
             \"$X4.7.1|$NTry$ later\", match #0."
                .to_owned(),
            "  New target \"4.7.1|Try later\"".to_owned(),
            "  Exiting...".to_owned(),
            "  Final result \"4.7.1|Try later\"".to_owned(),
        ]
    );
    assert_eq!(mapped.flags, Flags::of("NX"));
    let json = serde_json::to_value(&events).unwrap();
    assert_eq!(json[1]["step"], "matched");
    assert_eq!(json[4]["flags"], "NX");
}

#[test]
fn tables_survive_the_image() {
    let tables = documented();
    let mut records = Vec::new();
    let mut core_of =
        |tables: &Tables| encode(&tables.divide(&mut |key, record| records.push((key, record))));
    let read = through_records(&tables);
    assert_eq!(core_of(&read), core_of(&tables));
    assert_eq!(read.len(), tables.len());
}

#[test]
fn no_pattern_takes_exponential_time() {
    let stars = "*a".repeat(40) + "*b";
    let text = "a".repeat(MAX_TEXT);
    assert_eq!(Pattern::compile(&stars).unwrap().matches(&text), None);
    let classes = "$A*".repeat(40) + "$D%";
    assert_eq!(Pattern::compile(&classes).unwrap().matches(&text), None);
    let lazy = "$_*a".repeat(40) + "b";
    assert_eq!(Pattern::compile(&lazy).unwrap().matches(&text), None);
    let back = "*".repeat(10) + "$9*b";
    assert_eq!(Pattern::compile(&back).unwrap().matches(&text), None);
}

/// The meaning of a pattern, written as plainly as possible: for comparison on small inputs.
fn plainly(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(b'*'), _) => {
            plainly(&pattern[1..], text) || (!text.is_empty() && plainly(pattern, &text[1..]))
        }
        (Some(b'%'), Some(_)) => plainly(&pattern[1..], &text[1..]),
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b) && plainly(&pattern[1..], &text[1..]),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// The same with classes; the elements are given one by one.
fn by_elements(elements: &[&str], text: &str) -> bool {
    let Some((element, others)) = elements.split_first() else {
        return text.is_empty();
    };
    let fits = |c: char| match element.trim_start_matches("$_") {
        "*" | "%" => true,
        "$A*" | "$A%" => c.is_ascii_alphabetic(),
        "$D*" => c.is_ascii_digit(),
        literal => literal.eq_ignore_ascii_case(&c.to_string()),
    };
    let first_fits = text.starts_with(fits);
    if element.ends_with('*') {
        by_elements(others, text) || (first_fits && by_elements(elements, &text[1..]))
    } else {
        first_fits && by_elements(others, &text[1..])
    }
}

proptest! {
    #[test]
    fn matching_agrees_with_its_plain_meaning(pattern in "[abA*%]{0,8}", text in "[abAB]{0,10}") {
        let compiled = Pattern::compile(&pattern).unwrap();
        prop_assert_eq!(
            compiled.matches(&text).is_some(),
            plainly(pattern.as_bytes(), text.as_bytes())
        );
    }

    #[test]
    fn classes_agree_with_their_plain_meaning(
        elements in prop::collection::vec(
            prop::sample::select(vec!["a", "1", "*", "%", "$A*", "$D*", "$_$A*", "$A%", "$_*"]),
            0..8,
        ),
        text in "[aB1-]{0,12}",
    ) {
        let compiled = Pattern::compile(&elements.concat()).unwrap();
        prop_assert_eq!(compiled.matches(&text).is_some(), by_elements(&elements, &text));
    }

    #[test]
    fn lazy_and_greedy_match_the_same_texts(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
        let lazy = pattern.replace('*', "$_*");
        prop_assert_eq!(
            Pattern::compile(&pattern).unwrap().matches(&text).is_some(),
            Pattern::compile(&lazy).unwrap().matches(&text).is_some()
        );
    }

    #[test]
    fn saved_fields_are_put_together_to_the_text(text in "[a.]{0,12}") {
        let compiled = Pattern::compile("*.*").unwrap();
        if let Some(fields) = compiled.matches(&text) {
            prop_assert_eq!(fields.join("."), text);
        }
    }

    #[test]
    fn every_table_ends(
        entries in prop::collection::vec(
            ("[abx*%|.$0_@^D\\[\\]()]{0,8}", "[abxyYNCELRT$0-9_^\\\\|;{}\\[\\]#?:.+]{0,14}"),
            0..5,
        ),
        input in "[abx|é]{0,20}",
    ) {
        let mut tables = Tables::default();
        let entries: Vec<Entry<'_>> = entries.iter().map(|(p, t)| Entry::new(p, t)).collect();
        if tables.insert("T", &entries).is_ok() {
            let mut events: Vec<Event> = Vec::new();
            let loud = tables.map("T", &Input::of(&input), &NoCallouts, &mut events);
            let silent = tables.map("T", &Input::of(&input), &NoCallouts, &mut Silent);
            prop_assert!(loud.output.chars().count() <= MAX_TEXT);
            prop_assert_eq!(loud, silent);
        }
    }

    #[test]
    fn any_text_compiles_or_is_refused(pattern in ".{0,40}", template in ".{0,40}") {
        let mut tables = Tables::default();
        let entry = Entry::new(&pattern, &template);
        if tables.insert("T", &[entry]).is_ok() {
            let _mapped = tables.map("T", &Input::of("a.b@c"), &NoCallouts, &mut Silent);
        }
    }
}
