//! The emulator's wall clock.
//!
//! Owns the one conversion from system time to CDF's milliseconds.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, as CDF stamps `createdTime` and `lastUpdatedTime`.
pub fn now_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        // A clock set before 1970 gives the epoch itself: CDF has no negative times here.
        Err(_) => 0,
    }
}
