//! Questions and answers: the worked examples of the reference, and as many by hand.

use crate::rule::tests::through_records;
use mta_envelope::names::ChannelName;
use mta_mapping::records::Records;
use mta_mapping::{Callouts, Entry, Tables, TemporaryFailure, Unreadable};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;

/// R1 to R16 of the reference, and the rule of its example 20.
const REFERENCE: &str = r"
mailhost.example.com   $U%$D@mailhost.example.com
example.com            $U%$D@mailhost.example.com
oldhost.example.com    $U%$1D@mailhost.example.com
cal.example.com        $Mtcp_intranet$U%$D@tcp_cal-daemon
cal.example.com        $U%$D@tcp_dmz-daemon
*.dept.example.com     $U%$&0.dept.example.com@tcp_dept-daemon
.example.com           $U%$H$D@tcp_intranet-daemon
example.org            $U%$D@tcp_example-daemon
.example.org           $U%$H$D@tcp_example-daemon
sales.example.net      $U%sales.example.com
gw.example.net         $U@far.example.net@relay1.example.net@tcp_gw-daemon
closed.example.net     $5007001?No$ mail$ accepted$ here
[192.0.2.]             $U%[192.0.2.$L]@tcp_intranet-daemon
[]                     $U%[$L]@tcp_local-daemon
relay                  $S$U@mailhost.example.com$Tforce|
force|.                $U%$H@tcp_force-daemon
.                      $U%$H@tcp_local-daemon
bad.example.net        $U%$D@nosuch-daemon
";

/// The channels of the reference with their official hosts, and tables and databases to ask.
#[derive(Default)]
struct World {
    tables: Tables,
    channels: BTreeMap<String, ChannelName>,
    general: BTreeMap<&'static str, &'static str>,
    domains: BTreeMap<&'static str, &'static str>,
    /// Whether the directory answers, and knows `hosted.example`.
    directory: bool,
    traits: ChannelTraits,
}

impl World {
    fn new() -> Self {
        let mut world = Self::default();
        world.own("mailhost.example.com", "l");
        for name in [
            "tcp_local",
            "tcp_intranet",
            "tcp_cal",
            "tcp_dmz",
            "tcp_dept",
            "tcp_example",
            "tcp_gw",
            "tcp_force",
        ] {
            world.own(&format!("{name}-daemon"), name);
        }
        world.own("reprocess-daemon", "reprocess");
        world
    }

    fn own(&mut self, host: &str, channel: &str) {
        self.channels.insert(host.to_owned(), name(channel));
    }

    fn table(mut self, table: &str, entries: &[(&str, &str)]) -> Self {
        let entries: Vec<Entry<'_>> = entries.iter().map(|(p, t)| Entry::new(p, t)).collect();
        self.tables.insert(table, &entries).unwrap();
        self
    }
}

impl Callouts for World {
    fn database(&self, key: &str) -> Result<Option<String>, TemporaryFailure> {
        let key = key.to_ascii_lowercase();
        if key == "down" {
            return Err(TemporaryFailure);
        }
        Ok(self
            .general
            .get(key.as_str())
            .map(|value| (*value).to_owned()))
    }

    fn url(&self, url: &str) -> Result<Option<String>, TemporaryFailure> {
        match url {
            "ldap:///down" => Err(TemporaryFailure),
            "ldap:///none" => Ok(None),
            _ => Ok(Some(format!("<{url}>"))),
        }
    }

    fn domain_attribute(&self, a: &str, b: &str) -> Result<Option<String>, TemporaryFailure> {
        Ok((a == "hosted.example").then(|| format!("{b}.host")))
    }
}

impl Surroundings for World {
    fn tables(&self) -> &Tables {
        &self.tables
    }

    fn local_host(&self) -> &str {
        "mailhost.example.com"
    }

    fn channel_owning(&self, host: &str) -> Option<Owner<'_>> {
        let (official, channel) = self.channels.get_key_value(&host.to_ascii_lowercase())?;
        Some(if channel.as_str() == "l" {
            Owner::local(channel, official)
        } else {
            Owner::of(channel, official)
        })
    }

    fn channel_traits(&self, _channel: &ChannelName) -> ChannelTraits {
        self.traits
    }

    fn domain_rules(&self, pattern: &str) -> Result<Vec<String>, TemporaryFailure> {
        match self.domains.get(pattern) {
            Some(&"unreadable") => Err(TemporaryFailure),
            rules => Ok(rules.map(|rule| (*rule).to_owned()).into_iter().collect()),
        }
    }

    fn domain_is_local(&self, domain: &str) -> Result<bool, TemporaryFailure> {
        if self.directory {
            Ok(domain.eq_ignore_ascii_case("hosted.example"))
        } else {
            Err(TemporaryFailure)
        }
    }

    fn unique(&self) -> String {
        "UNIQUE1".to_owned()
    }
}

fn name(channel: &str) -> ChannelName {
    ChannelName::new(channel).unwrap()
}

/// One rule to a line; the first white space that is not at its start divides the sides.
fn rules(text: &str) -> Rules {
    let source: Vec<SourceRule> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (pattern, template) = line.split_once(' ').unwrap_or((line, ""));
            SourceRule::new(pattern, template.trim_start())
        })
        .collect();
    let rules = Rules::compile(&source).unwrap_or_else(|errors| panic!("{errors:?}"));
    through_records(&rules, 0)
}

