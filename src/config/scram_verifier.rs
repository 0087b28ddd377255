//! PostgreSQL's SCRAM verifier: a password that can be checked and not be read.
//!
//! Owns the form `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`, as in
//! `pg_authid.rolpassword`. Promises keys of 32 bytes and at least one iteration. Never derives
//! keys from a password: sign-in does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// The start of every verifier.
pub const SCRAM_VERIFIER_PREFIX: &str = "SCRAM-SHA-256$";

/// What is stored instead of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    pub iterations: u32,
    pub salt: Vec<u8>,
    /// `SHA256(ClientKey)`.
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}

impl ScramVerifier {
    /// Reads PostgreSQL's form; `None` if `text` does not have it.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(SCRAM_VERIFIER_PREFIX)?;
        let (head, keys) = rest.split_once('$')?;
        let (iterations, salt) = head.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let iterations = iterations.parse().ok().filter(|count| *count > 0)?;
        let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty())?;
        let key = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        Some(ScramVerifier {
            iterations,
            salt,
            stored_key: key(stored_key)?,
            server_key: key(server_key)?,
        })
    }
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A verifier can be attacked offline like a hash of the password.
        formatter
            .debug_struct("ScramVerifier")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by PostgreSQL 15 for the password "pencil" would have this shape; the keys here
    /// are arbitrary bytes.
    fn sample() -> String {
        format!(
            "SCRAM-SHA-256$4096:{}${}:{}",
            STANDARD.encode([1u8; 16]),
            STANDARD.encode([2u8; 32]),
            STANDARD.encode([3u8; 32])
        )
    }

    #[test]
    fn a_verifier_in_the_form_of_postgresql_is_read() {
        let verifier = ScramVerifier::parse(&sample()).expect("the form is right");
        assert_eq!(verifier.iterations, 4096);
        assert_eq!(verifier.salt, [1; 16]);
        assert_eq!(verifier.stored_key, [2; 32]);
        assert_eq!(verifier.server_key, [3; 32]);
    }

    #[test]
    fn anything_else_is_refused() {
        let sample = sample();
        for wrong in [
            "",
            "pencil",
            "SCRAM-SHA-256$",
            &sample.replace("4096", "0"),
            &sample.replace("4096", "many"),
            &sample.replace("SHA-256", "SHA-1"),
            &sample[..sample.len() - 4],
            &sample.replace('$', ":"),
        ] {
            assert_eq!(ScramVerifier::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_verifier_does_not_show_its_keys() {
        let verifier = ScramVerifier::parse(&sample()).expect("the form is right");
        assert_eq!(
            format!("{verifier:?}"),
            "ScramVerifier { iterations: 4096, .. }"
        );
    }
}
