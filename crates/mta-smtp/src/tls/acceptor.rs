//! The server's certificate and key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why no certificate can be used. Told to the operator with the file; the peer gets 454.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The certificate file cannot be read or is not PEM.
    #[error("cannot read the TLS certificate {}: {source}", file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// What was wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// The certificate file holds no certificate.
    #[error("no certificate in {}", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// The key file cannot be read, or holds no private key in PEM.
    #[error("cannot read the TLS private key {}: {source}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What was wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// The two do not belong together, or are of a kind that cannot be used.
    #[error("certificate {} cannot be used with key {}: {source}", certificate.display(), key.display())]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What was wrong.
        source: rustls::Error,
    },
}

/// All that is needed to accept TLS; cheap to clone, replaced as a whole on reload.
#[derive(Debug, Clone)]
pub struct Acceptor(Arc<ServerConfig>);

impl Acceptor {
    /// Loads certificate chain and key from PEM files and checks that they belong together.
    ///
    /// # Errors
    /// [`CertificateError`], which names the file.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let wrong = |source| CertificateError::Certificate {
            file: certificate.to_owned(),
            source,
        };
        let chain = CertificateDer::pem_file_iter(certificate).map_err(wrong)?;
        let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(wrong)?;
        if chain.is_empty() {
            return Err(CertificateError::Empty {
                file: certificate.to_owned(),
            });
        }
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|source| CertificateError::Key {
                file: key.to_owned(),
                source,
            })?;
        let unusable = |source| CertificateError::Unusable {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        };
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(unusable)?;
        Ok(Self(Arc::new(config)))
    }

    /// The configuration for one connection.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}
