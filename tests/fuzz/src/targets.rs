//! What is fed, and what must hold whatever is fed: no panic, an end, and where there are two ways
//! to an answer, the same one.

use mta_channel::enqueue::{Context, Rewriter};
use mta_config::database::Databases;
use mta_config::source::legacy::{self, Section};
use mta_config::source::tree::{File, Tree};
use mta_config::source::xml;
use mta_config::{Config, ServerRoot, image};
use mta_directory::Directory;
use mta_envelope::address::Address;
use mta_envelope::names::ChannelName;
use mta_expression::{Halt, Host, Interpreter, Program, Value};
use mta_mapping::{Entry, Input, NoCallouts, Pattern, Silent, Tables};
use mta_rewrite::{Direction, Question};
use std::fs;
use std::path::Path;

/// Something that takes inputs.
type Run = Box<dyn FnMut(&[u8])>;

/// A target by its name.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Makes what it needs.
    pub(crate) prepare: fn() -> Run,
    pub(crate) corpus: fn() -> Vec<Vec<u8>>,
}

pub(crate) const ALL: &[Target] = &[
    Target {
        name: "xml",
        prepare: || Box::new(options),
        corpus: xml_corpus,
    },
    Target {
        name: "configuration",
        prepare: unified,
        corpus: xml_corpus,
    },
    Target {
        name: "imta_cnf",
        prepare: || legacy_file("imta.cnf"),
        corpus: || files(&["imta.cnf", "more.rules", "partner.rules"]),
    },
    Target {
        name: "mappings",
        prepare: || legacy_file("mappings"),
        corpus: || files(&["mappings"]),
    },
    Target {
        name: "aliases",
        prepare: || legacy_file("aliases"),
        corpus: || files(&["aliases", "more_aliases"]),
    },
    Target {
        name: "option_dat",
        prepare: || legacy_file("option.dat"),
        corpus: || files(&["option.dat"]),
    },
    Target {
        name: "dispatcher_cnf",
        prepare: || legacy_file("dispatcher.cnf"),
        corpus: || files(&["dispatcher.cnf"]),
    },
    Target {
        name: "job_controller_cnf",
        prepare: || legacy_file("job_controller.cnf"),
        corpus: || files(&["job_controller.cnf"]),
    },
    Target {
        name: "imta_tailor",
        prepare: || legacy_file("imta_tailor"),
        corpus: || files(&["imta_tailor"]),
    },
    Target {
        name: "text_database",
        prepare: || legacy_file("general.txt"),
        corpus: || files(&["general.txt", "reverse.txt", "forward.txt"]),
    },
    Target {
        name: "sections",
        prepare: sections,
        corpus: || {
            files(&[
                "imta.cnf",
                "mappings",
                "aliases",
                "option.dat",
                "conversions",
            ])
        },
    },
    Target {
        name: "pattern",
        prepare: || Box::new(pattern),
        corpus: patterns,
    },
    Target {
        name: "mapping_engine",
        prepare: || Box::new(mapping_engine),
        corpus: tables,
    },
    Target {
        name: "rewrite_engine",
        prepare: rewrite_engine,
        corpus: || files(&["imta.cnf", "more.rules", "partner.rules"]),
    },
    Target {
        name: "image",
        prepare: image_reader,
        corpus: image_corpus,
    },
    Target {
        name: "expression",
        prepare: || Box::new(expression),
        corpus: expressions,
    },
    Target {
        name: "address",
        prepare: || Box::new(address),
        corpus: addresses,
    },
    Target {
        name: "ldif",
        prepare: || Box::new(|octets| drop(mta_directory::ldif::parse(octets))),
        corpus: ldif,
    },
    Target {
        name: "log_line",
        prepare: || Box::new(|octets| drop(mta_log::read::line(&String::from_utf8_lossy(octets)))),
        corpus: log_lines,
    },
];

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpus/legacy");
const QUESTIONS: &str = include_str!("../../tables/mappings.txt");