/// The answer in one line: `address channel`, or the refusal.
fn answer(rules: &Rules, world: &World, question: &Question<'_>) -> String {
    match rewrite(rules, question, world, &mut Silent) {
        Ok(found) => format!("{} {}", found.address, found.channel),
        Err(error) => format!("{} {} {}", error.code, error.status, error.text),
    }
}

/// An envelope To: address from `tcp_local` under one set of rules.
fn to(rules_text: &str, world: &World, address: &str) -> String {
    let source = name("tcp_local");
    answer(
        &rules(rules_text),
        world,
        &Question::envelope_to(address, &source),
    )
}

#[test]
fn worked_examples() {
    let (rules, world) = (rules(REFERENCE), World::new());
    for (number, address, source, expected) in [
        (
            1,
            "jdoe@example.org",
            "tcp_local",
            "jdoe@example.org tcp_example",
        ),
        (
            2,
            "jdoe@host1.example.org",
            "tcp_local",
            "jdoe@host1.example.org tcp_example",
        ),
        (
            3,
            "jdoe@hostA.host1.example.org",
            "tcp_local",
            "jdoe@hostA.host1.example.org tcp_example",
        ),
        (
            4,
            "J.Doe@EXAMPLE.ORG",
            "tcp_local",
            "J.Doe@EXAMPLE.ORG tcp_example",
        ),
        (
            5,
            "jdoe@notexample.org",
            "tcp_local",
            "jdoe@notexample.org tcp_local",
        ),
        (
            6,
            "jdoe@[192.0.2.25]",
            "tcp_local",
            "jdoe@[192.0.2.25] tcp_intranet",
        ),
        (
            7,
            "jdoe@[198.51.100.7]",
            "tcp_local",
            "jdoe@[198.51.100.7] tcp_local",
        ),
        (
            8,
            "jdoe@sales.example.net",
            "tcp_local",
            "jdoe@sales.example.com tcp_intranet",
        ),
        (
            9,
            "jdoe@oldhost.example.com",
            "tcp_local",
            "jdoe@example.com l",
        ),
        (
            10,
            "jdoe%host1.example.org@mailhost.example.com",
            "tcp_local",
            "jdoe@host1.example.org tcp_example",
        ),
        (
            11,
            "@relay:jdoe@example.org",
            "tcp_local",
            "jdoe@example.org tcp_force",
        ),
        (12, "jdoe@relay", "tcp_local", "jdoe@relay tcp_local"),
        (
            13,
            "jdoe@gw.example.net",
            "tcp_local",
            "@relay1.example.net:jdoe@far.example.net tcp_gw",
        ),
        (
            14,
            "jdoe@eng.dept.example.com",
            "tcp_local",
            "jdoe@eng.dept.example.com tcp_dept",
        ),
        (
            15,
            "jdoe@cal.example.com",
            "tcp_intranet",
            "jdoe@cal.example.com tcp_cal",
        ),
        (
            16,
            "jdoe@cal.example.com",
            "tcp_local",
            "jdoe@cal.example.com tcp_dmz",
        ),
        (
            17,
            "jdoe%host1.example.org",
            "tcp_local",
            "jdoe@host1.example.org tcp_example",
        ),
        (18, "host2!jdoe", "tcp_local", "jdoe@host2 tcp_local"),
        (
            19,
            "jdoe@closed.example.net",
            "tcp_local",
            "550 5.7.1 No mail accepted here",
        ),
        (
            20,
            "jdoe@bad.example.net",
            "tcp_local",
            "550 5.1.2 unknown host or domain",
        ),
    ] {
        let source = name(source);
        let question = Question::envelope_to(address, &source);
        assert_eq!(answer(&rules, &world, &question), expected, "{number}");
    }
    assert_eq!(rules.warnings(), []);
}

#[test]
fn probes_until_a_match_are_the_documented_ones() {
    let (rules, world) = (rules(REFERENCE), World::new());
    let table: [(&str, &[&str]); 9] = [
        (
            "jdoe@host1.example.org",
            &["host1.example.org", "*.example.org", ".example.org"],
        ),
        (
            "jdoe@hostA.host1.example.org",
            &[
                "hosta.host1.example.org",
                "*.host1.example.org",
                ".host1.example.org",
                "*.*.example.org",
                ".example.org",
            ],
        ),
        (
            "jdoe@notexample.org",
            &["notexample.org", "*.org", ".org", "*.*", "."],
        ),
        ("jdoe@[192.0.2.25]", &["[192.0.2.25]", "[192.0.2.]"]),
        (
            "jdoe@[198.51.100.7]",
            &[
                "[198.51.100.7]",
                "[198.51.100.]",
                "[198.51.]",
                "[198.]",
                "[]",
            ],
        ),
        (
            "jdoe@sales.example.net",
            &[
                "sales.example.net",
                "sales.example.com",
                "*.example.com",
                ".example.com",
            ],
        ),
        (
            "jdoe%host1.example.org@mailhost.example.com",
            &[
                "mailhost.example.com",
                "host1.example.org",
                "*.example.org",
                ".example.org",
            ],
        ),
        (
            "@relay:jdoe@example.org",
            &[
                "relay",
                "force|example.org",
                "force|*.org",
                "force|.org",
                "force|*.*",
                "force|.",
            ],
        ),
        ("jdoe@relay", &["relay", "*", "."]),
    ];
    for (address, expected) in table {
        let source = name("tcp_local");
        let mut events: Vec<Event> = Vec::new();
        let question = Question::envelope_to(address, &source);
        rewrite(&rules, &question, &world, &mut events).unwrap();
        let probes: Vec<&str> = events
            .iter()
            .filter_map(|event| match event {
                Event::Probed { pattern, .. } => Some(pattern.as_str()),
                _ => None,
            })
            .filter(|pattern| !pattern.ends_with("$*"))
            .collect();
        assert_eq!(probes, expected, "{address}");
    }
}

