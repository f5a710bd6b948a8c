//! Where large tables lie when they are not in memory, and what saves most of the look-ups.
//!
//! A compiled configuration has a core, which each process reads at its start, and records beside
//! it, each read when it is asked for. What is in the core of a large table is a [`Filter`] over
//! the keys of its records: nearly every key that is not there is told without a look-up.

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Tables and lists of fewer entries stay in the core whole.
pub const FEW: usize = 64;
/// A key shared by more entries than this tells too little: those entries stay in the core.
pub const MOST_OF_A_KEY: usize = 16;

/// A record that cannot be read: what lies beside the core is damaged, or gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// The records beside the core of a compiled configuration.
pub trait Records: std::fmt::Debug + Send + Sync {
    /// Shows the record of a key to `visit`; whether there is one.
    ///
    /// # Errors
    /// [`Unreadable`] when the record is damaged or nothing can be read.
    fn read(&self, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, Unreadable>;
}

/// A list or record in the form in which it lies beside the core.
///
/// # Panics
/// Never: the form has no limit and takes everything that these crates compile.
#[must_use]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Most records are short, and there may be a million of them.
    let mut record = Vec::with_capacity(128);
    bincode::serde::encode_into_std_write(value, &mut record, bincode::config::standard())
        .expect("what was compiled has a form");
    record
}

/// Reads a record made by [`encode`]; nothing when there is none.
///
/// # Errors
/// [`Unreadable`], also for a record of another form.
pub fn fetch<T: DeserializeOwned>(
    records: &dyn Records,
    key: &[u8],
) -> Result<Option<T>, Unreadable> {
    let mut found = None;
    let there = records.read(key, &mut |record| {
        let decoded = bincode::serde::decode_from_slice(record, bincode::config::standard());
        found = decoded
            .ok()
            .filter(|(_, used)| *used == record.len())
            .map(|(value, _)| value);
    })?;
    match found {
        None if there => Err(Unreadable(format!(
            "the record \"{}\" is of no known form",
            String::from_utf8_lossy(key)
        ))),
        found => Ok(found),
    }
}

/// A set of hashes that may answer "perhaps" for one that is not in it, about once in 200 times,
/// and never "no" for one that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// A power of two of bits, at least sixteen for each hash.
    bits: Vec<u8>,
}

impl Filter {
    /// The filter over these hashes.
    #[must_use]
    pub fn over(hashes: impl ExactSizeIterator<Item = u64>) -> Self {
        let octets = (hashes.len() * 2).next_power_of_two().max(8);
        let mut filter = Self {
            bits: vec![0; octets],
        };
        for hash in hashes {
            for bit in filter.places(hash) {
                filter.bits[bit / 8] |= 1 << (bit % 8);
            }
        }
        filter
    }

    /// Whether the hash may be in the set.
    #[must_use]
    pub fn may_hold(&self, hash: u64) -> bool {
        let mut places = self.places(hash).into_iter();
        places.all(|bit| self.bits[bit / 8] >> (bit % 8) & 1 == 1)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "only the low bits of each part are wanted"
    )]
    const fn places(&self, hash: u64) -> [usize; 3] {
        let mask = self.bits.len() * 8 - 1;
        [
            hash as usize & mask,
            (hash >> 21) as usize & mask,
            hash.rotate_right(42) as usize & mask,
        ]
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.bits)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Octets(bits) = Octets::deserialize(deserializer)?;
        if bits.len() < 8 || !bits.len().is_power_of_two() {
            let expected = &"a power of two of octets, at least eight";
            return Err(D::Error::invalid_length(bits.len(), expected));
        }
        Ok(Self { bits })
    }
}

/// Octets, written and read as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Octets(pub Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Octets;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("octets")
            }

            fn visit_bytes<E: Error>(self, octets: &[u8]) -> Result<Octets, E> {
                Ok(Octets(octets.to_vec()))
            }

            fn visit_byte_buf<E: Error>(self, octets: Vec<u8>) -> Result<Octets, E> {
                Ok(Octets(octets))
            }
        }
        deserializer.deserialize_byte_buf(Whole)
    }
}

/// A hash of octets, the same on every machine: eight octets at a time.
#[must_use]
pub fn hash(octets: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = (octets.len() as u64).wrapping_mul(FACTOR);
    let (whole, rest) = octets.as_chunks::<8>();
    for chunk in whole {
        state = mixed(state ^ u64::from_le_bytes(*chunk));
    }
    if !rest.is_empty() {
        let mut chunk = [0; 8];
        chunk[..rest.len()].copy_from_slice(rest);
        state = mixed(state ^ u64::from_le_bytes(chunk));
    }
    state
}

const fn mixed(mut state: u64) -> u64 {
    state ^= state >> 32;
    state = state.wrapping_mul(0xd6e8_feb8_6659_fd93);
    state ^= state >> 32;
    state = state.wrapping_mul(0xd6e8_feb8_6659_fd93);
    state ^ (state >> 32)
}

/// Hashes keys of a configuration: whoever asks may choose what is looked up, not what is there,
/// so that a hash which anybody can compute does no harm.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyHasher(u64);

impl std::hash::Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        self.0 = self.0.rotate_left(5) ^ hash(octets);
    }

    fn write_u8(&mut self, octet: u8) {
        self.0 = (self.0 ^ u64::from(octet)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// For maps whose keys are those of a configuration.
pub type KeyHash = std::hash::BuildHasherDefault<KeyHasher>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_never_forgets_and_seldom_errs() {
        let of = |number: u64| hash(&number.to_le_bytes());
        let filter = Filter::over((0..10_000).map(of).collect::<Vec<_>>().into_iter());
        assert!((0..10_000).all(|number| filter.may_hold(of(number))));
        let wrong = (10_000..110_000)
            .filter(|n| filter.may_hold(of(*n)))
            .count();
        assert!(wrong < 1_000, "{wrong} of 100,000");
        let octets = encode(&filter);
        let (read, used): (Filter, _) =
            bincode::serde::decode_from_slice(&octets, bincode::config::standard()).unwrap();
        assert_eq!((read, used), (filter, octets.len()));
    }

    #[test]
    fn a_filter_of_another_size_is_refused() {
        for length in [0, 4, 12] {
            let octets = encode(&Octets(vec![0; length]));
            let read: Result<(Filter, usize), _> =
                bincode::serde::decode_from_slice(&octets, bincode::config::standard());
            assert!(read.is_err(), "{length}");
        }
    }

    #[test]
    fn nothing_has_a_hash_too() {
        let empty = Filter::over(std::iter::empty());
        assert!(!empty.may_hold(hash(b"x")));
        assert_ne!(hash(b""), hash(b"\0"));
        assert_ne!(hash(b"12345678"), hash(b"12345678\0"));
    }
}
