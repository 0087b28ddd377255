//! The time of letters.
//!
//! Owns a clock that is set once, at the start, and runs on by itself. Promises that a step of
//! the system's clock makes no letter older than it is: retention by age deletes rows. Never
//! asks the system's clock again.

use jiff::{SignedDuration, Timestamp};
use std::time::Instant;

/// The system's clock at its start, and the time that has passed since.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    started: Timestamp,
    began: Instant,
}

impl SteadyClock {
    /// Sets the clock.
    pub fn start() -> Self {
        SteadyClock {
            started: Timestamp::now(),
            began: Instant::now(),
        }
    }

    /// Now.
    pub fn now(self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX);
        self.started.checked_add(passed).unwrap_or(Timestamp::MAX)
    }
}