#[test]
fn domain_is_known_or_the_standard_rule_fails() {
    let text = "
        $* $A$E$F$U%$H$V$H@mailhost.example.com
        hosted.example $U%other@tcp_local-daemon
        . $U%$H@tcp_local-daemon";
    let mut world = World::new();
    world.directory = true;
    assert_eq!(to(text, &world, "a@hosted.example"), "a@hosted.example l");
    assert_eq!(to(text, &world, "a@b.example"), "a@b.example tcp_local");
    // Not right of @, and then not an envelope forward address.
    assert_eq!(to(text, &world, "a%hosted.example"), "a@other tcp_local");
    let source = name("tcp_local");
    let header = Question::header("a@hosted.example", Direction::Forward, &source, None);
    assert_eq!(answer(&rules(text), &world, &header), "a@other tcp_local");
    let from = Question::envelope_from("a@hosted.example", &source, None);
    assert_eq!(answer(&rules(text), &world, &from), "a@other tcp_local");
}

#[test]
fn silent_directory_sends_mail_round_by_reprocess() {
    let text = "
        $* $A$E$F$U%$H$V$H@mailhost.example.com
        . $U%$H@tcp_local-daemon";
    let world = World::new();
    let compiled = rules(text);
    for (source, expected) in [
        ("tcp_local", "a@b.example reprocess"),
        ("l", "a@b.example reprocess"),
        ("tcp_intranet", "a@b.example reprocess"),
    ] {
        let source = name(source);
        let question = Question::envelope_to("a@b.example", &source);
        assert_eq!(answer(&compiled, &world, &question), expected);
    }
    // With one group of channel checks alone, the second half is reached.
    struct Elsewhere(World);
    impl Callouts for Elsewhere {}
    impl Surroundings for Elsewhere {
        fn tables(&self) -> &Tables {
            self.0.tables()
        }
        fn local_host(&self) -> &str {
            self.0.local_host()
        }
        fn channel_owning(&self, host: &str) -> Option<Owner<'_>> {
            self.0.channel_owning(host)
        }
        fn domain_failure(&self) -> &str {
            "reprocess-daemon$1M$1~-error$4000000?Temporary lookup failure"
        }
    }
    let world = Elsewhere(World::new());
    for (source, code, text) in [
        ("reprocess", 450, "4.0.0 Temporary lookup failure"),
        ("process_x", 450, "4.0.0 Temporary lookup failure"),
    ] {
        let source = name(source);
        let question = Question::envelope_to("a@b.example", &source);
        let error = rewrite(&compiled, &question, &world, &mut Silent).unwrap_err();
        assert_eq!(
            (error.code, format!("{} {error}", error.status)),
            (code, text.to_owned())
        );
        assert!(error.is_temporary());
    }
    let source = name("reprocessx");
    let question = Question::envelope_to("a@b.example", &source);
    assert!(rewrite(&compiled, &question, &world, &mut Silent).is_ok());
}

#[test]
fn internal_addresses_switch_the_channel() {
    let text = "
        [] $E$R${INTERNAL_IP,$L}$U%[$L]@tcp_intranet-daemon
        [] $U%[$L]@tcp_local-daemon";
    let world = World::new().table(
        "INTERNAL_IP",
        &[("$(192.0.2.0/24)", "$Y"), ("127.0.0.1", "$Y"), ("*", "$N")],
    );
    let compiled = rules(text);
    for (address, expected) in [
        ("x@[192.0.2.9]", "x@[192.0.2.9] tcp_intranet"),
        ("x@[127.0.0.1]", "x@[127.0.0.1] tcp_intranet"),
        ("x@[198.51.100.1]", "x@[198.51.100.1] tcp_local"),
        ("@[192.0.2.9]", "@[192.0.2.9] tcp_intranet"),
    ] {
        let source = name("tcp_local");
        let question = Question::envelope_from(address, &source, None);
        assert_eq!(answer(&compiled, &world, &question), expected);
    }
    // A forward address does not ask.
    assert_eq!(to(text, &world, "x@[192.0.2.9]"), "x@[192.0.2.9] tcp_local");
}

/// One rule for the asked host, whose domain shows what was substituted.
fn shown(pattern: &str, template: &str, address: &str) -> String {
    let text = format!("{pattern} {template}");
    to(&text, &World::new(), address)
}

