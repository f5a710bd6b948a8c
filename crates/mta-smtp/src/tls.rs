//! TLS on a blocking stream: certificates for the server, opportunism for the client.
//!
//! One crypto provider, aws-lc-rs, named explicitly in each configuration, so that no feature
//! of another dependency can choose for us.

mod acceptor;
mod connector;

pub use acceptor::{Acceptor, CertificateError};
pub use connector::{Connector, TlsError};

/// What a handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// `TLSv1.3`.
    pub version: String,
    /// `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// Server name the client asked for (SNI), if any.
    pub server_name: Option<String>,
}
