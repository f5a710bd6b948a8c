//! The whole directory in memory, looked up by address, user id, name and domain.

use crate::entry::{Entry, Kind, fold_address, fold_dn};
use crate::ldif::{self, SyntaxFault};
use mta_envelope::domain::fold;
use std::collections::HashMap;
use std::sync::Arc;

/// What an address leads to.
#[derive(Debug, Clone)]
pub enum Found {
    /// Nobody.
    Nothing,
    /// Exactly one entry.
    One(Arc<Entry>),
    /// Several entries claim it: an error in the directory.
    Ambiguous,
}

/// One good state of the directory.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_address: HashMap<String, Slot>,
    by_uid: HashMap<String, Slot>,
    by_dn: HashMap<String, Arc<Entry>>,
    domains: HashMap<String, Arc<Entry>>,
    /// A stored password of the costliest scheme in use, compared with when there is nobody.
    pub(crate) decoy: Option<String>,
    pub(crate) count: usize,
}

#[derive(Debug)]
enum Slot {
    One(Arc<Entry>),
    Several,
}

impl Index {
    pub(crate) fn build(
        content: &[u8],
        default_domain: &str,
    ) -> Result<Self, (usize, SyntaxFault)> {
        let mut index = Self::default();
        for record in ldif::parse(content)? {
            index.insert(&Arc::new(Entry::new(record)), default_domain);
        }
        Ok(index)
    }

    fn insert(&mut self, entry: &Arc<Entry>, default_domain: &str) {
        self.count += 1;
        self.by_dn.insert(fold_dn(&entry.dn), Arc::clone(entry));
        match entry.kind {
            Kind::Domain => {
                for name in entry.domain_names() {
                    self.domains.insert(name, Arc::clone(entry));
                }
            }
            Kind::User | Kind::Group => {
                for address in entry.addresses() {
                    occupy(&mut self.by_address, fold_address(address), entry);
                }
                if entry.kind == Kind::User {
                    self.insert_login(entry, default_domain);
                }
            }
            Kind::Other => {}
        }
    }

    fn insert_login(&mut self, entry: &Arc<Entry>, default_domain: &str) {
        if let Some(uid) = entry.uid() {
            let domain = entry.domain().unwrap_or_else(|| fold(default_domain));
            let uid = uid.to_lowercase();
            occupy(&mut self.by_uid, format!("{uid}@{domain}"), entry);
        }
        let argon2 = entry.values("userpassword").find(|value| {
            value
                .get(..8)
                .is_some_and(|tag| tag.eq_ignore_ascii_case("{argon2}"))
        });
        if self.decoy.is_none() {
            self.decoy = argon2.map(str::to_owned);
        }
    }

    pub(crate) fn address(&self, address: &str) -> Found {
        Found::from(self.by_address.get(&fold_address(address)))
    }

    /// Somebody who logs in as `uid`, `uid@domain` or with one of his addresses.
    pub(crate) fn login(&self, name: &str, default_domain: &str) -> Found {
        let name = fold_address(name);
        let full = match name.rsplit_once('@') {
            Some(_) => name,
            None => format!("{name}@{}", fold(default_domain)),
        };
        match Found::from(self.by_uid.get(&full)) {
            Found::Nothing => match Found::from(self.by_address.get(&full)) {
                Found::One(entry) if entry.kind == Kind::User => Found::One(entry),
                Found::One(_) => Found::Nothing,
                other @ (Found::Nothing | Found::Ambiguous) => other,
            },
            other @ (Found::One(_) | Found::Ambiguous) => other,
        }
    }

    pub(crate) fn dn(&self, dn: &str) -> Option<&Arc<Entry>> {
        self.by_dn.get(&fold_dn(dn))
    }

    /// All entries, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.by_dn.values()
    }

    /// All domains, sorted by name.
    pub(crate) fn domains(&self) -> Vec<(String, Arc<Entry>)> {
        let domains = self.domains.iter();
        let mut domains: Vec<_> = domains
            .map(|(name, entry)| (name.clone(), Arc::clone(entry)))
            .collect();
        domains.sort_by(|(a, _), (b, _)| a.cmp(b));
        domains
    }

    pub(crate) fn domain(&self, name: &str) -> Option<&Arc<Entry>> {
        self.domains.get(fold(name).trim_end_matches('.'))
    }
}

impl From<Option<&Slot>> for Found {
    fn from(slot: Option<&Slot>) -> Self {
        match slot {
            None => Self::Nothing,
            Some(Slot::One(entry)) => Self::One(Arc::clone(entry)),
            Some(Slot::Several) => Self::Ambiguous,
        }
    }
}

fn occupy(map: &mut HashMap<String, Slot>, key: String, entry: &Arc<Entry>) {
    use std::collections::hash_map::Entry as Place;
    match map.entry(key) {
        Place::Vacant(place) => {
            place.insert(Slot::One(Arc::clone(entry)));
        }
        Place::Occupied(mut place) => {
            let same = matches!(place.get(), Slot::One(known) if Arc::ptr_eq(known, entry));
            if !same {
                place.insert(Slot::Several);
            }
        }
    }
}