#[test]
fn substitutions_show_their_part() {
    for (pattern, inside, address, expected) in [
        ("h.example.com", "$U", "u+d@h.example.com", "u+d"),
        ("h.example.com", "$0U|$1U", "u+d@h.example.com", "u|+d"),
        ("h.example.com", "$0U|$1U", "u@h.example.com", "u|"),
        (
            "h.example.com",
            "$D|$H|$L",
            "u@h.example.com",
            "h.example.com||",
        ),
        (
            "h.example.com",
            "$1D|$2D|$3D",
            "u@h.example.com",
            "example.com|com|",
        ),
        (
            ".example.com",
            "$D|$H",
            "u@a.b.example.com",
            ".example.com|a.b",
        ),
        (".example.com", "$1D|$1H|$2H", "u@a.b.example.com", "com|b|"),
        (
            "*.example.com",
            "$D|$H",
            "u@a.example.com",
            ".example.com|a",
        ),
        (
            "*.*.example.com",
            "$D|$H",
            "u@a.b.example.com",
            ".example.com|a.b",
        ),
        (".", "$D|$H", "u@a.b", "|a.b"),
        ("$*", "$D|$H", "u@a.b", "|a.b"),
        ("[1.2.]", "$D|$H|$L", "u@[1.2.3.4]", "[1.2.3.4]||3.4"),
        ("[*.*.*.*]", "$D|$H", "u@[1.2.3.4]", "|[1.2.3.4]"),
        ("[]", "$L", "u@[IPv6:2001:db8::1]", "IPv6:2001:db8::1"),
        (
            ".example.com",
            "$&0|$&1|$!0|$!1",
            "u@a.b.example.com",
            "a|b|b|a",
        ),
        (
            ".example.com",
            "$*0|$*1|$#0|$#1",
            "u@a.b.example.com",
            "example|com|com|example",
        ),
        (
            "h.example.com",
            "$0A$2A|$1X",
            "u@h.example.com",
            "uh|example",
        ),
        (
            "h.example.com",
            "$\\$D$^$U$_$D",
            "Ux@H.example.com",
            "h.example.comUXH.example.com",
        ),
        ("h.example.com", "$^a$Tx|b", "u@h.example.com", "a"),
        ("h.example.com", "$W$$$%", "u@h.example.com", "UNIQUE1$%"),
        (
            "h.example.com",
            "$=$U$_$U",
            "a*b@h.example.com",
            "a\\2aba*b",
        ),
        ("h.example.com", "$u$d", "u@h.example.com", "uh.example.com"),
        ("h.example.com", "$,$H.x$_y", "u@h.example.com", ""),
        ("h.example.com", "a$,$H.x$Ey", "u@h.example.com", "ay"),
    ] {
        let template = format!("u%{inside}@tcp_local-daemon");
        assert_eq!(
            shown(pattern, &template, address),
            format!("u@{expected} tcp_local"),
            "{template}"
        );
    }
}

#[test]
fn single_components_that_do_not_exist_fail_the_rule() {
    for inside in ["$&2", "$!2", "$*2", "$#2", "$99A", "$4X"] {
        let text = format!(".example.com u%{inside}@tcp_gw-daemon\n. $U%$H@tcp_local-daemon");
        assert_eq!(
            to(&text, &World::new(), "u@a.b.example.com"),
            "u@a.b.example.com tcp_local",
            "{inside}"
        );
    }
}

#[test]
fn default_rule_with_an_argument_of_unknown_meaning_is_accepted() {
    assert_eq!(
        shown(".", "$U%$H,$H@tcp_local-daemon", "u@a.b"),
        "u@a.b,a.b tcp_local"
    );
    assert_eq!(
        shown(".", "$U%$H$,$H@tcp_local-daemon", "u@a.b"),
        "u@a.b tcp_local"
    );
}

#[test]
fn forms_of_a_template() {
    for (template, address, expected) in [
        ("u%d@tcp_gw-daemon", "a@h", "u@d tcp_gw"),
        ("u@tcp_gw-daemon", "a@h", "u@tcp_gw-daemon tcp_gw"),
        ("u@d@c@tcp_gw-daemon", "a@h", "@c:u@d tcp_gw"),
        ("u@d@tcp_gw-daemon", "a@h", "@tcp_gw-daemon:u@d tcp_gw"),
        ("u%tcp_gw-daemon", "a@h", "u@tcp_gw-daemon tcp_gw"),
        ("u%d@tcp_gw-daemon", "a%h", "u@d tcp_gw"),
        ("u%d@tcp_gw-daemon", "h!a", "u@d tcp_gw"),
        ("$U%d@tcp_gw-daemon", "@h:a@b", "@d:a@b tcp_gw"),
        ("$U%d@tcp_gw-daemon", "@h,@i:a@b", "@d,@i:a@b tcp_gw"),
        (
            "$U%tcp_gw-daemon",
            "@h,@i:a@b",
            "@tcp_gw-daemon,@i:a@b tcp_gw",
        ),
        (
            "u%d%e@tcp_gw-daemon",
            "a@h",
            "550 5.1.2 unknown host or domain",
        ),
        ("u@d@c@b@a", "a@h", "550 5.1.2 unknown host or domain"),
        ("u", "a@h", "550 5.1.2 unknown host or domain"),
        ("$E", "a@tcp_gw-daemon", "a@tcp_gw-daemon tcp_gw"),
    ] {
        let pattern = if template == "$E" { "$*" } else { "h" };
        assert_eq!(
            shown(pattern, template, address),
            expected,
            "{template} {address}"
        );
    }
}

#[test]
fn text_of_the_sender_separates_nothing() {
    assert_eq!(
        shown("h", "$U%$D@tcp_gw-daemon", "\"a%b@c\"@h"),
        "\"a%b@c\"@h tcp_gw"
    );
    assert_eq!(
        shown("h", "$U%d@tcp_gw-daemon", "a$%$@b@h"),
        "a$%$@b@d tcp_gw"
    );
    assert_eq!(shown("h", "$U%d@tcp_gw-daemon", "a%%b@h"), "a%%b@d tcp_gw");
}

