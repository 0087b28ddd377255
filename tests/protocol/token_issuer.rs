//! An identity provider for the tests: keys made on the spot, tokens with whatever claims, and a
//! server of the public halves that counts who asks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use penstock::cdf::{Credentials, Identity, Project, Secret};
use penstock::config::UserModes;
use penstock::oidc::{
    CdfTarget, Issuer, KeySource, Names, PrincipalRule, SigningAlgorithm, TokenCheck,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

pub const AUDIENCE: &str = "https://ossrdbms-aad.database.windows.net";
pub const CDF_AUDIENCE: &str = "https://westeurope-1.cognitedata.com";
pub const TENANT: &str = "5f2a7b1c-tenant";
pub const ADA: &str = "ada@example.com";

struct Key {
    kid: String,
    pair: EcdsaKeyPair,
}

#[derive(Default)]
struct Served {
    document: Mutex<Vec<u8>>,
    fetches: AtomicUsize,
    is_away: AtomicBool,
}

pub struct TokenIssuer {
    pub address: SocketAddr,
    key: Mutex<Key>,
    served: Arc<Served>,
}

pub fn now_s() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

impl TokenIssuer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::new(Served::default());
        let behind = served.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let served = behind.clone();
                std::thread::spawn(move || answer(socket.unwrap(), address, &served));
            }
        });
        let issuer = TokenIssuer {
            address,
            key: Mutex::new(make_key("first")),
            served,
        };
        issuer.publish();
        issuer
    }

    /// From now on tokens are signed with a new key, which is published alone.
    pub fn rotate(&self, kid: &str) {
        *self.key.lock().unwrap() = make_key(kid);
        self.publish();
    }

    fn publish(&self) {
        let key = self.key.lock().unwrap();
        let point = key.pair.public_key().as_ref();
        let document = json!({"keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": key.kid,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
            "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        }]});
        *self.served.document.lock().unwrap() = document.to_string().into_bytes();
    }

    /// Publishes this instead of keys.
    pub fn publish_text(&self, text: &str) {
        *self.served.document.lock().unwrap() = text.as_bytes().to_vec();
    }

    /// Whether it answers with failures.
    pub fn be_away(&self, is_away: bool) {
        self.served.is_away.store(is_away, Ordering::SeqCst);
    }

    /// How often the keys were fetched.
    pub fn fetches(&self) -> usize {
        self.served.fetches.load(Ordering::SeqCst)
    }

    /// The `iss` of its tokens.
    pub fn iss(&self) -> String {
        format!("http://{}/v2.0", self.address)
    }

    /// Ada's token with some claims changed; null takes a claim out.
    pub fn token(&self, changes: Value) -> String {
        let key = self.key.lock().unwrap();
        let header = json!({"typ": "JWT", "alg": "ES256", "kid": key.kid});
        sign(&header, &self.claims(changes), &key.pair)
    }

    /// The same signed by somebody else, who claims to have the issuer's key.
    pub fn forged(&self, changes: Value) -> String {
        let kid = self.key.lock().unwrap().kid.clone();
        let header = json!({"typ": "JWT", "alg": "ES256", "kid": kid});
        sign(&header, &self.claims(changes), &make_key("forged").pair)
    }

    /// With a header of its own, and this in the place of the signature.
    pub fn unsigned(&self, header: Value, signature: &[u8]) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = self.claims(json!({}));
        format!(
            "{}.{}.{}",
            part(&header),
            part(&claims),
            URL_SAFE_NO_PAD.encode(signature)
        )
    }

    /// The published key's point: what an attacker knows.
    pub fn public_key(&self) -> Vec<u8> {
        self.key.lock().unwrap().pair.public_key().as_ref().to_vec()
    }

    fn claims(&self, changes: Value) -> Value {
        let mut claims = json!({
            "iss": self.iss(),
            "aud": AUDIENCE,
            "tid": TENANT,
            "oid": "ada-object-id",
            "sub": "ada-subject",
            "upn": ADA,
            "appid": "a-tool",
            "scp": "user_impersonation",
            "groups": ["group-1", "group-2"],
            "iat": now_s(),
            "nbf": now_s(),
            "exp": now_s() + 3_600,
        });
        let members = claims.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => members.remove(name),
                value => members.insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    /// What the configuration would say of it.
    pub fn issuer(&self) -> Issuer {
        Issuer {
            name: "entra".to_owned(),
            iss: vec![self.iss(), "https://sts.windows.net/tenant/".to_owned()],
            keys: KeySource::Discovery(Issuer::discovery_of(&self.iss())),
            audiences: vec![AUDIENCE.to_owned()],
            cdf_audiences: vec![CDF_AUDIENCE.to_owned()],
            tenant: Some(TENANT.to_owned()),
            algorithms: vec![SigningAlgorithm::RS256, SigningAlgorithm::ES256],
            name_claims: ["upn", "preferred_username", "oid", "appid", "azp"]
                .map(str::to_owned)
                .to_vec(),
            group_claim: "groups".to_owned(),
            group_names: BTreeMap::from([("loaders".to_owned(), "group-2".to_owned())]),
            leeway_s: 60,
            keys_refresh_s: 3_600,
            keys_interval_min_s: 30,
        }
    }

    /// A check of its tokens, all of whose owners write as the plant's client.
    pub fn check(&self) -> Arc<TokenCheck> {
        self.check_with(|_| {}, vec![everybody(stored())])
    }

    pub fn check_with(
        &self,
        change: impl FnOnce(&mut Issuer),
        principals: Vec<PrincipalRule>,
    ) -> Arc<TokenCheck> {
        let mut issuer = self.issuer();
        change(&mut issuer);
        Arc::new(TokenCheck::new([issuer], principals).unwrap())
    }
}

/// A rule for everybody.
pub fn everybody(target: CdfTarget) -> PrincipalRule {
    PrincipalRule {
        issuer: None,
        users: Names::everything(),
        applications: Vec::new(),
        groups: Vec::new(),
        target,
        modes: UserModes::default(),
    }
}

pub fn project() -> Project {
    Project {
        base_url: "http://127.0.0.1:1".to_owned(),
        name: "plant".to_owned(),
    }
}

/// Credentials that the gateway keeps.
pub fn stored() -> CdfTarget {
    CdfTarget::Stored(Arc::new(Identity {
        project: project(),
        name: "plant-client".to_owned(),
        credentials: Credentials::FixedToken(Secret::new("stored")),
        create_missing_time_series: false,
        required_access: Default::default(),
    }))
}

fn make_key(kid: &str) -> Key {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    Key {
        kid: kid.to_owned(),
        pair: EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap(),
    }
}

fn sign(header: &Value, claims: &Value, pair: &EcdsaKeyPair) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn answer(socket: TcpStream, address: SocketAddr, served: &Served) {
    let mut lines = BufReader::new(&socket).lines();
    let Some(Ok(request)) = lines.next() else {
        return;
    };
    while matches!(lines.next(), Some(Ok(line)) if !line.is_empty()) {}
    let path = request.split(' ').nth(1).unwrap();
    let (status, body) = if served.is_away.load(Ordering::SeqCst) {
        (503, b"away".to_vec())
    } else if path == "/v2.0/.well-known/openid-configuration" {
        let configuration = json!({
            "issuer": format!("http://{address}/v2.0"),
            "jwks_uri": format!("http://{address}/keys"),
        });
        (200, configuration.to_string().into_bytes())
    } else if path == "/keys" {
        served.fetches.fetch_add(1, Ordering::SeqCst);
        (200, served.document.lock().unwrap().clone())
    } else {
        (404, Vec::new())
    };
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = (&socket).write_all(&[head.as_bytes(), &body].concat());
}
