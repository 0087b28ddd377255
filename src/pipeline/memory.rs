//! The memory budget: bytes of rows that may be under way, in all and per connection.
//!
//! Owns the two semaphores. Promises that permits come back when they drop, whatever
//! happened to the rows. Never grants more than the budget: a batch larger than a whole
//! budget waits until it is empty and takes all of it.

use crate::telemetry::MemoryGauges;
use metrics::Gauge;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that all connections share.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    bytes: Arc<Semaphore>,
    gauges: MemoryGauges,
    bytes_max: usize,
    connection_bytes_max: usize,
}

/// The share of one connection.
#[derive(Clone, Debug)]
pub struct ConnectionBudget {
    shared: MemoryBudget,
    bytes: Arc<Semaphore>,
}

/// Bytes taken from both; given back on drop.
#[derive(Debug)]
pub struct MemoryPermit {
    bytes: u32,
    used_bytes: Gauge,
    _connection: OwnedSemaphorePermit,
    _shared: OwnedSemaphorePermit,
}

impl MemoryBudget {
    /// A budget of `bytes_max` in all, of which one connection may hold `connection_bytes_max`.
    pub fn new(bytes_max: usize, connection_bytes_max: usize) -> Self {
        let bytes_max = bytes_max.min(Semaphore::MAX_PERMITS);
        let gauges = MemoryGauges::new();
        gauges.budget_bytes.set(bytes_max as f64);
        MemoryBudget {
            bytes: Arc::new(Semaphore::new(bytes_max)),
            gauges,
            bytes_max,
            connection_bytes_max: connection_bytes_max.min(bytes_max),
        }
    }

    /// A share for a new connection.
    pub fn connection(&self) -> ConnectionBudget {
        ConnectionBudget {
            shared: self.clone(),
            bytes: Arc::new(Semaphore::new(self.connection_bytes_max)),
        }
    }

    /// Bytes granted and not yet given back.
    pub fn used_bytes(&self) -> usize {
        self.bytes_max - self.bytes.available_permits()
    }
}

impl ConnectionBudget {
    /// Waits for `bytes` of both budgets. First come, first served, so that large batches are
    /// not starved by small ones.
    pub async fn acquire(&self, bytes: usize) -> MemoryPermit {
        const NEVER_CLOSED: &str = "the semaphores of the memory budget are never closed";
        let own = bytes.clamp(1, self.shared.connection_bytes_max);
        let own = u32::try_from(own).unwrap_or(u32::MAX);
        let connection = self
            .bytes
            .clone()
            .acquire_many_owned(own)
            .await
            .expect(NEVER_CLOSED);
        let shared = self
            .shared
            .bytes
            .clone()
            .acquire_many_owned(own)
            .await
            .expect(NEVER_CLOSED);
        let used_bytes = self.shared.gauges.used_bytes.clone();
        used_bytes.increment(f64::from(own));
        MemoryPermit {
            bytes: own,
            used_bytes,
            _connection: connection,
            _shared: shared,
        }
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        self.used_bytes.decrement(f64::from(self.bytes));
    }
}