#[test]
fn conditions_combine_within_and_between_groups() {
    let source = name("tcp_local");
    let destination = name("tcp_gw");
    let to = Question::envelope_to("a@h", &source);
    let from = Question::envelope_from("a@h", &source, Some(&destination));
    let header = |direction| Question::header("a@h", direction, &source, Some(&destination));
    let questions = [
        to,
        from,
        header(Direction::Forward),
        header(Direction::Backward),
    ];
    for (controls, expected) in [
        ("", "yyyy"),
        ("$E", "yynn"),
        ("$B", "nnyy"),
        ("$E$B", "yyyy"),
        ("$F", "ynyn"),
        ("$R", "nyny"),
        ("$E$F", "ynnn"),
        ("$B$R", "nnny"),
        ("$A", "yyyy"),
        ("$S", "nnnn"),
        ("$S$A", "yyyy"),
        ("$P$X", "nnnn"),
        ("$Mtcp_local", "yyyy"),
        ("$MTCP_LOCAL", "yyyy"),
        ("$Ml", "nnnn"),
        ("$Ml$Mtcp_local", "yyyy"),
        ("$Ntcp_local", "nnnn"),
        ("$Nl$Ntcp_local", "nnnn"),
        ("$Nl", "yyyy"),
        ("$1M", "nnnn"),
        ("$1N", "yyyy"),
        ("$Mtcp_local$1N", "yyyy"),
        ("$Mtcp_local$1M", "nnnn"),
        ("$Qtcp_gw", "yyyy"),
        ("$Ql", "ynnn"),
        ("$Ctcp_gw", "ynnn"),
        ("$Cl", "yyyy"),
        ("$Ql$Qtcp_gw", "yyyy"),
        ("$E$Qtcp_gw$R", "nynn"),
    ] {
        for template in [
            format!("{controls}$U%hit@tcp_gw-daemon"),
            format!("$U%hit@tcp_gw-daemon{controls}"),
        ] {
            let rules = rules(&format!("h {template}\nh $U%miss@tcp_gw-daemon"));
            let found: String = questions
                .iter()
                .map(|question| match &*answer(&rules, &World::new(), question) {
                    "a@hit tcp_gw" => 'y',
                    "a@miss tcp_gw" => 'n',
                    other => panic!("{template}: {other}"),
                })
                .collect();
            assert_eq!(found, expected, "{template}");
        }
    }
}

#[test]
fn places_of_a_host_are_told_apart() {
    for (address, control) in [
        ("a@h", "$A"),
        ("a%h", "$P"),
        ("h!a", "$X"),
        ("@h:a@b", "$S"),
    ] {
        for other in ["$A", "$P", "$X", "$S"] {
            let text = format!("h {other}$U%hit@tcp_gw-daemon\n. $U%miss@tcp_gw-daemon");
            let hit = to(&text, &World::new(), address).contains("hit");
            assert_eq!(hit, control == other, "{address} {other}");
        }
    }
    // A host that is supplied stands right of @.
    let text = "mailhost.example.com $A$U%$D@mailhost.example.com";
    assert_eq!(to(text, &World::new(), "a"), "a@mailhost.example.com l");
}

#[test]
fn channel_conditions_are_met_where_rules_are_off() {
    let mut world = World::new();
    world.traits.no_rules = true;
    for control in ["$Ml", "$Ntcp_local", "$1M", "$Ql", "$Ctcp_gw"] {
        let rules = rules(&format!("h {control}$U%hit@tcp_gw-daemon"));
        let (source, destination) = (name("tcp_local"), name("tcp_gw"));
        let question = Question::envelope_from("a@h", &source, Some(&destination));
        assert_eq!(
            answer(&rules, &world, &question),
            "a@hit tcp_gw",
            "{control}"
        );
    }
}

#[test]
fn a_check_can_end_a_template_early() {
    for (template, expected) in [
        ("$U%d@tcp_gw-daemon$Ml$1~-x", "a@d tcp_gw"),
        ("$U%d@tcp_gw$Mtcp_local$1~-daemon", "a@d tcp_gw"),
        ("$U%d@tcp_gw-daemon$Ml$1~$Bx", "a@d tcp_gw"),
        (
            "$B$U%d@tcp_gw-daemon$Ml$1~",
            "550 5.1.2 unknown host or domain",
        ),
    ] {
        assert_eq!(shown("h", template, "a@h"), expected, "{template}");
    }
}

#[test]
fn tags_last_until_changed_and_failed_rules_set_none() {
    let text = "
        first $U%second$Tt|
        second $U%wrong@tcp_gw-daemon
        t|second $U%third$Tu|
        u|third $U%done@tcp_gw-daemon
        plain $B$Tt|$U%x@tcp_gw-daemon
        plain $U%second
        back $U%second$T
        off $U%t2$Tt|
        t|t2 $T$U%second";
    let world = World::new();
    assert_eq!(to(text, &world, "a@first"), "a@done tcp_gw");
    assert_eq!(to(text, &world, "a@plain"), "a@wrong tcp_gw");
    assert_eq!(to(text, &world, "a@off"), "a@wrong tcp_gw");
    assert_eq!(to(text, &world, "a@t2"), "550 5.1.2 unknown host or domain");
    let tagged = "
        h $U%x$TForce|
        FORCE|$* $U%star@tcp_gw-daemon";
    assert_eq!(to(tagged, &world, "a@h"), "a@star tcp_gw");
}

