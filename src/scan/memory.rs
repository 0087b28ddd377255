//! The memory of pages on their way from CDF into an engine.
//!
//! Owns the bytes that all scans share, and how much room a page is given. Promises that a page has
//! its room before it is asked for, that a page holds nothing while it waits for more, and that the
//! room comes back when the rows were passed on, however the scan ends. So nobody waits in a circle:
//! whoever holds room can go on without any more of it. These bytes are apart from those of rows that
//! are written: a bulk load keeps no statement from reading, and no scan keeps rows from CDF.

use crate::telemetry::ScanMemoryGauges;
use metrics::Gauge;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a page of one item is taken to weigh before one was seen.
const ITEM_BYTES: usize = 1 << 10;

/// The least room for the body of an answer.
const ROOM_BYTES_MIN: usize = 256 << 10;

/// How much larger the room is for an answer that had too little.
const GROWTH: usize = 16;

/// Text that a body may become, as a multiple: names that are said once in it stand in each row.
const TEXT_PER_BODY: usize = 2;

/// Bytes that all scans share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ScanMemory {
    bytes: Arc<Semaphore>,
    bytes_max: usize,
    gauges: ScanMemoryGauges,
}

/// Bytes of one page; given back on drop.
#[derive(Debug)]
pub(super) struct ScanPermit {
    permit: OwnedSemaphorePermit,
    used_bytes: Gauge,
}

impl ScanMemory {
    /// Memory of `bytes_max`. A page that alone is larger waits until all of it is free, and takes
    /// all of it.
    pub fn new(bytes_max: usize) -> Self {
        // What a permit can count.
        let bytes_max = bytes_max.min(u32::MAX as usize);
        let gauges = ScanMemoryGauges::new();
        gauges.budget_bytes.set(bytes_max as f64);
        ScanMemory {
            bytes: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
            gauges,
        }
    }

    /// Bytes that pages hold now.
    pub fn used_bytes(&self) -> usize {
        self.bytes_max - self.bytes.available_permits()
    }

    /// Waits for the memory of a page whose answer may have so many bytes. First come, first
    /// served.
    pub(super) async fn acquire(&self, body_bytes_max: usize) -> ScanPermit {
        let bytes = body_bytes_max
            .saturating_add(text_bytes_max(body_bytes_max))
            .min(self.bytes_max);
        let count = u32::try_from(bytes).unwrap_or(u32::MAX);
        let permit = self
            .bytes
            .clone()
            .acquire_many_owned(count)
            .await
            .expect("the semaphore of the scan memory is never closed");
        let used_bytes = self.gauges.used_bytes.clone();
        used_bytes.increment(bytes as f64);
        ScanPermit { permit, used_bytes }
    }

    /// The largest body of an answer of `items` items, of which CDF's way has `bytes_max`: a single
    /// item cannot be made smaller.
    fn body_bytes_max(&self, items: usize, bytes_max: usize) -> usize {
        match items {
            0 | 1 => bytes_max,
            _ => bytes_max.min(self.bytes_max / (1 + TEXT_PER_BODY)).max(1),
        }
    }
}

/// The text that the rows of a page may have, whose answer may have so many bytes.
pub(super) fn text_bytes_max(body_bytes_max: usize) -> usize {
    body_bytes_max.saturating_mul(TEXT_PER_BODY)
}

impl ScanPermit {
    /// Gives back all but so many bytes.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let more = self.permit.num_permits().saturating_sub(bytes);
        if more == 0 {
            return;
        }
        // Before others have them: what is used is never said to be more than there is.
        self.used_bytes.decrement(more as f64);
        drop(self.permit.split(more));
    }
}

impl Drop for ScanPermit {
    fn drop(&mut self) {
        self.used_bytes.decrement(self.permit.num_permits() as f64);
    }
}

/// What items of a scan weigh, as far as it was seen.
#[derive(Debug)]
pub(super) struct ItemWeight {
    bytes: AtomicUsize,
}

impl ItemWeight {
    pub(super) fn new() -> Self {
        ItemWeight {
            bytes: AtomicUsize::new(ITEM_BYTES),
        }
    }

    /// An answer of `items` items had a body of so many bytes, and text of so many.
    pub(super) fn saw(&self, items: usize, body_bytes: usize, text_bytes: usize) {
        let bytes = body_bytes.max(text_bytes / TEXT_PER_BODY);
        // A quarter more, as no two pages are the same.
        let each = (bytes + bytes / 4) / items.max(1) + 1;
        self.bytes.fetch_max(each, Ordering::Relaxed);
    }
}

/// Room for the body of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) bytes: usize,
}

impl Room {
    /// For an answer of `items` items that nobody has seen yet.
    pub(super) fn of(weight: &ItemWeight, items: usize) -> Self {
        let each = weight.bytes.load(Ordering::Relaxed);
        Room {
            bytes: each.saturating_mul(items).max(ROOM_BYTES_MIN),
        }
    }

    /// The same within the bounds of `memory`, and of a call for `items` items that reads
    /// `bytes_max` at most.
    pub(super) fn within(self, memory: &ScanMemory, items: usize, bytes_max: usize) -> Self {
        Room {
            bytes: self.bytes.min(memory.body_bytes_max(items, bytes_max)),
        }
    }

    /// More, for an answer that was longer; `None`: there is no more for so many items.
    pub(super) fn grown(self, memory: &ScanMemory, items: usize, bytes_max: usize) -> Option<Self> {
        let more = Room {
            bytes: self.bytes.saturating_mul(GROWTH),
        }
        .within(memory, items, bytes_max);
        (more.bytes > self.bytes).then_some(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_passed_on_is_free_again() {
        let memory = ScanMemory::new(3_000);
        let mut page = memory.acquire(500).await;
        assert_eq!(memory.used_bytes(), 1_500);
        page.shrink_to(200);
        assert_eq!(memory.used_bytes(), 200);
        page.shrink_to(900);
        assert_eq!(memory.used_bytes(), 200, "it never grows");
        drop(page);
        assert_eq!(memory.used_bytes(), 0);
    }

    #[tokio::test]
    async fn a_page_larger_than_everything_takes_everything() {
        let memory = ScanMemory::new(1_000);
        let page = memory.acquire(usize::MAX).await;
        assert_eq!(memory.used_bytes(), 1_000);
        let next = tokio::spawn({
            let memory = memory.clone();
            async move { memory.acquire(1).await }
        });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        drop(page);
        next.await.expect("it gets its turn");
    }

    #[test]
    fn room_grows_up_to_what_the_call_reads() {
        let memory = ScanMemory::new(30 << 20);
        let weight = ItemWeight::new();
        let first = Room::of(&weight, 10).within(&memory, 10, 8 << 20);
        assert_eq!(first.bytes, ROOM_BYTES_MIN);
        let second = first.grown(&memory, 10, 8 << 20).expect("there is more");
        assert_eq!(second.bytes, 4 << 20);
        let third = second.grown(&memory, 10, 8 << 20).expect("there is more");
        assert_eq!(third.bytes, 8 << 20);
        assert_eq!(third.grown(&memory, 10, 8 << 20), None);
        assert!(third.grown(&memory, 1, 48 << 20).is_some());
        let small = ScanMemory::new(3 << 20);
        assert_eq!(third.within(&small, 10, 8 << 20).bytes, 1 << 20);
        weight.saw(1_000, 4_000_000, 0);
        assert!(Room::of(&weight, 1_000).bytes >= 4_000_000);
    }
}
