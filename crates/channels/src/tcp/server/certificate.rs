//! The server's certificate, read when it is first needed and again when its files change.

use mta_config::{Config, MtaOption, ServerRoot};
use mta_smtp::tls::{Acceptor, CertificateError};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What tells one state of a file from another.
type Stamp = (u64, u64, i64, i64);

/// The certificate in use.
#[derive(Debug, Default)]
pub(super) struct Certificate {
    loaded: Mutex<Option<Loaded>>,
    /// Whether the lack of one has been told.
    lack_told: AtomicBool,
}

#[derive(Debug)]
struct Loaded {
    files: (PathBuf, PathBuf),
    stamps: (Option<Stamp>, Option<Stamp>),
    acceptor: Acceptor,
}

impl Certificate {
    /// Whether the configuration names a certificate at all.
    pub(super) fn is_configured(config: &Config) -> bool {
        config.mta.text(MtaOption::TlsCertificate).is_some()
    }

    /// Whether a client that begins with TLS is the first for whom there is no certificate.
    pub(super) fn is_newly_missed(&self, config: &Config) -> bool {
        !Self::is_configured(config) && !self.lack_told.swap(true, Ordering::Relaxed)
    }

    /// What accepts TLS now. A new certificate that cannot be used leaves the old one in use.
    ///
    /// # Errors
    /// [`CertificateError`] when there is none to fall back on; `None` stands for no
    /// certificate configured.
    pub(super) fn acceptor(
        &self,
        config: &Config,
        root: &ServerRoot,
        complain: impl FnOnce(&CertificateError),
    ) -> Option<Acceptor> {
        let certificate = root.resolve(config.mta.text(MtaOption::TlsCertificate)?);
        let key = config.mta.text(MtaOption::TlsKey);
        let key = key.map_or_else(|| certificate.clone(), |key| root.resolve(key));
        let stamps = (stamp(&certificate), stamp(&key));
        let files = (certificate, key);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*loaded
            && known.files == files
            && known.stamps == stamps
        {
            return Some(known.acceptor.clone());
        }
        match Acceptor::load(&files.0, &files.1) {
            Ok(acceptor) => {
                *loaded = Some(Loaded {
                    files,
                    stamps,
                    acceptor: acceptor.clone(),
                });
                Some(acceptor)
            }
            Err(error) => {
                complain(&error);
                loaded.as_ref().map(|known| known.acceptor.clone())
            }
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
}
