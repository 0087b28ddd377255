//! What the salts of names are made of that nobody has.
//!
//! Owns the table `look_alikes`. Promises one seed for the life of a store, whoever asks first: all
//! gateways of a store answer strangers alike, and so does the same one after a restart. Never makes
//! a salt.

use super::StateError;
use super::database::Fault;
use super::store::StateStore;
use crate::cdf::Secret;
use crate::wire::LookAlikes;

impl StateStore {
    /// The seed, made where there is none yet.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn look_alike_seed(&mut self) -> Result<Secret, StateError> {
        if let Some(seed) = self.kept_seed()? {
            return Ok(seed);
        }
        let seed = LookAlikes::new_seed();
        // Nobody's sign-in changes by it. Another gateway may have been faster.
        self.change_unseen(|ask| {
            ask.execute(
                "INSERT INTO look_alikes (one, seed) VALUES (1, $1) ON CONFLICT DO NOTHING",
                &[seed.expose().into()],
            )?;
            Ok(())
        })?;
        let kept = self.kept_seed()?;
        kept.ok_or_else(|| self.failed("the table look_alikes stays empty".to_owned()))
    }

    fn kept_seed(&mut self) -> Result<Option<Secret>, StateError> {
        let rows = self.query("SELECT seed FROM look_alikes", &[])?;
        let seed = rows.first().map(|row| row.text(0)).transpose();
        let seed = seed.map_err(|fault: Fault| self.failed(fault))?;
        Ok(seed.map(Secret::new))
    }
}
