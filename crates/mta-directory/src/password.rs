//! Stored passwords: which forms count, and how a given one is compared.
//!
//! Accepted are `{ARGON2}` with a PHC string, `{SSHA256}` and `{SSHA512}` (also under their
//! `.B64` names). Clear text, unsalted digests and SHA-1 are not: an entry that has nothing
//! better cannot log in. The costly comparison runs a few at a time only, since one takes some
//! 20 MiB and tens of milliseconds.

use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256, Sha512};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;

/// Costly comparisons at the same time.
const SLOTS: usize = 4;

/// How long a log-in waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest password looked at; RFC 4616 allows no more in practice.
const MAX_PASSWORD: usize = 1024;

/// Most memory, in KiB, that a stored hash may ask for.
const MAX_MEMORY: u32 = 256 * 1024;

/// Most passes that a stored hash may ask for.
const MAX_PASSES: u32 = 16;

/// The outcome of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// One of the stored passwords is the given one.
    Right,
    /// None is.
    Wrong,
}

/// Lets a few threads through at a time.
#[derive(Debug)]
pub struct Gate {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            free: Mutex::new(SLOTS),
            freed: Condvar::new(),
        }
    }
}

impl Gate {
    fn pass<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let _place = self.enter()?;
        Some(work())
    }

    fn enter(&self) -> Option<Place<'_>> {
        let deadline = Instant::now() + PATIENCE;
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            let left = deadline.checked_duration_since(Instant::now())?;
            (free, _) = self
                .freed
                .wait_timeout(free, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Some(Place(self))
    }
}

/// A place inside the gate, given back when dropped, also by a panic.
struct Place<'a>(&'a Gate);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

/// Compares `given` with each of the stored values; `None` when it was not our turn in time.
#[must_use]
pub fn check(stored: &[&str], given: &[u8], decoy: Option<&str>, gate: &Gate) -> Option<Verdict> {
    if given.is_empty() || given.len() > MAX_PASSWORD {
        waste(decoy, b"-", gate)?;
        return Some(Verdict::Wrong);
    }
    let mut costly = false;
    let mut right = false;
    for value in stored {
        match Stored::parse(value) {
            Some(Stored::Argon2(hash)) => {
                costly = true;
                right |= gate.pass(|| verify(&hash, given))?;
            }
            Some(Stored::Digest(stored)) => right |= stored.matches(given),
            None => {}
        }
    }
    // A cheap or useless entry must not be told from a costly or missing one by the clock.
    if !right && !costly {
        waste(decoy, given, gate)?;
    }
    Some(if right {
        Verdict::Right
    } else {
        Verdict::Wrong
    })
}

/// Takes as long as a comparison; `None` when it was not our turn in time.
#[must_use]
pub fn waste(decoy: Option<&str>, given: &[u8], gate: &Gate) -> Option<()> {
    let given = &given[..given.len().min(MAX_PASSWORD)];
    match decoy.and_then(Stored::parse) {
        Some(Stored::Argon2(hash)) => {
            gate.pass(|| verify(&hash, given))?;
        }
        Some(Stored::Digest(_)) | None => {}
    }
    Some(())
}

enum Stored {
    Argon2(Box<PasswordHash>),
    Digest(SaltedDigest),
}

impl Stored {
    fn parse(value: &str) -> Option<Self> {
        let (scheme, rest) = value.strip_prefix('{')?.split_once('}')?;
        match scheme.to_ascii_uppercase().as_str() {
            "ARGON2" | "ARGON2ID" => PasswordHash::new(rest)
                .ok()
                .filter(bounded)
                .map(|hash| Self::Argon2(Box::new(hash))),
            "SSHA256" | "SSHA256.B64" => SaltedDigest::parse(rest, Family::Sha256),
            "SSHA512" | "SSHA512.B64" => SaltedDigest::parse(rest, Family::Sha512),
            _ => None,
        }
    }
}

/// Whether a stored hash asks for an amount of work that a server can afford.
fn bounded(hash: &PasswordHash) -> bool {
    Params::try_from(hash)
        .is_ok_and(|params| params.m_cost() <= MAX_MEMORY && params.t_cost() <= MAX_PASSES)
}

fn verify(hash: &PasswordHash, given: &[u8]) -> bool {
    Argon2::default().verify_password(given, hash).is_ok()
}

enum Family {
    Sha256,
    Sha512,
}

struct SaltedDigest {
    family: Family,
    digest: Vec<u8>,
    salt: Vec<u8>,
}

impl SaltedDigest {
    fn parse(text: &str, family: Family) -> Option<Stored> {
        let text = text.trim();
        let mut digest = STANDARD
            .decode(text)
            .or_else(|_| STANDARD_NO_PAD.decode(text))
            .ok()?;
        let length = match family {
            Family::Sha256 => 32,
            Family::Sha512 => 64,
        };
        if digest.len() <= length {
            return None;
        }
        let salt = digest.split_off(length);
        Some(Stored::Digest(Self {
            family,
            digest,
            salt,
        }))
    }

    fn matches(&self, given: &[u8]) -> bool {
        let computed = match self.family {
            Family::Sha256 => Sha256::new()
                .chain_update(given)
                .chain_update(&self.salt)
                .finalize()
                .to_vec(),
            Family::Sha512 => Sha512::new()
                .chain_update(given)
                .chain_update(&self.salt)
                .finalize()
                .to_vec(),
        };
        computed.ct_eq(&self.digest).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssha256(password: &[u8], salt: &[u8]) -> String {
        let mut octets = Sha256::new()
            .chain_update(password)
            .chain_update(salt)
            .finalize()
            .to_vec();
        octets.extend_from_slice(salt);
        format!("{{SSHA256}}{}", STANDARD.encode(octets))
    }

    fn argon2(password: &[u8]) -> String {
        use argon2::password_hash::CustomizedPasswordHasher as _;
        let params = Params::new(64, 1, 1, None).unwrap();
        let hash: PasswordHash = Argon2::default()
            .hash_password_with_params(password, b"saltsaltsalt", params)
            .unwrap();
        format!("{{ARGON2}}{hash}")
    }

    #[test]
    fn right_and_wrong_in_each_accepted_form() {
        let gate = Gate::default();
        for stored in [ssha256(b"hunter2", b"salt"), argon2(b"hunter2")] {
            let verdict = |given: &[u8]| check(&[&stored], given, None, &gate);
            assert_eq!(verdict(b"hunter2"), Some(Verdict::Right), "{stored}");
            assert_eq!(verdict(b"hunter3"), Some(Verdict::Wrong), "{stored}");
            assert_eq!(verdict(b""), Some(Verdict::Wrong), "{stored}");
        }
    }

    #[test]
    fn what_is_not_safe_is_not_accepted() {
        let gate = Gate::default();
        for stored in [
            "hunter2",
            "{CLEAR}hunter2",
            "{SHA}8zK0MJWUWyPP5nJY7RVmKDKxQjc=",
            "{SSHA256}",
            "{ARGON2}$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAA",
            "{ARGON2}nonsense",
        ] {
            assert_eq!(
                check(&[stored], b"hunter2", None, &gate),
                Some(Verdict::Wrong),
                "{stored}"
            );
        }
    }

    #[test]
    fn a_place_is_given_back_by_a_panic_too() {
        let gate = Gate::default();
        for _ in 0..SLOTS * 2 {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                gate.pass(|| panic!("as meant"))
            }));
            assert!(result.is_err());
        }
        assert_eq!(gate.pass(|| 1), Some(1));
    }
}
