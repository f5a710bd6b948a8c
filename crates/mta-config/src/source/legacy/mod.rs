//! A legacy configuration: `imta.cnf` and the files around it, read into the same option tree as
//! `config.xml`, so that both forms mean the same.
//!
//! `lines` makes logical lines of a file and of those that it includes. `configuration`,
//! `mappings`, `aliases` and `options` read the files of one kind each and put what they say into
//! the tree, every setting with the file and line where it stood. What only the order of a file
//! can show (two tables of one name, a first channel that is not `l`) is found here, everything
//! else where the tree is read.
//!
//! [`Section`] is one of these languages as text: `msconfig edit` prints it from the tree and
//! reads it back.

mod aliases;
mod configuration;
mod lines;
mod mappings;
mod options;
mod section;

pub use section::{Parsed, Section};

use super::name::{Path, Scope, Segment};
use super::tree::{Content, File, Tree};
use super::{Sources, Text};
use crate::config::{Config, Restricted};
use crate::fault::{FaultKind, LoadFault, Warning, WarningKind};
use crate::paths::ServerRoot;
use lines::{ALIASES, CONFIGURATION, Dialect, Line, MAPPINGS, OPTIONS, PLAIN, PROCESSES};
use std::path::{Path as FilePath, PathBuf};

/// What is odd or wrong, with its place.
#[derive(Debug, Default)]
struct Findings {
    faults: Vec<(FaultKind, String, File, usize)>,
    warnings: Vec<(WarningKind, String, File, usize)>,
}

impl Findings {
    fn fault(&mut self, kind: FaultKind, name: &str, line: &Line) {
        self.fault_at(kind, name, line.file, line.number);
    }

    fn fault_at(&mut self, kind: FaultKind, name: &str, file: File, line: usize) {
        self.faults.push((kind, name.to_owned(), file, line));
    }

    fn warn(&mut self, kind: WarningKind, name: &str, line: &Line) {
        let name = name.to_owned();
        self.warnings.push((kind, name, line.file, line.number));
    }

    /// The findings with the lines they speak of.
    fn told(self, sources: &Sources) -> (Vec<LoadFault>, Vec<Warning>) {
        let fault = |(kind, name, file, line)| LoadFault {
            kind,
            name,
            origin: sources.origin(file, line),
        };
        let warning = |(kind, name, file, line)| Warning {
            kind,
            name,
            origin: sources.origin(file, line),
        };
        (
            self.faults.into_iter().map(fault).collect(),
            self.warnings.into_iter().map(warning).collect(),
        )
    }
}

/// The files that were read.
struct Files<'r> {
    root: &'r ServerRoot,
    texts: Vec<Text>,
}

impl Files<'_> {
    /// Reads a file; the reason in words if that cannot be done. Text that is not UTF-8 is taken
    /// for ISO 8859-1, as old files are.
    fn read(&self, path: &FilePath) -> Result<Text, String> {
        let reason = |error: std::io::Error| error.to_string();
        let length = std::fs::metadata(path).map_err(reason)?.len();
        if length > super::LARGEST {
            return Err(format!("over {} bytes", super::LARGEST));
        }
        let content = match String::from_utf8(std::fs::read(path).map_err(reason)?) {
            Ok(content) => content,
            Err(error) => error.into_bytes().into_iter().map(char::from).collect(),
        };
        Ok(Text {
            path: path.to_owned(),
            content,
        })
    }

    fn keep(&mut self, text: Text) -> File {
        self.texts.push(text);
        let number = self.texts.len() - 1;
        File::Legacy(u32::try_from(number).unwrap_or(u32::MAX))
    }

    fn take(&mut self, file: File) -> String {
        self.text(file)
            .map(|text| std::mem::take(&mut text.content))
            .unwrap_or_default()
    }

    fn put_back(&mut self, file: File, content: String) {
        if let Some(text) = self.text(file) {
            text.content = content;
        }
    }

    fn text(&mut self, file: File) -> Option<&mut Text> {
        match file {
            File::Legacy(number) => self.texts.get_mut(number as usize),
            File::Config | File::Pass => None,
        }
    }
}

/// Where the files of a legacy configuration are, as `imta_tailor` says.
#[derive(Debug)]
struct Places {
    configuration: PathBuf,
    options: PathBuf,
    mappings: PathBuf,
    aliases: PathBuf,
    conversions: PathBuf,
    dispatcher: PathBuf,
    job_controller: PathBuf,
    user: Option<String>,
    noprivuser: Option<String>,
}

