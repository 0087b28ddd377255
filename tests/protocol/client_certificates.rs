//! Certificates that clients show.

use crate::client::startup_packet;
use crate::gateway::{Gateway, PASSWORD, USER};
use crate::tls::{Pem, directory, self_signed, try_handshake};
use penstock::config::ClientCertificates;
use penstock::wire::{ClientCertificate, SignInMethod, SignInRule, TlsFiles, TlsIdentity};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;

/// An authority and the gateway that trusts it.
struct Setting {
    authority: Issuer<'static, KeyPair>,
    gateway: Gateway,
    trusted: CertificateDer<'static>,
}

fn authority() -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "the clients' authority");
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), pem)
}

/// A client's certificate in the name of `name`.
fn client_certificate(authority: &Issuer<'static, KeyPair>, name: &str) -> Pem {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    Pem {
        certificate: certificate.pem(),
        private_key: key.serialize_pem(),
        trusted: certificate.der().clone(),
    }
}

impl Setting {
    fn start(wanted: ClientCertificates, of_rule: ClientCertificate) -> Self {
        let (directory, server) = (directory(), self_signed());
        let (authority, authority_pem) = authority();
        let file = |name: &str, text: &str| {
            let path = directory.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let files = TlsFiles {
            certificate: file("server.crt", &server.certificate),
            private_key: file("server.key", &server.private_key),
            client_ca: Some(file("clients.crt", &authority_pem)),
            client_certificates: wanted,
        };
        let tls = TlsIdentity::from_files(files).unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        let rule = SignInRule {
            client_certificate: of_rule,
            ..SignInRule::of("*", SignInMethod::Scram)
        };
        let gateway = Gateway::start_with(
            |settings| {
                settings.listen.tls_reload_s = 0;
                settings.sign_in = vec![rule];
            },
            Some(tls),
        );
        Setting {
            authority,
            gateway,
            trusted: server.trusted,
        }
    }

    /// How the sign-in of the gateway's user ends for who shows `own`.
    fn sign_in(&self, own: Option<&Pem>) -> String {
        let Some(mut client) = try_handshake(self.gateway.address, &self.trusted, own) else {
            return "no handshake".to_owned();
        };
        client.send_bytes(&startup_packet(3 << 16, &[("user", USER)]));
        client.authenticate(PASSWORD).last().unwrap().clone()
    }
}

#[test]
fn a_rule_may_want_a_certificate_of_the_authority() {
    let setting = Setting::start(ClientCertificates::Verify, ClientCertificate::VerifyCa);
    let anybody = client_certificate(&setting.authority, "a machine");
    assert_eq!(setting.sign_in(Some(&anybody)), "Ready I");
    assert_eq!(setting.sign_in(None), "fatal 28000");
    let foreign = client_certificate(&authority().0, USER);
    assert_eq!(setting.sign_in(Some(&foreign)), "no handshake");
}

#[test]
fn a_rule_may_want_the_users_own_certificate() {
    let setting = Setting::start(ClientCertificates::Verify, ClientCertificate::VerifyFull);
    let own = client_certificate(&setting.authority, USER);
    assert_eq!(setting.sign_in(Some(&own)), "Ready I");
    for name in ["bob", "", "Ada", "ada\0", "*"] {
        let of_another = client_certificate(&setting.authority, name);
        assert_eq!(
            setting.sign_in(Some(&of_another)),
            "fatal 28000",
            "{name:?}"
        );
    }
    assert_eq!(setting.sign_in(None), "fatal 28000");
}

#[test]
fn a_listener_may_want_a_certificate_of_everybody() {
    let setting = Setting::start(ClientCertificates::Require, ClientCertificate::Any);
    assert_eq!(setting.sign_in(None), "no handshake");
    let anybody = client_certificate(&setting.authority, "a machine");
    assert_eq!(setting.sign_in(Some(&anybody)), "Ready I");
}

#[test]
fn without_a_wish_of_rule_or_listener_certificates_may_be_left_out() {
    let setting = Setting::start(ClientCertificates::Verify, ClientCertificate::Any);
    assert_eq!(setting.sign_in(None), "Ready I");
    let foreign = client_certificate(&authority().0, USER);
    assert_eq!(setting.sign_in(Some(&foreign)), "no handshake");
}
