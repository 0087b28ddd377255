//! Verifiers for names that nobody has.
//!
//! Owns the salt of each name: what a stranger sees of a user who does not exist, and what the
//! passwords of the configuration are hashed with. Promises that a name has one salt at every try,
//! and after every restart where a state store keeps the seed; that it looks like those of the users
//! there are; and that no password fits. Never prints the seed.

use super::scram::{ScramVerifier, Shape};
use super::user::Users;
use crate::cdf::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use std::fmt;
use std::sync::Arc;

/// Bytes of a seed: nobody guesses it from the salts that it makes.
const SEED_BYTES: usize = 32;

/// What is derived from the seed, so that one says nothing about the other.
const SALT: &[u8] = b"salt";
const SHAPE: &[u8] = b"shape";

/// The salts of all names. Clones make the same ones.
#[derive(Clone)]
pub struct LookAlikes {
    key: hmac::Key,
    /// Whether users may come who are not in the configuration.
    expects_accounts: bool,
    /// What verifiers look like here. Never empty.
    shapes: Arc<[Shape]>,
}

impl fmt::Debug for LookAlikes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LookAlikes(hidden)")
    }
}

impl Default for LookAlikes {
    /// Salts that hold as long as the process.
    fn default() -> Self {
        Self::new(&rand::random::<[u8; SEED_BYTES]>(), false)
    }
}

impl LookAlikes {
    fn new(seed: &[u8], expects_accounts: bool) -> Self {
        LookAlikes {
            key: hmac::Key::new(hmac::HMAC_SHA256, seed),
            expects_accounts,
            shapes: Arc::new([Shape::OURS]),
        }
    }

    /// Something to make salts of, to be kept for the next start.
    pub fn new_seed() -> Secret {
        Secret::new(STANDARD.encode(rand::random::<[u8; SEED_BYTES]>()))
    }

    /// The salts that `seed` makes: those of a gateway with a state store.
    pub fn of_seed(seed: &Secret) -> Self {
        Self::new(seed.expose().as_bytes(), true)
    }

    /// The verifier of a user whose password is in the configuration. It has the salt that the name
    /// has anyway: a new one at each start would tell the users from the names that nobody has.
    pub fn verifier(&self, name: &str, password: &str) -> ScramVerifier {
        ScramVerifier::with_salt(password, self.salt(name, Shape::OURS.salt_bytes))
    }

    /// The same salts for verifiers that look like those of `users`: PostgreSQL can be told to make
    /// more rounds, and strangers see how many.
    pub(super) fn among(self, users: &Users) -> Self {
        let mut shapes = users.configured_shapes();
        if self.expects_accounts || shapes.is_empty() {
            shapes.push(Shape::OURS);
        }
        shapes.sort_unstable();
        shapes.dedup();
        LookAlikes {
            shapes: shapes.into(),
            ..self
        }
    }

    /// The verifier of a name that nobody has.
    pub(super) fn of(&self, name: &str) -> ScramVerifier {
        let shape = self.shape(name);
        ScramVerifier::that_nothing_fits(self.salt(name, shape.salt_bytes), shape.iterations)
    }

    fn shape(&self, name: &str) -> Shape {
        let digest = self.digest(SHAPE, 0, name);
        let number = digest.as_ref().iter().fold(0_usize, |number, byte| {
            (number * 256 + usize::from(*byte)) % self.shapes.len()
        });
        self.shapes.get(number).copied().unwrap_or(Shape::OURS)
    }

    fn salt(&self, name: &str, bytes: usize) -> Vec<u8> {
        let mut salt = Vec::new();
        let mut block = 0_u32;
        while salt.len() < bytes {
            salt.extend_from_slice(self.digest(SALT, block, name).as_ref());
            block += 1;
        }
        salt.truncate(bytes);
        salt
    }

    /// Of the name as it was sent: names that only look alike are different users.
    fn digest(&self, purpose: &[u8], block: u32, name: &str) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(purpose);
        context.update(&block.to_be_bytes());
        context.update(name.as_bytes());
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdf::{Identity, Project};
    use crate::config::UserModes;
    use crate::wire::GatewayUser;

    /// A verifier's text without its keys: all that a stranger sees.
    fn seen(verifier: &ScramVerifier) -> String {
        let text = verifier.to_text();
        text[..text.rfind('$').expect("two parts")].to_owned()
    }

    fn user(name: &str, scram: ScramVerifier) -> GatewayUser {
        let project = Project {
            base_url: "http://127.0.0.1:1".to_owned(),
            name: "plant".to_owned(),
        };
        GatewayUser {
            name: name.to_owned(),
            scram,
            identity: Arc::new(Identity::of_token(project, Secret::new("t"))),
            modes: UserModes::default(),
            barred: None,
        }
    }

    #[test]
    fn a_name_has_one_salt_and_two_names_have_two() {
        let look_alikes = LookAlikes::default();
        assert_eq!(seen(&look_alikes.of("ada")), seen(&look_alikes.of("ada")));
        assert_ne!(seen(&look_alikes.of("ada")), seen(&look_alikes.of("bob")));
        // PostgreSQL would prepare both alike, were they passwords.
        assert_ne!(
            seen(&look_alikes.of("fix")),
            seen(&look_alikes.of("\u{fb01}x"))
        );
        assert_ne!(look_alikes.of("ada"), look_alikes.of("ada"), "keys");
    }

    #[test]
    fn the_same_seed_makes_the_same_salts_and_another_one_others() {
        let seed = LookAlikes::new_seed();
        let salts = |seed: &Secret| seen(&LookAlikes::of_seed(seed).of("ada"));
        assert_eq!(salts(&seed), salts(&seed));
        assert_ne!(salts(&seed), salts(&LookAlikes::new_seed()));
    }

    #[test]
    fn a_user_with_a_password_looks_like_nobody_of_that_name() {
        let look_alikes = LookAlikes::default();
        let verifier = look_alikes.verifier("ada", "pencil");
        assert_eq!(seen(&verifier), seen(&look_alikes.of("ada")));
        assert_eq!(verifier, look_alikes.verifier("ada", "pencil"));
        assert_ne!(verifier, look_alikes.verifier("ada", "pen"));
    }

    #[test]
    fn names_that_nobody_has_have_the_rounds_and_lengths_of_the_users() {
        let longer = ScramVerifier::that_nothing_fits(vec![1; 40], 20_000);
        let users = Users::new([user("ada", longer)]);
        let shapes = |look_alikes: LookAlikes| {
            let look_alikes = look_alikes.among(&users);
            let mut shapes: Vec<(usize, usize)> = (0..100)
                .map(|number| look_alikes.of(&number.to_string()).shape())
                .map(|shape| (shape.salt_bytes, shape.iterations))
                .collect();
            shapes.sort_unstable();
            shapes.dedup();
            shapes
        };
        assert_eq!(shapes(LookAlikes::default()), [(40, 20_000)]);
        let stored = LookAlikes::of_seed(&LookAlikes::new_seed());
        assert_eq!(shapes(stored), [(16, 4_096), (40, 20_000)]);
    }

    #[test]
    fn the_seed_is_not_printed() {
        let seed = LookAlikes::new_seed();
        let printed = format!("{:?} {seed:?}", LookAlikes::of_seed(&seed));
        assert!(!printed.contains(seed.expose()), "{printed}");
    }
}
