//! An issuer's public keys, as its JWKS document lists them.
//!
//! Owns the reading of the document. Promises that a key of a kind that is not known is left out
//! instead of spoiling the others, that only keys for signatures are taken, and that a key is found
//! by its kid alone. Never fetches.

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use std::collections::HashMap;

/// Keys of one issuer; Microsoft has some ten at a time.
const KEYS_MAX: usize = 200;

/// One public key.
#[derive(Clone, Debug)]
struct PublicKey {
    key: DecodingKey,
    /// The only algorithm that it is for, if the document says so.
    algorithm: Option<String>,
}

/// Keys by kid.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySet {
    by_kid: HashMap<String, PublicKey>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Entry {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a JWKS document.
    ///
    /// # Errors
    /// What is wrong with it, when no key of it can be used.
    pub(super) fn parse(document: &[u8]) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(document)
            .map_err(|_| "the answer is no JWKS document".to_owned())?;
        let by_kid: HashMap<String, PublicKey> = document
            .keys
            .into_iter()
            .take(KEYS_MAX)
            .filter_map(|entry| serde_json::from_value::<Entry>(entry).ok())
            .filter_map(|entry| Some((entry.kid.clone(), entry.public_key()?)))
            .collect();
        if by_kid.is_empty() {
            return Err("the JWKS document holds no key for signatures".to_owned());
        }
        Ok(KeySet { by_kid })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_kid.len()
    }

    /// The key with this kid, if it may be used with `algorithm`.
    pub(super) fn find(&self, kid: &str, algorithm: Algorithm) -> Option<DecodingKey> {
        let found = self.by_kid.get(kid)?;
        let fits = found
            .algorithm
            .as_ref()
            .is_none_or(|only| *only == format!("{algorithm:?}"));
        (fits && found.key.family().algorithms().contains(&algorithm)).then(|| found.key.clone())
    }
}

impl Entry {
    fn public_key(self) -> Option<PublicKey> {
        if self.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let key = match self.kty.as_str() {
            "RSA" => DecodingKey::from_rsa_components(&self.n?, &self.e?),
            "EC" => DecodingKey::from_ec_components(&self.x?, &self.y?),
            // "oct" is a shared secret, which has no place in a public document.
            _ => return None,
        };
        Some(PublicKey {
            key: key.ok()?,
            algorithm: self.alg,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_cannot_be_used_are_left_out() {
        let document = br#"{"keys":[
            {"kty":"oct","kid":"shared","k":"c2VjcmV0"},
            {"kty":"EC","kid":"for-encryption","use":"enc","crv":"P-256","x":"AQ","y":"AQ"},
            {"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"},
            {"kty":"RSA","kid":"halved","n":"AQAB"},
            {"kty":"future","kid":"unknown"},
            "not even an object",
            {"kty":"EC","kid":"good","alg":"ES256","crv":"P-256","x":"AQ","y":"AQ"}]}"#;
        let keys = KeySet::parse(document).expect("one key is good");
        assert_eq!(keys.by_kid.keys().collect::<Vec<_>>(), ["good"]);
        assert!(keys.find("good", Algorithm::ES256).is_some());
        for algorithm in [Algorithm::ES384, Algorithm::RS256, Algorithm::HS256] {
            assert!(keys.find("good", algorithm).is_none(), "{algorithm:?}");
        }
    }

    #[test]
    fn a_document_without_a_usable_key_is_an_error() {
        for document in [
            "",
            "{}",
            "[]",
            r#"{"keys":[]}"#,
            r#"{"keys":[{"kty":"oct","kid":"a","k":"a"}]}"#,
        ] {
            assert!(KeySet::parse(document.as_bytes()).is_err(), "{document}");
        }
    }
}
