//! A small server without files of its own: channels, rules, tables, a directory, a queue.

use crate::enqueue::{
    Enqueuer, MailParams, Peer, Protocol, RcptParams, Refusal, ReverseName, Source, Step,
    Transaction,
};
use jiff::Timestamp;
use mta_config::aliases::{AliasEntry, AliasValue, Aliases};
use mta_config::channel::{ChannelBuilder, Defaults};
use mta_config::value::{Kind, Value};
use mta_config::{
    Channel, ChannelOption, Channels, Config, ImageIdentity, MtaOption, MtaOptions, Restricted,
    ServerRoot,
};
use mta_envelope::address::Address;
use mta_envelope::names::ChannelName;
use mta_log::record::Modifiers;
use mta_mapping::{Entry, Tables};
use mta_rewrite::{Rules, SourceRule};
use std::sync::Arc;

pub(super) const CHANNELS: &[(&str, &str, &str)] = &[
    ("l", "mail.example.com", "viaaliasrequired logging"),
    ("ims-ms", "ims-ms-daemon", "subdirs 20 logging"),
    (
        "tcp_local",
        "tcp-daemon",
        "smtp single_sys switchchannel logging remotehost subdirs 20",
    ),
    (
        "tcp_intranet",
        "tcp_intranet-daemon",
        "smtp single_sys allowswitchchannel logging",
    ),
    ("reprocess", "reprocess-daemon", "logging"),
    ("process", "process-daemon", "logging"),
    ("hold", "hold-daemon", "logging"),
    ("bitbucket", "bitbucket-daemon", "logging"),
];

pub(super) const RULES: &[(&str, &str)] = &[
    ("$*", "$A$E$F$U%$H$V$H@mail.example.com"),
    ("mail.example.com", "$U%$D@mail.example.com"),
    ("ims-ms-daemon", "$U%$H@ims-ms-daemon"),
    (".ims-ms-daemon", "$U%$H@ims-ms-daemon"),
    ("hold-daemon", "$U%$H@hold-daemon"),
    (".hold-daemon", "$U%$H@hold-daemon"),
    ("bitbucket-daemon", "$U%$H@bitbucket-daemon"),
    ("[]", "$E$R${INTERNAL_IP,$L}$U%[$L]@tcp_intranet-daemon"),
    (".", "$U%$H@tcp-daemon"),
];

pub(super) const TABLES: &[(&str, &[(&str, &str)])] = &[
    ("INTERNAL_IP", &[("127.0.0.1", "$Y"), ("*", "$N")]),
    (
        "ORIG_SEND_ACCESS",
        &[
            ("tcp_local|*|ims-ms|*", "$N"),
            (
                "tcp_local|*|tcp_local|*@slow.example",
                "$X4.2.1|$NHost$ temporarily$ blocked",
            ),
            ("tcp_local|*|tcp_local|*", "$NRelaying$ not$ allowed"),
        ],
    ),
];

const DIRECTORY: &str = "\
dn: o=example.com
objectClass: mailDomain
sunPreferredDomain: example.com

dn: o=hosted.example
objectClass: mailDomain
sunPreferredDomain: hosted.example

dn: o=asleep.example
objectClass: mailDomain
sunPreferredDomain: asleep.example
mailDomainStatus: inactive

dn: uid=ada,o=example.com
objectClass: inetMailUser
uid: ada
mail: ada@example.com
mailAlternateAddress: lovelace@example.com
mailQuota: 1000000

dn: uid=bob,o=example.com
objectClass: inetMailUser
uid: bob
mail: bob@example.com
mailDeliveryOption: mailbox
mailDeliveryOption: forward
mailForwardingAddress: bob@elsewhere.example

dn: uid=loop,o=example.com
objectClass: inetMailUser
uid: loop
mail: loop@example.com
mailDeliveryOption: forward
mailForwardingAddress: loop@example.com

dn: uid=eve,o=hosted.example
objectClass: inetMailUser
uid: Eve
mail: eve@hosted.example

