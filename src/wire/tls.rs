//! TLS on the client side of the gateway: certificate, key, and what a handshake offers.
//!
//! Owns the rustls configuration. Promises ALPN `postgresql`, which direct TLS requires, and
//! ring as the only provider. Never asks clients for certificates.

use super::WireError;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;

/// The protocol name that clients send when they start with TLS at once.
const ALPN: &[u8] = b"postgresql";

/// A certificate chain with its key, ready for handshakes.
#[derive(Clone, Debug)]
pub struct TlsIdentity {
    config: Arc<ServerConfig>,
    /// The chain as PEM: channel binding hashes its first certificate.
    certificate_pem: Arc<[u8]>,
}

impl TlsIdentity {
    /// Reads the chain and the key from PEM files.
    ///
    /// # Errors
    /// A file cannot be read, holds no PEM of its kind, or key and certificate do not fit.
    pub fn from_files(certificate: &Path, private_key: &Path) -> Result<Self, WireError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| WireError::Tls {
                reason: format!("{}: {error}", path.display()),
            })
        };
        Self::from_pem(&read(certificate)?, &read(private_key)?)
    }

    /// Takes the chain and the key as PEM.
    ///
    /// # Errors
    /// As [`TlsIdentity::from_files`].
    pub fn from_pem(certificate_pem: &[u8], private_key_pem: &[u8]) -> Result<Self, WireError> {
        let refuse = |what: &str, error: &dyn std::fmt::Display| WireError::Tls {
            reason: format!("{what}: {error}"),
        };
        let chain = CertificateDer::pem_slice_iter(certificate_pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| refuse("certificate", &error))?;
        if chain.is_empty() {
            return Err(refuse("certificate", &"the PEM holds none"));
        }
        let key = PrivateKeyDer::from_pem_slice(private_key_pem)
            .map_err(|error| refuse("private key", &error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refuse("protocol versions", &error))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| refuse("certificate and private key", &error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(TlsIdentity {
            config: Arc::new(config),
            certificate_pem: certificate_pem.into(),
        })
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    pub(super) fn certificate_pem(&self) -> &[u8] {
        &self.certificate_pem
    }
}
