//! Certificates that change while the gateway runs.

use crate::client::{Client, startup_packet};
use crate::gateway::{Gateway, PASSWORD, USER};
use crate::tls::{Pem, directory, self_signed, try_handshake};
use penstock::config::ClientCertificates;
use penstock::wire::{TlsFiles, TlsIdentity};
use postgres_protocol::authentication::sasl::ChannelBinding;
use rustls::pki_types::CertificateDer;
use std::path::Path;
use std::time::{Duration, Instant};

const WAIT: Duration = Duration::from_secs(60);

fn write(directory: &Path, pem: &Pem) {
    std::fs::write(directory.join("server.crt"), &pem.certificate).unwrap();
    std::fs::write(directory.join("server.key"), &pem.private_key).unwrap();
}

fn start(directory: &Path) -> Gateway {
    let files = TlsFiles {
        certificate: directory.join("server.crt"),
        private_key: directory.join("server.key"),
        client_ca: None,
        client_certificates: ClientCertificates::Verify,
    };
    let tls = TlsIdentity::from_files(files).unwrap();
    Gateway::start_with(|settings| settings.listen.tls_reload_s = 1, Some(tls))
}

fn wait_for(gateway: &Gateway, trusted: &CertificateDer<'static>) -> Client {
    let deadline = Instant::now() + WAIT;
    loop {
        if let Some(client) = try_handshake(gateway.address, trusted, None) {
            return client;
        }
        assert!(Instant::now() < deadline, "the new certificate is not used");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Signs in bound to `certificate`.
fn sign_in(client: &mut Client, certificate: &CertificateDer<'static>) -> String {
    client.send_bytes(&startup_packet(3 << 16, &[("user", USER)]));
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
    let binding = ChannelBinding::tls_server_end_point(digest.as_ref().to_vec());
    let lines = client.authenticate_by("SCRAM-SHA-256-PLUS", PASSWORD, binding);
    lines.last().unwrap().clone()
}

#[test]
fn a_new_certificate_is_used_without_a_restart_and_each_sign_in_is_bound_to_its_own() {
    let (directory, first, second) = (directory(), self_signed(), self_signed());
    write(&directory, &first);
    let gateway = start(&directory);
    let mut session = try_handshake(gateway.address, &first.trusted, None).unwrap();
    assert_eq!(sign_in(&mut session, &first.trusted), "Ready I");
    // Its handshake is over, and its sign-in comes after the change.
    let mut late = try_handshake(gateway.address, &first.trusted, None).unwrap();
    write(&directory, &second);
    let mut new = wait_for(&gateway, &second.trusted);
    assert_eq!(sign_in(&mut new, &second.trusted), "Ready I");
    assert_eq!(sign_in(&mut late, &first.trusted), "Ready I");
    assert_eq!(session.query(""), ["EmptyQuery", "Ready I"]);
    assert!(try_handshake(gateway.address, &first.trusted, None).is_none());
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn files_that_cannot_be_used_leave_the_old_certificate_in_use() {
    let (directory, first, second, third) =
        (directory(), self_signed(), self_signed(), self_signed());
    write(&directory, &first);
    let gateway = start(&directory);
    // A certificate without its key, as between two writes.
    std::fs::write(directory.join("server.crt"), &second.certificate).unwrap();
    let deadline = Instant::now() + Duration::from_secs(3);
    while Instant::now() < deadline {
        assert!(try_handshake(gateway.address, &first.trusted, None).is_some());
        std::thread::sleep(Duration::from_millis(200));
    }
    std::fs::remove_file(directory.join("server.key")).unwrap();
    assert!(try_handshake(gateway.address, &first.trusted, None).is_some());
    write(&directory, &third);
    wait_for(&gateway, &third.trusted);
    std::fs::remove_dir_all(&directory).unwrap();
}
