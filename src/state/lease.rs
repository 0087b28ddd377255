//! Who serves: one gateway for each state store.
//!
//! Owns the table `leases`. Promises that a lease has one holder at a time, by the database's own
//! clock, and that whoever waits gets it once it was given back or ran out. Never decides what a
//! holder does that loses it.

use super::StateError;
use super::database::Ask;
use super::store::{StateStore, Undone};

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
    /// Takes the lease for `holder`, or renews it, for `lease_ms` from now.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn take_lease(&mut self, holder: &str, lease_ms: i64) -> Result<LeaseAnswer, StateError> {
        let now_ms = self.database.now_ms().map_err(|fault| self.failed(fault))?;
        let taken = self
            .database
            .change(|ask| take(ask, holder, now_ms, lease_ms));
        taken.map_err(|undone| self.error(undone))
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

fn take(
    ask: &mut dyn Ask,
    holder: &str,
    now_ms: i64,
    lease_ms: i64,
) -> Result<LeaseAnswer, Undone> {
    let expires_ms = now_ms + lease_ms;
    let rows = ask.query(
        "SELECT holder, epoch, expires_ms FROM leases WHERE name = $1",
        &[NAME.into()],
    )?;
    let Some(row) = rows.first() else {
        ask.execute(
            "INSERT INTO leases (name, holder, epoch, expires_ms) VALUES ($1, $2, 1, $3)",
            &[NAME.into(), holder.into(), expires_ms.into()],
        )?;
        return Ok(LeaseAnswer::Held { epoch: 1 });
    };
    let (present, epoch, present_expires_ms) = (row.text(0)?, row.integer(1)?, row.integer(2)?);
    let is_own = present == holder;
    if !is_own && present_expires_ms > now_ms {
        return Ok(LeaseAnswer::Taken {
            holder: present,
            for_ms: present_expires_ms - now_ms,
        });
    }
    // One's own that ran out may have been somebody else's meanwhile only with another epoch.
    let epoch = if is_own { epoch } else { epoch + 1 };
    ask.execute(
        "UPDATE leases SET holder = $1, epoch = $2, expires_ms = $3 WHERE name = $4",
        &[holder.into(), epoch.into(), expires_ms.into(), NAME.into()],
    )?;
    Ok(LeaseAnswer::Held { epoch })
}
