//! TLS on the client side of the gateway: certificate, key, and what a handshake offers.
//!
//! Owns the rustls configuration. Promises ALPN `postgresql`, which direct TLS requires, ring as
//! the only provider, and that channel binding hashes the certificate of the same handshake. Asks
//! clients for certificates only where an authority for them is named.

use super::WireError;
use crate::config::{ClientCertificates, ListenSettings};
use pgwire::api::auth::sasl::scram::ScramServerAuth;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The protocol name that clients send when they start with TLS at once.
const ALPN: &[u8] = b"postgresql";

/// The protocol of the accounts API.
const HTTP_ALPN: &[u8] = b"http/1.1";

/// The PEM files of one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub private_key: PathBuf,
    /// Authorities that certificates of clients are checked by.
    pub client_ca: Option<PathBuf>,
    pub client_certificates: ClientCertificates,
}

/// What the files hold.
pub(super) struct TlsMaterial {
    certificate: Vec<u8>,
    private_key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// A certificate chain with its key, ready for handshakes.
#[derive(Clone, Debug)]
pub struct TlsIdentity {
    config: Arc<ServerConfig>,
    /// The same chain for HTTP, where nobody is asked for a certificate.
    https: Arc<ServerConfig>,
    /// Binds sign-ins to the chain's first certificate.
    scram: ScramServerAuth,
    /// Where it came from; `None`: from memory.
    source: Option<Arc<TlsSource>>,
}

/// Where an identity came from.
#[derive(Debug)]
pub(super) struct TlsSource {
    pub(super) files: TlsFiles,
    /// Of what the files held then.
    pub(super) fingerprint: Fingerprint,
}

/// Tells whether files hold something else, without keeping what they hold.
pub(super) type Fingerprint = [u8; 32];

impl TlsMaterial {
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        let client_ca = self.client_ca.as_deref().unwrap_or_default();
        for part in [&self.certificate[..], &self.private_key, client_ca] {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut fingerprint = Fingerprint::default();
        fingerprint.copy_from_slice(context.finish().as_ref());
        fingerprint
    }
}

impl TlsFiles {
    /// Those of the settings, if there are some.
    pub fn of(listen: &ListenSettings) -> Option<Self> {
        Some(TlsFiles {
            certificate: listen.tls_certificate.clone()?,
            private_key: listen.tls_private_key.clone()?,
            client_ca: listen.tls_client_ca.clone(),
            client_certificates: listen.tls_client_certificates,
        })
    }

    pub(super) fn read(&self) -> Result<TlsMaterial, WireError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| WireError::Tls {
                reason: format!("{}: {error}", path.display()),
            })
        };
        Ok(TlsMaterial {
            certificate: read(&self.certificate)?,
            private_key: read(&self.private_key)?,
            client_ca: self.client_ca.as_deref().map(read).transpose()?,
        })
    }

    pub(super) fn identity(&self, material: &TlsMaterial) -> Result<TlsIdentity, WireError> {
        let client_ca = material
            .client_ca
            .as_deref()
            .map(|pem| (pem, self.client_certificates));
        let mut identity =
            TlsIdentity::build(&material.certificate, &material.private_key, client_ca)?;
        identity.source = Some(Arc::new(TlsSource {
            files: self.clone(),
            fingerprint: material.fingerprint(),
        }));
        Ok(identity)
    }
}

impl TlsIdentity {
    /// Reads chain, key and authorities from PEM files, which are watched from then on.
    ///
    /// # Errors
    /// A file cannot be read, holds no PEM of its kind, or key and certificate do not fit.
    pub fn from_files(files: TlsFiles) -> Result<Self, WireError> {
        files.identity(&files.read()?)
    }

    /// Takes the chain and the key as PEM.
    ///
    /// # Errors
    /// As [`TlsIdentity::from_files`].
    pub fn from_pem(certificate_pem: &[u8], private_key_pem: &[u8]) -> Result<Self, WireError> {
        Self::build(certificate_pem, private_key_pem, None)
    }

    fn build(
        certificate_pem: &[u8],
        private_key_pem: &[u8],
        client_ca: Option<(&[u8], ClientCertificates)>,
    ) -> Result<Self, WireError> {
        let chain = certificates("certificate", certificate_pem)?;
        let key = PrivateKeyDer::from_pem_slice(private_key_pem)
            .map_err(|error| refuse("private key", &error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| refuse("protocol versions", &error))?;
        let mut https = builder
            .clone()
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| refuse("certificate and private key", &error))?;
        https.alpn_protocols = vec![HTTP_ALPN.to_vec()];
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some((pem, wanted)) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates("client authorities", pem)? {
                    roots
                        .add(authority)
                        .map_err(|error| refuse("client authorities", &error))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match wanted {
                    ClientCertificates::Verify => verifier.allow_unauthenticated(),
                    ClientCertificates::Require => verifier,
                };
                let verifier = verifier
                    .build()
                    .map_err(|error| refuse("client authorities", &error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| refuse("certificate and private key", &error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        let mut scram = ScramServerAuth::new();
        if let Err(error) = scram.configure_certificate(certificate_pem) {
            tracing::warn!(
                %error,
                "channel binding is not offered: the certificate's signature has no hash for it"
            );
        }
        Ok(TlsIdentity {
            config: Arc::new(config),
            https: Arc::new(https),
            scram,
            source: None,
        })
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    pub(super) fn https(&self) -> Arc<ServerConfig> {
        self.https.clone()
    }

    pub(super) fn scram(&self) -> &ScramServerAuth {
        &self.scram
    }

    pub(super) fn source(&self) -> Option<&Arc<TlsSource>> {
        self.source.as_ref()
    }
}

/// The certificates in a PEM text; at least one.
fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, WireError> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| refuse(what, &error))?;
    match found.is_empty() {
        true => Err(refuse(what, &"the PEM holds none")),
        false => Ok(found),
    }
}

fn refuse(what: &str, error: &dyn Display) -> WireError {
    WireError::Tls {
        reason: format!("{what}: {error}"),
    }
}
