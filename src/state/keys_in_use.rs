//! Which keys the secrets of the store are sealed with.
//!
//! Owns the table `seal`: a text that was sealed with the store's key. Promises that nobody opens a
//! store or seals a secret in it with keys that are not its own, so that a wrong key is found before
//! it does harm, and that a rotation seals all secrets again or none. Never stores a key.

use super::StateError;
use super::accounts::{KEY_FIELD, SECRET_FIELD};
use super::database::Ask;
use super::sealing::{SealingFault, SealingKeys};
use super::store::{StateStore, Undone};
use crate::cdf::Secret;
use std::sync::Arc;

/// No account has this name.
const OWNER: &str = "";
const FIELD: &str = "check";

/// What is sealed; it is no secret.
const TEXT: &str = "penstock";

const SELECT: &str = "SELECT sealed FROM seal";

impl StateStore {
    /// Refuses keys that are not the store's. A store without secrets takes any.
    pub(super) fn check_keys(&mut self) -> Result<(), StateError> {
        let Some(keys) = self.keys.clone() else {
            return Ok(());
        };
        let place = self.place.clone();
        is_open(&mut self.database, &keys, &place)
            .map(drop)
            .map_err(|undone| self.error(undone))
    }

    /// The keys; an error where there are none.
    pub(super) fn keys(&self) -> Result<Arc<SealingKeys>, StateError> {
        self.keys.clone().ok_or(StateError::NoKey)
    }

    /// Changes the store as [`Self::change`] does, if these keys are its own. From the first such
    /// change on they are.
    pub(super) fn change_sealed<T>(
        &mut self,
        change: impl FnOnce(&mut dyn Ask) -> Result<T, Undone>,
    ) -> Result<T, StateError> {
        let (keys, place) = (self.keys()?, self.place.clone());
        self.change(|ask| {
            claim(ask, &keys, &place)?;
            change(ask)
        })
    }

    /// Seals every secret with the first key, in one change; tells how many there are.
    ///
    /// # Errors
    /// A secret cannot be opened; no key; the store cannot be written. Nothing is changed then.
    pub fn seal_again(&mut self) -> Result<usize, StateError> {
        let (keys, place) = (self.keys()?, self.place.clone());
        self.change_unseen(|ask| {
            is_open(ask, &keys, &place)?;
            ask.execute("DELETE FROM seal", &[])?;
            claim(ask, &keys, &place)?;
            let secrets = ask.query(
                "SELECT name, kind, sealed FROM accounts WHERE kind <> 'none' ORDER BY name",
                &[],
            )?;
            for row in &secrets {
                let (name, kind, sealed) = (row.text(0)?, row.text(1)?, row.text(2)?);
                let field = match kind.as_str() {
                    "session" => KEY_FIELD,
                    _ => SECRET_FIELD,
                };
                let again = keys
                    .open(&name, field, &sealed)
                    .and_then(|secret| keys.seal(&name, field, &secret))
                    .map_err(|fault| StateError::Sealed {
                        place: place.clone(),
                        user: name.clone(),
                        fault,
                    })?;
                ask.execute(
                    "UPDATE accounts SET sealed = $1 WHERE name = $2",
                    &[again.into(), name.into()],
                )?;
            }
            Ok(secrets.len())
        })
    }
}

/// Whether there is a text, and these keys open it.
fn is_open(ask: &mut dyn Ask, keys: &SealingKeys, place: &str) -> Result<bool, Undone> {
    let rows = ask.query(SELECT, &[])?;
    let Some(row) = rows.first() else {
        return Ok(false);
    };
    match keys.open(OWNER, FIELD, &row.text(0)?) {
        Ok(_) => Ok(true),
        Err(fault) => Err(other_keys(place, fault).into()),
    }
}

/// Makes the keys the store's own, where it has none.
pub(super) fn claim(ask: &mut dyn Ask, keys: &SealingKeys, place: &str) -> Result<(), Undone> {
    if is_open(ask, keys, place)? {
        return Ok(());
    }
    let sealed = keys
        .seal(OWNER, FIELD, &Secret::new(TEXT))
        .map_err(|fault| other_keys(place, fault))?;
    ask.execute(
        "INSERT INTO seal (one, sealed) VALUES (1, $1)",
        &[sealed.into()],
    )?;
    Ok(())
}

fn other_keys(place: &str, fault: SealingFault) -> StateError {
    StateError::OtherKeys {
        place: place.to_owned(),
        fault,
    }
}
