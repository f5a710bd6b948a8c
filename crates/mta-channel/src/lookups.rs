//! What templates of rules and tables ask of the world: databases, the directory, sequence files,
//! chance.

use mta_config::Config;
use mta_config::database::{Databases, Kind};
use mta_directory::Directory;
use mta_mapping::{Callouts, TemporaryFailure};
use std::hash::{BuildHasher, Hasher};

/// Answers the call-outs of a configuration's templates.
#[derive(Debug, Clone, Copy)]
pub struct Lookups<'a> {
    config: &'a Config,
    databases: &'a Databases,
    directory: Option<&'a Directory>,
}

impl<'a> Lookups<'a> {
    /// Answers from databases, and from a directory if there is one to ask.
    #[must_use]
    pub const fn new(
        config: &'a Config,
        databases: &'a Databases,
        directory: Option<&'a Directory>,
    ) -> Self {
        Self {
            config,
            databases,
            directory,
        }
    }
}

impl Callouts for Lookups<'_> {
    fn database(&self, key: &str) -> Result<Option<String>, TemporaryFailure> {
        let found = self
            .databases
            .look_up(&self.config.texts, Kind::General, key);
        found.map_err(|_| TemporaryFailure)
    }

    fn domain_attribute(
        &self,
        domain: &str,
        attribute: &str,
    ) -> Result<Option<String>, TemporaryFailure> {
        let directory = self.directory.ok_or(TemporaryFailure)?;
        let entry = directory.domain(domain).map_err(|_| TemporaryFailure)?;
        Ok(entry.and_then(|entry| match attribute {
            "_domain_name_" | "_canonical_name_" => Some(domain.to_lowercase()),
            "_domain_dn_" | "_base_dn_" => Some(entry.dn.clone()),
            name => entry.first(&name.to_lowercase()).map(str::to_owned),
        }))
    }

    fn url(&self, url: &str) -> Result<Option<String>, TemporaryFailure> {
        let directory = self.directory.ok_or(TemporaryFailure)?;
        let found = directory.search(url).map_err(|_| TemporaryFailure)?;
        // One result is a result; none and several are none.
        let mut values = found.into_iter().flat_map(|found| found.values);
        Ok(values.next().filter(|_| values.next().is_none()))
    }

    fn sequence(&self, file: &str) -> Option<u64> {
        self.databases.sequence(file)
    }

    fn chance(&self, percent: f64) -> bool {
        // A seed of its own for each hasher is all the randomness that is needed.
        let random = std::collections::hash_map::RandomState::new();
        let number = random.build_hasher().finish() % 1_000_000;
        (number as f64) < percent * 10_000.0
    }
}
