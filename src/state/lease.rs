//! Who serves: one gateway for each state store.
//!
//! Owns the table `leases`. Promises that a lease has one holder at a time, by the database's own
//! clock, and that whoever waits gets it once it was given back or ran out. Never decides what a
//! holder does that loses it.

use super::StateError;
use super::database::{Ask, Database, Fault};
use super::store::StateStore;

/// The one lease of a store: order and budgets are kept by one process.
const NAME: &str = "gateway";

/// What came of asking for the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// It is the asker's, for as long as was asked for.
    Held {
        /// Grows with each holder.
        epoch: i64,
    },
    /// Somebody else has it, for that much longer.
    Taken { holder: String, for_ms: i64 },
}

impl StateStore {
    /// Takes the lease for `holder`, or renews it, for `lease_ms` from now. It does not wait for
    /// changes of the store, which may take long.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn take_lease(&mut self, holder: &str, lease_ms: i64) -> Result<LeaseAnswer, StateError> {
        take(&mut self.database, holder, lease_ms).map_err(|fault| self.failed(fault))
    }

    /// Gives the lease back, if it is `holder`'s.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn release_lease(&mut self, holder: &str) -> Result<(), StateError> {
        let sql = "UPDATE leases SET expires_ms = 0 WHERE name = $1 AND holder = $2";
        self.database
            .execute(sql, &[NAME.into(), holder.into()])
            .map(drop)
            .map_err(|fault| self.failed(fault))
    }
}

fn take(database: &mut Database, holder: &str, lease_ms: i64) -> Result<LeaseAnswer, Fault> {
    let now_ms = database.now_ms()?;
    loop {
        // One statement, so that of several who ask at once the database lets one have it. One's
        // own that ran out may have been somebody else's meanwhile only with another epoch.
        let taken = database.execute(
            "UPDATE leases SET epoch = epoch + CASE WHEN holder = $1 THEN 0 ELSE 1 END, \
             holder = $1, expires_ms = $2 WHERE name = $3 AND (holder = $1 OR expires_ms <= $4)",
            &[
                holder.into(),
                (now_ms + lease_ms).into(),
                NAME.into(),
                now_ms.into(),
            ],
        )?;
        let rows = database.query(
            "SELECT holder, epoch, expires_ms FROM leases WHERE name = $1",
            &[NAME.into()],
        )?;
        let Some(row) = rows.first() else {
            // Nobody ever had it: from now on it is there, and free.
            database.execute(
                "INSERT INTO leases (name, holder, epoch, expires_ms) VALUES ($1, '', 0, 0) \
                 ON CONFLICT DO NOTHING",
                &[NAME.into()],
            )?;
            continue;
        };
        let (present, epoch, expires_ms) = (row.text(0)?, row.integer(1)?, row.integer(2)?);
        return Ok(match taken > 0 && present == holder {
            true => LeaseAnswer::Held { epoch },
            false => LeaseAnswer::Taken {
                holder: present,
                for_ms: (expires_ms - now_ms).max(0),
            },
        });
    }
}
