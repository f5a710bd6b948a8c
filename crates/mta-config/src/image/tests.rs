use super::*;
use crate::aliases::{AliasEntry, AliasValue, Aliases};
use crate::channel::{ChannelBuilder, ChannelOption, Defaults};
use crate::database::{Kind, TextDatabases};
use crate::option::MtaOption;
use crate::pool::{ChannelClass, Pool, PriorityWindows, Stress};
use crate::service::Service;
use crate::value::Value;
use crate::window::{SynchTime, Windows};
use mta_envelope::names::{ChannelName, PoolName, ServiceName};
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A configuration that has something of everything.
fn config() -> Config {
    let mut mta = MtaOptions::default();
    mta.set(MtaOption::MmDebug, Value::Integer(5));
    mta.set(MtaOption::ReturnPersonal, Value::Text("Post".into()));
    mta.set(
        MtaOption::DnsNameservers,
        Value::List(vec!["127.0.0.1:53".into()]),
    );
    let mut channel = ChannelBuilder::new(ChannelName::new("l").unwrap(), &Defaults::default());
    channel.official_host("mail.example.com");
    channel.local_host_alias("alias.example.com");
    channel.host("other.example.com", Some("proper.example.com"));
    channel.set(ChannelOption::Subdirs, Value::Integer(20));
    channel.set(ChannelOption::Notices, Value::Numbers(vec![1, 2]));
    channel.set(ChannelOption::Single, Value::Present);
    channel.option("BANNER_HOST", "x");
    channel.group_word("staff");
    let rules = [mta_rewrite::SourceRule::new(
        ".example.com",
        "$U%$H$D@mail.example.com",
    )];
    let mut mappings = mta_mapping::Tables::default();
    let entry = mta_mapping::Entry::new("$(192.0.2.0/24)|*", "$Y$0");
    mappings.insert("INTERNAL_IP", &[entry]).unwrap();
    let alias = AliasEntry {
        name: "postmaster".into(),
        values: vec![
            AliasValue::Address("ada@example.com".into()),
            AliasValue::File("x".into()),
        ],
        options: vec![("blocklimit".into(), "5".into())],
    };
    Config {
        texts: TextDatabases::default(),
        identity: ImageIdentity::default(),
        mta,
        channels: vec![channel.finish(None)].into(),
        rules: mta_rewrite::Rules::compile(&rules).unwrap(),
        mappings,
        aliases: Aliases::new(1, vec![alias]),
        delivery: crate::delivery::parse("*mailbox=$M@ims-ms-daemon").0,
        dispatcher: DispatcherOptions {
            debug: 1,
            historical_time: 120,
            services: vec![service()],
        },
        job_controller: jobs(),
        tasks: vec![Task {
            name: "purge".into(),
            crontab: "0 0 * * *".into(),
            command: "bin/imsimta purge".into(),
            enabled: true,
        }],
        restricted: Restricted {
            user: "mailsrv".into(),
            group: Some("mail".into()),
            noprivuser: None,
        },
        hostname: "mail.example.com".into(),
        default_domain: "example.com".into(),
    }
}

fn divided(config: &Config) -> Composed {
    divide(config, &mut |_, _| ()).unwrap()
}

/// Key and value.
type Record = (Vec<u8>, Vec<u8>);

/// The halves of its core, and its records.
fn encoded(config: &Config) -> (Vec<u8>, Vec<u8>, Vec<Record>) {
    let mut records: Vec<Record> = Vec::new();
    let composed = divide(config, &mut |key, record| {
        assert!(records.last().is_none_or(|(last, _)| last.as_slice() < key));
        records.push((key.to_vec(), record.to_vec()));
    });
    let composed = composed.unwrap();
    (composed.fixed, composed.reloadable, records)
}