/// Names of `imta_tailor` that say what is fixed here, or what nobody asks for.
const OTHER_TAILOR: [&str; 27] = [
    "imta_alias_database",
    "imta_libutil",
    "imta_log",
    "imta_charset_data",
    "imta_charset_option_file",
    "imta_name_content_file",
    "imta_com",
    "imta_config_data",
    "imta_queue",
    "imta_return_period",
    "imta_return_split_period",
    "imta_reverse_database",
    "imta_dnsrules",
    "imta_root",
    "imta_domain_database",
    "imta_table",
    "imta_exe",
    "imta_bin",
    "imta_forward_database",
    "imta_user_profile_database",
    "imta_general_database",
    "imta_help",
    "imta_version_limit",
    "imta_version_limit_period",
    "imta_world_group",
    "imta_lang",
    "imta_lib",
];

/// Other files than those that `imta_tailor` names, for a question about them.
#[derive(Debug, Clone, Default)]
pub struct OtherFiles {
    /// Instead of `imta.cnf`.
    pub configuration: Option<PathBuf>,
    /// Instead of `option.dat`.
    pub options: Option<PathBuf>,
    /// Instead of `mappings`.
    pub mappings: Option<PathBuf>,
    /// Instead of `aliases`.
    pub aliases: Option<PathBuf>,
}

impl Places {
    fn replace(&mut self, other: &OtherFiles) {
        for (place, other) in [
            (&mut self.configuration, &other.configuration),
            (&mut self.options, &other.options),
            (&mut self.mappings, &other.mappings),
            (&mut self.aliases, &other.aliases),
        ] {
            if let Some(other) = other {
                place.clone_from(other);
            }
        }
    }

    fn of(root: &ServerRoot, files: &mut Files<'_>, findings: &mut Findings) -> Self {
        let config = root.config();
        let mut places = Self {
            configuration: config.join("imta.cnf"),
            options: config.join("option.dat"),
            mappings: config.join("mappings"),
            aliases: config.join("aliases"),
            conversions: config.join("conversions"),
            dispatcher: config.join("dispatcher.cnf"),
            job_controller: config.join("job_controller.cnf"),
            user: None,
            noprivuser: None,
        };
        let tailor = read_optional(&root.tailor(), PLAIN, files, findings);
        for (name, value, line) in options::pairs(&tailor, findings) {
            let place = match name.as_str() {
                "imta_config_file" => &mut places.configuration,
                "imta_option_file" => &mut places.options,
                "imta_mapping_file" => &mut places.mappings,
                "imta_alias_file" => &mut places.aliases,
                "imta_conversion_file" => &mut places.conversions,
                "imta_dispatcher_config" => &mut places.dispatcher,
                "imta_jbc_config_file" => &mut places.job_controller,
                "imta_user" => {
                    places.user = Some(value);
                    continue;
                }
                "imta_user_username" => {
                    places.noprivuser = Some(value);
                    continue;
                }
                other => {
                    if !OTHER_TAILOR.contains(&other) {
                        findings.warn(WarningKind::UnknownLegacyOption, other, &line);
                    }
                    continue;
                }
            };
            *place = root.resolve(&value);
        }
        places
    }
}

/// The lines of a file; none if it is not there.
fn read_optional(
    path: &FilePath,
    dialect: Dialect,
    files: &mut Files<'_>,
    findings: &mut Findings,
) -> Vec<Line> {
    if matches!(path.try_exists(), Ok(false)) {
        return Vec::new();
    }
    read_file(path, dialect, files, findings)
}

fn read_file(
    path: &FilePath,
    dialect: Dialect,
    files: &mut Files<'_>,
    findings: &mut Findings,
) -> Vec<Line> {
    match files.read(path) {
        Ok(text) => lines::lines(text, dialect, files, findings),
        Err(reason) => {
            let file = files.keep(Text {
                path: path.to_owned(),
                content: String::new(),
            });
            findings.fault_at(FaultKind::CannotOpen, &reason, file, 0);
            Vec::new()
        }
    }
}

/// The lines of all files that go into an image.
struct Gathered {
    configuration: Vec<Line>,
    options: Vec<Line>,
    mappings: Vec<Line>,
    aliases: Vec<Line>,
    conversions: Vec<Line>,
}

