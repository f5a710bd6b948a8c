use crate::config::Config;
use crate::fault::{FaultKind, LoadFault, Warning};
use crate::paths::ServerRoot;
use crate::{ChannelOption, MtaOption};
use mta_envelope::envelope::Priority;
use mta_envelope::names::ChannelName;

/// A small configuration; `extra` is put behind it, inside `<role>`.
fn text(extra: &str) -> String {
    let body = r##"<?xml version="1.0" encoding="UTF-8"?>
<configuration version="1">
<role>
<group name="base">
<option name="hostname" type="string">mail.example.com</option>
<option name="defaultdomain" type="string">example.com</option>
</group>
<group name="channel" id="defaults">
<option name="notices" type="list">1 2 4 7</option>
<option name="maxjobs" type="integer">7</option>
</group>
<group name="channel" id="tcp_local">
<option name="official_host_name" type="string">tcp-daemon</option>
<option name="single_sys" type="novalue"/>
<option name="pool" type="string">SMTP_POOL</option>
<group name="options"><option name="command_receive_time" type="string">5</option></group>
</group>
<group name="channel" id="l">
<option name="official_host_name" type="string">&amp;/IMTA_HOST/</option>
</group>
<group name="channel" id="process"/>
<group name="rewrite">
<option name="rule" type="rule"><pattern>&amp;/IMTA_HOST/</pattern><template>$U%$D@&amp;/IMTA_HOST/</template></option>
<option name="rule" type="rule"><pattern>.</pattern><template>$U%$H@tcp-daemon</template></option>
</group>
<group name="mapping" id="INTERNAL_IP">
<option name="rule" type="rule"><pattern>127.0.0.1</pattern><template>$Y</template></option>
</group>
<group name="alias" id="postmaster">
<option name="alias_entry" type="string">ada@example.com, bob@example.com</option>
</group>
<group name="dispatcher">
<option name="max_conns" type="integer">50</option>
<group name="service" id="SMTP">
<option name="tcp_ports" type="list">25,2525</option>
<option name="parameter" type="string">CHANNEL=tcp_local</option>
</group>
</group>
<group name="job_controller">
<group name="job_pool" id="SMTP_POOL"><option name="job_limit" type="integer">10</option></group>
<group name="channel_class" id="tcp_*">
<option name="master_command" type="string">IMTA_BIN:tcp_smtp_client</option>
</group>
<group name="channel_class" id="filter_discard"/>
</group>
<group name="schedule"><group name="task" id="return_job">
<option name="crontab" type="string">30 0 * * * lib/return_job</option>
</group></group>
"##;
    format!("{body}{extra}\n</role>\n</configuration>\n")
}

fn root() -> (tempfile::TempDir, ServerRoot) {
    let directory = tempfile::tempdir().unwrap();
    let root = ServerRoot::new(directory.path().to_owned());
    std::fs::create_dir(root.config()).unwrap();
    std::fs::write(root.restricted(), "user=mailsrv\n").unwrap();
    (directory, root)
}

fn load(extra: &str) -> Result<(Config, Vec<Warning>), Vec<LoadFault>> {
    let (_directory, root) = root();
    std::fs::write(root.config_xml(), text(extra)).unwrap();
    Config::from_text(&root)
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

#[test]
fn a_small_configuration_is_read() {
    let (config, warnings) = load("").unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.local_host(), "mail.example.com");
    assert_eq!(config.postmaster().as_str(), "postmaster@mail.example.com");
    assert_eq!(config.restricted.user, "mailsrv");
    let names: Vec<&str> = config
        .channels
        .iter()
        .map(|channel| channel.name().as_str())
        .collect();
    assert_eq!(names, ["l", "tcp_local", "process"]);
    let tcp = config.channel(&channel("tcp_local")).unwrap();
    assert!(tcp.is(ChannelOption::SingleSys) && !tcp.is(ChannelOption::Multiple));
    assert_eq!((tcp.maxjobs(), tcp.pool()), (7, Some("SMTP_POOL")));
    assert_eq!(tcp.notices(Priority::Normal), [1, 2, 4, 7]);
    assert_eq!(tcp.option_time("COMMAND_RECEIVE_TIME", 10.0).as_secs(), 300);
    assert_eq!(tcp.option_time("DATA_RECEIVE_TIME", 5.0).as_secs(), 300);
    let process = config.channel(&channel("process")).unwrap();
    assert_eq!(process.official_host(), "process.mail.example.com");
    let (found, proper) = config.channels.by_host("TCP-Daemon").unwrap();
    assert_eq!((found.name().as_str(), proper), ("tcp_local", None));
    assert_eq!(config.rules.len(), 2);
    assert_eq!(config.rules.in_memory()[0].pattern(), "mail.example.com");
    assert_eq!(
        config
            .aliases
            .get("Postmaster")
            .unwrap()
            .unwrap()
            .values
            .len(),
        2
    );
    assert_eq!(config.delivery.len(), 10);
    assert_eq!(crate::image::identity(&config).fixed.len(), 16);
}