/// A configuration of which each part has entries beside the core.
fn large() -> Config {
    let mut config = config();
    let rules: Vec<mta_rewrite::SourceRule> = (0..100)
        .map(|n| mta_rewrite::SourceRule::new(&format!("d{n}.example.com"), "$U%$D@l"))
        .collect();
    config.rules = mta_rewrite::Rules::compile(&rules).unwrap();
    let hosts: Vec<String> = (0..100)
        .map(|n| match n % 2 {
            0 => format!("TCP|*|25|10.1.2.{n}|*"),
            _ => format!("TCP|*|25|$(10.1.{n}.0/24)|*"),
        })
        .collect();
    let entries: Vec<mta_mapping::Entry<'_>> = hosts
        .iter()
        .map(|host| mta_mapping::Entry::new(host, "$N500$ no"))
        .collect();
    config.mappings.insert("PORT_ACCESS", &entries).unwrap();
    let aliases = (0..100).map(|n| AliasEntry::of(&format!("Alias{n}"), "ada@example.com"));
    config.aliases = Aliases::new(1, aliases.collect());
    for n in 0..100 {
        config
            .texts
            .insert(Kind::General, &format!("Key{n}"), &format!("value {n}"));
    }
    config.texts.insert(Kind::Reverse, "ada@example.com", "x@y");
    config
}

/// What is found in every part of it.
fn asked(config: &Config, n: usize) -> Result<Vec<String>, String> {
    use mta_mapping::{Input, NoCallouts, Silent};
    let mut found = Vec::new();
    let alias = config.aliases.get(&format!("ALIAS{n}"));
    let alias = alias.map_err(|error| error.to_string())?;
    found.extend(alias.map(|alias| alias.name.clone()));
    let databases = crate::database::Databases::none();
    let text = databases.look_up(&config.texts, Kind::General, &format!("KEY{n}"));
    found.extend(text.map_err(|error| error.to_string())?);
    for probe in [
        format!("TCP|192.0.2.1|25|10.1.2.{n}|4711"),
        format!("TCP|192.0.2.1|25|10.1.{n}.99|4711"),
    ] {
        let input = Input::of(&probe);
        let mapped = config
            .mappings
            .map("PORT_ACCESS", &input, &NoCallouts, &mut Silent);
        if mapped.unreadable {
            return Err("unreadable".to_owned());
        }
        found.push(format!("{} {}", mapped.matched, mapped.output));
    }
    Ok(found)
}

#[test]
fn what_lies_beside_the_core_is_found() {
    let (_directory, root) = root();
    let config = large();
    write(&root, &config, Mark::now(&root)).unwrap();
    let read = read(&root).unwrap();
    for n in [0, 1, 2, 57, 99, 100] {
        assert_eq!(asked(&read, n), asked(&config, n), "{n}");
    }
    assert_eq!(asked(&read, 57).unwrap().len(), 4);
    let sizes = |config: &Config| {
        let tables = config
            .mappings
            .get("port_access")
            .map(mta_mapping::Table::len);
        (
            config.rules.len(),
            tables,
            config.aliases.len(),
            config.texts.len(Kind::General),
        )
    };
    assert_eq!(sizes(&read), sizes(&config));
    let (text, identity) = (identity(&config), &read.identity);
    assert_eq!(
        (&identity.fixed, &identity.reloadable),
        (&text.fixed, &text.reloadable)
    );
    let verified = verify(&root).unwrap();
    let (file, records) = verified.tables.unwrap();
    assert!(records > 350, "{records}");
    let mode = fs::metadata(&file).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(status(&root), ImageStatus::Current);
    let again = write(&root, &read, Mark::now(&root));
    assert!(matches!(again, Err(ImageError::NotFromText { .. })));
}