fn gather(places: &Places, files: &mut Files<'_>, findings: &mut Findings) -> Gathered {
    Gathered {
        configuration: read_file(&places.configuration, CONFIGURATION, files, findings),
        options: read_optional(&places.options, OPTIONS, files, findings),
        mappings: read_optional(&places.mappings, MAPPINGS, files, findings),
        aliases: read_optional(&places.aliases, ALIASES, files, findings),
        conversions: read_optional(&places.conversions, PLAIN, files, findings),
    }
}

/// What a legacy configuration says.
#[derive(Debug)]
pub struct Legacy {
    /// Its settings.
    pub tree: Tree,
    /// The files.
    pub sources: Sources,
    /// What is wrong with the files, each for itself.
    pub faults: Vec<LoadFault>,
    /// What is odd about them.
    pub warnings: Vec<Warning>,
}

impl Legacy {
    /// What was read; the first `in_image` files are those of which an image is made.
    fn of(tree: Tree, files: Files<'_>, in_image: usize, findings: Findings) -> Self {
        let sources = Sources {
            legacy: files.texts,
            in_image,
            ..Sources::default()
        };
        let (faults, warnings) = findings.told(&sources);
        Self {
            tree,
            sources,
            faults,
            warnings,
        }
    }

    /// The files that were read, with their text.
    pub fn files(&self) -> impl Iterator<Item = (&FilePath, &str)> {
        let texts = self.sources.legacy.iter();
        texts.map(|text| (text.path.as_path(), text.content.as_str()))
    }

    /// The configuration that the files make, with what is odd about the whole.
    ///
    /// # Errors
    /// All faults, of the files and of the whole.
    pub fn interpret(&self, root: &ServerRoot) -> Result<(Config, Vec<Warning>), Vec<LoadFault>> {
        let mut faults = self.faults.clone();
        let accounts = super::restricted_or_tailor(root).map_or_else(
            |fault| {
                faults.push(fault);
                Restricted::default()
            },
            |(accounts, _)| accounts,
        );
        let form = super::Form::Legacy;
        super::interpret::interpret(self.tree.clone(), &self.sources, accounts, faults, form)
    }
}

/// Reads all files of `root`, whether or not there is a Unified Configuration.
#[must_use]
pub fn read(root: &ServerRoot) -> Legacy {
    read_with(root, &OtherFiles::default())
}

/// As [`read`], with other files in place of some.
#[must_use]
pub fn read_with(root: &ServerRoot, other: &OtherFiles) -> Legacy {
    let mut files = Files {
        root,
        texts: Vec::new(),
    };
    let mut findings = Findings::default();
    let mut places = Places::of(root, &mut files, &mut findings);
    places.replace(other);
    let gathered = gather(&places, &mut files, &mut findings);
    let in_image = files.texts.len();
    let mut tree = Tree::default();
    let mta = [Segment::plain("mta")];
    options::flat(&gathered.options, &mta, &mut tree, &mut findings);
    configuration::read(&gathered.configuration, &mut tree, &mut findings);
    mappings::read(&gathered.mappings, &mut tree, &mut findings);
    aliases::read(&gathered.aliases, &mut tree, &mut findings);
    section::conversions(&gathered.conversions, &mut tree);
    processes(&places, &mut tree, &mut files, &mut findings);
    names(&mut tree);
    tasks(&mut tree);
    Legacy::of(tree, files, in_image, findings)
}

/// Reads the files that each process reads for itself: they are no part of the image.
pub(super) fn read_processes(root: &ServerRoot, channels: &[String]) -> Legacy {
    let mut files = Files {
        root,
        texts: Vec::new(),
    };
    let mut findings = Findings::default();
    let places = Places::of(root, &mut files, &mut findings);
    let mut tree = Tree::default();
    for channel in channels {
        let path = Path(vec![Segment::of("channel", channel)]);
        tree.push(Scope::Role, path, Content::Novalue.into());
    }
    processes(&places, &mut tree, &mut files, &mut findings);
    tasks(&mut tree);
    Legacy::of(tree, files, 0, findings)
}

