//! Secrets as they are stored: sealed.
//!
//! Owns the keys and the form of a sealed text. Promises that a sealed secret cannot be read or
//! changed without its key, nor be moved to another account or another purpose, and that several
//! keys can be in use while one replaces another. Never prints a key or a secret.

use crate::cdf::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest;
use std::fmt;

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// Bytes of a key's name: enough to tell some keys apart.
const KEY_NAME_BYTES: usize = 4;

/// The first word of a sealed text; another form would have another one.
const FORM: &str = "aes256gcm";

/// Why a secret cannot be opened, or a key not be used. Holds neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealingFault {
    /// Set the right key.
    #[error("the key is neither 32 bytes in base64 nor 64 hexadecimal digits")]
    NoKey,
    /// Give the key that it was sealed with.
    #[error("the secret was sealed with the key {0}, which is not among the given ones")]
    UnknownKey(String),
    /// Restore the store: somebody changed it.
    #[error("the sealed secret was changed or belongs to somebody else")]
    Forged,
}

struct Key {
    /// Of the key's digest, in hexadecimal.
    name: String,
    key: LessSafeKey,
}

/// The keys in use; the first one seals, all open.
pub struct SealingKeys {
    keys: Vec<Key>,
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.keys.iter().map(|key| key.name.as_str()).collect();
        write!(formatter, "SealingKeys({})", names.join(", "))
    }
}

impl SealingKeys {
    /// The key that seals, and older ones that still open.
    ///
    /// # Errors
    /// A text is no key.
    pub fn new(sealing: &Secret, older: &[Secret]) -> Result<Self, SealingFault> {
        let keys = std::iter::once(sealing).chain(older).map(read_key);
        Ok(SealingKeys {
            keys: keys.collect::<Result<_, _>>()?,
        })
    }

    /// The name of the key that seals.
    pub fn name(&self) -> &str {
        self.keys.first().map_or("", |key| key.name.as_str())
    }

    /// Seals `secret` for the field `field` of the account `owner`.
    ///
    /// # Errors
    /// There is no key.
    pub fn seal(&self, owner: &str, field: &str, secret: &Secret) -> Result<String, SealingFault> {
        let key = self.keys.first().ok_or(SealingFault::NoKey)?;
        // 96 random bits: safe for the billions of secrets that no store will see.
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = secret.expose().as_bytes().to_vec();
        key.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context(owner, field)),
                &mut sealed,
            )
            .map_err(|_| SealingFault::NoKey)?;
        let mut bytes = nonce.to_vec();
        bytes.extend(sealed);
        Ok(format!("{FORM}:{}:{}", key.name, STANDARD.encode(bytes)))
    }

    /// Opens what [`Self::seal`] made for the same owner and field.
    ///
    /// # Errors
    /// The key is not among these, or the text is not as it was made.
    pub fn open(&self, owner: &str, field: &str, sealed: &str) -> Result<Secret, SealingFault> {
        let mut words = sealed.split(':');
        let (Some(FORM), Some(name), Some(text), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(SealingFault::Forged);
        };
        let key = self.keys.iter().find(|key| key.name == name);
        let key = key.ok_or_else(|| SealingFault::UnknownKey(name.to_owned()))?;
        let bytes = STANDARD.decode(text).map_err(|_| SealingFault::Forged)?;
        let (nonce, sealed) = bytes
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(SealingFault::Forged)?;
        let mut opened = sealed.to_vec();
        let opened = key
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(context(owner, field)),
                &mut opened,
            )
            .map_err(|_| SealingFault::Forged)?;
        let text = std::str::from_utf8(opened).map_err(|_| SealingFault::Forged)?;
        Ok(Secret::new(text))
    }
}

/// Names hold no zero byte, so that no two places have the same context.
fn context(owner: &str, field: &str) -> Vec<u8> {
    format!("{owner}\0{field}").into_bytes()
}

fn read_key(text: &Secret) -> Result<Key, SealingFault> {
    let text = text.expose().trim();
    let bytes = match text.len() {
        64 => (0..KEY_BYTES)
            .map(|index| u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok())
            .collect::<Option<Vec<u8>>>(),
        _ => STANDARD.decode(text).ok(),
    };
    let bytes = bytes
        .filter(|bytes| bytes.len() == KEY_BYTES)
        .ok_or(SealingFault::NoKey)?;
    let name = digest::digest(&digest::SHA256, &bytes).as_ref()[..KEY_NAME_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| SealingFault::NoKey)?;
    Ok(Key {
        name,
        key: LessSafeKey::new(key),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> Secret {
        Secret::new(STANDARD.encode([byte; KEY_BYTES]))
    }

    fn keys(sealing: u8, older: &[u8]) -> SealingKeys {
        let older: Vec<Secret> = older.iter().map(|byte| key(*byte)).collect();
        SealingKeys::new(&key(sealing), &older).expect("keys")
    }

    #[test]
    fn keys_are_read_in_both_forms_and_nothing_else_is_a_key() {
        let hexadecimal = Secret::new("07".repeat(KEY_BYTES));
        let one = SealingKeys::new(&hexadecimal, &[]).expect("a key");
        assert_eq!(one.name(), keys(7, &[]).name());
        for bad in [
            "",
            "short",
            &"zz".repeat(KEY_BYTES),
            &STANDARD.encode([1; 31]),
        ] {
            let fault = SealingKeys::new(&Secret::new(bad), &[]).expect_err("no key");
            assert_eq!(fault, SealingFault::NoKey);
        }
    }

    #[test]
    fn a_secret_opens_for_its_owner_and_field_only() {
        let keys = keys(1, &[]);
        let sealed = keys
            .seal("ada", "client_secret", &Secret::new("s"))
            .expect("sealed");
        assert_eq!(
            keys.open("ada", "client_secret", &sealed),
            Ok(Secret::new("s"))
        );
        for (owner, field) in [("bob", "client_secret"), ("ada", "session_key")] {
            assert_eq!(keys.open(owner, field, &sealed), Err(SealingFault::Forged));
        }
    }

    #[test]
    fn an_older_key_opens_and_the_new_one_seals() {
        let sealed = keys(1, &[])
            .seal("ada", "f", &Secret::new("s"))
            .expect("sealed");
        assert_eq!(
            keys(2, &[1]).open("ada", "f", &sealed),
            Ok(Secret::new("s"))
        );
        let fault = keys(2, &[]).open("ada", "f", &sealed);
        assert!(matches!(fault, Err(SealingFault::UnknownKey(_))));
    }

    proptest! {
        #[test]
        fn every_secret_comes_back_and_no_changed_byte_is_accepted(
            secret in ".{0,200}", position in any::<prop::sample::Index>(), bit in 0..8u32,
        ) {
            let keys = keys(3, &[]);
            let sealed = keys.seal("o", "f", &Secret::new(secret.clone())).expect("sealed");
            // A short one may stand there by chance.
            prop_assert!(secret.len() < 8 || !sealed.contains(&secret));
            let opened = keys.open("o", "f", &sealed).expect("opens");
            prop_assert_eq!(opened.expose(), secret);
            let (head, text) = sealed.rsplit_once(':').expect("three words");
            let mut bytes = STANDARD.decode(text).expect("base64");
            let index = position.index(bytes.len());
            bytes[index] ^= 1 << bit;
            let changed = format!("{head}:{}", STANDARD.encode(bytes));
            prop_assert_eq!(keys.open("o", "f", &changed), Err(SealingFault::Forged));
        }
    }
}
