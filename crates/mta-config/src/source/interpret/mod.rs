//! What an option tree means: each setting is given to the part that it belongs to, read by its
//! kind, and what the parts say together is checked.

mod channels;
mod check;
mod languages;
mod processes;
mod sheet;

use super::tree::{Content, File, Tree};
use super::{Form, Sources};
use crate::channel::Channel;
use crate::config::{Config, ImageIdentity, Restricted};
use crate::database::TextDatabases;
use crate::fault::{FaultKind, LoadFault, Origin, Warning, WarningKind};
use crate::option::{MtaOption, MtaOptions};
use crate::value::{Kind, Value};
use sheet::{Item, Sheet};

/// What was found odd or wrong on the way.
struct Findings<'s> {
    sources: &'s Sources,
    faults: Vec<LoadFault>,
    warnings: Vec<Warning>,
}

impl Findings<'_> {
    fn fault(&mut self, kind: FaultKind, name: &str, item: Option<&Item>) {
        let origin = self.origin(item);
        let name = name.to_owned();
        self.faults.push(LoadFault { kind, name, origin });
    }

    fn warn(&mut self, kind: WarningKind, name: &str, item: Option<&Item>) {
        let origin = self.origin(item);
        let name = name.to_owned();
        self.warnings.push(Warning { kind, name, origin });
    }

    fn origin(&self, item: Option<&Item>) -> Origin {
        let Some(item) = item else {
            return self.sources.somewhere();
        };
        let mut origin = self.sources.origin(item.file, item.line);
        // In XML a rule is written on several lines, and its first says nothing of it.
        let in_xml = matches!(item.file, File::Config | File::Pass);
        if let (Content::Rule(..), Some(text)) = (&item.content, &mut origin.text)
            && in_xml
            && !text.contains("<pattern>")
        {
            *text = item.content.line();
        }
        origin
    }

    /// Reads an item as a value of `kind`; a fault and nothing if it is none.
    fn value(&mut self, item: &Item, kind: Kind, fault: FaultKind) -> Option<Value> {
        match kind.read(&item.text()) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(fault, &format!("{}: {error}", item.name), Some(item));
                None
            }
        }
    }
}

/// Makes a configuration of a tree.
///
/// # Errors
/// `faults` and all that are found besides.
pub(super) fn interpret(
    tree: Tree,
    sources: &Sources,
    restricted: Restricted,
    faults: Vec<LoadFault>,
    form: Form,
) -> Result<(Config, Vec<Warning>), Vec<LoadFault>> {
    let mut findings = Findings {
        sources,
        faults,
        warnings: Vec::new(),
    };
    let sheet = Sheet::of(tree, &mut findings);
    let mta = mta(&sheet, &mut findings);
    let channels = channels::channels(&sheet, &mut findings);
    let rules = languages::rules(&sheet, &mut findings);
    let mappings = languages::mappings(&sheet, &mut findings);
    let aliases = languages::aliases(&sheet, &mta, &mut findings);
    let (delivery, bad) =
        crate::delivery::parse(mta.text(MtaOption::DeliveryOptions).unwrap_or_default());
    for clause in bad {
        findings.warn(WarningKind::BadDeliveryOption, &clause, None);
    }
    let config = Config {
        identity: ImageIdentity::default(),
        channels,
        rules,
        mappings,
        aliases,
        texts: databases(sources, &mta, &mut findings),
        delivery,
        dispatcher: processes::dispatcher(&sheet, &restricted, &mut findings),
        job_controller: processes::job_controller(&sheet, form, &mut findings),
        tasks: processes::tasks(&sheet, &mut findings),
        restricted,
        hostname: sheet.hostname.clone(),
        default_domain: sheet.default_domain.clone(),
        mta,
    };
    check::check(&config, &sheet, &mut findings);
    drop(sheet);
    if findings.faults.is_empty() {
        Ok((config, findings.warnings))
    } else {
        Err(findings.faults)
    }
}

/// Gives a configuration from an image what the files beside it say.
///
/// # Errors
/// `faults` and all that are found besides.
pub(super) fn overlay(
    mut config: Config,
    tree: Tree,
    sources: &Sources,
    faults: Vec<LoadFault>,
) -> Result<Config, Vec<LoadFault>> {
    let mut findings = Findings {
        sources,
        faults,
        warnings: Vec::new(),
    };
    let sheet = Sheet::of(tree, &mut findings);
    config.dispatcher = processes::dispatcher(&sheet, &config.restricted, &mut findings);
    config.job_controller = processes::job_controller(&sheet, Form::Legacy, &mut findings);
    config.tasks = processes::tasks(&sheet, &mut findings);
    let options = |channel: &Channel| {
        let group = sheet.channels.get(channel.name().as_str());
        let items = group.map(|group| group.options.as_slice());
        let items = items.unwrap_or_default().iter();
        items
            .map(|item| (item.name.to_ascii_uppercase(), item.text()))
            .collect()
    };
    let channels = config.channels.iter();
    let channels: Vec<Channel> = channels
        .map(|channel| channel.clone().with_options(options(channel)))
        .collect();
    config.channels = channels.into();
    if findings.faults.is_empty() {
        Ok(config)
    } else {
        Err(findings.faults)
    }
}

/// Reads the text databases that `use_text_databases` names.
fn databases(sources: &Sources, mta: &MtaOptions, findings: &mut Findings<'_>) -> TextDatabases {
    let bits = mta.int(MtaOption::UseTextDatabases);
    let mut databases = TextDatabases::default();
    for database in &sources.databases {
        let (kind, text) = (database.kind, &database.text);
        if kind.text().is_none_or(|(_, bit)| bits & bit == 0) {
            continue;
        }
        findings.faults.extend(database.fault.clone());
        databases.read(kind, &text.content, |line, told, name| {
            let (name, origin) = (name.to_owned(), text.origin(line));
            match told {
                Ok(kind) => findings.warnings.push(Warning { kind, name, origin }),
                Err(kind) => findings.faults.push(LoadFault { kind, name, origin }),
            }
        });
    }
    databases
}

fn mta(sheet: &Sheet, findings: &mut Findings<'_>) -> MtaOptions {
    let mut options = MtaOptions::default();
    for item in &sheet.mta {
        match MtaOption::by_name(&item.name) {
            Some(option) => {
                let kind = option.row().kind;
                if let Some(value) = findings.value(item, kind, FaultKind::BadMtaValue) {
                    options.set(option, value);
                }
            }
            None => findings.warn(WarningKind::UnknownMtaOption, &item.name, Some(item)),
        }
    }
    options
}

#[cfg(test)]
mod tests;
