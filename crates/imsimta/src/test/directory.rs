//! `imsimta test -domain_map` and `-url`: what the MTA sees of the directory.

use super::ask;
use crate::context::{Context, Failure, Outcome};
use mta_command::message::Message;
use mta_command::output;
use mta_command::prompt::split;
use mta_command::switches::Words;
use mta_directory::Directory;
use mta_directory::entry::Entry;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

fn open(context: &Context) -> Result<Directory, Failure> {
    let config = context.config()?;
    let path = context.root.directory();
    Ok(Directory::open(
        &path,
        &config.default_domain,
        |fault, _| {
            Message::warning("TEST", "DIRECTORY", fault.to_string()).emit();
        },
    ))
}

const COMMANDS: &str = "\
enumerate                    list all domains
locate domain NAME           select a domain
locate basedn \"DN\"           select the domain of an entry
query ATTRIBUTE              values of an attribute of the selected domain
show                         names of the selected domain
release                      forget the selection
verify                       check all domains
view                         list domains with their entries
canonicalize NAME            the canonical name of a domain
help                         this text
exit, quit                   leave
";

/// A domain that was selected.
struct Selected {
    name: String,
    entry: Arc<Entry>,
}

pub(super) fn domain_map(context: &Context) -> Outcome {
    let directory = open(context)?;
    let mut selected: Option<Selected> = None;
    while let Some(line) = ask("DOMAIN_MAP> ") {
        let Ok(words) = split(&line) else {
            output::line("quotes must be closed");
            continue;
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => {}
            ["exit" | "quit"] => break,
            ["help"] => output::block(COMMANDS),
            ["release"] => selected = None,
            words => match command(&directory, words, &mut selected) {
                Ok(text) => output::block(&text),
                Err(text) => output::line(&output::visible(&text)),
            },
        }
    }
    Ok(())
}

fn command(
    directory: &Directory,
    words: &[&str],
    selected: &mut Option<Selected>,
) -> Result<String, String> {
    let trouble = |error: mta_directory::DirectoryError| error.to_string();
    let domains = directory.domains().map_err(trouble)?;
    match words {
        ["enumerate"] => Ok(domains
            .iter()
            .map(|(name, _)| format!("{name}\n"))
            .collect()),
        ["locate", "domain", name] => {
            let found = directory.domain(name).map_err(trouble)?;
            let entry = found.ok_or("entry not found")?;
            let name = name.to_lowercase();
            *selected = Some(Selected { name, entry });
            Ok("entry located\n".to_owned())
        }
        ["locate", "basedn", dn] => {
            let mut all = domains.into_iter();
            let found = all.find(|(_, entry)| {
                let base = entry.first("inetdomainbasedn").unwrap_or(&entry.dn);
                same_dn(base, dn) || same_dn(&entry.dn, dn)
            });
            let (name, entry) = found.ok_or("entry not found")?;
            *selected = Some(Selected { name, entry });
            Ok("entry located\n".to_owned())
        }
        ["query", attribute] => {
            let Selected { entry, .. } = selected.as_ref().ok_or("no entry selected")?;
            let name = attribute.to_lowercase();
            let values: String = entry
                .values(&name)
                .map(|value| format!("{value}\n"))
                .collect();
            Ok(format!("Attribute value(s):\n{values}"))
        }
        ["show"] => {
            let Selected { name, entry } = selected.as_ref().ok_or("no entry selected")?;
            let canonical = canonical(entry, name);
            Ok(format!(
                "Domain name: {name}\nCanonical name: {canonical}\nLower case canonical name: {}\n\
                 Base DN: {}\nDomain DN: {}\n",
                canonical.to_lowercase(),
                entry.first("inetdomainbasedn").unwrap_or(&entry.dn),
                entry.dn
            ))
        }
        ["canonicalize", name] => {
            let entry = directory
                .domain(name)
                .map_err(trouble)?
                .ok_or("entry not found")?;
            Ok(format!("{}\n", canonical(&entry, name)))
        }
        ["verify"] => {
            let found = verify(&domains);
            Ok(found.iter().map(|line| format!("{line}\n")).collect())
        }
        ["view"] => Ok(domains
            .iter()
            .map(|(name, entry)| format!("{name}: {} (line {})\n", entry.dn, entry.line))
            .collect()),
        _ => Err("unknown command; help lists all".to_owned()),
    }
}

fn same_dn(a: &str, b: &str) -> bool {
    let folded = |dn: &str| dn.to_lowercase().replace([' ', '\t'], "");
    folded(a) == folded(b)
}

fn canonical(entry: &Entry, name: &str) -> String {
    let set = entry.first("inetcanonicaldomainname");
    set.unwrap_or(name).to_owned()
}

/// What is wrong with the domains, one line for each finding.
fn verify(domains: &[(String, Arc<Entry>)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut bases: BTreeMap<String, (&str, &Entry)> = BTreeMap::new();
    for (name, entry) in domains {
        let is_host = name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .chars()
                    .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        });
        if name.is_empty() {
            found.push(format!(
                "%DMAP-E-NODOMAINNAME, Domain entry with DN '{}' does not have a domain name.",
                entry.dn
            ));
        } else if !is_host {
            found.push(format!(
                "%DMAP-E-DOMAININVALID, Domain name '{name}' defined/referenced by domain entry \
                 with DN '{}' is syntactically invalid.",
                entry.dn
            ));
        }
        let base = entry.first("inetdomainbasedn").unwrap_or(&entry.dn);
        match bases.get(&base.to_lowercase()) {
            Some((other, known)) if known.dn != entry.dn => {
                let (a, b) = (canonical(known, other), canonical(entry, name));
                if !a.eq_ignore_ascii_case(&b) {
                    found.push(format!(
                        "%DMAP-E-CANONICAL, Overlapping domains '{other}' and '{name}' defined by \
                         entries '{}' and '{}' have different canonical domains '{a}' and '{b}'.",
                        known.dn, entry.dn
                    ));
                }
            }
            Some(_) => {}
            None => {
                bases.insert(base.to_lowercase(), (name, entry));
            }
        }
    }
    found
}

/// What a URL has found.
#[derive(Debug, Serialize)]
struct Found {
    entries: Vec<FoundEntry>,
}

#[derive(Debug, Serialize)]
struct FoundEntry {
    dn: String,
    attributes: Vec<(String, String)>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            writeln!(f, "dn: {}", output::visible(&entry.dn))?;
            for (name, value) in &entry.attributes {
                writeln!(f, "{name}: {}", output::visible(value))?;
            }
            writeln!(f)?;
        }
        let count = self.entries.len();
        let word = if count == 1 { "entry" } else { "entries" };
        writeln!(f, "{count} {word} returned")
    }
}

pub(super) fn url(context: &Context, words: &Words) -> Outcome {
    let directory = open(context)?;
    let answer = |url: &str| -> Result<(), Message> {
        if words.is_on("debug", false) {
            output::line(&format!("Searching {}", context.root.directory().display()));
        }
        let found = directory
            .search(url)
            .map_err(|error| Message::error("TEST", "LDAP", error.to_string()))?;
        let entries = found.into_iter().map(|found| FoundEntry {
            dn: found.dn,
            attributes: found.attributes,
        });
        let view = Found {
            entries: entries.collect(),
        };
        output::show(&view, words.is_on("json", false));
        Ok(())
    };
    if let Some(url) = words.parameter(0) {
        return answer(url).map_err(Failure::Said);
    }
    while let Some(line) = ask("URL: ") {
        if let Err(message) = answer(line.trim()) {
            message.emit();
        }
    }
    Ok(())
}