#[test]
fn an_open_configuration_outlives_its_files() {
    let (_directory, root) = root();
    let (small, config) = (config(), large());
    write(&root, &config, Mark::now(&root)).unwrap();
    let old = read(&root).unwrap();
    let mut other = config.clone();
    other.aliases = Aliases::new(1, vec![AliasEntry::of("new", "x@y")]);
    write(&root, &other, Mark::now(&root)).unwrap();
    let files = |root: &ServerRoot| {
        let directory = root.image().parent().unwrap().to_owned();
        fs::read_dir(directory).unwrap().count()
    };
    assert_eq!(files(&root), 2, "the core and one table file");
    assert_eq!(asked(&old, 57), asked(&config, 57));
    let reloaded = old.reloaded(read(&root).unwrap());
    assert_eq!(reloaded.aliases.get("alias57").unwrap(), None);
    assert!(reloaded.aliases.get("new").unwrap().is_some());
    drop(old);
    assert_eq!(asked(&reloaded, 57).unwrap().len(), 3);
    // The same content once more, while it is open: one name, and the file that is open.
    write(&root, &other, Mark::now(&root)).unwrap();
    let same = read(&root).unwrap();
    assert_eq!(asked(&same, 57), asked(&reloaded, 57));
    verify(&root).unwrap();
    // What an interrupted writing left goes with the next one; nothing else does.
    let directory = root.image().parent().unwrap().to_owned();
    for name in [
        ".config_data.0123456789abcdef.tables.77",
        "config_data.0123456789abcdef.tables",
        "other.0123456789abcdef.tables",
    ] {
        fs::write(directory.join(name), "x").unwrap();
    }
    write(&root, &small, Mark::now(&root)).unwrap();
    assert_eq!(files(&root), 2, "the core, and what is not ours");
    assert_eq!(verify(&root).unwrap().tables, None);
}

#[test]
fn an_image_is_removed_with_what_lies_beside_it() {
    let (_directory, root) = root();
    write(&root, &large(), Mark::now(&root)).unwrap();
    remove(&root).unwrap();
    let left = fs::read_dir(root.image().parent().unwrap()).unwrap();
    assert_eq!(left.count(), 0);
    assert_eq!(status(&root), ImageStatus::Missing);
    remove(&root).unwrap();
}

#[test]
fn a_text_that_was_just_changed_is_told_apart() {
    let (_directory, root) = root();
    fs::write(root.config_xml(), "new text").unwrap();
    settle(&root);
    write(&root, &config(), Mark::now(&root)).unwrap();
    assert!(older_text(&root, &root.image()));
}

