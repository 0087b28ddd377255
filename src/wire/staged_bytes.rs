//! How many bytes transactions hold until their COMMIT.
//!
//! Owns the count over all connections. Promises that what a transaction took comes back when
//! it ends, however it ends. Never waits: rows that need more of the client before they can go
//! must not wait for anyone, or their COMMIT would never be read.

use crate::telemetry::MemoryGauges;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that all transactions share.
#[derive(Clone, Debug)]
pub(super) struct StagedBudget {
    used: Arc<AtomicUsize>,
    bytes_max: usize,
    gauges: MemoryGauges,
}

/// What one transaction holds; given back on drop.
#[derive(Debug)]
pub(super) struct StagedBytes {
    budget: StagedBudget,
    bytes: usize,
}

impl StagedBudget {
    pub(super) fn new(bytes_max: usize) -> Self {
        StagedBudget {
            used: Arc::default(),
            bytes_max,
            gauges: MemoryGauges::new(),
        }
    }

    /// A transaction that holds nothing yet.
    pub(super) fn lease(&self) -> StagedBytes {
        StagedBytes {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

impl StagedBytes {
    /// Sets what the transaction holds. `false`, and nothing changed, when all transactions
    /// together would hold too much.
    pub(super) fn set(&mut self, bytes: usize) -> bool {
        let used = &self.budget.used;
        if bytes > self.bytes {
            let more = bytes - self.bytes;
            let before = used.fetch_add(more, Ordering::AcqRel);
            if before + more > self.budget.bytes_max {
                used.fetch_sub(more, Ordering::AcqRel);
                return false;
            }
        } else {
            used.fetch_sub(self.bytes - bytes, Ordering::AcqRel);
        }
        self.bytes = bytes;
        let used = used.load(Ordering::Acquire);
        self.budget.gauges.staged_bytes.set(used as f64);
        true
    }
}

impl Drop for StagedBytes {
    fn drop(&mut self) {
        // Less is always allowed.
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_transactions_share_the_bytes_and_give_them_back() {
        let budget = StagedBudget::new(100);
        let mut first = budget.lease();
        let mut second = budget.lease();
        assert!(first.set(70));
        assert!(!second.set(40));
        assert!(second.set(30));
        assert!(first.set(10));
        assert!(second.set(90));
        drop(second);
        assert!(first.set(100));
    }
}
