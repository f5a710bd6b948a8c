//! The option tree of a fresh installation: the product's own channels, rewrite rules, mapping
//! tables, services, pools, classes and tasks, for those channels that exist.

use super::plan::Plan;
use mta_config::source::name::{Path, Scope, Segment};
use mta_config::source::schema::default_scope;
use mta_config::source::tree::{Content, Tree};

/// What all channels have unless they say otherwise. Nothing here, or below, that no code uses:
/// `cnbuild -unused` of a new configuration prints nothing.
const DEFAULTS: &[(&str, &str)] = &[
    ("logging", ""),
    ("notices", "1 2 4 7"),
    ("copywarnpost", ""),
    ("copysendpost", ""),
    ("postheadonly", ""),
    ("noswitchchannel", ""),
    ("maxjobs", "7"),
    ("defaulthost", "&/IMTA_DEFAULTDOMAIN/ &/IMTA_DEFAULTDOMAIN/"),
];

/// Name, official host and words of each channel.
type ChannelBlock = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const CHANNELS: &[ChannelBlock] = &[
    (
        "l",
        "&/IMTA_HOST/",
        &[
            ("subdirs", "20"),
            ("viaaliasrequired", ""),
            ("maxjobs", "7"),
            ("pool", "LOCAL_POOL"),
        ],
    ),
    (
        "ims-ms",
        "ims-ms-daemon",
        &[
            ("subdirs", "20"),
            ("notices", "1 7 14 21 28"),
            ("backoff", "pt5m pt10m pt30m pt1h pt2h pt4h"),
            ("maxjobs", "2"),
            ("pool", "IMS_POOL"),
        ],
    ),
    (
        "tcp_local",
        "tcp-daemon",
        &[
            ("smtp", ""),
            ("mx", ""),
            ("single_sys", ""),
            ("remotehost", ""),
            ("switchchannel", ""),
            ("identnonenumeric", ""),
            ("subdirs", "20"),
            ("maxjobs", "7"),
            ("pool", "SMTP_POOL"),
            ("maytlsserver", ""),
            ("maysaslserver", ""),
            ("saslswitchchannel", "tcp_auth"),
            ("missingrecipientpolicy", "0"),
        ],
    ),
    (
        "tcp_intranet",
        "tcp_intranet-daemon",
        &[
            ("smtp", ""),
            ("mx", ""),
            ("single_sys", ""),
            ("subdirs", "20"),
            ("dequeue_removeroute", ""),
            ("maxjobs", "7"),
            ("pool", "SMTP_POOL"),
            ("maytlsserver", ""),
            ("allowswitchchannel", ""),
            ("saslswitchchannel", "tcp_auth"),
            ("missingrecipientpolicy", "4"),
        ],
    ),
    (
        "tcp_submit",
        "tcp_submit-daemon",
        &[
            ("smtp", ""),
            ("mx", ""),
            ("single_sys", ""),
            ("mustsaslserver", ""),
            ("maytlsserver", ""),
            ("missingrecipientpolicy", "4"),
        ],
    ),
    (
        "tcp_auth",
        "tcp_auth-daemon",
        &[
            ("smtp", ""),
            ("mx", ""),
            ("single_sys", ""),
            ("mustsaslserver", ""),
            ("noswitchchannel", ""),
            ("missingrecipientpolicy", "4"),
        ],
    ),
    ("conversion", "conversion-daemon", &[]),
    ("process", "process-daemon", &[]),
    ("reprocess", "reprocess-daemon", &[]),
    ("hold", "hold-daemon", &[]),
    ("bitbucket", "bitbucket-daemon", &[]),
];

/// Rules before those that each channel has.
const RULES: &[(&str, &str)] = &[
    ("$*", "$A$E$F$U%$H$V$H@&/IMTA_HOST/"),
    ("&/IMTA_HOST/", "$U%$D@&/IMTA_HOST/"),
    ("&/IMTA_DEFAULTDOMAIN/", "$U%$D@&/IMTA_HOST/"),
    ("[]", "$E$R${INTERNAL_IP,$L}$U%[$L]@tcp_intranet-daemon"),
    ("[]", "$U%[$L]@tcp-daemon"),
];