#[test]
fn damage_beside_the_core_is_refused() {
    use std::os::unix::fs::FileExt;
    let (_directory, root) = root();
    let config = large();
    write(&root, &config, Mark::now(&root)).unwrap();
    let (file, _) = verify(&root).unwrap().tables.unwrap();
    let good = fs::read(&file).unwrap();
    let refused = |what: &str, octets: Option<&[u8]>| {
        match octets {
            Some(octets) => fs::write(&file, octets).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let error = verify(&root).unwrap_err();
        assert!(
            matches!(error, ImageError::Tables { .. }),
            "{what}: {error:?}"
        );
        error
    };
    for length in [0, 1, 4096, 8192, good.len() / 2, good.len() - 1] {
        refused("cut", Some(&good[..length]));
        let error = read(&root).unwrap_err();
        assert!(matches!(error, ImageError::Tables { .. }), "{error:?}");
        assert_eq!(status(&root), ImageStatus::Unreadable);
    }
    refused("removed", None);
    assert!(read(&root).is_err());
    let mut other = good.clone();
    other.reverse();
    refused("foreign", Some(&other));
    assert!(read(&root).is_err());
    // One octet of a record: who asks for the record learns it, and nobody else.
    fs::write(&file, &good).unwrap();
    let key = b"aalias57";
    let at = good
        .windows(key.len())
        .position(|window| window == key)
        .unwrap();
    let octet = good[at + key.len() + 12] ^ 1;
    let written = fs::OpenOptions::new().write(true).open(&file).unwrap();
    written
        .write_at(&[octet], (at + key.len() + 12) as u64)
        .unwrap();
    let read = read(&root).unwrap();
    assert_eq!(asked(&read, 56), asked(&config, 56));
    let error = read.aliases.get("alias57").unwrap_err().to_string();
    assert!(error.contains("damaged at the key \"aalias57\""), "{error}");
    drop(read);
    refused("one octet", Some(&fs::read(&file).unwrap()));
    fs::write(&file, &good).unwrap();
    verify(&root).unwrap();
}

fn service() -> Service {
    Service {
        name: ServiceName::new("SMTP").unwrap(),
        enable: true,
        tcp_ports: vec![25],
        ssl_ports: vec![465],
        interface_address: Some([127, 0, 0, 1].into()),
        image: "IMTA_BIN:tcp_smtp_server".into(),
        logfilename: None,
        parameter: Some("CHANNEL=tcp_local".into()),
        min_procs: 0,
        max_procs: 5,
        min_conns: 5,
        max_conns: 20,
        max_life_time: 86_400,
        max_life_conns: 100,
        max_idle_time: 600,
        max_shutdown: 2,
        max_handoffs: 5,
        backlog: 100,
        ident: false,
        dns_verify_domain: vec!["list.example".into()],
        stacksize: None,
        debug: 0,
    }
}

fn jobs() -> JobControllerOptions {
    let windows = PriorityWindows {
        urgent: None,
        normal: Windows::parse("08:00-20:00"),
        nonurgent: None,
    };
    JobControllerOptions {
        default_pool: "DEFAULT".into(),
        first_class_counts: false,
        debug: -1,
        max_cache_messages: 100_000,
        synch_time: SynchTime::DEFAULT,
        rebuild_parallel_channel: 12,
        stress: Stress {
            blackout: 60,
            factor: 5,
            jobs: 2,
            time: 120,
            unfactor: 5,
            unjobs: 2,
            untime: 120,
        },
        windows: PriorityWindows::default(),
        pools: vec![Pool {
            name: PoolName::new("DEFAULT").unwrap(),
            job_limit: 10,
            windows,
        }],
        classes: vec![ChannelClass {
            pattern: "tcp_*".into(),
            master_command: Some("IMTA_BIN:tcp_smtp_client".into()),
            slave_command: None,
            max_life_time: 1_800,
            max_life_askwork: 300,
            anon_host: false,
            windows: PriorityWindows::default(),
        }],
    }
}

fn root() -> (tempfile::TempDir, ServerRoot) {
    let directory = tempfile::tempdir().unwrap();
    let root = ServerRoot::new(directory.path().to_owned());
    fs::create_dir(root.config()).unwrap();
    for path in source::files(&root) {
        fs::write(path, "text").unwrap();
    }
    (directory, root)
}

/// When this fails the layout has changed: raise [`FORMAT`] and put the new digest here. Images
/// of the old layout are then refused by their version and not misread.
#[test]
fn the_layout_changes_only_with_its_version() {
    let mut sum = Sha256::new();
    let composed = divide(&large(), &mut |key, record| {
        sum.update(key);
        sum.update(record);
    });
    let beside = Placed {
        length: 5,
        digest: [6; 32],
    };
    sum.update(compose(&composed.unwrap(), [7; 32], &beside));
    let digest: String = sum
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let golden = "2cb8fbafe1ca2925ae357ad91785c06cc79a6c76489118824bbb3cfa954193cb";
    assert_eq!((FORMAT, digest.as_str()), (3, golden));
}

#[test]
fn what_is_written_is_read() {
    let (_directory, root) = root();
    let config = config();
    write(&root, &config, Mark::now(&root)).unwrap();
    let read = read(&root).unwrap();
    assert_eq!(read.mta, config.mta);
    assert_eq!(read.channels, config.channels);
    assert_eq!(encoded(&read), encoded(&config));
    assert_eq!(read.delivery, config.delivery);
    assert_eq!(read.dispatcher, config.dispatcher);
    assert_eq!(read.job_controller, config.job_controller);
    assert_eq!(read.tasks, config.tasks);
    assert_eq!(read.restricted, config.restricted);
    assert_eq!(read.rules.in_memory()[0].pattern(), ".example.com");
    let text = identity(&config);
    assert!(read.identity.from_image);
    assert_eq!(
        (read.identity.fixed, read.identity.reloadable),
        (text.fixed, text.reloadable)
    );
    verify(&root).unwrap();
    let mode = fs::metadata(root.image()).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    let left = fs::read_dir(root.image().parent().unwrap())
        .unwrap()
        .count();
    assert_eq!(left, 1);
}

#[test]
fn the_halves_have_hashes_of_their_own() {
    let one = config();
    let mut other = one.clone();
    other.aliases = Aliases::default();
    let (one, other) = (identity(&one), identity(&other));
    assert_eq!(one.fixed, other.fixed);
    assert_ne!(one.reloadable, other.reloadable);
}

#[test]
fn another_version_is_a_mismatch() {
    let (_directory, root) = root();
    write(&root, &config(), Mark::now(&root)).unwrap();
    let mut image = fs::read(root.image()).unwrap();
    image[11] += 1;
    fs::write(root.image(), &image).unwrap();
    let error = read(&root).unwrap_err();
    assert_eq!(error.to_string(), "Compiled Configuration Version Mismatch");
    assert_eq!(status(&root), ImageStatus::Unreadable);
}

#[test]
fn a_missing_image_is_no_error_of_its_own() {
    let (_directory, root) = root();
    assert!(matches!(read(&root), Err(ImageError::Missing { .. })));
    assert_eq!(status(&root), ImageStatus::Missing);
}

#[test]
fn an_image_that_others_may_write_is_refused() {
    let (_directory, root) = root();
    write(&root, &config(), Mark::now(&root)).unwrap();
    fs::set_permissions(root.image(), fs::Permissions::from_mode(0o622)).unwrap();
    assert!(matches!(read(&root), Err(ImageError::Ownership { .. })));
}

#[test]
fn a_changed_text_makes_the_image_stale() {
    let (_directory, root) = root();
    write(&root, &config(), Mark::now(&root)).unwrap();
    assert_eq!(status(&root), ImageStatus::Current);
    fs::write(root.config_xml(), "other text").unwrap();
    assert_eq!(status(&root), ImageStatus::Stale);
    fs::write(root.config_xml(), "text").unwrap();
    assert_eq!(status(&root), ImageStatus::Current);
    // A change between reading and writing is not taken for the text that was compiled.
    let mark = Mark::now(&root);
    fs::write(root.config_xml(), "other text").unwrap();
    write(&root, &config(), mark).unwrap();
    assert_eq!(status(&root), ImageStatus::Stale);
}

/// A value that the option's row allows, made of a number.
fn value(option: MtaOption, seed: u32) -> Option<Value> {
    let texts = [
        seed.to_string(),
        format!("{}.5", seed % 9),
        format!("t\u{e4}xt {seed}"),
    ];
    texts
        .iter()
        .find_map(|text| option.row().kind.read(text).ok())
}

proptest! {
    #[test]
    fn any_options_survive(chosen in proptest::collection::vec((0..crate::option::ROWS.len(), any::<u32>()), 0..40)) {
        let mut config = config();
        for (at, seed) in chosen {
            let option = crate::option::ROWS[at].option;
            if let Some(value) = value(option, seed) {
                config.mta.set(option, value);
            }
        }
        let image = compose(&divided(&config), [7; 32], &Placed::NONE);
        let read = Halves::of(&take_apart(&image).unwrap()).unwrap();
        prop_assert_eq!(read.fixed.mta, config.mta);
    }

    #[test]
    fn damage_is_always_noticed(at in 0_usize..4096, bit in 0_u8..8, cut in any::<bool>()) {
        let mut image = compose(&divided(&config()), [7; 32], &Placed::NONE);
        let at = at % image.len();
        if cut {
            image.truncate(at);
        } else {
            image[at] ^= 1 << bit;
        }
        prop_assert!(take_apart(&image).is_err());
    }

    #[test]
    fn no_octets_make_the_reader_panic(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut image = Vec::from(MAGIC);
        image.extend(FORMAT.to_be_bytes());
        image.extend(&octets);
        if image.len() >= HEADER {
            let sum = checksum(&image).to_be_bytes();
            image[CHECKSUM..HEADER].copy_from_slice(&sum);
        }
        if let Ok(parts) = take_apart(&image) {
            drop(Halves::of(&parts));
        }
        drop(decode::<Fixed>(&octets));
        drop(decode::<Reloadable>(&octets));
    }
}