#[test]
fn services_pools_and_tasks_have_their_defaults() {
    let (config, _) = load("").unwrap();
    let smtp = config.dispatcher.service("smtp").unwrap();
    assert_eq!(smtp.tcp_ports, [25, 2525]);
    assert_eq!(smtp.image, "IMTA_BIN:tcp_smtp_server");
    assert_eq!((smtp.max_conns, smtp.max_procs, smtp.min_procs), (50, 5, 0));
    assert_eq!(
        (smtp.backlog, smtp.max_life_conns, smtp.enable),
        (250, 100, true)
    );
    assert_eq!(smtp.channel().unwrap().as_str(), "tcp_local");
    let jobs = &config.job_controller;
    let class = jobs.class_for(&channel("tcp_local")).unwrap();
    assert_eq!(
        (class.max_life_time, class.max_life_askwork, class.anon_host),
        (1800, 300, false)
    );
    let none = jobs.class_for(&channel("filter_discard")).unwrap();
    assert_eq!(none.master_command, None);
    assert!(jobs.class_for(&channel("process")).is_none());
    assert_eq!(jobs.max_cache_messages, 100_000);
    assert_eq!(config.tasks[0].command, "lib/return_job");
}

#[test]
fn an_instance_s_value_wins() {
    let extra = r#"</role><instance>
<group name="mta"><option name="mm_debug" type="integer">5</option></group>
<group name="channel" id="tcp_local"><option name="multiple" type="novalue"/></group>
<group name="alias" id="postmaster"><option name="alias_entry" type="string">eve@example.com</option></group>
</instance><role><group name="mta"><option name="mm_debug" type="integer">1</option></group>"#;
    let (config, _) = load(extra).unwrap();
    assert_eq!(config.mta.int(MtaOption::MmDebug), 5);
    let tcp = config.channel(&channel("tcp_local")).unwrap();
    assert!(tcp.is(ChannelOption::Multiple) && !tcp.is(ChannelOption::SingleSys));
    assert_eq!(
        config
            .aliases
            .get("postmaster")
            .unwrap()
            .unwrap()
            .values
            .len(),
        1
    );
}

/// Kind, name, line below the small configuration (counted from its end), whether quoted.
fn faults(extra: &str) -> Vec<String> {
    let lines = text("").lines().count() - 3;
    let found = load(extra).expect_err(extra);
    let describe = |fault: &LoadFault| {
        let line = fault
            .origin
            .line
            .map_or(0, |line| line.saturating_sub(lines));
        let quoted = fault.origin.text.as_deref().unwrap_or("-");
        assert!(fault.origin.line.is_none() || text(extra).lines().any(|line| line == quoted));
        format!("{} [{}] {line}", fault.kind, fault.name)
    };
    found.iter().map(describe).collect()
}

