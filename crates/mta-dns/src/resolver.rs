//! What is asked, and a resolver that answers from a table.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mta_envelope::domain;

/// One mail exchanger record. The host `.` is the one of RFC 7505: no mail here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mx {
    /// Lower is tried first.
    pub preference: u16,
    /// The host, without a final dot unless it is nothing else.
    pub host: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The name does not exist (NXDOMAIN), or cannot exist.
    #[error("no such name")]
    NoSuchName,
    /// The name exists and has no record of this kind (NODATA).
    #[error("no such record")]
    NoRecords,
    /// Nobody could be asked, or nobody answered properly. Asking later may help.
    #[error("temporary name server trouble: {0}")]
    Temporary(String),
}

/// Something that answers questions about names.
pub trait Resolver {
    /// The MX records of a name, in the order received.
    ///
    /// # Errors
    /// [`Failure`]; an empty list is never returned.
    fn mx(&self, name: &str) -> Result<Vec<Mx>, Failure>;

    /// The addresses of a host, IPv4 first, each kind in the order received.
    ///
    /// # Errors
    /// [`Failure`]; an empty list is never returned.
    fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Failure>;

    /// The names of an address.
    ///
    /// # Errors
    /// [`Failure`]; an empty list is never returned.
    fn names(&self, address: IpAddr) -> Result<Vec<String>, Failure>;
}

/// Answers from memory, for tests and explanations. A name that was never mentioned does not
/// exist.
#[derive(Debug, Clone, Default)]
pub struct Table {
    names: BTreeMap<String, Entry>,
    reverse: BTreeMap<IpAddr, Vec<String>>,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    mx: Vec<Mx>,
    addresses: Vec<IpAddr>,
    trouble: Option<String>,
}

impl Table {
    /// Adds an MX record.
    pub fn add_mx(&mut self, name: &str, preference: u16, host: &str) {
        let host = host.to_owned();
        self.entry(name).mx.push(Mx { preference, host });
    }

    /// Adds an address record, and the name of that address.
    pub fn add_address(&mut self, host: &str, address: IpAddr) {
        self.entry(host).addresses.push(address);
        let names = self.reverse.entry(address).or_default();
        names.push(host.to_owned());
    }

    /// A name without records.
    pub fn add_name(&mut self, name: &str) {
        self.entry(name);
    }

    /// A name about which nobody answers.
    pub fn add_trouble(&mut self, name: &str, text: &str) {
        self.entry(name).trouble = Some(text.to_owned());
    }

    fn entry(&mut self, name: &str) -> &mut Entry {
        self.names.entry(domain::fold(name)).or_default()
    }

    fn find(&self, name: &str) -> Result<&Entry, Failure> {
        let entry = self.names.get(&domain::fold(name));
        let entry = entry.ok_or(Failure::NoSuchName)?;
        match &entry.trouble {
            Some(text) => Err(Failure::Temporary(text.clone())),
            None => Ok(entry),
        }
    }
}

fn some<T: Clone>(records: &[T]) -> Result<Vec<T>, Failure> {
    if records.is_empty() {
        return Err(Failure::NoRecords);
    }
    Ok(records.to_vec())
}

impl Resolver for Table {
    fn mx(&self, name: &str) -> Result<Vec<Mx>, Failure> {
        some(&self.find(name)?.mx)
    }

    fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Failure> {
        some(&self.find(host)?.addresses)
    }

    fn names(&self, address: IpAddr) -> Result<Vec<String>, Failure> {
        let names = self.reverse.get(&address).ok_or(Failure::NoSuchName)?;
        some(names)
    }
}
