//! Which entries of a large table can match a text at all.
//!
//! Each entry is filed under one key, the rarest that a text must contain for the entry to match:
//! a *gram*, some characters in a row of one of its literals, or the network of one of its IP
//! elements. A text is asked for the keys of all its grams and of all addresses in it; what is
//! found there, and the entries that have no key worth filing under, are tried in the order of the
//! table. So the first entry that matches is the one that a plain scan finds, which a property
//! test compares.
//!
//! What limits it: an entry without any literal, or whose rarest literal is shared by more than
//! [`MOST_OF_A_KEY`] entries, is tried each time.

use crate::network::{self, Network};
use crate::pattern::Element;
use crate::records::{MOST_OF_A_KEY, hash};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Lengths of grams in octets, the longest first. A literal is cut into grams of the longest
/// length that fits.
const LENGTHS: [usize; 5] = [16, 8, 4, 2, 1];

/// What kinds of keys a table has, so that a text is asked for no others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kinds {
    /// Whether there are grams of each of [`LENGTHS`].
    lengths: [bool; LENGTHS.len()],
    v4: Vec<u32>,
    v6: Vec<u128>,
}

/// The places of a table's entries by key, and of those without one.
pub(crate) struct Filed {
    pub(crate) kinds: Kinds,
    pub(crate) by_key: BTreeMap<u64, Vec<u32>>,
    pub(crate) common: Vec<u32>,
}

/// A key that an entry could be filed under.
#[derive(Clone, Copy)]
enum Key {
    /// A gram; which of [`LENGTHS`].
    Gram(u64, usize),
    Network(u64, Network),
}

impl Key {
    const fn hash(self) -> u64 {
        match self {
            Self::Gram(hash, _) | Self::Network(hash, _) => hash,
        }
    }
}

/// Files the entries of a table, given as the elements of their patterns.
pub(crate) fn file<'p>(entries: impl Iterator<Item = &'p [Element]> + Clone) -> Filed {
    let mut counts: HashMap<u64, u32> = HashMap::new();
    let mut keys = Vec::new();
    for elements in entries.clone() {
        keys_of(elements, &mut keys);
        keys.sort_unstable_by_key(|key| key.hash());
        keys.dedup_by_key(|key| key.hash());
        for key in &keys {
            *counts.entry(key.hash()).or_default() += 1;
        }
    }
    let most = u32::try_from(MOST_OF_A_KEY).unwrap_or(u32::MAX);
    let mut filed = Filed {
        kinds: Kinds::default(),
        by_key: BTreeMap::new(),
        common: Vec::new(),
    };
    for (place, elements) in (0..).zip(entries) {
        keys_of(elements, &mut keys);
        let rarest = keys.iter().min_by_key(|key| counts[&key.hash()]);
        match rarest.filter(|key| counts[&key.hash()] <= most) {
            None => filed.common.push(place),
            Some(key) => {
                filed.kinds.add(*key);
                filed.by_key.entry(key.hash()).or_default().push(place);
            }
        }
    }
    filed.kinds.v4.sort_unstable();
    filed.kinds.v6.sort_unstable();
    filed
}

/// All keys of a pattern, the longest grams first among those of one literal.
fn keys_of(elements: &[Element], keys: &mut Vec<Key>) {
    keys.clear();
    for element in elements {
        match element {
            Element::Literal(text) => {
                let octets = text.as_bytes();
                let length = (0..LENGTHS.len()).find(|length| LENGTHS[*length] <= octets.len());
                if let Some(length) = length {
                    let grams = octets.windows(LENGTHS[length]);
                    keys.extend(grams.map(|gram| Key::Gram(hash(gram), length)));
                }
            }
            Element::Address { network, .. } => {
                keys.push(Key::Network(network_key(*network), *network));
            }
            Element::One { .. } | Element::Many { .. } | Element::Back(_) => {}
        }
    }
}

/// Networks and grams are of different lengths, so that their keys are too.
fn network_key(network: Network) -> u64 {
    match network {
        Network::V4 { address, mask } => {
            let mut octets = [0; 9];
            octets[..4].copy_from_slice(&address.to_le_bytes());
            octets[4..8].copy_from_slice(&mask.to_le_bytes());
            hash(&octets)
        }
        Network::V6 { address, mask } => {
            let mut octets = [0; 33];
            octets[..16].copy_from_slice(&address.to_le_bytes());
            octets[16..32].copy_from_slice(&mask.to_le_bytes());
            hash(&octets)
        }
    }
}

impl Kinds {
    fn add(&mut self, key: Key) {
        match key {
            Key::Gram(_, length) => self.lengths[length] = true,
            Key::Network(_, Network::V4 { mask, .. }) => {
                if !self.v4.contains(&mask) {
                    self.v4.push(mask);
                }
            }
            Key::Network(_, Network::V6 { mask, .. }) => {
                if !self.v6.contains(&mask) {
                    self.v6.push(mask);
                }
            }
        }
    }

    /// Calls `visit` with each key that an entry which matches `text` may be filed under; with
    /// some of them more than once.
    pub(crate) fn for_each_key(&self, text: &str, mut visit: impl FnMut(u64)) {
        let folded = text.to_ascii_lowercase();
        for (length, _) in LENGTHS.iter().zip(self.lengths).filter(|(_, used)| *used) {
            folded
                .as_bytes()
                .windows(*length)
                .for_each(|gram| visit(hash(gram)));
        }
        if self.v4.is_empty() && self.v6.is_empty() {
            return;
        }
        network::for_each_address(text, &mut |found| match found {
            network::Found::V4(address) => {
                for mask in &self.v4 {
                    let (address, mask) = (address & mask, *mask);
                    visit(network_key(Network::V4 { address, mask }));
                }
            }
            network::Found::V6(address) => {
                for mask in &self.v6 {
                    let (address, mask) = (address & mask, *mask);
                    visit(network_key(Network::V6 { address, mask }));
                }
            }
        });
    }
}

#[cfg(test)]
pub(crate) mod tests;
