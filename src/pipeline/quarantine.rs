//! The time in which a batcher sends nothing, because writes of another may still land.
//!
//! Owns the end of that time. Promises that it is not over while a call of the predecessor is
//! under way, nor before the guard has passed after it. Never looks at keys: those of the
//! predecessor are not known any more, so all wait.

use std::sync::Weak;
use std::time::{Duration, Instant};

/// How often a new batcher looks whether its predecessor's calls have ended.
const CHECK: Duration = Duration::from_millis(20);

/// What a new batcher waits for.
#[derive(Debug)]
pub struct Quarantine {
    predecessor_calls: Weak<()>,
    guard: Duration,
    ends: Option<Instant>,
}

impl Quarantine {
    /// After a batcher that died: its calls may still be under way, and land for `guard` after.
    pub fn after_fault(predecessor_calls: Weak<()>, guard: Duration) -> Self {
        Quarantine {
            predecessor_calls,
            guard,
            ends: None,
        }
    }

    /// After a process that died: its calls broke when it did, and have landed at `ends`.
    pub fn after_crash(ends: Instant) -> Self {
        Quarantine {
            predecessor_calls: Weak::new(),
            guard: Duration::ZERO,
            ends: Some(ends),
        }
    }

    /// When to look again; `None`: it is over.
    pub fn check(&mut self, now: Instant) -> Option<Instant> {
        if self.predecessor_calls.strong_count() > 0 {
            return Some(now + CHECK);
        }
        let ends = *self.ends.get_or_insert(now + self.guard);
        (ends > now).then_some(ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn the_guard_begins_when_the_last_call_has_ended() {
        let guard = Duration::from_secs(5);
        let call = Arc::new(());
        let mut quarantine = Quarantine::after_fault(Arc::downgrade(&call), guard);
        let start = Instant::now();
        assert_eq!(quarantine.check(start), Some(start + CHECK));
        drop(call);
        let ended = start + Duration::from_secs(1);
        assert_eq!(quarantine.check(ended), Some(ended + guard));
        assert_eq!(quarantine.check(ended + guard), None);
    }

    #[test]
    fn after_a_crash_only_the_time_is_waited_for() {
        let ends = Instant::now() + Duration::from_secs(5);
        let mut quarantine = Quarantine::after_crash(ends);
        assert_eq!(quarantine.check(ends - Duration::from_secs(1)), Some(ends));
        assert_eq!(quarantine.check(ends), None);
    }
}
