//! The client's side of TLS: encryption without proof of identity.
//!
//! For mail between MTAs a certificate that does not verify is the normal case (RFC 7435): the
//! alternative would be clear text. Who must be sure of the peer needs DANE or MTA-STS, which
//! decide outside the handshake.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

/// What is needed to begin TLS as a client; cheap to clone, one a process.
#[derive(Debug, Clone)]
pub struct Connector(Arc<ClientConfig>);

/// TLS cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The peer's name is no name that TLS can ask for.
    #[error("no server name for TLS: {0}")]
    Name(#[from] InvalidDnsNameError),
    /// The library refused.
    #[error("TLS: {0}")]
    Library(#[from] rustls::Error),
}

impl Connector {
    /// A connector that accepts any certificate.
    ///
    /// # Errors
    /// [`TlsError::Library`] if the provider supports no protocol version.
    pub fn opportunistic() -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// A session with `host`, a DNS name or an IP address without brackets.
    pub(crate) fn session(&self, host: &str) -> Result<rustls::ClientConnection, TlsError> {
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned())?;
        Ok(rustls::ClientConnection::new(Arc::clone(&self.0), name)?)
    }
}

/// Accepts every certificate, but still checks that the peer holds its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