/// Channels that are reached by address: delivery options and aliases name them, and
/// ORIG_SEND_ACCESS refuses who names them from outside.
///
/// Not so the channels that send on what they get, `tcp_intranet`, `conversion`, `process` and
/// `reprocess`:
/// with a rule `.process-daemon`, everybody could have `user@elsewhere.process-daemon` relayed.
/// Their rules lead to them without one.
const ADDRESSED: &[&str] = &["ims-ms-daemon", "hold-daemon", "bitbucket-daemon"];

/// Channels that `delivery_options` names and that only a site that has them configures. Without
/// a rule the last one would have their mail sent to whatever host the DNS knows by that name;
/// with such a one it goes there once the channel exists.
const MISSING: &[(&str, &str)] = &[
    (
        "native-daemon",
        "$4003005?no channel native for this delivery option",
    ),
    (
        "pipe-daemon",
        "$4003005?no channel pipe for this delivery option",
    ),
];

/// Everything else goes out.
const LAST_RULE: (&str, &str) = (".", "$U%$H@tcp-daemon");

const PORT_ACCESS: &[(&str, &str)] = &[
    ("*|*|*|*|*", "$C$|INTERNAL_IP;$3|$Y$E"),
    ("*", "$YEXTERNAL"),
];

/// Channels of the mail system itself must not be reached from outside, and nobody outside may
/// send through us to the outside.
const ORIG_SEND_ACCESS: &[(&str, &str)] = &[
    ("tcp_local|*|native|*", "$N"),
    ("tcp_local|*|hold|*", "$N"),
    ("tcp_local|*|pipe|*", "$N"),
    ("tcp_local|*|ims-ms|*", "$N"),
    ("tcp_local|*|process|*", "$N"),
    ("tcp_local|*|bitbucket|*", "$N"),
    ("tcp_local|*|tcp_local|*", "$NRelaying$ not$ allowed"),
];

/// Settings that depend on nothing.
const PLAIN: &[(&str, &str)] = &[
    ("dispatcher.max_life_conns", "10000"),
    ("dispatcher.service:SMTP.image", "IMTA_BIN:tcp_smtp_server"),
    (
        "dispatcher.service:SMTP.logfilename",
        "IMTA_LOG:tcp_smtp_server.log",
    ),
    ("dispatcher.service:SMTP.parameter", "CHANNEL=tcp_local"),
    (
        "dispatcher.service:SMTP_SUBMIT.image",
        "IMTA_BIN:tcp_smtp_server",
    ),
    (
        "dispatcher.service:SMTP_SUBMIT.logfilename",
        "IMTA_LOG:tcp_submit_server.log",
    ),
    (
        "dispatcher.service:SMTP_SUBMIT.parameter",
        "CHANNEL=tcp_submit",
    ),
    ("job_controller.max_cache_messages", "2000000"),
    ("job_controller.job_pool:DEFAULT.job_limit", "10"),
    ("job_controller.job_pool:IMS_POOL.job_limit", "2"),
    ("job_controller.job_pool:SMTP_POOL.job_limit", "10"),
    (
        "job_controller.channel_class:bitbucket.master_command",
        "IMTA_BIN:bitbucket",
    ),
    (
        "job_controller.channel_class:conversion*.master_command",
        "IMTA_BIN:conversion",
    ),
    (
        "job_controller.channel_class:hold.master_command",
        "IMTA_BIN:reprocess",
    ),
    (
        "job_controller.channel_class:ims-ms*.master_command",
        "IMTA_BIN:ims_master",
    ),
    (
        "job_controller.channel_class:ims-ms*.max_life_askwork",
        "20000",
    ),
    (
        "job_controller.channel_class:ims-ms*.max_life_time",
        "14400",
    ),
    (
        "job_controller.channel_class:process*.master_command",
        "IMTA_BIN:reprocess",
    ),
    (
        "job_controller.channel_class:reprocess*.master_command",
        "IMTA_BIN:reprocess",
    ),
    (
        "job_controller.channel_class:tcp_*.master_command",
        "IMTA_BIN:tcp_smtp_client",
    ),
    (
        "job_controller.channel_class:tcp_*.max_life_askwork",
        "20000",
    ),
    (
        "schedule.task:purge.crontab",
        "0 0,4,8,12,16,20 * * * bin/imsimta purge -num=5",
    ),
    (
        "schedule.task:return_job.crontab",
        "30 0 * * * lib/return_job",
    ),
];