#[test]
fn error_texts_are_sticky_and_only_of_rules_that_succeed() {
    let world = World::new();
    for (text, address, expected) in [
        (
            ". $?No such place @ all, 100% sure",
            "a@b",
            "550 5.1.2 No such place @ all, 100% sure",
        ),
        (
            ". $4000000?Temporary$ lookup$ failure",
            "a@b",
            "450 4.0.0 Temporary lookup failure",
        ),
        (
            ". $5001002?no$ such$ place",
            "a@b",
            "550 5.1.2 no such place",
        ),
        (
            "b $U%c$?first$ text\nc $U%d@nowhere",
            "a@b",
            "550 5.1.2 first text",
        ),
        (
            "b $U%c$?first\nc $U%d@nowhere$?second",
            "a@b",
            "550 5.1.2 second",
        ),
        (
            "b $B$U%c$?never\n. $U%d@nowhere",
            "a@b",
            "550 5.1.2 unknown host or domain",
        ),
        (
            "b $U%d@nowhere$5007001?a$$b$%c$@d$ e",
            "a@b",
            "550 5.7.1 a$b%c@d e",
        ),
        ("b $?as it is", "a@b", "550 5.1.2 as it is"),
        (
            "tcp_gw-daemon $?unused",
            "a@tcp_gw-daemon",
            "a@tcp_gw-daemon tcp_gw",
        ),
    ] {
        assert_eq!(to(text, &world, address), expected, "{text}");
    }
}

#[test]
fn percent_and_bang_rules_come_last() {
    let world = World::new();
    for (text, address, expected) in [
        // No rule matches and no channel owns the name.
        ("x $U%x@tcp_gw-daemon", "a%b", "a%b@mailhost.example.com l"),
        ("x $U%x@tcp_gw-daemon", "b!a", "b!a@mailhost.example.com l"),
        (
            "x $U%x@tcp_gw-daemon",
            "a%b@c",
            "550 5.1.2 unknown host or domain",
        ),
        // A rule matches and no channel owns its tag.
        (". $U%$H@nowhere", "a%b", "a%b@mailhost.example.com l"),
        ("$% $U%$D@tcp_gw-daemon", "a%b", "a%b@b tcp_gw"),
        ("$% $U|$H%$D@tcp_gw-daemon", "a%b", "a%b|@b tcp_gw"),
        ("$! $U%$D@tcp_gw-daemon", "b!a", "b!a@b tcp_gw"),
        (
            "$! $U%$D@tcp_gw-daemon",
            "a%b",
            "a%b@mailhost.example.com l",
        ),
        ("$% $U%$D@nowhere", "a%b", "a%b@mailhost.example.com l"),
        ("$% x%b", "a%b", "550 5.1.2 unknown host or domain"),
        (". $?stop here", "a%b", "550 5.1.2 stop here"),
        (
            "b $U%$D@tcp_gw-daemon\n$% $U%wrong@tcp_gw-daemon",
            "a%b",
            "a@b tcp_gw",
        ),
    ] {
        assert_eq!(to(text, &world, address), expected, "{text} {address}");
    }
}

#[test]
fn bang_may_come_over_percent() {
    let text = "a $U%first@tcp_gw-daemon\nb $U%last@tcp_gw-daemon";
    let mut world = World::new();
    assert_eq!(to(text, &world, "a!u%b"), "a!u@last tcp_gw");
    world.traits.bang_over_percent = true;
    assert_eq!(to(text, &world, "a!u%b"), "u%b@first tcp_gw");
}

#[test]
fn routes_through_this_machine_are_peeled() {
    let world = World::new();
    for (address, expected) in [
        (
            "@mailhost.example.com:a@example.org",
            "a@example.org tcp_example",
        ),
        (
            "@mailhost.example.com,@mailhost.example.com:a@example.com",
            "a@example.com l",
        ),
        (
            "a%example.org%example.com@mailhost.example.com",
            "a@example.org tcp_example",
        ),
        ("example.org!a@example.com", "a@example.org tcp_example"),
        ("@other.example,@x:a@b", "@other.example,@x:a@b tcp_local"),
        ("\"a%b\"@example.com", "\"a%b\"@example.com l"),
        ("@mailhost.example.com:a", "@mailhost.example.com:a l"),
    ] {
        assert_eq!(to(REFERENCE, &world, address), expected, "{address}");
    }
}

#[test]
fn without_rules_a_host_routes_itself() {
    let world = World::new();
    assert_eq!(to("", &world, "a@tcp_gw-daemon"), "a@tcp_gw-daemon tcp_gw");
    assert_eq!(to("", &world, "a@x.y"), "550 5.1.2 unknown host or domain");
}