dn: uid=zoe,o=asleep.example
objectClass: inetMailUser
uid: zoe
mail: zoe@asleep.example

dn: uid=held,o=example.com
objectClass: inetMailUser
uid: held
mail: held@example.com
mailUserStatus: hold

dn: uid=off,o=example.com
objectClass: inetMailUser
uid: off
mail: off@example.com
mailUserStatus: disabled

dn: uid=full,o=example.com
objectClass: inetMailUser
uid: full
mail: full@example.com
mailUserStatus: overquota

dn: cn=team,o=example.com
objectClass: inetMailGroup
mail: team@example.com
mgrpRFC822MailMember: ada@example.com
mgrpRFC822MailMember: friend@elsewhere.example
uniqueMember: uid=bob, o=example.com
mgrpErrorsTo: owner@example.com

dn: cn=half,o=example.com
objectClass: inetMailGroup
mail: half@example.com
mgrpRFC822MailMember: ada@example.com
mgrpRFC822MailMember: nobody@example.com

dn: cn=mixed,o=example.com
objectClass: inetMailGroup
mail: mixed@example.com
mgrpRFC822MailMember: ada@example.com
mgrpRFC822MailMember: far@small.example
mgrpErrorsTo: owner@example.com

dn: cn=closed,o=example.com
objectClass: inetMailGroup
mail: closed@example.com
mgrpRFC822MailMember: ada@example.com
mgrpAllowedDomain: example.com
";

