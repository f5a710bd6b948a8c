//! Certificates and a TLS client for the tests.

use super::wire::Wire;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// A self-signed certificate and its key in a temporary directory readable by everybody, since
/// the server user has to read it.
pub(crate) struct Certificate {
    _directory: tempfile::TempDir,
    certificate: String,
    key: String,
}

impl Certificate {
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

pub(crate) fn certificate() -> Certificate {
    use std::os::unix::fs::PermissionsExt as _;
    let made = rcgen::generate_simple_self_signed(vec!["mail.example.com".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = write("cert.pem", &made.cert.pem());
    let key = write("key.pem", &made.signing_key.serialize_pem());
    Certificate {
        _directory: directory,
        certificate,
        key,
    }
}

/// An SMTP conversation under TLS.
pub(crate) struct Secure {
    reader: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

/// Continues a conversation under TLS after its 220.
pub(crate) fn client(wire: Wire) -> Secure {
    over(wire.into_stream())
}

/// TLS from the first octet.
pub(crate) fn connect(address: SocketAddr) -> Secure {
    over(TcpStream::connect(address).unwrap())
}

fn over(stream: TcpStream) -> Secure {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from("mail.example.com").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    Secure {
        reader: BufReader::new(StreamOwned::new(connection, stream)),
    }
}

impl Secure {
    pub(crate) fn say(&mut self, command: &str, code: &str) -> String {
        let stream = self.reader.get_mut();
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        stream.flush().unwrap();
        let reply = self.reply();
        assert!(
            reply.starts_with(code),
            "{command:.40}: expected {code}, got {reply:?}"
        );
        reply
    }

    pub(crate) fn expect(&mut self, code: &str) -> String {
        let reply = self.reply();
        assert!(reply.starts_with(code), "expected {code}, got {reply:?}");
        reply
    }

    pub(crate) fn reply(&mut self) -> String {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).unwrap_or(0) == 0 {
                return text;
            }
            text.push_str(line.trim_end());
            if line.as_bytes().get(3) != Some(&b'-') {
                return text;
            }
            text.push('\n');
        }
    }
}

pub(crate) fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Accepts whatever the server shows: these tests are about SMTP, not about trust.
#[derive(Debug)]
struct Anything(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
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
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