#[test]
fn call_outs_are_read_on_as_template() {
    let mut world = World::new()
        .table(
            "WHERE",
            &[
                ("a@*", "$$U$$%%$0@tcp_gw-daemon$Y"),
                ("n*", "$N"),
                ("*", "y$Y"),
            ],
        )
        .table("SELF", &[("*", "$${SELF,x}$Y")]);
    world
        .general
        .insert("siroe", "$u%eng.siroe.com@tcp_gw-daemon");
    world.general.insert("deep", "$(siroe)");
    world.general.insert("only", "$B");
    for (template, expected) in [
        ("$($D)", "550 5.1.2 unknown host or domain"),
        ("$(siroe)", "a@eng.siroe.com tcp_gw"),
        ("$(SIROE)", "a@eng.siroe.com tcp_gw"),
        ("$(deep)", "550 5.1.2 unknown host or domain"),
        (
            "$(only)$U%x@tcp_gw-daemon",
            "550 5.1.2 unknown host or domain",
        ),
        ("${WHERE,$U@$D}", "a%@h tcp_gw"),
        ("$U%${WHERE,zz}@tcp_gw-daemon", "a@y tcp_gw"),
        ("$U%${WHERE,${WHERE,q}$H}@tcp_gw-daemon", "a@y tcp_gw"),
        (
            "$U%${WHERE,no}@tcp_gw-daemon",
            "550 5.1.2 unknown host or domain",
        ),
        (
            "$U%${NONE,no}@tcp_gw-daemon",
            "550 5.1.2 unknown host or domain",
        ),
        (
            "$U%${SELF,x}@tcp_gw-daemon",
            "550 5.1.2 unknown host or domain",
        ),
        (
            "$U%$[image,routine,x]@tcp_gw-daemon",
            "550 5.1.2 unknown host or domain",
        ),
        ("$U%$]ldap:///x$U[@tcp_gw-daemon", "a@<ldap:///xa> tcp_gw"),
        (
            "$U%$]ldap:///none[@tcp_gw-daemon",
            "550 5.1.2 unknown host or domain",
        ),
        (
            "$U%$]ldap:///down[@tcp_gw-daemon",
            "550 5.1.2 unknown host or domain",
        ),
        ("$.later.$U%$]ldap:///down[@tcp_gw-daemon", "a@later tcp_gw"),
        (
            "$.later.$..$U%$]ldap:///down[@tcp_gw-daemon",
            "550 5.1.2 unknown host or domain",
        ),
        (
            "$U%$}hosted.example,mail{@tcp_gw-daemon",
            "a@mail.host tcp_gw",
        ),
        (
            "$U%$}$D,mail{@tcp_gw-daemon",
            "550 5.1.2 unknown host or domain",
        ),
    ] {
        let text = format!("h {template}");
        assert_eq!(to(&text, &world, "a@h"), expected, "{template}");
    }
    // What the table answered is told before it is read on.
    let text = "h ${WHERE,$U@$D}";
    let mut events: Vec<Event> = Vec::new();
    let source = name("tcp_local");
    let question = Question::envelope_to("a@h", &source);
    assert!(rewrite(&rules(text), &question, &world, &mut events).is_ok());
    assert!(events.iter().any(|event| matches!(
        event,
        Event::Mapping { event: mta_mapping::Event::Result { text, .. } }
            if text == "$U$%%h@tcp_gw-daemon"
    )));
}

#[test]
fn domain_database_comes_after_the_list() {
    let mut world = World::new();
    world
        .domains
        .insert(".example.org", "$U%$H$D@tcp_gw-daemon");
    world
        .domains
        .insert("*.example.net", "$U%wrong@tcp_gw-daemon");
    world.domains.insert("both", "$U%database@tcp_gw-daemon");
    world.domains.insert("t|x", "$U%tagged@tcp_gw-daemon");
    world.domains.insert(".broken", "unreadable");
    let text = "
        both $B$U%list@tcp_gw-daemon
        h $U%x$Tt|
        . $U%$H@tcp_local-daemon";
    for (address, expected) in [
        ("a@b.example.org", "a@b.example.org tcp_gw"),
        ("a@b.example.net", "a@b.example.net tcp_local"),
        ("a@both", "a@database tcp_gw"),
        ("a@h", "a@tagged tcp_gw"),
    ] {
        assert_eq!(to(text, &world, address), expected, "{address}");
    }
    // No rule of a later probe takes what the database might have sent elsewhere.
    let source = name("tcp_local");
    let question = Question::envelope_to("a@b.broken", &source);
    let error = rewrite(&rules(text), &question, &world, &mut Silent).unwrap_err();
    assert_eq!((error.code, error.is_temporary()), (450, true), "{error}");
}

#[test]
fn restarts_and_lengths_are_limited() {
    let world = World::new();
    assert_eq!(to("h $U%h", &world, "a@h"), "550 5.4.6 rewriting loop");
    assert_eq!(
        to("h $U$U$U%h", &world, "aaaaaaaaaa@h"),
        "550 5.1.3 address too long"
    );
    let long = format!("{}@h", "a".repeat(1023));
    assert_eq!(
        to("h $U%$D@tcp_gw-daemon", &world, &long),
        "550 5.1.3 address too long"
    );
    let chain: String = (0..20)
        .map(|n| format!("h{n} $U%h{}\n", n + 1))
        .chain(["h20 $U%end@tcp_gw-daemon".to_owned()])
        .collect();
    assert_eq!(to(&chain, &world, "a@h0"), "a@end tcp_gw");
    let longer = chain.replace("h20 $U%end", "h20 $U%h21\nh21 $U%end");
    assert_eq!(to(&longer, &world, "a@h0"), "550 5.4.6 rewriting loop");
}

