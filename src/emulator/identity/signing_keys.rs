//! The keys that tokens are signed with, and the key set that shows their public halves.
//!
//! Owns one current key and the older ones that are still published. Keys are made at the
//! start and never leave the process. Signatures are ES256: of the algorithms that
//! identity providers use, the one whose keys are made in no time.

use super::random_failure;
use crate::emulator::answer::Refusal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Map, Value, json};
use std::sync::{Arc, PoisonError, RwLock};

/// A key pair and the name under which it is published.
pub struct SigningKey {
    pub kid: String,
    pair: EcdsaKeyPair,
    x: String,
    y: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Makes a new pair; fails only where the machine gives no random bytes.
    pub fn generate() -> Result<Self, Refusal> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document =
            EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| random_failure())?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random)
            .map_err(|_| random_failure())?;
        // An uncompressed point: 4, then 32 bytes of x and 32 of y.
        let point = pair.public_key().as_ref();
        let (x, y) = point.split_at(1).1.split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        // RFC 7638: the hash of the required members in the order of their names.
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()));
        Ok(Self { kid, pair, x, y })
    }

    /// A compact JWT of these parts with this key's signature.
    pub fn sign(
        &self,
        header: &Map<String, Value>,
        claims: &Map<String, Value>,
    ) -> Result<String, Refusal> {
        let signed = unsigned(header, claims);
        let signature = self
            .pair
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| random_failure())?;
        Ok(format!(
            "{signed}.{}",
            URL_SAFE_NO_PAD.encode(signature.as_ref())
        ))
    }

    fn to_json(&self) -> Value {
        json!({
            "kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256",
            "kid": self.kid, "x": self.x, "y": self.y,
        })
    }
}

/// The first two parts of a compact JWT.
pub fn unsigned(header: &Map<String, Value>, claims: &Map<String, Value>) -> String {
    let part = |members: &Map<String, Value>| {
        URL_SAFE_NO_PAD.encode(Value::Object(members.clone()).to_string())
    };
    format!("{}.{}", part(header), part(claims))
}

/// The keys of one emulator.
#[derive(Debug)]
pub struct SigningKeys {
    /// Those that are published; the last one signs.
    keys: RwLock<Vec<Arc<SigningKey>>>,
}

impl SigningKeys {
    pub fn generate() -> Result<Self, Refusal> {
        Ok(Self {
            keys: RwLock::new(vec![Arc::new(SigningKey::generate()?)]),
        })
    }

    fn read(&self) -> Vec<Arc<SigningKey>> {
        self.keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The key that signs from now on.
    pub fn current(&self) -> Arc<SigningKey> {
        let keys = self.read();
        // A key is only ever pushed, or kept as the last one.
        let last = keys.last().expect("there is a current key at all times");
        Arc::clone(last)
    }

    /// Signs with a new key from now on; the older ones stay published.
    pub fn rotate(&self) -> Result<Arc<SigningKey>, Refusal> {
        let key = Arc::new(SigningKey::generate()?);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.push(Arc::clone(&key));
        Ok(key)
    }

    /// Publishes the current key alone: what the older ones signed is no longer good.
    pub fn retire_old(&self) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let old = keys.len().saturating_sub(1);
        keys.drain(..old);
    }

    /// Whether a key of this name is published.
    pub fn publishes(&self, kid: &str) -> bool {
        self.read().iter().any(|key| key.kid == kid)
    }

    /// The key set.
    pub fn to_json(&self) -> Value {
        let keys: Vec<_> = self.read().iter().map(|key| key.to_json()).collect();
        json!({ "keys": keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    fn decode(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
    }

    #[test]
    fn a_published_key_checks_what_was_signed() -> Result<(), Refusal> {
        let keys = SigningKeys::generate()?;
        let token = keys.current().sign(&Map::new(), &Map::new())?;
        let published = &keys.to_json()["keys"][0];
        let mut point = vec![4];
        point.extend(decode(published["x"].as_str().unwrap_or_default()));
        point.extend(decode(published["y"].as_str().unwrap_or_default()));
        let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        assert!(key.verify(signed.as_bytes(), &decode(signature)).is_ok());
        assert!(key.verify(b"other", &decode(signature)).is_err());
        Ok(())
    }

    #[test]
    fn an_old_key_stays_published_until_it_is_retired() -> Result<(), Refusal> {
        let keys = SigningKeys::generate()?;
        let old = keys.current().kid.clone();
        let new = keys.rotate()?.kid.clone();
        assert_eq!(keys.current().kid, new);
        assert!(keys.publishes(&old) && keys.publishes(&new));
        keys.retire_old();
        assert!(!keys.publishes(&old) && keys.publishes(&new));
        Ok(())
    }
}
