//! The memory budget: bytes of rows that may be under way, in all and per connection.
//!
//! Owns the semaphores. Promises that permits come back when they drop, whatever happened to
//! the rows, and that a small statement finds memory where bulk loads hold all the rest.
//! Never grants more than the budget: a batch larger than a whole budget waits until it is
//! empty and takes all of it.

use crate::telemetry::MemoryGauges;
use metrics::Gauge;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a submission weighs beside its rows: its own fields, those of its batch and of its
/// place in the queues. A statement of one row weighs hardly anything else.
const SUBMISSION_BYTES: usize = 1024;

/// The most bytes of a submission that may use the reserve.
const SMALL_BYTES: usize = 64 << 10;

/// The part of the budget that is kept for small submissions, and its bound.
const RESERVE_PART: usize = 16;
const RESERVE_BYTES_MAX: usize = 4 << 20;

/// Bytes that all connections share.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    /// For everybody.
    bytes: Arc<Semaphore>,
    /// For small submissions that find the rest taken.
    reserve: Arc<Semaphore>,
    small_bytes_max: usize,
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
        let reserve = (bytes_max / RESERVE_PART).min(RESERVE_BYTES_MAX);
        let common = bytes_max - reserve;
        MemoryBudget {
            bytes: Arc::new(Semaphore::new(common)),
            reserve: Arc::new(Semaphore::new(reserve)),
            small_bytes_max: SMALL_BYTES.min(reserve / 4),
            gauges,
            bytes_max,
            connection_bytes_max: connection_bytes_max.min(common),
        }
    }

    /// A budget that is not part of what clients share, and not counted with it.
    pub fn apart(bytes_max: usize) -> Self {
        let bytes_max = bytes_max.min(Semaphore::MAX_PERMITS);
        MemoryBudget {
            bytes: Arc::new(Semaphore::new(bytes_max)),
            reserve: Arc::new(Semaphore::new(0)),
            small_bytes_max: 0,
            gauges: MemoryGauges {
                budget_bytes: Gauge::noop(),
                used_bytes: Gauge::noop(),
                staged_bytes: Gauge::noop(),
                spool_bytes: Gauge::noop(),
            },
            bytes_max,
            connection_bytes_max: bytes_max,
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
        self.bytes_max - self.bytes.available_permits() - self.reserve.available_permits()
    }
}

impl ConnectionBudget {
    /// Waits for `bytes` of rows, and what a submission weighs beside them, of both budgets.
    /// First come, first served, so that large batches are not starved by small ones; small
    /// ones that find the common budget taken have the reserve.
    pub async fn acquire(&self, bytes: usize) -> MemoryPermit {
        const NEVER_CLOSED: &str = "the semaphores of the memory budget are never closed";
        let own = bytes
            .saturating_add(SUBMISSION_BYTES)
            .min(self.shared.connection_bytes_max.max(1));
        let own = u32::try_from(own).unwrap_or(u32::MAX);
        let connection = self
            .bytes
            .clone()
            .acquire_many_owned(own)
            .await
            .expect(NEVER_CLOSED);
        let common = self.shared.bytes.clone();
        let shared = match common.clone().try_acquire_many_owned(own) {
            Ok(shared) => shared,
            Err(_) if own as usize <= self.shared.small_bytes_max => {
                let reserve = self.shared.reserve.clone();
                reserve.acquire_many_owned(own).await.expect(NEVER_CLOSED)
            }
            Err(_) => common.acquire_many_owned(own).await.expect(NEVER_CLOSED),
        };
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

impl ConnectionBudget {
    /// The same bytes, if they are free now and nobody waits for them.
    pub fn try_acquire(&self, bytes: usize) -> Option<MemoryPermit> {
        let own = bytes
            .saturating_add(SUBMISSION_BYTES)
            .min(self.shared.connection_bytes_max.max(1));
        let own = u32::try_from(own).unwrap_or(u32::MAX);
        let connection = self.bytes.clone().try_acquire_many_owned(own).ok()?;
        let shared = self.shared.bytes.clone().try_acquire_many_owned(own).ok()?;
        let used_bytes = self.shared.gauges.used_bytes.clone();
        used_bytes.increment(f64::from(own));
        Some(MemoryPermit {
            bytes: own,
            used_bytes,
            _connection: connection,
            _shared: shared,
        })
    }
}

impl MemoryPermit {
    /// What it holds.
    pub fn bytes(&self) -> usize {
        self.bytes as usize
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        self.used_bytes.decrement(f64::from(self.bytes));
    }
}
