//! The clock that tokens, nonces and sessions are judged by.
//!
//! Owns an offset to the wall clock, which an admin call sets: a test lets an hour pass
//! without waiting for it. Times of stored data are not concerned.

use crate::emulator::clock;
use std::sync::atomic::{AtomicI64, Ordering};

/// The wall clock and an offset.
#[derive(Debug, Default)]
pub struct IdentityClock {
    offset_ms: AtomicI64,
}

impl IdentityClock {
    /// Milliseconds since 1970, with the offset.
    pub fn now_ms(&self) -> i64 {
        clock::now_ms().saturating_add(self.offset_ms())
    }

    pub fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Relaxed)
    }

    /// Puts the clock so far ahead of the wall clock (behind it, when negative).
    pub fn set_offset_ms(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
    }

    /// Lets time pass.
    pub fn advance_ms(&self, by_ms: i64) {
        self.offset_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}