#[test]
fn faults_and_doubts_are_found_at_load() {
    let long = "x".repeat(MAX_LINE);
    let source = [
        SourceRule::new("a", ""),
        SourceRule::new("a", "two words"),
        SourceRule::new("a", &long),
        SourceRule::new("  a", "$?two words"),
        SourceRule::new("a", "two$ words%b@c"),
    ];
    let errors = Rules::compile(&source).unwrap_err();
    let found: Vec<(usize, String)> = errors.iter().map(|e| (e.rule, e.to_string())).collect();
    assert_eq!(
        found,
        [
            (0, "rewrite rule without template".to_owned()),
            (1, "unquoted white space in template".to_owned()),
            (2, "line too long".to_owned()),
        ]
    );
    let rules = Rules::compile(&[
        SourceRule::new(" a", "$U%$g$D@b"),
        SourceRule::new("a", "$U%$[i,r,x]@b"),
        SourceRule::new("a", "a%b%c"),
        SourceRule::new("a", "${T,x}"),
    ])
    .unwrap();
    let doubts: Vec<usize> = rules.warnings().iter().map(RuleWarning::rule).collect();
    assert_eq!(doubts, [0, 1, 2]);
    let tags: Vec<Option<&str>> = rules.in_memory().into_iter().map(Rule::fixed_tag).collect();
    assert_eq!(tags, [Some("b"), None, None, None]);
    assert_eq!(rules.in_memory()[0].pattern(), "a");
}

#[test]
fn trace_tells_rules_and_reasons() {
    let (rules, world) = (rules(REFERENCE), World::new());
    let source = name("tcp_local");
    let question = Question::envelope_to("jdoe@cal.example.com", &source);
    let mut events: Vec<Event> = Vec::new();
    rewrite(&rules, &question, &world, &mut events).unwrap();
    let lines: Vec<String> = events
        .iter()
        .map(|event| format!("{}{event}", "  ".repeat(event.indent())))
        .collect();
    assert_eq!(
        lines,
        [
            "Rewriting jdoe@cal.example.com",
            "  Host/domain \"cal.example.com\" (right of @), user \"jdoe\"",
            "  Probe \"$*\": no rule",
            "  Probe \"cal.example.com\":",
            "    Rewrite rule: cal.example.com -> $Mtcp_intranet$U%$D@tcp_cal-daemon",
            "      Rule fails: for other channels ($M, $N, $Q, $C)",
            "    Rewrite rule: cal.example.com -> $U%$D@tcp_dmz-daemon",
            "      Rule applies: user \"jdoe\", domain \"cal.example.com\", routing system \
             \"tcp_dmz-daemon\"",
            "  Routing system \"tcp_dmz-daemon\" belongs to channel tcp_dmz",
            "Result: jdoe@cal.example.com, channel tcp_dmz (tcp_dmz-daemon)",
        ]
    );
    let json = serde_json::to_value(&events).unwrap();
    assert_eq!(json[3]["step"], "probed");
    assert_eq!(json[4]["number"], 4);
}

#[test]
fn rules_and_tables_that_cannot_be_read_decide_nothing() {
    #[derive(Debug)]
    struct Broken;
    impl Records for Broken {
        fn read(&self, _: &[u8], _: &mut dyn FnMut(&[u8])) -> Result<bool, Unreadable> {
            Err(Unreadable("gone".to_owned()))
        }
    }
    let broken: Arc<dyn Records> = Arc::new(Broken);
    let source = name("tcp_local");
    let question = Question::envelope_to("a@b.example", &source);
    let mut world = World::new();
    let beside = Rules::compile(&[SourceRule::new("b.example", "$U%$D@tcp_gw-daemon")]).unwrap();
    let beside = beside.divide_from(0, &mut |_, _| ()).attach(&broken);
    assert_eq!(
        answer(&beside, &world, &question),
        "450 4.3.5 rewrite rules cannot be read"
    );
    let entries: Vec<String> = (0..100).map(|n| format!("x{n}.example")).collect();
    let entries: Vec<Entry<'_>> = entries.iter().map(|e| Entry::new(e, "$Yx")).collect();
    let mut tables = Tables::default();
    tables.insert("LARGE", &entries).unwrap();
    world.tables = tables.divide(&mut |_, _| ()).attach(&broken);
    let asking = rules(
        "b.example ${LARGE,x7.example}$U%$D@tcp_gw-daemon
         . $U%$H@tcp_gw-daemon",
    );
    assert_eq!(
        answer(&asking, &world, &question),
        "450 4.3.5 mapping table cannot be read"
    );
}

proptest! {
    #[test]
    fn rewriting_ends(
        source in prop::collection::vec(
            (
                prop::sample::select(vec!["a", "b", ".b", "*.b", ".", "$*", "$%", "$!", "[]", "t|a", "t|."]),
                "[ab$UDHLuWTEBFRSAPXMNQCVZ%@|.0-3?~{}()\\[\\],=_^&!*#]{1,16}",
            ),
            0..8,
        ),
        address in "[ab@%!:,\\[\\]\".1]{0,16}",
    ) {
        let source: Vec<SourceRule> = source
            .iter()
            .map(|(pattern, template)| SourceRule::new(pattern, template))
            .collect();
        if let Ok(rules) = Rules::compile(&source) {
            let world = World::new();
            let channel = name("tcp_local");
            let question = Question::envelope_to(&address, &channel);
            let mut events: Vec<Event> = Vec::new();
            let loud = rewrite(&rules, &question, &world, &mut events);
            let silent = rewrite(&rules, &question, &world, &mut Silent);
            prop_assert_eq!(loud, silent);
        }
    }

    #[test]
    fn host_and_domain_are_the_specification(host in "[a-z]{1,3}(\\.[a-z]{1,3}){0,4}", depth in 0..4_usize) {
        let suffix: String = host.match_indices('.').nth(depth).map_or(".".to_owned(), |(at, _)| host[at..].to_owned());
        let text = format!("{suffix} $U%$H$D@tcp_gw-daemon");
        prop_assert_eq!(to(&text, &World::new(), &format!("a@{host}")), format!("a@{host} tcp_gw"));
    }
}