fn processes(places: &Places, tree: &mut Tree, files: &mut Files<'_>, findings: &mut Findings) {
    let lines = read_optional(&places.dispatcher, PROCESSES, files, findings);
    options::dispatcher(&lines, tree, findings);
    let lines = read_optional(&places.job_controller, PROCESSES, files, findings);
    options::job_controller(&lines, tree, findings);
    let mut channels: Vec<String> = Vec::new();
    for entry in tree.entries() {
        if let [channel, ..] = entry.path.segments()
            && channel.name == "channel"
            && let Some(id) = &channel.id
            && channels.last() != Some(id)
            && mta_envelope::names::ChannelName::new(id).is_ok()
        {
            channels.push(id.clone());
        }
    }
    for channel in channels {
        let path = files.root.config().join(format!("{channel}_option"));
        let lines = read_optional(&path, OPTIONS, files, findings);
        let group = [Segment::of("channel", &channel), Segment::plain("options")];
        options::flat(&lines, &group, tree, findings);
    }
}

/// What a Unified Configuration says of the host: here the local channel's official host name
/// says it, and the directory's default domain.
fn names(tree: &mut Tree) {
    let text = |path: &str| {
        let content = tree.value(&Path::parse(path)?)?;
        Some(content.line()).filter(|text| !text.is_empty())
    };
    let host = text("channel:l.official_host_name").unwrap_or_default();
    let domain = text("mta.ldap_default_domain").unwrap_or_else(|| host.clone());
    for (name, text) in [("hostname", host), ("defaultdomain", domain)] {
        let path = Path(vec![Segment::plain("base"), Segment::plain(name)]);
        tree.push(Scope::Instance, path, Content::Text(text).into());
    }
}

/// The tasks that the scheduler has without being told: a legacy configuration has them from
/// `configutil`, whose defaults these are. A periodic job with the same program takes the place.
fn tasks(tree: &mut Tree) {
    let usual = [
        (
            "purge",
            "0 0,4,8,12,16,20 * * * bin/imsimta purge -num=5",
            "purge",
        ),
        ("return_job", "30 0 * * * lib/return_job", "return"),
    ];
    for (name, crontab, word) in usual {
        let known = tree.entries().iter().any(|entry| {
            matches!(entry.path.segments(), [schedule, _, _] if schedule.name == "schedule")
                && entry
                    .settings
                    .iter()
                    .any(|s| s.content.line().contains(word))
        });
        if !known {
            let path = Path(vec![
                Segment::plain("schedule"),
                Segment::of("task", name),
                Segment::plain("crontab"),
            ]);
            tree.push(Scope::Role, path, Content::Text(crontab.to_owned()).into());
        }
    }
}

/// The accounts of a legacy root without `restricted.cnf`.
#[must_use]
pub fn accounts(root: &ServerRoot) -> Restricted {
    let mut files = Files {
        root,
        texts: Vec::new(),
    };
    // What is wrong with the file is told when the configuration is read.
    let places = Places::of(root, &mut files, &mut Findings::default());
    Restricted {
        user: places.user.unwrap_or_else(|| "mailsrv".to_owned()),
        group: None,
        noprivuser: places.noprivuser,
    }
}

/// The files of which an image is made, as they are now.
pub(super) fn image_texts(root: &ServerRoot) -> Vec<(PathBuf, String)> {
    let mut files = Files {
        root,
        texts: Vec::new(),
    };
    let mut findings = Findings::default();
    let places = Places::of(root, &mut files, &mut findings);
    let _: Gathered = gather(&places, &mut files, &mut findings);
    let texts = files.texts.into_iter();
    texts.map(|text| (text.path, text.content)).collect()
}

/// The two sides of a rule: the left one up to the first white space that no `$` quotes, then
/// what follows, without the white space around it.
fn split_entry(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches([' ', '\t']);
    let mut quoted = false;
    let end = text.find(|c| {
        let bare = !quoted && (c == ' ' || c == '\t');
        quoted = !quoted && c == '$';
        bare
    });
    let (pattern, template) = text.split_at(end.unwrap_or(text.len()));
    let template = template.trim_start_matches([' ', '\t']);
    let kept = template.trim_end_matches([' ', '\t']);
    // A blank behind a `$` that quotes it belongs to the template.
    let dollars = kept.len() - kept.trim_end_matches('$').len();
    let end = if dollars % 2 == 1 && kept.len() < template.len() {
        kept.len() + 1
    } else {
        kept.len()
    };
    (pattern, &template[..end])
}

#[cfg(test)]
mod tests;