/// Where the ports of submission under TLS are set. Without a certificate such a port can only
/// close what connects to it, which its server's log and `configure` say.
const SSL_PORTS: &str = "dispatcher.service:SMTP_SUBMIT.ssl_ports";

/// The tree for a plan.
pub(super) fn tree(plan: &Plan) -> Tree {
    let mut tree = Tree::default();
    let mut set = |name: &str, text: &str| {
        let path = Path::parse(name).expect("the names of this file are names");
        put(&mut tree, path, text_or_nothing(text));
    };
    set("base.hostname", &plan.host);
    set("base.defaultdomain", &plan.domains[0]);
    if let Some(address) = plan.listen {
        set("base.listenaddr", &address.to_string());
    }
    if let Some(servers) = &plan.nameservers {
        set("mta.dns_nameservers", servers);
    }
    set(SSL_PORTS, &plan.ports.smtps.to_string());
    if let Some((certificate, key)) = &plan.tls {
        set("mta.tls_certificate", &certificate.to_string_lossy());
        set("mta.tls_key", &key.to_string_lossy());
    }
    for (name, text) in PLAIN {
        set(name, text);
    }
    set(
        "dispatcher.service:SMTP.tcp_ports",
        &plan.ports.smtp.to_string(),
    );
    set(
        "dispatcher.service:SMTP_SUBMIT.tcp_ports",
        &plan.ports.submit.to_string(),
    );
    if let Some(postmaster) = &plan.postmaster {
        set("alias:postmaster.alias_entry", postmaster);
        set("alias:root.alias_entry", "postmaster");
    }
    channels(&mut tree);
    rules(&mut tree);
    mapping(&mut tree, "PORT_ACCESS", PORT_ACCESS.iter().copied());
    let internal = plan.internal.iter().map(|pattern| (pattern.as_str(), "$Y"));
    mapping(&mut tree, "INTERNAL_IP", internal.chain([("*", "$N")]));
    mapping(
        &mut tree,
        "ORIG_SEND_ACCESS",
        ORIG_SEND_ACCESS.iter().copied(),
    );
    tree
}

fn text_or_nothing(text: &str) -> Content {
    if text.is_empty() {
        Content::Novalue
    } else {
        Content::Text(text.to_owned())
    }
}

fn put(tree: &mut Tree, path: Path, content: Content) {
    tree.append(default_scope(&path), path, content.into());
}

fn channels(tree: &mut Tree) {
    let mut word = |channel: &str, name: &str, text: &str| {
        let path = Path(vec![Segment::of("channel", channel), Segment::plain(name)]);
        put(tree, path, text_or_nothing(text));
    };
    for (name, text) in DEFAULTS {
        word("defaults", name, text);
    }
    for (channel, host, words) in CHANNELS {
        word(channel, "official_host_name", host);
        for (name, text) in *words {
            word(channel, name, text);
        }
    }
}

fn rules(tree: &mut Tree) {
    let path = || Path(vec![Segment::plain("rewrite"), Segment::plain("rule")]);
    let mut rule = |pattern: String, template: String| {
        tree.append(Scope::Role, path(), Content::Rule(pattern, template).into());
    };
    for (pattern, template) in RULES.iter().chain(MISSING) {
        rule((*pattern).to_owned(), (*template).to_owned());
    }
    for host in ADDRESSED {
        rule((*host).to_owned(), format!("$U%$H@{host}"));
        rule(format!(".{host}"), format!("$U%$H@{host}"));
    }
    rule(LAST_RULE.0.to_owned(), LAST_RULE.1.to_owned());
}

