//! TLS for the tests: a certificate made on the spot, and a client that trusts it.

use crate::client::Client;
use penstock::wire::TlsIdentity;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The gateway's identity and the certificate that clients trust.
pub fn identity() -> (TlsIdentity, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let identity = TlsIdentity::from_pem(
        made.cert.pem().as_bytes(),
        made.signing_key.serialize_pem().as_bytes(),
    )
    .unwrap();
    (identity, made.cert.der().clone())
}

/// A certificate with its key, both as PEM, and the certificate for clients to trust.
pub struct Pem {
    pub certificate: String,
    pub private_key: String,
    pub trusted: CertificateDer<'static>,
}

/// A certificate for this machine that signs itself.
pub fn self_signed() -> Pem {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    Pem {
        certificate: made.cert.pem(),
        private_key: made.signing_key.serialize_pem(),
        trusted: made.cert.der().clone(),
    }
}

/// A new directory for files.
pub fn directory() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A handshake that is over; `None` if it failed. `own` is what the client shows of itself.
pub fn try_handshake(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    own: Option<&Pem>,
) -> Option<Client> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // As of 1.3 a client learns only later that its certificate was not good enough.
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::from_pem_slice(own.private_key.as_bytes()).unwrap();
            builder
                .with_client_auth_cert(vec![own.trusted.clone()], key)
                .unwrap()
        }
    };
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = socket(address);
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).ok()?;
    }
    Some(Client::over(Box::new(StreamOwned::new(connection, socket))))
}

/// Does a handshake over a socket on which TLS was agreed.
pub fn handshake(
    socket: TcpStream,
    certificate: CertificateDer<'static>,
    protocols: &[&[u8]],
) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    Client::over(Box::new(StreamOwned::new(connection, socket)))
}

/// A socket to the gateway.
pub fn socket(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    socket
}