#[test]
fn faults_name_text_and_line() {
    let channel = |words: &str| format!("<group name=\"channel\" id=\"x\">\n{words}\n</group>");
    let option = |name: &str, kind: &str, text: &str| {
        format!("<option name=\"{name}\" type=\"{kind}\">{text}</option>")
    };
    let group = |name: &str, id: &str, inside: &str| {
        format!("<group name=\"{name}\" id=\"{id}\">\n{inside}\n</group>")
    };
    let rule = |pattern: &str, template: &str| {
        format!(
            "<option name=\"rule\" type=\"rule\"><pattern>{pattern}</pattern><template>{template}</template></option>"
        )
    };
    let long = "a".repeat(129);
    let table = [
        (
            format!(
                "<group name=\"mta\">\n{}\n</group>",
                option("max_received_lines", "string", "many")
            ),
            "invalid value for MTA option [max_received_lines: expected integer] 2".to_owned(),
        ),
        (
            channel(&option("official_host_name", "string", "TCP-daemon")),
            "duplicate host in channel table [TCP-daemon] 2".to_owned(),
        ),
        (
            channel(&option("additional_host_names", "string", "tcp-daemon b")),
            "duplicate host in channel table [tcp-daemon] 2".to_owned(),
        ),
        (
            channel(&option("official_host_name", "string", "")),
            "no official host name for channel [x] 2".to_owned(),
        ),
        (
            channel(&option("official_host_name", "string", &long)),
            format!("official host name is too long [{long}] 2"),
        ),
        (
            channel(&option("local_host_alias", "string", &long)),
            format!("local host alias or proper name too long for system [{long}] 2"),
        ),
        (
            channel(&option("maxjobs", "string", "many")),
            "invalid value for option [maxjobs: expected integer] 2".to_owned(),
        ),
        (
            channel(&option("nosuch", "string", "1")),
            "unknown option [channel:x.nosuch] 2".to_owned(),
        ),
        (
            group("channel", "TCP", &option("maxjobs", "integer", "1")),
            "invalid channel name [TCP] 2".to_owned(),
        ),
        (
            group(
                "channel",
                &"a".repeat(33),
                &option("maxjobs", "integer", "1"),
            ),
            format!("channel name is too long [{}] 2", "a".repeat(33)),
        ),
        (
            group("mapping", "internal_ip", &rule("a", "b")),
            "duplicate mapping name found [internal_ip] 2".to_owned(),
        ),
        (
            group("mapping", &"M".repeat(33), &rule("a", "b")),
            format!("mapping name is too long [{}] 2", "M".repeat(33)),
        ),
        (
            group("mapping", "X", &rule("a", "b c")),
            "unquoted white space in template [X] 2".to_owned(),
        ),
        (
            group(
                "alias",
                "POSTMASTER",
                &option("alias_entry", "string", "x@y"),
            ),
            "duplicate aliases found [POSTMASTER] 2".to_owned(),
        ),
        (
            group("alias", "a", &option("alias_entry", "string", "")),
            "no equivalence addresses for alias [a] 2".to_owned(),
        ),
        (
            group("alias", "a", &option("alias_entry", "string", "\"x@y")),
            "bad equivalence for alias [a] 2".to_owned(),
        ),
        (
            format!("<group name=\"rewrite\">\n{}\n</group>", rule("a", "")),
            "rewrite rule without template [a] 2".to_owned(),
        ),
        (
            format!(
                "<group name=\"rewrite\">\n{}\n</group>",
                rule("a", "$U%b c@d")
            ),
            "unquoted white space in template [a] 2".to_owned(),
        ),
    ];
    for (extra, expected) in table {
        assert!(
            faults(&extra).contains(&expected),
            "{expected}: {:?}",
            faults(&extra)
        );
    }
}

#[test]
fn every_fault_of_a_file_is_found_at_once() {
    let extra = r#"<group name="mta">
<option name="max_received_lines" type="string">many</option>
<option name="mm_debug" type="string">much</option>
</group>"#;
    assert_eq!(faults(extra).len(), 2);
}

#[test]
fn what_is_only_odd_is_a_warning() {
    let extra = r#"<group name="mta"><option name="nosuch" type="string">1</option>
<option name="delivery_options" type="string">*mailbox=x, junk</option></group>
<group name="channel" id="tcp_x"><option name="pool" type="string">NOPOOL</option>
<option name="group_ids" type="string">dentnonenumeric</option></group>
<group name="rewrite"><option name="rule" type="rule"><pattern>a.b</pattern><template>$U%$D@no-daemon</template></option></group>
<group name="mapping" id="LONELY"><option name="rule" type="rule"><pattern>a</pattern><template>b</template></option></group>
<group name="job_controller"><group name="job_pool" id="P">
<option name="urgent_delivery" type="string">help</option></group></group>"#;
    let (config, warnings) = load(extra).unwrap();
    let texts: Vec<String> = warnings
        .iter()
        .map(|w| format!("{}: {}", w.kind, w.name))
        .collect();
    assert_eq!(
        texts,
        [
            "unknown MTA option: nosuch",
            "unknown keyword on channel taken as group id: tcp_x dentnonenumeric",
            "delivery option clause not understood: junk",
            "delivery window not understood, taken as always: help",
            "pool not defined for channel: tcp_x NOPOOL",
            "rewrite rule routes to unknown host: no-daemon",
            "mapping table not referenced: LONELY",
        ]
    );
    let channel = config.channel(&channel("tcp_x")).unwrap();
    assert_eq!(channel.group_words(), ["dentnonenumeric"]);
}

