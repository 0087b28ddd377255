//! Until when this process may write to CDF.
//!
//! Owns that moment, which whoever keeps the lease of the state store puts off again and again.
//! Promises that a process that slept through it sees so before its next request, whichever of its
//! threads wakes up first. Never ends anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The moment. Clones share it.
#[derive(Clone, Debug)]
pub struct WritingTerm {
    begun: Instant,
    /// Reckoned from `begun`; rounded down, so that it is never later than it was said to be.
    until_ms: Arc<AtomicU64>,
}

impl WritingTerm {
    /// One that is over until it is put off.
    pub fn new() -> Self {
        WritingTerm {
            begun: Instant::now(),
            until_ms: Arc::default(),
        }
    }

    /// There may be writing until then.
    pub fn put_off(&self, until: Instant) {
        let until = until.saturating_duration_since(self.begun).as_millis();
        let until_ms = u64::try_from(until).unwrap_or(u64::MAX);
        self.until_ms.store(until_ms, Ordering::Release);
    }

    /// There may be no more writing.
    pub fn end(&self) {
        self.until_ms.store(0, Ordering::Release);
    }

    /// Whether the moment has come.
    pub fn is_over(&self) -> bool {
        self.begun.elapsed() >= Duration::from_millis(self.until_ms.load(Ordering::Acquire))
    }
}

impl Default for WritingTerm {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_over_unless_it_was_put_off_and_clones_see_it() {
        let term = WritingTerm::new();
        let clone = term.clone();
        assert!(clone.is_over());
        term.put_off(Instant::now() + Duration::from_secs(3_600));
        assert!(!clone.is_over());
        clone.end();
        assert!(term.is_over());
        // A moment before there was a term.
        term.put_off(term.begun - Duration::from_secs(1));
        assert!(term.is_over());
    }
}
