//! How many bytes spool files have, all together and each.
//!
//! Owns the count over all files. Promises that what a file took comes back when it goes. Never
//! waits: a transaction that finds no room fails, as its COMMIT could not be read meanwhile.

use super::SpoolError;
use crate::telemetry::MemoryGauges;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes that all files share.
#[derive(Clone, Debug)]
pub(super) struct SpoolBudget {
    used: Arc<AtomicU64>,
    bytes_max: u64,
    bytes_max_total: u64,
    gauges: MemoryGauges,
}

/// What one file has; given back on drop.
#[derive(Debug)]
pub(super) struct SpoolLease {
    budget: SpoolBudget,
    bytes: u64,
}

impl SpoolBudget {
    /// Room for `bytes_max_total` bytes, of which one file may have `bytes_max`.
    pub(super) fn new(bytes_max: u64, bytes_max_total: u64) -> Self {
        SpoolBudget {
            used: Arc::default(),
            bytes_max,
            bytes_max_total,
            gauges: MemoryGauges::new(),
        }
    }

    /// A file that has nothing yet.
    pub(super) fn lease(&self) -> SpoolLease {
        SpoolLease {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

impl SpoolLease {
    /// The file will have `bytes` bytes.
    ///
    /// # Errors
    /// A bound would be passed; nothing has changed then. Fewer bytes are always allowed.
    pub(super) fn set(&mut self, bytes: u64) -> Result<(), SpoolError> {
        let budget = &self.budget;
        if bytes > self.bytes {
            if bytes > budget.bytes_max {
                return Err(SpoolError::TooMuch {
                    bytes_max: budget.bytes_max,
                });
            }
            let more = bytes - self.bytes;
            let before = budget.used.fetch_add(more, Ordering::AcqRel);
            if before.saturating_add(more) > budget.bytes_max_total {
                budget.used.fetch_sub(more, Ordering::AcqRel);
                return Err(SpoolError::TooMuchTogether {
                    bytes_max: budget.bytes_max_total,
                });
            }
        } else {
            budget.used.fetch_sub(self.bytes - bytes, Ordering::AcqRel);
        }
        self.bytes = bytes;
        let used = budget.used.load(Ordering::Acquire);
        budget.gauges.spool_bytes.set(used as f64);
        Ok(())
    }
}

impl Drop for SpoolLease {
    fn drop(&mut self) {
        // Fewer bytes are always allowed.
        let _ = self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_share_the_room_and_give_it_back() {
        let budget = SpoolBudget::new(80, 100);
        let mut first = budget.lease();
        let mut second = budget.lease();
        first.set(70).expect("there is room");
        assert!(matches!(
            second.set(40),
            Err(SpoolError::TooMuchTogether { bytes_max: 100 })
        ));
        second.set(30).expect("the last of the room");
        first.set(10).expect("less is allowed");
        assert!(matches!(
            second.set(81),
            Err(SpoolError::TooMuch { bytes_max: 80 })
        ));
        drop(first);
        drop(second);
        assert_eq!(budget.used.load(Ordering::Acquire), 0);
    }
}