fn files(names: &[&str]) -> Vec<Vec<u8>> {
    let read = |name: &&str| {
        fs::read(Path::new(CORPUS).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    names.iter().map(read).collect()
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// A root with the legacy configuration of the corpus; it is removed with the last user.
fn legacy_root() -> (tempfile::TempDir, ServerRoot) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = ServerRoot::new(directory.path().to_owned());
    fs::create_dir(root.config()).expect("config");
    for entry in fs::read_dir(CORPUS).expect("the corpus") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_owned();
        fs::copy(&path, root.config().join(name)).expect("a copy");
    }
    (directory, root)
}

/// The configuration of the corpus in the other form.
fn unified_text() -> String {
    let (_directory, root) = legacy_root();
    let legacy = legacy::read(&root);
    written(&legacy.tree)
}

fn written(tree: &Tree) -> String {
    let kind = |path: &mta_config::source::name::Path| {
        mta_config::source::schema::spec(path).map_or("string", |spec| spec.kind.word())
    };
    xml::write(tree, |_| true, kind).expect("a text")
}

fn xml_corpus() -> Vec<Vec<u8>> {
    vec![unified_text().into_bytes()]
}

/// What is read is written, and read again it says the same.
fn options(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let mut tree = Tree::default();
    if xml::read(&text, File::Config, &mut tree).is_err() {
        return;
    }
    let written = written(&tree);
    let mut again = Tree::default();
    let read = xml::read(&written, File::Config, &mut again);
    assert!(read.is_ok(), "{written}");
    assert_eq!(self::written(&again), written);
}

fn unified() -> Run {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = ServerRoot::new(directory.path().to_owned());
    fs::create_dir(root.config()).expect("config");
    fs::write(root.restricted(), "user=mailsrv\n").expect("accounts");
    Box::new(move |octets| {
        let _kept = &directory;
        fs::write(root.config_xml(), octets).expect("the text");
        told(Config::from_text(&root).map(|_| ()));
    })
}

/// Every fault can be shown.
fn told<T>(result: Result<T, Vec<mta_config::fault::LoadFault>>) {
    if let Err(faults) = result {
        assert!(!faults.is_empty(), "refused without a fault");
        faults.iter().for_each(|fault| drop(fault.to_string()));
    }
}

/// The other files are as small as they can be, so that the one in question takes the time.
fn legacy_file(name: &'static str) -> Run {
    let (directory, root) = legacy_root();
    let small = [
        (
            "imta.cnf",
            ". $U%$H@tcp-daemon\n\nl\nhost.example.com\n\ntcp_local smtp\ntcp-daemon\n",
        ),
        ("mappings", ""),
        ("aliases", ""),
        ("option.dat", "USE_TEXT_DATABASES=1\n"),
        ("dispatcher.cnf", ""),
        ("job_controller.cnf", ""),
        ("conversions", ""),
        ("general.txt", ""),
        ("imta_tailor", "IMTA_USER=mailsrv\n"),
    ];
    for (name, text) in small {
        fs::write(root.config().join(name), text).expect("a small file");
    }
    Box::new(move |octets| {
        let _kept = &directory;
        fs::write(root.config().join(name), octets).expect("the file");
        told(legacy::read(&root).interpret(&root));
    })
}

/// What one section reads it prints, and what it prints can be read.
fn sections() -> Run {
    let (directory, root) = legacy_root();
    let name = Path::new("section");
    Box::new(move |octets| {
        let _kept = &directory;
        let text = String::from_utf8_lossy(octets);
        for section in Section::ALL {
            let parsed = match section.parse(&text, name, &root) {
                Ok(parsed) => parsed,
                Err(faults) => {
                    told::<()>(Err(faults));
                    continue;
                }
            };
            let printed = section.print(&parsed.tree);
            // That sensible text comes out as it went in is tested elsewhere.
            if let Err(faults) = section.parse(&printed, name, &root) {
                told::<()>(Err(faults));
            }
        }
    })
}

fn patterns() -> Vec<Vec<u8>> {
    texts(&[
        "*@*.example.com\nuser@a.b.example.com",
        "$_*|$D%$D*|$0*\nab|12|ab",
        "$[a-z\\-]*$@*%\nab-c12",
        "$(192.0.2.0/24)|${2001:db8::/32}\n192.0.2.7|2001:db8::1",
        "a*a*a*a*a*a*b\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ])
}

fn pattern(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let (pattern, text) = text.split_once('\n').unwrap_or((&text, ""));
    if let Ok(pattern) = Pattern::compile(pattern) {
        drop(pattern.describe());
        if let Some(fields) = pattern.matches(text) {
            assert!(fields.iter().all(|field| text.contains(field)));
        }
    }
}

fn tables() -> Vec<Vec<u8>> {
    let mut all = files(&["mappings"]);
    all.push(QUESTIONS.as_bytes().to_vec());
    all
}

/// A file of mappings, each table asked about lines of the same file; what listens changes
/// nothing, and neither does the form in which a process reads the tables.
fn mapping_engine(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let mut tables = Tables::default();
    let mut name = "";
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut probes = Vec::new();
    for line in text.lines().chain(["END"]) {
        if line.starts_with([' ', '\t']) {
            let (pattern, template) = line
                .trim()
                .split_once([' ', '\t'])
                .unwrap_or((line.trim(), ""));
            entries.push(Entry::new(pattern, template.trim_start()));
            probes.push(pattern);
        } else if !line.is_empty() {
            drop(tables.insert(name, &entries));
            entries.clear();
            probes.push(line);
            name = line;
        }
    }
    let names: Vec<String> = tables.iter().map(|table| table.name().to_owned()).collect();
    for name in names.iter().take(4) {
        for probe in probes.iter().take(12) {
            let input = Input::of(probe);
            let mut steps: Vec<mta_mapping::Event> = Vec::new();
            let loud = tables.map(name, &input, &NoCallouts, &mut steps);
            let silent = tables.map(name, &input, &NoCallouts, &mut Silent);
            assert_eq!(loud, silent, "{name} {probe}");
            steps.iter().for_each(|step| drop(step.to_string()));
        }
    }
}

/// A list of rules asked about the hosts of its patterns.
fn rewrite_engine() -> Run {
    let (directory, root) = legacy_root();
    let (config, _) = legacy::read(&root)
        .interpret(&root)
        .unwrap_or_else(|faults| panic!("{}", faults[0]));
    let people = Directory::open(&root.directory(), "example.com", |_, _| ());
    let databases = Databases::none();
    Box::new(move |octets| {
        let _kept = &directory;
        let text = String::from_utf8_lossy(octets);
        let mut rules = Vec::new();
        let mut hosts = vec!["a.b.example.com"];
        for line in text.lines().filter(|line| !line.starts_with(['!', '<'])) {
            let (pattern, template) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            rules.push(mta_rewrite::SourceRule::new(pattern, template.trim()));
            hosts.push(pattern.trim_start_matches('.'));
        }
        let Ok(rules) = mta_rewrite::Rules::compile(&rules) else {
            return;
        };
        let config = Config {
            rules,
            ..config.clone()
        };
        let context = Context {
            config: &config,
            directory: &people,
            databases: &databases,
        };
        let source = ChannelName::new("tcp_local").expect("a name");
        let rewriter = Rewriter::new(context, &source);
        for host in hosts.iter().take(6) {
            for address in [
                format!("u+x@{host}"),
                format!("{host}!u%{host}"),
                format!("@{host},@b:u@{host}"),
            ] {
                for question in [
                    Question::envelope_to(&address, &source),
                    Question::header(&address, Direction::Backward, &source, None),
                ] {
                    let mut steps: Vec<mta_channel::enqueue::Step> = Vec::new();
                    let loud = rewriter.ask(&question, &mut steps);
                    if text.contains("$W") || text.contains("$w") {
                        // Never the same twice.
                        continue;
                    }
                    let silent = rewriter.ask(&question, &mut mta_channel::enqueue::Silent);
                    assert_eq!(loud, silent, "{address}");
                }
            }
        }
    })
}

/// A compiled configuration, the file beside it included.
fn image_corpus() -> Vec<Vec<u8>> {
    let (_directory, root) = legacy_root();
    let (config, _) = legacy::read(&root)
        .interpret(&root)
        .unwrap_or_else(|faults| panic!("{}", faults[0]));
    let mark = mta_config::source::Mark::now(&root);
    image::write(&root, &config, mark).expect("an image");
    vec![fs::read(root.image()).expect("the image")]
}

/// Octets as they are, and with a checksum that holds, so that the decoder sees them.
fn image_reader() -> Run {
    let (directory, root) = legacy_root();
    let folder = root.image().parent().expect("a folder").to_owned();
    fs::create_dir_all(&folder).expect("compiled");
    Box::new(move |octets| {
        let _kept = &directory;
        let mut octets = octets.to_vec();
        for _ in 0..2 {
            fs::write(root.image(), &octets).expect("the image");
            if let Err(error) = image::read(&root) {
                drop(error.to_string());
            }
            assert_ne!(image::status(&root), image::ImageStatus::Missing);
            if octets.len() >= 176 {
                let sum = crc32c::crc32c_append(crc32c::crc32c(&octets[..172]), &octets[176..]);
                octets[172..176].copy_from_slice(&sum.to_be_bytes());
            }
        }
    })
}

struct Nobody;

impl Host for Nobody {
    fn call(&mut self, _: &str, arguments: &[Value], _: usize) -> Option<Result<Value, Halt>> {
        arguments.first().cloned().map(Ok)
    }
}

fn expressions() -> Vec<Vec<u8>> {
    texts(&[
        "1 + 2 * (3 - 4) / 5 % 6",
        "x = \"a\"; while (length(x) < 5) { x = x + \"b\"; } x",
        "function f(n) { if (n < 2) { return n; } return f(n - 1) + f(n - 2); } f(9)",
        "if (1 && !0 || 2 == 3) { print \"yes\"; } else { print 'no'; }",
        "foreach (name in [1, 2, 3]) { print name; }",
    ])
}

fn expression(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    match Program::parse(&text) {
        Ok(program) => {
            drop(program.to_string());
            drop(Interpreter::default().run(&program, &mut Nobody));
        }
        Err(error) => assert!(!error.reason.is_empty()),
    }
}

fn addresses() -> Vec<Vec<u8>> {
    texts(&[
        "user@host.example.com",
        "@a,@b:\"quoted user\"@[192.0.2.1]",
        "Name (comment) <a%b@c>, group: x@y, z@w;",
        "=?utf-8?q?=C3=A4?= <a@[IPv6:2001:db8::1]>",
    ])
}

fn address(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    if let Ok(address) = Address::parse(&text) {
        assert_eq!(address.as_str(), text);
        drop((
            address.local().to_owned(),
            address.domain().map(str::to_owned),
        ));
        drop(address.plain().to_string());
    }
    drop(mta_message::addresses::find(octets));
}

fn ldif() -> Vec<Vec<u8>> {
    texts(&[
        "dn: uid=bob,o=users\nuid: bob\nmail: bob@example.com\nuserPassword:: c2VjcmV0\n x\n\n# comment\ndn: o=x\n",
    ])
}

fn log_lines() -> Vec<Vec<u8>> {
    texts(&[
        "27-Nov-2026 08:00:00.00 tcp_local    ims-ms       E 1 eve@example.com rfc822;bob@example.com bob@ims-ms-daemon",
        "27-Nov-2026 08:00:00.00 1 tcp_local ims-ms E 1 \"a b\"@c rfc822; x",
    ])
}