fn mapping<'a>(tree: &mut Tree, name: &str, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    for (pattern, template) in entries {
        let path = Path(vec![Segment::of("mapping", name), Segment::plain("rule")]);
        let content = Content::Rule(pattern.to_owned(), template.to_owned());
        tree.append(Scope::Role, path, content.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configure::Arguments;
    use mta_config::source::save;
    use mta_config::{ChannelOption, Config, Restricted, ServerRoot};
    use mta_envelope::names::ChannelName;
    use mta_mapping::{Callouts, Input, NoCallouts, Tables, TemporaryFailure};
    use mta_process::privilege::Identity;
    use mta_rewrite::{Owner, Question, Surroundings, rewrite};

    fn arguments() -> Arguments {
        Arguments {
            host: Some("mail.example.com".into()),
            domains: vec!["example.com".into(), "example.org".into()],
            listen: Some([127, 0, 0, 1].into()),
            smtp_port: 2525,
            submit_port: 2587,
            smtps_port: 2465,
            nameservers: vec!["127.0.0.1:5300".into()],
            internal_networks: vec!["192.0.2.0/24".into(), "::1".into()],
            accounts: vec!["ada@example.com".into()],
            user: None,
            ..Arguments::default()
        }
    }

    fn loaded() -> Config {
        let plan = Plan::for_user(&arguments(), Identity::current()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let root = ServerRoot::new(directory.path().to_owned());
        std::fs::create_dir(root.config()).unwrap();
        let accounts = Restricted {
            user: "mailsrv".into(),
            ..Restricted::default()
        };
        let text = mta_config::source::write_restricted(&accounts);
        std::fs::write(root.restricted(), text).unwrap();
        let note = save::Note {
            time: 0,
            user: "mailsrv",
            remark: "",
        };
        save::save(&root, &tree(&plan), note).unwrap();
        match Config::from_text(&root) {
            Ok((config, warnings)) => {
                let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
                assert_eq!(texts, Vec::<String>::new());
                config
            }
            Err(faults) => panic!("{}", faults[0]),
        }
    }

    #[test]
    fn the_first_configuration_says_nothing_that_no_code_hears() {
        let plan = Plan::for_user(&arguments(), Identity::current()).unwrap();
        let unused = mta_config::source::unused(&tree(&plan));
        assert_eq!(unused, Vec::<String>::new());
    }

    #[test]
    fn the_first_configuration_loads_without_a_warning() {
        let config = loaded();
        assert_eq!(config.local_host(), "mail.example.com");
        let name = |name| ChannelName::new(name).unwrap();
        let tcp = config.channel(&name("tcp_local")).unwrap();
        assert!(tcp.is(ChannelOption::Switchchannel) && tcp.is(ChannelOption::Maytlsserver));
        assert!(tcp.is(ChannelOption::Copysendpost) && tcp.is(ChannelOption::Logging));
        assert_eq!(
            tcp.list(ChannelOption::Defaulthost),
            ["example.com", "example.com"]
        );
        let jobs = &config.job_controller;
        for channel in config
            .channels
            .iter()
            .filter(|channel| channel.name().as_str() != "l")
        {
            let class = jobs.class_for(channel.name());
            let command = class.and_then(|class| class.master_command.as_deref());
            assert!(command.is_some(), "{}", channel.name());
            assert!(jobs.pool_of(channel).is_some(), "{}", channel.name());
        }
        let submit = config.dispatcher.service("SMTP_SUBMIT").unwrap();
        assert_eq!(
            (submit.tcp_ports.as_slice(), submit.ssl_ports.as_slice()),
            (&[2587][..], &[2465][..])
        );
        assert_eq!(submit.interface_address, Some([127, 0, 0, 1].into()));
        assert_eq!(submit.max_life_conns, 10_000);
        assert_eq!(config.tasks.len(), 2);
    }

    #[test]
    fn internal_hosts_are_internal() {
        let config = loaded();
        for (address, internal) in [
            ("192.0.2.77", true),
            ("::1", true),
            ("127.0.0.1", false),
            ("198.51.100.1", false),
        ] {
            let input = Input::of(address);
            let silent = &mut mta_mapping::Silent;
            let mapped = config
                .mappings
                .map("INTERNAL_IP", &input, &NoCallouts, silent);
            assert_eq!(mapped.flags.contains('Y'), internal, "{address}");
        }
    }

    /// The configuration as rewriting sees it; the directory knows both domains.
    struct World(Config);

    impl Callouts for World {}

    impl Surroundings for World {
        fn tables(&self) -> &Tables {
            &self.0.mappings
        }

        fn local_host(&self) -> &str {
            self.0.local_host()
        }

        fn channel_owning(&self, host: &str) -> Option<Owner<'_>> {
            let (channel, _) = self.0.channels.by_host(host)?;
            Some(match channel.name().as_str() {
                "l" => Owner::local(channel.name(), channel.official_host()),
                _ => Owner::of(channel.name(), channel.official_host()),
            })
        }

        fn domain_is_local(&self, domain: &str) -> Result<bool, TemporaryFailure> {
            Ok(["example.com", "example.org"].contains(&domain))
        }
    }

    #[test]
    fn addresses_find_their_channels() {
        let world = World(loaded());
        let source = ChannelName::new("tcp_local").unwrap();
        // Where a rule leaves no domain, the enqueue path puts the channel's own host.
        let table = [
            ("ada@example.com", "l", "ada@example.com"),
            ("bob@example.org", "l", "bob@example.org"),
            ("ada@mail.example.com", "l", "ada@mail.example.com"),
            ("eve@example.net", "tcp_local", "eve@example.net"),
            ("eve@[198.51.100.7]", "tcp_local", "eve@[198.51.100.7]"),
            ("ada@ims-ms-daemon", "ims-ms", "ada@"),
            ("ada@bitbucket-daemon", "bitbucket", "ada@"),
            // Channels that send on are not reached by address: that would be a relay.
            (
                "eve@example.net.tcp_intranet-daemon",
                "tcp_local",
                "eve@example.net.tcp_intranet-daemon",
            ),
            (
                "eve%example.net@process-daemon",
                "tcp_local",
                "eve%example.net@process-daemon",
            ),
            (
                "eve@example.net.reprocess-daemon",
                "tcp_local",
                "eve@example.net.reprocess-daemon",
            ),
        ];
        for (address, channel, rewritten) in table {
            let question = Question::envelope_to(address, &source);
            let silent = &mut mta_rewrite::Silent;
            let found = rewrite(&world.0.rules, &question, &world, silent).unwrap();
            let found = (found.channel.as_str(), found.address.as_str());
            assert_eq!(found, (channel, rewritten), "{address}");
        }
    }

    #[test]
    fn a_delivery_option_without_its_channel_waits() {
        let world = World(loaded());
        let source = ChannelName::new("tcp_local").unwrap();
        for (address, text) in [
            (
                "ada@native-daemon",
                "no channel native for this delivery option",
            ),
            (
                "prog%ada@pipe-daemon",
                "no channel pipe for this delivery option",
            ),
        ] {
            let question = Question::envelope_to(address, &source);
            let silent = &mut mta_rewrite::Silent;
            let error = rewrite(&world.0.rules, &question, &world, silent).unwrap_err();
            assert_eq!(error.text, text);
            assert_eq!(error.status.to_string(), "4.3.5");
        }
    }

    #[test]
    fn the_address_of_an_internal_host_switches_to_the_intranet() {
        let world = World(loaded());
        let source = ChannelName::new("tcp_local").unwrap();
        for (address, channel) in [
            ("x@[192.0.2.77]", "tcp_intranet"),
            ("x@[127.0.0.1]", "tcp_local"),
        ] {
            let question = Question::envelope_from(address, &source, None);
            let silent = &mut mta_rewrite::Silent;
            let found = rewrite(&world.0.rules, &question, &world, silent).unwrap();
            assert_eq!(found.channel.as_str(), channel, "{address}");
        }
    }
}
