//! Names on a server that others use as well.
//!
//! Owns how the gateway's own databases and roles there are told from all others. Promises that no
//! name tells of a user: everybody on the server may read them. Never asks the server.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a name looks like, as a regular expression of PostgreSQL: eight digits of the gateway, a
/// number, and what roles are for.
pub(super) const PATTERN: &str = "^penstock_[0-9a-f]{8}_[0-9]+(_owner|_user)?$";

/// Where in a name the gateway's digits begin, counted from 1.
pub(super) const GATEWAY_AT: usize = "penstock_".len() + 1;

/// The first half of the advisory lock that a gateway holds as long as it lives: `pnge`. Its digits
/// are the other half.
pub(super) const LOCK: i32 = 0x706e_6765;

/// Makes names of one gateway that were never used before.
#[derive(Debug)]
pub(super) struct Names {
    gateway: u32,
    next: AtomicU64,
}

impl Names {
    /// Of a gateway that nobody else is.
    pub fn new() -> Self {
        Names {
            gateway: rand::random(),
            next: AtomicU64::new(1),
        }
    }

    /// The second half of the lock.
    pub fn lock(&self) -> i32 {
        self.gateway.cast_signed()
    }

    /// The gateway's digits.
    pub fn gateway(&self) -> String {
        format!("{:08x}", self.gateway)
    }

    /// A name for a database.
    pub fn database(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("penstock_{}_{number}", self.gateway())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_by_the_digits_of_their_gateway() {
        let names = Names::new();
        let (one, other) = (names.database(), names.database());
        assert_ne!(one, other);
        assert_eq!(one[GATEWAY_AT - 1..GATEWAY_AT + 7], names.gateway());
        assert!(one.starts_with("penstock_") && one.ends_with("_1"));
    }
}
