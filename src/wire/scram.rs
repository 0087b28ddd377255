//! What is stored of a gateway user's password: a SCRAM-SHA-256 verifier.
//!
//! Owns making, reading and writing verifiers. Promises that the password itself is kept nowhere and
//! that key material is never printed. Never runs the exchange: `sign_in` does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgwire::api::auth::sasl::scram::{SCRAM_ITERATIONS, ScramSecret, gen_salted_password};
use std::fmt;

/// Bytes of the salt: PostgreSQL's own length. Some clients refuse less than 12.
const SALT_BYTES: usize = 16;

/// Bytes of both keys: one SHA-256 digest.
const KEY_BYTES: usize = 32;

/// What a stranger sees of a verifier, beside the salt's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    pub(super) salt_bytes: usize,
    pub(super) iterations: usize,
}

impl Shape {
    /// That of the verifiers made here.
    pub(super) const OURS: Shape = Shape {
        salt_bytes: SALT_BYTES,
        iterations: SCRAM_ITERATIONS,
    };
}

/// A password as PostgreSQL stores it: enough to check it, not enough to know it.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    salt: Vec<u8>,
    iterations: usize,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl ScramVerifier {
    /// The head of PostgreSQL's text form.
    pub const PREFIX: &str = "SCRAM-SHA-256$";

    /// A verifier for `password` with a new random salt.
    pub fn from_password(password: &str) -> Self {
        Self::with_salt(password, rand::random::<[u8; SALT_BYTES]>().to_vec())
    }

    /// A verifier for `password` with that salt, which must not tell anything.
    pub(super) fn with_salt(password: &str, salt: Vec<u8>) -> Self {
        let salted = gen_salted_password(password, &salt, SCRAM_ITERATIONS);
        let ScramSecret::Verifier {
            salt,
            iterations,
            stored_key,
            server_key,
        } = ScramSecret::verifier_from_salted_password(salt, salted, SCRAM_ITERATIONS)
        else {
            unreachable!("a constructor of verifiers makes verifiers")
        };
        ScramVerifier {
            salt,
            iterations,
            stored_key,
            server_key,
        }
    }

    /// Reads PostgreSQL's text form, `SCRAM-SHA-256$iterations:salt$stored_key:server_key`,
    /// as `pg_authid.rolpassword` has it. `None` when it is not in that form.
    pub fn parse(text: &str) -> Option<Self> {
        let (parameters, keys) = text.strip_prefix(Self::PREFIX)?.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let verifier = ScramVerifier {
            salt: STANDARD.decode(salt).ok()?,
            iterations: iterations.parse().ok()?,
            stored_key: STANDARD.decode(stored_key).ok()?,
            server_key: STANDARD.decode(server_key).ok()?,
        };
        let sound = verifier.iterations > 0
            && !verifier.salt.is_empty()
            && verifier.stored_key.len() == KEY_BYTES
            && verifier.server_key.len() == KEY_BYTES;
        sound.then_some(verifier)
    }

    /// PostgreSQL's text form. Keep it where secrets are kept: with it, passwords can be
    /// guessed offline.
    pub fn to_text(&self) -> String {
        format!(
            "{}{}:{}${}:{}",
            Self::PREFIX,
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(&self.stored_key),
            STANDARD.encode(&self.server_key)
        )
    }

    /// Rounds of the key derivation: how dear a guess of the password is.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    pub(super) fn shape(&self) -> Shape {
        Shape {
            salt_bytes: self.salt.len(),
            iterations: self.iterations,
        }
    }

    /// A verifier that no password fits.
    pub(super) fn that_nothing_fits(salt: Vec<u8>, iterations: usize) -> Self {
        ScramVerifier {
            salt,
            iterations,
            stored_key: rand::random::<[u8; KEY_BYTES]>().to_vec(),
            server_key: rand::random::<[u8; KEY_BYTES]>().to_vec(),
        }
    }

    /// The form that the exchange takes.
    pub(super) fn secret(&self) -> ScramSecret {
        ScramSecret::Verifier {
            salt: self.salt.clone(),
            iterations: self.iterations,
            stored_key: self.stored_key.clone(),
            server_key: self.server_key.clone(),
        }
    }
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ScramVerifier(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_survives_its_text_form() {
        let verifier = ScramVerifier::from_password("pencil");
        assert_eq!(ScramVerifier::parse(&verifier.to_text()), Some(verifier));
    }

    #[test]
    fn a_verifier_that_postgresql_made_is_read() {
        // SCRAM-SHA-256 of "pencil" with the salt of RFC 7677.
        let text = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
                    WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
                    wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        let verifier = ScramVerifier::parse(text).expect("the text is well formed");
        assert_eq!(verifier.to_text(), text);
    }

    #[test]
    fn what_is_no_verifier_is_not_read() {
        for text in [
            "",
            "pencil",
            "md5abc",
            "SCRAM-SHA-256$4096:c2FsdA==$c2hvcnQ=:c2hvcnQ=",
            "SCRAM-SHA-256$x:c2FsdA==$:",
        ] {
            assert_eq!(ScramVerifier::parse(text), None, "{text}");
        }
    }

    #[test]
    fn key_material_is_not_printed() {
        let verifier = ScramVerifier::from_password("pencil");
        assert_eq!(format!("{verifier:?}"), "ScramVerifier(hidden)");
    }
}