pub(super) struct World {
    pub(super) dir: tempfile::TempDir,
    pub(super) enqueuer: Enqueuer,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_more("", change)
    }

    /// A world with more entries in its directory.
    pub(super) fn with_more(ldif: &str, change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for sub in ["config", "data/queue", "data/log"] {
            std::fs::create_dir_all(dir.path().join(sub)).unwrap();
        }
        let ldif = format!("{DIRECTORY}{ldif}");
        std::fs::write(dir.path().join("config/directory.ldif"), ldif).unwrap();
        let mut config = config();
        change(&mut config);
        let root = ServerRoot::new(dir.path().to_owned());
        let enqueuer = Enqueuer::new(Arc::new(config), &root, "tcp_smtp_server").unwrap();
        Self { dir, enqueuer }
    }

    pub(super) fn begin(&self, source: &str, sender: &str) -> Transaction {
        self.try_begin(source, sender, MailParams::default())
            .unwrap()
    }

    pub(super) fn try_begin(
        &self,
        channel: &str,
        sender: &str,
        params: MailParams,
    ) -> Result<Transaction, Refusal> {
        let sender = Address::parse(sender).ok();
        let source = Arc::new(network(channel));
        self.enqueuer.begin(&source, sender.as_ref(), params, now())
    }

    /// `channel address` of each destination, or the refusal.
    pub(super) fn route(&self, source: &str, recipient: &str) -> Vec<String> {
        let mut steps: Vec<Step> = Vec::new();
        let source = network(source);
        let sender = Address::parse("sender@elsewhere.example").unwrap();
        let params = RcptParams::default();
        let question = crate::enqueue::Question {
            source: &source,
            sender: Some(&sender),
            recipient,
            params: &params,
            size: None,
            given_sender: None,
            counts: (0, 0),
        };
        match self.enqueuer.resolve(&question, &mut steps) {
            Ok(resolution) => {
                let line = |d: &crate::enqueue::Destination| {
                    let held = d.held.as_ref().map_or("", |_| " held");
                    format!("{} {}{held}", d.channel, d.address)
                };
                resolution.destinations.iter().map(line).collect()
            }
            Err(refusal) => vec![refusal.to_string()],
        }
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("data/log/mail.log_current"))
            .unwrap_or_default()
    }

    /// The message files of a channel, as `(name, content)`.
    pub(super) fn files(&self, channel: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut dirs = vec![self.dir.path().join("data/queue").join(channel)];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    let name = path.file_name().unwrap().to_string_lossy().into_owned();
                    found.push((name, std::fs::read_to_string(path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }
}

pub(super) fn now() -> Timestamp {
    "2026-11-23T09:14:02.31Z".parse().unwrap()
}

pub(super) fn network(channel: &str) -> Source {
    Source {
        peer: Some(Peer {
            local: "192.0.2.10:25".parse().unwrap(),
            remote: "198.51.100.7:51544".parse().unwrap(),
            helo: Some("client.example".into()),
            name: ReverseName::Known("c7.client.example".into()),
            show_address: true,
            show_comment: true,
        }),
        protocol: Protocol {
            modifiers: Modifiers {
                esmtp: true,
                ..Modifiers::default()
            },
            cipher: None,
        },
        port_probe: "TCP|192.0.2.10|25|198.51.100.7|51544".into(),
        ..Source::internal(ChannelName::new(channel).unwrap(), "")
    }
}

pub(super) fn rules(table: &[(&str, &str)]) -> Rules {
    let rules: Vec<SourceRule> = table
        .iter()
        .map(|(pattern, template)| SourceRule::new(pattern, template))
        .collect();
    Rules::compile(&rules).unwrap()
}

pub(crate) fn config() -> Config {
    let mut mappings = Tables::default();
    for (name, entries) in TABLES {
        let entries: Vec<Entry<'_>> = entries.iter().map(|(p, t)| Entry::new(p, t)).collect();
        mappings.insert(name, &entries).unwrap();
    }
    Config {
        texts: mta_config::database::TextDatabases::default(),
        identity: ImageIdentity::default(),
        mta: MtaOptions::default(),
        channels: channels(CHANNELS),
        rules: rules(RULES),
        mappings,
        aliases: Aliases::new(1, vec![alias("postmaster", &["ada@example.com"])]),
        delivery: mta_config::delivery::parse(MtaOption::DeliveryOptions.row().default).0,
        dispatcher: mta_config::service::DispatcherOptions::default(),
        job_controller: job_controller(),
        tasks: Vec::new(),
        restricted: Restricted::default(),
        hostname: "mail.example.com".into(),
        default_domain: "example.com".into(),
    }
}

pub(super) fn channels(table: &[(&str, &str, &str)]) -> Channels {
    Channels::from(
        table
            .iter()
            .map(|(name, host, words)| channel(name, host, words))
            .collect::<Vec<_>>(),
    )
}

fn channel(name: &str, host: &str, words: &str) -> Channel {
    let name = ChannelName::new(name).unwrap();
    let mut builder = ChannelBuilder::new(name, &Defaults::default());
    builder.official_host(host);
    let mut words = words.split_whitespace();
    while let Some(word) = words.next() {
        let option = ChannelOption::by_name(word).unwrap_or_else(|| panic!("{word}"));
        let value = match option.row().kind {
            Kind::Flag => Value::Present,
            Kind::Texts(..) => Value::List(vec![words.next().unwrap().to_owned()]),
            kind => kind.read(words.next().unwrap()).unwrap(),
        };
        builder.set(option, value);
    }
    builder.finish(None)
}

pub(super) fn alias(name: &str, values: &[&str]) -> AliasEntry {
    AliasEntry {
        name: name.to_owned(),
        values: values
            .iter()
            .map(|value| AliasValue::parse(value).unwrap())
            .collect(),
        options: Vec::new(),
    }
}

fn job_controller() -> mta_config::pool::JobControllerOptions {
    mta_config::pool::JobControllerOptions {
        default_pool: "DEFAULT".into(),
        first_class_counts: false,
        debug: 0,
        max_cache_messages: 100_000,
        synch_time: mta_config::window::SynchTime::DEFAULT,
        rebuild_parallel_channel: 1,
        stress: mta_config::pool::Stress {
            blackout: 60,
            factor: 1,
            jobs: 1,
            time: 60,
            unfactor: 1,
            unjobs: 1,
            untime: 60,
        },
        windows: mta_config::pool::PriorityWindows::default(),
        pools: Vec::new(),
        classes: Vec::new(),
    }
}