#[test]
fn a_conversion_channel_that_is_missing_is_a_warning() {
    let warned = |templates: &[&str], channel: &str| -> Vec<String> {
        let rule = |template: &&str| {
            let rule = format!("<pattern>*</pattern><template>{template}</template>");
            format!("<option name=\"rule\" type=\"rule\">{rule}</option>")
        };
        let rules: String = templates.iter().map(rule).collect();
        let extra = format!(
            "<group name=\"channel\" id=\"{channel}\"/>\
             <group name=\"mapping\" id=\"CONVERSIONS\">{rules}</group>"
        );
        let (_, warnings) = load(&extra).unwrap();
        warnings
            .iter()
            .map(|w| format!("{}: {}", w.kind, w.name))
            .collect()
    };
    let missing = |name: &str| format!("CONVERSIONS names a channel that is not defined: {name}");
    assert_eq!(warned(&["Yes"], "x"), [missing("conversion")]);
    assert_eq!(warned(&["Yes,Channel=scan", "No"], "x"), [missing("scan")]);
    let fine = ["Yes", "No,Channel=scan", "Yes,Channel=$0"];
    assert_eq!(warned(&fine, "conversion"), [""; 0]);
}

#[test]
fn all_wrong_values_are_reported_and_a_bad_alias_once() {
    let long = "a".repeat(300);
    let extra = format!(
        "<group name=\"mta\">\n\
        <option name=\"mm_debug\" type=\"integer\">five</option>\n\
        <option name=\"max_received_lines\" type=\"integer\">six</option>\n</group>\n\
        <group name=\"alias\" id=\"x\">\n\
        <option name=\"alias_entry\" type=\"string\">{long}@example.com</option>\n</group>"
    );
    let faults = load(&extra).unwrap_err();
    let kinds: Vec<FaultKind> = faults.iter().map(|fault| fault.kind).collect();
    use FaultKind::{BadEquivalence, BadMtaValue};
    assert_eq!(kinds, [BadMtaValue, BadMtaValue, BadEquivalence]);
}

#[test]
fn the_offending_text_is_shown_however_it_is_written() {
    let extra = "<group name=\"mapping\" id=\"T\">\n\
        <option name=\"rule\" type=\"rule\">\n\
        <pattern>a</pattern>\n<template>b c</template>\n</option>\n</group>";
    let faults = load(extra).unwrap_err();
    assert_eq!(faults[0].origin.text.as_deref(), Some("a b c"));

    let (_directory, root) = root();
    let text = format!("{}\njunk\n", text_of_nothing());
    std::fs::write(root.config_xml(), text).unwrap();
    let faults = Config::from_text(&root).unwrap_err();
    assert_eq!(faults[0].origin.line, Some(2));
    assert_eq!(faults[0].origin.text.as_deref(), Some("junk"));
}

#[test]
fn missing_files_are_named() {
    let (_directory, root) = root();
    let faults = Config::from_text(&root).unwrap_err();
    let text = faults[0].to_string();
    assert!(
        text.starts_with("Error in mm_init: cannot open configuration file: "),
        "{text}"
    );
    assert!(text.ends_with("config/config.xml"), "{text}");
    std::fs::write(root.config_xml(), text_of_nothing()).unwrap();
    std::fs::remove_file(root.restricted()).unwrap();
    let faults = Config::from_text(&root).unwrap_err();
    assert!(
        faults
            .iter()
            .any(|fault| fault.to_string().ends_with("config/restricted.cnf"))
    );
    assert!(
        faults
            .iter()
            .any(|fault| fault.kind == FaultKind::NoLocalChannel)
    );
}

fn text_of_nothing() -> &'static str {
    "<configuration version=\"1\"><role/></configuration>"
}

#[test]
fn a_hundred_thousand_aliases_load_in_linear_time() {
    let mut extra = String::with_capacity(12 << 20);
    for number in 0..100_000 {
        extra.push_str(&format!(
            "<group name=\"alias\" id=\"list{number}\"><option name=\"alias_entry\" type=\"string\">user{number}@example.com</option></group>\n"
        ));
    }
    let begun = std::time::Instant::now();
    let (config, _) = load(&extra).unwrap();
    assert_eq!(config.aliases.len(), 100_001);
    // A square of that would take minutes.
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
